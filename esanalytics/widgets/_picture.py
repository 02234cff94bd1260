"""A picture of a replay at a step: timeline, event and state; drawn once, then only what a step changes."""

from __future__ import annotations

import io
import math
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from esanalytics.analysis._asking import choice
from esanalytics.analysis._session import ReplaySession
from esanalytics.plots._labels import counted
from esanalytics.plots._theme import Theme, palette
from esanalytics.widgets._bundle import MOST_BYTES, said
from esanalytics.widgets._lettering import Word, day, fit, letters, width
from esanalytics.widgets._palettes import few_colours
from esanalytics.widgets._panels import Panel, event_words, state_words
from esanalytics.widgets._placing import ALL, Lane, Look, Placing
from esanalytics.widgets._stamps import Stamps
from esanalytics.widgets._tables import pictured
from esanalytics.widgets._telling import Teller, Told
from esanalytics.widgets._timeline import Timeline

__all__ = ["ReplayPicture"]

Pixels = npt.NDArray[np.uint8]

_LEFT, _RIGHT = 0.02, 0.98
_REACH = 9
"""Pixels around the cursor in which dots are drawn anew; no dot is wider."""


class ReplayPicture:
    """Pictures of a replay, one for each step; they show what the session is when they are drawn.

    Args:
        session: the replay.
        size: of the picture in inches.
        dpi: pixels per inch.
        theme: ``"light"`` or ``"dark"``.
        lanes: what has a lane: each service, type or stream; the ten biggest.
        look: what of it is drawn; may be set.

    Raises:
        ValueError: ``theme`` or ``lanes`` is none of what they can be.
    """

    def __init__(
        self,
        session: ReplaySession,
        *,
        size: tuple[float, float] = (9.6, 5.4),
        dpi: int = 100,
        theme: Theme = "light",
        lanes: Lane = "service",
        look: Look = ALL,
    ) -> None:
        choice("lanes", lanes, ("service", "type", "stream"))
        self.session = session
        self.theme: Theme = theme
        self.lanes: Lane = lanes
        self.look = look
        self.teller = Teller(session)
        self._size = size
        self._dpi = dpi
        self._colours = palette(theme)
        self._lock = threading.RLock()
        self._held: tuple[object, _Layers] | None = None

    def figure(self, step: int | None = None) -> Figure:
        """Draw a step on a figure of its own; no pyplot knows of it. None: the step where the replay stands."""
        with self._lock:
            told = self.teller.at(step)
            figure, timeline = self._still()
            timeline.show(told.step)
            timeline.cut(told.step)
            for artist in self._moving(figure, timeline, told):
                figure.add_artist(artist.artist() if isinstance(artist, Word) else artist)
        return figure

    def pixels(self, step: int | None = None) -> Pixels:
        """Draw a step as rows, columns and 3 bytes."""
        with self._lock, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            told = self.teller.at(step)
            layers = self._layers()
            return layers.drawn(told.step, self._moving(layers.figure, layers.timeline, told))

    def png(self, step: int | None = None, *, fast: bool = False) -> bytes:
        """Draw a step as PNG.

        Args:
            step: None: where the replay stands.
            fast: packed loosely, for a picture that is shown a moment; otherwise it has at most 100,000 bytes.
        """
        picture, found = Image.fromarray(self.pixels(step)), io.BytesIO()
        if fast:
            picture.save(found, "PNG", compress_level=1)
            return found.getvalue()
        alt = said(pictured(self.session.entity.title, self.teller.at(step)))
        picture.save(found, "PNG", optimize=True, pnginfo=alt)
        if found.tell() > MOST_BYTES:
            found = io.BytesIO()
            few_colours(picture, self.theme).save(found, "PNG", optimize=True, pnginfo=alt)
        return found.getvalue()

    def _layers(self) -> _Layers:
        """Return what all steps have in common, as long as it is still so."""
        session = self.session
        now = (session.branch, session.skipped, tuple(session.bookmarks), self.lanes, self.look)
        if self._held is None or self._held[0] != now:
            self._held = (now, _Layers(*self._still()))
        return self._held[1]

    def _still(self) -> tuple[Figure, Timeline]:
        """Draw what does not change from step to step."""
        session, colours = self.session, self._colours
        figure = Figure(figsize=self._size, dpi=self._dpi, facecolor=colours.paper)
        FigureCanvasAgg(figure)
        box = (_LEFT, 0.49, _RIGHT, 0.875)
        placing = Placing(session.branch, self.lanes, session.skipped, self.look)
        timeline = Timeline(figure, placing, self.theme, box)
        for artist in self._heading(figure, timeline):
            figure.add_artist(artist)
        for step, label in session.bookmarks[:50]:
            self._bookmark(timeline, step, label)
        panel = Rectangle((0.425, 0.045), 0.0012, 0.35, color=colours.grid, lw=0)
        panel.set_transform(figure.transFigure)
        figure.add_artist(panel)
        return figure, timeline

    def _heading(self, figure: Figure, timeline: Timeline) -> Iterator[Artist]:
        session, colours, room = self.session, self._colours, figure.get_figwidth() * 72
        title = fit(session.entity.title, room * 0.5, 15, bold=True)
        yield letters(_LEFT, 0.935, title, colours.ink, 15, fontweight="bold")
        folded = f"by {session.entity.definition.name}" if session.entity.given else "fields of its payloads"
        beside = _LEFT + (width(title, 15, bold=True) + 8) / room
        yield letters(beside, 0.935, fit(folded, room * 0.2, 10), colours.soft, 10)
        yield letters(_LEFT, 0.892, fit(self._summary(timeline), room * 0.95, 8.5), colours.soft, 8.5)

    def _summary(self, timeline: Timeline) -> str:
        """Say how much there is, from when to when, and what is not drawn as it was."""
        branch = timeline.placing.branch
        left = len(branch) - int(timeline.placing.shown.sum())
        parts = [counted(len(branch), "event") + (f", {left:,} of them not shown" if left else "")]
        if len(branch):
            first, last = day(branch.instant(0)), day(branch.instant(len(branch) - 1))
            parts.append(f"{first} UTC" if first == last else f"{first} to {last} UTC")
        parts += [timeline.placing.scale.note] if timeline.placing.scale.note else []
        parts += ["too many for dots: the darker, the more"] if timeline.placing.dense else []
        return " · ".join(parts)

    def _bookmark(self, timeline: Timeline, step: int, label: str) -> None:
        axes, colours = timeline.axes, self._colours
        place = timeline.placing.place(max(0, min(step, len(timeline.placing))))
        axes.axvline(place, color=colours.soft, lw=1, ls=":", zorder=1.2)
        text = letters(place + 0.004, 0.98, fit(label, 90, 7.5), colours.soft, 7.5, va="top")
        text.set_transform(axes.transAxes)
        axes.add_artist(text)

    def _moving(self, figure: Figure, timeline: Timeline, told: Told) -> Iterator[Line2D | Word]:
        """Draw what belongs to one step: the cursor, the marks, the words."""
        colours = self._colours
        for name, step in sorted(self.session.marks.items()):
            yield from self._flag(figure, timeline, min(step, told.of), name)
        if told.of:
            yield from self._cursor(figure, timeline, told)
        if told.badge:
            yield Word(0.97, 0.938, told.badge, colours.alert, 9.5, True, "right", colours.paper, colours.alert)
        yield from event_words(Panel(figure, _LEFT, 0.4, 0.41, 0.03, self.theme), told)
        if told.event is not None:
            look_of = timeline.look(told.step - 1)
            y = 0.4 - 1.88 * 13.5 / (figure.get_figheight() * 72)
            mark = Line2D([_LEFT + 0.007], [y], ls="", marker=look_of.marker, color=look_of.colour, ms=8, mew=0)
            if told.skipped:
                mark.set(markerfacecolor=colours.paper, markeredgecolor=look_of.colour, markeredgewidth=1.6)
            yield _on_figure(figure, mark)
        yield from state_words(Panel(figure, 0.445, 0.4, _RIGHT, 0.03, self.theme), told)

    def _cursor(self, figure: Figure, timeline: Timeline, told: Told) -> Iterator[Line2D | Word]:
        colour = self._colours.alert
        x, bottom, top = _column(timeline, timeline.placing.place(told.step))
        yield _on_figure(figure, Line2D([x, x], [bottom, top], color=colour, lw=1.4, gid="cursor"))
        yield _on_figure(figure, Line2D([x], [top], ls="", marker="v", color=colour, ms=7, mew=0))
        where = timeline.where(told.step)
        if where is not None:
            x, y = figure.transFigure.inverted().transform(timeline.axes.transData.transform(where))
            ring = Line2D([x], [y], ls="", marker="o", ms=14, mfc="none", mec=colour, mew=1.8, gid="ring")
            yield _on_figure(figure, ring)

    def _flag(self, figure: Figure, timeline: Timeline, step: int, name: str) -> Iterator[Line2D | Word]:
        colours = self._colours
        x, bottom, top = _column(timeline, timeline.placing.place(step))
        yield _on_figure(
            figure, Line2D([x, x], [bottom, top], color=colours.ink, lw=1, ls=(0, (4, 2)), gid=f"mark-{name}")
        )
        yield Word(x, bottom + 0.014, fit(name, 60, 8), colours.paper, 8, True, "center", colours.ink, colours.ink)


