"""A staged result as rows of a SQL database: the types its columns have there, and how rows take others' place."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb

from esanalytics._optional import requires
from esanalytics._sql import text
from esanalytics.jobs._forms import WIDER, as_rows, staged_types
from esanalytics.jobs._markers import COLUMNS, MARKERS, WINDOWED
from esanalytics.jobs._values import Staged

with requires("sqlalchemy", "sql"):
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["marker_table", "replace_rows", "staged_rows", "staged_table", "upsert_rows"]

_CHUNK = 10_000
_GREATEST = 2**63 - 1
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_TYPES: Mapping[str, type[sa.types.TypeEngine[Any]]] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), sa.BigInteger),
    **dict.fromkeys(("DOUBLE", "FLOAT"), sa.Double),
    "BOOLEAN": sa.Boolean,
    "DATE": sa.Date,
    "TIMESTAMP": sa.DateTime,
    "BLOB": sa.LargeBinary,
}

Rows = Iterator[list[dict[str, Any]]]


def marker_table(metadata: sa.MetaData, schema: str | None) -> sa.Table:
    """Return the table of markers."""
    first = [sa.Column(name, sa.String(190), primary_key=True) for name in COLUMNS[:4]]
    rest = [sa.Column(name, sa.BigInteger if name == "row_count" else sa.Text) for name in COLUMNS[4:]]
    return sa.Table(MARKERS, metadata, *first, *rest, schema=schema)


def staged_table(
    metadata: sa.MetaData,
    schema: str | None,
    name: str,
    source: duckdb.DuckDBPyConnection,
    staged: Staged,
    dialect: str,
    keys: Sequence[str],
    windowed: bool,  # noqa: FBT001  whether rows say of which window they are
) -> sa.Table:
    """Return the table that a staged result goes to."""
    types = {column: _type(kind, dialect) for column, kind in staged_types(source, staged.path).items()}
    if windowed:
        types |= dict(
            zip(WINDOWED, (sa.Text(), sa.Text(), *(sa.DateTime(timezone=True) for _ in range(2))), strict=True)
        )
    if dialect not in ("sqlite", "postgresql"):  # others have no index over text without a length
        types |= {key: sa.String(190) for key in keys if isinstance(types[key], sa.Text)}
    columns = [  # quoted: a word that the database knows itself is no matter there
        sa.Column(column, kind, primary_key=column in keys, autoincrement=False, quote=True)
        for column, kind in types.items()
    ]
    return sa.Table(name, metadata, *columns, schema=schema, quote=True)


def staged_rows(source: duckdb.DuckDBPyConnection, staged: Staged, dialect: str, more: dict[str, Any]) -> Rows:
    """Read a staged result in chunks, with values as the database takes them."""
    types = staged_types(source, staged.path)
    source.execute(text(as_rows(staged.path, types, "sql")))
    shapes = [(name, _shape(kind, dialect)) for name, kind in types.items()]
    while rows := source.fetchmany(_CHUNK):
        yield [
            {name: None if value is None else shape(value) for (name, shape), value in zip(shapes, row, strict=True)}
            | more
            for row in rows
        ]


def replace_rows(connection: sa.Connection, table: sa.Table, old: Iterable[sa.ColumnElement[bool]], rows: Rows) -> None:
    """Put rows in the place of those that meet all conditions."""
    connection.execute(sa.delete(table).where(*old))
    for chunk in rows:
        connection.execute(sa.insert(table), chunk)


def upsert_rows(connection: sa.Connection, table: sa.Table, keys: Sequence[str], rows: Rows) -> None:
    """Replace rows by key, and remove those whose key is gone."""
    dialect = connection.dialect.name
    if dialect not in ("sqlite", "postgresql"):
        replace_rows(connection, table, [], rows)
        return
    seen = sa.Table(
        "_esanalytics_keys",
        sa.MetaData(),
        *(sa.Column(key, table.c[key].type, primary_key=True, autoincrement=False, quote=True) for key in keys),
        prefixes=["TEMPORARY"],
    )
    seen.create(connection)
    for chunk in rows:
        connection.execute(sa.insert(seen), [{key: row[key] for key in keys} for row in chunk])
        connection.execute(_upsert(table, keys, dialect), chunk)
    same = sa.and_(*(seen.c[key] == table.c[key] for key in keys))
    connection.execute(sa.delete(table).where(~sa.exists().where(same)))
    seen.drop(connection)


def _upsert(table: sa.Table, keys: Sequence[str], dialect: str) -> Any:  # noqa: ANN401  an insert of either dialect
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    others = {column.name: insert.excluded[column.name] for column in table.c if column.name not in keys}
    if not others:
        return insert.on_conflict_do_nothing(index_elements=list(keys))
    return insert.on_conflict_do_update(index_elements=list(keys), set_=others)


def _type(kind: str, dialect: str) -> sa.types.TypeEngine[Any]:
    wider = WIDER.get(kind, kind)
    exact = _DECIMAL.fullmatch(wider)
    if exact and dialect == "sqlite":  # it has no exact numbers but whole ones, and text is greater than any number
        return sa.Double() if int(exact[2]) else sa.BigInteger()
    if exact:
        return sa.Numeric(int(exact[1]), int(exact[2]))
    if wider == "TIMESTAMP WITH TIME ZONE":
        return sa.DateTime(timezone=True)
    return _TYPES.get(wider, sa.Text)()


def _shape(kind: str, dialect: str) -> Callable[[Any], Any]:
    """Return what makes a value of DuckDB's one that the database's driver takes."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return _in_utc
    if WIDER.get(kind, kind).startswith("DECIMAL") and dialect == "sqlite":
        return _number
    return _as_it_is


def _number(value: Decimal) -> float | int:
    """Return a number that SQLite compares and adds as such.

    Raises:
        OverflowError: it has more digits than a number can have there: 15, or 18 where it is whole.
    """
    if value == value.to_integral_value() and abs(value) <= _GREATEST:
        return int(value)
    found = float(value)
    if Decimal(repr(found)) != value:
        raise OverflowError(f"SQLite has no number {value}, for it keeps 15 digits")
    return found


def _in_utc(value: dt.datetime) -> dt.datetime:
    return value.astimezone(dt.UTC)


def _as_it_is(value: object) -> object:
    return value
