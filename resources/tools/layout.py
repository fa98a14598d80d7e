"""Whether the pages of `report.py html` fit their window: `python resources/tools/layout.py FOLDER`

Opens each page in Chromium. At 1440 pixels no table and no block of code may be wider than its place, at 420 the page itself must not scroll sideways.
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
  if (wide) for (const e of document.querySelectorAll('main :is(.table, pre, .highlight, table)'))
    if (e.clientWidth && e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > root.clientWidth)
      found.push(`${e.tagName.toLowerCase()} of ${e.scrollWidth} pixels in ${e.clientWidth}: ${e.innerText.slice(0, 60).replace(/\\s+/g, ' ')}`);
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

if __name__ == '__main__':
    try: found = look(sys.argv[1])
    except (ImportError, FileNotFoundError) as e:
        if os.environ.get('CI'): raise
        sys.exit(print(f'not looked at: {e}'))
    if found: sys.exit('\n'.join(found))
    print('they fit')
