"""Where instants stand across a picture: like a clock, but with long idle gaps folded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from esanalytics.plots._labels import counted
from esanalytics.widgets._lettering import day, moment

__all__ = ["Fold", "Scale", "length", "scale_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MARGIN = 0.004
"""Of the time that is drawn, what stays free before the first event and after the last."""
_LEAST, _UNUSUAL, _MOST = 0.05, 5, 12
"""A gap is folded where it is more than this part of all and so many times the usual one; the longest of them."""
_RIM = 0.02
"""Of a folded gap, what is left at both ends, so that events stand beside the break, not on it."""
_FOLD, _ALL_FOLDS = 0.03, 0.4
"""How wide a folded gap is, and at most all of them together."""
_FINEST = 10_000
"""Into how many parts the whole is told apart where there is room for a single instant."""
_SECOND = 10**6
_DAY = 86_400 * _SECOND
_STEPS = (
    *(n * 10**power for power in range(6) for n in (1, 2, 5)),
    *(n * _SECOND for n in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)),
    *(n * _DAY for n in (1, 2, 5, 10)),
)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1_200, 2_400, 6_000, 12_000)
_MONTH = 2_629_746 * _SECOND
_UNITS = ((31_557_600 * _SECOND, "y"), (_DAY, "d"), (3600 * _SECOND, "h"), (60 * _SECOND, "min"), (_SECOND, "s"))
_TEN = 10


@dataclass(frozen=True, slots=True)
class Fold:
    """An idle gap that is drawn shorter than it was: where it begins and ends, and how long it was (microseconds)."""

    left: float
    right: float
    us: int


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Places from 0 to 1 for the rows of a replay.

    Attributes:
        x: by row, in ascending order.
        us: by row, its instant in microseconds.
        folds: the gaps that are folded.
        numbered: all events are of one instant, so that they stand by their number.
        knots: instants and their places, between which time runs evenly: the ends, and those of the folded parts.
    """

    x: Floats
    us: Ints
    folds: tuple[Fold, ...]
    numbered: bool
    knots: tuple[tuple[int, float], ...] = ()

    @property
    def note(self) -> str:
        """Say what is not like a clock; empty where all is."""
        if self.numbered:
            return "all at one instant: drawn by number"
        if not self.folds:
            return ""
        return f"{counted(len(self.folds), 'idle gap')} folded ({length(sum(fold.us for fold in self.folds))})"

    def ticks(self, room: float) -> list[tuple[float, str]]:
        """Choose instants to be named, each at least so far from the next; the day is written where it changes."""
        if not len(self.x):
            return []
        if self.numbered:
            return [(float(self.x[0]), f"{moment(int(self.us[0]))[11:19]}\n{day(int(self.us[0]))}")]
        found, last, on = list[tuple[float, str]](), -room, ""
        for place, us, step in self._candidates(room):
            if place - last < room:
                continue
            today = day(us)
            text = today if step >= _DAY else _clock(us, step) + (f"\n{today}" if today != on else "")
            found.append((place, text))
            last, on = place, today
        return found

    def _candidates(self, room: float) -> list[tuple[float, int, int]]:
        """List instants by place, with the length of time up to which they should be told."""
        least = (int(self.us[-1]) - int(self.us[0])) // _FINEST
        found = []
        for (start, left), (end, right) in zip(self.knots[::2], self.knots[1::2], strict=True):
            step = _step(start, end, (right - left) / room)
            rounded = _rounded(start, end, step) if step else []
            if len(rounded) <= 1:
                at = self._first_from(start)
                found.append((self._place(at), at, max(least, 1)))
                continue
            found += [(left + (right - left) * (us - start) / (end - start), us, step) for us in rounded]
        return found

    def _first_from(self, start: int) -> int:
        """Return the first instant of an event from here on."""
        return int(self.us[min(int(np.searchsorted(self.us, start)), len(self.us) - 1)])

    def _place(self, us: int) -> float:
        return float(np.interp(us, [time for time, _ in self.knots], [place for _, place in self.knots]))


