"""Rows as bytes: CSV, JSON, Parquet. Numbers keep their digits, and nothing holds more than a few batches."""

from __future__ import annotations

import datetime as dt
import json as _json
import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["csv", "encoded", "json", "lines", "parquet", "plain", "seconds"]

Batches = Iterable[pa.RecordBatch]
_UNSAFE = '",\r\n'


def csv(batches: Batches, payloads: frozenset[str]) -> Iterator[bytes]:
    """Write CSV with a header: NULL is an empty cell, an empty text a quoted one."""
    header = False
    for batch in batches:
        if not header:
            names = _quoted(pa.array(batch.schema.names, pa.string())).to_pylist()
            yield (",".join(names) + "\n").encode()
            header = True
        cells = [_cell(column, payload=name in payloads) for name, column in _columns(batch)]
        if batch.num_rows:
            yield _joined(pc.binary_join_element_wise(*cells, ","), "\n").encode() + b"\n"


def json(batches: Batches, payloads: frozenset[str]) -> Iterator[bytes]:
    """Write one JSON array, a row per line."""
    before = "["
    for batch in batches:
        parts: list[Any] = []
        for number, (name, column) in enumerate(_columns(batch)):
            parts += [f"{',' if number else '{'}{encode_basestring(name)}:", _value(column, payload=name in payloads)]
        if batch.num_rows:
            rows = pc.binary_join_element_wise(*parts, "}", "")
            yield f"{before}\n{_joined(rows, ',' + chr(10))}".encode()
            before = ","
    yield b"[]\n" if before == "[" else b"\n]\n"


def parquet(batches: Batches, _payloads: frozenset[str]) -> Iterator[bytes]:
    """Write Parquet; payloads are JSON text."""
    import pyarrow.parquet as pq  # noqa: PLC0415  only here

    pending = iter(batches)
    first = next(pending)
    tray = _Tray()
    with pq.ParquetWriter(pa.PythonFile(tray, "w"), first.schema, compression="zstd") as writer:
        for batch in pending:
            writer.write_batch(batch)
            yield tray.take()
    yield tray.take()


def lines(texts: Iterable[str]) -> bytes:
    """Write lines of text, without blanks at their ends."""
    return "".join(text.rstrip() + "\n" for text in texts).encode(errors="replace")


def seconds(value: dt.datetime) -> str:
    """Write an instant as tables show it, to the second."""
    return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def plain(column: pa.Array, *, payload: bool = False) -> pa.Array:
    """Give each value as the text a person would write; NULL stays NULL."""
    type_ = column.type
    if payload:
        return pa.array([None if text is None else _unwrapped(text) for text in column.to_pylist()], pa.string())
    if pa.types.is_dictionary(type_):
        return plain(column.dictionary_decode())
    if pa.types.is_timestamp(type_):
        return _instants(column)
    if pa.types.is_decimal(type_):
        return _decimals(column)
    if pa.types.is_binary(type_) or pa.types.is_nested(type_) or pa.types.is_interval(type_):
        return pa.array([None if value is None else _text(value) for value in _values(column)], pa.string())
    return column.cast(pa.string())


def encoded(value: Any) -> str:  # noqa: ANN401, PLR0911  any value of any column
    """Write a value as JSON; numbers keep their digits, bytes become hexadecimal."""
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool | int):
        return _json.dumps(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "null"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{encode_basestring(_text(k))}:{encoded(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        pairs = bool(value) and all(type(part) is tuple for part in value)  # how Arrow hands out a map
        return encoded(dict(value)) if pairs else "[" + ",".join(map(encoded, value)) + "]"
    return encode_basestring(_text(value))


def _text(value: Any) -> str:  # noqa: ANN401  any value of any column
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dt.datetime):
        text = value.replace(tzinfo=None).isoformat(timespec="microseconds")
        return text if value.tzinfo is None else f"{text}Z"
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, pa.MonthDayNano):
        months, days, nanoseconds = value
        return f"P{months}M{days}DT{Decimal(nanoseconds).scaleb(-9):f}S"
    return encoded(value)


def _values(column: pa.Array) -> list[Any]:
    found: list[Any] = column.to_pylist()
    return [None if row is None else dict(row) for row in found] if pa.types.is_map(column.type) else found


def _value(column: pa.Array, *, payload: bool) -> pa.Array:
    """Give each value as JSON."""
    type_ = column.type
    if payload:
        found = column
    elif pa.types.is_boolean(type_) or pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        found = plain(column)
    elif pa.types.is_floating(type_):
        found = pc.if_else(pc.is_finite(column), column, None).cast(pa.string())
    elif pa.types.is_temporal(type_) and not pa.types.is_interval(type_):
        found = pc.binary_join_element_wise('"', plain(column), '"', "")
    else:
        found = pa.array([None if value is None else encoded(value) for value in _values(column)], pa.string())
    return pc.fill_null(found, "null")


def _unwrapped(text: str) -> str | None:
    """Take the quotes off JSON text that is a string; null is NULL."""
    if text.startswith('"'):
        return str(_json.loads(text))
    return None if text == "null" else text


def _instants(column: pa.Array) -> pa.Array:
    unit = "ns" if column.type.unit == "ns" else "us"
    text = column.cast(pa.timestamp(unit)).cast(pa.string())
    ends = "Z" if column.type.tz else ""
    return pc.binary_join_element_wise(pc.replace_substring(text, " ", "T"), ends, "")


def _decimals(column: pa.Array) -> pa.Array:
    text = column.cast(pa.string())
    if pc.any(pc.match_substring(text, "E")).as_py():
        return pa.array([None if value is None else f"{value:f}" for value in column.to_pylist()], pa.string())
    return text


def _cell(column: pa.Array, *, payload: bool) -> pa.Array:
    text, type_ = plain(column, payload=payload), column.type
    safe = pa.types.is_temporal(type_) or pa.types.is_primitive(type_) or pa.types.is_decimal(type_)
    return pc.fill_null(text if safe else _quoted(text), "")


def _quoted(text: pa.Array) -> pa.Array:
    needed = pc.equal(text, "")
    for character in _UNSAFE:
        needed = pc.or_(needed, pc.match_substring(text, character))
    if not pc.any(needed).as_py():
        return text
    inside = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
    return pc.if_else(needed, inside, text)


def _columns(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.Array]]:
    yield from zip(batch.schema.names, batch.columns, strict=True)


def _joined(rows: pa.Array, between: str) -> str:
    return between.join(rows.to_pylist())


class _Tray:
    """Takes what a writer writes until it is carried away."""

    closed = False

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._written = 0

    def write(self, data: bytes) -> int:
        self._held.append(bytes(data))
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Do nothing: what is held is taken soon."""

    def close(self) -> None:
        """Do nothing: what is held is still to be taken."""

    def take(self) -> bytes:
        found, self._held = b"".join(self._held), []
        return found
