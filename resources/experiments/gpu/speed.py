"""How fast the package is on a GPU, and whether it makes the same frames there: `python resources/experiments/gpu/speed.py [--only upscale parts agree training]`

upscale: file to file, as `tsr upscale` does it, on the GPU and on the CPU. parts: where the time of a frame goes. agree: the frames of the GPU beside
those of the CPU, and the scores that both compute. In these three `align` says where neighbours are sampled: on the GPU (device), as the package does it,
or on the cores, to compare. training: steps a second of `MultiTrainer`, with and without processes that read the batches. The
clips are rendered from the package's own samples. Whatever is compared takes turns, and a time is the median. The .json file is written after each
part; a part that fails leaves one line in its `errors`. Training takes what is left of `--limit`, at least eight seconds for each of its runs. Without a
GPU: `--device cpu --small`.
"""
import argparse
import copy
import faulthandler
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from itertools import islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rivals import processor

from tsr.cli import keep_freed_memory
from tsr.core import TSRError, write_json
from tsr.data import read_pairs
from tsr.inference import Upscaler, optimize_for_inference, pick_device, supports_bfloat16, thread_pool, tiles
from tsr.losses import psnr, score_frame
from tsr.model import load_model
from tsr.motion import DeviceMotion, Motion, frame_luma, pair_flow, upload
from tsr.resample import to_bytes, to_float
from tsr.runs import StopTraining, error_line
from tsr.samples import SCENES, make_sample
from tsr.training import MultiTrainer, TrainConfig, git_commit
from tsr.video import read_frames, write_frames

RESULTS = Path(__file__).parents[2]/'results'
MODELS = 'light', 'default', 'heavy'
FPS = 24 # of the clips
MEMORY, THREADS = 256, 4 # MB for tiles, and threads: the package's limits on a CPU, beside those of a GPU

class Load:
    "How busy the GPU and the cores are meanwhile: the GPU as NVML or nvidia-smi says, in percent of the time, the cores as the system counts them."
    lag = .5 # seconds: what NVML says is about the time before

    def __init__(self,
        device # 'cuda' or 'cpu'
    ): self.device, self.samples, self.gpu, self.cores = torch.device(device), [], None, None

    def __enter__(self):
        self._over, self._begun = threading.Event(), time.monotonic()
        psutil.cpu_percent() # counts from here on
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.cores = psutil.cpu_percent() * psutil.cpu_count() / 100
        self._over.set()
        self._thread.join(5)
        if self.samples: self.gpu = float(np.mean(self.samples))

    def _watch(self):
        if self.device.type != 'cuda': return
        with closing(self._by_nvml() if find_spec('pynvml') else self._by_command()) as readings:
            for percent in readings:
                if self._over.is_set(): return
                if time.monotonic() - self._begun > self.lag: self.samples.append(percent)

    def _by_nvml(self):
        while not self._over.wait(.1): yield torch.cuda.utilization(self.device)

    def _by_command(self):
        command = ['nvidia-smi', '--query-gpu=utilization.gpu', '--format=csv,noheader,nounits', '-lms', '200']
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                for line in process.stdout: yield float(line)
            finally: process.kill()

def in_turns(
    jobs, # dict: name -> function that returns a number
    repeats # how often each is called
): # dict: name -> list of what it returned
    "Call functions by turns, so that a machine that slows down slows all of them."
    found = defaultdict(list)
    for name, job in [*jobs.items()] * repeats: found[name].append(job())
    return found

def milliseconds(
    function, # to be timed
    device='cpu', # where it works
    repeats=7
): # float: the median after one call that is not counted
    "How long a call takes; on a GPU by events around it, when all of it has ended."
    cuda, taken = torch.device(device).type == 'cuda', []
    for _ in range(repeats + 1):
        if cuda:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize(device)
            start.record()
        begun = time.perf_counter()
        function()
        if cuda:
            end.record()
            end.synchronize()
        taken.append(start.elapsed_time(end) if cuda else 1000 * (time.perf_counter() - begun))
    return float(np.median(taken[1:]))

