"""Names of columns that stand beside a projection's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = ["beside", "nearest_names"]


def nearest_names(wanted: str, known: Sequence[str]) -> str:
    """Offer the names that are most like a wanted one; all of them where none is like it.

    Example:
        >>> nearest_names("totl", ["status", "total"])
        "there is 'total'"
    """
    near = difflib.get_close_matches(wanted, known, n=3)
    return f"there is {' or '.join(map(repr, near)) if near else ', '.join(known) or 'none'}"


def beside(taken: Iterable[str], names: Sequence[str]) -> dict[str, str]:
    """Give each name as it is; where a projection has a column of that name, followed by ``_``.

    Example:
        >>> beside(["order_id", "Type"], ["type", "position"])
        {'type': 'type_', 'position': 'position'}
    """
    known = {name.lower() for name in taken}
    found: dict[str, str] = {}
    for name in names:
        free = name
        while free.lower() in known:
            free += "_"
        found[name] = free
        known.add(free.lower())
    return found
