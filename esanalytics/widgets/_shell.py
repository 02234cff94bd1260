"""The shell around a replay's canvas: filters, search and a player out of ipywidgets, most of it linked in the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from esanalytics.widgets._canvas import ReplayCanvas
from esanalytics.widgets._closing import close_all
from esanalytics.widgets._named import NAMED, Names

__all__ = ["Shell"]

_WIDE = "420px"
_ROWS = 8
_LISTED = 50

Kind = tuple[str, int]
Entity = tuple[str, str, int]


class Shell:
    """Controls for a canvas.

    Args:
        canvas: what they control.
        find: gives the entities that a text may mean; None: there is one entity only.
        open_: shows an entity, by service and stream.

    Attributes:
        box: the widget that holds them.
    """

    def __init__(
        self,
        canvas: ReplayCanvas,
        find: Callable[[str], Sequence[Entity]] | None,
        open_: Callable[[str, str], object],
    ) -> None:
        self._canvas, self._find, self._open = canvas, find, open_
        self._links: list[Any] = []
        self._found: dict[str, tuple[str, str]] = {}
        self._player = self._made_player()
        self._search = w.Text(description="search", placeholder="ids, types, payloads", continuous_update=False)
        self._link(self._search, "value", "search")
        self._types = self._made_filter("types", "hidden_types")
        self._services = self._made_filter("services", "hidden_services")
        rows = [w.HBox([*self._made_entity(), self._search]), w.HBox([self._services, self._types]), self._player]
        for row in rows:
            row.layout.flex_flow = "row wrap"
        self.box = w.Accordion(
            [w.VBox([*rows, Names(layout=w.Layout(display="none"))])],
            titles=("Filters and player",),
            selected_index=None,
        )
        self.box.add_class(NAMED)

    def show(self, services: Sequence[Kind], types: Sequence[Kind]) -> None:
        """Offer these services and types, with their counts."""
        for options, kinds in ((self._services, services), (self._types, types)):
            options.options = [(f"{name} ({count:,})", name) for name, count in kinds]
        self._from_page()

    def steps(self, count: int) -> None:
        """Offer so many steps; the slider stays where the canvas is."""
        slider, most = self._slider, max(1, count)
        with slider.hold_sync():
            slider.max = max(slider.max, most)
            slider.value = min(most, self._canvas.step)
            slider.max = most
        slider.disabled = self._play.disabled = count == 0

    def close(self) -> None:
        """Close all widgets, with their layouts and styles."""
        self._canvas.unobserve(self._from_page, ["hidden_types", "hidden_services"])
        close_all(*self._links, self.box)

    def _made_player(self) -> w.Widget:
        self._play = w.ToggleButton(description="play", icon="play", tooltip="play or pause")
        self._slider = w.IntSlider(description="step", min=0, max=1)
        self._speed = w.BoundedFloatText(description="speed", min=0.25, max=100, step=0.25, tooltip="events per second")
        self._loop = w.Checkbox(description="loop", indent=False)
        pairs = ((self._play, "playing"), (self._slider, "step"), (self._speed, "speed"), (self._loop, "loop"))
        for control, trait in pairs:
            self._link(control, "value", trait)
        return w.HBox([self._play, self._slider, self._speed, self._loop])

    def _made_filter(self, name: str, trait: str) -> w.SelectMultiple:
        made = w.SelectMultiple(description=name, rows=_ROWS, layout=w.Layout(width=_WIDE))
        made.tooltip = f"the {name} that are shown; none marked: all"

        def chosen(change: dict[str, Any]) -> None:
            marked = set(change["new"])
            hidden = [value for _, value in made.options if marked and value not in marked]
            if sorted(hidden) != sorted(getattr(self._canvas, trait)):
                setattr(self._canvas, trait, hidden)

        made.observe(chosen, "value")
        self._canvas.observe(self._from_page, trait)
        return made

    def _from_page(self, _: object = None) -> None:
        """Mark what the page shows."""
        pairs = ((self._types, self._canvas.hidden_types), (self._services, self._canvas.hidden_services))
        for options, hidden in pairs:
            names = [value for _, value in options.options]
            options.value = tuple(name for name in names if name not in hidden) if hidden else ()

    def _made_entity(self) -> list[w.Widget]:
        if self._find is None:
            return []
        made = w.Combobox(description="entity", placeholder="begin to write its id", layout=w.Layout(width=_WIDE))
        made.observe(lambda change: self._picked(made, str(change["new"])), "value")
        return [made]

    def _picked(self, control: w.Combobox, text: str) -> None:
        if text in self._found:
            self._open(*self._found[text])
        elif self._find is not None:
            found = self._find(text)[:_LISTED]
            self._found = {f"{stream} · {service} ({count:,})": (service, stream) for service, stream, count in found}
            control.options = tuple(self._found)

    def _link(self, control: w.Widget, name: str, trait: str) -> None:
        """Tie a control to the canvas in the page, so that it works without the kernel.

        The canvas comes first: a page that opens late takes what it says, and not what the control was made with.
        """
        setattr(control, name, getattr(self._canvas, trait))
        self._links.append(w.jslink((self._canvas, trait), (control, name)))