class _Layers:
    """A figure drawn three times: without events, with all to come, with all that happened.

    A step is put together of these, left and right of the cursor; dots around it are drawn anew, for they may reach
    over it.
    """

    def __init__(self, figure: Figure, timeline: Timeline) -> None:
        self.figure = figure
        self.timeline = timeline
        self._canvas: Any = figure.canvas
        self._faint, self._strong = timeline.layers
        for artist in (*self._faint, *self._strong):
            artist.set_animated(True)
        self._canvas.draw()
        self._stamps = Stamps(figure)
        self._reach = math.ceil(_REACH * figure.dpi / 100)
        self._bare = self._copy()
        timeline.show(0)
        self._future = self._over(self._faint)
        timeline.show(len(timeline.placing))
        self._past = self._over(self._strong)

    def drawn(self, step: int, moving: Iterator[Line2D | Word]) -> Pixels:
        """Put a step together and draw what belongs to it."""
        pixels, wide = self._pixels(), self._bare.shape[1]
        axes = self.timeline.axes
        cursor = float(axes.transData.transform((self.timeline.placing.place(step), 0))[0])
        middle = max(0, min(wide, round(cursor) if step else 0))
        reach = 0 if self.timeline.placing.dense else self._reach
        left, right = max(0, middle - reach), min(wide, middle + reach)
        pixels[:, :left] = self._past[:, :left]
        pixels[:, right:] = self._future[:, right:]
        if reach:
            self._between(step, left, right)
        renderer = self._canvas.get_renderer()
        for artist in moving:
            if isinstance(artist, Word):
                self._stamps.put(pixels, artist)
            else:
                artist.set_figure(self.figure)
                artist.draw(renderer)
        return self._copy()[..., :3]

    def _between(self, step: int, left: int, right: int) -> None:
        """Draw the dots around the cursor, and only there."""
        timeline, high = self.timeline, self._bare.shape[0]
        pixels = self._pixels()
        pixels[:, left:right] = self._bare[:, left:right]
        timeline.show_near(step, 2 * self._reach / timeline.axes.bbox.width)
        for artist in (*self._faint, *self._strong):
            if isinstance(artist, Line2D) and np.size(artist.get_xdata()):
                artist.set_clip_box(_box(left, right, high))
                artist.draw(self._canvas.get_renderer())

    def _over(self, artists: list[Any]) -> Pixels:
        self._pixels()[:] = self._bare
        for artist in artists:
            artist.draw(self._canvas.get_renderer())
        return self._copy()

    def _pixels(self) -> Pixels:
        return np.asarray(self._canvas.buffer_rgba())

    def _copy(self) -> Pixels:
        return self._pixels().copy()


def _box(left: int, right: int, high: int) -> Any:  # noqa: ANN401  a Bbox
    from matplotlib.transforms import Bbox  # noqa: PLC0415

    return Bbox([[left, 0], [right, high]])


def _column(timeline: Timeline, place: float) -> tuple[float, float, float]:
    """Return across, bottom and top of a place of the timeline, in parts of the figure."""
    area = timeline.axes.get_position()
    top = (timeline.strip or timeline.axes).get_position().y1
    return float(area.x0 + place * area.width), float(area.y0), float(top)


def _on_figure(figure: Figure, line: Line2D) -> Line2D:
    line.set_transform(figure.transFigure)
    line.set_clip_on(False)
    return line
