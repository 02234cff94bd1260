"""The demo's chart: the orders on their way over the days, and money over the weeks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from esanalytics.demo._figures import Figures

__all__ = ["draw"]

# Colours of Okabe and Ito, which people with any colour vision tell apart.
_ON_THEIR_WAY = {
    "placed": "#F0E442",
    "paid": "#E69F00",
    "shipped": "#56B4E9",
    "refund_requested": "#CC79A7",
}
_AT_REST = ("delivered", "refunded", "cancelled")
_PAID, _REFUNDED = "#0072B2", "#D55E00"
_INK, _FAINT = "#222222", "#DDDDDD"
_DAY, _WEEK = dt.timedelta(days=1), dt.timedelta(days=7)
_DAY_BAR, _WEEK_BAR = 0.86, 6.3


def draw(found: Figures, path: Path) -> None:
    """Write the chart as a PNG."""
    figure = Figure(figsize=(11, 7), dpi=120, facecolor="white", layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"hspace": 0.12})
    _orders(upper, found)
    _money(lower, found)
    for axes in (upper, lower):
        _plain(axes)
    marked = found.weeks[::2]
    lower.set_xlim(*_instants([found.weeks[0], found.weeks[-1] + _WEEK]))
    lower.set_xticks(_instants(marked), [f"{week.day} {week:%B}" for week in marked])
    lower.set_xlabel(f"{found.weeks[0].year}, days in UTC", color=_INK)
    figure.savefig(path, format="png", metadata={"Software": None})


def _orders(axes: Axes, found: Figures) -> None:
    middles = _instants([day - _DAY / 2 for day in found.days])
    below = np.zeros(len(found.days), np.int64)
    for name, colour in _ON_THEIR_WAY.items():
        counts = np.array(found.statuses[name])
        axes.bar(middles, counts, _DAY_BAR, below, color=colour, label=name.replace("_", " "))
        below += counts
    axes.set_ylim(0, below.max() * 1.3)
    axes.legend(loc="upper left", frameon=False, ncols=len(_ON_THEIR_WAY))
    at_rest = ", ".join(f"{found.statuses[name][-1]:,} {name}" for name in _AT_REST)
    _title(axes, "Orders on their way, at the end of each day", f"in the end {at_rest}")
    axes.set_ylabel("orders", color=_INK)
    axes.yaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))


def _money(axes: Axes, found: Figures) -> None:
    middles = _instants([week + _WEEK / 2 for week in found.weeks])
    paid, refunded = [float(euros) for euros in found.paid], [-float(euros) for euros in found.refunded]
    axes.bar(middles, paid, _WEEK_BAR, color=_PAID, label="paid")
    axes.bar(middles, refunded, _WEEK_BAR, color=_REFUNDED, label="refunded")
    axes.axhline(0, color=_INK, linewidth=0.8)
    axes.set_ylim(min(refunded) * 1.25, max(paid) * 1.3)
    axes.legend(loc="upper left", frameon=False, ncols=2)
    sums = f"in all {sum(found.paid):,} EUR paid, {sum(found.refunded):,} EUR refunded"
    _title(axes, "Money, in periods of seven days", sums)
    axes.set_ylabel("EUR", color=_INK)
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))


def _title(axes: Axes, text: str, more: str) -> None:
    axes.set_title(text, loc="left", fontweight="bold", color=_INK)
    axes.set_title(more, loc="right", fontsize="medium", color=_INK)


def _plain(axes: Axes) -> None:
    axes.grid(axis="y", color=_FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, length=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _instants(instants: Sequence[dt.datetime]) -> npt.NDArray[np.datetime64]:
    return np.array([instant.replace(tzinfo=None) for instant in instants], "datetime64[us]")
