"""A hand on a replay that a page shows: its parts, its keys, and what it says of itself."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect


class Shown:
    """A replay in a page; where there are several, ``within`` is a selector of what holds this one."""

    def __init__(self, page: Page, within: str = "body") -> None:
        self.page = page
        self.root = page.locator(f"{within} .es-replay")
        self._probe = f"document.querySelector('{within} .es-replay').parentElement.esReplay"

    @classmethod
    def of_file(cls, page: Page, path: Path) -> "Shown":
        """Open a page from disk."""
        page.goto(path.as_uri())
        found = cls(page)
        found.part("position").wait_for()
        return found

    def part(self, name: str) -> Locator:
        return self.root.locator(f'[data-part="{name}"]')

    def told(self, question: str) -> Any:
        """Ask the replay in the page something: ``state(3)``, ``diff("marks")``."""
        return self.page.evaluate(f"() => {self._probe}.{question}")

    def keys(self, *names: str) -> None:
        """Press keys with the focus on the timeline."""
        self.part("timeline").focus()
        for name in names:
            self.page.keyboard.press(name)

    def stands_at(self, step: int) -> None:
        """Wait until everything shows a step: what is computed, the slider, the words, the list."""
        self.page.wait_for_function(f"() => {self._probe}.step === {step}")
        expect(self.part("position")).to_contain_text(f"{step:,}")
        if step:
            expect(self.part("slider")).to_have_attribute("aria-valuetext", re.compile(rf"\b({step:,}|{step})\b"))
            expect(self.part("events").locator("[aria-current]")).to_have_attribute("data-step", str(step))

    def changes(self) -> list[str]:
        """List the diff as it stands there with the next frame, a line each."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        rows = self.part("diff").locator("tbody tr")
        return [" ".join(text.split()) for text in rows.all_inner_texts()]


def drag(page: Page, part: Locator, start: float, end: float) -> None:
    """Drag over a part, from one share of its width to another."""
    part.scroll_into_view_if_needed()
    box = part.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (start + end) / 2, y)
    page.mouse.move(box["x"] + box["width"] * end, y)
    page.mouse.up()
