"""When in the day or the week things happen."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, Normalize, to_hex

from esanalytics.analysis._asking import choice
from esanalytics.analysis._measures import Cycle, cycle
from esanalytics.plots._density import left_over, named
from esanalytics.plots._labels import compact, every, plain
from esanalytics.plots._lanes import colour_bar
from esanalytics.plots._theme import Theme, begin, empty, finish, looking, on, ramp, ready
from esanalytics.store import Log, Store, as_log

__all__ = ["heatmap"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UNEVEN = 30  # of the biggest count to the smallest, from where a logarithm shows more
_WRITTEN = 500  # cells, up to which their counts are written into them


def heatmap(
    log: Store | Log,
    *,
    by: Literal["hour", "day"] = "hour",
    ax: Axes | None = None,
    theme: Theme = "light",
    **kwargs: Any,  # noqa: ANN401  matplotlib's
) -> Axes:
    """Draw how many events of each type there were in each hour of the day, or on each day of the week, in UTC.

    Time is ``effective_at``. There are rows for the thirty biggest types, and one for the others together.

    Args:
        log: a store, or any view of one.
        by: the hours of the day, or the days of the week.
        ax: where to draw; left out: on a new figure, which a notebook shows.
        theme: ``"light"`` or ``"dark"``.
        **kwargs: for ``Axes.pcolormesh``.

    Raises:
        ValueError: ``by`` or ``theme`` is none of what they can be.

    Example:
        >>> ea.plots.heatmap(store, by="day")  # doctest: +SKIP
    """
    choice("by", by, ("hour", "day"))
    ready(ax, theme)
    found = cycle(as_log(log), by)
    rows = [plain(name, 36) for name in named(found.ranking, "type")]
    what = "hour of the day" if by == "hour" else "day of the week"
    axes, colours = begin(ax, theme, (10 if by == "hour" else 7.5, 1.7 + 0.25 * max(len(rows), 3)), f"Types by {what}")
    if not found.ranking.total:
        empty(axes, colours)
        return finish(axes, theme, "no events")
    _cells(axes, found, theme, kwargs)
    axes.set_yticks(np.arange(len(rows)), rows, parse_math=False)
    axes.set_xticks(range(found.counts.shape[1]), [f"{n:02}" for n in range(24)] if by == "hour" else _DAYS)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="y", labelcolor=colours.ink)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel(f"{what} (UTC)")
    return finish(axes, theme, f"{every(found.ranking.total, 'event')}{left_over(found.ranking, 'type')}")


def _cells(axes: Axes, found: Cycle, theme: Theme, kwargs: dict[str, Any]) -> None:
    rows, wide = found.counts.shape
    some, most = found.counts[found.counts > 0], int(found.counts.max())
    norm = LogNorm(1, most) if most >= _UNEVEN * int(some.min()) else Normalize(0, most)
    usual: dict[str, Any] = {"cmap": ramp(theme), "norm": norm, "edgecolor": axes.get_facecolor(), "linewidth": 1.0}
    drawn = looking(QuadMesh, kwargs, {"norm": ("vmin", "vmax")}, **usual)
    edges = np.arange(wide + 1) - 0.5, np.arange(rows + 1) - 0.5
    mesh = axes.pcolormesh(*edges, np.ma.masked_equal(found.counts, 0), **drawn)
    colour_bar(axes, mesh, theme, "events")
    if rows * wide > _WRITTEN:
        return
    written = mesh.to_rgba(found.counts)
    for row, column in np.argwhere(found.counts):
        ink, text = on(to_hex(written[row, column])), compact(float(found.counts[row, column]))
        axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=ink)
