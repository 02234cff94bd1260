"""The timeline of a picture: density over lanes of events, what happened strong, what comes faint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Transform

from esanalytics.plots._labels import compact, counted
from esanalytics.plots._theme import Palette, Sign, Theme, palette
from esanalytics.widgets._lettering import fit, letters
from esanalytics.widgets._palettes import DOTS, FAINT
from esanalytics.widgets._placing import MOST_DOTS, Ints, Placing
from esanalytics.widgets._scale import length

__all__ = ["Timeline", "sign_of"]

_SHAPES = ("o", "s", "^")
_MORE = {"X": 1.5, "D": -0.5}
_LISTED = 14
"""More names than this are not in the legend."""
_CELLS = 420
_DENSE = 30
"""Fewer events than this need no density."""
_LABEL = 12.5  # how much room the names beside the lanes have, in percent of the picture


def sign_of(nth: int, theme: Theme, *, failure: bool, broken: bool = False) -> Sign:
    """Give the sign of the nth that happened first, as the page does (`static/replay/colours.js`).

    Args:
        nth: from 0.
        theme: ``"light"`` or ``"dark"``.
        failure: its type says that something failed; it is a diamond.
        broken: the fold failed at it; it is a cross.
    """
    hues = DOTS[theme]
    marker = "X" if broken else "D" if failure else _SHAPES[nth // len(hues) % len(_SHAPES)]
    return Sign(hues[nth % len(hues)], marker, "")


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Events that look alike, by row; ``strong`` draws those that happened, ``faint`` those to come."""

    rows: Ints
    strong: Line2D
    faint: Line2D


