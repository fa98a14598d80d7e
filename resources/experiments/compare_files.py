"""From file to file, is this checkout as fast as another one? `python resources/experiments/compare_files.py OTHER_CHECKOUT CLIP [--models default light]`

`tsr upscale` of both, in turns, each in a process of its own, x264's preset veryfast. Each upscales a short and a longer part of the clip, and what the
difference of their lengths took is counted: the start of Python and PyTorch is left out. Written to resources/results/compare_files.csv: milliseconds a
frame on the clock and of processor time, with the commit and the processor; rows of other processors stay. `git worktree add ../before COMMIT` makes a
checkout of an earlier commit.
"""
import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from rivals import processor

from tsr.core import write_json
from tsr.training import git_commit
from tsr.video import probe

ROOT = Path(__file__).resolve().parents[2]
PARTS = .5, 2.5 # seconds of the clip

def used(): # seconds of processor time of all processes that have ended
    "Processor time of children."
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime

def upscale(checkout, clip, model, seconds, folder): # seconds on the clock, of processor time
    "One `tsr upscale`."
    dst, begun, before = Path(folder)/'out.mp4', time.perf_counter(), used()
    dst.unlink(missing_ok=True)
    command = [sys.executable, '-m', 'tsr.cli', 'upscale', str(Path(clip).resolve()), '-o', str(dst), '--model', model, '--duration', str(seconds), '--preset', 'veryfast']
    env = os.environ | dict(PYTHONPATH=str(Path(checkout).resolve()), OMP_WAIT_POLICY='PASSIVE', TSR_MLFLOW='off')
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=folder)
    if done.returncode: sys.exit(f'{checkout}: {done.stderr[-500:]}')
    return time.perf_counter() - begun, used() - before

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('other', help='checkout to compare with')
    parser.add_argument('clip')
    parser.add_argument('--models', nargs='+', default=['default', 'light'])
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--out', type=Path, default=ROOT/'resources'/'results')
    args = parser.parse_args()
    frames, rows = (PARTS[1] - PARTS[0]) * probe(args.clip).fps, []
    with tempfile.TemporaryDirectory() as folder:
        for model in args.models:
            for turn in range(args.repeats):
                for name, checkout in (('this', ROOT), ('other', args.other)):
                    short, long = (upscale(checkout, args.clip, model, seconds, folder) for seconds in PARTS)
                    wall, cpu = (round(1000 * float((b - a) / frames)) for a, b in zip(short, long))
                    rows.append(dict(model=model, turn=turn, checkout=name, wall_ms=wall, cpu_ms=cpu))
                    print(rows[-1], flush=True)
    other = subprocess.run(['git', 'describe', '--always'], cwd=args.other, capture_output=True, text=True).stdout.strip()
    table, dst = pd.DataFrame(rows).assign(machine=processor(), commit=git_commit()), args.out/'compare_files.csv'
    if dst.exists():
        before = pd.read_csv(dst)
        table = pd.concat([before[before.machine != processor()], table])
    table.to_csv(dst, index=False)
    write_json(dst.with_suffix('.json'), dict(other=other, cores=os.cpu_count(), preset='veryfast'))

if __name__ == '__main__': main()
