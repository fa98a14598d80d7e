"""The panels in a real browser: `tsr app` is opened, clicked through, and photographed.

    python resources/tools/panels.py                            what every change is tested with
    python resources/tools/panels.py --all                      MLflow's pages as well
    python resources/tools/panels.py resources/screenshots      the same, and the pictures
    python resources/tools/panels.py --lab [FOLDER]             in JupyterLab

Makes small clips in a folder of its own, serves the panels there, and drives them in Chromium as a reader would. Each mistake of a list is typed, said
and forgotten. With the keyboard alone a training is set up and started; a video of 40 MB is uploaded, another one dropped, a third one cancelled; what
appears in the folder appears in the lists; an upscaling begins; the page is closed and its kernel killed. A new page finds both: the training is
stopped, resumed, trained longer, its model taken for upscaling; the upscaled video plays and is downloaded; the divider moves. axe-core, of a version that is known by
its hash, looks for what keeps people from using a page. Fails at the first thing that is not as it should be, an error of ours in the browser's
console included. Without a browser it says so and leaves the pictures alone; in CI that is a failure. With `--lab` the panels stand in a notebook
of JupyterLab instead, light and dark, in a window of 780, 1000 and 1600 pixels: nothing may be cut off, and nothing scroll within a panel.
"""
import argparse
import base64
import hashlib
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, build_opener

import numpy as np
import psutil
from PIL import Image, ImageOps
from screenshots import BROWSERS, free_port

from tsr.core import TSRError, atomic_write, write_json
from tsr.model import bundled_models
from tsr.resample import low_resolution_frames
from tsr.runs import run_status
from tsr.samples import TRAIN_SCENES, make_sample, render_scene
from tsr.video import write_frames
from tsr.widgets import BLUE, ORANGE, STYLE, ChartArea, line_series

WIDTH = 1280 # of the page
AXE = '84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc' # SHA-256 of axe.min.js 4.12.1, as in the npm registry
LARGE = 40_000_000 # bytes of an upload; Tornado takes 10 MB in a message
TIMEOUT = 1000 * float(os.environ.get('TSR_BROWSER_TIMEOUT', '120')) # ms that the page may take for each thing
FOREIGN = 'net::ERR_', 'shared singleton module', 'shared module', '/voila/api/shutdown/' # the page's way to a CDN, Voila's versions, and its farewell, which is refused where there is a token

@contextmanager
def served(
    folder, # where the page works
    patience=60 # seconds that the server may take to start
): # its process, and its address with the token
    "`tsr app` for as long as this lasts."
    command = [sys.executable, '-m', 'tsr.cli', 'app', '--no-browser', '--port', str(free_port())]
    home = os.environ | dict(HOME=str(folder.parent)) # the page shows paths
    server = subprocess.Popen(command, cwd=folder, env=home, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = server.stdout.readline().strip()
        if 'token=' not in address: raise TSRError(f'tsr app does not start: {address!r}')
        yield server, address
    finally:
        server.terminate()
        server.wait()

def refused(address): # bool
    "Whether an address asks who is there."
    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *args): return None
    try: return build_opener(Stay).open(address).status != 200
    except HTTPError as e: return e.code in (302, 403) and '/login' in e.headers.get('Location', '/login')

def films(folder):
    "A clip to learn from, one to make large, and one that is too large for a single message to the kernel."
    (folder/'clips').mkdir()
    make_sample(TRAIN_SCENES[0], folder/'clips'/'archive.mp4', frames=24, size=(288, 512))
    write_frames(folder/'clips'/'kitchen.mp4', low_resolution_frames(render_scene('kitchen', 12, size=(360, 640)), (180, 320)), fps=24, crf=12)
    large = folder/'large.mp4'
    write_frames(large, render_scene('archive', 6, size=(360, 640)), fps=24)
    padding = LARGE - large.stat().st_size - 8 # a box that readers skip
    with large.open('ab') as file: file.write(struct.pack('>I4s', padding + 8, b'free') + np.random.default_rng(0).bytes(padding))

def option(page, name):
    label = page.locator(f'label:text-is("{name}")')
    return page.locator('.tsr-field:visible', has=label).locator('input, textarea, select').first

def button(page, name): return page.locator('button.widget-button:visible').filter(has_text=re.compile(rf'^\s*{name}$'))

def fill(page, values):
    "Type into controls: dict of label and value."
    for name, value in values.items():
        field = option(page, name)
        field.fill(str(value))
        field.press('Tab')

