"""Casts in Python, as DuckDB's ``try_cast`` does them: None where the value does not fit.

Text is read in ISO 8601 and plain decimal forms. DuckDB also takes a few others (``0x1f``, ``epoch``), and has ways of
its own with an exponent in a DECIMAL whose digits are about used up (``1000e-1`` as DECIMAL(4,1) is NULL).
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from esanalytics.errors import UnsupportedError
from esanalytics.projections._types import decimal_of, element_of

__all__ = ["cast"]

_RANGES = {"TINYINT": 7, "SMALLINT": 15, "INTEGER": 31, "BIGINT": 63}
_WIDE = Context(prec=400)
_INTEGER = re.compile(r"\s*(-\d+|0|[1-9]\d*)\s*", re.ASCII)
_DOUBLE = re.compile(r"\s*((?:(?:-\d+|0|[1-9]\d*)(?:\.\d*)?|-?\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII)
_DECIMAL = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*", re.ASCII)
_DATE = re.compile(r"\s*(\d{1,4})-(\d{1,2})-(\d{1,2})\s*", re.ASCII)
_INSTANT = re.compile(
    r"(\d{1,4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_TRUTHS = {**dict.fromkeys(("true", "t", "yes"), True), **dict.fromkeys(("false", "f", "no"), False)}


def cast(value: Any, type_: str) -> Any:  # noqa: ANN401  any payload value, in and out
    """Read a value as a type.

    Raises:
        UnsupportedError: an object or array is read as text, whose form is the engine's own.
    """
    if value is None or type_ == "VARIANT":
        return value
    element = element_of(type_)
    if element is not None:
        return _list(value, element)
    digits = decimal_of(type_)
    if digits is not None:
        return _decimal(value, *digits)
    if type_ in _RANGES:
        return _integer(value, _RANGES[type_])
    return _READERS.get(type_, _as_it_is)(value)


def _as_it_is(value: object) -> object:
    return value


def _list(value: object, element: str) -> list[Any] | None:
    if not isinstance(value, list):
        return None
    found = [cast(item, element) for item in value]
    failed = any(new is None and old is not None for new, old in zip(found, value, strict=True))
    return None if failed else found


def _integer(value: object, bits: int) -> int | None:
    found = _whole(value)
    return found if found is not None and -(2**bits) <= found < 2**bits else None


def _whole(value: object) -> int | None:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return round(value) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value.to_integral_value(ROUND_HALF_UP, _WIDE))
    match = _INTEGER.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) if match else None


def _double(value: object) -> float | None:
    if isinstance(value, int | float | Decimal):
        return float(value)
    match = _DOUBLE.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) if match else None


def _decimal(value: object, width: int, scale: int) -> Decimal | None:
    exact = _exact(value, scale)
    if exact is None:
        return None
    found = exact.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _WIDE)
    return found if abs(found) < Decimal(1).scaleb(width - scale, _WIDE) else None


def _exact(value: object, scale: int) -> Decimal | None:
    if isinstance(value, float):
        return Decimal(value * 10.0**scale).scaleb(-scale, _WIDE).normalize(_WIDE) if math.isfinite(value) else None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    match = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    return Decimal(match[1]) if match else None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.datetime):
        return _instant_text(value)
    if isinstance(value, dict | list):
        raise UnsupportedError(
            "an object or array as VARCHAR in the Python fold", "read it as VARIANT, or read a field of it"
        )
    return str(value)


def _instant_text(value: dt.datetime) -> str:
    zone = "" if value.tzinfo is None else "+00"
    plain = value if value.tzinfo is None else value.astimezone(dt.UTC)
    fraction = f".{plain.microsecond:06}".rstrip("0") if plain.microsecond else ""
    return f"{plain.replace(microsecond=0, tzinfo=None).isoformat(' ')}{fraction}{zone}"


def _boolean(value: object) -> bool | None:
    if isinstance(value, int | float | Decimal):
        return bool(value)
    return _TRUTHS.get(value.lower()) if isinstance(value, str) else None


def _date(value: object) -> dt.date | None:
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo is None else value.astimezone(dt.UTC)).date()
    if isinstance(value, dt.date):
        return value
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    return _or_none(lambda: dt.date(*(int(part) for part in match.groups()))) if match else None


def _instant(value: object) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    return _or_none(lambda: _from_parts(match) - _offset(match[8])) if match else None


def _local(value: object) -> dt.datetime | None:
    if isinstance(value, str):
        match = _INSTANT.fullmatch(value)
        return _or_none(lambda: _from_parts(match).replace(tzinfo=None)) if match else None
    found = _instant(value)
    return None if found is None else found.replace(tzinfo=None)


def _from_parts(match: re.Match[str]) -> dt.datetime:
    day, time = match.groups()[:3], match.groups("0")[3:6]
    micros = int((match[7] or "0")[:6].ljust(6, "0"))
    year, month, date, hour, minute, second = (int(part) for part in (*day, *time))
    return dt.datetime(year, month, date, hour, minute, second, micros, tzinfo=dt.UTC)


def _offset(zone: str | None) -> dt.timedelta:
    if zone is None or zone == "Z":
        return dt.timedelta()
    sign = -1 if zone[0] == "-" else 1
    return sign * dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[3:].strip(":") or 0))


def _or_none(make: Callable[[], Any]) -> Any:  # noqa: ANN401  what `make` makes
    try:
        return make()
    except (ValueError, OverflowError):
        return None


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "DOUBLE": _double,
    "VARCHAR": _text,
    "BOOLEAN": _boolean,
    "DATE": _date,
    "TIMESTAMP": _local,
    "TIMESTAMPTZ": _instant,
}
