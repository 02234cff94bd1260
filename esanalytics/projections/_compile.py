"""A projection as one grouped query.

Each column is an aggregate over the events of a key. What happened before a ``delete``, or before the last
set of a column that also accumulates, must not count: the query is then joined with its *anchors*, the
orders of those events, one row per key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.projections._assignments import SETTERS
from esanalytics.projections._columns import Frame, column_value, effective, joined_value
from esanalytics.projections._merging import orders_of
from esanalytics.projections._plan import Plan, plan_of
from esanalytics.projections._projection import Projection
from esanalytics.projections._reading import Reading, deleting, live, mixed, pins
from esanalytics.projections._scalars import scalar
from esanalytics.projections._types import Held

__all__ = ["compile_fold", "compile_plan"]

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
    return compile_plan(plan, source, order, pins(plan, key))


def compile_plan(
    plan: Plan,
    source: exp.Expr,
    order: exp.Expr,
    pinned: tuple[exp.Expr, ...] = (),
    *,
    orders: Mapping[str, exp.Expr] = MappingProxyType({}),
    with_orders: bool = False,
) -> exp.Select:
    """Compile a plan, as `compile_fold`.

    Args:
        plan: what to fold.
        source: as in `compile_fold`.
        order: likewise.
        pinned: conditions on the events.
        orders: for columns whose value comes from one event, the order if it is another than that of the others.
        with_orders: also give the orders of such columns, as `order_columns` names them.
    """
    query = Reading(plan, sql.named_source(source, "events"), order, pinned)
    joined = _with_anchors(query)
    frame = Frame(plan.cases, live(plan), order)
    values = _selected(query, frame, orders) | (orders_of(plan, frame, orders) if with_orders else {})
    selected = [sql.alias(value, name) for name, value in values.items()]
    select = joined(exp.select(*selected, copy=False).from_(query.source.copy(), copy=False))
    found = sql.all_of([*query.filters(live(plan)), *_after_delete(query)])
    select = select.where(found, copy=False) if found else select
    return select.group_by(*(exp.Literal.number(n + 1) for n in range(len(plan.keys))), copy=False)


def _with_anchors(query: Reading) -> Callable[[exp.Select], exp.Select]:
    joins = [join for join in (_anchors(query), *_removals(query)) if join is not None]

    def join_all(select: exp.Select) -> exp.Select:
        for subquery, on in joins:
            select = select.join(subquery, on=on, join_type="left", copy=False)
        return select

    return join_all


def _anchors(query: Reading) -> tuple[exp.Expr, exp.Expr | None] | None:
    plan, both, ending = query.plan, mixed(query.plan), deleting(query.plan)
    if not both and not ending:
        return None
    setting = {
        name: frozenset(step.case for step in column.steps if step.kind in SETTERS) for name, column in both.items()
    }
    frame = Frame(plan.cases, ending.union(*setting.values()), query.order)
    found = {name: frame.filtered(_last(query), effective(column, frame)) for name, column in both.items()}
    if ending:
        found[_DELETED] = frame.filtered(_last(query), frame.only(ending))
    return _joined(query, _ANCHORS, frame.scope, found), sql.all_of(query.same_key(_ANCHORS))


def _last(query: Reading) -> exp.Expr:
    return exp.Max(this=query.order.copy())


def _removals(query: Reading) -> list[tuple[exp.Expr, exp.Expr | None]]:
    found = []
    for n, column in enumerate(query.plan.columns):
        removing = frozenset(step.case for step in column.steps if step.kind == "remove")
        appending = frozenset(step.case for step in column.steps if step.kind == "append")
        if removing and appending:
            alias = f"$removed{n}"
            frame = Frame(query.plan.cases, removing, query.order)
            value = sql.alias(joined_value(column, "remove", frame), "$value")
            subquery = _joined(query, alias, removing, {"$order": _last(query)}, value)
            main = Frame(query.plan.cases, live(query.plan), query.order)
            same = exp.EQ(this=joined_value(column, "append", main), expression=sql.column("$value", table=alias))
            found.append((subquery, sql.all_of([*query.same_key(alias), same])))
    return found


def _joined(
    query: Reading,
    alias: str,
    cases: frozenset[int],
    values: Mapping[str, exp.Expr],
    *by: exp.Expr,
) -> exp.Expr:
    keys = [*query.keys(), *by]
    selected = [sql.alias(value, name) for name, value in values.items()]
    select = (
        exp.select(*keys, *selected, copy=False)
        .from_(query.source.copy(), copy=False)
        .where(sql.all_of(query.filters(cases)) or exp.true(), copy=False)
    )
    grouped = select.group_by(*(exp.Literal.number(n + 1) for n in range(len(keys))), copy=False)
    return sql.named_source(grouped.subquery(copy=False), alias)


def _after_delete(query: Reading) -> list[exp.Expr]:
    if not deleting(query.plan):
        return []
    anchor = sql.column(_DELETED, table=_ANCHORS)
    return [_after(query.order, anchor)]


def _after(order: exp.Expr, anchor: exp.Expr) -> exp.Expr:
    never = exp.Is(this=anchor, expression=exp.Null())
    return exp.Paren(this=exp.Or(this=never, expression=exp.GT(this=order.copy(), expression=anchor.copy())))


def _selected(query: Reading, frame: Frame, orders: Mapping[str, exp.Expr]) -> dict[str, exp.Expr]:
    anchors = {column.name: sql.column(name, table=_ANCHORS) for name, column in mixed(query.plan).items()}
    found = {name: scalar(value) for name, value in query.plan.keys.items()}
    for n, column in enumerate(query.plan.columns):
        anchor = anchors.get(column.name)
        after = None if anchor is None else _after(query.order, anchor)
        kinds = {step.kind for step in column.steps}
        removed = sql.column("$order", table=f"$removed{n}") if kinds >= {"append", "remove"} else None
        kept = None if removed is None else _after(query.order, removed)
        own = replace(frame, order=orders[column.name]) if column.name in orders else frame
        found[column.name] = column_value(column, own, after, kept)
    return found
