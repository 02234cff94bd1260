"""What is in a log: its kinds of events, its streams, and the fields that a type's payloads have."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from esanalytics._instants import iso
from esanalytics.store import Log

__all__ = ["Field", "Fields", "Kind", "Stream", "fields_of", "kinds_in", "streams_in"]

_EXACT = 1_000_000
"""Up to so many events the streams of a kind are counted; of more they are estimated, which is ten times as fast."""
_SAMPLE = 2_000
_LONGEST = 100_000
_PATHS = 300
_DEPTH = 6
_VALUES = 5_000
_TOP = 8
_SHOWN = 80
_NARROW = 18
_KINDS = """
SELECT service, type, count(*) AS n, {streams} AS streams, min(effective_at) AS first, max(effective_at) AS last
FROM events GROUP BY service, type ORDER BY n DESC, service, type
"""
_STREAMS = """
SELECT service, stream_id, count(*) AS n, min(effective_at) AS first, max(effective_at) AS last
FROM events GROUP BY service, stream_id ORDER BY n DESC, service, stream_id LIMIT $limit
"""
_PAYLOADS = """
SELECT CASE WHEN size <= {longest} THEN data END AS data, size FROM (
    SELECT data, length(data::JSON::VARCHAR) AS size FROM events {which} LIMIT {limit}
)
"""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z")


@dataclass(frozen=True, slots=True)
class Kind:
    """The events of one type of one service."""

    service: str
    type: str
    events: int
    streams: int
    first: dt.datetime
    last: dt.datetime


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of one entity of one service."""

    service: str
    stream_id: str
    events: int
    first: dt.datetime
    last: dt.datetime


