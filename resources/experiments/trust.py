"""What true neighbours are worth to a network: `python resources/experiments/trust.py FOLDER... --models MODEL... [--every 10] [--out FILE.csv]`

Scores each network twice on the clips that were held out of its training (`finetune.VALIDATION`; `--all`: on every clip of the folders): with the
neighbours of each frame, and with the frame itself in the place of every neighbour. A clip on which the neighbours cost quality is one where the network
trusts a match that is wrong. Gains in luma, dB.
"""
import argparse
import sys
from pathlib import Path

import pandas as pd
from finetune import VALIDATION
from rivals import ours

from tsr.core import TSRError
from tsr.data import find_videos
from tsr.evaluation import bootstrap_interval, check_table_path, evaluate, save_table
from tsr.inference import optimize_for_inference
from tsr.model import SRModel
from tsr.training import git_commit

class Alone(SRModel):
    "A network that is given the frame itself for each of its neighbours."
    def __init__(self,
        net, # `SRModel`
        precision='auto' # as in `optimize_for_inference`
    ):
        super().__init__(net.scale)
        self.net, self.frames = optimize_for_inference(net, precision), net.num_frames
        self.precision, self.precisions = self.net.precision, net.precisions

    def align(self, window): # (1, C, h, w) -> (C', h, w)
        repeated = window.expand(self.frames, -1, -1, -1)
        return self.net.align(list(repeated) if self.net.flow_search else repeated)

    def reconstruct(self, x): return self.net.reconstruct(x)

def compare(
    models, # dict: name -> `SRModel`
    clips, # list of paths
    every, downscale, precision # as in `evaluate`
): # DataFrame: a row for each clip and model: PSNR in luma with neighbours and alone
    "Score with neighbours and alone, on the same frames."
    both = models | {f'{name} alone': Alone(model, precision) for name, model in models.items()}
    found = evaluate(both, clips, every, baselines=['bicubic'], downscale=downscale, precision=precision, progress=False)
    y = found.pivot(index='video', columns='model', values='psnr_y')
    parts = [y[[name]].set_axis(['psnr_y'], axis=1).assign(alone=y[f'{name} alone'], bicubic=y.bicubic, model=name).reset_index() for name in models]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(neighbours=table.psnr_y - table.alone, downscale=downscale).rename_axis(columns=None)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', nargs='+')
    parser.add_argument('--models', nargs='+', default=['default', 'default@area'], help='as in `load_model`, or NAME=FILE')
    parser.add_argument('--all', action='store_true', help='every clip, not only those held out')
    parser.add_argument('--every', type=int, default=10, help='score every Nth frame')
    parser.add_argument('--downscale', nargs='+', default=['area', 'bicubic', 'h264-23'])
    parser.add_argument('--precision', default='auto')
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    if args.out: check_table_path(args.out)
    clips = [p for p in find_videos(args.folder) if args.all or p.stem in VALIDATION]
    if not clips: raise TSRError(f'no clip that was held out ({", ".join(VALIDATION)}); give --all for every clip')
    parts = []
    for downscale in args.downscale:
        parts.append(table := compare(ours(args.models), clips, args.every, downscale, args.precision))
        print(f'{downscale}: what the neighbours add (Y, dB)')
        print(table.pivot(index='video', columns='model', values='neighbours').to_string(float_format='{:+.3f}'.format), flush=True)
        for model, own in table.groupby('model', sort=False):
            low, high = bootstrap_interval(own.neighbours)
            print(f'{model}: mean {own.neighbours.mean():+.3f} [{low:+.3f}, {high:+.3f}], worst {own.neighbours.min():+.3f} on {own.video[own.neighbours.idxmin()]}', flush=True)
    if args.out: save_table(pd.concat(parts), args.out, every=args.every, precision=args.precision, commit=git_commit())

if __name__ == '__main__':
    try: main()
    except TSRError as e: sys.exit(str(e))
