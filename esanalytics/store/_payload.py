"""Payloads on their way in: whatever they are, as VARIANT, with nothing lost and nothing bent.

What a VARIANT in Parquet cannot hold (an integer outside 64 bits, an empty key) is found here, before
anything is written, and so is what JSON readers lose without a word: a key given twice.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import uuid
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from esanalytics.events import Groups

__all__ = [
    "AS_VARIANT",
    "Inexact",
    "common_type",
    "fill",
    "flawed_rows",
    "has_empty_name",
    "is_variant",
    "json_flaw",
    "shapes",
    "to_json",
    "wide",
]

AS_VARIANT = (
    "variant_bytes_to_variant(p.metadata || p.value)",
    "variant_to_parquet_variant({json}::JSON::VARIANT)::STRUCT(metadata BLOB, value BLOB)",
)
"""JSON text to VARIANT, in two steps. DuckDB reads a positive integer of JSON as UINT64, which Parquet does
not shred (a fold over it is then 15 times slower); through Parquet's own encoding it comes back as INT64."""

_SUSPICIOUS = """
SELECT row, data FROM (
    SELECT row, data, CASE WHEN json_valid(data) THEN data::JSON::VARIANT::JSON::VARCHAR END AS plain FROM payload_text
)
WHERE data IS NOT NULL AND (
    plain IS NULL
    OR regexp_matches(data, '[0-9]{19}|""\\s*:|[eE]\\+?[0-9]{3}')
    OR length(data) - length(replace(data, '":', '')) <> length(plain) - length(replace(plain, '":', ''))
)
ORDER BY row
"""
_FROM_TEXT = (
    f"SELECT nr, {AS_VARIANT[0]} FROM (SELECT nr, {AS_VARIANT[1].format(json='value')} AS p FROM payload_group)"
)
_FROM_STRUCT = "SELECT nr, value::VARIANT FROM payload_group"
_FEW = 500
_NARROW = 18
_MANY_SHAPES = 1_000
_SHAPES: dict[Hashable, pa.DataType] = {}
"""Arrow types of payloads by their shape: what they are, never whose they are."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_INT64 = range(-(2**63), 2**63)


class Inexact(TypeError):  # noqa: N818  a signal inside this package, never seen by a user
    """JSON has no type for a value of this payload."""


class _FlawError(ValueError):
    """What is wrong with a text, on its way out of the JSON reader."""


def to_json(payload: Mapping[str, Any]) -> str:
    """Write a payload as JSON text.

    Raises:
        Inexact: JSON would bend one of its values (``Decimal``, ``datetime``, ``date``, ``bytes``).
        TypeError: a value is of a type that no payload can hold.
    """
    return _ENCODER.encode(payload)


def json_flaw(text: str) -> str | None:
    """Say what is wrong with a JSON text, exactly; None where nothing is."""
    try:
        value = json.loads(text, object_pairs_hook=_pairs, parse_int=_integer, parse_float=_float)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except _FlawError as error:
        return str(error)
    except UnicodeEncodeError:
        return "the payload holds half a character (a lone surrogate)"
    except RecursionError:
        return "the payload is nested too deep to be checked"
    except ValueError as error:
        return f"malformed JSON: {error}"
    return None


def flawed_rows(cursor: duckdb.DuckDBPyConnection, texts: pa.ChunkedArray | pa.Array) -> dict[int, str]:
    """Find the rows of JSON text that cannot be stored as they are, with the reason for each."""
    if len(texts) <= _FEW:
        found = ((row, json_flaw(text)) for row, text in enumerate(texts.to_pylist()) if text is not None)
        return {row: reason for row, reason in found if reason is not None}
    if texts.null_count == len(texts):
        return {}
    rows = pa.table({"row": pa.array(range(len(texts)), pa.int64()), "data": texts})
    cursor.register("payload_text", rows)
    try:
        suspects = cursor.execute(_SUSPICIOUS).fetchall()
    finally:
        cursor.unregister("payload_text")
    reasons = ((row, json_flaw(text)) for row, text in suspects)
    return {row: reason for row, reason in reasons if reason is not None}


def is_variant(column: pa.Field) -> bool:
    """Tell whether an Arrow column holds DuckDB's exact VARIANT."""
    return (column.metadata or {}).get(b"ARROW:extension:name") == b"arrow.parquet.variant"


