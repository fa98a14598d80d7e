"""The whole report by one command.

    python resources/tools/report.py run     executes the notebooks, in the order of nbs/sidebar.yml, and saves their outputs
    python resources/tools/report.py html    renders them as pages with working links into _html/, which need neither Quarto nor a network
    python resources/tools/report.py check   whether what they show and say is so
    python resources/tools/report.py solutions   whether the solutions of the exercises run, each after the cells above it

`check` runs the cells that show resources/ again, and compares their text, their tables and what their charts draw with what is stored (`--save` stores
it instead). It fails on a commit that is not in the history, on a table of earlier weights, on a number that is typed by hand and explained nowhere, on a stored output that shows a path of the machine (claims.py), on a README that is not
that of nbs/index.ipynb, and, if no notebooks are named, on a page on which a table or a block of code does not fit, or a link leads nowhere (layout.py).

`run` and `check` take notebooks, if it is not to be all of them. A cell marked `#| eval: false`, or with a flag of `tst_flags` in settings.ini, is not run
and keeps the outputs it has; `run --flags slow` runs those too. What only a live page shows (widget views, progress bars) is not saved.
"""
import argparse
import ast
import base64
import configparser
import hashlib
import json
import mimetypes
import os
import re
import subprocess
import symtable
import sys
import tempfile
import time
from difflib import unified_diff
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import claims
import colab
import layout
import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
NBS = ROOT/'nbs'
config = configparser.ConfigParser()
config.read(ROOT/'settings.ini')
CHARTS = Path(__file__).with_name('charts.json') # notebook: cell: what its charts draw, as a hash
LONG = 15 # lines of code that a page shows unasked
TST_FLAGS = set(config['DEFAULT']['tst_flags'].split())
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE') # or two processes on two cores spin against each other

def sections(): # list of (title, paths of notebooks); the front page has no title
    "The notebooks as the sidebar orders them."
    listed = yaml.safe_load((NBS/'sidebar.yml').read_text())['website']['sidebar']['contents']
    return [('', [NBS/x]) if isinstance(x, str) else (x['section'], [NBS/name for name in x['contents']]) for x in listed]

def order(): return [path for _, paths in sections() for path in paths]

def directives(cell): return [line[2:].strip() for line in cell.source.splitlines() if line.startswith('#|')]

def code(cell): return ''.join(line for line in cell.source.splitlines(True) if not line.startswith('#|')).strip('\n')

def skipped(cell, flags=frozenset()):
    return cell.cell_type == 'code' and any(d == 'eval: false' or d in TST_FLAGS - flags for d in directives(cell))

SILENT = {'hide', 'export', 'exporti'} # directives of tests and of the package

def silent(cell): return not SILENT.isdisjoint(directives(cell)) # what such a cell happens to print is not for readers

# run

def is_live(output): return output.get('name') == 'stderr' or 'application/vnd.jupyter.widget-view+json' in output.get('data', {})

def run_cells(nb, path, flags=frozenset()):
    "Execute the cells of a notebook where its file stands; nothing is written."
    from nbclient import NotebookClient
    client = NotebookClient(nb, timeout=3600, kernel_name='python3', coalesce_streams=True, resources={'metadata': {'path': str(path.parent)}})
    with client.setup_kernel():
        for i, cell in enumerate(nb.cells):
            if cell.cell_type == 'code' and not skipped(cell, flags): client.execute_cell(cell, i)

def execute(path, flags):
    "Execute a notebook in place."
    nb = nbformat.read(path, as_version=4)
    run_cells(nb, path, flags)
    for cell in nb.cells:
        if cell.cell_type == 'code': cell.outputs = [] if silent(cell) else [o for o in cell.outputs if not is_live(o)]
    nb.metadata.pop('widgets', None)
    nbformat.write(nb, path)

def run(args):
    for path in args.notebooks:
        start = time.time()
        execute(path.resolve(), set(args.flags.split()))
        print(f'{path}: {time.time() - start:.0f} s', file=sys.stderr)

