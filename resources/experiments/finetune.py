"""Train the released networks to their end: `python resources/experiments/finetune.py NAME FOLDER... --run RUN [--steps 10000]`

NAME is one of `RECIPES`, FOLDER holds the clips and photographs, RUN is the folder of the training, which is resumed if it exists. A training begins
with weights that a GPU left in resources/results/gpu/weights. The clips in `VALIDATION` are not trained on: `python resources/experiments/finetune.py score
FOLDER --models NAME=FILE... [--to TABLE.csv]` prints what models gain on them over bicubic, in luma.
"""
import argparse
import shutil
from pathlib import Path

import pandas as pd
import torch

from tsr.data import find_videos
from tsr.evaluation import evaluate
from tsr.model import create_model, load_model, save_model
from tsr.training import MultiTrainer, TrainConfig, git_commit

WEIGHTS = Path(__file__).resolve().parents[1]/'results'/'gpu'/'weights'
VALIDATION = 'cups', 'dashcam_1', 'davis_horsejump-high', 'street_1', 'uav_car16' # as in gpu/frames.py
REAL = 'area:3+bicubic:3+area,h264:4+bicubic,h264:2+mpeg4-4:1+mpeg4-8:1+area,noise-3:1+area,noise-3,h264-23:1+jpeg-70:1'
# name: weights it begins with, the arguments that are new, its downscale
RECIPES = {
    # more neighbours in place of the sampling phases, at the same GMAC, and bilinear sampling, which is quicker
    'default': ('continued/default', dict(frames_back=4, frames_forward=4, phases=0, sampling='bilinear'), REAL),
    'default@area': ('continued/default@area', {}, 'area'),
    'default@bicubic': ('continued/default@bicubic', {}, 'bicubic'),
    'heavy': ('continued/heavy', {}, REAL),
    'heavy@area': ('longer/heavy@area', {}, 'area'),
    'heavy@bicubic': ('longer/heavy@bicubic', {}, 'bicubic'),
    'light': ('continued/light', {}, REAL),
    'light@area': ('light@area', {}, 'area'),
    'light@bicubic': ('light@area', {}, 'bicubic'),
}
RATES = {'default': 8e-4} # other learning rates than usual

def begin(
    name, # in `RECIPES`
    path # of the file to write
):
    "The network that a training begins with."
    start, changes, _ = RECIPES[name]
    old = load_model(WEIGHTS/f'{start}.safetensors')
    new, weights = create_model('AlignedNet', **old.args | changes), old.state_dict()
    if new.channel_names != old.channel_names: # inputs that are new begin with zeros, and those that are left out are forgotten
        place = {channel: k for k, channel in enumerate(old.channel_names)}
        head = weights['head.weight']
        weights['head.weight'] = torch.stack([head[:, place[c]] if c in place else torch.zeros_like(head[:, 0]) for c in new.channel_names], 1)
    new.load_state_dict(weights)
    known = 'device', 'steps', 'trained_on', 'begun_from', 'distinct_frames', 'kinds'
    save_model(new, path, start=f'{start}.safetensors', **{k: old.provenance[k] for k in known if k in old.provenance})

def train(
    name, # in `RECIPES`
    folders, # of clips and photographs
    run, # folder of the training, resumed if it exists
    steps, # of the optimizer
    patch # LR pixels along an edge
): # path of the weights, averaged over the last steps
    "Train, or go on."
    clips = [p for p in find_videos(folders) if p.stem not in VALIDATION]
    run.parent.mkdir(parents=True, exist_ok=True)
    begin(name, first := run.parent/f'{run.name}_start.safetensors')
    if not steps: return first
    shape = load_model(first)
    config = TrainConfig(model=str(first), frames_back=shape.frames_back, frames_forward=shape.frames_forward, patch=patch,
                         downscale=RECIPES[name][2], patches_per_window=8, loss='CharbonnierY', learning_rate=RATES.get(name, 1.5e-3), ema=.999,
                         steps=steps, precision='bf16', validation=.05, validation_frames=8, save_minutes=4, cache_gb=40, seed=1)
    MultiTrainer(clips, config, run).train(resume=(run/'config.json').exists())
    return run/'last.safetensors' # chosen by nobody: the validation clips are few, and the schedule ends here

def with_history(
    weights, # path, after the training
    first, # and before it
    to # file to write
):
    "Write weights with what they began with in their header, in place of a path."
    net, before = load_model(weights), load_model(first).provenance
    config = net.provenance['config'] | dict(model=before['start'])
    save_model(net, to, **net.provenance | dict(config=config, begun_from=before))

def score(folder, models, table=None):
    "Print the gains on the clips that were held out, and write them to a table."
    clips = [p for p in find_videos(folder) if p.stem in VALIDATION]
    rows = []
    for downscale in ('area', 'bicubic', 'h264-18', 'h264-23', 'h264-28', 'mpeg4-5', 'area,noise-3'):
        found = evaluate(dict(text.split('=', 1) if '=' in text else (Path(text).stem, text) for text in models), clips, 10, baselines=['bicubic'], downscale=downscale, precision='float32', progress=False)
        print(downscale, found.pivot(index='model', columns='video', values='gain_psnr_y').assign(mean=lambda t: t.mean(1)).round(3).to_string(), sep='\n', flush=True)
        rows.append(found[['model', 'video', 'gain_psnr_y']].assign(downscale=downscale, commit=git_commit()))
    if table: pd.concat(rows).round(4).to_csv(table, index=False)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', choices=[*RECIPES, 'score'])
    parser.add_argument('folder', nargs='+')
    parser.add_argument('--run', type=Path, default=Path('runs/finetune'))
    parser.add_argument('--steps', type=int, default=10_000)
    parser.add_argument('--patch', type=int, default=64)
    parser.add_argument('--to', type=Path, help='file that the weights are copied to; the run is deleted then; of score: table of the gains')
    parser.add_argument('--models', nargs='*')
    args = parser.parse_args()
    if args.name == 'score': score(args.folder, args.models, args.to)
    else:
        weights = train(args.name, args.folder, args.run, args.steps, args.patch)
        if args.to:
            args.to.parent.mkdir(parents=True, exist_ok=True)
            first = args.run.parent/f'{args.run.name}_start.safetensors'
            if weights == first: shutil.copyfile(weights, args.to)
            else: with_history(weights, first, args.to)
            shutil.rmtree(args.run, ignore_errors=True)
            first.unlink()

if __name__ == '__main__': main()
