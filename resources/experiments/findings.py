"""What the original got wrong, in numbers: `python resources/experiments/findings.py [published] [leak] [borders] [ends] [residual]`

Each part writes resources/results/findings_<part>.csv, and into findings.json how it was made. TSR_CLIPS names the folder of the clips, TSR_ORIGINAL
that of the original's weights, beside which its tables lie in results/. Nothing is trained or chosen on test clips.

published  one line for each model of each table that the report printed
leak       the same validation frames, scored after training on other frames of their own clips and after training on other clips
borders    the original's two networks without padding, beside bicubic on the whole frame and on the same pixels
ends       the first and the last frame, which the original left out, beside the frame in the middle
residual   the report's recipe and ours, and what lies between them, for the same few steps
"""
import argparse
import json
import os
import re
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from benchmark import RESULTS, machine, originals
from explore import center_pair, train
from torch import nn
from tqdm.auto import tqdm

from tsr.data import evenly_spaced
from tsr.dataset import MultiVideoDataset
from tsr.losses import Charbonnier, score_frame
from tsr.model import MODELS, TSRCNN, Interpolation, create_model, load_model, load_original
from tsr.optimizers import OPTIMIZERS
from tsr.resample import to_float
from tsr.samples import clips
from tsr.training import TrainConfig, git_commit, scheduled_learning_rate, split_videos

STEPS = dict(leak=600, residual=200) # of each training, if no other number is asked for
TABLES = 'results1', 'results2', 'results3', 'resultsQHD', 'resultsFHD', 'resultsCustom'

def published(args):
    "The averages that the report printed, and the parts of a model's name."
    folder, rows = Path(os.environ['TSR_ORIGINAL']).parent/'results', []
    for table in TABLES:
        for row in pd.read_csv(folder/f'{table}.csv').itertuples():
            network, videos, optimizer, loss = re.search(r'(small|large)_360_720_(\d+)videos_(\w+)opt_(\w+?)(?:Loss)?loss', row.model).groups()
            rows.append(dict(table=table, network=network, optimizer=optimizer, loss=loss, videos=int(videos), psnr=row.average_psnr, ssim=row.average_ssim, qm=row.average_qm, score=row.score))
    return pd.DataFrame(rows)

