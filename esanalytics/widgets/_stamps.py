"""Stamps: texts that were drawn once, to be put on pictures again and again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure

from esanalytics.widgets._lettering import Word

__all__ = ["Stamps"]

Pixels = npt.NDArray[np.uint8]

_MOST = 4_000
_HIGH = 64
_EDGE = 16


class Stamps:
    """Puts words on the pixels of a figure.

    Args:
        figure: of which the pixels are; it must not change its size.
    """

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        self._wide, self._tall = (int(length) for length in figure.bbox.size)
        high = int(_HIGH * figure.dpi / 100)
        self._renderer = RendererAgg(self._wide, high, figure.dpi)  # type: ignore[no-untyped-call]  # matplotlib's
        self._known: OrderedDict[Word, tuple[Pixels, int, int]] = OrderedDict()

    def put(self, pixels: Pixels, word: Word) -> None:
        """Draw a word."""
        key = replace(word, x=0.0, y=0.0)
        if key not in self._known:
            self._known[key] = self._drawn(key)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        stamp, across, down = self._known[key]
        left = round(word.x * self._wide) + across
        top = self._tall - round(word.y * self._tall) + down
        high, wide = stamp.shape[:2]
        cut = stamp[max(0, -top) : self._tall - top, max(0, -left) : self._wide - left].astype(np.uint16)
        part = pixels[max(0, top) : top + high, max(0, left) : left + wide, :3]
        if part.size:
            opaque = cut[..., 3:]
            part[:] = (part * (255 - opaque) + cut[..., :3] * opaque + 127) // 255

    def _drawn(self, word: Word) -> tuple[Pixels, int, int]:
        """Draw a word alone; return its pixels, and where they begin from its own place."""
        renderer = self._renderer
        renderer.clear()  # type: ignore[no-untyped-call]  # matplotlib's
        high = int(renderer.height)
        x = {"left": _EDGE, "center": self._wide // 2, "right": self._wide - _EDGE}[word.ha]
        text = replace(word, x=x, y=high // 3).artist()
        text.set_figure(self._figure)
        text.draw(renderer)
        found = np.asarray(renderer.buffer_rgba())  # type: ignore[no-untyped-call]  # matplotlib's
        rows, columns = (np.flatnonzero(found[..., 3].any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return np.zeros((1, 1, 4), np.uint8), 0, 0
        part = found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
        return part, int(columns[0]) - x, int(rows[0]) - (high - high // 3)
