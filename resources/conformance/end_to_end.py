#!/usr/bin/env python
"""Clips as people have them, from file to file, to look at: `python resources/conformance/end_to_end.py FOLDER [--source VIDEO] [--model light]`

HDR10, HLG, an interlaced DVD, a phone (rotated, 10 bit, variable rate), WMV, AVI (B-frames, MP3) and DV are made from a video (none: the package's
sample scene) by the FFmpeg of imageio-ffmpeg, upscaled by `tsr upscale`, and read by that FFmpeg again. Its lines about source and result are printed;
NAME.png shows frames of the source, enlarged by bicubic interpolation, above those of the result. HDR is shown tone-mapped by that FFmpeg.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from conformance import compare
from files import ffmpeg, look
from PIL import Image

from tsr.samples import TEST_SCENES, make_sample

SOUND = '-f lavfi -i sine=440:r=48000:d=2'
HDR = '-vf zscale=tin=bt709:min=bt709:pin=bt709:rin=limited:t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020:t={0}:m=bt2020nc:r=limited:npl=203,format=yuv420p10le'
X265 = '-c:v libx265 -preset veryfast -tag:v hvc1 -x265-params log-level=none:repeat-headers=1'
LIGHT = ':master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400'
TAGS = '-color_primaries bt2020 -color_trc {0} -colorspace bt2020nc'
UNEVEN = r'select=not(mod(n\,2))+gt(n\,30)*not(mod(n\,3))'
CLIPS = { # name: (words for FFmpeg, file, suffix of the result)
    'hdr10': (f'{HDR} {X265}{LIGHT} {TAGS} -c:a aac'.format('smpte2084'), 'hdr10.mp4', 'mp4'),
    'hlg': (f'{HDR} {X265} {TAGS} -c:a aac'.format('arib-std-b67'), 'hlg.mkv', 'mkv'),
    'dvd': ('-vf setpts=N/50/TB,scale=720:576,setsar=64/45,interlace=scan=tff -t 1 -target pal-dvd -flags +ildct+ilme', 'dvd.vob', 'mkv'),
    'phone': (f'-vf transpose=2,{UNEVEN},format=yuv420p10le -fps_mode vfr {X265} -c:a aac', 'phone.mov', 'mov'),
    'wmv': ('-vf scale=640:-2 -c:v wmv2 -b:v 3M -c:a wmav2 -metadata title=Holiday', 'home.wmv', 'mp4'),
    'avi': ('-vf scale=640:-2 -c:v mpeg4 -bf 2 -vtag XVID -q:v 4 -c:a libmp3lame', 'home.avi', 'mp4'),
    'dv': ('-vf setpts=N/50/TB,scale=720:576,setsar=16/15,interlace=scan=bff -t 1 -target pal-dv', 'tape.avi', 'mkv'),
}

def make(name, source, folder): # path
    "The clip of a name."
    words, file, _ = CLIPS[name]
    ffmpeg(f'-t 2 -i {source} {SOUND} -map 0:v -map 1:a {words} {"upright_" * (name == "phone")}{file}', folder)
    if name == 'phone': ffmpeg(f'-display_rotation 270 -i upright_{file} -map 0 -c copy -metadata:s:v handler_name=phone {file}', folder)
    return folder/file

def pictures(path, numbers, scale=''): # list of arrays (H, W, 3)
    "Frames of a video as the independent FFmpeg shows them."
    facts, out = look(path).facts, []
    hdr = 'zscale=t=linear:npl=203,tonemap=hable,zscale=p=bt709:t=bt709:m=bt709:r=limited,' if re.search('smpte2084|arib-std-b67', facts) else ''
    for i in numbers:
        picture = path.with_name(f'{path.stem}_{i}.png')
        ffmpeg(fr'-i {path} -vf select=eq(n\,{i}),{hdr}scale=iw*sar:ih,setsar=1{scale},format=rgb24 -frames:v 1 {picture}', path.parent)
        out.append(np.asarray(Image.open(picture)))
        picture.unlink()
    return out

def montage(source, result, path, numbers, crop=300):
    "Whole frames, each beside the part at its own size in which most moves: above the source, enlarged, below the result."
    new = pictures(result, numbers)
    height, width = new[0].shape[:2]
    old = pictures(source, numbers, f',scale={width}:{height}:flags=bicubic')
    whole = [np.asarray(Image.fromarray(f).resize((round(crop * width / height), crop))) for f in (*old, *new)]
    moves = np.abs(np.subtract(*new, dtype=np.float32)).mean(2)
    places = [(y, x) for y in range(0, height - crop, crop // 4) for x in range(0, width - crop, crop // 4)]
    top, left = max(places, key=lambda at: moves[at[0]:at[0] + crop, at[1]:at[1] + crop].mean())
    parts = [f[top:top + crop, left:left + crop] for f in (*old, *new)]
    Image.fromarray(np.vstack([np.hstack([x for pair in zip(whole[i:i + 2], parts[i:i + 2]) for x in pair]) for i in (0, 2)])).save(path)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--source', type=Path, help='a video of at least two seconds')
    parser.add_argument('--model', default='light')
    parser.add_argument('--only', default='', help='regular expression of the names of the clips')
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    folder = args.folder.resolve()
    source = args.source and args.source.resolve()
    if source is None: make_sample(TEST_SCENES[0], source := folder/'sample.mp4')
    for name in CLIPS:
        if not re.search(args.only, name): continue
        clip = make(name, source, folder)
        dst = folder/f'{name}_result.{CLIPS[name][2]}'
        run = subprocess.run([sys.executable, '-m', 'tsr', 'upscale', clip, '-o', dst, '--model', args.model, '--preset', 'veryfast', '--existing', 'overwrite'],
                             capture_output=True, text=True)
        print(f'== {name}\n{run.stdout}{run.stderr[-1500:] if run.returncode else re.sub(r".*[|].*", "", run.stderr).strip()}')
        if run.returncode: continue
        before, after = look(clip), look(dst)
        class case: times = lasts = frames = None; facts = ''; sound = True
        print(before.facts, '->', after.facts, f'differences: {compare(case, before, after) or "none"}', sep='\n', flush=True)
        montage(clip, dst, folder/f'{name}.png', [len(after.times) // 4, len(after.times) * 3 // 4])

if __name__ == '__main__': main()
