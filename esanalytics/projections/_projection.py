"""The projection: a key, and what each type of event does to the columns of its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from esanalytics.errors import CompileError, ProjectionError
from esanalytics.projections._assignments import ACCUMULATORS, SETTERS, Assignment, Delete, assignment
from esanalytics.projections._expressions import ENVELOPE, Constant, Expression, Value, field, walk
from esanalytics.projections._types import DECLARABLE, declared_type, digits_of

__all__ = [
    "Key",
    "Projection",
    "Rule",
    "Selector",
    "column_names",
    "columns_of",
    "key_columns",
    "paths",
    "selected_type",
]

Selector = str | tuple[str, str]
"""Which events a rule is for: a type, a (service, type), or ``"*"``."""

Rule = Mapping[str, Any] | Delete
"""What an event does: column -> assignment (bare values and expressions set), or ``delete``."""

Key = str | Expression | tuple[str | Expression, ...] | Mapping[str, str | Expression]
"""A key as it may be written."""

_INT64 = range(-(2**63), 2**63)
_DIGITS = 38


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """What the state is: one row per key, built by the events in their order.

    Two projections are equal where their ``repr`` is.

    Attributes:
        name: what it is called.
        key: an envelope column's name, else a payload path; an expression; a tuple of these; or a mapping of
            column name to either. The key's column is called after the column, or the path's last key.
        on: for each type of event, ``(service, type)`` or ``"*"``: the columns it assigns, or ``delete``.
            The more specific rule wins, column by column.

    Raises:
        ProjectionError: it says something that has no meaning.
        CompileError: a column mixes two ways of accumulating.

    Example:
        >>> from esanalytics.projections import add, delete, field
        >>> orders = Projection(
        ...     "orders", key="stream_id",
        ...     on={"OrderPlaced": {"status": "placed"}, "ItemAdded": {"items": add(1)}, "OrderDeleted": delete},
        ... )
        >>> columns_of(orders)
        ('status', 'items')
    """

    name: str
    key: Key
    on: Mapping[Selector, Rule]

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", _rules(self.name, self.on))
        for check in _CHECKS:
            check(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Projection) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


def key_columns(projection: Projection) -> dict[str, Expression]:
    """Give the key's columns by name.

    Raises:
        ProjectionError: the key is empty, or a part of it has no name or one that is taken.
    """
    parts = _key_parts(projection.name, projection.key)
    twice = _twice(name for name, _ in parts)
    if not parts or twice:
        reason = f"the key has two columns named {twice!r}" if twice else "the key is empty"
        raise ProjectionError(projection.name, reason, "name each part: key={'name': field('path'), …}")
    return dict(parts)


def columns_of(projection: Projection) -> tuple[str, ...]:
    """Give the columns that the rules assign, in the order in which they first appear."""
    return tuple(dict.fromkeys(name for rule in projection.on.values() if isinstance(rule, Mapping) for name in rule))


def column_names(projection: Projection) -> tuple[str, ...]:
    """Give the names of all columns of a row: the key's, then the others."""
    return (*key_columns(projection), *columns_of(projection))


def paths(projection: Projection) -> dict[tuple[str, ...], frozenset[str] | None]:
    """Give the payload paths a projection reads, and in which event types; None: in all.

    Example:
        >>> from esanalytics.projections import field
        >>> paths(Projection("p", "stream_id", {"A": {"x": field("a.b")}}))
        {('a', 'b'): frozenset({'A'})}
    """
    found: dict[tuple[str, ...], frozenset[str] | None] = {}
    for path, type_ in _uses(projection):
        before = found.get(path, frozenset())
        found[path] = None if type_ is None or before is None else before | {type_}
    return found


def selected_type(selector: Selector) -> str | None:
    """Give the event type that a selector is for; None: all."""
    type_ = selector if isinstance(selector, str) else selector[1]
    return None if type_ == "*" else type_


def _uses(projection: Projection) -> Iterator[tuple[tuple[str, ...], str | None]]:
    for selector, rule in projection.on.items():
        assigned = [found.value for found in rule.values()] if isinstance(rule, Mapping) else []
        for value in (*key_columns(projection).values(), *assigned):
            yield from ((part.args[0], selected_type(selector)) for part in walk(value) if part.op == "field")


def _key_parts(projection: str, key: Key) -> list[tuple[str, Expression]]:
    if isinstance(key, Mapping):
        return [(name, _key_part(projection, part)) for name, part in key.items()]
    parts = [_key_part(projection, part) for part in (key if isinstance(key, tuple) else (key,))]
    return [(_name(projection, part), part) for part in parts]


def _key_part(projection: str, part: str | Expression) -> Expression:
    if isinstance(part, Expression):
        return part
    if not isinstance(part, str) or not part or part in {"data", "metadata"}:
        raise ProjectionError(
            projection, f"not a key: {part!r}", "give an envelope column, a payload path or a field(…)"
        )
    return Expression("envelope", (part,)) if part in ENVELOPE else field(part)


