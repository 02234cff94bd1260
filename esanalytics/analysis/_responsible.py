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
from esanalytics.timetravel import Definition
from esanalytics.timetravel._explain import explain_each
from esanalytics.timetravel._history import history_of

__all__ = ["MOST_TEXT", "Responsible", "Side", "responsible"]

Side = Literal["between", "left only", "right only", "changed"]

_Place = tuple[dt.datetime, str, str, str, int]
"""When an event happened, its type, service, id and position."""

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
    keys: Sequence[tuple[Any, ...]],
    logs: tuple[Log, Log],
    window: tuple[dt.datetime, dt.datetime] | None,
) -> list[list[Responsible]]:
    """List the events that made the differences of some keys, of each in the order of a fold; all are read at once.

    Where the projection has more than 60 columns, explaining each would take long: what an event did is then read from
    the versions of the row, so that an event counts for the columns whose values it changed, and none is passed over.

    Args:
        projection: what is folded.
        keys: of each the values of the key's columns.
        logs: the left and the right one; the same one twice where two instants are compared.
        window: after the first and up to the second instant; None: two logs are compared.

    Raises:
        UnsupportedError: the projection is SQL, which says nothing of single events.
    """
    if not keys:
        return []
    is_wide = isinstance(projection, Projection) and len(column_names(projection)) > _MANY
    read = _by_versions if is_wide else _by_explaining
    if window is not None:
        seen = read(logs[1], projection, keys, window[1])
        found = [[_told("between", event) for event in events if event.effective_at > window[0]] for events in seen]
    else:
        left, right = (read(log, projection, keys, None) for log in logs)
        found = [_differing(*both) for both in zip(left, right, strict=True)]
    return _completed(found, logs)


def _differing(before: list[_Event], after: list[_Event]) -> list[Responsible]:
    """Choose the events that only one of two logs has, and those that do something else in each."""
    left, right = ({event.event_id: event for event in events} for events in (before, after))
    found = [_told("left only", event) for name, event in left.items() if name not in right]
    found += [_told("right only", event) for name, event in right.items() if name not in left]
    both = ((left[name], event) for name, event in right.items() if name in left)
    return found + [_told("changed", new, old) for old, new in both if old.meaning != new.meaning]


def _by_explaining(
    log: Log, projection: Definition, keys: Sequence[tuple[Any, ...]], at: dt.datetime | None
) -> list[list[_Event]]:
    """Read what each event of some keys did, of all columns."""
    rows = _by_key(explain_each(log, projection, keys, at=at), keys, [f"$k{n}" for n in range(len(keys[0]))])
    return [_gathered(each, at) for each in rows]


def _by_key(
    rows: Iterable[Mapping[str, Any]], keys: Sequence[tuple[Any, ...]], names: Sequence[str]
) -> list[list[Mapping[str, Any]]]:
    """Tell rows apart by the key that is in columns of theirs."""
    if len(keys) == 1:  # which may be given in another way than the column has it
        return [list(rows)]
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(repr(tuple(row[name] for name in names)), []).append(row)
    return [found.get(repr(tuple(key)), []) for key in keys]


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


def _by_versions(
    log: Log, projection: Definition, keys: Sequence[tuple[Any, ...]], at: dt.datetime | None
) -> list[list[_Event]]:
    """Read what each event of some keys changed, from the versions of their rows: for hundreds of columns."""
    result = history_of(log, projection, keys, until=at)
    *own, begins, _, event_id, type_, position = result.columns
    names, columns = own[: len(keys[0])], own[len(keys[0]) :]
    made = [
        [((row[begins], row[type_], "", row[event_id], row[position]), row) for row in rows]
        for rows in _by_key(result, keys, names)
    ]
    ended = [[(place, None) for place in places] for places in _endings(log, projection, keys, at, columns[0])]
    found = [[*versions, *ends] for versions, ends in zip(made, ended, strict=True)]
    places = [place for each in found for place, _ in each]
    known = {row["event_id"]: row for row in log.sql(_ENVELOPES, _ids((place[3], place[4]) for place in places))}
    return [_turned(each, columns, known) for each in found]


def _turned(
    found: Sequence[tuple[_Place, Mapping[str, Any] | None]], columns: Sequence[str], known: Mapping[str, Any]
) -> list[_Event]:
    """Say what each version of a row changed from the one before."""

    def in_order(each: tuple[_Place, Any]) -> Any:  # noqa: ANN401  what sorts
        time, _, _, event_id, position = each[0]
        return place_of(time, known[event_id]["version"] if event_id in known else None, position)

    before: Mapping[str, Any] = {}
    events = []
    for (time, kind, _, name, number), row in sorted(found, key=in_order):
        after = {} if row is None else row
        service = known[name]["service"] if name in known else ""
        events.append(_Event(time, kind, service, name, number, tuple(_changes(columns, before, after))))
        before = after
    return events


def _endings(
    log: Log,
    projection: Definition,
    keys: Sequence[tuple[Any, ...]],
    at: dt.datetime | None,
    column: str,
) -> list[list[_Place]]:
    """List the events that ended the entities, which no version tells of."""
    names = ("effective_at", "type", "service", "event_id", "position")
    rows = _by_key(explain_each(log, projection, keys, column, at=at), keys, [f"$k{n}" for n in range(len(keys[0]))])
    ends = ([row for row in each if row["action"] == "delete"] for each in rows)
    places = ([tuple(row[name] for name in names) for row in each] for each in ends)
    return [[(time, *rest) for time, *rest in each if at is None or time <= at] for each in places]


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


def _completed(found: list[list[Responsible]], logs: tuple[Log, Log]) -> list[list[Responsible]]:
    """Put the events of each key in order, with their payloads; of the right log where both show them."""
    payloads: dict[tuple[bool, str], Mapping[str, Any]] = {}
    for log, is_left in ((logs[0], True), (logs[1], False)):
        events = (event for each in found for event in each if (event.side == "left only") == is_left)
        wanted = [(event.event_id, event.position) for event in events]
        if wanted:
            payloads |= {(is_left, row["event_id"]): row for row in log.sql(_PAYLOADS, _ids(wanted))}
    return [_whole(each, payloads) for each in found]


def _whole(events: Iterable[Responsible], payloads: Mapping[tuple[bool, str], Mapping[str, Any]]) -> list[Responsible]:
    whole = []
    for event in events:
        row = payloads.get((event.side == "left only", event.event_id), {})
        place = place_of(event.effective_at, row.get("version"), event.position)
        whole.append((place, replace(event, data=row.get("data"), size=int(row.get("size") or 0))))
    return [event for _, event in sorted(whole, key=lambda each: each[0])]
