"""The plan of a projection on a log: which events do what, with the types settled.

Every event belongs to exactly one case. The query and the Python fold both follow the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from esanalytics.projections._assignments import SETTERS, Assignment, Delete
from esanalytics.projections._expressions import Expression
from esanalytics.projections._projection import Projection, columns_of, key_columns, selected_type
from esanalytics.projections._typed import Scope, Typed, coerce, settle, typed
from esanalytics.projections._types import (
    UNKNOWN,
    Held,
    common,
    decimal_of,
    element_of,
    held_types,
    is_integer,
    is_numeric,
)

__all__ = ["Case", "Column", "Plan", "Step", "plan_of"]


@dataclass(frozen=True, slots=True)
class Case:
    """Events that are treated alike.

    Attributes:
        service: the service, where one is named.
        type: the event type; None: every type that no other case names.
        rule: the assignments that hold after the more specific won, or ``delete``; None: no part in the fold.
    """

    service: str | None
    type: str | None
    rule: Mapping[str, Assignment] | Delete | None


@dataclass(frozen=True, slots=True)
class Step:
    """What one case does to one column.

    Attributes:
        case: its number in the plan.
        kind: as in `Assignment`.
        value: computed from the event.
        test: for ``present``, whether the event has the field at all; None: it always assigns.
    """

    case: int
    kind: str
    value: Typed
    test: Typed | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column: where it starts, of what type it is, and what each case does to it.

    Attributes:
        name: its name.
        type: its DuckDB type.
        family: ``add``, ``min``, ``max``, ``first``, ``list``, or None where it is only set.
        steps: by case.
    """

    name: str
    type: str
    family: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A projection with everything decided.

    Attributes:
        name: the projection's.
        keys: the key's columns.
        columns: the others.
        cases: the (service, type) ones, then the types, then the rest.
    """

    name: str
    keys: Mapping[str, Typed]
    columns: tuple[Column, ...]
    cases: tuple[Case, ...]


def plan_of(projection: Projection, held: Held) -> Plan:
    """Decide everything about a projection on a log that holds these types.

    Raises:
        CompileError: the types do not allow what the projection says.
    """
    cases = _cases(projection)
    keys = {name: _key(projection, name, value, held) for name, value in key_columns(projection).items()}
    columns = tuple(_column(projection, name, cases, held) for name in columns_of(projection))
    return Plan(projection.name, keys, columns, cases)


def _cases(projection: Projection) -> tuple[Case, ...]:
    on = projection.on
    pairs = [selector for selector in on if isinstance(selector, tuple)]
    types = [selector for selector in on if isinstance(selector, str) and selector != "*"]
    found = [Case(service, type_, _winning(projection, [(service, type_), type_, "*"])) for service, type_ in pairs]
    found += [Case(None, type_, _winning(projection, [type_, "*"])) for type_ in types]
    bare = [type_ for type_ in dict.fromkeys(type_ for _, type_ in pairs) if type_ not in types]
    found += [Case(None, type_, _winning(projection, ["*"])) for type_ in bare]
    return (*found, Case(None, None, _winning(projection, ["*"])))


def _winning(
    projection: Projection, selectors: list[str | tuple[str, str]]
) -> Mapping[str, Assignment] | Delete | None:
    rules = [projection.on[selector] for selector in selectors if selector in projection.on]
    if not rules or isinstance(rules[0], Delete):
        return rules[0] if rules else None
    merged: dict[str, Assignment] = {}
    for rule in rules:
        if isinstance(rule, Delete):
            break
        merged = {**rule, **merged}
    return merged


def _key(projection: Projection, name: str, value: Expression, held: Held) -> Typed:
    scope = _scope(projection, f"key {name!r}", projection.on, held)
    found = settle(typed(value, scope))
    if found.type == "VARIANT" or element_of(found.type) is not None:
        scope.refuse("objects and arrays are no key", f"declare its type: field({name!r}, 'VARCHAR')")
    return found


def _scope(projection: Projection, place: str, selectors: Iterable[str | tuple[str, str]], held: Held) -> Scope:
    types = {selected_type(selector) for selector in selectors}
    wanted = None if None in types else frozenset(type_ for type_ in types if type_)
    return Scope(projection.name, place, lambda path: held_types(held, path, wanted))


def _column(projection: Projection, name: str, cases: tuple[Case, ...], held: Held) -> Column:
    users = [selector for selector, rule in projection.on.items() if isinstance(rule, Mapping) and name in rule]
    scope = _scope(projection, f"column {name!r}", users, held)
    rules = [
        (n, case.rule[name]) for n, case in enumerate(cases) if isinstance(case.rule, Mapping) and name in case.rule
    ]
    steps = [Step(n, rule.kind, typed(rule.value, scope), _test(rule)) for n, rule in rules]
    family = next((_FAMILY[step.kind] for step in steps if step.kind in _FAMILY), None)
    if family == "list":
        return _list_column(name, steps, scope)
    type_ = _number_type(steps, scope) if family == "add" else _value_type(steps, family, scope)
    settled = tuple(replace(step, value=coerce(step.value, type_)) for step in steps)
    return Column(name, _total(type_) if family == "add" else type_, family, settled)


def _test(rule: Assignment) -> Typed | None:
    return Typed("exists", "BOOLEAN", (rule.value.args[0],)) if rule.kind == "present" else None


_FAMILY = {"add": "add", "min": "min", "max": "max", "first": "first", "append": "list", "remove": "list"}


def _value_type(steps: list[Step], family: str | None, scope: Scope) -> str:
    type_ = common(step.value.type for step in steps)
    if family in {"min", "max"} and (type_ == "VARIANT" or element_of(type_) is not None):
        scope.refuse(f"{family}_ cannot order objects and arrays", "declare a type: field('x', 'DOUBLE')")
    return "VARCHAR" if type_ == UNKNOWN else type_


def _number_type(steps: list[Step], scope: Scope) -> str:
    for step in steps:
        if step.value.type != UNKNOWN and not is_numeric(step.value.type):
            reason = f"{step.kind} of {step.value.type} in a column of sums"
            scope.refuse(reason, "declare a numeric type: field('amount', 'DECIMAL(18,2)')")
    type_ = common(step.value.type for step in steps)
    return "BIGINT" if type_ == UNKNOWN or is_integer(type_) else type_


def _total(type_: str) -> str:
    digits = decimal_of(type_)
    return f"DECIMAL(38,{digits[1]})" if digits else type_


def _list_column(name: str, steps: list[Step], scope: Scope) -> Column:
    lists = [step.value.type for step in steps if step.kind in SETTERS and step.value.type != UNKNOWN]
    elements = [element_of(type_) for type_ in lists]
    if None in elements:
        scope.refuse("a list is set to something else", "set it to None or to a field declared as a list: 'VARCHAR[]'")
    known = [type_ for type_ in elements if type_]
    values = [step.value.type for step in steps if step.kind not in SETTERS]
    element = common([*known, *values])
    if element == "VARIANT" and any(step.kind == "remove" for step in steps):
        scope.refuse("remove cannot compare objects and arrays", "declare a type: field('x', 'VARCHAR')")
    element = "VARCHAR" if element == UNKNOWN else element
    wanted = {True: f"{element}[]", False: element}
    settled = tuple(replace(step, value=coerce(step.value, wanted[step.kind in SETTERS])) for step in steps)
    return Column(name, f"{element}[]", "list", settled)
