"""The original report's experiments with its own number of steps: three optimizers, three losses, two
networks, three stages.

    python original.py FRAMES OUT [--seeds 3] [--steps 13410] [--precision tf32] [--measure]

FRAMES is what frames.py wrote. As in the report: TSRCNN without padding, learning rate 1e-4, constant,
batches of 8, nothing augmented; here patches of 96x96 HR pixels instead of whole frames, and clips set
aside to validate. Stage 1 trains on the first third of the clips; the AdamW runs of a seed, one for
each loss, go on to the second third, the best of them to the last. OUT gets for each run NAME.csv (a
row for each epoch), NAME_batches.csv (the curves), NAME.safetensors, and scores.csv: RGB gains over
bicubic on the clips set aside. A run whose files are there is not made again.
"""

import argparse
import csv
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jobs import LOCK, Job, header, log, use_gpu
from safetensors.torch import load_file, save_file

from tsr.losses import _C1, _C2, _WINDOWS, MSE, PNSR

THIRDS = (  # the clips of `train`, by their names in turn
    (
        'coffee',
        'dashcam_2',
        'davis_camel',
        'davis_dance-twirl',
        'davis_drift-straight',
        'davis_libby',
        'davis_soapbox',
        'street_0',
        'uav_bike1',
        'uav_person11',
    ),
    (
        'cups',
        'davis_blackswan',
        'davis_car-shadow',
        'davis_dog',
        'davis_horsejump-high',
        'davis_motocross-jump',
        'dog',
        'street_1',
        'uav_boat1',
        'uav_wakeboard10',
    ),
    (
        'dashcam_1',
        'davis_bmx-trees',
        'davis_cows',
        'davis_drift-chicane',
        'davis_kite-surf',
        'davis_paragliding-launch',
        'rain',
        'street_2',
        'uav_car16',
        'waterfall',
    ),
)
HELD = (
    'davis_libby',
    'dashcam_2',
    'davis_car-shadow',
    'uav_boat1',
    'davis_drift-chicane',
    'street_2',
)  # two of each third validate
OPTIMIZERS, LOSSES = ('AdamW', 'Adagrad', 'SGD'), ('MSE', 'PNSR', 'DSSIM')
RATE, BATCH, PATCH, EPOCH = 1e-4, 8, 96, 1341


class Similarity:
    "SSIM with Gaussian windows as two products with banded matrices; the same numbers as `tsr.losses.ssim`."

    def __init__(self, device):
        self.device, self.bands = device, {}

    def band(self, n):  # (n - 10, n)
        if n not in self.bands:
            row = _WINDOWS['gaussian'][0]
            self.bands[n] = (
                torch.stack([F.pad(row, (i, n - len(row) - i)) for i in range(n - len(row) + 1)])
                .float()
                .to(self.device)
            )
        return self.bands[n]

    def __call__(self, x, y):  # (B, C, H, W) -> (B,)
        s, d = x + y, x - y
        c = s.detach().mean((2, 3), keepdim=True)
        s = s - c
        down, across = self.band(x.shape[-2]), self.band(x.shape[-1]).T
        s, d, ss, dd = (down @ (torch.cat([s, d, s * s, d * d], 1) @ across)).chunk(4, 1)
        ms, md = (s + c) ** 2, d**2
        return (
            (1 - 2 * md / (ms + md + 2 * _C1)) * (1 - 2 * (dd - md) / (ss - s * s + dd - md + 2 * _C2))
        ).mean((1, 2, 3))


def psnr(x, y):
    return 10 * (x - y).square().mean((1, 2, 3)).reciprocal().log10()  # (B,)


class Clips:
    "All frames of some clips on the GPU."

    def __init__(self, folder, names, device):
        self.names = [n for n in names if (folder / n / 'hr.npy').exists()]
        hr, lr = (
            [torch.from_numpy(np.load(folder / n / f'{f}.npy')).to(device) for n in self.names]
            for f in ('hr', 'area')
        )
        self.hr, self.lr, self.device = hr, lr, device

    def flat(
        self, reach
    ):  # the frames as rows of pixels, and a table of the frames that have `reach` neighbours
        "For drawing patches."
        table, start = [], 0
        for x in self.lr:
            t, h, w, _ = x.shape
            table += [(start + i * h * w, h, w) for i in range(reach, t - reach)]
            start += t * h * w
        return (
            torch.cat([x.reshape(-1, 3) for x in self.lr]),
            torch.cat([x.reshape(-1, 3) for x in self.hr]),
            torch.tensor(table, device=self.device),
        )


