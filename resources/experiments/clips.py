"""The page of clips in nbs/01_data.ipynb: `python resources/experiments/clips.py FOLDER`

FOLDER holds train/, test/, vid4/ and photos/train/, photos/test/. Size, rate and number of frames are read from the files; content, source and licence are
listed below. Writes resources/results/clips.csv, a row for each clip, and resources/figures/clips.webp, one under the other the thumbnails of those clips whose
licence allows that they are shown, in the order of the table.
"""
import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tsr.core import atomic_write
from tsr.data import find_videos, is_photo
from tsr.samples import PHOTO_FPS, PHOTO_FRAMES, SCENES, TRAIN_SCENES, make_sample, photo_frames, photo_size
from tsr.video import probe, read_frames

RESOURCES = Path(__file__).parents[1]
WIDTH, HEIGHT = 160, 90 # of a thumbnail, pixels

SOURCES = { # prefix of a name: content, source, licence, may be shown
    'davis': ('sport, animals, cars: sharp, fast', 'DAVIS 2016', 'research, non-commercial', False),
    'uav': ('from a drone, 10 frames a second', 'UAV123', 'research', False),
    'street': ('driving through a town', 'Cityscapes', 'non-commercial', False),
    'dashcam': ('motorway', 'udacity CarND-Vehicle-Detection', 'MIT', True),
    'dance': ('people in a street, hand-held', 'SA-V sample of facebookresearch/sam3', 'SAM licence', False),
    'dog': ('hands and people', 'demo gallery of facebookresearch/sam2', 'Apache-2.0 repository', False),
    'cups': ('hands and people', 'demo gallery of facebookresearch/sam2', 'Apache-2.0 repository', False),
    'coffee': ('hands and people', 'demo gallery of facebookresearch/sam2', 'Apache-2.0 repository', False),
    'rain': ('water', 'stock', 'unknown', False),
    'waterfall': ('water', 'stock', 'unknown', False),
    'brook': ('water', 'stock', 'unknown', False),
    'bunny': ('Big Buck Bunny, computer-made', 'Blender Foundation', 'CC-BY 3.0', True)}
VID4 = ('fine texture', "Vid4, the field's standard test set", 'research', False)
SAMPLE = ('photographs on a wall, virtual camera', 'scikit-image; rendered by tsr.samples', 'see scikit-image', True)

LOMIRI, MATE = 'lomiri-wallpapers', 'mate-backgrounds'
PHOTOS = { # name: author, source, licence
    'Dragonfly_by_Bolly': ('Bolly', LOMIRI, 'CC-BY-SA 4.0'),
    'Bridge_by_Sander_Klootwijk': ('Sander Klootwijk', LOMIRI, 'CC-BY-SA 4.0'),
    'Kleiber_by_Lukas_Baubkus': ('Lukas Baubkus', LOMIRI, 'CC-BY-SA 3.0'),
    'Wine_by_Jakkub_Mede': ('Jakub Mede', LOMIRI, 'CC-BY 4.0'),
    'seeding_by_Clements_Engelhardt': ('Clemens Engelhardt', LOMIRI, 'CC0 1.0')}
PHOTOS |= {f'{name}_by_Peter_Nerlich': ('Peter Nerlich', LOMIRI, 'CC-BY-SA 4.0') for name in ('free', 'greentock')}
PHOTOS |= {f'{name}_by_Aitzol_Berasategi': ('Aitzol Berasategi', LOMIRI, 'CC-BY 4.0')
           for name in ('aitzgorri', 'friends', 'life', 'picosdeeuropa', 'sunset')}
PHOTOS |= {f'{name}_by_freespace': ('Trevor "Freespace"', LOMIRI, 'CC-BY 4.0') for name in ('Picture_0B', 'Picture_1A')}
PHOTOS |= {name: (author, MATE, 'GPL-2+') for name, author in dict(
    Aqua='Charles Barbin', LadyBird='Charles Barbin', YellowFlower='Charles Barbin', Garden='Charles Barbin', Blinds='Lennart Poettering, Andrea Cimitan',
    Dune='Marco Cogoni, Hylke Bons', FreshFlower='Jens Ansorg', GreenMeadow='Timothy Schellhase, Lapo Calamandrei', RainDrops='blackcombwhistler07',
    Storm='Sergey Nazarov', TwoWings='Charles Barbin, Hylke Bons', Wood='Jean-François Fortin Tam').items()}

def describe(
    path, # of a clip
    split # what it is for
): # dict, a row of the table
    "What is known of a clip."
    scene = path.stem.split('_')[0]
    if is_photo(path):
        author, source, licence = PHOTOS[path.stem]
        (width, height), fps, frames = photo_size(*Image.open(path).size), PHOTO_FPS, PHOTO_FRAMES
        kind, content, source, shown = 'photograph', 'a camera moves over a photograph', f'{author}; {source}', True
    else:
        info = probe(path)
        width, height, fps, frames = info.width, info.height, float(info.fps), info.frames
        kind = 'sample' if scene in SCENES else 'video'
        content, source, licence, shown = SAMPLE if kind == 'sample' else VID4 if split == 'benchmark' else SOURCES[scene]
    return dict(clip=path.stem.split('_by_')[0] if kind != 'sample' else scene, kind=kind, split=split, width=width, height=height, fps=round(fps, 2), frames=frames,
                content=content, source=source, licence=licence, shown=shown)

def thumbnail(path): # `PIL.Image`
    "A small picture of the middle of a clip, its sides or top and bottom cut off."
    frame = next(photo_frames(path, 1)) if is_photo(path) else next(read_frames(path, start=probe(path).duration / 2)).image
    h, w = frame.shape[:2]
    height, width = min(h, w * HEIGHT // WIDTH), min(w, h * WIDTH // HEIGHT)
    top, left = (h - height) // 2, (w - width) // 2
    return Image.fromarray(frame[top:top + height, left:left + width]).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    folder = parser.parse_args().folder
    clips = [(path, split) for name, split in {'train': 'train', 'test': 'test', 'vid4': 'benchmark', 'photos/train': 'train', 'photos/test': 'test'}.items()
             for path in find_videos(folder/name)]
    clips += [(make_sample(scene), 'train' if scene in TRAIN_SCENES else 'test') for scene in SCENES]
    rows = [describe(*clip) for clip in clips]
    pictures = [thumbnail(path) for (path, _), row in zip(clips, rows) if row['shown']]
    with atomic_write(RESOURCES/'results'/'clips.csv') as part: pd.DataFrame(rows).to_csv(part, index=False)
    with atomic_write(RESOURCES/'figures'/'clips.webp') as part: Image.fromarray(np.concatenate(pictures)).save(part, 'WEBP', quality=70, method=6)

if __name__ == '__main__': main()
