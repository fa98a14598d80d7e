"""What 8-bit integers would save and cost in inference: `python resources/experiments/int8.py FOLDER [--every 20]`

Quality: the inputs of every convolution and its weights are rounded to 8 bits, while all sums stay in float32: the most that integer instructions can
reach. Weights have a range for each output channel; the input of the first layer has one for each channel; features have one in all, or one for each
channel, which can be folded into the weights; or the body alone is rounded. Ranges are those of all but one in 10,000 numbers, on clips that were
trained on. Scored in luma on the clips that were held out (`finetune.VALIDATION`): gain over bicubic. Speed: the layers of a network between frames of
640x360, as oneDNN computes them on one core, 8-bit numbers from 8-bit numbers, in turns with the other precisions. Writes resources/results/int8.csv
and int8_layers.csv, and int8.json with what they were made by.
"""
import argparse
import os
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from finetune import VALIDATION
from rivals import processor
from torch import nn

from tsr.core import atomic_write, write_json
from tsr.data import find_videos
from tsr.evaluation import evaluate
from tsr.inference import PRECISIONS, supports_bfloat16
from tsr.model import load_model
from tsr.motion import Motion
from tsr.network import AlignedNet
from tsr.resample import low_resolution_frames, to_float
from tsr.training import git_commit
from tsr.video import probe, read_frames

RESULTS = Path(__file__).parents[1]/'results'
MODELS = {'default@area': 'area', 'light@area': 'area', 'default': 'h264-23', 'light': 'h264-23'} # and what they are scored on
REPEATS = 15 # of each timing
INT8 = {'one range for all features': dict(per_channel=False), 'one for each channel': dict(per_channel=True),
        'the body alone': dict(per_channel=True, body_only=True)}

def rounded(x, low, high, levels=255): # tensors that broadcast
    "Numbers as one of so many steps between two bounds; zero is a step, because the border is filled with it."
    low, high = low.clamp(max=0), high.clamp(min=0)
    step = ((high - low) / levels).clamp(min=1e-12)
    zero = (-low / step).round()
    return ((x / step + zero).round().clamp(0, levels) - zero) * step

