"""History: every version of every row, as a slowly changing dimension of type 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import Instant, instant
from esanalytics.engines import Plan, Result
from esanalytics.errors import UnsupportedError
from esanalytics.store import Log, Store
from esanalytics.timetravel._definitions import Table
from esanalytics.timetravel._naming import beside
from esanalytics.timetravel._settling import Definition, answer, bounded, checked, settled, settled_for
from esanalytics.timetravel._views import Views

__all__ = ["Grain", "history", "history_of", "is_last_of_instant", "spans"]

Grain = Literal["instant", "event"]

_SPAN = {
    "valid_from": "$effective_at",
    "valid_to": "$next_at",
    "event_id": "$event_id",
    "type": "$type",
    "position": "$position",
}


def history(
    log: Store | Log,
    projection: Definition,
    *,
    key: Any = None,  # noqa: ANN401  a value of the key's type
    since: Instant | None = None,
    until: Instant | None = None,
    known_at: Instant | None = None,
    grain: Grain = "instant",
) -> Result:
    """Return every version of every row, in no particular order: a slowly changing dimension of type 2.

    A version is what an event made of a row, whether or not it changed a value. It holds in ``[valid_from, valid_to)``,
    by ``effective_at``. A deletion ends the last version, a later event begins a new one. So the versions of a key
    never overlap, and those that hold at an instant are the state at it.

    Columns: the key's and the projection's, then ``valid_from``, ``valid_to`` (NULL: it still holds at the end), and of
    the event that made it ``event_id``, ``type`` and ``position``. Where the projection has a column of such a name,
    history's own is followed by ``_``, as in ``type_``.

    Args:
        log: a store, or any view of one.
        projection: what to fold.
        key: only this key; a tuple where the key has several columns.
        since: versions that begin after this instant, which is excluded; what came before counts, and is not shown.
        until: events up to and including this instant; what holds then has no ``valid_to``.
        known_at: only what was recorded up to and including this instant.
        grain: ``"instant"``: several events of a key at one instant make one version; ``"event"``: each makes its
            own, and all but the last of them hold for no time.

    Raises:
        CompileError: the types in the log do not allow what the projection says.
        ProjectionError: ``key`` does not have a value for each key column.
        UnsupportedError: the projection is SQL, which says nothing of single events.
        ValueError: an instant is none.

    Example:
        >>> ea.history(store, orders, key="order-42").order_by("valid_from", copy=False).df()  # doctest: +SKIP
    """
    definition = checked(projection)
    if grain not in ("instant", "event"):
        raise UnsupportedError(f"grain={grain!r}", "choose 'instant' or 'event'")
    seen = bounded(log, until, known_at)
    begin = None if since is None else instant(since)

    def plan() -> Plan:
        views = Views()
        found = settled(seen, definition, key).versions(views, since=begin)
        conditions = [sql.column("$live"), *([is_last_of_instant()] if grain == "instant" else [])]
        if begin is not None:
            conditions.append(exp.GT(this=sql.column("$effective_at"), expression=sql.literal(begin)))
        return views.plan(spans(found).where(*conditions, copy=False))

    return answer(seen, definition, plan)


def history_of(
    log: Log, projection: Definition, keys: Sequence[tuple[Any, ...]], *, until: Instant | None = None
) -> Result:
    """Return every version of the rows of some keys, one for each event, as `history` does."""
    seen = bounded(log, until, None)

    def plan() -> Plan:
        views = Views()
        found, among = settled_for(seen, projection, keys)
        return views.plan(spans(found.versions(views, among)).where(sql.column("$live"), copy=False))

    return answer(seen, projection, plan)


def spans(versions: Table) -> exp.Select:
    """Select versions with the names that users see."""
    own = [*versions.keys, *versions.columns]
    names = beside(own, tuple(_SPAN))
    shown = [sql.alias(sql.column(mark), names[name]) for name, mark in _SPAN.items()]
    return exp.select(*(sql.column(name) for name in own), *shown, copy=False).from_(
        versions.tree.subquery("versions", copy=False), copy=False
    )


def is_last_of_instant() -> exp.Expr:
    """Test that no other event of the key stands behind a version at the same instant."""
    return exp.NullSafeNEQ(this=sql.column("$next_at"), expression=sql.column("$effective_at"))
