"""Networks that were tried beside TSRNet and not kept: what 07a_ablations compares.

Each is an `SRModel`. In mixed precision the picture that detail is added to stays in float32, as in TSRNet.
"""
from itertools import product

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tsr.model import MODELS, Interpolation, LinearFilter, load_model
from tsr.motion import LUMA_WEIGHTS, Motion, align_neighbours, invert_flow
from tsr.network import AlignedNet, ResidualBlock, TSRNet, UpsampleHead, pixel_shuffle
from tsr.resample import resize

def residuals(features, blocks): return nn.Sequential(*[ResidualBlock(features) for _ in range(blocks)])

def conv(n, features): return nn.Conv2d(n, features, 3, padding=1)

def grow(
    x, # (B, C, h, w)
    fold # sides become multiples of this
):
    "Repeat the last row and column as often as it takes."
    h, w = x.shape[-2:]
    return F.pad(x, (0, -w % fold, 0, -h % fold), mode='replicate')

class Variant(TSRNet):
    "What the others share."
    def act(self, x): return F.leaky_relu_(x, self.leak)

class Folded(Variant):
    "TSRNet at a quarter of the pixels: four LR pixels become one with four times the channels."
    halo = None # a tile would have to begin at an even pixel
    def __init__(self, frames_back=1, frames_forward=1, scale=2, features=48, blocks=2):
        super().__init__(frames_back, frames_forward, scale, 3, 0)
        self.head, self.body = conv(12 * (frames_back + 1 + frames_forward), features), residuals(features, blocks)
        self.unfold = nn.Sequential(conv(features, 12 * self.scale**2), nn.PixelShuffle(2))
        self.tail = UpsampleHead(3 * self.scale**2, self.scale)
        nn.init.dirac_(self.tail.weight), nn.init.zeros_(self.unfold[0].weight), nn.init.zeros_(self.unfold[0].bias)

    def reconstruct(self, x):
        h, w = x.shape[-2:]
        features = self.act(self.head(F.pixel_unshuffle(grow(x, 2), 2)))
        return pixel_shuffle(self.tail(self.unfold(self.body(features))[..., :h, :w], x[:, self.center_channels]), self.scale)

class SampledAtLR(AlignedNet):
    "AlignedNet whose neighbours are brought into place in the usual way: one number for each LR pixel."
    @property
    def align_channels(self): return 3 + self.num_frames - 1

    def align(self, window, motion=None, region=None):
        rows, cols = region or [slice(0, n) for n in window[0].shape[1:]]
        neighbours = align_neighbours(motion or Motion.of(window, self.flow_search), self.frames_back, 1, 0, (rows, cols), 4)
        return torch.cat((window[self.frames_back][:, rows, cols], torch.from_numpy(neighbours)))

class Recurrent(Variant):
    "TSRNet that also gets its own features of the frame before: a window is walked through from its first frame."
    def __init__(self, frames_back=3, frames_forward=1, scale=2, features=16, blocks=6):
        super().__init__(frames_back, frames_forward, scale, features, blocks)
        self.head = conv(3 * (1 + frames_forward) + features, features)

    @property
    def halo(self): return (2 * len(self.body) + 1) * (self.frames_back + 1) + 1 # the state of one frame is read for the next

    def reconstruct(self, x):
        state = x.new_zeros(len(x), self.head.out_channels, *x.shape[-2:])
        for t in range(self.frames_back + 1):
            seen = x[:, 3 * t:3 * (t + 1 + self.frames_forward)]
            state = self.body(self.act(self.head(torch.cat((seen, state), 1))))
        return pixel_shuffle(self.tail(state, x[:, self.center_channels]), self.scale)

def search_of_0_1(
    frame, other # uint8 (h, w), luma of two frames
): # float32 (h, w, 2)
    "The search that version 0.1 had: with more effort, but no finer than to half the pixels, and without a blur before it."
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(frame, other, None)

class FlowOf01(AlignedNet):
    "AlignedNet along the flow that the search of version 0.1 finds; inverted and composed as the package does it now."
    flow_search = staticmethod(search_of_0_1)

