"""Damaged files and killed processes: `python resources/conformance/fuzz.py [--files 2000] [--kills 50]`

Each file is one of six containers, damaged at a random place in one of seven ways, then read, and written again with its sound, in a process of its own.
Good ends: it comes out whole; it comes out and one line says what it lacked; it is refused in one line. All others are faults: frames lost without a word,
a traceback, a crash, a hang, a file left behind. A killed process may leave its partial file, which the next run removes, and never a result that
is not whole. With `--out resources/results`, the counts are kept there, in `fuzz_files.csv` and `fuzz_kills.csv`; the command fails if there is a fault.
"""
import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import files
import pandas as pd

from tsr.core import TSRError, write_json
from tsr.training import git_commit
from tsr.video import probe, read_frames, write_frames

GOOD = 'whole', 'said', 'refused', 'not promised'
SECONDS = 120 # after which a process hangs

def convert(src, dst): # (frames written, text of the warnings)
    "Read a file and write it again."
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter('always')
        count = write_frames(dst, read_frames(src), source=src, preset='ultrafast')
    return count, ' '.join(str(w.message) for w in heard)

def outcome(src, dst, frames): # a name in `GOOD`, or a fault
    "How a damaged file ends, of which the whole one has so many frames."
    try: count, said = convert(src, dst)
    except TSRError as e: return 'traceback' if '\n' in str(e) else 'refused'
    except Exception as e:
        print(f'{src.name}: {type(e).__name__}: {e}', file=sys.stderr)
        return 'traceback'
    if said: return 'said'
    if count >= frames: return 'whole'
    # a transport stream, and an MP4 in pieces, announce no end: one that is only shorter cannot be known
    return 'not promised' if src.suffix == '.ts' and probe(src, count=True).frames == count else 'lost silently'

def work(jobs, folder, results):
    "In a process of its own: each job is (number, path, frames)."
    for i, src, frames in jobs:
        results.put((i, 'begun'))
        dst = folder/f'out{i}.{"mkv" if i % 2 else "mp4"}'
        end = outcome(src, dst, frames)
        dst.unlink(missing_ok=True)
        if left := list(folder.glob(f'*out{i}.*')): end, _ = 'left behind', [p.unlink() for p in left]
        results.put((i, end))

def run_all(jobs, folder): # dict: number -> end
    "Run jobs in one process after the other; one that crashes or hangs takes only its job with it."
    context, ends, left = multiprocessing.get_context('fork'), {}, list(jobs)
    while left:
        results = context.SimpleQueue()
        process = context.Process(target=work, args=(left, folder, results))
        process.start()
        begun, since = None, time.monotonic()
        while process.is_alive() or not results.empty():
            if results.empty():
                time.sleep(.01)
                if time.monotonic() - since < SECONDS: continue
                ends[begun] = 'hang'
                process.kill()
                break
            i, end = results.get()
            begun, since = i, time.monotonic()
            if end != 'begun': ends[i] = end
        process.join()
        if begun is not None and begun not in ends: ends[begun] = 'crash'
        left = [job for job in left if job[0] not in ends]
    return ends

def fuzz(count, folder, seed): # table: container, damage, and how many files ended how
    "Damage files and see how they end."
    whole, rng, jobs, kinds = files.make_containers(folder), random.Random(seed), [], {}
    frames = {suffix: probe(path, count=True).frames for suffix, path in whole.items()}
    for i in range(count):
        suffix, kind = list(whole)[i % len(whole)], rng.choice(files.MUTATIONS)
        src = folder/f'{i}_{kind}.{suffix}'
        src.write_bytes(files.mutate(whole[suffix].read_bytes(), kind, rng))
        jobs.append((i, src, frames[suffix]))
        kinds[i] = suffix, kind
    ends = run_all(jobs, folder)
    for i, src, _ in jobs:
        if ends[i] not in GOOD: print(f'{src.name}: {ends[i]}', file=sys.stderr)
    rows = Counter((*kinds[i], end) for i, end in ends.items())
    return pd.DataFrame([(*k, n) for k, n in rows.items()], columns=['container', 'damage', 'end', 'files'])

def kill(count, folder, seed): # table, as of `fuzz`
    "Kill a process that writes a file, at any moment; whatever has the name of the result must be whole."
    src, rng, ends = files.make_containers(folder)['mp4'], random.Random(seed), Counter()
    context, frames = multiprocessing.get_context('fork'), probe(src, count=True).frames
    dst = folder/'killed.mp4'
    begun = time.monotonic()
    convert(src, dst)
    usual = time.monotonic() - begun
    for _ in range(count):
        dst.unlink(missing_ok=True)
        process = context.Process(target=convert, args=(src, dst))
        process.start()
        time.sleep(rng.uniform(0, 1.5 * usual))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        if not dst.exists(): ends['no file'] += 1
        else: ends['whole' if len(files.look(dst).times) == frames else 'not whole'] += 1
    convert(src, dst)
    ends['left behind'] += len([p for p in folder.glob('*killed*') if p != dst])
    return pd.DataFrame([('mp4', 'killed', end, n) for end, n in ends.items() if n], columns=['container', 'damage', 'end', 'files'])

def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--files', type=int, default=2000)
    parser.add_argument('--kills', type=int, default=50)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', default='', help='folder for the tables; none: they are not written')
    args = parser.parse_args(arguments)
    faults = 0
    for name, job, count in ('files', fuzz, args.files), ('kills', kill, args.kills):
        if not count: continue
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix='tsr-fuzz-') as folder: table = job(count, Path(folder), args.seed)
        print(table.pivot_table(index=['container', 'damage'], columns='end', values='files', aggfunc='sum', fill_value=0, margins=True).to_string())
        faults += table[~table.end.isin([*GOOD, 'no file'])].files.sum()
        if not args.out: continue
        table.sort_values(['container', 'damage', 'end']).to_csv(Path(args.out)/f'fuzz_{name}.csv', index=False)
        command = f'python resources/conformance/fuzz.py --{name} {count} --seed {args.seed}'
        write_json(Path(args.out)/f'fuzz_{name}.json', dict(command=command, commit=git_commit(), seconds=round(time.monotonic() - begun)))
    if faults: sys.exit(f'{faults} faults')

if __name__ == '__main__': main()
