"""Train networks that look along the optical flow, many at a time on one GPU, after plans that say which.

    python quality.py FRAMES OUT PLANS

FRAMES is what frames.py wrote. PLANS is a folder of .json files, taken up in the order of their names
as they appear, until one named `stop.json` does: {"store": {"neighbours": 6, "extras": [...], "kinds":
{"area:fine": 2, ...}}, "at_once": 8, "jobs": [{...}]}. A job has the fields of `DEFAULTS`. OUT gets
runs.jsonl (a row for each training), curves.jsonl, and the weights.
"""

import argparse
import json
import math
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import aligned
import frames
import numpy as np
import torch
import torch.nn.functional as F
from aligned import Layout, Patches, Store
from jobs import LOCK, Job, header, log, run_all, use_gpu
from safetensors.torch import load_file, save_file

DEFAULTS = dict(
    features=16,
    blocks=6,
    neighbours=4,
    extras=[],
    near=None,  # neighbours whose extras are seen; None: all
    leak=0.1,
    skip=0,  # skip: side of a learned filter beside bicubic
    kinds=['area:fine', 'bicubic:fine'],
    batch=16,
    patch=64,
    lr=4e-3,
    warmup=100,
    ema=0.998,
    loss='charbonnier',
    steps=8000,
    until=None,  # until: Unix time at which it ends, instead of steps
    seconds=None,  # that it trains, instead of steps
    seed=0,
    init=None,
    points=2,
    validate=['area:fine', 'bicubic:fine'],
)


def orthogonalize(
    x, rounds=5
):  # (N, rows, columns), no more rows than columns; as `tsr.optimizers.orthogonalize`
    "All singular values near 1."
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


class Muon:
    "`tsr.optimizers.Muon` without a look at the host, so that it can be captured."

    def __init__(
        self, params, momentum=0.95, betas=(0.9, 0.99), eps=1e-8
    ):  # dict of tensors: (N, out, ...) matrices, (n,) vectors
        self.params, self.momentum, self.betas, self.eps = params, momentum, betas, eps
        self.mean = {k: torch.zeros_like(p) for k, p in params.items()}
        self.square = {k: torch.zeros_like(p) for k, p in params.items() if p.ndim == 1}
        self.count = torch.zeros((), device=next(iter(params.values())).device)

    @torch.no_grad()
    def step(self, grads, lr):  # dict of tensors; 0-dim tensor
        "Move the parameters."
        self.count += 1
        for k, p in self.params.items():
            g = grads[k]
            if p.ndim > 1:
                mean = self.mean[k].lerp_(g, 1 - self.momentum)
                update = orthogonalize(g.lerp(mean, self.momentum).flatten(2))
                p -= update.view_as(p) * (0.2 * max(update.shape[-2:]) ** 0.5 * lr)
            else:
                first = self.mean[k].lerp_(g, 1 - self.betas[0]) / (1 - self.betas[0] ** self.count)
                second = self.square[k].lerp_(g * g, 1 - self.betas[1]) / (1 - self.betas[1] ** self.count)
                p -= first / (second.sqrt() + self.eps) * lr


def new_weights(
    spec, inputs, device
):  # dict of float32 tensors; convolutions as (N, out, 3, 3, in), channels last in memory
    "As `torch.nn.Conv2d` draws them, in the order of `AlignedNet`; the last convolution starts at zero."
    f, n, random = spec['features'], 2 * spec['blocks'], torch.Generator().manual_seed(spec['seed'])
    draw = lambda bound, *shape: (torch.rand(*shape, generator=random) * 2 - 1) * bound
    at = lambda c: (9 * c) ** -0.5
    bias = torch.cat([draw(at(inputs), f), draw(at(f), n * f), torch.zeros(12)])
    weights = dict(
        head=draw(at(inputs), 1, f, 3, 3, inputs),
        body=draw(at(f), n, f, 3, 3, f),
        tail=torch.zeros(1, 12, 3, 3, f),
        bias=bias,
    )
    if spec['skip']:
        weights['skip'] = torch.zeros(1, 12, spec['skip'], spec['skip'], 8)
    return {k: w.to(device) for k, w in weights.items()}


