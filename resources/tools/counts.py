"""What the notebooks hold, at some commits: `python resources/tools/counts.py 0096e32 HEAD`

Writes resources/results/notebooks.csv, a row for each notebook and commit: cells, lines of code and words of prose, and what a reader sees besides:
pictures (also those of the text, and videos) and tables.
"""
import csv
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT/'resources'/'results'/'notebooks.csv'

def git(*args): return subprocess.run(['git', '-C', str(ROOT), *args], check=True, capture_output=True, text=True).stdout

def count(nb): # dict
    "One notebook."
    code = [''.join(cell['source']) for cell in nb['cells'] if cell['cell_type'] == 'code']
    prose = [''.join(cell['source']) for cell in nb['cells'] if cell['cell_type'] == 'markdown']
    kinds = [(set(output.get('data', {})), ''.join(output.get('data', {}).get('text/html', '')) + ''.join(output.get('data', {}).get('text/markdown', ''))) for cell in nb['cells'] for output in cell.get('outputs', [])]
    return dict(cells=len(nb['cells']), code_cells=len(code), code_lines=sum(len(source.splitlines()) for source in code), words=sum(len(text.split()) for text in prose),
                pictures=sum(any(kind.startswith('image/') for kind in data) or '<video' in text for data, text in kinds) + sum(len(re.findall(r'!\[(?!Open in Colab)', text)) for text in prose),
                tables=sum('<table' in text or '|---' in text for _, text in kinds) + sum(len(re.findall(r'(?m)^\|[-:| ]+\|$', text)) for text in prose))

def main():
    rows = []
    for name in sys.argv[1:]:
        commit = git('rev-parse', '--short=7', name).strip()
        for path in git('ls-tree', '-r', '--name-only', commit, 'nbs').splitlines():
            if path.endswith('.ipynb'): rows.append(dict(commit=commit, notebook=Path(path).stem, **count(json.loads(git('show', f'{commit}:{path}')))))
    with open(OUT, 'w', newline='') as file:
        out = csv.DictWriter(file, rows[0], lineterminator='\n')
        out.writeheader()
        out.writerows(rows)

if __name__ == '__main__': main()
