"""Places: where an event stands in time, and in the order of a fold."""

from __future__ import annotations

import datetime as dt
from typing import Any

__all__ = ["micros", "moment", "place_of"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def moment(us: int) -> dt.datetime:
    """Return the instant so many microseconds after 1970."""
    return _EPOCH + us * _MICROSECOND


def micros(at: dt.datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def place_of(at: Any, version: int | None, position: int) -> tuple[Any, bool, int, int]:  # noqa: ANN401  an instant
    """Return what sorts events as a fold does: by ``effective_at``, version (none first), position."""
    return at, version is not None, version or 0, position
