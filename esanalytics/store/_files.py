"""Data files: what is known of each without opening it, and where it lies."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

__all__ = ["DataFile", "Period", "folder", "new_path", "period"]

Period = Literal["day", "month", "year"]

_LENGTHS = {"day": 10, "month": 7, "year": 4}
_PLAIN = re.compile(r"[A-Za-z0-9_$ -]+")
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class DataFile:
    """One immutable Parquet file of events, with its stats.

    Attributes:
        path: relative to the events folder.
        service: the service all its events belong to.
        period: the partition, such as ``2026-03``, of their ``occurred_at``.
        size: bytes.
        rows: how many events.
        versioned: how many of them have a version.
        disorder: greatest ``Disorder`` of its events.
        first_position, last_position, first_time, last_time, first_recorded, last_recorded, first_stream,
            last_stream: least and greatest position, occurred_at, recorded_at and stream_id.
    """

    path: str
    service: str
    period: str
    size: int
    rows: int
    versioned: int
    disorder: int
    first_position: int
    last_position: int
    first_time: dt.datetime
    last_time: dt.datetime
    first_recorded: dt.datetime
    last_recorded: dt.datetime
    first_stream: str
    last_stream: str

    def may_hold(self, streams: Iterable[str]) -> bool:
        """Tell whether any of these streams may be in the file."""
        return any(self.first_stream <= stream <= self.last_stream for stream in streams)


def period(at: dt.datetime, partition: Period) -> str:
    """Name the partition of an instant, such as ``2026-03`` for a month."""
    day = at.astimezone(dt.UTC)
    return f"{day.year:04d}-{day.month:02d}-{day.day:02d}"[: _LENGTHS[partition]]


def folder(service: str, partition: Period, value: str) -> str:
    """Return the folder of a partition; no service name leads outside the store."""
    return f"service={_safe(service)}/{partition}={value}"


def new_path(service: str, partition: Period, value: str) -> str:
    """Return a path that no file has had before."""
    return f"{folder(service, partition, value)}/part-{uuid.uuid4().hex}.parquet"


def _safe(name: str) -> str:
    if _PLAIN.fullmatch(name) and len(name) <= _LONGEST:
        return name
    safe = quote(name, safe=" $").replace(".", "%2E").replace("~", "%7E")
    if len(safe) <= _LONGEST:
        return safe
    return f"{safe[: _LONGEST - 33]}~{hashlib.sha256(name.encode()).hexdigest()[:32]}"
