"""What bfloat16 is worth in training: `python resources/experiments/precision.py FOLDER [--steps 150] [--seeds 2]`

Trains the light and the default architecture from scratch in float32 (precision=no) and in bfloat16 (bf16), on the same examples, and measures a
step of each: forward and backward pass and optimizer, on one batch again and again, by turns. Writes resources/results/precision.csv, a row for each
training: the gain over bicubic on the videos that are held out, and the seconds of a step by the clock and of a core (medians). precision.json says
with what. A quarter of an hour on two cores.
"""
import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rivals import processor

from tsr.core import atomic_write, write_json
from tsr.losses import LOSSES
from tsr.model import create_model
from tsr.optimizers import OPTIMIZERS
from tsr.training import MultiTrainer, TrainConfig, git_commit

RESULTS = Path(__file__).parents[1]/'results'
SHAPES = {'light': dict(model='TSRNet', model_args=dict(features=8, blocks=2)), 'default': dict(model='AlignedNet')}
NAMES = dict(no='float32', bf16='bfloat16')

def train(folder, name, precision, seed, steps): # dict
    "One training."
    config = TrainConfig(**SHAPES[name], precision=precision, seed=seed, steps=steps, patch=48, batch_size=8, patches_per_window=8, ema=.98, warmup=20,
                         validation=.2, validation_frames=10, log_every=50)
    with tempfile.TemporaryDirectory() as d: last = MultiTrainer(folder, config, Path(d)/'run', []).train().iloc[-1]
    return dict(model=name, precision=NAMES[precision], seed=seed, steps=steps, gain_psnr=last.gain_psnr, train_psnr=last.train_psnr)

def step_seconds(name, repeats=15): # dict: precision -> seconds by the clock, and of a core
    "A training step of a batch of 16 patches of 48 pixels, in both precisions by turns."
    steps, seconds = {}, {precision: [] for precision in NAMES}
    for precision in NAMES:
        torch.manual_seed(0)
        net = create_model(**{'name': SHAPES[name]['model'], **SHAPES[name].get('model_args', {})}).to(memory_format=torch.channels_last)
        shape = (16, net.num_frames, 3, 48, 48) if net.stacks_frames else (16, net.align_channels, 48, 48)
        steps[precision] = net, OPTIMIZERS['Muon'](net.parameters(), 1e-3), torch.rand(shape), torch.rand(16, 3, 96, 96)
    criterion = LOSSES['Charbonnier']()
    for _ in range(repeats):
        for precision, (net, optimizer, x, hr) in steps.items():
            start = time.perf_counter(), time.process_time()
            with torch.autocast('cpu', torch.bfloat16, enabled=precision == 'bf16'): sr = net(x)
            optimizer.zero_grad()
            criterion(sr.float(), hr).backward()
            optimizer.step()
            seconds[precision].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return {precision: np.median(rows[3:], 0) for precision, rows in seconds.items()}

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', nargs='+', help='of training clips, or the clips')
    parser.add_argument('--steps', type=int, default=150)
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--results', type=Path, default=RESULTS)
    args, rows = parser.parse_args(), []
    for name in SHAPES:
        took = step_seconds(name)
        for seed in range(args.seeds):
            for precision in NAMES:
                wall, core = took[precision]
                rows.append(train(args.folder, name, precision, seed, args.steps) | dict(step_seconds=wall, step_core_seconds=core))
                print(rows[-1], flush=True)
                save(rows, args)

def save(rows, args):
    "The table so far, and what it was measured with."
    with atomic_write(args.results/'precision.csv') as part: pd.DataFrame(rows).to_csv(part, index=False, float_format='%.5g')
    write_json(args.results/'precision.json', dict(command=f'python resources/experiments/precision.py FOLDER --steps {args.steps} --seeds {args.seeds}',
        commit=git_commit(), processor=processor(), machine=platform.platform(), cores=os.cpu_count(), threads=torch.get_num_threads(),
        torch=torch.__version__, load=round(os.getloadavg()[0], 1)))

if __name__ == '__main__': main()
