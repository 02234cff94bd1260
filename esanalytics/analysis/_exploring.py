"""What an explorer shows, as plain data: where one looks, and the answers to what a page asks."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import instant, iso
from esanalytics.analysis._chosen import ALL, Chosen, occurs
from esanalytics.analysis._contents import Fields, fields_of, kinds_in, streams_in
from esanalytics.analysis._cube import Window, between, micros
from esanalytics.analysis._overview import Density, Overview
from esanalytics.engines import Result
from esanalytics.store import Log
from esanalytics.timetravel._naming import nearest_names

__all__ = ["PAGE", "Exploration", "Sight", "micros_of"]

PAGE = 100
"""Rows of a page of events."""
_PREVIEW = 300
_LONGEST = 100_000
_STREAMS = 100
_FEW = 2_000
_REMEMBERED = 4
_US = dt.timedelta(microseconds=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EVENTS = """
SELECT position, event_id, service, stream_id, version, type, epoch_us(effective_at) AS us,
    left(data::JSON::VARCHAR, $preview) AS data, length(data::JSON::VARCHAR) AS size
FROM (
    SELECT * FROM events ORDER BY effective_at, version NULLS FIRST, position LIMIT $limit OFFSET $offset
) ORDER BY effective_at, version NULLS FIRST, position
"""
_PAYLOAD = """
SELECT left(data::JSON::VARCHAR, $longest) AS data, length(data::JSON::VARCHAR) AS size,
    left(metadata::JSON::VARCHAR, $longest) AS metadata
