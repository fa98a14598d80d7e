"""Decode the clips, make their LR sides and search the optical flow, on all cores.

    python frames.py CLIPS OUT [--coded FOLDER] [--workers 16]    arrays for training
    python frames.py CLIPS OUT --encode                             LR clips with lossy codecs (needs PyAV)
    python frames.py CLIPS OUT --films TABLE.csv --photos FOLDER    films of `scenes.py` too (needs PyAV)

CLIPS holds .mp4 files, and .jpg photographs, over which a camera moves.

OUT/<clip>/hr.npy      uint8 (T, H, W, 3), the ground truth, RGB
OUT/<clip>/<lr>.npy    uint8 (T, h, w, 3), the LR side: area, bicubic, lanczos, jpeg, noise,
                       or the name of a folder of FOLDER; of a film with `own_` before it
OUT/<clip>/<lr>.<preset>.flow.npy   float16 (T-1, h, w, 2), flow from each frame to the next

A clip or a flow that exists is not made again, so the command can be repeated as more clips arrive.
"""

import argparse
import csv
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch

VALIDATION = (
    'davis_horsejump-high',
    'uav_car16',
    'street_1',
    'dashcam_1',
    'cups',
)  # clips never trained on (quality)
BLUR = 0.8  # standard deviation of the Gaussian blur before the search, LR pixels
FLOWS = dict(
    fine=dict(preset='ULTRAFAST', refinement=2, rounds=3),
    cheap=dict(preset='ULTRAFAST', refinement=0, rounds=3),
    medium=dict(preset='MEDIUM', refinement=5, rounds=3),
    tsr0=dict(refinement=0, rounds=1),
    tsr2=dict(refinement=2, rounds=1),
)  # of DIS, all with finest scale 0; without a preset, `tsr.motion.optical_flow`. Rounds: of the inversion
LUMA = np.float32([0.299, 0.587, 0.114])  # BT.601
BT601 = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
BT709 = np.array([[1, 0, 1.5748], [1, -0.187324, -0.468124], [1, 1.8556, 0]])
RECOLOUR = (BT709 @ np.linalg.inv(BT601)).astype(np.float32)
AS_BT601 = False  # whether this OpenCV takes every file for BT.601, as older ones do


