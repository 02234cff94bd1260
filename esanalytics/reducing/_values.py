"""What a state may hold: values as a table takes them, and the one type of a column over all of its values."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring
from types import NoneType
from typing import Any
from uuid import UUID

from esanalytics.projections import unify

__all__ = ["NAMES", "PLAIN", "Nested", "Shape", "Unfit", "admitted", "is_short", "is_table", "one_type", "scale_of"]

PLAIN = frozenset({NoneType, bool, float, dt.date, dt.time, dt.datetime, UUID})
"""Types of which every value can be stored as it is."""

_INT64 = range(-(2**63), 2**63)
_DIGITS = 38
_NARROW = 18
_FIELDS = 64
_TOO_LONG = (f"a number of more than {_DIGITS} digits", "round it, or give its text")
NAMES = {
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    str: "VARCHAR",
    bytes: "BLOB",
    dt.date: "DATE",
    dt.time: "TIME",
    UUID: "UUID",
}
"""The DuckDB types of single values that need not be looked at to tell."""


class Unfit(Exception):  # noqa: N818  it never leaves the package
    """A value that no table can hold. Args: what it is, what to do."""


@dataclass(slots=True)
class Shape:
    """What has been seen in a list or a mapping, and in what these hold.

    Attributes:
        kinds: the DuckDB types of single values.
        named: the shape of each key of the mappings; None: there was no mapping.
        element: the shape of the lists' elements; None: there was no list.
    """

    kinds: set[str] = field(default_factory=set)
    named: dict[str, Shape] | None = None
    element: Shape | None = None

    def merge(self, other: Shape) -> None:
        """Add what another has seen."""
        self.kinds |= other.kinds
        for name, shape in (other.named or {}).items():
            self.of(name).merge(shape)
        if other.named is not None and self.named is None:
            self.named = {}
        if other.element is not None:
            self.of_elements().merge(other.element)

    def of(self, name: str) -> Shape:
        """Return the shape of a key."""
        if self.named is None:
            self.named = {}
        return self.named.setdefault(name, Shape())

    def of_elements(self) -> Shape:
        """Return the shape of elements."""
        if self.element is None:
            self.element = Shape()
        return self.element

    def structure(self) -> Any:  # noqa: ANN401  JSON, as from_json reads it
        """Return what tells DuckDB how to read the JSON text; ``"JSON"`` where the values do not agree."""
        seen = [bool(self.kinds), self.named is not None, self.element is not None]
        if sum(seen) > 1:
            return "JSON"
        if self.named is not None:
            return {name: self.named[name].structure() for name in sorted(self.named)} if self._is_struct() else "JSON"
        if self.element is not None:
            return [self.element.structure()]
        return (one_type(self.kinds) or "JSON") if self.kinds else "VARCHAR"

    def _is_struct(self) -> bool:
        """Tell whether the keys can be the fields of a struct: few, and told apart whatever their case."""
        names = self.named or {}
        return 0 < len(names) <= _FIELDS and "" not in names and len({name.lower() for name in names}) == len(names)


@dataclass(frozen=True, slots=True)
class Nested:
    """A list or a mapping as it was at one moment, as JSON text with exact numbers."""

    text: str
    shape: Shape

    def __len__(self) -> int:
        return len(self.text)


def admitted(value: Any) -> Any:  # noqa: ANN401  any value
    """Return a value as one of the types that are stored, as it is at this moment.

    Raises:
        Unfit: no table can hold it.
    """
    check = _CHECKS.get(type(value))
    return check(value) if check else _admitted_kin(value)


def is_table(value: object) -> bool:
    """Tell whether a value has named parts: it is a mapping or a dataclass."""
    return isinstance(value, Mapping) or (is_dataclass(value) and not isinstance(value, type))


def one_type(kinds: Iterable[str]) -> str | None:
    """Give the one type for values of some types, DECIMAL with 18 or 38 digits; None where there is none."""
    found = frozenset(kinds)
    type_ = unify(found)
    if type_ in {"VARCHAR", "VARIANT"} and len(found) > 1:
        return None
    if type_.startswith("DECIMAL"):
        width, scale = map(int, type_[len("DECIMAL(") : -1].split(","))
        return f"DECIMAL({_NARROW if width <= _NARROW else _DIGITS},{scale})" if width <= _DIGITS else "DOUBLE"
    return type_


def scale_of(value: Decimal) -> int:
    """Return how many digits a number has after the point."""
    exponent = value.as_tuple()[2]
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _integer(value: int) -> int | Decimal:
    return value if value in _INT64 else _decimal(Decimal(value))


def is_short(value: Decimal) -> bool:
    """Tell quickly that a number can be stored as it is; what is not short may be, too."""
    text = str(value)
    return len(text) <= _DIGITS and value.is_finite() and "E" not in text


def _decimal(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise Unfit(f"the Decimal {value}", "give a number, or None")
    if max(value.adjusted() + 1, 0) + scale_of(value) > _DIGITS:
        raise Unfit(*_TOO_LONG)
    return value


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Unfit("text that is not valid Unicode", "give it as bytes, or mend it") from error
    return value


def _nested(value: Any) -> Nested:  # noqa: ANN401  a list, a mapping or the like
    shape = Shape()
    try:
        return Nested(_json(value, shape), shape)
    except RecursionError as error:
        raise Unfit("something that is nested too deep, or holds itself", "give it fewer levels") from error


def _json(value: Any, shape: Shape) -> str:  # noqa: ANN401  any value
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        inner = shape.of_elements()
        return f"[{','.join([_json(item, inner) for item in value])}]"
    if is_table(value):
        shape.named = {} if shape.named is None else shape.named
        return f"{{{','.join([_pair(key, item, shape) for key, item in _named(value)])}}}"
    single = admitted(value)
    if isinstance(single, Nested):  # an Enum, or something of numpy, that stands for a list
        shape.merge(single.shape)
        return single.text
    if single is None:
        return "null"
    shape.kinds.add(_type_of(single))
    return _single(single)


def _named(value: Any) -> Iterable[tuple[Any, Any]]:  # noqa: ANN401  a mapping or a dataclass
    if isinstance(value, Mapping):
        return value.items()
    return ((part.name, getattr(value, part.name)) for part in fields(value))


def _pair(key: object, value: object, shape: Shape) -> str:
    if not isinstance(key, str):
        raise Unfit(f"a mapping with a key of type {type(key).__name__}", "give keys that are text")
    return f"{encode_basestring(_text(key))}:{_json(value, shape.of(key))}"


def _type_of(value: Any) -> str:  # noqa: ANN401  a single value
    if isinstance(value, Decimal):
        scale = scale_of(value)
        return f"DECIMAL({max(value.adjusted() + 1, 0) + scale},{scale})"
    if isinstance(value, dt.datetime):
        return "TIMESTAMP" if value.tzinfo is None else "TIMESTAMPTZ"
    return NAMES[type(value)]


def _single(value: Any) -> str:  # noqa: ANN401  a single value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        raise Unfit("bytes in a list or a mapping", "give them a column of their own, or as text")
    return str(encode_basestring(value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)))


def _admitted_kin(value: Any) -> Any:  # noqa: ANN401  a value of a type that is not stored as it is
    if isinstance(value, Enum):
        return admitted(value.value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return admitted(value.tolist())
    if isinstance(value, dt.datetime):  # such as a pandas.Timestamp; not-a-time is not equal to itself
        return dt.datetime.combine(value.date(), value.timetz()) if value == value else None  # noqa: PLR0124
    if is_table(value) or isinstance(value, list | tuple):
        return _nested(value)
    base = next((kind for kind in (int, float, str, bytes, Decimal) if isinstance(value, kind)), None)
    if base is None:
        remedy = "give what JSON has, Decimal, datetime, date, time, UUID or bytes"
        raise Unfit(f"a value of type {type(value).__name__}", remedy)
    return admitted(base(value))


_CHECKS: Mapping[type, Callable[[Any], Any]] = {
    **dict.fromkeys(PLAIN, lambda value: value),
    int: _integer,
    Decimal: _decimal,
    str: _text,
    bytes: lambda value: value,
    dict: _nested,
    list: _nested,
    tuple: _nested,
}
