"""What the report says of its origin, and numbers that nobody can make again: `report.py check` asks both.

A commit that is named in a result, in a model's header or in the text must be in the history, without changes that were not committed (`-dirty`).
A number in prose must come from a cell. Those that are typed by hand stand in typed_numbers.csv, each with the reason why no cell prints it;
`python resources/tools/claims.py` prints the rows that this table lacks. An output that is stored must not show a path of the machine that made it.
"""
import ast
import csv
import io
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = Path(__file__).with_name('typed_numbers.csv')
WHY = 'definition', 'arithmetic', 'setting', 'example', 'source', 'asserted', 'rough' # reasons that a row may give: of a quantity or a picture, of the text itself, of a test, of somebody else
# Headers of weights name what they were made at; the first history of version 0.1 was merged into the commit on the right, which has their scripts
MERGED = {'6b38619': 'f7907df', '0338105': 'f7907df', '61939b0-dirty': '0e7beeb', '966ae8a-dirty': '3ca769e'}
KEYS = 'commit', 'commits', 'code'
NAMED = re.compile(r'\b(?:commits?|code)\W{1,3}((?:[0-9a-f]{7,40}(?:-dirty)?(?:`?,? (?:and )?`?)?)+)')
HASH = re.compile(r'[0-9a-f]{7,40}(?:-dirty)?')

def git(*args): return subprocess.run(['git', '-C', str(ROOT), *args], check=True, capture_output=True, text=True).stdout

def tracked(*paths): return [ROOT/name for name in git('ls-files', *paths).splitlines() if (ROOT/name).is_file()]

def label(path): return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name

# commits

def in_json(value): # iterator of text
    "What stands under one of the keys, at any depth."
    if isinstance(value, list): yield from (found for x in value for found in in_json(x))
    if not isinstance(value, dict): return
    for key, inner in value.items():
        if key in KEYS: yield from map(str, inner if isinstance(inner, list) else [inner])
        yield from in_json(inner)

def header(path): # of a .safetensors file
    with open(path, 'rb') as file: return json.loads(json.loads(file.read(int.from_bytes(file.read(8), 'little'))).get('__metadata__', {}).get('tsr', '{}'))

def said_by(output): # iterator of text
    "What a stored output says."
    for kind in ('text/markdown', 'text/html', 'text/plain'): yield ''.join(output.get('data', {}).get(kind, ''))
    yield ''.join(output.get('text', ''))
    yield '\n'.join(output.get('traceback', ''))

def texts(path): # of a notebook: prose and stored outputs
    for cell in json.loads(path.read_text())['cells']:
        if cell['cell_type'] == 'markdown': yield ''.join(cell['source'])
        for output in cell.get('outputs', []): yield from said_by(output)

def commits_in(path): # set of text
    "The commits that a file names."
    if path.suffix == '.csv': return {row[key] for row in csv.DictReader(io.StringIO(path.read_text())) for key in KEYS[:2] if row.get(key)}
    if path.suffix == '.json': return set(in_json(json.loads(path.read_text())))
    if path.suffix == '.safetensors': return set(in_json(header(path)))
    found = texts(path) if path.suffix == '.ipynb' else [path.read_text()]
    return {name for text in found for group in NAMED.findall(text) for name in HASH.findall(group) if not name.isdigit()}

def history(): # list of full names; None: this is a shallow copy
    return None if git('rev-parse', '--is-shallow-repository').strip() == 'true' else git('rev-list', 'HEAD').split()

def lost_commits(paths, known): # list of text
    "Commits that files name and that are not in the history, and those with changes that were not committed."
    wrong, exists = [], {}
    for path in paths:
        for name in sorted(commits_in(path)):
            if name not in exists:
                kept = MERGED.get(name, name) if path.suffix == '.safetensors' else name
                exists[name] = bool(HASH.fullmatch(kept)) and any(full.startswith(kept) for full in known)
            if not exists[name]: wrong.append(f'{label(path)}: commit {name!r} is not in the history')
    return wrong

# weights

# Tables that show earlier weights, and say so; one whose commits are those of the trainings, and one of the weights in resources/results/gpu
EARLIER = 'before_h264-23.csv', 'bench_network.csv of float32', 'bench_pipeline.csv of float32', 'bench_memory.csv of lines90', 'exploration_motion.csv', 'flow_search.csv'
# Tables of time, which weights do not change, and of trainings from scratch
UNWEIGHTED = 'bench_network.csv', 'compare_files.csv', 'precision.csv'

