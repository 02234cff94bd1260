"""Figures and axes that a notebook shows as a picture, though no pyplot knows of them."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

__all__ = ["NOTE", "PictureAxes", "PictureFigure", "described", "figure_of", "new_axes", "parent_of", "points_wide"]

NOTE = "esanalytics-note"
"""The ``gid`` of the text that says what a plot left out."""

_DPI = 110
_Bundle = tuple[dict[str, Any], dict[str, Any]]


class PictureFigure(Figure):
    """A ``Figure`` that is shown as a PNG where it is the last expression of a cell."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> _Bundle:  # noqa: ARG002  IPython's
        alt = "; ".join(described(axes) for axes in self.axes if described(axes)) or "a figure"
        found = io.BytesIO()
        alt = alt.encode("utf-8", "replace").decode()  # half characters cannot be written
        self.savefig(found, format="png", dpi=_DPI, metadata={"Description": alt})
        return {"image/png": found.getvalue(), "text/plain": alt}, {"image/png": {"alt": alt}}


class PictureAxes(Axes):
    """An ``Axes`` that is shown as the picture of its figure where it is the last expression of a cell."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> _Bundle:
        figure = figure_of(self)
        if isinstance(figure, PictureFigure):
            return figure._repr_mimebundle_(include, exclude)
        return {"text/plain": repr(self)}, {}


def parent_of(axes: Axes) -> Figure | SubFigure:
    """Return the figure, or the part of one, that an axes stands on.

    Raises:
        ValueError: it stands on none any more.
    """
    found = axes.figure
    if found is None:
        raise ValueError("these axes were removed from their figure; give others, or leave ax out")
    return found


def figure_of(axes: Axes) -> Figure:
    """Return the whole figure that an axes stands on."""
    found = parent_of(axes).figure
    return found if isinstance(found, Figure) else found.figure


def points_wide(axes: Axes) -> float:
    """Return about how many points wide an axes is; the layout is not done yet."""
    return float(axes.get_position().width * figure_of(axes).get_figwidth() * 72)


def new_axes(size: tuple[float, float], paper: str) -> Axes:
    """Make a figure of its own for one axes."""
    figure = PictureFigure(figsize=size, facecolor=paper, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot(axes_class=PictureAxes)


def described(axes: Axes) -> str:
    """Say in one line what an axes shows: its title and its note."""
    notes = [text.get_text() for text in axes.texts if text.get_gid() == NOTE]
    return ": ".join(" ".join(part.split()) for part in (axes.get_title(loc="left"), *notes) if part)