def shot(element, path, folder, width=1040):
    "Save what is seen of an element."
    if not folder: return
    picture = Image.open(io.BytesIO(element.screenshot())).convert('RGB')
    picture = ImageOps.expand(picture, 10, picture.getpixel((0, 0))) # a margin of the page's colour
    width = min(width, picture.width)
    with atomic_write(folder/path) as part: picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS).save(part, 'JPEG', quality=88, subsampling=0, optimize=True)

MISTAKES = dict( # tab: label, what is typed, what is said
    Train=[('Epochs', '1.5', 'must be a whole number'), ('Run folder', 'clips/archive.mp4', 'is a file'), ('Run folder', '/proc/x', 'cannot be written'),
           ('Run folder', '', 'enter where to save'), ('Frames back', '-1', 'at least 0'), ('Learning rate', '-1', 'above 0'),
           ('Learning rate', '0,0002', 'with a decimal point: 0.0002'), ('Features', 'many', 'must be a whole number'),
           ('Videos', 'none.mp4', 'no such file')],
    Upscale=[('Model', 'defualt', "did you mean 'default'"), ('Model', 'clips', 'is a folder'), ('Model', 'runs/elsewhere/config.json', 'config.json'),
             ('Scale', '50', 'at most 16'), ('Output file', 'a.avi', 'cannot write .avi'), ('Output file', 'none/a.mp4', 'there is no folder none'),
             ('Output file', 'clips/archive.mp4', 'exists already'), ('Output file', 'clips/kitchen.mp4', 'same file'),
             ('Duration (s)', '9', 'the video ends after 0.5 s'), ('Videos', 'clips/archive.mp4\nnone.mp4', 'none.mp4: there is no such file')])

def make_mistakes(page, tab, expect):
    "Each mistake is said below its field as it is made, and forgotten when it is corrected; nothing is changed silently."
    for name, typed, said in MISTAKES[tab]:
        field = option(page, name)
        right, message = field.input_value(), page.locator('.tsr-message:visible').filter(has_text=said)
        for text, count in (typed, 1), (right, 0):
            for last in False, False, True:
                fill(page, {name: text})
                try: expect(message).to_have_count(count, timeout=TIMEOUT / 3)
                except AssertionError: # a list of suggestions that changes while one types in its field takes the text away
                    if last or field.input_value() == text: raise
                else: break
            if field.input_value() != text: raise TSRError(f'{name}: {text!r} became {field.input_value()!r}')

def appear(work):
    "What other programs leave in the folder while the page is open: a video, a model, a run."
    shutil.copy(work/'clips'/'archive.mp4', work/'clips'/'later.mp4')
    (work/'models').mkdir()
    shutil.copy(bundled_models()['small'], work/'models'/'mine.safetensors')
    (run := work/'runs'/'elsewhere').mkdir(parents=True)
    write_json(run/'config.json', {})
    write_json(run/'status.json', dict(phase='done', pid=0, updated=time.time(), loaded=(1, 1)))

def find_new(page, work, expect):
    "The lists of both tabs show it by themselves."
    expect(page.locator('option', has_text='clips/later.mp4')).to_have_count(2)
    expect(page.locator('option', has_text='Fine-tune: models/mine.safetensors')).to_have_count(1)
    expect(page.locator('datalist option[value="models/mine.safetensors"]').first).to_be_attached()
    expect(page.locator('.tsr-job', has_text='runs/elsewhere')).to_have_count(2)
    (work/'clips'/'later.mp4').unlink()
    shutil.rmtree(work/'runs'/'elsewhere')

def drop(page, name, content=b'', zeros=0):
    "Let a file fall on the visible drop zone: these bytes, then zeros."
    file = page.evaluate_handle("""([name, text, zeros]) => { const data = new DataTransfer()
        data.items.add(new File([Uint8Array.from(atob(text), c => c.charCodeAt(0)), new Uint8Array(zeros)], name)); return data }""",
        [name, base64.b64encode(content).decode(), zeros])
    zone = page.locator('.tsr-drop:visible')
    for event, marked in ('dragenter', True), ('dragover', True), ('drop', False):
        zone.dispatch_event(event, dict(dataTransfer=file))
        if zone.evaluate('e => e.classList.contains("tsr-over")') != marked: raise TSRError(f'{event}: the drop zone is not marked as it should be')

# presses the button in the browser, as soon as a part has arrived: on a busy machine, a click from outside may come when the whole file has, and dismiss the message
CANCEL = """name => new MutationObserver((_, watch) => {
    const stop = document.querySelector(`button[aria-label="Cancel the upload of ${name}"]`)
    if (stop?.parentElement.querySelector('progress').value > 0) { watch.disconnect(); stop.click() }
}).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true })"""