def make_clips(folder, small): # dict: height -> path; list of all clips of the larger height
    "A clip of each sample scene, and all of them one after the other at half their size."
    height, frames = (180, 8) if small else (720, 60)
    paths = {scene: folder/f'{scene}.mp4' for scene in SCENES}
    with ThreadPoolExecutor(len(paths)) as pool:
        list(pool.map(lambda scene: make_sample(scene, paths[scene], frames, FPS, (height, height * 16 // 9)), paths))
    small_frames = (to_bytes(lr) for path in paths.values() for lr, _ in read_pairs(path))
    write_frames(low := folder/f'{height // 2}p.mp4', small_frames, fps=FPS)
    return {height // 2: low, height: next(iter(paths.values()))}, [*paths.values()]

def to_file(
    upscaler, clip, out, # `Upscaler`, path of the video, folder for its result
    frames # how many
): # dict
    "Upscale a video as the command line does."
    with Load(upscaler.device) as load:
        done = upscaler.video(clip, out/'large.mp4', duration=frames / FPS, resume=True, progress=False)
    return dict(frames=done['frames'], fps=done['fps'], gpu_percent=load.gpu, busy_cores=load.cores)

def on_cores(upscaler): # `Upscaler`
    "A copy that samples neighbours on the cores wherever the network runs."
    other = copy.deepcopy(upscaler)
    other.runner.aligns_on = None
    return other

def align_place(upscaler): return 'cores' if upscaler.runner.aligns_on is None else 'device'

def upscale(args, clips, _, out): # rows
    "File to file."
    made = [*(Upscaler(model, args.device) for model in MODELS), on_cores(Upscaler('default', args.device)), Upscaler('default', 'cpu')]
    names = [*MODELS, 'default', 'default']
    upscalers = {(name, one.device.type, align_place(one)): one for name, one in zip(names, made)}
    for (height, clip), most in zip(clips.items(), (args.frames, args.frames // 4)):
        length = {job: frames_for(upscaler, clip, out, most, args.seconds) for job, upscaler in upscalers.items()}
        runs = {job: lambda job=job, upscaler=upscaler: to_file(upscaler, clip, out, length[job]) for job, upscaler in upscalers.items()}
        for (model, device, align), found in in_turns(runs, args.repeats).items():
            numbers = {k: float(np.median([run[k] for run in found])) for k in ('fps', 'gpu_percent', 'busy_cores') if found[0][k] is not None}
            yield dict(height=height, model=model, device=device, align=align, frames=found[0]['frames'], precision=upscalers[model, device, align].model.precision,
                       all_fps=[run['fps'] for run in found], **numbers)

def frames_for(upscaler, clip, out, most, seconds): # int
    "How many frames of a clip take about so many seconds, after two short runs, in the first of which a GPU gets ready."
    for _ in range(2): fps = to_file(upscaler, clip, out, 16)['fps']
    return min(most, max(16, round(fps * seconds)))

def parts(args, clips, _, out): # rows
    "The time of a frame of the default network, piece by piece, as if each piece were alone."
    height, clip = next(iter(clips.items()))
    upscaler = Upscaler('default', args.device)
    runner, model, device = upscaler.runner, upscaler.model, upscaler.device
    back, forward, b, cores = model.frames_back, model.frames_forward, runner.batch, os.cpu_count() or 1
    images = [frame.image for frame in islice(read_frames(clip), max(b, 24) + back + forward)]
    n = len(images)
    def row(part, ms, **more): return dict(height=height, part=part, ms=ms, **more)
    yield row('decode', milliseconds(lambda: list(islice(read_frames(clip), n)), repeats=3) / n)
    yield row('floats and luma', milliseconds(lambda: [frame_luma(to_float(image)) for image in images]) / n)
    frames = [to_float(image) for image in images]
    luma = [frame_luma(frame) for frame in frames]
    neighbours = [*pairwise(luma)]
    def search(pair): return pair_flow(*pair, model.flow_search)
    pairs = [search(pair) for pair in neighbours]
    windows = [(frames[i - back:i + forward + 1], Motion(luma[i - back:i + forward + 1], pairs[i - back:i + forward])) for i in range(back, n - forward)]
    @torch.inference_mode()
    def align(window): return model.align(*window)
    for part, function, items in (('flow search', search, neighbours), ('align', align, windows)):
        def drop(item): function(item) # keeps no result
        with opencv_threads(1): yield row(part, milliseconds(lambda: [drop(item) for item in items], repeats=3) / len(items), threads=1, opencv_threads=1)
        for threads in dict.fromkeys((THREADS, cores)):
            with thread_pool(threads) as pool:
                yield row(part, milliseconds(lambda: list(pool.map(drop, items)), repeats=3) / len(items), threads=threads, opencv_threads=cv2.getNumThreads())
    sent = [luma[1], *next(pair for pair in pairs if pair)]
    yield row('send luma and flow', milliseconds(lambda: [upload(x, device) for x in sent], device), megabytes=sum(x.nbytes for x in sent) / 1e6)
    moved = [([frame.to(device) for frame in window], DeviceMotion.of(motion, device)) for window, motion in windows[:b]]
    yield row('align on the device', milliseconds(lambda: [align(window).shape for window in moved], device) / len(moved), threads=1)
    batch = [align(window) for window in windows[:b]]
    x = torch.stack(batch)
    yield row('stack a batch', milliseconds(lambda: torch.stack(batch)) / b, batch=b)
    yield row('copy to the device', milliseconds(lambda: x.to(device), device) / b, batch=b, megabytes=x.nbytes / b / 1e6)
    if device.type == 'cuda':
        pinned = x.pin_memory()
        yield row('copy to the device from pinned memory', milliseconds(lambda: pinned.to(device, non_blocking=True), device) / b, batch=b)
    there = x.to(device)
    for how, function in networks(model, there): yield row(f'network, {how}', milliseconds(function, device) / b, batch=b)
    variants = {'': upscaler, f', tiles of {MEMORY} MB': Upscaler('default', args.device, memory=MEMORY)}
    for how, one in variants.items():
        cut = tiles(*x.shape[-2:], model.halo, one.runner.pixels / b)
        ms = milliseconds(lambda: one.runner.reconstruct(x, as_bytes=True), device) / b
        yield row(f'copy, network, bytes, copy back{how}', ms, batch=b, tiles=len(cut))
    variants[', aligned on the cores'] = on_cores(upscaler)
    variants[f', {cores} threads'] = many = copy.deepcopy(upscaler)
    many.runner.threads = cores
    for how, one in variants.items():
        yield row(f'frames in memory{how}', milliseconds(lambda: [None for _ in one.frames(images)], repeats=3) / n, batch=b, align=align_place(one))
    made = [*upscaler.frames(images)]
    yield row('encode', milliseconds(lambda: write_frames(out/'encoded.mp4', made, fps=FPS), repeats=3) / n)
    for how, one in variants.items():
        done = to_file(one, clip, out, frames_for(one, clip, out, args.frames, args.seconds))
        yield row(f'file to file{how}', 1000 / done['fps'], align=align_place(one), **done)

@contextmanager
def opencv_threads(number):
    "OpenCV with so many threads meanwhile."
    before = cv2.getNumThreads()
    cv2.setNumThreads(number)
    try: yield
    finally: cv2.setNumThreads(before)

def networks(
    model, # `SRModel` that was optimized for its device
    x # (B, C', h, w) there
): # how, function that takes `x` through it
    "The network alone, as it is and in ways that the package does not take."
    yield model.precision, inference(model, x)
    if model.precision != 'bfloat16' and runs_bfloat16(x.device): yield 'bfloat16', inference(optimize_for_inference(model, 'bfloat16'), x)
    if x.device.type != 'cuda': return
    yield 'float32', inference(optimize_for_inference(model, 'float32'), x)
    yield f'{model.precision}, channels first', inference(load_model('default').to(x.device), x)
    with cudnn(benchmark=True): yield f'{model.precision}, convolutions tried out', inference(model, x)
    with cudnn(benchmark=True): yield 'bfloat16, convolutions tried out', inference(optimize_for_inference(model, 'bfloat16'), x)

def inference(model, x): return torch.inference_mode()(lambda: model.reconstruct(x))

def runs_bfloat16(device): return torch.device(device).type == 'cuda' or supports_bfloat16()

@contextmanager
def cudnn(**flags):
    "Other settings of cuDNN meanwhile."
    before = {name: getattr(torch.backends.cudnn, name) for name in flags}
    for name, value in flags.items(): setattr(torch.backends.cudnn, name, value)
    try: yield
    finally:
        for name, value in before.items(): setattr(torch.backends.cudnn, name, value)

def agree(args, clips, large, _): # rows
    "Frames and scores of the device beside those of the CPU in float32."
    pairs = [*islice(read_pairs(large[0]), 8)]
    lr, hr = ([pair[k] for pair in pairs] for k in (0, 1))
    def enlarge(upscaler): return [*upscaler.runner.stream(lr, lr[0].shape[2], lr[0].shape[1])]
    def scores(sr, device='cpu'):
        each = [score_frame(a[None].to(device), b[None].to(device)) for a, b in zip(sr, hr)]
        return {metric: float(np.mean([one[metric] for one in each])) for metric in each[0]}
    precisions = ['auto', 'float32', *['bfloat16'] * runs_bfloat16(args.device)]
    for model in MODELS:
        reference = enlarge(Upscaler(model, 'cpu', precision='float32'))
        known = scores(reference)
        upscalers = [Upscaler(model, args.device, precision=precision) for precision in precisions]
        for upscaler in (*upscalers, on_cores(upscalers[1])):
            made = enlarge(upscaler)
            own = scores(made)
            yield dict(model=model, precision=upscaler.model.precision, align=align_place(upscaler), frames=len(made), largest=max(float((a - b).abs().max()) for a, b in zip(made, reference)),
                       psnr_to_cpu=float(torch.stack([psnr(a[None], b[None]) for a, b in zip(made, reference)]).mean()),
                       lost_db=known['psnr'] - own['psnr'], **own)
        there = scores(reference, args.device) # the same frames, scored on the device
        yield dict(model=model, scored_on=args.device, **{f'{metric}_off_by': there[metric] - value for metric, value in known.items()})

class StepClock:
    "Callback that times the steps of a training after its first seconds, and ends it."
    def __init__(self,
        seconds, # from the first step on
        device, # 'cuda' or 'cpu'
        settle # seconds that are left out
    ):
        self.seconds, self.settle, self.load, self.stack = seconds, settle, Load(device), ExitStack()
        self.steps, self.waits, self.first, self.counted, self.last = [], [], None, None, None

    def before_batch(self, trainer):
        self.begun = time.perf_counter()
        if self.counted is not None: self.waits.append(self.begun - self.last)

    def after_batch(self, trainer):
        self.last = now = time.perf_counter()
        self.first = self.first or now
        if self.counted is not None: self.steps.append(now - self.begun)
        elif now - self.first >= self.settle: self.counted = self.stack.enter_context(self.load) and now
        if now - self.first < self.seconds: return
        self.stack.close()
        raise StopTraining

    def after_fit(self, trainer): self.stack.close()

    def row(self): # dict
        total, ms = self.last - self.counted, 1000 * np.array([self.steps, self.waits])
        return dict(steps=len(self.steps), steps_per_second=len(self.steps) / total, step_ms=float(np.median(ms[0])), waiting_ms=float(np.mean(ms[1])),
                    waiting_share=float(ms[1].sum() / ms.sum()), gpu_percent=self.load.gpu, busy_cores=self.load.cores)

def training(args, _, large, out): # rows
    "The default network on the clips, in one epoch that does not end."
    keep_freed_memory(training=True)
    default, cores = TrainConfig(), os.cpu_count() or 1
    workers = [*dict.fromkeys((default.workers, 2 if args.small else cores))]
    precisions = ['no', *['bf16'] * runs_bfloat16(args.device)]
    runs = [(precision, number) for number in workers for precision in precisions]
    for k, (precision, number) in enumerate(runs):
        left = (args.limit - (time.monotonic() - args.begun)) / (len(runs) - k) - 3 # what a run needs beside its steps
        seconds = 3 if args.small else min(40, max(8, left))
        clock = StepClock(seconds, args.device, min(5, seconds / 3))
        # as many patches of few clips as if there were many, so that no epoch ends
        config = TrainConfig(device=args.device, precision=precision, workers=number, patches_per_window=1000, steps=10**6)
        begun = time.monotonic()
        MultiTrainer(large, config, out/f'run-{k}', [clock]).train()
        examples = clock.row()['steps_per_second'] * config.batch_size
        yield dict(model=config.model, precision=precision, workers=number, batch_size=config.batch_size, patch=config.patch, patches_per_second=examples,
                   seconds=seconds, seconds_in_all=time.monotonic() - begun, **clock.row())

PARTS = dict(upscale=upscale, parts=parts, agree=agree, training=training)

def facts(args): # dict
    "What everything was measured on."
    cuda = torch.device(args.device).type == 'cuda'
    card = torch.cuda.get_device_properties(args.device) if cuda else None
    given = [word for before, word in pairwise(['', *sys.argv[1:]]) if not {before, word} & {'--out', '--commit'}]
    return dict(command=' '.join(['python resources/experiments/gpu/speed.py', *given]), commit=args.commit or git_commit(),
                gpu=card.name if card else None, gpu_gb=round(card.total_memory / 2**30, 1) if card else None,
                cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version() if cuda else None, tf32=torch.backends.cudnn.allow_tf32 if cuda else None,
                processor=processor(), cores=os.cpu_count(), shared_memory_gb=round(shutil.disk_usage('/dev/shm').total / 2**30, 1) if Path('/dev/shm').exists() else None, threads=torch.get_num_threads(), opencv_threads=cv2.getNumThreads(),
                machine=f'{platform.system()} {platform.machine()}', python=platform.python_version(), torch=torch.__version__, opencv=cv2.__version__, av=av.__version__)

def plain(value): # what JSON can hold, to five digits
    if isinstance(value, dict): return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list): return [plain(v) for v in value]
    if isinstance(value, float): return float(f'{value:.5g}') if math.isfinite(value) else None
    return value

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', nargs='+', choices=PARTS, default=[*PARTS], help='parts to measure')
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--frames', type=int, default=240, help='of the smaller clip at most, of the larger one a quarter')
    parser.add_argument('--seconds', type=float, default=1.5, help='of a run from file to file, about')
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--limit', type=float, default=150, help='seconds for everything')
    parser.add_argument('--commit', help='of the package, where it is no checkout')
    parser.add_argument('--small', action='store_true', help='tiny clips and short runs: to see that it works')
    parser.add_argument('--out', type=Path, default=RESULTS/'gpu_speed.json')
    args = parser.parse_args()
    args.begun = time.monotonic()
    try: pick_device(args.device)
    except TSRError as e: sys.exit(str(e))
    if args.small: args.frames, args.repeats, args.seconds = 32, 1, .5
    faulthandler.dump_traceback_later(2 * args.limit, exit=True) # says where it hangs
    keep_freed_memory()
    found = facts(args) | dict(rows=[], errors={}, seconds={})
    with tempfile.TemporaryDirectory() as folder:
        os.environ['TSR_CACHE'] = f'{folder}/cache'
        clips, large = make_clips(Path(folder), args.small)
        found['seconds']['clips'] = plain(time.monotonic() - args.begun)
        for name in args.only:
            begun = time.monotonic()
            try:
                for row in PARTS[name](args, clips, large, Path(folder)):
                    found['rows'].append(plain(dict(measured=name) | row))
                    print(found['rows'][-1], flush=True)
            except Exception as e:
                traceback.print_exc()
                found['errors'][name] = error_line(e)
            found['seconds'][name] = plain(time.monotonic() - begun)
            write_json(args.out, found)
    faulthandler.cancel_dump_traceback_later()
    if found['errors']: sys.exit('; '.join(f'{name}: {error}' for name, error in found['errors'].items()))

if __name__ == '__main__': main()
