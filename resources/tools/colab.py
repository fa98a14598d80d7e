"""The chapters in Google Colab: a badge on each of them, and a first cell that installs the package there and does nothing elsewhere.

    python resources/tools/colab.py write      puts both cells into the chapters, or makes them new
    python resources/tools/colab.py check      fails if a chapter lacks them, or has others
    python resources/tools/colab.py install    what the first cell runs in Colab: the package and what its notebooks need, beside the PyTorch that is there

The address of the repository and its branch are those of settings.ini, the chapters those of nbs/sidebar.yml.
"""
import argparse
import configparser
import json
import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NBS = ROOT/'nbs'
BADGE, INSTALL = 'c01ab000', 'c01ab001' # ids of the two cells
KEPT = 'torch', 'torchvision', 'torchaudio' # made for each other, and for the GPU that is there
config = configparser.ConfigParser()
config.read(ROOT/'settings.ini')
settings = config['DEFAULT']

def chapters(): # list of `Path`
    "The notebooks of the sidebar's first section."
    listed = re.search(r'section: Chapters\n\s+contents: \[(.*?)\]', (NBS/'sidebar.yml').read_text(), re.S)
    return [NBS/name.strip() for name in listed[1].split(',')]

def address(path): # of a notebook in Colab
    "Where the badge leads."
    return f'https://colab.research.google.com/github/{settings["user"]}/{settings["repo"]}/blob/{settings["branch"]}/nbs/{path.name}'

def cells(path): # list of two cells, as in a notebook's file
    "The badge, and the cell that installs."
    badge = f'[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address(path)})'
    install = f"""#| hide
import os
import subprocess
import sys

if 'google.colab' in sys.modules: # installs the package in Colab; does nothing elsewhere
    if not os.path.exists('/content/{settings["repo"]}'):
        subprocess.run(['git', 'clone', '-q', '--depth', '1', '--branch', '{settings["branch"]}', '{settings["git_url"]}', '/content/{settings["repo"]}'], check=True)
    os.chdir('/content/{settings["repo"]}/nbs')
    subprocess.run([sys.executable, '../resources/tools/colab.py', 'install'], check=True)
    sys.path.insert(0, '/content/{settings["repo"]}')"""
    lines = lambda text: text.splitlines(keepends=True)
    return [dict(cell_type='markdown', id=BADGE, metadata={}, source=lines(badge)),
            dict(cell_type='code', id=INSTALL, metadata={}, source=lines(install), execution_count=None, outputs=[])]

def with_cells(path): # notebook as a dict
    "A chapter as it should be: its title, then the two cells."
    nb = json.loads(path.read_text())
    rest = [cell for cell in nb['cells'] if cell['id'] not in (BADGE, INSTALL)]
    return nb | dict(cells=[*rest[:1], *cells(path), *rest[1:]])

def write():
    for path in chapters(): path.write_text(json.dumps(with_cells(path), indent=1, ensure_ascii=False, sort_keys=True) + '\n')

def check():
    wrong = [path.name for path in chapters() if with_cells(path) != json.loads(path.read_text())]
    if wrong: raise SystemExit(f'{", ".join(wrong)}: not the cells for Colab; python resources/tools/colab.py write')

def pins(): # list of requirements
    "The PyTorch that is installed, as it is."
    found = []
    for name in KEPT:
        try: found.append(f'{name}=={version(name)}')
        except PackageNotFoundError: continue
    return found

def install(*options):
    "The package, and what its notebooks import besides."
    extra = [r for r in settings['dev_requirements'].split() if re.match(r'nbdev|execnb|fastcore|ghapi|anywidget|ipywidgets|mlflow', r)]
    with tempfile.NamedTemporaryFile('w', suffix='.txt') as file:
        file.write('\n'.join(pins()))
        file.flush()
        subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', *options, '-c', file.name, str(ROOT), *extra], check=True)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('task', choices=('write', 'check', 'install'))
    parser.add_argument('--dry-run', action='store_true', help='of install: say what would be installed')
    args = parser.parse_args()
    if args.task == 'install': install(*['--dry-run'] * args.dry_run)
    else: dict(write=write, check=check)[args.task]()

if __name__ == '__main__': main()
