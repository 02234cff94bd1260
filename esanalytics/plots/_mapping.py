"""The map of what follows what, as numbers: which boxes there are, how connections run, where their labels stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from esanalytics.analysis._flows import Edge, Flow
from esanalytics.plots._labels import compact, gap, plain
from esanalytics.plots._layering import Box, Layout, Link, layered

__all__ = ["FONT", "MOST_TYPES", "TINY", "Curve", "Map", "mapped"]

MOST_TYPES = 30
"""More boxes than these are no picture any more."""
FONT, TINY = 9.0, 7.5
"""Sizes of names and of numbers, in points."""
_LOOP = 26.0
_BULGE, _FARTHEST = 20.0, 64.0
_PLACES = (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7, 0.25, 0.75, 0.2, 0.8, 0.15, 0.85)  # of a label on its edge

Rect = tuple[float, float, float, float]
Curve = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Map:
    """A flow laid out; all lengths are points, x goes to the right and y down.

    Attributes:
        names, lines: what stands in each box, in two lines.
        boxes: how large they are.
        layout: where they are.
        curves: of each edge the corners of its Bézier curves: a first point, and three more for each curve.
        texts: what is written on each edge.
        spots: where.
    """

    names: tuple[str, ...]
    lines: tuple[str, ...]
    boxes: tuple[Box, ...]
    layout: Layout
    curves: tuple[Curve, ...]
    texts: tuple[str, ...]
    spots: tuple[tuple[float, float], ...]


def mapped(found: Flow, written: Callable[[str, int], str] = plain) -> Map:
    """Lay a flow out.

    Args:
        found: what is drawn.
        written: makes a name fit for the picture, from it and the most characters it may have.
    """
    names = _names(found, written)
    lines = [_second_line(found, nth) for nth in range(len(found.nodes))]
    boxes = [_box(found, nth, name, line) for nth, (name, line) in enumerate(zip(names, lines, strict=True))]
    layout = layered(boxes, [Link(edge.before, edge.after, edge.count) for edge in found.edges])
    curves = [_corners(layout, boxes, nth, edge) for nth, edge in enumerate(found.edges)]
    texts = [f"{compact(edge.count)} · {gap(edge.gap)}" for edge in found.edges]
    taken: list[Rect] = [
        (x - box.half, y - box.high, x + box.half, y + box.high)
        for (x, y), box in zip(layout.nodes, boxes, strict=True)
    ]
    spots = [
        _spot(edge, text, _along(curve), taken) for edge, text, curve in zip(found.edges, texts, curves, strict=True)
    ]
    return Map(tuple(names), tuple(lines), tuple(boxes), layout, tuple(curves), tuple(texts), tuple(spots))


def _names(found: Flow, written: Callable[[str, int], str]) -> list[str]:
    times = Counter(node.type for node in found.nodes)
    return [
        written(n.type, 36) if times[n.type] == 1 else f"{written(n.type, 18)} ({written(n.service, 12)})"
        for n in found.nodes
    ]


def _second_line(found: Flow, nth: int) -> str:
    node = found.nodes[nth]
    starts = f"   ▶ {node.starts:,}" if node.starts else ""
    ends = f"   ■ {node.ends:,}" if node.ends else ""
    return f"{node.events:,}{starts}{ends}"


def _box(found: Flow, nth: int, name: str, line: str) -> Box:
    lines = _wide(name, FONT, bold=True), _wide(line, TINY + 0.5)
    loops = any(edge.before == edge.after == nth for edge in found.edges)
    much = (found.nodes[nth].events / max(1, found.nodes[0].events)) ** 0.5
    return Box(max(*lines, 40) / 2 + 9, _LOOP + 42 if loops else 0, 15 + 8 * min(1.0, much))


def _wide(text: str, size: float, *, bold: bool = False) -> float:
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    shown = plain(text, len(text) + 1).replace("□", "W")  # as wide as what only a page can draw
    return float(text_to_path.get_text_width_height_descent(shown, font, ismath=False)[0])


def _corners(layout: Layout, boxes: list[Box], nth: int, edge: Edge) -> Curve:
    x, y = layout.nodes[edge.before]
    box = boxes[edge.before]
    if edge.before == edge.after:
        right, high = x + box.half, box.high * 0.5
        return np.array(
            [(right, y - high), (right + _LOOP, y - 2.2 * high), (right + _LOOP, y + 2.2 * high), (right, y + high)]
        )
    if layout.flat[nth]:
        return _bow(layout, boxes, edge)
    route = layout.routes[nth]
    found = [route[0]]
    for (ax, ay), (bx, by) in pairwise(route):
        middle = (by - ay) * 0.5
        found += [(ax, ay + middle), (bx, by - middle), (bx, by)]
    return np.array(found)


def _bow(layout: Layout, boxes: list[Box], edge: Edge) -> Curve:
    """Lead an edge between two nodes of a layer over them to the right, and under them to the left."""
    (ax, ay), (bx, by) = layout.nodes[edge.before], layout.nodes[edge.after]
    side = -1 if ax < bx else 1
    ay, by = ay + side * boxes[edge.before].high, by + side * boxes[edge.after].high
    out = side * min(_BULGE + 0.07 * abs(bx - ax), _FARTHEST)
    return np.array([(ax, ay), (ax, ay + out), (bx, by + out), (bx, by)])


def _along(corners: Curve) -> Curve:
    """Find many points of an edge."""
    t = np.linspace(0, 1, 40)[:, None]
    parts = [corners[n : n + 4] for n in range(0, len(corners) - 1, 3)]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    return np.vstack([sum((w * p for w, p in zip(weights, part, strict=True)), np.zeros((1, 2))) for part in parts])


def _spot(edge: Edge, text: str, line: Curve, taken: list[Rect]) -> tuple[float, float]:
    """Choose where the label of an edge hides least, and note that it stands there."""
    wide, high = _wide(text, TINY) / 2 + 2, TINY / 2 + 2
    spots = [line[int(place * (len(line) - 1))] for place in _PLACES]
    if edge.before == edge.after:
        spots = [np.array([line[:, 0].max() + wide + 2, line[:, 1].mean()])]
    rects = [(x - wide, y - high, x + wide, y + high) for x, y in spots]
    best = min(range(len(rects)), key=lambda n: (sum(_shared(rects[n], other) for other in taken), n))
    taken.append(rects[best])
    return float(spots[best][0]), float(spots[best][1])


def _shared(a: Rect, b: Rect) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