OWN_VIDEOS = "'videos/'" # a solution that names them needs the reader's

def solutions_of(source): # list of code cells
    "The code in the solutions of exercises, from the text of a cell."
    numbered, found = re.split(r'^\*\*(\d+)\.\*\*', source, flags=re.M), []
    for number, text in zip(numbered[1::2], numbered[2::2]):
        blocks = [block for part in re.findall(r'<details>.*?</details>', text, re.S) for block in re.findall(r'^```python\n(.*?)^```', part, re.S | re.M) if OWN_VIDEOS not in block]
        found += [nbformat.v4.new_code_cell(f'# exercise {number}\n{block}') for block in blocks]
    return found

def solutions(args):
    for path in args.notebooks:
        nb = nbformat.read(path, as_version=4)
        found = {i: cells for i, cell in enumerate(nb.cells) if cell.cell_type == 'markdown' and (cells := solutions_of(cell.source))}
        if not found: continue
        start = time.time()
        nb.cells = [c for i, cell in enumerate(nb.cells[:max(found) + 1]) for c in (cell, *found.get(i, ()))]
        run_cells(nb, path.resolve())
        print(f'{path}: {sum(map(len, found.values()))} solutions ran, {time.time() - start:.0f} s', file=sys.stderr)

# check: of each notebook, only the cells that show files of resources/results, and those that these need

def used(table): # names of the module that a scope and those within it use
    own = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (table.get_type() == 'module' or s.is_global())}
    return own.union(*map(used, table.get_children()))

def names(source): # (names it gives a value, those of them that it changes or may find, names it uses)
    "What a cell's names have to do with other cells."
    try: table, tree = symtable.symtable(source, 'cell', 'exec'), ast.parse(source)
    except SyntaxError: return set(), set(), set()
    given = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    changed = {node.value.id for node in ast.walk(tree) if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name)}
    return given, changed, used(table) - given | needed_before(tree) & used(table)

def stores(node): return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}

def needed_before(tree): # set of names
    "What a cell uses before it gives it a value itself: `fig, ax = plt.subplots(); ax.plot(x)` needs plt and x."
    def loads(*parts): return {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    def within(statements, own): # of statements that follow one another, where `own` have values
        needed, own = set(), set(own)
        for statement in statements:
            inside = own | (stores(statement.target) if isinstance(statement, ast.For) else set().union(*(stores(i.optional_vars) for i in getattr(statement, 'items', ()) if i.optional_vars)))
            blocks = [getattr(statement, name) for name in ('body', 'orelse', 'finalbody') if isinstance(getattr(statement, name, None), list)]
            if isinstance(statement, (ast.For, ast.While, ast.If, ast.With, ast.Try)) and blocks:
                head = [part for part in (getattr(statement, 'iter', None), getattr(statement, 'test', None), *(i.context_expr for i in getattr(statement, 'items', ()))) if part]
                needed |= loads(*head, *getattr(statement, 'handlers', ())) - own
                for block in blocks: needed |= within(block, inside)
            else: needed |= (loads(statement) | (stores(statement.target) if isinstance(statement, ast.AugAssign) else set())) - own
            if not isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.If, ast.Try, ast.While)): own |= stores(statement)
        return needed
    return within(tree.body, set())

def used_by_functions(source): # set of names
    "What the functions and classes of a cell use when they are called."
    try: table = symtable.symtable(source, 'cell', 'exec')
    except SyntaxError: return set()
    return set().union(*(used(child) for child in table.get_children() if child.get_name() not in ('listcomp', 'setcomp', 'dictcomp', 'genexpr')))

