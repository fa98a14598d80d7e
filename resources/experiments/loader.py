"""What the loader costs, in memory and in time: `python resources/experiments/loader.py [memory] [speed] [scaling] [feed] [start] [--steps 120]`

Writes resources/results/loader_memory.csv, loader_speed.csv, loader_scaling.csv, loader_feed.csv and loader_start.csv, and loader.json with what they were made by.
The videos are the training clips of TSR_CLIPS, or else the sample clips; copies get another hash by a few bytes at their end, which no decoder
reads, so that each is decoded for itself. Everything that is decoded goes into a temporary folder.
"""
import argparse
import json
import os
import platform
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import torch

from tsr.data import window_indices
from tsr.dataset import MultiVideoDataset, load_batches, pack_rgb, probe_source
from tsr.model import create_model
from tsr.optimizers import OPTIMIZERS
from tsr.resample import low_resolution, to_bytes, to_float
from tsr.samples import clips, make_sample
from tsr.training import TrainConfig, as_float, git_commit
from tsr.video import probe, read_frames, write_frames

RESULTS = Path(__file__).parents[1]/'results'

def copies(
    folder, # to fill
    count, # of files
    clip=None # frames and size, as in `make_sample`; None: 24 frames of 1280x720
): # `folder`
    "So many videos, each one its own file."
    folder.mkdir()
    sources = [make_sample(scene, **clip or dict(frames=24)) for scene in ('archive', 'nature')]
    for i, source in zip(range(count), cycle(sources)):
        (folder/f'{i:04}.mp4').write_bytes(source.read_bytes() + b'\0\0\0\x14free%012d' % i) # a box of 20 bytes that is skipped
    return folder

def long_video(
    folder, # to fill
    count # of frames
): # `folder`
    "One video of so many frames."
    folder.mkdir()
    frames = [f.image for f in read_frames(make_sample('archive', frames=24))]
    write_frames(folder/'long.mp4', islice(cycle(frames + frames[::-1]), count), fps=24, crf=20, preset='ultrafast')
    return folder

def pss(
    pid # of a process
): # proportional memory in MB of it and of all its children, and theirs
    "Memory, in which pages that processes share are counted once."
    try:
        own = next(int(line.split()[1]) for line in open(f'/proc/{pid}/smaps_rollup') if line.startswith('Pss:')) / 1024
        children = open(f'/proc/{pid}/task/{pid}/children').read().split()
    except (OSError, StopIteration): return 0
    return own + sum(map(pss, children))

