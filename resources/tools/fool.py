"""Tries to fool `report.py check`, in every way that it should notice: `python resources/tools/fool.py`

Each attempt is a small notebook, table or page with one thing wrong, and must fail; the same without it must pass.
"""
import io
import json
import os
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import claims
import layout
import nbformat
import pandas as pd
import report
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

TABLE = "import pandas as pd\nscores = pd.read_csv('../resources/results/published/results3.csv')\nprint(scores.average_psnr[0].round(2))"
CHART = 'import matplotlib.pyplot as plt\nplt.plot(scores.average_psnr.tolist() * {}); plt.show()'
PAGE = '<html><head><meta name="viewport" content="width=device-width"></head><body><main>{}</main></body></html>'
TRUE = str(pd.read_csv(claims.ROOT/'resources/results/published/results3.csv').average_psnr[0].round(2))

def says(text): return [new_output('stream', name='stdout', text=text + '\n')]

def notebook(folder, *cells): # its path
    path = folder/'fooled.ipynb'
    nbformat.write(new_notebook(cells=list(cells), metadata=dict(kernelspec=dict(name='python3', display_name='python3'))), path)
    return path

def noticed(check, *args): # bool
    try:
        with redirect_stdout(io.StringIO()): return bool(check(*args)) # without the differences that it prints
    except SystemExit: return True

def outputs(folder): # iterator of (what is tried, whether it should be noticed, whether it was)
    "Stored outputs that are not those of resources/."
    def of(*cells): return noticed(lambda path: report.compare(path) and None, notebook(folder, *cells))
    yield 'a stored number that is right', False, of(new_code_cell(TABLE, outputs=says(TRUE)))
    yield 'a stored number of earlier results', True, of(new_code_cell(TABLE, outputs=says('0.50')))
    yield 'an output that was lost', True, of(new_code_cell(TABLE))
    yield 'the path in parts', True, of(new_code_cell(TABLE.replace("'../resources/results/published/results3.csv'", "'/'.join(['..', 'resources', 'results', 'published', 'results3.csv'])"), outputs=says('0.50')))
    def lost(source, **stored): return bool(report.wrong_outputs(notebook(folder, new_code_cell(source, **stored))))
    for what, source in dict(text='for i in range(3): print(i)', table='pd.DataFrame(rows)', value='scores', chart='plt.plot(x); plt.show()').items(): yield f'a live output that was lost: {what}', True, lost(source)
    yield 'a cell that says nothing', False, lost('x = 1\ndef f(): print(x)')
    yield 'what a test prints', True, lost('#| hide\nprint(1)', outputs=says('1'))
    yield 'a test whose output is not stored', False, lost('#| hide\nprint(1)')
    yield 'a later cell that shows what an earlier one read', True, of(new_code_cell(TABLE, outputs=says(TRUE)), new_code_cell('print(len(scores))', outputs=says('17')))
    yield 'a cell that is never run', True, of(new_code_cell('#| eval: false\n' + TABLE, outputs=says('0.50')))
    chart = new_code_cell(CHART.format(2))
    report.compare(notebook(folder, new_code_cell(TABLE), chart), save=True)
    saved = nbformat.read(folder/'fooled.ipynb', as_version=4).cells
    yield 'a chart as it was stored', False, of(*saved)
    yield 'a chart of earlier results', True, of(saved[0], nbformat.from_dict(saved[1] | dict(source=CHART.format(3))))
    picture = new_code_cell("from IPython.display import Image\nImage('../resources/figures/curve.png')")
    report.compare(notebook(folder, picture), save=True)
    kept = nbformat.read(folder/'fooled.ipynb', as_version=4).cells[0]
    yield 'a picture that is the file', False, of(kept)
    other = nbformat.from_dict(kept | dict(source=kept.source.replace('curve', 'study_history')))
    yield 'a picture of an earlier file', True, of(other)
    yield 'a chart that was lost', True, of(saved[0], nbformat.from_dict(saved[1] | dict(outputs=[])))

def commits(folder):
    "Commits that nobody can look up."
    known = claims.history()
    if known is None: return
    real, dirty, none = known[0][:7], known[0][:7] + '-dirty', '0123456789'[:7] # seven digits that are the beginning of no commit
    def table(name): (folder/'a.csv').write_text(f'gain,commit\n1,{name}\n'); return claims.lost_commits([folder/'a.csv'], known)
    def facts(name): (folder/'a.json').write_text(json.dumps(dict(parts=[dict(code=name)]))); return claims.lost_commits([folder/'a.json'], known)
    def prose(text): return claims.lost_commits([notebook(folder, new_markdown_cell(text))], known)
    def shown(text): return claims.lost_commits([notebook(folder, new_code_cell('', outputs=says(text)))], known)
    for what, place in dict(table=table, facts=facts).items():
        yield f'{what}: a commit of the history', False, bool(place(real))
        yield f'{what}: a commit that is not there', True, bool(place(none))
        yield f'{what}: changes that were not committed', True, bool(place(dirty))
    yield 'prose: a commit of the history', False, bool(prose(f'Measured at commit `{real}`.'))
    yield 'prose: a second one that is not there', True, bool(prose(f'Measured at commits `{real}`, `abcdef0`.'))
    yield 'an output: one that is not there', True, bool(shown('torch 2.13, commit abcdef0'))

