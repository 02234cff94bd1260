"""Events over time, as a histogram of what they are."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle

from esanalytics.analysis._asking import Duration, choice
from esanalytics.analysis._measures import Binned, Ranking, binned
from esanalytics.plots._labels import counted, days, every, gap, number_axis, time_axis
from esanalytics.plots._theme import BEYOND, Theme, begin, empty, finish, legend, looking, palette, ready, sign
from esanalytics.store import Log, Store, as_log

__all__ = ["density", "left_over", "named"]

_COLOURED = {"color": ("facecolor",)}
_DAY = 86_400_000_000
_UNITS = {10**6: "second", 60 * 10**6: "minute", 3600 * 10**6: "hour", _DAY: "day", 7 * _DAY: "week"}


def density(
    log: Store | Log,
    *,
    by: Literal["type", "service"] = "type",
    bins: int | Duration | None = None,
    ax: Axes | None = None,
    theme: Theme = "light",
    **kwargs: Any,  # noqa: ANN401  matplotlib's
) -> Axes:
    """Draw how many events there were over time, stacked by type or service.

    Time is ``effective_at`` in UTC. The nine biggest names have a colour each, the others have one together.

    Args:
        log: a store, or any view of one.
        by: what the bars are stacked by.
        bins: how many bins, or how long one is, such as ``"1h"``; left out: a round length that gives about a hundred.
        ax: where to draw; left out: on a new figure, which a notebook shows.
        theme: ``"light"`` or ``"dark"``.
        **kwargs: for ``Axes.bar``.

    Raises:
        ValueError: ``by``, ``bins`` or ``theme`` is none of what they can be.

    Example:
        >>> ea.plots.density(store, bins="1d")  # doctest: +SKIP
    """
    choice("by", by, ("type", "service"))
    ready(ax, theme)
    found = binned(as_log(log), by, bins=bins)
    axes, colours = begin(ax, theme, (10, 4.2), f"Events over time, by {by}")
    if not found.ranking.total:
        empty(axes, colours)
        return finish(axes, theme, "no events")
    bars = _bars(axes, found, theme, kwargs)
    legend(axes, colours, bars[::-1], named(found.ranking, by)[::-1])
    axes.grid(axis="y", color=colours.grid, linewidth=0.7)
    number_axis(axes)
    axes.set_ylim(0, found.counts.sum(axis=0).max() * 1.06)
    axes.set_ylabel(f"events per {_UNITS.get(found.width, gap(found.width))}")
    time_axis(axes, found.start, found.start + found.width * found.counts.shape[1])
    parts = f"{counted(found.counts.shape[1], 'bin')} of {gap(found.width)}"
    return finish(axes, theme, f"{every(found.ranking.total, 'event')}, in {parts}{left_over(found.ranking, by)}")


def named(ranks: Ranking, word: str) -> list[str]:
    """Return the names of a ranking's rows, with that of the others."""
    return [*ranks.names, *([counted(ranks.others, f"other {word}")] if ranks.others else [])]


def left_over(ranks: Ranking, word: str) -> str:
    """Say what stands together as the others; nothing where none does."""
    if not ranks.others:
        return ""
    return f"; {counted(ranks.others, f'smaller {word}')} with {counted(ranks.rest, 'event')} drawn as one"


def _bars(axes: Axes, found: Binned, theme: Theme, kwargs: dict[str, Any]) -> list[BarContainer]:
    bins = found.counts.shape[1]
    left, below = days(found.start + found.width * np.arange(bins)), np.zeros(bins)
    bars = []
    for nth, counts in enumerate(found.counts):
        look = sign(nth if nth < len(found.ranking.names) else BEYOND, theme)
        edge = (palette(theme).paper, 0.55)
        drawn = looking(
            Rectangle,
            kwargs,
            _COLOURED,
            color=look.colour,
            hatch=look.hatch,
            edgecolor=edge,
            linewidth=0.0,
            align="edge",
        )
        bars.append(axes.bar(left, counts, **{"width": found.width / _DAY, "bottom": below, **drawn}))
        below += counts
    return bars
