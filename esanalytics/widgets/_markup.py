"""Markup: data as HTML text, never as HTML; times, durations and JSON as people read them."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from collections.abc import Iterable
from typing import Any

from esanalytics._instants import iso

__all__ = ["clock", "clock_of", "code", "cut", "drawable", "duration", "escaped", "note", "pretty", "told", "told_json"]

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+')
_BEYOND_FONTS = 0x2E80  # Chinese, Japanese, Korean, emoji
_UNITS = ((86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms"), (1, "µs"))


def escaped(text: object) -> str:
    """Write data as HTML text that has a direction of its own, whatever it holds."""
    return f"<bdi>{html.escape(str(text))}</bdi>"


def cut(text: str, most: int) -> str:
    """Cut a text that is too long, with a sign that it was."""
    return text if len(text) <= most else text[: most - 1] + "…"


def told(value: Any, most: int = 300) -> str:  # noqa: ANN401  any value of any column
    """Write a value of a column as HTML; NULL as such."""
    if value is None:
        return '<span class="ea-null">NULL</span>'
    if isinstance(value, dt.datetime):
        return escaped(iso(value))
    text = value if isinstance(value, str) else _text(value)
    return escaped(cut(text, most))


def told_json(text: str | None, most: int = 300) -> str:
    """Write a value that is given as JSON text, maybe cut short, as `told` writes it: texts without quotes."""
    if text is None or text == "null":
        return told(None)
    if not text.startswith('"'):
        return told(text, most)
    try:
        return told(json.loads(text), most)
    except ValueError:  # it was cut short
        return told(text[1:], most)


def _text(value: Any) -> str:  # noqa: ANN401  any value of any column
    if isinstance(value, dict | list | bool):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def clock(at: int) -> str:
    """Write microseconds since 1970 as an instant."""
    return iso(dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=at))


def clock_of(at: dt.datetime) -> str:
    """Write an instant as HTML, to be read by people and programs."""
    return f'<time datetime="{iso(at)}">{iso(at)}</time>'


def drawable(text: str) -> str:
    """Put a sign in the place of what the fonts of a picture may not have."""
    return "".join(char if char.isprintable() and ord(char) < _BEYOND_FONTS else "□" for char in text)


def duration(microseconds: int) -> str:
    """Write a length of time in its two largest units.

    Example:
        >>> duration(93_600_000_000)
        '1 d 2 h'
    """
    rest, sign = abs(microseconds), "\N{MINUS SIGN}" if microseconds < 0 else ""
    place = next((place for place, (size, _) in enumerate(_UNITS) if rest >= size), len(_UNITS) - 1)
    size, unit = _UNITS[place]
    if size <= _UNITS[3][0]:
        return f"{sign}{rest / size:.3g} {unit}"
    smaller, its_unit = _UNITS[place + 1]
    more = rest % size // smaller
    return f"{sign}{rest // size} {unit}{f' {more} {its_unit}' if more else ''}"


def pretty(text: str) -> str:
    """Indent JSON text, and leave every literal as it is written; a text that was cut short is no mistake."""
    parts: list[str] = []
    depth = 0
    for piece in _TOKENS.findall(text):
        if piece in "}]":
            depth = max(0, depth - 1)
            parts.append("\n" + "  " * depth + piece)
        elif piece in "{[":
            depth += 1
            parts.append(piece + "\n" + "  " * depth)
        elif piece == ",":
            parts.append(piece + "\n" + "  " * depth)
        else:
            parts.append(": " if piece == ":" else piece)
    return re.sub(r"([{\[])\s+([}\]])", r"\1\2", "".join(parts))


def code(text: str | None, size: int, most: int) -> str:
    """Write a payload as a block of text, cut with a note where it is too long."""
    if text is None:
        return '<p class="ea-note">no payload</p>'
    shown = pretty(text[:most])
    left = f'<p class="ea-note">{_bytes(size)}, the first {most:,} characters are shown</p>' if len(text) > most else ""
    if not left and size > 4 * len(text):
        left = f'<p class="ea-note">{_bytes(size)}, the first {len(text):,} characters are shown</p>'
    return f'<pre dir="auto" tabindex="0" role="region" aria-label="payload">{html.escape(shown)}</pre>{left}'


def _bytes(size: int) -> str:
    return f"{size / 10**6:.1f} MB" if size >= 10**6 else f"{max(1, round(size / 1000)):,} kB"


def note(texts: Iterable[str]) -> str:
    """Write what was left out; nothing where nothing was."""
    found = [text for text in texts if text]
    return f'<p class="ea-note" role="note">{html.escape("; ".join(found))}</p>' if found else ""
