"""The moving picture of the README: `python resources/experiments/moving.py CLIP... --out FILE.webp`

Of all crops of the clips, whose low resolution is made by area averaging, those count whose gain over bicubic is the median; shown is the one of them with
detail in all its parts, as it moves. The label is the PSNR of that crop.
"""
import argparse
from itertools import islice

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tsr.core import atomic_write
from tsr.data import read_pairs
from tsr.inference import Upscaler
from tsr.resample import to_bytes

SIDE, ZOOM, STEP, NEAR, PATCH = 144, 2, 2, .2, 16 # pixels of a crop, enlargement, every so many frames, dB from the median, pixels of a part
METHODS = ('bicubic', 'default@area')

def read(clip, frames): # dict: method -> (N, H, W, 3) bytes
    "A clip as each method enlarges it, and its ground truth."
    pairs = [(to_bytes(lr), to_bytes(hr)) for lr, hr in islice(read_pairs(clip, downscale='area'), frames)]
    made = {m: np.stack(list(Upscaler(m, 'cpu').frames(lr for lr, _ in pairs))) for m in METHODS}
    return made | dict(truth=np.stack([hr for _, hr in pairs]))

def by_crop(x): # (..., H, W, 3) -> (..., rows, columns)
    "Means over the crops."
    rows, columns = (n // SIDE for n in x.shape[-3:-1])
    x = x[..., :rows * SIDE, :columns * SIDE, :]
    return x.reshape(*x.shape[:-3], rows, SIDE, columns, SIDE, 3).mean((-4, -2, -1))

def psnr(made, truth): # (rows, columns)
    "PSNR of each crop over all frames."
    error = np.mean([by_crop((a.astype(np.float32) - b) ** 2) for a, b in zip(made, truth)], 0)
    return 10 * np.log10(255**2 / np.maximum(error, 1e-3))

def spread(image): # (H, W, 3) -> (rows, columns)
    "How much detail the plainer parts of each crop have: the lower quartile of their standard deviations."
    rows, columns = (n // SIDE for n in image.shape[:2])
    parts = image[:rows * SIDE, :columns * SIDE].mean(-1).reshape(rows, SIDE // PATCH, PATCH, columns, SIDE // PATCH, PATCH)
    return np.quantile(parts.std((2, 5)).swapaxes(1, 2).reshape(rows, columns, -1), .25, axis=-1)

def choose(clips): # dict: label -> crops (N, SIDE, SIDE, 3)
    "The crop with detail in most of its parts among those of median gain."
    found = []
    for images in clips:
        scores = {m: psnr(images[m], images['truth']) for m in METHODS}
        detail = spread(images['truth'][0])
        found += [(scores['default@area'][at] - scores['bicubic'][at], detail[at], at, scores, images) for at in np.ndindex(detail.shape)]
    median = np.median([gain for gain, *_ in found])
    gain, _, (row, column), scores, images = max((f for f in found if abs(f[0] - median) < NEAR), key=lambda f: f[1])
    print(f'median gain of {len(found)} crops: {median:+.2f} dB; this one: {gain:+.2f} dB')
    labels = dict(bicubic='bicubic, {:.1f} dB', **{'default@area': 'tsr, {:.1f} dB'}, truth='ground truth')
    own = slice(row * SIDE, (row + 1) * SIDE), slice(column * SIDE, (column + 1) * SIDE)
    return {label.format(scores[m][row, column] if m in METHODS else 0): images[m][:, own[0], own[1]] for m, label in labels.items()}

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('clips', nargs='+')
    parser.add_argument('--out', required=True)
    parser.add_argument('--frames', type=int, default=60)
    args = parser.parse_args()
    crops, side, head = choose([read(clip, args.frames) for clip in args.clips]), SIDE * ZOOM, 24
    sheets = []
    for n in range(0, len(next(iter(crops.values()))), STEP):
        sheet = Image.new('RGB', (len(crops) * (side + 6) - 6, side + head), 'white')
        for k, (label, images) in enumerate(crops.items()):
            sheet.paste(Image.fromarray(images[n]).resize((side, side), Image.Resampling.NEAREST), (k * (side + 6), head))
            ImageDraw.Draw(sheet).text((k * (side + 6) + 2, 3), label, 'black', ImageFont.load_default(15))
        sheets.append(sheet)
    with atomic_write(args.out) as part: sheets[0].save(part, 'webp', save_all=True, append_images=sheets[1:], duration=40 * STEP, loop=0, quality=88, method=6)

if __name__ == '__main__': main()
