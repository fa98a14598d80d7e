"""A search of sixty trials on the training clips: `python resources/experiments/study.py FOLDER [--trials 60] [--steps 400] [--out runs/study]`

Every trial trains the light network (TSRNet) for the same number of steps in float32, with what Optuna proposes for learning rate, optimizer, loss,
schedule, averaging, warmup, clipping, augmentation and width, and is scored by its gain over bicubic on the videos that are held out. Patch and batch
are fixed, since with either a step sees more or less. What is behind the median of the earlier trials after an epoch is given up.

The command can be stopped or killed, and given again; several processes can share the study. What there is so far is written after each trial:
resources/results/study.csv is the table, study.json what was found and with what; at the end resources/figures/study_*.png, the pictures.
On two cores it takes one to two hours.
"""
import argparse
import json
import os
import platform
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import torch

from tsr.core import TSRError, atomic_write, write_json
from tsr.training import TrainConfig, git_commit
from tsr.tuning import Study, plots

RESOURCES = Path(__file__).parents[1]
SPACE = {'learning_rate': (5e-4, 2e-2), 'optimizer': ['Muon', 'AdamW'], 'loss': ['Charbonnier', 'MSE', 'DSSIM'], 'schedule': ['cosine', 'constant'],
         'ema': [0., .99, .998], 'warmup': (0, 200), 'clip': [0., .1, 1.], 'augment': [True, False], 'model_args.features': [8, 12, 16]}

def processor(): # str
    "The name of the processor."
    try: return next(line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name'))
    except (OSError, StopIteration): return platform.processor()

def save(study, results):
    "The table, and what follows from it."
    table = study.table().drop(columns='user_attrs_folder', errors='ignore').replace(re.escape(f'{study.out}{os.sep}'), '', regex=True) # no paths of this machine
    with atomic_write(results/'study.csv') as part: table.to_csv(part, index=False, float_format='%.6g')
    try: best = asdict(study.best)
    except TSRError: return # no trial is complete yet
    ended = study.table().state.value_counts().to_dict()
    write_json(results/'study.json', dict(
        best=study.study.best_params, value=round(study.study.best_value, 4), importance={k: round(v, 4) for k, v in study.importance().items()},
        trials=ended, steps=study.config.steps, precision=study.config.precision, config=best, space=json.loads(study.study.user_attrs['space']),
        commit=git_commit(), processor=processor(), machine=platform.platform(), cores=os.cpu_count(), torch=torch.__version__,
        optuna=study.optuna.__version__))

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', help='of the training clips')
    parser.add_argument('--trials', type=int, default=60, help='of the study, all processes together')
    parser.add_argument('--steps', type=int, default=400, help='length of a trial')
    parser.add_argument('--out', default='runs/study', help='folder of the study')
    parser.add_argument('--results', type=Path, default=RESOURCES/'results', help='folder of the table')
    parser.add_argument('--figures', type=Path, default=RESOURCES/'figures', help='folder of the pictures')
    args = parser.parse_args()
    config = TrainConfig(model='TSRNet', model_args=dict(features=8, blocks=2), steps=args.steps, precision='no', patch=32, batch_size=8,
                         patches_per_window=1, validation=.2, validation_frames=8, save_minutes=1.)
    def after_trial(study, trial):
        print(trial.number, trial.state.name, trial.value, flush=True)
        save(found, args.results)
    found = Study(args.folder, SPACE, config, args.out)
    found.run(args.trials, on_trial=after_trial)
    if found.interrupted: return
    save(found, args.results)
    for path in plots(found): shutil.copyfile(path, args.figures/f'study_{path.stem}.png')

if __name__ == '__main__': main()
