"""What all views share: a mime bundle with a picture, offline pages, colours, files that are whole or not there."""

from __future__ import annotations

import base64
import html
import io
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["MOST_BYTES", "THEME", "bundle", "close_all", "page", "png_of", "write_whole"]

MOST_BYTES = 100_000
"""The most bytes of a picture in a notebook's output."""

THEME = """
.ea-view {
  color-scheme: light dark;
  --ea-bg: var(--jp-layout-color1, var(--vscode-editor-background, light-dark(#ffffff, #16191d)));
  --ea-fg: var(--jp-ui-font-color1, var(--vscode-editor-foreground, light-dark(#1b1f24, #e7eaee)));
  --ea-panel: color-mix(in srgb, var(--ea-fg) 5%, var(--ea-bg));
  --ea-hover: color-mix(in srgb, var(--ea-fg) 10%, var(--ea-bg));
  --ea-muted: color-mix(in srgb, var(--ea-fg) 72%, var(--ea-bg));
  --ea-line: color-mix(in srgb, var(--ea-fg) 20%, var(--ea-bg));
  --ea-edge: color-mix(in srgb, var(--ea-fg) 55%, var(--ea-bg));
  --ea-accent: light-dark(#0b5cad, #7cb8ff);
  --ea-focus: light-dark(#0b5cad, #9ccbff);
  --ea-added: light-dark(#0a6b4f, #5fd3ac);
  --ea-removed: light-dark(#a33b00, #ffab7d);
  --ea-changed: light-dark(#6a3d9a, #d1b3ff);
  --ea-added-bg: light-dark(#e2f4ec, #12322a);
  --ea-removed-bg: light-dark(#fdebe0, #3d2314);
  --ea-changed-bg: light-dark(#f0e8fa, #2e2440);
  --ea-warn: light-dark(#8a4b00, #ffc46b);
  --ea-c0: light-dark(#0072b2, #56a8e0); --ea-c1: light-dark(#c44e00, #f08a4b); --ea-c2: light-dark(#007a5a, #3fc79a);
  --ea-c3: light-dark(#a8477f, #e29ac3); --ea-c4: light-dark(#7a6a00, #e0cf4d); --ea-c5: light-dark(#2f6f8f, #8fd0ea);
  --ea-c6: light-dark(#5b5b5b, #b8b8b8); --ea-c7: light-dark(#6a3d9a, #c3a2f0);
  --ea-font: var(--jp-ui-font-family, var(--vscode-font-family, system-ui, "Segoe UI", "Noto Sans", sans-serif));
  --ea-mono: var(--jp-code-font-family, var(--vscode-editor-font-family, ui-monospace, "DejaVu Sans Mono", monospace));
  background: var(--ea-bg); color: var(--ea-fg); font: 14px/1.45 var(--ea-font);
}
[data-jp-theme-light="true"] .ea-view, .vscode-light .ea-view { color-scheme: light; }
[data-jp-theme-light="false"] .ea-view, .vscode-dark .ea-view, .vscode-high-contrast .ea-view { color-scheme: dark; }
.ea-view[data-theme="light"] { color-scheme: light; --ea-bg: #ffffff; --ea-fg: #1b1f24; }
.ea-view[data-theme="dark"] { color-scheme: dark; --ea-bg: #16191d; --ea-fg: #e7eaee; }
.ea-view :focus-visible { outline: 2px solid var(--ea-focus); outline-offset: 2px; }
@media (prefers-reduced-motion: reduce) { .ea-view * { animation: none !important; transition: none !important; } }
"""
"""Colours by role, for everything inside an element of class ``ea-view``: of JupyterLab, else of VS Code, else own.

Text in ``--ea-fg``, ``--ea-muted``, ``--ea-accent``, ``--ea-added``, … has a contrast of 4.5 or more on ``--ea-bg`` and
``--ea-panel``; ``--ea-c0`` … ``--ea-c7`` tell kinds apart and have 3 or more.
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_FOR_SCRIPT = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def bundle(widget: object, png: bytes, text: str, alt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the mime bundle of a view: the widget, a picture for where no widget runs, and a line of text.

    Args:
        widget: what to show; it is left out where it is closed, or no widget.
        png: the picture.
        text: one honest line.
        alt: what the picture shows, for who cannot see it.

    Returns:
        The data (the picture as base64 text) and the metadata, by mime type.
    """
    data: dict[str, Any] = {"text/plain": text, "image/png": base64.b64encode(png).decode()}
    model = getattr(widget, "model_id", None)
    if model:
        data[_WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": model}
    return data, {"image/png": {"alt": alt}}


def close_all(widget: ipywidgets.Widget) -> None:
    """Close a widget, those inside it, and the layouts and styles that they have: nothing of it stays in the kernel."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    for part in (getattr(widget, "layout", None), getattr(widget, "style", None)):
        if isinstance(part, ipywidgets.Widget):
            part.close()
    ipywidgets.Widget.close(widget)


def png_of(figure: Figure) -> bytes:
    """Draw a figure with Agg as PNG of at most `MOST_BYTES`: with fewer colours, then fewer pixels, where it needs."""
    FigureCanvasAgg(figure)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=figure.dpi)
    found = drawn.getvalue()
    if len(found) <= MOST_BYTES:
        return found
    picture = Image.open(drawn).convert("RGB")
    while True:
        found = _few_colours(picture)
        if len(found) <= MOST_BYTES or min(picture.size) < 64:  # noqa: PLR2004  pixels: smaller shows nothing
            return found
        picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file so that it is there whole, or as it was before; return its path.

    Raises:
        FileNotFoundError: there is no such folder.
        OSError: the disk refuses.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no folder {str(target.parent)!r}; make it, or give another path")
    beside = target.parent / f".{target.name[:100]}.{uuid.uuid4().hex}.tmp"
    try:
        beside.write_bytes(content)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return target


def page(title: str, body_html: str, css: str = "", script: str = "", data: Mapping[str, str] | None = None) -> str:
    """Write an HTML document that needs nothing from elsewhere, and is not allowed to ask for it.

    Args:
        title: plain text.
        body_html: HTML; whatever is data in it has been escaped by who made it.
        css: comes after `THEME`; the body has the class ``ea-view``.
        script: runs after the body; must not contain the text ``</script``.
        data: texts by name, mostly JSON; each is found in ``document.getElementById(name).textContent``.

    Raises:
        ValueError: the script would end its element early.
    """
    if re.search(r"</script", script, re.IGNORECASE):
        raise ValueError("the script contains '</script'; write '<\\/script'")
    blocks = "\n".join(
        f'<script type="application/json" id="{html.escape(name)}">{text.translate(_FOR_SCRIPT)}</script>'
        for name, text in (data or {}).items()
    )
    code = f"<script>\n{script}\n</script>" if script else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html.escape(title)}</title>\n"
        f"<style>\n:root {{ color-scheme: light dark; }}\nbody {{ margin: 0; }}\n{THEME}\n{css}\n</style>\n</head>\n"
        f'<body class="ea-view">\n{body_html}\n{blocks}\n{code}\n</body>\n</html>\n'
    )


def _few_colours(picture: Image.Image) -> bytes:
    drawn = io.BytesIO()
    picture.quantize(64, dither=Image.Dither.NONE).save(drawn, format="PNG", compress_level=9)
    return drawn.getvalue()
