"Fit the package's linear filter on the clips of a folder: `python resources/fit_linear.py FOLDER FILE`"
import sys

from tqdm import tqdm

from tsr.data import find_videos
from tsr.dataset import MultiVideoDataset
from tsr.model import fit_linear, save_model
from tsr.training import git_commit

folder, file = sys.argv[1:]
videos = find_videos(folder)
examples = MultiVideoDataset(videos, frames_back=0, frames_forward=0, patch=96)
model = fit_linear(examples[i] for i in tqdm(range(len(examples)), desc='fitting'))
save_model(model, file, method='least squares on one random 96x96 square of each frame, downscale area',
           trained_on=[v.name for v in videos], frames=len(examples), commit=git_commit())
