"""The page that replays without a kernel: the same module as in the notebook, with what it shows beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from esanalytics.widgets._bundle import page

__all__ = ["replay_page"]

_STATIC = files("esanalytics.widgets").joinpath("static")
# Read once: a widget whose module is a watched file is never let go.
_MODULE = _STATIC.joinpath("replay.js").read_text("utf-8")
_CSS = _STATIC.joinpath("replay.css").read_text("utf-8")

_BODY = """<main id="replay"></main>
<noscript>This page replays events with JavaScript, which is switched off here.</noscript>
<script type="module">
{module}
const told = (id) => document.getElementById(id).textContent;
const values = {{ ...JSON.parse(told("traits")), model: told("model") }};
mount(document.getElementById("replay"), plainSource(values, JSON.parse(told("code"))));
</script>"""


def replay_page(model: str, traits: Mapping[str, Any], *, title: str, code: Mapping[str, str]) -> str:
    """Write an offline page that replays a model.

    Args:
        model: of the entity, as the canvas widget has it.
        traits: the others of the canvas widget, by name.
        title: of the page, plain text.
        code: what makes the same view again, as ``python`` and ``sql``.

    Returns:
        An HTML document that needs nothing from elsewhere, and may not ask for it.
    """
    data = {"model": model, "traits": json.dumps(dict(traits)), "code": json.dumps(dict(code))}
    return page(title, _BODY.format(module=_MODULE), css=_CSS + _PAGE_CSS, data=data)


def _module() -> str:
    """Return the module of the canvas."""
    return _MODULE


def _css() -> str:
    """Return its style sheet."""
    return _CSS


_PAGE_CSS = """
#replay { max-width: 1500px; margin: 0 auto; padding: 12px; }
"""