def scale_of(us: Ints, *, fold: bool = True, window: tuple[int, int] | None = None) -> Scale:
    """Place instants, which come in ascending order, as `static/replay/axes.js` does.

    Args:
        us: the instants.
        fold: whether long idle gaps are folded; all folded gaps are equally wide.
        window: the time that is drawn; None: from the first instant to the last, with a margin.
    """
    many = len(us)
    span = int(us[-1]) - int(us[0]) if many else 0
    if not span:
        return Scale((np.arange(many) + 0.5) / max(many, 1), us, (), many > 1)
    start, end = window or (int(us[0]), int(us[-1]))
    margin = 0 if window else max(1, round(span * _MARGIN))
    gaps = _idle(us, end - start) if fold else []
    knots = _knots(start - margin, end + margin, gaps)
    times, places = (np.array(part) for part in zip(*knots, strict=True))
    folds = tuple(
        Fold(left, right, until - since)
        for (since, until), (_, left), (_, right) in zip(gaps, knots[1::2], knots[2::2], strict=False)
    )
    return Scale(np.interp(us - times[0], times - times[0], places), us, folds, numbered=False, knots=knots)


def length(us: int) -> str:
    """Write a length of time as the page does: in its two largest units, where the first has one digit.

    Example:
        >>> length(565_200_000_000), length(90_000_000), length(1_500)
        ('6 d 13 h', '1 min 30 s', '1.5 ms')
    """
    nth = next((nth for nth, (size, _) in enumerate(_UNITS) if us >= size), len(_UNITS))
    if nth >= len(_UNITS) - 1:
        size, unit = next(((size, unit) for size, unit in ((_SECOND, "s"), (1_000, "ms")) if us >= size), (1, "µs"))
        return f"{us / size:.3g} {unit}"
    (size, unit), (smaller, its_unit) = _UNITS[nth : nth + 2]
    whole, rest = us // size, us % size // smaller
    return f"{whole} {unit} {rest} {its_unit}" if rest and whole < _TEN else f"{whole} {unit}"


def _idle(us: Ints, span: int) -> list[tuple[int, int]]:
    """Find the stretches in which nothing happens, that are folded."""
    gaps = np.diff(us)
    usual = np.sort(gaps[gaps > 0])[int((gaps > 0).sum()) // 2]
    long = np.flatnonzero((gaps > span * _LEAST) & (gaps > usual * _UNUSUAL))
    rows = np.sort(long[np.argsort(-gaps[long], kind="stable")][:_MOST])
    return [(int(us[row]), int(us[row + 1])) for row in rows]


def _knots(start: int, end: int, gaps: list[tuple[int, int]]) -> tuple[tuple[int, float], ...]:
    """Place the ends of a window and of what is folded in it."""
    wide = min(_FOLD, _ALL_FOLDS / max(1, len(gaps)))
    folded = [(since + round((until - since) * _RIM), until - round((until - since) * _RIM)) for since, until in gaps]
    active = end - start - sum(until - since for since, until in folded)
    share = 1 - wide * len(folded)
    found, at, time = [(start, 0.0)], 0.0, start
    for since, until in folded:
        at += (since - time) / active * share
        found += [(since, at), (until, at + wide)]
        at, time = at + wide, until
    return (*found, (end, 1.0))


def _step(start: int, end: int, most: float) -> int:
    """Choose a round length of time, so that there are at most so many of them; 0: there is no room for two."""
    if most < 2 or end <= start:  # noqa: PLR2004  two ticks
        return 0
    months = (months * _MONTH for months in _MONTHS)
    return next((step for step in (*_STEPS, *months) if (end - start) / step <= most), 0)


def _rounded(start: int, end: int, step: int) -> list[int]:
    """List the round instants from one to another; months begin on their first day."""
    if step < _MONTH:
        return list(range(-(-start // step) * step, end + 1, step))
    every = step // _MONTH
    first, last = (
        int(np.int64(us).astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)) for us in (start, end)
    )
    months = np.arange((first + 23_640) // every * every - 23_640, last + 1, every)  # counted from the year 0
    found = months.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)
    return [int(us) for us in found if start <= us <= end]


def _clock(us: int, step: int) -> str:
    text = moment(us)[11:]
    if step >= 60 * _SECOND:
        return text[:5]
    return text[:8] if step >= _SECOND else text
