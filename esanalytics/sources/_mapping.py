"""Where each envelope column comes from."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from esanalytics import _sql
from esanalytics.errors import SourceError
from esanalytics.events import ENVELOPE

__all__ = [
    "Constant",
    "Expression",
    "Mapped",
    "Origin",
    "checked",
    "constant",
    "inside",
    "nearest",
    "rewritten",
    "sql",
]


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value for every row; made by ``constant``."""

    value: Any


@dataclass(frozen=True, slots=True)
class Expression:
    """A SQL expression over the source's columns; made by ``sql``."""

    text: str
    tree: exp.Expression


Origin = str | Constant | Expression | None
"""A column or dotted path of the source, a constant, a SQL expression, or nothing."""

Mapped = Mapping[str, Origin]
"""Envelope columns and their origins."""

_REMEDY = 'give one SQL expression over the columns of the source, such as sql("to_timestamp(ts::double)")'


def constant(value: Any) -> Constant:  # noqa: ANN401  any plain value
    """Give an envelope column the same value in every row.

    Args:
        value: text, number, boolean, instant, date or None; for ``data`` and ``metadata`` a dict.

    Raises:
        SourceError: the value is of another kind.

    Example:
        >>> constant("orders")
        Constant(value='orders')
    """
    if not isinstance(value, str | bool | int | float | Decimal | dt.date | Mapping | None):
        raise SourceError(
            "mapping",
            None,
            f"{type(value).__name__} cannot be a constant",
            "give text, a number, an instant or a dict",
        )
    return Constant(value)


def sql(text: str) -> Expression:
    """Compute an envelope column by a DuckDB expression over the source's columns.

    In CSV and Parquet the columns have the types the source gives them, envelope columns are text. In JSON
    lines every field of the record is a VARIANT column, ``user.name`` a path in it, and ``record`` the whole
    record (so a field of that name is ``record.record``). A row whose expression fails is refused.

    Raises:
        SourceError: the text is not one expression, or it is an aggregate, a window or a query.

    Example:
        >>> sql("to_timestamp(ts::double)").text
        'to_timestamp(ts::double)'
    """
    tree = _parsed(text)
    if tree.find(exp.AggFunc, exp.Window, exp.Query, exp.Star) is not None:
        raise SourceError("mapping", None, f"not an expression over one row: {text!r}", _REMEDY)
    return Expression(text, tree)


def checked(mapping: Mapped | None) -> dict[str, Origin]:
    """Return the mapping as a dict of its own.

    Raises:
        SourceError: a column is not of the envelope, or an origin is of no known kind.
    """
    found = dict(mapping or {})
    for name, origin in found.items():
        if name not in ENVELOPE:
            raise SourceError("mapping", None, f"{name!r} is no envelope column", nearest(name, ENVELOPE))
        if not isinstance(origin, str | Constant | Expression | None):
            kind = type(origin).__name__
            remedy = "give a column name, constant(value), sql(text) or None"
            raise SourceError("mapping", None, f"the origin of {name!r} is of type {kind}", remedy)
    return found


def nearest(name: str, known: Collection[str]) -> str:
    """Say which known name is nearest, else which there are."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {found[0]!r}?" if found else f"there are: {', '.join(known)}"


def rewritten(expression: Expression, columns: Sequence[str], names: Sequence[str], origin: str) -> exp.Expression:
    """Return the expression over columns ``names[i]`` in place of ``columns[i]``.

    An exact name comes first, then one that differs in upper and lower case.

    Raises:
        SourceError: the source has no such column.
    """
    exact = dict(zip(columns, names, strict=True))
    folded = {column.lower(): name for column, name in reversed(exact.items())}

    def replace(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Column):
            return node
        first, *rest = [part.name for part in node.parts]
        name = exact.get(first) or folded.get(first.lower())
        if name is None:
            raise SourceError(
                origin, None, f"no column {first!r} for sql({expression.text!r})", nearest(first, columns)
            )
        return inside(_sql.column(name), rest)

    return expression.tree.transform(replace)


def inside(value: exp.Expression, path: Sequence[str]) -> exp.Expression:
    """Go into a struct or a VARIANT by the names of its fields."""
    found = value
    for name in path:
        found = exp.Dot(this=found, expression=exp.to_identifier(name, quoted=True))
    return found


def _parsed(text: str) -> exp.Expression:
    try:
        trees = sqlglot.parse(f"SELECT {text}", dialect=_sql.DIALECT)
    except SqlglotError as error:
        raise SourceError("mapping", None, f"not a SQL expression: {text!r}", _REMEDY) from error
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1 or isinstance(tree.expressions[0], exp.Alias):
        raise SourceError("mapping", None, f"not one SQL expression: {text!r}", _REMEDY)
    if {key for key, value in tree.args.items() if value} - {"kind", "expressions"}:
        raise SourceError("mapping", None, f"not one SQL expression: {text!r}", _REMEDY)
    found: exp.Expression = tree.expressions[0]
    return found