def reads_results(source): # bool
    "Whether a cell names a file of resources/, in one text or in parts."
    try: tree = ast.parse(source)
    except SyntaxError: return False
    texts = {str(n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    return any(re.search(r'resources[/\\\\](results|figures|experiments[/\\\\]full)', text) for text in texts) or {'resources', 'results'} <= {text.strip('./') for text in texts}

def shown(outputs): # list of lines: text and tables, as they are read; pictures are left out
    "What an output says."
    lines = []
    for o in outputs:
        data = o.get('data', {})
        kind = next((k for k in ('text/markdown', 'text/html', 'text/plain') if k in data), None)
        if o['output_type'] == 'stream' and o['name'] == 'stdout': text = o['text']
        elif kind and not any(k.startswith(('image/', 'video/')) for k in data): text = data[kind]
        else: continue
        text = ''.join(text)
        if kind == 'text/html': text = unescape(re.sub(r'<[^>]*>', ' ', re.sub(r'(?s)<style.*?</style>', '', text).replace('</tr>', '\n')))
        lines += [' '.join(line.split()) for line in text.splitlines() if line.strip()]
    return lines

def imports(source): # set of names
    try: return {(a.asname or a.name).split('.')[0] for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names}
    except SyntaxError: return set()

def hold_results(source, given, read): # set of names
    "Of the names that a cell gives a value, those that come from results: not loop variables, or functions that use none."
    tree = ast.parse(source)
    loops = set().union(*(stores(n.target) for n in ast.walk(tree) if isinstance(n, (ast.For, ast.comprehension))))
    values = given - loops
    for part in tree.body:
        if not isinstance(part, (ast.FunctionDef, ast.ClassDef)): continue
        used_names = {n.id for n in ast.walk(part) if isinstance(n, ast.Name)} - {part.name}
        if not used_names & (read | values - {part.name}) and not reads_results(ast.unparse(part)): values.discard(part.name)
    return values

def says_something(source): # bool
    "Whether a cell shows something when it is run, as far as can be seen: it prints, shows a chart, or ends in a value."
    try: tree = ast.parse(source)
    except SyntaxError: return False
    def calls(node): # those that are made when the cell is run, not by its functions
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)): return
        if isinstance(node, ast.Call): yield getattr(node.func, 'id', getattr(node.func, 'attr', ''))
        for child in ast.iter_child_nodes(node): yield from calls(child)
    last = tree.body[-1].value if tree.body and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(';') else None
    value = isinstance(last, (ast.Name, ast.Attribute, ast.Subscript, ast.BinOp)) or isinstance(last, ast.Call) and next(calls(last)) in ('DataFrame', 'Image', 'Markdown', 'HTML', 'Video', 'format', 'hide', 'round')
    found = {name for part in tree.body if not isinstance(part, (ast.If, ast.Try)) for name in calls(part)} # what depends on a condition may be silent
    return value or not found.isdisjoint({'print', 'display'}) or 'show' in found and 'plt' in source

def wrong_outputs(path): # list of text
    "Cells that show something when they are run, and have nothing stored; and tests and parts of the package that have."
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == 'code']
    lost = [f'{path.name}, cell {c.id}: its output is not stored' for c in cells if not c.outputs and not skipped(c) and not silent(c) and says_something(code(c))]
    return [f'{text}; python resources/tools/report.py run nbs/{path.name}' for text in lost + [f'{path.name}, cell {c.id}: the output of a hidden cell is stored' for c in cells if c.outputs and silent(c)]]

def to_compare(nb): # (numbers of the cells whose outputs come from resources/results, numbers of those to run)
    "Follow the names: forward from what reads a file, and back to what that needs."
    cells = [(i, cell, code(cell)) for i, cell in enumerate(nb.cells) if cell.cell_type == 'code' and not skipped(cell)]
    facts, read, compared = {i: names(text) for i, _, text in cells}, set(), []
    imported = set().union(*(imports(text) for _, _, text in cells)) # modules are no results, whatever is set in them
    for i, cell, text in cells:
        given, changed, uses = facts[i]
        if 'resources' in text and reads_results(text) or uses & read: # not an import that happens to have the name
            read |= (hold_results(text, given, read) | changed) - imported
            if 'hide' not in directives(cell): compared.append(i) # also one that shows nothing: its outputs may have been lost
        else: read -= given
    late, needed, before = set(), set(), None # a function finds what it calls when it is called, also below itself
    while needed != before:
        before, wanted = set(needed), set()
        for i, _, text in reversed(cells):
            given, changed, uses = facts[i]
            if not compared or i > compared[-1]: continue # what comes after the last of them is not there yet
            if i in compared or (given | changed) & (wanted | late) or 'import *' in text:
                wanted = wanted - given | uses
                late |= used_by_functions(text)
                needed.add(i)
    return compared, sorted(needed)

