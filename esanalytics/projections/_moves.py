"""Moves: events with the values they assign computed; what follows is about columns, and no longer about payloads.

A saved state joins in as one more kind of move: it stands before all events of its key, and gives each column the
value it had. So a fold that begins from a saved state is a fold like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.projections._cases import condition
from esanalytics.projections._plan import Case, Column, Plan, Step
from esanalytics.projections._reading import Reading, deleting, live
from esanalytics.projections._scalars import scalar
from esanalytics.projections._typed import Typed

__all__ = ["PLACE", "SAVED", "from_saved", "key_names", "moved", "moves", "on_columns", "saved_moves"]

PLACE = ("effective_at", "version", "position", "event_id", "service", "type")
"""The columns of a move that say which event it is and where it stands."""

SAVED = "\ue000saved"
"""The type of the move that a saved state is: a private character that no name begins with."""

_PLACE_OF_SAVED = {
    "version": "BIGINT",
    "position": "BIGINT",
    "event_id": "VARCHAR",
    "service": "VARCHAR",
    "type": "VARCHAR",
}


@dataclass(frozen=True, slots=True)
class _Value:
    """A value that some cases need, under the name it gets."""

    name: str
    value: Typed
    cases: frozenset[int]


def key_names(plan: Plan) -> list[str]:
    """Name the key's columns of a move."""
    return [f"$k{n}" for n in range(len(plan.keys))]


def moved(plan: Plan) -> Plan:
    """Rewrite a plan so that it is about moves: it reads the columns that `moves` computes."""
    names = {found.value: found.name for found in _values(plan)}

    def column(value: Typed) -> Typed:
        return Typed("column", value.type, (names[value],)) if value in names else value

    def step(old: Step) -> Step:
        return replace(old, value=column(old.value), test=None if old.test is None else column(old.test))

    keys = {
        name: Typed("column", value.type, (place,))
        for place, (name, value) in zip(key_names(plan), plan.keys.items(), strict=True)
    }
    columns = tuple(replace(old, steps=tuple(step(each) for each in old.steps)) for old in plan.columns)
    return replace(plan, keys=keys, columns=columns)


def moves(plan: Plan, source: exp.Expr, pinned: tuple[exp.Expr, ...] = ()) -> exp.Select:
    """Compile the query that gives the moves of a plan: its events, keys and values.

    Args:
        plan: as `plan_of` makes it.
        source: a table or subquery with the envelope's columns and ``effective_at``.
        pinned: conditions on the events.
    """
    reading = Reading(plan, sql.named_source(source, "events"), exp.null(), pinned)
    values = [sql.alias(_guarded(plan, found), found.name) for found in _values(plan)]
    place = [sql.column(name) for name in PLACE]
    names = zip(key_names(plan), plan.keys.values(), strict=True)
    keys = [sql.alias(scalar(value), name) for name, value in names]
    select = exp.select(*place, *keys, *values, copy=False).from_(reading.source, copy=False)
    found = reading.filters(live(plan) | deleting(plan))
    return select.where(*found, copy=False) if found else select


def on_columns(plan: Plan) -> Plan:
    """Rewrite a plan so that its key is read from columns of the same names, as in a state."""
    keys = {name: Typed("column", value.type, (name,)) for name, value in plan.keys.items()}
    return replace(plan, keys=keys)


def from_saved(plan: Plan) -> Plan:
    """Add to a moved plan the case of a saved state, which gives every column the value it had."""
    *named, rest = plan.cases
    number, last = len(named), len(named) + 1
    cases = (*named, Case(None, SAVED, {}), rest)

    def column(place: int, old: Column) -> Column:
        steps = [replace(step, case=last if step.case == number else step.case) for step in old.steps]
        value = Typed("column", old.type, (f"$saved{place}",))
        return replace(old, steps=(*steps, Step(number, _kind(old), value)))

    return replace(plan, cases=cases, columns=tuple(column(n, old) for n, old in enumerate(plan.columns)))


def saved_moves(plan: Plan, source: exp.Expr, at: exp.Expr, orders: Iterable[str] = ()) -> exp.Select:
    """Compile the query that makes moves of a saved state.

    Args:
        plan: the plan that the state was saved for.
        source: a table or subquery with the plan's keys and columns under their own names.
        at: an instant before all events that follow.
        orders: columns of the source that are to come along as they are.
    """
    place: dict[str, exp.Expr] = {name: sql.cast(exp.null(), type_) for name, type_ in _PLACE_OF_SAVED.items()}
    place |= {"effective_at": at, "position": sql.cast(sql.literal(0), "BIGINT"), "type": exp.Literal.string(SAVED)}
    keys = {name: sql.column(key) for name, key in zip(key_names(plan), plan.keys, strict=True)}
    values = {f"$saved{n}": sql.column(column.name) for n, column in enumerate(plan.columns)}
    found = {**{name: place[name] for name in PLACE}, **keys, **values, **{name: sql.column(name) for name in orders}}
    return exp.select(*(sql.alias(value, name) for name, value in found.items()), copy=False).from_(source, copy=False)


def _kind(column: Column) -> str:
    """Say how a saved value comes in: as the column's own way of growing where it has but one, else as a set."""
    kinds = {step.kind for step in column.steps}
    if column.family == "list":
        return "set"
    return kinds.pop() if len(kinds) == 1 and kinds <= {"add", "min", "max", "first", "keep"} else "set"


def _values(plan: Plan) -> list[_Value]:
    """List the values that are computed per event, each once."""
    users: dict[Typed, set[int]] = {}
    for step in (step for column in plan.columns for step in column.steps):
        for value in _of(step):
            users.setdefault(value, set()).add(step.case)
    return [_Value(f"$value{n}", value, frozenset(cases)) for n, (value, cases) in enumerate(users.items())]


def _of(step: Step) -> Iterator[Typed]:
    if step.value.op != "constant":
        yield step.value
    if step.test is not None:
        yield step.test


def _guarded(plan: Plan, found: _Value) -> exp.Expr:
    """Compute a value for the events that need it only: for others it may not exist, or be too large."""
    only = None if live(plan) | deleting(plan) <= found.cases else condition(plan.cases, found.cases)
    value = scalar(found.value)
    return value if only is None else exp.Case(ifs=[exp.If(this=only, true=value)])
