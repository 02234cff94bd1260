"""A view as a query: which files it reads, and how their rows become ``events``.

A view is a log and a selection. The log is what there is: the store's events up to a position, those known by
an instant, without some, with some others. ``effective_at`` belongs to the log, for it comes from all events of
a stream. The selection takes some of these events and changes none. So the order in which a view was composed
does not matter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.events import ENVELOPE, TYPES, Disorder
from esanalytics.store._fields import Located
from esanalytics.store._files import DataFile

__all__ = ["Base", "Extra", "Relation", "Selection", "located", "relation", "skewed_streams"]

_STREAM = ("service", "stream_id")


@dataclass(frozen=True, slots=True)
class Extra:
    """Events that a view has and the store has not, in a file that no commit names.

    Attributes:
        file: its stats.
        path: where it lies.
        keeper: holds it; the file goes when the last view lets go.
    """

    file: DataFile
    path: str
    keeper: object


@dataclass(frozen=True, slots=True)
class Base:
    """The log that a view looks at.

    Attributes:
        position: the last position it knows.
        known_at: the last ``recorded_at`` it knows; None: no bound.
        without: conditions, or views; events for which one is true, or that one shows, never happened.
        extra: events that happened too. One with the id of an event of the store stands in its place.
    """

    position: int
    known_at: dt.datetime | None = None
    without: tuple[Any, ...] = ()
    extra: tuple[Extra, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of the log a view shows.

    Attributes:
        services, types, streams: names, any of them; None: all.
        conditions: all of them must be true.
        since, at: the window of ``effective_at``, excluded and included; None: no bound.
        after: only events with a greater position; None: all.
    """

    services: frozenset[str] | None = None
    types: frozenset[str] | None = None
    streams: frozenset[str] | None = None
    conditions: tuple[exp.Expr, ...] = ()
    since: dt.datetime | None = None
    at: dt.datetime | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """What a view reads.

    Attributes:
        tree: the query that gives ``events``: the envelope and ``effective_at``.
        files: the data files it reads.
        in_order: in every stream, ``position`` gives the order of events.
        services: the services whose events may be among them.
    """

    tree: exp.Select
    files: tuple[str, ...]
    in_order: bool
    services: frozenset[str]


def relation(files: Sequence[DataFile], root: str, base: Base, selection: Selection) -> Relation:
    """Write the query of a view, over the files that can matter to it."""
    own = [f for f in files if f.first_position <= base.position and _selected(f, base, selection)]
    extra = [e for e in base.extra if _selected(e.file, base, selection)]
    unclear = {file.service for file in [*own, *(e.file for e in extra)] if file.disorder & Disorder.CLOCK}
    read = [file for file in own if file.service in unclear or _in_window(file, selection)]
    source = _Source(root, base, selection, tuple(read), tuple(extra))
    tree = exp.select(*(sql.column(name, table="log") for name in ENVELOPE), copy=False)
    tree = tree.select(sql.alias(_effective(bool(unclear)), "effective_at"), copy=False)
    tree = tree.from_(source.rows().subquery("log", copy=False), copy=False)
    if unclear:
        tree = tree.join(
            _moved(source).subquery("moved", copy=False), using=["position", "event_id"], join_type="left", copy=False
        )
    outer = exp.select(exp.Star(), copy=False).from_(tree.subquery("placed", copy=False), copy=False)
    wanted = [*_window(selection), *selection.conditions, *_among("type", selection.types)]
    disordered = any(file.disorder for file in read) or bool(extra)
    paths = (*(f"{root}/{file.path}" for file in read), *(e.path for e in extra))
    tree = outer.where(*(c.copy() for c in wanted), copy=False) if wanted else outer
    services = frozenset(file.service for file in (*read, *(e.file for e in extra)))
    return Relation(tree, paths, not disordered, services)


def skewed_streams(files: Sequence[DataFile], root: str, base: Base, after: int) -> exp.Select | None:
    """Write the query of the streams in which an event after a position may have moved the time of others.

    None where the files prove that there are none.
    """
    paths = [
        f"{root}/{file.path}"
        for file in files
        if file.first_position <= base.position and file.last_position > after and file.disorder & Disorder.CLOCK
    ]
    if not paths:
        return None
    bit = exp.BitwiseAnd(this=sql.column("disorder"), expression=sql.literal(int(Disorder.CLOCK)))
    arrived = exp.GT(this=sql.column("position"), expression=sql.literal(after))
    skewed = exp.GT(this=bit, expression=sql.literal(0))
    known = [] if base.known_at is None else [sql.at_most(sql.column("recorded_at"), base.known_at)]
    bounded = sql.at_most(sql.column("position"), base.position)
    found = (
        exp.select(*(sql.column(name) for name in _STREAM), copy=False)
        .distinct(copy=False)
        .from_(sql.parquet(paths), copy=False)
    )
    return found.where(arrived, skewed, bounded, *known, copy=False)


