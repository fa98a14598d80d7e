"""What the MLflow callback costs a training: writes resources/results/logging_cost.csv, and logging_cost.json beside it.

    python resources/experiments/logging_cost.py                 about a quarter of an hour on two idle cores
    python resources/experiments/logging_cost.py --repeats 1 --minutes 0

The same short training, with its defaults on the sample clips, with and without MLflow in turn, and one of ten
minutes with it. Each is a process of its own with a new store, so that importing MLflow and making its database count
too. A row of the table is a training: its seconds of wall clock and of processor, and those spent in the callback's methods.
"""
import argparse
import csv
import json
import os
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import torch
from PIL import Image

from tsr.model import create_model
from tsr.resample import to_bytes
from tsr.samples import TRAIN_SCENES, make_sample
from tsr.tracking import MLflow, connect
from tsr.training import MultiTrainer, TrainConfig, git_commit, pick_precision

RESULTS = Path(__file__).parents[1]/'results'
SHORT = dict(epochs=4, patches_per_window=20, validation_frames=4) # epochs of thirty steps
LONG = dict(patches_per_window=400) # of six hundred
EVENTS = ('before_fit', 'after_batch', 'after_epoch', 'after_fit')

class Stopwatch:
    "Seconds by name, of wall clock and of processor."
    def __init__(self): self.wall, self.cpu = {}, {}
    @contextmanager
    def __call__(self, name):
        wall, cpu = time.perf_counter(), time.process_time()
        try: yield
        finally:
            self.wall[name] = self.wall.get(name, 0) + time.perf_counter() - wall
            self.cpu[name] = self.cpu.get(name, 0) + time.process_time() - cpu

class Timed:
    "Another callback, under a stopwatch."
    def __init__(self, inner, watch):
        def timed(event):
            def call(trainer):
                with watch(event): getattr(inner, event)(trainer)
            return call
        for event in EVENTS: setattr(self, event, timed(event))

def train(
    logged, # with MLflow
    settings # fields of `TrainConfig`
): # dict, a row of the table
    "One training in a folder of its own."
    torch.set_num_threads(min(2, os.cpu_count()))
    clips, config, watch = [make_sample(s, frames=24) for s in TRAIN_SCENES], TrainConfig(**settings), Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        uri = f'sqlite:///{folder}/mlflow.db'
        trainer = MultiTrainer(clips, config, Path(folder)/'run', [])
        trainer.out.mkdir()
        Image.fromarray(to_bytes(trainer.validator.data[0][1][None, :, :260])[0]).save(trainer.out/'preview.png') # a piece of a frame, as wide as four crops
        with watch('training'):
            if logged:
                with watch('import'):
                    from mlflow import MlflowClient  # noqa: F401 (what `connect` imports)
                with watch('new_store'): connect(uri).search_experiments()
                trainer.callbacks.append(Timed(MLflow(uri), watch))
            trainer.train()
    parts = ('training', 'import', 'new_store', *EVENTS)
    return dict(length=f'{config.minutes:g} minutes' if config.minutes else f'{config.epochs} epochs', logged=int(logged), epochs=trainer.epoch, steps=trainer.step,
                **{f'{p}_s': round(watch.wall.get(p, 0), 4) for p in parts}, **{f'{p}_cpu_s': round(watch.cpu.get(p, 0), 4) for p in parts})

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--repeats', type=int, default=3, help='of the short training, with and without')
    parser.add_argument('--minutes', type=float, default=10, help='of the long one; 0: none')
    parser.add_argument('--out', type=Path, default=RESULTS, help='folder of the results')
    args = parser.parse_args()
    jobs = [(logged, SHORT) for _ in range(args.repeats) for logged in (False, True)]
    if args.minutes: jobs.append((True, LONG | dict(minutes=args.minutes)))
    with ProcessPoolExecutor(1, get_context('spawn'), max_tasks_per_child=1) as pool: rows = list(pool.map(train, *zip(*jobs)))
    about = dict(commit=git_commit(), date=date.today().isoformat(), short=SHORT, long=LONG, clips=dict(scenes=TRAIN_SCENES, frames=24), torch=torch.__version__, precision=pick_precision('auto', 'cpu', create_model(TrainConfig.model)),
                 threads=min(2, os.cpu_count()), cores=os.cpu_count(), system=platform.platform(), python=platform.python_version(),
                 note='the machine was shared with other work')
    part = args.out/'logging_cost.csv.part'
    with open(part, 'w', newline='') as f:
        writer = csv.DictWriter(f, rows[0], lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
    part.replace(args.out/'logging_cost.csv')
    part = args.out/'logging_cost.json.part'
    part.write_text(json.dumps(about, indent=1) + '\n')
    part.replace(args.out/'logging_cost.json')

if __name__ == '__main__': main()
