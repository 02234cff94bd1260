"""Responsible: the events that made the rows of one key differ, with what each of them did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from esanalytics.projections import Projection, column_names
from esanalytics.store import Log
from esanalytics.timetravel import Definition, explain, history

__all__ = ["MOST_TEXT", "Responsible", "Side", "responsible"]

Side = Literal["between", "left only", "right only", "changed"]

MOST_TEXT = 20_000
"""The most characters of a payload that is held."""

_MANY = 60  # columns, beyond which explaining all of them would take long
_PAYLOADS = f"""
WITH found AS (SELECT position, CAST(data AS JSON)::VARCHAR AS text
FROM events WHERE position IN (SELECT unnest($wanted::BIGINT[])))
SELECT position, left(text, {MOST_TEXT}) AS data, strlen(text) AS size FROM found
"""


@dataclass(frozen=True, slots=True)
class Responsible:
    """An event that had part in a difference.

    Attributes:
        side: ``"between"`` two instants; ``"left only"``, ``"right only"``: one of two logs shows it; ``"changed"``: it
            does something else, or at another time, in each.
        effective_at: when, of the right log where both show it.
        type: its type.
        service: its service.
        event_id: its id.
        position: its position.
        touched: the columns that it counts for.
        passed: the columns that it is about and does not count for, with the reason.
        data: its payload as JSON text, cut at `MOST_TEXT`.
        size: bytes of the payload.
    """

    side: Side
    effective_at: dt.datetime
    type: str
    service: str
    event_id: str
    position: int
    touched: tuple[str, ...]
    passed: Mapping[str, str]
    data: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class _Act:
    """What an event did to a column."""

    column: str
    action: str
    value: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Event:
    effective_at: dt.datetime
    type: str
    service: str
    event_id: str
    position: int
    acts: tuple[_Act, ...]

    @property
    def meaning(self) -> tuple[object, ...]:
        """What it does and when, whatever became of it later."""
        return self.effective_at, self.type, frozenset((act.column, act.action, act.value) for act in self.acts)


def responsible(
    projection: Definition,
    key: Sequence[Any],
    logs: tuple[Log, Log],
    window: tuple[dt.datetime, dt.datetime] | None,
) -> list[Responsible]:
    """List the events that made a difference of one key, in order of time.

    Args:
        projection: what is folded.
        key: the values of the key's columns.
        logs: the left and the right one; the same one twice where two instants are compared.
        window: after the first and up to the second instant; None: two logs are compared.

    Raises:
        UnsupportedError: the projection is SQL, which says nothing of single events.
    """
    wanted = key[0] if len(key) == 1 else tuple(key)
    is_wide = isinstance(projection, Projection) and len(column_names(projection)) > _MANY
    read = _by_versions if is_wide else _by_explaining
    if window is not None:
        events = [e for e in read(logs[1], projection, wanted, window[1]) if e.effective_at > window[0]]
        return _with_payloads([_told("between", event) for event in events], logs)
    left, right = ({event.event_id: event for event in read(log, projection, wanted, None)} for log in logs)
    found = [_told("left only", event) for name, event in left.items() if name not in right]
    found += [_told("right only", event) for name, event in right.items() if name not in left]
    both = ((left[name], event) for name, event in right.items() if name in left)
    found += [_told("changed", new, old) for old, new in both if old.meaning != new.meaning]
    return _with_payloads(sorted(found, key=lambda event: (event.effective_at, event.position)), logs)


def _by_explaining(log: Log, projection: Definition, key: Any, at: dt.datetime | None) -> list[_Event]:  # noqa: ANN401
    """Read what each event of a key did, of all columns."""
    return _gathered(explain(log, projection, key, at=at), at)


def _gathered(rows: Iterable[Mapping[str, Any]], at: dt.datetime | None) -> list[_Event]:
    events: dict[tuple[str, int], _Event] = {}
    for row in rows:
        if at is not None and row["effective_at"] > at:
            continue
        place = (row["event_id"], row["position"])
        act = _Act(row["column"], row["action"], repr(row["value"]), row["reason"])
        before = events.get(place)
        acts = (act,) if before is None else (*before.acts, act)
        events[place] = _Event(row["effective_at"], row["type"], row["service"], row["event_id"], row["position"], acts)
    return list(events.values())


def _by_versions(log: Log, projection: Definition, key: Any, at: dt.datetime | None) -> list[_Event]:  # noqa: ANN401
    """Read what each event of a key changed, from the versions of its row: for hundreds of columns."""
    result = history(log, projection, key=key, until=at, grain="event")
    *own, begins, _, event_id, type_, position = result.columns
    columns = own[len(key) if isinstance(key, tuple) else 1 :]
    rows = list(result)
    services = _services(log, [row[position] for row in rows])
    places = [(row[begins], row[type_], services.get(row[position], ""), row[event_id], row[position]) for row in rows]
    made = [(place, row) for place, row in zip(places, rows, strict=True)]
    ended = [(place, None) for place in _endings(log, projection, key, at, columns[0])]
    before: Mapping[str, Any] = {}
    events = []
    for place, row in sorted([*made, *ended], key=lambda found: (found[0][0], found[0][4])):
        after = {} if row is None else row
        events.append(_Event(*place, tuple(_changes(columns, before, after))))
        before = after
    return events


def _endings(
    log: Log,
    projection: Definition,
    key: Any,  # noqa: ANN401  a value of the key's type
    at: dt.datetime | None,
    column: str,
) -> list[tuple[dt.datetime, str, str, str, int]]:
    """List the events that ended the entity, which no version tells of."""
    names = ("effective_at", "type", "service", "event_id", "position")
    rows = (row for row in explain(log, projection, key, column, at=at) if row["action"] == "delete")
    places = (tuple(row[name] for name in names) for row in rows)
    return [(time, *rest) for time, *rest in places if at is None or time <= at]


def _changes(own: Sequence[str], before: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[_Act]:
    for name in own:
        if row.get(name) != before.get(name):
            yield _Act(name, "set", repr(row.get(name)), None)


def _services(log: Log, positions: list[int]) -> dict[int, str]:
    query = "SELECT position, service FROM events WHERE position IN (SELECT unnest($wanted::BIGINT[]))"
    return {row["position"]: row["service"] for row in log.sql(query, {"wanted": positions})}


def _told(side: Side, event: _Event, old: _Event | None = None) -> Responsible:
    acts = (*event.acts, *(old.acts if old is not None else ()))
    touched = tuple(dict.fromkeys(act.column for act in acts if act.reason is None))
    passed = {act.column: act.reason for act in acts if act.reason is not None and act.column not in touched}
    place = (event.effective_at, event.type, event.service, event.event_id, event.position)
    return Responsible(side, *place, touched, passed)


def _with_payloads(events: list[Responsible], logs: tuple[Log, Log]) -> list[Responsible]:
    """Read the payloads, of the right log where both show the event."""
    of_left = [event.position for event in events if event.side == "left only"]
    of_right = [event.position for event in events if event.side != "left only"]
    found: dict[tuple[bool, int], tuple[str | None, int]] = {}
    for log, positions, is_left in ((logs[0], of_left, True), (logs[1], of_right, False)):
        if positions:
            for row in log.sql(_PAYLOADS, {"wanted": positions}):
                found[is_left, row["position"]] = (row["data"], int(row["size"] or 0))
    nothing = (None, 0)
    payloads = [found.get((event.side == "left only", event.position), nothing) for event in events]
    return [replace(event, data=data, size=size) for event, (data, size) in zip(events, payloads, strict=True)]
