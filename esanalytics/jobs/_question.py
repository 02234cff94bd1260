"""From what a job asks for, and a window, to an answer whose rows always come in the same order."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from esanalytics import _sql as sql
from esanalytics.engines import Result, recast
from esanalytics.errors import UnsupportedError
from esanalytics.jobs._definition import Asked
from esanalytics.jobs._values import Window
from esanalytics.projections import Projection, key_columns
from esanalytics.store import Log
from esanalytics.timetravel import Definition, SqlProjection, diff, fingerprint_of, history, merged, state_at

__all__ = ["Kind", "Question", "question"]

Kind = Literal["state", "history", "diff", "events"]

_INSTANT = dt.timedelta(microseconds=1)
_COUNTS = """
SELECT service, type, count(*) AS events, count(DISTINCT stream_id) AS streams,
    min(effective_at) AS first, max(effective_at) AS last
FROM events GROUP BY service, type ORDER BY service, type
"""
_STREAM = ("service", "stream_id")
_AS = {"HUGEINT": "DECIMAL(38,0)", "UHUGEINT": "DECIMAL(38,0)"}
_UNORDERED = ("VARIANT", "MAP", "JSON")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a log for each window.

    Attributes:
        asked: by name.
        kind: ``state`` and ``history`` know everything before the window's end, ``diff`` compares its start with its
            end, ``events`` knows what happened in it.
        from_start: whether ``history`` has also the versions that began before the window.
    """

    asked: Asked
    kind: Kind
    from_start: bool = False

    def over(self, log: Log, window: Window) -> Result:
        """Ask about a window, of a view without bounds in time.

        Raises:
            EsAnalyticsError: the question makes no sense, or not for this log.
        """
        until, before = window.end - _INSTANT, window.start - _INSTANT
        inside = log.since(before).at(until) if self.kind == "events" else log.at(until)
        if self.asked.sql is not None:
            return _in_some_order(inside.sql(self.asked.sql), self.asked.sql)
        if self.asked.built_in == "events":
            return inside.events()
        if self.asked.built_in == "counts":
            return inside.sql(_COUNTS)
        definition = self.definition(log)
        if self.kind == "history":
            found = history(log, definition, since=None if self.from_start else before, until=until)
            return _sorted(found, (*keys_of(definition), "valid_from", "position"))
        if self.kind == "diff":
            return _sorted(diff(log, definition, before, until), (*keys_of(definition), "column"))
        if self.kind == "events":
            raise UnsupportedError("kind 'events' of a projection", "choose state, history or diff")
        return _sorted(state_at(log, definition, until), keys_of(definition))

    def definition(self, log: Log) -> Definition:
        """Return the projection that is asked for.

        Raises:
            UnsupportedError: what is asked for is none.
        """
        if self.asked.definition is not None:
            return self.asked.definition
        if self.asked.built_in == "merged":
            return merged(log)
        raise UnsupportedError("a query as a projection", "name an ea.Projection, an ea.SqlProjection or an ea.reducer")

    def keys(self, log: Log) -> tuple[str, ...]:
        """Return the columns that tell the rows of a state apart; none where nothing is known of it."""
        is_state = self.kind == "state" and self.asked.sql is None and self.asked.built_in in (None, "merged")
        return keys_of(self.definition(log)) if is_state else ()

    def shape(self, log: Log) -> str:
        """Digest what the whole log says of the columns: with it, windows of long ago come out otherwise too."""
        if self.asked.built_in in ("events", "counts"):
            return ""
        if self.asked.sql is not None:
            return _digest(log.sql(self.asked.sql).types)
        definition = self.definition(log)
        if isinstance(definition, Projection):
            return _digest(fingerprint_of(log, definition))
        return _digest(state_at(log, definition).types) if isinstance(definition, SqlProjection) else ""


def question(asked: Asked, kind: Kind, *, from_start: bool = False) -> Question:
    """Put a question, if it is one.

    Raises:
        UnsupportedError: what is asked for has no such kind.
    """
    has_no_history = asked.sql is not None or isinstance(asked.definition, SqlProjection)
    if kind == "history" and has_no_history:
        raise UnsupportedError("the history of a query, which says nothing of single events", "choose state or diff")
    if asked.built_in in ("events", "counts") and kind in ("history", "diff"):
        raise UnsupportedError(f"the {kind} of {asked.built_in}", "choose the kind events, or a projection")
    if asked.sql is not None and kind == "diff":
        raise UnsupportedError("the diff of a query without a key", "name an ea.SqlProjection, which has one")
    if kind == "events" and asked.sql is None and asked.built_in not in ("events", "counts"):
        raise UnsupportedError("kind 'events' of a projection", "choose state, history or diff")
    return Question(asked, kind, from_start)


def keys_of(definition: Definition) -> tuple[str, ...]:
    """Return the columns that tell the rows of a projection's state apart."""
    if isinstance(definition, Projection):
        return tuple(key_columns(definition))
    return tuple(definition.key) if isinstance(definition, SqlProjection) else _STREAM


def _sorted(result: Result, columns: tuple[str, ...]) -> Result:
    """Sort by columns, those of ours under the name that they have beside the user's."""
    known = result.columns
    return _exact(result).order_by(*(name if name in known else f"{name}_" for name in columns))


def _exact(result: Result) -> Result:
    """Give columns that Parquet would round, or has no type for, one that it has."""
    types = {
        name: _AS.get(type_, "VARCHAR" if type_.startswith("ENUM") else "") for name, type_ in result.types.items()
    }
    return recast(result, {name: type_ for name, type_ in types.items() if type_})


def _in_some_order(result: Result, query: str) -> Result:
    """Sort what a query leaves unsorted, by all columns that have an order."""
    tree = sql.as_tree(query)
    if tree is not None and tree.args.get("order"):
        return _exact(result)
    columns = [name for name, type_ in result.types.items() if not any(word in type_ for word in _UNORDERED)]
    return _exact(result).order_by(*columns) if columns else _exact(result)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=False).encode()).hexdigest()
