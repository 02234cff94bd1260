"""What follows what, as the page of an explorer knows it: counts, and a map of them as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from esanalytics.analysis import Edge, Flow, Flows, Node, thinned
from esanalytics.plots._mapping import MOST_TYPES, mapped

__all__ = ["flows_data", "layout_data", "offline_flows_data"]

_MOST = 200
_MOST_OFFLINE = 120
"""Connections of a page that cannot ask for another layout: more have no room in one."""
_FIRST = 40


def flows_data(found: Flows) -> dict[str, Any]:
    """Return flows with a map of the most frequent connections; of others the page asks for the layout."""
    sent = _kept(found.flow, _MOST)
    share = _first_share(sent)
    return _data(found, sent, _kept(sent, _MOST, share / 100), share)


def offline_flows_data(found: Flows) -> dict[str, Any]:
    """Return flows with a map of all the connections that are there, which a page on its own thins."""
    sent = _kept(found.flow, _MOST_OFFLINE)
    return _data(found, sent, sent, _first_share(sent))


def layout_data(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out what a page asks for: nodes, and edges with their numbers.

    Raises:
        ValueError: it is no graph, or one that is too large.
    """
    nodes, edges = asked.get("nodes") or [], asked.get("edges") or []
    if len(nodes) > MOST_TYPES or len(edges) > _MOST + 2 * MOST_TYPES:
        raise ValueError(f"a map of {len(nodes)} types and {len(edges)} connections is too large")
    shown = Flow(
        tuple(Node(str(service), str(type_), *map(int, counts)) for service, type_, *counts in nodes),
        tuple(Edge(_place(a, nodes), _place(b, nodes), int(n), float(gap)) for _, a, b, n, gap in edges),
        len(nodes),
        len(edges),
        sum(int(edge[3]) for edge in edges),
    )
    return {"of": asked.get("of"), **_map(shown, [int(edge[0]) for edge in edges])}


def _place(index: object, nodes: Sequence[object]) -> int:
    if not isinstance(index, int) or not 0 <= index < len(nodes):
        raise ValueError(f"no node has the number {index!r}")
    return index


def _kept(flow: Flow, most: int, connections: float = 1.0) -> Flow:
    return thinned(flow, activities=1.0, connections=connections, most_nodes=MOST_TYPES, most=most, least_count=1)


def _first_share(sent: Flow) -> int:
    """Choose how many of a hundred connections are drawn at first."""
    return min(100, math.floor(100 * _FIRST / max(1, len(sent.edges))))


def _data(found: Flows, sent: Flow, drawn: Flow, share: int) -> dict[str, Any]:
    index = {(edge.before, edge.after): nth for nth, edge in enumerate(sent.edges)}
    variants = found.variants
    left_out = [
        f"the {len(sent.nodes)} most frequent of {sent.types:,} types" if len(sent.nodes) < sent.types else "",
        f"the {len(sent.edges)} most frequent of {sent.connections:,} connections"
        if len(sent.edges) < sent.connections
        else "",
    ]
    return {
        "nodes": [[node.service, node.type, node.events, node.starts, node.ends] for node in sent.nodes],
        "edges": [[edge.before, edge.after, edge.count, edge.gap] for edge in sent.edges],
        "types": sent.types,
        "total": sent.connections,
        "steps": sent.steps,
        "connections": share,
        "map": _map(drawn, [index[edge.before, edge.after] for edge in drawn.edges]),
        "note": "; ".join(part for part in (found.note, *left_out) if part),
        "variants": {
            "rows": [[row.service, list(row.types), row.events, row.streams] for row in variants.rows],
            "streams": variants.streams,
            "different": variants.different,
        },
    }


def _map(shown: Flow, numbers: Sequence[int]) -> dict[str, Any]:
    """Return where everything is, in points."""
    laid = mapped(shown, _written)
    boxes = zip(laid.layout.nodes, laid.boxes, laid.names, laid.lines, strict=True)
    curves = zip(numbers, laid.curves, laid.texts, laid.spots, strict=True)
    return {
        "nodes": [
            [nth, round(x, 1), round(y, 1), round(box.half, 1), round(box.high, 1), name, line]
            for nth, ((x, y), box, name, line) in enumerate(boxes)
        ],
        "edges": [
            [number, curve.round(1).tolist(), text, round(x, 1), round(y, 1)] for number, curve, text, (x, y) in curves
        ],
    }


def _written(text: str, most: int) -> str:
    shown = " ".join("".join(char if char.isprintable() else " " for char in text).split()) or "(empty)"
    return shown if len(shown) <= most else shown[: most - 1] + "…"