def drawn(figure): # list of text
    "What a chart shows: its words and the positions of its marks. Not its pixels, which fonts and versions change."
    import numpy as np
    def numbers(values): return ' '.join(f'{x:.6g}' for x in np.ravel(np.ma.filled(np.ma.asarray(values, dtype=float), np.nan))[:20_000])
    def corners(patch): return patch.get_patch_transform().transform(patch.get_path().vertices)
    found = []
    for ax in figure.axes:
        found += [ax.get_title(), ax.get_xlabel(), ax.get_ylabel(), *(text.get_text() for text in ax.texts)]
        found += [f'{line.get_label()}: {numbers(line.get_xydata())}' for line in ax.lines]
        found += [numbers(corners(patch)) for patch in ax.patches[:500]]
        found += [f'{marks.get_label()}: {numbers(marks.get_offsets())}' for marks in ax.collections]
        found += [' '.join(text.get_text() for text in legend.get_texts()) for legend in [ax.get_legend()] if legend]
    return [re.sub(r'_child\d+', '', text) for text in found]

CHARTS_SEEN = [] # what each chart drew that was shown

def watch_charts():
    "Listen to matplotlib, from then on."
    from matplotlib.backend_bases import FigureCanvasBase
    print_figure = FigureCanvasBase.print_figure
    if print_figure.__name__ == 'listening': return
    def listening(canvas, *args, **kwargs):
        CHARTS_SEEN.append(drawn(canvas.figure))
        return print_figure(canvas, *args, **kwargs)
    FigureCanvasBase.print_figure = listening

def compare(path, save=False): # number of outputs that are as stored
    "Run the cells of a notebook that show results; anything else than what is stored is an error, or is stored."
    from execnb.shell import CaptureShell
    nb, same = nbformat.read(path, as_version=4), 0
    kept = [c.id for c in nb.cells if skipped(c) and c.outputs and 'resources' in code(c) and reads_results(code(c))]
    if kept: raise SystemExit(f'{path.name}, cell {kept[0]}: shows resources/ and is never run; without eval: false and flags it could be compared')
    compared, needed = to_compare(nb)
    if not compared: return 0
    charts = json.loads(CHARTS.read_text()) if CHARTS.exists() else {}
    recorded, found = charts.get(path.name, {}), {}
    watch_charts()
    shell = CaptureShell(mpl_format='png')
    shell.run("import pandas; pandas.set_option('display.max_columns', 20)") # as in a notebook
    for i in needed:
        CHARTS_SEEN.clear()
        outputs = shell.run(code(nb.cells[i]))
        if shell.exc: raise SystemExit(f'{path.name}, cell {nb.cells[i].id}: {shell.exc!r}')
        if i not in compared: continue
        fresh_outputs = [o for o in nbformat.from_dict(outputs) if not is_live(o)]
        stored, fresh = shown(nb.cells[i].outputs), shown(fresh_outputs)
        if CHARTS_SEEN: found[nb.cells[i].id] = hashlib.sha256(json.dumps(CHARTS_SEEN).encode()).hexdigest()[:16]
        pictures = [[data if not CHARTS_SEEN else kind for o in outputs for kind, data in o.get('data', {}).items() if kind.startswith('image/')] for outputs in (nb.cells[i].outputs, fresh_outputs)]
        pictures = [[''.join(data).strip() for data in found_here] for found_here in pictures] if not CHARTS_SEEN else [len(kinds) for kinds in pictures] # files byte by byte
        if save:
            if stored != fresh or pictures[0] != pictures[1] or found.get(nb.cells[i].id) != recorded.get(nb.cells[i].id): nb.cells[i].outputs = fresh_outputs
        elif stored != fresh:
            print(*unified_diff(stored, fresh, 'stored', 'of resources/', n=0, lineterm=''), sep='\n')
            raise SystemExit(f'{path.name}, cell {nb.cells[i].id}: what is stored is not what resources/ holds; python resources/tools/report.py check --save nbs/{path.name}')
        elif pictures[0] != pictures[1] or found.get(nb.cells[i].id) != recorded.get(nb.cells[i].id):
            raise SystemExit(f'{path.name}, cell {nb.cells[i].id}: the picture that is stored does not show what resources/ holds; python resources/tools/report.py check --save nbs/{path.name}')
        same += bool(fresh or CHARTS_SEEN)
    if save:
        nbformat.write(nb, path)
        CHARTS.write_text(json.dumps({k: v for k, v in sorted((charts | {path.name: found}).items()) if v}, indent=1) + '\n')
    elif gone := recorded.keys() - found.keys(): raise SystemExit(f'{path.name}: {CHARTS.name} has charts of cells that are gone or draw none: {", ".join(sorted(gone))}')
    return same

