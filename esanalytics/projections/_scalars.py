"""Typed expressions as SQL trees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.projections._typed import Typed
from esanalytics.projections._types import is_integer, is_same_through, with_zero

__all__ = ["constant", "scalar"]


def scalar(value: Typed) -> exp.Expr:
    """Write a typed expression as SQL."""
    return _WRITERS[value.op](value)


def constant(value: Typed) -> exp.Expr:
    """Write a constant of exactly its type."""
    plain = value.args[0]
    if plain is None or is_integer(value.type):
        return sql.cast(sql.literal(plain), value.type)
    if isinstance(plain, Decimal):
        return sql.cast(exp.Literal.string(f"{plain:f}"), value.type)
    if isinstance(plain, dt.date) and not isinstance(plain, dt.datetime):
        return sql.cast(exp.Literal.string(plain.isoformat()), "DATE")
    return sql.literal(plain)


def _field(value: Typed) -> exp.Expr:
    path, stored, has_decimals = value.args
    found = sql.payload(path)
    if value.type == "VARIANT":
        return found
    if value.type == "VARCHAR" and has_decimals:
        return _text(found, stored)
    through = stored not in {None, value.type} and is_same_through(stored, value.type)
    inner = sql.try_cast(found, stored) if through else found
    return sql.try_cast(inner, value.type)


def _text(found: exp.Expr, stored: str | None) -> exp.Expr:
    # DuckDB writes a DECIMAL(1,1) as ".3" and a DECIMAL(2,1) as "0.3", and the width is an accident of storage.
    if stored is not None:
        return sql.try_cast(sql.try_cast(found, with_zero(stored)), "VARCHAR")
    plain = sql.try_cast(found, "VARCHAR")
    is_decimal = sql.function("starts_with", sql.function("variant_typeof", found), exp.Literal.string("DECIMAL"))
    pattern, zero = exp.Literal.string(r"^(-?)\."), exp.Literal.string(r"\10.")
    with_a_zero = sql.function("regexp_replace", plain, pattern, zero)
    return exp.Case(ifs=[exp.If(this=is_decimal, true=with_a_zero)], default=plain.copy())


def _exists(value: Typed) -> exp.Expr:
    """Test whether the payload has a path, null included; NULL where there is no payload."""
    keys = [exp.Literal.string(key) for key in value.args[0]]
    return sql.function(
        "variant_exists", sql.column("data"), keys[0] if len(keys) == 1 else exp.Array(expressions=keys)
    )


def _column(value: Typed) -> exp.Expr:
    return sql.column(value.args[0])


def _cast(value: Typed) -> exp.Expr:
    inner = value.args[0]
    bare = inner.op == "constant" and is_integer(inner.type)
    return sql.cast(sql.literal(inner.args[0]) if bare else scalar(inner), value.type)


def _binary(node: type[exp.Binary]) -> Callable[[Typed], exp.Expr]:
    def write(value: Typed) -> exp.Expr:
        left, right = value.args
        return exp.Paren(this=node(this=_operand(left, right), expression=_operand(right, left)))

    return write


def _operand(value: Typed, other: Typed) -> exp.Expr:
    bare = value.op == "constant" and value.args[0] is not None and is_integer(other.type) and other.op != "constant"
    return sql.literal(value.args[0]) if bare else scalar(value)


def _divide(value: Typed) -> exp.Expr:
    left, right = value.args
    divisor = exp.Nullif(this=scalar(right), expression=sql.literal(0))
    return exp.Paren(this=exp.Div(this=scalar(left), expression=divisor, typed=False, safe=False))


def _negative(value: Typed) -> exp.Expr:
    return exp.Paren(this=exp.Neg(this=exp.Paren(this=scalar(value.args[0]))))


def _not(value: Typed) -> exp.Expr:
    return exp.Paren(this=exp.Not(this=exp.Paren(this=scalar(value.args[0]))))


def _is_null(value: Typed) -> exp.Expr:
    return exp.Paren(this=exp.Is(this=scalar(value.args[0]), expression=exp.Null()))


def _coalesce(value: Typed) -> exp.Expr:
    this, *rest = (scalar(part) for part in value.args)
    return exp.Coalesce(this=this, expressions=rest)


def _case(value: Typed) -> exp.Expr:
    *branches, otherwise = (scalar(part) for part in value.args)
    ifs = [exp.If(this=when, true=then) for when, then in zip(branches[::2], branches[1::2], strict=True)]
    return exp.Case(ifs=ifs, default=otherwise) if ifs else otherwise


_NODES: Mapping[str, type[exp.Binary]] = {
    "+": exp.Add,
    "-": exp.Sub,
    "*": exp.Mul,
    "=": exp.EQ,
    "<>": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
    "and": exp.And,
    "or": exp.Or,
}
_WRITERS: Mapping[str, Callable[[Typed], exp.Expr]] = {
    "field": _field,
    "envelope": _column,
    "column": _column,
    "exists": _exists,
    "constant": constant,
    "cast": _cast,
    "/": _divide,
    "negative": _negative,
    "not": _not,
    "is_null": _is_null,
    "case": _case,
    "coalesce": _coalesce,
    **{op: _binary(node) for op, node in _NODES.items()},
}
