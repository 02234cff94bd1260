"""Frames of the user's own, as Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from esanalytics.engines import Result
from esanalytics.errors import EngineError

__all__ = ["as_table"]

_REMEDY = "give a pandas or polars frame, an Arrow table, a DuckDB relation, a Result or a list of dicts"


def as_table(frame: object) -> pa.Table:
    """Return a frame's rows as an Arrow table, in their order; a pandas index is no column.

    Raises:
        EngineError: it is nothing that has rows, or its columns are not of one type each.
    """
    try:
        return _read(frame)
    except (pa.ArrowException, TypeError) as error:
        raise EngineError(f"the frame cannot be read ({error}); {_REMEDY}") from error


def _read(frame: object) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, Result):
        return frame.arrow()
    if type(frame).__module__.split(".")[0] == "pandas":
        return pa.Table.from_pandas(frame, preserve_index=False)
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(frame).read_all()
    if isinstance(frame, Mapping):
        return pa.table(dict(frame))
    if isinstance(frame, Iterable) and not isinstance(frame, str | bytes):
        return pa.Table.from_pylist(list(frame))
    raise TypeError(type(frame).__name__)
