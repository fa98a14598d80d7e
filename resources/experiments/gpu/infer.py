"""What a network from quality.py needs at inference, with OpenCV on the CPU: the channels of one frame of
a clip.

    python infer.py MODEL... --clips FOLDER [--lr area] [--every 10] [--only CLIP...]

Prints the gain of Y over bicubic interpolation for each clip, 8 pixels of border left out: the same
measure, the same frames as in training.
"""

import argparse
from pathlib import Path

import aligned
import cv2
import frames
import numpy as np
import torch
from safetensors.torch import load_file

from tsr.model import load_model, model_info
from tsr.network import AlignedNet

def remap(image, at, mode=cv2.INTER_LINEAR):  # (h, w[, c]) at (h, w, 2) -> (h, w[, c])
    "Sample at pixel positions; the edge repeats."
    return cv2.remap(
        image,
        np.ascontiguousarray(at[..., 0]),
        np.ascontiguousarray(at[..., 1]),
        mode,
        borderMode=cv2.BORDER_REPLICATE,
    )


class Motion:
    "Flow between the frames of a clip: one search for each adjacent pair, everything else from it."

    def __init__(self, lr, preset='fine'):  # uint8 (T, h, w, 3)
        self.lr, self.dis, self.found = lr, frames.searcher(preset), {}
        h, w = lr.shape[1:3]
        self.here = np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1).astype(np.float32)

    def step(self, t, sign):  # (h, w, 2): from frame t to t + sign
        "Searched forwards; backwards by fixed point: v(x) = -f(x + v(x))."
        if not 0 <= t + sign < len(self.lr):
            return np.zeros_like(self.here)
        a = t if sign > 0 else t - 1
        if a not in self.found:
            f = self.dis.calc(frames.to_search(self.lr[a]), frames.to_search(self.lr[a + 1]), None)
            v = -f
            for _ in range(3):
                v = -remap(f, self.here + v)
            self.found[a] = f, v
        return self.found[a][0 if sign > 0 else 1]

    def flow(self, t, d):  # (h, w, 2): from frame t to its neighbour d frames away
        "Chained: f(x) + g(x + f(x)); no further than the clip."
        n, sign = len(self.lr), 1 if d > 0 else -1
        f = self.step(t, sign)
        for k in range(1, abs(d)):
            f = f + remap(self.step(min(max(t + sign * k, 0), n - 1), sign), self.here + f)
        return f


def seen(lr, motion, t, neighbours, fractions_of=()):  # float32 tensor (1, C, h, w)
    "RGB, 4 planes of each neighbour from the past to the future, sample positions (x, y) of some."
    own, n, half = lr[t].astype(np.float32) / 255, len(lr), neighbours // 2
    light = lambda i: (lr[i].astype(np.float32) / 255) @ frames.LUMA
    planes, fractions = [], []
    for d in (d for d in range(-half, half + 1) if d):
        f, there = motion.flow(t, d), light(min(max(t + d, 0), n - 1))
        at = motion.here + f
        shown = [remap(there, at + np.float32(s[::-1]), cv2.INTER_CUBIC) - light(t) for s in aligned.PHASES]
        if np.abs(shown).mean() > aligned.STRANGE:
            shown = [
                remap(light(t), motion.here + np.float32(s[::-1]), cv2.INTER_CUBIC) - light(t)
                for s in aligned.PHASES
            ]
        planes += [4 * p for p in shown]
        if d in fractions_of:
            fractions += list(np.moveaxis(at - np.rint(at), -1, 0))
    return torch.from_numpy(np.stack([*np.moveaxis(own, -1, 0), *planes, *fractions]).astype(np.float32))[
        None
    ]


def load(path):  # network, number of neighbours, offsets of the neighbours whose sample positions it sees
    "AlignedNet with as many inputs as the file's first convolution; the header says which they are."
    info = model_info(path)
    fractions_of = [
        int(c.split()[-1]) for c in info['provenance']['channels'] if c.startswith('fraction of')
    ]
    if not fractions_of:
        return load_model(path).eval(), info['args']['frames_back'] * 2, ()
    state, net = load_file(path), AlignedNet(**info['args'])
    net.head = torch.nn.Conv2d(state['head.weight'].shape[1], net.args['features'], 3, padding=1)
    net.load_state_dict(state)
    return net.eval(), info['args']['frames_back'] * 2, tuple(fractions_of)


@torch.inference_mode()
def score(nets, clip, lr_name, every, preset):  # dict: name -> mean gain
    "Whole frames of one clip."
    hr = frames.read(clip)
    coded = clip.parent / lr_name / clip.name
    h, w = hr.shape[1] // 2, hr.shape[2] // 2
    lr = frames.read(coded, exact=True)[:, :h, :w] if coded.exists() else frames.low_resolution(hr, lr_name, 0)
    motion, gains = Motion(lr, preset), {n: [] for n in nets}
    for t in range(every // 2, len(lr), every):
        made = {}
        for name, (net, *key) in nets.items():
            key = tuple(key)
            if key not in made:
                made[key] = seen(lr, motion, t, *key)
            out = net.paint(made[key])
            base = torch.nn.functional.interpolate(made[key][:, :3], scale_factor=2, mode='bicubic')
            detail = torch.nn.functional.pixel_unshuffle(out - base, 2)
            gains[name].append(
                aligned.luma_gain(detail, *(torch.from_numpy(x[t : t + 1]) for x in (hr, lr)))[0].item()
            )
    return {n: float(np.mean(g)) for n, g in gains.items()}


if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('models', nargs='+', type=Path)
    parser.add_argument('--clips', type=Path, required=True)
    parser.add_argument('--lr', default='area')
    parser.add_argument('--flow', default='fine', choices=list(frames.FLOWS))
    parser.add_argument('--every', type=int, default=10)
    parser.add_argument('--only', nargs='*', default=frames.VALIDATION)
    args = parser.parse_args()
    nets = {p.stem: load(p) for p in args.models}
    rows = {c: score(nets, args.clips / f'{c}.mp4', args.lr, args.every, args.flow) for c in args.only}
    for n in nets:
        print(
            f'{n:24s}',
            *(f'{c} {r[n]:+.3f}' for c, r in rows.items()),
            f'mean {np.mean([r[n] for r in rows.values()]):+.4f}',
        )
