"""Engines: what runs a query, the gate that a user's SQL passes, and the lazy result it gives."""

from esanalytics.engines._aggregates import aggregates_in, is_aggregate
from esanalytics.engines._duckdb import DuckDB
from esanalytics.engines._gate import predicate, select_only
from esanalytics.engines._result import Interruptible, Plan, Result, prepared, recast

__all__ = [
    "DuckDB",
    "Interruptible",
    "Plan",
    "Result",
    "aggregates_in",
    "is_aggregate",
    "predicate",
    "prepared",
    "recast",
    "select_only",
]
