"""A layout for graphs in layers: what comes first stands on top, edges run around the nodes between.

All lengths are points; x goes to the right, y goes down. It goes in steps: an order of the nodes against which few
edges run; layers by the strong edges along it; places inside the layers near to neighbours; then coordinates.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Box", "Layout", "Link", "Spot", "layered"]

_STRONG = 0.3  # of a node's most frequent edge in, from where an edge decides on its layer
_ASIDE, _BELOW, _APART = 26.0, 42.0, 44.0  # between nodes, layers, and parts of the graph
_MORE, _LOWEST = 3.5, 110.0  # what each edge between two layers adds to their distance, and how far that goes
_THIN = 16.0  # what an edge needs where it passes between nodes
_WIDEST = 1_000.0
_SWEEPS = 16
_PORTS = 0.62  # of a node's width, over which its edges are spread

Spot = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """How much room a node needs, around its middle: half its width, what it needs beside that, half its height."""

    half: float
    beside: float
    high: float


@dataclass(frozen=True, slots=True)
class Link:
    """An edge, by the places of its nodes, and how much it weighs."""

    before: int
    after: int
    weight: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    Attributes:
        nodes: the middle of each.
        routes: for each edge the points it goes through, all upright but a loop's; empty for an edge onto itself.
        flat: for each edge whether it joins two nodes of one layer, and goes over them in a bow.
        width, height: of it all.
    """

    nodes: tuple[Spot, ...]
    routes: tuple[tuple[Spot, ...], ...]
    flat: tuple[bool, ...]
    width: float
    height: float


@dataclass(slots=True)
class _Chart:
    """A part of the graph with the stops that its edges make in the layers between."""

    boxes: dict[int, Box]
    layer: dict[int, int]
    ways: dict[int, list[int]]  # edge → its node above, its stops, its node below
    rows: list[list[int]]
    near: dict[int, list[tuple[int, float]]]


def layered(boxes: Sequence[Box], links: Sequence[Link]) -> Layout:
    """Lay a graph out, part by part, the parts beside and below each other."""
    nodes: list[Spot] = [(0.0, 0.0)] * len(boxes)
    routes: list[tuple[Spot, ...]] = [()] * len(links)
    flat = [False] * len(links)
    left = top = width = high = 0.0
    for part in _parts(len(boxes), links):
        found, ways, wide, tall = _part(part, boxes, links)
        if left and left + wide > _WIDEST:
            left, top, high = 0.0, top + high + _APART, 0.0
        for node, (x, y) in found.items():
            nodes[node] = x + left, y + top
        for edge, way in ways.items():
            routes[edge] = tuple((x + left, y + top) for x, y in way)
            flat[edge] = len(way) == 2 and found[links[edge].before][1] == found[links[edge].after][1]  # noqa: PLR2004  ends
        left, high = left + wide + _APART, max(high, tall)
        width = max(width, left - _APART)
    return Layout(tuple(nodes), tuple(routes), tuple(flat), width, top + high)


def _parts(many: int, links: Iterable[Link]) -> list[list[int]]:
    """Find the parts that no edge joins."""
    root = list(range(many))

    def top(node: int) -> int:
        while root[node] != node:
            root[node] = node = root[root[node]]
        return node

    for link in links:
        root[max(top(link.before), top(link.after))] = min(top(link.before), top(link.after))
    found = defaultdict(list)
    for node in range(many):
        found[top(node)].append(node)
    return sorted(found.values(), key=lambda part: (-len(part), part))


def _part(
    nodes: list[int], boxes: Sequence[Box], links: Sequence[Link]
) -> tuple[dict[int, Spot], dict[int, list[Spot]], float, float]:
    own = set(nodes)
    edges = {n: link for n, link in enumerate(links) if link.before in own and link.before != link.after}
    chart = _chart(_layers(_sequence(nodes, edges.values()), edges.values()), boxes, edges)
    _untangle(chart)
    x = _across(chart)
    edge = min(x[spot] - chart.boxes[spot].half for spot in x)
    x = {spot: at - edge for spot, at in x.items()}
    y = _down(chart)
    wide = max(x[spot] + chart.boxes[spot].half + chart.boxes[spot].beside for spot in x)
    tall = max(y[node] + boxes[node].high for node in nodes)
    ways = _routes(chart, edges, x, y)
    return {node: (x[node], y[node]) for node in nodes}, ways, wide, tall


