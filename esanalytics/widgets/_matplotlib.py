"""A replay that needs no JavaScript of ours: pictures by matplotlib, controls by ipywidgets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import escape
from typing import Any, cast

import ipywidgets as widgets
import traitlets

from esanalytics.analysis._session import ReplaySession
from esanalytics.plots._theme import Theme
from esanalytics.widgets._closing import close_all
from esanalytics.widgets._latest import Latest
from esanalytics.widgets._named import NAMED, Names
from esanalytics.widgets._picture import ReplayPicture
from esanalytics.widgets._placing import Lane, Look
from esanalytics.widgets._tables import Diff, diff_table, event_table, pictured, state_table, status
from esanalytics.widgets._telling import Told

__all__ = ["MatplotlibReplay"]

_SLOWEST, _FASTEST = 0.25, 100.0
_DIFFS = [("step to step", "step"), ("A to B", "marks"), ("real to what-if", "what-if")]


class MatplotlibReplay(widgets.VBox):  # type: ignore[misc]  # ipywidgets have no types
    """A replay as a picture with controls. Pictures that nobody waits for any more are not drawn.

    Args:
        session: the replay; its step, marks and switched off events are those of the view.
        theme: ``"light"`` or ``"dark"``.
        lanes: what has a lane: each service, type or stream.
        speed: events per second, from 0.25 to 100.

    Attributes:
        step: where it stands; can be set and observed.
    """

    step = traitlets.Int(0)

    def __init__(
        self,
        session: ReplaySession,
        *,
        theme: Theme = "light",
        lanes: Lane = "service",
        speed: float = 2.0,
    ) -> None:
        self.session = session
        self.picture = ReplayPicture(session, theme=theme, lanes=lanes)
        self._lock = threading.RLock()
        self._setting = False
        self._note = ""
        self._work: Latest[int] = Latest(self._draw, self._failed)
        self._closed_once = False
        self._make(speed)
        super().__init__(children=self._arranged())
        self.add_class(NAMED)
        self._connect()
        self._settle(session.step)
        self._draw(session.step)

    def redraw(self) -> None:
        """Show what the session is now: its step, its events, its marks, what is switched off.

        It may be called by any thread, also while another one uses the view: it waits for nobody.
        """
        if self._lock.acquire(blocking=False):
            try:
                self._settle(self.session.step)
            finally:
                self._lock.release()
        self._work.ask(self.session.step)

    def look(self, look: Look, lanes: Lane) -> None:
        """Show a part of the events in the timeline; the fold is that of all of them.

        Args:
            look: which part, and how.
            lanes: what has a lane.
        """
        self.picture.look, self.picture.lanes = look, lanes
        self._work.ask(self.session.step)

    def close(self) -> None:
        """Stop the worker, and close all widgets of the view."""
        if not self._closed_once:
            self._closed_once = True
            self._work.close()
            self.unobserve_all()
            close_all(self, self._links)

    def _make(self, speed: float) -> None:
        wide = widgets.Layout
        held = min(_FASTEST, max(_SLOWEST, float(speed)))
        self._search = widgets.Text(placeholder="text in an event", description="search", continuous_update=False)
        self._field = widgets.Dropdown(description="field", layout=wide(width="220px"))
        self._names = Names(layout=wide(display="none"))
        self._image = widgets.Image(format="png", layout=wide(max_width="100%", object_fit="contain"))
        self._slider = widgets.IntSlider(
            0, 0, max(1, len(self.session)), description="event", layout=wide(flex="1 1 240px")
        )
        self._play = widgets.Play(
            0, 0, max(1, len(self.session)), interval=round(1000 / held), layout=wide(display="none")
        )
        self._speed = widgets.BoundedFloatText(
            held, min=_SLOWEST, max=_FASTEST, step=0.25, description="events per second", layout=wide(width="190px")
        )
        self._speed.style.description_width = "initial"
        self._skip = widgets.Checkbox(
            False, description="switch this event off", indent=False, layout=wide(width="auto")
        )
        self._kind = widgets.Dropdown(options=_DIFFS, description="difference", layout=wide(width="260px"))
        self._status, self._event, self._state, self._diff = (
            widgets.HTML(layout=wide(min_width="0", max_width="100%")) for _ in range(4)
        )
        self._buttons = {name: _button(name, told) for name, told in _BUTTONS.items()}
        self._links = [widgets.jslink((self._play, "value"), (self._slider, "value"))]

    def _arranged(self) -> list[Any]:
        by = self._buttons
        moves = [by[name] for name in ("First", "Back", "Play", "Forward", "Last")]
        finding = [self._search, by["Next match"], self._field, by["Next change"], by["Next failure"]]
        return [
            _row(*finding),
            self._image,
            _row(*moves, self._play, self._slider, self._speed),
            _row(self._skip, by["Mark A"], by["Mark B"], self._kind),
            self._status,
            _row(self._event, self._state, self._diff, top=True),
            self._names,
        ]

    def _connect(self) -> None:
        """Let the controls do something."""
        moves: dict[str, Callable[[], int | None]] = {
            "First": lambda: 0,
            "Back": lambda: self.step - 1,
            "Forward": lambda: self.step + 1,
            "Last": lambda: len(self.session),
        }
        for name, place in moves.items():
            self._buttons[name].on_click(lambda _, place=place: self._goto(place()))
        self._buttons["Play"].on_click(lambda _: self._played())
        self._buttons["Next match"].on_click(lambda _: self._found("text", self._search.value))
        self._buttons["Next change"].on_click(lambda _: self._found("field", self._field.value))
        self._buttons["Next failure"].on_click(lambda _: self._found("failure", None))
        self._buttons["Mark A"].on_click(lambda _: self._marked("A"))
        self._buttons["Mark B"].on_click(lambda _: self._marked("B"))
        self._search.observe(lambda change: self._found("text", change["new"]) if change["new"] else None, "value")
        self._speed.observe(lambda change: setattr(self._play, "interval", round(1000 / change["new"])), "value")
        self._play.observe(self._playing, "playing")
        self._slider.observe(lambda change: self._goto(change["new"]), "value")
        self._skip.observe(self._skipped, "value")
        self._kind.observe(lambda _: self._work.ask(self.session.step), "value")
        self.observe(lambda change: self._goto(change["new"]), "step")

    def _goto(self, step: int | None, note: str = "") -> None:
        with self._lock:
            if self._setting or step is None:
                return
            self._note = note
            self.session.goto(step)
            self._settle(self.session.step)
            self._work.ask(self.session.step)

    def _settle(self, step: int) -> None:
        """Set all controls to a step, without any of them answering."""
        with self._lock:
            self._setting = True
            try:
                branch = self.session.branch
                for control in (self._slider, self._play):
                    control.max = max(1, len(branch))
                    control.value = step
                self.step = step
                fields = tuple(column.name for column in branch.columns) or tuple(self.session.state() or ())
                if fields != self._field.options and (branch.columns or fields):
                    self._field.options = fields
                self._skip.disabled = not step
                self._skip.value = bool(step) and branch.events.ids[step - 1] in self.session.skipped
            finally:
                self._setting = False

    def _found(self, what: Any, value: Any) -> None:  # noqa: ANN401  as `ReplaySession.find`
        with self._lock:
            if what != "failure" and not value:
                return self._noted("nothing to look for")
            try:
                step = self.session.find(what, value)
            except ValueError as error:
                return self._noted(str(error))
            if step is None:
                named = {"text": f"with {value!r}", "field": f"that changes {value!r}", "failure": "that failed"}[what]
                return self._noted(f"no later event {named}")
            return self._goto(step)

    def _noted(self, text: str) -> None:
        self._note = text
        self._work.ask(self.session.step)

    def _marked(self, name: str) -> None:
        with self._lock:
            self.session.mark(name)
            self._noted(f"mark {name} is at {self.session.step:,}")

    def _skipped(self, change: Any) -> None:  # noqa: ANN401  traitlets'
        with self._lock:
            step = self.session.step
            if self._setting:
                return
            if not step:  # there is no event to switch off
                self._setting, change["owner"].value, self._setting = True, False, False
                return
            event_id = self.session.branch.events.ids[step - 1]
            if change["new"]:
                self.session.skip(event_id)
            else:
                self.session.restore(event_id)
            self.session.goto(event_id)
            self._settle(self.session.step)
            self._work.ask(self.session.step)

    def _played(self) -> None:
        """Play or pause; the page counts, so that it goes on while the kernel is busy."""
        if not self._play.playing and self.step >= len(self.session):
            self._goto(0)
        self._play.playing = not self._play.playing

    def _playing(self, change: Any) -> None:  # noqa: ANN401  traitlets'
        self._buttons["Play"].description = "Pause" if change["new"] else "Play"

    def _draw(self, step: int) -> None:
        if self.step != self.session.step:  # it moved while the controls were in use
            with self._lock:
                self._settle(self.session.step)
        told = self.picture.teller.at(step)
        self._image.value = self.picture.png(step, fast=True)
        if not self._work.newer:
            self._tell(told)

    def _tell(self, told: Told) -> None:
        self._names.picture = pictured(self.session.entity.title, told)
        self._status.value = status(told, self._note)
        self._event.value = event_table(told)
        self._state.value = state_table(told)
        self._diff.value = diff_table(self.session, cast("Diff", self._kind.value), told.step)

    def _failed(self, error: Exception) -> None:
        told = f"this step cannot be shown: {type(error).__name__}: {error}"
        self._status.value = f'<div role="alert">{escape(told)}</div>'


_BUTTONS = {
    "First": "go before the first event",
    "Back": "one event back",
    "Play": "play the events one after the other",
    "Forward": "one event forward",
    "Last": "go to the last event",
    "Next match": "go to the next event with this text in its id, type, stream or payload",
    "Next change": "go to the next event that changes this field",
    "Next failure": "go to the next event that failed",
    "Mark A": "mark this step as A",
    "Mark B": "mark this step as B",
}


def _button(name: str, told: str) -> Any:  # noqa: ANN401  ipywidgets have no types
    return widgets.Button(description=name, tooltip=told, layout=widgets.Layout(width="auto"))


def _row(*children: Any, top: bool = False) -> Any:  # noqa: ANN401
    align = "flex-start" if top else "center"
    return widgets.HBox(children, layout=widgets.Layout(flex_flow="row wrap", align_items=align, grid_gap="4px 12px"))
