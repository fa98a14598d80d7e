"""Networks that others published, beside ours on the same frames.

    python resources/experiments/rivals.py check WEIGHTS                                  each network against the reference in that folder
    python resources/experiments/rivals.py score WEIGHTS --clips FOLDER... --models MODEL... --out FILE.csv     hours; goes on where it stopped
    python resources/experiments/rivals.py passes --clips FOLDER... --models MODEL... --out FILE.csv            x4 by enlarging twice
    python resources/experiments/rivals.py table FILE.csv [--against MODEL]               means, intervals, wins

WEIGHTS is a folder of `NAME.safetensors`, the names as in `NETWORKS`. They are not part of this repository: the sources below have them. A network of
luma (Y of BT.601 in studio range) enlarges Y; its colours are those of bicubic interpolation. `score` appends a row for each clip, degradation and model
as soon as a clip is done, and skips what the file has; the same clip scored with other weights or settings is an error, not a second row.
"""
import argparse
import copy
import hashlib
import json
import math
import platform
import sys
from itertools import tee
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from tsr.core import TSRError, atomic_write, write_json
from tsr.data import find_videos, read_pairs
from tsr.evaluation import bootstrap_interval, check_table_path, evaluate, label_models
from tsr.inference import Upscaler
from tsr.losses import METRICS, luma, score_frame
from tsr.model import INTERPOLATIONS, Interpolation, SRModel, load_model, summary
from tsr.resample import resize, to_bytes, to_float
from tsr.training import git_commit

BESIDE = 'bicubic', 'lanczos4', 'linear' # what needs no network
SIZES = 'light', 'default', 'heavy' # the networks of the package
SHARED = 'davis', 'uav', 'street', 'dashcam' # sets that both our training clips and clips of `test` are from; a name begins with its set

