#!/usr/bin/env bash
# The bundled weights, their table and the README's picture, from a folder of clips: TSR_CLIPS=... ORIGINAL=... resources/make.sh
# TSR_CLIPS holds train/ and test/; ORIGINAL is the folder of the original project's .pt files. Two to three hours on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${RUNS:-runs}
tsr train "$TSR_CLIPS/train" --out "$runs/default" --minutes 60 --resume
tsr train "$TSR_CLIPS/train" --out "$runs/small" --model TSRCNN_small --learning-rate 0.001 --minutes 25 --resume
cp "$runs/default/best.safetensors" tsr/weights/default.safetensors
cp "$runs/small/best.safetensors" tsr/weights/small.safetensors
cp "$runs/default/metrics.csv" resources/results/train_default.csv
cp "$runs/small/metrics.csv" resources/results/train_small.csv
python resources/fit_linear.py
cp "$ORIGINAL/small_360_720_252videos_AdamWopt_PNSRloss_1fb_1ff_3ep_final.pt" "$runs/original.pt"
cp "$ORIGINAL/large_360_720_36videos_AdamWopt_MSELossloss_1fb_1ff_3ep_final.pt" "$runs/original_large.pt"
tsr evaluate "$TSR_CLIPS/test" --model default --model small --model "$runs/original.pt" --model "$runs/original_large.pt" --every 5 --out resources/results/bundled.csv
python resources/figure.py
