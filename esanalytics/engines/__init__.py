"""Engines: what runs a query, and the lazy result it gives."""

from esanalytics.engines._duckdb import DuckDB
from esanalytics.engines._result import Plan, Result

__all__ = ["DuckDB", "Plan", "Result"]
