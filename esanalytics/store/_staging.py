"""Staging: batches of anything become envelope rows in a temporary table; a row with a flaw is set aside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esanalytics.errors import InvalidEventError
from esanalytics.events import ENVELOPE, LOWEST_VERSION, REQUIRED, TEXT_COLUMNS, TYPES, Batch, Groups, Refusal
from esanalytics.store._gather import Unreadable, gather, normal, single
from esanalytics.store._payload import AS_VARIANT, fill, flawed_rows, is_variant, wide

__all__ = ["Defaults", "create", "stage"]

_PAYLOADS = ("data", "metadata")
_WIDE = "not in range"
_PLAIN = (
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_null, pa.string()),
    (pa.types.is_uint64, pa.int64()),
    (pa.types.is_large_binary, pa.binary()),
    (pa.types.is_binary_view, pa.binary()),
)
_FATAL = (duckdb.FatalException, duckdb.InternalException)
_OF_ROWS = (duckdb.Error, pa.ArrowException, ValueError, KeyError, TypeError, OverflowError, RecursionError)
_TIMES = ("occurred_at", "recorded_at")
_PARSED = ("version", "schema_version", *_TIMES)
_LEFT_OUT = ("effective_at",)
_LONGEST_NAME = 1024
_LONGEST_RAW = 1_000_000
_EMPTY = "'{}'::JSON::VARIANT"
_DEFAULTS = {"service": "$service", "stream_id": "$stream", "schema_version": "1", "data": _EMPTY}

_CREATE = """
CREATE OR REPLACE TEMP TABLE staged (
    row BIGINT, origin VARCHAR, line BIGINT, position BIGINT, event_id VARCHAR, service VARCHAR, stream_id VARCHAR,
    version BIGINT, type VARCHAR, schema_version INTEGER, occurred_at TIMESTAMPTZ, recorded_at TIMESTAMPTZ,
    correlation_id VARCHAR, causation_id VARCHAR, data VARIANT, metadata VARIANT, flaw VARCHAR
)
"""
_FIRST, _LAST = "'0001-01-01'::TIMESTAMPTZ", "'9999-12-31 23:59:59.999999'::TIMESTAMPTZ"
_RULES = (
    ("known", "known IS NOT NULL", "known"),
    ("stream_id", "coalesce(stream_id, '') = ''", "'stream_id is missing or empty'"),
    ("type", "coalesce(type, '') = ''", "'type is missing or empty'"),
    ("service", "service = ''", "'service is empty'"),
    ("service", "starts_with(service, '$')", "'services that begin with $ are the store''s own'"),
    ("occurred_at", "raw_occurred_at IS NULL", "'occurred_at is missing'"),
    *(
        (name, test.format(name), reason.format(name))
        for name in _TIMES
        for test, reason in (
            ("raw_{0} IS NOT NULL AND {0} IS NULL", "'{0} is no instant: ' || raw_{0}[:100]"),
            (f"{{0}} NOT BETWEEN {_FIRST} AND {_LAST}", "'{0} is outside the years 1 to 9999'"),
        )
    ),
    *(
        (
            name,
            f"raw_{name} IS NOT NULL AND ({name} IS NULL OR TRY_CAST(raw_{name} AS DOUBLE) IS DISTINCT FROM {name})",
            f"'{name} is no {what}: ' || raw_{name}[:100]",
        )
        for name, what in (("version", "64-bit integer"), ("schema_version", "number from 1"))
    ),
    ("recorded_at", "recorded_at > now() + INTERVAL 5 MINUTE", "'recorded_at is in the future: ' || raw_recorded_at"),
    ("version", f"version = ({LOWEST_VERSION})", "'version is out of range'"),
    ("schema_version", "schema_version < 1", "'schema_version is no number from 1: ' || schema_version"),
    ("data", "NOT is_object", "'the payload is no object'"),
    *(
        rule
        for name in TEXT_COLUMNS
        for rule in (
            (name, f"strlen({name}) > {_LONGEST_NAME}", f"'{name} is longer than {_LONGEST_NAME} bytes'"),
            (name, f"contains({name}, chr(0))", f"'{name} holds a NUL character'"),
        )
    ),
)
"""What can be wrong with a row: the column that must be there for it, the test, the reason."""
_ABSENT = "'there is no column {0}, only ' || $columns || '; map or rename one'"
_ALWAYS = {"stream_id", "type", "service", "occurred_at"}
_FLAWED = """
SELECT row - $first, line, flaw, data::JSON::VARCHAR FROM staged WHERE row >= $first AND flaw IS NOT NULL ORDER BY row
"""
_OBJECT = "starts_with(variant_typeof(data), 'OBJECT')"
_DATE = "'^\\s*[0-9]{4}-[0-9]{2}-[0-9]{2}'"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What an append says once for all its events."""

    service: str = "default"
    stream: str | None = None


