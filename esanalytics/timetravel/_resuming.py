"""Going on from a saved state: what it does not hold, and the keys whose past has changed since.

A state saved at (``at`` T, position P) holds the events with ``effective_at <= T`` and ``position <= P``. Of the
others, those after T follow what is saved. Those that came after P and happened up to T fall inside it, as do events
whose time was moved by one that came after P: the keys which they touch are folded again, from the start. Only where
every column takes an event at whatever place in the order (`is_mergeable`), late events join what is saved, beside
which the orders of the events that set it are saved.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.events import by_position, by_time, sorting
from esanalytics.projections import (
    SettledPlan,
    compile_plan,
    compile_versions,
    deleting,
    from_saved,
    full_order,
    is_mergeable,
    key_names,
    mixed,
    moves,
    on_columns,
    order_columns,
    pins,
    saved_moves,
    saved_order,
    scalar,
)
from esanalytics.store import Log, Relation, arrived_after, may_arrive_inside, skewed_after, unbounded
from esanalytics.timetravel._definitions import key_test
from esanalytics.timetravel._saved import Saved, saved_rows
from esanalytics.timetravel._views import Views

__all__ = ["Resuming", "after", "distinct_keys", "may_differ"]

_TOUCHED, _TAIL, _CHANGED, _MOVES = "$touched", "$tail", "$changed", "$moves"


def may_differ(log: Log, saved: Saved) -> bool:
    """Tell whether some of what is saved may have to be folded again; False is sure."""
    return may_arrive_inside(log, saved.position, saved.at) or skewed_after(log, saved.position) is not None


@dataclass(frozen=True, slots=True)
class Resuming:
    """A question that a saved state helps to answer.

    Attributes:
        log: the view that is asked about.
        plan: what is folded.
        moved: the same, about moves.
        saved: the state to begin from.
        pinned: conditions on the events.
        key: only this key; None: all.
        among: only the keys that this query gives; None: all.
        in_place: tells of a relation whether ``position`` is the order in it.
    """

    log: Log
    plan: SettledPlan
    moved: SettledPlan
    saved: Saved
    pinned: tuple[exp.Expr, ...]
    key: object
    among: exp.Query | None
    in_place: Callable[[Relation], bool]

    def state(self, views: Views, *, with_orders: bool = False) -> exp.Query:
        """Compose the state: rows that nothing happened to as they are, the others folded on."""
        is_joined = is_mergeable(self.plan) and skewed_after(self.log, self.saved.position) is None
        compose = self._joining if is_joined else self._following
        steps, in_place = compose(views, with_orders=with_orders)
        order = by_position() if in_place else by_time()
        plan = from_saved(self.moved)
        orders = saved_order(plan) if with_orders or (is_joined and not in_place) else {}
        source = steps.pop(_MOVES) if _reads_once(plan) else _read(_MOVES)
        folded = compile_plan(
            plan,
            source.subquery(copy=False),
            full_order() if orders else order,
            orders=orders,
            with_orders=with_orders,
        )
        names = [*_names(self.plan), *(order_columns(self.plan).values() if with_orders else ())]
        still = self._rows(exp.Not(this=self._is_among(_CHANGED)), names=names)
        columns = [sql.column(name) for name in names]
        rows = exp.select(*columns, copy=False).from_(folded.subquery("folded", copy=False), copy=False)
        return after(steps, exp.union(still, rows, distinct=False, copy=False))

    def versions(self, views: Views, *, standing: bool) -> exp.Query:
        """Compose the versions since what is saved; with ``standing`` also those that stood then."""
        steps, in_place = self._following(views, standing=standing)
        order = by_position() if in_place else by_time()
        plan = from_saved(self.moved)
        return after(steps, compile_versions(plan, _read(_MOVES), order, sorting(by_place=in_place)))

    def at_both(self, views: Views, earlier: dt.datetime) -> tuple[dict[str, exp.Query], exp.Query, exp.Query]:
        """Compose the states at an instant and at the end, of the keys that have events between; no event was late.

        Returns:
            The steps that both stand on, the earlier state, the later one.
        """
        views.files.append(self.saved.path)
        tail, found = views.add(self.log.since(self.saved.at))
        later = exp.GT(this=sql.column("effective_at"), expression=sql.literal(earlier))
        own = _read(_TAIL).where(
            key_test([sql.column(name) for name in key_names(self.plan)], _read(_CHANGED)), copy=False
        )
        saved = self._rows(self._is_among(_CHANGED), names=_names(self.plan)).subquery("saved", copy=False)
        steps: dict[str, exp.Query] = {
            _TAIL: moves(self.plan, tail, self.pinned),
            _CHANGED: distinct_keys(self.plan, _read(_TAIL).where(later, copy=False)),
            _MOVES: sql.union_by_name(own, saved_moves(self.plan, saved, sql.literal(self.saved.at))),
        }
        plan, order = from_saved(self.moved), by_position() if self.in_place(found) else by_time()
        until = _read(_MOVES).where(exp.Not(this=exp.Paren(this=later.copy())), copy=False)
        states = [compile_plan(plan, s.subquery(copy=False), order) for s in (until, _read(_MOVES))]
        return steps, states[0], states[1]

    def _joining(self, views: Views, *, with_orders: bool) -> tuple[dict[str, exp.Query], bool]:
        """Compose the moves where late events join what is saved; tell whether ``position`` is their order."""
        views.files.append(self.saved.path)
        tail, found = views.add(self.log.since(self.saved.at))
        new: exp.Query = moves(self.plan, tail, self.pinned)
        in_place = self.in_place(found)
        late = self._late(views)
        if late is not None:
            new, in_place = exp.union(new, late, distinct=False, copy=False), False
        steps = {_TAIL: new, _CHANGED: distinct_keys(self.plan, _read(_TAIL))}
        source = self._joined(self._is_among(_CHANGED), with_orders=with_orders or not in_place)
        return {**steps, _MOVES: source}, in_place

    def _following(
        self, views: Views, *, with_orders: bool = False, standing: bool = False
    ) -> tuple[dict[str, exp.Query], bool]:
        """Compose the moves where all events follow what is saved, or their keys are folded from the start."""
        views.files.append(self.saved.path)
        touched = self._touched(views)
        tail, found = views.add(self.log.since(self.saved.at))
        after = moves(self.plan, tail, self.pinned)
        if touched is None:
            known = [] if standing else [self._is_among(_CHANGED)]
            steps: dict[str, exp.Query] = {_TAIL: after, _CHANGED: distinct_keys(self.plan, _read(_TAIL))}
            return {**steps, _MOVES: self._joined(*known, with_orders=with_orders)}, self.in_place(found)
        whole, everything = views.add(self.log)
        raw = [scalar(value) for value in self.plan.keys.values()]
        again = moves(self.plan, whole, (*self.pinned, key_test(raw, _read(_TOUCHED))))
        kept = exp.select(exp.Star(), copy=False).from_(after.subquery("tail", copy=False), copy=False)
        own = [sql.column(name, table="tail") for name in key_names(self.plan)]
        kept = kept.where(exp.Not(this=key_test(own, _read(_TOUCHED))), copy=False)
        changed = exp.union(distinct_keys(self.plan, _read(_TAIL)), _read(_TOUCHED), distinct=True, copy=False)
        known = [exp.Not(this=self._is_among(_TOUCHED)), *([] if standing else [self._is_among(_CHANGED)])]
        steps = {_TOUCHED: touched, _TAIL: exp.union(kept, again, distinct=False, copy=False), _CHANGED: changed}
        return {**steps, _MOVES: self._joined(*known, with_orders=with_orders)}, self.in_place(found) and self.in_place(
            everything
        )

    def _touched(self, views: Views) -> exp.Query | None:
        """Compose the keys that are to be folded again; None where the files prove that there are none."""
        parts = [distinct_keys(self.plan, source) for source in self._inside(views)]
        if not parts:
            return None
        found: exp.Query = parts[0]
        for part in parts[1:]:
            found = exp.union(found, part, distinct=True, copy=False)
        return found

    def _inside(self, views: Views) -> Iterator[exp.Query]:
        """Compose the moves that fall inside what is saved, and those of streams whose times have moved."""
        late = self._late(views)
        if late is not None:
            yield late
        skewed = skewed_after(self.log, self.saved.position)
        if skewed is not None:
            everything, _ = views.add(unbounded(self.log))
            stream = exp.Tuple(expressions=[sql.column("service"), sql.column("stream_id")])
            streams = exp.select(stream.copy(), copy=False).from_(skewed.subquery("skewed", copy=False), copy=False)
            moved_ones = exp.In(this=stream, query=streams.subquery(copy=False))
            yield moves(self.plan, everything, (*self.pinned, moved_ones))

    def _late(self, views: Views) -> exp.Select | None:
        """Compose the moves that came after what is saved and happened before; None where there are none for sure."""
        position, at = self.saved.position, self.saved.at
        if not may_arrive_inside(self.log, position, at):
            return None
        late, _ = views.add(arrived_after(unbounded(self.log).at(at), position))
        return moves(self.plan, late, self.pinned)

    def _joined(self, *conditions: exp.Expr, with_orders: bool) -> exp.Query:
        """Put what is saved before the events that follow."""
        orders = [*order_columns(self.plan).values()] if with_orders else []
        rows = self._rows(*conditions, names=[*_names(self.plan), *orders]).subquery("saved", copy=False)
        before = saved_moves(self.plan, rows, sql.literal(self.saved.at), orders)
        return sql.union_by_name(_read(_TAIL), before)

    def _rows(self, *conditions: exp.Expr, names: Sequence[str]) -> exp.Select:
        """Read saved rows of the wanted keys."""
        keys = [sql.column(name) for name in self.plan.keys]
        wanted = [*pins(on_columns(self.plan), self.key), *conditions]
        wanted += [] if self.among is None else [key_test(keys, self.among)]
        columns = [sql.column(name) for name in names]
        select = exp.select(*columns, copy=False).from_(saved_rows(self.plan, self.saved.path), copy=False)
        return select.where(*wanted, copy=False) if wanted else select

    def _is_among(self, step: str) -> exp.Expr:
        return key_test([sql.column(name) for name in self.plan.keys], _read(step))


def distinct_keys(plan: SettledPlan, moved: exp.Query) -> exp.Select:
    """Compose the keys of moves, each once."""
    keys = [sql.column(name) for name in key_names(plan)]
    return exp.select(*keys, copy=False).distinct(copy=False).from_(moved.subquery("moves", copy=False), copy=False)


def _reads_once(plan: SettledPlan) -> bool:
    """Tell whether the fold of a plan reads its moves once only: then they need not be kept."""
    return not deleting(plan) and not mixed(plan) and all(column.family != "list" for column in plan.columns)


def _names(plan: SettledPlan) -> list[str]:
    return [*plan.keys, *(column.name for column in plan.columns)]


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _read(step: str) -> exp.Select:
    return exp.select(exp.Star(), copy=False).from_(exp.Table(this=_quoted(step)), copy=False)


def after(steps: Mapping[str, exp.Query], query: exp.Query) -> exp.Query:
    """Put the steps before a query, each computed once."""
    found = query
    for name, step in steps.items():
        found = found.with_(_quoted(name), as_=step, materialized=True, copy=False)
    return found
