"""What the conformance scripts share: FFmpeg independent of ours (the program of imageio-ffmpeg) makes the files and reads the results"""
import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np

SOUND = '-f lavfi -i sine=440:r=48000:d=2'
H264 = '-c:v libx264 -preset ultrafast -g 25 -bf 2 -pix_fmt yuv420p'

def picture(rate=25, seconds=2, size='96x64'): # words for FFmpeg
    "A moving test picture, no frame of which is like another."
    return f'-f lavfi -i testsrc2=s={size}:r={rate}:d={seconds}'

def ffmpeg(command, cwd): # bytes of stdout
    "Run the independent FFmpeg with the words of a command."
    words = [imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-y', *command.split()]
    run = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True)
    if run.returncode: raise RuntimeError(f'{command}: {run.stderr.decode()[-500:]}')
    return run.stdout

@dataclass
class Seen:
    "What the independent FFmpeg sees in a file."
    times: list # seconds since the first frame
    lasts: float # seconds from the first frame to the end of the last one
    sound: list # of tracks: (hashes of packets, seconds from the first frame to its start, to its end)
    facts: str # its lines about the streams
    path: Path

    def heard(self, track): # (seconds from the first frame to the first loud sample, to the last one)
        "Where the tone of a sound track begins and ends, whatever silence an encoder has put around it."
        words = f'-copyts -i {self.path} -map 0:a:{track} -af aresample=48000:async=1:min_hard_comp=0.003:first_pts=0 -ac 1 -f f32le -'
        loud = np.flatnonzero(np.abs(np.frombuffer(ffmpeg(words, self.path.parent), np.float32)) > .06)
        begin = float(min(t for t, _, _ in _hashes(self.path, 'v:0')))
        return loud[0] / 48000 - begin, (loud[-1] + 1) / 48000 - begin

def _hashes(path, stream, copy=False): # list of (time, end, hash)
    words = f'-copyts -i {path} -map 0:{stream} {"-c copy" if copy else ""} -fps_mode passthrough -enc_time_base demux -f framemd5 -'
    rows, tick = [], Fraction(1)
    for line in ffmpeg(words, Path(path).parent).decode().splitlines():
        if found := re.match(r'#tb 0: (\d+)/(\d+)', line): tick = Fraction(int(found[1]), int(found[2]))
        elif not line.startswith('#'):
            _, _, pts, duration, _, digest = (x.strip() for x in line.split(',')[:6])
            rows.append((int(pts) * tick, (int(pts) + int(duration)) * tick, digest))
    return rows

def _alpha(path): # mean of the alpha of VP9, which only libvpx decodes
    return np.frombuffer(ffmpeg(f'-c:v libvpx-vp9 -i {path} -vf alphaextract -f rawvideo -', Path(path).parent), np.uint8).mean()

def look(path): # `Seen`
    "A file as the independent FFmpeg plays it."
    path = Path(path).resolve()
    text = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-hide_banner', '-i', str(path)], capture_output=True, text=True, errors='replace').stderr
    frames = _hashes(path, 'v:0')
    first = min(t for t, _, _ in frames)
    sound = []
    for i in range(len(re.findall(r'Stream #0:\d+.*: Audio:', text))):
        played, packets = _hashes(path, f'a:{i}'), _hashes(path, f'a:{i}', copy=True)
        if played: sound.append(([h for _, _, h in packets], float(played[0][0] - first), float(played[-1][1] - first)))
    facts = '\n'.join(line.strip() for line in text.splitlines() if 'Stream #' in line or re.search(r'title|Chapter #|language', line))
    if re.search('alpha_mode *: 1', text, re.IGNORECASE): facts += f'\nalpha is {_alpha(path):.0f} of 255'
    return Seen([float(t - first) for t in sorted(t for t, _, _ in frames)], float(max(e for _, e, _ in frames) - first), sound, facts, path)

def mutate(data, kind, rng): # bytes
    "Damage the bytes of a file: `kind` is a name in `MUTATIONS`, `rng` a `random.Random`."
    n, changed = len(data), bytearray(data)
    at, size = rng.randrange(n), rng.choice((64, 500, 4000))
    if kind == 'cut': return data[:rng.randrange(1, n)]
    if kind == 'zeros': changed[at:at + size] = bytes(len(changed[at:at + size]))
    if kind == 'lost': del changed[at:at + size]
    if kind == 'twice': changed[at:at] = changed[at:at + size]
    if kind == 'noise':
        for _ in range(rng.randrange(1, 60)): changed[min(n - 1, at + rng.randrange(size))] = rng.randrange(256)
    if kind == 'bits':
        for _ in range(rng.randrange(1, 20)): changed[rng.randrange(n)] ^= 1 << rng.randrange(8)
    if kind == 'head':
        for _ in range(8): changed[rng.randrange(min(n, 1000))] = rng.randrange(256)
    return bytes(changed)

MUTATIONS = 'cut zeros lost twice noise bits head'.split()
CONTAINERS = dict( # the same two seconds in six containers
    mp4=f'{H264} -c:a aac', mov=f'{H264} -c:a aac', mkv=f'{H264} -c:a aac', ts=f'{H264} -c:a aac',
    webm='-c:v libvpx -deadline realtime -cpu-used 8 -g 25 -c:a libopus', avi='-c:v mpeg4 -g 25 -c:a libmp3lame')

def make_containers(folder): # dict: suffix -> path
    "The clip in each container, the same bytes each time."
    for suffix, words in CONTAINERS.items(): ffmpeg(f'{picture()} {SOUND} {words} -bitexact whole.{suffix}', folder)
    return {suffix: Path(folder)/f'whole.{suffix}' for suffix in CONTAINERS}
