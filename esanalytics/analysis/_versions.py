"""The values that columns of state had over time, for some keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from esanalytics.analysis._asking import columns as ask
from esanalytics.analysis._places import micros
from esanalytics.projections import Projection, key_columns
from esanalytics.store import Log
from esanalytics.timetravel import Definition, history, state_at
from esanalytics.timetravel._naming import nearest_names

__all__ = ["MOST_VERSIONS", "Span", "Track", "Tracks", "tracks"]

MOST_VERSIONS = 20_000
"""More versions than this are not drawn."""

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_REALS = ("UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
_OWN = ("valid_from", "valid_to", "event_id", "type", "position")
_CANDIDATES, _SECOND = 20_000, 1_000_000

Span = tuple[int, int, Any]
"""From when, until when (excluded), in microseconds, and the value; a value that holds at the end ends with the log."""


@dataclass(frozen=True, slots=True)
class Track:
    """One column of one key.

    Attributes:
        key: the key, as text.
        column: which.
        is_number: the values are numbers, as float; else they are texts.
        spans: in order of time; NULL is a span with the value None; where there is no row there is no span.
        dead: when the row was deleted, and when it came back or the log ended.
    """

    key: str
    column: str
    is_number: bool
    spans: tuple[Span, ...]
    dead: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Tracks:
    """Columns of state over time.

    Attributes:
        tracks: key by key, and of each column by column.
        keys, columns: which.
        first, changed, last: when the first version begins, when the last one begins or ends, and when the log ends, in
            microseconds.
        versions: how many versions they are made of.
        of: how many keys there are; None: those that were asked for.
        cut: a key has more versions than are read, which are the first.
        left: columns that are left out.
    """

    tracks: tuple[Track, ...]
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    first: int
    changed: int
    last: int
    versions: int
    of: int | None
    cut: bool
    left: int


def tracks(
    log: Log,
    projection: Definition,
    wanted: Sequence[str] | None,
    key: Any,  # noqa: ANN401  a key
    *,
    most_keys: int = 8,
    most_columns: int = 6,
) -> Tracks:
    """Read how columns of state went.

    Args:
        log: where to look.
        projection: what to fold.
        wanted: the columns; None: the first ones.
        key: one key, or a list of keys; None: the first of those that live at the end.
        most_keys: how many keys there may be where none are named; of named ones all are read.
        most_columns: likewise of columns.

    Raises:
        ValueError: the projection has no such column, or there is no such key.
    """
    types = history(log, projection).types
    keys = tuple(key_columns(projection)) if isinstance(projection, Projection) else ("service", "stream_id")
    names = dict(zip(_OWN, list(types)[-len(_OWN) :], strict=True))  # history's own columns come last
    own = [name for name in types if name not in (*keys, *names.values())]
    chosen = _chosen(own, wanted, most_columns)
    found, of = _keys(log, projection, keys, key, most_keys)
    each = max(1, MOST_VERSIONS // max(1, len(found)))
    read = [_rows(log, projection, one, each + 1, names["valid_from"]) for one in found]
    _missing(log, projection, keys, [one for one, some in zip(found, read, strict=True) if not some])
    rows = [some[:each] for some in read]
    end = ask(log, "SELECT max(epoch_us(effective_at)) AS at FROM events")["at"]
    last = int(end[0]) if found else 0
    born = min((micros(some[0][names["valid_from"]]) for some in rows), default=last)
    last = max(last, born + _SECOND)  # so that what holds from the log's last instant on can be seen
    made = [
        _track(_shown(one), column, types[column], some, names, last)
        for one, some in zip(found, rows, strict=True)
        for column in chosen
    ]
    times = [row[names[name]] for some in rows for row in some for name in ("valid_from", "valid_to")]
    changed = max((micros(at) for at in times if at is not None), default=last)
    versions, cut = sum(map(len, rows)), any(len(some) > each for some in read)
    shown, left = tuple(map(_shown, found)), len(own) - len(chosen) if wanted is None else 0
    return Tracks(tuple(made), shown, chosen, born, changed, last, versions, of, cut, left)


def _chosen(own: Sequence[str], wanted: Sequence[str] | None, most: int) -> tuple[str, ...]:
    for name in wanted or ():
        if name not in own:
            raise ValueError(f"the projection has no column {name!r}; {nearest_names(str(name), own)}")
    return tuple(own[:most] if wanted is None else dict.fromkeys(wanted))


def _keys(
    log: Log,
    projection: Definition,
    keys: Sequence[str],
    key: Any,  # noqa: ANN401  a key
    most: int,
) -> tuple[list[Any], int | None]:
    if isinstance(key, list):
        return list(key), None
    if key is not None:
        return [key], None
    living = state_at(log, projection)
    rows = living.order_by(*keys).head(most)
    of = len(rows) if len(rows) < most else len(living)
    if not rows:  # all were deleted
        found = history(log, projection)
        begins = found.columns[-len(_OWN)]
        every = found.order_by(begins).arrow().group_by(list(keys), use_threads=False).aggregate([])
        rows, of = every.slice(0, most).to_pylist(), every.num_rows
    several = len(keys) > 1
    return [tuple(row[name] for name in keys) if several else row[keys[0]] for row in rows], of


def _rows(log: Log, projection: Definition, key: Any, most: int, begins: str) -> list[dict[str, Any]]:  # noqa: ANN401  a key
    return history(log, projection, key=key).order_by(begins).head(most)


def _missing(log: Log, projection: Definition, keys: Sequence[str], unknown: Sequence[Any]) -> None:
    if not unknown:
        return
    known = state_at(log, projection).order_by(*keys).head(_CANDIDATES)
    near = nearest_names(_shown(unknown[0]), [_shown(tuple(row[name] for name in keys)) for row in known][:_CANDIDATES])
    few = near if len(near) < 200 else "look into ea.state_at(log, projection) for those there are"  # noqa: PLR2004  letters
    raise ValueError(f"no event makes a row of the key {unknown[0]!r}; {few}")


def _shown(key: Any) -> str:  # noqa: ANN401  a key
    return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _track(
    key: str, column: str, type_: str, rows: Sequence[dict[str, Any]], names: dict[str, str], last: int
) -> Track:
    is_number = type_.startswith((*_NUMBERS, *_REALS)) and not type_.endswith("]")
    spans: list[Span] = []
    dead: list[tuple[int, int]] = []
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        begin, end = micros(row[names["valid_from"]]), row[names["valid_to"]]
        until = max(last, begin) if end is None else micros(end)
        spans.append((begin, until, _value(row[column], is_number=is_number)))
        again = last if after is None else micros(after[names["valid_from"]])
        if end is not None and again > until:
            dead.append((until, again))
    return Track(key, column, is_number, tuple(_joined(spans)), tuple(dead))


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Make one span of those that follow each other with the same value."""
    found: list[Span] = []
    for begin, until, value in spans:
        if found and found[-1][1] == begin and found[-1][2] == value:
            found[-1] = (found[-1][0], until, value)
        else:
            found.append((begin, until, value))
    return found


def _value(value: Any, *, is_number: bool) -> Any:  # noqa: ANN401  any value of any column
    if value is None:
        return None
    if is_number:
        return float(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, dt.datetime) else str(value)