class Network:
    "TSRCNN; all weights in one vector, channels padded to multiples of 4 so that tensor cores can be used."

    def __init__(self, widths, kernels, reach, seed, device):
        self.reach, self.margin = reach, sum(k // 2 for k in kernels)
        self.inputs = 3 * (2 * reach + 1)
        sizes = [(self.inputs, widths[0]), widths, (widths[1], 3)]
        torch.manual_seed(seed)
        convs = [
            torch.nn.Conv2d(a, b, k) for (a, b), k in zip(sizes, kernels)
        ]  # PyTorch's own initial weights, as in the report
        pad = lambda n: -n % 4
        self.shapes, values = [], []
        for conv, (a, b) in zip(convs, sizes):
            w = F.pad(conv.weight.detach(), (0, 0, 0, 0, 0, pad(a), 0, pad(b))).permute(0, 2, 3, 1)
            self.shapes += [w.shape, (b + pad(b),)]
            values += [w.reshape(-1), F.pad(conv.bias.detach(), (0, pad(b)))]
        self.sizes = [len(v) for v in values]
        self.flat = torch.cat(values).to(device).requires_grad_()
        self.args = dict(
            frames_back=reach,
            frames_forward=reach,
            scale=2,
            widths=list(widths),
            kernels=list(kernels),
            padding='same',
        )

    def tensors(self):
        return [p.view(s) for p, s in zip(self.flat.split(self.sizes), self.shapes)]

    def __call__(
        self, x, dtype=torch.float32
    ):  # (B, padded inputs, H + 2 margin, W + 2 margin) -> (B, 3, H, W)
        p, x = self.tensors(), x.to(dtype)
        for i in (0, 2, 4):
            x = F.conv2d(x, p[i].permute(0, 3, 1, 2).to(dtype), p[i + 1].to(dtype))
            if i < 4:
                x = F.relu_(x)
        return x[:, :3].float()

    def enlarge(
        self, window, cut=0, border=0
    ):  # (B, T*3, h, w) -> bicubic, `cut` smaller or `border` larger on each side
        x = F.interpolate(window, scale_factor=2, mode='bicubic')
        if cut:
            x = x[:, :, cut:-cut, cut:-cut]
        if border:
            x = F.pad(x, (border,) * 4, mode='replicate')
        return F.pad(x, (0, 0, 0, 0, 0, -x.shape[1] % 4)).contiguous(
            memory_format=torch.channels_last
        )  # channels as the weights

    def load(self, state):  # as from `state`
        values = []
        for i, (w, b) in enumerate(zip(self.shapes[::2], self.shapes[1::2])):
            weight, bias = (
                state[f'layers.{2 * i}.weight'].permute(0, 2, 3, 1),
                state[f'layers.{2 * i}.bias'],
            )
            full = torch.zeros(w)
            full[: weight.shape[0], :, :, : weight.shape[3]] = weight
            values += [full.reshape(-1), F.pad(bias, (0, b[0] - len(bias)))]
        self.flat.data.copy_(torch.cat(values))

    def state(self):  # as `tsr.model.TSRCNN.state_dict()`
        p, k = [t.detach() for t in self.tensors()], [self.inputs, *self.args['widths']]
        out = [*self.args['widths'], 3]
        state = {}
        for i in range(3):
            state[f'layers.{2 * i}.weight'] = (
                p[2 * i].permute(0, 3, 1, 2)[: out[i], : k[i]].contiguous().cpu()
            )
            state[f'layers.{2 * i}.bias'] = p[2 * i + 1][: out[i]].clone().cpu()
        return state


class Optimizer:
    "AdamW, Adagrad and SGD as in torch.optim with their default settings, on one vector, fit for capture."

    def __init__(self, name, p):
        self.name, self.p = name, p
        self.first, self.second, self.count = (
            torch.zeros_like(p),
            torch.zeros_like(p),
            torch.zeros((), device=p.device, dtype=torch.float64),
        )

    @torch.no_grad()
    def step(self, g):
        p = self.p
        if self.name == 'SGD':
            p -= RATE * g
        elif self.name == 'Adagrad':
            self.second += g * g
            p -= RATE * g / (self.second.sqrt() + 1e-10)
        else:
            self.count += 1
            self.first.lerp_(g, 0.1), self.second.lerp_(g * g, 0.001)
            c1, c2 = ((1 - b**self.count).float() for b in (0.9, 0.999))
            p *= 1 - RATE * 0.01
            p -= RATE / c1 * self.first / (self.second.sqrt() / c2.sqrt() + 1e-8)


class Run(Job):
    "One training of the report."

    chunk = 149  # 9 of them are an epoch

    def __init__(
        self,
        name,
        world,
        stage,
        loss,
        optimizer='AdamW',
        large=False,
        reach=1,
        seed=0,
        steps=13410,
        base=None,
    ):
        self.name, self.world, self.stage, self.loss_name, self.optimizer_name = (
            name,
            world,
            stage,
            loss,
            optimizer,
        )
        self.shape = ((128, 64), (11, 3, 7)) if large else ((64, 32), (9, 1, 5))
        self.reach, self.seed, self.steps, self.base = reach, seed, steps, base
        self.epochs, self.batches, self.scored = [], [], {}

    def build(self):
        w, d = self.world, self.device
        self.net = Network(*self.shape, self.reach, self.seed, d)
        if self.base is not None:
            self.net.flat.data.copy_(self.base.net.flat.data)
        self.optimizer = Optimizer(self.optimizer_name, self.net.flat)
        self.similarity = w.similarity
        self.loss = dict(MSE=MSE(), PNSR=PNSR(), DSSIM=lambda x, y: 1 - w.similarity(x, y).mean())[
            self.loss_name
        ]
        self.lr, self.hr, self.table = w.flat(self.stage, self.reach)
        self.edge = (
            math.ceil(self.net.margin / 2) + 2
        )  # LR pixels around a patch, so that neither bicubic nor convolutions see its border
        self.side = PATCH // 2 + 2 * self.edge
        self.ramp = torch.arange(2 * self.side, device=d)
        self.random = torch.Generator(d).manual_seed(self.seed + 100 * self.stage)
        self.drawn = torch.zeros(self.chunk, BATCH, 5, dtype=torch.int64, device=d)
        self.at = torch.zeros((), dtype=torch.int64, device=d)
        self.noted = torch.zeros(self.chunk, 2, device=d)  # loss, PSNR of each step

    def refill(self):
        n, rand = self.chunk * BATCH, lambda n: torch.rand(n, generator=self.random, device=self.device)
        start, h, w = self.table[(rand(n) * len(self.table)).long().clamp(max=len(self.table) - 1)].unbind(
            -1
        )
        y, x = (torch.minimum((rand(n) * (s - self.side + 1)).long(), s - self.side) for s in (h, w))
        self.drawn.copy_(torch.stack([start, h, w, y, x], -1).view(self.chunk, BATCH, 5))
        self.at.zero_()

    def patches(self):  # window (B, T*3, side, side) and truth (B, 3, 96, 96), in [0, 1]
        start, h, w, y, x = self.drawn.index_select(0, self.at.view(1))[0][..., None, None].unbind(1)
        i, j = self.ramp[: self.side, None], self.ramp[: self.side]
        index = torch.stack(
            [start + d * h * w + (y + i) * w + x + j for d in range(-self.reach, self.reach + 1)], 1
        )  # (B, T, side, side)
        window = (
            self.lr.index_select(0, index.flatten())
            .view(*index.shape, 3)
            .permute(0, 1, 4, 2, 3)
            .flatten(1, 2)
        )
        i, j = self.ramp[:PATCH, None], self.ramp[:PATCH]
        index = 4 * start + (2 * (y + self.edge) + i) * 2 * w + 2 * (x + self.edge) + j
        truth = self.hr.index_select(0, index.flatten()).view(*index.shape, 3).permute(0, 3, 1, 2)
        return window.float() / 255, truth.float() / 255

    def step(self):
        window, truth = self.patches()
        out = self.net(self.net.enlarge(window, cut=2 * self.edge - self.net.margin), self.world.dtype)
        loss = self.loss(out, truth)
        (grad,) = torch.autograd.grad(loss, [self.net.flat])
        self.optimizer.step(grad)
        with torch.no_grad():
            self.last = out.detach(), truth
            note = torch.stack([loss.detach(), psnr(self.last[0].clamp(0, 1), truth).mean()])
            self.noted.index_copy_(0, self.at.view(1), note[None])
            self.at.add_(1).remainder_(self.chunk)

    def restore(self):
        "Take a finished run from its files."
        self.device, self.net = self.world.device, Network(
            *self.shape, self.reach, self.seed, self.world.device
        )
        self.loss = dict(MSE=MSE(), PNSR=PNSR(), DSSIM=lambda x, y: 1 - self.world.similarity(x, y).mean())[
            self.loss_name
        ]
        self.net.load(load_file(self.world.out / f'{self.name}.safetensors'))
        with open(self.world.out / f'{self.name}.csv') as f:
            self.epochs = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(f)]

    def report(self):
        with LOCK, torch.no_grad():
            similar = self.similarity(self.last[0], self.last[1]).mean().item()
            loss, quality = (
                self.noted[self.noted[:, 0] != 0].mean(0).tolist()
                if self.done <= self.chunk
                else self.noted.mean(0).tolist()
            )
        minutes, epoch = (time.time() - self.started) / 60, math.ceil(self.done / EPOCH)
        self.batches.append(
            dict(
                phase='train',
                epoch=epoch,
                step=self.done,
                minutes=round(minutes, 4),
                loss=loss,
                psnr=quality,
                ssim=similar,
            )
        )
        if not math.isfinite(loss):
            self.stopped = True
        if self.done % EPOCH == 0 or self.done == self.steps or self.stopped:
            self.validate(epoch, minutes)

    def validate(self, epoch, minutes):
        "Score the clips of this third that are set aside; add a row for the epoch."
        with LOCK:
            rows = [r for clip in self.world.score(self.net, self.loss, self.stage) for r in clip[1]]
        here = [b for b in self.batches if b['epoch'] == epoch and b['phase'] == 'train']
        mean = lambda rows, k: float(np.mean([r[k] for r in rows]))
        self.epochs.append(
            dict(
                epoch=epoch,
                step=self.done,
                minutes=minutes,
                learning_rate=RATE,
                **{f'train_{k}': mean(here, k) for k in ('loss', 'psnr', 'ssim')},
                **{k: mean(rows, k) for k in ('loss', 'psnr', 'ssim', 'gain_psnr', 'gain_ssim')},
            )
        )
        self.batches += [
            dict(
                phase='validate',
                epoch=epoch,
                step=self.done,
                minutes=round(minutes, 4),
                **{k: r[k] for k in ('loss', 'psnr', 'ssim')},
            )
            for r in rows
        ]

    def finish(self):
        save_csv(self.world.out / f'{self.name}.csv', self.epochs)
        save_csv(self.world.out / f'{self.name}_batches.csv', self.batches)
        about = dict(
            stage=self.stage,
            loss=self.loss_name,
            optimizer=self.optimizer_name,
            learning_rate=RATE,
            schedule='constant',
            batch_size=BATCH,
            patch_hr=PATCH,
            steps=self.done,
            seed=self.seed,
            base=self.base and self.base.name,
            minutes=round(self.elapsed / 60, 3),
            device=self.world.device_name,
            torch=torch.__version__,
            precision=self.world.precision,
            downscale='area',
            trained_on=self.world.trained_on(self.stage),
            validation=self.world.held_in(self.stage),
            scores=self.epochs[-1],
        )
        save_file(
            self.net.state(),
            self.world.out / f'{self.name}.safetensors',
            header(architecture='TSRCNN', args=self.net.args, provenance=about),
        )
        e = self.epochs[-1]
        log(self.name, f'validation {e["gain_psnr"]:+.3f} dB, SSIM {e["gain_ssim"]:+.4f}')


