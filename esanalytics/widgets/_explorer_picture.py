"""The picture of an explorer, for where no widget runs: its density, in the colours of the page and the plots."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from esanalytics.analysis import Density
from esanalytics.analysis._chosen import ALL, Chosen
from esanalytics.plots._labels import counted, days, gap, number_axis, plain, time_axis
from esanalytics.plots._theme import BEYOND, Theme, dress, empty, figure, legend, palette, sign
from esanalytics.widgets._bundle import png_of, write_picture
from esanalytics.widgets._lettering import moment

__all__ = ["explorer_figure", "explorer_png", "explorer_still", "ranked"]

_OTHERS = ("other", "(other)")
_NAMED = 4
"""More names than this are not in a title."""


def ranked(whole: Density) -> list[str]:
    """Return the names that have a colour of their own: the biggest of what is filtered, over all time."""
    sums = dict(zip(whole.names, whole.counts.sum(axis=1).tolist(), strict=True))
    names = sorted((name for name in sums if name not in _OTHERS), key=lambda name: (-sums[name], name))
    return names[: len(palette("light").colours)]


def explorer_png(density: Density, names: Sequence[str], *, chosen: Chosen = ALL) -> bytes:
    """Draw a density as PNG of at most 100,000 bytes; the arguments are those of `explorer_figure`."""
    return png_of(explorer_figure(density, names, chosen=chosen), _told(density))


def explorer_still(
    density: Density,
    names: Sequence[str],
    path: str | os.PathLike[str],
    theme: Theme = "light",
    *,
    chosen: Chosen = ALL,
) -> Path:
    """Write a density as ``.png``, or as ``.svg`` or ``.pdf`` that can be printed in any size.

    Raises:
        ValueError: the path ends with none of these.
        OSError: the disk refuses.
    """
    return write_picture(explorer_figure(density, names, theme, chosen=chosen), path, _told(density))


def _told(density: Density) -> str:
    return f"{counted(density.total, 'event')} over time, by {', '.join(density.names) or 'nothing'}"


def explorer_figure(density: Density, names: Sequence[str], theme: Theme = "light", *, chosen: Chosen = ALL) -> Figure:
    """Draw a density as stacked steps.

    Args:
        density: what to draw.
        names: those with a colour of their own, the biggest first; all others are drawn as one.
        theme: ``"light"`` or ``"dark"``.
        chosen: which events the density is of; the title says so.
    """
    drawn, colours = figure(theme, (9, 2.6)), palette(theme)
    axes = drawn.add_subplot()
    dress(axes, colours)
    edges = days(np.linspace(density.start, density.end, density.counts.shape[1] + 1).round().astype(np.int64))
    below, steps, shown = np.zeros(density.counts.shape[1]), [], []
    rows = {name: density.counts[density.names.index(name)] for name in names if name in density.names}
    rest = [counts for name, counts in zip(density.names, density.counts, strict=True) if name not in rows]
    for name, counts in [*rows.items(), *([("others", np.sum(rest, axis=0))] if rest else [])]:
        look = sign(names.index(name) if name in rows else BEYOND, theme)
        steps.append(axes.stairs(below + counts, edges, baseline=below, fill=True, color=look.colour))
        shown.append(name)
        below = below + counts
    if density.total:
        number_axis(axes)
        time_axis(axes, density.start, density.end)
        axes.set_ylabel(f"events per {gap((density.end - density.start) / density.counts.shape[1])}")
        legend(axes, colours, steps, shown)
    else:
        empty(axes, colours, "no events yet" if chosen == ALL else "no such events")
    axes.set_title(_title(density, chosen), loc="left", fontsize=10, color=colours.ink, parse_math=False)
    return drawn


def _title(density: Density, chosen: Chosen) -> str:
    """Say how many events there are, which, and when."""
    parts = [counted(density.total, "event")]
    for one, names in (("service", chosen.services), ("type", chosen.types), ("stream", chosen.streams)):
        if names is not None:
            some = ", ".join(plain(name, 24) for name in names[:_NAMED])
            more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            parts.append(f"{one if len(names) == 1 else one + 's'} {some}{more}" if names else f"no {one}")
    parts += [f"with {plain(chosen.text, 24)!r}"] if chosen.text else []
    if density.total:
        parts.append(f"{moment(density.start)[:16]} to {moment(density.end)[:16]} UTC")
    return " · ".join(parts)
