"""A search of sixty trials on the training clips: `python resources/experiments/study.py FOLDER [--trials 60] [--steps 400] [--out runs/study]`

Every trial trains the light network (TSRNet) for the same number of steps in float32, with what Optuna proposes for learning rate, optimizer, loss,
schedule, averaging, warmup, clipping, augmentation and width, and is scored by its gain over bicubic on the videos that are held out. Patch and batch
are fixed, since with either a step sees more or less. What is behind the median of the earlier trials after an epoch is given up.

The command can be stopped or killed, and given again; several processes can share the study. What there is so far is written after each trial:
resources/results/study.csv is the table, study.json what was found and with what; at the end resources/figures/study_*.png, the pictures.
On two cores it takes one to two hours. `--draw` makes these again from
the table.

`--confirm` then asks whether what was found holds: the first trial, the same with the learning rate and the warmup of the best one, and with all of it
but its width, each with seeds of their own (and so with other videos held out) and for longer: resources/results/study_confirm.csv. It goes on where it
was stopped.
"""
import argparse
import json
import os
import platform
import re
import shutil
import tempfile
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rivals import processor

from tsr.core import TSRError, atomic_write, write_json
from tsr.training import MultiTrainer, TrainConfig, git_commit
from tsr.tuning import Study, plots, suggest

RESOURCES = Path(__file__).parents[1]
SPACE = {'learning_rate': (5e-4, 2e-2), 'optimizer': ['Muon', 'AdamW'], 'loss': ['Charbonnier', 'MSE', 'DSSIM'], 'schedule': ['cosine', 'constant'],
         'ema': [0., .99, .998], 'warmup': (0, 200), 'clip': [0., .1, 1.], 'augment': [True, False], 'model_args.features': [8, 12, 16]}

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

def drawn_again(found, results): # paths
    "The pictures, of the trials in the table."
    optuna, table = found.optuna, pd.read_csv(results/'study.csv')
    found.study = optuna.create_study(direction='maximize')
    for _, row in table.iterrows():
        trial = optuna.trial.FixedTrial({name: np.asarray(row[f'params_{name}']).item() for name in SPACE})
        suggest(trial, SPACE) # tells it what the values were drawn from
        found.study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState[row.state], value=row.value, params=trial.params,
                                                        distributions=trial.distributions))
    return plots(found)

def confirm(folder, config, results, out, seeds=(1, 2, 3), longer=(1, 4)):
    "Train the recipe of the first trial and those that the study speaks for, of the same width, again."
    best = json.loads((results/'study.json').read_text())['best']
    recipes = {'first trial': {}, 'learning rate and warmup of the best': {k: best[k] for k in ('learning_rate', 'warmup')},
               'best, of the same width': {k: v for k, v in best.items() if not k.startswith('model_args')}}
    path = results/'study_confirm.csv'
    rows = pd.read_csv(path).to_dict('records') if path.exists() else []
    for times, seed, (name, changes) in product(longer, seeds, recipes.items()):
        what = dict(recipe=name, seed=seed, steps=times * config.steps)
        if any(what.items() <= row.items() for row in rows): continue
        run = Path(out)/'confirm'/f'{len(rows):02}'
        history = MultiTrainer(folder, replace(config, **changes, seed=seed, steps=what['steps']), run).train(resume=(run/'config.json').exists())
        rows.append(what | dict(gain_psnr=history.gain_psnr.iloc[-1], gain_ssim=history.gain_ssim.iloc[-1], processor=processor(),
                                torch=torch.__version__, commit=git_commit()))
        with atomic_write(path) as part: pd.DataFrame(rows).to_csv(part, index=False, float_format='%.4f')
        print(rows[-1], flush=True)

def publish(paths, figures):
    "Copy pictures to where the notebooks show them."
    for path in paths: shutil.copyfile(path, figures/f'study_{path.stem}.png')

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', help='of the training clips')
    parser.add_argument('--trials', type=int, default=60, help='of the study, all processes together')
    parser.add_argument('--steps', type=int, default=400, help='length of a trial')
    parser.add_argument('--out', default='runs/study', help='folder of the study')
    parser.add_argument('--results', type=Path, default=RESOURCES/'results', help='folder of the table')
    parser.add_argument('--figures', type=Path, default=RESOURCES/'figures', help='folder of the pictures')
    parser.add_argument('--draw', action='store_true', help='instead of a search: draw the pictures of its table again')
    parser.add_argument('--confirm', action='store_true', help='instead of a search: train again what it found')
    args = parser.parse_args()
    config = TrainConfig(model='TSRNet', model_args=dict(features=8, blocks=2), steps=args.steps, precision='no', patch=32, batch_size=8,
                         patches_per_window=1, validation=.2, validation_frames=8, save_minutes=1.)
    if args.draw:
        with tempfile.TemporaryDirectory() as out:
            return publish(drawn_again(Study(args.folder, SPACE, config, out), args.results), args.figures)
    if args.confirm: return confirm(args.folder, config, args.results, args.out)
    def after_trial(study, trial):
        print(trial.number, trial.state.name, trial.value, flush=True)
        save(found, args.results)
    found = Study(args.folder, SPACE, config, args.out)
    found.run(args.trials, on_trial=after_trial)
    if found.interrupted: return
    save(found, args.results)
    publish(plots(found), args.figures)

if __name__ == '__main__': main()