def upload(page, work, expect):
    "More than a single message may hold; files that are dropped; one that is cancelled on its way; and what is no video."
    with page.expect_file_chooser() as chooser: page.locator('button:visible', has_text='Choose a file').click()
    chooser.value.set_files(work/'large.mp4')
    expect(page.get_by_text('large.mp4: uploaded')).to_be_visible()
    expect(page.get_by_text('640×360, 6 frames')).to_be_visible()
    page.evaluate(CANCEL, 'huge.mp4')
    drop(page, 'huge.mp4', zeros=5 * LARGE)
    expect(page.get_by_text('huge.mp4: cancelled')).to_be_visible()
    expect(page.get_by_role('button', name='Dismiss the message on huge.mp4')).to_be_visible()
    drop(page, 'Ferien in Österreich <1>.mp4', (work/'clips'/'kitchen.mp4').read_bytes())
    expect(page.get_by_text('Ferien in Österreich <1>.mp4: uploaded')).to_be_visible()
    expect(option(page, 'Videos')).to_have_value('upload:large.mp4\nupload:Ferien in Österreich <1>.mp4')
    expect(page.get_by_text('Ferien in Österreich <1>.mp4: 320×180, 12 frames')).to_be_visible()
    drop(page, 'notes.txt', b'a few words')
    expect(page.get_by_text('notes.txt: not a video')).to_be_visible()
    if left := [*Path(os.environ['TSR_CACHE'], 'uploads').glob('*.part')]: raise TSRError(f'a cancelled upload left {left}')

def set_up_training(page, folder, expect):
    "Settings are typed, mistakes are said, and the training is started, all with the keyboard."
    fill(page, {'Epochs': 5000})
    accessible(page, 'the training panel')
    expect(button(page, 'Advanced')).to_have_attribute('aria-expanded', 'false')
    press(page, 'Advanced', 'Space')
    expect(button(page, 'Advanced')).to_have_attribute('aria-expanded', 'true')
    expect(page.get_by_role('button', name='Epochs', pressed=True)).to_be_visible()
    expect(page.locator('.tsr-live:visible[role=status][aria-live=polite]', has_text='Choose videos')).to_have_count(1)
    accessible(page, 'the advanced settings')
    fill(page, {'Features': 8, 'Blocks': 2, 'Patch size (LR px)': 24, 'Batch size': 8, 'Validation frames': 3, 'Log every N batches': 1,
                'Warm-up (steps)': 5})
    fill(page, {'Learning rate': '0.005'})
    make_mistakes(page, 'Train', expect)
    if folder:
        fill(page, {'Learning rate': '0,005'})
        expect(page.get_by_text('with a decimal point: 0.005')).to_have_count(2) # below the field, and in the line of the checker
        shot(page.locator('.tsr').first, 'form.jpg', folder)
        fill(page, {'Learning rate': '0.005'})
    button(page, 'Advanced').click()
    option(page, 'Files in this folder').select_option('clips/archive.mp4')
    expect(page.get_by_text('1 video, 24 frames of 512×288, 256×144 to 512×288')).to_be_visible()
    expect(page.get_by_text('Patch size (LR px)')).to_be_hidden()
    button(page, 'Advanced').focus()
    press(page, 'Show Python code', 'Enter', True)
    expect(page.locator('code.tsr-code')).to_contain_text('learning_rate=0.005')
    page.keyboard.press('Enter')
    option(page, 'Videos').focus()
    press(page, 'Start', 'Enter', True)
    expect(page.get_by_text(re.compile(r'training, epoch (\d+) of 5000'))).to_be_visible()

def set_up_upscaling(page, work, folder, expect):
    "Uploads, mistakes, and settings with their preview."
    page.get_by_role('tab', name='Upscale').click()
    upload(page, work, expect)
    fill(page, {'Videos': 'clips/kitchen.mp4', 'Model': 'default'})
    expect(page.get_by_text('320×180, 12 frames, 0.5 s, h264 to 640×360: kitchen_tsr_360p.mp4')).to_be_visible()
    button(page, 'Advanced').click()
    make_mistakes(page, 'Upscale', expect)
    button(page, 'Advanced').click()
    expect(page.get_by_text(re.compile('Estimated from a few frames: 640×360, 12 frames'))).to_be_visible()
    preview = page.locator('.tsr-card:visible', has_text='Preview')
    expect(preview.locator('.tsr-stage')).to_be_visible()
    shot(preview, 'preview.jpg', folder, 720)

