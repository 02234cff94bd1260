"""A projection as one grouped query.

Each column is an aggregate over the events of a key. What happened before a ``delete``, or before the last
set of a column that also accumulates, must not count: the query is then joined with its *anchors*, the
orders of those events, one row per key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.errors import ProjectionError
from esanalytics.projections._assignments import SETTERS, Delete
from esanalytics.projections._cases import condition
from esanalytics.projections._cast import cast
from esanalytics.projections._columns import Frame, column_value, effective, joined_value
from esanalytics.projections._plan import Column, Plan, plan_of
from esanalytics.projections._projection import Projection
from esanalytics.projections._scalars import constant, scalar
from esanalytics.projections._typed import Typed
from esanalytics.projections._types import Held

__all__ = ["compile_fold"]

_ANCHORS = "$anchors"
_DELETED = "$deleted"


def compile_fold(
    projection: Projection,
    *,
    source: exp.Expr,
    order: exp.Expr,
    held: Held,
    key: Any = None,  # noqa: ANN401  a value of the key's type
) -> exp.Select:
    """Compile a projection to one query: a row per key, the key's columns first.

    Args:
        projection: what to fold.
        source: a table or subquery with the envelope's columns and ``effective_at``; may be read more than once.
        order: the order of events, a BIGINT or the row of `events.by_time`.
        held: the types the log holds at `paths(projection)`.
        key: only the row of this key; a tuple where the key has several columns.

    Raises:
        CompileError: the types the log holds do not allow what the projection says.
        ProjectionError: ``key`` does not have a value for each key column.
    """
    plan = plan_of(projection, held)
    query = _Query(plan, _aliased(source), order, _pins(plan, key))
    joined = _with_anchors(query)
    frame = Frame(plan.cases, _live(plan), order)
    selected = [exp.alias_(value, name, quoted=True) for name, value in _selected(query, frame).items()]
    select = joined(exp.select(*selected).from_(query.source.copy()))
    found = sql.all_of([*query.filters(_live(plan)), *_after_delete(query)])
    select = select.where(found) if found else select
    return select.group_by(*(exp.Literal.number(n + 1) for n in range(len(plan.keys))))


@dataclass(frozen=True, slots=True)
class _Query:
    """What every subquery shares."""

    plan: Plan
    source: exp.Expr
    order: exp.Expr
    pins: tuple[exp.Expr, ...]

    def filters(self, cases: frozenset[int]) -> list[exp.Expr]:
        """Read only the events of some cases, with a whole key, of the wanted key."""
        found = [] if (only := condition(self.plan.cases, cases)) is None else [only]
        whole = [
            exp.Not(this=exp.Is(this=scalar(value), expression=exp.Null()))
            for value in self.plan.keys.values()
            if _nullable(value)
        ]
        return [*(pin.copy() for pin in self.pins), *found, *whole]

    def keys(self) -> list[exp.Expr]:
        """Select the key under names of our own, to join by."""
        return [exp.alias_(scalar(value), f"$key{n}", quoted=True) for n, value in enumerate(self.plan.keys.values())]

    def same_key(self, alias: str) -> list[exp.Expr]:
        """Compare the key with a joined subquery's."""
        keys = enumerate(self.plan.keys.values())
        return [exp.EQ(this=scalar(value), expression=sql.column(f"$key{n}", table=alias)) for n, value in keys]


def _aliased(source: exp.Expr) -> exp.Expr:
    return exp.alias_(source.copy(), "events", table=True, quoted=True)


def _nullable(value: Typed) -> bool:
    return value.op != "envelope" or value.args[0] in {"version", "correlation_id", "causation_id"}


def _pins(plan: Plan, key: Any) -> tuple[exp.Expr, ...]:  # noqa: ANN401  a value of the key's type
    if key is None:
        return ()
    given = key if isinstance(key, tuple) else (key,)
    if len(given) != len(plan.keys):
        reason = f"the key has {len(plan.keys)} columns ({', '.join(plan.keys)}), {len(given)} were given"
        raise ProjectionError(plan.name, reason, "give a value for each, as a tuple")
    return tuple(_pin(part, value) for part, value in zip(given, plan.keys.values(), strict=True))


def _pin(given: Any, value: Typed) -> exp.Expr:  # noqa: ANN401  a value of the key's type
    found = cast(given, value.type)
    if found is None:
        return exp.false()
    return exp.EQ(this=scalar(value), expression=constant(Typed("constant", value.type, (found,))))


