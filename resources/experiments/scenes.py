"""The project's own dataset: short films of photographs and of drawn scenes.

    python resources/experiments/scenes.py --plan PHOTOS FOLDER            write the tables own_train.csv, own_test.csv, qhd.csv and fhd.csv into FOLDER
    python resources/experiments/scenes.py --film own_train.csv [PHOTOS]   make the films that a table lists, where they are not yet, beside it

PHOTOS holds `train` and `test`, and Debian's COPYRIGHT files, which say the licence of each photograph. A photograph is cut into pieces that
do not overlap, a film for each. A drawn scene needs no photograph: it is made of pictures that scikit-image installs.
"""
import argparse
import csv
import re
import sys
from functools import lru_cache
from pathlib import Path

import torch

from tsr.core import TSRError
from tsr.data import find_videos
from tsr.dataset import probe_source
from tsr.resample import to_bytes
from tsr.samples import SCENES, TEST_SCENES, TRAIN_SCENES, camera_path, photo_size, render_scene, render_view, sample_image
from tsr.video import write_frames

SIZE, FRAMES, DRAWN, FPS = (640, 360), 120, 24, 24 # of the films to train on, and how many of them are drawn
SCIKIT = 'as scikit-image installs them (BSD-3-Clause, public domain, CC0; see its data/README)'

def licences(
    folder # of the COPYRIGHT files
): # function: name of a photograph -> licence and author, in Debian's words
    "Who made a photograph, and what may be done with it."
    parts = [p for file in sorted(Path(folder).glob('COPYRIGHT*')) for p in re.split(r'\n\s*\n', file.read_text()) if p.startswith('Files:')]
    def of(name):
        found = next(p for p in parts if f'/{name}\n' in p)
        author, licence = (re.search(rf'^{k}: *(.*)', found, re.M)[1] for k in ('Copyright', 'License'))
        return f'{licence}; {re.sub("<.*?>", "", author).strip(" ´")}'
    return of

def pieces(
    width, height, # of a photograph
    size # (width, height) of a film
): # list of (left, top, right, bottom) that do not overlap
    "Where a camera has room for a film of its own."
    across, down = (max(1, int(n // (1.721 * m))) for n, m in zip((width, height), size)) # the camera sees at most 1.72 film widths
    w, h = width // across, height // down
    return [(x * w, y * h, (x + 1) * w, (y + 1) * h) for y in range(down) for x in range(across)]

@lru_cache(1)
def photograph(path): # float tensor (3, H, W)
    "A photograph as it is."
    from skimage import io, util
    return torch.from_numpy(util.img_as_float32(io.imread(path)))[..., :3].permute(2, 0, 1)

def pan(picture, t, seed, size, zoom):
    "What a camera sees that moves without turning: as much of the picture as there is."
    (H, W), (h, w), (x, y, *_) = picture.shape[-2:], size, camera_path(t, seed)
    return sample_image(picture, (W / 2 + x * (W - zoom * w) / 2, H / 2 + y * (H - zoom * h) / 2), zoom, 0, size)

def frames(
    row, # dict of text, of a table
    photos # folder in which its photograph is
): # iterator of uint8 (H, W, 3)
    "The film of a row."
    w, h, n, seed = (int(row[k]) for k in ('width', 'height', 'frames', 'seed'))
    if row['source'] in SCENES:
        SCENES.register((*SCENES[row['source']][:2], seed), name=row['name']) # the same pictures in another order
        yield from render_scene(row['name'], n, FPS, (h, w))
        return
    left, top, right, bottom = (int(row[k]) for k in ('left', 'top', 'right', 'bottom'))
    piece = photograph(Path(photos)/row['source'])[:, top:bottom, left:right]
    for i in range(n):
        yield to_bytes(pan(piece, i / FPS, seed, (h, w), float(row['zoom'])) if row['zoom'] else render_view(piece, i / FPS, seed, (h, w)))

def make(
    table, # path of a .csv file
    photos # folder of the photographs
): # `Path` of the folder of the films
    "Film what is missing."
    top = Path(table).with_suffix('')
    top.mkdir(exist_ok=True)
    with open(table, newline='') as f: rows = list(csv.DictReader(f))
    for row in rows:
        path = top/f'{row["name"]}.mp4'
        if path.exists() and len(probe_source(path).times) == int(row['frames']): continue
        write_frames(path, frames(row, photos), fps=FPS, crf=10, preset='veryfast')
    strangers = {p.stem for p in find_videos(top)} - {row['name'] for row in rows}
    if strangers: raise TSRError(f'{top}: holds films that {table} does not list: {", ".join(sorted(strangers)[:3])}')
    return top

def plan(
    photos, # folder with `train` and `test`
    out # folder of the tables
):
    "Write the four tables."
    photos, licence, tables = Path(photos), licences(photos), dict(own_train=[], own_test=[], qhd=[], fhd=[])
    def add(table, name, source, licence, size, frames=FRAMES, piece=('',) * 4, zoom=''):
        tables[table].append(dict(name=name, width=size[0], height=size[1], frames=frames, source=source, licence=licence, seed=len(tables[table]) + 100)
                             | dict(zip(('left', 'top', 'right', 'bottom'), piece)) | dict(zoom=zoom))
    for path in sorted((photos/'train').glob('*.jpg')):
        height, width = photograph(path).shape[-2:]
        for k, piece in enumerate(pieces(width, height, SIZE)): add('own_train', f'{path.stem}_{k}', path.name, licence(path.name), SIZE, piece=piece)
    for k in range(DRAWN): add('own_train', f'{TRAIN_SCENES[k % 2]}_{k // 2}', TRAIN_SCENES[k % 2], SCIKIT, SIZE)
    for path in sorted((photos/'test').glob('*.jpg')):
        height, width = photograph(path).shape[-2:]
        whole = 0, 0, width, height
        add('own_test', path.stem, path.name, licence(path.name), photo_size(width, height), 60, whole)
        for table, size in (('qhd', (2304, 1296)), ('fhd', (1920, 1080))): # .9 of the photograph at its own sharpness; .75 of that
            if width >= 2560 and height >= 1440: add(table, path.stem, path.name, licence(path.name), size, 25, whole, 2304 / size[0])
    for scene in TEST_SCENES: add('own_test', scene, scene, SCIKIT, (1280, 720), 60)
    for name, rows in tables.items():
        with open(Path(out)/f'{name}.csv', 'w', newline='') as f:
            writer = csv.DictWriter(f, rows[0], lineterminator='\n')
            writer.writeheader()
            writer.writerows(rows)

if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--plan', nargs=2, metavar=('PHOTOS', 'FOLDER'))
    parser.add_argument('--film', nargs='+', metavar=('TABLE', 'PHOTOS'))
    args = parser.parse_args()
    try:
        if args.plan: plan(*args.plan)
        if args.film: make(args.film[0], (args.film[1:] or [''])[0])
    except TSRError as e: sys.exit(str(e))