def network(
    x, weights, leak, dtype
):  # (B, C, h, w) -> (B, 12, h, w), what is added to bicubic interpolation
    "`AlignedNet` without its bicubic part."
    cut = lambda bank: [w.permute(0, 3, 1, 2) for w in bank.to(dtype).unbind(0)]
    head, body, tail = cut(weights['head'])[0], cut(weights['body']), cut(weights['tail'])[0]
    f, n = head.shape[0], len(body)
    first, *biases = weights['bias'].to(dtype).split([f] * (n + 1) + [12])
    seen = x.to(dtype)
    y = F.leaky_relu_(F.conv2d(seen, head, first, padding=1), leak)
    for i in range(0, n, 2):
        inner = F.leaky_relu_(F.conv2d(y, body[i], biases[i], padding=1), leak)
        y = y + F.conv2d(inner, body[i + 1], biases[i + 1], padding=1)
    out = F.conv2d(y, tail, biases[-1], padding=1)
    if 'skip' in weights:
        side = weights['skip'].shape[2]
        out = out + F.conv2d(seen[:, :8], cut(weights['skip'])[0], padding=side // 2)
    return out


Y = 65.481 / 219, 128.553 / 219, 24.966 / 219


def loss_of(name, out, target):  # (B, 12, h, w)
    "Charbonnier on RGB, with luma beside it; squared; root of the mean square of each patch."
    d = out.float() - target.float()
    rough = lambda e: (e * e + 1e-6).sqrt().mean()
    luma = lambda: (
        d.unflatten(1, (3, 4)) * torch.stack([torch.full_like(d[:1, :1], w) for w in Y], 1)
    ).sum(1)
    if name == 'mse':
        return d.square().mean()
    if name == 'rmse':
        return (d.square().mean((1, 2, 3)) + 1e-8).sqrt().mean()
    if name == 'luma':
        return rough(d) + rough(luma())
    if name == 'luma3':
        return rough(d) + 3 * rough(luma())
    return rough(d)


class Training(Job):
    "One network."

    def __init__(self, spec, world):
        self.spec = DEFAULTS | spec
        self.name, self.world = spec['name'], world
        self.until, self.seconds = self.spec['until'], self.spec['seconds']
        self.steps = None if self.until or self.seconds else self.spec['steps']
        self.next_point, self.curve = 1, []

    def build(self):
        s, w = self.spec, self.world
        used = w.layout.pick(s['neighbours'], s['extras'], s['near'])
        self.inputs = len(used)
        used = used + [w.layout.parts['zero'][0]] * (-len(used) % 8)
        self.channels = torch.tensor(used, device=self.device)
        self.weights = new_weights(s, len(used), self.device)
        if s['init']:
            self.take(load_file(Path(s['init']) if '/' in s['init'] else w.out / f'{s["init"]}.safetensors'))
        self.average = {k: v.clone() for k, v in self.weights.items()}
        for v in self.weights.values():
            v.requires_grad_()
        self.optimizer = Muon(self.weights)
        self.lr, self.blend = (torch.zeros((), device=self.device) for _ in range(2))
        self.patches = Patches(
            w.store,
            s['kinds'],
            s['patch'],
            s['batch'],
            self.chunk,
            1000 + s['seed'],
            used + list(w.layout.parts['residual']),
        )
        self.dtype = torch.bfloat16 if self.device.type == 'cuda' else torch.float32

    def refill(self):
        s = self.spec
        self.patches.draw()
        warm = min((self.done + 1) / s['warmup'], 1.0)
        self.lr.fill_(s['lr'] * warm * 0.5 * (1 + math.cos(math.pi * self.progress)))
        self.blend.fill_(1 - min(s['ema'], (1 + self.done) / (10 + self.done)))

    def step(self):
        v = self.patches.batch_now()
        x, target = v[..., :-12].to(self.dtype).permute(0, 3, 1, 2), v[..., -12:].permute(
            0, 3, 1, 2
        )  # channels last in memory
        loss = loss_of(self.spec['loss'], network(x, self.weights, self.spec['leak'], self.dtype), target)
        names = list(self.weights)
        grads = torch.autograd.grad(loss, [self.weights[k] for k in names])
        self.optimizer.step(dict(zip(names, grads)), self.lr)
        with torch.no_grad():
            for k in names:
                self.average[k].lerp_(self.weights[k], self.blend)

    def report(self):
        if self.progress >= self.next_point / self.spec['points'] and self.progress < 1:
            self.next_point += 1
            with LOCK:
                self.validate()

    def validate(self):
        "Score the averaged weights on the validation clips."
        scores = self.world.score(self.average, self.channels, self.spec)
        self.curve.append(
            dict(
                name=self.name,
                step=self.done,
                seconds=round(time.time() - self.started, 1),
                **{k: v['mean'] for k, v in scores.items()},
            )
        )
        return scores

    def finish(self):
        scores = self.validate()
        s = {k: v for k, v in self.spec.items() if DEFAULTS.get(k) != v}
        macs = sum(w.numel() for w in self.weights.values()) - 9 * self.spec['features'] * (
            len(self.channels) - self.inputs
        )
        if self.spec['skip']:
            macs -= 12 * self.spec['skip'] ** 2 * 5
        row = dict(
            name=self.name,
            macs=macs,
            steps=self.done,
            run_seconds=round(self.elapsed, 1),
            at_once=self.world.at_once,
            **{f'{k}': round(v['mean'], 4) for k, v in scores.items()},
            spec=s,
            clips={k: v['clips'] for k, v in scores.items()},
        )
        self.world.write(row, self.curve)
        self.save(scores)
        log(self.name, {k: round(v['mean'], 3) for k, v in scores.items()}, f'{macs} multiply-adds')

    def state(self):  # dict as AlignedNet.state_dict()
        "The averaged weights under the names of `tsr.network.AlignedNet`."
        w, f, n = self.average, self.spec['features'], 2 * self.spec['blocks']
        first, *biases = w['bias'].split([f] * (n + 1) + [12])
        conv = lambda x: x.permute(0, 3, 1, 2).contiguous().cpu()
        state = {
            'head.weight': conv(w['head'][0])[:, : self.inputs].contiguous(),
            'head.bias': first.cpu().clone(),
        }
        for i in range(n):
            name = f'body.{i // 2}.{"second" if i % 2 else "first"}'
            state |= {f'{name}.weight': conv(w['body'][i]), f'{name}.bias': biases[i].cpu().clone()}
        state |= {'tail.weight': conv(w['tail'][0]), 'tail.bias': biases[-1].cpu().clone()}
        if 'skip' in w:
            state['skip.weight'] = conv(w['skip'][0])[:, :3].contiguous()
        return state

    def take(self, state):
        "Start from such weights; inputs that they lack start at zero."
        w, n = self.weights, 2 * self.spec['blocks']
        conv = lambda x: x.permute(0, 2, 3, 1)
        w['head'].zero_()
        w['head'][0, ..., : state['head.weight'].shape[1]] = conv(state['head.weight'])
        names = [f'body.{i // 2}.{"second" if i % 2 else "first"}' for i in range(n)]
        for i, name in enumerate(names):
            w['body'][i] = conv(state[f'{name}.weight'])
        w['tail'][0] = conv(state['tail.weight'])
        w['bias'].copy_(
            torch.cat([state['head.bias'], *(state[f'{k}.bias'] for k in names), state['tail.bias']])
        )

    def save(self, scores):
        s, k = self.spec, self.spec['neighbours'] // 2
        args = dict(
            frames_back=k,
            frames_forward=k,
            scale=2,
            features=s['features'],
            blocks=s['blocks'],
            leak=s['leak'],
        )
        if k:  # `fraction` of all neighbours
            near = s['neighbours'] if s['near'] is None else s['near']
            args['phases'] = near // 2 if 'fraction' in s['extras'] else 0
            args['refinement'] = frames.FLOWS[s['kinds'][0].split(':')[1]]['refinement']
        about = dict(
            spec=s,
            steps=self.done,
            seconds=round(self.elapsed, 1),
            device=self.world.device_name,
            torch=torch.__version__,
            precision='bfloat16 convolutions, float32 weights and sums',
            channels=[
                'RGB',
                *(
                    f'{part} of {d}'
                    for part in ('planes', *s['extras'])
                    for d in self.world.layout.offsets
                    if abs(d) <= (k if part == 'planes' or s['near'] is None else s['near'] // 2)
                ),
            ],
            flow={
                kind: dict(frames.FLOWS[kind.split(':')[1]], finest_scale=0, blur=frames.BLUR)
                for kind in s['kinds']
            },
            validation=list(frames.VALIDATION),
            trained_on=sorted(seen := self.world.seen(s['kinds'])),
            distinct_frames=sum(seen.values()),
            scores={k: round(v['mean'], 4) for k, v in scores.items()},
        )
        save_file(
            self.state(),
            self.world.out / f'{self.name}.safetensors',
            header(architecture='AlignedNet' if k else 'TSRNet', args=args, provenance=about),
        )


def ahead(work, items, count=4):  # iterator over work(item)
    "Do the work for the next few items in threads."
    items = iter(items)
    with ThreadPoolExecutor(count) as pool:
        waiting = deque(pool.submit(work, i) for i in islice(items, count))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(work, i) for i in islice(items, 1))


class World:
    "Data and results that all trainings share."

    def __init__(self, folder, out, device):
        self.folder, self.out, self.device = folder, out, device
        self.device_name = torch.cuda.get_device_name() if device.type == 'cuda' else 'cpu'
        self.at_once, self.wanted = 1, None
        out.mkdir(parents=True, exist_ok=True)

    def fill(
        self,
        neighbours,  # of each frame
        kinds,  # dict: LR name and flow, as 'area:fine' -> n, of which every n-th frame is taken
        extras=(),  # names in `aligned.EXTRAS`
        scored=10,  # of the validation clips, every Nth frame is scored
    ):
        "Compute the rows of all clips."
        begun = time.time()
        self.store = self.held = None
        self.layout = Layout(neighbours, extras)
        clips = sorted(p.parent for p in self.folder.glob('*/hr.npy'))
        trained, held = ([c for c in clips if (c.name in frames.VALIDATION) == v] for v in (False, True))
        there = lambda c, k: (c / f'{k.replace(":", ".")}.flow.npy').exists()
        shape = lambda c, k: np.load(c / f'{k.split(":")[0]}.npy', mmap_mode='r').shape
        rows = lambda hr, lr, flow, k, which: aligned.rows(
            hr, lr, flow, self.layout, which, rounds=frames.FLOWS[k.split(':')[1]]['rounds']
        )
        wanted = [
            (k, c, list(range(i % every, shape(c, k)[0], every)))
            for i, (k, every) in enumerate(kinds.items())
            for c in trained
            if there(c, k)
        ]
        self.sources = wanted
        self.store = Store(
            self.layout, sum(len(which) * math.prod(shape(c, k)[1:3]) for k, c, which in wanted), self.device
        )
        arrays = lambda item: aligned.load(item[1], *item[0].split(':'), item[2], self.device)
        for (k, _, which), found in zip(wanted, ahead(arrays, wanted)):
            self.store.add(k, rows(*found, k, which))
        self.held = {k: [] for k in kinds}
        for k in kinds:
            for c in held:
                if not there(c, k):
                    continue
                which = list(range(scored // 2, shape(c, k)[0], scored))
                hr, lr, flow = aligned.load(c, *k.split(':'), which, self.device)
                self.held[k].append((c.name, rows(None, lr, flow, k, which), hr, lr[which]))
        if self.device.type == 'cuda':
            torch.cuda.synchronize()  # other streams will read it
        log(
            f'store: {self.store.used / 1e6:.0f} million rows of {self.layout.channels}, frames',
            {k: len(v) for k, v in self.store.frames.items()},
            f'{time.time() - begun:.1f} s',
        )

    def seen(self, kinds):  # dict: clip -> frames
        "What a training with these kinds sees; the neighbours of the frames that are enlarged count."
        return {
            c.name: len(np.load(c / f'{k.split(":")[0]}.npy', mmap_mode='r'))
            for k, c, _ in self.sources
            if k in kinds
        }

    @torch.inference_mode()
    def score(self, weights, channels, spec):  # dict: kind -> mean gain of Y over bicubic, and by clip
        "Whole frames of the validation clips, in float32."
        found = {}
        for kind in spec['validate']:
            clips = {}
            for name, rows, hr, lr in self.held.get(kind, ()):
                gains = []
                for i in range(0, len(rows), 4):
                    x = rows[i : i + 4].index_select(-1, channels).permute(0, 3, 1, 2)
                    gains.append(
                        aligned.luma_gain(
                            network(x, weights, spec['leak'], torch.float32), hr[i : i + 4], lr[i : i + 4]
                        )[0]
                    )
                clips[name] = round(torch.cat(gains).mean().item(), 4)
            found[kind] = dict(mean=float(np.mean(list(clips.values()))), clips=clips)
        return found

    def write(self, row, curve):
        "Append a row to runs.jsonl, and the curve to curves.jsonl."
        for file, rows in (('runs.jsonl', [row]), ('curves.jsonl', curve)):
            with open(self.out / file, 'a') as f:
                f.writelines(json.dumps(r) + '\n' for r in rows)

    def run(self, plan, newer):
        "Run a plan; a droppable plan starts no new job once there is a newer one."
        if plan.get('store') and plan['store'] != self.wanted:
            self.fill(**plan['store'])
            self.wanted = plan['store']
        self.at_once = plan.get('at_once', 6)
        torch.backends.cudnn.benchmark = plan.get('benchmark', True)
        run_all(
            [Training(j, self) for j in plan['jobs']],
            self.device,
            self.at_once,
            newer if plan.get('droppable') else lambda: False,
        )


if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ('frames', 'out', 'plans'):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    world, done = World(args.frames, args.out, use_gpu()), set()
    while True:
        ready = sorted(p for p in args.plans.glob('*.json') if p.name not in done)
        if not ready:
            time.sleep(0.3)
            continue
        done.add(ready[0].name)
        if ready[0].name == 'stop.json':
            break
        log('plan', ready[0].name)
        newer = lambda: any(p.name not in done for p in args.plans.glob('*.json'))
        try:
            world.run(json.loads(ready[0].read_text()), newer)
        except Exception as e:
            log('plan FAILED', repr(e))
