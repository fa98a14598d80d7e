"""Damaged files and killed processes: `python resources/conformance/fuzz.py [--files 2000] [--kills 50]`

Each file is one of six containers, damaged at a random place in one of seven ways, then read, and written again with its sound, in a process of its own.
Good ends: it comes out whole; it comes out and one line says what it lacked; it is refused in one line. All others are faults: frames lost without a word,
a traceback, a crash, a hang, a file left behind. A killed process may leave its partial file, which the next run removes, and never a result that
is not whole. With `--out resources/results`, the counts are kept there after every hundred, in `fuzz_files.csv` and `fuzz_kills.csv`, and the same
command goes on where it was stopped; it fails if there is a fault.
"""
import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import files
import pandas as pd

from tsr.core import TSRError, write_json
from tsr.training import git_commit
from tsr.video import probe, read_frames, write_frames

GOOD = 'whole', 'said', 'refused', 'not promised', 'no file', 'partial file, which the next run removed'
PIECE = 100 # files or kills after which the table is kept
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

def fuzz(count, folder, seed, faulty='', only=tuple(files.CONTAINERS)): # Counter of (container, damage, end)
    "Damage files and see how they end."
    whole, rng, jobs, kinds = {k: v for k, v in files.make_containers(folder).items() if k in only}, random.Random(seed), [], {}
    frames = {suffix: probe(path, count=True).frames for suffix, path in whole.items()}
    for i in range(count):
        suffix, kind = list(whole)[i % len(whole)], rng.choice(files.MUTATIONS)
        src = folder/f'{i}_{kind}.{suffix}'
        src.write_bytes(files.mutate(whole[suffix].read_bytes(), kind, rng))
        jobs.append((i, src, frames[suffix]))
        kinds[i] = suffix, kind
    ends = run_all(jobs, folder)
    for i, src, _ in jobs:
        if ends[i] in GOOD: continue
        print(f'{src.name} of the piece with seed {seed}: {ends[i]}', file=sys.stderr)
        if faulty: shutil.copy(src, Path(faulty)/f'{seed}_{src.name}')
    return Counter((*kinds[i], end) for i, end in ends.items())

def kill(count, folder, seed, faulty=''): # as `fuzz`
    "Kill a process that writes a file, at any moment; whatever has the name of the result must be whole, and the next run removes the rest."
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
        partial = any(p.name.endswith('.part') for p in folder.iterdir())
        if dst.exists(): ends['whole' if len(files.look(dst).times) == frames else 'not whole'] += 1
        else: ends['partial file, which the next run removed' if partial else 'no file'] += 1
        convert(src, folder/'next.mp4')
        ends['left behind'] += any(p.name.endswith('.part') for p in folder.iterdir())
    return Counter({('mp4', 'killed', end): n for end, n in ends.items() if n})

def pieces(name, job, count, seed, out, faulty): # Counter of (container, damage, end)
    "A long run in pieces: the table is kept after each, and the same command goes on with the next."
    path = Path(out)/f'fuzz_{name}.csv' if out else None
    facts = dict(command=f'python resources/conformance/fuzz.py --{name} {count} --seed {seed}', commit=git_commit(), done=0, seconds=0)
    rows = Counter()
    if path and path.exists() and (old := json.loads(path.with_suffix('.json').read_text())).get('done', count) < count and old['command'] == facts['command']:
        facts = old
        rows = Counter({tuple(row[:3]): row[3] for row in pd.read_csv(path).itertuples(index=False)})
    while facts['done'] < count:
        begun, size = time.monotonic(), min(PIECE, count - facts['done'])
        with tempfile.TemporaryDirectory(prefix='tsr-fuzz-') as folder: rows += job(size, Path(folder), 1000 * seed + facts['done'] // PIECE, faulty)
        facts |= dict(done=facts['done'] + size, seconds=facts['seconds'] + round(time.monotonic() - begun))
        if not path: continue
        table_of(rows).to_csv(path, index=False)
        write_json(path.with_suffix('.json'), facts)
        print(f'{facts["done"]} {name}, {facts["seconds"]} s', flush=True)
    return rows

def table_of(rows): return pd.DataFrame([(*k, n) for k, n in sorted(rows.items())], columns=['container', 'damage', 'end', 'files'])

def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--files', type=int, default=2000)
    parser.add_argument('--kills', type=int, default=50)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', nargs='+', default=list(files.CONTAINERS), choices=list(files.CONTAINERS), help='containers to damage')
    parser.add_argument('--faulty', default='', help='folder where files with faults are kept')
    parser.add_argument('--out', default='', help='folder for the tables; none: they are not written')
    args = parser.parse_args(arguments)
    faults = 0
    for name, job, count in ('files', partial(fuzz, only=args.only), args.files), ('kills', kill, args.kills):
        if not count: continue
        table = table_of(pieces(name, job, count, args.seed, args.out, args.faulty))
        print(table.pivot_table(index=['container', 'damage'], columns='end', values='files', aggfunc='sum', fill_value=0, margins=True).to_string())
        faults += table[~table.end.isin(GOOD)].files.sum()
    if faults: sys.exit(f'{faults} faults')

if __name__ == '__main__': main()
