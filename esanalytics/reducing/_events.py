"""Events as a reducer sees them, some at a time, each column decoded when somebody looks at it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from esanalytics.events import ENVELOPE

__all__ = ["COLUMNS", "INSTANTS", "Event", "Page", "instants"]

COLUMNS = (*ENVELOPE, "effective_at")
"""What an event has."""

INSTANTS = ("occurred_at", "recorded_at", "effective_at")
"""Columns that are read as microseconds, for Python makes datetimes slowly."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
Decode = Callable[[list[Any]], list[Any]]


class Page:
    """Some events, in order.

    Attributes:
        size: how many.
        data: the payloads, once one of them has been looked at.
    """

    __slots__ = ("_decoders", "_found", "_read", "data", "size")

    def __init__(self, size: int, read: Callable[[str], list[Any]], decoders: Mapping[str, Decode]) -> None:
        self.size = size
        self.data: list[Any] | None = None
        self._read = read
        self._decoders = decoders
        self._found: dict[str, list[Any]] = {}

    def stored(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return some columns side by side, as they are read: instants are microseconds."""
        return list(zip(*map(self._read, names), strict=True))

    def __getitem__(self, name: str) -> list[Any]:
        found = self._found.get(name)
        if found is None:
            decode = self._decoders.get(name)
            found = self._found[name] = self._read(name) if decode is None else decode(self._read(name))
            if name == "data":
                self.data = found
        return found


class Event:
    """One event, as a reducer sees it: the envelope's columns and ``effective_at``.

    Each is an attribute and an item, ``event.type`` and ``event["type"]``; ``data`` and ``metadata`` are dicts.
    """

    __slots__ = (*COLUMNS, "_page", "_row")

    def __init__(self, type_: str, page: Page, row: int) -> None:
        self.type = type_
        self._page = page
        self._row = row
        if page.data is not None:
            self.data = page.data[row]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  called once for each column that is looked at
        if name not in COLUMNS:
            raise AttributeError(f"an event has no {name!r}; it has {', '.join(COLUMNS)}")
        value = self._page[name][self._row]
        setattr(self, name, value)
        return value

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  any column's value
        if name not in COLUMNS:
            raise KeyError(name)
        return getattr(self, name)

    def __repr__(self) -> str:
        stream = f"stream={self.stream_id!r}, service={self.service!r}"
        return f"<event {self.event_id!r}: {self.type}, {stream}, position={self.position}>"


def instants(column: Iterable[int | None]) -> list[dt.datetime | None]:
    """Turn microseconds into datetimes."""
    return [None if us is None else _EPOCH + dt.timedelta(microseconds=us) for us in column]
