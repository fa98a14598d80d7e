"""What an optical flow search costs and what it is worth: `python resources/experiments/search.py FOLDER [--every 10]`

Swaps the search of trained networks, without training, and scores them in luma on the clips that were held out (`finetune.VALIDATION`): gain over
bicubic. The time is that of one search between frames of 640x360, one thread, the median of nine. Writes resources/results/flow_search.csv, with the
processor and the precision beside it in flow_search.json.
"""
import argparse
import platform
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from finetune import VALIDATION, WEIGHTS

from tsr.core import atomic_write, write_json
from tsr.data import find_videos
from tsr.evaluation import evaluate
from tsr.model import load_model
from tsr.motion import SEARCH_BLUR, optical_flow
from tsr.network import AlignedNet
from tsr.resample import low_resolution_frames
from tsr.samples import make_sample
from tsr.training import git_commit
from tsr.video import read_frames

TABLE = Path(__file__).parents[1]/'results'/'flow_search.csv'

def search(
    frame, other, # uint8 (h, w)
    preset='ULTRAFAST', finest=0, stride=4, refinement=0, blur=SEARCH_BLUR, median=0 # of OpenCV's DIS, and around it
): # float32 (h, w, 2)
    "Dense inverse search with other settings than `optical_flow`."
    if blur: frame, other = (cv2.GaussianBlur(x, (0, 0), blur) for x in (frame, other))
    dis = cv2.DISOpticalFlow_create(getattr(cv2, f'DISOPTICAL_FLOW_PRESET_{preset}'))
    dis.setFinestScale(finest), dis.setPatchStride(stride), dis.setVariationalRefinementIterations(refinement)
    flow = dis.calc(frame, other, None)
    return np.stack([cv2.medianBlur(np.ascontiguousarray(flow[..., k]), median) for k in (0, 1)], -1) if median else flow

SEARCHES = {
    '0.1: medium, finest scale 1, no blur': partial(search, preset='MEDIUM', finest=1, stride=3, refinement=5, blur=0),
    'the same, blurred': partial(search, preset='MEDIUM', finest=1, stride=3, refinement=5),
    'finest scale 1, stride 4, refined': partial(search, finest=1, refinement=2),
    'finest scale 0, stride 4, refined': partial(search, refinement=2),
    'finest scale 0, stride 4': partial(search),
    'finest scale 0, stride 6, refined': partial(search, stride=6, refinement=2),
    'the same with a median: the library': partial(optical_flow, refinement=2),
    'not refined: the library, refinement=0': partial(optical_flow, refinement=0),
}

class Searched(AlignedNet):
    "A trained network with another search."
    flow_search = property(lambda self: self.find)

    @classmethod
    def of(cls, net, find):
        "The same weights."
        new = cls(**net.args)
        new.load_state_dict(net.state_dict())
        new.find = find
        return new.eval()

def milliseconds(find, luma): # two frames
    "Median time of a search."
    times = []
    for _ in range(9):
        begun = time.perf_counter()
        find(*luma)
        times.append(1000 * (time.perf_counter() - begun))
    return float(np.median(times))

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', nargs='+')
    parser.add_argument('--every', type=int, default=10)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    clips = [p for p in find_videos(args.folder) if p.stem in VALIDATION]
    frames = [f.image for f in read_frames(make_sample())][:2]
    luma = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in low_resolution_frames(frames, (360, 640))]
    models, rows = ('default@area', 'light@area'), []
    for name, find in SEARCHES.items():
        nets = {m: Searched.of(load_model(WEIGHTS/f'{m}.safetensors'), find) for m in models}
        found = evaluate(nets, clips, args.every, baselines=['bicubic'], precision='float32', progress=False)
        gains = found.groupby('model').gain_psnr_y.mean()
        rows.append(dict(search=name, milliseconds=round(milliseconds(find, luma), 1), **{m: round(gains[m], 3) for m in models}))
        print(rows[-1], flush=True)
    with atomic_write(TABLE) as part: pd.DataFrame(rows).to_csv(part, index=False)
    lines = Path('/proc/cpuinfo').read_text().splitlines() if Path('/proc/cpuinfo').exists() else []
    cpu = next((line.split(':')[1].strip() for line in lines if 'model name' in line), platform.processor())
    write_json(TABLE.with_suffix('.json'), dict(commit=git_commit(), every=args.every, clips=[p.stem for p in clips], precision='float32', cpu=cpu,
                                                torch=torch.__version__, opencv=cv2.__version__))

if __name__ == '__main__': main()
