"""What the data of an experiment are: a small table that is committed where the clips cannot be.

    python resources/tools/manifest.py FOLDER... -o train.csv        write it
    python resources/tools/manifest.py FOLDER... --check train.csv   exit with one line that says what differs
    python resources/tools/manifest.py FOLDER --film train.csv       make the sample clips that it lists, where they are not yet

The tasks can be given together. A video of FOLDER is listed by its path from that folder's name on; a single file may be given as NAME=FILE.
The check compares the columns that the table has. That of sample clips has neither bytes nor hashes: their pixels are
the same on every machine only to rounding, and the encoder makes other bytes of that; scene, size and frames say it all.
"""
import argparse
import csv
import hashlib
import sys
from pathlib import Path

from tsr.core import TSRError
from tsr.data import PHOTO_SUFFIXES, VIDEO_SUFFIXES, find_videos
from tsr.dataset import probe_source
from tsr.samples import make_sample

def named(
    inputs # list of folders, files and NAME=FILE
): # dict: name -> `Path`
    "What the files of a manifest are called."
    found = {}
    for text in inputs:
        name, _, path = text.rpartition('=')
        top = Path(path)
        found |= {name: top} if name else {p.relative_to(top.parent).as_posix(): p for p in find_videos(top)}
    return found

def describe(
    path # of a file
): # dict of text, as the table holds it
    "A file's row, but for its name."
    if path.suffix.lower() in VIDEO_SUFFIXES | PHOTO_SUFFIXES:
        s = probe_source(path)
        row = dict(bytes=s.bytes, width=s.width, height=s.height, frames=len(s.times), sha256=s.sha256)
    else: row = dict(bytes=path.stat().st_size, width='', height='', frames='', sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    return {k: str(v) for k, v in row.items()}

def read(
    manifest # path of a table
): # dict: name -> dict of text
    "The rows of a manifest."
    with open(manifest, newline='') as f: return {row.pop('name'): row for row in csv.DictReader(f)}

def write(
    manifest, # path of the table
    files # dict: name -> `Path`
):
    "Make a manifest."
    rows = [dict(name=name) | describe(path) for name, path in files.items()]
    with open(manifest, 'w', newline='') as f:
        writer = csv.DictWriter(f, rows[0], lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)

def changed(
    row, # of the manifest
    path # of the file
): # list of the columns that differ
    "In what a file is not the listed one."
    now = describe(path)
    return [k for k in row if row[k] != now[k]]

def check(
    manifest, # path of a table
    files # dict: name -> `Path`
):
    "Raise an error that names what differs."
    listed = read(manifest)
    differing = {name: columns for name in listed.keys() & files.keys() if (columns := changed(listed[name], files[name]))}
    groups = dict(missing=sorted(listed.keys() - files.keys()), unlisted=sorted(files.keys() - listed.keys()),
                  changed=[f'{name}: {", ".join(columns)}' for name, columns in sorted(differing.items())])
    parts = [f'{len(names)} {what} ({"; ".join(names[:3])}{"; ..." if names[3:] else ""})' for what, names in groups.items() if names]
    if parts: raise TSRError(f'{manifest}: the files are not those that it lists: {", ".join(parts)}')

def render_scene(
    manifest, # path of a table
    folder # of the clips; made if need be
):
    "Make the sample clips that are missing, or of another size or length."
    for name, row in read(manifest).items():
        path = Path(folder).parent/name
        if path.exists() and not changed(row, path): continue
        path.parent.mkdir(parents=True, exist_ok=True)
        make_sample(path.stem, path, int(row['frames']), size=(int(row['height']), int(row['width'])))

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('inputs', nargs='+', metavar='FOLDER')
    for flags in (('-o', '--out'), ('--check',), ('--film',)): parser.add_argument(*flags, metavar='MANIFEST')
    args = parser.parse_args()
    if not (args.out or args.check or args.film): parser.error('what shall be done with MANIFEST?')
    if args.film: render_scene(args.film, args.inputs[0])
    if args.out: write(args.out, named(args.inputs))
    if listed := args.check or args.film: check(listed, named(args.inputs))

if __name__ == '__main__':
    try: main()
    except TSRError as e: sys.exit(str(e))
