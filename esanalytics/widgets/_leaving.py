"""What leaves the notebook: pages that replay on their own, pictures, moving pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from esanalytics.analysis import DOTS, model_of
from esanalytics.plots._theme import Theme
from esanalytics.widgets._bundle import suffixed, write_whole
from esanalytics.widgets._canvas import LOOKS, ReplayCanvas
from esanalytics.widgets._moving import write_moving, write_still
from esanalytics.widgets._overview_picture import overview_png, overview_still
from esanalytics.widgets._overview_text import overview_text
from esanalytics.widgets._page import replay_page
from esanalytics.widgets._picture import ReplayPicture
from esanalytics.widgets._placing import Lane, LaneOrder, Look

if TYPE_CHECKING:
    from esanalytics.widgets._replay import Replay

__all__ = [
    "export",
    "lanes_of",
    "look_of",
    "page_of",
    "picture_of",
    "png_of_view",
    "theme_of",
    "write_gif",
    "write_html",
    "write_png",
]

_PAGE = (*LOOKS, "step", "skipped", "marks", "bookmarks")
_MOST_NAME = 80  # letters


def page_of(view: Replay) -> str:
    """Write the page that replays on its own: the first 20,000 events of an entity at most, and says so."""
    session, scene = view.session, view.scene
    traits = {name: getattr(view.canvas, name) for name in _PAGE}
    code = {"python": view.python, "sql": view.sql}
    if session is None:
        traits["overview"] = overview_text(scene.overview, scene.title, chosen=scene.chosen)
        return replay_page("", traits, title=scene.title, code=code)
    return replay_page(model_of(session, most=DOTS), traits, title=scene.title, code=code)


def write_html(view: Replay, path: str | Path) -> Path:
    """Write the page of a view."""
    return write_whole(suffixed(path, ".html", ".htm"), page_of(view).encode("utf-8", "replace"))


def write_png(view: Replay, path: str | Path) -> Path:
    """Write the picture of a view at its step, as ``.png``, ``.svg`` or ``.pdf``."""
    scene = view.scene
    if view.session is None:
        window, theme = scene.window, theme_of(view.canvas)
        return overview_still(scene.overview, scene.title, path, chosen=scene.chosen, window=window, theme=theme)
    return write_still(picture_of(view), path, view.session.step)


def write_gif(view: Replay, path: str | Path, how: Mapping[str, Any]) -> Path:
    """Write a replay as a moving picture."""
    return write_moving(picture_of(view), path, **how)


def export(view: Replay, what: str) -> Path:
    """Write a view into the working folder, beside what is there; return the path.

    Args:
        view: the view.
        what: ``"html"``, ``"png"``, ``"gif"`` or ``"parquet"``.

    Raises:
        ValueError: a view cannot be written so.
    """
    write = {"html": view.to_html, "png": view.to_png, "gif": view.to_gif, "parquet": view.to_parquet}.get(what)
    if write is None:
        raise ValueError(f"cannot export {what!r}; there is html, png, gif and parquet")
    return write(_free(view.scene.title, what))


def png_of_view(view: Replay) -> bytes:
    """Draw the picture of a view for a notebook's output."""
    scene = view.scene
    if view.session is None:
        window, theme = scene.window, theme_of(view.canvas)
        return overview_png(scene.overview, scene.title, chosen=scene.chosen, window=window, theme=theme)
    return picture_of(view).png()


def picture_of(view: Replay, theme: Theme | None = None) -> ReplayPicture:
    """Return what draws a replay; None: in the theme of the view."""
    canvas = view.canvas
    theme = theme or theme_of(canvas)
    return ReplayPicture(view.scene.entity, theme=theme, lanes=lanes_of(canvas), look=look_of(canvas))


def look_of(canvas: ReplayCanvas) -> Look:
    """Return what pictures show of a replay, and how."""
    window = (canvas.window[0], canvas.window[1]) if canvas.window else None
    hidden = tuple(canvas.hidden_types), tuple(canvas.hidden_services)
    order, colour = cast("LaneOrder", canvas.lane_order), cast("Lane", canvas.colour)
    return Look(*hidden, window, order, colour, fold_gaps=bool(canvas.fold_gaps))


def theme_of(canvas: ReplayCanvas) -> Theme:
    """Return the theme of pictures, which cannot know that of the page."""
    return "dark" if canvas.theme == "dark" else "light"


def lanes_of(canvas: ReplayCanvas) -> Lane:
    """Return what has a lane in pictures."""
    return cast("Lane", canvas.lanes)


def _free(title: str, suffix: str) -> Path:
    """Name a file that is not there yet, after what it shows."""
    name = re.sub(r"[^\w.-]+", "-", title).strip("-.")[:_MOST_NAME] or "replay"
    path, number = Path(f"{name}.{suffix}"), 1
    while path.exists():
        number += 1
        path = Path(f"{name}-{number}.{suffix}")
    return path
