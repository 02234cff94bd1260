"""Types: what the log holds at a path, and the one type that holds it all."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

__all__ = [
    "DECLARABLE",
    "UNKNOWN",
    "Held",
    "common",
    "decimal_of",
    "declared_type",
    "digits_of",
    "element_of",
    "held_types",
    "is_integer",
    "is_numeric",
    "is_same_through",
    "stored_type",
    "type_of",
    "unify",
    "unify_known",
    "with_zero",
]

Held = Mapping[tuple[str, ...], Mapping[str | None, frozenset[str]]]
"""Which DuckDB types the log holds at a payload path, by event type; None: in any event type."""

UNKNOWN = "UNKNOWN"
"""The type of a value that is always NULL: it becomes whatever it meets."""

DECLARABLE = (
    "BIGINT", "BOOLEAN", "DATE", "DECIMAL(p,s)", "DOUBLE", "INTEGER", "SMALLINT", "TIMESTAMP", "TIMESTAMPTZ",
    "TINYINT", "VARCHAR", "VARIANT",
)  # fmt: skip
"""The types a field may be declared with, and lists of them such as ``VARCHAR[]``."""

_MAX_DIGITS = 38
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_TEMPORAL = ("DATE", "TIMESTAMP", "TIMESTAMPTZ")
_DECIMAL = re.compile(r"(?:DECIMAL|NUMERIC)\((\d+),\s*(\d+)\)")
_NESTED = re.compile(r"(STRUCT|OBJECT|ARRAY|MAP|LIST|UNION|VARIANT).*|.*\]")
_PYTHON: tuple[tuple[type, str], ...] = (
    (bool, "BOOLEAN"),
    (int, "BIGINT"),
    (float, "DOUBLE"),
    (str, "VARCHAR"),
    (dt.datetime, "TIMESTAMPTZ"),
    (dt.date, "DATE"),
)
_ALIASES = {
    "BOOL": "BOOLEAN", "BOOL_TRUE": "BOOLEAN", "BOOL_FALSE": "BOOLEAN", "INT": "INTEGER", "LONG": "BIGINT",
    "STRING": "VARCHAR", "TEXT": "VARCHAR", "JSON": "VARCHAR", "DECIMAL": "DECIMAL(18,3)", "NUMERIC": "DECIMAL(18,3)",
    **dict.fromkeys(("TIMESTAMP WITH TIME ZONE", "TIMESTAMP_MICROS_TZ", "TIMESTAMP_NANOS_TZ"), "TIMESTAMPTZ"),
    "TIMESTAMP_MICROS": "TIMESTAMP", "TIMESTAMP_NANOS": "TIMESTAMP", "DATETIME": "TIMESTAMP", "FLOAT": "DOUBLE",
    "REAL": "DOUBLE",
    **dict.fromkeys(("INT8", "INT16", "INT32", "INT64", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"), "BIGINT"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32", "UINT64", "HUGEINT", "INT128"), "BIGINT"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "UINT128"), "BIGINT"),
}  # fmt: skip


def declared_type(name: str) -> str | None:
    """Write a declared type the one way it is written; None where it is none of `DECLARABLE`."""
    plain = " ".join(name.upper().split())
    if plain.endswith("[]"):
        element = declared_type(plain[:-2])
        return None if element is None else f"{element}[]"
    found = plain if plain in _INTEGERS else _ALIASES.get(plain, plain)
    digits = decimal_of(found)
    if digits is not None:
        return f"DECIMAL({digits[0]},{digits[1]})" if 1 <= digits[0] <= _MAX_DIGITS >= digits[0] >= digits[1] else None
    return found if found in DECLARABLE else None


def unify(types: frozenset[str]) -> str:
    """Give the one type that holds values of all these types.

    Integers are BIGINT; integers and decimals a DECIMAL that holds both exactly (DOUBLE beyond 38 digits);
    numbers and doubles DOUBLE; objects and arrays VARIANT; what otherwise disagrees, and nothing at all, VARCHAR.

    Example:
        >>> unify(frozenset({"TINYINT", "DECIMAL(4,2)"}))
        'DECIMAL(21,2)'
    """
    known = unify_known(types)
    return "VARCHAR" if known == UNKNOWN else known


def unify_known(types: Iterable[str]) -> str:
    """Unify the types of stored values; `UNKNOWN` where there are none."""
    return common(_normal(name) for name in types)


def stored_type(types: Iterable[str]) -> str | None:
    """Give the type in which all the values are stored; None where they differ, nest or are unknown."""
    found = {_normal(name) for name in types} - {UNKNOWN}
    return found.pop() if len(found) == 1 and found != {"VARIANT"} else None


def is_same_through(stored: str, type_: str) -> bool:
    """Tell whether casting a VARIANT through the type it is stored in gives what casting it directly gives.

    Not so for text: ``'1.5'`` as BIGINT is NULL out of a VARIANT and 2 out of a VARCHAR, ``'y'`` as BOOLEAN is NULL
    and true, and there are others for DOUBLE and DATE. The direct cast is the meaning.
    """
    return stored != "VARCHAR" or decimal_of(type_) is not None or type_ in {"VARCHAR", "TIMESTAMP", "TIMESTAMPTZ"}


def common(types: Iterable[str]) -> str:
    """Give the type to which values of these types are brought when they meet in one column."""
    found = frozenset(types) - {UNKNOWN}
    if len(found) <= 1:
        return next(iter(found), UNKNOWN)
    if all(is_numeric(name) for name in found):
        return _number(found)
    if found <= frozenset(_TEMPORAL):
        return "TIMESTAMPTZ" if "TIMESTAMPTZ" in found else "TIMESTAMP"
    if any(name == "VARIANT" or element_of(name) is not None for name in found):
        return "VARIANT"
    return "VARCHAR"


def is_integer(name: str) -> bool:
    """Tell whether a type holds whole numbers."""
    return name in _INTEGERS


def is_numeric(name: str) -> bool:
    """Tell whether a type holds numbers."""
    return name == "DOUBLE" or is_integer(name) or decimal_of(name) is not None


def decimal_of(name: str) -> tuple[int, int] | None:
    """Read the digits and the scale of a DECIMAL; None for another type."""
    match = _DECIMAL.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def digits_of(value: Decimal) -> tuple[int, int]:
    """Give the width and the scale of the DECIMAL that a number is."""
    _, digits, exponent = value.as_tuple()
    power = exponent if isinstance(exponent, int) else 0
    scale = max(0, -power)
    return max(len(digits) + max(0, power), scale + 1), scale


def type_of(value: object) -> str | None:
    """Give the type of a plain Python value; None where it has none."""
    if isinstance(value, Decimal):
        width, scale = digits_of(value)
        return f"DECIMAL({width},{scale})"
    return next((name for kind, name in _PYTHON if isinstance(value, kind)), None)


def with_zero(name: str) -> str:
    """Widen a DECIMAL without digits before the point, whose text would be ``.5``; give others as they are."""
    digits = decimal_of(name)
    only_fraction = digits is not None and digits[0] == digits[1] < _MAX_DIGITS
    return f"DECIMAL({digits[0] + 1},{digits[1]})" if digits and only_fraction else name


def element_of(name: str) -> str | None:
    """Give the type of a list's elements; None for another type."""
    return name[:-2] if name.endswith("[]") else None


def held_types(held: Held, path: tuple[str, ...], types: frozenset[str] | None) -> frozenset[str]:
    """Gather the types held at a path in some event types; None: in all."""
    found = held.get(path, {})
    return frozenset().union(
        *(names for type_, names in found.items() if types is None or type_ is None or type_ in types)
    )


def _normal(name: str) -> str:
    plain = " ".join(name.upper().split())
    if plain in {"VARIANT_NULL", "NULL"}:
        return UNKNOWN
    if _NESTED.fullmatch(plain):
        return "VARIANT"
    digits = decimal_of(plain)
    return f"DECIMAL({digits[0]},{digits[1]})" if digits else _ALIASES.get(plain, plain)


def _number(types: frozenset[str]) -> str:
    if "DOUBLE" in types:
        return "DOUBLE"
    digits = [found for found in map(decimal_of, types) if found]
    if not digits:
        return "BIGINT"
    whole = max([width - scale for width, scale in digits] + [19 for name in types if is_integer(name)])
    scale = max(scale for _, scale in digits)
    return f"DECIMAL({whole + scale},{scale})" if whole + scale <= _MAX_DIGITS else "DOUBLE"