def conv(inputs, outputs, size=3, **options): return nn.Conv2d(inputs, outputs, size, padding=size // 2, **options)

class Luma(SRModel):
    "A published network of luma as a model: subclasses enlarge Y of the window by 2."
    precisions = ('float32', 'bfloat16')
    def __init__(self, frames_back=0, frames_forward=0): super().__init__(2, frames_back, frames_forward)

    def enlarge(self, y): # (B, T, h, w) -> (B, 1, 2*h, 2*w)
        raise NotImplementedError

    def reconstruct(self, x): # (B, T*C, h, w) -> (B, C, 2*h, 2*w)
        y = self.enlarge(luma(x.unflatten(1, (-1, 3)))[:, :, 0])
        frame = resize(x[:, self.center_channels], y.shape[-2:], 'bicubic')
        return frame + (y - luma(frame)) * (255 / 219) # all three colours by the same, which leaves chroma as it is

class FSRCNNX(Luma):
    "TianZerL/Anime4KCPP (MIT) and FSRCNNX (GPL-3): one frame."
    def __init__(self,
        features # channels
    ):
        super().__init__()
        self.conv0 = nn.Conv2d(1, features, 5)
        for n in range(1, 5): setattr(self, f'conv{n}', conv(features, features))
        self.conv5, self.conv6 = conv(features, features, 1), conv(features, 4)
        for n in range(1, 6): setattr(self, f'prelu{n}', nn.PReLU(features))

    def enlarge(self, y):
        x = first = self.conv0(F.pad(y, (2,) * 4, mode='replicate'))
        for n in range(1, 5): x = getattr(self, f'prelu{n}')(getattr(self, f'conv{n}')(x))
        return F.pixel_shuffle(self.conv6(self.prelu5(self.conv5(x) + first)), 2)

class ArtCNN(Luma):
    "TianZerL/Anime4KCPP: one frame."
    def __init__(self,
        features # channels
    ):
        super().__init__()
        self.conv0, self.conv6 = conv(1, features), conv(features, 4)
        for n in range(1, 6): setattr(self, f'conv{n}', conv(features, features))

    def enlarge(self, y):
        x = first = self.conv0(y)
        for n in range(1, 5): x = F.relu(getattr(self, f'conv{n}')(x))
        return F.pixel_shuffle(self.conv6(self.conv5(x) + first), 2)

class VESPCN(Luma):
    "HighVoltageRocknRoll/sr (MIT): three frames as channels, without motion compensation."
    def __init__(self):
        super().__init__(1, 1)
        for n, (inputs, outputs) in enumerate(((3, 24), (24, 24), (24, 24), (24, 24), (24, 4)), 1): setattr(self, f'conv{n}', nn.Conv2d(inputs, outputs, 3))

    def enlarge(self, y):
        x = F.pad(y, (5,) * 4, mode='reflect')
        for n in range(1, 5): x = F.relu(getattr(self, f'conv{n}')(x))
        return F.pixel_shuffle(self.conv5(x), 2)

class IMDBlock(nn.Module):
    "Information multi-distillation: of three layers, a quarter of the channels is kept and the rest goes on."
    def __init__(self):
        super().__init__()
        self.c1, self.c2, self.c3, self.c4, self.c5 = conv(64, 64), conv(48, 64), conv(48, 64), conv(48, 16), conv(64, 64, 1)
        self.cca = nn.ModuleDict(dict(conv_du=nn.Sequential(nn.Conv2d(64, 4, 1), nn.ReLU(), nn.Conv2d(4, 64, 1), nn.Sigmoid())))

    def forward(self, x): # (B, 64, h, w)
        kept, rest = [], x
        for layer in (self.c1, self.c2, self.c3):
            part, rest = F.leaky_relu(layer(rest), .05).split((16, 48), 1)
            kept.append(part)
        y = torch.cat((*kept, self.c4(rest)), 1)
        contrast = y.mean((2, 3), keepdim=True) + y.std((2, 3), keepdim=True, unbiased=False)
        return self.c5(y * self.cca['conv_du'](contrast)) + x

class IMDN(SRModel):
    "Zheng222/IMDN (Hui et al., ACM MM 2019): one frame, RGB."
    precisions = ('float32', 'bfloat16')
    def __init__(self):
        super().__init__(2)
        self.fea_conv, self.LR_conv = conv(3, 64), conv(64, 64)
        for n in range(1, 7): setattr(self, f'IMDB{n}', IMDBlock())
        self.c, self.upsampler = nn.Sequential(conv(6 * 64, 64, 1), nn.LeakyReLU(.05)), nn.Sequential(conv(64, 12), nn.PixelShuffle(2))

    def reconstruct(self, x): # (B, C, h, w) -> (B, C, 2*h, 2*w)
        y = first = self.fea_conv(x)
        found = [y := getattr(self, f'IMDB{n}')(y) for n in range(1, 7)]
        return self.upsampler(self.LR_conv(self.c(torch.cat(found, 1))) + first)

class ResB(nn.Module):
    "One half of the channels goes through a depthwise block, the other stays; then the halves are interleaved."
    def __init__(self, channels):
        super().__init__()
        n = channels // 2
        self.body = nn.Sequential(conv(n, n, 1, bias=False), nn.LeakyReLU(.1), conv(n, n, groups=n, bias=False), conv(n, n, 1, bias=False), nn.LeakyReLU(.1))

    def forward(self, x): # (B, channels, h, w)
        stays, goes = x.chunk(2, 1)
        return torch.stack((stays, self.body(goes)), 2).flatten(1, 2)

class CasResB(nn.Module):
    "Several `ResB`."
    def __init__(self, blocks, channels=320):
        super().__init__()
        self.body = nn.Sequential(*[ResB(channels) for _ in range(blocks)])

    def forward(self, x): return self.body(x)

def sofvsr_head(outputs, bias=False): # list of layers
    "320 features -> `outputs` channels at twice the size."
    return [conv(320, 256, 1, bias=False), nn.PixelShuffle(2), nn.LeakyReLU(.1), conv(64, outputs, bias=bias)]

def sofvsr_warp(image, flow): # (B, 1, h, w), (B, 2, h, w): right, down, in 31/(size - 1) of half the width
    "Sample an image along the flow."
    h, w = image.shape[-2:]
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, n, device=image.device) for n in (h, w)), indexing='ij')
    grid = torch.stack((x + flow[:, 0] * 31 / (w - 1), y + flow[:, 1] * 31 / (h - 1)), -1)
    return F.grid_sample(image, grid, padding_mode='border', align_corners=True)

