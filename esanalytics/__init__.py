"""Understand event-sourced systems: the log in Parquet, state at any time with DuckDB.

Everything is reached from here: ``import esanalytics as ea``.
"""

from esanalytics import engines, errors, sources
from esanalytics.events import Event
from esanalytics.projections import (
    Projection,
    add,
    append,
    case,
    causation_id,
    coalesce,
    correlation_id,
    count,
    delete,
    effective_at,
    event_id,
    field,
    first,
    is_null,
    keep,
    max_,
    min_,
    occurred_at,
    position,
    recorded_at,
    remove,
    schema_version,
    service,
    stream_id,
    type_,
    version,
)
from esanalytics.store import Log, Store
from esanalytics.timetravel import merged, state_at

__all__ = [
    "Event",
    "Log",
    "Projection",
    "Store",
    "add",
    "append",
    "case",
    "causation_id",
    "coalesce",
    "correlation_id",
    "count",
    "delete",
    "effective_at",
    "engines",
    "errors",
    "event_id",
    "field",
    "first",
    "is_null",
    "keep",
    "max_",
    "merged",
    "min_",
    "occurred_at",
    "position",
    "recorded_at",
    "remove",
    "schema_version",
    "service",
    "sources",
    "state_at",
    "stream_id",
    "type_",
    "version",
]
