"""Admission: which staged events are new, what is wrong with the others, and where the new ones stand in their streams.

Everything here works on the temporary table ``staged`` and the data files of one head. It fills two more:
``gone (row)``, the staged events that will not be appended, and ``numbers (row, position, disorder)``.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import duckdb

from esanalytics import _sql as sql
from esanalytics._instants import iso
from esanalytics.errors import AppendConflictError, DuplicateEventError, EsAnalyticsError, InvalidEventError
from esanalytics.events import LOWEST_VERSION, Disorder
from esanalytics.store._files import DataFile

__all__ = ["Admission", "Problem", "Scope", "derive_ids", "start"]

_FEW = 200
BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)
"""Before anything was recorded."""
_DROP_REPEATED = "INSERT INTO gone SELECT row FROM repeated WHERE row NOT IN (SELECT row FROM gone)"
_DROP_KNOWN = "INSERT INTO gone SELECT DISTINCT row FROM known WHERE row NOT IN (SELECT row FROM gone)"

_CONTENT = """concat_ws(chr(31), service, stream_id, coalesce(version::VARCHAR, ''), type, schema_version,
    epoch_us(occurred_at), coalesce(correlation_id, ''), coalesce(causation_id, ''), {content})"""
_PLAIN_DATA = r"""regexp_replace(regexp_replace(replace(data::JSON::VARCHAR, '"', ''),
    '\.0+([,}\]])', '\1', 'g'), '(\.[0-9]*[1-9])0+([,}\]])', '\1\2', 'g')"""
"""The payload as text in which 10, 10.00 and "10.00" are the same: a column's type may change when its file grows."""
_DERIVE = f"""
CREATE OR REPLACE TEMP TABLE derived AS
SELECT row, id, n + coalesce(before, 0) AS n FROM (
    SELECT row, id, origin, row_number() OVER (PARTITION BY origin, id ORDER BY row) AS n
    FROM (
        SELECT row, origin, sha256({_CONTENT.format(content=_PLAIN_DATA)})[:32] AS id FROM staged WHERE event_id IS NULL
    )
) LEFT JOIN (SELECT number, count(*) AS before FROM id_numbers GROUP BY number) ON number = hash(origin, id)
"""
_NUMBER_IDS = """
INSERT INTO id_numbers SELECT hash(staged.origin, derived.id) FROM derived JOIN staged USING (row)
"""
_GIVE_IDS = """
UPDATE staged SET event_id = derived.id || CASE WHEN derived.n > 1 THEN '-' || derived.n ELSE '' END
FROM derived WHERE derived.row = staged.row
"""
_SAME = """(a.service = b.service AND a.stream_id = b.stream_id AND a.type = b.type
    AND a.schema_version = b.schema_version AND a.occurred_at = b.occurred_at
    AND (a.version IS NULL OR a.version IS NOT DISTINCT FROM b.version)
    AND a.correlation_id IS NOT DISTINCT FROM b.correlation_id
    AND a.causation_id IS NOT DISTINCT FROM b.causation_id)"""
