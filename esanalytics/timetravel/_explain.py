"""Explain: which events made a value, and which did not, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import Instant, instant
from esanalytics.engines import Plan, Result
from esanalytics.errors import CompileError, ProjectionError
from esanalytics.events import by_position, by_time, sorting
from esanalytics.projections import Doing, compile_versions, doing, key_names, moves
from esanalytics.store import Log, Store
from esanalytics.timetravel._compiled import Compiled
from esanalytics.timetravel._definitions import Table, in_order
from esanalytics.timetravel._naming import nearest_names
from esanalytics.timetravel._settling import Definition, answer, bounded, checked, settled, settled_for
from esanalytics.timetravel._views import Views

__all__ = ["explain", "explain_each", "known_column"]

_MOVES, _RAN, _STEPS = "$moves", "$ran", "$steps"
_PLACE = ("effective_at", "type", "service", "event_id", "position")
_LATER, _DELETED, _RESET, _SAME = "later than at", "deleted", "before the last set", "it changed nothing"


def explain(
    log: Store | Log,
    projection: Definition,
    key: Any,  # noqa: ANN401  a value of the key's type
    column: str | None = None,
    *,
    at: Instant | None = None,
    known_at: Instant | None = None,
) -> Result:
    """Return the events that made a value, in order, and those that were passed over.

    One row per event and column that it is about: ``effective_at``, ``type``, ``service``, ``event_id`` and
    ``position`` of the event; ``column``; ``action``, the assignment (``set``, ``add``, …, or ``delete``); ``value``,
    what it set or added; ``result``, the column's value after it; ``reason``, NULL where the event counts for the
    value, else why it does not: ``later than at``, ``deleted`` (the entity ended after it), ``before the last set``,
    ``NULL is passed over``, ``there was a value already``, ``it has no such field``. The last ``result`` up to ``at``
    is the value. For a Python function ``action`` is ``reduce``, and an event that leaves a column as it was has the
    reason ``it changed nothing``.

    Args:
        log: a store, or any view of one.
        projection: what is folded.
        key: whose value; a tuple where the key has several columns.
        column: which value; None: all columns.
        at: the value as it was at this instant; None: at the end.
        known_at: only what was recorded up to and including this instant.

    Raises:
        CompileError: there is no such column; or the types in the log do not allow what the projection says.
        ProjectionError: ``key`` does not have a value for each key column.
        UnsupportedError: the projection is SQL, which says nothing of single events.
        ValueError: an instant is none.

    Example:
        >>> ea.explain(store, orders, "order-42", "total").df()  # doctest: +SKIP
    """
    definition = checked(projection)
    seen = bounded(log, None, known_at)
    bound = None if at is None else instant(at)
    if key is None:
        raise ProjectionError(
            definition.name,
            "explain is about one key, None was given",
            "name it, as a tuple where it has several columns",
        )
    later = _after(bound)

    def plan() -> Plan:
        views = Views()
        found = settled(seen, definition, key)
        if isinstance(found, Compiled):
            return views.plan(_explained(found, column, later, views))
        return views.plan(_observed(found.versions(views), definition.name, column, later))

    return answer(seen, definition, plan)


def explain_each(
    log: Log,
    projection: Definition,
    keys: Sequence[tuple[Any, ...]],
    column: str | None = None,
    *,
    at: Instant | None = None,
) -> Result:
    """Return what `explain` does, of some keys at once; the values of the key come last, as ``$k0``, ``$k1`` and so on.

    Raises:
        CompileError, UnsupportedError: as in `explain`.
    """
    later = _after(None if at is None else instant(at))

    def plan() -> Plan:
        views = Views()
        found, among = settled_for(log, projection, keys)
        if isinstance(found, Compiled):
            return views.plan(_explained(found, column, later, views, among))
        table = found.versions(views, among)
        return views.plan(_observed(table, projection.name, column, later, table.keys))

    return answer(log, projection, plan)


def _after(bound: dt.datetime | None) -> exp.Expr:
    return exp.false() if bound is None else exp.GT(this=sql.column("effective_at"), expression=sql.literal(bound))


def known_column(projection: str, columns: Sequence[str], wanted: str | None) -> list[str]:
    """Give the columns that are asked about.

    Raises:
        CompileError: there is no such column.
    """
    if wanted is None:
        return list(columns)
    if wanted not in columns:
        raise CompileError(projection, f"it has no column {wanted!r}", nearest_names(wanted, columns))
    return [wanted]


def _explained(
    found: Compiled, column: str | None, later: exp.Expr, views: Views, among: exp.Query | None = None
) -> exp.Query:
    plan = found.plan
    keys = [] if among is None else key_names(plan)
    wanted = known_column(plan.name, [known.name for known in plan.columns], column)
    relation, read = views.add(found.narrowed())
    in_place = found.in_place(read)
    before = (
        exp.select(exp.Star(), copy=False)
        .from_(_step(_MOVES), copy=False)
        .where(exp.Not(this=exp.Paren(this=later.copy())), copy=False)
    )
    order = by_position() if in_place else by_time()
    ran = compile_versions(found.moved, before, order, sorting(by_place=in_place))
    parts = [_of_column(found, place, keys) for place, known in enumerate(plan.columns) if known.name in wanted]
    own = moves(plan, relation, found.pinned(among))
    return _put_together(parts, {_MOVES: own, _RAN: _renamed(ran, found), _STEPS: _joined(later, keys)}, keys)


def _renamed(ran: exp.Select, found: Compiled) -> exp.Select:
    """Give the running values names that no column of a move has."""
    values = [sql.alias(sql.column(c.name), f"$c{n}") for n, c in enumerate(found.plan.columns)]
    marks = {"$position": "$at_position", "$event_id": "$at_event", "$live": "$live"}
    place = [sql.alias(sql.column(mark), name) for mark, name in marks.items()]
    return exp.select(*place, *values, copy=False).from_(ran.subquery("versions", copy=False), copy=False)


def _joined(later: exp.Expr, keys: Sequence[str]) -> exp.Select:
    """Put beside each move what the row was after it, and whether the entity ended later."""
    same = [
        exp.EQ(this=sql.column(own, table="moves"), expression=sql.column(other, table="ran"))
        for own, other in (("position", "$at_position"), ("event_id", "$at_event"))
    ]
    ran = sql.named_source(_step(_RAN), "ran")
    ended = _any_later(exp.Not(this=sql.column("$live")), keys)
    return (
        exp.select(exp.Star(), sql.alias(later.copy(), "$later"), copy=False)
        .select(sql.alias(ended, "$ended"), copy=False)
        .from_(sql.named_source(_step(_MOVES), "moves"), copy=False)
        .join(ran, on=sql.all_of(same), join_type="left", copy=False)
    )


def _of_column(found: Compiled, place: int, keys: Sequence[str]) -> exp.Select:
    """Compose the rows about one column."""
    column = found.plan.columns[place]
    name = sql.column(f"$c{place}")
    before = _window(sql.function("lag", name.copy()), keys)
    does = doing(found.moved, found.moved.columns[place], before)
    reset = _any_later(sql.all_of([exp.Not(this=sql.column("$later")), does.sets]) or exp.true(), keys)
    values = _shown(column.name, does, name)
    values["reason"] = _reason(does, reset)
    selected = [sql.alias(value, label) for label, value in values.items()]
    inner = exp.select(*(sql.column(label) for label in (*_PLACE, "version", *keys)), *selected, copy=False)
    inner = inner.select(sql.alias(sql.literal(place), "$place"), copy=False)
    kept = inner.from_(_step(_STEPS), copy=False)
    return kept if does.concerned is None else kept.where(does.concerned, copy=False)


def _shown(column: str, does: Doing, result: exp.Expr) -> dict[str, exp.Expr]:
    still = exp.And(this=exp.Not(this=sql.column("$later")), expression=sql.column("$live"))
    after = exp.Case(ifs=[exp.If(this=still, true=sql.cast(result.copy(), "VARIANT"))])
    return {"column": exp.Literal.string(column), "action": does.action, "value": does.value, "result": after}


def _reason(does: Doing, reset: exp.Expr) -> exp.Expr:
    outdone = exp.And(this=sql.column("$live"), expression=exp.Paren(this=reset))
    reasons = {_LATER: sql.column("$later"), _DELETED: sql.column("$ended"), _RESET: outdone}
    ifs = [exp.If(this=test, true=exp.Literal.string(text)) for text, test in reasons.items()]
    return exp.Case(ifs=ifs, default=does.idle)


def _put_together(parts: Sequence[exp.Select], steps: dict[str, exp.Query], keys: Sequence[str]) -> exp.Query:
    if not parts:
        return _nothing()
    whole: exp.Query = parts[0]
    for part in parts[1:]:
        whole = exp.union(whole, part, distinct=False, copy=False)
    names = [sql.column(name) for name in (*_PLACE, "column", "action", "value", "result", "reason", *keys)]
    query: exp.Query = (
        exp.select(*names, copy=False)
        .from_(whole.subquery("explained", copy=False), copy=False)
        .order_by(*sorting(by_place=False), copy=False)
    )
    query = query.order_by(sql.column("$place"), copy=False)
    for name, step in steps.items():
        query = query.with_(exp.to_identifier(name, quoted=True), as_=step, materialized=True, copy=False)
    return query


def _nothing() -> exp.Select:
    """Give no row, where there is no column to explain."""
    types = dict(zip(_PLACE, ("TIMESTAMPTZ", "VARCHAR", "VARCHAR", "VARCHAR", "BIGINT"), strict=True))
    types |= {"column": "VARCHAR", "action": "VARCHAR", "value": "VARIANT", "result": "VARIANT", "reason": "VARCHAR"}
    nothing = [sql.alias(sql.cast(exp.null(), type_), name) for name, type_ in types.items()]
    return exp.select(*nothing, copy=False).where(exp.false(), copy=False)


def _observed(table: Table, name: str, column: str | None, later: exp.Expr, keys: Sequence[str] = ()) -> exp.Query:
    """Explain by what the rows were before and after each event: the function itself says nothing."""
    marks = {label: f"${label}" for label in ("effective_at", "type", "event_id", "position", "version")}
    parts = []
    known = known_column(name, table.columns, column) if table.columns else []
    for place, wanted in enumerate(known):
        parts.append(_observed_column(place, wanted, marks, later, keys))
    return _put_together(parts, {_STEPS: table.tree}, [f"$k{n}" for n in range(len(keys))])


def _observed_column(
    place: int, wanted: str, marks: dict[str, str], later: exp.Expr, keys: Sequence[str]
) -> exp.Select:
    value = sql.cast(sql.column(wanted), "VARIANT")
    order = in_order()
    text = sql.cast(sql.cast(value.copy(), "JSON"), "VARCHAR")
    before = exp.Window(
        this=sql.function("lag", text.copy()), partition_by=_parts(keys), order=exp.Order(expressions=order)
    )
    is_later = later.transform(lambda node: sql.column("$effective_at") if isinstance(node, exp.Column) else node)
    same = exp.NullSafeEQ(this=text, expression=before)
    ended = exp.Not(this=sql.column("$live"))
    known = exp.And(this=ended.copy(), expression=exp.Not(this=exp.Paren(this=is_later.copy())))
    gone = _any_later(known, keys, order)
    action = exp.Case(ifs=[exp.If(this=ended, true=exp.Literal.string("delete"))], default=exp.Literal.string("reduce"))
    reason = exp.Case(
        ifs=[
            exp.If(this=is_later, true=exp.Literal.string(_LATER)),
            exp.If(this=gone, true=exp.Literal.string(_DELETED)),
            exp.If(this=same, true=exp.Literal.string(_SAME)),
        ]
    )
    values = {
        **{label: sql.column(mark) for label, mark in marks.items()},
        "service": sql.column("service"),
        "column": exp.Literal.string(wanted),
        "action": action,
        "value": sql.cast(exp.null(), "VARIANT"),
        "result": exp.Case(ifs=[exp.If(this=exp.Not(this=exp.Paren(this=is_later.copy())), true=value)]),
        "reason": reason,
        "$place": sql.literal(place),
        **{f"$k{n}": sql.column(key) for n, key in enumerate(keys)},
    }
    selected = [sql.alias(found, label) for label, found in values.items()]
    return exp.select(*selected, copy=False).from_(_step(_STEPS), copy=False)


def _step(name: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(name, quoted=True))


def _any_later(test: exp.Expr, keys: Sequence[str], order: Sequence[exp.Expr] | None = None) -> exp.Expr:
    """Test that something holds for an event after this one."""
    counted = exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=test))
    spec = exp.WindowSpec(kind="ROWS", start="1", start_side="FOLLOWING", end="UNBOUNDED", end_side="FOLLOWING")
    terms = exp.Order(expressions=[term.copy() for term in order or sorting(by_place=False)])
    return exp.GT(
        this=exp.Window(this=counted, partition_by=_parts(keys), order=terms, spec=spec), expression=sql.literal(0)
    )


def _window(value: exp.Expr, keys: Sequence[str]) -> exp.Expr:
    return exp.Window(this=value, partition_by=_parts(keys), order=exp.Order(expressions=sorting(by_place=False)))


def _parts(keys: Sequence[str]) -> list[exp.Expr]:
    return [sql.column(key) for key in keys]