def made_at(path): # set of commits
    "At which commits a table was made: its own column, the file beside it, or its part of the file for several."
    if own := commits_in(path): return own
    if (beside := path.with_suffix('.json')).exists(): return commits_in(beside)
    family, _, part = path.stem.partition('_')
    several = path.with_name(f'{family}.json')
    return set(in_json(json.loads(several.read_text()).get(part, {}))) if part and several.exists() else set()

def earlier_weights(paths): # list of text
    "Tables of models that had other weights when the table was made."
    names, wrong = {path.stem for path in tracked('tsr/weights/*.safetensors')}, []
    def weights(commit, name): return git('ls-tree', commit, f'tsr/weights/{name}.safetensors').split()[2:3]
    for path in paths:
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        if not rows or path.name in (*EARLIER, *UNWEIGHTED) or f'{path.name} of {path.parent.name}' in EARLIER: continue
        for commit in made_at(path):
            own = [row for row in rows if row.get('commit', commit) == commit] # the rows of a table may come one by one
            used = names & ({row.get('model', '') for row in own} | {*rows[0]})
            changed = sorted(name for name in used if weights(commit, name) != weights('HEAD', name))
            if changed: wrong.append(f'{label(path)}: was made at {commit}, when {", ".join(changed)} had other weights')
    return wrong

# paths

MACHINE = re.compile(r'(?<![\w.:/~-])/(?:tmp|work|root|home|mnt|media|opt|usr|var|private|Users|content)/[^\s"\'<>]+|\b[A-Z]:\\Users\\[^\s"\'<>]+')
EMBEDDED = re.compile(r'data:[\w/+.-]+;base64,[\w+/=]+')

def machine_paths(paths): # list of text
    "Outputs that show where the machine that made them keeps its files: of no use to a reader, and another one in the next run."
    return [f'{label(path)}, cell {cell["id"]}: its output shows a path of this machine, {found[0]!r}: name files relative to a folder to work in' for path in paths
            for cell in json.loads(path.read_text())['cells'] for output in cell.get('outputs', [])
            for found in [MACHINE.search(EMBEDDED.sub('', '\n'.join(said_by(output))))] if found]

# numbers

WORDS = 'one two three four five six seven eight nine ten eleven twelve fifteen sixteen eighteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million half third thirds quarter quarters fifth fifths tenth tenths dozen'.split()
FREE = r'(?<![\w.,/=-])' # not within a word, a path or another number
DIGITS = r'\d[\d,]*(?:\.\d+)?(?:e-?\d+)?'
UNITS = r'\s*(?:%|percent|dB|decibels?|ms|GMACs?|GFLOPs?|[kMG]i?B|fps|hours?|minutes?|seconds?|s(?=[\s,.;:)])|times|(?:more |fewer )?(?:frames?|examples?|windows?|steps?)(?: a | per |/)s(?:econd)?|of \d+ (?:clips|films|networks))'
SPELLED = rf'\b(?!(?:one|two) (?:models|networks|settings|variants|trials|findings))(?:(?:{"|".join(WORDS)})\b[- ]?(?:(?:to|or|and|of|a) )*)+(?:times|percent|dB|decibels?|minutes?|hours?|seconds?|variants|settings|trials|findings|models|networks|frames a second)\b'
NUMBER = re.compile('|'.join((
    rf'{FREE}[-+−±~]?{DIGITS}(?:\s*(?:to|and|or|-|–)\s*[-+−]?{DIGITS})?{UNITS}(?!\w)', # with a unit
    r'(?<![\w.,/=])[-+−±]\d[\d,]*\.\d+', # a gain
    rf'{FREE}\d+\.\d+(?!\w|[.,]\d)', # any other that is not whole
    rf'{FREE}\d+ (?:out )?of (?:the )?\d+(?![\w.])', rf'\b(?:{"|".join(WORDS[1:])}) (?:out )?of (?:the )?(?:{"|".join(WORDS)}) [a-z]+', # how many of how many
    r'\b(?:twice|thrice|half|double|\w+fold) as [a-z]+',
    SPELLED)), re.I)