def located(files: Sequence[DataFile], root: str, base: Base, services: frozenset[str] | None) -> list[Located]:
    """Return the data files that a log has, at whatever time, of some services, and how much of each it knows."""
    chosen = Selection(services=services)
    own = [f for f in files if f.first_position <= base.position and _selected(f, base, chosen)]
    extra = [e for e in base.extra if _selected(e.file, base, chosen)]
    return [
        *(
            Located(
                f"{root}/{file.path}",
                base.position if file.last_position > base.position else None,
                base.known_at if base.known_at is not None and file.last_recorded > base.known_at else None,
            )
            for file in own
        ),
        *(Located(e.path) for e in extra),
    ]


@dataclass(frozen=True, slots=True)
class _Source:
    """The log's rows, from the files that can matter, before anything is known of their order."""

    root: str
    base: Base
    selection: Selection
    files: tuple[DataFile, ...]
    extra: tuple[Extra, ...]

    def rows(self) -> exp.Query:
        parts = [self._stored(), *(self._added() if self.extra else [])]
        return _united(parts, distinct=False)

    def disordered(self) -> exp.Query:
        """Give the streams in which a clock may have run backwards."""
        paths = [f"{self.root}/{file.path}" for file in self.files if file.disorder & Disorder.CLOCK]
        columns = [sql.column(name) for name in _STREAM]
        bit = exp.BitwiseAnd(this=sql.column("disorder"), expression=sql.literal(int(Disorder.CLOCK)))
        flagged = (
            exp.select(*columns, copy=False)
            .from_(sql.parquet(paths), copy=False)
            .where(exp.GT(this=bit, expression=sql.literal(0)), copy=False)
        )
        parts = [
            *([flagged] if paths else []),
            *(exp.select(*columns, copy=False).from_(sql.parquet([e.path]), copy=False) for e in self.extra),
        ]
        return _united(parts, distinct=True)

    def _stored(self) -> exp.Select:
        if not self.files:
            return self._nothing()
        select = exp.select(*(sql.column(name) for name in ENVELOPE), copy=False)
        select = select.from_(sql.parquet([f"{self.root}/{file.path}" for file in self.files]), copy=False)
        conditions = [*self._bounds(), *self._names(), *self._removed()]
        return select.where(*conditions, copy=False) if conditions else select

    def _added(self) -> Sequence[exp.Select]:
        """Give the events of each call of ``with_events``; those with the id of one added later give way to it."""
        calls = list(dict.fromkeys(id(e.keeper) for e in self.base.extra))
        return [self._added_by(call, calls[n + 1 :]) for n, call in enumerate(calls)]

    def _added_by(self, call: int, later: Sequence[int]) -> exp.Select:
        paths = [e.path for e in self.extra if id(e.keeper) == call]
        after = [e.path for e in self.base.extra if id(e.keeper) in later]
        select = exp.select(*(sql.column(name) for name in ENVELOPE), copy=False)
        if not paths:
            return self._nothing()
        conditions = [*self._known(), *self._names(), *([_not_in(after, self._known())] if after else [])]
        return select.from_(sql.parquet(paths), copy=False).where(*conditions, copy=False)

    def _nothing(self) -> exp.Select:
        nothing = [sql.alias(sql.cast(exp.null(), type_), name) for name, type_ in TYPES.items()]
        return exp.select(*nothing, copy=False).where(exp.false(), copy=False)

    def _bounds(self) -> Iterable[exp.Expr]:
        if any(file.last_position > self.base.position for file in self.files):
            yield sql.at_most(sql.column("position"), self.base.position)
        if any(self.base.known_at is not None and file.last_recorded > self.base.known_at for file in self.files):
            yield from self._known()

    def _known(self) -> Iterable[exp.Expr]:
        if self.base.known_at is not None:
            yield sql.at_most(sql.column("recorded_at"), self.base.known_at)

    def _names(self) -> Iterable[exp.Expr]:
        yield from _among("service", self.selection.services)
        yield from _among("stream_id", self.selection.streams)

    def _removed(self) -> Iterable[exp.Expr]:
        yield from (self._never(condition) for condition in self.base.without)
        if self.base.extra:
            yield _not_in([e.path for e in self.base.extra], self._known())

    def _never(self, condition: exp.Expr) -> exp.Expr:
        """Test that an event is not one of those that never happened."""
        own = (c for c in condition.find_all(exp.Column) if c.find_ancestor(exp.Query) is None)
        if not any(column.name.lower() == "effective_at" for column in own):
            return exp.Not(this=exp.Is(this=exp.Paren(this=condition.copy()), expression=exp.true()))
        before = replace(self.base, without=(), extra=())
        names = Selection(services=self.selection.services, streams=self.selection.streams)
        removed = relation(self.files, self.root, before, names).tree.where(condition.copy(), copy=False)
        positions = exp.select(sql.column("position"), copy=False).from_(
            removed.subquery("removed", copy=False), copy=False
        )
        return exp.Not(this=exp.In(this=sql.column("position"), query=positions.subquery(copy=False)))


