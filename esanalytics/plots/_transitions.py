"""What follows what, as a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path

from esanalytics.analysis import Flow, flow, thinned
from esanalytics.analysis._asking import positive, share
from esanalytics.plots._labels import every
from esanalytics.plots._layering import Layout
from esanalytics.plots._mapping import FONT, MOST_TYPES, TINY, Curve, Map, mapped
from esanalytics.plots._picture import figure_of
from esanalytics.plots._theme import Palette, Theme, begin, empty, finish, looking, on, ramp, ready
from esanalytics.store import Log, Store, as_log

__all__ = ["transitions"]

_EDGE = 14.0  # around the picture
_LARGEST = (16.0, 14.0)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What is drawn where, on which axes, and by which scale."""

    axes: Axes
    colours: Palette
    found: Flow
    map: Map
    scale: float


def transitions(
    log: Store | Log,
    *,
    activities: float = 1.0,
    connections: float = 1.0,
    most: int = 40,
    least_count: int = 1,
    ax: Axes | None = None,
    theme: Theme = "light",
    **kwargs: Any,  # noqa: ANN401  matplotlib's
) -> Axes:
    """Draw which type directly follows which, in the streams: how often, and the median time between.

    The order in a stream is ``effective_at``, version, position. A box is a type, higher and stronger in
    colour the more events it has, with how many streams start (▶) and end (■) there. Types of one name in two services
    are two boxes. Of more than thirty types the biggest are drawn. Whatever else is left out, each type keeps its most
    frequent connection in and out.

    Args:
        log: a store, or any view of one.
        activities: which share of the types to draw, 0 to 1, the biggest.
        connections: which share of the connections between these to draw, 0 to 1, the most frequent.
        most: how many connections there may be.
        least_count: less frequent connections are left out.
        ax: where to draw; left out: on a new figure, which a notebook shows.
        theme: ``"light"`` or ``"dark"``.
        **kwargs: for the ``PathPatch`` of each connection.

    Raises:
        ValueError: an argument is none of what it can be.

    Example:
        >>> ea.plots.transitions(store.log.where(service="orders"), connections=0.5)  # doctest: +SKIP
    """
    shares = {"activities": share("activities", activities), "connections": share("connections", connections)}
    least, largest = positive("least_count", least_count), positive("most", most)
    ready(ax, theme)
    whole = flow(as_log(log))
    found = thinned(whole, **shares, most_nodes=MOST_TYPES, most=largest, least_count=least)
    laid = mapped(found)
    axes, colours = begin(ax, theme, _size(laid.layout), "What follows what in a stream")
    if not found.nodes:
        empty(axes, colours)
        return finish(axes, theme, "no events")
    drawing = _Drawing(axes, colours, found, laid, _scaled(axes, laid.layout, ax is None))
    _edges(drawing, kwargs)
    _nodes(drawing, theme)
    return finish(axes, theme, _note(found))


def _size(layout: Layout) -> tuple[float, float]:
    wide, high = (layout.width + 2 * _EDGE) / 72 + 0.1, (layout.height + 2 * _EDGE) / 72 + 0.8
    fits = min(1.0, _LARGEST[0] / wide, _LARGEST[1] / high)
    return max(6.0, wide * fits), max(2.4, high * fits)


def _scaled(axes: Axes, layout: Layout, alone: bool) -> float:  # noqa: FBT001  of this module
    """Fit the picture into the axes, and return how many points one of its points has."""
    axes.set(xticks=[], yticks=[], xlim=(-_EDGE, layout.width + _EDGE), ylim=(layout.height + _EDGE, -_EDGE))
    axes.set_aspect("equal", adjustable="box", anchor="NW")
    axes.spines["bottom"].set_visible(False)
    (wide, high), place = figure_of(axes).get_size_inches(), axes.get_position()
    room = (wide * 72 - 8, high * 72 - 56) if alone else (place.width * wide * 72, place.height * high * 72)
    return float(min(1.0, room[0] / (layout.width + 2 * _EDGE), room[1] / (layout.height + 2 * _EDGE)))