class SOFVSR(Luma):
    "LongguangWang/SOF-VSR (Wang et al., ACCV 2018 and TIP 2020): three frames, its own optical flow at HR."
    def __init__(self):
        super().__init__(1, 1)
        flow = dict(RNN1=nn.Sequential(conv(4, 320, bias=False), nn.LeakyReLU(.1), CasResB(3)), RNN2=nn.Sequential(conv(320, 2, bias=False)),
                    SR=nn.Sequential(CasResB(3), *sofvsr_head(2)))
        body = nn.Sequential(conv(9, 320, bias=False), nn.LeakyReLU(.1), CasResB(8), *sofvsr_head(1, bias=True))
        self.OFR, self.SR = nn.ModuleDict(flow), nn.ModuleDict(dict(body=body))

    def flow(self, a, b): # (B, 1, h, w) -> (B, 2, 2*h, 2*w), from b to a
        "Optical flow at HR, coarse to fine."
        def larger(flow): return F.interpolate(flow, scale_factor=2, mode='bilinear') * 2
        pair = F.avg_pool2d(torch.cat((a, b), 1), 2)
        coarse = larger(self.OFR['RNN2'](self.OFR['RNN1'](torch.cat((pair, torch.zeros_like(pair)), 1))))
        fine = self.OFR['RNN2'](self.OFR['RNN1'](torch.cat((sofvsr_warp(a, coarse), b, coarse), 1))) + coarse
        return self.OFR['SR'](self.OFR['RNN1'](torch.cat((sofvsr_warp(a, fine), b, fine), 1))) + larger(fine)

    def enlarge(self, y):
        h, w = y.shape[-2:]
        y = F.pad(y, (0, w % 2, 0, h % 2), mode='replicate') # it halves the frame
        center, cube = y[:, 1:2], [y[:, 1:2]]
        for neighbour in (y[:, :1], y[:, 2:]):
            flow = self.flow(neighbour, center)
            cube += [sofvsr_warp(neighbour, flow[:, :, i::2, j::2] / 2) for i in range(2) for j in range(2)]
        return self.SR['body'](torch.cat(cube, 1))[..., :2 * h, :2 * w]

TITLES = dict(bicubic='bicubic', lanczos4='Lanczos', linear='best linear filter', fsrcnnx_8='FSRCNNX 8', fsrcnnx_16='FSRCNNX 16',
              artcnn_c4f16='ArtCNN C4F16', artcnn_c4f32='ArtCNN C4F32', vespcn_stacked='VESPCN, stacked frames',
              imdn_x2='IMDN', sofvsr_x2='SOF-VSR', small='TSRCNN_small, our training', original='TSRCNN_small, original')
NETWORKS = dict(fsrcnnx_8=lambda: FSRCNNX(8), fsrcnnx_16=lambda: FSRCNNX(16), artcnn_c4f16=lambda: ArtCNN(16), artcnn_c4f32=lambda: ArtCNN(32),
                vespcn_stacked=VESPCN, imdn_x2=IMDN, sofvsr_x2=SOFVSR)

def network(
    name, # in `NETWORKS`
    folder # of the weights
): # `SRModel` in eval mode
    "A published network with its weights."
    model, path = NETWORKS[name](), Path(folder)/f'{name}.safetensors'
    if not path.is_file(): raise TSRError(f'{path}: no such file; name the folder that holds the published weights')
    model.load_state_dict(load_file(path))
    return model.eval()

@torch.inference_mode()
def check(folder): # dict: name -> largest difference
    "Each network against what the published code made of three frames. TSRError where one differs by 1e-4."
    reference, found = load_file(Path(folder)/'reference.safetensors'), {}
    for name in NETWORKS:
        net = network(name, folder)
        made = net.enlarge(reference['input_y'][1 - net.frames_back:2 + net.frames_forward, 0][None]) if isinstance(net, Luma) else net.reconstruct(reference['input_rgb'][1:2])
        found[name] = float((made[0] - reference[name]).abs().max())
        print(f'{name:15} {found[name]:.1e}')
    if wrong := [name for name, d in found.items() if not d < 1e-4]: raise TSRError(f'{", ".join(wrong)}: not what the reference holds')
    return found

