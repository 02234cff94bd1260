"""Where the events of a replay stand in a picture, and what tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from esanalytics.analysis._branch import Branch
from esanalytics.analysis._finding import is_failure
from esanalytics.widgets._scale import Scale, scale_of

__all__ = ["ALL", "MOST_DOTS", "Ints", "Lane", "LaneOrder", "Look", "Placing"]

Lane = Literal["service", "type", "stream"]
LaneOrder = Literal["first", "count", "duration", "name"]
Ints = npt.NDArray[np.int64]

MOST_DOTS = 20_000
"""More events than this are not drawn one by one."""

_LANES = 12
_SPREAD = 0.62
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Look:
    """What of a replay is drawn.

    Attributes:
        hidden_types, hidden_services: whose events are left out.
        window: the time that is drawn, in microseconds, both ends included; None: all.
        lane_order: how lanes are sorted: by their first event, most events, how long they last, or name.
        colour: what colours tell apart.
        fold_gaps: whether long idle gaps are drawn short.
    """

    hidden_types: tuple[str, ...] = ()
    hidden_services: tuple[str, ...] = ()
    window: tuple[int, int] | None = None
    lane_order: LaneOrder = "first"
    colour: Lane = "type"
    fold_gaps: bool = True


ALL = Look()
"""Nothing is left out."""


class Placing:
    """Places for the rows of a branch, in lanes.

    Args:
        branch: the rows.
        lanes: what has a lane.
        skipped: ids of events that are switched off.
        look: what of it is drawn.
    """

    def __init__(self, branch: Branch, lanes: Lane, skipped: Iterable[str], look: Look = ALL) -> None:
        self.branch = branch
        self.lanes = lanes
        self.look = look
        self._within = slice(0, len(branch))
        if look.window is not None:
            first, end = (int(np.searchsorted(branch.instants, us)) for us in (look.window[0], look.window[1] + 1))
            self._within = slice(first, max(first, end))
        self.scale: Scale = scale_of(branch.instants[self._within], fold=look.fold_gaps, window=look.window)
        self.dense = int(self.shown.sum()) > MOST_DOTS
        off = np.array(sorted(branch.row_of[each] for each in skipped if each in branch.row_of), np.int64)
        self.off = off[self.shown[off]]

    def __len__(self) -> int:
        return len(self.branch)

    @cached_property
    def x(self) -> npt.NDArray[np.float64]:
        """By row, its place in time; what lies outside the window stands at its edge."""
        found = np.zeros(len(self.branch))
        found[self._within] = self.scale.x
        found[self._within.stop :] = 1.0
        return found

    @cached_property
    def shown(self) -> npt.NDArray[np.bool_]:
        """By row, whether it is drawn."""
        found = np.zeros(len(self.branch), np.bool_)
        found[self._within] = True
        for names, hidden in (
            (self.branch.types, self.look.hidden_types),
            (self.branch.services, self.look.hidden_services),
        ):
            if hidden:
                off = set(hidden)
                found &= np.fromiter((name not in off for name in names), np.bool_, len(found))
        return found

    def place(self, step: int) -> float:
        """Return where a step stands: its event; at the left edge before the first."""
        return float(self.x[step - 1]) if step else 0.0

    @cached_property
    def kinds(self) -> list[str]:
        """What the colours tell apart: types, services or streams, by their first event."""
        return list(dict.fromkeys(self._coloured))

    @cached_property
    def ranks(self) -> Ints:
        """By row, the place of what gives it its colour in `kinds`."""
        rank = {name: nth for nth, name in enumerate(self.kinds)}
        return np.array([rank[name] for name in self._coloured], np.int64)

    @cached_property
    def counts(self) -> Ints:
        """By the place in `kinds`, how many events there are."""
        return np.bincount(self.ranks, minlength=len(self.kinds))

    @cached_property
    def failing(self) -> npt.NDArray[np.bool_]:
        """By row, whether its type says that something failed."""
        types = {name: is_failure(name) for name in set(self.branch.types)}
        return np.fromiter((types[name] for name in self.branch.types), np.bool_, len(self))

    @cached_property
    def failed(self) -> npt.NDArray[np.bool_]:
        """By row, whether the fold failed at it, where there are few."""
        found = np.zeros(len(self), np.bool_)
        if len(self) <= MOST_DOTS:
            self.branch.state(len(self))
            found[[row for row in range(len(self)) if self.branch.error(row) is not None]] = True
        return found

    @property
    def names(self) -> list[str]:
        """The lanes, in their order; small ones share the last."""
        return self._lanes[0]

    @property
    def lane(self) -> Ints:
        """By row, its lane."""
        return self._lanes[1]

    @cached_property
    def y(self) -> npt.NDArray[np.float64]:
        """By row, its place in the lanes; where there are many, they are spread so that they hide each other less."""
        lane = self.lane.astype(np.float64)
        if len(lane) <= 4 * max(1, len(self.names)):
            return lane
        return lane + ((np.arange(len(lane)) * _GOLDEN) % 1 - 0.5) * _SPREAD

    def apart(self, rows: Ints, wide: float, high: float) -> Ints:
        """Keep the last of the rows that stand on the same pixel, where the lanes have so many pixels."""
        cells = np.round(self.x[rows] * wide) * 100_003 + np.round(self.y[rows] * high / max(1, len(self.names)))
        kept = np.unique(cells[::-1], return_index=True)[1]
        found: Ints = np.sort(rows[len(rows) - 1 - kept])
        return found

    @cached_property
    def _coloured(self) -> Sequence[Any]:
        return self._named(self.look.colour)

    @cached_property
    def _lanes(self) -> tuple[list[str], Ints]:
        named = self._named(self.lanes)
        found = list(dict.fromkeys(named))
        counts = Counter(named)
        biggest = sorted(found, key=lambda name: -counts[name])
        kept = biggest if len(biggest) <= _LANES else biggest[: _LANES - 1]
        names = self._sorted([name for name in found if name in set(kept)], named, counts)
        number = {name: nth for nth, name in enumerate(names)}
        rest = [f"{len(found) - len(names):,} more"] if len(names) < len(found) else []
        return [*names, *rest], np.array([number.get(name, len(names)) for name in named], np.int64)

    def _sorted(self, names: list[str], named: Sequence[str], counts: Counter[str]) -> list[str]:
        """Sort lanes that come by their first event."""
        order = self.look.lane_order
        if order == "first":
            return names
        if order == "name":
            return sorted(names, key=lambda name: (name.casefold(), name))
        if order == "count":
            return sorted(names, key=lambda name: -counts[name])
        instants = self.branch.instants.tolist()
        first = dict(zip(reversed(named), reversed(instants), strict=True))
        last = dict(zip(named, instants, strict=True))
        return sorted(names, key=lambda name: first[name] - last[name])

    def _named(self, by: Lane) -> Sequence[Any]:
        """Name the service, type or stream of each row; streams of several services have both names."""
        if by == "service":
            return self.branch.services
        if by == "type":
            return self.branch.types
        several = len(set(self.branch.services)) > 1
        return [f"{stream} {service}" if several else stream for service, stream in self.branch.streams]
