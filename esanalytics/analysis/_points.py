"""Single events as points over time, in lanes or a row for each stream, and never more than a picture can hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from esanalytics.analysis._asking import Ints, columns, ints
from esanalytics.analysis._measures import By, Ranking, expression, ranking
from esanalytics.store import Log

__all__ = ["MOST_POINTS", "Laned", "Points", "Rows", "Sort", "laned", "rows"]

MOST_POINTS = 20_000
"""More events than this are not drawn one by one."""

Sort = Literal["first", "duration", "events"]

_GRID = 240
_ORDERS = {"first": "first, last", "duration": "last - first DESC, first", "events": "n DESC, first"}


@dataclass(frozen=True, slots=True)
class Points:
    """Events, one by one.

    Attributes:
        at: ``effective_at`` in microseconds, or in ``Rows`` with ``align="start"`` since the stream's first event.
        row: of which lane or row each is.
        name: the place of each one's name in the ranking; its length for the others.
        position: in the store.
    """

    at: Ints
    row: Ints
    name: Ints
    position: Ints


@dataclass(frozen=True, slots=True)
class Laned:
    """Events in lanes: as points, or where there are too many, as counts.

    Attributes:
        lanes: their names; where lanes are left out of it, the last holds the events of the others, but for streams.
        names: what the points are coloured by.
        points: the events; None: there are too many.
        counts: lanes x bins, of equal width from the first event to the last; None: there are points.
    """

    lanes: Ranking
    names: Ranking
    points: Points | None
    counts: Ints | None

    @property
    def shown(self) -> int:
        """How many events are in the picture."""
        if self.points is not None:
            return len(self.points.at)
        return 0 if self.counts is None else int(self.counts.sum())


@dataclass(frozen=True, slots=True)
class Rows:
    """A row for each stream.

    Attributes:
        streams: service and id of each row, from the top.
        names: the types that the points are coloured by.
        points: the events.
        of: how many streams there are in all.
        total: how many events there are in all.
        every: 1, or where even one stream has too many events, how many it has for each that is shown.
    """

    streams: tuple[tuple[str, str], ...]
    names: Ranking
    points: Points
    of: int
    total: int
    every: int


def laned(log: Log, lane: By, *, most: int = 24, colours: int = 9, cap: int = MOST_POINTS) -> Laned:
    """Find the events of the biggest lanes; more than ``cap`` are counted instead."""
    lanes = ranking(log, lane, most)
    colour: By = "service" if lane == "type" else "type"
    seen = Laned(lanes, ranking(log, colour, colours), None, None)
    shown = sum(lanes.counts) if lane == "stream" else lanes.total
    if not shown:
        return replace(seen, points=_points({}))
    if shown <= cap:
        return replace(seen, points=_dots(log, seen, lane, colour))
    return replace(seen, counts=_counted(log, seen, lane))


def rows(log: Log, *, sort: Sort, align: Literal["time", "start"], colours: int = 9, cap: int = MOST_POINTS) -> Rows:
    """Give each stream a row; where there are more than ``cap`` events, some streams, whole, always the same ones."""
    names = ranking(log, "type", colours)
    if not names.total:
        return Rows((), names, _points({}), 0, 0, 1)
    chosen = _chosen(log, sort, cap)
    streams = tuple((str(s), str(k)) for s, k in zip(chosen["service"], chosen["stream_id"], strict=True))
    shown = int(chosen["n"].sum())
    found = _points(
        columns(
            log,
            """
            WITH chosen AS (
                SELECT unnest($services) AS service, unnest($streams) AS stream_id, unnest($firsts) AS first,
                       unnest(range($many)) AS row)
            SELECT epoch_us(effective_at) AS at, first, row, position,
                   coalesce(list_position($names, type), $many_names + 1) - 1 AS name
            FROM events JOIN chosen USING (service, stream_id)
            QUALIFY $every = 1
                OR (row_number() OVER (ORDER BY effective_at, version NULLS FIRST, position) - 1) % $every = 0
            ORDER BY position
            """,
            {
                "services": [service for service, _ in streams],
                "streams": [stream for _, stream in streams],
                "firsts": [int(us) for us in chosen["first"]],
                "many": len(streams),
                "names": list(names.names),
                "many_names": len(names.names),
                "every": -(-shown // cap),
            },
        )
    )
    if align == "start":
        found = replace(found, at=found.at - ints(chosen["first"])[found.row])
    return Rows(streams, names, found, int(chosen["of"][0]), names.total, -(-shown // cap))


def _chosen(log: Log, sort: Sort, cap: int) -> dict[str, Ints]:
    """Choose streams by their hash, until they have too many events; one at least."""
    return columns(
        log,
        f"""
        SELECT service, stream_id, n, first, last, of FROM (
            SELECT *, count(*) OVER () AS of, sum(n) OVER (way ROWS UNBOUNDED PRECEDING) AS running,
                   row_number() OVER way AS nth
            FROM (
                SELECT service, stream_id, count(*) AS n, min(epoch_us(effective_at)) AS first,
                       max(epoch_us(effective_at)) AS last, md5(service || chr(31) || stream_id) AS hash
                FROM events GROUP BY service, stream_id
            ) WINDOW way AS (ORDER BY n > $cap, hash, service, stream_id)
        ) WHERE running <= $cap OR nth = 1 ORDER BY {_ORDERS[sort]}, service, stream_id
        """,
        {"cap": cap},
    )


def _dots(log: Log, seen: Laned, lane: By, colour: By) -> Points:
    lanes, names = list(seen.lanes.names), list(seen.names.names)
    only = f"WHERE list_contains($lanes, {expression(lane)})" if lane == "stream" else ""
    query = f"""
        SELECT epoch_us(effective_at) AS at, position,
               coalesce(list_position($lanes, {expression(lane)}), $many_lanes + 1) - 1 AS row,
               coalesce(list_position($names, {expression(colour)}), $many_names + 1) - 1 AS name
        FROM events {only} ORDER BY position
    """
    parameters = {"lanes": lanes, "names": names, "many_lanes": len(lanes), "many_names": len(names)}
    return _points(columns(log, query, parameters))


def _counted(log: Log, seen: Laned, lane: By) -> Ints:
    lanes = list(seen.lanes.names)
    width = -(-(seen.lanes.last - seen.lanes.first + 1) // _GRID)
    query = f"""
        SELECT row, bin, sum(n)::BIGINT AS n FROM (
            SELECT (epoch_us(effective_at) - $start) // $width AS bin, count(*) AS n,
                   coalesce(list_position($lanes, {expression(lane)}), $many + 1) - 1 AS row
            FROM events GROUP BY ALL
        ) GROUP BY ALL
    """
    parameters = {"start": seen.lanes.first, "width": width, "lanes": lanes, "many": len(lanes)}
    found = columns(log, query, parameters)
    counts = np.zeros((len(lanes) + 1, _GRID), np.int64)
    counts[ints(found["row"]), ints(found["bin"])] = ints(found["n"])
    return counts if seen.lanes.others and lane != "stream" else counts[:-1]


def _points(found: dict[str, Ints]) -> Points:
    return Points(*(ints(found.get(name, [])) for name in ("at", "row", "name", "position")))
