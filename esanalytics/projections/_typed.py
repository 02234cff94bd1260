"""Typed expressions: what each value's type is, and where it is cast.

The rules by which types meet are here and nowhere else; the query and the Python fold both follow the
tree that comes out, in which every cast is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from esanalytics._instants import instant
from esanalytics.errors import CompileError
from esanalytics.projections._expressions import ENVELOPE, Expression
from esanalytics.projections._types import (
    UNKNOWN,
    common,
    decimal_of,
    declared_type,
    element_of,
    is_integer,
    is_numeric,
    stored_type,
    type_of,
    unify_known,
    with_zero,
)

__all__ = ["Scope", "Typed", "coerce", "settle", "typed"]


@dataclass(frozen=True, slots=True)
class Typed:
    """A value computed from one event, and its type.

    Attributes:
        op: as in `Expression`, and ``"cast"``, ``"exists"`` (the payload has a path, null included) and ``"column"`` (a
            value that was computed before, by its column).
        type: a DuckDB type, or `UNKNOWN`.
        args: typed parts; for a field its path, the one type it is stored in (or None), and
            whether decimals are among its types.
    """

    op: str
    type: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands.

    Attributes:
        projection: the projection's name, for messages.
        place: ``column 'total'``, for messages.
        types: the types that the log holds at a path, in the events that matter here.
    """

    projection: str
    place: str
    types: Callable[[tuple[str, ...]], frozenset[str]]

    def refuse(self, reason: str, remedy: str) -> NoReturn:
        """Raise a CompileError that names the place."""
        raise CompileError(self.projection, f"{self.place}: {reason}", remedy)


def typed(expression: Expression, scope: Scope) -> Typed:
    """Find the type of an expression and of all its parts.

    Raises:
        CompileError: types meet that cannot.
    """
    return _RULES[expression.op](expression, scope)


def coerce(value: Typed, type_: str) -> Typed:
    """Bring a value to a type; one of unknown type becomes of it."""
    if value.type == type_:
        return value
    if value.type != UNKNOWN:
        return Typed("cast", type_, (_with_zero(value) if type_ == "VARCHAR" else value,))
    if value.op in {"case", "coalesce"}:
        return Typed(
            value.op,
            type_,
            tuple(_branch(value.op, n, part, type_, value) for n, part in enumerate(value.args)),
        )
    return Typed(value.op, type_, value.args)


def _with_zero(value: Typed) -> Typed:
    wider = with_zero(value.type)
    return value if wider == value.type else Typed("cast", wider, (value,))


def settle(value: Typed, default: str = "VARCHAR") -> Typed:
    """Give a value of unknown type the type that nothing else decides."""
    return coerce(value, default) if value.type == UNKNOWN else value


def _branch(op: str, number: int, part: Typed, type_: str, whole: Typed) -> Typed:
    is_condition = op == "case" and number % 2 == 0 and number != len(whole.args) - 1
    return part if is_condition else coerce(part, type_)


def _field(expression: Expression, scope: Scope) -> Typed:
    path, declared = expression.args
    types = scope.types(path)
    type_ = unify_known(types) if declared is None else declared_type(declared) or UNKNOWN
    return Typed("field", type_, (path, stored_type(types), any(name.upper().startswith("DEC") for name in types)))


def _envelope(expression: Expression, scope: Scope) -> Typed:  # noqa: ARG001  one signature for all rules
    return Typed("envelope", ENVELOPE[expression.args[0]], expression.args)


def _constant(expression: Expression, scope: Scope) -> Typed:  # noqa: ARG001  one signature for all rules
    return Typed("constant", type_of(expression.args[0]) or UNKNOWN, expression.args)


def _number(value: Typed, scope: Scope, op: str) -> Typed:
    found = settle(value, "BIGINT")
    if not is_numeric(found.type):
        remedy = "declare a numeric type: field('price', 'DECIMAL(18,2)')"
        scope.refuse(f"{op!r} needs numbers, {_named(value)} is {found.type}", remedy)
    return coerce(found, "BIGINT") if is_integer(found.type) else found


def _named(value: Typed) -> str:
    return f"field {'.'.join(value.args[0])!r}" if value.op == "field" else "a value"


def _arithmetic(expression: Expression, scope: Scope) -> Typed:
    left, right = (_number(typed(part, scope), scope, expression.op) for part in expression.args)
    type_ = _arithmetic_type(expression.op, left.type, right.type)
    if type_ == "DOUBLE":
        return Typed(expression.op, type_, (coerce(left, type_), coerce(right, type_)))
    digits, other = decimal_of(left.type), decimal_of(right.type)
    narrow = expression.op == "*" and digits and other and digits[0] + other[0] > _NATIVE
    return Typed(expression.op, type_, (coerce(left, f"DECIMAL(38,{digits[1]})") if narrow and digits else left, right))


