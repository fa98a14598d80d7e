"""What the panels themselves cost: writes resources/results/panel_load.csv, and panel_load.json beside it.

    python resources/experiments/panel_load.py                ten minutes, and half a minute of preparation
    python resources/experiments/panel_load.py --minutes 1

Two notebook kernels run side by side, and a client of each reads what they send, as a page does. In one, the page of `tsr app` is open and
nothing happens. In the other, a training panel shows a training of a small network, which reports every batch, so that its charts are drawn as
often as they ever are. Counted is the processor time of the kernel alone: the training is a process of its own.
"""
import argparse
import csv
import datetime
import json
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import torch
from jupyter_client.manager import start_new_kernel

from tsr.samples import TRAIN_SCENES, make_sample

ROOT = Path(__file__).resolve().parents[2]
IDLE = 'from tsr.panels import app_page; panel = app_page(); display(panel)'
DRAWING = """from tsr.panels import TrainingPanel
from tsr.training import TrainConfig
panel = TrainingPanel('archive.mp4', TrainConfig(model_args=dict(features=8, blocks=2), patch=24, batch_size=8, epochs=10**6, validation_frames=3, log_every=1), mlflow='off')
display(panel); panel.checker.wait(); panel.start(); assert panel.wait(('train', 'validate')) in ('train', 'validate'), panel.status.error"""
CASES = {'nothing is drawn': IDLE, 'a training is drawn': DRAWING}

def run_cell(client, code):
    "Run a cell; an error in it is raised."
    reply = client.execute_interactive(code, timeout=300, output_hook=lambda message: None)
    if reply['content']['status'] != 'ok': raise RuntimeError('\n'.join(reply['content']['traceback']))

def drain(client, seconds): # int
    "Read what a kernel sends, as a page does; the number of bytes."
    end, received = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        if not client.iopub_channel.socket.poll(min(1000 * left, 1000)): continue
        received += sum(len(part) for part in client.iopub_channel.socket.recv_multipart())
    return received

def cpu_seconds(pid): return sum(psutil.Process(pid).cpu_times()[:2])

def measure(minutes): # rows, one for each minute and case
    "The share of a core that each kernel used, minute after minute."
    kernels, before, rows = {}, {}, []
    try:
        for case, code in CASES.items():
            kernels[case] = start_new_kernel(kernel_name='python3')
            run_cell(kernels[case][1], code)
        time.sleep(30) # for what a panel does once: the previews and checks of its first seconds
        begun = {case: (time.monotonic(), cpu_seconds(manager.provisioner.pid)) for case, (manager, _) in kernels.items()}
        for minute in range(1, minutes + 1):
            for case, (manager, client) in kernels.items():
                received = drain(client, 60 / len(kernels))
                now = time.monotonic(), cpu_seconds(manager.provisioner.pid)
                at, cpu = before.get(case, begun[case])
                rows.append(dict(case=case, minute=minute, percent=round(100 * (now[1] - cpu) / (now[0] - at), 2), kb=round(received / 1e3)))
                before[case] = now
            print(minute, *(f"{row['case']}: {row['percent']:.2f}%" for row in rows[-len(kernels):]), flush=True)
        run_cell(kernels['a training is drawn'][1], 'panel.stop(); assert panel.wait() == "stopped"')
    finally:
        for manager, client in kernels.values():
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return rows

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=int, default=10)
    parser.add_argument('--out', type=Path, default=ROOT/'resources'/'results', help='folder of the tables')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        out = args.out.absolute()
        os.chdir(work)
        os.environ |= dict(TSR_CACHE=f'{work}/cache')
        make_sample(TRAIN_SCENES[0], 'archive.mp4', frames=24, size=(288, 512))
        try: rows = measure(args.minutes)
        finally: os.chdir(ROOT)
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    with (out/'panel_load.csv').open('w', newline='') as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator='\n')
        table.writeheader()
        table.writerows(rows)
    provenance = dict(commit=commit, date=str(datetime.date.today()), torch=torch.__version__, cores=os.cpu_count(), system=platform.platform(), python=platform.python_version(), load=os.getloadavg()[2])
    (out/'panel_load.json').write_text(json.dumps(provenance, indent=1) + '\n')

if __name__ == '__main__': main()
