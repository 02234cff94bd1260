"""The page that replays without a kernel: the same module as in the notebook, with what it shows beside it."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

from esanalytics.widgets._assets import asset, replay_module
from esanalytics.widgets._bundle import page

__all__ = ["replay_page"]

_BODY = """<main>
<h1 class="es-hidden">{title}</h1>
<div id="replay"></div>
<noscript>This page replays events with JavaScript, which is switched off here.</noscript>
</main>
<script type="module">
{module}
const told = (id) => document.getElementById(id).textContent;
const values = {{ ...JSON.parse(told("traits")), model: told("model") }};
if (values.theme && values.theme !== "auto") document.body.dataset.theme = values.theme;
mount(document.getElementById("replay"), plainSource(values, JSON.parse(told("code"))));
</script>"""

_CSS = """
#replay { max-width: 1500px; margin: 0 auto; padding: 12px; }
"""


def replay_page(model: str, traits: Mapping[str, Any], *, title: str, code: Mapping[str, str]) -> str:
    """Write an offline page that replays a model.

    Args:
        model: what the canvas widget has as ``model``: JSON text; empty where ``traits`` has an ``overview``.
        traits: the other traits of the canvas widget, by name.
        title: of the page, plain text.
        code: what makes the same view again, as ``python`` and ``sql``.

    Returns:
        An HTML document that needs nothing from elsewhere, and may not ask for it.
    """
    data = {"model": model, "traits": json.dumps(dict(traits)), "code": json.dumps(dict(code))}
    body = _BODY.format(title=html.escape(title), module=replay_module())
    return page(title, body, css=asset("replay.css") + _CSS, data=data)
