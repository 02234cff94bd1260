"""Which events a view shows: names, streams and a text, as a filter on a log and as the Python that makes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.store import Log

__all__ = ["ALL", "Chosen"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A filter that a view has on a log; None: all.

    Attributes:
        services, types, streams: names, any of them.
        text: occurs in the event id, the stream id, the type or the payload's JSON text, in either case.

    Example:
        >>> Chosen(types=("OrderPaid",)).python()
        ".where(type='OrderPaid')"
    """

    services: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    streams: tuple[str, ...] | None = None
    text: str | None = None

    def log(self, log: Log) -> Log:
        """Put the filter on a log."""
        found = log.where(service=self.services, type=self.types, stream=self.streams)
        return found.where(occurs(self.text)) if self.text else found

    def python(self) -> str:
        """Write what stands behind the name of a log to filter it so; empty where all is shown."""
        named = {"service": self.services, "type": self.types, "stream": self.streams}
        given = [f"{name}={_names(found)}" for name, found in named.items() if found is not None]
        names = f".where({', '.join(given)})" if given else ""
        return names + (f".where({occurs(self.text)!r})" if self.text else "")

    @property
    def needs_rows(self) -> bool:
        """Counts by service and type do not tell which events these are."""
        return self.streams is not None or bool(self.text)

    def only_names(self) -> Chosen:
        """Return the same without streams and text."""
        return replace(self, streams=None, text=None)

    def only_rows(self) -> Chosen:
        """Return the same without services and types."""
        return replace(self, services=None, types=None)


ALL = Chosen()
"""No filter."""


def occurs(text: str) -> str:
    """Write the condition that a text occurs in an event."""
    needle = sql.function("lower", sql.literal(text))
    payload = sql.cast(sql.cast(exp.column("data"), "JSON"), "VARCHAR")
    places = [*(exp.column(name) for name in ("event_id", "stream_id", "type")), payload]
    tests: list[exp.Expr] = [sql.function("contains", sql.function("lower", place), needle.copy()) for place in places]
    found = sql.any_of(tests)
    return "" if found is None else sql.text(found)


def _names(found: tuple[str, ...]) -> str:
    return repr(found[0]) if len(found) == 1 else repr(list(found))