def _sequence(nodes: Sequence[int], links: Iterable[Link]) -> list[int]:
    """Put nodes in an order against which little runs, after Eades, Lin and Smyth."""
    weight: dict[tuple[int, int], int] = {(link.before, link.after): link.weight for link in links}
    left, first, last = list(nodes), [], []
    while left:
        out = {n: sum(weight.get((n, other), 0) for other in left) for n in left}
        into = {n: sum(weight.get((other, n), 0) for other in left) for n in left}
        sink = next((n for n in left if not out[n]), None)
        if sink is not None and len(left) > 1:
            last.append(sink)
        else:
            sink = next((n for n in left if not into[n]), None)
            sink = max(left, key=lambda n: (out[n] - into[n], -n)) if sink is None else sink
            first.append(sink)
        left.remove(sink)
    return first + last[::-1]


def _layers(order: Sequence[int], links: Iterable[Link]) -> dict[int, int]:
    """Give each node a layer, below what strongly leads to it."""
    place = {node: nth for nth, node in enumerate(order)}
    into, out = defaultdict(list), defaultdict(list)
    for link in links:
        if place[link.before] < place[link.after]:
            into[link.after].append(link)
            out[link.before].append(link)
    layer: dict[int, int] = {}
    for node in order:
        enough = _STRONG * max((link.weight for link in into[node]), default=0)
        layer[node] = max((layer[link.before] + 1 for link in into[node] if link.weight >= enough), default=0)
    for node in reversed(order):
        if not into[node] and out[node]:
            layer[node] = max(0, min(layer[link.after] for link in out[node]) - 1)
    return layer


def _chart(layer: dict[int, int], boxes: Sequence[Box], edges: dict[int, Link]) -> _Chart:
    chart = _Chart({node: boxes[node] for node in layer}, dict(layer), {}, [], defaultdict(list))
    stop = len(boxes)
    for number, link in edges.items():
        upper, lower = sorted((link.before, link.after), key=lambda node: layer[node])
        way = [upper]
        for between in range(layer[upper] + 1, layer[lower]):
            chart.boxes[stop], chart.layer[stop] = Box(_THIN / 2, 0, 0), between
            way.append(stop)
            stop += 1
        way.append(lower)
        chart.ways[number] = way
        for above, below in pairwise(way):
            pull = link.weight**0.5 * (1 if above in layer or below in layer else 4)
            chart.near[above].append((below, pull))
            chart.near[below].append((above, pull))
    chart.rows = [[] for _ in range(max(chart.layer.values()) + 1)]
    for spot, at in chart.layer.items():
        chart.rows[at].append(spot)
    return chart


def _untangle(chart: _Chart) -> None:
    """Sort the layers so that few edges cross, by the means of the neighbours' places."""
    best, crossed = [list(row) for row in chart.rows], _crossings(chart)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in chart.rows if down else chart.rows[::-1]:
            place = {spot: nth for other in chart.rows for nth, spot in enumerate(other)}
            side = -1 if down else 1
            row.sort(key=lambda spot: _mean(chart, spot, place, side))
        now = _crossings(chart)
        if now < crossed:
            best, crossed = [list(row) for row in chart.rows], now
    chart.rows = best


def _mean(chart: _Chart, spot: int, place: dict[int, int], side: int) -> float:
    there = [(place[n], pull) for n, pull in chart.near[spot] if chart.layer[n] == chart.layer[spot] + side]
    total = sum(pull for _, pull in there)
    return sum(at * pull for at, pull in there) / total if total else float(place[spot])


