"""What torch.compile is worth in training on a CPU: `python resources/experiments/compiled.py [--steps 12]`

The forward and backward pass of the default architecture on a batch of 16 aligned patches, on one core, as it is and compiled, in float32 and under
autocast to bfloat16: seconds of that core for a step (the fastest of three rounds), and the time from the first call to the end of the third step.
Writes resources/results/compiled.csv, and compiled.json with what it was made by. Needs a C++ compiler.
"""
import argparse
import json
import os
import platform
import time
from pathlib import Path

import pandas as pd
import torch

from tsr.core import atomic_write
from tsr.losses import LOSSES
from tsr.model import create_model
from tsr.training import TrainConfig, git_commit

RESULTS = Path(__file__).parents[1]/'results'

def measure(
    net, # to train
    batch, # (x, hr)
    bfloat16, # bool
    steps # of a round
): # dict
    "Seconds of a step, and of the first three."
    criterion, begun = LOSSES[TrainConfig.loss](), time.perf_counter()
    def step():
        with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16): loss = criterion(net(batch[0]), batch[1])
        loss.backward()
    for _ in range(3): step()
    first, rounds = time.perf_counter() - begun, []
    for _ in range(3):
        clock = time.process_time()
        for _ in range(steps): step()
        rounds.append((time.process_time() - clock) / steps)
    return dict(step_core_seconds=min(rounds), first_steps_seconds=first)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--steps', type=int, default=12, help='of a round')
    args = parser.parse_args()
    torch.set_num_threads(1)
    net, c = create_model(TrainConfig.model).to(memory_format=torch.channels_last), TrainConfig()
    batch = torch.rand(c.batch_size, net.align_channels, c.patch, c.patch), torch.rand(c.batch_size, 3, 2 * c.patch, 2 * c.patch)
    rows = []
    for bfloat16 in (False, True):
        for compiled in (False, True):
            row = measure(torch.compile(net) if compiled else net, batch, bfloat16, args.steps)
            rows.append(dict(model=c.model, precision='bfloat16' if bfloat16 else 'float32', compiled=compiled) | row)
            print(rows[-1], flush=True)
    with atomic_write(RESULTS/'compiled.csv') as part: pd.DataFrame(rows).to_csv(part, index=False, float_format='%.5g')
    about = dict(steps=args.steps, machine=platform.platform(), cores=os.cpu_count(), load=round(os.getloadavg()[0], 1), torch=torch.__version__, commit=git_commit())
    with atomic_write(RESULTS/'compiled.json') as part: part.write_text(json.dumps(about, indent=1) + '\n')

if __name__ == '__main__': main()