def check(args):
    sys.path.insert(0, str(NBS))
    paths, total, wrong = [p.resolve() for p in args.notebooks], 0, []
    everything = {*order()} <= {*paths}
    history = claims.history()
    if history is not None: wrong += claims.lost_commits(claims.with_commits() if everything else paths, history) + claims.earlier_weights(claims.tables() if everything else [])
    elif os.environ.get('CI'): wrong.append('commits: this is a shallow copy, in which they cannot be looked up')
    else: print('commits are not looked up: this is a shallow copy')
    wrong += claims.unexplained(claims.written() if everything else paths) + claims.unfinished([path for path in paths if path in colab.chapters()])
    wrong += claims.machine_paths([path for path in claims.written() if path.suffix == '.ipynb'] if everything else paths) + [line for path in paths for line in wrong_outputs(path)]
    if everything and subprocess.run([sys.executable, ROOT/'.ci'/'readme', '--check']).returncode: wrong.append('README.md is not that of nbs/index.ipynb: .ci/readme')
    if wrong and not args.save: raise SystemExit('\n'.join(wrong))
    os.chdir(NBS)
    for path in paths:
        begun, same = time.time(), compare(path, args.save)
        total += same
        if same: print(f'{path.name}: {same} outputs are those of resources/ ({time.time() - begun:.0f} s)', flush=True)
    if not total: raise SystemExit('no output was compared')
    if not everything or args.save: return
    with tempfile.TemporaryDirectory() as out:
        write_pages(Path(out))
        layout.main(out)

# html

def only_private(source): # bool
    "Whether a cell defines classes and functions, and none that a user calls."
    defined = re.findall(r'^(?:class|def) (\w+)', source, re.M)
    return bool(defined) and all(name.startswith('_') for name in defined)

def readable(nb): # the notebook, changed
    "What a reader sees: no directives; code can be folded; tests, long analyses and long internal code are, until they are asked for."
    nb.cells = [c for c in nb.cells if c.cell_type != 'code' or (code(c) or c.outputs) and c.id != colab.INSTALL and not any(d.startswith('default_exp') for d in directives(c))]
    for cell in nb.cells:
        if cell.id == colab.BADGE: cell.source = re.sub(r'!\[(.*?)\]\(.*?\)', r'\1', cell.source) # in words: pages load nothing from elsewhere
        if cell.cell_type != 'code': continue
        marks, lines = directives(cell), len(code(cell).splitlines())
        hidden = {'hide', 'hide_input', 'echo: false'} & set(marks)
        imports = all(re.match(r'(from|import) |\W|$', line) for line in code(cell).splitlines())
        internal = 'export' in marks and lines > LONG and only_private(code(cell))
        name = 'imports' if imports else f'in the package, internal, {lines} lines' if internal else 'in the package' if 'export' in marks else 'test' if 'hide' in marks else f'code, {lines} lines'
        cell.metadata.fold = dict(name=name, open=not imports and not internal and ('export' in marks or not hidden and lines <= LONG))
        cell.source, cell.outputs = code(cell), [] if 'hide' in marks else [o for o in cell.outputs if not is_live(o)]
    nb.cells = together(nb.cells)
    return nb