def save_csv(path, rows):
    "Write rows of numbers with 7 digits."
    with open(path, 'w', newline='') as f:
        table = csv.DictWriter(f, rows[0])
        table.writeheader()
        table.writerows({k: f'{v:.7g}' if isinstance(v, float) else v for k, v in r.items()} for r in rows)


class World:
    "Data that all runs share."

    def __init__(self, folder, out, device, precision, frames=6):
        self.folder, self.out, self.device, self.precision, self.count = (
            folder,
            out,
            device,
            precision,
            frames,
        )
        self.dtype = dict(tf32=torch.float32, float32=torch.float32, bf16=torch.bfloat16)[precision]
        self.device_name = torch.cuda.get_device_name() if device.type == 'cuda' else 'cpu'
        self.similarity, self.kept, self.held, self.lock = Similarity(device), {}, {}, threading.Lock()
        out.mkdir(parents=True, exist_ok=True)

    def ready(self, stage):
        return all((self.folder / n / 'hr.npy').exists() for n in THIRDS[stage - 1])

    def trained_on(self, stage):
        return [n for n in THIRDS[stage - 1] if n not in HELD]

    def held_in(self, stage):
        return [n for n in THIRDS[stage - 1] if n in HELD]

    def flat(self, stage, reach):
        "The pixels of a third."
        if (stage, reach) not in self.kept:
            found = next((v for k, v in self.kept.items() if k[0] == stage), None)
            clips = found[0] if found else Clips(self.folder, self.trained_on(stage), self.device)
            flat = clips.flat(reach)
            self.kept[stage, reach] = clips, (*(found[1][:2] if found else flat[:2]), flat[2])
            if self.device.type == 'cuda':
                torch.cuda.synchronize()  # other streams will read it
        return self.kept[stage, reach][1]

    def frames(self, name, reach):  # list of (window (1, T*3, h, w), truth, PSNR and SSIM of bicubic)
        "The frames of a clip that are scored."
        if (name, reach) not in self.held:
            hr, lr = (torch.from_numpy(np.load(self.folder / name / f'{f}.npy')) for f in ('hr', 'area'))
            found = []
            for t in np.linspace(reach, len(lr) - 1 - reach, self.count).round().astype(int):
                window = (
                    lr[t - reach : t + reach + 1]
                    .to(self.device)
                    .permute(0, 3, 1, 2)
                    .flatten(0, 1)[None]
                    .float()
                    / 255
                )
                truth = hr[t : t + 1].to(self.device).permute(0, 3, 1, 2).float() / 255
                middle = F.interpolate(window[:, 3 * reach : 3 * reach + 3], scale_factor=2, mode='bicubic')
                found.append((window, truth, self.quality(middle, truth)))
            self.held[name, reach] = found
        return self.held[name, reach]

    def quality(self, x, truth, crop=8):  # PSNR, SSIM of RGB, rounded to bytes
        "Scores of a picture."
        x = (x.clamp(0, 1) * 255).round() / 255
        x, truth = (v[..., crop:-crop, crop:-crop] for v in (x, truth))
        return psnr(x, truth).item(), self.similarity(x, truth).item()

    @torch.no_grad()
    def score(self, net, loss, stage=None):  # list of (clip, rows)
        "Whole frames of the clips set aside in a third, or in all."
        found = []
        for name in (self.held_in(stage) if stage else HELD):
            rows = []
            for window, truth, (p0, s0) in self.frames(name, net.reach):
                out = net(net.enlarge(window, border=net.margin), self.dtype)
                p, s = self.quality(out, truth)
                rows.append(
                    dict(
                        loss=loss(out, truth).item(),
                        psnr=p,
                        ssim=s,
                        gain_psnr=p - p0,
                        gain_ssim=s - s0,
                        gain_qm=max(p * s, 0) ** 0.5 - (p0 * s0) ** 0.5,
                    )
                )
            found.append((name, rows))
        return found


