"""What each part is worth after a long training: `python resources/experiments/parts.py FOLDER... [--steps 5000] [--seeds 2] [--only NAME...]`

Trains each network of `PARTS` anew on the clips of FOLDER, with the same steps, patches, order, loss and optimizer (as in explore.py, whose trainings are
much shorter), and scores it on the clips that are held out (`finetune.VALIDATION`): every tenth frame, in float32. One row for each network, seed, low
resolution and clip goes into resources/results/parts.csv as soon as it is known, with the gain in luma over bicubic interpolation; what is there
is not made again. Two commands with other seeds (`--first 1 --seeds 1`) can share the machine, if each has its own `--table`; `--join` puts tables together.
"""
import argparse
import time
from pathlib import Path

import pandas as pd
from explore import PRECISION, train
from finetune import VALIDATION
from rivals import processor
from tqdm.auto import tqdm

from tsr.core import atomic_write
from tsr.data import find_videos
from tsr.evaluation import evaluate
from tsr.model import summary
from tsr.training import git_commit

TABLE = Path(__file__).parents[1]/'results'/'parts.csv'
def aligned(n, **changes): return dict(model='AlignedNet', frames_back=n, frames_forward=n) | changes

AREA, CODED = ('area',), ('h264-23', 'h264-28')
PARTS = { # name: what differs in its training, what it is scored on
    'one frame': (dict(frames_back=0, frames_forward=0), AREA),
    '4 neighbours, stacked': (dict(frames_back=2, frames_forward=2), AREA),
    '4 neighbours, flow of 0.1': (aligned(2, model='FlowOf01'), AREA),
    '4 neighbours': (aligned(2), AREA),
    '2 neighbours': (aligned(1), AREA),
    '2 neighbours, recurrent': (dict(model='AlignedRecurrent', frames_back=3, frames_forward=1), AREA),
    '4 neighbours, flow refined by a network': (aligned(2, model='RefinedFlow'), AREA),
    '4 neighbours, consistency of the flow': (aligned(2, model='WithConsistency'), AREA),
    '4 neighbours, sampled bilinearly': (aligned(2, model_args=dict(sampling='bilinear')), AREA),
    '4 neighbours, sampled at finer pixels': (aligned(2, model='SampledBy', model_args=dict(kernel='fine bicubic')), AREA),
    '6 neighbours': (aligned(3), AREA),
    '4 neighbours, 32 features': (aligned(2, model_args=dict(features=32)), AREA),
    'CRF 23: one frame': (dict(frames_back=0, frames_forward=0, downscale='h264-23'), CODED),
    'CRF 23: 2 neighbours': (aligned(1, downscale='h264-23'), CODED),
    'CRF 23: 4 neighbours': (aligned(2, downscale='h264-23'), CODED),
    'CRF 23: 6 neighbours': (aligned(3, downscale='h264-23'), CODED),
    'CRF 23: 8 neighbours': (aligned(4, downscale='h264-23'), CODED),
}

def scores(
    models, # dict: label -> what `load_model` takes
    clips, # paths
    downscale # degradation
): # DataFrame: model, video, gain_psnr_y
    "Gains over bicubic interpolation."
    found = evaluate(models, clips, 10, baselines=['bicubic', 'lanczos4', 'linear'], downscale=downscale, precision='float32', progress=False)
    return found[['model', 'video', 'gain_psnr_y']]

def rows(name, clips, held, steps, seed):
    "Train a network and score it: an iterator of tables."
    changes, kinds = PARTS[name]
    begun = time.time()
    model = train(clips, dict(loss='CharbonnierY', ema=.999, patches_per_window=8) | changes, steps=steps, seed=seed)
    cost = summary(model).drop_duplicates('layer') # a recurrent network comes by its layers once for each frame
    cost['multiply-adds'] *= cost.output.str.split('x').str[0].astype(int) # a layer may see the neighbours one by one
    facts = dict(name=name, seed=seed, steps=steps, parameters=int(cost.parameters.sum()), gmac=round(cost['multiply-adds'].sum() / 1e9, 2),
                 minutes=round((time.time() - begun) / 60, 1), precision=PRECISION, processor=processor(), commit=git_commit())
    for kind in kinds:
        table = scores({name: model}, held, kind)
        yield table[table.model == name].drop(columns='model').assign(downscale=kind, **facts)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', nargs='+')
    parser.add_argument('--steps', type=int, default=5000)
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--first', type=int, default=0, help='the first seed')
    parser.add_argument('--only', nargs='*', default=list(PARTS), choices=list(PARTS), metavar='NAME')
    parser.add_argument('--table', type=Path, default=TABLE)
    parser.add_argument('--join', nargs='*', type=Path, default=(), help='tables whose rows are added first')
    args = parser.parse_args()
    clips = find_videos(args.folder)
    trained, held = ([p for p in clips if (p.stem in VALIDATION) == known] for known in (False, True))
    tables = [pd.read_csv(path, dtype=dict(commit=str)) for path in (args.table, *args.join) if path.exists()]
    if not tables: # what needs no training
        found = [scores({}, held, kind).assign(downscale=kind) for kind in AREA + CODED]
        tables.append(pd.concat(found).rename(columns=dict(model='name')).assign(seed=0, steps=0, commit=git_commit()))
    keep = ['name', 'seed', 'steps', 'downscale', 'video']
    def write():
        with atomic_write(args.table) as part: pd.concat(tables).drop_duplicates(keep).sort_values(['steps', 'seed'], kind='stable').round(4).to_csv(part, index=False)
    write()
    done = {key for table in tables for key in zip(table.name, table.seed, table.steps)}
    seeds = range(args.first, args.first + args.seeds)
    for seed, name in tqdm([(seed, name) for seed in seeds for name in args.only if (name, seed, args.steps) not in done], unit='training'):
        tables.extend(rows(name, trained, held, args.steps, seed))
        write()

if __name__ == '__main__': main()
