"""The model card of the package's weights, from their headers and the tables of resources/results: `python resources/tools/model_card.py`

`--check` fails if the card differs from what would be written.
"""
import argparse
import json
import sys
from pathlib import Path

import pandas as pd
import torch

sys.path.append(str(Path(__file__).parents[1]/'experiments'))
from rivals import scored_frames
from torch.utils.flop_counter import FlopCounterMode

from tsr.core import atomic_write
from tsr.model import bundled_models, load_model, summary

ROOT = Path(__file__).parents[2]
CARD = ROOT/'tsr'/'weights'/'README.md'
USES = {'': 'video as people have it: several downscales, H.264, MPEG-4, noise, JPEG', '@area': 'uncompressed, low resolution by area averaging',
        '@bicubic': 'uncompressed, low resolution by bicubic (antialiased)'}

TEXT = """<!-- made by resources/tools/model_card.py: change it there -->

# Model card

{count} models come with the package. `tsr info NAME` prints the whole header of one: arguments, training data, steps, device.

{models}

GMAC: billions of multiply-adds of the network for a frame from 360p to 720p; the optical flow comes on top. *Steps*: of the first training and of those that went on with its weights, on a GPU or a CPU, as `resources/results/gpu/README.md` and each header say.

**Gain over bicubic** in luma, dB, mean over ten test clips that were not used for training or selection, by how the low resolution was made (`h264-23`: area, then x264 at CRF 23; {frames}). Their intervals, worst clips and other metrics: `nbs/05_evaluation.ipynb`; `nbs/09_benchmarks.ipynb` has every frame of area and bicubic, beside networks of others.

{scores}

**Training data.** {clips}: DAVIS 2016 (research, non-commercial), UAV123 (research), Cityscapes (non-commercial), the udacity CarND-Vehicle-Detection project (MIT), the sam2 demo gallery (Apache-2.0 repository), and two stock clips of unknown licence; and {photos} photographs of Debian's lomiri-wallpapers and mate-backgrounds (CC-BY, CC-BY-SA, CC0, GPL-2+) under a moving camera. Five further clips were held out to choose what is shipped; ten others are the test, of which seven are other recordings of collections that training clips are from (DAVIS, UAV123, Cityscapes, udacity). None of them is part of this repository. `small` and `linear` were fitted to the clips of `train` alone. Weights that were trained on non-commercial data may not be fit for commercial use: train your own with `tsr train` where that matters.

**Degradations.** `@area` and `@bicubic` saw clean frames, rounded to bytes. `default`, `light` and `heavy` saw a mixture of area and bicubic downscale, each also followed by real H.264 at several rates, MPEG-4 at two qualities, noise, noise before H.264, and JPEG; its shares are in `resources/experiments/finetune.py` and, for the last steps on a GPU, in `resources/experiments/gpu/continued.py`. Interlacing, film grain and other codecs were neither trained nor measured.

**Limits.** Only factor 2 was trained; other sizes are reached by repeated passes and a resize. The networks gain from their neighbours what these hold: much where a camera or an object moves and stays in sight, little where nothing moves, where everything is new, or where compression has removed the detail (`nbs/07a_ablations.ipynb`). They were trained for PSNR: they do not invent texture.

**To make them again**: `dvc repro` in `resources/experiments/full` (its stage `release` begins with the weights of `resources/results/gpu`, whose README says how those came to be).
"""

def table(rows): # str
    "Rows (dicts) as Markdown."
    head = list(rows[0])
    lines = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    return '\n'.join(lines + ['| ' + ' | '.join(str(row[k]) for k in head) + ' |' for row in rows])

def describe(name): # dict, a row
    model = load_model(name)
    network, kind = name.split('@')[0], name[len(name.split('@')[0]):]
    known, args = model.provenance, model.args
    steps, training = [], known
    while training: steps, training = [training.get('steps', 0), *steps], training.get('begun_from')
    with FlopCounterMode(display=False) as count, torch.inference_mode(): model(torch.rand(1, model.align_channels, 360, 640))
    cost = summary(model)['multiply-adds'].sum() / 1e9 or count.get_total_flops() / 2e9 # a filter without layers has no summary
    shape = f"{args['features']} features, {args['blocks']} blocks" if 'features' in args else ''
    use = dict(linear='least-squares 9x9 filter, one for each output phase: the baseline', small="the report's TSRCNN_small, for comparison").get(network, USES[kind])
    frames = f'{model.frames_back} + 1 + {model.frames_forward}'
    return dict(model=f'`{name}`', architecture=f'{type(model).__name__} {shape}'.strip(), frames=frames, parameters=f'{sum(p.numel() for p in model.parameters()):,}',
                GMAC=f'{cost:.1f}', steps=' + '.join(f'{n:,}' for n in steps if n), **{'made for': use})

RESULTS = ROOT/'resources'/'results'

def scores(): # list of rows
    tables = {path.stem.removeprefix('ours_'): pd.read_csv(path) for path in sorted(RESULTS.glob('ours_*.csv'))}
    gains = pd.DataFrame({kind: t.groupby('model').gain_psnr_y.mean() for kind, t in tables.items()})
    names = [n for n in bundled_models() if n in gains.index]
    return [dict(model=f'`{n}`', **{k: '' if pd.isna(v) else f'{v:+.2f}' for k, v in gains.loc[n].items()}) for n in names]

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true')
    args = parser.parse_args()
    seen = load_model('default@area').provenance['trained_on']
    photos = sum(name.endswith('.jpg') for name in load_model('default').provenance['trained_on'])
    every = {path.stem.removeprefix('ours_'): json.loads(path.read_text())['every'] for path in sorted(RESULTS.glob('ours_*.json'))}
    text = TEXT.format(frames=scored_frames(every), count=len(bundled_models()), models=table([describe(n) for n in bundled_models()]), scores=table(scores()),
                       clips=f'{len(seen) - photos} short clips of 480p to 720p', photos=photos)
    if not args.check:
        with atomic_write(CARD) as part: part.write_text(text)
    elif CARD.read_text() != text: raise SystemExit(f'{CARD.relative_to(ROOT)} is not what resources/tools/model_card.py writes: run it')

if __name__ == '__main__': main()
