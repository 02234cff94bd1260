"""Pages of a real browser that may ask nothing of the outside and must not throw."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize, sync_playwright

Scheme = Literal["light", "dark"]
ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "screenshots"
AXE = ROOT / "build" / "node_modules" / "axe-core" / "axe.min.js"

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_INSIDE = re.compile(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|(data|blob|file|about):")
_VOILA_ICONS = "fontawesome-free"  # Voila's own page takes its icon font from elsewhere
_NOTEBOOK_START = ("reading 'schema'", "'filebrowser:open-path' not registered")  # Notebook 7 throws these by itself
_SIZE: ViewportSize = {"width": 1300, "height": 1000}
_FINDINGS = """async (selector) => {
  const found = await axe.run(selector ?? document, {resultTypes: ["violations"]});
  return found.violations.map(v => ({rule: v.id, impact: v.impact, help: v.help,
    nodes: v.nodes.map(n => `${n.html.slice(0, 160)} :: ${(n.failureSummary ?? "").slice(0, 240)}`)}));
}"""


def chromium() -> str | None:
    """Find the browser: the one that ``CHROMIUM`` names, or the distribution's."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass  # without slots: Playwright keeps its handlers on the object
class Watch:
    """What a browser context asked for and what went wrong in its pages."""

    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Let nothing out of the context, and note what wanted to go."""
        context.route(lambda url: not _INSIDE.match(url), self._refused)
        context.on("page", self._page)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))

    def forget(self) -> None:
        for noted in (self.outside, self.errors, self.console):
            noted.clear()

    def check(self) -> None:
        """Fail where the pages wanted something from elsewhere or threw."""
        asked = [url for url in self.outside if _VOILA_ICONS not in url]
        assert asked == [], f"the page asked for something from outside: {asked}"
        thrown = [error for error in self.errors if not any(own in error for own in _NOTEBOOK_START)]
        assert thrown == [], f"the page threw: {thrown}"

    def _refused(self, route: Route) -> None:
        self.outside.append(route.request.url)
        route.abort()

    def _page(self, page: Page) -> None:
        page.on("console", lambda said: self.console.append(said.text) if said.type == "error" else None)
        page.on("websocket", lambda ws: self.outside.append(ws.url) if not _INSIDE.match(ws.url) else None)


@contextmanager
def watched(browser: Browser, **options) -> Iterator[tuple[BrowserContext, Watch]]:
    """Open a context of its own that is watched; the checks are made by ``Watch.check``."""
    given = {"viewport": _SIZE, "service_workers": "block", **options}
    context = browser.new_context(**given)
    context.set_default_timeout(20_000)
    watch = Watch()
    watch.over(context)
    try:
        yield context, watch
    finally:
        context.close()


class Turns:
    """A page that tests take turns with: a page of its own for each would take longer than most of them.

    Whoever comes next finds it blank, and the pointer in its corner; where a test failed, the next one gets a new page.
    """

    def __init__(self, browser: Browser, *, clock: bool = False) -> None:
        self._browser = browser
        self._clock = clock
        self._held = ExitStack()
        self._page: Page | None = None

    @contextmanager
    def taken(self, *, viewport: ViewportSize = _SIZE, color_scheme: Scheme = "light") -> Iterator[Page]:
        """Give the page for one test; the checks are made by ``page.watch``."""
        page = self._page or self._opened()
        self._page = None
        page.goto("about:blank")
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=color_scheme)
        page.mouse.move(0, 0)
        page.watch.forget()
        yield page
        if not page.is_closed():
            page.goto("about:blank")
            self._page = page

    def close(self) -> None:
        self._held.close()

    def _opened(self) -> Page:
        self.close()
        context, watch = self._held.enter_context(watched(self._browser))
        page = context.new_page()
        page.watch = watch
        if self._clock:
            page.clock.install()
        return page


def picture(page: Page, name: str, *, whole: bool = False) -> Path:
    """Keep a picture of the page in ``build/screenshots``."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}.png"
    page.screenshot(path=path, timeout=10_000, full_page=whole)
    return path


def findings(page: Page, selector: str | None = None) -> list[dict]:
    """Let axe-core judge the page, or a part of it; give what is serious or critical."""
    page.evaluate(AXE.read_text(encoding="utf-8") + "\n;0")
    return [found for found in page.evaluate(_FINDINGS, selector) if found["impact"] in ("serious", "critical")]
