"""Causes: which events hang together by ``causation_id``, in a log of any size, and the forest that they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from esanalytics.store import Log

__all__ = ["Forest", "Found", "Spot", "forest", "related"]

Hashes = npt.NDArray[np.uint64]

_FEW = 64
"""Ids that are looked for by comparing all; more of them are worth sorting for."""

_EDGES = (
    "SELECT hash(event_id) AS event, hash(causation_id) AS cause, position FROM events WHERE causation_id IS NOT NULL"
)
_HASH = "SELECT hash($wanted::VARCHAR) AS hash"


@dataclass(frozen=True, slots=True)
class Found:
    """The events that hang together with one.

    Attributes:
        positions: of those that have a cause, nearest to the first cause first.
        hashes: of their ids, in the same order; events that a view was given may share a position.
    """

    positions: npt.NDArray[np.int64]
    hashes: Hashes


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a forest, in its order.

    Attributes:
        event_id: whose place it is.
        row: the number of its event; None: it is missing.
        depth: 0 for a root.
        parent: the number of its cause's spot; None for a root.
        is_cycle: a root that is among its own effects.
        effects: how many spots have it as parent.
    """

    event_id: str
    row: int | None
    depth: int
    parent: int | None
    is_cycle: bool
    effects: int


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees, one after the other, each with a cause before its effects."""

    spots: tuple[Spot, ...]

    def only(self, event_id: str) -> Forest:
        """Keep the tree in which an event is."""
        starts = [place for place, spot in enumerate(self.spots) if spot.depth == 0]
        kept: list[Spot] = []
        for start, end in pairwise([*starts, len(self.spots)]):
            tree, shift = self.spots[start:end], len(kept) - start
            if any(spot.event_id == event_id for spot in tree):
                kept += [spot if spot.parent is None else replace(spot, parent=spot.parent + shift) for spot in tree]
        return Forest(tuple(kept))


class _Index:
    """Finds the places of values in an array: by comparing where few are asked for, else by sorting it once."""

    def __init__(self, values: Hashes) -> None:
        self._values = values
        self._order: npt.NDArray[np.int64] | None = None
        self._asked = 0

    def places(self, wanted: Hashes) -> npt.NDArray[np.int64]:
        self._asked += len(wanted)
        if self._order is None and self._asked <= _FEW:
            parts = [np.flatnonzero(self._values == value) for value in wanted]
            return np.concatenate([np.empty(0, np.int64), *parts])
        if self._order is None:
            self._order = np.argsort(self._values, kind="stable")
            self._values = self._values[self._order]
        starts = np.searchsorted(self._values, wanted, "left")
        ends = np.searchsorted(self._values, wanted, "right")
        parts = [self._order[a:b] for a, b in zip(starts, ends, strict=True) if b > a]
        return np.concatenate([np.empty(0, np.int64), *parts])


def related(log: Log, event_id: str) -> Found:
    """Find the events that have a first cause in common with one, whatever the size of the log.

    Ids are compared by their hashes; who reads the events compares the ids themselves.
    """
    edges: dict[str, Any] = {name: column.to_numpy() for name, column in zip(*_edges(log), strict=True)}
    up, down = _Index(edges["event"]), _Index(edges["cause"])
    top = np.array([log.sql(_HASH, {"wanted": event_id}).head(1)[0]["hash"]], np.uint64)
    known = {int(top[0])}
    while True:
        causes = np.unique(edges["cause"][up.places(top)])
        fresh = np.array([cause for cause in causes.tolist() if cause not in known], np.uint64)
        if not len(fresh):
            break
        known.update(fresh.tolist())
        top = fresh
    places = _reached(down, edges["event"], known)
    return Found(edges["position"][places], edges["event"][places])


def _edges(log: Log) -> tuple[list[str], list[Any]]:
    table = log.sql(_EDGES).arrow()
    return table.column_names, table.columns


def _reached(down: _Index, events: Hashes, known: set[int]) -> npt.NDArray[np.int64]:
    """List the places of everything that some events caused, over any number of steps."""
    front, seen = np.array(sorted(known), np.uint64), np.zeros(len(events), bool)
    found: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    while len(front):
        places = np.unique(down.places(front))
        fresh = places[~seen[places]]
        seen[fresh] = True
        found.append(fresh)
        front = np.unique(events[fresh])
    return np.concatenate(found)


def forest(event_ids: Sequence[str], causes: Sequence[str | None]) -> Forest:
    """Put events into a forest; the order of what is given is the order of siblings, and of trees.

    A cause that is not among the events gets a spot of its own, without a row. Where events cause each other in a
    circle, the tree begins with the first of them.

    Example:
        >>> [(spot.event_id, spot.depth) for spot in forest(["a", "b"], [None, "a"]).spots]
        [('a', 0), ('b', 1)]
    """
    rows: dict[str, int] = {}
    for row, event_id in enumerate(event_ids):
        rows.setdefault(event_id, row)
    effects: dict[int | str, list[int]] = {}
    for row, cause in enumerate(causes):
        if cause is not None:
            effects.setdefault(rows.get(cause, cause), []).append(row)
    spots: list[Spot] = []
    placed: set[int] = set()
    for root in _roots(causes, rows):
        _grow(root, event_ids, effects, (spots, placed), is_cycle=False)
    for row in range(len(event_ids)):
        if row not in placed:
            _grow(_first_of_circle(row, causes, rows), event_ids, effects, (spots, placed), is_cycle=True)
    return Forest(tuple(spots))


def _roots(causes: Sequence[str | None], rows: Mapping[str, int]) -> list[int | str]:
    """List the events without a cause and the causes without an event; these stand where their first effect does."""
    roots = [row if cause is None else cause for row, cause in enumerate(causes) if cause is None or cause not in rows]
    return list(dict.fromkeys(roots))


def _first_of_circle(row: int, causes: Sequence[str | None], rows: Mapping[str, int]) -> int:
    """Follow the causes of an event into the circle that they end in, and return its first event."""
    seen: dict[int, None] = {}
    while row not in seen:
        seen[row] = None
        cause = causes[row]
        row = rows[cause] if cause is not None else row
    path = list(seen)
    return min(path[path.index(row) :])


def _grow(
    root: int | str,
    event_ids: Sequence[str],
    effects: dict[int | str, list[int]],
    into: tuple[list[Spot], set[int]],
    *,
    is_cycle: bool,
) -> None:
    """Add the tree under a root, without recursion: a chain may be long."""
    spots, placed = into
    waiting: deque[tuple[int | str, int, int | None]] = deque([(root, 0, None)])
    while waiting:
        item, depth, parent = waiting.pop()
        row = item if isinstance(item, int) else None
        if row is not None:
            placed.add(row)
        own = [effect for effect in effects.get(item, ()) if effect != root]
        name = event_ids[item] if isinstance(item, int) else item
        waiting.extend((effect, depth + 1, len(spots)) for effect in reversed(own))
        spots.append(Spot(name, row, depth, parent, is_cycle and depth == 0, len(own)))