def with_bicubic(window, truth): return window, truth, decibels(load_model('bicubic')(window[None, len(window) // 2][:, None]), truth[None], 8) # what is scored, and bicubic's score

def gain(
    model, # to score
    scored # list of `with_bicubic`
): # dB
    "Mean gain over bicubic."
    def own(window): return window[None, len(window) // 2 - model.frames_back:len(window) // 2 + 1 + model.frames_forward]
    with torch.inference_mode(): return float(np.mean([decibels(model(own(window)), truth[None], 8) - base for window, truth, base in scored]))

def decibels(out, truth, crop=0): return score_frame(out, truth, crop, ['psnr'])['psnr']

# leak

KINDS = 'davis_camel', 'uav_car16', 'street_0', 'dashcam_1', 'dog', 'waterfall' # one clip of each kind, for the network

def learn(
    data, # `MultiVideoDataset` of patches
    frames, # numbers of those that may be learnt from
    steps, # batches of eight
    seed # of weights and order
): # model
    "A light network, trained on some frames of some clips."
    torch.manual_seed(seed)
    config, rng, net = TrainConfig(), np.random.default_rng(seed), create_model('TSRNet', features=8, blocks=3)
    optimizer = OPTIMIZERS[config.optimizer](net.parameters())
    for step in range(steps):
        for group in optimizer.param_groups: group['lr'] = scheduled_learning_rate(config, step, step / steps)
        items = rng.choice(frames, 8) * data.patches_per_window + rng.integers(data.patches_per_window, size=8)
        window, truth = map(to_float, data.batch(items.tolist()))
        optimizer.zero_grad()
        Charbonnier()(net(window), truth).backward()
        nn.utils.clip_grad_norm_(net.parameters(), config.clip)
        optimizer.step()
    return net.eval()

def split_halves(videos, seed): # list of dicts: the clip's frames in the data set, a random half to learn from and some of the other half
    "What a random split over frames does to each clip."
    rng, first, split = np.random.default_rng(seed), 0, []
    for n in (len(MultiVideoDataset([v])) for v in videos):
        order = first + rng.permutation(n)
        split.append(dict(learn=order[:n // 2], score=order[n // 2:][:6].tolist()))
        first += n
    return split

def leak(args):
    "A clip's validation frames after learning from its own other frames, and from other clips only."
    rows = []
    for seed in range(args.seeds):
        videos = [v for v in clips('train') if v.stem in KINDS] or clips('train')
        whole, patches = MultiVideoDataset(videos), MultiVideoDataset(videos, patch=32, patches_per_window=16, augment=True, seed=seed)
        split = split_halves(videos, seed)
        scored = [[with_bicubic(*center_pair(*whole[i])) for i in part['score']] for part in split]
        known = lambda clips: learn(patches, np.concatenate([split[v]['learn'] for v in clips]), args.steps, seed)
        own = known(range(len(videos)))
        for out in np.array_split(range(len(videos)), min(3, len(videos))): # clips that are left out together
            others = known([v for v in range(len(videos)) if v not in out])
            for v in out: rows += [dict(learner='network', clips=len(videos), seed=seed, video=videos[v].stem, split=name, gain=gain(net, scored[v])) for name, net in (('random', own), ('video', others))]
    return pd.DataFrame(rows + list(linear_leak(args)))

def linear_leak(args):
    "The same with the fitted linear filter, on more and more clips."
    videos = clips('train')
    whole, patches = MultiVideoDataset(videos), MultiVideoDataset(videos, patch=96)
    split = split_halves(videos, 0)
    known = [equations(patches[i] for i in part['learn'][:12]) for part in split]
    for v, part in enumerate(tqdm(split, 'linear filters', unit='clip')):
        scored = [with_bicubic(*center_pair(*whole[i])) for i in part['score']]
        others = [known[u] for u in np.random.default_rng(v).permutation(len(videos)) if u != v]
        for n in (1, 2, 4, 8, 16, len(others)):
            for name, used in (('random', [known[v], *others[:n - 1]]), ('video', others[:n])):
                yield dict(learner='linear filter', clips=n, seed=0, video=videos[v].stem, split=name, gain=gain(solved(used), scored))

def equations(
    examples # windows and truths
): # X'X (81, 81) and X'y (81, 4)
    "What `fit_linear` adds up of its examples."
    xx, xy = 0, 0
    for window, truth in examples:
        x = F.unfold(F.pad(window[1][:, None], (4,) * 4, mode='replicate'), 9).movedim(1, -1).flatten(0, 1).double() # (C*h*w, 81)
        xx, xy = xx + x.T @ x, xy + x.T @ F.pixel_unshuffle(truth[:, None], 2).movedim(1, -1).flatten(0, -2).double()
    return xx, xy

def solved(
    used # list of `equations`
): # `LinearFilter`
    "The filter that fits all of them best."
    xx, xy = map(sum, zip(*used))
    model = create_model('LinearFilter')
    with torch.no_grad(): model.weight.copy_(torch.linalg.solve(xx + 1e-6 * xx.trace() / 81 * torch.eye(81), xy).T.reshape(-1, 1, 9, 9))
    return model.eval()

# borders and ends

@torch.inference_mode()
def borders(args):
    "PSNR of the smaller picture that comes out without padding, and of bicubic on the whole frame and on the same pixels."
    nets, rows = {name: load_original(path, padding='valid') for name, path in originals().items()}, []
    for video in tqdm(clips('test'), 'borders', unit='clip'):
        data = MultiVideoDataset([video], segment=1)
        for i in range(args.every // 2, len(data), args.every):
            window, truth = (x[None] for x in data[i])
            bicubic = Interpolation('bicubic')(window[:, 1:2])
            for name, net in nets.items():
                own = (..., slice(net.margin, -net.margin), slice(net.margin, -net.margin))
                rows.append(dict(video=video.stem, frame=i, model=name, margin=net.margin, psnr=decibels(net(window), truth[own]),
                                 bicubic_whole=decibels(bicubic, truth), bicubic_same=decibels(bicubic[own], truth[own])))
    return pd.DataFrame(rows)

def ends(args):
    "Gain over bicubic in the first, the middle and the last frame of each test clip."
    models, rows = dict(original=load_model(originals()['original']), default=load_model('default')), []
    k = max(m.frames_back for m in models.values())
    for video in tqdm(clips('test'), 'ends', unit='clip'):
        data = MultiVideoDataset([video], k, k, segment=1)
        for place, i in dict(first=0, middle=len(data) // 2, last=len(data) - 1).items():
            rows += [dict(video=video.stem, frames=len(data), place=place, model=name, gain=gain(model, [with_bicubic(*data[i])])) for name, model in models.items()]
    return pd.DataFrame(rows)

# residual

@MODELS.register
class AddedTSRCNN(TSRCNN):
    "The original's network, whose result is added to bicubic and begins at nothing."
    def __init__(self, frames_back=1, frames_forward=1, scale=2):
        super().__init__(frames_back, frames_forward, scale)
        nn.init.zeros_(self.layers[-1].weight), nn.init.zeros_(self.layers[-1].bias)

    def reconstruct(self, x):
        return super().reconstruct(x) + F.interpolate(x[:, self.center_channels], scale_factor=self.scale, mode='bicubic')

REPORT = dict(optimizer='AdamW', learning_rate=1e-4, loss='MSE', schedule='constant', warmup=0, ema=0.)
RECIPES = { # name: fields of `TrainConfig`
    'TSRCNN_small at 1e-4, as in the report': dict(model='TSRCNN_small') | REPORT,
    'TSRCNN_small at 1e-3': dict(model='TSRCNN_small') | REPORT | dict(learning_rate=1e-3),
    'TSRCNN_small at 1e-4, added to bicubic': dict(model='AddedTSRCNN') | REPORT,
    'TSRNet at 1e-4, the rest as in the report': dict(model='TSRNet') | REPORT,
    'TSRNet, our recipe': dict(model='TSRNet'),
}

class Curve:
    "Gain over bicubic of the model as it would be saved, at a few steps."
    def __init__(self, scored, steps): self.scored, self.steps, self.points = scored, steps, {}
    def note(self, trainer): self.points[trainer.step] = gain(trainer.model.eval(), self.scored); trainer.net.train()
    def before_fit(self, trainer): self.note(trainer)
    def after_batch(self, trainer):
        if trainer.step in self.steps: self.note(trainer)

def residual(args):
    "The curve of each recipe on clips that are held back from all."
    (videos, _), (held, _) = split_videos(clips('train'), .2)
    data = MultiVideoDataset(held, segment=1)
    scored, rows = [with_bicubic(*center_pair(*data[i])) for i in evenly_spaced(len(data), 4)], []
    for name, changes in tqdm(RECIPES.items(), 'recipes'):
        curve = Curve(scored, {10, 30, 100, args.steps})
        train(videos, changes, [curve], steps=args.steps, seed=0)
        rows += [dict(recipe=name, step=step, gain=g) for step, g in curve.points.items()]
    return pd.DataFrame(rows)

PARTS = dict(published=published, leak=leak, borders=borders, ends=ends, residual=residual)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('parts', nargs='*', default=[*PARTS], choices=[*PARTS, []], metavar='PART', help=', '.join(PARTS))
    parser.add_argument('--steps', type=int, help=f'of each training; without it {STEPS}')
    parser.add_argument('--seeds', type=int, default=2, help='of leak')
    parser.add_argument('--every', type=int, default=20, help='of borders: score every Nth frame')
    parser.add_argument('--out', type=Path, default=RESULTS, help='folder for the tables')
    args = parser.parse_args()
    about, steps = args.out/'findings.json', args.steps
    for part in args.parts:
        args.steps = steps or STEPS.get(part)
        table = PARTS[part](args)
        table.to_csv(args.out/f'findings_{part}.csv', index=False, float_format='%.5g')
        notes = json.loads(about.read_text()) if about.exists() else {}
        notes[part] = dict(steps=args.steps, seeds=args.seeds, every=args.every, real_clips='TSR_CLIPS' in os.environ, machine=machine(),
                           threads=torch.get_num_threads(), torch=torch.__version__, date=f'{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC', commit=git_commit())
        about.write_text(json.dumps(notes, indent=1) + '\n')
        print(table.groupby([c for c in ('table', 'learner', 'clips', 'split', 'place', 'model', 'recipe', 'step') if c in table]).mean(numeric_only=True).round(3).to_string(), flush=True)

if __name__ == '__main__': main()
