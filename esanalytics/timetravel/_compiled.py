"""A `Projection` on a log: its state and its versions, from the start or from the nearest saved state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlglot import exp

from esanalytics.events import by_position, by_time, sorting
from esanalytics.projections import (
    Held,
    Projection,
    SettledPlan,
    compile_plan,
    compile_versions,
    full_order,
    key_columns,
    moved,
    moves,
    paths,
    pins,
    plan_of,
    scalar,
)
from esanalytics.store import Log, Relation, Types, types_of
from esanalytics.timetravel._definitions import Table, key_test
from esanalytics.timetravel._resuming import Resuming, distinct_keys, may_differ
from esanalytics.timetravel._saved import nearest
from esanalytics.timetravel._views import Views

__all__ = ["Compiled", "compiled", "held_in", "narrowed_to"]

FEW = 100_000
"""Events that are folded from the start, where part of what is saved would have to be folded again."""

_FrozenTypes = tuple[tuple[tuple[str, ...], tuple[tuple[str | None, frozenset[str]], ...]], ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A projection with its types settled, on a view of a log.

    Attributes:
        log: the view.
        projection: what to fold.
        plan: the same, on the types that the log holds.
        moved: the same plan, about moves.
        key: only this key; None: all.
    """

    log: Log
    projection: Projection
    plan: SettledPlan
    moved: SettledPlan
    key: Any = None

    def state(self, views: Views, among: exp.Query | None = None, *, with_orders: bool = False) -> Table:
        """Compose the state: from the nearest saved one where there is one.

        Args:
            views: takes the relations it reads.
            among: only the keys that this query gives; None: all.
            with_orders: also what must be saved for late events to join, in columns of their own.
        """
        resuming = self._resuming(None, among)
        if resuming is not None:
            return self._table(resuming.state(views, with_orders=with_orders))
        relation, found = views.add(self.narrowed())
        order = by_position() if self.in_place(found) else by_time()
        chosen = full_order() if with_orders else order
        return self._table(compile_plan(self.plan, relation, chosen, self.pinned(among), with_orders=with_orders))

    def versions(
        self,
        views: Views,
        among: exp.Query | None = None,
        since: dt.datetime | None = None,
        *,
        standing: bool = False,
    ) -> Table:
        """Compose the versions: from a saved state where it holds nothing after ``since``."""
        resuming = None if since is None else self._resuming(since, among)
        if resuming is not None:
            return self._table(resuming.versions(views, standing=standing))
        relation, found = views.add(self.narrowed())
        in_place = self.in_place(found)
        order = by_position() if in_place else by_time()
        source = moves(self.plan, relation, self.pinned(among))
        return self._table(compile_versions(self.moved, source, order, sorting(by_place=in_place)))

    def two_states(self, views: Views, earlier: dt.datetime) -> tuple[Mapping[str, exp.Query], Table, Table] | None:
        """Compose the states at an instant and at the end, of the keys that have events between, from one saved state.

        Returns:
            The steps that both stand on, the earlier state, the later one; None where there is no such saved state.
        """
        resuming = self._resuming(earlier, None)
        if resuming is None or may_differ(self.log, resuming.saved):
            return None
        steps, before, after = resuming.at_both(views, earlier)
        return steps, self._table(before), self._table(after)

    def in_place(self, found: Relation) -> bool:
        """Tell whether ``position`` gives the order of the events of a key: it is one stream, and in order."""
        names = _envelope_names(self.projection)
        return found.in_order and "stream_id" in names and ("service" in names or len(found.services) <= 1)

    def keys_of(self, log: Log, views: Views) -> exp.Query:
        """Compose the keys of the events of a view, as ``$k0``, ``$k1`` and so on."""
        relation, _ = views.add(log)
        return distinct_keys(self.plan, moves(self.plan, relation, self.pinned()))

    def _table(self, tree: exp.Query) -> Table:
        nested = frozenset(column.name for column in self.plan.columns if "VARIANT" in column.type)
        types = tuple(value.type for value in self.plan.keys.values())
        return Table(tree, tuple(self.plan.keys), tuple(c.name for c in self.plan.columns), nested, types)

    def pinned(self, among: exp.Query | None = None) -> tuple[exp.Expr, ...]:
        """Write the conditions that an event belongs to a wanted key."""
        found = pins(self.plan, self.key)
        if among is None:
            return found
        return (*found, key_test([scalar(value) for value in self.plan.keys.values()], among))

    def _resuming(self, since: dt.datetime | None, among: exp.Query | None) -> Resuming | None:
        """Find the nearest saved state, but where the key itself says which few files to read."""
        if self.key is not None and "stream_id" in _envelope_names(self.projection):
            return None
        saved = nearest(self.log, self.plan, since)
        if saved is None or (saved.position < FEW and may_differ(self.log, saved)):
            return None
        pinned = self.pinned(among)
        return Resuming(self.log, self.plan, self.moved, saved, pinned, self.key, among, self.in_place)

    def narrowed(self) -> Log:
        """Read only the files that can hold the key, where the key says it."""
        if self.key is None:
            return self.log
        return narrowed_to(self.log, self.projection, [self.key if isinstance(self.key, tuple) else (self.key,)])


def compiled(log: Log, projection: Projection, key: Any = None, held: Held | None = None) -> Compiled:  # noqa: ANN401
    """Settle a projection on a view of a log.

    Args:
        log: the view.
        projection: what to fold.
        key: only this key; a tuple where it has several columns; None: all.
        held: the types that matter; None: those in the log.

    Raises:
        CompileError: the types in the log do not allow what the projection says.
        ProjectionError: ``key`` does not have a value for each key column.
    """
    plan, about_moves = _plans(projection, _frozen(held_in(log, projection) if held is None else held))
    wanted = tuple(key) if isinstance(key, list) else key
    pins(plan, wanted)
    return Compiled(log, projection, plan, about_moves, wanted)


def narrowed_to(log: Log, projection: Projection, keys: Sequence[Sequence[Any]]) -> Log:
    """Show only the services and the streams of some keys, where the keys say it; a superset of their events."""
    parts = enumerate(key_columns(projection).values())
    named = {part.args[0]: [key[n] for key in keys] for n, part in parts if part.op == "envelope"}
    texts = {name: values for name, values in named.items() if all(isinstance(value, str) for value in values)}
    return log.where(service=texts.get("service"), stream=texts.get("stream_id"))


def held_in(log: Log, projection: Projection) -> dict[tuple[str, ...], Types]:
    """Return the types that a log holds at the paths of a projection."""
    return types_of(log, paths(projection))


@lru_cache(maxsize=256)
def _plans(projection: Projection, held: _FrozenTypes) -> tuple[SettledPlan, SettledPlan]:
    """Settle a projection, once for the same types."""
    plan = plan_of(projection, {path: dict(known) for path, known in held})
    return plan, moved(plan)


def _frozen(held: Mapping[tuple[str, ...], Types]) -> _FrozenTypes:
    return tuple((path, tuple(sorted(known.items(), key=str))) for path, known in held.items())


def _envelope_names(projection: Projection) -> set[str]:
    return {part.args[0] for part in key_columns(projection).values() if part.op == "envelope"}