def together(cells): # list of cells
    "Folded cells that follow one another, of which only the last shows something, are folded as one."
    def folded(cell): return cell.cell_type == 'code' and not cell.metadata.fold['open'] and not cell.metadata.fold['name'].startswith('in the package')
    made = []
    for cell in cells:
        if made and folded(cell) and folded(made[-1]) and not made[-1].outputs:
            before = made.pop()
            kinds = before.metadata.fold.get('kinds', [before.metadata.fold['name']]) + [cell.metadata.fold['name']]
            short = [kind.partition(',')[0] for kind in kinds]
            names = ', '.join(f'{kind}s' if kind == 'test' and short.count(kind) > 1 else kind for kind in dict.fromkeys(short))
            cell.source = before.source + '\n\n' + cell.source
            cell.metadata.fold = dict(name=f'{names}, {len(cell.source.splitlines())} lines', open=False, kinds=kinds)
        made.append(cell)
    return made

def exporter():
    "Notebooks to the inner part of a page, with formulas as MathML and pictures within."
    from jinja2 import pass_context
    from latex2mathml.converter import convert
    from nbconvert.exporters.html import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    class Renderer(IPythonRenderer):
        def block_math(self, body): return convert(body.strip(), display='block')
        def inline_math(self, body): return convert(body)
        def _html_embed_images(self, html): return super()._html_embed_images(html) if '<img' in html else html # parsed, a lone <details> would be closed
        def heading(self, *args, **kwargs): return re.sub(r'(id="|href="#)([^"]*)', lambda m: m[1] + re.sub(r'[^\w.-]', '', m[2].lower()), super().heading(*args, **kwargs)) # as Quarto names it
        def _src_to_base64(self, src):
            file = NBS/src
            return f'data:{mimetypes.guess_type(file)[0]};base64,{base64.b64encode(file.read_bytes()).decode()}' if file.is_file() else None
    class Exporter(HTMLExporter):
        @pass_context
        def markdown2html(self, context, source):
            attachments = context.get('cell', {}).get('attachments', {})
            made = MarkdownWithMath(Renderer(escape=False, embed_images=True, anchor_link_text='#', attachments=attachments)).render(source)
            return re.sub('<table>.*?</table>', r'<div class="table" tabindex="0">\g<0></div>', made, flags=re.S)
    return Exporter(template_name='classic', exclude_input_prompt=True, exclude_output_prompt=True, raw_template='''{%- extends 'classic/base.html.j2' -%}
{% block input %}{% set fold = cell.metadata.fold %}<details{{ ' open' if fold.open }}><summary>{{ fold.name }}</summary>{{ super() }}</details>{% endblock input %}
{% block data_html %}<div class="table" tabindex="0">{{ super() }}</div>{% endblock data_html %}''')

def parts(body): # html
    "Links to the second-level headings of a page."
    found = re.findall(r'<h2 id="([^"]+)">(.*?)<a ', body, re.S)
    return ''.join(f'<a class="part" href="#{name}">{re.sub("<.*?>", "", text)}</a>' for name, text in found)

def title(nb): return re.search(r'^# (.*)', nb.cells[0].source, re.M)[1]