def plain(text):
    "Prose without code, formulas, addresses and versions."
    text = re.sub(r'(?s)```.*?```|<[^<>]*>', ' ', text)
    text = re.sub(r'`[^`\n]*`', 'x', text)
    text = re.sub(r'\]\([^()\s]*\)|https?://\S+|(?s:\$\$.*?\$\$)|\$[^$\n]+\$', ' ', text)
    return re.sub(r'(?i)\b(version|Python|BT|CC[- ]BY(?:-SA)?|Apache|arXiv|doi|PyTorch)[-:. ]*\d[\w./]*', ' ', text)

def said(node): # iterator of text
    "The words of an expression, without the formats of its values; a constant that is formatted counts as a number of dB."
    if isinstance(node, ast.FormattedValue):
        value = node.value.operand if isinstance(node.value, ast.UnaryOp) else node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, float): yield f'{value.value} dB'
        else: yield from said(node.value)
    elif isinstance(node, ast.Constant): yield node.value if isinstance(node.value, str) else ''
    else: yield from (text for child in ast.iter_child_nodes(node) for text in said(child))

def printed(source): # iterator of text
    "What a code cell says as it stands, by `print`, `Markdown` and the like."
    try: tree = ast.parse(''.join(line for line in source.splitlines(True) if not line.lstrip().startswith(('%', '!'))))
    except SyntaxError: return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, 'id', getattr(node.func, 'attr', '')) in ('print', 'Markdown', 'HTML', 'set_caption'):
            yield ''.join(text for arg in node.args for text in said(arg))

def prose(path): # iterator of (cell, text)
    "What is typed in a file, by cell."
    if path.suffix == '.md': yield '', re.sub(r'(?m)^\|.*$', '', path.read_text())
    else:
        for cell in json.loads(path.read_text())['cells']:
            source = ''.join(cell['source'])
            if cell['cell_type'] == 'markdown': yield cell['id'], source
            elif not re.search(r'(?m)^#\|\s*(?:hide|export)\s*$', source): yield cell['id'], '\n'.join(printed(source))

def typed_numbers(path): # Counter of (file, cell, text)
    return Counter((label(path), cell, ' '.join(m[0].split())) for cell, text in prose(path) for m in NUMBER.finditer(plain(text)))

def allowed(): # dict: (file, cell, text) -> (how often, why)
    with open(ALLOWED, newline='') as file: return {(r['file'], r['cell'], r['number']): (int(r['times']), r['why']) for r in csv.DictReader(file)}

def unexplained(paths): # list of text
    "Numbers that are typed by hand and stand in no row of the table, and rows of numbers that are gone."
    rows, names = allowed(), {label(path) for path in paths}
    found = Counter()
    for path in paths: found += typed_numbers(path)
    wrong = [f'{key[0]}, cell {key[1]}: {key[2]!r} is typed by hand: let a cell print it, or give the reason in {ALLOWED.relative_to(ROOT)}' for key, n in found.items() if rows.get(key, (0, ''))[0] != n]
    wrong += [f'{ALLOWED.name}: {", ".join(key)!r} is not in the text any more' for key in rows if key[0] in names and key not in found]
    return wrong + [f'{ALLOWED.name}: {", ".join(key)!r} gives no reason; one of {", ".join(WHY)}' for key, (_, why) in rows.items() if why.split(':')[0] not in WHY]

# chapters

def unfinished(paths): # list of text
    "Chapters that lack a question, its answer, or exercises whose solutions are hidden. (The panels are tried with the mouse.)"
    wrong = []
    for path in paths:
        seen = '\n'.join(texts(path))
        missing = [what for what in ('question', 'answer') if not re.search(rf'\*\*(The )?{what}\b.{{0,9}}\*\*', seen, re.I)]
        if seen.partition('## Exercises')[2].count('<summary>Solution</summary>') < 2: missing.append('two exercises with hidden solutions')
        wrong += [f'{label(path)} has no {what}' for what in missing]
    return wrong

def tables(): return tracked('resources/results/*.csv')

def written(): # list of files with prose of ours
    return [*tracked('nbs/*.ipynb', 'resources/tutorials/*.ipynb'), ROOT/'CONTRIBUTING.md', ROOT/'tsr/weights/README.md', ROOT/'resources/results/gpu/README.md']

def with_commits(): return tracked('resources/*.csv', 'resources/*.json', '*.safetensors', '*.ipynb', 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'tsr/weights/README.md', 'resources/*.md')

if __name__ == '__main__':
    rows, out = allowed(), csv.writer(sys.stdout)
    for path in written():
        for key, n in typed_numbers(path).items():
            if rows.get(key, (0, ''))[0] != n: out.writerow([*key, n, ''])
