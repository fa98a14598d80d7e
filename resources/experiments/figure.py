"The picture of the README, one crop of a sample clip enlarged by bicubic and by a model, and its truth: `python resources/experiments/figure.py MODEL FILE`"
import sys

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
import torch

from tsr.dataset import MultiVideoDataset
from tsr.losses import psnr
from tsr.model import load_model
from tsr.samples import TEST_SCENES, make_sample

FRAME, ROWS, COLS = 6, slice(104, 264), slice(470, 720)
model, file = sys.argv[1:]
net = load_model(model)
k = net.frames_back
window, truth = MultiVideoDataset(make_sample(TEST_SCENES[0]), k, net.frames_forward)[FRAME]
with torch.inference_mode():
    pictures = {'bicubic': load_model('bicubic')(window[None, k:k + 1]), 'tsr': net(window[None]), 'truth': truth[None]}
fig, axs = plt.subplots(1, 3, figsize=(12, 2.95), dpi=110)
for ax, (name, x) in zip(axs, pictures.items()):
    x = x.clamp(0, 1)[..., ROWS, COLS]
    title = 'ground truth' if name == 'truth' else f'{name}: {psnr(x, truth[None, :, ROWS, COLS]).item():.2f} dB'
    ax.imshow(x[0].permute(1, 2, 0), interpolation='nearest')
    ax.set_title(title, fontsize=11)
    ax.axis('off')
plt.tight_layout(pad=.6)
plt.savefig(file)
