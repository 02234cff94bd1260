"""The files of the pages: plain modules and style sheets that are shipped in the package."""

from __future__ import annotations

from functools import cache
from importlib import resources

__all__ = ["asset"]


@cache
def asset(name: str) -> str:
    """Return the text of a file of ``static``, read once: a watched file would keep every widget alive."""
    return resources.files(__package__).joinpath("static", name).read_text(encoding="utf-8")