def begin_upscaling(page, expect):
    page.get_by_role('tab', name='Upscale').click()
    button(page, 'Upscale').click()
    expect(page.get_by_text(re.compile('kitchen.mp4: (starting|upscaling)|kitchen_tsr_360p.mp4: 12 frames')).first).to_be_visible()

def come_back(page, work, folder, expect):
    "Another page finds the training; it is stopped, resumed, and its model is taken."
    expect(page.get_by_text(re.compile('runs/panel-1: (training|validating), epoch'))).to_be_visible()
    if run_status(work/'runs'/'panel-1')['phase'] not in ('train', 'validate'): raise TSRError('the training did not outlive the page')
    expect(page.locator('.tsr-chart svg path').first).to_be_visible()
    page.locator('.tsr-chart svg').first.hover()
    expect(page.locator('.tsr-chart-tip:visible').first).to_contain_text(re.compile(r'^step \d+: model \d+\.\d+'))
    page.mouse.move(0, 0)
    if folder: page.wait_for_timeout(15_000) # for a picture with some curves in it
    shot(page.locator('.tsr').first, 'training.jpg', folder)
    shot(page.locator('.tsr-charts:visible').first, 'charts.jpg', folder, 900)
    accessible(page, 'a training')
    stop(page, expect)
    button(page, 'Resume').click()
    expect(page.get_by_text(re.compile('runs/panel-1: training, epoch'))).to_be_visible()
    stop(page, expect)

def stop(page, expect):
    button(page, 'Stop').click()
    expect(page.get_by_text('stopped and saved after')).to_be_visible()

def open_mlflow(page, expect):
    "MLflow's pages, where the run is."
    with page.expect_popup() as opened: button(page, 'MLflow').click()
    mlflow = opened.value
    mlflow.set_default_timeout(TIMEOUT)
    expect(mlflow).to_have_title(re.compile('MLflow'))
    expect(mlflow.get_by_text('tsr', exact=True).first).to_be_visible()
    mlflow.close()

def train_longer(page, expect):
    "Another training goes on from the model of the first one; it is waited for later."
    page.get_by_role('tab', name='Train').click()
    button(page, 'Train longer').click()
    expect(page.get_by_text('runs/panel-2: will go on from runs/panel-1/best.safetensors')).to_be_visible()
    fill(page, {'Epochs': 1})
    button(page, 'Start').click()
    expect(page.get_by_text(re.compile('runs/panel-2: (starting|loading|training|done)')).first).to_be_visible() # the list of jobs may say so, too
    page.get_by_role('tab', name='Upscale').click()

def trained_longer(page, work, expect):
    page.get_by_role('tab', name='Train').click()
    expect(page.get_by_text(re.compile(r'runs/panel-2: done, \d+ steps'))).to_be_visible()
    trained = json.loads((work/'runs'/'panel-2'/'config.json').read_text())['model']
    if trained != 'runs/panel-1/best.safetensors': raise TSRError(f'the second training went on from {trained}')

def use_model(page, expect):
    "The model of the run is selected for upscaling, in the other tab."
    button(page, 'Use this model').click()
    expect(option(page, 'Model')).to_have_value(re.compile(r'runs/panel-\d/best.safetensors'))
    expect(page.get_by_text('2x, 3-frame window').first).to_be_visible()

def watch_upscaled(page, work, folder, expect):
    "An upscaling that has ended meanwhile is opened from the list; it plays, is downloaded and compared."
    button(page, 'Earlier jobs').click()
    page.locator('.tsr-job:visible', has_text='kitchen.mp4').get_by_role('button').click()
    expect(page.locator('video')).to_be_visible()
    expect(page.get_by_text('kitchen_tsr_360p.mp4: 12 frames of 640×360')).to_be_visible()
    button(page, 'Earlier jobs').click()
    page.wait_for_function('''() => { // the player may still be replaced by one with the comparison beside it
        const v = document.querySelector("video")
        if (v && v.paused && !v.ended) { v.muted = true; v.play() }
        return v && v.videoWidth == 640 && v.currentTime > .2 }''')
    with page.expect_download() as download: page.get_by_role('link', name='Download').click()
    if download.value.path().read_bytes() != (work/'kitchen_tsr_360p.mp4').read_bytes(): raise TSRError('the download is not the file')
    expect(option(page, 'Videos')).to_have_value('clips/kitchen.mp4') # the settings came back, too
    compare(page, folder, expect)

