"""Whether the pages of `report.py html` fit their window: `python resources/tools/layout.py FOLDER`

Opens each page in Chromium. At 1440 pixels nothing may be wider than its place, at 420 nothing may be cut off and the
page itself must not scroll sideways.
Needs playwright and a Chromium; where there is none it says so and succeeds, but not in CI.
"""
import os
import shutil
import sys
from pathlib import Path

WIDE, NARROW = 1440, 420 # pixels
FIND = '''wide => {
  const found = [], root = document.documentElement;
  for (const e of document.querySelectorAll('details')) e.open = true; // folded code too
  if (root.scrollWidth > root.clientWidth + 1) found.push(`the page is ${root.scrollWidth} pixels wide`);
  for (const e of document.querySelectorAll('main, main :not(svg *, math *)')) {
    const hides = getComputedStyle(e).overflowX, cut = e.clientWidth && e.scrollWidth > e.clientWidth + 1 && hides !== 'visible';
    const beyond = wide && e.matches('.table, pre, .highlight, table') && e.getBoundingClientRect().right > root.clientWidth;
    if (cut && (wide || hides !== 'auto' && hides !== 'scroll') || beyond) // on a small screen a table may scroll in its box
      found.push(`${e.tagName.toLowerCase()} of ${e.scrollWidth} pixels in ${e.clientWidth}: ${e.innerText.slice(0, 60).replace(/\\s+/g, ' ')}`);
  }
  return found;
}'''

def look(
    folder # of the pages
): # list of text
    "What does not fit."
    from playwright.sync_api import sync_playwright
    browser_path = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if browser_path is None: raise FileNotFoundError('no Chromium')
    found = []
    with sync_playwright() as p, p.chromium.launch(executable_path=browser_path, args=['--no-sandbox']) as browser:
        page = browser.new_page()
        for path in sorted(Path(folder).glob('*.html')):
            page.set_viewport_size(dict(width=WIDE, height=900))
            page.goto(path.resolve().as_uri(), wait_until='domcontentloaded')
            found += [f'{path.name} at {WIDE}: {line}' for line in page.evaluate(FIND, True)]
            page.set_viewport_size(dict(width=NARROW, height=900))
            found += [f'{path.name} at {NARROW}: {line}' for line in page.evaluate(FIND, False)]
    return found

def main(folder):
    "Say what does not fit, and fail."
    try: found = look(folder)
    except (ImportError, FileNotFoundError) as e:
        if os.environ.get('CI'): raise
        return print(f'not looked at: {e}')
    if found: raise SystemExit('\n'.join(found))
    print('they fit')

if __name__ == '__main__': main(sys.argv[1])