def _crossings(chart: _Chart) -> int:
    place = {spot: nth for row in chart.rows for nth, spot in enumerate(row)}
    pairs = defaultdict(list)
    for way in chart.ways.values():
        for above, below in pairwise(way):
            pairs[chart.layer[above]].append((place[above], place[below]))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0 for found in pairs.values() for n, a in enumerate(found) for b in found[:n]
    )


def _across(chart: _Chart) -> dict[int, float]:
    """Give each spot its x: near to its neighbours, and clear of those beside it."""
    x: dict[int, float] = {}
    for row in chart.rows:
        at = _clear(chart, row, [0.0] * len(row))
        x.update(zip(row, at, strict=True))
    for _ in range(_SWEEPS):
        for row in (*chart.rows, *chart.rows[::-1]):
            wanted = []
            for spot in row:
                total = sum(pull for _, pull in chart.near[spot])
                wanted.append(sum(x[n] * pull for n, pull in chart.near[spot]) / total if total else x[spot])
            x.update(zip(row, _clear(chart, row, wanted), strict=True))
    return x


def _clear(chart: _Chart, row: Sequence[int], wanted: Sequence[float]) -> list[float]:
    """Move spots apart: the mean of moving all to the right, and all to the left."""
    boxes = [chart.boxes[spot] for spot in row]
    apart = [a.half + a.beside + b.half + _ASIDE for a, b in pairwise(boxes)]
    right, left = list(wanted), list(wanted)
    for n in range(1, len(row)):
        right[n] = max(right[n], right[n - 1] + apart[n - 1])
    for n in range(len(row) - 2, -1, -1):
        left[n] = min(left[n], left[n + 1] - apart[n])
    return [(a + b) / 2 for a, b in zip(right, left, strict=True)]


def _down(chart: _Chart) -> dict[int, float]:
    y: dict[int, float] = {}
    top = 0.0
    passing = Counter(chart.layer[spot] for way in chart.ways.values() for spot in way[:-1])
    passing.update(
        chart.layer[way[0]] - 1 for way in chart.ways.values() if chart.layer[way[0]] == chart.layer[way[-1]]
    )
    for nth, row in enumerate(chart.rows):
        high = max(chart.boxes[spot].high for spot in row)
        y.update(dict.fromkeys(row, top + high))
        top += 2 * high + min(_BELOW + _MORE * passing[nth], _LOWEST)
    return y


def _routes(chart: _Chart, edges: dict[int, Link], x: dict[int, float], y: dict[int, float]) -> dict[int, list[Spot]]:
    """Find the points that each edge goes through, from its first node to its second."""
    ports = _ports(chart, x)
    found = {}
    for number, way in chart.ways.items():
        flat = chart.layer[way[0]] == chart.layer[way[-1]]
        first, last = way[0], way[-1]
        under = 0 if flat else chart.boxes[first].high
        over = 0 if flat else chart.boxes[last].high
        points = [(ports[number, first], y[first] + under), *((x[spot], y[spot]) for spot in way[1:-1])]
        points.append((ports[number, last], y[last] - over))
        found[number] = points if edges[number].before == first else points[::-1]
    return found


def _ports(chart: _Chart, x: dict[int, float]) -> dict[tuple[int, int], float]:
    """Spread the ends of edges over the upper and lower sides of their nodes, in the order of where they go."""
    sides = defaultdict(list)
    for number, way in chart.ways.items():
        if chart.layer[way[0]] != chart.layer[way[-1]]:
            sides[way[0], "below"].append((x[way[1]], number))
            sides[way[-1], "above"].append((x[way[-2]], number))
    found = {(number, node): x[node] for number, way in chart.ways.items() for node in (way[0], way[-1])}
    for (node, _), ends in sides.items():
        wide = 2 * chart.boxes[node].half * _PORTS
        step = min(wide / len(ends), 34.0)
        for nth, (_, number) in enumerate(sorted(ends)):
            found[number, node] = x[node] + (nth - (len(ends) - 1) / 2) * step
    return found
