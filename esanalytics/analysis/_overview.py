"""What happened when, over a whole log: how many events, and single ones as dots; answered from memory where it can."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from esanalytics.analysis._chosen import ALL, Chosen
from esanalytics.analysis._cube import Cube, Kinds, Window, between, counted, kinds_of
from esanalytics.analysis._sampling import Rows, fetched, resident
from esanalytics.store import Log

__all__ = ["ALL", "Chosen", "Density", "Dots", "Overview"]

Ints = npt.NDArray[np.int64]
By = Literal["service", "type"]
T = TypeVar("T")

_BINS = 500
_ENOUGH = 250
"""Bins of a picture that is good enough to be added up from the fine bins in memory."""
_NAMES = 12
_FEW = 50_000
"""A window of so many events is read once, with all its events."""
_SPARSE = 8
"""A sample that fills less than this part of a picture is read anew, with more entities."""
_REMEMBERED = 4
_ENTITIES = """
SELECT service, stream_id, count(*) AS n FROM events WHERE contains(lower(stream_id), lower($text))
GROUP BY service, stream_id
ORDER BY lower(stream_id) <> lower($text), NOT starts_with(lower(stream_id), lower($text)), length(stream_id),
    stream_id, service
LIMIT $limit
"""
_BINNED = """
SELECT service, type, (epoch_us(effective_at) - $start) // $width AS bin, count(*) AS n FROM events GROUP BY ALL
"""


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """How many events happened in each bin of a window, by service or type.

    Attributes:
        start, end: the window in microseconds, the end excluded: what was asked for, widened to whole bins.
        names: services or types, the biggest of the log first; at most 12, the rest summed as ``other``.
        counts: names by bins.
        total: of them all.
        left_out: what ``other`` stands for; empty where all names are there.
    """

    start: int
    end: int
    names: tuple[str, ...]
    counts: Ints
    total: int
    left_out: str


@dataclass(frozen=True, slots=True, eq=False)
class Dots:
    """Single events of a window, all those of some entities.

    Attributes:
        entities: service and stream id, by their first event in the window.
        entity, type, service: numbers of ``entities``, ``types``, ``services``, by event.
        at: ``effective_at`` in microseconds, in ascending order.
        position: of the events.
        types, services: names.
        total: how many events there are in the window, shown or not.
        note: what was left out; empty where nothing was.
        start, end: the window, as that of the density with the usual number of bins.
    """

    entities: list[tuple[str, str]]
    entity: npt.NDArray[np.uint32]
    type: npt.NDArray[np.uint16]
    service: npt.NDArray[np.uint16]
    at: Ints
    position: Ints
    types: tuple[str, ...]
    services: tuple[str, ...]
    total: int
    note: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """A log seen from far: reads it at first use, then answers from memory; threads may ask at the same time.

    The first questions read the log: its kinds of events, counts in fine bins, a sample of whole entities. Windows of
    many fine bins are added up from these; short ones are read from the files that they meet.
    """

    log: Log
    _whole: Window | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _held: dict[str, Any] = field(default_factory=dict, repr=False)
    _shorts: dict[tuple[Window, Chosen], Rows] = field(default_factory=dict, repr=False)
    _narrower: dict[Chosen, Overview] = field(default_factory=dict, repr=False)

    @property
    def span(self) -> Window:
        """From the first event up to a microsecond after the last, in microseconds; (0, 0) where there is none.

        Of an overview that is a part of another it is that of the whole, so that a filter does not move the picture.
        """
        return self._kinds.span

    @property
    def events(self) -> int:
        return self._kinds.events

    @property
    def types(self) -> list[tuple[str, str, int, int, int]]:
        """Service, type, events, first and last ``effective_at`` in microseconds; the biggest first."""
        return list(self._kinds.rows)

    @property
    def services(self) -> list[tuple[str, int]]:
        """Each service and its events; the biggest first."""
        return _summed((row[0], row[2]) for row in self._kinds.rows)

    def density(
        self,
        window: Window | None = None,
        chosen: Chosen = ALL,
        *,
        bins: int = _BINS,
        by: By = "type",
    ) -> Density:
        """Count the events of a window in at most so many bins of one width.

        Args:
            window: from an instant up to before another, in microseconds; None: all.
            chosen: which events.
            bins: the most bins; there are at least half as many where instants can tell them apart.
            by: what the counts are told apart by.
        """
        if chosen.needs_rows:
            return self._within(chosen).density(window or self.span, chosen.only_names(), bins=bins, by=by)
        asked = window or self.span
        found, counts = self._binned(asked, chosen, bins)
        names = [row[0] if by == "service" else row[1] for row in self._kinds.rows]
        return _named(found, names, counts, self._kinds.mask(chosen))

    def counts(self, window: Window | None = None, chosen: Chosen = ALL) -> list[tuple[str, str, int]]:
        """Count the events of a window by service and type; kinds that a filter by names leaves out have 0."""
        inner = self._within(chosen) if chosen.needs_rows else self
        _, counts = inner._binned(window or self.span, chosen.only_names(), _BINS)  # noqa: SLF001  of this class
        kept = np.where(inner._kinds.mask(chosen.only_names()), counts.sum(axis=1), 0)  # noqa: SLF001  of this class
        return [(row[0], row[1], int(n)) for row, n in zip(inner.types, kept, strict=True)]

    def by_kind(self, window: Window | None = None, chosen: Chosen = ALL) -> tuple[Window, list[tuple[str, str]], Ints]:
        """Count the events of a window by kind and bin, whichever services and types are chosen.

        Returns:
            The window, widened to whole bins; service and type of each kind, the biggest first; kinds by bins.
        """
        inner = self._within(chosen) if chosen.needs_rows else self
        found, counts = inner._binned(window or self.span, ALL, _BINS)  # noqa: SLF001  of this class
        return found, [row[:2] for row in inner.types], counts

    def snapped(self, window: Window) -> Window:
        """Widen a window as the density and the dots do."""
        return self._picture(window, _BINS)[0]

    def dots(self, window: Window | None = None, chosen: Chosen = ALL, *, most: int = 20_000) -> Dots:
        """Return events of a window: all where they are few, else those of some entities, drawn by a hash.

        Where the events of no entity fit, single events, spread evenly.

        Args:
            window: from an instant up to before another, in microseconds; None: all.
            chosen: which events.
            most: the most events.
        """
        if chosen.needs_rows:
            return self._within(chosen).dots(window or self.span, chosen.only_names(), most=most)
        density = self.density(window, chosen)
        found = (density.start, density.end)
        rows = self._sampled(found, chosen, density.total, most)
        return _picked(rows, rows.shown(found, chosen), density.total, most, found)

    def around(self, window: Window | None, chosen: Chosen, rows: tuple[int, int]) -> tuple[Window | None, int]:
        """Narrow a window to where some of its rows lie in order of time, so that a page of many is read fast.

        Args:
            window: from an instant up to before another, in microseconds; None: all.
            chosen: which events.
            rows: from a row up to before another.

        Returns:
            A window, and the number that the first of the rows has in it.
        """
        if chosen.needs_rows:
            return self._within(chosen).around(window, chosen.only_names(), rows)
        if not self.events:
            return window, rows[0]
        return self._cube.around(window or self.span, self._kinds.mask(chosen), rows)

    def entities(self, text: str, limit: int = 50) -> list[tuple[str, str, int]]:
        """Find entities whose stream id has a text in it: service, stream id, events; the best matches first."""
        rows = self.log.sql(_ENTITIES, {"text": text, "limit": limit})
        return [(row["service"], row["stream_id"], row["n"]) for row in rows]

    @property
    def _kinds(self) -> Kinds:
        return self._once("kinds", lambda: kinds_of(self.log, self._whole))

    @property
    def _cube(self) -> Cube:
        return self._once("cube", lambda: counted(self.log, self._kinds))

    @property
    def _rows(self) -> Rows:
        return self._once("rows", lambda: resident(self.log, self.events))

    def _once(self, name: str, make: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._held:
                self._held[name] = make()
            found: T = self._held[name]
        return found

    def _within(self, chosen: Chosen) -> Overview:
        """Look at only the events of some streams, or with a text in them; the last few such are remembered."""
        key = chosen.only_rows()
        with self._lock:
            found = self._narrower.pop(key, None) or Overview(key.log(self.log), self.span)
            self._narrower[key] = found
            for old in list(self._narrower)[:-_REMEMBERED]:
                del self._narrower[old]
        return found

    def _picture(self, window: Window, bins: int) -> tuple[Window, int]:
        """Return the window that is shown, and a bin's width in fine ones; 0: too short to be added up from these."""
        start, end = max(window[0], self.span[0]), min(window[1], self.span[1])
        if start >= end:
            return (window[0], max(window[1], window[0] + 1)), 0
        if self._cube.fine((start, end)) >= min(_ENOUGH, bins) or self._cube.width == 1:
            return self._cube.widened((start, end), bins)
        width = -(-(end - start) // bins)
        return (start, start + width * -(-(end - start) // width)), 0

    def _binned(self, window: Window, chosen: Chosen, bins: int) -> tuple[Window, Ints]:
        found, step = self._picture(window, bins)
        if step:
            return found, self._cube.counts(found, step)
        width = max(1, -(-(found[1] - found[0]) // bins))
        counts = np.zeros((len(self._kinds.rows), -(-(found[1] - found[0]) // width)), dtype=np.int64)
        if found[0] < self.span[1] and found[1] > self.span[0]:
            self._read(found, chosen, width, counts)
        return found, counts

    def _read(self, window: Window, chosen: Chosen, width: int, counts: Ints) -> None:
        """Count the events of a short window: of its rows where they are few, else in the files."""
        number = {row[:2]: n for n, row in enumerate(self._kinds.rows)}
        rows = self._near(window, chosen)
        if rows is not None:
            pairs = [number.get((service, type_), 0) for service in rows.services for type_ in rows.types]
            kind = np.array(pairs, dtype=np.int64)[rows.service * len(rows.types) + rows.type]
            np.add.at(counts, (kind, (rows.at - window[0]) // width), 1)
            return
        found = between(chosen.log(self.log), window).sql(_BINNED, {"start": window[0], "width": width}).arrow()
        for service, type_, bin_, n in zip(*(column.to_pylist() for column in found.columns), strict=True):
            counts[number[service, type_], bin_] = n

    def _near(self, window: Window, chosen: Chosen) -> Rows | None:
        """Return all events of a short window; None where that may be many. The last such are remembered."""
        with self._lock:
            found = self._shorts.pop((window, chosen), None)
        if found is None:
            if self._cube.most(window, self._kinds.mask(chosen)) > _FEW:
                return None
            found = fetched(between(chosen.log(self.log), window), 1, whole=True, most=_FEW)
        if found is not None:
            with self._lock:
                self._shorts[window, chosen] = found
                for old in list(self._shorts)[:-_REMEMBERED]:
                    del self._shorts[old]
        return found

    def _sampled(self, window: Window, chosen: Chosen, total: int, most: int) -> Rows:
        """Return the resident events, or where these are too few for a picture those of the window from the files."""
        rows = self._rows
        share = 1 << max(0, math.ceil(math.log2(max(1, total) / most)))
        if share >= rows.share or len(rows.shown(window, chosen)) > most // _SPARSE:
            return rows
        near = self._near(window, chosen)
        if near is not None:
            return near
        return fetched(between(chosen.log(self.log), window), share, whole=rows.whole, most=_SPARSE * most) or rows


def _named(window: Window, by: Sequence[str], counts: Ints, shown: npt.NDArray[np.bool_]) -> Density:
    """Add counts of kinds up to those of names, in the order of the kinds."""
    number: dict[str, int] = {}
    for name, keep in zip(by, shown, strict=True):
        if keep:
            number.setdefault(name, len(number))
    names = list(number)
    left_out = ""
    if len(names) > _NAMES:
        left_out = f"other: {len(names) - _NAMES + 1:,} more"
        names[_NAMES - 1 :] = ["other" if "other" not in names[: _NAMES - 1] else "(other)"]
    sums = np.zeros((len(names), counts.shape[1]), dtype=np.int64)
    for name, keep, row in zip(by, shown, counts, strict=True):
        if keep:
            sums[min(number[name], len(names) - 1)] += row
    return Density(window[0], window[1], tuple(names), sums, int(sums.sum()), left_out)


def _picked(rows: Rows, events: Ints, total: int, most: int, window: Window) -> Dots:
    """Take the entities that come first in the sample, as many as fit; where that shows too little, single events."""
    sizes = np.bincount(rows.entity[events], minlength=len(rows.entities))
    fit = np.where(sizes > most, 0, sizes)
    kept = (sizes > 0) & (sizes <= most) & (np.cumsum(fit) <= most)
    whole = rows.whole and 2 * int(fit.sum()) >= int(sizes.sum())
    shown = events[kept[rows.entity[events]]] if whole else events
    if not whole:
        shown = shown[np.argsort(rows.at[shown], kind="stable")]
        shown = shown[:: max(1, -(-len(shown) // most))]
    shown = shown[np.lexsort((rows.position[shown], rows.at[shown]))]
    used, first, entity = np.unique(rows.entity[shown], return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    note = _note(len(shown), total, len(used), int((sizes > 0).sum()) * rows.share, whole=whole, exact=rows.share == 1)
    return Dots(
        [rows.entities[used[n]] for n in order],
        number[entity].astype(np.uint32),
        rows.type[shown].astype(np.uint16),
        rows.service[shown].astype(np.uint16),
        rows.at[shown],
        rows.position[shown],
        rows.types,
        rows.services,
        total,
        note,
        *window,
    )


def _note(shown: int, total: int, entities: int, of: int, *, whole: bool, exact: bool) -> str:
    if shown == total:
        return ""
    if not whole:
        return f"{shown:,} of {total:,} events, spread evenly: entities have too many to be shown whole"
    about = "" if exact else "about "
    return f"{shown:,} of {total:,} events: {entities:,} of {about}{_rounded(of, exact=exact):,} entities"


def _rounded(number: int, *, exact: bool) -> int:
    """Keep two digits of an estimate."""
    scale = 1 if exact else 10 ** max(0, len(str(number)) - 2)
    return round(number / scale) * scale


def _summed(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    sums: Counter[str] = Counter()
    for name, n in pairs:
        sums[name] += n
    return sums.most_common()
