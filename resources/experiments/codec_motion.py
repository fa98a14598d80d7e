"""Motion from the codec in place of a search: `python resources/experiments/codec_motion.py FOLDER... [--out resources/results/codec_motion.csv]`

A compressed file holds a displacement for each block, which costs nothing to read. Encodes the LR side (area averaging) of the clips in `finetune.VALIDATION`
with x264 at CRF 23, twice: with the frame before as the only reference, which is the best that these vectors can be, and as people's files are (`preset=medium`),
to count the frames and blocks whose vector leads to the frame before at all. In the first, every fifth frame is reconstructed by `default` with each flow of
`FLOWS`. A row for each clip and flow has the gain in luma over bicubic interpolation, and the PSNR between the clean LR frame and the clean one before it, brought
into its place along the flow.
"""
import argparse
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import torch
from finetune import VALIDATION
from rivals import processor
from tqdm.auto import tqdm

from tsr.core import atomic_write
from tsr.data import find_videos
from tsr.losses import score_frame
from tsr.model import load_model
from tsr.motion import MIN_FLOW_SIZE, SEARCH_BLUR, Motion, frame_luma, invert_flow, optical_flow, warp
from tsr.resample import low_resolution_frames, to_float
from tsr.training import git_commit
from tsr.video import read_frames

TABLE = Path(__file__).parents[1]/'results'/'codec_motion.csv'
FRAMES, EVERY = 60, 5 # read of each clip; of these every fifth is scored
ADJACENT = dict(refs='1', bf='0') # each vector leads to the frame before

def coded(
    frames, # list of uint8 (h, w, 3)
    **options # of x264
): # list of (uint8 (h, w, 3), kind of frame, vectors as a structured array or None)
    "What comes out of an encoder, with the vectors of its blocks."
    with tempfile.TemporaryDirectory() as folder:
        with av.open(file := f'{folder}/lr.mp4', 'w') as out:
            stream = out.add_stream('libx264', rate=25, options=dict(crf='23', preset='medium') | options)
            stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], 'yuv420p'
            for frame in frames:
                image = av.VideoFrame.from_ndarray(frame, format='rgb24')
                out.mux(stream.encode(image.reformat(format='yuv420p', dst_colorspace='ITU601')))
            out.mux(stream.encode())
        with av.open(file) as source:
            source.streams.video[0].codec_context.options = dict(flags2='+export_mvs')
            found = []
            for frame in source.decode(video=0):
                vectors = frame.side_data.get('MOTION_VECTORS')
                found.append((frame.to_ndarray(format='rgb24'), av.video.frame.PictureType(frame.pict_type).name, None if vectors is None else vectors.to_ndarray()))
    return found

def block_flow(
    vectors, # structured array with the fields of FFmpeg's AVMotionVector, or None
    shape # (h, w)
): # float32 (h, w, 2), to where each block comes from; bool (h, w), whether there is a vector
    "The vectors that lead to an earlier frame, each at all pixels of its block."
    flow, known = np.zeros((*shape, 2), np.float32), np.zeros(shape, bool)
    if vectors is None: return flow, known
    for v in vectors[vectors['source'] < 0]:
        top, left = int(v['dst_y']) - int(v['h']) // 2, int(v['dst_x']) - int(v['w']) // 2 # FFmpeg gives the middle of the block
        block = slice(max(top, 0), top + int(v['h'])), slice(max(left, 0), left + int(v['w']))
        flow[block] = v['motion_x'] / v['motion_scale'], v['motion_y'] / v['motion_scale']
        known[block] = True
    return flow, known

def search_from(start): # float32 (h, w, 2) -> a search as `optical_flow`
    "The search of the package, begun at a flow."
    def search(frame, other):
        h, w = frame.shape
        edges = 0, max(MIN_FLOW_SIZE - h, 0), 0, max(MIN_FLOW_SIZE - w, 0)
        pair = (cv2.GaussianBlur(cv2.copyMakeBorder(x, *edges, cv2.BORDER_REPLICATE), (0, 0), SEARCH_BLUR) for x in (frame, other))
        dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        dis.setFinestScale(0); dis.setPatchStride(6); dis.setVariationalRefinementIterations(0)
        flow = dis.calc(*pair, cv2.copyMakeBorder(start, *edges, cv2.BORDER_REPLICATE))[:h, :w]
        return np.stack([cv2.medianBlur(np.ascontiguousarray(flow[..., axis]), 5) for axis in (0, 1)], -1)
    return search

