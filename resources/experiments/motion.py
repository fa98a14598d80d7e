"""What neighbours are worth where things move fast, and what they cost at a cut: `python resources/experiments/motion.py FOLDER... [--steps 500]`

Takes the networks that resources/experiments/explore.py left in runs/exploration, and those that come with the package, and scores them, in luma, on videos of
FOLDER that they were not trained on. Each frame is scored with its true neighbours; without them (the frame itself in their place); after a cut
(what comes before is from another video), with and without the search for motion leaving out what does not fit; and after a cut that was noticed (the
frame itself in place of what comes before). One row for each network, seed and video goes into resources/results/exploration_motion.csv, with how much
the small video changes from frame to frame; rows that are there are not made again. `--strange` measures instead by how much true neighbours and
frames of other videos differ from a frame along the motion (resources/results/motion_strange.csv), between which `tsr.motion.SCENE_CHANGE_THRESHOLD` draws the line.
`--gain MODEL` measures how far things move from a frame to the next in each video, and what a model gains over bicubic with its neighbours and without them
(resources/results/motion_gain.csv).
"""
import argparse
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from explore import MODELS, center_pair
from tqdm.auto import tqdm

from tsr.core import atomic_write
from tsr.dataset import MultiVideoDataset, probe_videos
from tsr.losses import score_frame
from tsr.model import bundled_models, load_model
from tsr.motion import Motion, flow_error, frame_luma, search_flow
from tsr.resample import resize
from tsr.training import git_commit, split_videos

TABLE, DIFFERENCES, GAINS = (Path(__file__).parents[1]/'results'/name for name in ('exploration_motion.csv', 'motion_strange.csv', 'motion_gain.csv'))
NAMES = 'TSRNet', 'AlignedNet', '1 frame'
FRAMES = 5 # scored of each video

@lru_cache
def read(
    video # path
): # small windows (9, C, h, w) and large frames (C, H, W) of frames spread over it; the mean change from a frame to the next, of 255
    "A video."
    data = MultiVideoDataset([video], 4, 4, segment=1)
    pairs = [center_pair(*data[int((i + .5) * len(data) / FRAMES)]) for i in range(FRAMES)]
    return pairs, sum(255 * (window[4] - window[3]).abs().mean().item() for window, _ in pairs) / FRAMES

def situations(
    window, # (T, C, h, w)
    back, # how many of these come before the frame
    other # (back, C, h', w') of another video
): # dict of windows
    "The same frame among different neighbours, if the network looks at any."
    if len(window) == 1: return dict(neighbours=window)
    before, frame, after = window[:back], window[back:back + 1], window[back + 1:]
    return dict(neighbours=window, without=frame.expand_as(window), cut=torch.cat((resize(other, window.shape[-2:]), frame, after)),
                noticed=torch.cat((frame.expand_as(before), frame, after)))

def unguarded(model, window): # (C, H, W)
    "A frame for which no neighbour is left out."
    if model.flow_search is None: return model(window[None])[0]
    return model(model.align(window, Motion.of(window, model.flow_search, threshold=float('inf')))[None])[0]

def strange(videos): # iterator of rows
    "The mean difference along the motion, for a frame of each stretch and the one before it, and for first frames of different videos."
    def difference(frame, other):
        luma = [frame_luma(x) for x in (frame, other)]
        return flow_error(*luma, search_flow(*luma))
    last = read(videos[-1])[0][-1][0][4]
    for video in videos:
        pairs, _ = read(video)
        for window, _ in pairs: yield dict(video=video.stem, kind='true', difference=round(difference(window[4], window[3]), 4))
        yield dict(video=video.stem, kind='foreign', difference=round(difference(pairs[0][0][4], resize(last, pairs[0][0].shape[-2:])), 4))
        last = pairs[-1][0][4]

