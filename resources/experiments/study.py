"""A search of sixty trials on the training clips: `python resources/experiments/study.py FOLDER [--trials 60] [--minutes 1.5] [--out runs/study]`

Every trial trains the light network for the same time, on what `tsr tune` proposes for its learning rate, optimizer, loss, averaging, warmup, patch
and shape, and is scored by its gain over bicubic on the videos that are held out. The command can be stopped and given again, and several
processes can share the study. resources/results/study.csv is its table, study.json what it found, resources/figures/study_*.png its pictures.
On two cores it takes an hour and a half.
"""
import argparse
import json
import os
import platform
import shutil
from dataclasses import asdict
from pathlib import Path

import torch

from tsr.core import write_json
from tsr.training import TrainConfig, git_commit
from tsr.tuning import plots, tune

RESOURCES = Path(__file__).parents[1]
SPACE = {'learning_rate': (5e-4, 2e-2), 'optimizer': ['Muon', 'AdamW'], 'loss': ['Charbonnier', 'MSE', 'DSSIM'], 'ema': [0., .99, .998],
         'warmup': (0, 200), 'patch': [32, 48, 64], 'batch_size': [4, 8, 16], 'model_args.features': [8, 12, 16], 'model_args.blocks': [1, 2, 3]}

def save(study, minutes):
    "The table, the pictures, and what follows from them."
    study.table().to_csv(RESOURCES/'results'/'study.csv', index=False)
    for path in plots(study): shutil.copyfile(path, RESOURCES/'figures'/f'study_{path.stem}.png')
    write_json(RESOURCES/'results'/'study.json', dict(
        best=study.study.best_params, value=study.study.best_value, config=asdict(study.best), importance=study.importance(), minutes=minutes,
        space=json.loads(study.study.user_attrs['space']), commit=git_commit(), machine=platform.platform(), cores=os.cpu_count(), torch=torch.__version__))

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder')
    parser.add_argument('--trials', type=int, default=60, help='of the study, all processes together')
    parser.add_argument('--minutes', type=float, default=1.5, help='length of a trial')
    parser.add_argument('--out', default='runs/study', help='folder of the study')
    args = parser.parse_args()
    config = TrainConfig(model='TSRNet', model_args=dict(features=8, blocks=2), minutes=args.minutes, patches_per_window=1, validation=.2,
                         validation_frames=12)
    study = tune(args.folder, SPACE, config, args.out, args.trials, on_trial=lambda study, trial: print(trial.number, trial.state.name, trial.value, flush=True))
    if not study.interrupted: save(study, args.minutes)

if __name__ == '__main__': main()
