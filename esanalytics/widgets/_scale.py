"""Where instants stand across a picture: like a clock, but with long idle gaps folded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from esanalytics.plots._labels import counted, gap
from esanalytics.widgets._lettering import day, moment

__all__ = ["Fold", "Scale", "scale_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MARGIN = 0.015
_WIDEST = 0.08
"""The part of the picture above which an idle gap is folded, where there are many."""
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
    """

    x: Floats
    us: Ints
    folds: tuple[Fold, ...]
    numbered: bool

    @property
    def note(self) -> str:
        """Say what is not like a clock; empty where all is."""
        if self.numbered:
            return "all at one instant: drawn by number"
        if not self.folds:
            return ""
        longest = max(fold.us for fold in self.folds)
        return f"{counted(len(self.folds), 'idle gap')} folded, the longest {gap(longest)}"

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
        edges = [
            float(self.x[0]),
            *(edge for fold in self.folds for edge in (fold.left, fold.right)),
            float(self.x[-1]),
        ]
        found = []
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            start, end = (int(self.us[np.searchsorted(self.x, edge)]) for edge in (left, right))
            step = _step(start, end, (right - left) / room)
            rounded = _rounded(start, end, step) if step else []
            if len(rounded) <= 1:
                found.append((left, start, max(least, 1)))
                continue
            found += [(left + (right - left) * (us - start) / (end - start), us, step) for us in rounded]
        return found


def scale_of(us: Ints, *, fold: bool = True) -> Scale:
    """Place instants, which come in ascending order.

    A gap is folded where it would take more than a twelfth of the picture, in a picture of few events more than its
    share; all folded gaps are equally wide.
    """
    many = len(us)
    span = int(us[-1]) - int(us[0]) if many else 0
    if not span:
        return Scale((np.arange(many) + 0.5) / max(many, 1), us, (), many > 1)
    gaps = np.diff(us).astype(np.float64)
    cap = _cap(gaps) if fold else float(gaps.max())
    shown = np.minimum(gaps, cap)
    along = np.concatenate([[0.0], np.cumsum(shown)])
    x = _MARGIN + (1 - 2 * _MARGIN) * along / along[-1]
    folded = np.flatnonzero(gaps > cap)
    folds = tuple(Fold(float(x[row]), float(x[row + 1]), int(us[row + 1] - us[row])) for row in folded)
    return Scale(x, us, folds, numbered=False)


def _cap(gaps: Floats) -> float:
    """Return what a gap is cut to, so that none takes more than its part of the sum of all."""
    ordered = np.sort(gaps[gaps > 0])[::-1]
    most = max(_WIDEST, 1.2 / len(ordered))
    rest = ordered.sum()
    for folded, longest in enumerate(ordered):
        cap = most * rest / (1 - most * folded) if most * folded < 1 else 0.0
        if longest <= cap or not cap:
            return float(max(cap, longest))
        rest -= longest
    return float(ordered[0])


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