def _name(projection: str, part: Expression) -> str:
    if part.op not in {"field", "envelope"}:
        raise ProjectionError(projection, "the key has a part without a name", "name it: key={'name': coalesce(…)}")
    found: str = part.args[0][-1] if part.op == "field" else part.args[0]
    return found


def _rules(projection: str, on: Mapping[Selector, Rule]) -> dict[Selector, Any]:
    if not isinstance(on, Mapping) or not on:
        raise ProjectionError(projection, "`on` has no rule", "give on={'OrderPlaced': {'status': 'placed'}}")
    return {_selector(projection, selector): _rule(projection, selector, rule) for selector, rule in on.items()}


def _selector(projection: str, selector: Selector) -> Selector:
    parts = selector if isinstance(selector, tuple) else ("", selector)
    whole = len(parts) == 2 and all(isinstance(part, str) for part in parts) and parts[1]  # noqa: PLR2004  a pair
    if not whole or (isinstance(selector, tuple) and (not parts[0] or "*" in parts)):
        remedy = "give an event type, ('service', 'type') or '*'"
        raise ProjectionError(projection, f"not a kind of event: {selector!r}", remedy)
    return selector


def _rule(projection: str, selector: Selector, rule: Rule) -> Mapping[str, Assignment] | Delete:
    if isinstance(rule, Delete):
        return rule
    if not isinstance(rule, Mapping):
        raise ProjectionError(projection, f"not a rule for {selector!r}: {rule!r}", "give a dict of columns, or delete")
    return {name: _assignment(projection, name, value) for name, value in rule.items()}


def _assignment(projection: str, column: str, value: Value | Assignment) -> Assignment:
    try:
        return assignment(value)
    except TypeError as error:
        raise ProjectionError(projection, f"column {column!r}: {error}") from error


def _twice(names: Iterator[str]) -> str | None:
    return next((name for name, times in Counter(name.lower() for name in names).items() if times > 1), None)


def _check_names(projection: Projection) -> None:
    names = column_names(projection)
    if not isinstance(projection.name, str) or not projection.name:
        raise ProjectionError(projection.name, "it has no name", "give a text")
    if not all(isinstance(name, str) and name for name in names):
        raise ProjectionError(projection.name, "a column has no name", "give each column a text as its name")
    own = next((name for name in names if name.startswith("$")), None)
    if own:
        raise ProjectionError(
            projection.name, f"the column {own!r} begins with '$'", "such names are the library's own"
        )
    twice = _twice(iter(names))
    if twice:
        reason = f"two columns are named {twice!r}, in upper or lower case, or one as the key is"
        raise ProjectionError(projection.name, reason, "give each column a name of its own")


def _check_kinds(projection: Projection) -> None:
    for column in columns_of(projection):
        kinds = {rule[column].kind for rule in projection.on.values() if isinstance(rule, Mapping) and column in rule}
        families = sorted({ACCUMULATORS[kind] for kind in kinds - SETTERS})
        if len(families) > 1:
            reason = f"column {column!r} mixes {' and '.join(families)}"
            raise CompileError(projection.name, reason, "accumulate each in a column of its own")


def _check_parts(projection: Projection) -> None:
    rules = [rule for rule in projection.on.values() if isinstance(rule, Mapping)]
    values = [*key_columns(projection).values(), *(found.value for rule in rules for found in rule.values())]
    for part in (part for value in values for part in walk(value)):
        fault = _PARTS.get(part.op, _no_fault)(*part.args)
        if fault:
            raise ProjectionError(projection.name, *fault)


def _no_fault(*_: object) -> None:
    return None


def _field_fault(path: tuple[str, ...], type_: str | None) -> tuple[str, str] | None:
    if not path or not all(isinstance(key, str) and key for key in path):
        return (
            f"not a payload path: {path!r}",
            "give keys joined by dots, or a tuple of keys; none may be empty",
        )
    if type_ is not None and (not isinstance(type_, str) or declared_type(type_) is None):
        return (
            f"field {'.'.join(path)!r} has the unknown type {type_!r}",
            f"give one of {', '.join(DECLARABLE)}, or T[]",
        )
    return None


def _constant_fault(value: Constant) -> tuple[str, str] | None:
    large = isinstance(value, int) and value not in _INT64
    if large or (isinstance(value, Decimal) and max(digits_of(value)) > _DIGITS):
        return (
            f"the number {value} is too long",
            "give an integer of 64 bits, or a Decimal of at most 38 digits",
        )
    return None


_PARTS: Mapping[str, Callable[..., tuple[str, str] | None]] = {
    "field": _field_fault,
    "constant": _constant_fault,
}
_CHECKS = (_check_names, _check_parts, _check_kinds)