@torch.inference_mode()
def gains(
    model, # `SRModel` that is not trained on the videos
    videos # paths
): # iterator of rows
    "The displacement from a frame to the next (mean over the frame, LR pixels), and luma PSNR of bicubic and of a model with its neighbours and without."
    back, forward = model.frames_back, model.frames_forward
    for path in tqdm(videos, unit='video'):
        scores = []
        for window, truth in read(path)[0]:
            luma = [frame_luma(x) for x in window[4:6]]
            seen = situations(window[4 - back:5 + forward], back, window[4 - back:4])
            made = dict(bicubic=resize(window[4], truth.shape[-2:]), neighbours=model(seen['neighbours'][None])[0], without=model(seen['without'][None])[0])
            scores.append(dict(displacement=np.linalg.norm(search_flow(*luma), axis=-1).mean()) |
                          {name: score_frame(sr[None], truth[None], metrics=['psnr_y'])['psnr_y'] for name, sr in made.items()})
        yield dict(video=path.stem, **pd.DataFrame(scores).mean().round(3))

@torch.inference_mode()
def rows(model, videos, **facts):
    "One network on its videos."
    back, forward = model.frames_back, model.frames_forward
    for path, foreign in zip(videos, videos[1:] + videos[:1]):
        (pairs, motion), (others, _) = read(path), read(foreign)
        scores = []
        for (window, truth), (other, _) in zip(pairs, others):
            seen = situations(window[4 - back:5 + forward], back, other[4 - back:4])
            luma = lambda made: score_frame(made[None], truth[None], metrics=['psnr_y'])['psnr_y']
            scores.append({k: luma(model(seen[k][None])[0]) for k in seen})
            if 'cut' in seen: scores[-1]['unguarded'] = luma(unguarded(model, seen['cut']))
        yield dict(video=path.stem, motion=round(motion, 2), **facts, **pd.DataFrame(scores).mean().round(4))

def noted(model, videos, name, seed): return model, videos, dict(name=name, seed=seed, steps=model.provenance['steps'], commit=model.provenance.get('commit', ''))

def networks(folder, steps):
    "Each network, the videos that it has not seen, and what is to be noted of it."
    paths = [source.path for source in probe_videos(folder)]
    _, (held, _) = split_videos(paths, .2)
    for file in sorted(MODELS.glob(f'*, {steps} steps, seed *.safetensors')):
        name, _, seed = file.stem.rsplit(', ', 2)
        if name in NAMES: yield noted(load_model(file), held, name, int(seed.split()[-1]))
    for name in sorted(bundled_models().keys() & {'default', 'light', 'default@area', 'light@area'}):
        model = load_model(name)
        known = {Path(video).stem for video in model.provenance['trained_on']}
        yield noted(model, [p for p in paths if p.stem not in known], name, 0)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', nargs='+')
    parser.add_argument('--steps', type=int, default=500, help='of the networks of explore.py')
    parser.add_argument('--strange', action='store_true', help='measure how true neighbours and other scenes differ')
    parser.add_argument('--gain', metavar='MODEL', help='measure displacement and gain; FOLDER must hold no video that MODEL was trained on')
    args = parser.parse_args()
    if args.gain:
        table = pd.DataFrame(gains(load_model(args.gain), [source.path for source in probe_videos(args.folder)]))
        with atomic_write(GAINS) as part: table.assign(model=args.gain, commit=git_commit()).to_csv(part, index=False)
        return
    if args.strange:
        with atomic_write(DIFFERENCES) as part: pd.DataFrame(strange([source.path for source in probe_videos(args.folder)])).assign(commit=git_commit()).to_csv(part, index=False)
        return
    table = pd.read_csv(TABLE, dtype=dict(commit=str)).to_dict('records') if TABLE.exists() else []
    done = {(r['name'], r['seed'], r['steps']) for r in table}
    for model, videos, facts in tqdm(list(networks(args.folder, args.steps)), unit='network'):
        if (facts['name'], facts['seed'], facts['steps']) in done: continue
        table += rows(model, videos, **facts)
        with atomic_write(TABLE) as part: pd.DataFrame(table).to_csv(part, index=False)

if __name__ == '__main__': main()