KERNELS = {'nearest': cv2.INTER_NEAREST, 'bilinear': cv2.INTER_LINEAR, 'bicubic': cv2.INTER_CUBIC, 'lanczos4': cv2.INTER_LANCZOS4}

class SampledBy(AlignedNet):
    """AlignedNet whose neighbours are sampled with one of `KERNELS`, at their own pixels, or, as in 'fine bicubic', at
    the finer ones of an enlargement to twice the size by Lanczos, which has less of a blur that depends on the phase."""
    aligns_on_device = False
    def __init__(self, frames_back=2, frames_forward=2, scale=2, features=16, blocks=6, phases=0, kernel='bicubic'):
        super().__init__(frames_back, frames_forward, scale, features, blocks, phases=phases)
        self.kernel = kernel

    def align(self, window, motion=None, region=None):
        motion = motion or Motion.of(window, self.flow_search)
        rows, cols = region or [slice(0, n) for n in motion.luma[0].shape]
        own, neighbours = motion.luma[self.frames_back][rows, cols], motion.neighbours(self.frames_back, rows, cols)
        y, x = np.mgrid[rows, cols].astype(np.float32)
        offsets = [(k + .5) / self.scale - .5 for k in range(self.scale)]
        planes, near = [], []
        for d, (luma, flow) in zip([d for d in range(-self.frames_back, self.frames_forward + 1) if d], neighbours):
            u, v = x + flow[..., 0], y + flow[..., 1]
            for down, right in product(offsets, offsets): planes.append(4 * (self.sample(luma, u + right, v + down) - own))
            if abs(d) <= self.phases: near += [u - np.rint(u), v - np.rint(v)]
        return torch.cat((window[self.frames_back][:, rows, cols], torch.from_numpy(np.stack(planes + near))))

    def sample(self, image, u, v): # (H, W), at positions (h, w) between its pixels
        *fine, kernel = self.kernel.split()
        if fine: image, u, v = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_LANCZOS4), 2 * u + np.float32(.5), 2 * v + np.float32(.5)
        return cv2.remap(image, u, v, KERNELS[kernel], borderMode=cv2.BORDER_REPLICATE)

