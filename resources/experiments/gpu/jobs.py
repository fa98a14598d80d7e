"""Several trainings on one GPU: each is a CUDA graph of one step, replayed by a thread of its own on a
stream of its own.

A small network leaves most of the GPU idle and pays for launching kernels; graphs remove the launches,
streams fill the GPU. On the CPU the same steps run one after the other.
"""

import json
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import torch

LOCK = threading.RLock()  # one thread at a time builds, captures or validates
BEGUN = time.time()


def log(*words):
    print(f'{time.time() - BEGUN:7.1f}', *words, flush=True)


class Job:
    "A training. Subclasses define `build`, `step`, `refill` and `report`."

    chunk = 50  # steps between two looks at the clock
    warm = 3  # steps before the capture, which count
    until = None  # Unix time at which the training ends; None: `steps` decides
    seconds = None  # that the training takes; None: `steps` decides
    steps, done = 0, 0
    stopped = False

    def build(self):
        "Allocate everything that a step needs, on the device."

    def step(self):
        "One step; on a GPU it must neither wait for the host nor change a shape."

    def refill(self):
        "Called before each chunk: draw what the next `chunk` steps need."

    def report(self):
        "Called after each chunk."

    def finish(self):
        "Called at the end."

    @property
    def progress(self):  # 0 to 1
        if self.until:
            return min((time.time() - self.started) / max(self.until - self.started, 1e-3), 1.0)
        if self.seconds:
            return min((time.time() - self.started) / self.seconds, 1.0)
        return self.done / self.steps

    def run(self, device):
        "Build, capture, train, finish."
        try:
            self._run(device)
        except Exception as e:
            self.error = e
            log(self.name, 'FAILED', traceback.format_exc())
        return self

    def _run(self, device):
        self.device, self.started = device, time.time()
        gpu = device.type == 'cuda'
        stream = torch.cuda.Stream() if gpu else None
        with torch.cuda.stream(stream) if gpu else LOCK:
            if gpu:
                LOCK.acquire()
            try:
                self.build()
                self.refill()
                if gpu:
                    for _ in range(self.warm):
                        self.step()
                    stream.synchronize()
                    self.done, graph = self.warm, torch.cuda.CUDAGraph()
                    try:
                        with torch.cuda.graph(graph, stream=stream, capture_error_mode='thread_local'):
                            self.step()
                        play = graph.replay
                    except RuntimeError:
                        log(self.name, 'not captured, slow:', traceback.format_exc())
                        play = self.step
                else:
                    play = self.step
            finally:
                if gpu:
                    LOCK.release()
            self.ready = self.started = time.time()
            while self.progress < 1 and not self.stopped:
                if self.done >= self.chunk:
                    self.refill()
                n = self.chunk - self.done % self.chunk
                if self.steps:
                    n = min(n, self.steps - self.done)
                for _ in range(n):
                    play()
                if gpu:
                    stream.synchronize()
                self.done += n
                self.report()
            self.elapsed = time.time() - self.started
            with LOCK:
                self.finish()
            log(
                f'{self.name}: {self.done} steps, {self.elapsed:.1f} s, '
                f'{1e3 * self.elapsed / max(self.done, 1):.3f} ms a step'
            )


def run_all(jobs, device, at_once, dropped=lambda: False):
    "Run jobs in order, at most `at_once` together; no new one is started once `dropped()` is true."
    go = lambda j: None if dropped() else j.run(device)
    with ThreadPoolExecutor(at_once if device.type == 'cuda' else 1) as pool:
        list(pool.map(go, jobs))


def use_gpu():  # device
    "The GPU with TF32 convolutions, or the CPU."
    if not torch.cuda.is_available():
        return torch.device('cpu')
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True
    log(torch.cuda.get_device_name(), torch.__version__)
    return torch.device('cuda')


def header(**about):  # dict for the header of a .safetensors file
    "As `tsr.model.save_model` writes it."
    return {'tsr': json.dumps(about)}