def compare(page, folder, expect):
    "The divider of the comparison follows the pointer and the keyboard, and stays where it is in an enlarged picture."
    stage, handle = page.locator('.tsr-stage:visible'), page.locator('.tsr-handle:visible')
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    x, y = box['x'] + box['width'] / 2, box['y'] + box['height'] / 2
    page.mouse.move(x, y); page.mouse.down(); page.mouse.move(box['x'] + .3 * box['width'], y, steps=4); page.mouse.up()
    cut_at = lambda share: expect(handle).to_have_attribute('aria-valuenow', str(share))
    cut_at(30) # it follows the pointer
    page.mouse.click(box['x'] + .5 * box['width'], y)
    cut_at(50)
    page.mouse.move(0, 0)
    accessible(page, 'an upscaling')
    shot(page.locator('.tsr:visible').first, 'upscale.jpg', folder, 720)
    shot(page.locator('.tsr-viewer:visible'), 'compare.jpg', folder, 900)
    page.get_by_role('button', name='Enlarge 4 times').click()
    page.wait_for_function('() => [...document.querySelectorAll(".tsr-layer img")].some(e => e.style.transform.includes("scale(4)"))')
    cut_at(50) # the divider stays where it was
    handle.press('ArrowRight')
    cut_at(52)
    page.get_by_role('button', name='Fit the page').click()
    other_sides(page, expect)

def other_sides(page, expect):
    "The difference, another frame, another model at the left, and both videos at once."
    stage, handle = page.locator('.tsr-stage:visible'), page.locator('.tsr-handle:visible')
    difference = page.get_by_role('button', name='Show four times the difference')
    difference.click()
    expect(stage).to_have_class(re.compile('tsr-difference'))
    expect(handle).to_have_count(0)
    difference.click()
    expect(page.get_by_text('frame 7 of 12')).to_be_visible()
    before = stage.locator('img').first.get_attribute('src')
    page.get_by_role('button', name='Next frame').click()
    expect(page.get_by_text('frame 8 of 12')).to_be_visible()
    expect(stage.locator('img').first).not_to_have_attribute('src', before)
    page.get_by_label('Left side').select_option('original (nearest)')
    expect(stage.locator('img[alt="original (nearest)"]')).to_have_count(1)
    page.get_by_role('button', name='Play both videos').click()
    page.wait_for_function('() => { const v = [...document.querySelectorAll(".tsr-stage video")]; return v.length == 2 && v.every(e => e.currentTime > .1)'
                           ' && Math.abs(v[0].currentTime - v[1].currentTime) < .1 }')
    page.get_by_role('button', name='Play both videos').click()
    expect(stage.locator('video')).to_have_count(0)
    full_screen(page)

def full_screen(page):
    "The comparison on the whole screen, and back."
    press_button = page.get_by_role('button', name='Show the comparison on the full screen')
    press_button.click()
    page.wait_for_function('() => document.fullscreenElement && document.fullscreenElement.matches(".tsr-viewer")')
    width, height = page.locator('.tsr-stage:visible').evaluate('e => [e.clientWidth / innerWidth, e.clientHeight / innerHeight]')
    if max(width, height) < .8: raise TSRError(f'full screen: the picture takes {width:.0%} of the width and {height:.0%} of the height')
    press_button.click()
    page.wait_for_function('() => !document.fullscreenElement')

CHART = """async ([source, charts]) => { const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
    const { default: area } = await import(url), el = document.createElement('div'); document.body.replaceChildren(el)
    area.render({ model: { get: () => charts, on() {} }, el }) }"""

def draw_charts(chromium, expect):
    "Charts of few and of many epochs: whole numbers along the axis, each once; no label cut off; the values of the place that is pointed at."
    page = chromium.new_page(viewport=dict(width=340, height=400))
    page.set_content(STYLE)
    for n, low, spread in *((n, 30, 1) for n in (1, 2, 3, 5, 7, 40, 5000)), (2, .008962, 6e-6):
        epochs = np.arange(n) + 1
        series, level = line_series('model', BLUE, epochs, low + spread * epochs / n), dict(name='bicubic', color=ORANGE, y=low + spread / 4)
        page.evaluate(CHART, [ChartArea._esm, [dict(row='Epochs', title='PSNR (dB)', xlabel='epoch', series=[series], level=level)]])
        ticks = page.locator('.tsr-chart-across').all_text_contents()
        found = [int(t.replace(',', '')) for t in ticks] # fails for anything but whole numbers
        if not found or found != sorted(set(found)) or not 1 <= found[0] <= found[-1] <= n: raise TSRError(f'{n} epochs: the axis says {ticks}')
        cut = page.locator('.tsr-chart text').evaluate_all('e => e.filter(t => t.getBBox().x < 0).map(t => t.textContent)')
        if cut: raise TSRError(f'cut off at the left of a chart: {cut}')
        box, digits = page.locator('.tsr-chart svg').bounding_box(), 2 if low > 1 else 4
        page.mouse.move(box['x'] + .999 * box['width'], box['y'] + 60)
        expect(page.locator('.tsr-chart-tip')).to_have_text(f'epoch {n:,}: model {low + spread:.{digits}f}, bicubic {level["y"]:.{digits}f}')
        page.mouse.move(box['x'] + box['width'] / 2, box['y'] + box['height'] + 60)
        expect(page.locator('.tsr-chart-tip')).to_be_hidden()
    page.close()

