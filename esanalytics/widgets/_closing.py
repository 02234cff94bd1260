"""Closing widgets with all that belongs to them, so that a kernel keeps nothing of a view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ipywidgets import Widget

__all__ = ["close_all"]

_OWN = ("layout", "style", "children", "source", "target")


def close_all(*widgets: Any) -> None:  # noqa: ANN401  ipywidgets have no types
    """Close widgets, their children, layouts, styles and links."""
    for widget in list(_belonging(widgets, set())):
        Widget.close(widget)


def _belonging(values: Any, seen: set[int]) -> Iterator[Any]:  # noqa: ANN401
    for value in values if isinstance(values, tuple | list) else (values,):
        if isinstance(value, tuple | list):
            yield from _belonging(value, seen)
        elif isinstance(value, Widget) and id(value) not in seen:
            seen.add(id(value))
            for name in _OWN:
                yield from _belonging(getattr(value, name, None), seen)
            yield value
