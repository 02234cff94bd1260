"""The envelope: the columns every event has, in the log, in a frame and in a query."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

__all__ = ["ENVELOPE", "GIVEN", "REQUIRED", "SCHEMA", "TEXT_COLUMNS", "TYPES", "Event", "storage_types"]

TYPES: Mapping[str, str] = {
    "position": "BIGINT",
    "event_id": "VARCHAR",
    "service": "VARCHAR",
    "stream_id": "VARCHAR",
    "version": "BIGINT",
    "type": "VARCHAR",
    "schema_version": "INTEGER",
    "occurred_at": "TIMESTAMPTZ",
    "recorded_at": "TIMESTAMPTZ",
    "correlation_id": "VARCHAR",
    "causation_id": "VARCHAR",
    "data": "VARIANT",
    "metadata": "VARIANT",
}
"""The envelope's columns and their DuckDB types, in order."""

ENVELOPE = tuple(TYPES)
"""The names of the envelope's columns, in order."""

GIVEN = ("position", "recorded_at")
"""What the store gives; every other column comes from the source."""

REQUIRED = ("stream_id", "type", "occurred_at")
"""What every source must say of an event."""

TEXT_COLUMNS = tuple(name for name, type_ in TYPES.items() if type_ == "VARCHAR")
"""The envelope's text columns."""

_INSTANT = pa.timestamp("us", tz="UTC")
_ARROW = {
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "VARCHAR": pa.string(),
    "TIMESTAMPTZ": _INSTANT,
    "VARIANT": pa.string(),
}

SCHEMA = pa.schema([pa.field(name, _ARROW[type_]) for name, type_ in TYPES.items()])
"""The envelope as Arrow; ``data`` and ``metadata`` are JSON text there."""


def storage_types() -> dict[str, str]:
    """Return the columns of a data file and their DuckDB types: the envelope and ``disorder``."""
    return {**TYPES, "disorder": "TINYINT"}


@dataclass(frozen=True, slots=True)
class Event:
    """One fact, as a program hands it to ``append``.

    Attributes:
        type: what happened, such as ``"OrderPlaced"``.
        data: the payload; ``Decimal``, ``datetime``, ``date`` and ``bytes`` keep their types.
        stream_id: the entity it happened to; may be given once per append instead.
        occurred_at: when it happened; anything that ``instant`` reads. None: when it is appended.
        service: the service that recorded it; None: the append's, else ``"default"``.
        version: its order inside the stream; None where the source has none.
        event_id: the source's id; None: derived from the content.
        schema_version: version of the payload's schema, from 1.
        correlation_id: what it belongs to, over services.
        causation_id: the ``event_id`` that caused it.
        metadata: anything else the source sent.
    """

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    stream_id: str | None = None
    occurred_at: str | dt.date | dt.datetime | None = None
    service: str | None = None
    version: int | None = None
    event_id: str | None = None
    schema_version: int = 1
    correlation_id: str | None = None
    causation_id: str | None = None
    metadata: Mapping[str, Any] | None = None
