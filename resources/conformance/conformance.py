"""Conformance: `python resources/conformance/conformance.py [--only WORDS] [--out resources/results [--resume]]`

Each case is a file made by an FFmpeg that is independent of ours, the program of imageio-ffmpeg. It is upscaled (bicubic, since the network is not
what is asked), and the independent FFmpeg says what it sees in source and result. The same file goes through a plain OpenCV loop and a plain imageio loop.
The table says for each case what is expected and what was found; `--out` keeps it as `conformance.csv`, and the command fails if a row of ours is not
as expected.
"""
import argparse
import re
import sys
import tempfile
import warnings
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import cv2
import files
import imageio.v2 as imageio
import pandas as pd
from files import H264, SOUND, ffmpeg, look, picture

from tsr.core import TSRError, write_json, write_table
from tsr.inference import Upscaler
from tsr.training import git_commit

AAC, MP3 = '-c:a aac', '-c:a libmp3lame'

class Case:
    "A file and what is expected of its result."
    def __init__(self, name, commands, to='mp4', times=None, lasts=None, facts='', frames=None, sound=True, said=''):
        self.name, self.commands, self.to = name, commands, to # commands: list of words for FFmpeg, the last one makes the file
        self.times, self.lasts = times, lasts # seconds since the first frame, and until the end of the last; None: as in the source
        self.facts, self.frames, self.sound = facts, frames, sound # regular expression of what is said of the result; number, if nothing is known of times
        self.said = said # regular expression of a warning

    @property
    def path(self): return self.commands[-1].split()[-1]

def made(words, name): return [f'{picture()} {SOUND} {words} {name}']

def even(n, rate=25): return [i / rate for i in range(n)]

