"""Understand event-sourced systems: the log in Parquet, state at any time with DuckDB.

Everything is reached from here: ``import esanalytics as ea``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from esanalytics import engines, errors, jobs, plots, sources
    from esanalytics.analysis import ReplaySession
    from esanalytics.events import Event
    from esanalytics.jobs import export
    from esanalytics.projections import (
        Projection,
        Reducer,
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
        reducer,
        remove,
        schema_version,
        service,
        stream_id,
        type_,
        version,
    )
    from esanalytics.store import Log, Store
    from esanalytics.timetravel import (
        Bisection,
        Snapshot,
        SqlProjection,
        bisect,
        diff,
        explain,
        history,
        join_asof,
        merged,
        refresh,
        snapshot,
        snapshots,
        state_at,
    )
    from esanalytics.widgets import Comparison, Explorer, Replay, Trace, compare, explore, replay, trace

__all__ = [
    "Bisection",
    "Comparison",
    "Event",
    "Explorer",
    "Log",
    "Projection",
    "Reducer",
    "Replay",
    "ReplaySession",
    "Snapshot",
    "SqlProjection",
    "Store",
    "Trace",
    "add",
    "append",
    "bisect",
    "case",
    "causation_id",
    "coalesce",
    "compare",
    "correlation_id",
    "count",
    "delete",
    "diff",
    "effective_at",
    "engines",
    "errors",
    "event_id",
    "explain",
    "explore",
    "export",
    "field",
    "first",
    "history",
    "is_null",
    "jobs",
    "join_asof",
    "keep",
    "max_",
    "merged",
    "min_",
    "occurred_at",
    "plots",
    "position",
    "recorded_at",
    "reducer",
    "refresh",
    "remove",
    "replay",
    "schema_version",
    "service",
    "snapshot",
    "snapshots",
    "sources",
    "state_at",
    "stream_id",
    "trace",
    "type_",
    "version",
]

_MODULES = ("engines", "errors", "jobs", "plots", "sources")
_NAMES = {
    "esanalytics.analysis": ("ReplaySession",),
    "esanalytics.events": ("Event",),
    "esanalytics.jobs": ("export",),
    "esanalytics.projections": (
        "Projection",
        "Reducer",
        "add",
        "append",
        "case",
        "causation_id",
        "coalesce",
        "correlation_id",
        "count",
        "delete",
        "effective_at",
        "event_id",
        "field",
        "first",
        "is_null",
        "keep",
        "max_",
        "min_",
        "occurred_at",
        "position",
        "recorded_at",
        "reducer",
        "remove",
        "schema_version",
        "service",
        "stream_id",
        "type_",
        "version",
    ),
    "esanalytics.store": (
        "Log",
        "Store",
    ),
    "esanalytics.timetravel": (
        "Bisection",
        "Snapshot",
        "SqlProjection",
        "bisect",
        "diff",
        "explain",
        "history",
        "join_asof",
        "merged",
        "refresh",
        "snapshot",
        "snapshots",
        "state_at",
    ),
    "esanalytics.widgets": (
        "Comparison",
        "Explorer",
        "Replay",
        "Trace",
        "compare",
        "explore",
        "replay",
        "trace",
    ),
}
_PLACES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever has the name
    """Load what somebody looks at, and nothing else: a job with nothing to do must not wait for a database."""
    if name in _MODULES:
        return importlib.import_module(f"esanalytics.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module 'esanalytics' has no attribute {name!r}")
    found = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
