"""The picture of an explorer, for where no widget runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from esanalytics.analysis import Density
from esanalytics.widgets._bundle import png_of

__all__ = ["explorer_png"]

_COLOURS = ("#0072b2", "#c44e00", "#007a5a", "#a8477f", "#7a6a00", "#2f6f8f", "#6a3d9a", "#5b5b5b")
_DAY = 86_400_000_000


def explorer_png(density: Density) -> bytes:
    """Draw a density as stacked steps, with its names and total."""
    figure = Figure(figsize=(9, 2.6), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    edges = np.linspace(density.start, density.end, density.counts.shape[1] + 1) / _DAY
    below = np.zeros(density.counts.shape[1])
    for number, (name, counts) in enumerate(_named(density)):
        shown = name if len(name) <= 30 else f"{name[:29]}…"  # noqa: PLR2004  characters
        colour = _COLOURS[number % len(_COLOURS)]
        axes.stairs(below + counts, edges, baseline=below, fill=True, color=colour, label=shown.replace("$", r"\$"))
        below = below + counts
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_title(f"{density.total:,} events", loc="left", fontsize=10)
    axes.set_ylabel("events per bin")
    axes.set_xlabel("UTC")
    axes.spines[["top", "right"]].set_visible(False)
    if density.names and density.total:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7, frameon=False)
    return png_of(figure)


def _named(density: Density) -> list[tuple[str, npt.NDArray[np.int64]]]:
    """Return the counts of the first names, which have a colour of their own, and of the others together."""
    found = list(zip(density.names, density.counts, strict=True))
    if len(found) <= len(_COLOURS):
        return found
    kept = found[: len(_COLOURS) - 1]
    return [*kept, ("others", density.counts[len(kept) :].sum(axis=0))]
