"""Asking a log for columns, and the words in which plots ask: names, choices, durations."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from esanalytics.store import Log
from esanalytics.timetravel._naming import nearest_names

__all__ = ["Duration", "Ints", "choice", "columns", "duration", "ints", "known_types", "positive", "share"]

Ints = npt.NDArray[np.int64]

Duration = str | dt.timedelta
"""A length of time: a number and its unit, such as ``"30min"`` or ``"7d"``, or a ``timedelta``."""

_MINUTE, _DAY = 60 * 10**6, 86_400 * 10**6
_UNITS = {
    "us": 1,
    "ms": 10**3,
    "s": 10**6,
    "min": _MINUTE,
    "m": _MINUTE,
    "h": 60 * _MINUTE,
    "d": _DAY,
    "w": 7 * _DAY,
}
_WORDS = {"week": "w", "day": "d", "hour": "h", "minute": "min", "second": "s"}
_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:(us|ms|s|min|m|h|d|w)|(week|day|hour|minute|second)s?)\s*")
_SHOWN = 12


def columns(log: Log, query: str, parameters: Mapping[str, Any] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Ask a log, and return the answer's columns; the caller sees to it that they are short."""
    found = log.sql(query, parameters or None).arrow()
    return {name: found[name].to_numpy() for name in found.column_names}


def ints(values: Iterable[Any] | npt.NDArray[Any]) -> Ints:
    """Take values as whole numbers."""
    return np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=np.int64)


def choice(word: str, value: object, options: Sequence[str]) -> str:
    """Take one of the options of an argument.

    Raises:
        ValueError: it is none of them.
    """
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{word}={value!r} is no choice; {nearest_names(str(value), options)}")
    return value


def positive(word: str, value: object) -> int:
    """Take a whole number above 0.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{word}={value!r} is not a whole number above 0")
    return int(value)


def share(word: str, value: object) -> float:
    """Take a share, from 0 to 1.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{word}={value!r} is not a share; give a number from 0 to 1")
    return float(value)


def duration(word: str, value: object) -> int:
    """Take a length of time, in microseconds.

    Raises:
        ValueError: it is none, or not above 0.
    """
    if isinstance(value, dt.timedelta | np.timedelta64):
        found = int(np.timedelta64(value, "us").astype(np.int64))
    else:
        parts = _LENGTH.fullmatch(str(value))
        found = round(float(parts[1]) * _UNITS[parts[2] or _WORDS[parts[3]]]) if parts else 0
    if found < 1:
        raise ValueError(
            f"{word}={value!r} is no duration; give a number and ms, s, min, h, d or w, such as '30min' or '14 days'"
        )
    return found


def known_types(log: Log, wanted: Sequence[str]) -> None:
    """Look whether a log has events of some types.

    Raises:
        ValueError: it has none of one of them.
    """
    found = columns(log, "SELECT type, count(*) AS n FROM events GROUP BY type ORDER BY n DESC, type")["type"]
    known = [str(name) for name in found]
    for name in wanted:
        if known and name not in known:
            near = nearest_names(str(name), known)
            shown = (
                near
                if len(known) <= _SHOWN or len(near) < len(", ".join(known))
                else f"{nearest_names('', known[:_SHOWN])}, …"
            )
            raise ValueError(f"no event has the type {name!r}; {shown}")
