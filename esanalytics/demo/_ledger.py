"""Collecting the rows of a block: versions, nodes, and how the log came to record them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from esanalytics.demo._calendar import Calendar
from esanalytics.demo._draws import DAY, HOUR, MINUTE, SECOND, Draws
from esanalytics.demo._kinds import CUSTOMERS, NO_CAUSE, ORDERS, PAYMENTS, ROW, Flags, Ints, Kind, Rows

__all__ = ["Ledger"]

_FIRST_VERSION = {CUSTOMERS: 0, ORDERS: 1, PAYMENTS: 1}
_UNVERSIONED = -1
_ANY_NODE = 255

_LATENCY = (15_000, 60_000, 250_000, 900_000)
_LATE = (2 * HOUR, 9 * HOUR, 2 * DAY, 5 * DAY)
_AGAIN = (20 * SECOND, 30 * MINUTE, 12 * HOUR, 2 * DAY)
_LATE_PERMILLE = 20
_AGAIN_PERMILLE = 10


@dataclass(slots=True)
class Ledger:
    """The rows of a block of orders, customers or deliveries, step by step.

    Attributes:
        calendar: the time they lie in.
        draws: the block's random integers.
        numbers: the orders, customers or deliveries of the block.
        pieces: the rows so far, one array for each step.
        versions: the next version of each stream, by service.
    """

    calendar: Calendar
    draws: Draws
    numbers: Ints
    pieces: list[Rows] = field(default_factory=list)
    versions: dict[int, Ints] = field(default_factory=dict)

    def add(
        self,
        kind: Kind,
        made: Ints,
        where: Flags,
        *,
        cause: int | Ints = NO_CAUSE,
        node: int = _ANY_NODE,
        a: int | Ints = 0,
        b: int | Ints = 0,
        c: int | Ints = 0,
    ) -> int:
        """Add one event to each stream where ``where`` is true and the log has not ended; return the step."""
        chosen = np.flatnonzero(where & (made < self.calendar.end))
        rows = np.zeros(len(chosen), ROW)
        rows["kind"], rows["step"], rows["node"] = kind, len(self.pieces), node
        rows["number"], rows["made"] = self.numbers[chosen], made[chosen]
        for name, value in (("cause", cause), ("a", a), ("b", b), ("c", c)):
            rows[name] = np.broadcast_to(value, made.shape)[chosen]
        rows["version"] = self._versions(kind.service, chosen)
        self.pieces.append(rows)
        return len(self.pieces) - 1

    def rows(self) -> Rows:
        """Return all rows with the node that made each, and when the log recorded it, once or twice."""
        found = np.concatenate(self.pieces)
        node = self.draws.upto(2, len(found))
        found["node"] = np.where(found["node"] == _ANY_NODE, node, found["node"])
        found["recorded"] = self._recorded(found["made"])
        return np.concatenate([found, self._again(found)])

    def _versions(self, service: int, chosen: Ints) -> int | Ints:
        if service not in _FIRST_VERSION:
            return _UNVERSIONED
        first = np.full(len(self.numbers), _FIRST_VERSION[service])
        versions = self.versions.setdefault(service, first)
        given = versions[chosen]
        versions[chosen] += 1
        return given

    def _recorded(self, made: Ints) -> Ints:
        size, last = len(made), self.calendar.end - 1
        late = made + self.draws.wait(_LATE, size)
        is_late = self.draws.chance(_LATE_PERMILLE, size) & (late <= last)
        return np.where(is_late, late, np.minimum(made + self.draws.wait(_LATENCY, size), last))

    def _again(self, rows: Rows) -> Rows:
        recorded = rows["recorded"] + self.draws.wait(_AGAIN, len(rows))
        chosen = self.draws.chance(_AGAIN_PERMILLE, len(rows)) & (recorded < self.calendar.end)
        found = rows[chosen]
        found["recorded"], found["again"] = recorded[chosen], True
        return found