def accessible(page, name):
    "axe-core finds nothing serious in what is visible of the panels."
    from axe_playwright_python.sync_playwright import Axe
    script = Axe().axe_script
    if (found := hashlib.sha256(script.encode()).hexdigest()) != AXE: raise TSRError(f'axe-core is another one than was looked at: SHA-256 {found}')
    if not page.evaluate('() => "axe" in window'): page.evaluate(script)
    found = page.evaluate('async () => (await axe.run(".tsr", {resultTypes: ["violations"]})).violations')
    serious = [f"{v['id']} ({v['impact']}): {node['html'][:300]}" for v in found if v['impact'] in ('serious', 'critical') for node in v['nodes']]
    if serious: raise TSRError(f'{name}: axe-core finds {len(serious)}: ' + '\n'.join(serious[:5]))

FOCUS = """() => { const e = document.activeElement, style = getComputedStyle(e)
    return {name: (e.labels && e.labels[0] || e).textContent.trim() || e.getAttribute('aria-label') || e.title,
            seen: e.offsetWidth > 0 && style.outlineStyle != 'none' && parseFloat(style.outlineWidth) >= 1, html: e.outerHTML.slice(0, 200)} }"""

def press(page, name, key, here=False, patience=40):
    "Go to a button with the Tab key, from the top of the page or from where the focus is, and press a key there; each focus on the way is visible."
    if not here: page.locator('.tsr:visible').first.evaluate('e => { e.tabIndex = -1; e.focus() }')
    for _ in range(patience):
        page.keyboard.press('Tab')
        focus = page.evaluate(FOCUS)
        if not focus['seen']: raise TSRError(f'the focus cannot be seen: {focus["html"]}')
        if focus['name'] == name: return page.keyboard.press(key)
    raise TSRError(f'{name}: is not reached within {patience} presses of Tab')

def fits(page):
    "At no width needs anything to be scrolled sideways; every control has a name."
    for width in (420, 1000, 1600):
        page.set_viewport_size(dict(width=width, height=1200))
        page.wait_for_timeout(300)
        for tab in ('Train', 'Upscale'):
            page.get_by_role('tab', name=tab).click()
            page.wait_for_timeout(200)
            if (wide := page.evaluate('document.documentElement.scrollWidth')) > width: raise TSRError(f'{tab}: at {width} pixels the page is {wide} pixels wide')
            if wrong := page.evaluate(MISFITS): raise TSRError(f'{tab}, {width} pixels: cut off or scrolled: {wrong[:3]}')
            if nameless := page.evaluate(NAMELESS): raise TSRError(f'controls without a name: {nameless[:5]}')
    page.set_viewport_size(dict(width=WIDTH, height=1900))

NAMELESS = """() => [...document.querySelectorAll('.tsr :is(input:not([type=file]), select, textarea, button)')].filter(e => e.offsetWidth
    && !(e.labels && [...e.labels].some(l => l.textContent.trim())) && !e.getAttribute('aria-label') && !e.textContent.trim() && !e.title)
    .map(e => e.outerHTML.slice(0, 120))"""

NOTEBOOK = """from tsr import TrainingPanel, UpscalePanel, TrainConfig
---
TrainingPanel('clips/archive.mp4', TrainConfig(model_args=dict(features=8, blocks=2), patch=24, batch_size=8, epochs=5000, validation_frames=3, log_every=1, warmup=5), out='runs/lab')
---
UpscalePanel('default', 'clips/kitchen.mp4')"""

