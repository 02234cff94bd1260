"""Diff: what differs between two states."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import Instant, instant
from esanalytics.engines import Plan, Result
from esanalytics.projections import Projection
from esanalytics.store import Log, Store, as_log
from esanalytics.timetravel._compiled import Compiled, compiled, held_in
from esanalytics.timetravel._definitions import Settled, Table
from esanalytics.timetravel._naming import beside
from esanalytics.timetravel._resuming import after as after_steps
from esanalytics.timetravel._settling import Definition, answer, bounded, checked, settled
from esanalytics.timetravel._views import Views

__all__ = ["diff"]

_MOVED = "$moved"
_OWN = ("change", "column", "before", "after")


def diff(
    log: Store | Log,
    projection: Definition,
    before: Instant | Log,
    after: Instant | Log,
    *,
    key: Any = None,  # noqa: ANN401  a value of the key's type
    known_at: Instant | None = None,
) -> Result:
    """Return what differs between two states: one row per key and column, in no particular order.

    Columns: the key's, then ``change`` (``added``, ``removed`` or ``changed``: the row), ``column``, and the values
    ``before`` and ``after`` as VARIANT, for columns differ in type. A row that was added or removed has an entry for
    each of its columns, NULL or not; so the difference applied to the first state gives the second. Where the key has
    a column of such a name, diff's own is followed by ``_``.

    Args:
        log: a store, or any view of one.
        projection: what to fold.
        before: an instant (events up to and including it), or a view of a log.
        after: likewise, of the same kind; it may be earlier.
        key: only this key; a tuple where the key has several columns.
        known_at: only what was recorded up to and including this instant.

    Raises:
        CompileError: the types in the log do not allow what the projection says.
        ProjectionError: ``key`` does not have a value for each key column.
        TypeError: an instant is compared with a view.
        ValueError: an instant is none.

    Example:
        >>> ea.diff(store, orders, "2026-03-03", "2026-03-04").df()  # doctest: +SKIP
        >>> ea.diff(store, orders, store.log, store.log.without("type = 'CouponApplied'")).df()  # doctest: +SKIP
    """
    definition = checked(projection)
    seen = as_log(log)
    sides = _sides(seen, before, after, known_at)

    def plan() -> Plan:
        views = Views()
        settle = _settler(definition, [side.log for side in sides], key)
        old, new = (settle(side.log) for side in sides)
        times = tuple(side.at for side in sides if side.at is not None)
        if isinstance(old, Compiled) and isinstance(new, Compiled) and len(times) == len(sides):
            window = bounded(seen, None, known_at).since(min(times)).at(max(times))
            shared = _from_one_saved(old, new, times, views)
            return views.plan(_of_moved(old, new, window, views) if shared is None else shared)
        return views.plan(_differences(old.state(views), new.state(views)))

    return answer(seen, definition, plan)


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two logs; ``at`` where it is given as an instant."""

    log: Log
    at: dt.datetime | None


def _sides(log: Log, before: Instant | Log, after: Instant | Log, known_at: Instant | None) -> tuple[_Side, _Side]:
    if isinstance(before, Store | Log) and isinstance(after, Store | Log):
        return (_Side(bounded(before, None, known_at), None), _Side(bounded(after, None, known_at), None))
    if isinstance(before, Store | Log) or isinstance(after, Store | Log):
        raise TypeError("diff compares two instants or two views of a log; give both of one kind")
    old, new = instant(before), instant(after)
    return _Side(bounded(log, old, known_at), old), _Side(bounded(log, new, known_at), new)


def _settler(definition: Definition, logs: list[Log], key: Any) -> Callable[[Log], Settled]:  # noqa: ANN401
    """Settle a definition alike on both logs, which may hold fields of different types."""
    if not isinstance(definition, Projection):
        return lambda log: settled(log, definition, key)
    held: dict[tuple[str, ...], dict[str | None, frozenset[str]]] = {}
    for path, known in (item for log in logs for item in held_in(log, definition).items()):
        both = held.setdefault(path, {})
        for type_, names in known.items():
            both[type_] = both.get(type_, frozenset()) | names
    return lambda log: compiled(log, definition, key, held)


def _from_one_saved(old: Compiled, new: Compiled, times: Sequence[dt.datetime], views: Views) -> exp.Query | None:
    """Compare two states that go on from one saved state, reading what follows it once; None where there is none."""
    is_mirrored = times[0] > times[1]
    found = (old if is_mirrored else new).two_states(views, min(times))
    if found is None:
        return None
    steps, first, last = found
    return after_steps(steps, _differences(last, first) if is_mirrored else _differences(first, last))


