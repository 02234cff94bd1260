"""The dotted chart: a row for each stream, a point for each event."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from esanalytics.analysis._asking import choice
from esanalytics.analysis._points import MOST_POINTS, Rows, Sort, rows
from esanalytics.plots._density import named
from esanalytics.plots._labels import counted, days, every, gap_axis, plain, time_axis
from esanalytics.plots._lanes import markers, points
from esanalytics.plots._theme import BEYOND, Palette, Theme, begin, empty, finish, legend, ready
from esanalytics.store import Log, Store, as_log

__all__ = ["dotted"]

_LABELLED = 30
_SORTED = {"first": "by first event", "duration": "the longest lasting first", "events": "with most events first"}


def dotted(
    log: Store | Log,
    *,
    sort: Sort = "first",
    align: Literal["time", "start"] = "time",
    ax: Axes | None = None,
    theme: Theme = "light",
    **kwargs: Any,  # noqa: ANN401  matplotlib's
) -> Axes:
    """Draw a row for each stream and a point for each event, with the colour and shape of its type.

    Time is ``effective_at`` in UTC. Of more than 20,000 events some whole streams are drawn, chosen by a hash of their
    names: always the same.

    Args:
        log: a store, or any view of one.
        sort: how the rows are sorted from the top: by first event, by duration, by number of events.
        align: ``"time"``: on the calendar; ``"start"``: since the first event of each stream.
        ax: where to draw; left out: on a new figure, which a notebook shows.
        theme: ``"light"`` or ``"dark"``.
        **kwargs: for ``Axes.scatter``.

    Raises:
        ValueError: ``sort``, ``align`` or ``theme`` is none of what they can be.

    Example:
        >>> ea.plots.dotted(store.log.where(service="orders"), sort="duration", align="start")  # doctest: +SKIP
    """
    choice("sort", sort, ("first", "duration", "events"))
    choice("align", align, ("time", "start"))
    ready(ax, theme)
    found = rows(as_log(log), sort=sort, align=align)
    many = len(found.streams)
    title = f"Events of each stream, {_SORTED[sort]}" + (", from its start" if align == "start" else "")
    axes, colours = begin(ax, theme, (10, float(np.clip(1.8 + 0.2 * many, 2.8, 6))), title)
    if not found.total:
        empty(axes, colours)
        return finish(axes, theme, "no events")
    unit = _across(axes, found, align)
    at = days(found.points.at) if align == "time" else found.points.at / unit
    names = np.where(found.points.name < len(found.names.names), found.points.name, BEYOND)
    size = float(np.clip(2_600 / max(many, 1), 2.5, 36))
    points(axes, at, found.points.row, names, theme, {"s": size, **kwargs})
    present = named(found.names, "type")
    handles = markers(found.names, found.points, theme)
    legend(axes, colours, handles, [present[nth] for nth in np.unique(found.points.name)])
    _upright(axes, found, colours)
    return finish(axes, theme, _left_out(found))


def _across(axes: Axes, found: Rows, align: str) -> int:
    """Make the lower axis, and say how many microseconds its unit has."""
    at = found.points.at
    if align == "time":
        time_axis(axes, int(at.min()), int(at.max()))
        return 1
    unit, name = gap_axis(float(at.max()))
    longest = max(float(at.max()) / unit, 1e-3)
    axes.set_xlim(-0.02 * longest, 1.02 * longest)
    axes.set_xlabel(f"{name} since the first event of the stream (by times in UTC)")
    return unit


def _upright(axes: Axes, found: Rows, colours: Palette) -> None:
    many = len(found.streams)
    axes.set_ylim(many - 0.5, -0.5)
    if many > _LABELLED:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value + 1:,.0f}")
        marks = np.unique(np.linspace(0, many - 1, 5).round().astype(int))
        axes.set_yticks(marks)
        axes.set_ylabel("streams, counted from the top")
        return
    ids = [stream for _, stream in found.streams]
    labels = [plain(f"{s} {k}" if ids.count(k) > 1 else k, 24) for s, k in found.streams]
    axes.set_yticks(range(many), labels, parse_math=False)
    axes.tick_params(axis="y", length=0, labelcolor=colours.ink)
    axes.hlines(range(many), 0, 1, transform=axes.get_yaxis_transform(), color=colours.grid, lw=0.7, zorder=0)


def _left_out(found: Rows) -> str:
    shown, many = len(found.points.at), len(found.streams)
    if shown == found.total:
        return f"{every(found.total, 'event')} of {counted(found.of, 'stream')}"
    text = f"{shown:,} of {counted(found.total, 'event')}: {many:,} of {counted(found.of, 'stream')}"
    if found.every > 1:
        return f"{text}, each {found.every}th event"
    return f"{text}, whole and chosen by their names, for more than {MOST_POINTS:,} points hide each other"
