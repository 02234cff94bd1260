"""What follows what, as a graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from esanalytics.analysis._asking import positive, share
from esanalytics.analysis._flows import Edge, Flow, flow, thinned
from esanalytics.plots._labels import compact, counted, gap, plain
from esanalytics.plots._layering import Box, Layout, Link, layered
from esanalytics.plots._picture import figure_of
from esanalytics.plots._theme import Palette, Theme, begin, empty, finish, on, ramp
from esanalytics.store import Log, Store, as_log

__all__ = ["transitions"]

_MOST_TYPES = 30
_FONT, _TINY = 9.0, 7.5
_LOOP = 26.0
_EDGE = 14.0  # around the picture
_BULGE, _FARTHEST = 20.0, 64.0
_LARGEST = (16.0, 14.0)
_PLACES = (
    0.5,
    0.45,
    0.55,
    0.4,
    0.6,
    0.35,
    0.65,
    0.3,
    0.7,
    0.25,
    0.75,
    0.2,
    0.8,
    0.15,
    0.85,
)  # of a label along its edge

Rect = tuple[float, float, float, float]
Curve = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What is drawn where, on which axes, and by which scale."""

    axes: Axes
    colours: Palette
    found: Flow
    layout: Layout
    boxes: list[Box]
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
    whole = flow(as_log(log))
    found = thinned(whole, **shares, most_nodes=_MOST_TYPES, most=largest, least_count=least)
    names = _names(found)
    boxes = [_box(found, nth, name) for nth, name in enumerate(names)]
    links = [Link(edge.before, edge.after, edge.count) for edge in found.edges]
    layout = layered(boxes, links)
    axes, colours = begin(ax, theme, _size(layout), "What follows what in a stream")
    if not found.nodes:
        empty(axes, colours)
        return finish(axes, theme, "no events")
    drawing = _Drawing(axes, colours, found, layout, boxes, _scaled(axes, layout, ax is None))
    _edges(drawing, kwargs)
    _nodes(drawing, names, theme)
    return finish(axes, theme, _note(found))


def _names(found: Flow) -> list[str]:
    times = Counter(node.type for node in found.nodes)
    return [
        plain(n.type, 36) if times[n.type] == 1 else f"{plain(n.type, 18)} ({plain(n.service, 12)})"
        for n in found.nodes
    ]


def _second_line(found: Flow, nth: int) -> str:
    node = found.nodes[nth]
    starts = f"   ▶ {node.starts:,}" if node.starts else ""
    ends = f"   ■ {node.ends:,}" if node.ends else ""
    return f"{node.events:,}{starts}{ends}"


def _box(found: Flow, nth: int, name: str) -> Box:
    lines = _wide(name, _FONT, bold=True), _wide(_second_line(found, nth), _TINY + 0.5)
    loops = any(edge.before == edge.after == nth for edge in found.edges)
    much = (found.nodes[nth].events / found.nodes[0].events) ** 0.5
    return Box(max(*lines, 40) / 2 + 9, _LOOP + 42 if loops else 0, 15 + 8 * much)


def _wide(text: str, size: float, *, bold: bool = False) -> float:
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


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


def _nodes(drawing: _Drawing, names: Sequence[str], theme: Theme) -> None:
    colour, biggest = ramp(theme), drawing.found.nodes[0].events
    for nth, (name, node, box) in enumerate(zip(names, drawing.found.nodes, drawing.boxes, strict=True)):
        x, y = drawing.layout.nodes[nth]
        fill = colour(0.75 * (node.events / biggest) ** 0.5)
        corner, size = (x - box.half, y - box.high), (2 * box.half, 2 * box.high)
        style = "round,pad=0,rounding_size=6"
        drawing.axes.add_patch(
            FancyBboxPatch(corner, *size, boxstyle=style, fc=fill, ec=drawing.colours.soft, lw=0.8, zorder=4)
        )
        look: dict[str, Any] = {"ha": "center", "color": on(fill), "parse_math": False, "zorder": 5}
        font = _FONT * drawing.scale
        drawing.axes.text(x, y - 1, name, va="bottom", fontsize=font, fontweight="bold", **look)
        drawing.axes.text(
            x, y + 2, _second_line(drawing.found, nth), va="top", fontsize=(_TINY + 0.5) * drawing.scale, **look
        )


def _edges(drawing: _Drawing, kwargs: dict[str, Any]) -> None:
    taken: list[Rect] = [
        (x - box.half, y - box.high, x + box.half, y + box.high)
        for (x, y), box in zip(drawing.layout.nodes, drawing.boxes, strict=True)
    ]
    heaviest = max((edge.count for edge in drawing.found.edges), default=1)
    for nth, edge in enumerate(drawing.found.edges):
        thick = (0.9 + 4.6 * edge.count / heaviest) * drawing.scale
        corners = _corners(drawing, nth, edge)
        _arrow(drawing, corners, thick, kwargs)
        _write(drawing, edge, _along(corners), taken)


