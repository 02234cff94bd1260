"""Expressions: values computed from one event, written with Python operators.

An expression is a name and its arguments, nothing more; what it means is in ``_evaluate`` (Python) and in
``_scalars`` (SQL). NULL behaves as in SQL everywhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from esanalytics import events
from esanalytics._instants import instant

__all__ = [
    "ENVELOPE",
    "Expression",
    "Value",
    "case",
    "causation_id",
    "coalesce",
    "correlation_id",
    "effective_at",
    "event_id",
    "field",
    "is_null",
    "lift",
    "occurred_at",
    "position",
    "recorded_at",
    "schema_version",
    "service",
    "stream_id",
    "type_",
    "version",
    "walk",
]

Constant = str | int | float | bool | Decimal | dt.datetime | dt.date | None

ENVELOPE: Mapping[str, str] = {
    **{name: type_ for name, type_ in events.TYPES.items() if type_ != "VARIANT"},
    "effective_at": "TIMESTAMPTZ",
}
"""The envelope columns that an expression may name, and their types."""


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A value computed from one event.

    Made by `field`, `case`, `coalesce`, the envelope words and the operators ``+ - * /``, unary ``-``,
    ``== != < <= > >=``, ``&``, ``|``, ``~``. ``==`` gives an expression: compare two by their ``repr``.

    Attributes:
        op: what is done: ``"field"``, ``"constant"``, ``"envelope"``, ``"case"``, an operator and so on.
        args: what it is done to.
    """

    op: str
    args: tuple[Any, ...]

    def __bool__(self) -> NoReturn:
        raise TypeError("an expression has no truth of its own; join conditions with & | ~ and choose with case(...)")

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __add__(self, other: Value) -> Expression:
        return _binary("+", self, other)

    def __radd__(self, other: Value) -> Expression:
        return _binary("+", other, self)

    def __sub__(self, other: Value) -> Expression:
        return _binary("-", self, other)

    def __rsub__(self, other: Value) -> Expression:
        return _binary("-", other, self)

    def __mul__(self, other: Value) -> Expression:
        return _binary("*", self, other)

    def __rmul__(self, other: Value) -> Expression:
        return _binary("*", other, self)

    def __truediv__(self, other: Value) -> Expression:
        return _binary("/", self, other)

    def __rtruediv__(self, other: Value) -> Expression:
        return _binary("/", other, self)

    def __neg__(self) -> Expression:
        return Expression("negative", (self,))

    def __eq__(self, other: Value) -> Expression:  # type: ignore[override]  # a comparison, not an answer
        return _binary("=", self, other)

    def __ne__(self, other: Value) -> Expression:  # type: ignore[override]  # a comparison, not an answer
        return _binary("<>", self, other)

    def __lt__(self, other: Value) -> Expression:
        return _binary("<", self, other)

    def __le__(self, other: Value) -> Expression:
        return _binary("<=", self, other)

    def __gt__(self, other: Value) -> Expression:
        return _binary(">", self, other)

    def __ge__(self, other: Value) -> Expression:
        return _binary(">=", self, other)

    def __and__(self, other: Value) -> Expression:
        return _binary("and", self, other)

    def __rand__(self, other: Value) -> Expression:
        return _binary("and", other, self)

    def __or__(self, other: Value) -> Expression:
        return _binary("or", self, other)

    def __ror__(self, other: Value) -> Expression:
        return _binary("or", other, self)

    def __invert__(self) -> Expression:
        return Expression("not", (self,))


Value = Expression | Constant
"""What an expression or an assignment takes: an expression, or a bare value."""


def field(path: str | tuple[str, ...], type: str | None = None) -> Expression:  # noqa: A002  what it is called everywhere
    """Read a value of the payload.

    An absent value, a null, and one that cannot be read as ``type`` are all NULL.

    Args:
        path: keys joined by dots, or a tuple of keys where a key has a dot in it.
        type: a type such as ``"DECIMAL(18,2)"``, ``"BIGINT"``, ``"TIMESTAMPTZ"`` or ``"VARCHAR[]"``;
            None: the type that holds everything the log has there. ``"VARIANT"`` leaves the value as it is.

    Example:
        >>> field("customer.id").args
        (('customer', 'id'), None)
    """
    keys = tuple(path.split(".")) if isinstance(path, str) else tuple(path)
    return Expression("field", (keys, type))


def case(*branches: tuple[Value, Value], else_: Value = None) -> Expression:
    """Choose the value of the first branch whose condition is true, else ``else_``.

    Args:
        branches: pairs of condition and value.
        else_: the value where no condition is true.

    Example:
        >>> case((field("total") > 100, "large"), else_="small").op
        'case'
    """
    flat = [lift(part) for condition, value in branches for part in (condition, value)]
    return Expression("case", (*flat, lift(else_)))


def coalesce(*values: Value) -> Expression:
    """Take the first value that is not NULL."""
    return Expression("coalesce", tuple(lift(value) for value in values))


def is_null(value: Value) -> Expression:
    """Tell whether a value is NULL; ``== None`` is NULL, never true."""
    return Expression("is_null", (lift(value),))


def lift(value: Value) -> Expression:
    """Make an expression of a bare value.

    Raises:
        TypeError: it is no value an expression can hold.
    """
    if isinstance(value, Expression):
        return value
    found = _constant(value)
    if found is NotImplemented:
        remedy = "give text, a number, a bool, a Decimal, a datetime, a date, None or an expression such as field('x')"
        raise TypeError(f"not a value of an expression: {value!r}; {remedy}")
    return Expression("constant", (found,))


def walk(expression: Expression) -> list[Expression]:
    """List an expression and everything in it."""
    inside = [part for arg in expression.args if isinstance(arg, Expression) for part in walk(arg)]
    return [expression, *inside]


def _binary(op: str, left: Value, right: Value) -> Expression:
    return Expression(op, (lift(left), lift(right)))


def _constant(value: object) -> Any:  # noqa: ANN401  a Constant, or NotImplemented
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dt.datetime):
        return instant(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() else NotImplemented
    for plain, convert in ((str, str.__str__), (int, int), (float, float)):
        if isinstance(value, plain):
            return convert(value)
    return value if isinstance(value, dt.date) else NotImplemented


def _envelope(name: str) -> Expression:
    return Expression("envelope", (name,))


position = _envelope("position")
event_id = _envelope("event_id")
service = _envelope("service")
stream_id = _envelope("stream_id")
version = _envelope("version")
type_ = _envelope("type")
schema_version = _envelope("schema_version")
occurred_at = _envelope("occurred_at")
recorded_at = _envelope("recorded_at")
effective_at = _envelope("effective_at")
correlation_id = _envelope("correlation_id")
causation_id = _envelope("causation_id")
