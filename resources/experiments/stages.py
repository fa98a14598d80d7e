"""The original's experiments: who goes on, and the tables.

    python resources/experiments/stages.py best MODEL... --to FILE --table FILE.csv     copy the model with the best validation PSNR
    python resources/experiments/stages.py like MODEL                                   print the options with which it was trained: loss and optimizer
    python resources/experiments/stages.py score FOLDER MODEL... --every N --out NAME   NAME.csv in the report's form, NAME_tidy.csv with all there is
    python resources/experiments/stages.py mlflow URI --table FILE.csv                  the runs of a store, compared
"""
import argparse
import hashlib
import shutil
from pathlib import Path

import pandas as pd

from tsr.evaluation import evaluate, label_models, model_label, report_table, save_table
from tsr.inference import optimize_for_inference
from tsr.model import TSRCNN, SRModel, load_model, model_info
from tsr.resample import resize
from tsr.tracking import runs
from tsr.training import TrainConfig, git_commit, run_name

def recorded_name(
    path # of a checkpoint
): # str, as MLflow has it too
    "What the training of a checkpoint was called."
    about = model_info(path)['provenance']
    return run_name(TrainConfig.load(about['config']), len(about['trained_on']))

def best(
    models, # list of paths
    to, # path of the copy
    table # path of the .csv file that says why
):
    "Choose by the validation clips, which all of these models share."
    scores = [model_info(m)['provenance'] for m in models]
    rows = pd.DataFrame([dict(model=model_label(m), run=recorded_name(m), steps=p['steps'], minutes=p['minutes']) | {k: p['scores'][k] for k in ('psnr', 'gain_psnr', 'ssim', 'gain_ssim')} for m, p in zip(models, scores)])
    rows['chosen'] = rows.psnr == rows.psnr.max()
    rows.to_csv(table, index=False, float_format='%.4f')
    shutil.copyfile(models[rows.psnr.idxmax()], to)

class Resized(SRModel):
    "A network that enlarges by whole numbers alone, as `Upscaler` uses it at another scale: enlarged, then made smaller."
    def __init__(self,
        net, # a model
        scale # that is wanted
    ):
        super().__init__(scale, net.frames_back, net.frames_forward)
        self.net = optimize_for_inference(net, 'float32')

    flow_search = property(lambda self: self.net.flow_search)
    def align(self, *args): return self.net.align(*args)

    def reconstruct(self, x): return resize(self.net.reconstruct(x), [int(n * self.scale) for n in x.shape[-2:]], 'lanczos3')

def at_scale(
    model, # what `load_model` takes
    scale # that is wanted
): # a model that enlarges by it
    "A model at another scale than its own."
    net = load_model(model)
    if net.scale == scale: return net
    if not isinstance(net, TSRCNN): return Resized(net, scale)
    again = TSRCNN(**net.args | dict(scale=scale)) # its interpolation takes any number
    again.load_state_dict(net.state_dict())
    return again.eval()

def score(
    folder, # of the clips
    models, # list of texts: FILE of a training, or NAME=FILE
    every, # score every Nth frame
    scale, # ratio
    out # path of the tables, without suffix
):
    "Score once, and write the table in both forms; a model without a name of its own is called as its training in the report's form."
    named = [text.rpartition('=') for text in models]
    labels = {file: label for label, file in label_models([file for name, _, file in named if not name]).items()}
    files = {name or labels[file]: file for name, _, file in named}
    df = evaluate({name: at_scale(file, scale) for name, file in files.items()}, folder, every, baselines=('bicubic', 'lanczos4', 'linear'), scale=scale, precision='float32')
    names = {label: recorded_name(file) for file, label in labels.items()}
    save_table(df, f'{out}_tidy.csv', clips=df.video.nunique(), frames=int(df.groupby('model').frames.sum().max()), gain_psnr=df.groupby('model', sort=False).gain_psnr.mean().round(4).to_dict(),
               runs=names, sha256={name: hashlib.sha256(Path(file).read_bytes()).hexdigest() for name, file in files.items()}, commit=git_commit())
    report = report_table(df)
    report.assign(model=report.model.replace(names)).to_csv(f'{out}.csv', index=False, float_format='%.4f')

if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest='task', required=True)
    for name, *positional in (('best', 'models'), ('like', 'model'), ('score', 'folder', 'models'), ('mlflow', 'uri')):
        task = tasks.add_parser(name)
        for p in positional: task.add_argument(p, nargs='+' if p == 'models' else None)
        if name == 'best': task.add_argument('--to', required=True)
        if name in ('best', 'mlflow'): task.add_argument('--table', required=True)
        if name == 'score':
            task.add_argument('--every', type=int, default=1)
            task.add_argument('--scale', type=float, default=2)
            task.add_argument('--out', required=True)
    args = parser.parse_args()
    if args.task == 'best': best(args.models, args.to, args.table)
    if args.task == 'like':
        config = model_info(args.model)['provenance']['config']
        print(f'--optimizer {config["optimizer"]} --loss {config["loss"]}')
    if args.task == 'score': score(args.folder, args.models, args.every, args.scale, args.out)
    if args.task == 'mlflow': runs(args.uri).to_csv(args.table, index=False, float_format='%.4f')
