"""How long a page takes: from a key or the end of a drag to the frame after the new picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from booking import Book
from measuring import said
from playwright.sync_api import Locator, Page
from serving import Server, served
from watching import chromium, launched, picture, watched

FLOOR = "two animation frames, about 33 ms, are in every number"

_INSTALL = """() => {
  const clock = (window.__clock = {began: 0, pictures: 0});
  const note = () => (clock.began = performance.now());
  for (const kind of ["keydown", "pointerup"]) window.addEventListener(kind, note, true);
  const twoFrames = (done) => requestAnimationFrame(() => requestAnimationFrame(done));
  clock.until = (shown, patience = 20000) => new Promise((resolve, reject) => {
    const last = performance.now() + patience;
    const look = () => {
      if (shown()) twoFrames(() => resolve(performance.now() - clock.began));
      else if (performance.now() > last) reject(new Error("no new picture: " + shown));
      else setTimeout(look, 1);
    };
    look();
  });
  const seen = new WeakSet();
  const follow = (image) => {
    if (seen.has(image)) return;
    seen.add(image);
    image.decode().then(() => clock.pictures++, () => {});
  };
  new MutationObserver(() => document.querySelectorAll(".by-output img").forEach(follow))
    .observe(document.body, {childList: true, subtree: true});
}"""
_AFTER = """() => {{
  const before = {shown};
  window.__taken = window.__clock.until(() => ({shown}) {change} before);
  window.__taken.catch(() => 0);
}}"""


@contextmanager
def opened(folder: Path) -> Iterator["Pages"]:
    """Start one server and one browser for all that is measured."""
    executable = chromium()
    if executable is None:
        raise SystemExit("there is no Chromium: run `bash .ci/browser`, or let CHROMIUM name one")
    with served(folder) as server, launched(executable) as browser, watched(browser) as (context, watch):
        yield Pages(server, context.new_page())
        watch.check()


class Pages:
    """Opens notebooks, one after the other, and takes times in them."""

    def __init__(self, server: Server, page: Page) -> None:
        self.server = server
        self.page = page

    @contextmanager
    def notebook(self, name: str, begin: str) -> Iterator[Book]:
        """Open a notebook whose first cell has run; its kernel ends with the block."""
        with said(name):
            book = Book(self.page, self.server, "lab", [begin, "pass"], name)
            book.run(0)
            self.page.evaluate(_INSTALL)
            yield book
            picture(self.page, f"bench-{name}")
            self.server.shut_down_kernels()

    def open(self, book: Book, code: str, shown: str) -> float:
        """Run a cell that shows a view; give the milliseconds until the page fulfils ``shown``."""
        book.fill(1, code)
        self.page.evaluate("() => { window.__clock.began = performance.now(); }")
        book.start(1)
        taken = self.page.evaluate(f"() => window.__clock.until(() => {shown}, 60000)")
        book.wait_idle()
        return taken

    def keys(self, count: int, shown: str) -> list[float]:
        """Press the right arrow again and again; ``shown`` is JavaScript that counts up with each picture."""
        return [self._key(shown) for _ in range(count + 5)][5:]

    def _key(self, shown: str) -> float:
        self.page.evaluate(_AFTER.format(change=">", shown=shown))
        self.page.keyboard.press("ArrowRight")
        taken = self.page.evaluate("() => window.__taken")
        self.page.wait_for_timeout(30)
        return taken

    def brush(self, part: Locator, start: float, end: float, shown: str) -> float:
        """Drag over a part; give the milliseconds from letting go until ``shown``, JavaScript, has another value."""
        left, right = sorted((start, end))
        box = part.bounding_box()
        at = [(box["x"] + box["width"] * share, box["y"] + box["height"] / 2) for share in (left, right)]
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        self.page.mouse.move(*at[1], steps=4)
        self.page.evaluate(_AFTER.format(change="!==", shown=shown))
        self.page.mouse.up()
        taken = self.page.evaluate("() => window.__taken")
        self.page.wait_for_timeout(200)
        return taken
