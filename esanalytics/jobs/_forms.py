"""A staged result in another format: which columns change, and the statement that writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import duckdb
from sqlglot import exp

from esanalytics._sql import alias, cast, column, function, literal, parquet, text
from esanalytics.engines import DuckDB
from esanalytics.jobs._markers import WINDOWED
from esanalytics.jobs._values import Format, Staged, Target, Token

__all__ = ["WIDER", "Form", "as_rows", "copy", "form", "is_nested", "staged_types", "table_source", "window_columns"]

Form = Callable[[Staged, Path, Token], None]
"""Writes a staged result as a file of its format."""

_NESTED = ("STRUCT", "MAP", "VARIANT", "UNION")
_WITH_ZONE = "TIMESTAMP WITH TIME ZONE"
WIDER = {
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "TIMESTAMP"),
}
"""Types that databases do not have, and the next that holds their values."""
_OPTIONS = {"parquet": ("FORMAT parquet",), "csv": ("FORMAT csv", "HEADER true"), "jsonl": ("FORMAT json",)}


def form(target: Target, engine: DuckDB) -> Form | None:
    """Return what writes a format; None: the staged file is the output already.

    Raises:
        MissingDependencyError: the format's package is not installed.
    """
    if target.format in ("parquet", "html"):
        return None
    if target.format == "xlsx":
        from esanalytics.jobs._excel import workbook  # noqa: PLC0415  an extra

        return workbook(target.table or "Sheet1", engine, target.url)
    return partial(
        _write, engine=engine, format_=target.format, gzip=target.url.partition("?")[0].lower().endswith(".gz")
    )


def copy(source: duckdb.DuckDBPyConnection, staged: Path, to: Path, format_: Format, *options: str) -> None:
    """Copy a staged result to a file or a folder, with its columns as the format has them, in its order."""
    query = text(as_rows(staged, staged_types(source, staged), format_))
    given = ", ".join((*_OPTIONS[format_], *options))
    source.execute(f"COPY ({query}) TO {text(exp.Literal.string(str(to)))} ({given})")


def as_rows(staged: Path, types: Mapping[str, str], format_: Format) -> exp.Select:
    """Select the rows of a staged result as a format has them."""
    shape = {"csv": _in_csv, "jsonl": _in_json, "parquet": _as_it_is}.get(format_, _in_database)
    chosen = [alias(shape(column(name), type_), name) for name, type_ in types.items()]
    return exp.select(*chosen).from_(table_source(staged))


def table_source(staged: Path) -> exp.Expr:
    """Read a staged result."""
    return parquet([str(staged)])


def staged_types(source: duckdb.DuckDBPyConnection, staged: Path) -> dict[str, str]:
    """Return the DuckDB types that a staged result has: those of the question, but for what Parquet has not."""
    relation = source.sql(text(exp.select("*").from_(table_source(staged))))
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def window_columns(token: Token) -> list[exp.Expr]:
    """Write the columns that say of which window rows are."""
    given = (literal(token.job), literal(token.service), *map(literal, (token.window.start, token.window.end)))
    return [alias(value, name) for name, value in zip(WINDOWED, given, strict=True)]


def is_nested(type_: str) -> bool:
    """Tell whether values of a type are lists or have fields."""
    return type_.endswith("]") or type_.startswith(_NESTED)


def _write(staged: Staged, path: Path, _token: Token, *, engine: DuckDB, format_: Format, gzip: bool) -> None:
    with engine.cursor() as cursor:
        copy(cursor, staged.path, path, format_, *(["COMPRESSION gzip"] if gzip else []))


def _as_it_is(value: exp.Expr, _type: str) -> exp.Expr:
    return value


def _in_csv(value: exp.Expr, type_: str) -> exp.Expr:
    return cast(cast(value, "JSON"), "VARCHAR") if is_nested(type_) else _instant(value, type_)


def _in_json(value: exp.Expr, type_: str) -> exp.Expr:
    if type_ in ("DOUBLE", "FLOAT"):  # JSON has no words for what is no finite number
        said = function("to_json", cast(value.copy(), "VARCHAR"))
        return exp.If(this=function("isfinite", value.copy()), true=cast(value, "JSON"), false=said)
    return cast(value, "JSON") if is_nested(type_) else _instant(value, type_)


def _in_database(value: exp.Expr, type_: str) -> exp.Expr:
    if is_nested(type_) or type_ == "JSON":
        return cast(cast(value, "JSON"), "VARCHAR")
    if type_ in ("INTERVAL", "UUID", "TIME", "TIME WITH TIME ZONE", "BIT"):
        return cast(value, "VARCHAR")
    return cast(value, WIDER[type_]) if type_ in WIDER else value


def _instant(value: exp.Expr, type_: str) -> exp.Expr:
    """Write instants as ISO 8601 with microseconds, as they are printed everywhere else."""
    if type_ not in (_WITH_ZONE, "TIMESTAMP"):
        return value
    zone = "Z" if type_ == _WITH_ZONE else ""
    return function("strftime", value, exp.Literal.string(f"%Y-%m-%dT%H:%M:%S.%f{zone}"))