def relink(html, out): # html whose links work from `out`
    "Notebooks become pages; what lies elsewhere is found from there."
    def fresh(found):
        target = found[2]
        if re.match(r'[a-z]+:|#|//', target): return found[0]
        file, mark, part = target.partition('#')
        page = file.endswith('.ipynb') and '/' not in file # notebooks of nbs/; a tutorial elsewhere is linked as the notebook it is
        to = file[:-6] + '.html' if page else os.path.relpath(NBS/file, out)
        return f'{found[1]}="{to}{mark}{part}"'
    return re.sub(r'\b(href|src)="([^"]+)"', fresh, html)

def broken_links(out): # list of text
    "Links of the pages that lead nowhere, and what can be unfolded and is empty."
    pages = {p.name: p.read_text() for p in out.glob('*.html')}
    ids = {name: set(re.findall(r'\bid="([^"]*)"', text)) for name, text in pages.items()}
    found = []
    for name, text in pages.items():
        for target in re.findall(r'<(?:a|img|video|source)\b[^>]*?\b(?:href|src)="(?!data:)([^"]+)"', text):
            if re.match(r'[a-z]+:|//', target): continue
            file, _, part = unquote(target).partition('#')
            if file and not (out/file).exists() or part and (file or name) in ids and part not in ids[file or name]: found.append(f'{name}: {target}')
        found += [f'{name}: a <details> that holds nothing'] * len(re.findall(r'</summary>\s*</details>', pages[name]))
    return found

def unbroken(html):
    "An interval in a table stays in one line."
    def cell(found): return re.sub(r'(?<=\d) (?=\([+−-]?\d)|(?<=\d) (?=to [+−-]?\d)|(?<=\d to) (?=[+−-]?\d)', '&nbsp;', found[0])
    return re.sub(r'<td[^>]*>[^<]*</td>', cell, html)

def write_pages(out):
    "The notebooks as pages; `SystemExit` if a link of theirs leads nowhere."
    from pygments.formatters import HtmlFormatter
    out, paths, made = out.resolve(), order(), exporter()
    out.mkdir(parents=True, exist_ok=True)
    books = {path: readable(nbformat.read(path, as_version=4)) for path in paths}
    link = lambda path, text, mark='': f'<a href="{path.stem}.html"{mark}>{text}</a>'
    skeleton, style = Path(__file__).with_name('page.html').read_text(), lambda name: HtmlFormatter(style=name).get_style_defs('.highlight pre')
    for i, path in enumerate(paths):
        body, _ = made.from_notebook_node(books[path])
        navigation = '\n'.join(f'<h4>{name}</h4>' * bool(name) + '\n'.join(link(p, title(books[p]), ' class="here"') + parts(body) if p == path else link(p, title(books[p])) for p in group) for name, group in sections())
        before, after = paths[i - 1:i], paths[i + 1:i + 2]
        page = skeleton.format(title=title(books[path]), highlighting=style('default'), dark_highlighting=style('github-dark'), navigation=navigation, body=unbroken(relink(body, out)),
                               before=''.join('&larr; ' + link(p, title(books[p])) for p in before), after=''.join(link(p, title(books[p])) + ' &rarr;' for p in after))
        (out/f'{path.stem}.html').write_text(page)
    if found := broken_links(out): raise SystemExit('links that lead nowhere, or empty parts:\n' + '\n'.join(found))
    print(f'{len(paths)} pages, begin with {out/"index.html"}')

def html(args): write_pages(args.out)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar='run | html | check | solutions')
    for name, command in dict(run=run, html=html, check=check, solutions=solutions).items():
        sub = commands.add_parser(name)
        sub.set_defaults(command=command)
        if command is html: sub.add_argument('--out', type=Path, default=ROOT/'_html', help='folder of the pages')
        else: sub.add_argument('notebooks', nargs='*', type=Path, default=order(), help='all, if none is named')
        if command is check: sub.add_argument('--save', action='store_true', help='store what these cells show now; the others keep their outputs')
        if command is run: sub.add_argument('--flags', default='', help='flags of tst_flags to run as well, as in nbdev_test')
    args = parser.parse_args()
    args.command(args)

if __name__ == '__main__': main()
