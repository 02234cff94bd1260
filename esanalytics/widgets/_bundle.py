"""What all views share: a mime bundle with a picture, offline pages, colours, files that are whole or not there."""

from __future__ import annotations

import base64
import html
import io
import os
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from esanalytics.engines import Result
from esanalytics.plots._theme import Theme
from esanalytics.store import Log
from esanalytics.widgets._palettes import KINDS, NAMES

__all__ = [
    "MOST_BYTES",
    "STILLS",
    "THEME",
    "bundle",
    "page",
    "pinned",
    "png_of",
    "said",
    "still_suffix",
    "suffixed",
    "whole",
    "write_picture",
    "write_rows",
    "write_whole",
]

STILLS = (".png", ".svg", ".pdf")
"""How the path of a picture may end."""

MOST_BYTES = 100_000
"""The most bytes of a picture in a notebook's output."""


def _spoken(colours: Mapping[Theme, Mapping[str, str]]) -> str:
    """Write colours as properties of CSS that are those of the theme."""
    light, dark = colours["light"], colours["dark"]
    return " ".join(f"--ea-{name}: light-dark({light[name]}, {dark[name]});" for name in light)


_NUMBERED: dict[Theme, dict[str, str]] = {
    theme: {f"c{nth}": colour for nth, colour in enumerate(colours)} for theme, colours in NAMES.items()
}

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
  /* what differs */
  --ea-added-bg: light-dark(#e2f4ec, #12322a);
  --ea-removed-bg: light-dark(#fdebe0, #3d2314);
  --ea-changed-bg: light-dark(#f0e8fa, #2e2440);
  --ea-warn: light-dark(#8a4b00, #ffc46b);
  /* names */
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
""".replace("/* what differs */", _spoken(KINDS)).replace("/* names */", _spoken(_NUMBERED))
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
    data: dict[str, Any] = {"text/plain": whole(text), "image/png": base64.b64encode(png).decode()}
    model = getattr(widget, "model_id", None)
    if model:
        data[_WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": model}
    return data, {"image/png": {"alt": whole(alt)}}


def whole(text: str) -> str:
    """Put a sign in the place of half characters, which nothing that is written may have."""
    return text.encode("utf-8", "replace").decode()


def pinned(given: object) -> str:
    """Say why a view cannot have anything new: it is of a view of a log, and not of a store; empty where it can."""
    return ": this is a view of a log, which stays as it is; give the store" if isinstance(given, Log) else ""


def said(alt: str) -> PngInfo:
    """Make what a PNG says of itself, for who cannot see it."""
    found = PngInfo()
    if alt:
        found.add_itxt("Description", whole(alt))
    return found


def png_of(figure: Figure, alt: str = "", *, fast: bool = False) -> bytes:
    """Draw a figure with Agg as PNG of at most `MOST_BYTES`: with fewer colours, then fewer pixels, where it needs.

    Args:
        figure: what to draw.
        alt: what it shows, which the file says of itself.
        fast: packed loosely, whatever its size, for a picture that is shown a moment.
    """
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    picture, drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"), io.BytesIO()
    picture.save(drawn, "PNG", compress_level=1 if fast else 6, pnginfo=said(alt))
    found = drawn.getvalue()
    if fast or len(found) <= MOST_BYTES:
        return found
    while True:
        found = _few_colours(picture, alt)
        if len(found) <= MOST_BYTES or min(picture.size) < 64:  # noqa: PLR2004  pixels: smaller shows nothing
            return found
        picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)


def write_picture(figure: Figure, path: str | os.PathLike[str], alt: str = "") -> Path:
    """Write a figure as ``.png``, or as ``.svg`` or ``.pdf`` that can be printed in any size; return the path.

    Raises:
        ValueError: the path ends with none of these.
        OSError: the disk refuses.
    """
    suffix = still_suffix(path)
    if suffix == ".png":
        return write_whole(path, png_of(figure, alt))
    found = io.BytesIO()
    figure.savefig(found, format=suffix[1:])
    return write_whole(path, found.getvalue())


def still_suffix(path: str | os.PathLike[str]) -> str:
    """Return how the path of a picture ends.

    Raises:
        ValueError: pictures cannot be written so.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in STILLS:
        raise ValueError(f"cannot write {suffix or 'a file without suffix'!r}; give one of {', '.join(STILLS)}")
    return suffix


def suffixed(path: str | os.PathLike[str], *suffixes: str) -> Path:
    """Return a path that ends with one of some suffixes, in either case.

    Raises:
        IsADirectoryError: it is a folder.
        ValueError: it ends with something else.
    """
    target = _no_folder(path)
    if target.suffix.lower() not in suffixes:
        given = repr(target.suffix) if target.suffix else "a file without suffix"
        raise ValueError(f"cannot write {given}; give a path that ends with {' or '.join(suffixes)}")
    return target


def _no_folder(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{str(target)!r} is a folder; give the path of a file in it")
    return target


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file so that it is there whole, or as it was before; return its path.

    Raises:
        FileNotFoundError: there is no such folder.
        IsADirectoryError: the path is a folder.
        OSError: the disk refuses.
    """
    return _written(_no_folder(path), lambda beside: beside.write_bytes(content))


def write_rows(found: Result, path: str | os.PathLike[str]) -> Path:
    """Write an answer as ``.parquet``, whole or not at all; return its path.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the path ends with something else.
        OSError: the disk refuses.
    """
    return _written(suffixed(path, ".parquet"), lambda beside: found.write_parquet(str(beside)))


def _written(target: Path, write: Callable[[Path], object]) -> Path:
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no folder {str(target.parent)!r}; make it, or give another path")
    beside = target.parent / f".{target.name[:100]}.{uuid.uuid4().hex}.tmp"
    try:
        write(beside)
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


def _few_colours(picture: Image.Image, alt: str) -> bytes:
    drawn = io.BytesIO()
    few = picture.quantize(64, dither=Image.Dither.NONE)
    few.save(drawn, format="PNG", compress_level=9, pnginfo=said(alt))
    return drawn.getvalue()