def backward(search, luma, before): # float32 (h, w, 2)
    "The flow from a frame to the one before it."
    return search(*((x * 255).round().clip(0, 255).astype(np.uint8) for x in (luma, before)))

# name: function of (luma of the coded frame, of the one before it, the same of the clean ones, flow of the blocks) -> flow from the frame to the one before
FLOWS = {
    'no motion': lambda now, before, clean, clean_before, blocks: np.zeros_like(blocks),
    "the codec's vectors": lambda now, before, clean, clean_before, blocks: blocks,
    'search, begun at the vectors': lambda now, before, clean, clean_before, blocks: backward(search_from(blocks), now, before),
    'search': lambda now, before, clean, clean_before, blocks: backward(lambda *pair: optical_flow(*pair, refinement=0), now, before),
    'search on the clean frames': lambda now, before, clean, clean_before, blocks: backward(lambda *pair: optical_flow(*pair, refinement=0), clean, clean_before),
}

@torch.inference_mode()
def scores(
    clip, # path
    model # `AlignedNet`
): # iterator of rows
    "Each flow on a clip, and how far the vectors of an ordinary file lead to the frame before."
    large = [frame.image for _, frame in zip(range(FRAMES), read_frames(clip))]
    size = [n // 4 * 2 for n in large[0].shape[:2]] # even, as the encoder wants it
    large = [frame[:2 * size[0], :2 * size[1]] for frame in large]
    small = list(low_resolution_frames(large, size))
    usual = coded(small)
    there = np.mean([kind == 'P' for _, kind, _ in usual[1:]])
    frames, _, vectors = zip(*coded(small, **ADJACENT))
    blocks, known = zip(*(block_flow(v, size) for v in vectors))
    tensors = torch.stack([to_float(f) for f in frames])
    luma, clean = [frame_luma(x) for x in tensors], [frame_luma(to_float(f)) for f in small]
    back = model.frames_back
    chosen = range(back, len(frames) - model.frames_forward, EVERY)
    bicubic = load_model('bicubic')
    def gain(sr, k):
        truth = to_float(large[k])[None]
        before, after = (score_frame(x, truth, metrics=['psnr_y'])['psnr_y'] for x in (bicubic(tensors[None, k:k + 1]), sr[None]))
        return after - before
    for name, find in FLOWS.items():
        flows = [find(luma[k], luma[k - 1], clean[k], clean[k - 1], blocks[k]) for k in range(1, len(frames))]
        fits = [10 * -np.log10(np.square(warp(clean[k], flow, 1)[0] - clean[k + 1]).mean()) for k, flow in enumerate(flows)]
        pairs = [(invert_flow(flow), flow) for flow in flows]
        gains = []
        for k in chosen:
            window = slice(k - back, k + model.frames_forward + 1)
            x = model.align(tensors[window], Motion(luma[window], pairs[window.start:window.stop - 1]))
            gains.append(gain(model.reconstruct(x[None])[0], k))
        yield dict(video=clip.stem, flow=name, gain_psnr_y=np.mean(gains), psnr_along=np.mean(fits), frames=len(chosen),
                   blocks_with_vector=np.mean(known[1:]), frames_to_the_one_before=there)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', nargs='+')
    parser.add_argument('--out', type=Path, default=TABLE)
    args = parser.parse_args()
    model, rows = load_model('default').eval(), []
    for clip in tqdm([p for p in find_videos(args.folder) if p.stem in VALIDATION], unit='clip'): rows.extend(scores(clip, model))
    with atomic_write(args.out) as part: pd.DataFrame(rows).assign(commit=git_commit(), processor=processor()).round(4).to_csv(part, index=False)

if __name__ == '__main__': main()
