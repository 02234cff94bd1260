"""Texts of plots: data shown as it is, numbers and lengths of time for people, the axis of time."""

from __future__ import annotations

import datetime as dt
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt
from matplotlib import dates, ticker
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font

__all__ = ["compact", "counted", "days", "every", "gap", "gap_axis", "number_axis", "plain", "time_axis"]

_LONG = 28
_NO_GLYPH = "□"
_GAPS = (
    (1, "µs"),
    (10**3, "ms"),
    (10**6, "s"),
    (60 * 10**6, "min"),
    (3600 * 10**6, "h"),
    (86_400 * 10**6, "d"),
    (round(365.25 * 86_400) * 10**6, "y"),
)
_FULL_NAMES = {"µs": "µs", "ms": "ms", "s": "seconds", "min": "minutes", "h": "hours", "d": "days", "y": "years"}
_EARLIEST, _LATEST = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31T23:59", "us")


def plain(text: object, most: int = _LONG) -> str:
    r"""Make a text of the data fit to be drawn: one line, not too long, of characters that the font has.

    Example:
        >>> plain("a rather long\nname of a type of event", 16)
        'a rather long n…'
    """
    shown = "".join(map(_character, " ".join(str(text)[: 8 * most].split()))).strip()
    if not shown:
        return "(empty)"
    return shown if len(shown) <= most else shown[: most - 1].rstrip() + "…"


def counted(count: int, one: str, many: str = "") -> str:
    """Write how many there are of something.

    Example:
        >>> counted(1, "event"), counted(1234, "event")
        ('1 event', '1,234 events')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def every(count: int, one: str, many: str = "") -> str:
    """Write that it is all there is of something.

    Example:
        >>> every(1, "event"), every(1234, "event")
        ('1 event', 'all 1,234 events')
    """
    return f"{'all ' if count != 1 else ''}{counted(count, one, many)}"


def compact(count: float) -> str:
    """Write a count where there is little room.

    Example:
        >>> compact(950), compact(12_345), compact(3_400_000)
        ('950', '12k', '3.4M')
    """
    for size, mark in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            few = count / size
            return f"{few:.1f}{mark}" if few < 9.95 else f"{few:.0f}{mark}"  # noqa: PLR2004  two digits either way
    return f"{count:.0f}"


def gap(us: float) -> str:
    """Write a length of time.

    Example:
        >>> gap(340_000), gap(5_400_000_000), gap(float("nan"))
        ('340 ms', '1.5 h', 'unknown')
    """
    if not np.isfinite(us):
        return "unknown"
    if us < 0:
        return "\u2212" + gap(-us)
    size, unit = _unit(us)
    found = us / size
    digits = 0 if found >= 99.5 or found == round(found) else 1  # noqa: PLR2004  three digits say enough
    return f"{found:.{digits}f} {unit}" if us else "0 s"


def gap_axis(longest: float) -> tuple[int, str]:
    """Choose the unit of an axis of lengths of time: its size in microseconds, and its name."""
    size, unit = _unit(longest / 3)
    return size, _FULL_NAMES[unit]


def days(us: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Turn microseconds since 1970 into matplotlib's days."""
    found: npt.NDArray[np.float64] = np.asarray(dates.date2num(np.asarray(us, np.int64).astype("datetime64[us]")))  # type: ignore[no-untyped-call]  # matplotlib's
    return found


def time_axis(axes: Axes, first: int, last: int, *, margin: float = 0.015) -> None:
    """Make the lower axis one of time in UTC, from one instant to another."""
    axes.xaxis_date("UTC")
    locator = dates.AutoDateLocator(tz=dt.UTC, minticks=3, maxticks=9)  # type: ignore[no-untyped-call]  # matplotlib's
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=dt.UTC))  # type: ignore[no-untyped-call]  # matplotlib's
    beside = max(round((last - first) * margin), 500_000 if first == last else 1)
    earliest, latest = (int(bound.astype(np.int64)) for bound in (_EARLIEST, _LATEST))
    left, right = days([max(first - beside, earliest), min(last + beside, latest)])
    axes.set_xlim(float(left), float(right))
    axes.set_xlabel("time (UTC)")


def number_axis(axes: Axes, *, whole: bool = True) -> None:
    """Write the numbers of the upright axis for people."""
    axes.yaxis.set_major_locator(ticker.MaxNLocator(5, integer=whole))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _unit(us: float) -> tuple[int, str]:
    return next(((size, unit) for size, unit in reversed(_GAPS) if us >= size), (10**6, "s") if not us else _GAPS[0])


def _character(character: str) -> str:
    kind = unicodedata.category(character)
    if kind.startswith("C") or "\ufe00" <= character <= "\ufe0f":  # what steers others and is not seen itself
        return ""
    families = FontProperties().get_family()
    fonts = tuple(str(findfont(FontProperties(family=[family]))) for family in families)
    return character if _drawable(character, fonts) else _NO_GLYPH


@cache
def _drawable(character: str, fonts: tuple[str, ...]) -> bool:
    return any(get_font(font).get_char_index(ord(character)) for font in fonts)
