"""A column of Python values as Arrow arrays, one for each kind of value.

The arrays of ``total`` are called ``int total``, ``text total`` and so on. So no two files disagree about a type, and
what type a column has in the end does not depend on where one file ends and the next begins.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID

import pyarrow as pa

from esanalytics.reducing._values import NAMES, Nested, Shape, scale_of

__all__ = ["Column", "spread"]

_DIGITS = 38


@dataclass(slots=True)
class Column:
    """What is known of a column of the state.

    Attributes:
        first: the stream, and the number of the row, that had it first; columns stand in this order.
        stored: for each kind of value, the DuckDB types that its values have.
        shape: what its lists and mappings hold.
    """

    first: tuple[Any, ...]
    stored: dict[str, set[str]] = field(default_factory=dict)
    shape: Shape = field(default_factory=Shape)

    def merge(self, other: Column) -> None:
        """Add what is known from elsewhere."""
        self.first = min(self.first, other.first)
        self.shape.merge(other.shape)
        for token, types in other.stored.items():
            self.stored.setdefault(token, set()).update(types)


def spread(name: str, values: list[Any], column: Column) -> dict[str, pa.Array]:
    """Spread the values of a column over one array for each kind, and note their types."""
    arrays = {}
    kinds = set(map(type, values)) - {NoneType}
    for kind in sorted(kinds, key=str):
        own = values if len(kinds) == 1 else [value if type(value) is kind else None for value in values]
        for token, array, type_ in _SPREAD.get(kind, _whole)(own):
            arrays[f"{token} {name}"] = array
            column.stored.setdefault(token, set()).add(type_)
    for value in values if Nested in kinds else ():
        if isinstance(value, Nested):
            column.shape.merge(value.shape)
    return arrays


def _whole(values: list[Any]) -> Iterable[_Array]:
    kind = type(next(value for value in values if value is not None))
    token, type_ = _STORED[kind]
    yield token, pa.array(values, type_), NAMES[kind]


def _uuids(values: list[UUID | None]) -> Iterable[_Array]:
    yield "uuid", pa.array([None if value is None else str(value) for value in values], pa.string()), "UUID"


def _nested(values: list[Nested | None]) -> Iterable[_Array]:
    yield "json", pa.array([None if value is None else value.text for value in values], pa.string()), "JSON"


def _datetimes(values: list[dt.datetime | None]) -> Iterable[_Array]:
    """Tell instants from datetimes without a time zone."""
    for token, naive, zone in (("instant", False, "UTC"), ("naive", True, None)):
        own = [value if value is not None and (value.tzinfo is None) is naive else None for value in values]
        if any(value is not None for value in own):
            yield token, pa.array(own, pa.timestamp("us", tz=zone)), "TIMESTAMP" if naive else "TIMESTAMPTZ"


def _decimals(values: list[Decimal | None]) -> Iterable[_Array]:
    """Store numbers of one scale together where all of them have no room in one DECIMAL; each by itself has."""
    together = pa.array(values).type
    if together.precision <= _DIGITS:
        yield _decimal(values, together.precision, together.scale)
        return
    for scale in sorted({scale_of(value) for value in values if value is not None}):
        own = [value if value is not None and scale_of(value) == scale else None for value in values]
        yield _decimal(own, pa.array(own).type.precision, scale)


def _decimal(values: list[Decimal | None], digits: int, scale: int) -> _Array:
    return f"decimal{scale}", pa.array(values, pa.decimal128(_DIGITS, scale)), f"DECIMAL({digits},{scale})"


_Array = tuple[str, pa.Array, str]
_STORED: Mapping[type, tuple[str, pa.DataType]] = {
    bool: ("bool", pa.bool_()),
    int: ("int", pa.int64()),
    float: ("float", pa.float64()),
    str: ("text", pa.string()),
    bytes: ("bytes", pa.binary()),
    dt.date: ("date", pa.date32()),
    dt.time: ("time", pa.time64("us")),
}
_SPREAD: Mapping[type, Callable[[list[Any]], Iterable[_Array]]] = {
    UUID: _uuids,
    Nested: _nested,
    dt.datetime: _datetimes,
    Decimal: _decimals,
}
