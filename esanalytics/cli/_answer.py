"""What the output needs of a result beyond its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
from sqlglot import exp

from esanalytics import _sql
from esanalytics.engines import Plan, Result
from esanalytics.errors import EngineError, EsAnalyticsError

__all__ = ["batches", "limited", "ordered", "payloads"]

_ROWS = 10_000


def ordered(result: Result, columns: Sequence[str]) -> Result:
    """Return the same rows, sorted by some columns."""
    names = ", ".join(_sql.text(_sql.column(name)) for name in columns)
    return _wrapped(result, lambda query: f"SELECT * FROM (\n{query}\n) ORDER BY {names}")


def limited(result: Result, rows: int) -> Result:
    """Return the first rows."""
    limit = _sql.text(exp.Literal.number(rows))
    return _wrapped(result, lambda query: f"SELECT * FROM (\n{query}\n) LIMIT {limit}")


def payloads(result: Result) -> frozenset[str]:
    """Return the names of the columns that ``batches`` gives as JSON text."""
    types = result._types()  # noqa: SLF001  a result has no public word for its types
    return frozenset(name for name, type_ in types.items() if "VARIANT" in type_ or type_ == "JSON")


def batches(result: Result) -> Iterator[pa.RecordBatch]:
    """Yield the rows, at least one batch, in pieces that fit in memory however long the rows are.

    Raises:
        EngineError: the query fails, at once or on the way.
    """
    reader = result.batches()
    yield pa.RecordBatch.from_pylist([], reader.schema)
    try:
        for batch in reader:
            yield from (batch.slice(start, _ROWS) for start in range(0, batch.num_rows, _ROWS))
    except EsAnalyticsError:
        raise
    except (OSError, pa.ArrowException) as error:  # how Arrow hands on what DuckDB says
        raise EngineError(str(error), result.sql) from error


def _wrapped(result: Result, wrap: Callable[[str], str]) -> Result:
    def plan() -> Plan:
        found = result._plan()  # noqa: SLF001  a result cannot be asked further questions
        return replace(found, query=wrap(found.query))

    return Result(result._engine, plan)  # noqa: SLF001  likewise
