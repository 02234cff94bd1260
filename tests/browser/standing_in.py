"""A replay in a page with a kernel that a test plays: what the page sends is kept, and answered when the test says."""

import json
from typing import Any

from playwright.sync_api import Page
from showing import Shown

from esanalytics.widgets._assets import asset, replay_module

_PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>replay</title><style>%s</style></head>
<body><div class="first"></div><div class="second"></div><script type="module">
%s
const heard = new Set();
const held = plainSource(JSON.parse(document.getElementById("values").textContent));
window.sent = [];
window.source = {
  ...held,
  alive: true,
  send: (message) => window.sent.push(message),
  on: (name, task) => (name === "msg:custom" ? heard.add(task) : held.on(name, task)),
};
window.answer = (message) => [...heard].forEach((task) => task(message));
window.inner = { grouped, atPath, same, parseExact };
window.display = (where) => mount(document.querySelector(where), window.source);
window.display(".first");
</script></body></html>"""


class Kernel:
    """The other side of a page, in the hands of a test."""

    def __init__(self, page: Page, **traits: Any) -> None:
        self.page = page
        values = json.dumps({"model": "", "overview": "", **traits}).replace("<", "\\u003c")
        script = f'<script type="application/json" id="values">{values}</script>'
        body = _PAGE % (asset("replay.css"), replay_module())
        page.set_content(body.replace('<script type="module">', f'{script}<script type="module">'))
        page.wait_for_function("() => document.querySelector('.first .es-replay')")
        self.shown = Shown(page, ".first")

    def sent(self, kind: str) -> list[dict[str, Any]]:
        """List the messages of a kind, the first one first."""
        return self.page.evaluate("(kind) => window.sent.filter((each) => each.kind === kind)", kind)

    def asked(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait for the message of a kind that is its ``count``-th."""
        self.page.wait_for_function(
            "([kind, n]) => window.sent.filter((each) => each.kind === kind).length >= n", arg=[kind, count]
        )
        return self.sent(kind)[count - 1]

    def answer(self, kind: str, to: dict[str, Any], **content: Any) -> None:
        """Answer a message of the page."""
        self.page.evaluate("(message) => window.answer(message)", {"kind": kind, "request": to["request"], **content})

    def put(self, **traits: Any) -> None:
        """Set traits, as Python does."""
        self.page.evaluate(
            "(traits) => Object.entries(traits).forEach(([name, value]) => window.source.set(name, value))", traits
        )

    def later(self, milliseconds: int) -> None:
        """Let time pass in a page whose clock may be put forward."""
        self.page.clock.fast_forward(milliseconds)

    def get(self, trait: str) -> Any:
        return self.page.evaluate("(name) => window.source.get(name)", trait)