_REPEATED = """
CREATE OR REPLACE TEMP TABLE repeated AS
SELECT row, first FROM (SELECT row, min(row) OVER (PARTITION BY event_id) AS first FROM staged
    WHERE event_id IN (SELECT event_id FROM staged GROUP BY event_id HAVING count(*) > 1)) WHERE row <> first
"""
_COMPARE_REPEATED = f"""
SELECT a.row, a.event_id, a.origin || ':' || a.line, b.origin || ':' || b.line, {_SAME},
    a.data::JSON::VARCHAR, b.data::JSON::VARCHAR
FROM repeated JOIN staged a ON a.row = repeated.row JOIN staged b ON b.row = repeated.first
WHERE NOT ({_SAME} AND a.data::JSON::VARCHAR = b.data::JSON::VARCHAR)
"""
_MIXED = """
SELECT row, origin, line, service, stream_id, versioned FROM (
    SELECT row, origin, line, service, stream_id, version,
        count(version) OVER own > 0 AND count(version) OVER own < count(*) OVER own AS mixed,
        first_value(version IS NOT NULL) OVER (own ORDER BY row) AS versioned
    FROM fresh WINDOW own AS (PARTITION BY service, stream_id)
) WHERE mixed AND (version IS NOT NULL) <> versioned
"""
_TAKEN = """
SELECT row, service, stream_id, version, event_id, other FROM (
    SELECT row, service, stream_id, version, event_id, first_value(event_id) OVER own AS other,
        row_number() OVER own AS n
    FROM fresh WHERE version IS NOT NULL WINDOW own AS (PARTITION BY service, stream_id, version ORDER BY row)
) WHERE n > 1
"""
_MEASURE = """
SELECT count(*), min(occurred_at), max(occurred_at), list(DISTINCT service), count(version), count(recorded_at),
    NOT coalesce(bool_or(back), false), {few}
FROM (SELECT *, lag(occurred_at) OVER (ORDER BY row) > occurred_at AS back FROM fresh)
"""
_VALUES = "list(DISTINCT occurred_at), list(DISTINCT stream_id)"
_NO_VALUES = "[]::TIMESTAMPTZ[], []::VARCHAR[]"
_FIND_KNOWN = """
CREATE OR REPLACE TEMP TABLE known AS
SELECT row, e.position AS place
FROM fresh JOIN (SELECT event_id, occurred_at, position FROM {files} WHERE {when}) e USING (event_id, occurred_at)
"""
_COMPARE_KNOWN = f"""
SELECT * EXCLUDE (place) FROM (
    SELECT a.row, a.event_id, a.origin || ':' || a.line, 'position ' || b.position, {_SAME} AS same,
        a.data::JSON::VARCHAR AS data, b.data::JSON::VARCHAR AS other, b.position AS place
    FROM known JOIN staged a USING (row) JOIN {{files}} b ON b.position = known.place
)
QUALIFY NOT bool_or(same AND data = other) OVER (PARTITION BY row)
    AND row_number() OVER (PARTITION BY row ORDER BY same DESC, place) = 1
"""
_EARLY = "SELECT row, origin, line, recorded_at FROM fresh WHERE recorded_at < ? ORDER BY row"
_NOT_ABOVE = "SELECT 1 FROM fresh JOIN streams USING (service, stream_id) WHERE version <= top LIMIT 1"
_STREAMS = """
CREATE OR REPLACE TEMP TABLE streams AS
SELECT service, stream_id, max(version) AS top, max(occurred_at) AS latest, count(version) AS versioned,
    count(*) - count(version) AS plain
FROM {files} WHERE {few} (service, stream_id) IN (SELECT (service, stream_id) FROM fresh) GROUP BY ALL
"""
_MIXED_WITH_STORE = """
SELECT row, origin, line, service, stream_id, versioned > 0 FROM fresh JOIN streams USING (service, stream_id)
WHERE CASE WHEN version IS NULL THEN versioned > 0 ELSE plain > 0 END
"""
_TAKEN_IN_STORE = """
SELECT fresh.row, service, stream_id, version, fresh.event_id, e.event_id
FROM fresh JOIN streams USING (service, stream_id) JOIN {files} e USING (service, stream_id, version)
WHERE version <= top
"""
_NUMBERS = f"""
CREATE OR REPLACE TEMP TABLE numbers AS
SELECT row, position,
    ({{late}})::INTEGER * {Disorder.LATE.value} + ({{clock}})::INTEGER * {Disorder.CLOCK.value} AS disorder
FROM (
    SELECT row, service, stream_id, version, occurred_at, $head + row_number() OVER (ORDER BY {{order}}) AS position
    FROM fresh
) {{streams}}
"""
_PLACE = f"(occurred_at, coalesce(version, {LOWEST_VERSION}))"
_BEFORE = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
_LATE = f"coalesce(max({_PLACE}) OVER (PARTITION BY service, stream_id ORDER BY position {_BEFORE}) > {_PLACE}, false)"
_CLOCK = f"""coalesce(version IS NOT NULL
    AND max(occurred_at) OVER (PARTITION BY service, stream_id ORDER BY version {_BEFORE}) > occurred_at, false)"""
_LATE_IN_STORE = "coalesce(latest > occurred_at OR top > version OR (latest = occurred_at AND top >= version), false)"
_CLOCK_IN_STORE = "coalesce(version IS NOT NULL AND (latest > occurred_at OR top > version), false)"


@dataclass(frozen=True, slots=True)
class Problem:
    """A staged event that cannot be appended, and the error that says why."""

    row: int
    error: EsAnalyticsError


@dataclass(frozen=True, slots=True)
class Scope:
    """What must be known of the new events to choose the files to look into.

    Attributes:
        rows: how many there are.
        first_time, last_time: their least and greatest ``occurred_at``.
        services: their services.
        times, streams: their instants and streams, where they are few.
        versioned: how many have a version.
        recorded: how many say when they were recorded.
        in_time: each is at or after the one before it.
    """

    rows: int
    first_time: dt.datetime
    last_time: dt.datetime
    services: frozenset[str]
    times: tuple[dt.datetime, ...]
    streams: tuple[str, ...]
    versioned: int
    recorded: int
    in_time: bool


