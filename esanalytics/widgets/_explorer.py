"""The explorer: what is in a store, filtered by a brush over time, by service, type and text."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets as t

from esanalytics._instants import iso
from esanalytics.analysis import (
    Chosen,
    Density,
    Exploration,
    Fields,
    Flows,
    Sight,
    answer,
    first_data,
    key_of_stream,
    micros,
    window_of,
)
from esanalytics.engines import Result
from esanalytics.errors import EsAnalyticsError
from esanalytics.store import Log, Store, as_log
from esanalytics.timetravel._naming import nearest_names
from esanalytics.widgets._bundle import THEME, bundle, suffixed, write_rows, write_whole
from esanalytics.widgets._closing import close_all
from esanalytics.widgets._explorer_assets import explorer_css, explorer_module
from esanalytics.widgets._explorer_flows import flows_data, layout_data
from esanalytics.widgets._explorer_page import explorer_page
from esanalytics.widgets._explorer_picture import explorer_png, explorer_still, ranked

__all__ = ["Explorer", "explore"]

_BINS = 160
"""Of the picture: more are too thin to be told apart."""
_TROUBLE = (EsAnalyticsError, OSError, ValueError, LookupError)


def explore(log: Store | Log, **spec: Any) -> Explorer:  # noqa: ANN401  told in the docstring
    """Look at what is in a store: its services, types, streams and fields, when they happened, and its events.

    Args:
        log: a store, or any view of one.
        spec: what `Explorer.spec` gives, so that ``explore(log, **explorer.spec())`` is the same view again:
            ``window`` (since and at: excluded and included), ``services``, ``types``, ``streams`` (names, any of
            them), ``text`` (occurs in ids, type or payload), ``by`` (``"type"`` or ``"service"``), ``type`` (whose
            fields are shown), ``page`` (of events, from 0).

    Raises:
        TypeError: there is no such argument; the message offers the nearest.
        ValueError: an argument has no such value; or no event has one of the services or types.

    Example:
        >>> explorer = ea.explore(store, services=["orders"])  # doctest: +SKIP
        >>> explorer.events().df()  # doctest: +SKIP
    """
    sight, exploration = Sight.given(spec), Exploration(as_log(log))
    exploration.check(sight)
    return Explorer(log, sight, exploration)


class ExplorerCanvas(anywidget.AnyWidget):
    """The explorer in the page: what it shows first, and where it looks, which both sides may change."""

    _esm = explorer_module()
    _css = THEME + explorer_css()

    overview = t.Unicode().tag(sync=True)
    sight = t.Dict().tag(sync=True)
    theme = t.Enum(["auto", "light", "dark"], "auto").tag(sync=True)


class Explorer(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """What is in a store, in a notebook; made with `explore`.

    Attributes:
        canvas: what the page draws; ``explorer.canvas.observe(f, "sight")`` tells when the filter changes.
        replayed: the replay that is shown beneath; None: none.
    """

    def __init__(self, log: Store | Log, sight: Sight, exploration: Exploration) -> None:
        self._given = log
        self._lock = threading.RLock()
        self._exploration = exploration
        self.replayed: Any = None
        first = json.dumps(first_data(self._exploration, sight))
        self.canvas = ExplorerCanvas(overview=first, sight=sight.data())
        self._beneath = ipywidgets.VBox([])
        super().__init__([self.canvas, self._beneath])
        self.canvas.on_msg(self._on_message)

    @property
    def log(self) -> Log:
        """The log as it is filtered now."""
        return self._exploration.shown(self._sight)

    @property
    def chosen(self) -> Chosen:
        """The filter by names, streams and text; may be set."""
        return self._sight.chosen

    @chosen.setter
    def chosen(self, chosen: Chosen) -> None:
        self._exploration.check(Sight(chosen=chosen))
        self._look({**self._sight.data(), **Sight(chosen=chosen).data(), "window": self.canvas.sight.get("window")})

    @property
    def window(self) -> tuple[dt.datetime, dt.datetime] | None:
        """The brush as ``(since, at)``, excluded and included; None: all time. May be set."""
        found = self._sight.window
        return None if found is None else (micros(found[0] - 1), micros(found[1] - 1))

    @window.setter
    def window(self, window: Any) -> None:  # noqa: ANN401  two instants of any kind
        self._look({**self._sight.data(), "window": None if window is None else list(window_of(window)), "page": 0})

    def events(self) -> Result:
        """Return the events as they are filtered now."""
        return self._exploration.events(self._sight)

    def fields(self, type: str) -> Fields:  # noqa: A002  the envelope's own word
        """Return the fields that the payloads of a type have, among the events as they are filtered now."""
        known = [row[1] for row in self._exploration.overview.types]
        if type not in known:
            raise ValueError(f"no event has the type {type!r}; {nearest_names(type, known[:50])}")
        return self._exploration.fields(self._sight, type)

    def flows(self) -> Flows:
        """Return what follows what in the streams, and their variants, of the events as they are filtered now.

        Of more than some hundred thousand events it is that of a sample of whole streams; the note says so.
        """
        return self._exploration.flows(self._sight)

    @property
    def python(self) -> str:
        """The Python that opens the store and gives the events as they are filtered now; a whole program."""
        return self._exploration.program(self._sight)

    @property
    def sql(self) -> str:
        """The filter as SQL, to be asked with ``log.sql``."""
        return self._exploration.sql(self._sight)

    def spec(self) -> dict[str, Any]:
        """Return what makes the same view again: ``ea.explore(log, **explorer.spec())``; JSON can hold it."""
        return self._sight.spec()

    def replay(self, stream: str, service: str | None = None) -> Any:  # noqa: ANN401  a Replay, imported late
        """Replay an entity beneath the explorer, with its whole life; return the `Replay`.

        Args:
            stream: its stream.
            service: whose; None: of the only service that has it.
        """
        from esanalytics.widgets._replay import replay  # noqa: PLC0415  only who replays pays for it

        log = self._exploration.log
        if service is None:
            owners = log.where(stream=stream).sql("SELECT DISTINCT service FROM events ORDER BY service").arrow()
            service = next(iter(owners["service"].to_pylist()), "")
        view = replay(log, None, key_of_stream(log, None, service, stream))
        with self._lock:
            old, self.replayed = self.replayed, view
            self._beneath.children = [view]
        if old is not None:
            old.close()
        return view

    def refresh(self) -> str:
        """Read what the store holds now; return what is new, in words.

        A log view knows its store up to one position for ever: give `explore` the store to see what is appended.
        """
        with self._lock:
            before = self._exploration.overview.events
            found = Exploration(as_log(self._given))
            first = json.dumps(first_data(found, self._sight))
            self._exploration = found
            self.canvas.overview = first
        more = found.overview.events - before
        return f"{more:,} new {'event' if more == 1 else 'events'}" if more > 0 else "nothing new"

    def to_html(self, path: str | Path) -> Path:
        """Write one page that stands without Python and a network; its brush still counts. Return its path.

        Raises:
            ValueError: the path does not end with ``.html`` or ``.htm``.
        """
        target = suffixed(path, ".html", ".htm")
        text = explorer_page(self._exploration, self._sight, self._exploration.title(self._sight))
        return write_whole(target, text.encode("utf-8", "replace"))

    def to_parquet(self, path: str | Path) -> Path:
        """Write the events as they are filtered now as ``.parquet``; return its path."""
        return write_rows(self.events(), path)

    def to_png(self, path: str | Path) -> Path:
        """Write a picture of the density as ``.png``, ``.svg`` or ``.pdf``; return its path."""
        return explorer_still(*self._drawn(), path, chosen=self._sight.chosen)

    def close(self) -> None:
        """Close the view and all that belongs to it, in the page and in the kernel."""
        if self.replayed is not None:
            self.replayed.close()
            self.replayed = None
        self.canvas.on_msg(self._on_message, remove=True)
        self.canvas.unobserve_all()
        close_all(self)

    def __repr__(self) -> str:
        overview = self._exploration.overview
        if not overview.events:
            return "Explorer of an empty log"
        days = "..".join(iso(micros(edge))[:10] for edge in (overview.span[0], overview.span[1] - 1))
        types = len({row[1] for row in overview.types})
        parts = [f"{overview.events:,} events", days, f"{len(overview.services)} services", f"{types:,} types"]
        filters = self._exploration.python(self._sight).removeprefix("log")
        return f"Explorer: {', '.join(parts)}" + (f"; shown: log{filters}" if filters else "")

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        text = repr(self)
        return bundle(self, explorer_png(*self._drawn(), chosen=self._sight.chosen), text, f"Events over time. {text}")

    @property
    def _sight(self) -> Sight:
        return Sight.of(self.canvas.sight)

    def _look(self, data: dict[str, Any]) -> None:
        self.canvas.sight = data

    def _drawn(self) -> tuple[Density, list[str]]:
        """Return what the picture shows, and the names with a colour of their own."""
        sight, overview = self._sight, self._exploration.overview
        names = ranked(overview.density(None, sight.chosen, by=sight.by))
        return overview.density(sight.window, sight.chosen, bins=_BINS, by=sight.by), names

    def _on_message(self, _: object, content: Mapping[str, Any], __: object = None) -> None:
        """Answer the page; runs on another thread. What goes wrong is told there, and it keeps what it shows."""
        kind, what = content.get("kind"), str(content.get("what"))
        tag = {"what": what if kind == "ask" else kind, "request": content.get("request")}
        try:
            self.canvas.send({"kind": "answer", **tag, "data": self._answer(str(kind), what, content)})
        except _TROUBLE as error:
            self.canvas.send({"kind": "failed", **tag, "text": str(error)})
        except Exception as error:  # noqa: BLE001  whatever it is, the page waits for an answer
            text = f"{tag['what']} failed in Python: {type(error).__name__}: {error}"
            self.canvas.send({"kind": "failed", **tag, "text": text})

    def _answer(self, kind: str, what: str, content: Mapping[str, Any]) -> dict[str, Any]:
        if kind == "replay":
            self.replay(str(content["stream"]), str(content["service"]))
            return {}
        if kind == "refresh":
            return {"text": self.refresh()}
        if kind != "ask":
            raise ValueError(f"a message of kind {kind!r} has no meaning")
        sight = Sight.of(content.get("sight") or {})
        if what == "flows":
            return flows_data(self._exploration.flows(sight))
        if what == "layout":
            return layout_data(content)
        return answer(self._exploration, what, sight, content)
