"""The files of the pages: plain scripts and style sheets that are shipped in the package."""

from __future__ import annotations

from functools import cache
from importlib import resources

__all__ = ["asset", "replay_module"]

_REPLAY = (
    "numbers",
    "writing",
    "fold",
    "tape",
    "changes",
    "axes",
    "traits",
    "playing",
    "frames",
    "colours",
    "timeline",
    "pointing",
    "elements",
    "view",
    "chrome",
    "panels",
    "list",
    "looking",
    "messages",
    "dialog",
    "actions",
    "everything",
    "mounting",
)
"""The parts of the replay's module, in ``static/replay``. Each uses those before it while it is loaded."""


@cache
def asset(name: str) -> str:
    """Return the text of a file of ``static``, read once: a watched file would keep every widget alive."""
    return resources.files(__package__).joinpath("static", *name.split("/")).read_text(encoding="utf-8")


@cache
def replay_module() -> str:
    """Return the module of the replay: one script without imports, as a widget and an offline page both need it."""
    return "\n".join(asset(f"replay/{part}.js") for part in _REPLAY)