def _live(plan: Plan) -> frozenset[int]:
    return frozenset(n for n, case in enumerate(plan.cases) if isinstance(case.rule, Mapping))


def _deleting(plan: Plan) -> frozenset[int]:
    return frozenset(n for n, case in enumerate(plan.cases) if isinstance(case.rule, Delete))


def _mixed(plan: Plan) -> dict[str, Column]:
    mixed = [column for column in plan.columns if column.family and any(step.kind in SETTERS for step in column.steps)]
    return {f"$set{n}": column for n, column in enumerate(mixed)}


def _with_anchors(query: _Query) -> Callable[[exp.Select], exp.Select]:
    joins = [join for join in (_anchors(query), *_removals(query)) if join is not None]

    def join_all(select: exp.Select) -> exp.Select:
        for subquery, on in joins:
            select = select.join(subquery, on=on, join_type="left")
        return select

    return join_all


def _anchors(query: _Query) -> tuple[exp.Expr, exp.Expr | None] | None:
    plan, mixed, deleting = query.plan, _mixed(query.plan), _deleting(query.plan)
    if not mixed and not deleting:
        return None
    setting = {
        name: frozenset(step.case for step in column.steps if step.kind in SETTERS) for name, column in mixed.items()
    }
    frame = Frame(plan.cases, deleting.union(*setting.values()), query.order)
    found = {name: frame.filtered(_last(query), effective(column, frame)) for name, column in mixed.items()}
    if deleting:
        found[_DELETED] = frame.filtered(_last(query), frame.only(deleting))
    return _joined(query, _ANCHORS, frame.scope, found), sql.all_of(query.same_key(_ANCHORS))


def _last(query: _Query) -> exp.Expr:
    return exp.Max(this=query.order.copy())


def _removals(query: _Query) -> list[tuple[exp.Expr, exp.Expr | None]]:
    found = []
    for n, column in enumerate(query.plan.columns):
        removing = frozenset(step.case for step in column.steps if step.kind == "remove")
        appending = frozenset(step.case for step in column.steps if step.kind == "append")
        if removing and appending:
            alias = f"$removed{n}"
            frame = Frame(query.plan.cases, removing, query.order)
            value = exp.alias_(joined_value(column, "remove", frame), "$value", quoted=True)
            subquery = _joined(query, alias, removing, {"$order": _last(query)}, value)
            main = Frame(query.plan.cases, _live(query.plan), query.order)
            same = exp.EQ(this=joined_value(column, "append", main), expression=sql.column("$value", table=alias))
            found.append((subquery, sql.all_of([*query.same_key(alias), same])))
    return found


def _joined(
    query: _Query,
    alias: str,
    cases: frozenset[int],
    values: Mapping[str, exp.Expr],
    *by: exp.Expr,
) -> exp.Expr:
    keys = [*query.keys(), *by]
    selected = [exp.alias_(value, name, quoted=True) for name, value in values.items()]
    select = (
        exp.select(*keys, *selected).from_(query.source.copy()).where(sql.all_of(query.filters(cases)) or exp.true())
    )
    grouped = select.group_by(*(exp.Literal.number(n + 1) for n in range(len(keys))))
    return exp.alias_(grouped.subquery(), alias, table=True, quoted=True)


def _after_delete(query: _Query) -> list[exp.Expr]:
    if not _deleting(query.plan):
        return []
    anchor = sql.column(_DELETED, table=_ANCHORS)
    return [_after(query.order, anchor)]


def _after(order: exp.Expr, anchor: exp.Expr) -> exp.Expr:
    never = exp.Is(this=anchor, expression=exp.Null())
    return exp.Paren(this=exp.Or(this=never, expression=exp.GT(this=order.copy(), expression=anchor.copy())))


def _selected(query: _Query, frame: Frame) -> dict[str, exp.Expr]:
    anchors = {column.name: sql.column(name, table=_ANCHORS) for name, column in _mixed(query.plan).items()}
    found = {name: scalar(value) for name, value in query.plan.keys.items()}
    for n, column in enumerate(query.plan.columns):
        anchor = anchors.get(column.name)
        after = None if anchor is None else _after(query.order, anchor)
        kinds = {step.kind for step in column.steps}
        removed = sql.column("$order", table=f"$removed{n}") if kinds >= {"append", "remove"} else None
        kept = None if removed is None else _after(query.order, removed)
        found[column.name] = column_value(column, frame, after, kept)
    return found