@contextmanager
def lab(
    folder, # where the notebook lies
    theme # 'light' or 'dark'
): # its address
    "JupyterLab for as long as this lasts."
    cells = [dict(cell_type='code', id=f'c{i}', metadata={}, execution_count=None, outputs=[], source=s) for i, s in enumerate(NOTEBOOK.split('\n---\n'))]
    kernel = dict(name='python3', display_name='Python 3', language='python')
    (folder/'panels.ipynb').write_text(json.dumps(dict(cells=cells, metadata=dict(kernelspec=kernel), nbformat=4, nbformat_minor=5)))
    settings = folder/f'settings-{theme}'/'@jupyterlab'/'apputils-extension'
    settings.mkdir(parents=True)
    (settings/'themes.jupyterlab-settings').write_text(json.dumps({'theme': f'JupyterLab {theme.title()}'}))
    (settings/'notification.jupyterlab-settings').write_text(json.dumps({'fetchNews': 'false', 'checkForUpdates': False}))
    port = free_port()
    command = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--allow-root', f'--port={port}', '--IdentityProvider.token=', f'--ServerApp.root_dir={folder}', f'--LabApp.user_settings_dir={settings.parent.parent}']
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try: yield f'http://127.0.0.1:{port}/doc/tree/panels.ipynb'
    finally:
        server.terminate()
        server.wait()

def reach(page, address, patience=120):
    "Open a page whose server may still be starting."
    give_up = time.monotonic() + patience
    while True:
        try: return page.goto(address)
        except Exception:
            if time.monotonic() > give_up: raise
            time.sleep(.5)

MISFITS = """() => [...document.querySelectorAll('.tsr *')].filter(e => {
    const style = getComputedStyle(e), wide = e.scrollWidth > e.clientWidth + 1, high = e.scrollHeight > e.clientHeight + 1
    const text = e.matches('label, button, small, .widget-html-content') && style.overflowX != 'visible'
    return e.clientWidth && !e.closest('.tsr-stage') && (text && wide || ['auto', 'scroll'].includes(style.overflowY) && (wide || high))
}).map(e => e.className + ' ' + e.innerText.slice(0, 40))"""

def look(page, name, folder, widths=(780, 1000, 1600)):
    "Both panels at several widths: nothing is cut off."
    for width in widths:
        page.set_viewport_size(dict(width=width, height=2600))
        page.wait_for_timeout(1000)
        if wrong := page.evaluate(MISFITS): raise TSRError(f'{name}, {width} pixels: cut off or scrolled: {wrong[:3]}')
        for i, panel in enumerate(('training', 'upscale')): shot(page.locator('.tsr').nth(i), f'{panel}_{name}_{width}.jpg', folder, min(width, 1200) - 160)

def in_lab(page, address, theme, work, folder, expect):
    "Both panels in a notebook, at work."
    reach(page, address)
    expect(page.locator('.jp-Notebook')).to_be_visible()
    expect(page.get_by_text('Python 3 (ipykernel) | Idle')).to_be_visible()
    page.get_by_text('Run', exact=True).first.click()
    page.get_by_text('Run All Cells', exact=True).click()
    expect(page.locator('.tsr')).to_have_count(2)
    training, upscaling = page.locator('.tsr').nth(0), page.locator('.tsr').nth(1)
    button(training, 'Start').click()
    expect(page.get_by_text(re.compile(r'training, epoch (\d\d+|[4-9]) of 5000'))).to_be_visible()
    button(upscaling, 'Upscale').click()
    expect(page.locator('video')).to_be_visible()
    page.wait_for_function('() => document.querySelector("video").videoWidth == 640') # served by Jupyter
    with page.expect_file_chooser() as chooser: upscaling.locator('button:visible', has_text='Choose a file').click()
    chooser.value.set_files(work/'large.mp4')
    expect(page.get_by_text('large.mp4: uploaded')).to_be_visible()
    expect(page.get_by_text('2 videos, one after the other. kitchen.mp4: 320×180, 12 frames')).to_contain_text('large.mp4: 640×360, 6 frames')
    if folder: page.wait_for_timeout(15_000) # for a picture with some curves in it
    page.wait_for_timeout(15_000) # for a picture with some curves in it
    button(training, 'Stop').click()
    expect(page.get_by_text('stopped and saved after')).to_be_visible()
    look(page, f'lab_{theme}', folder)
    accessible(page, f'JupyterLab, {theme}')

