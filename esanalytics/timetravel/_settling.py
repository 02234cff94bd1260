"""From a definition of state, whatever its kind, to what the verbs ask of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from esanalytics._instants import Instant
from esanalytics.engines import Plan, Result
from esanalytics.projections import Projection, Reducer
from esanalytics.store import Log, Store, as_log, result
from esanalytics.timetravel._by_sql import BySql, SqlProjection
from esanalytics.timetravel._compiled import compiled, held_in, narrowed_to
from esanalytics.timetravel._definitions import Settled, these_keys
from esanalytics.timetravel._folded import Folded

__all__ = ["Definition", "answer", "bounded", "checked", "settled", "settled_for"]

Definition = Projection | SqlProjection | Reducer
"""What the state is: compiled to SQL, given as SQL, or folded by Python."""


def checked(definition: object) -> Definition:
    """Take a definition of state as one.

    Raises:
        TypeError: it is none.
    """
    if isinstance(definition, Projection | SqlProjection | Reducer):
        return definition
    remedy = "give an ea.Projection, ea.merged(log), an ea.SqlProjection or a function with @ea.reducer"
    raise TypeError(f"not a projection: {definition!r}; {remedy}")


def settled(log: Log, definition: Definition, key: Any = None) -> Settled:  # noqa: ANN401  a value of the key's type
    """Settle a definition on a view of a log.

    Raises:
        CompileError: the types in the log do not allow what a projection says.
        ProjectionError: ``key`` does not have a value for each key column.
    """
    if isinstance(definition, Projection):
        return compiled(log, definition, key)
    if isinstance(definition, SqlProjection):
        return BySql.of(log, definition, key)
    return Folded.of(log, definition, key)


def settled_for(log: Log, definition: Definition, keys: Sequence[tuple[Any, ...]]) -> tuple[Settled, exp.Query | None]:
    """Settle a definition on the part of a view that some keys are about; with the query that gives these keys.

    Raises:
        CompileError: the types in the log do not allow what a projection says.
    """
    if isinstance(definition, Projection):
        whole = compiled(narrowed_to(log, definition, keys), definition, held=held_in(log, definition))
        return whole, these_keys(keys, [value.type for value in whole.plan.keys.values()])
    if isinstance(definition, SqlProjection):
        return BySql.of(log, definition), None
    services, streams = ([str(key[n]) for key in keys] for n in range(2))
    return Folded.of(log.where(service=services, stream=streams), definition), these_keys(keys, ("VARCHAR", "VARCHAR"))


def answer(log: Log, definition: Definition, plan: Callable[[], Plan]) -> Result:
    """Make the lazy answer to a question about a definition.

    It is composed at once, so that what is wrong with the question is said when it is asked; but for a Python function,
    which would have to run.
    """
    return result(log, plan, None if isinstance(definition, Reducer) else plan())


def bounded(log: Store | Log, at: Instant | None, known_at: Instant | None) -> Log:
    """Narrow a log to what had happened by an instant, and to what was known by another."""
    seen = as_log(log)
    known = seen if known_at is None else seen.known_at(known_at)
    return known if at is None else known.at(at)
