"""A whole log without JavaScript of ours: a picture, filters, and an entity to replay."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np

from esanalytics.analysis._chosen import Chosen
from esanalytics.analysis._overview import Overview
from esanalytics.plots._labels import counted
from esanalytics.plots._theme import Theme
from esanalytics.store import Log, Store, as_log
from esanalytics.widgets._bundle import png_of
from esanalytics.widgets._closing import close_all
from esanalytics.widgets._latest import Latest
from esanalytics.widgets._lettering import moment
from esanalytics.widgets._named import NAMED, Names
from esanalytics.widgets._overview_picture import overview_figure

__all__ = ["MatplotlibOverview"]

_STOPS = 240
_OFFERED = 50


class MatplotlibOverview(widgets.VBox):  # type: ignore[misc]  # ipywidgets have no types
    """All entities of a log, to choose one.

    Args:
        log: a store, a view of one, or what already looks over it.
        open: is called with the service and the stream of the entity that is to be replayed.
        title: plain text.
        theme: ``"light"`` or ``"dark"``.
    """

    def __init__(
        self,
        log: Store | Log | Overview,
        open: Callable[[str, str], object],  # noqa: A002  what the button does
        *,
        title: str = "All entities",
        theme: Theme = "light",
    ) -> None:
        self.overview = log if isinstance(log, Overview) else Overview(as_log(log))
        self._open = open
        self._title = title
        self._theme: Theme = theme
        self._lock = threading.RLock()
        self._offered: dict[str, tuple[str, str]] = {}
        self._draws: Latest[None] = Latest(lambda _: self._draw(), self._failed)
        self._finds: Latest[str] = Latest(self._offer, self._failed)
        self._closed_once = False
        self._make()
        super().__init__(children=self._arranged())
        self.add_class(NAMED)
        self._connect()
        self._offer("")
        self._draw()

    @property
    def window(self) -> tuple[int, int]:
        """What is shown, in microseconds, the end excluded."""
        start, end = self._window.value
        return int(start), int(end)

    @property
    def chosen(self) -> Chosen:
        """Which events are shown."""
        return Chosen(services=tuple(self._services.value) or None, types=tuple(self._types.value) or None)

    def redraw(self) -> None:
        """Draw the picture anew."""
        self._draws.ask(None)

    def look(
        self,
        *,
        hidden_types: Iterable[str] = (),
        hidden_services: Iterable[str] = (),
        window: Sequence[int] | None = None,
    ) -> None:
        """Show a part of the events.

        Args:
            hidden_types: whose events are left out.
            hidden_services: likewise.
            window: from an instant up to before another, in microseconds, widened to what the slider can say; None or
                empty: all.
        """
        for control, names in ((self._types, hidden_types), (self._services, hidden_services)):
            hidden = set(names)
            control.value = tuple(name for _, name in control.options if hidden and name not in hidden)
        stops = [us for _, us in self._window.options]
        first, last = 0, len(stops) - 1
        if window:
            first = max(0, bisect.bisect_right(stops, int(window[0])) - 1)
            last = min(last, bisect.bisect_left(stops, int(window[1])))
        self._window.index = (first, max(first, last))

    def close(self) -> None:
        """Stop the workers, and close all widgets of the view."""
        if not self._closed_once:
            self._closed_once = True
            self._draws.close()
            self._finds.close()
            close_all(self)

    def _make(self) -> None:
        wide = widgets.Layout
        start, end = self.overview.span
        stops = sorted({int(us) for us in np.linspace(start, max(end, start + 1), _STOPS + 1).round()})
        self._window = widgets.SelectionRangeSlider(
            options=_named(stops),
            index=(0, len(stops) - 1),
            description="window",
            continuous_update=True,
            layout=wide(width="96%"),
        )
        services = [(f"{name} ({events:,})", name) for name, events in self.overview.services]
        kinds = _summed(self.overview.types)
        types = [(f"{name} ({events:,})", name) for name, events in kinds.items()]
        self._services = widgets.SelectMultiple(options=services, description="service", rows=4)
        self._types = widgets.SelectMultiple(options=types, description="type", rows=4)
        self._entity = widgets.Combobox(placeholder="part of an id", description="entity", continuous_update=True)
        self._replay = widgets.Button(description="Replay", tooltip="replay this entity", button_style="primary")
        self._names = Names(layout=wide(display="none"))
        self._image = widgets.Image(format="png", layout=wide(max_width="100%", object_fit="contain"))
        self._status = widgets.HTML()

    def _arranged(self) -> list[Any]:
        wrapped = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 12px")
        choosing = widgets.HBox([self._services, self._types, self._entity, self._replay], layout=wrapped)
        return [self._image, self._window, choosing, self._status, self._names]

    def _connect(self) -> None:
        for control in (self._window, self._services, self._types):
            control.observe(lambda _: self._draws.ask(None), "value")
        self._entity.observe(lambda change: self._finds.ask(change["new"]), "value")
        self._replay.on_click(lambda _: self._opened())

    def _opened(self) -> None:
        """Open the entity that is named, or the only one that fits."""
        name = self._entity.value
        with self._lock:
            known = self._offered.get(name)
        found = [(s, k) for s, k, _ in self.overview.entities(name, _OFFERED)] if known is None and name else []
        exact = [pair for pair in found if pair[1] == name]
        fitting = [known] if known else exact or found
        if len(fitting) == 1:
            self._open(*fitting[0])
            return
        near = ", ".join(repr(_label(pair)) for pair in fitting[:3])
        told = f"{len(fitting)} entities fit; choose one: {near}" if fitting else f"no entity has {name!r} in its id"
        self._tell(told if name else "name an entity first")

    def _offer(self, text: str) -> None:
        """Offer entities that fit what is typed; what was chosen stays among them."""
        with self._lock:
            if text in self._offered:
                return
        found = {_label((s, k)): (s, k) for s, k, _ in self.overview.entities(text, _OFFERED)}
        with self._lock:
            self._offered = found
            self._entity.options = list(found)

    def _draw(self) -> None:
        window = self.window
        if window == (self.overview.span[0], max(self.overview.span[1], self.overview.span[0] + 1)):
            window = self.overview.span
        figure = overview_figure(self.overview, self._title, window=window, chosen=self.chosen, theme=self._theme)
        self._image.value = png_of(figure, fast=True)
        told = f"{moment(window[0])} to {moment(window[1])} UTC" if window[1] else counted(0, "event")
        self._names.picture = f"{self._title}: {told}"
        self._tell(told)

    def _tell(self, text: str) -> None:
        self._status.value = f'<div role="status" aria-live="polite">{escape(text)}</div>'

    def _failed(self, error: Exception) -> None:
        self._tell(f"this cannot be shown: {type(error).__name__}: {error}")


def _label(pair: tuple[str, str]) -> str:
    return f"{pair[1]} ({pair[0]})"


def _named(stops: list[int]) -> list[tuple[str, int]]:
    """Name instants, each otherwise, for a slider finds them by their names."""
    return [(moment(us)[:19] if stops[-1] - stops[0] > _STOPS * 10**6 else moment(us), us) for us in stops]


def _summed(types: list[tuple[str, str, int, int, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, name, events, *_ in types:
        found[name] = found.get(name, 0) + events
    return found
