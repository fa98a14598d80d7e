"The curve of the README, what minutes of training are worth, of the recorded trainings in resources/results: `python resources/experiments/curve.py FILE`"
import sys
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
import pandas as pd

RESULTS, TICKS = Path(__file__).parents[1]/'results', (1, 2, 5, 10)
fig, ax = plt.subplots(figsize=(8, 2.8), dpi=110, layout='constrained')
for name, label in dict(minutes_ten='TSRNet', minutes_small="the report's TSRCNN_small").items():
    curve = pd.read_csv(RESULTS/f'{name}.csv')
    ax.plot(curve.minutes, curve.gain_psnr, '.-', lw=1, label=label)
ax.axhline(0, color='k', lw=.5); ax.text(1.03, .05, 'bicubic', fontsize=8)
ax.set_xscale('log'); ax.set_xticks(TICKS, TICKS); ax.set_xticks([], minor=True); ax.set_xlim(1, 12); ax.set_ylim(-2.2, 3)
ax.set_xlabel('minutes of training on a CPU'); ax.set_ylabel('gain on validation\nclips, dB'); ax.legend(frameon=False, fontsize=8, loc='lower right')
for side in ('top', 'right'): ax.spines[side].set_visible(False)
plt.savefig(sys.argv[1])
