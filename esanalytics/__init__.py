"""Understand event-sourced systems: the log in Parquet, state at any time with DuckDB.

Everything is reached from here: ``import esanalytics as ea``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from esanalytics import engines, errors, sources
from esanalytics.analysis import ReplaySession
from esanalytics.events import Event
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

if TYPE_CHECKING:
    from esanalytics import plots
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
    "field",
    "first",
    "history",
    "is_null",
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

_LAZY = {
    "plots": "esanalytics.plots",
    **dict.fromkeys(("Replay", "replay", "Explorer", "explore"), "esanalytics.widgets"),
    **dict.fromkeys(("Comparison", "compare", "Trace", "trace"), "esanalytics.widgets"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever has the name
    """Load pictures and widgets when somebody looks at them: they bring matplotlib and ipywidgets."""
    if name not in _LAZY:
        raise AttributeError(f"module 'esanalytics' has no attribute {name!r}")
    module = importlib.import_module(_LAZY[name])
    return module if name == "plots" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
