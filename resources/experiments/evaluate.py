"""The table of several models on the clips of a folder: `python resources/experiments/evaluate.py FOLDER MODEL... --out FILE.csv`

It is `tsr evaluate` with names: a model may be given as NAME=FILE, and with `--weights FOLDER` the file of a NAME is FOLDER/NAME.safetensors. In
float32, in which processors differ by rounding alone, unless `--precision` says otherwise. The mean gains also go into the .json beside the table, as
DVC's metrics.
"""
import argparse
from pathlib import Path

from tsr.evaluation import check_table_path, evaluate, label_models, save_table
from tsr.training import git_commit

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument('folder')
parser.add_argument('models', nargs='+', metavar='MODEL')
parser.add_argument('--every', type=int, default=1, help='score every Nth frame')
parser.add_argument('--downscale', default='area', help='how the small side is made')
parser.add_argument('--weights', type=Path, help='folder of the named models')
parser.add_argument('--precision', default='float32', help='as in `tsr evaluate`')
parser.add_argument('--out', required=True)
args = parser.parse_args()
check_table_path(args.out)
if args.weights: args.models = [str(args.weights/f'{text}.safetensors') if not set(text) & set('=/') else text for text in args.models]
named = [text.rpartition('=') for text in args.models]
labels = {file: label for label, file in label_models([file for name, _, file in named if not name]).items()}
df = evaluate({name or labels[file]: file for name, _, file in named}, args.folder, args.every, downscale=args.downscale,
              precision=args.precision)
save_table(df, args.out, gain_psnr=df.groupby('model', sort=False).gain_psnr.mean().round(4).to_dict(), commit=git_commit())
