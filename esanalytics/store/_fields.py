"""What types a payload field has in the log: from the files' footers, and by looking where these cannot tell."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import duckdb

from esanalytics import _sql as sql
from esanalytics.engines import DuckDB
from esanalytics.errors import EngineError

__all__ = ["Path", "Types", "field_names", "field_types"]

Path = tuple[str, ...]
Types = Mapping[str | None, frozenset[str]]

_SCHEMA = "SELECT name, coalesce(num_children, 0), type IS NULL, duckdb_type FROM parquet_schema(?)"
_VALUES = """
SELECT column_id, sum(num_values) - sum(stats_null_count) FROM parquet_metadata(?) GROUP BY column_id
"""
_NAMES = {
    **dict.fromkeys(("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"), "BIGINT"),
    **dict.fromkeys(("BOOL_TRUE", "BOOL_FALSE"), "BOOLEAN"),
    "TIMESTAMP_MICROS_TZ": "TIMESTAMPTZ",
    "TIMESTAMP_NANOS_TZ": "TIMESTAMPTZ",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "TIMESTAMP_MICROS": "TIMESTAMP",
    "TIME_MICROS": "TIME",
}
_NESTED = re.compile(r"OBJECT|ARRAY|STRUCT|MAP|LIST|.*\[\]$")


@dataclass(frozen=True, slots=True)
class _Node:
    """A column of a Parquet schema, with what lies under it; a leaf knows how many values it has."""

    name: str
    type: str
    children: tuple[_Node, ...]
    values: int

    def child(self, name: str) -> _Node | None:
        return next((child for child in self.children if child.name == name), None)


def field_types(engine: DuckDB, files: Sequence[str], paths: Iterable[Path]) -> dict[Path, Types]:
    """Return, for each path into the payload, the DuckDB types of its values, by event type.

    The key None holds types that are known of all event types together. Values that are NULL have no type.

    Args:
        engine: where to look.
        files: data files, by path.
        paths: keys from the payload downwards.
    """
    found: dict[Path, defaultdict[str | None, set[str]]] = {path: defaultdict(set) for path in paths}
    unclear: defaultdict[Path, list[str]] = defaultdict(list)
    for file in files if found else ():
        payload = _payload(engine, file)
        for path, types in found.items():
            known = _known(payload, path)
            if known is None:
                unclear[path].append(file)
            else:
                types[None] |= known
    for path, where in unclear.items():
        for type_, seen in (pair for file in where for pair in _looked_up(engine, file, path)):
            found[path][type_] |= seen
    return {path: {key: frozenset(v) for key, v in types.items()} for path, types in found.items()}


def field_names(engine: DuckDB, files: Sequence[str]) -> list[str]:
    """Return the names of the payloads' top-level fields, in alphabetical order."""
    return sorted({name for file in files for name in _names(engine, file)})


def _known(payload: _Node, path: Path) -> frozenset[str] | None:
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
    return frozenset([_name(typed.type)] if typed is not None else [])


def _name(type_: str) -> str:
    if _NESTED.match(type_):
        return "VARIANT"
    if type_.startswith("DECIMAL"):
        return type_.replace(" ", "")
    return _NAMES.get(type_, type_)


@lru_cache(maxsize=10_000)
def _payload(engine: DuckDB, file: str) -> _Node:
    cursor = engine.cursor()
    try:
        counts = dict(cursor.execute(_VALUES, [file]).fetchall())
        rows = iter(cursor.execute(_SCHEMA, [file]).fetchall())
    finally:
        cursor.close()
    leaves = iter(range(len(counts)))
    root = _node(rows, leaves, counts)
    payload = root.child("data")
    return payload if payload is not None else _Node("data", "VARIANT", (), 0)


def _node(rows: Iterator[tuple[str, int, bool, str]], leaves: Iterator[int], counts: Mapping[int, int]) -> _Node:
    name, children, inner, type_ = next(rows)
    if not inner:
        return _Node(name, type_, (), int(counts[next(leaves)]))
    return _Node(name, type_ or "", tuple(_node(rows, leaves, counts) for _ in range(children)), 0)


@lru_cache(maxsize=10_000)
def _looked_up(engine: DuckDB, file: str, path: Path) -> tuple[tuple[str, frozenset[str]], ...]:
    value = sql.payload(path)
    query = sql.grouped(sql.parquet([file]), sql.column("type"), sql.function("variant_typeof", value))
    found: defaultdict[str, set[str]] = defaultdict(set)
    for type_, name in _rows(engine, sql.text(query)):
        types = found[type_]
        if name != "VARIANT_NULL":
            types.add(_name(name))
    return tuple((type_, frozenset(types)) for type_, types in found.items())


@lru_cache(maxsize=10_000)
def _names(engine: DuckDB, file: str) -> tuple[str, ...]:
    payload = _payload(engine, file)
    value, typed = payload.child("value"), payload.child("typed_value")
    if value is not None and not value.values:
        return tuple(child.name for child in typed.children) if typed is not None else ()
    keys = sql.function("unnest", sql.function("variant_keys", sql.column("data")))
    return tuple(name for (name,) in _rows(engine, sql.text(sql.grouped(sql.parquet([file]), keys))))


def _rows(engine: DuckDB, query: str) -> list[tuple[str, ...]]:
    cursor = engine.cursor()
    try:
        return list(cursor.execute(query).fetchall())
    except duckdb.Error as error:
        raise EngineError(str(error), query) from error
    finally:
        cursor.close()
