"""Does the documentation of the package say what it must? `python resources/tools/docstrings.py`

Each public function and class has a docstring, or if it is short a comment beside its name, and what raises `TSRError` in its own lines names it there, in its class, or beside the parameter. The
commands of the command line are left out: their docstring is the help text.
"""
import ast
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]/'tsr'

def definitions(tree, outer=()): # iterator of functions and classes, with the classes around them
    "What is public in a module."
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith('_') and node.name != '__init__': continue
        yield node, outer
        if isinstance(node, ast.ClassDef): yield from definitions(node, (*outer, node))

def raises(node): # bool
    "Whether a function raises `TSRError` in its own lines."
    found = (n.exc for n in ast.walk(node) if isinstance(n, ast.Raise))
    return any(isinstance(e, ast.Call) and isinstance(e.func, ast.Name) and e.func.id == 'TSRError' for e in found)

def faults(path): # iterator of text
    "What is missing in one module."
    source = path.read_text()
    lines = source.splitlines()
    for node, outer in definitions(ast.parse(source)):
        name, of_class = '.'.join(n.name for n in (*outer, node)), outer and ast.get_docstring(outer[-1]) or ''
        own = ast.get_docstring(node) or ''
        where = f'{path.parent.name}/{path.name}:{node.lineno}: {name}'
        if not own and not outer and '#' not in lines[node.lineno - 1]: yield f'{where} has no docstring'
        if isinstance(node, ast.ClassDef) or not raises(node): continue
        signature = '\n'.join(lines[node.lineno - 1:node.body[0].lineno - 1])
        if 'TSRError' not in own + of_class + signature: yield f'{where} raises TSRError, and its docstring does not say when'

if __name__ == '__main__':
    found = [fault for path in sorted(PACKAGE.glob('*.py')) if path.stem not in ('_modidx', 'cli') for fault in faults(path)]
    if found: sys.exit('\n'.join(found))
