"""Snapshots: saved states from which later questions start, without being asked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import Instant, instant, iso
from esanalytics.errors import ProjectionError, UnsupportedError
from esanalytics.projections import Projection, order_columns
from esanalytics.store import Log, Store, folder_of, result
from esanalytics.timetravel import _saved
from esanalytics.timetravel._compiled import Compiled, compiled
from esanalytics.timetravel._saved import Saved
from esanalytics.timetravel._settling import Definition, checked
from esanalytics.timetravel._views import Views

__all__ = ["Snapshot", "fingerprint_of", "refresh", "snapshot", "snapshots"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A saved state of one projection: what the events up to ``at`` and ``position`` made.

    Attributes:
        projection: the projection's name.
        at: it holds the events with ``effective_at`` up to and including this instant …
        position: … of those that the store had up to this position.
        rows: how many keys it has.
        size: of its file, in bytes.
        created_at: when it was taken.
        path: of its file.
    """

    projection: str
    at: dt.datetime
    position: int
    rows: int
    size: int
    created_at: dt.datetime
    path: str

    def drop(self) -> None:
        """Delete the snapshot; questions are answered without it. It may be gone already."""
        _saved.remove(self.path)

    def __str__(self) -> str:
        size = f"{self.rows:,} rows, {self.size / 1e6:,.1f} MB"
        return f"{self.projection} at {iso(self.at)}, up to position {self.position:,}: {size}"


def snapshot(store: Store, projection: Definition, at: Instant | None = None) -> Snapshot:
    """Save a state, so that later questions start from it.

    ``state_at``, ``diff``, ``history`` and ``join_asof`` use the nearest one by themselves, and give the answers which
    they give without it: events that came late into its past have the keys they touch folded anew. A snapshot belongs
    to one definition: a projection that was changed, or whose fields have other types in the log by now, does not use
    it.

    Args:
        store: the store; its folder takes the snapshot.
        projection: what to fold; an `ea.Projection`.
        at: events with ``effective_at`` up to and including this instant; None, or one after the last event: all.

    Raises:
        CompileError: the types in the log do not allow what the projection says.
        ProjectionError: there is no event up to ``at``.
        StoreError: the disk is full, or may not be written to.
        UnsupportedError: the projection is SQL or a Python function.
        ValueError: ``at`` is no instant.

    Example:
        >>> ea.snapshot(store, orders, at="2026-03-01")  # doctest: +SKIP
    """
    definition = _foldable(projection)
    log = _log_of(store)
    bound = None if at is None else instant(at)
    last, recorded = _ends(log, bound)
    if last is None or recorded is None:
        when, remedy = ("", "append events first") if bound is None else (f" up to {iso(bound)}", "choose a later time")
        raise ProjectionError(definition.name, f"there is no event{when} to take a snapshot of", remedy)
    settled = compiled(log.at(last), definition)
    position = log.count()
    known = Saved(
        projection=definition.name,
        fingerprint=_saved.fingerprint(settled.plan),
        at=last,
        position=position,
        recorded_at=recorded,
        rows=0,
        size=0,
        digest="",
        created_at=dt.datetime.now(dt.UTC),
        path="",
    )
    return _shown(_saved.write(folder_of(log), known, lambda path: _write(settled, path)))


def refresh(store: Store, projection: Definition) -> Snapshot:
    """Carry the newest snapshot of a projection forward to the last event, folding only what is new.

    The new one takes the place of the one it began from. Where there is none that can be used, one is taken.

    Args:
        store: the store.
        projection: what to fold; an `ea.Projection`.

    Raises:
        CompileError: the types in the log do not allow what the projection says.
        ProjectionError: there is no event.
        StoreError: the disk is full, or may not be written to.
        UnsupportedError: the projection is SQL or a Python function.
    """
    definition = _foldable(projection)
    settled = compiled(_log_of(store), definition)
    old = _saved.nearest(settled.log, settled.plan)
    new = snapshot(store, projection)
    if old is not None and old.path != new.path:
        _saved.remove(old.path)
    return new


def snapshots(store: Store) -> list[Snapshot]:
    """List the snapshots of a store, by projection and time; those that are damaged are left out, with a warning."""
    return [_shown(saved) for saved in _saved.read(folder_of(_log_of(store)))]


def fingerprint_of(log: Log, projection: Projection) -> str:
    """Digest what a projection means for a log: all that it says, and the types that its fields have by now."""
    return _saved.fingerprint(compiled(log, projection).plan)


def _foldable(projection: Definition) -> Projection:
    definition = checked(projection)
    if not isinstance(definition, Projection):
        kind = type(definition).__name__
        raise UnsupportedError(
            f"{kind} {definition.name!r} cannot be saved, for its state does not say how to go on from it",
            "snapshots are for an ea.Projection",
        )
    return definition


def _log_of(store: Store) -> Log:
    if not isinstance(store, Store):
        raise TypeError(f"not a store: {store!r}; a snapshot is of a store, as ea.Store.open(path) returns it")
    return store.log


def _ends(log: Log, at: dt.datetime | None) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Find the last ``effective_at`` up to an instant, and when the last event of all was recorded."""
    query = "SELECT max(effective_at) FILTER ($at IS NULL OR effective_at <= $at::TIMESTAMPTZ) AS last, "
    [row] = log.sql(f"{query} max(recorded_at) AS recorded FROM events", {"at": at}).head(1)
    return row["last"], row["recorded"]


def _write(settled: Compiled, path: str) -> int:
    """Write the rows, sorted by key, so that those of one key lie together."""
    views = Views()
    table = settled.state(views, with_orders=True)
    names = [*table.keys, *table.columns, *order_columns(settled.plan).values()]
    ordered = exp.select(*_saved.stored(settled.plan, names), copy=False).from_(
        table.tree.subquery("state", copy=False), copy=False
    )
    ordered = ordered.order_by(*(sql.column(name) for name in table.keys), copy=False)
    return result(settled.log, lambda: views.plan(ordered)).write_parquet(path)


def _shown(saved: Saved) -> Snapshot:
    return Snapshot(saved.projection, saved.at, saved.position, saved.rows, saved.size, saved.created_at, saved.path)
