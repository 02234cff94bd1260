"""What types a payload field has in the log: from the files' footers, and by looking where these cannot tell."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import duckdb
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import DuckDB
from esanalytics.errors import EngineError

__all__ = ["Located", "Node", "Path", "Types", "field_names", "field_types", "payload_footer", "type_name"]

Path = tuple[str, ...]
Types = Mapping[str | None, frozenset[str]]

_SCHEMA = "SELECT name, coalesce(num_children, 0), type IS NULL, duckdb_type FROM parquet_schema(?)"
_VALUES = """
SELECT column_id, sum(num_values) - sum(stats_null_count) FROM parquet_metadata(?) GROUP BY column_id
"""
_NAMES = {
    **dict.fromkeys(("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"), "BIGINT"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER"), "BIGINT"),
    **dict.fromkeys(("BOOL_TRUE", "BOOL_FALSE"), "BOOLEAN"),
    "TIMESTAMP_MICROS_TZ": "TIMESTAMPTZ",
    "TIMESTAMP_NANOS_TZ": "TIMESTAMPTZ",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "TIMESTAMP_MICROS": "TIMESTAMP",
    "TIME_MICROS": "TIME",
}
_NARROW = 18
_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")
_NESTED = re.compile(r"OBJECT|ARRAY|STRUCT|MAP|LIST|.*\[\]$")


@dataclass(frozen=True, slots=True)
class Node:
    """A column of a Parquet schema, with what lies under it.

    Attributes:
        name: its name.
        type: its DuckDB type, as the footer has it.
        children: what lies under it.
        values: of a leaf, how many values it has.
    """

    name: str
    type: str
    children: tuple[Node, ...]
    values: int

    def child(self, name: str) -> Node | None:
        return next((child for child in self.children if child.name == name), None)


@dataclass(frozen=True, slots=True)
class Located:
    """A data file as a log sees it.

    Attributes:
        path: where it lies.
        position: last position the log knows of it; None: all of it.
        known_at: last ``recorded_at`` the log knows of it; None: all of it.
    """

    path: str
    position: int | None = None
    known_at: dt.datetime | None = None

    @property
    def whole(self) -> bool:
        """The log knows all that is in the file, so its footer may be read."""
        return self.position is None and self.known_at is None

    def rows(self, *values: exp.Expr) -> exp.Select:
        """List the different rows that some expressions give over what the log knows of the file."""
        select = sql.grouped(sql.parquet([self.path]), *values)
        if self.position is not None:
            select = select.where(sql.at_most(sql.column("position"), self.position))
        if self.known_at is not None:
            select = select.where(sql.at_most(sql.column("recorded_at"), self.known_at))
        return select


def field_types(engine: DuckDB, files: Sequence[Located], paths: Iterable[Path]) -> dict[Path, Types]:
    """Return, for each path into the payload, the DuckDB types of its values, by event type.

    Where all values are of one type, that is all there is to know, under the key None; else the types are told
    apart by the type of event. Values that are NULL have no type. What is known does not depend on which events
    share a file.

    Args:
        engine: where to look.
        files: data files.
        paths: keys from the payload downwards.
    """
    return {path: _types(engine, files, path) for path in paths}


def field_names(engine: DuckDB, files: Sequence[Located]) -> list[str]:
    """Return the names of the payloads' top-level fields, in alphabetical order."""
    return sorted({name for file in files for name in _names(engine, file)})


def _types(engine: DuckDB, files: Sequence[Located], path: Path) -> Types:
    footers = {file: _known(payload_footer(engine, file.path), path) if file.whole else None for file in files}
    looked = {file: dict(_looked_up(engine, file, path)) for file, known in footers.items() if known is None}
    clear = [known for known in footers.values() if known is not None]
    of_files = frozenset().union(*clear, *(types for found in looked.values() for types in found.values()))
    if len(of_files) <= 1:
        return {None: of_files}
    looked |= {file: dict(_looked_up(engine, file, path)) for file, known in footers.items() if known}
    found: defaultdict[str | None, set[str]] = defaultdict(set)
    for type_, types in (pair for by_type in looked.values() for pair in by_type.items()):
        found[type_] |= types
    return {type_: frozenset(types) for type_, types in found.items()}


def _known(payload: Node, path: Path) -> frozenset[str] | None:
    """Read the types of a path from a footer; None where some of its values are not shredded."""
    node = payload
    for name in path:
        value, typed = node.child("value"), node.child("typed_value")
        if value is None or value.values:
            return None
        inner = typed.child(name) if typed is not None else None
        if inner is None:
            return frozenset()
        node = inner
    value, typed = node.child("value"), node.child("typed_value")
    if value is None or value.values:
        return None
    return frozenset([type_name(typed.type)] if typed is not None else [])


def type_name(type_: str) -> str:
    """Name the DuckDB type of payload values that a footer or ``variant_typeof`` calls so."""
    if _NESTED.match(type_):
        return "VARIANT"
    decimal = _DECIMAL.fullmatch(type_)
    if decimal:  # the digits of a value that is not shredded are those it happens to have
        return f"DECIMAL({18 if int(decimal[1]) <= _NARROW else 38},{decimal[2]})"
    return _NAMES.get(type_, type_)


@lru_cache(maxsize=10_000)
def payload_footer(engine: DuckDB, file: str) -> Node:
    """Read what a data file's footer says of its payloads."""
    cursor = engine.cursor()
    try:
        counts = dict(cursor.execute(_VALUES, [sql.exactly(file)]).fetchall())
        rows = iter(cursor.execute(_SCHEMA, [sql.exactly(file)]).fetchall())
    finally:
        cursor.close()
    leaves = iter(range(len(counts)))
    root = _node(rows, leaves, counts)
    payload = root.child("data")
    return payload if payload is not None else Node("data", "VARIANT", (), 0)


def _node(rows: Iterator[tuple[str, int, bool, str]], leaves: Iterator[int], counts: Mapping[int, int]) -> Node:
    name, children, inner, type_ = next(rows)
    if not inner:
        return Node(name, type_, (), int(counts[next(leaves)]))
    return Node(name, type_ or "", tuple(_node(rows, leaves, counts) for _ in range(children)), 0)


@lru_cache(maxsize=10_000)
def _looked_up(engine: DuckDB, file: Located, path: Path) -> tuple[tuple[str, frozenset[str]], ...]:
    value = sql.payload(path)
    query = file.rows(sql.column("type"), sql.function("variant_typeof", value))
    found: defaultdict[str, set[str]] = defaultdict(set)
    for type_, name in _rows(engine, sql.text(query)):
        types = found[type_]
        if name != "VARIANT_NULL":
            types.add(type_name(name))
    return tuple((type_, frozenset(types)) for type_, types in found.items())


@lru_cache(maxsize=10_000)
def _names(engine: DuckDB, file: Located) -> tuple[str, ...]:
    payload = payload_footer(engine, file.path)
    value, typed = payload.child("value"), payload.child("typed_value")
    if file.whole and value is not None and not value.values:
        return tuple(child.name for child in typed.children) if typed is not None else ()
    keys = sql.function("unnest", sql.function("variant_keys", sql.column("data")))
    return tuple(name for (name,) in _rows(engine, sql.text(file.rows(keys))))


def _rows(engine: DuckDB, query: str) -> list[tuple[str, ...]]:
    cursor = engine.cursor()
    try:
        return list(cursor.execute(query).fetchall())
    except duckdb.Error as error:
        raise EngineError(str(error), query) from error
    finally:
        cursor.close()