class Table:
    "Scores in a .csv file, a row for each clip, degradation and model, and in a .json file what the models are."
    key = ['set', 'video', 'downscale', 'model']
    def __init__(self,
        path # of the .csv file, which may exist
    ):
        self.path = check_table_path(path)
        self.facts = json.loads(file.read_text()) if (file := self.path.with_suffix('.json')).exists() else dict(models={})
        self.rows = pd.read_csv(self.path, dtype=dict(weights=str, commit=str), keep_default_na=False, na_values={}) if self.path.exists() else pd.DataFrame(columns=self.key)

    def has(self,
        model, # dict: a value for each of `key`
        how # dict: column -> value that its row has to have
    ): # bool
        "Whether a row is there. TSRError if it was made in another way."
        found = self.rows[(self.rows[self.key] == [model[k] for k in self.key]).all(axis=1)]
        for column, value in how.items():
            if len(found) and str(found[column].iloc[0]) != str(value):
                raise TSRError(f'{self.path}: {model["model"]} on {model["video"]} has {column} {found[column].iloc[0]}, now it is {value}; write to another file')
        return len(found) > 0

    def add(self,
        rows # DataFrame
    ):
        "Append rows that are not there yet, and write both files."
        self.rows = pd.concat([self.rows, rows] if len(self.rows) else [rows], ignore_index=True).drop_duplicates(self.key, ignore_index=True)
        with atomic_write(self.path) as part: self.rows.to_csv(part, index=False, float_format='%.4f')
        write_json(self.path.with_suffix('.json'), self.facts)

def digest(model): # str
    "What tells weights apart."
    state = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()): state.update(name.encode() + tensor.numpy().tobytes())
    return state.hexdigest()[:12] if model.state_dict() else ''

def describe(model): # dict
    "Weights, parameters, multiply-adds for 360p (of the network alone, without the search for motion)."
    layers = summary(copy.deepcopy(model).to('meta') if isinstance(model, (Luma, IMDN)) else model) # on `meta`, nothing is computed
    return dict(weights=digest(model), parameters=sum(p.numel() for p in model.parameters()), gmac=round(float(layers['multiply-adds'].sum()) / 1e9, 2))

def ours(
    texts # list of what `load_model` takes, or NAME=FILE
): # dict: name -> model
    "The models to score beside the published ones."
    named = [text.rpartition('=') for text in texts]
    labels = {file: label for label, file in label_models([file for name, _, file in named if not name]).items()}
    return {name or labels[file]: load_model(file) for name, _, file in named}

def score(
    models, # dict: name -> `SRModel`
    folders, # list of paths: each is a set of clips
    path, # of the .csv file
    downscales, every, precision, # as in `evaluate`
    extra=() # as in `evaluate`
):
    "Score what the file does not have yet, clip by clip."
    table, commit = Table(path), git_commit()
    table.facts |= dict(torch=torch.__version__, threads=torch.get_num_threads(), crop=8, extra=list(extra))
    for name, model in models.items():
        if name not in table.facts['models']: table.facts['models'][name] = describe(model)
    weights = {name: digest(model) for name, model in models.items()}
    for folder in map(Path, folders):
        for clip in find_videos(folder):
            for downscale in downscales:
                at = dict(set=folder.name, video=clip.stem, downscale=downscale)
                new = {name: m for name, m in models.items() if not table.has(at | dict(model=name), dict(weights=weights[name], every=every, precision=precision))}
                if not new: continue
                found = evaluate(new, clip, every, baselines=BESIDE, downscale=downscale, precision=precision, progress=False, extra=extra)
                found['relative_time'] = found.milliseconds / found.milliseconds[found.model == 'bicubic'].item()
                found = found.assign(**at, every=every, precision=precision, cpu=processor(), commit=commit, weights=found.model.map(weights).fillna(''))
                table.add(found[[*Table.key, 'frames', *METRICS, *extra, 'milliseconds', 'relative_time', 'weights', 'every', 'precision', 'cpu', 'commit']])
                print(f'{at["set"]}/{clip.stem}, {downscale}: {found.milliseconds.sum() * found.frames.max() / 1000:.0f} s for {len(new)} models', flush=True)