def all_cases():
    "The table's rows."
    for rate in '12 24000/1001 24 25 30000/1001 30 50 60000/1001 60 120 240'.split():
        for to in 'mp4', 'mkv':
            name = f'{float(Fraction(rate)):.5g} frames per second, {to}'
            yield Case(name, [f'{picture(rate, 1)} {SOUND} -t 1 {H264} {AAC} rate.{to}'], to)
    for suffix, words in dict(files.CONTAINERS, mpg='-c:v mpeg2video -g 12 -c:a mp2', flv=f'{H264} {AAC}', wmv='-c:v wmv2 -c:a wmav2', ogv='-c:v libtheora -c:a libvorbis',
                              vob='-c:v mpeg2video -g 12 -c:a ac3', **{'3gp': f'{H264} {AAC}'}).items():
        for to in ('mp4', 'mkv'): yield Case(f'{suffix} to {to}', made(words, f'whole.{suffix}'), to)
    base = made(f'{H264} {AAC}', 'base.mp4')
    uneven = r"-vf select=not(mod(n\,2))+gt(n\,40)*not(mod(n\,3)) -fps_mode vfr"
    for suffix in 'mp4', 'mkv': yield Case(f'variable rate, {suffix}', [f'{picture(50)} {SOUND} {uneven} {H264} {AAC} vfr.{suffix}'], suffix)
    yield Case('picture starts one second after the sound', [*base, '-itsoffset 1 -i base.mp4 -i base.mp4 -map 0:v -map 1:a -c copy late.mp4'])
    yield Case('sound starts one second after the picture', [*base, '-itsoffset 1 -i base.mp4 -i base.mp4 -map 1:v -map 0:a -c copy later.mp4'])
    yield Case('cut without encoding, edit list', [*base, '-ss 0.7 -i base.mp4 -map 0 -c copy edit.mp4'])
    yield Case('cut without encoding, to mkv', [*base, '-ss 0.7 -i base.mp4 -map 0 -c copy edit2.mp4'], 'mkv')
    yield Case('cut out of an open GOP', [f'{picture()} {SOUND} {H264} -x264-params open-gop=1:keyint=12:bframes=3 {AAC} open.mkv',
                                          '-ss 0.9 -i open.mkv -map 0 -c copy cut.mkv'], 'mkv')
    yield Case('negative times, mkv', [*base, '-i base.mp4 -c copy -output_ts_offset -1 -avoid_negative_ts disabled negative.mkv'], times=even(50), sound=False)
    slides = r"-vf settb=1/1000,setpts=N*1300 -fps_mode passthrough -enc_time_base 1/1000"
    yield Case('slide show', [f'{picture(1, 4)} {slides} {H264} slides.mp4'])
    yield Case('DV tape', ['-f lavfi -i testsrc2=s=720x576:r=25:d=0.4 -f lavfi -i sine=440:r=48000:d=0.4 -ac 2 -c:v dvvideo -pix_fmt yuv420p tape.dv'], 'mkv', times=even(10))
    yield Case('two recordings in one ts', [f'{picture()} {SOUND} {H264} {AAC} one.ts', '-i concat:one.ts|one.ts -c copy -f mpegts two.ts'])
    yield Case('odd size', [f'{picture()} {SOUND} -vf format=yuv444p,scale=97:65,setsar=1 -c:v libx264 {AAC} odd.mp4'], facts='194x130')
    yield Case('rotated', [*base, '-display_rotation 90 -i base.mp4 -c copy turned.mp4'], facts='128x192')
    yield Case('pixels that are not square', [f'{picture(size="72x58")} {SOUND} -vf setsar=16/11 {H264} {AAC} wide.mp4'], facts='208x116|210x116')
    yield Case('two sound tracks with languages', [f'{picture()} {SOUND} {SOUND} -map 0 -map 1 -map 2 {H264} {AAC} -metadata:s:a:0 language=eng -metadata:s:a:1 language=fra two.mp4'],
               facts=r'(?s)\(eng\).*\(fra\)')
    for depth, name, transfer in ('10', 'HDR10', 'smpte2084'), ('10', 'HLG', 'arib-std-b67'):
        tags = f'colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc' # FFmpeg's own options reach only the matrix
        yield Case(name, [f'{picture()} {SOUND} -c:v libx265 -preset ultrafast -x265-params log-level=none:{tags} -pix_fmt yuv420p{depth}le {AAC} hdr.mp4'],
                   facts=f'p10le.*bt2020nc/bt2020/{transfer}')
    yield Case('BT.709 under 720 lines', [f'{picture()} {SOUND} {H264} -color_primaries bt709 -color_trc bt709 -colorspace bt709 {AAC} tagged.mp4'], facts='bt709')
    yield Case('phone: 10 bit, rotated, variable rate', [f'{picture(50)} {SOUND} {uneven} -c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le {AAC} tall.mp4',
                                                         '-display_rotation 90 -i tall.mp4 -c copy phone.mp4'], facts='p10le.*128x192')
    yield Case('interlaced DVD', [f'{picture(50)} {SOUND} -vf interlace -c:v mpeg2video -flags +ildct+ilme -b:v 2M -c:a ac3 dvd.mpg'], 'mkv')
    yield Case('alpha, webm', [f'{picture()} -vf format=yuva420p,colorchannelmixer=aa=0.5 -pix_fmt yuva420p -c:v libvpx-vp9 -cpu-used 8 -deadline realtime alpha.webm'], 'webm', facts='alpha is 1[23]. of 255')