def find_browser(): # path, or None
    "The browser. None, with a line that says why, if it or a package is missing; in CI that is a `TSRError`."
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser and all(map(find_spec, ('playwright', 'voila', 'axe_playwright_python'))): return browser
    needed = 'the panels in a browser need Chromium (Debian: apt-get install chromium) and pip install playwright axe-playwright-python voila'
    if os.environ.get('CI'): raise TSRError(needed)
    print(f'skipped: {needed}')

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', nargs='?', type=Path, help='for the pictures; without it none are kept')
    parser.add_argument('--lab', action='store_true', help='in JupyterLab')
    parser.add_argument('--all', action='store_true', help="also what takes longer: MLflow's pages")
    args = parser.parse_args()
    if not (browser := find_browser()): return
    from playwright.sync_api import expect, sync_playwright
    expect.set_options(timeout=TIMEOUT)
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as cache, sync_playwright() as p, p.chromium.launch(executable_path=browser, args=['--no-sandbox']) as chromium:
        work, os.environ['TSR_CACHE'] = Path(work)/'films', cache # uploads are not left in the cache of the user
        work.mkdir()
        if thorough := bool(args.all or args.folder): os.environ.pop('TSR_MLFLOW', None) # with the store beside the runs
        films(work)
        folder = args.folder and args.folder.absolute()
        try: on_lab(chromium, work, folder, expect) if args.lab else on_page(chromium, work, folder, expect, thorough)
        finally: end_runs(work)

def kill_kernels(server):
    "End the kernels of a server with their process groups, as one that is culled ends."
    kernels = [p for p in psutil.Process(server.pid).children() if any('ipykernel' in part for part in p.cmdline())]
    if not kernels: raise TSRError('the page has no kernel')
    for kernel in kernels: os.killpg(os.getpgid(kernel.pid), signal.SIGKILL)
    psutil.wait_procs(kernels, timeout=10)

def end_runs(work):
    "No training is left behind by a test that failed."
    for path in work.rglob('status.json'):
        if (s := run_status(path.parent))['phase'] in ('loading', 'train', 'validate'): psutil.Process(s['pid']).kill()

def opened(chromium, mine, errors): # page
    "A page that sees nothing from outside, and whose errors are kept."
    page = chromium.new_page(viewport=dict(width=WIDTH, height=1900))
    page.set_default_timeout(TIMEOUT)
    page.route('**/*', lambda route: route.continue_() if route.request.url.startswith((mine, 'data:', 'blob:')) else route.abort())
    page.on('console', lambda m: m.type == 'error' and not any(f in m.text + m.location['url'] for f in FOREIGN) and errors.append(m.text))
    page.on('pageerror', lambda e: errors.append(str(e)))
    return page

def on_lab(chromium, work, folder, expect):
    "In JupyterLab, by day and by night."
    for theme in ('light', 'dark'):
        shutil.rmtree(work/'runs', ignore_errors=True)
        (work/'kitchen_tsr_360p.mp4').unlink(missing_ok=True)
        with lab(work, theme) as address:
            page = opened(chromium, address.split('/doc')[0], errors := [])
            in_lab(page, address, theme, work, folder, expect)
            page.close()
            if errors: raise TSRError(f'the console says: {errors[0]}')
    print('JupyterLab, light and dark, 780, 1000 and 1600 pixels wide: trained, upscaled, played, uploaded 40 MB; nothing is cut off,\n'
          'nothing serious found by axe-core, no errors in the console')

def on_page(chromium, work, folder, expect, thorough):
    "On the page of `tsr app`."
    draw_charts(chromium, expect)
    with served(work) as (server, address):
        site = address.split('?')[0]
        for path in ('', '?token=wrong', 'api/kernels', 'voila/render/tsr.ipynb', 'files/large.mp4'):
            if not refused(site + path): raise TSRError(f'/{path}: is open to everybody')
        page = opened(chromium, site, errors := [])
        page.goto(address)
        expect(page.get_by_text('Choose videos to train on')).to_be_visible()
        appear(work)
        set_up_upscaling(page, work, folder, expect)
        find_new(page, work, expect)
        page.get_by_role('tab', name='Train').click()
        set_up_training(page, folder, expect)
        begin_upscaling(page, expect)
        page.close()
        kill_kernels(server)
        page = opened(chromium, site, errors)
        reach(page, address, 3 * TIMEOUT / 1000) # seldom, the page waits in vain after its kernels were killed: one reloads then
        come_back(page, work, folder, expect)
        if thorough: open_mlflow(page, expect)
        use_model(page, expect)
        train_longer(page, expect)
        watch_upscaled(page, work, folder, expect)
        trained_longer(page, work, expect)
        fits(page)
        if errors: raise TSRError(f'the console says: {errors[0]}')
    print('trained with the keyboard, uploaded 40 MB, dropped, cancelled, upscaled; the page closed and its kernel killed, found both again; stopped,\n'
          f'resumed, trained longer, used the model, played, downloaded, compared; {sum(map(len, MISTAKES.values()))} mistakes said; 420, 1000 and 1600 pixels wide; '
          'nothing serious\nfound by axe-core, no errors in the console' +
          "\nMLflow's pages opened" * thorough)

if __name__ == '__main__':
    try: main()
    except TSRError as e: sys.exit(str(e))
