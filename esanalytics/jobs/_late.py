"""What came to the store after a run, and for which times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import Plan
from esanalytics.jobs._values import Window
from esanalytics.store import Log, arrived_after, may_arrive_inside, result, skewed_after, view

__all__ = ["Arrived", "arrived"]

_INSTANT = dt.timedelta(microseconds=1)
_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Arrived:
    """Of which times the events are that came after a position.

    Attributes:
        minutes: how many there are in each minute that has one.
        moved: from here on, events that were there may have got other times; None: none has.
    """

    minutes: Mapping[dt.datetime, int] = field(default_factory=dict)
    moved: dt.datetime | None = None

    @property
    def earliest(self) -> dt.datetime | None:
        """The first time of which something is known now that was not; None: of none."""
        return min([*self.minutes, *([] if self.moved is None else [self.moved])], default=None)

    def before_end(self, windows: Iterable[Window]) -> set[Window]:
        """Return the windows before whose end something arrived: what is true at their end may be other."""
        earliest = self.earliest
        return set() if earliest is None else {window for window in windows if window.end > earliest}

    def inside(self, windows: Iterable[Window]) -> set[Window]:
        """Return the windows in which something arrived."""
        return {window for window in windows if self._is_inside(window)}

    def _is_inside(self, window: Window) -> bool:
        if self.moved is not None and window.end > self.moved:
            return True
        return any(window.start < minute + _MINUTE and minute < window.end for minute in self.minutes)


def arrived(log: Log, position: int, until: dt.datetime) -> Arrived:
    """Find out what came to a view after a position, of times before an instant.

    Where the files prove that there is nothing, nothing is read.

    Args:
        log: a view without bounds in time.
        position: the last that was known.
        until: excluded.
    """
    last = until - _INSTANT
    minutes: dict[dt.datetime, int] = {}
    if may_arrive_inside(log, position, last):
        found = (
            arrived_after(log, position)
            .at(last)
            .sql("SELECT date_trunc('minute', effective_at) AS minute, count(*) AS events FROM events GROUP BY ALL")
        )
        minutes = {row["minute"]: row["events"] for row in found}
    return Arrived(minutes, _moved(log, position))


def _moved(log: Log, position: int) -> dt.datetime | None:
    """Return the first time of the streams in which an event that arrived may have moved the time of others."""
    streams = skewed_after(log, position)
    if streams is None:
        return None

    def plan() -> Plan:
        events = view(log)
        stream = exp.Tuple(expressions=[sql.column("service"), sql.column("stream_id")])
        among = exp.In(this=stream, query=streams.subquery(copy=False))
        least = sql.alias(exp.Min(this=sql.column("occurred_at")), "first")
        query = exp.select(least).from_(events.tree.subquery("events")).where(among)
        return Plan(sql.text(query), files=events.files)

    [row] = result(log, plan).head(1)
    first: dt.datetime | None = row["first"]
    return first
