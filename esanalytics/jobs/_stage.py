"""A result on its way: whole, durable and measured, before anybody reads it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._disk import sync
from esanalytics.engines import DuckDB, Interruptible, Plan, Result, prepared
from esanalytics.jobs._values import Staged

__all__ = ["comparable", "stage", "staged"]


def stage(
    result: Result, path: Path, engine: DuckDB, on_cursor: Callable[[Interruptible], None] | None = None
) -> Staged:
    """Write a result to a Parquet file of its own.

    Args:
        result: in the order in which its rows are to be.
        path: of the file; its folder is there.
        engine: what measures the file.
        on_cursor: is given what can be interrupted, from another thread, while the result is computed.

    Raises:
        EngineError: the query fails, or the disk is full.
        OSError: the file cannot be made durable.
    """
    result.write_parquet(str(path), on_cursor)
    sync(path)
    sync(path.parent)
    return staged(path, engine)


def staged(path: Path, engine: DuckDB) -> Staged:
    """Measure a result that is in a Parquet file.

    Raises:
        EngineError: it is none.
    """
    source = exp.select(exp.Star()).from_(sql.parquet([str(path)]))
    with prepared(engine, Plan("")) as cursor:
        columns = _columns(cursor, source)
        if not columns:
            return Staged(path, 0, columns, _digest(columns, ()))
        rows = comparable(columns).from_(sql.parquet([str(path)])).subquery("rows")
        hashed = sql.function("hash", sql.column("rows"))
        measures = (
            exp.Count(this=exp.Star()),
            sql.function("bit_xor", hashed),
            sql.function("sum", sql.cast(hashed, "HUGEINT")),
        )
        found = cursor.execute(sql.text(exp.select(*measures).from_(rows))).fetchone() or (0,)
    return Staged(path, int(found[0]), columns, _digest(columns, found))


def comparable(columns: Mapping[str, str]) -> exp.Select:
    """Select columns so that values which are the same look the same: of payloads, the text."""
    return exp.select(
        *(
            sql.alias(sql.cast(sql.cast(sql.column(name), "JSON"), "VARCHAR"), name)
            if "VARIANT" in type_
            else sql.column(name)
            for name, type_ in columns.items()
        )
    )


def _columns(cursor: duckdb.DuckDBPyConnection, source: exp.Select) -> dict[str, str]:
    relation = cursor.sql(sql.text(source))
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def _digest(columns: Mapping[str, str], measures: tuple[object, ...]) -> str:
    """Digest rows in whatever order; how DuckDB hashes a value belongs to its version."""
    facts = [duckdb.__version__, list(columns.items()), [str(measure) for measure in measures]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