def fill(cursor: duckdb.DuckDBPyConnection, table: str, groups: Groups) -> None:
    """Make the temporary table ``table (nr, value VARIANT)`` out of groups of payloads."""
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE {table} (nr BIGINT, value VARIANT)")
    for rows, values in groups:
        cursor.register("payload_group", pa.table({"nr": rows.cast(pa.int64()), "value": values}))
        try:
            cursor.execute(f"INSERT INTO {table} {_FROM_TEXT if pa.types.is_string(values.type) else _FROM_STRUCT}")
        finally:
            cursor.unregister("payload_group")


def common_type(value: object) -> pa.DataType:
    """Return the Arrow type of a Python payload; decimals have 18 or 38 digits, so that files shred alike.

    Raises:
        TypeError: a list in it mixes types.
        ValueError: it has an empty key.
    """
    shape = _shape(value)
    known = _SHAPES.get(shape)
    if known is not None:
        return known
    try:
        type_ = _wide(pa.array([value]).type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise TypeError(str(error)) from error
    if has_empty_name(type_):
        raise ValueError("an empty key in the payload")
    if len(_SHAPES) < _MANY_SHAPES:
        _SHAPES[shape] = type_
    return type_


def _shape(value: object) -> Hashable:
    """Give what decides the Arrow type of a Python value, as something to look up."""
    if isinstance(value, Mapping):
        return tuple((name, _shape(inner)) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return list, tuple(map(_shape, value))
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        return Decimal, exponent, max(len(digits), -exponent if isinstance(exponent, int) else 0) > _NARROW
    if isinstance(value, dt.datetime):
        return dt.datetime, value.tzinfo is not None, str(value.tzinfo)
    return (type(value),)


def has_empty_name(type_: pa.DataType) -> bool:
    """Tell whether a field somewhere inside a type has no name."""
    if pa.types.is_struct(type_):
        return any(f.name == "" or has_empty_name(f.type) for f in type_)
    return bool(pa.types.is_list(type_) and has_empty_name(type_.value_type))


def shapes(rows: Sequence[int], values: Sequence[object]) -> Groups:
    """Group Python payloads by their Arrow type; ``rows`` are the numbers of those to take."""
    found: dict[pa.DataType, list[int]] = {}
    for row in rows:
        found.setdefault(common_type(values[row]), []).append(row)
    return tuple(
        (pa.array(members, pa.int64()), pa.array([values[row] for row in members], type_))
        for type_, members in found.items()
    )


def wide(type_: pa.DataType) -> pa.DataType:
    """Give a decimal type 18 or 38 digits, so that files shred alike; others stay as they are."""
    if pa.types.is_decimal(type_) and not pa.types.is_decimal256(type_):
        return pa.decimal128(_NARROW if type_.precision <= _NARROW else 38, type_.scale)
    return type_


def _wide(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(type_):
        return wide(type_)
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(f.name, _wide(f.type)) for f in type_])
    if pa.types.is_list(type_):
        return pa.list_(_wide(type_.value_type))
    return type_


def _default(value: object) -> object:
    if isinstance(value, Decimal | dt.datetime | dt.date | dt.time | bytes | bytearray):
        raise Inexact(type(value).__name__)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return _exact(value.item())
    raise TypeError(f"a payload cannot hold a {type(value).__name__}")


def _exact(value: object) -> object:
    return _default(value) if isinstance(value, dt.datetime | dt.date) else value


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if "" in found:
        raise _FlawError("an empty key in the payload")
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _FlawError(f"duplicate key {next(n for n in names if names.count(n) > 1)!r} in the payload")
    return found


def _integer(text: str) -> int:
    if len(text) > 20 or int(text) not in _INT64:  # noqa: PLR2004  longer than any 64-bit integer
        raise _FlawError(f"the integer {text[:40]} does not fit 64 bits; send it as text or as a decimal")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _FlawError(f"the number {text[:40]} does not fit a double; send it as text")
    return value


_ENCODER = json.JSONEncoder(default=_default, check_circular=False)
