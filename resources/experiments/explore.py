"""What each part of the network is worth: `python resources/experiments/explore.py FOLDER [--steps 500] [--seeds 2] [--only NAME...]`

Trains each network of `NETWORKS` anew on the videos of FOLDER: the same number of steps, the same patches in the same order, the same optimizer
and schedule, on eight patches of 64 LR pixels a step, in bfloat16 where the processor has it (one network always in float32, to see what that
changes). A seed decides weights, order and augmentation. Each network is scored, in luma, on the middle of frames of videos that are held back from
all of them; so are the interpolations and the linear filter. One row for each network and seed goes into resources/results/exploration.csv as soon as
it is known; rows that are there are not made again, so the command can be stopped and given again. The trained networks stay in runs/exploration,
where resources/experiments/motion.py finds them.
"""
import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

sys.path.insert(0, str(Path(__file__).parent))
from variants import collapse  # the import makes the names of variants architectures

from tsr.core import atomic_write
from tsr.data import evenly_spaced
from tsr.dataset import MultiVideoDataset, probe_videos
from tsr.inference import supports_bfloat16
from tsr.losses import score_frame
from tsr.model import load_model, save_model, summary
from tsr.training import MultiTrainer, TrainConfig, git_commit, split_videos

TABLE = Path(__file__).parents[1]/'results'/'exploration.csv'
MODELS = Path(__file__).parents[2]/'runs'/'exploration'
FRAMES, HEIGHT, WIDTH = 24, 240, 320 # that are scored, and the part of a small frame that is, in its middle
PRECISION = 'bf16' if supports_bfloat16() else 'no'
def shape(features, blocks): return dict(model_args=dict(features=features, blocks=blocks))

NETWORKS = { # name in the report: what differs from TSRNet as it is
    '1 frame': dict(frames_back=0, frames_forward=0),
    'TSRNet': {},
    'AlignedNet': dict(model='AlignedNet'),
    'AlignedNet, sampled at LR': dict(model='SampledAtLR'),
    'AlignedNet, 4 neighbours': dict(model='AlignedNet', frames_back=2, frames_forward=2),
    'light: 8 features, 4 blocks': shape(8, 4),
    'light: AlignedNet': dict(model='AlignedNet', **shape(8, 4)),
    'AdamW': dict(optimizer='AdamW', learning_rate=2e-3),
    '24 features, 3 blocks': shape(24, 3),
    'no skip': dict(model='OtherSkip', model_args=dict(skip='none')),
    'learned 9x9 skip': dict(model='OtherSkip'),
    'half the size inside': dict(model='Folded'),
    'recurrent': dict(model='Recurrent', frames_back=3, model_args=dict(blocks=5)),
    're-parameterised': dict(model='Reparameterised'),
    '12 features, 11 blocks': shape(12, 11),
    'ReLU': dict(model_args=dict(leak=0.)),
    'light: luma only': dict(model='Luma', **shape(8, 4)),
    '5 frames': dict(frames_back=2, frames_forward=2),
    'Lanczos skip': dict(model='OtherSkip', model_args=dict(skip='lanczos4')),
    'MSE': dict(loss='MSE'),
    'float32': dict(precision='no'),
    'patch 32, batch 32': dict(patch=32, batch_size=32),
}

def train(
    videos, # list of paths
    changes, # fields of `TrainConfig`
    callbacks=(), # that watch
    **budget # steps and seed
): # model
    "One network, trained; of the videos one is spared for the trainer's own validation."
    config = TrainConfig(**dict(model='TSRNet', precision=PRECISION, patch=64, batch_size=8, patches_per_window=16, validation=.01, validation_frames=1, log_every=100) | changes | budget)
    with tempfile.TemporaryDirectory() as out:
        trainer = MultiTrainer(videos, config, out, list(callbacks))
        trainer.train()
    return trainer.model.cpu().eval()

def center_pair(
    window, # (T, C, h, w)
    truth # (C, 2h, 2w)
): # the same part of both
    "What is scored of a frame."
    top, left = (max(n - m, 0) // 2 for n, m in zip(window.shape[-2:], (HEIGHT, WIDTH)))
    return window[..., top:top + HEIGHT, left:left + WIDTH], truth[..., 2 * top:2 * (top + HEIGHT), 2 * left:2 * (left + WIDTH)]

@torch.inference_mode()
def luma(
    model, # to score
    videos # list of paths
): # dict of means
    "The scores of the report."
    data = MultiVideoDataset(videos, model.frames_back, model.frames_forward, segment=1)
    picked = evenly_spaced(len(data), FRAMES)
    scores = [score_frame(model(window[None]), truth[None], metrics=('psnr_y', 'ssim_y')) for window, truth in (center_pair(*data[i]) for i in picked)]
    return {k: round(float(np.mean([s[k] for s in scores])), 5) for k in scores[0]}

def row(name, seed, steps, videos, held):
    "Train a network, keep it, score it."
    begun = time.time()
    model = collapse(train(videos, NETWORKS[name], steps=steps, seed=seed))
    minutes = (time.time() - begun) / 60
    MODELS.mkdir(parents=True, exist_ok=True)
    save_model(model, MODELS/f'{name}, {steps} steps, seed {seed}.safetensors', steps=steps, seed=seed, commit=git_commit())
    cost = summary(model).drop_duplicates('layer') # a recurrent network comes by its layers once for each frame
    return dict(name=name, seed=seed, steps=steps, **luma(model, held), precision=NETWORKS[name].get('precision', PRECISION), parameters=cost.parameters.sum(),
                gmac=round(cost['multiply-adds'].sum() / 1e9, 2), minutes=round(minutes, 2), commit=git_commit())

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder')
    parser.add_argument('--steps', type=int, default=500)
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--only', nargs='*', default=list(NETWORKS), choices=list(NETWORKS))
    args = parser.parse_args()
    (videos, _), (held, _) = split_videos([source.path for source in probe_videos(args.folder)], .2)
    if TABLE.exists(): rows = pd.read_csv(TABLE, dtype=dict(commit=str)).to_dict('records')
    else: rows = [dict(name=name, seed=0, steps=0, **luma(load_model(name), held), commit=git_commit()) for name in ('bicubic', 'lanczos4', 'linear')]
    done = {(r['name'], r['seed'], r['steps']) for r in rows}
    wanted = [(name, seed) for seed in range(args.seeds) for name in args.only if (name, seed, args.steps) not in done]
    for name, seed in tqdm(wanted, unit='training'):
        rows.append(row(name, seed, args.steps, videos, held))
        with atomic_write(TABLE) as part: pd.DataFrame(rows).to_csv(part, index=False)

if __name__ == '__main__': main()
