"""The modules of tsr and what they import: `python resources/tools/import_graph.py [--names]`

A module may import only modules that come before it in `ORDER`. The command prints each module with the modules it imports and the number of its
public names (with --names, the names themselves), and fails if an import points the other way, if a module is missing from `ORDER`, or if one module
reads a private name of another. It reads the files and imports none of them; imports inside functions count too.
"""
import argparse
import ast
import sys
from pathlib import Path

ORDER = ('core timeline jobs losses optimizers pixels codecs pictures streams video resample data samples motion model network dataset own_data shards segments inference '
         'runs training tracking tuning evaluation distributed upscaling widgets training_parts upscaling_parts panels cli').split()
PACKAGE = Path(__file__).resolve().parents[2]/'tsr'
HAND_WRITTEN = {'__init__', '__main__', '_modidx'} # the entry points, and nbdev's index: not part of the order

def tsr_imports(tree): # iterator of (module, name or None, line)
    "What a module imports from the package, wherever the statement is."
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            parts = (node.module or '').split('.')
            if not node.level and parts[0] != 'tsr': continue
            inside = parts if node.level else parts[1:] # exported modules import from `.core`
            for name in node.names:
                if inside and inside[0]: yield inside[0], name.name, node.lineno
                else: yield name.name, None, node.lineno
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.startswith('tsr.'): yield name.name.split('.')[1], None, node.lineno

def public_names(tree): # list of str
    "The `__all__` of a module."
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', None) == '__all__': return ast.literal_eval(node.value)
    return []

def check(
    package=PACKAGE, # folder of the modules
    order=ORDER # their names, each after those that it may import
): # (dict: module -> (imported modules, public names), list of errors)
    "Read all modules."
    modules, errors = {}, []
    for path in sorted(package.glob('*.py')):
        if path.stem in HAND_WRITTEN: continue
        if path.stem not in order: errors.append(f'{path.name}: is not in ORDER'); continue
        tree, imported = ast.parse(path.read_text()), set()
        for module, name, line in tsr_imports(tree):
            if module not in order: continue # a name of the package itself
            imported.add(module)
            if order.index(module) >= order.index(path.stem): errors.append(f'{path.name}:{line}: imports {module}, which comes after it')
            if name and name.startswith('_'): errors.append(f'{path.name}:{line}: imports {name}, which is private to {module}')
        modules[path.stem] = [m for m in order if m in imported], public_names(tree)
    return {m: modules[m] for m in order if m in modules}, errors

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--names', action='store_true', help='list the public names of each module')
    args = parser.parse_args()
    modules, errors = check()
    for name, (imported, public) in modules.items():
        print(f'{name:<11}{len(public):>4} names  <- {", ".join(imported) or "nothing"}')
        if args.names: print(*(f'    {n}' for n in sorted(public, key=str.lower)), sep='\n')
    print(f'{len(modules)} modules, {sum(len(public) for _, public in modules.values())} public names, {len(errors)} errors')
    for error in errors: print(error, file=sys.stderr)
    return bool(errors)

if __name__ == '__main__': sys.exit(main())
