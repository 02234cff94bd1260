"""Trace: the causal tree of a correlation or an event, as a waterfall over services."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import ipywidgets

from esanalytics import _sql as sql
from esanalytics.analysis._tracing import Traced, traced
from esanalytics.engines import Result
from esanalytics.errors import EsAnalyticsError
from esanalytics.store import Log, Store
from esanalytics.widgets._bundle import (
    THEME,
    bundle,
    page,
    pinned,
    png_of,
    suffixed,
    whole,
    write_picture,
    write_rows,
    write_whole,
)
from esanalytics.widgets._closing import close_all
from esanalytics.widgets._code import python_of
from esanalytics.widgets._markup import escaped
from esanalytics.widgets._waterfall import CSS, picture, summary, waterfall

__all__ = ["Trace", "trace"]


def trace(log: Store | Log, *, correlation_id: str | None = None, event_id: str | None = None) -> Trace:
    """Show what caused what, over services, as a waterfall.

    An event's tree is that of its correlation where it has one; else it is the event, its causes up to the first, and
    everything that these caused. A cause that the log does not show has a place of its own, as missing.

    Args:
        log: a store, or any view of one.
        correlation_id: the events that have it.
        event_id: the tree in which this event is.

    Raises:
        StoreError: no event of the log has the id.
        TypeError: not exactly one of the two is given.

    Example:
        >>> ea.trace(store, correlation_id="order-3")  # doctest: +SKIP
    """
    return Trace(traced(log, correlation_id=correlation_id, event_id=event_id), log)


class Trace(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The causal tree of a correlation or an event; `trace` makes it.

    Attributes:
        traced: the tree as data.
    """

    def __init__(self, found: Traced, given: Store | Log | None = None) -> None:
        self.traced = found
        self._given = found.log if given is None else given
        self._lock = threading.Lock()
        self._shown, self._told = ipywidgets.HTML(), ipywidgets.HTML()
        self._again = ipywidgets.Button(description="Refresh", tooltip="read what the log holds now")
        self._again.on_click(lambda _: self._refreshed())
        super().__init__([ipywidgets.HBox([self._again, self._told]), self._shown])
        self._show()

    def events(self) -> Result:
        """Return the events of the tree, whole, in order of ``effective_at``, version, position."""
        return self.traced.events()

    def refresh(self) -> str:
        """Read what the log holds now; return what is new, in words."""
        with self._lock:
            found = traced(self._given, **self.spec())
            more, self.traced = found.total - self.traced.total, found
            self._show()
        return f"{more:,} new {'event' if more == 1 else 'events'}" if more else f"nothing new{pinned(self._given)}"

    def spec(self) -> dict[str, Any]:
        """Return what makes the same view again: ``ea.trace(log, **view.spec())``."""
        found = self.traced
        if found.event_id is not None:
            return {"event_id": found.event_id}
        return {"correlation_id": found.correlation_id}

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one page that needs no kernel and nothing from elsewhere; return its path.

        Raises:
            ValueError: the path does not end with ``.html`` or ``.htm``.
        """
        target = suffixed(path, ".html", ".htm")
        text = page(f"Trace of {self.traced.title}", waterfall(self.traced), CSS)
        return write_whole(target, text.encode("utf-8", "replace"))

    def to_png(self, path: str | os.PathLike[str]) -> Path:
        """Write a picture of the first events as ``.png``, ``.svg`` or ``.pdf``; return its path."""
        return write_picture(picture(self.traced), path, repr(self))

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write the events of the tree, whole, as ``.parquet``; return its path."""
        return write_rows(self.events(), path)

    @property
    def python(self) -> str:
        """The Python that makes the same view again."""
        return python_of("trace", self.traced.log, None, self.spec())

    @property
    def sql(self) -> str:
        """The SQL that gives the events of the tree, to be pasted into DuckDB."""
        ids = [node.event["event_id"] for node in self.traced.nodes if node.event is not None]
        return self.traced.log.where(sql.text(sql.is_in(sql.column("event_id"), ids))).events().sql

    def close(self) -> None:
        """Take the view, and all that it made, out of the kernel."""
        close_all(self)

    def _show(self) -> None:
        self._shown.value = whole(f'<style>{THEME}{CSS}</style><div class="ea-view">{waterfall(self.traced)}</div>')

    def _refreshed(self) -> None:
        """Refresh for the button, which has nobody to tell what went wrong."""
        try:
            told = self.refresh()
        except (EsAnalyticsError, OSError) as error:
            told = str(error)
        self._told.value = f'<span role="status">{escaped(whole(told))}</span>'

    def __repr__(self) -> str:
        return f"Trace of {self.traced.title}: {summary(self.traced)}"

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        return bundle(self, png_of(picture(self.traced), repr(self)), repr(self), f"Waterfall. {self!r}")
