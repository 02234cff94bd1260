"""Instants: whatever a user has, as an aware UTC datetime with microseconds."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

__all__ = ["Instant", "instant", "iso"]

Instant = str | dt.date | dt.datetime | Any
"""What is taken for an instant: ISO text, ``datetime``, ``date``, pandas and numpy timestamps."""

_REMEDY = "give ISO 8601 text such as '2026-03-03' or '2026-03-03T10:00:00+02:00', or a datetime"
_FRACTION = re.compile(r"([.,]\d{6})\d+")


def instant(value: Instant) -> dt.datetime:
    """Read ``value`` as a point in time.

    Naive values are UTC; a date is its first microsecond (``2026-03-03`` is midnight UTC of that day);
    nanoseconds are cut to microseconds.

    Args:
        value: ISO 8601 text, ``datetime``, ``date``, ``pandas.Timestamp`` or ``numpy.datetime64``.

    Raises:
        ValueError: the value is no instant, or outside the years 1 to 9999.

    Example:
        >>> instant("2026-03-03T10:00:00+02:00")
        datetime.datetime(2026, 3, 3, 8, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        return _aware(_datetime(value))
    except (ValueError, OverflowError, TypeError) as error:
        raise ValueError(f"not an instant: {value!r}; {_REMEDY}") from error


def iso(value: dt.datetime) -> str:
    """Write an instant the way the library prints it: ``2026-03-03T08:00:00.000000Z``."""
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _datetime(value: Instant) -> dt.datetime:
    if isinstance(value, str):
        return dt.datetime.fromisoformat(_FRACTION.sub(r"\1", value.strip()))
    if isinstance(value, dt.datetime):
        return _from_pandas(value) if hasattr(value, "to_pydatetime") else value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    if type(value).__module__ == "numpy":
        return _from_numpy(value)
    raise TypeError(type(value).__name__)


def _from_pandas(value: Any) -> dt.datetime:  # noqa: ANN401  a pandas.Timestamp, without importing pandas
    return dt.datetime.fromisoformat(
        value.floor("us").isoformat()[:32] if value.tzinfo is None else value.tz_convert("UTC").floor("us").isoformat()
    )


def _from_numpy(value: Any) -> dt.datetime:  # noqa: ANN401  a numpy.datetime64, without importing numpy
    found = value.astype("datetime64[us]").item()
    if found is None:
        raise ValueError("not a time")
    return dt.datetime(found.year, found.month, found.day) if not isinstance(found, dt.datetime) else found  # noqa: DTZ001  made aware below


def _aware(value: dt.datetime) -> dt.datetime:
    return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