def _nodes(drawing: _Drawing, theme: Theme) -> None:
    colour, laid = ramp(theme), drawing.map
    biggest = drawing.found.nodes[0].events
    for nth, (node, box) in enumerate(zip(drawing.found.nodes, laid.boxes, strict=True)):
        x, y = laid.layout.nodes[nth]
        fill = colour(0.75 * (node.events / biggest) ** 0.5)
        corner, size = (x - box.half, y - box.high), (2 * box.half, 2 * box.high)
        style = "round,pad=0,rounding_size=6"
        drawing.axes.add_patch(
            FancyBboxPatch(corner, *size, boxstyle=style, fc=fill, ec=drawing.colours.soft, lw=0.8, zorder=4)
        )
        look: dict[str, Any] = {"ha": "center", "color": on(fill), "parse_math": False, "zorder": 5}
        font = FONT * drawing.scale
        drawing.axes.text(x, y - 1, laid.names[nth], va="bottom", fontsize=font, fontweight="bold", **look)
        drawing.axes.text(x, y + 2, laid.lines[nth], va="top", fontsize=(TINY + 0.5) * drawing.scale, **look)


def _edges(drawing: _Drawing, kwargs: dict[str, Any]) -> None:
    heaviest = max((edge.count for edge in drawing.found.edges), default=1)
    for nth, edge in enumerate(drawing.found.edges):
        thick = (0.9 + 4.6 * edge.count / heaviest) * drawing.scale
        _arrow(drawing, drawing.map.curves[nth], thick, kwargs)
        _write(drawing, nth)


def _arrow(drawing: _Drawing, corners: Curve, thick: float, kwargs: dict[str, Any]) -> None:
    along = corners[-1] - corners[-2]
    ahead = along / (np.hypot(*along) or 1)
    head = 5.0 + 1.1 * thick / drawing.scale
    aside = np.array([-ahead[1], ahead[0]]) * head * 0.55
    base = corners[-1] - ahead * head
    codes = [Path.MOVETO] + [Path.CURVE4] * (len(corners) - 1)
    asked = {("edgecolor" if name == "color" else name): value for name, value in kwargs.items()}  # it has no face
    usual: dict[str, Any] = {"facecolor": "none", "edgecolor": drawing.colours.other, "linewidth": thick, "zorder": 2}
    look = looking(PathPatch, asked, None, capstyle="butt", **usual)
    path = Path(np.vstack([corners[:-1], base]), codes)
    drawing.axes.add_patch(PathPatch(path, **look))
    drawing.axes.add_patch(Polygon([corners[-1], base + aside, base - aside], fc=drawing.colours.soft, lw=0, zorder=3))


def _write(drawing: _Drawing, nth: int) -> None:
    """Write on an edge how often and how long."""
    drawing.axes.text(
        *drawing.map.spots[nth], drawing.map.texts[nth], ha="center", va="center", fontsize=TINY * drawing.scale,
        color=drawing.colours.ink, zorder=6,
        bbox={"boxstyle": "round,pad=0.12", "fc": drawing.colours.paper, "ec": "none", "alpha": 0.85},
    )  # fmt: skip


def _note(found: Flow) -> str:
    nodes, edges, steps = len(found.nodes), len(found.edges), sum(edge.count for edge in found.edges)
    types = every(found.types, "type") if nodes == found.types else f"{nodes} of {found.types:,} types"
    some = f"{edges} of {found.connections:,} connections" if edges < found.connections else every(edges, "connection")
    part = (
        f", the most frequent, with {steps / found.steps:.1%} of {found.steps:,} steps"
        if edges < found.connections
        else ""
    )
    legend = "on a connection: how often, and the median time between, by effective time (UTC)"
    return f"{types}, {some}{part}; {legend}; ▶ streams that start here, ■ that end here"
