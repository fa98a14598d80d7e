"""A search for hyper-parameters: `python resources/experiments/hpo.py FOLDER [--trials 12] [--megapixels 4]`

Optuna tries learning rate, width and depth (at about the same cost of a frame), patch and batch of the light network. Every trial trains in bfloat16
on the same number of small pixels, and is scored as in resources/experiments/explore.py; what is behind the median of the earlier ones at half time is given
up. The study lives in an SQLite file beside the tables; several processes that run this command share it, and it can be stopped and taken up
again. resources/results/hpo.csv is its table, hpo.json what it found.
"""
import argparse
from pathlib import Path

import optuna
from explore import luma, train
from optuna.trial import TrialState

from tsr.core import TSRError, atomic_write, write_json
from tsr.dataset import probe_videos
from tsr.model import load_model
from tsr.training import TrainConfig, git_commit, split_videos

RESULTS = Path(__file__).parents[1]/'results'
SHAPES = {'8x3': (8, 3), '8x2': (8, 2), '12x1': (12, 1), '16x1': (16, 1), '4x8': (4, 8)} # features x blocks: 0.6 to 1.8 GMAC
DEFAULTS = dict(shape='8x3', learning_rate=TrainConfig.learning_rate, patch=TrainConfig.patch, batch_size=TrainConfig.batch_size) # the first trial

class Prune:
    "Tells Optuna how it stands at half time, and gives up when told to."
    def __init__(self, trial, score): self.trial, self.score = trial, score

    def after_batch(self, trainer):
        if trainer.step != trainer.config.steps // 2: return
        self.trial.report(self.score(trainer.model), 1)
        if self.trial.should_prune(): raise optuna.TrialPruned()

def objective(trial, videos, score, pixels):
    "Luma PSNR over bicubic that a configuration reaches on held-back videos."
    features, blocks = SHAPES[trial.suggest_categorical('shape', list(SHAPES))]
    rate = trial.suggest_float('learning_rate', 5e-4, 2e-2, log=True)
    patch, batch = trial.suggest_categorical('patch', [24, 32, 48]), trial.suggest_categorical('batch_size', [4, 8, 16])
    steps = round(pixels / (patch**2 * batch))
    trial.set_user_attr('steps', steps)
    changes = dict(model_args=dict(features=features, blocks=blocks), learning_rate=rate, patch=patch, batch_size=batch, warmup=steps // 10)
    try: return score(train(videos, changes, [Prune(trial, score)], steps=steps, seed=0))
    except TSRError as e: # it diverged
        trial.set_user_attr('error', str(e))
        raise optuna.TrialPruned() from None

def save(study, megapixels):
    "The table, and what follows from it."
    table = study.trials_dataframe(attrs=('number', 'state', 'value', 'params', 'user_attrs', 'duration'))
    table['duration'] = table.duration.dt.total_seconds().round(1)
    with atomic_write(RESULTS/'hpo.csv') as part: table.to_csv(part, index=False)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=.5) # what tells the better half from all
    write_json(RESULTS/'hpo.json', dict(best=study.best_params, value=study.best_value, importance=optuna.importance.get_param_importances(study, evaluator=evaluator),
                                        defaults=DEFAULTS, megapixels=megapixels, optuna=optuna.__version__, commit=git_commit()))

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder')
    parser.add_argument('--trials', type=int, default=12, help='of the study, all processes together')
    parser.add_argument('--megapixels', type=float, default=4., help='small ones that each trial sees')
    args = parser.parse_args()
    (videos, _), (held, _) = split_videos([source.path for source in probe_videos(args.folder)], .2)
    bicubic = luma(load_model('bicubic'), held)['psnr_y']
    def score(model): return luma(model, held)['psnr_y'] - bicubic
    study = optuna.create_study(storage=f'sqlite:///{RESULTS/"hpo.db"}', study_name=f'light, {args.megapixels:g} megapixels', direction='maximize', load_if_exists=True,
                                sampler=optuna.samplers.TPESampler(n_startup_trials=6), pruner=optuna.pruners.MedianPruner(n_startup_trials=4))
    study.enqueue_trial(DEFAULTS, skip_if_exists=True)
    ended = TrialState.COMPLETE, TrialState.PRUNED
    study.optimize(lambda trial: objective(trial, videos, score, args.megapixels * 1e6),
                   callbacks=[optuna.study.MaxTrialsCallback(args.trials, states=ended), lambda study, trial: save(study, args.megapixels)])

if __name__ == '__main__': main()