def create(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary table ``staged``, empty."""
    cursor.execute(_CREATE)


def stage(cursor: duckdb.DuckDBPyConnection, batch: Batch, first: int, defaults: Defaults) -> list[Refusal]:
    """Add a batch to ``staged`` and return the rows that cannot be stored, in order.

    Args:
        cursor: holds ``staged``.
        batch: the rows.
        first: number of the first of them within the append.
        defaults: what the append says for all.

    Raises:
        InvalidEventError: the batch as a whole cannot be read.
    """
    found = _staged(cursor, replace(batch, refused=()), first, defaults)
    return sorted([*batch.refused, *found], key=lambda refusal: refusal.line or 0)


def _staged(cursor: duckdb.DuckDBPyConnection, batch: Batch, first: int, defaults: Defaults) -> list[Refusal]:
    """Stage a batch; where the engine stumbles over a row, find it by halving."""
    rows = batch.rows.num_rows
    if rows == 0:
        return []
    try:
        return _insert(cursor, batch, first, defaults)
    except Unreadable as error:
        raise InvalidEventError(batch.origin, None, str(error)) from error
    except _FATAL:
        raise
    except _OF_ROWS as error:
        if rows == 1:
            wide = "an integer does not fit 64 bits; send it as text or as a decimal"
            reason = wide if _WIDE in str(error) else f"the event cannot be stored: {str(error).splitlines()[0]}"
            return [Refusal(batch.origin, _lines(batch)[0].as_py(), reason, _raw(batch.rows, 0, None))]
    half = rows // 2
    return [
        *_staged(cursor, _part(batch, 0, half), first, defaults),
        *_staged(cursor, _part(batch, half, rows), first + half, defaults),
    ]


def _part(batch: Batch, start: int, end: int) -> Batch:
    lines = None if batch.lines is None else batch.lines.slice(start, end - start)
    payloads = {name: tuple(_between(group, start, end) for group in groups) for name, groups in batch.payloads.items()}
    rows = batch.rows.take(pa.array(np.arange(start, end)))  # a slice of a list keeps the values of the whole
    return replace(batch, rows=rows, lines=lines, first_line=batch.first_line + start, payloads=payloads)


def _between(group: tuple[pa.Array, pa.Array], start: int, end: int) -> tuple[pa.Array, pa.Array]:
    rows, values = group
    inside = pc.and_(pc.greater_equal(rows, start), pc.less(rows, end))
    return pc.subtract(rows.filter(inside), start), values.filter(inside)


def _insert(cursor: duckdb.DuckDBPyConnection, batch: Batch, first: int, defaults: Defaults) -> list[Refusal]:
    frame = _Frame(groups=dict(batch.payloads))
    table = _normal(cursor, batch, frame)
    apart = {name: groups for name, groups in frame.groups.items() if not _covers(groups, table.num_rows)}
    for name, groups in frame.groups.items():
        if name in apart:
            fill(cursor, f"payload_{name}", groups)
        else:
            table = table.append_column(name, groups[0][1])
    cursor.register("batch", table.combine_chunks())
    given = {
        "origin": batch.origin,
        "first": first,
        "service": defaults.service,
        "columns": ", ".join(batch.rows.column_names)[:200],
        "stream": defaults.stream,
    }
    select = _select(table.schema, apart)
    try:
        cursor.execute(f"INSERT INTO staged BY NAME {select}", {k: v for k, v in given.items() if f"${k}" in select})
    finally:
        cursor.unregister("batch")
    return _flawed(cursor, batch, first)


def _covers(groups: Groups, rows: int) -> bool:
    return len(groups) == 1 and len(groups[0][0]) == rows


def _flawed(cursor: duckdb.DuckDBPyConnection, batch: Batch, first: int) -> list[Refusal]:
    bad = cursor.execute(_FLAWED, {"first": first}).fetchall()
    if bad:
        cursor.execute("DELETE FROM staged WHERE flaw IS NOT NULL")
    return [Refusal(batch.origin, line, flaw, _raw(batch.rows, row, data)) for row, line, flaw, data in bad]


@dataclass(slots=True)
class _Frame:
    """The columns of a batch on their way into the envelope."""

    columns: dict[str, tuple[pa.Field, pa.ChunkedArray | pa.Array]] = field(default_factory=dict)
    groups: dict[str, Groups] = field(default_factory=dict)
    flaws: dict[int, str] = field(default_factory=dict)

    def add(self, column: pa.Field, values: pa.ChunkedArray | pa.Array) -> None:
        """Take a column in, once."""
        if column.name in self.columns:
            raise Unreadable(f"the column {column.name!r} is there twice; rename one")
        self.columns[column.name] = (column, values)

    def flaw(self, found: Mapping[int, str]) -> None:
        """Note what is wrong with some rows; the first reason stands."""
        self.flaws = {**found, **self.flaws}


def _normal(cursor: duckdb.DuckDBPyConnection, batch: Batch, frame: _Frame) -> pa.Table:
    extra: list[tuple[str, pa.Array]] = []
    for column, values in zip(batch.rows.schema, batch.rows.columns, strict=True):
        readable = _readable(column, values, frame)
        if column.name in ENVELOPE:
            frame.add(column.with_type(readable.type), readable)
        elif column.name not in _LEFT_OUT:
            extra.append((column.name, single(readable)))
    if extra:
        _place_extra(frame, extra)
    for name in _PAYLOADS:
        if name in frame.columns:
            _place_payload(cursor, frame, name)
    frame.add(pa.field("line", pa.int64()), _lines(batch))
    rows = batch.rows.num_rows
    frame.add(pa.field("nr", pa.int64()), pa.array(np.arange(rows)))
    flaws = [frame.flaws.get(row) for row in range(rows)] if frame.flaws else pa.nulls(rows, pa.string())
    frame.add(pa.field("known", pa.string()), pa.array(flaws, pa.string()))
    schema = pa.schema([column.with_name(name) for name, (column, _) in frame.columns.items()])
    return pa.table([values for _, values in frame.columns.values()], schema=schema)


def _place_extra(frame: _Frame, extra: list[tuple[str, pa.Array]]) -> None:
    """Make columns that are not of the envelope the payload, or, where there is one, metadata."""
    target = "metadata" if "data" in frame.columns or "data" in frame.groups else "data"
    if target in frame.columns:
        column, values = frame.columns.pop(target)
        parts = column.type if pa.types.is_struct(column.type) and not is_variant(column) else None
        fields = (
            [(f.name, v) for f, v in zip(parts, single(values).flatten(), strict=True)]
            if parts
            else [(target, single(values))]
        )
        extra = [*fields, *extra]
    frame.groups[target] = gather([name for name, _ in extra], [values for _, values in extra])


def _place_payload(cursor: duckdb.DuckDBPyConnection, frame: _Frame, name: str) -> None:
    column, values = frame.columns[name]
    groups = normal(column, values)
    if groups is not None:
        del frame.columns[name]
        frame.groups[name] = groups
    elif pa.types.is_string(column.type):
        flawed = flawed_rows(cursor, values)
        frame.flaw(flawed)
        keep = pa.array([row not in flawed for row in range(len(values))])
        frame.columns[name] = (
            column,
            pc.if_else(keep, values, pa.scalar(None, pa.string())) if flawed else values,
        )


def _readable(column: pa.Field, values: pa.ChunkedArray, frame: _Frame) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        decoded = pa.chunked_array([_decoded(chunk) for chunk in values.chunks], _plain(column.type.value_type))
        return _readable(column.with_type(decoded.type), decoded, frame)
    type_ = values.type if is_variant(column) else _plain(column.type)
    plain = values if type_ == values.type else values.cast(type_)
    if pa.types.is_string(type_):
        return _valid_text(column.name, plain, frame)
    if pa.types.is_nested(type_) and not is_variant(column):
        _check_nested(column.name, plain)
    if pa.types.is_timestamp(type_) and type_.unit != "us":
        return _microseconds(column.name, plain, frame)
    return plain


def _decoded(values: pa.DictionaryArray) -> pa.Array:
    plain = values.dictionary.cast(_plain(values.dictionary.type))
    return pa.DictionaryArray.from_arrays(values.indices, plain).dictionary_decode()


def _check_nested(name: str, values: pa.ChunkedArray) -> None:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"text in {name} is not valid UTF-8") from error


def _plain(type_: pa.DataType) -> pa.DataType:
    """Give the type as which DuckDB reads a column, and everything inside it."""
    found = next((plain for test, plain in _PLAIN if test(type_)), wide(type_))
    if pa.types.is_dictionary(type_):
        found = _plain(type_.value_type)
    elif pa.types.is_struct(type_):
        found = pa.struct([f.with_type(_plain(f.type)) for f in type_])
    elif pa.types.is_list(type_) or pa.types.is_large_list(type_):
        found = pa.list_(_plain(type_.value_type))
    return found


def _valid_text(name: str, values: pa.ChunkedArray, frame: _Frame) -> pa.ChunkedArray:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        texts: list[str | None] = []
        for row, value in enumerate(values.cast(pa.binary()).to_pylist()):
            try:
                texts.append(None if value is None else value.decode())
            except UnicodeDecodeError as error:
                frame.flaw({row: f"{name} is not valid UTF-8: {error.reason} at byte {error.start}"})
                texts.append(None)
        return pa.chunked_array([pa.array(texts, pa.string())])
    return values


def _microseconds(name: str, values: pa.ChunkedArray, frame: _Frame) -> pa.ChunkedArray:
    type_ = pa.timestamp("us", tz=values.type.tz)
    if values.type.unit == "ns":
        return pc.floor_temporal(values, unit="microsecond").cast(type_, safe=False)
    limit = (2**63 - 1) // {"s": 1_000_000, "ms": 1_000}[values.type.unit]
    numbers = values.cast(pa.int64())
    fits = pc.and_(pc.less_equal(numbers, limit), pc.greater_equal(numbers, -limit))
    beyond = np.flatnonzero(pc.fill_null(pc.invert(fits), False).to_numpy())
    frame.flaw({int(row): f"{name} is outside the range of microseconds" for row in beyond})
    return pc.if_else(fits, values, pa.scalar(None, values.type)).cast(type_)


def _lines(batch: Batch) -> pa.Array:
    if batch.lines is not None:
        return batch.lines
    return pa.array(np.arange(batch.first_line, batch.first_line + batch.rows.num_rows))


def _select(schema: pa.Schema, groups: Mapping[str, Groups]) -> str:
    """Read the registered batch as rows of ``staged``; all names in the text are the envelope's own."""
    columns = [f"{_value(schema, groups, name)} AS {name}" for name in ENVELOPE]
    columns += [f"{_raw_text(schema, name)} AS raw_{name}" for name in _PARSED]
    joins = " ".join(f"LEFT JOIN (SELECT nr, value AS {name} FROM payload_{name}) USING (nr)" for name in groups)
    given = f"nr + $first AS row, $origin AS origin, line, known, {', '.join(columns)}"
    outer = f"*, {_is_object(schema)} AS is_object"
    inner = f"SELECT {outer} FROM (SELECT {given} FROM {_source(schema)} {joins})"
    return f"SELECT row, origin, line, {', '.join(ENVELOPE)}, {_flaw(schema.names)} AS flaw FROM ({inner})"


def _flaw(columns: Iterable[str]) -> str:
    """Say what is wrong with a row; NULL where nothing is."""
    there = {*columns}
    absent = [(f"{name} IS NULL", _ABSENT.format(name)) for name in REQUIRED if name not in there]
    rules = [*absent, *((test, reason) for name, test, reason in _RULES if name in there | _ALWAYS)]
    return f"CASE {' '.join(f'WHEN {test} THEN {reason}' for test, reason in rules)} END"


def _source(schema: pa.Schema) -> str:
    texts = [name for name in _PAYLOADS if _is_text(schema, name)]
    if not texts:
        return "batch"
    packed = ", ".join(f"{AS_VARIANT[1].format(json=name)} AS {name}, {_nothing(name)} AS no_{name}" for name in texts)
    return f"(SELECT * EXCLUDE ({', '.join(texts)}), {packed} FROM batch)"


def _nothing(name: str) -> str:
    return f"({name} IS NULL OR trim({name}) = 'null')"


def _is_object(schema: pa.Schema) -> str:
    """Test the payload's kind where the column does not say it."""
    if "data" not in schema.names:
        return "true"
    column = schema.field("data")
    return "true" if pa.types.is_struct(column.type) and not is_variant(column) else _OBJECT


def _value(schema: pa.Schema, groups: Mapping[str, Groups], name: str) -> str:
    if name in _PAYLOADS:
        return _payload(schema, groups, name)
    if name not in schema.names:
        return _DEFAULTS.get(name, f"NULL::{TYPES[name]}")
    if name in _TIMES:
        return _time(schema, name)
    value = f"TRY_CAST({name} AS {TYPES[name]})"
    if name == "schema_version":
        return f"CASE WHEN {name} IS NULL THEN 1 ELSE {value} END"
    return f"coalesce({value}, {_DEFAULTS[name]})" if name in ("service", "stream_id") else value


def _payload(schema: pa.Schema, groups: Mapping[str, Groups], name: str) -> str:
    none = _EMPTY if name == "data" else "NULL::VARIANT"
    if name not in schema.names and name not in groups:
        return none
    if _is_text(schema, name):
        return f"CASE WHEN no_{name} THEN {none} ELSE {AS_VARIANT[0].replace('p.', f'{name}.')} END"
    return f"CASE WHEN {name} IS NULL THEN {none} ELSE {name}::VARIANT END"


def _time(schema: pa.Schema, name: str) -> str:
    if _is_text(schema, name):
        return f"CASE WHEN regexp_matches({name}, {_DATE}) THEN TRY_CAST({name} AS TIMESTAMPTZ) END"
    type_ = schema.field(name).type
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        return f"TRY_CAST({name} AS TIMESTAMPTZ)"
    return "NULL::TIMESTAMPTZ"


def _raw_text(schema: pa.Schema, name: str) -> str:
    return f"{name}::VARCHAR" if name in schema.names else "NULL::VARCHAR"


def _is_text(schema: pa.Schema, name: str) -> bool:
    return name in schema.names and pa.types.is_string(schema.field(name).type)


def _raw(rows: pa.Table, row: int, data: str | None) -> str:
    columns = [(f.name, rows.column(i)[row]) for i, f in enumerate(rows.schema) if not is_variant(f)]
    values = {name: _shown(value) for name, value in columns if value.is_valid}
    return json.dumps({"data": data, **values}, default=str)[:_LONGEST_RAW]


def _shown(value: pa.Scalar) -> object:
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        nested = pa.types.is_nested(value.type)
        return f"a {value.type} that is no text" if nested else _raw_bytes(value)


def _raw_bytes(value: pa.Scalar) -> str:
    number = getattr(value, "value", None)
    return repr(value.cast(pa.binary()).as_py() if number is None else number)