class Timeline:
    """The events of a replay on a figure, for one theme and one choice of lanes.

    Args:
        figure: where to draw.
        placing: the events.
        theme: ``"light"`` or ``"dark"``.
        box: left, bottom, right and top in the figure.
    """

    def __init__(self, figure: Figure, placing: Placing, theme: Theme, box: tuple[float, float, float, float]) -> None:
        self.placing = placing
        self.theme = theme
        self.colours = palette(theme)
        left, bottom, right, top = box
        split = top - 0.16 * (top - bottom) if len(placing) >= _DENSE else top
        legend = 0.0 if placing.lanes == placing.look.colour or placing.dense else 0.15
        area = (left + _LABEL / 100, bottom, right - left - legend - _LABEL / 100, split - bottom - 0.01)
        self.axes = _bare(figure, area, self.colours)
        self.strip = _bare(figure, (area[0], split, area[2], top - split), self.colours) if split < top else None
        self._groups: list[_Group] = []
        self._faces: list[tuple[Any, Any]] = []
        self._furnish(_LABEL / 100 * figure.get_figwidth() * 72 - 8)
        self._draw_events()
        if legend:
            self._legend(figure, right - legend + 0.012, top)

    @property
    def layers(self) -> tuple[list[Any], list[Any]]:
        """The artists of what is to come, and of what happened."""
        faint = [group.faint for group in self._groups] + [pair[0] for pair in self._faces]
        return faint, [group.strong for group in self._groups] + [pair[1] for pair in self._faces]

    def where(self, step: int) -> tuple[float, float] | None:
        """Return the place of the event of a step in the lanes; None at step 0, and where it is not drawn."""
        if not step or not self.placing.shown[step - 1]:
            return None
        return float(self.placing.x[step - 1]), float(self.placing.y[step - 1])

    def look(self, row: int) -> Sign:
        """Return the sign of the event of a row."""
        placing = self.placing
        how = {"failure": bool(placing.failing[row]), "broken": bool(placing.failed[row])}
        return sign_of(int(placing.ranks[row]), self.theme, **how)

    def show(self, step: int, low: int = 0, high: int | None = None) -> None:
        """Let the groups hold the rows from ``low`` to ``high``: those before ``step`` strong, the others faint."""
        last = len(self.placing) if high is None else high
        for group in self._groups:
            first, middle, end = np.searchsorted(group.rows, (low, min(max(step, low), last), last))
            for line, rows in ((group.strong, group.rows[first:middle]), (group.faint, group.rows[middle:end])):
                line.set_data(self.placing.x[rows], self.placing.y[rows])

    def show_near(self, step: int, reach: float) -> None:
        """Let the groups hold the rows around a step, of dots on one another only the last."""
        place = self.placing.place(step)
        low, high = (int(row) for row in np.searchsorted(self.placing.x, (place - reach, place + reach)))
        for group in self._groups:
            rows = group.rows[slice(*np.searchsorted(group.rows, (low, high)))]
            middle = int(np.searchsorted(rows, step))
            for line, some in ((group.strong, rows[:middle]), (group.faint, rows[middle:])):
                few = (
                    self.placing.apart(some, self.axes.bbox.width, self.axes.bbox.height)
                    if len(some) > _CELLS
                    else some
                )
                line.set_data(self.placing.x[few], self.placing.y[few])

    def cut(self, step: int) -> None:
        """Cut densities at a step, where no layers are put together."""
        place = self.placing.place(step)
        for faint, strong in self._faces:
            bottom, top = sorted(faint.axes.get_ylim())
            strong.set_clip_path(_rectangle(faint.axes, 0.0, bottom, place, top - bottom))
            faint.set_clip_path(_rectangle(faint.axes, place, bottom, 1.0 - place, top - bottom))

    def _furnish(self, room: float) -> None:
        """Draw what stays: lanes and their names, instants, folded gaps."""
        axes, many = self.axes, max(1, len(self.placing.names))
        axes.set(xlim=(0, 1), ylim=(many - 0.5, -0.5))
        for nth, name in enumerate(self.placing.names):
            axes.axhspan(nth - 0.44, nth + 0.44, color=_mixed(self.colours.grid, self.colours.paper, 0.45), lw=0)
            _put(
                axes,
                letters(-0.008, nth, fit(name, room, 8.5), self.colours.ink, 8.5, ha="right", va="center"),
                axes.get_yaxis_transform(),
            )
        for place, told in self.placing.scale.ticks(92 / max(1.0, axes.bbox.width)):
            axes.plot(
                [place, place], [0, -0.02], color=self.colours.soft, lw=0.8, clip_on=False, transform=axes.transAxes
            )
            _put(
                axes,
                letters(place, -0.035, told, self.colours.soft, 8, ha="center", va="top", linespacing=1.25),
                axes.transAxes,
            )
        for fold in self.placing.scale.folds:
            self._gap((fold.left + fold.right) / 2, length(fold.us))

    def _gap(self, place: float, told: str) -> None:
        axes, colours = self.axes, self.colours
        for beside in (-0.003, 0.003):
            x = [place + beside - 0.003, place + beside + 0.003]
            axes.plot(x, [-0.03, 0.03], color=colours.soft, lw=0.9, clip_on=False, transform=axes.transAxes, zorder=3)
        axes.axvline(place, color=colours.soft, lw=0.6, ls=(0, (1, 3)), zorder=0.8)
        look = {"boxstyle": "square,pad=0.1", "facecolor": colours.paper, "edgecolor": "none"}
        _put(
            axes,
            letters(place, 0.5, told, colours.soft, 7.5, ha="center", va="center", rotation=90, bbox=look),
            axes.transAxes,
        )

    def _draw_events(self) -> None:
        if not self.placing.shown.any():
            told = "no events that are shown" if len(self.placing) else "no events"
            text = letters(0.5, 0.5, told, self.colours.soft, 11, ha="center", va="center")
            _put(self.axes, text, self.axes.transAxes)
            return
        if self.placing.dense:
            self._draw_cells()
        else:
            self._draw_dots()
        if self.strip is not None:
            self._draw_strip()

    def _draw_dots(self) -> None:
        size = float(np.interp(int(self.placing.shown.sum()), [60, 500, 5_000, MOST_DOTS], [9.0, 6.5, 4.0, 3.0]))
        hollow = np.zeros(len(self.placing), np.bool_)
        hollow[self.placing.off] = True
        placing = self.placing
        keys = placing.ranks * 8 + placing.failing * 4 + placing.failed * 2 + hollow
        for key in np.unique(keys[placing.shown]).tolist():
            rows = np.flatnonzero(placing.shown & (keys == key))
            look = sign_of(key // 8, self.theme, failure=bool(key & 4), broken=bool(key & 2))
            self._groups.append(self._group(rows, look, size, hollow=bool(key & 1)))

    def _group(self, rows: Ints, look: Sign, size: float, *, hollow: bool) -> _Group:
        made = []
        above = 0.1 if hollow else 0.0  # so that what is switched off is seen to be
        for colour, order in ((look.colour, 2.2), (_mixed(look.colour, self.colours.paper, FAINT), 2.0)):
            face, edge = (self.colours.paper, colour) if hollow else (colour, self.colours.paper)
            line = Line2D([], [], ls="", marker=look.marker, ms=size + _MORE.get(look.marker, 0), zorder=order + above)
            line.set(markerfacecolor=face, markeredgecolor=edge, markeredgewidth=1.6 if hollow else 0.5, clip_on=True)
            self.axes.add_artist(line)
            made.append(line)
        return _Group(rows.astype(np.int64), *made)

    def _draw_cells(self) -> None:
        """Draw how many events there are in each part of each lane, the more the stronger."""
        many = len(self.placing.names)
        shown = self.placing.shown
        cells = np.minimum((self.placing.x[shown] * _CELLS).astype(np.int64), _CELLS - 1)
        counts = np.bincount(self.placing.lane[shown] * _CELLS + cells, minlength=many * _CELLS).reshape(many, _CELLS)
        share = np.log1p(counts) / np.log1p(max(1, int(counts.max())))
        pair = []
        for strength in (FAINT, 1.0):
            image = np.zeros((many, _CELLS, 4))
            image[..., :3] = to_rgb(_mixed(self.colours.accent, self.colours.paper, strength))
            image[..., 3] = np.where(counts > 0, 0.2 + 0.8 * share, 0)
            extent = (0, 1, many - 0.5, -0.5)
            pair.append(self.axes.imshow(image, extent=extent, aspect="auto", interpolation="nearest", zorder=1.5))
        self.axes.set(xlim=(0, 1), ylim=(many - 0.5, -0.5))
        self._faces.append((pair[0], pair[1]))
        self._hollow()

    def _hollow(self) -> None:
        """Mark what is switched off over a density."""
        rows = self.placing.off[:MOST_DOTS]
        if len(rows):
            line = Line2D(self.placing.x[rows], self.placing.y[rows], ls="", marker="o", ms=7, zorder=2.3)
            line.set(markerfacecolor=self.colours.paper, markeredgecolor=self.colours.ink, markeredgewidth=1.4)
            self.axes.add_artist(line)

    def _draw_strip(self) -> None:
        """Draw how many events there are in each part of the time."""
        axes = self.strip
        if axes is None:
            return
        bins = _CELLS // 3
        across = self.placing.x[self.placing.shown]
        counts = np.bincount(np.minimum((across * bins).astype(np.int64), bins - 1), minlength=bins)
        most = max(1, int(counts.max()))
        axes.set(xlim=(0, 1), ylim=(0, most * 1.08))
        pair = []
        for strength, order in ((FAINT, 1.5), (0.9, 1.6)):
            colour = _mixed(self.colours.accent, self.colours.paper, strength)
            edges = np.arange(bins + 1) / bins
            pair.append(axes.stairs(counts, edges, fill=True, color=colour, lw=0, zorder=order))
        self._faces.append((pair[0], pair[1]))
        told = f"up to {compact(most)}"
        _put(axes, letters(-0.008, 0.5, told, self.colours.soft, 7.5, ha="right", va="center"), axes.transAxes)

    def _legend(self, figure: Figure, left: float, top: float) -> None:
        """Write beside the lanes which sign stands for which type."""
        line = 14 / 72 / figure.get_figheight()
        room = (0.98 - left) * figure.get_figwidth() * 72 - 12
        lines = min(_LISTED, max(1, int((top - self.axes.get_position().y0) / line)))
        placing = self.placing
        rows = np.flatnonzero(placing.shown)
        ranks, first = np.unique(placing.ranks[rows], return_index=True)
        listed = sorted(zip(ranks.tolist(), rows[first].tolist(), strict=True), key=lambda one: -placing.counts[one[0]])
        named = listed if len(listed) <= lines else listed[: lines - 1]
        for nth, (rank, row) in enumerate(named):
            look = sign_of(rank, self.theme, failure=placing.look.colour == "type" and bool(placing.failing[row]))
            self._entry(figure, left, top - (nth + 0.6) * line, fit(placing.kinds[rank], room, 8), look)
        if len(named) < len(listed):
            others = counted(len(listed) - len(named), f"other {placing.look.colour}")
            self._entry(figure, left, top - (len(named) + 0.6) * line, others, None)

    def _entry(self, figure: Figure, x: float, y: float, told: str, look: Sign | None) -> None:
        if look is not None:
            mark = Line2D([x], [y], ls="", marker=look.marker, color=look.colour, ms=6, mew=0)
            mark.set_transform(figure.transFigure)
            figure.add_artist(mark)
        figure.add_artist(letters(x + 0.012, y, told, self.colours.ink, 8, va="center"))


def _bare(figure: Figure, area: tuple[float, float, float, float], colours: Palette) -> Axes:
    axes = figure.add_axes(area, facecolor=colours.paper)
    axes.set(xticks=[], yticks=[], xlim=(0, 1))
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _put(axes: Axes, text: Text, transform: Transform) -> None:
    """Write on axes, also beside them."""
    text.set_transform(transform)
    axes.add_artist(text)
    text.set_clip_on(False)
    text.set_clip_path(None)


def _mixed(colour: str, paper: str, share: float) -> str:
    parts = zip(to_rgb(colour), to_rgb(paper), strict=True)
    return "#" + "".join(f"{round(255 * (share * one + (1 - share) * other)):02x}" for one, other in parts)


def _rectangle(axes: Axes, left: float, bottom: float, wide: float, high: float) -> Rectangle:
    return Rectangle((left, bottom), wide, high, transform=axes.transData)