class WithConsistency(AlignedNet):
    "AlignedNet that is also told how far from a pixel the flow to a neighbour and back leads: 0 to 2 LR pixels, halved."
    aligns_on_device = False
    @property
    def align_channels(self): return super().align_channels + self.num_frames - 1

    def align(self, window, motion=None, region=None):
        motion = motion or Motion.of(window, self.flow_search)
        rows, cols = region or [slice(0, n) for n in motion.luma[0].shape]
        planes = align_neighbours(motion, self.frames_back, self.scale, 0, (rows, cols), 4)
        x, y = np.meshgrid(*(np.arange(part.stop - part.start, dtype=np.float32) for part in (cols, rows)))
        apart = []
        for _, flow in motion.neighbours(self.frames_back, rows, cols):
            back = cv2.remap(invert_flow(flow), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            apart.append(np.linalg.norm(flow + back, axis=-1).clip(0, 2) / 2)
        return torch.cat((window[self.frames_back][:, rows, cols], torch.from_numpy(planes), torch.from_numpy(np.stack(apart))))

def sample_at(
    image, # (B, C, h, w)
    offset, # (B, 2, h, w): (right, down) in pixels, from each pixel to where `image` is sampled
    mode='bilinear', outside='zeros' # as in `F.grid_sample`
): # (B, C, h, w)
    "Sample along offsets, with gradients for both."
    h, w = image.shape[-2:]
    with torch.autocast(image.device.type, enabled=False):
        down, right = torch.meshgrid(*(torch.arange(n, device=image.device, dtype=torch.float32) for n in (h, w)), indexing='ij')
        at = torch.stack(((right + offset[:, 0].float()) * (2 / (w - 1)) - 1, (down + offset[:, 1].float()) * (2 / (h - 1)) - 1), -1)
        return F.grid_sample(image.float(), at, mode, outside, align_corners=True)

class RefinedFlow(AlignedNet):
    "AlignedNet in which a small network moves what the search has found by up to an LR pixel; it learns from the reconstruction alone."
    halo, reach = None, 2. # HR pixels
    def __init__(self, frames_back=2, frames_forward=2, scale=2, features=16, blocks=6, refiner=16):
        super().__init__(frames_back, frames_forward, scale, features, blocks)
        last = conv(refiner, 2)
        self.refine = nn.Sequential(conv(1 + self.scale**2, refiner), nn.LeakyReLU(.1), conv(refiner, refiner), nn.LeakyReLU(.1), last)
        nn.init.zeros_(last.weight), nn.init.zeros_(last.bias) # starts as the search
        self.register_buffer('brightness', LUMA_WEIGHTS.clone(), persistent=False)

    aligns_on_device = False

    def reconstruct(self, x):
        n, s = self.num_frames - 1, self.scale
        with torch.autocast(x.device.type, enabled=False): own = (x[:, :3].float() * self.brightness).sum(1, keepdim=True) # (B, 1, h, w)
        own = own.repeat_interleave(n, 0) # (B*n, 1, h, w)
        planes = x[:, 3:].unflatten(1, (n, s**2)).flatten(0, 1) # (B*n, s*s, h, w)
        offset = self.reach * torch.tanh(self.refine(torch.cat((own - own.mean((2, 3), keepdim=True), planes), 1)) / self.reach)
        found = F.pixel_shuffle(planes.float() / 4 + own, s) # the neighbour in its place, at HR
        found = sample_at(found, F.interpolate(offset.float(), scale_factor=s), 'bicubic', 'border')
        planes = ((F.pixel_unshuffle(found, s) - own) * 4).unflatten(0, (len(x), n)).flatten(1, 2)
        return super().reconstruct(torch.cat((x[:, :3], planes), 1))

class AlignedRecurrent(AlignedNet):
    """AlignedNet that also gets its own features of the frame before, carried along the flow. A window is walked through from its first frame but
    one: each frame with the two neighbours beside it."""
    halo, aligns_on_device = None, False
    cut = 1e4 # pixels: an offset to nowhere, so that features of another scene become zeros
    def __init__(self, frames_back=3, frames_forward=1, scale=2, features=16, blocks=6):
        super().__init__(frames_back, frames_forward, scale, features, blocks)
        self.head = conv(self.step_channels + features, features)

    @property
    def step_channels(self): return 3 + 2 * self.scale**2

    @property
    def align_channels(self): return self.frames_back * self.step_channels + 2 * (self.frames_back - 1)

    def align(self, window, motion=None, region=None):
        motion = motion or Motion.of(window, self.flow_search)
        rows, cols = region or [slice(0, n) for n in motion.luma[0].shape]
        steps, flows, center = [], [], self.frames_back
        for t in range(center, 0, -1):
            before, after = motion.pairs[t - 1], motion.pairs[t]
            if after and t < center: after = (invert_flow(after[1]),) * 2 # in training only the flow away from the centre is known
            own = Motion(motion.luma[t - 1:t + 2], [before, after])
            steps += [window[t][:, rows, cols], torch.from_numpy(align_neighbours(own, 1, self.scale, 0, (rows, cols), 4))]
            if t > 1: flows.append(np.full((2, *steps[0].shape[1:]), self.cut, np.float32) if before is None else np.moveaxis(before[1][rows, cols], -1, 0))
        return torch.cat([*steps, *(torch.from_numpy(np.ascontiguousarray(flow)) for flow in flows)])

    def reconstruct(self, x):
        n = self.frames_back * self.step_channels
        steps, flows = x[:, :n].unflatten(1, (-1, self.step_channels)), x[:, n:].unflatten(1, (-1, 2))
        state = x.new_zeros(len(x), self.head.out_channels, *x.shape[-2:])
        for t in reversed(range(self.frames_back)): # the last is the frame itself
            if t < self.frames_back - 1: state = sample_at(state, flows[:, t])
            state = self.body(F.leaky_relu_(self.head(torch.cat((steps[:, t], state), 1)), self.leak))
        return pixel_shuffle(self.tail(state, x[:, :3]), self.scale)

class Branches(nn.Module):
    "A 3x3 convolution that is trained as the sum of a 3x3, a 1x1 and nothing."
    def __init__(self, features):
        super().__init__()
        self.wide, self.point = conv(features, features), nn.Conv2d(features, features, 1)

    def forward(self, x): return self.wide(x) + self.point(x) + x

    def collapsed(self):
        "The same as one 3x3 convolution."
        one = conv(*self.wide.weight.shape[:2])
        with torch.no_grad():
            one.weight.copy_(self.wide.weight + F.pad(self.point.weight + torch.eye(len(one.weight))[..., None, None], (1,) * 4))
            one.bias.copy_(self.wide.bias + self.point.bias)
        return one

class Reparameterised(Variant):
    "TSRNet whose convolutions have branches while it is trained (as in RepVGG, SESR, ECBSR)."
    def __init__(self, frames_back=1, frames_forward=1, scale=2, features=16, blocks=6):
        super().__init__(frames_back, frames_forward, scale, features, blocks)
        for block in self.body: block.first, block.second = Branches(features), Branches(features)

def collapse(
    model # `Reparameterised`, or any other
): # the same function at its true cost
    "A TSRNet for one that was trained with branches; others as they are."
    if not isinstance(model, Reparameterised): return model
    plain = TSRNet(**model.args).eval()
    state = {k: v for k, v in model.state_dict().items() if k in plain.state_dict()}
    for name, part in model.named_modules():
        if isinstance(part, Branches): state |= {f'{name}.{k}': v for k, v in part.collapsed().state_dict().items()}
    plain.load_state_dict(state)
    return plain

def filters(
    kernel # a name in `KERNELS`
): # (4, 1, 9, 9)
    "An interpolation by 2 as the weights of a `LinearFilter`."
    impulse = torch.zeros(1, 1, 25, 25)
    impulse[..., 12, 12] = 1
    return F.pixel_unshuffle(resize(impulse, (50, 50), kernel), 2).flip(2, 3)[:, :, 8:17, 8:17].movedim(1, 0)

class OtherSkip(Variant):
    "TSRNet that adds what it draws to another picture than bicubic: nothing, Lanczos, or the fitted linear filter, which then learns along."
    def __init__(self, frames_back=1, frames_forward=1, scale=2, features=16, blocks=6, skip='linear'):
        super().__init__(frames_back, frames_forward, scale, features, blocks)
        self.tail.taps.zero_()
        self.skip = None if skip == 'none' else load_model('linear') if skip == 'linear' else LinearFilter(self.scale)
        if skip not in ('none', 'linear'): self.skip.requires_grad_(False).weight.copy_(filters(skip))

    @property
    def halo(self): return max(super().halo, 4)

    def reconstruct(self, x):
        out = super().reconstruct(x)
        if self.skip is None: return out
        with torch.autocast(x.device.type, enabled=False): return out + self.skip(x[:, self.center_channels])

class Luma(Variant):
    "TSRNet that sees and draws brightness alone, and leaves the colours to bicubic."
    def __init__(self, frames_back=1, frames_forward=1, scale=2, features=16, blocks=6):
        super().__init__(frames_back, frames_forward, scale, features, blocks)
        self.head, self.detail = conv(frames_back + 1 + frames_forward, features), conv(features, self.scale**2)
        nn.init.zeros_(self.detail.weight), nn.init.zeros_(self.detail.bias)
        self.tail = Interpolation('bicubic', self.scale)
        self.register_buffer('brightness', torch.tensor([.299, .587, .114])[:, None, None], persistent=False)

    halo = None # its bicubic interpolation is a matrix product

    def reconstruct(self, x):
        features = self.act(self.head((x.unflatten(1, (-1, 3)) * self.brightness).sum(2)))
        with torch.autocast(x.device.type, enabled=False): picture = self.tail(x[:, self.center_channels])
        return picture + F.pixel_shuffle(self.detail(self.body(features)), self.scale) # the same detail for the three colours

for network in (SampledAtLR, FlowOf01, SampledBy, WithConsistency, RefinedFlow, AlignedRecurrent, Folded, Recurrent, Reparameterised, OtherSkip, Luma): MODELS.register(network)
