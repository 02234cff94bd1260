"""Log views: what happened, seen from somewhere; immutable, lazy, and the same in whatever order they are composed."""

from __future__ import annotations

import datetime as dt
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import Instant, instant, iso
from esanalytics.engines import DuckDB, Plan, Result, predicate, select_only
from esanalytics.store._commits import Head
from esanalytics.store._fields import Located, Path, Types, field_names, field_types
from esanalytics.store._staging import Defaults
from esanalytics.store._view import Base, Relation, Selection, located, relation, skewed_streams
from esanalytics.store._whatif import write_extra

__all__ = [
    "Log",
    "Prefix",
    "Reader",
    "arrived_after",
    "as_view",
    "code_of",
    "engine_of",
    "folder_of",
    "may_arrive_inside",
    "names_of",
    "prefix_of",
    "result",
    "skewed_after",
    "types_of",
    "unbounded",
    "view",
    "words_of",
]

Names = str | Iterable[str] | None


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """How a view reaches the store: its newest head, the folder of its files, the engine."""

    head: Callable[[], Head]
    root: str
    engine: DuckDB


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """An immutable, lazy view of a store's events; each method gives a narrower or a different one.

    A view knows the events up to the position the store had when ``store.log`` was taken, and nothing that is
    appended later, so it gives the same answer whenever it is asked. It reads nothing until a result is looked
    at.

    Two kinds of methods: ``known_at``, ``without`` and ``with_events`` say what the log *is* (an event that never
    happened moves no clock); ``where``, ``since`` and ``at`` say which of its events are shown. They may be called
    in any order and as often as one likes; bounds given twice narrow.

    Example:
        >>> march = store.log.where(service="orders").since("2026-03-01").at("2026-03-31")  # doctest: +SKIP
        >>> march.sql("select type, count(*) as n from events group by type").df()  # doctest: +SKIP
    """

    _reader: Reader
    _base: Base
    _selection: Selection = field(default_factory=Selection)

    def where(
        self,
        condition: str | None = None,
        *,
        service: Names = None,
        type: Names = None,  # noqa: A002  the envelope's own word
        stream: Names = None,
    ) -> Log:
        """Show only some events.

        Args:
            condition: a DuckDB boolean expression over the columns of ``events``, such as
                ``"data.amount::double > 100"``; events for which it is false or NULL are left out.
            service: a name, or several of which any will do.
            type: likewise.
            stream: stream ids, likewise.

        Raises:
            ValueError: the condition is not one SQL expression, or compares a payload field by size without a cast.
            UnsupportedError: it reads something else than the columns of the event, such as a file.
        """
        old = self._selection
        conditions = () if condition is None else (predicate(self._reader.engine, condition),)
        return self._select(
            services=_both(old.services, service),
            types=_both(old.types, type),
            streams=_both(old.streams, stream),
            conditions=(*old.conditions, *conditions),
        )

    def at(self, at: Instant) -> Log:
        """Show the events with ``effective_at`` up to and including an instant."""
        bound, old = instant(at), self._selection.at
        return self._select(at=bound if old is None else min(old, bound))

    def since(self, since: Instant) -> Log:
        """Show the events with ``effective_at`` after an instant, which is excluded."""
        bound, old = instant(since), self._selection.since
        return self._select(since=bound if old is None else max(old, bound))

    def known_at(self, known_at: Instant) -> Log:
        """See the log as it was known: the events with ``recorded_at`` up to and including an instant."""
        bound, old = instant(known_at), self._base.known_at
        return replace(self, _base=replace(self._base, known_at=bound if old is None else min(old, bound)))

    def without(self, events: str | Iterable[str] | Log) -> Log:
        """See the log as if some of the store's events had never happened.

        Args:
            events: a DuckDB boolean expression over ``events``, or event ids, or a view of what to leave out.

        Raises:
            ValueError: the text is not one SQL expression.
            UnsupportedError: it reads something else than the columns of the event, such as a file.
        """
        removal = _removal(events, self._reader.engine)
        return replace(self, _base=replace(self._base, without=(*self._base.without, removal)))

    def with_events(self, events: object, *, service: str | None = None, stream: str | None = None) -> Log:
        """See the log as if other events had happened too; the store is not touched.

        An event with the id of one in the store stands in its place. Columns ``position`` and ``recorded_at`` are
        kept where the events have them (so what ``without`` took out can be put back); else they follow the log's
        last event, recorded when they occurred.

        Args:
            events: anything that ``append`` takes.
            service: the service of events that do not say.
            stream: the stream of events that do not say.

        Raises:
            InvalidEventError: one of them could not be stored.
        """
        defaults = Defaults("default" if service is None else service, stream)
        given = events.events() if isinstance(events, Log) else events
        last = max((e.file.last_position for e in self._base.extra), default=self._base.position)
        extra = write_extra(given, self._reader.engine, max(last, self._base.position), defaults)
        return replace(self, _base=replace(self._base, extra=(*self._base.extra, *extra)))

    def sql(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> Result:
        """Ask anything of this view.

        Args:
            query: one SELECT in DuckDB's SQL; the view is the relation ``events``: the envelope's columns and
                ``effective_at``. Payload fields are read as ``data.amount``, cast as ``data.amount::double``.
            parameters: values for ``?`` (a sequence) or ``$name`` (a mapping) in it.

        Raises:
            EngineError: the text is no SQL.
            UnsupportedError: it is something else than one SELECT, or reads something else than ``events`` (a file, a
                catalog), or it compares by size, calculates with, sorts or groups by a payload field without a cast:
                DuckDB would do so by its encoding.

        Example:
            >>> log.sql("select count(*) as n from events where service = ?", ["orders"])  # doctest: +SKIP
        """
        text = select_only(self._reader.engine, query)
        return Result(self._reader.engine, lambda: _question(view(self), text, parameters))

    def events(self) -> Result:
        """Return the events themselves, in order of ``effective_at``, version, position."""

        def plan() -> Plan:
            found = view(self)
            order = [exp.Ordered(this=sql.column(n), nulls_first=True) for n in ("effective_at", "version", "position")]
            return Plan(sql.text(found.tree.order_by(*order), pretty=True), files=found.files)

        return Result(self._reader.engine, plan)

    def count(self) -> int:
        """Return how many events the view shows."""
        if self._selection == Selection() and self._base == Base(self._base.position):
            return self._base.position
        return int(self.sql("SELECT count(*) AS n FROM events").head()[0]["n"])

    def streams(self) -> Result:
        """Return one row per stream: how many events, first and last ``effective_at``, last version."""
        return self.sql(
            "SELECT service, stream_id, count(*) AS events, min(effective_at) AS first, max(effective_at) AS last, "
            "max(version) AS version FROM events GROUP BY service, stream_id ORDER BY service, stream_id"
        )

    def types(self) -> Result:
        """Return one row per service and type: how many events and streams, first and last ``effective_at``."""
        return self.sql(
            "SELECT service, type, count(*) AS events, count(DISTINCT stream_id) AS streams, "
            "min(effective_at) AS first, max(effective_at) AS last "
            "FROM events GROUP BY service, type ORDER BY service, type"
        )

    def __repr__(self) -> str:
        chosen = self._selection
        named = {"service": chosen.services, "type": chosen.types, "stream": chosen.streams}
        parts = [f"{name}={sorted(found)}" for name, found in named.items() if found is not None]
        bounds = {"since": chosen.since, "at": chosen.at, "known_at": self._base.known_at}
        parts += [f"{name}={iso(found)}" for name, found in bounds.items() if found is not None]
        parts += [sql.text(condition) for condition in chosen.conditions]
        parts += [f"without {_shown(events)}" for events in self._base.without]
        parts += [f"with {extra.file.rows} events" for extra in self._base.extra]
        return f"Log(up to position {self._base.position}{''.join(', ' + part for part in parts)})"

    def _select(self, **changes: Any) -> Log:  # noqa: ANN401  the fields of a selection
        return replace(self, _selection=replace(self._selection, **changes))


def view(log: Log) -> Relation:
    """Write the query of a view over the newest data files."""
    reader, base = log._reader, log._base  # noqa: SLF001  of this module
    shown = {id(events): view(events) for events in base.without if isinstance(events, Log)}
    removed = tuple(_among(shown[id(e)]) if isinstance(e, Log) else e for e in base.without)
    found = relation(reader.head().files, reader.root, replace(base, without=removed), log._selection)  # noqa: SLF001
    return replace(found, files=(*found.files, *(path for other in shown.values() for path in other.files)))


def result(log: Log, plan: Callable[[], Plan], made: Plan | None = None) -> Result:
    """Make the lazy answer to a question about a view; ``plan`` makes anew what may be already ``made``."""
    return Result(log._reader.engine, plan, [] if made is None else [made])  # noqa: SLF001  of this module


@dataclass(frozen=True, slots=True)
class Prefix:
    """A view that is a whole store up to some bounds.

    Attributes:
        at: the last ``effective_at``; None: no bound.
        position: the last position.
        known_at: the last ``recorded_at``; None: no bound.
    """

    at: dt.datetime | None
    position: int
    known_at: dt.datetime | None


def prefix_of(log: Log) -> Prefix | None:
    """Say up to where a view shows the whole store; None where it leaves out, adds or chooses events."""
    base, chosen = log._base, log._selection  # noqa: SLF001  of this module
    if base.without or base.extra or replace(chosen, at=None) != Selection():
        return None
    return Prefix(chosen.at, base.position, base.known_at)


def arrived_after(log: Log, position: int) -> Log:
    """Show only the events of a view that came after a position."""
    return log._select(after=position)  # noqa: SLF001  of this module


def may_arrive_inside(log: Log, position: int, at: dt.datetime) -> bool:
    """Tell whether an event that came after a position may have happened up to an instant; False is sure."""
    head = log._reader.head()  # noqa: SLF001  of this module
    return any(file.last_position > position and file.first_time <= at for file in head.files)


def unbounded(log: Log) -> Log:
    """Show everything up to a view's position, at whatever time."""
    return replace(log, _selection=Selection())


def skewed_after(log: Log, position: int) -> exp.Select | None:
    """Write the query of the streams in which an event after a position may have moved the time of others."""
    reader = log._reader  # noqa: SLF001  of this module
    return skewed_streams(reader.head().files, reader.root, log._base, position)  # noqa: SLF001  of this module


def folder_of(log: Log) -> pathlib.Path:
    """Return the folder of the store that a view looks at."""
    return pathlib.Path(log._reader.root).parent  # noqa: SLF001  of this module


def engine_of(log: Log) -> DuckDB:
    """Return the engine that answers for a view."""
    return log._reader.engine  # noqa: SLF001  of this module


def code_of(log: Log) -> str:
    """Write what stands behind ``store.log`` to make a view; what code cannot say is left to a comment."""
    base, chosen = log._base, log._selection  # noqa: SLF001  of this module
    named = {"service": chosen.services, "type": chosen.types, "stream": chosen.streams}
    given = [f"{name}={sorted(found)!r}" for name, found in named.items() if found is not None]
    parts = [f".where({', '.join(given)})"] if given else []
    parts += [f".where({_written(condition)!r})" for condition in chosen.conditions]
    bounds = {"since": chosen.since, "at": chosen.at, "known_at": base.known_at}
    parts += [f".{name}({iso(found)!r})" for name, found in bounds.items() if found is not None]
    parts += [f".without({_written(events)!r})" for events in base.without if not isinstance(events, Log)]
    views = sum(isinstance(events, Log) for events in base.without)
    left = [f"without({views} views)"] if views else []
    left += [f"with_events({sum(extra.file.rows for extra in base.extra)} events)"] if base.extra else []
    return "".join(parts) + (f"  # and {', '.join(left)}, which were made in Python" if left else "")


def words_of(log: Log) -> str:
    """Say in words what a view shows, to who reads no code; conditions are as their author wrote them."""
    base, chosen = log._base, log._selection  # noqa: SLF001  of this module
    parts = [f"up to position {base.position:,}"]
    named = {"service": chosen.services, "type": chosen.types, "stream": chosen.streams}
    parts += [f"{name} {_some(sorted(found))}" for name, found in named.items() if found is not None]
    bounds = {"after": chosen.since, "up to": chosen.at, "as known at": base.known_at}
    parts += [f"{word} {iso(found)}" for word, found in bounds.items() if found is not None]
    parts += [f"where {_in_line(_written(condition))}" for condition in chosen.conditions]
    parts += [f"without {_left_out(events)}" for events in base.without]
    more = sum(extra.file.rows for extra in base.extra)
    parts += [f"with {more:,} more event{'s' * (more != 1)}"] if more else []
    return ", ".join(parts)


def _left_out(events: exp.Expr | Log) -> str:
    if isinstance(events, Log):
        return f"the events of another view ({words_of(events)})"
    if "written" in events.meta:
        return f"events where {_in_line(_written(events))}"
    ids = [literal.this for literal in events.find_all(exp.Literal)]
    return f"the event{'s' * (len(ids) != 1)} {_some(ids)}" if ids else "any event"


def _written(condition: exp.Expr) -> str:
    return str(condition.meta.get("written") or sql.text(condition))


def _in_line(text: str) -> str:
    return " ".join(text.split())


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - 3:,} more"] if len(names) > 3 else []  # noqa: PLR2004  names that one reads
    return " or ".join([*names[:3], *more]) or "none"