class Queue:
    "Runs in order; the next stage of a finished run comes first."

    def __init__(self, world, args):
        self.world, self.args, self.seeds = world, args, {}
        grid = lambda seed: [
            Run(f'stage1_{o}_{loss}_seed{seed}', world, 1, loss, o, seed=seed, steps=args.steps)
            for o in OPTIMIZERS
            for loss in LOSSES
        ]
        more = lambda seed: [
            Run(f'stage1_large_seed{seed}', world, 1, 'MSE', large=True, seed=seed, steps=args.steps),
            Run(f'stage1_two_seed{seed}', world, 1, 'MSE', reach=2, seed=seed, steps=args.steps),
        ]
        self.waiting, self.lock, self.ended = [], threading.Lock(), []
        for seed in range(args.seeds):
            self.waiting += grid(seed) + (more(seed) if seed == 0 else [])
        for seed in range(1, args.seeds):
            self.waiting += more(seed)
        self.active = 0

    def next(self):
        "The next run whose clips are there; None when all is done."
        while True:
            with self.lock:
                for r in self.waiting:
                    if self.world.ready(r.stage):
                        self.waiting.remove(r)
                        self.active += 1
                        return r
                if not self.active and not self.waiting:
                    return None
            time.sleep(0.1)

    def after(self, run):
        "Stage 2 for the best of each loss of a seed with AdamW, stage 3 for the best of these."
        with self.lock:
            self.ended.append(run)
            self.active -= 1
            family = [
                r
                for r in self.ended
                if r.seed == run.seed
                and r.stage == run.stage
                and not hasattr(r, 'error')
                and r.reach == 1
                and len(r.net.args['widths'])
                and r.net.args['widths'][0] == 64
            ]
            best = lambda rows: max(rows, key=lambda r: r.epochs[-1]['psnr'])
            steps = self.args.later
            go = lambda r, stage: Run(
                f'stage{stage}_{r.loss_name}_seed{r.seed}',
                self.world,
                stage,
                r.loss_name,
                'AdamW',
                seed=r.seed,
                steps=steps,
                base=r,
            )
            if run not in family:
                return
            if run.stage == 1 and len(family) == 9:
                self.waiting[:0] = [go(r, 2) for r in family if r.optimizer_name == 'AdamW']
            if run.stage == 2 and len(family) == 3:
                self.waiting[:0] = [go(best(family), 3)]

    def work(self):
        while run := self.next():
            if (self.world.out / f'{run.name}.safetensors').exists():
                run.restore()
            else:
                run.run(self.world.device)
            self.after(run)
            if not all(map(self.world.ready, (1, 2, 3))):
                continue
            with LOCK, self.lock:
                for r in self.ended:
                    if not hasattr(r, 'error') and not hasattr(r, 'final'):
                        r.final = final_scores(self.world, r)
                save_csv(
                    self.world.out / 'scores.csv',
                    [row for r in self.ended for row in getattr(r, 'final', ())],
                )


