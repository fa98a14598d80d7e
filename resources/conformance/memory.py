"""Memory of one upscale from file to file: `python resources/conformance/memory.py [frames|4k] [--model light] [--out resources/results]`

`frames`: 100,000 small frames (`--count`, `--size`); the memory of the process must stay what it is after the first tenth. `4k`: a few frames of
3840x2160, of which the peak must stay below 4 GB. The memory (resident set) is sampled twice a second, and kept as `memory_frames.csv` or `memory_4k.csv`.
"""
import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
from files import ffmpeg

from tsr.core import write_json
from tsr.segments import finished_frames
from tsr.training import git_commit
from tsr.video import probe

def sample(command, dst, limit, every=.5): # table: seconds, frames that are in finished segments, resident megabytes
    "Run a command, for `limit` seconds at most, and look at its memory and that of its children."
    begun, rows, looked = time.monotonic(), [], 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watched, frames = psutil.Process(process.pid), 0
    while process.poll() is None:
        if (now := time.monotonic() - begun) > limit: process.terminate()
        if now > looked + 5: frames, looked = finished_frames(dst), now
        try: mb = sum(p.memory_info().rss for p in [watched, *watched.children(recursive=True)]) / 2**20
        except psutil.Error: continue
        rows.append((round(now, 1), frames, round(mb, 1)))
        time.sleep(every)
    if process.returncode and now < limit: sys.exit(f'{command}: exit status {process.returncode}')
    return pd.DataFrame(rows, columns=['seconds', 'frames', 'mb'])

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('case', choices=['frames', '4k'], nargs='?', default='frames')
    parser.add_argument('--count', type=int, help='frames; default: 100,000, or 8')
    parser.add_argument('--size', help='of a frame; default: 32x32, or 3840x2160')
    parser.add_argument('--minutes', type=float, default=1e9, help='after which it is stopped, and the frames of its finished segments count')
    parser.add_argument('--model', default='light')
    parser.add_argument('--out', default='', help='folder for the table; none: it is not written')
    args = parser.parse_args()
    count, size = args.count or dict(frames=100_000).get(args.case, 8), args.size or dict(frames='32x32').get(args.case, '3840x2160')
    with tempfile.TemporaryDirectory(prefix='tsr-memory-') as folder:
        src, dst = Path(folder)/'src.mp4', Path(folder)/'dst.mp4'
        ffmpeg(f'-f lavfi -i testsrc2=s={size}:r=25 -frames:v {count} -c:v libx264 -preset ultrafast -g 50 -pix_fmt yuv420p src.mp4', folder)
        table = sample([sys.executable, '-m', 'tsr', 'upscale', src, '-o', dst, '--model', args.model], dst, 60 * args.minutes)
        done = probe(dst, count=True).frames if dst.exists() else int(table.frames.max())
    if args.minutes > 1e6: assert done == count, f'{done} frames of {count}'
    peak = table.mb.max()
    facts = dict(command=f'python resources/conformance/memory.py {args.case} --model {args.model} --count {count} --size {size}', commit=git_commit(),
                 frames=done, size=size, seconds=float(table.seconds.max()), peak_mb=float(peak))
    if args.case == 'frames':
        early, late = (table[(table.frames > done * a) & (table.frames <= done * b)].mb.median() for a, b in ((.1, .2), (.8, 1)))
        facts |= dict(mb_after_a_tenth=float(early), mb_at_the_end=float(late))
    print(facts)
    if args.out:
        step = max(1, len(table) // 300)
        table.groupby(table.index // step).agg(dict(seconds='first', frames='first', mb='max')).to_csv(Path(args.out)/f'memory_{args.case}.csv', index=False)
        write_json(Path(args.out)/f'memory_{args.case}.json', facts)
    if args.case == 'frames' and late > 1.05 * early + 5: sys.exit('memory grows')
    if args.case == '4k' and peak > 4096: sys.exit('more than 4 GB')

if __name__ == '__main__': main()
