"""JSON that keeps every digit: decimals and large integers are written as they are."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from esanalytics._instants import iso

__all__ = ["exact_json", "json_ready"]


def exact_json(value: Any) -> str:  # noqa: ANN401  any value of a state or a payload
    """Write a value as JSON.

    Decimals are number literals with all their digits, instants ISO 8601 text in UTC, NaN and infinities text, as is
    whatever JSON does not know.

    Example:
        >>> exact_json({"total": Decimal("12.50"), "items": [1, None]})
        '{"total":12.50,"items":[1,null]}'
    """
    if value is None or isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(str(name), ensure_ascii=False)}:{exact_json(part)}" for name, part in value.items())
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return f"[{','.join(map(exact_json, value))}]"
    return json.dumps(_text(value), ensure_ascii=False)


def json_ready(value: Any) -> Any:  # noqa: ANN401  a value of a key
    """Return a value as it is where JSON knows it, else as a text that DuckDB reads as the same value.

    Example:
        >>> json_ready(Decimal("12.50")), json_ready(7)
        ('12.50', 7)
    """
    if isinstance(value, float) and not math.isfinite(value):
        return _named(value)
    return value if value is None or isinstance(value, str | int | float) else _text(value)


def _number(value: float | Decimal) -> str:
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    plain = math.nan if isinstance(value, Decimal) and value.is_nan() else float(value)
    return json.dumps(plain if math.isfinite(plain) else _named(plain))


def _named(value: float) -> str:
    """Name what is no finite number."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return "NaN"


def _text(value: object) -> str:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return iso(value)
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
