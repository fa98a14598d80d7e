"Fit the package's linear filter on the training clips: `TSR_CLIPS=... python resources/fit_linear.py`"
from tqdm import tqdm

from tsr.data import MultiVideoDataset, clips
from tsr.model import WEIGHTS, fit_linear, save_model
from tsr.training import commit

videos = clips('train')
examples = MultiVideoDataset(videos, frames_back=0, frames_forward=0, patch=96)
model = fit_linear(examples[i] for i in tqdm(range(len(examples)), desc='fitting'))
save_model(model, WEIGHTS/'linear.safetensors', method='least squares on one random 96x96 square of each frame, downscale area',
           trained_on=[v.name for v in videos], frames=len(examples), commit=commit())
