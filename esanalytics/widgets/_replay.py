"""The replay: a view of one entity's events and states, or of all entities, one of which is picked."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import ipywidgets as w

from esanalytics.analysis import Align, ReplaySession, in_words, model_of
from esanalytics.engines import Result
from esanalytics.store import Log, Store
from esanalytics.timetravel import nearest_names
from esanalytics.widgets._beside import Beside, beside
from esanalytics.widgets._bundle import bundle, write_rows
from esanalytics.widgets._canvas import LOOKS, canvas_of
from esanalytics.widgets._closing import close_all
from esanalytics.widgets._leaving import lanes_of, look_of, png_of_view, theme_of, write_gif, write_html, write_png
from esanalytics.widgets._matplotlib import MatplotlibReplay
from esanalytics.widgets._matplotlib_overview import MatplotlibOverview
from esanalytics.widgets._messages import answered
from esanalytics.widgets._overview_text import overview_text
from esanalytics.widgets._scene import Scene
from esanalytics.widgets._shell import Shell

__all__ = ["Renderer", "Replay", "replay"]

Renderer = Literal["canvas", "matplotlib"]

_DRAWN = ("hidden_types", "hidden_services", "window", "lanes", "lane_order", "colour", "fold_gaps")
_SESSION = ("step", "skipped", "edits", "marks", "bookmarks", "on_error")


def replay(
    log: Store | Log,
    projection: object = None,
    key: Any = None,  # noqa: ANN401  a value of the key's type
    *,
    renderer: Renderer = "canvas",
    **options: Any,  # noqa: ANN401  see below
) -> Replay:
    """Replay an entity: its events on a timeline, its state at every step, and what would be without some of them.

    Args:
        log: a store, or any view of one.
        projection: what folds the events: an `ea.Projection` or a reducer; None: each payload field, last value wins.
        key: of the entity, as a tuple where it has several columns; None: begin with all entities, and pick one. Where
            the key is ``(service, stream_id)``, the stream is enough if only one service has it.
        renderer: ``"canvas"``: drawn in the page; ``"matplotlib"``: pictures from the kernel, for places where custom
            JavaScript may not run.
        options: what `Replay.spec` gives, so that ``replay(log, projection, **view.spec())`` is the same view again.
            Of the replay: ``step`` (0: before all events), ``skipped`` (ids of events that are off), ``edits``,
            ``marks`` (steps by name), ``bookmarks``, ``on_error`` (``"skip"``, ``"stop"``, ``"raise"``). Of how it
            looks: ``window`` (from, to: instants, or microseconds as `Replay.spec` gives them), ``slider``
            (``"event"``, ``"time"``), ``clock`` (``"effective_at"``, ``"recorded_at"``, ``"position"``), ``lanes``
            (``"type"``, ``"service"``, ``"stream"``), ``lane_order`` (``"first"``, ``"count"``, ``"duration"``,
            ``"name"``), ``colour`` (as ``lanes``), ``speed`` (events per second, 0.25 to 100), ``pace`` (``"steady"``,
            or ``"live"``: with the gaps that there were), ``loop``, ``fold_gaps``, ``hidden_types``,
            ``hidden_services``, ``search``, ``field`` (that is watched), ``pinned``, ``theme`` (``"auto"``,
            ``"light"``, ``"dark"``), ``diff`` (``"step"``, ``"marks"``, ``"what-if"``), ``selection`` (ids of events).

    Raises:
        UnknownKeyError: no event has the key; the message offers the nearest.
        UnsupportedError: the projection is SQL, which says nothing of single events.
        TypeError: there is no such option; the projection is none.
        ValueError: an option has no such value.

    Example:
        >>> view = ea.replay(store, orders, key="order-42")  # doctest: +SKIP
        >>> view.to_html("order-42.html")  # doctest: +SKIP
    """
    for name in options:
        if name not in (*_SESSION, *LOOKS):
            raise TypeError(f"replay has no option {name!r}; {nearest_names(name, (*_SESSION, *LOOKS))}")
    if renderer not in get_args(Renderer):
        raise ValueError(f"renderer={renderer!r}; give 'canvas' or 'matplotlib'")
    return Replay(log, projection, key, renderer, options)


class Replay(w.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A replay in a notebook; made with `replay`.

    Attributes:
        canvas: what the page draws; its traits may be observed: ``view.canvas.observe(f, "step")``.
        scene: what is shown, for the parts of a view.
    """

    children: Sequence[w.Widget]
    _closed = True  # until all is made

    def __init__(
        self, log: Store | Log, projection: object, key: object, renderer: Renderer, options: Mapping[str, Any]
    ) -> None:
        self._lock = threading.RLock()
        self._renderer = renderer
        self._heard: ReplaySession | None = None
        self._told: tuple[Any, ...] = ()
        self._sent: tuple[Any, ...] = ()
        given = {name: value for name, value in options.items() if name in _SESSION}
        self.scene = Scene(log, projection, key, given)
        self.canvas = canvas_of({name: value for name, value in options.items() if name in LOOKS})
        self._shell = Shell(self.canvas, self.scene.overview.entities if key is None else None, self._show_stream)
        super().__init__([])
        self._closed = False
        self.add_class("ea-replay")
        self.canvas.on_msg(self._on_message)
        self.canvas.observe(self._on_page, list(_FOLLOWED))
        self.canvas.observe(self._on_look, list(_DRAWN))
        try:
            self._show()
        except BaseException:
            self.close()
            raise

    @property
    def session(self) -> ReplaySession | None:
        """The replay itself, without Jupyter; None while all entities are shown."""
        return self.scene.session

    @property
    def step(self) -> int:
        """The step it stands at; may be set."""
        return 0 if self.session is None else self.session.step

    @step.setter
    def step(self, step: int) -> None:
        self.scene.entity.goto(step)

    @property
    def at(self) -> dt.datetime | None:
        """The ``effective_at`` of the event it stands at; None before the first, or where no entity is picked."""
        return None if self.session is None else self.session.at

    @property
    def selection(self) -> list[str]:
        """The ids of the events that are selected; may be set."""
        return list(self.canvas.selection)

    @selection.setter
    def selection(self, event_ids: list[str]) -> None:
        self.canvas.selection = list(event_ids)

    @property
    def log(self) -> Log:
        """The log as the view sees it.

        Of an entity: the whole log, without what is switched off, with what is changed or added. While all entities
        are shown: the events of the window, and of the services and types that are not hidden.
        """
        return self.scene.log

    def state(self, step: int | None = None, *, real: bool = False) -> dict[str, Any] | None:
        """Return the row of state at a step, as `ReplaySession.state`."""
        return self.scene.entity.state(step, real=real)

    def events(self) -> Result:
        """Return events.

        Those that are selected, changed ones as they were changed, whether or not they are switched off. Where none are
        selected, all of the entity that are not switched off; while all entities are shown, those that `log` shows.
        """
        return self.scene.events(self.selection)

    def show(self, key: Any) -> Replay:  # noqa: ANN401  a value of the key's type
        """Show one entity, by its key.

        Raises:
            UnknownKeyError: no event has the key; the message offers the nearest, and the view stays as it is.
        """
        with self._lock:
            self.scene.show(key)
            self._show_other()
        return self

    def back(self) -> Replay:
        """Show all entities."""
        with self._lock:
            self.scene.session = None
            self._show_other()
        return self

    def beside(self, key: Any, *, align: Align = "time") -> Beside:  # noqa: ANN401  a value of the key's type
        """Show the entity beside another one, and what differs where they stand; this view stays as it is.

        Args:
            key: of the other one.
            align: which steps belong together: ``"step"``, ``"time"`` (since the first event of each) or ``"type"``
                (the n-th event of a type to the n-th).

        Raises:
            UnknownKeyError: no event has the key; the message offers the nearest.
            ValueError: no entity is picked.
        """
        return beside(self, key, align=align)

    def spec(self) -> dict[str, Any]:
        """Return what makes the same view again: ``ea.replay(log, projection, **view.spec())``; JSON can hold it."""
        found = {} if self.session is None else self.session.spec()
        found |= {"renderer": self._renderer} if self._renderer != "canvas" else {}
        return found | self.canvas.look()

    @property
    def python(self) -> str:
        """The Python that makes the view again, to be pasted into a notebook."""
        return self.scene.python(self.spec())

    @property
    def sql(self) -> str:
        """The SQL that gives the state that is shown; where all entities are shown, their events."""
        return self.scene.sql

    def refresh(self) -> str:
        """Read what the store holds now; return what is new, in words."""
        with self._lock:
            more = self.scene.refresh()
            self._show()
        if more:
            return f"{more:,} new {'event' if more == 1 else 'events'}"
        pinned = isinstance(self.scene.given, Log)
        return "nothing new" + (": this is a view of a log, which stays as it is; give the store" if pinned else "")

    def to_html(self, path: str | Path) -> Path:
        """Write one page that still replays, without Python and a network; return its path."""
        return write_html(self, path)

    def to_png(self, path: str | Path) -> Path:
        """Write the picture of this step as ``.png``, ``.svg`` or ``.pdf``; return its path."""
        return write_png(self, path)

    def to_gif(self, path: str | Path, **how: Any) -> Path:  # noqa: ANN401  handed on
        """Write the replay as a moving picture; return its path.

        Args:
            path: ends with ``.gif``, ``.webp``, ``.png`` (APNG) or ``.mp4`` (where ffmpeg is found).
            how: ``steps``: which; ``seconds``: how long it runs; ``most``: the most pictures (200); ``loop``.
        """
        return write_gif(self, path, how)

    to_webp = to_gif

    def to_parquet(self, path: str | Path) -> Path:
        """Write the selected events, or all where none are, as Parquet; return its path."""
        return write_rows(self.events(), path)

    def close(self) -> None:
        """Close the view and all that belongs to it, in the page and in the kernel."""
        if self._closed:
            return
        self._closed = True
        self._listen(None)
        self._shell.close()
        for child in self.children:
            child.close()
        close_all(self.canvas, self)

    def __repr__(self) -> str:
        session = self.session
        if session is None:
            return f"Replay of all entities: {self.scene.overview.events:,} events; pick one with view.show(key)"
        return f"Replay of {in_words(session)}"

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        text = repr(self)
        return bundle(self, png_of_view(self), text, text)

    def _show_stream(self, service: str, stream: str) -> None:
        with self._lock:
            self.scene.show_stream(service, stream)
            self._show_other()

    def _show_other(self) -> None:
        """Show something else than before: what was selected is not in it."""
        with self.canvas.hold_sync():
            self.canvas.selection, self.canvas.window = [], []
            self._show()

    def _show(self) -> None:
        """Show what there is now: one entity, or all."""
        self._listen(self.session)
        self._shell.show(*self.scene.kinds())
        if self._renderer == "matplotlib":
            self._show_pictures()
            return
        self._on_look()
        if self.session is None:
            with self.canvas.hold_sync():
                self.canvas.overview = overview_text(self.scene.overview, self.scene.title, chosen=self.scene.chosen)
                self.canvas.model, self._told, self._sent = "", (), ()
        self._on_session()
        self._shell.steps(0 if self.session is None else len(self.session))
        if not self.children:
            self.children = [self._shell.box, self.canvas]

    def _show_pictures(self) -> None:
        before, session = self.children, self.session
        theme, lanes = theme_of(self.canvas), lanes_of(self.canvas)
        if session is None:
            self.children = [MatplotlibOverview(self.scene.overview, self._show_stream, theme=theme)]
        else:
            self.children = [MatplotlibReplay(session, theme=theme, lanes=lanes, speed=self.canvas.speed)]
        for child in before:
            child.close()
        self._on_look()

    def _listen(self, session: ReplaySession | None) -> None:
        """Follow this replay, and no other."""
        if session is self._heard:
            return
        if self._heard is not None and self._on_session in self._heard.listeners:
            self._heard.listeners.remove(self._on_session)
        if session is not None:
            session.listeners.append(self._on_session)
        self._heard = session

    def _on_session(self) -> None:
        """Tell the page where the replay stands; what it knows already is not sent."""
        with self._lock:
            session = self.session
            if session is None or session is not self._heard:
                return
            if self._renderer == "matplotlib":
                for child in self.children:
                    child.redraw()
                return
            with self.canvas.hold_sync():
                self._send_model(session)
                self.canvas.step = session.step
                self.canvas.marks = {"A": None, "B": None} | session.marks
                self.canvas.bookmarks = [{"step": step, "label": label} for step, label in session.bookmarks]
                if set(self.canvas.skipped) != session.skipped:
                    self.canvas.skipped = sorted(session.skipped)

    def _send_model(self, session: ReplaySession) -> None:
        """Send the model where the page cannot know: other events, or states that only Python can fold."""
        now = (session, session.version, session.skipped)
        if now == self._told:
            return
        self._told = now
        sent = (session, session.version, None if session.page_can_skip else session.skipped)
        if sent != self._sent:
            self._sent = sent
            self.canvas.model = model_of(session)
            self._shell.steps(len(session))

    def _on_page(self, change: Mapping[str, Any]) -> None:
        """Follow the page; what the replay makes of it, such as a step within its bounds, is told back."""
        with self._lock:
            if self.session is not None:
                _FOLLOWED[change["name"]](self.session, change["new"])

    def _on_look(self, _: object = None) -> None:
        """Follow the filter and the window of the page, or of who sets the traits."""
        canvas = self.canvas
        if self.session is None:
            self.scene.choose(canvas.hidden_services, canvas.hidden_types)
            self.scene.window = (canvas.window[0], canvas.window[1]) if canvas.window else None
        for child in self.children if self._renderer == "matplotlib" else ():
            if self.session is None:
                hidden = {"hidden_types": canvas.hidden_types, "hidden_services": canvas.hidden_services}
                child.look(**hidden, window=canvas.window)
            else:
                child.look(look_of(canvas), lanes_of(canvas))

    def _on_message(self, _: object, content: Mapping[str, Any], __: object) -> None:
        with self._lock:
            answer = answered(self, self.scene, content)
        if answer is not None:
            self.canvas.send(answer)


def _followed_step(session: ReplaySession, step: int) -> None:
    if step != session.step:
        session.goto(step)


def _followed_skipped(session: ReplaySession, event_ids: Sequence[str]) -> None:
    if set(event_ids) != session.skipped:
        session.switch_off(event_ids)


def _followed_marks(session: ReplaySession, marks: Mapping[str, int | None]) -> None:
    given = {name: step for name, step in marks.items() if step is not None}
    if given != session.marks:
        session.marks = {name: min(step, len(session)) for name, step in given.items()}


def _followed_bookmarks(session: ReplaySession, bookmarks: Sequence[Mapping[str, Any]]) -> None:
    given = [(min(int(each["step"]), len(session)), str(each.get("label", ""))) for each in bookmarks]
    if given != list(session.bookmarks):
        session.bookmarks = given


_FOLLOWED: Mapping[str, Callable[[ReplaySession, Any], object]] = {
    "step": _followed_step,
    "skipped": _followed_skipped,
    "marks": _followed_marks,
    "bookmarks": _followed_bookmarks,
}
