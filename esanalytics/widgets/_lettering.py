"""Letters in pictures: data written as it is, cut to the room there is, never read as a formula."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Literal

from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from esanalytics.plots._labels import plain

__all__ = ["Word", "day", "fit", "letters", "moment", "width", "written"]

_BOLD = 1.13  # how much wider bold letters are, about
_LONGEST = 400
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Word:
    """A text on a figure; ``x`` and ``y`` in parts of it, where its line begins, or ends, or its middle.

    Attributes:
        x, y, text, colour: what and where.
        size: of the font, in points.
        bold: how heavy it is.
        ha: what of it is at ``x``.
        face, edge: colours of a box around it; empty: none.
    """

    x: float
    y: float
    text: str
    colour: str
    size: float = 9.0
    bold: bool = False
    ha: Literal["left", "center", "right"] = "left"
    face: str = ""
    edge: str = ""

    def artist(self) -> Text:
        """Return it as what matplotlib draws."""
        weight = "bold" if self.bold else "normal"
        look: dict[str, Any] = {"ha": self.ha, "fontweight": weight}
        if self.face:
            look["bbox"] = {"boxstyle": "round,pad=0.35", "facecolor": self.face, "edgecolor": self.edge, "lw": 1.2}
        return letters(self.x, self.y, self.text, self.colour, self.size, **look)


def letters(x: float, y: float, text: str, colour: str, size: float = 9.0, **look: Any) -> Text:  # noqa: ANN401
    """Make a text that is drawn character by character, whatever it contains and whatever matplotlib is set to."""
    place = {"ha": "left", "va": "baseline", "clip_on": False, **look}
    return Text(x, y, text, color=colour, fontsize=size, parse_math=False, usetex=False, **place)


def fit(text: object, room: float, size: float = 9.0, *, bold: bool = False) -> str:
    """Make a text fit for one line of so many points of room, cut with an ellipsis where it is longer."""
    return _fit(str(text)[: 8 * _LONGEST], round(room / size / (_BOLD if bold else 1.0), 2))


def width(text: str, size: float = 9.0, *, bold: bool = False) -> float:
    """Tell how wide a text is drawn, in points; a little more for bold ones."""
    return sum(map(_advance, text)) * size * (_BOLD if bold else 1.0)


def moment(us: int) -> str:
    """Write an instant, in UTC, with no more digits than it has.

    Example:
        >>> moment(1_770_890_443_000_000)
        '2026-02-12 10:00:43'
    """
    found = _EPOCH + dt.timedelta(microseconds=us)
    text = f"{found.year:04}-{found:%m-%d %H:%M:%S}"
    if not found.microsecond:
        return text
    return (
        f"{text}.{found.microsecond // 1000:03}" if not found.microsecond % 1000 else f"{text}.{found.microsecond:06}"
    )


def day(us: int) -> str:
    """Write the day of an instant in UTC.

    Example:
        >>> day(1_770_890_443_000_000)
        '12 Feb 2026'
    """
    found = _EPOCH + dt.timedelta(microseconds=us)
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"


def written(value: Any, most: int = _LONGEST, *, quoted: bool = False) -> str:  # noqa: ANN401  any value
    """Write a value of a state or a payload in one line, of at most so many characters; never more work than that.

    Example:
        >>> written({"sku": "A", "n": [1, None]})
        '{sku: "A", n: [1, null]}'
    """
    found, length = [], 0
    for part in _parts(value, quoted=quoted):
        found.append(part[: most + 1])
        length += len(found[-1])
        if length > most:
            return "".join(found)[: most - 1] + "…"
    return "".join(found)


def _parts(value: Any, *, quoted: bool) -> Iterator[str]:  # noqa: ANN401  any value
    if isinstance(value, Mapping):
        yield "{"
        for nth, (name, inner) in enumerate(value.items()):
            yield f"{', ' if nth else ''}{str(name)[:_LONGEST]}: "
            yield from _parts(inner, quoted=True)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for nth, inner in enumerate(value):
            yield ", " if nth else ""
            yield from _parts(inner, quoted=True)
        yield "]"
    else:
        yield _single(value, quoted=quoted)


def _single(value: Any, *, quoted: bool) -> str:  # noqa: ANN401, PLR0911  a way for each kind of value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return moment((aware - _EPOCH) // dt.timedelta(microseconds=1)) + ("Z" if value.tzinfo else "")
    if isinstance(value, bytes):
        return f"0x{value[:_LONGEST].hex()}"
    if type(value) is str and quoted:
        return f'"{value[: 8 * _LONGEST]}"'
    return str(value)[: 8 * _LONGEST] if isinstance(value, str) else str(value)


@lru_cache(maxsize=20_000)
def _fit(text: str, room: float) -> str:
    """Cut a text to a room in sizes of its font."""
    shown = " ".join(text.split()) if text.isascii() and text.isprintable() else plain(text, _LONGEST)
    total, kept, ellipsis = 0.0, 0, _advance("…")
    for nth, character in enumerate(shown):
        total += _advance(character)
        if total > room:
            return shown[:kept].rstrip() + "…"
        kept = nth + 1 if total + ellipsis <= room else kept
    return shown


@cache
def _advance(character: str) -> float:
    """Return how far a character moves the pen, in sizes of its font."""
    try:
        glyph = _font().load_char(ord(character))
    except RuntimeError:  # the font has no such character: a box is drawn in its place
        return 1.0
    return float(glyph.linearHoriAdvance) / 65_536 / _FONT_SIZE


@cache
def _font() -> FT2Font:
    font = FT2Font(str(findfont(FontProperties())))
    font.set_size(_FONT_SIZE, 72)
    return font


_FONT_SIZE = 32.0
