"""State at a time: the fold of the events up to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import Instant
from esanalytics.engines import Plan, Result
from esanalytics.events import by_position, by_time
from esanalytics.projections import Projection, compile_fold, key_columns, paths
from esanalytics.store import Log, Relation, Store, Types, as_log, as_view, result, types_of, view

__all__ = ["state_at"]

_FrozenTypes = tuple[tuple[tuple[str, ...], tuple[tuple[str | None, frozenset[str]], ...]], ...]


def state_at(
    log: Store | Log,
    projection: Projection,
    at: Instant | None = None,
    *,
    known_at: Instant | None = None,
    key: Any = None,  # noqa: ANN401  a value of the key's type
) -> Result:
    """Return the state as it was: one row per key, the key's columns first, in no particular order.

    Args:
        log: a store, or any view of one.
        projection: what to fold.
        at: fold the events with ``effective_at`` up to and including this instant; None: all.
        known_at: fold only what was recorded up to and including this instant; None: all.
        key: only the row of this key; a tuple where the key has several columns.

    Raises:
        CompileError: the types in the log do not allow what the projection says.
        ProjectionError: ``key`` does not have a value for each key column.
        ValueError: ``at`` or ``known_at`` is no instant.

    Example:
        >>> ea.state_at(store, orders, "2026-03-03", key="order-42").df()  # doctest: +SKIP
    """
    if not isinstance(projection, Projection):
        raise TypeError(f"not a projection: {projection!r}; give an ea.Projection, or ea.merged(log)")
    seen = _bounded(as_log(log), at, known_at)
    narrowed = seen if key is None else _of_key(seen, projection, key)
    wanted = tuple(key) if isinstance(key, list) else key

    def fold() -> Plan:
        return _fold(narrowed, types_of(seen, paths(projection)), projection, wanted)

    return result(narrowed, fold, fold())  # once now: what is wrong with the question is said when it is asked


def _bounded(log: Log, at: Instant | None, known_at: Instant | None) -> Log:
    known = log if known_at is None else log.known_at(known_at)
    return known if at is None else known.at(at)


def _of_key(log: Log, projection: Projection, key: Any) -> Log:  # noqa: ANN401  a value of the key's type
    """Read only the files that can hold the key, where the key says it."""
    given = dict(zip(key_columns(projection).values(), key if isinstance(key, tuple) else (key,), strict=False))
    named = {part.args[0]: value for part, value in given.items() if part.op == "envelope" and isinstance(value, str)}
    return log.where(service=named.get("service"), stream=named.get("stream_id"))


def _fold(
    log: Log,
    held: Mapping[tuple[str, ...], Types],
    projection: Projection,
    key: Any,  # noqa: ANN401  a value of the key's type
) -> Plan:
    found = view(log)
    query = _compiled(projection, _one_stream_per_key(found, projection), _frozen(held), key)
    return Plan(query, (as_view(found),), files=found.files)


@lru_cache(maxsize=256, typed=True)
def _compiled(projection: Projection, by_place: bool, held: _FrozenTypes, key: Any) -> str:  # noqa: ANN401, FBT001
    """Compile a fold of the relation ``events``; the same question is compiled once."""
    order = by_position() if by_place else by_time()
    types = {path: dict(known) for path, known in held}
    return sql.text(
        compile_fold(projection, source=exp.to_table("events"), order=order, held=types, key=key), pretty=True
    )


def _frozen(held: Mapping[tuple[str, ...], Types]) -> _FrozenTypes:
    return tuple((path, tuple(sorted(known.items(), key=str))) for path, known in held.items())


def _one_stream_per_key(found: Relation, projection: Projection) -> bool:
    """Tell whether ``position`` gives the order of the events of a key: it is one stream, and in order."""
    names = {part.args[0] for part in key_columns(projection).values() if part.op == "envelope"}
    return found.in_order and "stream_id" in names and ("service" in names or len(found.services) <= 1)