def enlarge_twice(
    models, # dict: name -> `SRModel` that enlarges by 2
    folders, path, downscales, # as in `score`
    precision
):
    "Score x4 by two passes of x2, as `Upscaler` makes it, beside interpolation by 4."
    table, commit = Table(path), git_commit()
    weights = {name: digest(model) for name, model in models.items()}
    for name in ('bicubic', 'lanczos4'): models[name], weights[name] = Interpolation(name, 4), ''
    for folder in map(Path, folders):
        for clip in find_videos(folder):
            for downscale in downscales:
                at = dict(set=folder.name, video=clip.stem, downscale=downscale)
                for name, model in models.items():
                    how = dict(weights=weights[name], precision=precision)
                    if table.has(at | dict(model=name), how): continue
                    first, second = tee(read_pairs(clip, 4, downscale=downscale))
                    upscaler = Upscaler(model, 'cpu', precision='auto' if name in INTERPOLATIONS else precision)
                    made = upscaler.frames((to_bytes(lr) for lr, _ in first), scale=4)
                    frames = pd.DataFrame([score_frame(to_float(sr)[None], hr[None]) for sr, (_, hr) in zip(made, second)])
                    table.add(pd.DataFrame([at | dict(model=name, frames=len(frames)) | frames.mean().to_dict() | how | dict(every=1, scale=4, cpu=processor(), commit=commit)]))
                    print(f'{at["set"]}/{clip.stem}, {downscale}, {name}: {frames.psnr_y.mean():.2f} dB', flush=True)

def processor(): # str
    "What the processor calls itself."
    lines = Path('/proc/cpuinfo').read_text().splitlines() if Path('/proc/cpuinfo').exists() else []
    return next((line.split(':')[1].strip() for line in lines if 'model name' in line), platform.processor())

def scored_frames(every): # dict: kind of low resolution -> N, every Nth frame is scored
    "Which frames of some tables are scored, in words."
    found = {}
    for kind, n in every.items(): found.setdefault('every frame' if n == 1 else f'every {n}th frame', []).append(kind)
    return '; '.join(which if len(found) == 1 else f'{", ".join(kinds)}: {which}' for which, kinds in found.items())

def own_kind(name, downscale): # bool
    "Whether a name is of a network of the package with its weights for this degradation."
    return name in [f'{size}@{downscale}' for size in SIZES]

def of_similar_cost(
    facts, # of a table's .json file
    downscale # the degradation
): # dict: name of a model -> that of ours whose GMAC are nearest by their ratio
    "Which network of the package each other network is compared with."
    costs = {name: fact['gmac'] for name, fact in facts['models'].items() if fact.get('gmac')}
    ours = {name: cost for name, cost in costs.items() if own_kind(name, downscale)}
    return {name: min(ours, key=lambda n: abs(math.log(ours[n] / cost))) for name, cost in costs.items() if ours and name.split('@')[0] not in SIZES}

def gains(
    table, # `Table`, or None
    clips, downscale, name # a set, a degradation, a model
): # Series: clip -> gain over bicubic in luma, dB; empty where it is not scored
    "What a model gains on each clip of a set."
    if table is None: return pd.Series(dtype=float)
    rows = table.rows[(table.rows.set == clips) & (table.rows.downscale == downscale)]
    if name not in set(rows.model): return pd.Series(dtype=float)
    y = rows.pivot(index='video', columns='model', values='psnr_y').astype(float)
    return y[name] - y.bicubic