FROM events WHERE event_id = $id AND position = $position
"""


@dataclass(frozen=True, slots=True)
class Sight:
    """Where an explorer looks.

    Attributes:
        window: from an instant up to before another, in microseconds; None: all.
        chosen: which events.
        by: what the density is told apart by.
        type: the type whose fields are shown.
        page: which page of events, from 0.
    """

    window: Window | None = None
    chosen: Chosen = ALL
    by: Literal["service", "type"] = "type"
    type: str | None = None
    page: int = 0

    def data(self) -> dict[str, Any]:
        """Return it as a page knows it."""
        chosen = self.chosen
        return {
            "window": None if self.window is None else list(self.window),
            "services": _listed(chosen.services),
            "types": _listed(chosen.types),
            "streams": _listed(chosen.streams),
            "text": chosen.text or "",
            "by": self.by,
            "type": self.type,
            "page": self.page,
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Sight:
        """Read what a page says; whatever it lacks is not filtered by.

        Raises:
            ValueError: a value makes no sense.
        """
        window = data.get("window")
        names = {name: _names(data.get(name)) for name in ("services", "types", "streams")}
        return cls(
            None if not window else (int(window[0]), max(int(window[0]) + 1, int(window[1]))),
            Chosen(**names, text=str(data.get("text") or "") or None),
            "service" if data.get("by") == "service" else "type",
            None if data.get("type") is None else str(data["type"]),
            max(0, int(data.get("page") or 0)),
        )

    def spec(self) -> dict[str, Any]:
        """Return it as the arguments that make it again; JSON can hold them."""
        found: dict[str, Any] = self.data() | {"text": self.chosen.text}
        found["window"] = None if self.window is None else [iso(micros(edge - 1)) for edge in self.window]
        defaults = Sight().data() | {"text": None}
        return {name: value for name, value in found.items() if value != defaults[name]}

    @classmethod
    def given(cls, arguments: Mapping[str, Any]) -> Sight:
        """Read the arguments of ``spec``.

        Raises:
            TypeError: an argument has no meaning; the message offers the nearest.
            ValueError: a value makes no sense.
        """
        known = list(cls().data())
        for name in arguments:
            if name not in known:
                raise TypeError(f"an explorer has no argument {name!r}; {nearest_names(name, known)}")
        if arguments.get("by", "type") not in ("service", "type"):
            raise ValueError(f"by={arguments['by']!r} has no meaning; give 'service' or 'type'")
        window = arguments.get("window")
        return cls.of({**arguments, "window": None if window is None else window_of(window)})


@dataclass(frozen=True, slots=True, eq=False)
class Exploration:
    """The answers to what can be asked about a log; threads may ask at the same time."""

    log: Log
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _searched: dict[str, Exploration | None] = field(default_factory=dict, repr=False)
    _held: list[Overview] = field(default_factory=list, repr=False)

    @property
    def overview(self) -> Overview:
        with self._lock:
            if not self._held:
                self._held.append(Overview(self.log))
            return self._held[0]

    def shown(self, sight: Sight) -> Log:
        """Return the log that a sight shows."""
        return self._bounded(sight.chosen.log(self.log), sight.window)

    def _read(self, sight: Sight) -> Log:
        """Return the same events, found faster."""
        found, inner = self._found(sight)
        return found.shown(inner)

    def python(self, sight: Sight) -> str:
        """Write the Python that makes the log which a sight shows, from one named ``log``."""
        since, at = self._bounds(sight.window)
        window = (f".since({iso(since)!r})" if since else "") + (f".at({iso(at)!r})" if at else "")
        return f"log{sight.chosen.python()}{window}"

    def sql(self, sight: Sight) -> str:
        """Write the query of what a sight shows, over ``events``, to be asked with ``log.sql``."""
        chosen, (since, at) = sight.chosen, self._bounds(sight.window)
        names = {"service": chosen.services, "type": chosen.types, "stream_id": chosen.streams}
        tests = [sql.is_in(sql.column(name), list(found)) for name, found in names.items() if found is not None]
        tests += [sql.condition(occurs(chosen.text))] if chosen.text else []
        tests += [exp.GT(this=sql.column("effective_at"), expression=sql.literal(since))] if since else []
        tests += [sql.at_most(sql.column("effective_at"), at)] if at else []
        order = [
            exp.Ordered(this=sql.column(name), nulls_first=True) for name in ("effective_at", "version", "position")
        ]
        query = exp.select(exp.Star()).from_(sql.column("events").this).order_by(*order)
        return sql.text(query.where(*tests) if tests else query, pretty=True)

    def first(self, sight: Sight) -> dict[str, Any]:
        """Return what a page shows first: the whole, and the density."""
        found = self.overview
        return {
            "v": 1,
            "events": found.events,
            "span": list(found.span),
            "services": [list(row) for row in found.services],
            "kinds": [list(row) for row in found.types],
            "density": self.density(sight),
        }

    def answer(self, what: str, sight: Sight, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a page.

        Raises:
            ValueError: nobody knows what is asked.
        """
        found: dict[str, Callable[[], dict[str, Any]]] = {
            "density": lambda: self.density(self._snapped(sight) if asked.get("snap") else sight),
            "kinds": lambda: self._kinds(sight),
            "streams": lambda: self._streams(sight, str(asked.get("find") or "")),
            "events": lambda: self._events(sight),
            "fields": lambda: fields_data(self.fields(sight, sight.type)) if sight.type is not None else {},
            "payload": lambda: self._payload(str(asked.get("id")), int(asked.get("position") or 0)),
        }
        if what not in found:
            raise ValueError(f"no answer to {what!r}; {nearest_names(what, list(found))}")
        return found[what]()

    def _found(self, sight: Sight) -> tuple[Exploration, Sight]:
        """Return where to ask about a sight: where a text occurs in few events, these are looked at on their own."""
        text = sight.chosen.text
        if text is None:
            return self, sight
        with self._lock:
            if text not in self._searched:
                self._searched[text] = self._search(text)
                for old in list(self._searched)[:-_REMEMBERED]:
                    del self._searched[old]
            found = self._searched[text]
        return (self, sight) if found is None else (found, replace(sight, chosen=replace(sight.chosen, text=None)))

    def _search(self, text: str) -> Exploration | None:
        log = Chosen(text=text).log(self.log)
        rows = log.sql("SELECT position, event_id FROM events LIMIT $limit", {"limit": _FEW + 1}).arrow()
        if len(rows) > _FEW:
            return None
        positions = sql.is_in(sql.column("position"), sorted(set(rows["position"].to_pylist())))
        found = self.log.where(sql.text(positions) if len(rows) else "false")
        if found.count() > len(rows):  # a log with events from elsewhere may have a position twice
            ids = sql.is_in(sql.column("event_id"), sorted(set(rows["event_id"].to_pylist())))
            found = found.where(sql.text(ids))
        return Exploration(found)

    def density(self, sight: Sight) -> dict[str, Any]:
        """Return the counts of a sight: over all time, and in its window."""
        found, inner = self._found(sight)
        window, chosen = inner.window, inner.chosen
        return {
            "context": density_data(found.overview.density(self.overview.span, chosen, by=sight.by)),
            "detail": density_data(found.overview.density(window or self.overview.span, chosen, by=sight.by)),
            "kinds": [list(row) for row in self._counts(sight) if row[2]],
            "window": None if window is None else list(window),
            "python": self.python(sight),
            "sql": self.sql(sight),
        }

    def by_kind(self, sight: Sight) -> tuple[Window, list[tuple[str, str]], Any]:
        """Return the counts by kind and bin over all time of what a sight shows, whichever kinds are chosen."""
        found, inner = self._found(sight)
        return found.overview.by_kind(self.overview.span, inner.chosen)

    def fields(self, sight: Sight, type_: str | None) -> Fields:
        """Return the fields of a type, of the events that a sight shows."""
        events = sum(
            n for _, name, n in self._counts(replace(sight, chosen=self._of_type(sight, type_))) if name == type_
        )
        return fields_of(self._read(replace(sight, chosen=self._of_type(sight, type_))), str(type_), events)

    def _of_type(self, sight: Sight, type_: str | None) -> Chosen:
        return replace(sight.chosen, types=None if type_ is None else (type_,))

    def total(self, sight: Sight) -> int:
        """Return how many events a sight shows."""
        chosen = sight.chosen
        return sum(
            n
            for service, type_, n in self._counts(sight)
            if (chosen.services is None or service in chosen.services)
            and (chosen.types is None or type_ in chosen.types)
        )

    def _counts(self, sight: Sight) -> list[tuple[str, str, int]]:
        """Count a window's events by kind, whichever kinds are chosen."""
        found, inner = self._found(sight)
        chosen, window = inner.chosen.only_rows(), inner.window
        if window is None or found.overview.snapped(window) == window:
            return found.overview.counts(window, chosen)
        rows = between(chosen.log(found.log), window).sql(
            "SELECT service, type, count(*) AS n FROM events GROUP BY ALL"
        )
        return [(row["service"], row["type"], row["n"]) for row in rows]

    def _kinds(self, sight: Sight) -> dict[str, Any]:
        kinds, note = kinds_in(self._read(sight), self.total(sight))
        return {
            "rows": [[k.service, k.type, k.events, k.streams, micros_of(k.first), micros_of(k.last)] for k in kinds],
            "note": note,
        }

    def _streams(self, sight: Sight, find: str) -> dict[str, Any]:
        if find:
            named = Overview(self._read(sight)).entities(find, _STREAMS)
            return {"rows": [[*row, None, None] for row in named], "note": f"those with {find!r} in their name"}
        rows = streams_in(self._read(sight), _STREAMS)
        note = f"the {_STREAMS} with the most events" if len(rows) == _STREAMS else ""
        return {
            "rows": [[s.service, s.stream_id, s.events, micros_of(s.first), micros_of(s.last)] for s in rows],
            "note": note,
        }

    def _events(self, sight: Sight) -> dict[str, Any]:
        total = self.total(sight)
        first = min(sight.page, max(0, total - 1) // PAGE) * PAGE
        found, inner = self._found(sight)
        window, offset = found.overview.around(inner.window, inner.chosen, (first, first + PAGE))
        log = found.shown(replace(inner, window=window))
        rows = log.sql(_EVENTS, {"limit": PAGE, "offset": offset, "preview": _PREVIEW})
        return {"rows": [list(row.values()) for row in rows], "first": first, "page": first // PAGE, "total": total}

    def _payload(self, event_id: str, position: int) -> dict[str, Any]:
        rows = self.log.sql(_PAYLOAD, {"id": event_id, "position": position, "longest": _LONGEST}).head(1)
        return rows[0] if rows else {"data": "", "size": 0, "metadata": None}

    def _snapped(self, sight: Sight) -> Sight:
        return sight if sight.window is None else replace(sight, window=self.overview.snapped(sight.window))

    def _bounds(self, window: Window | None) -> tuple[dt.datetime | None, dt.datetime | None]:
        """Return the ``since`` and the ``at`` of a window; None where it reaches beyond the log."""
        if window is None:
            return None, None
        start, end = self.overview.span
        since = micros(window[0] - 1) if window[0] > start else None
        return since, micros(window[1] - 1) if window[1] < end else None

    def _bounded(self, log: Log, window: Window | None) -> Log:
        since, at = self._bounds(window)
        found = log if since is None else log.since(since)
        return found if at is None else found.at(at)

    def events(self, sight: Sight) -> Result:
        """Return the events that a sight shows."""
        return self.shown(sight).events()


def density_data(found: Density) -> dict[str, Any]:
    """Return a density as a page knows it."""
    return {
        "start": found.start,
        "end": found.end,
        "names": list(found.names),
        "counts": found.counts.tolist(),
        "total": found.total,
        "note": found.left_out,
    }


def fields_data(found: Fields) -> dict[str, Any]:
    """Return the fields of a type as a page knows them."""
    rows = [
        [f.path, list(f.types), f.events, f.nulls, f.share, [list(v) for v in f.values], f.distinct, f.least, f.most]
        for f in found.fields
    ]
    return {"type": found.type, "rows": rows, "looked_at": found.looked_at, "events": found.events, "note": found.note}


def window_of(given: Sequence[Any]) -> Window:
    """Read ``(since, at)``, excluded and included, as a window in microseconds.

    Raises:
        ValueError: these are no two instants, or nothing lies between them.
    """
    if isinstance(given, str) or len(given) != 2:  # noqa: PLR2004  two edges
        raise ValueError(f"not a window: {given!r}; give (since, at), such as ('2026-03-01', '2026-03-08')")
    since, at = (micros_of(instant(edge)) for edge in given)
    if since >= at:
        raise ValueError(f"not a window: {given!r}; since must be before at")
    return since + 1, at + 1


def micros_of(at: dt.datetime) -> int:
    """Return the microseconds since 1970."""
    return (at - _EPOCH) // _US


def _listed(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)


def _names(given: Any) -> tuple[str, ...] | None:  # noqa: ANN401  a page's, or a caller's
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(str(name) for name in given)
