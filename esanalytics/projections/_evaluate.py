"""The value of a typed expression for one event, in plain Python; None is SQL's NULL."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from typing import Any

from esanalytics.projections._cast import cast
from esanalytics.projections._typed import Typed

__all__ = ["evaluate", "lookup"]

_EXACT = Context(prec=100)


def evaluate(value: Typed, event: Mapping[str, Any]) -> Any:  # noqa: ANN401  a value of any type
    """Compute the value."""
    if value.op == "field":
        return cast(lookup(event["data"], value.args[0]), value.type)
    if value.op == "envelope":
        return event[value.args[0]]
    if value.op == "constant":
        return value.args[0]
    if value.op in _LAZY:
        return _LAZY[value.op](value, event)
    args = [evaluate(part, event) for part in value.args]
    if value.op == "cast":
        return cast(args[0], value.type)
    return None if None in args else _OPERATORS[value.op](*args)


def lookup(data: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401  payloads hold anything
    """Read a path of a payload; None where it is absent."""
    found = data
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _exists(value: Typed, event: Mapping[str, Any]) -> bool:
    path = value.args[0]
    parent = lookup(event["data"], path[:-1])
    return isinstance(parent, Mapping) and path[-1] in parent


def _divide(left: float, right: float) -> float | None:
    return left / right if right else None


def _exactly(method: Callable[[Context, Decimal, Decimal], Decimal], plain: Callable[..., Any]) -> Callable[..., Any]:
    def apply(left: Any, right: Any) -> Any:  # noqa: ANN401  two numbers
        is_decimal = isinstance(left, Decimal) or isinstance(right, Decimal)
        return method(_EXACT, Decimal(left), Decimal(right)) if is_decimal else plain(left, right)

    return apply


def _and(value: Typed, event: Mapping[str, Any]) -> bool | None:
    args = [evaluate(part, event) for part in value.args]
    if False in args:
        return False
    return None if None in args else True


def _or(value: Typed, event: Mapping[str, Any]) -> bool | None:
    args = [evaluate(part, event) for part in value.args]
    if True in args:
        return True
    return None if None in args else False


def _case(value: Typed, event: Mapping[str, Any]) -> Any:  # noqa: ANN401  a value of any type
    *branches, otherwise = value.args
    pairs = zip(branches[::2], branches[1::2], strict=True)
    return evaluate(next((then for condition, then in pairs if evaluate(condition, event)), otherwise), event)


def _coalesce(value: Typed, event: Mapping[str, Any]) -> Any:  # noqa: ANN401  a value of any type
    found = (evaluate(part, event) for part in value.args)
    return next((part for part in found if part is not None), None)


def _is_null(value: Typed, event: Mapping[str, Any]) -> bool:
    return evaluate(value.args[0], event) is None


_LAZY: Mapping[str, Callable[[Typed, Mapping[str, Any]], Any]] = {
    "exists": _exists,
    "and": _and,
    "or": _or,
    "case": _case,
    "coalesce": _coalesce,
    "is_null": _is_null,
}
_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "+": _exactly(Context.add, operator.add),
    "-": _exactly(Context.subtract, operator.sub),
    "*": _exactly(Context.multiply, operator.mul),
    "/": _divide,
    "negative": operator.neg,
    "not": operator.not_,
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