def start(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make the table that counts equal rows over all chunks of one append."""
    cursor.execute("CREATE OR REPLACE TEMP TABLE id_numbers (number UBIGINT)")


def derive_ids(cursor: duckdb.DuckDBPyConnection) -> None:
    """Give an id to every staged event without one: a digest of its content, and its number among its equals."""
    if _any(cursor, "SELECT 1 FROM staged WHERE event_id IS NULL LIMIT 1"):
        for statement in (_DERIVE, _NUMBER_IDS, _GIVE_IDS):
            cursor.execute(statement)


Locate = Callable[[DataFile], str]


@dataclass(slots=True, eq=False)
class Admission:
    """One attempt to admit what is staged, after one head.

    Attributes:
        cursor: holds ``staged``.
        files: all data files of the head.
        locate: says where a file lies.
        gone: how many of the staged events will not be appended.
    """

    cursor: duckdb.DuckDBPyConnection
    files: Sequence[DataFile]
    locate: Locate
    gone: int = 0
    _measured: tuple[int, Scope | None] | None = None

    def __post_init__(self) -> None:
        self.cursor.execute("CREATE OR REPLACE TEMP TABLE gone (row BIGINT)")
        self.cursor.execute("CREATE OR REPLACE TEMP VIEW fresh AS FROM staged WHERE row NOT IN (SELECT row FROM gone)")

    def known(self) -> Iterator[Problem]:
        """Put re-delivered events into ``gone``; yield those that share an id with an event they are not equal to.

        Whoever goes on after a problem has put its row into ``gone``.
        """
        if self._staged() > 1:
            yield from self._drop(_repeated(self.cursor), _DROP_REPEATED)
        scope = self.scope()
        files = [] if scope is None else _in_time(self.files, scope)
        if scope is not None and files:
            yield from self._drop(_known(self.cursor, files, scope, self.locate), _DROP_KNOWN)

    def misplaced(self) -> Iterator[Problem]:
        """Yield the new events that have no place in their stream; as ``known``, which runs before."""
        scope = self.scope()
        if scope is not None:
            yield from _recorded_before(self.cursor, self.files) if scope.recorded else ()
            yield from _misplaced_in_store(self.cursor, _of_streams(self.files, scope), scope, self.locate)
            yield from _misplaced(self.cursor, scope)

    def number(self, head: int) -> Scope | None:
        """Fill ``numbers`` for the events that remain, after ``misplaced`` has run; None where none does.

        Args:
            head: last position of the store.
        """
        scope = self.scope()
        if scope is None:
            return None
        known = _any(self.cursor, "SELECT 1 FROM streams LIMIT 1")
        in_order = scope.in_time and not scope.versioned and not scope.recorded
        late = [*([] if in_order else [_LATE]), *([_LATE_IN_STORE] if known else [])]
        clock = [*([_CLOCK] if scope.versioned else []), *([_CLOCK_IN_STORE] if known else [])]
        statement = _NUMBERS.format(
            late=" OR ".join(late) or "false",
            clock=" OR ".join(clock) or "false",
            order="recorded_at NULLS LAST, row" if scope.recorded else "row",
            streams="LEFT JOIN streams USING (service, stream_id)" if known else "",
        )
        self.cursor.execute(statement, {"head": head})
        return scope

    def scope(self) -> Scope | None:
        """Measure what is staged and not gone; None where nothing is left."""
        if self._measured is None or self._measured[0] != self.gone:
            self._measured = (self.gone, self._measure(self._staged() - self.gone))
        return self._measured[1]

    def forget(self) -> None:
        """Measure anew: what is staged has changed."""
        self._measured = None

    def leave_out(self, row: int) -> None:
        """Put an event into ``gone``."""
        self.cursor.execute("INSERT INTO gone VALUES (?)", [row])
        self.gone += 1

    def _drop(self, problems: Iterator[Problem], statement: str) -> Iterator[Problem]:
        yield from problems
        self.gone += int(self.cursor.execute(statement).fetchall()[0][0])

    def _staged(self) -> int:
        return int(self.cursor.execute("SELECT count(*) FROM staged").fetchall()[0][0])

    def _measure(self, rows: int) -> Scope | None:
        if rows == 0:
            return None
        query = _MEASURE.format(few=_VALUES if rows <= _FEW else _NO_VALUES)
        rows, first, last, services, versioned, recorded, in_time, times, streams = self.cursor.execute(
            query
        ).fetchall()[0]
        return Scope(rows, first, last, frozenset(services), tuple(times), tuple(streams), versioned, recorded, in_time)


def _any(cursor: duckdb.DuckDBPyConnection, query: str) -> bool:
    return bool(cursor.execute(query).fetchall())


def _repeated(cursor: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    cursor.execute(_REPEATED)
    if _any(cursor, "SELECT 1 FROM repeated LIMIT 1"):
        yield from _differing(cursor.execute(_COMPARE_REPEATED).fetchall())


def _in_time(files: Sequence[DataFile], measured: Scope) -> list[DataFile]:
    return [f for f in files if f.first_time <= measured.last_time and measured.first_time <= f.last_time]


def _known(
    cursor: duckdb.DuckDBPyConnection, files: Sequence[DataFile], measured: Scope, locate: Locate
) -> Iterator[Problem]:
    source = sql.text(sql.parquet([locate(file) for file in files]))
    at = sql.column("occurred_at")
    when = sql.is_in(at, measured.times) if measured.times else sql.between(at, measured.first_time, measured.last_time)
    cursor.execute(_FIND_KNOWN.format(files=source, when=sql.text(when)))
    if _any(cursor, "SELECT 1 FROM known LIMIT 1"):
        yield from _differing(cursor.execute(_COMPARE_KNOWN.format(files=source)).fetchall())


def _differing(rows: Sequence[tuple[int, str, str, str, bool, str, str]]) -> Iterator[Problem]:
    for row, event_id, here, there, same, data, other in rows:
        if not (same and _equal(data, other)):
            yield Problem(row, DuplicateEventError(event_id, there, here))


def _equal(one: str, other: str) -> bool:
    return _plain(json.loads(one, parse_float=str, parse_int=str)) == _plain(
        json.loads(other, parse_float=str, parse_int=str)
    )


def _plain(value: object) -> object:
    """Give a payload in which a number and its text are the same, as one source has the one, another the other."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, str):
        try:
            return Decimal(value).normalize()
        except InvalidOperation:
            return value
    return value


def _misplaced(cursor: duckdb.DuckDBPyConnection, measured: Scope) -> Iterator[Problem]:
    if 0 < measured.versioned < measured.rows:
        yield from (Problem(row, _mixed(*rest)) for row, *rest in cursor.execute(_MIXED).fetchall())
    if measured.versioned:
        yield from (Problem(row, _taken(*rest)) for row, *rest in cursor.execute(_TAKEN).fetchall())


def _of_streams(files: Sequence[DataFile], measured: Scope) -> list[DataFile]:
    """Choose the files that can say something new of the streams: none where stats prove that all is in order."""
    own = [file for file in files if file.service in measured.services]
    plain = not measured.versioned and all(file.versioned == 0 for file in own)
    if plain and all(file.last_time <= measured.first_time for file in own):
        return []
    return [file for file in own if file.may_hold(measured.streams)] if measured.streams else own


def _misplaced_in_store(
    cursor: duckdb.DuckDBPyConnection, files: Sequence[DataFile], measured: Scope, locate: Locate
) -> Iterator[Problem]:
    source = sql.text(sql.parquet([locate(file) for file in files])) if files else "(FROM fresh LIMIT 0)"
    few = f"{sql.text(sql.is_in(sql.column('stream_id'), measured.streams))} AND" if measured.streams else ""
    cursor.execute(_STREAMS.format(files=source, few=few))
    if not _any(cursor, "SELECT 1 FROM streams LIMIT 1"):
        return
    yield from (Problem(row, _mixed(*rest)) for row, *rest in cursor.execute(_MIXED_WITH_STORE).fetchall())
    if measured.versioned and _any(cursor, _NOT_ABOVE):
        yield from (
            Problem(r, _taken(*rest)) for r, *rest in cursor.execute(_TAKEN_IN_STORE.format(files=source)).fetchall()
        )


def _recorded_before(cursor: duckdb.DuckDBPyConnection, files: Sequence[DataFile]) -> Iterator[Problem]:
    last = max((file.last_recorded for file in files), default=BEGINNING)
    early = cursor.execute(_EARLY, [last]).fetchall()
    for row, origin, line, recorded_at in early:
        reason = f"recorded_at {iso(recorded_at)} is before {iso(last)}, the last of the store"
        remedy = "append in order of recorded_at, or leave that column out"
        yield Problem(row, InvalidEventError(origin, line, reason, remedy))


def _mixed(origin: str, line: int, service: str, stream_id: str, versioned: bool) -> InvalidEventError:  # noqa: FBT001  a row of the query
    what, has = ("no version", "has versions") if versioned else ("a version", "has none")
    reason = f"the event has {what}, but its stream {stream_id!r} of service {service!r} {has}"
    return InvalidEventError(
        origin,
        line,
        reason,
        "append with expected_version=… or give every event of the stream a version, or none",
    )


def _taken(service: str, stream_id: str, version: int, event_id: str, other: str) -> AppendConflictError:
    return AppendConflictError(service, stream_id, event_id, other, version)