def types_of(log: Log, paths: Iterable[Path]) -> dict[Path, Types]:
    """Return the types that the log holds at some paths of the payload, at whatever time, as ``field_types``."""
    return field_types(log._reader.engine, _all_files(log), paths)  # noqa: SLF001  of this module


def names_of(log: Log) -> list[str]:
    """Return the names of the top-level payload fields that the log holds, at whatever time."""
    return field_names(log._reader.engine, _all_files(log))  # noqa: SLF001  of this module


def _all_files(log: Log) -> list[Located]:
    reader = log._reader  # noqa: SLF001  of this module
    return located(reader.head().files, reader.root, log._base, log._selection.services)  # noqa: SLF001


def _both(old: frozenset[str] | None, new: Names) -> frozenset[str] | None:
    if new is None:
        return old
    found = frozenset([new] if isinstance(new, str) else new)
    return found if old is None else old & found


def _removal(events: str | Iterable[str] | Log, engine: DuckDB) -> exp.Expr | Log:
    if isinstance(events, Log):
        return events
    if isinstance(events, str):
        return predicate(engine, events)
    return sql.is_in(sql.column("event_id"), [str(event_id) for event_id in events])


def _among(events: Relation) -> exp.Expr:
    ids = exp.select(sql.column("event_id")).from_(events.tree.subquery("left_out"))
    return exp.In(this=sql.column("event_id"), query=ids.subquery())


def _question(found: Relation, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None) -> Plan:
    return Plan(query, (as_view(found),), parameters, found.files)


def as_view(found: Relation, name: str = "events") -> str:
    """Write the statement that makes a relation out of a view."""
    return f"CREATE OR REPLACE TEMP VIEW {name} AS {sql.text(found.tree, pretty=True)}"


def _shown(events: exp.Expr | Log) -> str:
    return repr(events) if isinstance(events, Log) else sql.text(events)[:80]
