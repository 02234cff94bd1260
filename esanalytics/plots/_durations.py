"""How long something takes, from one type to another."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from esanalytics.analysis._asking import known_types
from esanalytics.analysis._flows import Lasting, lasting
from esanalytics.plots._labels import counted, gap, gap_axis, number_axis, plain
from esanalytics.plots._theme import Palette, Theme, begin, empty, finish, looking, ready
from esanalytics.store import Log, Store, as_log

__all__ = ["durations"]


def durations(
    log: Store | Log,
    start: str,
    end: str,
    *,
    ax: Axes | None = None,
    theme: Theme = "light",
    **kwargs: Any,  # noqa: ANN401  matplotlib's
) -> Axes:
    """Draw how long it took, in each stream, from the first event of one type to the next of another.

    The median and the 95th percentile are marked. Streams in which the end did not come are counted in the note.

    Args:
        log: a store, or any view of one.
        start: the type that begins.
        end: the type that ends; it may be the same.
        ax: where to draw; left out: on a new figure, which a notebook shows.
        theme: ``"light"`` or ``"dark"``.
        **kwargs: for ``Axes.bar``.

    Raises:
        ValueError: no event has one of the types, or there is no such theme.

    Example:
        >>> ea.plots.durations(store, "OrderPaid", "OrderShipped")  # doctest: +SKIP
    """
    ready(ax, theme)
    seen = as_log(log)
    known_types(seen, [start, end])
    found = lasting(seen, start, end)
    axes, colours = begin(ax, theme, (9, 4), f"Time from {plain(start)} to {plain(end)}")
    if not found.finished:
        empty(axes, colours, "no stream got from the one to the other" if found.unfinished else "no such events")
        return finish(axes, theme, f"{counted(found.unfinished, 'stream')} with a start and no end")
    unit, name = gap_axis(float(found.edges[-1]))
    width = (found.edges[1] - found.edges[0]) / unit
    same = {"color": ("facecolor",)}
    drawn = looking(
        Rectangle, kwargs, same, color=colours.accent, edgecolor=colours.paper, linewidth=0.5, align="edge", width=width
    )
    axes.bar(found.edges[:-1] / unit, found.counts, **drawn)
    _marks(axes, found, unit, colours)
    axes.set_xlim(0, found.edges[-1] / unit)
    axes.grid(axis="y", color=colours.grid, linewidth=0.7)
    number_axis(axes)
    axes.set_ylabel("streams")
    axes.set_xlabel(f"{name}, by effective time in UTC")
    return finish(axes, theme, _note(found))


def _marks(axes: Axes, found: Lasting, unit: int, colours: Palette) -> None:
    """Mark the median and the 95th percentile over the bars."""
    axes.set_ylim(0, found.counts.max() * 1.3)
    marks = (
        (found.median, f"median {gap(found.median)}", "-", 0.97),
        (found.p95, f"95 % within {gap(found.p95)}", "--", 0.89),
    )
    for at, text, style, height in marks:
        if at > found.edges[-1]:
            continue
        axes.axvline(at / unit, color=colours.alert, lw=1.4, ls=style)
        late = at > 0.6 * found.edges[-1]
        axes.annotate(
            text,
            (at / unit, height),
            xycoords=axes.get_xaxis_transform(),
            xytext=(-5 if late else 5, 0),
            textcoords="offset points",
            ha="right" if late else "left",
            va="top",
            fontsize=9,
            color=colours.ink,
        )


def _note(found: Lasting) -> str:
    text = f"{counted(found.finished, 'stream')} from the first start to the next end"
    text += f"; {found.unfinished:,} more with a start and no end yet" if found.unfinished else "; all that started"
    beyond = found.finished - int(found.counts.sum())
    return text + (f"; {beyond:,} longer ones, up to {gap(found.longest)}, are not drawn" if beyond else "")
