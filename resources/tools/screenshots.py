"""A picture of what only a browser shows: a run's charts in `mlflow ui`.

    python resources/tools/screenshots.py sqlite:///mlflow.db RUN resources/screenshots/mlflow.png

Serves the store on a free port of this machine, opens the run in Chromium, fails unless the run's name and its metrics are
on the page, and saves what is seen. Without a browser it says so and leaves the picture alone; in CI that is a failure.
"""
import argparse
import io
import os
import shutil
import socket
import sys
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
    address, # of the server
    run, # `mlflow.entities.Run`
    browser # path of Chromium
): # PNG
    "The page of a run's charts."
    from playwright.sync_api import expect, sync_playwright
    with sync_playwright() as p, p.chromium.launch(executable_path=browser, args=['--no-sandbox']) as chromium:
        page = chromium.new_page(viewport=dict(width=1280, height=1080))
        page.route('**/*', lambda route: route.continue_() if route.request.url.startswith(address) else route.abort()) # nothing from outside
        page.goto(f'{address}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/model-metrics')
        for text in (run.info.run_name, *METRICS): expect(page.get_by_text(text, exact=True).first).to_be_visible(timeout=60_000)
        for button in page.get_by_role('button', name='Close').all(): button.click() # of the assistant, which hides a third of the page
        page.wait_for_timeout(2000) # the charts draw themselves
        return page.screenshot()

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
    args = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser or not find_spec('playwright'):
        needed = 'a picture of a page needs Chromium (Debian: apt-get install chromium) and pip install playwright'
        if os.environ.get('CI'): raise TSRError(needed)
        return print(f'skipped: {needed}')
    run = connect(args.uri).get_run(args.run)
    with StoreServer(args.uri) as server: save(photograph(server.address, run, browser), args.picture)
    print(f'{args.picture}: {run.info.run_name}, with {" and ".join(METRICS)}')

if __name__ == '__main__':
    try: main()
    except TSRError as e: sys.exit(str(e))
