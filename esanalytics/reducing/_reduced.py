"""What a reducer gave, as files and the query that reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.errors import ProjectionError
from esanalytics.reducing._arrays import Column
from esanalytics.reducing._rows import KEY, Key, Written
from esanalytics.reducing._values import one_type

__all__ = ["Reduced", "together"]

_MARK_TYPES = {
    "$effective_at": "TIMESTAMPTZ",
    "$version": "BIGINT",
    "$position": "BIGINT",
    "$event_id": "VARCHAR",
    "$type": "VARCHAR",
    "$live": "BOOLEAN",
    "$next_at": "TIMESTAMPTZ",
}
_AS_THEY_ARE = {"bool", "int", "float"}


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """The states of a log's streams, in Parquet files that live as long as this does.

    Attributes:
        files: the files.
        columns: the state's columns, in the order of their first appearance, without the key.
        keeper: holds the folder of the files.
    """

    files: tuple[str, ...]
    columns: tuple[str, ...]
    keeper: object
    _tree: exp.Select

    def tree(self) -> exp.Select:
        """Return the query that reads the files: the key, the state's columns, and what is known of each event."""
        return self._tree.copy()


def together(name: str, parts: Sequence[Written], keeper: object, *, every: bool) -> Reduced:
    """Make one answer of what one or several processes have written.

    Raises:
        ProjectionError: two columns differ only in case.
    """
    columns: dict[str, Column] = {}
    for found, column in (pair for part in parts for pair in part.columns.items()):
        known = columns.setdefault(found, Column(column.first))
        known.merge(column)
    ordered = sorted(columns, key=lambda found: columns[found].first)
    lower = {found.lower(): found for found in ordered}
    other = next((found for found in ordered if lower[found.lower()] != found), None)
    if other is not None:
        reason = f"its columns {other!r} and {lower[other.lower()]!r} differ only in case"
        raise ProjectionError(name, reason, "rename one of them")
    files = [file for part in parts for file in part.files]
    wanted = {found: _value(found, columns[found]) for found in ordered}
    tree = _read(files, wanted, every=every)
    aside = [key for part in parts for key in part.aside]
    return Reduced(tuple(files), tuple(ordered), keeper, tree.where(_not_among(aside)) if aside else tree)


def _read(files: Sequence[str], wanted: dict[str, exp.Expr], *, every: bool) -> exp.Select:
    own: dict[str, str] = {**dict.fromkeys(KEY, "VARCHAR"), **(_MARK_TYPES if every else {})}
    values = {name: sql.column(name) if files else sql.cast(exp.null(), type_) for name, type_ in own.items()}
    ordered = {name: values[name] for name in KEY} | wanted | {name: values[name] for name in own if name not in KEY}
    tree = exp.select(*(exp.alias_(value, name, quoted=True) for name, value in ordered.items()))
    return tree.from_(sql.parquet(files, by_name=True)) if files else tree.where(exp.false())


def _value(name: str, column: Column) -> exp.Expr:
    """Bring the kinds of values that a column has to one type."""
    stored = {token: sql.column(f"{token} {name}") for token in sorted(column.stored)}
    if not stored:
        return sql.cast(exp.null(), "VARCHAR")
    structure = column.shape.structure() if stored.keys() == {"json"} else "JSON"
    if structure != "JSON":
        return sql.function("from_json", stored["json"], sql.literal(json.dumps(structure, ensure_ascii=False)))
    type_ = None if "json" in stored else one_type(kind for kinds in column.stored.values() for kind in kinds)
    if type_ is not None:
        return _first([sql.cast(value, type_) for value in stored.values()])
    return _first([_json(token, value) for token, value in stored.items()])


def _json(token: str, value: exp.Expr) -> exp.Expr:
    if token == "json":  # noqa: S105  no password
        return value
    text = sql.cast(value, "VARCHAR")
    if token in _AS_THEY_ARE or token.startswith("decimal"):
        return text
    return sql.cast(sql.function("to_json", text), "VARCHAR")


def _first(values: list[Any]) -> exp.Expr:
    return values[0] if len(values) == 1 else exp.Coalesce(this=values[0], expressions=values[1:])


def _not_among(keys: Iterable[Key]) -> exp.Expr:
    own = exp.Tuple(expressions=[sql.column(name) for name in KEY])
    options = [exp.Tuple(expressions=[sql.literal(part) for part in key]) for key in keys]
    return exp.Not(this=exp.In(this=own, expressions=options))