def training_memory(
    folder, # of videos
    steps, # of the training
    cache # folder of decoded segments
): # peak in MB
    "The most memory that `tsr train` with two workers takes."
    command = [sys.executable, '-m', 'tsr.cli', 'train', str(folder), '--out', str(cache/'run'), '--steps', str(steps), '--workers', '2',
               '--cache-gb', '1', '--validation-frames', '2', '--log-every', '50']
    process = subprocess.Popen(command, env=os.environ | dict(TSR_CACHE=str(cache), TSR_MLFLOW='off'), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    said = []
    threading.Thread(target=lambda: said.append(process.stderr.read()), daemon=True).start()
    peak = 0
    while process.poll() is None:
        peak = max(peak, pss(process.pid))
        time.sleep(.1)
    if process.returncode: sys.exit(f'tsr train failed: {said[0].decode()[-2000:]}')
    return peak

def memory(steps, runs=3):
    "Peak memory for more videos, and for a longer one, the median of several runs; beside it what holding all windows takes."
    make = {'10 videos': lambda d: copies(d, 10), '100 videos': lambda d: copies(d, 100), '1000 videos': lambda d: copies(d, 1000), '10,000 frames': lambda d: long_video(d, 10_000)}
    rows = []
    with tempfile.TemporaryDirectory() as root:
        folders = {name: fill(Path(root)/name) for name, fill in make.items()}
        for name, folder in [*folders.items()] * runs:
            with tempfile.TemporaryDirectory() as cache: rows.append(dict(videos=name, peak_mb=training_memory(folder, steps, Path(cache))))
            print(rows[-1], flush=True)
        frames = {name: sum(probe(v).frames for v in folder.iterdir()) for name, folder in folders.items()}
    peaks = pd.DataFrame(rows).groupby('videos', sort=False).peak_mb
    table = pd.DataFrame(dict(frames=frames, peak_mb=peaks.median(), lowest_mb=peaks.min(), highest_mb=peaks.max()))
    table['all_windows_mb'] = table.frames * 1280 * 720 * 3 * (1 + 3 / 4) / 2**20 # bytes of each truth and of its three small frames
    return table.round().astype(int).rename_axis('videos').reset_index()

class Step:
    "A training step of the default network."
    def __init__(self):
        torch.manual_seed(0)
        self.model = create_model(TrainConfig().model).to(memory_format=torch.channels_last)
        self.optimizer = OPTIMIZERS[TrainConfig().optimizer](self.model.parameters(), 1e-3)

    def __call__(self, window, truth):
        self.optimizer.zero_grad()
        (self.model(as_float(window)) - as_float(truth)).abs().mean().backward()
        self.optimizer.step()

def rate(
    batches, # iterable of (window, truth)
    step, # `Step`
    count # of batches
): # examples a second
    "How fast a stretch of training goes."
    start = time.perf_counter()
    n = sum(len(window) for window, truth in islice(batches, count) if not step(window, truth))
    return n / (time.perf_counter() - start)

def forever(data, workers, epoch=0):
    "Batches of one epoch after the other."
    while True:
        yield from load_batches(data, 16, epoch, workers=workers)
        epoch += 1

class PatchByPatch(MultiVideoDataset):
    "The rival that keeps whole decoded videos and makes the LR side of each patch when it is asked for."
    def example(self, i):
        rng = random.Random(f'{self.seed} {self.epoch} {i}')
        s, _, frame = self.locate(i)
        hr, lr, _, first = self.open(s)
        y, x = (rng.randrange(4, n - self.patch - 4) for n in (lr.height, lr.width))
        around, m = window_indices(frame - first, len(hr)), 4
        cut = to_float(hr.read(around, *(slice(2 * (k - m), 2 * (k + self.patch + m)) for k in (y, x))))
        window = low_resolution(cut, (self.patch + 2 * m,) * 2)[..., m:-m, m:-m]
        return pack_rgb(to_bytes(window)), pack_rgb(to_bytes(cut[1, :, 2 * m:-2 * m, 2 * m:-2 * m]))

class DecodeEach(MultiVideoDataset):
    "The rival that keeps nothing: each example is decoded from the key frame before it."
    def example(self, i):
        rng = random.Random(f'{self.seed} {self.epoch} {i}')
        _, v, frame = self.locate(i)
        around = window_indices(frame, len(self.sources[v].times))
        images = list(self.sources[v].frames(around[0], around[-1] + 1))
        h, w = images[0].shape[:2]
        y, x = (rng.randrange(n // 2 - self.patch) * 2 for n in (h, w))
        cut = to_float(np.stack([images[k - around[0]][y:y + 2 * self.patch, x:x + 2 * self.patch] for k in around]))
        return pack_rgb(to_bytes(low_resolution(cut, (self.patch,) * 2))), pack_rgb(images[frame - around[0]][y:y + 2 * self.patch, x:x + 2 * self.patch])

def speed(steps, rounds=12):
    "Each design's training speed as a share of the same step fed from memory, in turns; and from an empty folder."
    videos, options = clips('train'), dict(patch=48, patches_per_window=8, augment=True)
    step, rows = Step(), []
    data = MultiVideoDataset(videos, **options)
    epoch = len(data) // 16
    cold = rate(load_batches(data, 16), step, epoch) # the first epoch decodes everything
    batch = next(iter(load_batches(data, 16)))
    designs = {'segments, LR sides beside them': MultiVideoDataset, 'the same, LR side made for each patch': PatchByPatch, 'nothing kept: decoded for each example': DecodeEach}
    datasets = {name: kind(videos, **options) for name, kind in designs.items()}
    rate(cycle([batch]), step, 10)
    for k in range(rounds):
        for name, data in datasets.items():
            count = 1 if 'nothing' in name else steps // rounds
            base = rate(cycle([batch]), step, steps // rounds)
            feed = forever(data, 0, k)
            next(feed)
            rows.append(dict(design=name, ratio=rate(feed, step, count) / base, examples_per_second=base))
            feed.close() # or it would read ahead while the next one is timed
    table = pd.DataFrame(rows).groupby('design', sort=False).median().reset_index()
    base = table.examples_per_second.median()
    table = pd.concat([table, pd.DataFrame([dict(design=f'segments, from an empty folder, first epoch of {epoch} steps', ratio=cold / base)])])
    table = table.assign(examples_per_second=table.ratio * base, fed_from_memory=base)
    print(table.round(3).to_string(index=False), flush=True)
    return table.round(4)

def scaling(steps):
    "Training speed for more workers, and for more processes that share each batch."
    videos, options = clips('train'), dict(patch=48, patches_per_window=8, augment=True)
    data, step, rows = MultiVideoDataset(videos, **options), Step(), []
    batch = next(iter(load_batches(data, 16)))
    rate(cycle([batch]), step, 10)
    for _ in range(3):
        for workers in (0, 1, 2, 4):
            base = rate(cycle([batch]), step, steps // 3)
            feed = forever(data, workers)
            next(feed) # workers have started
            rows.append(dict(kind='workers', count=workers, ratio=rate(feed, step, steps // 3) / base))
            feed.close()
    for _ in range(3):
        rates = {n: processes(videos, n, steps) for n in (1, 2)}
        rows += [dict(kind='processes', count=n, ratio=r / rates[1]) for n, r in rates.items()]
    table = pd.DataFrame(rows).groupby(['kind', 'count'], sort=False).ratio.median().reset_index()
    print(table.round(3).to_string(index=False), flush=True)
    return table.round(4)

def feed(steps, videos=300):
    "Examples for each second of one core: what the loader makes, aligned, and what a step of the default network takes; and the time to the first step."
    torch.set_num_threads(1)
    model, rows = create_model(TrainConfig().model), []
    options = dict(patch=48, patches_per_window=8, augment=True)
    step, data = Step(), MultiVideoDataset(clips('train')[:4], **options)
    load = lambda epoch: load_batches(data, 16, epoch, align=model.align, flow_search=model.flow_search)
    def measure(name, batches, consume=lambda *batch: None):
        start, clock, count = time.process_time(), time.perf_counter(), 0
        for x, hr in islice(batches, max(steps // 8, 4)):
            consume(x, hr)
            count += len(x)
        rows.append(dict(what=name, examples=count, per_core_second=count / (time.process_time() - start), seconds=time.perf_counter() - clock))
    measure('loader, first epoch: decoding, flow, alignment', load(0))
    measure('loader, cached frames and flow', load(1))
    batch = next(iter(load(2)))
    measure('training step, batch of 16', cycle([batch]), step)
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as cache:
        folder, start = copies(Path(root)/'many', videos), resource.getrusage(resource.RUSAGE_CHILDREN)
        clock = time.perf_counter()
        command = [sys.executable, '-m', 'tsr.cli', 'train', str(folder), '--out', root + '/run', '--steps', '1', '--validation-frames', '1', '--cache-gb', '4']
        subprocess.run(command, check=True, capture_output=True, env=os.environ | dict(TSR_CACHE=cache, TSR_MLFLOW='off', OMP_NUM_THREADS='1'))
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        rows.append(dict(what=f'command to the end of one step, {videos} videos, empty cache', examples=16, seconds=time.perf_counter() - clock,
                         core_seconds=used.ru_utime + used.ru_stime - start.ru_utime - start.ru_stime))
    table = pd.DataFrame(rows)
    print(table.round(2).to_string(index=False), flush=True)
    return table.round(3)

def first_step(folder, cache, *options): # (seconds from the command to the first step, core seconds until then)
    "Start `tsr train` on a folder, and end it after its first step."
    run, clock = cache/'run', time.perf_counter()
    command = [sys.executable, '-m', 'tsr.cli', 'train', str(folder), '--out', str(run), '--validation-frames', '1', '--log-every', '1', *options]
    job = psutil.Popen(command, env=os.environ | dict(TSR_CACHE=str(cache), TSR_MLFLOW='off'), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    batches = run/'batches.csv'
    while not (batches.exists() and len(batches.read_text().splitlines()) > 1):
        if job.poll() is not None: sys.exit(job.stderr.read().decode()[-2000:])
        time.sleep(.05)
    seconds, used = time.perf_counter() - clock, job.cpu_times()
    job.kill()
    job.wait()
    return seconds, used.user + used.system

def from_command(what, folder, cache, *options, **about): # dict, a row
    "From the command to the first step of the default network."
    seconds, core = first_step(folder, cache, *options)
    shutil.rmtree(cache/'run')
    row = dict(what=what, **about, seconds=seconds, core_seconds=core, load=os.getloadavg()[0])
    print(row, flush=True)
    return row

def start_many(count): # list of rows
    "A folder of so many clips of 12 frames of 320x180, with an empty cache and again."
    with tempfile.TemporaryDirectory() as d:
        root = Path(d)
        folder = copies(root/'videos', count, dict(frames=12, size=(180, 320)))
        about = dict(videos=count, frames=12 * count, bytes=sum(f.stat().st_size for f in folder.iterdir()))
        return [from_command(f'{count:,} clips, {what}', folder, root/'cache', **about) for what in ('empty cache', 'again')]

def start_4k(frames=24): # list of rows
    "A clip of 4K, reduced to 720p; and what its survey and its decoding take of a core."
    def core_seconds(function):
        begun = time.process_time()
        function()
        return time.process_time() - begun
    with tempfile.TemporaryDirectory() as d:
        root = Path(d)
        (root/'videos').mkdir()
        clip = make_sample('archive', root/'videos'/'clip.mp4', frames=frames, fps=60, size=(2160, 3840))
        about = dict(videos=1, frames=frames, bytes=clip.stat().st_size)
        rows = [from_command('a clip of 4K to 720p, empty cache', root/'videos', root/'cache', '--low-res', '360', '--high-res', '720', **about)]
        survey = core_seconds(lambda: probe_source(clip))
        decoding = core_seconds(lambda: [None for _ in read_frames(clip, size=(1280, 720))])
    return rows + [dict(what='survey of the 4K file', **about, core_seconds=survey), dict(what='decoding the 4K file to 720p', **about, core_seconds=decoding)]

def start(_):
    "From the command to the first step: folders of 300 and 1,000 small clips, and one clip of 4K."
    table = pd.DataFrame(start_many(300) + start_many(1000) + start_4k())
    print(table.round(2).to_string(index=False), flush=True)
    return table.round(3)

def processes(videos, count, steps):
    "Examples a second of `tsr train` in so many processes."
    with tempfile.TemporaryDirectory() as d:
        command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', f'--nproc-per-node={count}', '-m', 'tsr.cli'] if count > 1 else [sys.executable, '-m', 'tsr.cli']
        done = subprocess.run([*command, 'train', *map(str, videos), '--out', d + '/run', '--steps', str(steps), '--validation-frames', '1'], check=False, capture_output=True,
                              env=os.environ | dict(OMP_NUM_THREADS=str(max(1, os.cpu_count() // count)), TSR_MLFLOW='off'))
        if done.returncode: sys.exit(done.stderr.decode()[-2000:])
        return json.loads((Path(d)/'run'/'status.json').read_text())['examples_per_second']

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('parts', nargs='*', default=['memory', 'speed', 'scaling'])
    parser.add_argument('--steps', type=int, default=120, help='of each measurement')
    args = parser.parse_args()
    about = RESULTS/'loader.json'
    notes = json.loads(about.read_text()) if about.exists() else {}
    for part in args.parts:
        with tempfile.TemporaryDirectory() as os.environ['TSR_CACHE']: table = globals()[part](args.steps)
        table.to_csv(RESULTS/f'loader_{part}.csv', index=False)
        notes[part] = dict(commit=git_commit(), steps=args.steps, machine=platform.platform(), cores=os.cpu_count(), torch=torch.__version__, videos=len(clips('train')),
                           real_clips='TSR_CLIPS' in os.environ, command=f'python resources/experiments/loader.py {part} --steps {args.steps}')
        about.write_text(json.dumps(notes, indent=1) + '\n')

if __name__ == '__main__': main()
