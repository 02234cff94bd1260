"""What the output needs of a result beyond its rows."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from esanalytics.engines import Result

__all__ = ["batches", "payloads"]

_ROWS = 10_000


def payloads(result: Result) -> frozenset[str]:
    """Return the names of the columns that ``batches`` gives as JSON text."""
    return frozenset(name for name, type_ in result.types.items() if "VARIANT" in type_ or type_ == "JSON")


def batches(result: Result) -> Iterator[pa.RecordBatch]:
    """Yield the rows, at least one batch, in pieces that fit in memory however long the rows are.

    Raises:
        EngineError: the query fails, at once or on the way.
    """
    reader = result.batches()
    yield pa.RecordBatch.from_pylist([], reader.schema)
    for batch in reader:
        yield from (batch.slice(start, _ROWS) for start in range(0, batch.num_rows, _ROWS))