@dataclass(frozen=True, slots=True)
class Field:
    """A field of payloads.

    Attributes:
        path: its keys from the top, joined by dots; ``[]`` stands for the elements of a list.
        types: DuckDB types of its values, the most frequent first.
        events: how many of the events that were looked at have it, with a value or NULL.
        nulls: how many values are NULL.
        share: part of the events that have it.
        values: the most frequent values as text, cut where it is long, and how often each occurs; none of lists and
            objects. Values of different types are different, and so are those that differ behind the cut.
        distinct: how many different values were seen; None: more than were counted.
        least, most: of numbers and instants.
    """

    path: str
    types: tuple[str, ...]
    events: int
    nulls: int
    share: float
    values: tuple[tuple[str, int], ...]
    distinct: int | None
    least: str | None
    most: str | None


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a type.

    Attributes:
        type: whose.
        fields: the most frequent first.
        looked_at: how many events were looked at.
        events: of how many.
        note: what was left out; empty where nothing was.
    """

    type: str
    fields: tuple[Field, ...]
    looked_at: int
    events: int
    note: str


def kinds_in(log: Log, events: int) -> tuple[list[Kind], str]:
    """Count the events and streams of each service and type, and say when each was first and last seen.

    Args:
        log: where to look.
        events: about how many events there are; of many, streams are estimated, and the note says so.
    """
    exact = events <= _EXACT
    streams = "count(DISTINCT stream_id)" if exact else "approx_count_distinct(stream_id)"
    rows = [Kind(*row.values()) for row in log.sql(_KINDS.format(streams=streams))]
    return rows, "" if exact else "counts of streams are estimates"


def streams_in(log: Log, limit: int = 50) -> list[Stream]:
    """Return the streams with the most events."""
    return [Stream(*row.values()) for row in log.sql(_STREAMS, {"limit": limit})]


def fields_of(log: Log, type_: str, events: int) -> Fields:
    """Say what fields the payloads of a type have, from at most some thousand events spread evenly by a hash.

    Args:
        log: where to look.
        type_: the type.
        events: how many events of it there are.
    """
    share = 1 << max(0, math.ceil(math.log2(max(1, events) / _SAMPLE)))
    which = f"WHERE hash(position) % {share} = 0" if share > 1 else ""
    query = _PAYLOADS.format(which=which, longest=_LONGEST, limit=2 * _SAMPLE)
    found, seen, long = _Found(), 0, 0
    for row in log.where(type=type_).sql(query):
        seen += 1
        long += row["size"] is not None and row["size"] > _LONGEST
        found.add(row["data"])
    ordered = sorted(found.paths.items(), key=lambda pair: -pair[1].events)
    fields = tuple(values.summary(path, max(1, seen - long)) for path, values in ordered)
    return Fields(type_, fields, seen, events, _note(seen, events, long, full=found.full))


def _note(seen: int, events: int, long: int, *, full: bool) -> str:
    parts = [
        f"a sample of {seen:,} of {events:,} events" if seen < events else "",
        f"{long:,} payload{'s' * (long != 1)} of more than {_LONGEST:,} characters left out" if long else "",
        f"the first {_PATHS} fields" if full else "",
    ]
    return "; ".join(part for part in parts if part)


@dataclass(slots=True, eq=False)
class _Values:
    """What was seen at one path."""

    events: int = 0
    nulls: int = 0
    types: Counter[str] = field(default_factory=Counter)
    values: Counter[_Same] = field(default_factory=Counter)
    many: bool = False
    numbers: list[Any] = field(default_factory=list)

    def add(self, value: Any) -> None:  # noqa: ANN401  any payload value
        if value is None:
            self.nulls += 1
            return
        type_ = _type_name(value)
        self.types[type_] += 1
        if isinstance(value, dict | list):
            return
        same = _same(type_, value)
        if same in self.values or len(self.values) < _VALUES:
            self.values[same] += 1
        else:
            self.many = True
        if not isinstance(value, bool | bytes) and value == value:  # noqa: PLR0124  NaN is not itself
            self.numbers.append(value)

    def summary(self, path: str, seen: int) -> Field:
        least, most = self._bounds()
        scalars = tuple((shown, n) for (_, shown, _), n in self.values.most_common(_TOP))
        distinct = None if self.many else len(self.values)
        types = tuple(name for name, _ in self.types.most_common()) or ("NULL",)
        return Field(path, types, self.events, self.nulls, self.events / seen, scalars, distinct, least, most)

    def _bounds(self) -> tuple[str | None, str | None]:
        """Return the least and the greatest value where all are numbers, or all instants."""
        found = self.numbers
        comparable = (
            all(isinstance(value, int | float | Decimal) for value in found)
            or all(isinstance(value, dt.datetime) and value.tzinfo is not None for value in found)
            or all(isinstance(value, str) and _INSTANT.fullmatch(value) for value in found)
        )
        return (_shown(min(found)), _shown(max(found))) if found and comparable else (None, None)


@dataclass(slots=True, eq=False)
class _Found:
    """What was seen at each path."""

    paths: dict[str, _Values] = field(default_factory=dict)
    full: bool = False

    def add(self, payload: Any) -> None:  # noqa: ANN401  any payload
        once: set[str] = set()
        for path, value in _walked("", payload, 0):
            if path not in self.paths and len(self.paths) >= _PATHS:
                self.full = True
                continue
            values = self.paths.setdefault(path, _Values())
            values.add(value)
            values.events += path not in once
            once.add(path)


def _walked(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  any payload value
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inner = ((f"{path}.{_key(key)}" if path else _key(key), each) for key, each in value.items())
    elif isinstance(value, list):
        inner = ((f"{path}[]", each) for each in value[:100])
    if path:
        yield path, value
    if depth < _DEPTH:
        for name, each in inner:
            yield from _walked(name, each, depth + 1)


def _key(key: object) -> str:
    name = str(key)
    return name if name.isidentifier() else json.dumps(name, ensure_ascii=False)


def _type_name(value: Any) -> str:  # noqa: ANN401  any payload value
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        scale = -exponent if isinstance(exponent, int) else 0
        return f"DECIMAL({18 if len(digits) <= _NARROW else 38},{max(0, scale)})"
    if isinstance(value, dt.datetime):
        return "TIMESTAMPTZ" if value.tzinfo is not None else "TIMESTAMP"
    names = ((bool, "BOOLEAN"), (int, "BIGINT"), (float, "DOUBLE"), (str, "VARCHAR"), (dict, "object"), (list, "list"))
    return next((name for kind, name in names if isinstance(value, kind)), type(value).__name__.upper())


_Same = tuple[str, str, bytes]
"""What equal values have in common: the type, the text as it is shown, and a digest of the text where it was cut."""


def _same(type_: str, value: Any) -> _Same:  # noqa: ANN401  any payload value
    text = _text(value)
    cut = len(text) > _SHOWN
    return type_, _cut(text), hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() if cut else b""


def _shown(value: Any) -> str:  # noqa: ANN401  any payload value
    return _cut(_text(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _text(value: Any) -> str:  # noqa: ANN401  any payload value
    if isinstance(value, bool):
        return str(value).lower()
    return iso(value) if isinstance(value, dt.datetime) and value.tzinfo is not None else str(value)
