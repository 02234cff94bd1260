"""How many streams come how far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from esanalytics.analysis._asking import Duration, duration, known_types
from esanalytics.analysis._flows import Funnel
from esanalytics.analysis._flows import funnel as reaching
from esanalytics.plots._labels import counted, gap, plain
from esanalytics.plots._theme import MOST_ROWS, Palette, Theme, begin, empty, finish, looking, ready
from esanalytics.store import Log, Store, as_log

__all__ = ["funnel"]

_HIGHEST = 24.0  # inches


def funnel(
    log: Store | Log,
    steps: Sequence[str],
    *,
    within: Duration | None = None,
    ax: Axes | None = None,
    theme: Theme = "light",
    **kwargs: Any,  # noqa: ANN401  matplotlib's
) -> Axes:
    """Draw how many streams had some types in some order, with other events between or not.

    Of more than eighty steps the first eighty are drawn.

    A stream begins with its first event of the first type; each further step is the first event of its type behind the
    step before, in the order of the stream. The times are medians.

    Args:
        log: a store, or any view of one.
        steps: the types.
        within: how long after the first step the others count, such as ``"7d"`` or ``"7 days"``; the end is
            included.
        ax: where to draw; left out: on a new figure, which a notebook shows.
        theme: ``"light"`` or ``"dark"``.
        **kwargs: for ``Axes.barh``.

    Raises:
        ValueError: no event has one of the types, or ``steps``, ``within`` or ``theme`` is none of what they can be.

    Example:
        >>> ea.plots.funnel(store, ["OrderPlaced", "OrderPaid", "OrderDelivered"], within="14d")  # doctest: +SKIP
    """
    ready(ax, theme)
    seen = as_log(log)
    if isinstance(steps, str) or not steps:
        raise ValueError(f"steps={steps!r} is no list of types; give at least one")
    shown = list(steps)[:MOST_ROWS]
    limit = None if within is None else duration("within", within)
    known_types(seen, steps)
    found = reaching(seen, shown, limit)
    further = f"Streams that came from {plain(shown[0])} to {plain(shown[-1])}"
    title = further if len(shown) > 1 else f"Streams that had {plain(shown[0])}"
    axes, colours = begin(ax, theme, (9, min(1.5 + 0.75 * len(shown), _HIGHEST)), title)
    if not found.streams:
        empty(axes, colours)
        return finish(axes, theme, "no events")
    _bars(axes, found, colours, kwargs)
    axes.set_xlabel("streams")
    bound = "" if limit is None else f"; steps later than {gap(limit)} after the first do not count"
    started = f"{found.reached[0]:,} of {counted(found.streams, 'stream')} had the first step"
    bound += f"; the first {len(shown)} of {len(steps):,} steps" if len(shown) < len(steps) else ""
    return finish(axes, theme, f"{started}{bound}; times between are medians, by effective time in UTC")


def _bars(axes: Axes, found: Funnel, colours: Palette, kwargs: dict[str, Any]) -> None:
    most = max(found.reached[0], 1)
    same = {"color": ("facecolor",)}
    places = range(len(found.steps))
    axes.barh(places, [most] * len(found.steps), height=0.5, color=colours.grid, zorder=1)
    axes.barh(places, found.reached, **looking(Rectangle, kwargs, same, height=0.5, color=colours.accent, zorder=2))
    for place, (count, before) in enumerate(zip(found.reached, (most, *found.reached), strict=False)):
        share = f"  {count / most:.1%}" if place else ""
        axes.text(most * 1.015, place, f"{count:,}{share}", va="center", color=colours.ink, fontsize=10)
        if place:
            kept = f"{count / before:.1%} go on" if before else "none to go on"
            wait = f", after {gap(found.gaps[place])}" if count else ""
            axes.text(0, place - 0.5, f" ↓ {kept}{wait}", va="center", color=colours.soft, fontsize=9)
    axes.set_yticks(places, [plain(step, 30) for step in found.steps], parse_math=False)
    axes.set(ylim=(len(found.steps) - 0.5, -0.5), xlim=(0, most * 1.2))
    axes.tick_params(axis="y", length=0, labelcolor=colours.ink, labelsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value <= most else "")
