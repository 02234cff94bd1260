"""Responsible: the events that made the rows of one key differ, with what each of them did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from esanalytics.analysis._changes import same
from esanalytics.analysis._places import place_of
from esanalytics.projections import Projection, column_names
from esanalytics.store import Log
from esanalytics.timetravel import Definition, explain, history

__all__ = ["MOST_TEXT", "Responsible", "Side", "responsible"]

Side = Literal["between", "left only", "right only", "changed"]

MOST_TEXT = 20_000
"""The most characters of a payload that is held."""

_MANY = 60  # columns, beyond which explaining all of them would take long
_AMONG = "WHERE position IN (SELECT unnest($positions::BIGINT[])) AND event_id IN (SELECT unnest($wanted::VARCHAR[]))"
_PAYLOADS = f"""
WITH found AS (SELECT event_id, version, CAST(data AS JSON)::VARCHAR AS text FROM events {_AMONG})
SELECT event_id, version, left(text, {MOST_TEXT}) AS data, strlen(text) AS size FROM found
"""
_ENVELOPES = f"SELECT event_id, service, version FROM events {_AMONG}"


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
    """List the events that made a difference of one key, in the order of a fold.

    Where the projection has more than 60 columns, explaining each would take long: what an event did is then read from
    the versions of the row, so that an event counts for the columns whose values it changed, and none is passed over.

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
        return _completed([_told("between", event) for event in events], logs)
    left, right = ({event.event_id: event for event in read(log, projection, wanted, None)} for log in logs)
    found = [_told("left only", event) for name, event in left.items() if name not in right]
    found += [_told("right only", event) for name, event in right.items() if name not in left]
    both = ((left[name], event) for name, event in right.items() if name in left)
    found += [_told("changed", new, old) for old, new in both if old.meaning != new.meaning]
    return _completed(found, logs)


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
    made = [((row[begins], row[type_], "", row[event_id], row[position]), row) for row in rows]
    ended = [(place, None) for place in _endings(log, projection, key, at, columns[0])]
    places = [place for place, _ in (*made, *ended)]
    known = {row["event_id"]: row for row in log.sql(_ENVELOPES, _ids((place[3], place[4]) for place in places))}

    def in_order(found: tuple[tuple[dt.datetime, str, str, str, int], Any]) -> Any:  # noqa: ANN401  what sorts
        time, _, _, event_id, position = found[0]
        return place_of(time, known[event_id]["version"] if event_id in known else None, position)

    before: Mapping[str, Any] = {}
    events = []
    for (time, kind, _, name, number), row in sorted([*made, *ended], key=in_order):
        after = {} if row is None else row
        service = known[name]["service"] if name in known else ""
        events.append(_Event(time, kind, service, name, number, tuple(_changes(columns, before, after))))
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
        if not same(row.get(name), before.get(name)):
            yield _Act(name, "set", repr(row.get(name)), None)


def _ids(events: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """Name events, by their ids; where they are read from is quickly found by their positions."""
    found = list(events)
    return {"wanted": [event_id for event_id, _ in found], "positions": [position for _, position in found]}


def _told(side: Side, event: _Event, old: _Event | None = None) -> Responsible:
    acts = (*event.acts, *(old.acts if old is not None else ()))
    touched = tuple(dict.fromkeys(act.column for act in acts if act.reason is None))
    passed = {act.column: act.reason for act in acts if act.reason is not None and act.column not in touched}
    place = (event.effective_at, event.type, event.service, event.event_id, event.position)
    return Responsible(side, *place, touched, passed)


def _completed(events: list[Responsible], logs: tuple[Log, Log]) -> list[Responsible]:
    """Put events in order, with their payloads; of the right log where both show them."""
    found: dict[tuple[bool, str], Mapping[str, Any]] = {}
    for log, is_left in ((logs[0], True), (logs[1], False)):
        wanted = [(event.event_id, event.position) for event in events if (event.side == "left only") == is_left]
        if wanted:
            found |= {(is_left, row["event_id"]): row for row in log.sql(_PAYLOADS, _ids(wanted))}
    whole = []
    for event in events:
        row = found.get((event.side == "left only", event.event_id), {})
        place = place_of(event.effective_at, row.get("version"), event.position)
        whole.append((place, replace(event, data=row.get("data"), size=int(row.get("size") or 0))))
    return [event for _, event in sorted(whole, key=lambda each: each[0])]
