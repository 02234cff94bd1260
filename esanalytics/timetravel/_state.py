"""State at a time: the fold of the events up to it."""

from __future__ import annotations

from typing import Any

from esanalytics._instants import Instant
from esanalytics.engines import Plan, Result
from esanalytics.store import Log, Store
from esanalytics.timetravel._settling import Definition, answer, bounded, checked, settled
from esanalytics.timetravel._views import Views

__all__ = ["state_at"]


def state_at(
    log: Store | Log,
    projection: Definition,
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
    definition = checked(projection)
    seen = bounded(log, at, known_at)

    def plan() -> Plan:
        views = Views()
        return views.plan(settled(seen, definition, key).state(views).tree)

    return answer(seen, definition, plan)