def _not_in(paths: Sequence[str], known: Iterable[exp.Expr]) -> exp.Expr:
    """Test that an event's id is none that these files hold and the log knows."""
    ids = exp.select(sql.column("event_id"), copy=False).from_(sql.parquet(paths), copy=False).where(*known, copy=False)
    return exp.Not(this=exp.In(this=sql.column("event_id"), query=ids.subquery(copy=False)))


def _united(parts: Sequence[exp.Query], *, distinct: bool) -> exp.Query:
    found = parts[0]
    for part in parts[1:]:
        found = exp.union(found, part, distinct=distinct, copy=False)
    return found


def _moved(source: _Source) -> exp.Select:
    """Give the events whose ``effective_at`` is not their ``occurred_at``, with it."""
    streams = exp.Tuple(expressions=[sql.column(name) for name in _STREAM])
    few = exp.select(exp.Tuple(expressions=[sql.column(name) for name in _STREAM]), copy=False)
    few = few.from_(
        exp.Subquery(this=source.disordered(), alias=exp.TableAlias(this=exp.to_identifier("streams"))), copy=False
    )
    window = exp.Window(
        this=sql.function("max", sql.column("occurred_at")),
        partition_by=[sql.column(name) for name in _STREAM],
        order=exp.Order(expressions=[exp.Ordered(this=sql.column(name)) for name in ("version", "position")]),
        spec=exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"),
    )
    versioned = exp.Not(this=exp.Is(this=sql.column("version"), expression=exp.null()))
    names = ("position", "event_id", "occurred_at")
    inner = exp.select(*(sql.column(name) for name in names), sql.alias(window, "effective_at"), copy=False)
    inner = inner.from_(source.rows().subquery("log", copy=False), copy=False).where(
        versioned, exp.In(this=streams, query=few.subquery(copy=False)), copy=False
    )
    moved = exp.select(*(sql.column(name) for name in ("position", "event_id", "effective_at")), copy=False).from_(
        inner.subquery("running", copy=False), copy=False
    )
    return moved.where(exp.NEQ(this=sql.column("effective_at"), expression=sql.column("occurred_at")), copy=False)


def _effective(unclear: bool) -> exp.Expr:  # noqa: FBT001  an inner choice
    occurred = sql.column("occurred_at", table="log")
    if not unclear:
        return occurred
    return exp.Coalesce(this=sql.column("effective_at", table="moved"), expressions=[occurred])


def _selected(file: DataFile, base: Base, selection: Selection) -> bool:
    return (
        (base.known_at is None or file.first_recorded <= base.known_at)
        and (selection.services is None or file.service in selection.services)
        and (selection.streams is None or file.may_hold(selection.streams))
    )


def _in_window(file: DataFile, selection: Selection) -> bool:
    return (
        (selection.at is None or file.first_time <= selection.at)
        and (selection.since is None or file.last_time > selection.since)
        and (selection.after is None or file.last_position > selection.after)
    )


def _window(selection: Selection) -> Iterable[exp.Expr]:
    if selection.at is not None:
        yield sql.at_most(sql.column("effective_at"), selection.at)
    if selection.since is not None:
        yield exp.GT(this=sql.column("effective_at"), expression=sql.literal(selection.since))
    if selection.after is not None:
        yield exp.GT(this=sql.column("position"), expression=sql.literal(selection.after))


def _among(name: str, options: frozenset[str] | None) -> Iterable[exp.Expr]:
    if options is not None:
        yield sql.is_in(sql.column(name), sorted(options))
