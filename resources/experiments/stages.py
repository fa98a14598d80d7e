"""The tables of the original's experiments: `python resources/experiments/stages.py FOLDER MODEL... [--every N] [--scale S] --out NAME`

NAME.csv has the report's form, NAME_tidy.csv all there is. MODEL is the file of a training, or NAME=FILE.
"""
import argparse
import hashlib
from pathlib import Path

from tsr.evaluation import evaluate, label_models, report_table, save_table
from tsr.inference import optimize_for_inference
from tsr.model import TSRCNN, SRModel, load_model, model_info
from tsr.resample import resize
from tsr.training import TrainConfig, git_commit, run_name

def recorded_name(
    path # of a checkpoint
): # str
    "What a training is called in the report's form, with its seed if it has one."
    about = model_info(path)
    args, p = about['args'], about['provenance']
    base = p['base'] or ('large' if args['kernels'][0] == 11 else 'small')
    config = TrainConfig(model=f'{base}.safetensors', optimizer=p['optimizer'], loss=p['loss'], steps=p['steps'],
                         **{k: args[k] for k in ('frames_back', 'frames_forward')})
    return f'{run_name(config, len(p["trained_on"]))}_seed{p["seed"]}'

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
    parser.add_argument('folder')
    parser.add_argument('models', nargs='+', metavar='MODEL')
    parser.add_argument('--every', type=int, default=1, help='score every Nth frame')
    parser.add_argument('--scale', type=float, default=2, help='ratio of HR and LR')
    parser.add_argument('--out', required=True, help='path of the tables, without suffix')
    args = parser.parse_args()
    score(args.folder, args.models, args.every, args.scale, args.out)
