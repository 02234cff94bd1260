"""The replay: a view of one entity's events and states, or of all entities, one of which is picked."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

import ipywidgets as w

from esanalytics import _sql as sql
from esanalytics._instants import iso
from esanalytics.analysis import ALL, Chosen, Overview, ReplaySession, key_of_stream, model_of
from esanalytics.engines import Result
from esanalytics.plots._theme import Theme
from esanalytics.store import Log, Store, as_log
from esanalytics.timetravel import nearest_names
from esanalytics.widgets._bundle import bundle
from esanalytics.widgets._canvas import LOOKS, ReplayCanvas
from esanalytics.widgets._code import python_of, replay_python, replay_sql
from esanalytics.widgets._leaving import png_of_view, write_gif, write_html, write_png
from esanalytics.widgets._matplotlib import MatplotlibReplay
from esanalytics.widgets._matplotlib_overview import MatplotlibOverview
from esanalytics.widgets._messages import answered
from esanalytics.widgets._overview_text import overview_text
from esanalytics.widgets._placing import Lane
from esanalytics.widgets._shell import Shell, close_whole

__all__ = ["Renderer", "Replay", "replay"]

Renderer = Literal["canvas", "matplotlib"]

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
            looks: ``window`` (from, to; microseconds), ``slider`` (``"event"``, ``"time"``), ``clock``
            (``"effective_at"``, ``"recorded_at"``, ``"position"``), ``lanes`` (``"type"``, ``"service"``,
            ``"stream"``), ``speed`` (events per second, 0.25 to 100), ``pace`` (``"steady"``, or ``"live"``: with the
            gaps that there were), ``loop``, ``fold_gaps``, ``hidden_types``, ``hidden_services``, ``search``, ``field``
            (that is watched), ``pinned``, ``theme`` (``"auto"``, ``"light"``, ``"dark"``), ``diff`` (``"step"``,
            ``"marks"``, ``"what-if"``), ``selection`` (ids of events).

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
        session: the replay itself, without Jupyter; None while all entities are shown.
    """

    def __init__(
        self, log: Store | Log, projection: object, key: object, renderer: Renderer, options: Mapping[str, Any]
    ) -> None:
        self._lock = threading.RLock()
        self._given, self._projection, self._renderer = log, projection, renderer
        self._syncing = self._closed = False
        self._sent: object = None
        self.overview = Overview(as_log(log))
        self.chosen: Chosen = ALL
        given = {name: value for name, value in options.items() if name in _SESSION}
        self.session = None if key is None else ReplaySession(log, projection, key, **given)
        self.canvas = ReplayCanvas(**{name: value for name, value in options.items() if name in LOOKS})
        find = self.overview.entities if key is None else None
        self._shell = Shell(self.canvas, find, self.show_stream)
        super().__init__([])
        self.add_class("ea-replay")
        self.canvas.on_msg(self._on_message)
        self.canvas.observe(self._on_page, ["step", "skipped", "marks", "bookmarks"])
        self.canvas.observe(self._on_filter, ["hidden_types", "hidden_services"])
        self._show()

    @property
    def entity(self) -> ReplaySession:
        """The replay itself.

        Raises:
            ValueError: all entities are shown, and none is picked.
        """
        if self.session is None:
            raise ValueError("no entity is picked yet; call view.show('order-42'), or click one")
        return self.session

    @property
    def step(self) -> int:
        """The step it stands at; may be set."""
        return 0 if self.session is None else self.session.step

    @step.setter
    def step(self, step: int) -> None:
        self.entity.goto(step)

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
        """The log as the view sees it: without what is switched off, with what is changed or added."""
        return as_log(self._given) if self.session is None else self.session.log

    def state(self, step: int | None = None, *, real: bool = False) -> dict[str, Any] | None:
        """Return the row of state at a step, as `ReplaySession.state`."""
        return self.entity.state(step, real=real)

    def events(self) -> Result:
        """Return the events that are selected; where none are, all of the entity, or all that are shown."""
        if self.selection:
            return self.log.where(sql.text(sql.is_in(sql.column("event_id"), self.selection))).events()
        session = self.session
        return (self.chosen.log(self.log) if session is None else session.entity.own(session.log)).events()

    def show(self, key: Any) -> Replay:  # noqa: ANN401  a value of the key's type
        """Show one entity, by its key."""
        with self._lock:
            self.session = ReplaySession(self._given, self._projection, key)
            self._show()
        return self

    def show_stream(self, service: str, stream: str) -> Replay:
        """Show the entity that the events of a stream are about."""
        return self.show(key_of_stream(as_log(self._given), self._projection, service, stream))

    def back(self) -> Replay:
        """Show all entities."""
        with self._lock:
            self.session, self._whole = None, True
            self._show()
        return self

    def spec(self) -> dict[str, Any]:
        """Return what makes the same view again: ``ea.replay(log, projection, **view.spec())``; JSON can hold it."""
        found = {} if self.session is None else self.session.spec()
        found |= {"renderer": self._renderer} if self._renderer != "canvas" else {}
        return found | self.canvas.look()

    @property
    def python(self) -> str:
        """The Python that makes the view again, to be pasted into a notebook."""
        log = as_log(self._given)
        if self.session is None:
            return python_of("replay", log, getattr(self._projection, "name", None), self.spec())
        return replay_python(self.session, log, self.spec())

    @property
    def sql(self) -> str:
        """The SQL that gives the state that is shown; where all entities are shown, their events."""
        return self.chosen.log(self.log).events().sql if self.session is None else replay_sql(self.session)

    def refresh(self) -> str:
        """Read what the store holds now; return what is new, in words."""
        with self._lock:
            before = self.overview.events
            self.overview = Overview(as_log(self._given))
            more = self.overview.events - before if self.session is None else self.session.refresh()
            self._show()
        if more:
            return f"{more:,} new {'event' if more == 1 else 'events'}"
        pinned = isinstance(self._given, Log)
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
        self.events().write_parquet(str(path))
        return Path(path)

    def close(self) -> None:
        """Close the view and all that belongs to it, in the page and in the kernel."""
        if self._closed:
            return
        self._closed = True
        if self.session is not None:
            self.session.listeners.remove(self._on_session)
        self._shell.close()
        for child in self.children:
            close_whole(child)
        close_whole(self.canvas)
        super().close()
        self.layout.close()

    @property
    def title(self) -> str:
        """What is shown, in a few words."""
        return "all entities" if self.session is None else self.session.entity.title

    @property
    def drawn_theme(self) -> Theme:
        """The theme of pictures, which cannot know that of the page."""
        return "dark" if self.canvas.theme == "dark" else "light"

    @property
    def drawn_lanes(self) -> Lane:
        """What has a lane in pictures."""
        return cast("Lane", self.canvas.lanes)

    def __repr__(self) -> str:
        session = self.session
        if session is None:
            return f"Replay of all entities: {self.overview.events:,} events; pick one with view.show(key)"
        count = f"{len(session):,} {'event' if len(session) == 1 else 'events'}"
        if not len(session):
            return f"Replay of {self.title}: no events"
        days = [iso(day)[:10] for step in (1, len(session)) if (day := session.instant(step)) is not None]
        off = f", what-if: {len(session.skipped)} off" if session.skipped else ""
        event = session.event()
        at = "before the first" if event is None else f"at {session.step} {event['type']}"
        return f"Replay of {self.title}: {count}, {'..'.join(days)}, {at}{off}"

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        text = repr(self)
        return bundle(self, png_of_view(self), text, text)

    def _show(self) -> None:
        """Show what there is now: one entity, or all."""
        if self.session is not None and self._on_session not in self.session.listeners:
            self.session.listeners.append(self._on_session)
        services, types, steps = self._kinds()
        self._shell.show(services, types, steps)
        if self._renderer == "matplotlib":
            self._show_pictures()
            return
        self._on_session()
        if self.session is None:
            self.canvas.overview = overview_text(self.overview, self.title)
            self.canvas.model = ""
        self.children = [self._shell.box, self.canvas]

    def _show_pictures(self) -> None:
        for child in self.children:
            close_whole(child)
        if self.session is None:
            self.children = [MatplotlibOverview(self.overview, self.show_stream, theme=self.drawn_theme)]
        else:
            theme, lanes = self.drawn_theme, self.drawn_lanes
            self.children = [MatplotlibReplay(self.session, theme=theme, lanes=lanes, speed=self.canvas.speed)]

    def _kinds(self) -> tuple[list[tuple[str, int]], list[tuple[str, int]], int]:
        """Count the services, the types and the steps that are shown."""
        if self.session is not None:
            branch = self.session.branch
            return Counter(branch.services).most_common(), Counter(branch.types).most_common(), len(branch)
        types: Counter[str] = Counter()
        for _, type_, count, *_ in self.overview.types:
            types[type_] += count
        return self.overview.services, types.most_common(), 0

    def _on_session(self) -> None:
        """Tell the page where the replay stands."""
        session = self.session
        if session is None or self._syncing:
            return
        self._syncing = True
        try:
            with self.canvas.hold_sync():
                self._send_model(session)
                self.canvas.step = session.step
                self.canvas.marks = {"A": None, "B": None} | session.marks
                self.canvas.bookmarks = [{"step": step, "label": label} for step, label in session.bookmarks]
                if set(self.canvas.skipped) != session.skipped:
                    self.canvas.skipped = sorted(session.skipped)
        finally:
            self._syncing = False

    def _send_model(self, session: ReplaySession) -> None:
        """Send the model where the page cannot know: other events, or states that only Python can fold."""
        told = (session, session.version, None if session.page_can_skip else session.skipped)
        if told != self._sent:
            self._sent = told
            self.canvas.model = model_of(session)

    def _on_page(self, change: Mapping[str, Any]) -> None:
        """Follow the page."""
        session = self.session
        if session is None or self._syncing:
            return
        self._syncing = True
        try:
            _FOLLOWED[change["name"]](session, change["new"])
        finally:
            self._syncing = False
        if session.folds_in_python and change["name"] == "skipped":
            self._on_session()

    def _on_filter(self, _: object) -> None:
        hidden = set(self.canvas.hidden_services), set(self.canvas.hidden_types)
        services, types, _ = self._kinds()
        shown = [
            tuple(name for name, _ in kinds if name not in off) if off else None
            for kinds, off in zip((services, types), hidden, strict=True)
        ]
        self.chosen = Chosen(services=shown[0], types=shown[1])

    def _on_message(self, _: object, content: Mapping[str, Any], __: object) -> None:
        with self._lock:
            answer = answered(self, content)
        if answer is not None:
            self.canvas.send(answer)


def _bookmarked(session: ReplaySession, bookmarks: Sequence[Mapping[str, Any]]) -> None:
    session.bookmarks = [(int(each["step"]), str(each.get("label", ""))) for each in bookmarks]


def _marked(session: ReplaySession, marks: Mapping[str, int | None]) -> None:
    session.marks = {name: step for name, step in marks.items() if step is not None}


_FOLLOWED: Mapping[str, Callable[[ReplaySession, Any], object]] = {
    "step": lambda session, step: session.goto(int(step)),
    "skipped": lambda session, ids: session.switch_off(ids),
    "marks": _marked,
    "bookmarks": _bookmarked,
}
