"""What an explorer knows of a log where one looks: events, counts, fields, flows; found fast, or from a sample."""

from __future__ import annotations

import datetime as dt
import math
import threading
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import iso
from esanalytics.analysis._chosen import Chosen, occurs
from esanalytics.analysis._contents import Fields, fields_of
from esanalytics.analysis._cube import Window, between, micros
from esanalytics.analysis._flows import Flow, Variants, flow, variants
from esanalytics.analysis._overview import Overview
from esanalytics.analysis._sight import Sight
from esanalytics.engines import Result
from esanalytics.store import Log, code_of, folder_of
from esanalytics.timetravel._naming import nearest_names

__all__ = ["Exploration", "Flows"]

_FEW = 2_000
_REMEMBERED = 4
_FLOWING = 160_000
"""Of more events than these, flows are those of a sample of streams."""
_MOST_FLOWING = 640_000
_LONGEST = 1_000
"""Letters of a message's list of names."""


@dataclass(frozen=True, slots=True)
class Flows:
    """What follows what in the streams, of the events that are shown.

    Attributes:
        flow: the directly-follows graph.
        variants: the ways that streams go.
        note: of which events, where it is not all; empty where it is.
    """

    flow: Flow
    variants: Variants
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Exploration:
    """What can be known about a log where one looks; threads may ask at the same time."""

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

    def read(self, sight: Sight) -> Log:
        """Return the same events, found faster."""
        found, inner = self.at_hand(sight)
        return found.shown(inner)

    def python(self, sight: Sight) -> str:
        """Write the Python that makes the log which a sight shows, from one named ``log``."""
        since, at = self._bounds(sight.window)
        window = (f".since({iso(since)!r})" if since else "") + (f".at({iso(at)!r})" if at else "")
        return f"log{sight.chosen.python()}{window}"

    def program(self, sight: Sight) -> str:
        """Write the Python that opens the store and gives the events which a sight shows."""
        opened = f"log = ea.Store.open({str(folder_of(self.log))!r}).log{code_of(self.log)}"
        return f"import esanalytics as ea\n\n{opened}\nshown = {self.python(sight)}\nshown.events()"

    def title(self, sight: Sight) -> str:
        """Say in words what a sight shows."""
        total, shown = self.overview.events, self.total(sight)
        of = f"{total:,} {'event' if total == 1 else 'events'}"
        return f"{folder_of(self.log).name}: {of if shown == total else f'{shown:,} of {of}'}"

    def check(self, sight: Sight) -> None:
        """Look whether the log has the services and types that a sight names; an empty log may get any.

        Raises:
            ValueError: it has no events of one of them.
        """
        types = list(dict.fromkeys(row[1] for row in self.overview.types))
        known = {"service": [row[0] for row in self.overview.services], "type": types}
        named = {"service": sight.chosen.services or (), "type": (*(sight.chosen.types or ()), sight.type or "")}
        for word, names in named.items():
            for name in names:
                if name and known[word] and name not in known[word]:
                    raise ValueError(f"no event has the {word} {name!r}; {nearest_names(name, known[word])[:_LONGEST]}")

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

    def at_hand(self, sight: Sight) -> tuple[Exploration, Sight]:
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

    def by_kind(self, sight: Sight) -> tuple[Window, list[tuple[str, str]], Any]:
        """Return the counts by kind and bin over all time of what a sight shows, whichever kinds are chosen."""
        found, inner = self.at_hand(sight)
        return found.overview.by_kind(self.overview.span, inner.chosen)

    def fields(self, sight: Sight, type_: str | None) -> Fields:
        """Return the fields of a type, of the events that a sight shows."""
        events = sum(
            n for _, name, n in self.counts(replace(sight, chosen=self._of_type(sight, type_))) if name == type_
        )
        return fields_of(self.read(replace(sight, chosen=self._of_type(sight, type_))), str(type_), events)

    def flows(self, sight: Sight) -> Flows:
        """Return what follows what, and the ways that streams go, of the events that a sight shows.

        Of more than some hundred thousand events it is that of whole streams, chosen by a hash; the note says so.
        """
        log, note = self._flowing(sight, self.total(sight))
        return Flows(flow(log), variants(log), note)

    def _flowing(self, sight: Sight, total: int) -> tuple[Log, str]:
        shown = self.read(sight)
        share = 1 << max(0, math.ceil(math.log2(max(1, total) / _FLOWING)))
        if share == 1:
            return shown, ""
        some = shown.where(f"hash(service, stream_id) % {share} = 0")
        events = some.count()
        if 0 < events <= _MOST_FLOWING:
            return some, f"a sample of whole streams, one in {share:,}, with {events:,} of {total:,} events"
        found, inner = self.at_hand(sight)
        window, _ = found.overview.around(inner.window or self.overview.span, inner.chosen, (0, _FLOWING))
        note = f"the first of {total:,} events: these streams are too long to be sampled whole"
        return found.shown(replace(inner, window=window)), note

    def _of_type(self, sight: Sight, type_: str | None) -> Chosen:
        return replace(sight.chosen, types=None if type_ is None else (type_,))

    def total(self, sight: Sight) -> int:
        """Return how many events a sight shows."""
        chosen = sight.chosen
        return sum(
            n
            for service, type_, n in self.counts(sight)
            if (chosen.services is None or service in chosen.services)
            and (chosen.types is None or type_ in chosen.types)
        )

    def counts(self, sight: Sight) -> list[tuple[str, str, int]]:
        """Count a window's events by kind, whichever kinds are chosen."""
        found, inner = self.at_hand(sight)
        chosen, window = inner.chosen.only_rows(), inner.window
        if window is None or found.overview.snapped(window) == window:
            return found.overview.counts(window, chosen)
        rows = between(chosen.log(found.log), window).sql(
            "SELECT service, type, count(*) AS n FROM events GROUP BY ALL"
        )
        return [(row["service"], row["type"], row["n"]) for row in rows]

    def snapped(self, sight: Sight) -> Sight:
        """Widen the window of a sight to whole bins."""
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