def machines(folder):
    "Paths of the machine that outputs were made on."
    def shows(output): return bool(claims.machine_paths([notebook(folder, new_code_cell('', outputs=[output]))]))
    for text in ('best: /tmp/tmpddvknmw_/runs/best.safetensors', 'PosixPath("/home/someone/clips/a.mp4")', 'saved in /Users/someone/a.mp4', r'C:\Users\someone\a.mp4', "['/root/.cache/tsr/a.mp4']"): yield f'printed: {text}', True, shows(says(text)[0])
    for text in ('best: runs/best.safetensors', 'tmp/a.mp4', 'https://example.org/tmp/a.mp4', '12 frames/s, 3 GB/s', '~/films/a.mp4', '../var/a', 'PSNR/dB: 3.1', 'a: 1, b:\n2'): yield f'printed: {text}', False, shows(says(text)[0])
    table = dict(output_type='display_data', metadata={}, data={'text/html': '<td>/tmp/x/a.mp4</td>', 'text/plain': ''})
    yield 'a table', True, shows(nbformat.from_dict(table))
    yield 'a picture in a table', False, shows(nbformat.from_dict(table | dict(data={'text/html': '<img src="data:image/png;base64,AAAA/tmp/AAAA/home/AA">'})))
    yield 'a traceback', True, shows(new_output('error', ename='OSError', evalue='', traceback=['File /usr/lib/python3/os.py, line 3']))

def numbers(folder):
    "Numbers that are typed by hand."
    def typed(*cells): return bool(claims.unexplained([notebook(folder, *cells)]))
    for text in ('It gains 1.2 dB.', 'It gains +1.20.', 'It is ten times as fast.', 'SSIM rises to 0.974.', 'Of the clips, 81 % are better.', 'It makes 14 frames a second.', 'ahead on 9 of 10 clips',
                 'after five minutes', '| default | +2.38 |', 'thirty settings', 'nine of ten clips', '7 out of 10', 'twice as fast', 'between +0.3 and +0.4 dB'):
        yield f'prose: {text}', True, typed(new_markdown_cell(text))
    for text in ('A frame has three channels.', 'Python 3.10 or newer', '`a = 0.5`', 'version 0.1 of [it](https://example.org/1.5)', '```\nx = 0.25\n```'): yield f'prose: {text}', False, typed(new_markdown_cell(text))
    yield 'a sentence of a cell', True, typed(new_code_cell("Markdown('It gains 1.2 dB.')"))
    yield 'a constant that a cell formats', True, typed(new_code_cell("print(f'It gains {-7.910:+.2f}')"))
    yield 'a number that a cell computes', False, typed(new_code_cell("print(f'It gains {gain:+.2f} dB')"))

def chapters(folder):
    "Chapters that lack a part."
    parts = ['**The question:** why?', '**The answer:** so.', '## Exercises\n\n' + '<details><summary>Solution</summary>\n\nx\n\n</details>\n\n' * 2]
    def lacks(*texts): return bool(claims.unfinished([notebook(folder, *map(new_markdown_cell, texts))]))
    yield 'a whole chapter', False, lacks(*parts)
    for i, what in enumerate(('no question', 'no answer', 'no exercises')): yield what, True, lacks(*parts[:i], *parts[i + 1:])
    yield 'solutions that are not hidden', True, lacks(*parts[:2], '## Exercises\n\n**1.** Why? So.')

def pages(folder):
    "What is wider than its page."
    row = '<td>' + 'x' * 40 + '</td>'
    bodies = {'a page that fits': '<p>short</p>',
              'a wide table': f'<div class="table" style="overflow-x: auto"><table><tr>{row * 12}</tr></table></div>',
              'a wide block of code': f'<pre style="overflow: auto">{"x" * 400}</pre>',
              'code whose end is cut off': f'<div style="overflow: hidden; white-space: nowrap">{"x" * 400}</div>',
              'a table behind a fold': f'<details><summary>more</summary><table><tr>{row * 12}</tr></table></details>',
              'a picture wider than a telephone': '<svg width="900" height="9"></svg>'}
    for i, body in enumerate(bodies.values()): (folder/f'{i}.html').write_text(PAGE.format(body))
    found = layout.look(folder)
    for i, what in enumerate(bodies): yield what, i > 0, any(line.startswith(f'{i}.html') for line in found)

def main():
    os.chdir(report.NBS)
    wrong, total = [], 0
    with tempfile.TemporaryDirectory() as d:
        report.CHARTS = Path(d)/'charts.json'
        for kind in (outputs, commits, machines, numbers, chapters, pages):
            folder = Path(d)/kind.__name__
            folder.mkdir()
            try:
                for what, should, was in kind(folder):
                    total += 1
                    if should != was: wrong.append(f'{kind.__name__}: {what}: {"not noticed" if should else "taken for wrong"}')
            except (ImportError, FileNotFoundError) as e: # no browser
                if kind is not pages or os.environ.get('CI'): raise
                print(f'pages: not tried: {e}')
    if wrong: sys.exit('\n'.join(wrong))
    print(f'{total} attempts, each noticed if it should be')

if __name__ == '__main__': main()
