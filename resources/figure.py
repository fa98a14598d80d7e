"The picture of the README, one crop of a sample clip enlarged by bicubic and by a model, and its truth: `python resources/figure.py MODEL FILE`"
import sys

import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt
import torch

from tsr.samples import TEST_SCENES, make_sample
from tsr.dataset import MultiVideoDataset
from tsr.losses import psnr
from tsr.model import load_model

FRAME, ROWS, COLS = 6, slice(104, 264), slice(470, 720)
model, file = sys.argv[1:]
window, truth = MultiVideoDataset(make_sample(TEST_SCENES[0]))[FRAME]
with torch.inference_mode():
    pictures = {'bicubic': load_model('bicubic')(window[None, 1:2]), 'tsr': load_model(model)(window[None]), 'truth': truth[None]}
fig, axs = plt.subplots(1, 3, figsize=(12, 2.95), dpi=110)
for ax, (name, x) in zip(axs, pictures.items()):
    x = x.clamp(0, 1)
    title = name if name == 'truth' else f'{name}: {psnr(x, truth[None], crop=8).item():.2f} dB'
    ax.imshow(x[0, :, ROWS, COLS].permute(1, 2, 0), interpolation='nearest')
    ax.set_title(title, fontsize=11)
    ax.axis('off')
plt.tight_layout(pad=.6)
plt.savefig(file)
