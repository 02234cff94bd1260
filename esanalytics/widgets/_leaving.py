"""What leaves the notebook: pages that replay on their own, pictures, moving pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esanalytics.analysis import DOTS, model_of
from esanalytics.widgets._bundle import write_whole
from esanalytics.widgets._canvas import LOOKS
from esanalytics.widgets._moving import write_moving, write_still
from esanalytics.widgets._overview_picture import overview_png
from esanalytics.widgets._overview_text import overview_text
from esanalytics.widgets._page import replay_page
from esanalytics.widgets._picture import ReplayPicture

if TYPE_CHECKING:
    from esanalytics.widgets._replay import Replay

__all__ = ["page_of", "picture_of", "png_of_view", "write_gif", "write_html", "write_png"]

_PAGE = (*LOOKS, "step", "skipped", "marks", "bookmarks")


def page_of(view: Replay) -> str:
    """Write the page that replays on its own: the first 20,000 events of an entity at most, and says so."""
    session = view.session
    traits = {name: getattr(view.canvas, name) for name in _PAGE}
    code = {"python": view.python, "sql": view.sql}
    if session is None:
        traits["overview"] = overview_text(view.overview, view.title, chosen=view.chosen)
        return replay_page("", traits, title=view.title, code=code)
    return replay_page(model_of(session, most=DOTS), traits, title=view.title, code=code)


def write_html(view: Replay, path: str | Path) -> Path:
    """Write the page of a view."""
    return write_whole(path, page_of(view).encode())


def write_png(view: Replay, path: str | Path) -> Path:
    """Write the picture of a view at its step, as ``.png``, ``.svg`` or ``.pdf``."""
    if view.session is None:
        return write_whole(path, png_of_view(view))
    return write_still(picture_of(view), path, view.session.step)


def write_gif(view: Replay, path: str | Path, how: Mapping[str, Any]) -> Path:
    """Write a replay as a moving picture."""
    return write_moving(picture_of(view), path, **how)


def png_of_view(view: Replay) -> bytes:
    """Draw the picture of a view for a notebook's output."""
    if view.session is None:
        return overview_png(view.overview, view.title)
    return picture_of(view).png()


def picture_of(view: Replay) -> ReplayPicture:
    """Return what draws a replay."""
    return ReplayPicture(view.entity, theme=view.drawn_theme, lanes=view.drawn_lanes)