def damaged_cases(folder):
    "Files that promise more than they hold."
    for suffix, path in files.make_containers(folder).items():
        # like a long file: FFmpeg finds no place to go on before the next cluster of Matroska; and an MP4 begins with its index
        words = {'mkv': '-cluster_time_limit 200', 'webm': '-cluster_time_limit 200', 'mp4': '-movflags faststart', 'mov': '-movflags faststart'}
        ffmpeg(f'-i {path} -c copy {words.get(suffix, "")} long.{suffix}', folder)
        whole = (folder/f'long.{suffix}').read_bytes()
        hole, frames = bytearray(whole), len(look(path).times)
        hole[len(hole) // 2:len(hole) // 2 + 3000] = bytes(3000)
        (folder/f'hole.{suffix}').write_bytes(hole)
        yield Case(f'3,000 bytes of zeros, {suffix}', [f'hole.{suffix}'], 'mkv', frames=frames, sound=False, said='is damaged')
        (folder/f'half.{suffix}').write_bytes(whole[:len(whole) // 2])
        said = r'ends at \d.\d\d s of 2.\d\d s|cannot be read after' if suffix != 'ts' else '' # a transport stream does not say how long it is
        yield Case(f'cut in the middle, {suffix}', [f'half.{suffix}'], 'mkv', frames=len(look(folder/f'half.{suffix}').times), sound=False, said=said)

def refused_cases(folder):
    "What is no video, and what is to be said."
    (folder/'list.m3u8').write_text('#EXTM3U\n#EXTINF:4,\nbase.mp4\n#EXT-X-ENDLIST\n')
    (folder/'text.mp4').write_text('Once upon a time')
    (folder/'empty.mp4').touch()
    ffmpeg(f'{SOUND} {AAC} sound.m4a', folder)
    return {'list.m3u8': 'is text', 'text.mp4': 'is text', 'empty.mp4': 'is empty', 'sound.m4a': 'no video stream', 'missing.mp4': 'no such file'}

def opencv_loop(src, dst):
    "What most scripts do."
    reader, writer = cv2.VideoCapture(str(src)), None
    while True:
        good, frame = reader.read()
        if not good: break
        frame = cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        if writer is None: writer = cv2.VideoWriter(str(dst), cv2.VideoWriter_fourcc(*'mp4v'), reader.get(cv2.CAP_PROP_FPS), frame.shape[1::-1])
        writer.write(frame)
    if writer: writer.release()

def imageio_loop(src, dst):
    "The same with imageio-ffmpeg's pipes."
    with imageio.get_reader(src, 'ffmpeg') as reader, imageio.get_writer(dst, fps=reader.get_meta_data()['fps']) as writer:
        for frame in reader: writer.append_data(cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))

def compare(case, source, result): # text of what was found, '' if all is as expected
    "Differences of a result from what is expected."
    found = []
    times = case.times or source.times
    if case.frames or len(times) != len(result.times):
        wanted = case.frames or len(times)
        if len(result.times) != wanted: found.append(f'{len(result.times)} frames of {wanted}')
    elif (late := max(abs(a - b) for a, b in zip(times, result.times))) > .0011: found.append(f'times differ by up to {1e3 * late:.0f} ms')
    if not case.frames and not case.times and abs(source.lasts - result.lasts) > .0021: found.append(f'lasts {result.lasts:.3f} s, not {source.lasts:.3f}')
    if case.sound: found += compare_sound(source, result)
    if case.facts and not re.search(case.facts, result.facts): found.append(f'not {case.facts}: ' + ' | '.join(re.findall(r'Video: (.*?), \d+ kb', result.facts)))
    return '; '.join(found)

def compare_sound(before, after):
    if len(before.sound) != len(after.sound): return [f'{len(after.sound)} sound tracks of {len(before.sound)}'] if after.sound or before.sound else []
    found = []
    for i, ((old, *times), (new, *new_times)) in enumerate(zip(before.sound, after.sound)):
        if old != new: times, new_times = before.heard(i), after.heard(i) # converted: the run-in of an encoder is silent
        # FFmpeg plays the last packet of Opus and of Vorbis in MP4 whole, also in files of its own, although they say that it ends before
        whole_packet = re.search('Audio: (opus|vorbis)', after.facts) and after.path.suffix == '.mp4'
        for name, a, b in zip(('starts', 'ends'), times, new_times):
            if name == 'ends' and whole_packet and 0 <= b - a < .02: continue
            if abs(a - b) > .0011: found.append(f'sound {name} {1e3 * abs(a - b):.0f} ms {"late" if b > a else "early"}')
    return found

def described(case, source):
    "What is expected, in words."
    n = case.frames or len(case.times or source.times)
    parts = [f'{n} frames'] + ['each at its time, to 1 ms'] * (not case.frames) + [f'{len(source.sound)} sound tracks, in step to 1 ms'] * bool(case.sound and source.sound)
    return ', '.join([*parts, *[case.facts] * bool(case.facts), *['one line says what is missing'] * bool(case.said)])

def attempt(job, case, src, source, dst):
    "What a way of upscaling makes of a file, in words."
    with suppress(FileNotFoundError): dst.unlink()
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter('always')
            job(src, dst)
        silent = case.said and not any(re.search(case.said, str(w.message)) for w in heard)
        return '; '.join(filter(None, [compare(case, source, look(dst)), 'nothing is said of the damage' * bool(silent)])) or 'as expected'
    except (Exception, SystemExit) as e: return f'no result: {str(e).splitlines()[0][:120] if str(e) else type(e).__name__}'

def run(case, folder, upscaler, others=True):
    "One row."
    for words in case.commands:
        if ' ' in words: ffmpeg(words, folder)
    src = folder/case.path
    source = look(src)
    ways = dict(found=lambda src, dst: upscaler.video(src, dst, progress=False, preset='ultrafast'))
    if others: ways |= {'plain OpenCV loop': opencv_loop, 'plain imageio loop': imageio_loop}
    ends = {name: attempt(job, case, src, source, folder/f'{name.split()[-1]}.{case.to if name == "found" else "mp4"}') for name, job in ways.items()}
    return dict(case=case.name, expected=described(case, source), **ends, commit=git_commit())

def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', default='', help='regular expression of the names of the cases to run')
    parser.add_argument('--ours', action='store_true', help='leave out the two plain loops')
    parser.add_argument('--out', default='', help='folder for conformance.csv and conformance.json; none: they are not written')
    parser.add_argument('--resume', action='store_true', help='keep the rows of that table, and run only the cases that it lacks')
    args = parser.parse_args(arguments)
    rows, upscaler = [], Upscaler('bicubic', 'cpu')
    if args.resume: rows = pd.read_csv(Path(args.out)/'conformance.csv').to_dict('records')
    done = {row['case'] for row in rows}
    with tempfile.TemporaryDirectory(prefix='tsr-conformance-') as name:
        for row in table_rows(Path(name), upscaler, args.only, not args.ours, done):
            rows.append(row)
            print(f'{row["case"]}: {row["found"]}', flush=True)
            if args.out: keep(rows, args.out)
    table = pd.DataFrame(rows)
    bad = table[table.found != 'as expected']
    print(f'{len(table) - len(bad)} of {len(table)} cases as expected')
    for name in table.columns[3:].drop('commit'): print(f'{name}: {(table[name] == "as expected").sum()} of {table[name].notna().sum()}')
    if len(bad): sys.exit(bad[['case', 'expected', 'found']].to_string(index=False))

def table_rows(folder, upscaler, only, others, done=()): # iterator of dicts
    "The rows of the cases whose names match, but not of those that are done."
    for case in [*all_cases(), *damaged_cases(folder)]:
        if re.search(only, case.name) and case.name not in done: yield run(case, folder, upscaler, others)
    for file, words in refused_cases(folder).items() if re.search(only, 'refused') else ():
        if f'refused: {file}' in done: continue
        try: found = str(upscaler.video(folder/file, folder/'out.mp4', progress=False))
        except TSRError as e: found = str(e).replace(f'{folder}/', '')
        yield dict(case=f'refused: {file}', expected=words, found='as expected' if words in found and '\n' not in found else found, commit=git_commit())

def keep(rows, out):
    "Write the table, after each case: a long run that is stopped has what it got."
    write_table(Path(out)/'conformance.csv', rows)
    good = sum(row['found'] == 'as expected' for row in rows)
    command = 'python resources/conformance/conformance.py --out resources/results'
    write_json(Path(out)/'conformance.json', dict(command=command, commits=sorted({row['commit'] for row in rows}), cases=len(rows), as_expected=good))

if __name__ == '__main__': main()
