"""Columns of state over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from esanalytics.analysis._versions import MOST_VERSIONS, Track, Tracks, tracks
from esanalytics.plots._labels import counted, days, every, number_axis, plain, time_axis
from esanalytics.plots._picture import points_wide
from esanalytics.plots._theme import (
    Palette,
    Sign,
    Theme,
    begin,
    empty,
    finish,
    legend,
    looking,
    on,
    palette,
    ready,
    refuse,
    sign,
)
from esanalytics.store import Log, Store, as_log
from esanalytics.timetravel import Definition

__all__ = ["state"]

_STYLES = ("-", "--", "-.", ":")
_HIGH = 0.72  # of a row
_WIDE = 5.6  # points that a character of a label takes
_MOST_ROWS = 48
_LISTED = 9  # values in the legend
_MEANT = {"key": ("keys", "id", "ids", "entity", "entities"), "columns": ("column", "field", "fields")}
"""Arguments, and words that callers have for them."""


def state(
    log: Store | Log,
    projection: Definition,
    columns: str | Sequence[str] | None = None,
    *,
    key: Any = None,  # noqa: ANN401  a value of the key's type
    ax: Axes | None = None,
    theme: Theme = "light",
    **kwargs: Any,  # noqa: ANN401  matplotlib's
) -> Axes:
    """Draw how columns of state went over time, for one or several keys.

    One column of numbers is drawn as steps with its values on the upright axis. Otherwise each column of each key has a
    row: numbers as steps, other values as bands with the value in them. Where the row was deleted, it is hatched; NULL
    is left blank. Time is ``effective_at`` in UTC.

    Args:
        log: a store, or any view of one.
        projection: what to fold; an `ea.SqlProjection` has no history.
        columns: a column, or several; left out: the first six.
        key: a key (a tuple where it has several columns), or a list of keys, of which 48 are drawn; left out: the
            first eight, in order of the key, of those that live at the end.
        ax: where to draw; left out: on a new figure, which a notebook shows.
        theme: ``"light"`` or ``"dark"``.
        **kwargs: for ``Axes.plot``, by which steps are drawn.

    Raises:
        ValueError: there is no such column, key or theme.
        UnsupportedError: the projection has no history.

    Example:
        >>> ea.plots.state(store, orders, ["status", "total"], key="order-42")  # doctest: +SKIP
    """
    ready(ax, theme)
    refuse(kwargs, _MEANT)
    wanted = [columns] if isinstance(columns, str) else columns
    left = max(0, len(key) - _MOST_ROWS) if isinstance(key, list) else 0
    found = tracks(as_log(log), projection, wanted, key[:_MOST_ROWS] if left else key)
    alone = len(found.columns) == 1 and all(track.is_number for track in found.tracks)
    rows = found.tracks[:_MOST_ROWS]
    size = (10, 4.2) if alone else (10, 1.7 + 0.36 * max(len(rows), 2))
    axes, colours = begin(ax, theme, size, _title(found))
    if not found.tracks:
        empty(axes, colours, "no rows")
        return finish(axes, theme, "no version of any key")
    time_axis(axes, found.first, _shown_until(found))
    if alone:
        _steps(axes, found, theme, kwargs)
    else:
        _rows(axes, rows, found, theme, kwargs)
    beyond = f"; {counted(left, 'more key')} left out" if left else ""
    return finish(axes, theme, _note(found, len(rows)) + beyond)


def _shown_until(found: Tracks) -> int:
    """Choose where the picture ends: where the log does, but not long after the last change."""
    return min(found.last, found.changed + max(2 * (found.changed - found.first) // 5, 1_000_000))


def _title(found: Tracks) -> str:
    what = plain(found.columns[0], 40) if len(found.columns) == 1 else "State"
    return f"{what} of {plain(found.keys[0], 40)} over time" if len(found.keys) == 1 else f"{what} over time, by key"


def _note(found: Tracks, rows: int) -> str:
    some = len(found.keys)
    text = f"{every(found.versions, 'version')} of {counted(some, 'key')}"
    if found.of is not None and found.of > some:
        text = f"the first {some} of {found.of:,} keys that live at the end, with {counted(found.versions, 'version')}"
    if found.cut:
        text += f"; only the first {MOST_VERSIONS // max(some, 1):,} versions of a key are drawn"
    if found.left:
        text += f"; {counted(found.left, 'column')} left out"
    if rows < len(found.tracks):
        text += f"; {rows} of {len(found.tracks)} rows drawn"
    if _shown_until(found) < found.last:
        text += f"; nothing changes until the last event of the log, {_date(found.last)} UTC"
    if any(track.dead for track in found.tracks):
        text += "; hatched: deleted"
    return text


def _date(us: int) -> str:
    return str(np.datetime64(us, "us").astype("datetime64[m]")).replace("T", " ")


def _steps(axes: Axes, found: Tracks, theme: Theme, kwargs: dict[str, Any]) -> None:
    """Draw one column of numbers, a line for each key."""
    colours, lines = palette(theme), []
    for nth, track in enumerate(found.tracks):
        look = sign(nth, theme)
        drawn = {"color": look.colour, "lw": 1.8, "ls": _STYLES[nth % len(_STYLES)]}
        lines += axes.plot(*_line(track), **looking(Line2D, kwargs, None, **drawn))
        for from_, until in track.dead if len(found.tracks) == 1 else ():
            left, right = days([from_, until])
            axes.axvspan(left, right, facecolor="none", hatch="///", edgecolor=colours.grid, lw=0)
    if len(found.tracks) > 1:
        legend(axes, colours, lines, [track.key for track in found.tracks])
    axes.grid(axis="y", color=colours.grid, linewidth=0.7)
    number_axis(axes, whole=False)
    axes.set_ylabel(plain(found.columns[0], 40), parse_math=False)
    axes.margins(y=0.08)


def _rows(axes: Axes, shown: Sequence[Track], found: Tracks, theme: Theme, kwargs: dict[str, Any]) -> None:
    colours = palette(theme)
    looks = _looks(shown, theme)
    plates = [Patch(fc=look.colour) for look in looks.values() if look.colour != colours.grid]
    ranked = [value for value, look in looks.items() if look.colour != colours.grid]
    legend(axes, colours, plates[:_LISTED], ranked[:_LISTED])
    for row, track in enumerate(shown):
        if track.is_number:
            _number_row(axes, track, row, colours, kwargs)
        else:
            _bands(axes, track, row, looks)
        for from_, until in track.dead:
            left, right = days([from_, until])
            where = [(left, right - left)], (row - _HIGH / 2, _HIGH)
            axes.broken_barh(*where, facecolors="none", hatch="////", edgecolor=colours.soft, lw=0, alpha=0.6)
    labels = [_label(track, found) for track in shown]
    axes.set_yticks(range(len(shown)), labels, parse_math=False)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelcolor=colours.ink)
    for row in range(len(found.columns), len(shown), len(found.columns)):
        axes.axhline(row - 0.5, color=colours.soft if len(found.columns) > 1 else colours.grid, lw=0.5, alpha=0.5)


def _label(track: Track, found: Tracks) -> str:
    one = plain(track.column, 30)
    if len(found.keys) > 1:
        alone = len(found.columns) == 1
        one = plain(track.key, 30) if alone else f"{plain(track.key, 18)} · {plain(track.column, 18)}"
    seen = [value for _, _, value in track.spans if track.is_number and value is not None and np.isfinite(value)]
    if not seen:
        return one
    low, high = f"{min(seen):,.6g}", f"{max(seen):,.6g}"
    return f"{one}\n{low if low == high else f'{low} to {high}'}"


def _looks(shown: Sequence[Track], theme: Theme) -> dict[str, Sign]:
    """Give the values that come and go a sign each, those that fill most bands first; the others have no colour."""
    texts = [[value for _, _, value in track.spans if value is not None] for track in shown if not track.is_number]
    counts = Counter(value for values in texts for value in values)
    alone = len({track.column for track in shown}) == 1
    changing = {value for values in texts for value in values if alone or len(set(values)) > 1}
    ranked = sorted(counts, key=lambda value: (value not in changing, -counts[value], value))
    still = Sign(palette(theme).grid, "o", "")
    return {value: sign(nth, theme) if value in changing else still for nth, value in enumerate(ranked)}


def _bands(axes: Axes, track: Track, row: int, looks: dict[str, Sign]) -> None:
    spans = [span for span in track.spans if span[2] is not None]
    if not spans:
        return
    begins, ends = days([span[0] for span in spans]), days([span[1] for span in spans])
    low, high = axes.get_xlim()
    wide = np.maximum(ends - begins, (high - low) / 700)
    axes.broken_barh(
        list(zip(begins, wide, strict=True)),
        (row - _HIGH / 2, _HIGH),
        facecolors=[looks[value].colour for _, _, value in spans],
        edgecolor=axes.get_facecolor(),
        lw=0.6,
    )
    points = points_wide(axes) / (high - low)
    for left, width, (_, _, value) in zip(begins, wide, spans, strict=True):
        room = int((width * points - 6) / _WIDE)
        if room >= min(3, len(value)):
            ink = on(looks[value].colour)
            text = plain(value, max(room, 1))
            axes.text(
                left + 3 / points, row, text, va="center", color=ink, fontsize=8.5, parse_math=False, clip_on=True
            )


def _number_row(axes: Axes, track: Track, row: int, colours: Palette, kwargs: dict[str, Any]) -> None:
    x, y = _line(track)
    seen = y[np.isfinite(y)]
    if not len(seen):
        return
    low, high = float(seen.min()), float(seen.max())
    part = (y - low) / (high - low) if high > low else y - y + 0.5
    axes.plot(x, row + (0.5 - part) * _HIGH, **looking(Line2D, kwargs, None, color=colours.accent, lw=1.6))


def _line(track: Track) -> tuple[Any, Any]:
    """Make the corners of steps; NaN where there is no number."""
    x: list[int] = []
    y: list[float] = []
    for from_, until, value in track.spans:
        gone = bool(x) and x[-1] != from_
        x += [x[-1], from_, until] if gone else [from_, until]
        number = np.nan if value is None else value
        y += [np.nan, number, number] if gone else [number, number]
    return days(x), np.asarray(y, float)