def _of_moved(old: Compiled, new: Compiled, window: Log, views: Views) -> exp.Query:
    """Compare only the keys that have events between the two instants; no other can differ."""
    among = exp.select(exp.Star(), copy=False).from_(exp.Table(this=exp.to_identifier(_MOVED, quoted=True)), copy=False)
    keys = old.keys_of(window, views)
    found = _differences(old.state(views, among), new.state(views, among))
    return found.with_(exp.to_identifier(_MOVED, quoted=True), as_=keys, materialized=True, copy=False)


def _differences(old: Table, new: Table) -> exp.Select:
    columns = tuple(dict.fromkeys([*old.columns, *new.columns]))
    names = beside(new.keys, _OWN)
    sides = [
        exp.select(sql.alias(exp.true(), "$here"), exp.Star(), copy=False).from_(
            table.tree.subquery(alias, copy=False), copy=False
        )
        for table, alias in ((old, "old_rows"), (new, "new_rows"))
    ]
    same = sql.all_of(
        exp.NullSafeEQ(this=sql.column(name, table="old"), expression=sql.column(name, table="new"))
        for name in new.keys
    )
    keys = [
        sql.alias(exp.Coalesce(this=sql.column(name, table="new"), expressions=[sql.column(name, table="old")]), name)
        for name in new.keys
    ]
    entries = exp.Array(expressions=[_entry(name, old, new) for name in columns] or [_row_alone()])
    pairs = exp.select(*keys, sql.alias(_change(), names["change"]), copy=False)
    pairs = pairs.select(sql.alias(sql.function("unnest", entries), "$entry"), copy=False)
    pairs = pairs.from_(sides[0].subquery("old", copy=False), copy=False).join(
        sides[1].subquery("new", copy=False), on=same, join_type="full", copy=False
    )
    outer = [sql.column(name) for name in (*new.keys, names["change"])]
    shown = [
        sql.alias(exp.Dot(this=sql.column("$entry"), expression=exp.to_identifier(name)), names[name])
        for name in _OWN[1:]
    ]
    differs = exp.Dot(this=sql.column("$entry"), expression=exp.to_identifier("differs"))
    return (
        exp.select(*outer, *shown, copy=False)
        .from_(pairs.subquery("pairs", copy=False), copy=False)
        .where(differs, copy=False)
    )


def _here(side: str) -> exp.Expr:
    return sql.column("$here", table=side)


def _missing(side: str) -> exp.Expr:
    return exp.Is(this=_here(side), expression=exp.null())


def _change() -> exp.Expr:
    words = {"added": _missing("old"), "removed": _missing("new")}
    ifs = [exp.If(this=test, true=exp.Literal.string(word)) for word, test in words.items()]
    return exp.Case(ifs=ifs, default=exp.Literal.string("changed"))


def _entry(name: str, old: Table, new: Table) -> exp.Expr:
    values = {side: _value(name, table, side) for side, table in (("old", old), ("new", new))}
    compared = [_comparable(name, values[side], table) for side, table in (("old", old), ("new", new))]
    differs = exp.NullSafeNEQ(this=compared[0], expression=compared[1])
    one_side = exp.Or(this=_missing("old"), expression=_missing("new"))
    return _struct(
        column=exp.Literal.string(name),
        before=sql.cast(values["old"].copy(), "VARIANT"),
        after=sql.cast(values["new"].copy(), "VARIANT"),
        differs=exp.Or(this=exp.Paren(this=one_side), expression=differs),
    )


def _row_alone() -> exp.Expr:
    """Stand for a row that has a key and nothing else."""
    nothing = sql.cast(exp.null(), "VARIANT")
    one_side = exp.Or(this=_missing("old"), expression=_missing("new"))
    return _struct(
        column=sql.cast(exp.null(), "VARCHAR"), before=nothing, after=nothing.copy(), differs=exp.Paren(this=one_side)
    )


def _struct(**values: exp.Expr) -> exp.Struct:
    return exp.Struct(
        expressions=[exp.PropertyEQ(this=exp.to_identifier(name), expression=value) for name, value in values.items()]
    )


def _value(name: str, table: Table, side: str) -> exp.Expr:
    return sql.column(name, table=side) if name in table.columns else exp.null()


def _comparable(name: str, value: exp.Expr, table: Table) -> exp.Expr:
    """Compare what has no order of its own by its JSON text, in which keys are sorted."""
    if name not in table.nested:
        return value.copy()
    return sql.cast(sql.cast(sql.cast(value.copy(), "VARIANT"), "JSON"), "VARCHAR")
