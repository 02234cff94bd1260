"""What caused what, over time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from esanalytics.analysis._tracing import Node, Traced, traced
from esanalytics.plots._labels import counted, days, every, gap, plain, time_axis
from esanalytics.plots._picture import points_wide
from esanalytics.plots._theme import MOST_ROWS, Palette, Sign, Theme, begin, finish, legend, looking, ready, signs
from esanalytics.store import Log, Store

__all__ = ["drawn", "waterfall"]

_INDENT = "\u2007\u2007"  # spaces as wide as digits
_NEAR = 14  # points between a cause and its effect, below which the arrow goes straight


def waterfall(
    log: Store | Log,
    *,
    correlation_id: str | None = None,
    event_id: str | None = None,
    ax: Axes | None = None,
    theme: Theme = "light",
    **kwargs: Any,  # noqa: ANN401  matplotlib's
) -> Axes:
    """Draw the events of a correlation as a tree over time, with an arrow from each cause to its effects.

    A row is an event, below its cause, with the colour and the shape of its service and the time since its cause. An
    event that others name as their cause and that the log does not show is hollow, at the time of its first effect.
    Time is ``effective_at`` in UTC.

    Args:
        log: a store, or any view of one.
        correlation_id: whose events; give this or ``event_id``.
        event_id: the tree in which this event is.
        ax: where to draw; left out: on a new figure, which a notebook shows.
        theme: ``"light"`` or ``"dark"``.
        **kwargs: for ``Axes.plot``, by which each event is drawn.

    Raises:
        StoreError: no event of the log has the id.
        TypeError: not exactly one of the two ids is given.
        ValueError: there is no such theme.

    Example:
        >>> ea.plots.waterfall(store, correlation_id="order-3")  # doctest: +SKIP
    """
    ready(ax, theme)
    return drawn(traced(log, correlation_id=correlation_id, event_id=event_id), ax, theme, kwargs)


def drawn(
    found: Traced, ax: Axes | None = None, theme: Theme = "light", look: Mapping[str, Any] = MappingProxyType({})
) -> Axes:
    """Draw a tree that was found already, as `waterfall` does."""
    nodes = found.nodes[:MOST_ROWS]
    axes, colours = begin(
        ax, theme, (10, 1.6 + 0.27 * max(len(nodes), 3)), f"What caused what in {plain(found.title, 60)}"
    )
    looks = signs(found.services, theme)
    time_axis(axes, *found.span, margin=0.03)
    axes.set_ylim(len(nodes) - 0.5, -0.5)
    at = _times(found)
    _arrows(axes, nodes, at, colours)
    for node in nodes:
        _mark(axes, node, at[node.number], looks, colours, look)
    axes.set_yticks(range(len(nodes)), [_label(node) for node in nodes], parse_math=False, ha="left")
    axes.tick_params(axis="y", length=0, labelcolor=colours.ink, pad=_pad(nodes))
    shapes = [Line2D([], [], ls="", marker=own.marker, color=own.colour, ms=6.5) for own in looks.values()]
    legend(axes, colours, shapes, list(looks))
    return finish(axes, theme, _note(found, nodes))


def _label(node: Node) -> str:
    return _INDENT * min(node.depth, 12) + (
        plain(node.type, 32) if node.event else f"missing {plain(node.event_id, 24)}"
    )


def _pad(nodes: tuple[Node, ...]) -> float:
    """Measure how many points the labels need, which begin below each other."""
    return 8 + 5.6 * max(len(_label(node)) for node in nodes)


def _times(found: Traced) -> list[float]:
    """Give each node its place on the axis of time; a missing one stands at the first of its effects."""
    start = found.span[0]
    times, earliest = [start] * len(found.nodes), dict[int, int]()
    for node in reversed(found.nodes):  # effects come behind their cause
        at = earliest.get(node.number, start) if node.at is None else node.at
        times[node.number] = at
        if node.parent is not None:
            earliest[node.parent] = min(at, earliest.get(node.parent, at))
    return [float(at) for at in days(times)]


def _arrows(axes: Axes, nodes: tuple[Node, ...], at: list[float], colours: Palette) -> None:
    low, high = axes.get_xlim()
    scale = points_wide(axes) / (high - low)
    for node in nodes:
        if node.parent is None:
            continue
        begin_, end = (at[node.parent], node.parent), (at[node.number], node.number)
        look: dict[str, Any] = {
            "arrowstyle": "-|>",
            "color": colours.soft,
            "lw": 0.9,
            "shrinkB": 5,
            "mutation_scale": 8,
        }
        if abs(end[0] - begin_[0]) * scale > _NEAR:
            axes.plot([begin_[0]] * 2, [begin_[1], end[1]], color=colours.soft, lw=0.9, zorder=1.5)
            begin_, look["shrinkA"] = (begin_[0], end[1]), 0
        else:
            look["shrinkA"] = 4
        axes.annotate("", end, begin_, arrowprops=look, zorder=1.6)


def _mark(
    axes: Axes, node: Node, at: float, looks: dict[str, Sign], colours: Palette, kwargs: Mapping[str, Any]
) -> None:
    look = looks.get(node.service)
    fill = colours.paper if look is None else look.colour
    edge = colours.alert if look is None else colours.soft if node.is_outside else look.colour
    same = {"mfc": ("color", "markerfacecolor"), "mec": ("color", "markeredgecolor")}
    asked = looking(
        Line2D, kwargs, same, marker=look.marker if look else "o", mfc=fill, mec=edge, ms=7, mew=1.4, ls="", zorder=3
    )
    axes.plot([at], [node.number], **asked)
    late = at > sum(axes.get_xlim()) / 2
    text = (
        "not in the log"
        if node.event is None
        else f"+{gap(node.gap)}"
        if node.gap is not None and node.gap >= 0
        else ""
    )
    text = f"{gap(node.gap)}, before its cause" if node.gap is not None and node.gap < 0 else text
    axes.annotate(
        text, (at, node.number), xytext=(8, 0), textcoords="offset points", va="center", ha="left", fontsize=8,
        color=colours.soft, annotation_clip=False, zorder=4, in_layout=bool(late),
    )  # fmt: skip


def _note(found: Traced, nodes: tuple[Node, ...]) -> str:
    missing = sum(node.event is None for node in found.nodes)
    shown = sum(node.event is not None for node in nodes)
    whole = shown == found.total and not found.note
    text = (
        every(found.total, "event") if whole else f"{shown:,} of {counted(found.total, 'event')}, the first of the tree"
    )
    left = len(found.nodes) - len(nodes)
    text += f"; {counted(left, 'row')} left out" if left else ""
    text += "; the times at the events are since their cause"
    if missing:
        text += f"; hollow: {counted(missing, 'cause')} that the log does not show"
    outside = sum(node.is_outside for node in nodes)
    return text + (f"; grey edge: {counted(outside, 'event')} of another correlation" if outside else "")
