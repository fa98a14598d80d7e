"""Train the released networks on, all at once on one GPU: `python continued.py CLIPS PHOTOS WORK [--seconds 340] [--only heavy heavy@area]`

CLIPS is a folder of .mp4 files, PHOTOS of .jpg files, WORK the folder of everything that is made: frames and flows (40 GB, in memory if it can be), coded
clips, and in WORK/out what quality.py writes, with tables made of it. Each training begins with the weights of the package and sees the motion that the package finds. Those that
end with `_own` also see the films of scenes.py, for a quarter of their patches; all else is as in the training without.
"""
import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
from safetensors import safe_open

HERE = Path(__file__).resolve().parent
CODED = 'h264a', 'h264b', 'h264c', 'mpeg4', 'noise', 'jpeg' # LR sides beside area and bicubic
REAL = [*['area'] * 3, *['bicubic'] * 3, 'h264a', 'h264a', 'h264b', 'h264b', 'h264c', 'h264c', 'mpeg4', 'mpeg4', 'noise', 'jpeg']
KEPT = dict(area=2, bicubic=2, own_area=6, own_bicubic=6) # of these every Nth frame is kept, of the others every 12th
FLOW = dict(heavy='tsr2', default='tsr0', light='tsr0') # the search of each network, as in frames.py
SHAPES = dict(
    heavy=dict(features=40, blocks=8, neighbours=6, extras=['fraction'], lr=.0014),
    default=dict(features=16, blocks=6, neighbours=6, extras=['fraction'], near=4, lr=.0016),
    light=dict(features=8, blocks=4, neighbours=4, lr=.002),
)
RUNS = { # name: LR sides in equal parts
    'heavy@bicubic': ['bicubic'], 'heavy@bicubic_own': ['bicubic'] * 3 + ['own_bicubic'], 'heavy@area': ['area'], 'heavy': REAL,
    'default@area': ['area'], 'default@area_own': ['area'] * 3 + ['own_area'], 'default@bicubic': ['bicubic'], 'default': REAL, 'light': REAL,
}

def job(name, names, seconds): # dict, as quality.py reads it
    "One training."
    start = name.removesuffix('_own')
    size = start.split('@')[0]
    held = ['area', 'bicubic', *(['h264a', 'h264b', 'h264c'] if names == REAL else [])]
    return SHAPES[size] | dict(name=name, init=str(HERE.parents[2]/'tsr'/'weights'/f'{start}.safetensors'), seconds=seconds, batch=32, patch=64, ema=.999, loss='luma',
                               points=3, seed=21, kinds=[f'{n}:{FLOW[size]}' for n in names], validate=[f'{n}:{FLOW[size]}' for n in held])

def plan(seconds, only=tuple(RUNS)): # dict, as quality.py reads it
    "The trainings, and what they are validated on; which frames of each kind are kept is what fits into 140 GB."
    jobs = [job(name, RUNS[name], seconds) for name in only]
    kinds = {kind: KEPT.get(kind.split(':')[0], 12) for one in jobs for kind in (*one['kinds'], *one['validate'])}
    return dict(store=dict(neighbours=6, extras=['fraction'], kinds=kinds, scored=10), at_once=len(jobs), jobs=jobs)

def tables(out, word='continued'):
    "Settings and gains of the trainings, gains by clip and curves as .csv files, from what quality.py wrote into a folder."
    runs, curves = ([json.loads(line) for line in (out/f'{name}.jsonl').read_text().splitlines()] for name in ('runs', 'curves'))
    rows, clips = [], []
    for run in runs:
        spec, kinds = run['spec'], run['spec']['kinds']
        with safe_open(out/f'{run["name"]}.safetensors', 'pt') as file: frames = json.loads(file.metadata()['tsr'])['provenance']['distinct_frames']
        rows.append(dict(name=run['name'], starts_from=Path(spec['init']).name, kinds='+'.join(f'{k}*{kinds.count(k)}' for k in dict.fromkeys(kinds)), distinct_frames=frames)
                    | {k: spec[k] for k in ('batch', 'lr', 'ema', 'loss', 'seed')} | dict(macs_per_lr_pixel=run['macs'], steps=run['steps'], seconds=run['run_seconds'], at_once=run['at_once'])
                    | {k: v for k, v in run.items() if ':' in k})
        clips += [dict(name=run['name'], kind=kind, clip=clip, gain=gain) for kind, own in run['clips'].items() for clip, gain in own.items()]
    for name, table in (('runs', rows), ('clips', clips), ('curves', curves)): pd.DataFrame(table).round(4).to_csv(out/f'{word}_{name}.csv', index=False)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('clips', 'photos', 'work'): parser.add_argument(name, type=Path)
    parser.add_argument('--seconds', type=float, default=340, help='of training')
    parser.add_argument('--workers', type=int, default=16)
    parser.add_argument('--films', type=Path, default=HERE.parent/'full'/'own_train.csv', help='table of scenes.py')
    parser.add_argument('--only', nargs='+', default=[*RUNS], choices=RUNS, help='trainings; the fewer there are at once, the more steps each makes')
    parser.add_argument('--word', default='continued', help='with which the names of the tables begin')
    args = parser.parse_args()
    todo = plan(args.seconds, args.only)
    films = ('--films', args.films, '--photos', args.photos) if any(kind.startswith('own_') for kind in todo['store']['kinds']) else ()
    sources, frames = args.work/'sources', args.work/'frames'
    sources.mkdir(parents=True, exist_ok=True)
    for path in [*args.clips.glob('*.mp4'), *args.photos.glob('*.jpg')]: shutil.copy(path, sources)
    def run(script, *options): subprocess.run([sys.executable, HERE/script, *map(str, options)], check=True)
    workers, names = ('--workers', args.workers), ('--names', 'area', 'bicubic', 'noise', 'jpeg')
    run('frames.py', sources, args.work/'coded', '--encode', *workers)
    run('frames.py', sources, frames, *names, '--coded', args.work/'coded', *films, '--flows', *todo['store']['kinds'], *workers)
    plans = args.work/'plans'
    plans.mkdir(exist_ok=True)
    (plans/'a.json').write_text(json.dumps(todo, indent=1))
    (plans/'stop.json').write_text('{}')
    run('quality.py', frames, args.work/'out', plans)
    tables(args.work/'out', args.word)

if __name__ == '__main__': main()