class Int8Net(AlignedNet):
    "A trained `AlignedNet` whose convolutions see 8-bit numbers."
    @classmethod
    def of(cls, net, inputs, per_channel, body_only=False):
        "The same weights, rounded, and the ranges that the layers see for some inputs."
        new = cls(**net.args)
        new.load_state_dict(net.state_dict())
        layers = [layer for layer in (new.body if body_only else new).eval().modules() if isinstance(layer, nn.Conv2d)]
        seen = {layer: [] for layer in layers}
        def measure(layer, args):
            channels = args[0][0].flatten(1)
            if not per_channel and layer is not new.head: channels = channels.reshape(1, -1)
            part = channels[:, ::max(1, channels.shape[1] // 100_000)] # more than `quantile` takes would tell little more
            seen[layer].append(part.quantile(torch.tensor([5e-5, 1 - 5e-5]), 1)[..., None, None])
        hooks = [layer.register_forward_pre_hook(measure) for layer in layers]
        with torch.inference_mode():
            for x in inputs: new.reconstruct(x)
        for hook in hooks: hook.remove()
        for layer in layers: layer.register_forward_pre_hook(cls._rounding(layer, torch.stack(seen[layer])))
        return new.eval()

    @staticmethod
    def _rounding(layer, seen): # (inputs, 2, channels or 1, 1, 1)
        "Rounds the weights of a layer; a hook that rounds what it gets."
        most = layer.weight.data.abs().amax((1, 2, 3), keepdim=True)
        layer.weight.data = rounded(layer.weight.data, -most, most, 254)
        low, high = seen[:, 0].amin(0), seen[:, 1].amax(0)
        return lambda layer, args: (rounded(args[0], low, high), *args[1:])

def examples(net, clips): # list of (1, C', h, w)
    "What a network gets from the first window of each clip."
    found = []
    for path in clips:
        info = probe(path)
        frames = [frame.image for frame in islice(read_frames(path), net.num_frames)]
        window = torch.stack([to_float(x) for x in low_resolution_frames(frames, (info.height // 2, info.width // 2))])
        found.append(net.align(window, Motion.of(window, net.flow_search))[None])
    return found

def qualities(clips, every): # list of dict
    "The gain of each network in float32 and in 8 bits, clip by clip."
    trained, held = ([p for p in clips if (p.stem in VALIDATION) == wanted] for wanted in (False, True))
    rows = []
    for name, downscale in MODELS.items():
        net = load_model(name)
        inputs = examples(net, trained[:12])
        nets = {'float32': net} | {numbers: Int8Net.of(net, inputs, **how) for numbers, how in INT8.items()}
        found = evaluate(nets, held, every, baselines=['bicubic'], downscale=downscale, precision='float32', progress=False)
        for numbers in nets: rows += [dict(model=name, downscale=downscale, numbers=numbers, clip=row.video, gain_psnr_y=round(row.gain_psnr_y, 4))
                                      for row in found[found.model == numbers].itertuples()]
        print(name, found.groupby('model').gain_psnr_y.mean().round(3).to_dict(), flush=True)
    return rows

def layer_calls(weight, features): # dict: precision -> function
    "A convolution with its activation in each precision, from what the layer before would leave to what the next one takes."
    size, one, no_zero = ((1, 1),) * 3, torch.ones(len(weight)), torch.zeros(len(weight), dtype=torch.int64)
    def float_call(dtype):
        x, w, bias = (t.to(dtype) for t in (features.contiguous(memory_format=torch.channels_last), weight, torch.zeros(len(weight))))
        return lambda: torch.ops.mkldnn._convolution_pointwise(x, w, bias, *size, 1, 'leaky_relu', (.1,), '')
    codes = (features * 255).byte().contiguous(memory_format=torch.channels_last)
    packed = torch.ops.onednn.qconv_prepack((weight * 127).round().to(torch.int8), one, 1., 0, *size, 1, list(codes.shape))
    def int8_call():
        return torch.ops.onednn.qconv2d_pointwise(codes, 1., 0, packed, one, no_zero, None, *size, 1, 2., 0, torch.uint8, 'relu', [], '')
    return {name: float_call(dtype) for name, dtype in PRECISIONS.items() if name == 'float32' or supports_bfloat16()} | {'int8': int8_call}

def layers(): # list of dict
    "Milliseconds of each layer of the released networks."
    rows = []
    for name in ('default', 'light'):
        net = load_model(name)
        for layer, weight in (('first', net.head.weight), ('of the body', net.body[0].first.weight), ('last', net.tail.weight)):
            weight, times = weight.detach(), {}
            calls = layer_calls(weight, torch.rand(1, weight.shape[1], 360, 640))
            for _ in range(REPEATS):
                for numbers, call in calls.items():
                    begun = time.perf_counter()
                    call()
                    times.setdefault(numbers, []).append(1000 * (time.perf_counter() - begun))
            rows += [dict(model=name, layer=layer, numbers=numbers, milliseconds=round(float(np.median(values)), 2)) for numbers, values in times.items()]
            print(name, layer, {row['numbers']: row['milliseconds'] for row in rows[-len(calls):]}, flush=True)
    return rows

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', nargs='+', help='of training clips, or the clips')
    parser.add_argument('--every', type=int, default=20, help='score every Nth frame')
    args = parser.parse_args()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    tables = {'int8_layers.csv': layers()}
    torch.set_num_threads(threads)
    tables['int8.csv'] = qualities(find_videos(args.folder), args.every)
    for file, rows in tables.items():
        with atomic_write(RESULTS/file) as part: pd.DataFrame(rows).to_csv(part, index=False)
    write_json(RESULTS/'int8.json', dict(commit=git_commit(), every=args.every, machine=processor(), cores=os.cpu_count(), torch=torch.__version__,
        load=round(os.getloadavg()[0], 1)))

if __name__ == '__main__': main()
