"""Where the networks help, where they harm, and where even the best is far from the truth: `python resources/experiments/crops.py`

Of clips that may be shown (two of the test clips, four photographs that a camera moves over, our own sample clips) a few frames are cut into square
crops, and the code picks some of them: the most and the least squared error that `default` takes off bicubic's, and the most that it leaves. Writes a picture for each
of the three, resources/figures/crops_<what>.jpg, a clip of the sample scene side by side, resources/figures/sample.mp4, and what was picked and how often
`default` and `default@area` harm into resources/results/crops.csv and crops.json. TSR_CLIPS and TSR_ORIGINAL name the folders of the clips and of the original's weights.
"""
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from benchmark import RESULTS, originals
from PIL import Image, ImageDraw, ImageFont
from tqdm.auto import tqdm

from tsr.dataset import MultiVideoDataset
from tsr.losses import psnr
from tsr.model import load_model
from tsr.resample import to_bytes, to_float
from tsr.samples import TEST_SCENES, make_sample
from tsr.training import git_commit
from tsr.video import write_frames

FIGURES = Path(__file__).parents[1]/'figures'
CLIPS = Path(os.environ.get('TSR_CLIPS', 'TSR_CLIPS'))
PHOTOS = 'Bridge_by_Sander_Klootwijk.jpg', 'Kleiber_by_Lukas_Baubkus.jpg', 'Wine_by_Jakkub_Mede.jpg', 'picosdeeuropa_by_Aitzol_Berasategi.jpg'
GROUPS = dict(bunny=[CLIPS/'test'/'bunny.mp4'], dashcam=[CLIPS/'test'/'dashcam_3.mp4'], photographs=[CLIPS/'photos'/'test'/name for name in PHOTOS],
              samples=[*map(make_sample, TEST_SCENES)])
SIDE, ZOOM, FRAMES = 80, 2, 4 # pixels of a crop, how large each is shown, frames looked at in each clip
WHAT = dict(helps='most squared error taken off bicubic', harms='most squared error added to bicubic', far='most squared error left')

def crop_errors(
    error # (C, H, W) squared error
): # (rows, columns) of means, of crops that overlap by half; a border of 8 is left out
    "Mean squared error of each crop."
    return F.avg_pool2d(error.mean(0)[None, None, 8:-8, 8:-8], SIDE, SIDE // 2)[0, 0]

@torch.inference_mode()
def look(models, path): # iterator of (frame's number, its pictures as float (C, H, W), error of each model by crop)
    "A few frames of a clip, as each model draws them."
    k = max(m.frames_back for m in models.values())
    data = MultiVideoDataset([path], k, k, segment=1)
    for i in np.linspace(0, len(data) - 1, FRAMES + 2).round().astype(int)[1:-1].tolist():
        window, truth = data[i]
        made = {name: to_float(to_bytes(m(window[None, k - m.frames_back:k + 1 + m.frames_forward])[0])) for name, m in models.items()}
        yield i, {'low resolution': load_model('nearest')(window[None, k:k + 1])[0], **made, 'ground truth': truth}, {name: crop_errors((x - truth).square()) for name, x in made.items()}

OURS = 'default', 'default@area'

def find(models, group): # dict: what -> facts and pictures of the crop; number of crops, and of those that each of ours harms
    "The crops of a group."
    best, seen, harmed = {}, 0, dict.fromkeys(OURS, 0)
    for path in GROUPS[group]:
        for i, pictures, errors in look(models, path):
            gain = errors['bicubic'] - errors['default']
            seen, harmed = seen + gain.numel(), {name: n + int((errors[name] > errors['bicubic']).sum()) for name, n in harmed.items()}
            for what, measure in dict(helps=gain, harms=-gain, far=errors['default']).items():
                if what in best and measure.max() <= best[what]['error']: continue
                row, column = divmod(int(measure.argmax()), measure.shape[1])
                top, left = 8 + row * SIDE // 2, 8 + column * SIDE // 2
                cut = {name: x[:, top:top + SIDE, left:left + SIDE] for name, x in pictures.items()}
                best[what] = dict(clip=path.stem, frame=i, top=top, left=left, error=measure.max().item(), cut=cut)
    return best, seen, harmed

def decibels(cut, name): return psnr(cut[name][None], cut['ground truth'][None]).item()

def draw(
    rows, # list of dicts of pictures (C, SIDE, SIDE)
    path # of the .jpg
):
    "A row for each crop, its decibels above each picture."
    size, head, gap, font = SIDE * ZOOM, 18, 4, ImageFont.load_default(size=12)
    sheet = Image.new('RGB', (len(rows[0]) * (size + gap) + gap, len(rows) * (size + head + gap)), 'white')
    pen = ImageDraw.Draw(sheet)
    for y, cut in enumerate(rows):
        for x, name in enumerate(cut):
            place = gap + x * (size + gap), y * (size + head + gap)
            pen.text((place[0], place[1] + 2), name if name in ('low resolution', 'ground truth') else f'{name} {decibels(cut, name):.1f} dB', 'black', font)
            sheet.paste(Image.fromarray(to_bytes(cut[name])).resize((size, size), Image.Resampling.NEAREST), (place[0], place[1] + head))
    sheet.save(path, quality=92, subsampling=0)

def render_scene(models, path):
    "Bicubic, the default and the truth beside each other, a part of the sample scene."
    k = models['default'].frames_back
    rows, cols, data = slice(60, 340), slice(470, 750), MultiVideoDataset(make_sample(TEST_SCENES[0]), k, k)
    def frames():
        for window, truth in (data[i] for i in range(len(data))):
            with torch.inference_mode(): made = [models['bicubic'](window[None, k:k + 1])[0], models['default'](window[None])[0], truth]
            yield to_bytes(torch.cat([x[:, rows, cols] for x in made], 2))
    write_frames(path, frames(), fps=24, crf=26, preset='slow')

def main():
    models, rows = dict(bicubic=load_model('bicubic'), original=load_model(originals()['original']), **{name: load_model(name) for name in OURS}), []
    found = {group: find(models, group) for group in tqdm(GROUPS, 'crops')}
    for what in WHAT:
        best = {group: f[0][what] for group, f in found.items()}
        draw([b['cut'] for b in best.values()], FIGURES/f'crops_{what}.jpg')
        rows += [dict(what=what, group=group, **{k: b[k] for k in ('clip', 'frame', 'top', 'left')}, **{name: round(decibels(b['cut'], name), 2) for name in models}) for group, b in best.items()]
    pd.DataFrame(rows).to_csv(RESULTS/'crops.csv', index=False)
    about = dict(side=SIDE, frames=FRAMES, downscale='area', crops={g: f[1] for g, f in found.items()}, harmed={name: {g: f[2][name] for g, f in found.items()} for name in OURS}, commit=git_commit())
    (RESULTS/'crops.json').write_text(json.dumps(about, indent=1) + '\n')
    render_scene(models, FIGURES/'sample.mp4')

if __name__ == '__main__': main()
