"""Properties that hold for any input, tried by Hypothesis: `python resources/conformance/properties.py [--examples 1000]`

Windows, tiles, padding at the ends and borders, colours to a file and back, resampling, metrics, times with holes, and checkpoints whose header was changed.
"""
import argparse
import json
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import tsr.network  # noqa: F401 (registers its architectures)
from tsr.core import TSRError
from tsr.data import stream_windows, window_indices
from tsr.inference import ModelRunner, tiles
from tsr.losses import MAX_PSNR, mse, psnr, ssim
from tsr.model import LinearFilter, create_model, load_model
from tsr.resample import resize, to_bytes, to_float
from tsr.timeline import Damage, Repair
from tsr.video import read_frames, write_frames

SMALL = st.integers(0, 5)
PIXELS = st.integers(1, 40)

@given(st.integers(1, 30), SMALL, SMALL)
def windows(n, back, forward):
    "A stream has the windows that the indices name, one for each frame, with the frame at its place."
    found = list(stream_windows(range(n), back, forward))
    assert found == [window_indices(i, n, back, forward) for i in range(n)]
    assert [window[back] for window in found] == list(range(n))

@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 20), st.integers(1, 5000))
def tiling(height, width, halo, pixels):
    "Tiles cover each pixel once, and each is read with its halo as far as the frame goes."
    covered = np.zeros((height, width), int)
    for (rows, wide_rows), (columns, wide_columns) in tiles(height, width, halo, pixels):
        covered[rows, columns] += 1
        for inner, outer, n in (rows, wide_rows, height), (columns, wide_columns, width):
            alone = inner == slice(0, n)
            assert outer == (inner if alone else slice(max(inner.start - halo, 0), min(inner.stop + halo, n)))
    assert (covered == 1).all()

@given(st.integers(8, 40), st.integers(8, 40), st.integers(0, 2**31), st.integers(1, 2))
def tiles_change_nothing(height, width, seed, blocks):
    "A frame in tiles is the frame in one piece: padding is the same at the border and absent inside."
    torch.manual_seed(seed)
    net = create_model('TSRNet', frames_back=0, frames_forward=0, features=4, blocks=blocks).eval()
    torch.nn.init.normal_(net.tail.weight, std=.1)
    runner, x = ModelRunner(net, 'cpu', precision='float32'), torch.rand(1, 3, height, width)
    made = []
    for runner.pixels in (10**6, 200): made.append(runner.reconstruct(x))
    assert torch.allclose(*made, atol=1e-5)

@given(PIXELS, PIXELS, PIXELS, PIXELS, st.sampled_from(['nearest', 'bilinear', 'bicubic', 'lanczos4', 'area']), st.integers(0, 255))
def resampling(h, w, height, width, kernel, value):
    "A flat picture stays flat at any size."
    x = torch.full((1, 3, h, w), value / 255)
    y = resize(x, (height, width), kernel)
    assert y.shape == (1, 3, height, width) and (to_bytes(y) == value).all()

@given(st.integers(0, 2**31), st.integers(1, 20), st.integers(1, 20))
def bytes_and_floats(seed, height, width):
    "Codes survive the way to floats and back."
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert (to_bytes(to_float(image)) == image).all()

@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(2, 20), st.integers(2, 20), st.sampled_from(['.mp4', '.mkv', '.mov']))
def colours(colour, height, width, suffix):
    "A colour in a file without loss comes back, to the rounding of 8-bit limited range, at any size."
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)/f'x{suffix}'
        write_frames(path, [np.full((height, width, 3), colour, np.uint8)] * 2, fps=25, lossless=True, preset='ultrafast')
        for frame in read_frames(path):
            assert frame.image.shape == (height, width, 3) and np.abs(frame.image.astype(int) - colour).max() <= 2

@given(st.integers(0, 2**31), st.integers(16, 40), st.integers(16, 40))
def metrics(seed, height, width):
    "Scores are symmetric where they should be, best for equal images, and worse for more noise."
    torch.manual_seed(seed)
    x, noise = torch.rand(1, 3, height, width) / 2 + .25, torch.randn(1, 3, height, width)
    assert psnr(x, x) == MAX_PSNR and torch.allclose(ssim(x, x), torch.ones(1))
    near, far = (x + noise * sigma for sigma in (.01, .05))
    assert psnr(near, x) > psnr(far, x) and ssim(near, x) > ssim(far, x)
    assert torch.allclose(psnr(near, x), psnr(x, near)) and torch.allclose(psnr(near, x), -10 * mse(near, x).log10())

class _Frame:
    key_frame = is_corrupt = False

@given(st.sets(st.integers(1, 29)), st.booleans())
def holes(lost, known):
    "Whatever is lost between the first frame and the last, what comes out has as many frames as went in, in order."
    repair, out, times = Repair(Damage('x')), [], [Fraction(i, 25) for i in range(31)]
    for i, time in enumerate(times):
        if known or i not in lost: repair.expect(time)
        if i in lost: repair.failed(time if known else None, 'lost')
        else: out += [t for _, t in repair.pass_on(_Frame(), time)]
    assert out == sorted(out)
    if known: assert out == times

JSON = st.recursive(st.none() | st.booleans() | st.integers(-10**12, 10**12) | st.floats(allow_nan=False) | st.text(max_size=5), lambda x: st.lists(x, max_size=3), max_leaves=4)
HEADERS = st.dictionaries(st.sampled_from(['scale', 'size', 'features', 'blocks', 'frames_back', 'frames_forward', 'widths', 'kernels', 'leak', 'phases']), JSON, max_size=4)

@given(st.sampled_from(['LinearFilter', 'TSRNet', 'AlignedNet', 'TSRCNN', 'TSRCNN_small', 'no such thing']), HEADERS | JSON)
def checkpoints(name, args):
    "A header with any content gives the model or one line."
    state = LinearFilter().state_dict()
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/x.safetensors'
        save_file(state, path, {'tsr': json.dumps(dict(architecture=name, args=args, provenance={}))})
        try: load_model(path)
        except TSRError as e: assert '\n' not in str(e).strip(), e

PROPERTIES = windows, tiling, tiles_change_nothing, resampling, bytes_and_floats, colours, metrics, holes, checkpoints
SLOW = tiles_change_nothing, colours, checkpoints # a tenth of the examples

def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--examples', type=int, default=100, help='inputs to try for each property; those that write files get a tenth')
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for check in PROPERTIES:
        count = max(5, args.examples // 10) if check in SLOW else args.examples
        settings(max_examples=count, deadline=None, database=None, derandomize=args.examples <= 100, suppress_health_check=list(HealthCheck))(check)()
        print(f'{check.__name__}: {count} examples', flush=True)

if __name__ == '__main__': main()