def _corners(drawing: _Drawing, nth: int, edge: Edge) -> Curve:
    """Find the corners of the Bézier curves of an edge: a first point, and three more for each curve."""
    x, y = drawing.layout.nodes[edge.before]
    box = drawing.boxes[edge.before]
    if edge.before == edge.after:
        right, high = x + box.half, box.high * 0.5
        return np.array(
            [(right, y - high), (right + _LOOP, y - 2.2 * high), (right + _LOOP, y + 2.2 * high), (right, y + high)]
        )
    route = drawing.layout.routes[nth]
    if drawing.layout.flat[nth]:
        return _bow(drawing, edge)
    found = [route[0]]
    for (ax, ay), (bx, by) in pairwise(route):
        middle = (by - ay) * 0.5
        found += [(ax, ay + middle), (bx, by - middle), (bx, by)]
    return np.array(found)


def _bow(drawing: _Drawing, edge: Edge) -> Curve:
    """Lead an edge between two nodes of a layer over them to the right, and under them to the left."""
    (ax, ay), (bx, by) = drawing.layout.nodes[edge.before], drawing.layout.nodes[edge.after]
    side = -1 if ax < bx else 1
    ay, by = ay + side * drawing.boxes[edge.before].high, by + side * drawing.boxes[edge.after].high
    out = side * min(_BULGE + 0.07 * abs(bx - ax), _FARTHEST)
    return np.array([(ax, ay), (ax, ay + out), (bx, by + out), (bx, by)])


def _arrow(drawing: _Drawing, corners: Curve, thick: float, kwargs: dict[str, Any]) -> None:
    along = corners[-1] - corners[-2]
    ahead = along / (np.hypot(*along) or 1)
    head = 5.0 + 1.1 * thick / drawing.scale
    aside = np.array([-ahead[1], ahead[0]]) * head * 0.55
    base = corners[-1] - ahead * head
    codes = [Path.MOVETO] + [Path.CURVE4] * (len(corners) - 1)
    look = {"facecolor": "none", "edgecolor": drawing.colours.other, "lw": thick, "zorder": 2, "capstyle": "butt"}
    path = Path(np.vstack([corners[:-1], base]), codes)
    drawing.axes.add_patch(PathPatch(path, **{**look, **kwargs}))
    drawing.axes.add_patch(Polygon([corners[-1], base + aside, base - aside], fc=drawing.colours.soft, lw=0, zorder=3))


def _along(corners: Curve) -> Curve:
    """Find many points of an edge."""
    t = np.linspace(0, 1, 40)[:, None]
    parts = [corners[n : n + 4] for n in range(0, len(corners) - 1, 3)]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    return np.vstack([sum((w * p for w, p in zip(weights, part, strict=True)), np.zeros((1, 2))) for part in parts])


def _write(drawing: _Drawing, edge: Edge, line: Curve, taken: list[Rect]) -> None:
    """Write on an edge how often and how long, where it hides least."""
    text = f"{compact(edge.count)} · {gap(edge.gap)}"
    wide, high = _wide(text, _TINY) / 2 + 2, _TINY / 2 + 2
    loops = edge.before == edge.after
    spots = [line[int(place * (len(line) - 1))] for place in _PLACES]
    spots = [np.array([line[:, 0].max() + wide + 2, line[:, 1].mean()])] if loops else spots
    rects = [(x - wide, y - high, x + wide, y + high) for x, y in spots]
    best = min(range(len(rects)), key=lambda n: (sum(_shared(rects[n], other) for other in taken), n))
    taken.append(rects[best])
    x, y = spots[best]
    drawing.axes.text(
        x, y, text, ha="center", va="center", fontsize=_TINY * drawing.scale, color=drawing.colours.ink, zorder=6,
        bbox={"boxstyle": "round,pad=0.12", "fc": drawing.colours.paper, "ec": "none", "alpha": 0.85},
    )  # fmt: skip


def _shared(a: Rect, b: Rect) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _note(found: Flow) -> str:
    nodes, edges, steps = len(found.nodes), len(found.edges), sum(edge.count for edge in found.edges)
    types = f"all {counted(found.types, 'type')}" if nodes == found.types else f"{nodes} of {found.types:,} types"
    some = (
        f"{edges} of {found.connections:,} connections"
        if edges < found.connections
        else f"all {counted(edges, 'connection')}"
    )
    part = (
        f", the most frequent, with {steps / found.steps:.1%} of {found.steps:,} steps"
        if edges < found.connections
        else ""
    )
    legend = "on a connection: how often, and the median time between, by effective time (UTC)"
    return f"{types}, {some}{part}; {legend}; ▶ streams that start here, ■ that end here"
