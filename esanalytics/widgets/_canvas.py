"""The canvas of a replay: traits that the page and Python share, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets as t

from esanalytics.analysis import window_of
from esanalytics.widgets._assets import asset, replay_module

__all__ = ["LOOKS", "ReplayCanvas", "canvas_of"]


class ReplayCanvas(anywidget.AnyWidget):
    """The replay in the page. What each trait means is told in `replay`; the page may change all but the first two.

    ``model`` and ``overview`` are JSON texts: what is replayed, and all entities where one is to be picked.
    """

    _esm = replay_module()
    _css = asset("replay.css")

    model = t.Unicode().tag(sync=True)
    overview = t.Unicode().tag(sync=True)
    step = t.Int(0).tag(sync=True)
    skipped = t.List(t.Unicode()).tag(sync=True)
    marks = t.Dict().tag(sync=True)
    bookmarks = t.List(t.Dict()).tag(sync=True)
    selection = t.List(t.Unicode()).tag(sync=True)
    window = t.List(t.Int()).tag(sync=True)
    slider = t.Enum(["event", "time"], "event").tag(sync=True)
    clock = t.Enum(["effective_at", "recorded_at", "position"], "effective_at").tag(sync=True)
    lanes = t.Enum(["service", "type", "stream"], "type").tag(sync=True)
    lane_order = t.Enum(["first", "count", "duration", "name"], "first").tag(sync=True)
    colour = t.Enum(["type", "service", "stream"], "type").tag(sync=True)
    speed = t.Float(2.0, min=0.25, max=100.0).tag(sync=True)
    pace = t.Enum(["steady", "live"], "steady").tag(sync=True)
    playing = t.Bool(default_value=False).tag(sync=True)
    loop = t.Bool(default_value=False).tag(sync=True)
    fold_gaps = t.Bool(default_value=True).tag(sync=True)
    hidden_types = t.List(t.Unicode()).tag(sync=True)
    hidden_services = t.List(t.Unicode()).tag(sync=True)
    search = t.Unicode().tag(sync=True)
    field = t.Unicode().tag(sync=True)
    pinned = t.List(t.Unicode()).tag(sync=True)
    theme = t.Enum(["auto", "light", "dark"], "auto").tag(sync=True)
    diff = t.Enum(["step", "marks", "what-if"], "step").tag(sync=True)

    def look(self) -> dict[str, Any]:
        """Return the traits of how it looks that are not as they are at first."""
        values = {name: getattr(self, name) for name in LOOKS}
        first = {name: self.trait_defaults(name) for name in LOOKS}
        return {name: value for name, value in values.items() if value != first[name]}


LOOKS = (
    "window",
    "slider",
    "clock",
    "lanes",
    "lane_order",
    "colour",
    "speed",
    "pace",
    "loop",
    "fold_gaps",
    "hidden_types",
    "hidden_services",
    "search",
    "field",
    "pinned",
    "theme",
    "diff",
    "selection",
)
"""The traits that say how a replay looks, and are part of its spec."""


def canvas_of(looks: Mapping[str, Any]) -> ReplayCanvas:
    """Make a canvas that looks so.

    Args:
        looks: traits of `LOOKS`; a window may be two instants.

    Raises:
        ValueError: a trait cannot have such a value.
    """
    found = dict(looks)
    if found.get("window") and not all(type(edge) is int for edge in found["window"]):
        found["window"] = list(window_of(found["window"]))
    try:
        return ReplayCanvas(**found)
    except t.TraitError:
        for name, value in found.items():
            trait = ReplayCanvas.class_traits()[name]
            try:
                ReplayCanvas(**{name: value}).close()
            except t.TraitError as error:
                raise ValueError(f"{name}={value!r}; give {_expected(trait)}") from error
        raise


def _expected(trait: t.TraitType[Any, Any]) -> str:
    """Say in a few words what a trait may be."""
    if isinstance(trait, t.Enum):
        return ", ".join(map(repr, trait.values or ()))
    if isinstance(trait, t.Float):
        return f"a number from {trait.min} to {trait.max}"
    if isinstance(trait, t.List):
        return "a list of names" if trait.name != "window" else "two instants, such as ('2026-03-01', '2026-03-08')"
    return "True or False" if isinstance(trait, t.Bool) else "a text"
