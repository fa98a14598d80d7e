"""What bfloat16 is worth in training: `python resources/experiments/precision.py FOLDER [--steps 300] [--seeds 2]`

Trains the light and the default architecture from scratch in float32 (precision=no) and in bfloat16 (bf16) in turn, on the same examples. Writes
resources/results/precision.csv, a row for each training: the gain over bicubic on the videos that are held out, and the seconds of a step (median),
by the clock and of a core, with forward, backward and optimizer, without loading. precision.json says with what. About ten minutes on two cores.
"""
import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from study import processor

from tsr.core import atomic_write, write_json
from tsr.training import MultiTrainer, TrainConfig, git_commit

RESULTS = Path(__file__).parents[1]/'results'
SHAPES = {'light': dict(model='TSRNet', model_args=dict(features=8, blocks=2)),
          'default': dict(model='AlignedNet')}
NAMES = dict(no='float32', bf16='bfloat16')

class StepClock:
    "Seconds from the beginning of each forward pass to the end of the optimizer's step."
    def __init__(self): self.wall, self.core = [], []
    def before_batch(self, trainer): self.mark = time.perf_counter(), time.process_time()
    def after_batch(self, trainer):
        self.wall.append(time.perf_counter() - self.mark[0])
        self.core.append(time.process_time() - self.mark[1])

def train(folder, name, precision, seed, steps): # dict
    "One training."
    config = TrainConfig(**SHAPES[name], precision=precision, seed=seed, steps=steps, patch=48, batch_size=16, patches_per_window=4, ema=.99,
                         validation=.2, validation_frames=10, log_every=50)
    clock = StepClock()
    with tempfile.TemporaryDirectory() as d: history = MultiTrainer(folder, config, Path(d)/'run', [clock]).train()
    middle = lambda seconds: pd.Series(seconds[5:]).median()
    return dict(model=name, precision=NAMES[precision], seed=seed, steps=steps, gain_psnr=history.gain_psnr.iloc[-1], train_psnr=history.train_psnr.iloc[-1],
                step_seconds=middle(clock.wall), step_core_seconds=middle(clock.core))

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', nargs='+', help='of training clips, or the clips')
    parser.add_argument('--steps', type=int, default=300)
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--results', type=Path, default=RESULTS)
    args, rows = parser.parse_args(), []
    for seed in range(args.seeds):
        for name in SHAPES:
            for precision in NAMES:
                rows.append(train(args.folder, name, precision, seed, args.steps))
                print(rows[-1], flush=True)
    with atomic_write(args.results/'precision.csv') as part: pd.DataFrame(rows).to_csv(part, index=False, float_format='%.5g')
    write_json(args.results/'precision.json', dict(command=f'python resources/experiments/precision.py FOLDER --steps {args.steps} --seeds {args.seeds}',
        commit=git_commit(), processor=processor(), machine=platform.platform(), cores=os.cpu_count(), threads=torch.get_num_threads(),
        torch=torch.__version__, load=os.getloadavg()[0]))

if __name__ == '__main__': main()
