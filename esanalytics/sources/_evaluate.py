"""SQL over the rows of a batch: a row on which it fails is named, the others are computed."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np
import pyarrow as pa
from sqlglot import exp

from esanalytics import _sql
from esanalytics.errors import SourceError
from esanalytics.events import TEXT_COLUMNS

__all__ = ["connect", "evaluate", "named", "ran"]

_EXPLAINED = 100


def connect() -> duckdb.DuckDBPyConnection:
    """Open a private engine in memory: UTC, and blind to the caller's variables."""
    con = duckdb.connect()
    con.execute("set timezone='UTC'")
    con.execute("set python_enable_replacements=false")
    return con


def evaluate(
    con: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    relation: exp.Expression,
    columns: Mapping[str, exp.Expression],
) -> tuple[dict[str, pa.ChunkedArray], dict[int, str]]:
    """Compute envelope columns for these rows.

    Args:
        con: from ``connect``.
        rows: seen by the query as the table ``rows``.
        relation: what the query reads, ``rows`` or a query over it.
        columns: envelope column to expression.

    Returns:
        The columns, and for each row that failed (from 0) the reason; such a row has NULLs.

    Raises:
        SourceError: an expression makes no sense whatever the rows.
    """
    if not columns:
        return {}, {}
    fitted = _fitted(con, rows, relation, columns)
    try:
        found, failed = ran(con, rows, _query(relation, fitted)), {}
    except duckdb.Error:
        failed = _failures(con, rows, relation, fitted)
        safe = {name: exp.Anonymous(this="try", expressions=[tree]) for name, tree in fitted.items()}
        found = ran(con, rows, _query(relation, safe))
    return {name: found.column(name) for name in columns}, failed


def ran(con: duckdb.DuckDBPyConnection, rows: pa.Table, query: exp.Expression) -> pa.Table:
    """Run a query over ``rows``."""
    con.register("rows", rows)
    try:
        return con.sql(_sql.text(query)).to_arrow_table()
    finally:
        con.unregister("rows")


def named(tree: exp.Expression, name: str) -> exp.Expression:
    """Give an expression of a query a name."""
    return exp.Alias(this=tree, alias=exp.to_identifier(name, quoted=True))


def _query(relation: exp.Expression, columns: Mapping[str, exp.Expression]) -> exp.Select:
    wanted = [named(tree, name) for name, tree in columns.items()]
    return exp.select(*wanted).from_(relation)


def _fitted(
    con: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    relation: exp.Expression,
    columns: Mapping[str, exp.Expression],
) -> dict[str, exp.Expression]:
    """Cast what comes out to what an envelope column may be."""
    con.register("rows", rows.slice(0, 0))
    try:
        types = con.sql(_sql.text(_query(relation, columns))).types
    except duckdb.Error as error:
        raise SourceError(
            "mapping", None, f"SQL does not fit the source: {_first_line(error)}", "correct it"
        ) from error
    finally:
        con.unregister("rows")
    return {name: _fit(name, tree, str(type_)) for (name, tree), type_ in zip(columns.items(), types, strict=True)}


def _fit(name: str, tree: exp.Expression, type_: str) -> exp.Expression:
    if name in ("data", "metadata"):
        return (
            _sql.cast(_sql.cast(tree, "JSON"), "VARCHAR")
            if "VARIANT" in type_ or type_ in ("VARCHAR", "JSON")
            else tree
        )
    return _sql.cast(tree, "VARCHAR") if name in TEXT_COLUMNS or type_ in ("VARIANT", "JSON") else tree


def _failures(
    con: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    relation: exp.Expression,
    columns: Mapping[str, exp.Expression],
) -> dict[int, str]:
    """Find the failing rows at once, and ask for the reason of the first hundred one by one."""
    packed = exp.Anonymous(this="row", expressions=list(columns.values()))
    failed = exp.Is(this=exp.Anonymous(this="try", expressions=[packed]), expression=exp.null())
    found = ran(con, rows, _query(relation, {"failed": failed})).column("failed")
    places = [int(place) for place in np.flatnonzero(found.to_numpy())]
    return {
        place: _reason(con, rows.slice(place, 1), _query(relation, columns))
        if number < _EXPLAINED
        else "SQL fails on it"
        for number, place in enumerate(places)
    }


def _reason(con: duckdb.DuckDBPyConnection, row: pa.Table, query: exp.Expression) -> str:
    try:
        ran(con, row, query)
    except duckdb.Error as error:
        return f"SQL fails on it: {_first_line(error)}"
    return "SQL fails on it"


def _first_line(error: duckdb.Error) -> str:
    return str(error).split("\n", 1)[0]
