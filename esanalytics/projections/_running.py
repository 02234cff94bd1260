"""A projection as running values: what each event made of its row.

The same aggregates as in the grouped query, each over a window that ends with the event. What a ``delete`` ends and
what a set begins are windows of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.projections._columns import NUMBER, Frame, column_value, effective, joined_value
from esanalytics.projections._moves import key_names
from esanalytics.projections._plan import Column, Plan
from esanalytics.projections._reading import deleting, live, mixed

__all__ = ["compile_versions"]

_LIFE = "$life"


def compile_versions(plan: Plan, source: exp.Query, order: exp.Expr, sorting: Sequence[exp.Expr]) -> exp.Select:
    """Compile a moved plan to one query: a row per move, with the row's columns after it.

    Beside the keys and columns there are ``$effective_at``, ``$version``, ``$position``, ``$event_id`` and ``$type`` of
    the event, ``$live`` (false where it ended the entity) and ``$next_at``, the time of the key's next event.

    Args:
        plan: as `moved` makes it.
        source: its moves.
        order: the order of events, one comparable value.
        sorting: the same as terms to sort by.
    """
    keys = [sql.column(name) for name in key_names(plan)]
    placed = _placed(plan, source, keys, sorting)
    partition = [*keys, *([sql.column(_LIFE)] if deleting(plan) else [])]
    numbered = _numbered(plan, placed, order, partition, sorting)
    selected: dict[str, exp.Expr] = dict(zip(plan.keys, keys, strict=True))
    for column in plan.columns:
        selected[column.name] = _running(plan, column, order, partition, sorting)
    selected |= {f"${name}": sql.column(name) for name in ("effective_at", "version", "position", "event_id", "type")}
    selected["$live"] = _is_live(plan)
    selected["$next_at"] = sql.column("$next_at") if _needs_places(plan) else _next(keys, sorting)
    found = [sql.alias(value, name) for name, value in selected.items()]
    return exp.select(*found, copy=False).from_(numbered.subquery("moves", copy=False), copy=False)


def _is_live(plan: Plan) -> exp.Expr:
    """Test that a move does not end the entity."""
    if not deleting(plan):
        return exp.true()
    ended = Frame(plan.cases, live(plan) | deleting(plan), exp.null()).only(deleting(plan))
    return exp.false() if ended is None else exp.Not(this=exp.Paren(this=ended))


def _needs_places(plan: Plan) -> bool:
    return bool(deleting(plan) or mixed(plan) or any(_removes(column) for column in plan.columns))


def _placed(plan: Plan, source: exp.Query, keys: Sequence[exp.Expr], sorting: Sequence[exp.Expr]) -> exp.Query:
    """Number the moves of each key, and its lives: how often it had ended by then."""
    if not _needs_places(plan):
        return source
    frame = Frame(plan.cases, live(plan) | deleting(plan), exp.null())
    number = _over(sql.function("row_number"), keys, sorting)
    found = {"$next_at": _next(keys, sorting), NUMBER: number}
    if deleting(plan):
        ended = exp.Filter(
            this=exp.Count(this=exp.Star()),
            expression=exp.Where(this=frame.only(deleting(plan)) or exp.true()),
        )
        found[_LIFE] = _over(ended, keys, sorting)
    columns = [sql.alias(value, name) for name, value in found.items()]
    return exp.select(exp.Star(), *columns, copy=False).from_(source.subquery("moves", copy=False), copy=False)


def _numbered(
    plan: Plan,
    source: exp.Query,
    order: exp.Expr,
    partition: Sequence[exp.Expr],
    sorting: Sequence[exp.Expr],
) -> exp.Query:
    """Count, for columns that are set and accumulated, how often each was set by then."""
    both = mixed(plan)
    if not both:
        return source
    frame = Frame(plan.cases, live(plan) | deleting(plan), order, lambda tree: _over(tree, partition, sorting))
    counts = [
        sql.alias(frame.filtered(exp.Count(this=exp.Star()), effective(column, frame)), name)
        for name, column in both.items()
    ]
    return exp.select(exp.Star(), *counts, copy=False).from_(source.subquery("moves", copy=False), copy=False)


def _running(
    plan: Plan, column: Column, order: exp.Expr, partition: Sequence[exp.Expr], sorting: Sequence[exp.Expr]
) -> exp.Expr:
    if column.family is None and effective(column, Frame(plan.cases, live(plan), order)) is None:
        return joined_value(column, "set", Frame(plan.cases, live(plan), order))
    sets = [sql.column(name) for name, other in mixed(plan).items() if other.name == column.name]
    frame = Frame(
        plan.cases, live(plan) | deleting(plan), order, lambda tree: _over(tree, [*partition, *sets], sorting)
    )
    return column_value(column, frame, None, None)


def _removes(column: Column) -> bool:
    return any(step.kind == "remove" for step in column.steps)


def _next(keys: Sequence[exp.Expr], sorting: Sequence[exp.Expr]) -> exp.Expr:
    return _over(sql.function("lead", sql.column("effective_at")), keys, sorting)


def _over(value: exp.Expr, partition: Sequence[exp.Expr], sorting: Sequence[exp.Expr]) -> exp.Window:
    return exp.Window(
        this=value,
        partition_by=[part.copy() for part in partition],
        order=exp.Order(expressions=[term.copy() for term in sorting]),
        spec=exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"),
    )
