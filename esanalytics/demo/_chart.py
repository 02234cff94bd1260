"""The demo's chart: orders by status over the days, and money over the weeks."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from matplotlib import dates, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from esanalytics.demo._figures import Figures

__all__ = ["draw"]

# Colours of Okabe and Ito, which people with any colour vision tell apart.
_COLOURS = {
    "placed": "#F0E442",
    "paid": "#E69F00",
    "shipped": "#56B4E9",
    "delivered": "#0072B2",
    "refund_requested": "#CC79A7",
    "refunded": "#D55E00",
    "cancelled": "#999999",
}
_FROM_BELOW = ("delivered", "shipped", "paid", "placed", "cancelled", "refund_requested", "refunded")
_INK, _FAINT = "#222222", "#DDDDDD"
_BAR_DAYS = 5.6


def draw(found: Figures, path: Path) -> None:
    """Write the chart as a PNG."""
    figure = Figure(figsize=(11, 7.6), dpi=120, facecolor="white", layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _orders(upper, found)
    _money(lower, found)
    for axes in (upper, lower):
        _plain(axes)
    lower.set_xlim(found.weeks[0], found.days[-1])
    lower.xaxis.set_major_locator(dates.WeekdayLocator(byweekday=dates.MO, interval=2))
    lower.xaxis.set_major_formatter(dates.DateFormatter("%d %b"))
    lower.set_xlabel(f"day of {found.days[0].year}, UTC", color=_INK)
    figure.savefig(path, format="png", metadata={"Software": None})


def _orders(axes: Axes, found: Figures) -> None:
    counts = [found.statuses[name] for name in _FROM_BELOW]
    days = [dates.date2num(day) for day in found.days]
    areas = axes.stackplot(
        days, *counts, colors=[_COLOURS[name] for name in _FROM_BELOW], edgecolor="white", linewidth=0.4
    )
    labels = [f"{name.replace('_', ' ')}: {found.statuses[name][-1]}" for name in _FROM_BELOW]
    axes.legend(
        areas[::-1], labels[::-1], title="at the end", loc="upper left", frameon=False, alignment="left"
    )
    axes.set_title("Orders by status at the end of each day", loc="left", fontweight="bold", color=_INK)
    axes.set_ylabel("orders", color=_INK)


def _money(axes: Axes, found: Figures) -> None:
    middles = [dates.date2num(week + dt.timedelta(days=3.5)) for week in found.weeks]
    paid, refunded = [float(euros) for euros in found.paid], [-float(euros) for euros in found.refunded]
    axes.bar(middles, paid, _BAR_DAYS, color=_COLOURS["delivered"], label=f"paid: {sum(found.paid):,} EUR")
    axes.bar(
        middles,
        refunded,
        _BAR_DAYS,
        color=_COLOURS["refunded"],
        label=f"refunded: {sum(found.refunded):,} EUR",
    )
    axes.axhline(0, color=_INK, linewidth=0.8)
    axes.set_ylim(min(refunded) * 1.25, max(paid) * 1.35)
    axes.legend(loc="upper left", frameon=False, ncols=2)
    axes.set_title("Paid and refunded in periods of seven days", loc="left", fontweight="bold", color=_INK)
    axes.set_ylabel("EUR", color=_INK)
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))


def _plain(axes: Axes) -> None:
    axes.grid(axis="y", color=_FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, length=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
