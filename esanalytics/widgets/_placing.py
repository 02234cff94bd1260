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

__all__ = ["ALL", "MOST_DOTS", "Ints", "Lane", "Look", "Placing"]

Lane = Literal["service", "type", "stream"]
Ints = npt.NDArray[np.int64]

MOST_DOTS = 20_000
"""More events than this are not drawn one by one."""

_LANES = 10
_SPREAD = 0.62
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Look:
    """What of a replay is drawn.

    Attributes:
        hidden_types, hidden_services: whose events are left out.
        window: the time that is drawn, in microseconds, both ends included; None: all.
    """

    hidden_types: tuple[str, ...] = ()
    hidden_services: tuple[str, ...] = ()
    window: tuple[int, int] | None = None


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
        self.scale: Scale = scale_of(branch.instants[self._within])
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
    def kinds(self) -> list[tuple[str, int]]:
        """The types and their events, the most frequent first."""
        return Counter(self.branch.types).most_common()

    @cached_property
    def ranks(self) -> Ints:
        """By row, the place of its type in `kinds`."""
        rank = {name: nth for nth, (name, _) in enumerate(self.kinds)}
        return np.array([rank[name] for name in self.branch.types], np.int64)

    @cached_property
    def failed(self) -> npt.NDArray[np.bool_]:
        """By row, whether it failed: by its type, or where there are few because the fold did."""
        failing = np.array([is_failure(name) for name, _ in self.kinds], np.bool_)
        found = failing[self.ranks] if len(self) else np.zeros(0, np.bool_)
        if len(self) <= MOST_DOTS:
            self.branch.state(len(self))
            found[[row for row in range(len(self)) if self.branch.error(row) is not None]] = True
        return found

    @property
    def names(self) -> list[str]:
        """The lanes, the biggest first; small ones share the last."""
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
    def _lanes(self) -> tuple[list[str], Ints]:
        named = self._named()
        drawn = Counter(name for name, shown in zip(named, self.shown.tolist(), strict=True) if shown)
        ranked = [name for name, _ in drawn.most_common()]
        number = {name: min(nth, _LANES - 1) for nth, name in enumerate(ranked)}
        names = ranked if len(ranked) <= _LANES else [*ranked[: _LANES - 1], f"{len(ranked) - _LANES + 1:,} more"]
        return names, np.array([number.get(name, 0) for name in named], np.int64)

    def _named(self) -> Sequence[Any]:
        """Name the lane of each row; streams of several services have both names."""
        if self.lanes == "service":
            return self.branch.services
        if self.lanes == "type":
            return self.branch.types
        several = len(set(self.branch.services)) > 1
        return [f"{stream} {service}" if several else stream for service, stream in self.branch.streams]
