"""Source columns become envelope columns; the others stay columns beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from sqlglot import exp

from esanalytics import _sql
from esanalytics.errors import SourceError
from esanalytics.events import ENVELOPE
from esanalytics.sources._evaluate import evaluate, named
from esanalytics.sources._mapping import Constant, Expression, Origin, inside, nearest, rewritten

__all__ = ["claims", "mapped"]


def claims(columns: Collection[str], mapping: Mapping[str, Origin]) -> dict[str, str]:
    """Return which source column each envelope column takes whole.

    Raises:
        SourceError: the source has no column of a mapped name, nor one that it is a path into.
    """
    found = {name: name for name in ENVELOPE if name in columns and name not in mapping}
    for name, origin in mapping.items():
        if not isinstance(origin, str):
            continue
        if origin in columns:
            found[name] = origin
        elif origin.split(".")[0] not in columns:
            reason = f"no column {origin!r}, from which {name!r} should come"
            raise SourceError("mapping", None, reason, nearest(origin, columns))
    return found


def mapped(
    con: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    mapping: Mapping[str, Origin],
    variants: Collection[str] = (),
) -> tuple[pa.Table, dict[int, str]]:
    """Return envelope columns and the remaining columns, and the rows (from 0) on which SQL failed.

    A remaining column with the name of an envelope column that comes from elsewhere cannot stay beside it:
    then all the remaining columns are gathered in one struct, in the place the store would put them.

    Args:
        con: from ``connect``.
        rows: the source's columns.
        mapping: from ``checked``.
        variants: columns that hold a VARIANT as JSON text.

    Raises:
        SourceError: the mapping does not fit the columns.
    """
    taken = claims(rows.column_names, mapping)
    columns: dict[str, Any] = {name: rows.column(origin) for name, origin in taken.items()}
    computed, failed = _computed(con, rows, mapping, taken, variants)
    columns |= computed
    for name, origin in mapping.items():
        if isinstance(origin, Constant):
            columns[name] = _repeated(origin.value, rows.num_rows)
    dropped = {name for name, origin in mapping.items() if origin is None} | set(taken.values())
    rest = [name for name in rows.column_names if name not in dropped]
    ordered = {name: columns[name] for name in ENVELOPE if name in columns}
    if any(name in ENVELOPE for name in rest):
        return _gathered(rows.select(rest), ordered), failed
    return pa.table({**ordered, **{name: rows.column(name) for name in rest}}), failed


def _computed(
    con: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    mapping: Mapping[str, Origin],
    taken: Mapping[str, str],
    variants: Collection[str],
) -> tuple[dict[str, pa.ChunkedArray], dict[int, str]]:
    names = [f"c{place}" for place in range(rows.num_columns)]
    places = dict(zip(rows.column_names, names, strict=True))
    trees = {}
    for name, origin in mapping.items():
        if isinstance(origin, Expression):
            trees[name] = rewritten(origin, rows.column_names, names, "mapping")
        if isinstance(origin, str) and name not in taken:
            head, *path = origin.split(".")
            trees[name] = inside(_sql.column(places[head]), path)
    read = [_read(name, column in variants) for column, name in places.items()]
    return evaluate(con, rows.rename_columns(names), exp.select(*read).from_("rows").subquery("lines"), trees)


def _read(name: str, variant: bool) -> exp.Expression:  # noqa: FBT001  private, one caller
    value: exp.Expression = _sql.column(name)
    value = _sql.cast(_sql.cast(value, "JSON"), "VARIANT") if variant else value
    return named(value, name)


def _repeated(value: Any, count: int) -> pa.Array:  # noqa: ANN401  a constant
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return pa.repeat(pa.scalar(aware, pa.timestamp("us", tz="UTC")), count)
    if isinstance(value, Mapping):
        return pa.array(np.full(count, dict(value), object).tolist())
    return pa.nulls(count, pa.string()) if value is None else pa.repeat(pa.scalar(value), count)


def _gathered(rest: pa.Table, columns: Mapping[str, Any]) -> pa.Table:
    """Put the remaining columns into ``data``, or into ``metadata`` where there is data."""
    name = "metadata" if "data" in columns else "data"
    if name in columns:
        reason = f"the columns {', '.join(rest.column_names)} have no place beside data and metadata"
        raise SourceError("mapping", None, reason, "leave one out with None, or map it")
    fields = [rest.column(column).combine_chunks() for column in rest.column_names]
    return pa.table({**columns, name: pa.StructArray.from_arrays(fields, rest.column_names)})
