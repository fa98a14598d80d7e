"""Is this checkout as fast as another one? `python resources/experiments/compare_speed.py OTHER_CHECKOUT CLIP [--models default light small] [--frames 24] [--repeats 7]`

The two take turns, each in a process of its own whose start is not counted, as the command line runs them: upscaling of a clip's frames by each model, and a
training step of `default` (forward, backward, 8 windows of 64x64). Printed are seconds and the ratio other/this, pair by pair: above 1, this checkout is faster.
It also compares the frames, which must be the same bytes. `git worktree add ../before COMMIT` makes a checkout of an earlier commit.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

JOB = '''
import hashlib, json, sys, time
from itertools import islice
import torch
from tsr import Upscaler, load_model
from tsr.video import read_frames
try: from tsr.cli import keep_freed_memory; keep_freed_memory()
except ImportError: pass # the other checkout may set it in `Upscaler`
clip, model, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
if model == 'step':
    torch.manual_seed(0)
    net = load_model('default').train()
    window = torch.rand(8, 1 + net.frames_back + net.frames_forward, 3, 64, 64)
    def job(): net.zero_grad(); net(window).square().mean().backward(); return b''
else:
    frames, upscaler = [f.image for f in islice(read_frames(clip), count)], Upscaler(model, 'cpu')
    def job(): return b''.join(f.tobytes() for f in upscaler.frames(frames))
job()
begun = time.perf_counter()
made = [job() for _ in range(20 if model == 'step' else 1)][-1]
print(json.dumps(dict(seconds=time.perf_counter() - begun, hash=hashlib.sha256(made).hexdigest())))
'''

def run(folder, *args):
    "One process with the package of a checkout."
    env = os.environ | dict(PYTHONPATH=str(Path(folder).resolve()))
    done = subprocess.run([sys.executable, '-c', JOB, *map(str, args)], env=env, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('other'), parser.add_argument('clip')
    parser.add_argument('--models', nargs='*', default=['default', 'light', 'small'])
    parser.add_argument('--frames', type=int, default=24), parser.add_argument('--repeats', type=int, default=7)
    args, this = parser.parse_args(), Path(__file__).parents[2]
    for job in (*args.models, 'step'):
        pairs = [(run(args.other, Path(args.clip).resolve(), job, args.frames), run(this, Path(args.clip).resolve(), job, args.frames)) for _ in range(args.repeats)]
        same = all(a['hash'] == b['hash'] for a, b in pairs)
        other, mine, ratio = (np.array(x) for x in zip(*((a['seconds'], b['seconds'], a['seconds'] / b['seconds']) for a, b in pairs)))
        print(f'{job:8} other {np.median(other):6.2f} s  this {np.median(mine):6.2f} s  ratio {np.median(ratio):.3f} ({ratio.min():.3f} to {ratio.max():.3f})  {"the same frames" if same else "OTHER FRAMES"}', flush=True)

if __name__ == '__main__': main()
