"""The canvas of a replay: traits that the page and Python share, and nothing else."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets as t

from esanalytics.widgets._assets import asset, replay_module

__all__ = ["LOOKS", "ReplayCanvas"]


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