_NATIVE = 18
"""The digits to which DuckDB keeps a product of two decimals, failing beyond, unless one is wider."""


def _arithmetic_type(op: str, left: str, right: str) -> str:
    if op == "/" or "DOUBLE" in {left, right}:
        return "DOUBLE"
    if {left, right} == {"BIGINT"}:
        return "BIGINT"
    (width, scale), (other_width, other_scale) = (decimal_of(name) or (19, 0) for name in (left, right))
    if op == "*":
        total = scale + other_scale
        return f"DECIMAL(38,{total})" if total <= 38 else "DOUBLE"  # noqa: PLR2004  the digits a DECIMAL has
    most = max(scale, other_scale)
    return f"DECIMAL({min(38, max(width - scale, other_width - other_scale) + most + 1)},{most})"


def _negative(expression: Expression, scope: Scope) -> Typed:
    value = _number(typed(expression.args[0], scope), scope, "-")
    return Typed("negative", value.type, (value,))


def _comparison(expression: Expression, scope: Scope) -> Typed:
    sides = tuple(typed(part, scope) for part in expression.args)
    left, right = _instants(sides, scope)
    return Typed(expression.op, "BOOLEAN", _alike(left, right, scope))


def _instants(sides: tuple[Typed, ...], scope: Scope) -> tuple[Typed, ...]:
    temporal = any(side.type in {"DATE", "TIMESTAMP", "TIMESTAMPTZ"} for side in sides)
    if not temporal:
        return sides
    return tuple(_instant(side, scope) if (side.op, side.type) == ("constant", "VARCHAR") else side for side in sides)


def _instant(value: Typed, scope: Scope) -> Typed:
    try:
        return Typed("constant", "TIMESTAMPTZ", (instant(value.args[0]),))
    except ValueError as error:
        scope.refuse("an instant is compared with text", str(error))


def _alike(left: Typed, right: Typed, scope: Scope) -> tuple[Typed, Typed]:
    type_ = common((left.type, right.type))
    if type_ == UNKNOWN:
        return settle(left), settle(right)
    kinds = {_family(side.type) for side in (left, right)} - {UNKNOWN}
    if len(kinds) > 1 or type_ == "VARIANT" or element_of(type_) is not None:
        remedy = "declare the field with the other's type: field('x', 'BIGINT')"
        scope.refuse(f"{left.type} is compared with {right.type}", remedy)
    if is_integer(left.type) and is_integer(right.type):
        return left, right
    return coerce(left, type_), coerce(right, type_)


def _family(type_: str) -> str:
    if is_numeric(type_):
        return "number"
    return "instant" if type_ in {"DATE", "TIMESTAMP", "TIMESTAMPTZ"} else type_


def _condition(value: Typed, scope: Scope, op: str) -> Typed:
    found = settle(value, "BOOLEAN")
    if found.type != "BOOLEAN":
        remedy = "compare it, or declare it: field('paid', 'BOOLEAN')"
        scope.refuse(f"{op!r} needs a condition, {_named(value)} is {found.type}", remedy)
    return found


def _logic(expression: Expression, scope: Scope) -> Typed:
    parts = (typed(part, scope) for part in expression.args)
    return Typed(expression.op, "BOOLEAN", tuple(_condition(part, scope, expression.op) for part in parts))


def _is_null(expression: Expression, scope: Scope) -> Typed:
    return Typed("is_null", "BOOLEAN", (settle(typed(expression.args[0], scope)),))


def _coalesce(expression: Expression, scope: Scope) -> Typed:
    parts = [typed(part, scope) for part in expression.args]
    type_ = common(part.type for part in parts)
    return Typed("coalesce", type_, tuple(coerce(part, type_) for part in parts))


def _case(expression: Expression, scope: Scope) -> Typed:
    parts = [typed(part, scope) for part in expression.args]
    last = len(parts) - 1
    type_ = common(part.type for n, part in enumerate(parts) if n % 2 or n == last)
    is_value = [bool(n % 2) or n == last for n in range(len(parts))]
    flat = (coerce(p, type_) if v else _condition(p, scope, "case") for p, v in zip(parts, is_value, strict=True))
    return Typed("case", type_, tuple(flat))


_RULES: Mapping[str, Callable[[Expression, Scope], Typed]] = {
    "field": _field,
    "envelope": _envelope,
    "constant": _constant,
    "negative": _negative,
    "case": _case,
    "coalesce": _coalesce,
    "is_null": _is_null,
    **dict.fromkeys(("+", "-", "*", "/"), _arithmetic),
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), _comparison),
    **dict.fromkeys(("and", "or", "not"), _logic),
}
