"""A picture of what only a browser shows: a run's charts in `mlflow ui`, or the runs that are nested beside it.

    python resources/tools/screenshots.py sqlite:///mlflow.db RUN resources/screenshots/mlflow.png
    python resources/tools/screenshots.py sqlite:///mlflow.db RUN resources/screenshots/mlflow_nested.png --nested

Serves the store on a free port of this machine, opens the run in Chromium, fails unless the run's name and its metrics are
on the page, and saves what is seen. With --nested that is the list of runs: the run's parent, unfolded, and all runs below it.
Without a browser it says so and leaves the picture alone; in CI that is a failure.
"""
import argparse
import io
import os
import shutil
import socket
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from tsr.core import TSRError
from tsr.tracking import StoreServer, connect

METRICS = ('gain_psnr', 'loss')
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')

def free_port(): # int
    "A port of this machine that nobody listens on."
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]

def photograph(
    address, # of the page
    texts, # dict: text that must be on the page -> how often, at least
    browser, # path of Chromium
    unfold=None # name of the run below which others are nested
): # PNG
    "What a page shows."
    from playwright.sync_api import expect, sync_playwright
    site, patience = address.partition('/#')[0], dict(timeout=60_000)
    with sync_playwright() as p, p.chromium.launch(executable_path=browser, args=['--no-sandbox']) as chromium:
        page = chromium.new_page(viewport=dict(width=1280, height=600 if unfold else 1080))
        page.route('**/*', lambda route: route.continue_() if route.request.url.startswith(site) else route.abort()) # nothing from outside
        page.goto(address)
        if unfold: page.get_by_role('gridcell').filter(has_text=unfold).get_by_role('button').first.click(**patience)
        for text, count in texts.items(): expect(page.get_by_text(text, exact=True).nth(count - 1)).to_be_visible(**patience)
        for button in page.get_by_role('button', name='Close').all(): button.click() # of the assistant, which hides a third of the page
        page.wait_for_timeout(2000) # the charts draw themselves
        return page.screenshot()

def nested_runs(client, run): # list of names: of the parent, and of all that are nested in it
    "A run's family. Raises `TSRError` if it is not nested."
    parent = run.data.tags.get('mlflow.parentRunId')
    if not parent: raise TSRError(f'{run.info.run_name}: is nested in no run')
    family = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
    return [client.get_run(parent).info.run_name, *(r.info.run_name for r in family)]

def save(
    png, # bytes
    path, # of the picture
    colours=64 # plenty for a page of charts, and a third of the size
):
    "Write a picture small, and only when whole."
    part = path.with_name(path.name + '.part')
    Image.open(io.BytesIO(png)).convert('RGB').quantize(colours).save(part, 'PNG', optimize=True)
    part.replace(path)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('uri', help='of the store')
    parser.add_argument('run', help='its id')
    parser.add_argument('picture', type=Path)
    parser.add_argument('--nested', action='store_true', help='the list of runs, with those that are nested beside this one')
    args = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser or not find_spec('playwright'):
        needed = 'a picture of a page needs Chromium (Debian: apt-get install chromium) and pip install playwright'
        if os.environ.get('CI'): raise TSRError(needed)
        return print(f'skipped: {needed}')
    client = connect(args.uri)
    run = client.get_run(args.run)
    names = nested_runs(client, run) if args.nested else [run.info.run_name, *METRICS]
    path = 'runs' if args.nested else f'runs/{run.info.run_id}/model-metrics'
    with StoreServer(args.uri) as server:
        address = f'{server.address}/#/experiments/{run.info.experiment_id}/{path}'
        save(photograph(address, Counter(names), browser, args.nested and names[0]), args.picture)
    print(f'{args.picture}: {names[0]}, with {" and ".join(names[1:])}')

if __name__ == '__main__':
    try: main()
    except TSRError as e: sys.exit(str(e))