def final_scores(world, run):  # list of rows
    "Gains over bicubic on all clips set aside."
    keys = 'psnr', 'ssim', 'gain_psnr', 'gain_ssim', 'gain_qm'
    return [
        dict(
            run=run.name,
            seed=run.seed,
            stage=run.stage,
            clip=name,
            **{k: float(np.mean([f[k] for f in rows])) for k in keys},
        )
        for name, rows in world.score(run.net, run.loss)
    ]


def measure(folder, out, device):
    "What a step costs."
    for precision in ('tf32', 'bf16'):
        world = World(folder, out / 'measure', device, precision)
        for large, loss, opt in (
            (False, 'MSE', 'AdamW'),
            (False, 'DSSIM', 'AdamW'),
            (True, 'MSE', 'AdamW'),
        ):
            r = Run(f'measure_{precision}_{large}_{loss}', world, 1, loss, opt, large=large, steps=447)
            r.report = lambda: None
            r.finish = lambda: None
            r.run(device)
    world = World(folder, out / 'measure', device, 'tf32')
    for n in (4, 9):
        runs = [Run(f'measure_{n}_at_once_{i}', world, 1, 'MSE', steps=447, seed=i) for i in range(n)]
        for r in runs:
            r.report = r.finish = lambda: None
        begun = time.time()
        with ThreadPoolExecutor(n) as pool:
            list(pool.map(lambda r: r.run(device), runs))
        log(f'{n} at once: {(time.time() - begun):.2f} s for {n} x 447 steps, building included')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ('frames', 'out'):
        parser.add_argument(name, type=Path)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--steps', type=int, default=13410)
    parser.add_argument('--later', type=int, default=12150, help='steps of stages 2 and 3')
    parser.add_argument('--at-once', type=int, default=9)
    parser.add_argument('--precision', default='tf32')
    parser.add_argument('--measure', action='store_true')
    args = parser.parse_args()
    device = use_gpu()
    if args.measure:
        measure(args.frames, args.out, device)
        raise SystemExit
    queue = Queue(World(args.frames, args.out, device, args.precision), args)
    threads = [
        threading.Thread(target=queue.work) for _ in range(args.at_once if device.type == 'cuda' else 1)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    log('done')