def means(
    rows, # of a table
    facts, # of its .json file
    against=None # the model that the others are compared with, or a dict: model -> that which it is compared with
): # DataFrame: a row for each set of clips, degradation and model
    "Means over the clips of each set and of all, gains over bicubic in luma with their intervals, the worst clip, and how often `against` wins."
    out, everything = [], rows.assign(video=rows.set + '/' + rows.video, set='all') if rows.set.nunique() > 1 else rows[:0]
    for (clips, downscale), part in pd.concat([rows, everything]).groupby(['set', 'downscale'], sort=False):
        y, structure = (part.pivot(index='video', columns='model', values=m).astype(float) for m in ('psnr_y', 'ssim_y'))
        times = part.groupby('model').relative_time.median() if 'relative_time' in part else pd.Series(dtype=float)
        for model, own in part.groupby('model', sort=False):
            gain, gain_ssim = (y[model] - y.bicubic).dropna(), (structure[model] - structure.bicubic).dropna()
            (low, high), (low_ssim, high_ssim) = map(bootstrap_interval, (gain, gain_ssim))
            row = dict(set=clips, downscale=downscale, model=model, clips=len(gain), psnr_y=own.psnr_y.mean(), gain_y=gain.mean(), low=low, high=high,
                       worst=gain.min(), worst_clip=gain.idxmin(), gain_ssim=gain_ssim.mean(), low_ssim=low_ssim, high_ssim=high_ssim,
                       **{m: pd.to_numeric(own[m]).mean() for m in ('ssim_y', 'psnr', 'ssim', 'tpsnr_y', 'vmaf') if m in own})
            rival = against.get(model) if isinstance(against, dict) else against
            if rival in y and model != rival:
                ahead = (y[rival] - y[model]).dropna()
                low, high = bootstrap_interval(ahead)
                row |= dict(against=rival, ahead=ahead.mean(), ahead_low=low, ahead_high=high, won=f'{(ahead > 0).sum()}/{len(ahead)}')
            base = rival if rival in times else None if isinstance(against, dict) else 'bicubic'
            if model in times and base: row |= dict(time=times[model] / times[base])
            out.append(row | {k: facts['models'].get(model, {}).get(k) for k in ('gmac', 'parameters')})
    return pd.DataFrame(out)

def show(path, against):
    "Print the tables of a file, and write the means beside it."
    table = Table(path)
    if not len(table.rows): raise TSRError(f'{path}: no scores in this file')
    if against and against not in set(table.rows.model): raise TSRError(f'{against}: not in {path}, which has {", ".join(table.rows.model.unique())}')
    found = means(table.rows, table.facts, against)
    with atomic_write(table.path.with_name(f'{table.path.stem}_means.csv')) as part: found.to_csv(part, index=False, float_format='%.4f')
    print(found.drop(columns='set').to_string(index=False, float_format='{:.3f}'.format))
    mark = {name: name + ('*' if name.split('_')[0] in SHARED else '') for name in table.rows.video}
    rows = table.rows.assign(video=table.rows.video.map(mark))
    for downscale, part in rows.groupby('downscale', sort=False):
        y = part.pivot(index=['set', 'video'], columns='model', values='psnr_y').astype(float)
        print(f'\n{downscale}: gain over bicubic (Y, dB); * the set of this clip is also one that our training clips are from')
        print(y.sub(y.bicubic, axis=0).drop(columns='bicubic').to_string(float_format='{:+.2f}'.format))
    print(f'\ncommits: {", ".join(table.rows.commit.unique())}; {", ".join(table.rows.cpu.unique())}; time: relative to {against or "bicubic"}, medians of frames scored side by side')

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest='task', required=True)
    for name in ('check', 'score', 'passes', 'table'):
        task = tasks.add_parser(name)
        if name in ('check', 'score'): task.add_argument('weights', help='folder of the published weights')
        if name == 'table': task.add_argument('scores'), task.add_argument('--against', help='model that the others are compared with')
        if name not in ('score', 'passes'): continue
        task.add_argument('--clips', nargs='+', required=True, help='folders, each a set')
        task.add_argument('--models', nargs='+', default=['default'], help='to score beside the published: as in `load_model`, or NAME=FILE')
        task.add_argument('--downscale', nargs='+', default=['area', 'bicubic'])
        task.add_argument('--precision', default='float32', help='of all networks')
        task.add_argument('--out', required=True)
        if name == 'score':
            task.add_argument('--networks', nargs='*', default=[*NETWORKS], choices=NETWORKS, help='which of the published ones')
            task.add_argument('--every', type=int, default=1, help='score every Nth frame')
            task.add_argument('--extra', nargs='*', default=[], help='tpsnr_y, vmaf')
    args = parser.parse_args()
    if args.task == 'check': check(args.weights)
    if args.task == 'table': show(args.scores, args.against)
    if args.task == 'passes': enlarge_twice(ours(args.models), args.clips, args.out, args.downscale, args.precision)
    if args.task == 'score':
        models = ours(args.models) | {name: network(name, args.weights) for name in args.networks}
        score(models, args.clips, args.out, args.downscale, args.every, args.precision, args.extra)

if __name__ == '__main__':
    try: main()
    except TSRError as e: sys.exit(str(e))
