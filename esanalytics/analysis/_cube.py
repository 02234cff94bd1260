"""How many events of each service and type happened when: counted once, in fine bins, and added up for any window."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from esanalytics.analysis._chosen import Chosen
from esanalytics.store import Log

__all__ = ["Cube", "Kinds", "Window", "between", "counted", "kinds_of", "micros"]

Window = tuple[int, int]
Ints = npt.NDArray[np.int64]

_COARSE = 500
_FINEST = 32_000
_CELLS = 2**19
"""Twice as many take three times as long to count, where each has events."""
_KINDS = """
SELECT service, type, count(*) AS n, epoch_us(min(effective_at)) AS first, epoch_us(max(effective_at)) AS last
FROM events GROUP BY service, type ORDER BY n DESC, service, type
"""
_CUBE = """
SELECT service, type, ((epoch_us(effective_at) - $start) // $width)::INTEGER AS bin, count(*) AS n
FROM events GROUP BY ALL
"""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Kinds:
    """What kinds of events a log has.

    Attributes:
        rows: service, type, events, first and last ``effective_at`` in microseconds; the biggest first.
        span: from the first event up to a microsecond after the last; (0, 0) where there is none.
    """

    rows: tuple[tuple[str, str, int, int, int], ...]
    span: Window

    @property
    def events(self) -> int:
        return sum(row[2] for row in self.rows)

    def mask(self, chosen: Chosen) -> npt.NDArray[np.bool_]:
        """Tell which kinds a filter by names lets through."""
        services, types = (None if names is None else set(names) for names in (chosen.services, chosen.types))
        shown = [
            (services is None or service in services) and (types is None or type_ in types)
            for service, type_, *_ in self.rows
        ]
        return np.array(shown, dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """Events by kind and fine bin, as running sums.

    Attributes:
        start: where the first bin begins.
        width: of a bin, in microseconds.
        sums: kinds by bins, and one more.
    """

    start: int
    width: int
    sums: Ints

    @property
    def bins(self) -> int:
        return int(self.sums.shape[1]) - 1

    def fine(self, window: Window) -> int:
        """Return how many bins a window touches."""
        first, last = self._bins(window, 1)
        return last - first

    def widened(self, window: Window, bins: int) -> tuple[Window, int]:
        """Widen a window to whole bins of the picture, each a power of two of fine ones; and their width in these."""
        step = 1
        while True:
            first, last = self._bins(window, step)
            if (last - first) // step <= bins:
                return (self.start + first * self.width, self.start + last * self.width), step
            step *= 2

    def counts(self, window: Window, step: int) -> Ints:
        """Return kinds by bins of a widened window."""
        first, last = ((edge - self.start) // self.width for edge in window)
        edges = np.minimum(np.arange(first, last + 1, step), self.bins)
        return np.diff(self.sums[:, edges], axis=1)

    def most(self, window: Window, kinds: npt.NDArray[np.bool_]) -> int:
        """Return how many events of some kinds there are in the bins that a window touches."""
        first, last = np.clip(self._bins(window, 1), 0, self.bins)
        return int((self.sums[kinds, last] - self.sums[kinds, first]).sum())

    def around(self, window: Window, kinds: npt.NDArray[np.bool_], rows: tuple[int, int]) -> tuple[Window, int]:
        """Return the bins in which some rows of a window lie, and how many of its rows come before these bins."""
        first, last = self._bins(window, 1)
        if (window[0] - self.start) % self.width or not 0 <= first < self.bins:
            return window, rows[0]
        sums = self.sums[kinds].sum(axis=0)
        inner = sums[: min(last, self.bins) + 1]
        low = max(first, int(np.searchsorted(inner, sums[first] + rows[0], side="right")) - 1)
        high = int(np.searchsorted(inner, sums[first] + rows[1], side="left"))
        found = (self.start + low * self.width, min(window[1], self.start + max(high, low + 1) * self.width))
        return found, int(rows[0] - (sums[low] - sums[first]))

    def _bins(self, window: Window, step: int) -> tuple[int, int]:
        first = (window[0] - self.start) // self.width // step * step
        last = (window[1] - self.start - 1) // self.width // step * step + step
        return first, max(last, first + step)


def kinds_of(log: Log, whole: Window | None = None) -> Kinds:
    """Count the events of each service and type.

    Args:
        log: whose.
        whole: the span, where the log is a part of one that has it; None: that of its events.
    """
    rows = log.sql(_KINDS).arrow().to_pydict()
    found = tuple(zip(*(rows[name] for name in ("service", "type", "n", "first", "last")), strict=True))
    span = (min(row[3] for row in found), max(row[4] for row in found) + 1) if found else (0, 0)
    return Kinds(found, whole or span)


def counted(log: Log, kinds: Kinds) -> Cube:
    """Count the events of each kind in fine bins over the whole log; fewer bins where there are many kinds."""
    start, end = kinds.span
    bins = _FINEST
    while bins > _COARSE and bins * len(kinds.rows) > _CELLS:
        bins //= 2
    width = max(1, -(-(end - start) // bins))
    sums = np.zeros((len(kinds.rows), max(1, -(-(end - start) // width)) + 1), dtype=np.int64)
    rows = log.sql(_CUBE, {"start": start, "width": width}).arrow()
    sums[_numbers(rows, kinds), rows["bin"].to_numpy() + 1] = rows["n"].to_numpy()
    return Cube(start, width, sums.cumsum(axis=1))


def _numbers(rows: pa.Table, kinds: Kinds) -> Ints:
    """Return the number of each row's kind."""
    services, types = (rows[name].combine_chunks().dictionary_encode() for name in ("service", "type"))
    number = {row[:2]: n for n, row in enumerate(kinds.rows)}
    names = [(service, type_) for service in services.dictionary.to_pylist() for type_ in types.dictionary.to_pylist()]
    pairs = services.indices.to_numpy().astype(np.int64) * len(types.dictionary) + types.indices.to_numpy()
    found: Ints = np.array([number.get(pair, 0) for pair in names], dtype=np.int64)[pairs]
    return found


def between(log: Log, window: Window | None) -> Log:
    """Show the events from an instant up to before another, both in microseconds."""
    if window is None:
        return log
    return log.since(micros(window[0] - 1)).at(micros(window[1] - 1))


def micros(us: int) -> dt.datetime:
    """Return the instant that is so many microseconds after 1970; the years 1 to 9999 bound it."""
    least, most = dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)
    return _EPOCH + dt.timedelta(microseconds=max(_since_1970(least), min(us, _since_1970(most))))


def _since_1970(at: dt.datetime) -> int:
    return (at - _EPOCH) // dt.timedelta(microseconds=1)
