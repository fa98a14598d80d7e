"""Training data on the GPU: for each LR pixel one row with all that a network may see there, and what it
has to add.

A row holds, in float16: the RGB of the LR pixel; for each neighbour frame 4 differences (its luma at
the 4 HR positions, sampled along the optical flow, minus the luma of the LR pixel, times 4); for each
neighbour the forward-backward disagreement of its flow, the fraction of its sample position (x, y), and
the plain difference to the pixel at the same place; last the residual: 3 x 4 HR values minus bicubic
interpolation. Patches are cut, flipped, turned and reversed in time by index arithmetic alone.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

STRANGE = 0.06  # mean difference from which a neighbour counts as another scene
LUMA = (0.299, 0.587, 0.114)  # BT.601
PHASES = [(dy, dx) for dy in (-0.25, 0.25) for dx in (-0.25, 0.25)]  # of the 4 HR pixels in an LR pixel

EXTRAS = dict(trust=1, fraction=2, plain=1)  # optional channels for each neighbour


class Layout:
    "Which channel of a row holds what."

    def __init__(
        self,
        neighbours,  # even number: 1 to neighbours / 2 frames away, before and after
        extras=tuple(EXTRAS),  # names in `EXTRAS`
    ):
        k, self.neighbours, self.extras = neighbours, neighbours, tuple(extras)
        sizes = dict(own=3, planes=4 * k, **{e: k * EXTRAS[e] for e in extras}, zero=1, residual=12)
        ends = np.cumsum([0, *sizes.values()]).tolist()
        self.parts = {n: range(a, b) for n, a, b in zip(sizes, ends, ends[1:])}
        self.channels = ends[-1]
        self.offsets = [d for d in range(-(k // 2), k // 2 + 1) if d]

    def pick(self, used, extras=(), near=None):  # list of channels that a network with `used` neighbours sees
        "Own pixel, planes, then the extras of the `near` neighbours, each from the past to the future."
        def cut(name, size, within):
            kept = [i for i, d in enumerate(self.offsets) if abs(d) <= within // 2]
            return [self.parts[name][size * i + j] for i in kept for j in range(size)]

        near = used if near is None else near
        return [
            *self.parts['own'],
            *cut('planes', 4, used),
            *(c for e in extras for c in cut(e, EXTRAS[e], near)),
        ]

    def augmentations(self):  # int64 (16, C) and float32 (16, C): where a channel comes from, and its sign
        "Two flips, a transposition, and time reversal."
        tables, signs = [], []
        for code in range(16):
            flip_y, flip_x, swap, back = (bool(code >> b & 1) for b in range(4))
            phase = []
            for a in (0, 1):
                for b in (0, 1):
                    dy, dx = (b, a) if swap else (a, b)
                    phase.append(2 * (dy ^ flip_y) + (dx ^ flip_x))
            source, sign = list(range(self.channels)), [1.0] * self.channels
            for i in range(self.neighbours):
                j = self.neighbours - 1 - i if back else i
                for p in range(4):
                    source[self.parts['planes'][4 * i + p]] = self.parts['planes'][4 * j + phase[p]]
                for name in {'trust', 'plain'} & set(self.extras):
                    source[self.parts[name][i]] = self.parts[name][j]
                for axis in (0, 1) if 'fraction' in self.extras else ():  # x, y
                    from_axis = 1 - axis if swap else axis
                    source[self.parts['fraction'][2 * i + axis]] = self.parts['fraction'][2 * j + from_axis]
                    sign[self.parts['fraction'][2 * i + axis]] = (
                        -1.0 if (flip_x, flip_y)[from_axis] else 1.0
                    )
            for c in range(3):
                for p in range(4):
                    source[self.parts['residual'][4 * c + p]] = self.parts['residual'][4 * c + phase[p]]
            tables.append(source), signs.append(sign)
        return torch.tensor(tables), torch.tensor(signs)


def grid(h, w, device):  # (h, w, 2): x, y of each pixel
    "Pixel coordinates."
    y, x = torch.meshgrid(torch.arange(h, device=device), torch.arange(w, device=device), indexing='ij')
    return torch.stack([x, y], -1).float()


def sample(
    image,  # (B, C, h, w)
    at,  # (B, h, w, 2): x, y in pixels
    mode='bilinear',  # or 'bicubic' (a = -0.75, as OpenCV)
):  # (B, C, h, w); beyond the border the edge repeats
    "Look up an image at real positions."
    h, w = image.shape[-2:]
    size = torch.tensor([w - 1, h - 1], device=at.device)
    return F.grid_sample(image, at * 2 / size - 1, mode, 'border', align_corners=True)


def inverse(
    flow,  # (B, h, w, 2), from frame a to frame b
    here,  # (h, w, 2) from `grid`
    rounds=3,
):  # (B, h, w, 2), from b to a
    "The opposite flow by fixed point: v(x) = -f(x + v(x))."
    planes, v = flow.permute(0, 3, 1, 2), -flow
    for _ in range(rounds):
        v = -sample(planes, here + v).permute(0, 2, 3, 1)
    return v


def chain(first, then, here):
    "The flow over two steps: first(x) + then(x + first(x))."
    return first + sample(then.permute(0, 3, 1, 2), here + first).permute(0, 2, 3, 1)


def all_flows(
    forward,  # (T-1, h, w, 2), each frame to the next
    reach,  # frames
    rounds=3,  # of the inversion
):  # dict: offset -> (T, h, w, 2); beyond the ends of a clip, the flow to its first or last frame
    "Flow from each frame to its neighbours up to `reach` frames away, from one search for each pair."
    t, (h, w) = len(forward) + 1, forward.shape[1:3]
    here, still = grid(h, w, forward.device), torch.zeros_like(forward[:1])
    steps = {
        1: torch.cat([forward, still]),
        -1: torch.cat([still, inverse(forward, here, rounds)]),
    }  # to the next, to the previous
    found = dict(steps)
    for d in range(2, reach + 1):
        for sign in (1, -1):
            index = torch.arange(t, device=forward.device)
            at = (index + sign * (d - 1)).clamp(
                0, t - 1
            )  # the frame reached so far; the last step from it is still at the ends
            found[sign * d] = chain(found[sign * (d - 1)], steps[sign][at], here)
    return found


@torch.no_grad()
def rows(
    hr,  # uint8 (N, 2h, 2w, 3), those frames; None where the truth is not needed
    lr,  # uint8 (T, h, w, 3), all frames
    forward,  # (T-1, h, w, 2)
    layout,  # `Layout`
    which,  # list of N frames that are wanted
    step=8,  # frames at a time
    rounds=3,  # of the inversion of the flow
):  # float16 (N, h, w, C)
    "The rows of a clip."
    t, h, w, _ = lr.shape
    device, k, which = lr.device, layout.neighbours, torch.as_tensor(which, device=lr.device)
    out = torch.empty(len(which), h, w, layout.channels, dtype=torch.float16, device=device)
    here, flows = grid(h, w, device), all_flows(forward.float(), k // 2, rounds) if k else {}
    light = (lr.float() / 255 * torch.tensor(LUMA, device=device)).sum(-1)[:, None]  # (T, 1, h, w)
    place = lambda x, part, i, n: out[
        a:b, ..., layout.parts[part][n * i] : layout.parts[part][n * i] + n
    ].copy_(x)
    for a in range(0, len(which), step):
        b = min(a + step, len(which))
        now = which[a:b]
        own = light[now]
        out[a:b, ..., :3] = lr[now].float() / 255
        out[a:b, ..., layout.parts['zero'][0]] = 0
        for i, d in enumerate(layout.offsets):
            at = (now + d).clamp(0, t - 1)
            flow, there = flows[d][now], light[at]
            look = lambda f, shift: sample(
                there, ((here + f + torch.tensor(shift[::-1], device=device)) * 32).round() / 32, 'bicubic'
            )
            planes = torch.cat([look(flow, s) for s in PHASES], 1) - own  # (B, 4, h, w)
            still = (
                torch.cat(
                    [
                        sample(
                            own,
                            ((here + torch.tensor(s[::-1], device=device)) * 32)
                            .round()
                            .expand(b - a, -1, -1, -1)
                            / 32,
                            'bicubic',
                        )
                        for s in PHASES
                    ],
                    1,
                )
                - own
            )
            strange = planes.abs().mean((1, 2, 3), keepdim=True) > STRANGE
            place(4 * torch.where(strange, still, planes).permute(0, 2, 3, 1), 'planes', i, 4)
            back = flows[-d][at].permute(0, 3, 1, 2)
            wrong = lambda: (flow + sample(back, here + flow).permute(0, 2, 3, 1)).norm(
                dim=-1, keepdim=True
            )
            if 'trust' in layout.extras:
                place(wrong().clamp(max=4) / 4, 'trust', i, 1)
            target = here + flow
            if 'fraction' in layout.extras:
                place(target - target.round(), 'fraction', i, 2)
            if 'plain' in layout.extras:
                place(4 * (there - own).permute(0, 2, 3, 1), 'plain', i, 1)
        if hr is None:
            continue
        truth = hr[a:b].permute(0, 3, 1, 2).float() / 255
        residual = truth - F.interpolate(
            lr[now].permute(0, 3, 1, 2).float() / 255, scale_factor=2, mode='bicubic'
        )
        out[a:b, ..., layout.parts['residual'][0] :] = F.pixel_unshuffle(residual, 2).permute(0, 2, 3, 1)
    return out


class Store:
    "The rows of many clips, one after the other, and where each frame begins."

    def __init__(self, layout, pixels, device):  # `Layout`; capacity in LR pixels
        self.layout, self.device, self.used = layout, device, 0
        self.rows = torch.empty(pixels, layout.channels, dtype=torch.float16, device=device)
        self.frames = {}  # LR name: list of (start, h, w)

    def add(self, name, values):
        "Append the rows (T, h, w, C) of frames with this kind of LR side."
        t, h, w, c = values.shape
        n = t * h * w
        self.rows[self.used : self.used + n] = values.reshape(n, c)
        self.frames.setdefault(name, []).extend((self.used + i * h * w, h, w) for i in range(t))
        self.used += n

    def table(self, name):
        return torch.tensor(self.frames[name], device=self.device)  # int64 (N, 3)


class Patches:
    "Draws random patches; their positions are drawn in advance for many steps, for CUDA graphs."

    def __init__(
        self,
        store,  # `Store`
        names,  # LR names, in equal parts (a name may come several times)
        patch,  # side in LR pixels
        batch,
        steps,  # that are drawn at a time
        seed,
        channels,  # list of channels that are wanted, in this order
    ):
        self.store, self.patch, self.batch, self.steps = store, patch, batch, steps
        self.tables = [store.table(n) for n in names]
        self.random = torch.Generator(store.device).manual_seed(seed)
        self.drawn = torch.zeros(
            steps, batch, 6, dtype=torch.int64, device=store.device
        )  # start, w, y, x, augmentation, 0
        self.step = torch.zeros((), dtype=torch.int64, device=store.device)
        self.source, self.sign = (x[:, channels].to(store.device) for x in store.layout.augmentations())
        self.sign = self.sign.half()
        self.ramp = torch.arange(patch, device=store.device)

    def draw(self):
        "Decide the next `steps` batches."
        n, device = self.steps * self.batch, self.store.device
        rand = lambda *shape: torch.rand(*shape, generator=self.random, device=device)
        which = torch.arange(n, device=device) % len(self.tables)
        frames = torch.stack(
            [t[(rand(n) * len(t)).long().clamp(max=len(t) - 1)] for t in self.tables]
        )  # (names, n, 3)
        start, h, w = frames.gather(0, which[None, :, None].expand(1, n, 3))[0].unbind(-1)
        y, x = ((rand(n) * (s - self.patch + 1)).long().clamp(min=0) for s in (h, w))
        code = (rand(n) * 16).long().clamp(max=15)
        self.drawn.copy_(
            torch.stack(
                [
                    start,
                    w,
                    torch.minimum(y, h - self.patch),
                    torch.minimum(x, w - self.patch),
                    code,
                    0 * code,
                ],
                -1,
            ).view(self.steps, self.batch, 6)
        )
        self.step.zero_()

    def batch_now(self):  # float16 (B, patch, patch, C)
        "The patches of the present step, and on to the next; nothing here waits for the host."
        start, w, y, x, code, _ = self.drawn.index_select(0, self.step.view(1))[0].unbind(-1)
        self.step.add_(1).remainder_(self.steps)
        bit = lambda b: (code >> b & 1)[:, None, None].bool()
        i, j, last = self.ramp[None, :, None], self.ramp[None, None, :], self.patch - 1
        row, column = torch.where(bit(2), j, i), torch.where(bit(2), i, j)
        row, column = torch.where(bit(0), last - row, row), torch.where(bit(1), last - column, column)
        index = (
            start[:, None, None] + (y[:, None, None] + row) * w[:, None, None] + x[:, None, None] + column
        )
        values = self.store.rows.index_select(0, index.flatten()).view(self.batch, self.patch**2, -1)
        source, sign = self.source[code][:, None], self.sign[code][:, None]
        return (values.gather(-1, source.expand(-1, self.patch**2, -1)) * sign).view(
            self.batch, self.patch, self.patch, -1
        )


def load(folder, name, preset, which, device):  # HR frames `which`, all LR frames, flow, on the device
    "The arrays of a clip."
    get = lambda f, part=slice(None): torch.from_numpy(
        np.load(Path(folder) / f, mmap_mode='r')[part].copy()
    ).to(device)
    return get('hr.npy', which), get(f'{name}.npy'), get(f'{name}.{preset}.flow.npy')


@torch.inference_mode()
def luma_gain(
    detail,  # (B, 12, h, w), what a network adds
    hr,  # uint8 (B, 2h, 2w, 3)
    lr,  # uint8 (B, h, w, 3)
    crop=8,
):  # (B,) dB over bicubic (a = -0.75), and (B,) dB: PSNR of Y, outputs rounded to bytes
    "Score of whole frames."
    weights = torch.tensor([65.481, 128.553, 24.966], device=hr.device)[None, :, None, None]
    base = F.interpolate(lr.permute(0, 3, 1, 2).float() / 255, scale_factor=2, mode='bicubic')
    luma = lambda x: (x * weights).sum(1)[:, crop:-crop, crop:-crop]
    truth = luma(hr.permute(0, 3, 1, 2).float() / 255)
    bytes_ = lambda x: (x.clamp(0, 1) * 255).round() / 255
    psnr = lambda x: 10 * (255**2 / (luma(bytes_(x)) - truth).square().mean((1, 2))).log10()
    ours, bicubic = psnr(base + F.pixel_shuffle(detail.float(), 2)), psnr(base)
    return ours - bicubic, ours
