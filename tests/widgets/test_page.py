"""The page that replays without a kernel, as text; what it does is tested in a browser."""

import json
import re
from html.parser import HTMLParser

import pytest

from esanalytics.widgets._assets import asset, replay_module
from esanalytics.widgets._page import replay_page

HOSTILE = "</script><img src=x onerror=alert(1)><!--"
SEPARATORS = "\u2028\u2029"


class Elements(HTMLParser):
    """Collects the elements of a page, and the text of each script."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.scripts = {}
        self._script = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._script = dict(attrs).get("id", dict(attrs).get("type")) if tag == "script" else None

    def handle_endtag(self, _tag):
        self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data


@pytest.fixture
def hostile():
    model = json.dumps({"v": 1, "title": HOSTILE, "types": [HOSTILE, SEPARATORS], "events": 0})
    page = replay_page(model, {"search": HOSTILE}, title=HOSTILE, code={"python": HOSTILE})
    return model, Elements(page), page


def test_what_is_data_is_inert_text(hostile):
    model, elements, _ = hostile
    assert {tag for tag, _ in elements.found}.isdisjoint({"img", "iframe", "object", "embed"})
    assert elements.scripts["model"] == model.replace("<", "\\u003c").replace(">", "\\u003e")
    assert json.loads(elements.scripts["model"])["title"] == HOSTILE
    assert json.loads(elements.scripts["traits"]) == {"search": HOSTILE}
    assert json.loads(elements.scripts["code"]) == {"python": HOSTILE}


def test_no_element_has_a_handler_or_asks_for_something(hostile):
    _, elements, _ = hostile
    names = {name for _, attributes in elements.found for name in attributes}
    assert not {name for name in names if name.startswith("on")}
    assert names.isdisjoint({"src", "href", "srcset", "action", "data"})


def test_the_policy_lets_nothing_in_from_elsewhere(hostile):
    _, elements, _ = hostile
    policies = [each["content"] for tag, each in elements.found if each.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'")
    assert "http" not in policies[0]
    assert "unsafe-eval" not in policies[0]


def test_the_module_and_the_styles_ask_for_nothing():
    module, css = replay_module(), asset("replay.css")
    assert not re.search(r"\beval\(|\bimport\b\s*[({'\"*]|\bfetch\(|new Function|XMLHttpRequest|WebSocket", module)
    assert not re.search(r"@import|url\(", css)
    addresses = re.findall(r"https?://[^\s\"')]+", module + css)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_the_module_never_reads_text_as_html():
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc", replay_module())


def test_the_module_can_stand_in_a_script_element():
    assert "</script" not in replay_module().lower()
    assert "<!--" not in replay_module()


def test_the_module_is_what_anywidget_and_the_page_ask_for():
    assert re.search(r"^export default \{\s*render\(", replay_module(), re.MULTILINE)
    assert "export function mount(el, source)" in replay_module()
    assert "export function plainSource(" in replay_module()


def test_the_page_has_one_heading_and_says_what_it_needs(hostile):
    _, elements, page = hostile
    assert [tag for tag, _ in elements.found].count("h1") == 1
    assert "<noscript>" in page
    assert 'lang="en"' in page


def test_the_styles_follow_the_theme_and_the_wish_for_less_motion():
    css = asset("replay.css")
    assert "light-dark(" in css
    assert "--jp-layout-color0" in css
    assert "--vscode-editor-background" in css
    assert "prefers-reduced-motion" in css
