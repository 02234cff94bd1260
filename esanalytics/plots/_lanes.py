"""Events as points in lanes over time."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D

from esanalytics.analysis._asking import choice, positive
from esanalytics.analysis._measures import Ranking
from esanalytics.analysis._points import MOST_POINTS, Laned, Points, laned
from esanalytics.plots._density import named
from esanalytics.plots._labels import counted, days, every, plain, time_axis
from esanalytics.plots._picture import parent_of
from esanalytics.plots._theme import (
    BEYOND,
    MOST_ROWS,
    Theme,
    begin,
    empty,
    finish,
    legend,
    looking,
    palette,
    ramp,
    ready,
    sign,
)
from esanalytics.store import Log, Store, as_log

__all__ = ["colour_bar", "lanes", "markers", "points", "rows_named"]

Lane = Literal["service", "type", "stream"]

_SPREAD = 0.62  # of a lane's height, over which its points are spread so that they do not hide each other
_CROWDED = 40  # points in a lane, from where they are spread
_GOLDEN = 0.6180339887498949
_BETWEEN = "\x1f"


def lanes(
    log: Store | Log,
    *,
    lane: Lane = "service",
    most: int = 24,
    ax: Axes | None = None,
    theme: Theme = "light",
    **kwargs: Any,  # noqa: ANN401  matplotlib's
) -> Axes:
    """Draw each event as a point over time, in a lane for each service, type or stream.

    Time is ``effective_at`` in UTC. The points have the colour and the shape of their type, in lanes of types those of
    their service. How high a point stands inside its lane has no meaning. More than 20,000 events are drawn as counts.

    Args:
        log: a store, or any view of one.
        lane: what has a lane.
        most: how many lanes there may be, the biggest, and at most eighty; smaller services and types share one more,
            smaller streams are left out.
        ax: where to draw; left out: on a new figure, which a notebook shows.
        theme: ``"light"`` or ``"dark"``.
        **kwargs: for ``Axes.scatter``; for ``Axes.pcolormesh`` where counts are drawn.

    Raises:
        ValueError: ``lane``, ``most`` or ``theme`` is none of what they can be.

    Example:
        >>> ea.plots.lanes(store.log.where(service="orders"), lane="type")  # doctest: +SKIP
    """
    choice("lane", lane, ("service", "type", "stream"))
    ready(ax, theme)
    found = laned(as_log(log), lane, most=min(positive("most", most), MOST_ROWS))
    rows = rows_named(found.lanes, lane)
    axes, colours = begin(ax, theme, (10, 1.7 + 0.27 * max(len(rows), 3)), f"Events over time, in lanes by {lane}")
    if not found.lanes.total:
        empty(axes, colours)
        return finish(axes, theme, "no events")
    if found.points is not None:
        _scatter(axes, found.points, found, theme, kwargs)
        word = "service" if lane == "type" else "type"
        legend(axes, colours, markers(found.names, found.points, theme), _seen(found.names, found.points, word))
    else:
        _grid(axes, found, theme, kwargs)
    axes.set_yticks(range(len(rows)), rows, parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelcolor=colours.ink)
    time_axis(axes, found.lanes.first, found.lanes.last)
    return finish(axes, theme, _left_out(found, lane))


def rows_named(ranks: Ranking, lane: Lane) -> list[str]:
    """Return the labels of lanes; that of a stream has its service where two have the same id."""
    if lane != "stream":
        return [plain(name, 36) for name in named(ranks, lane)]
    pairs = [name.split(_BETWEEN, 1) for name in ranks.names]
    ids = [stream for _, stream in pairs]
    return [plain(f"{service} {stream}" if ids.count(stream) > 1 else stream, 30) for service, stream in pairs]


def points(axes: Axes, x: Any, y: Any, names: Any, theme: Theme, look: dict[str, Any]) -> None:  # noqa: ANN401  numbers
    """Draw points with the signs of their names, but for how they should look; the smaller names over the bigger."""
    same = {"color": ("c", "facecolor"), "s": ("sizes",)}
    for nth in np.unique(names):
        mask, own = names == nth, sign(int(nth), theme)
        order = 2 + 0.01 * min(int(nth), 50)
        drawn = looking(PathCollection, look, same, marker=own.marker, color=own.colour, linewidth=0, zorder=order)
        axes.scatter(x[mask], y[mask], **drawn)


def markers(ranks: Ranking, found: Points, theme: Theme) -> list[Line2D]:
    """Make the handles of a legend for the names that points have."""
    looks = [sign(nth if nth < len(ranks.names) else BEYOND, theme) for nth in _present(found)]
    return [Line2D([], [], ls="", marker=look.marker, color=look.colour, ms=5.5, mew=0) for look in looks]


def _seen(ranks: Ranking, found: Points, word: str) -> list[str]:
    names = named(ranks, word)
    return [names[nth] for nth in _present(found)]


def _present(found: Points) -> list[int]:
    return [int(nth) for nth in np.unique(found.name)]


def _scatter(axes: Axes, found: Points, seen: Laned, theme: Theme, kwargs: dict[str, Any]) -> None:
    crowded = len(found.at) > _CROWDED * len(np.unique(found.row))
    beside = ((found.position * _GOLDEN) % 1 - 0.5) * _SPREAD if crowded else np.zeros(len(found.at))
    names = np.where(found.name < len(seen.names.names), found.name, BEYOND)
    size = float(np.clip(9_000 / max(len(found.at), 1), 5, 36))
    points(axes, days(found.at), found.row + beside, names, theme, {"s": size, "alpha": 0.85, **kwargs})
    for edge in range(1, len(seen.lanes.names) + bool(seen.lanes.others)):
        axes.axhline(edge - 0.5, color=axes.spines["bottom"].get_edgecolor(), lw=0.5, alpha=0.35, zorder=1)


def _grid(axes: Axes, found: Laned, theme: Theme, kwargs: dict[str, Any]) -> None:
    if found.counts is None:
        return
    rows, bins = found.counts.shape
    width = -(-(found.lanes.last - found.lanes.first + 1) // bins)
    edges = days(found.lanes.first + width * np.arange(bins + 1))
    shown = np.ma.masked_equal(found.counts, 0)
    norm = LogNorm(1, max(2, int(found.counts.max())))
    drawn = looking(QuadMesh, kwargs, {"norm": ("vmin", "vmax")}, cmap=ramp(theme), norm=norm, rasterized=True)
    mesh = axes.pcolormesh(edges, np.arange(rows + 1) - 0.5, shown, **drawn)
    colour_bar(axes, mesh, theme, "events in a cell")


def colour_bar(axes: Axes, mesh: Any, theme: Theme, text: str) -> None:  # noqa: ANN401  a mappable
    """Say beside an axes which colour is how much."""
    found = parent_of(axes).colorbar(mesh, ax=axes, pad=0.015, aspect=18, fraction=0.05)
    colours = palette(theme)
    found.outline.set_visible(False)
    found.ax.tick_params(which="both", colors=colours.soft, labelcolor=colours.soft, labelsize=8.5, length=2)
    found.ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    found.set_label(text, color=colours.soft, fontsize=8.5)


def _left_out(found: Laned, lane: Lane) -> str:
    total, others = found.lanes.total, found.lanes.others
    hidden = lane == "stream" and others
    text = f"{found.shown:,} of {counted(total, 'event')}" if hidden else every(total, "event")
    if found.points is None:
        text += f", as counts in {found.counts.shape[1] if found.counts is not None else 0} intervals"
        text += f", for there are more than {MOST_POINTS:,}"
    if hidden:
        text += f"; the {counted(len(found.lanes.names), 'stream')} with most events, {others:,} left out"
    elif others:
        text += f"; {counted(others, f'smaller {lane}')} with {counted(found.lanes.rest, 'event')} in one lane"
    return text