def read(path, exact=False):  # clip, BT.709 -> uint8 (T, H, W, 3), RGB; both sides even
    """Decode a clip: with PyAV if `exact`, otherwise with OpenCV.

    OpenCV's RGB is about one code too dark. That does no harm where HR and LR frames come from the same
    decoded frames; a coded LR clip must be decoded exactly, or networks learn to brighten."""
    frames = read_exactly(path) if exact else read_opencv(path)
    h, w = (n // 2 * 2 for n in frames[0].shape[:2])
    return np.stack(frames)[:, :h, :w]


def read_exactly(path):
    "All frames with `tsr.video`."
    from tsr.video import read_frames

    return [f.image for f in read_frames(path)]


def read_opencv(path):
    "All frames with OpenCV; older versions take every file for BT.601."
    video, frames = cv2.VideoCapture(str(path)), []
    while True:
        ok, bgr = video.read()
        if not ok:
            break
        rgb = np.ascontiguousarray(bgr[..., ::-1])
        frames.append(cv2.transform(rgb, RECOLOUR) if AS_BT601 else rgb)
    if not frames:
        raise SystemExit(f'{path}: cannot be decoded')
    return frames


def area(x):  # uint8 (T, H, W, 3) -> uint8 (T, h, w, 3)
    "Mean of 2x2 pixels, rounded half to even."
    s = sum(x[:, i::2, j::2].astype(np.uint16) for i in (0, 1) for j in (0, 1))
    return (s + 1 + (s >> 2 & 1) >> 2).astype(np.uint8)


def taps(kernel, support):  # float32, even number of taps that halve a signal
    "A kernel stretched by 2, for antialiasing."
    x = (np.arange(-2 * support, 2 * support) + 0.5) / 2
    w = kernel(np.abs(x))
    return (w / w.sum()).astype(np.float32)


def cubic(x, a=-0.5):
    return np.where(x < 1, ((a + 2) * x - a - 3) * x * x + 1, a * (((x - 5) * x + 8) * x - 4))


TAPS = dict(bicubic=taps(cubic, 2), lanczos=taps(lambda x: np.sinc(x) * np.sinc(x / 3), 3))


def shrink(x, name):  # uint8 (T, H, W, 3) -> uint8 (T, h, w, 3)
    "Antialiased x1/2."
    w, out = TAPS[name], []
    anchor = len(w) // 2 - 1  # of an even kernel: output pixel i covers inputs 2i and 2i + 1
    for frame in x:
        y = cv2.sepFilter2D(
            frame.astype(np.float32), -1, w, w, anchor=(anchor, anchor), borderType=cv2.BORDER_REPLICATE
        )
        out.append(np.rint(np.clip(y[::2, ::2], 0, 255)).astype(np.uint8))
    return np.stack(out)


def jpeg(x, quality):  # uint8 (T, h, w, 3), each frame a JPEG
    "JPEG and back."
    coded = (cv2.imencode('.jpg', f[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for f in x)
    return np.stack([cv2.imdecode(c, 1)[..., ::-1] for c in coded])


def low_resolution(x, name, seed):  # uint8 (T, H, W, 3) -> uint8 (T, h, w, 3)
    "The LR side of a clip."
    if name in TAPS:
        return shrink(x, name)
    small, rng = area(x), np.random.default_rng(seed)
    if name == 'jpeg':
        return jpeg(small, int(rng.integers(60, 95)))
    if name == 'noise':
        grain = rng.standard_normal((*small.shape[:3], 1), dtype=np.float32) * rng.uniform(1, 4)
        return np.rint(np.clip(small + grain, 0, 255)).astype(np.uint8)
    return small


def film(photo, frames=16, size=(480, 854)):  # uint8 (T, H, W, 3)
    "A photograph at half its size under a moving camera: pan, rotation, zoom, seeded by its name."
    x, rng = cv2.imread(str(photo))[..., ::-1], np.random.default_rng(list(photo.stem.encode()))
    x = cv2.GaussianBlur(np.ascontiguousarray(x), (0, 0), 1.0)
    (h, w), middle = x.shape[:2], (frames - 1) / 2
    zoom = min(2.0, 0.8 * h / size[0], 0.8 * w / size[1])  # photograph pixels for each HR pixel
    angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 5)  # HR pixels a frame
    step, turn, grow = (
        speed * np.array([np.cos(angle), np.sin(angle)]),
        rng.normal(0, 0.003),
        rng.normal(0, 0.003),
    )
    out = []
    for t in range(frames):
        a, s = turn * (t - middle), zoom * (1 + grow * (t - middle))
        m = s * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        centre = np.array([w, h]) / 2 + zoom * step * (t - middle)
        shift = centre - m @ (np.array(size[::-1]) / 2)
        out.append(
            cv2.warpAffine(
                x,
                np.c_[m, shift],
                size[::-1],
                flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT,
            )
        )
    return np.stack(out)


def make_film(row, photos, out, names, seed):
    "Film one row of a table of `scenes.py`, write its HR and LR frames."
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scenes import frames as render

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    folder = out / row['name']
    if (folder / 'hr.npy').exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    hr = np.stack(list(render(row, photos)))
    for n in set(names) & {'area', 'bicubic'}:
        save(folder / f'own_{n}.npy', low_resolution(hr, n, seed))
    save(folder / 'hr.npy', hr)


def make_clip(path, out, names, coded, seed):
    "Decode one clip, write its HR and LR frames."
    cv2.setNumThreads(1)
    folder = out / path.stem
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in names if not (folder / f'{n}.npy').exists()]
    extra = [
        c
        for c in (coded.iterdir() if coded else ())
        if (c / path.name).exists() and not (folder / f'{c.name}.npy').exists()
    ]
    if missing or not (folder / 'hr.npy').exists():
        hr = film(path) if path.suffix == '.jpg' else read(path)
        for n in missing:
            save(folder / f'{n}.npy', low_resolution(hr, n, seed))
        save(folder / 'hr.npy', hr)
    for c in extra:
        h, w = np.load(folder / "hr.npy", mmap_mode="r").shape[1:3]
        save(
            folder / f"{c.name}.npy", read(c / path.name, exact=True)[:, : h // 2, : w // 2]
        )  # codecs were given even sides


def save(path, array):
    "Write an array; it appears under its name when it is whole."
    part = path.with_name(f'.part-{path.name}')
    np.save(part, array)
    part.rename(path)


def searcher(preset):  # a DIS object; one for each process or thread
    "DIS with finest scale 0."
    dis = cv2.DISOpticalFlow_create(getattr(cv2, f'DISOPTICAL_FLOW_PRESET_{FLOWS[preset]["preset"]}'))
    dis.setFinestScale(0)
    dis.setVariationalRefinementIterations(FLOWS[preset]['refinement'])
    return dis


def to_search(frame):  # uint8 (h, w, 3) -> uint8 (h, w)
    "Luma, blurred: what the search sees."
    return cv2.GaussianBlur(np.rint(frame @ LUMA).clip(0, 255).astype(np.uint8), (0, 0), BLUR)


def flow_part(lr, preset, start, stop):  # float16 (stop - start, h, w, 2)
    "Flow from frames start..stop-1 to the ones that follow."
    cv2.setNumThreads(1)
    frames = [to_search(f) for f in np.load(lr, mmap_mode='r')[start : stop + 1]]
    dis = searcher(preset)
    return np.stack([dis.calc(a, b, None) for a, b in zip(frames, frames[1:])]).astype(np.float16)


def library_flow(lr, preset, start, stop):  # float16 (stop - start, h, w, 2)
    "As `flow_part`, with the search of the package: what a network meets when it is used."
    from tsr.motion import frame_luma, optical_flow, search_flow

    cv2.setNumThreads(1)
    search = lambda a, b: optical_flow(a, b, refinement=FLOWS[preset]['refinement'])
    frames = np.load(lr, mmap_mode='r')[start : stop + 1].astype(np.float32) / 255
    lumas = [frame_luma(torch.from_numpy(f).permute(2, 0, 1)) for f in frames]
    return np.stack([search_flow(a, b, search) for a, b in zip(lumas, lumas[1:])]).astype(np.float16)


def flows(pool, out, wanted, chunk=8):
    "Search all flows that are missing; wanted: pairs (LR name, preset)."
    tasks = []
    for folder in sorted(p for p in out.iterdir() if (p / 'hr.npy').exists()):
        for name, preset in wanted:
            lr, target = folder / f'{name}.npy', folder / f'{name}.{preset}.flow.npy'
            if not lr.exists() or target.exists():
                continue
            n = len(np.load(lr, mmap_mode='r')) - 1
            part = flow_part if 'preset' in FLOWS[preset] else library_flow
            tasks.append(
                (
                    target,
                    [pool.submit(part, lr, preset, i, min(i + chunk, n)) for i in range(0, n, chunk)],
                )
            )
    for target, parts in tasks:
        save(target, np.concatenate([p.result() for p in parts]))


def encode(path, index, out):
    "One LR clip coded as H.264 (CRF 18 to 28) and MPEG-4; the qualities alternate from clip to clip."
    import av

    from tsr.video import write_frames

    cv2.setNumThreads(1)
    held, odd = path.stem in VALIDATION, index % 2
    crfs = dict(
        h264a=18 if held or odd else 20,
        h264b=23 if held or odd else 24,
        h264c=28 if held or odd else 26,
    )
    hr = read(path)
    small = area(hr)
    for name, crf in crfs.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        source = shrink(hr, 'bicubic') if name == 'h264a' and not held and index % 4 < 2 else small
        if not (out / name / path.name).exists():
            write_frames(out / name / path.name, even(source), fps=25, crf=crf)
    target = out / 'mpeg4' / path.name
    target.parent.mkdir(exist_ok=True)
    with av.open(str(target), 'w') as file:
        stream = file.add_stream('mpeg4', rate=25)
        stream.height, stream.width, stream.pix_fmt = *even(small).shape[1:3], 'yuv420p'
        stream.codec_context.qmin = stream.codec_context.qmax = 3 + index % 4
        for f in even(small):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(f), format='rgb24').reformat(
                format='yuv420p', dst_colorspace='ITU709'
            )
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def even(x):  # (T, h, w, 3), both sides even, as codecs want them
    "Repeat the last row or column where there is an odd number."
    return np.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)), mode='edge')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('clips', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--coded', type=Path)
    parser.add_argument('--encode', action='store_true')
    parser.add_argument('--names', nargs='*', default=['area', 'bicubic'])
    parser.add_argument('--flows', nargs='*', default=['area:fine', 'bicubic:fine'])
    parser.add_argument('--films', type=Path, help='table of scenes.py')
    parser.add_argument('--photos', type=Path, help='folder of its photographs')
    parser.add_argument('--workers', type=int, default=16)
    parser.add_argument('--as-bt601', action='store_true')
    args = parser.parse_args()
    AS_BT601 = args.as_bt601  # the processes of the pool are forked and inherit it
    begun, paths = time.time(), sorted([*args.clips.glob('*.mp4'), *args.clips.glob('*.jpg')])
    with ProcessPoolExecutor(args.workers) as pool:
        if args.encode:
            coded = [p for p in paths if p.suffix == '.mp4']
            for job in [pool.submit(encode, p, i, args.out) for i, p in enumerate(coded)]:
                job.result()
            raise SystemExit
        jobs = [pool.submit(make_clip, p, args.out, args.names, args.coded, i) for i, p in enumerate(paths)]
        if args.films:
            with open(args.films, newline='') as file:
                rows = list(csv.DictReader(file))
            jobs += [
                pool.submit(make_film, r, args.photos, args.out, args.names, i) for i, r in enumerate(rows)
            ]
        for j in jobs:
            j.result()
        print(f'{len(jobs)} clips decoded, {time.time() - begun:.1f} s', flush=True)
        flows(pool, args.out, [tuple(f.split(':')) for f in args.flows])
    print(f'flow searched, {time.time() - begun:.1f} s', flush=True)
