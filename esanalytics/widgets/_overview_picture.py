"""A picture of a whole log: how many events there were when, and single ones by entity."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from esanalytics.analysis._cube import Window
from esanalytics.analysis._overview import ALL, Chosen, Density, Dots, Overview
from esanalytics.plots._labels import compact, counted, days, every, time_axis
from esanalytics.plots._theme import Theme, dress, empty, legend, palette
from esanalytics.widgets._bundle import png_of, still_suffix, write_picture
from esanalytics.widgets._lettering import fit, letters, moment
from esanalytics.widgets._palettes import DOTS

__all__ = ["overview_figure", "overview_png", "overview_still", "overview_told"]

_BINS = 240
_LABELLED = 24
_MOST_DOTS = 4_000
"""More dots than this hide each other in a picture of this size."""
_HUES = (0, 1, 2, 3, 4, 5, 7)
_GREY = 6
"""The colour of all types that are not among the biggest."""


def overview_png(
    overview: Overview, title: str, *, chosen: Chosen = ALL, window: Window | None = None, theme: Theme = "light"
) -> bytes:
    """Draw a log as `overview_figure` does, as PNG of at most 100,000 bytes."""
    figure = overview_figure(overview, title, window=window, chosen=chosen, theme=theme)
    return png_of(figure, overview_told(overview, title, window, chosen))


def overview_still(
    overview: Overview,
    title: str,
    path: str | os.PathLike[str],
    *,
    chosen: Chosen = ALL,
    window: Window | None = None,
    theme: Theme = "light",
) -> Path:
    """Write a log as `overview_figure` draws it: ``.png``, or ``.svg`` or ``.pdf`` that can be printed in any size.

    Raises:
        ValueError: the path ends with none of these.
        OSError: the disk refuses.
    """
    still_suffix(path)
    figure = overview_figure(overview, title, window=window, chosen=chosen, theme=theme)
    return write_picture(figure, path, overview_told(overview, title, window, chosen))


def overview_told(overview: Overview, title: str, window: Window | None = None, chosen: Chosen = ALL) -> str:
    """Say in plain text what the picture of a log shows."""
    count = sum(number for _, _, number in overview.counts(window, chosen))
    start, end = window or overview.span
    when = f", {moment(start)} to {moment(end)} UTC" if end else ""
    return f"{title}: {counted(count, 'event')}{when}"


def overview_figure(
    overview: Overview,
    title: str,
    *,
    window: Window | None = None,
    chosen: Chosen = ALL,
    theme: Theme = "light",
) -> Figure:
    """Draw a log over a window of time: counts by type above, below a row for each entity and a point for each event.

    Args:
        overview: answers.
        title: plain text.
        window: from an instant up to before another, in microseconds; None: all.
        chosen: which events.
        theme: ``"light"`` or ``"dark"``.
    """
    colours = palette(theme)
    figure = Figure(figsize=(9.6, 5.4), dpi=100, facecolor=colours.paper)
    density, dots = overview.density(window, chosen, bins=_BINS), overview.dots(window, chosen, most=_MOST_DOTS)
    colour = _colours(overview, theme)
    types = {name for _, name, number in overview.counts(window, chosen) if number}
    figure.add_artist(letters(0.02, 0.935, fit(title, 500, 15, bold=True), colours.ink, 15, fontweight="bold"))
    figure.add_artist(
        letters(0.02, 0.892, fit(_summary(density, dots, len(types - colour.keys())), 660, 8.5), colours.soft, 8.5)
    )
    above, below = figure.add_axes((0.135, 0.66, 0.68, 0.2)), figure.add_axes((0.135, 0.1, 0.68, 0.53))
    for axes in (above, below):
        dress(axes, colours)
    if not density.total:
        above.set_axis_off()
        empty(below, colours, "no events that are chosen" if overview.events else "no events yet")
        return figure
    for axes in (above, below):
        time_axis(axes, density.start, density.end, margin=0.005)
        axes.tick_params(axis="y", length=0)
    _bars(above, density, colour, len(types - colour.keys()), theme)
    _points(below, dots, colour, theme)
    above.set(xlabel="", xticklabels=[])
    return figure


def _colours(overview: Overview, theme: Theme) -> dict[str, str]:
    """Give the biggest types of the log a colour each, as the page does (`static/replay/everything.js`)."""
    sums = Counter[str]()
    for _, name, number, *_ in overview.types:
        sums[name] += number
    return {name: DOTS[theme][hue] for (name, _), hue in zip(sums.most_common(), _HUES, strict=False)}


def _summary(density: Density, dots: Dots, others: int) -> str:
    parts = [
        counted(density.total, "event"),
        dots.note or every(len(dots.entities), "entity", "entities"),
        *([f"grey: {counted(others, 'smaller type')}"] if others else []),
    ]
    return " · ".join(parts)


def _bars(axes: Axes, density: Density, colour: Mapping[str, str], others: int, theme: Theme) -> None:
    bins = density.counts.shape[1]
    edges = days(np.linspace(density.start, density.end, bins + 1).astype(np.int64))
    below, drawn, names = np.zeros(bins), list[StepPatch](), list[str]()
    rows = dict(zip(density.names, density.counts, strict=True))
    grey = [counts for name, counts in rows.items() if name not in colour]
    shown = [(name, counts, colour[name]) for name, counts in rows.items() if name in colour]
    if grey:
        told = counted(others, "smaller type")
        shown.append((told, np.sum(grey, axis=0), DOTS[theme][_GREY]))
    for name, counts, own in shown:
        step = StepPatch(below + counts, edges, baseline=below, fill=True, color=own, lw=0)  # type: ignore[arg-type]  # an array too
        drawn.append(step)
        names.append(name)
        axes.add_artist(step)  # as `stairs` does, which looks for limits that are set here
        below = below + counts
    axes.set_ylim(0, max(1.0, float(below.max())) * 1.05)
    axes.yaxis.set_major_formatter(lambda value, _: compact(value))
    legend(axes, palette(theme), drawn, names)


def _points(axes: Axes, dots: Dots, colour: Mapping[str, str], theme: Theme) -> None:
    at, many = days(dots.at), len(dots.entities)
    size = float(np.sqrt(np.clip(2_600 / max(many, 1), 2.0, 36)))
    for kind in np.unique(dots.type):
        mask, own = dots.type == kind, colour.get(dots.types[kind], DOTS[theme][_GREY])
        axes.add_artist(Line2D(at[mask], dots.entity[mask], ls="", marker="o", ms=size, color=own, mew=0))
    axes.set_ylim(max(many, 1) - 0.5, -0.5)
    colours = palette(theme)
    if many > _LABELLED:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value + 1:,.0f}")
        axes.set_ylabel("entities, by first event", parse_math=False)
        return
    axes.set_yticks(range(many), [fit(stream, 76, 9) for _, stream in dots.entities], parse_math=False)
    axes.tick_params(axis="y", labelcolor=colours.ink)
