"""Answers as plain text of at most 100 columns."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

__all__ = ["WIDTH", "columns", "heading", "paragraph", "shown"]

WIDTH = 100
_INDENT = "   "
_GAP = "   "


def heading(number: int, text: str) -> str:
    """Write the heading of a step."""
    return f"\n{number}  {text}\n{_INDENT}{'-' * len(text)}"


def paragraph(text: str, *, hanging: int = 0) -> str:
    """Write text in lines that are not too long; ``hanging`` indents all but the first."""
    further = _INDENT + " " * hanging
    return textwrap.fill(
        text, WIDTH, initial_indent=_INDENT, subsequent_indent=further, break_on_hyphens=False
    )


def columns(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows in columns under their names: numbers to the right, the rest to the left."""
    found = list(rows)
    names = list(found[0])
    right = {name for name in names if any(_is_number(row[name]) for row in found)}
    cells = [names, *([shown(row[name]) for name in names] for row in found)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    aligned = [_line(line, names, widths, right) for line in cells]
    rule = _INDENT + _GAP.join("-" * width for width in widths)
    return "\n".join([aligned[0], rule, *aligned[1:]])


def shown(value: object) -> str:
    """Write one value: numbers with thousands, instants to the second in UTC, nothing as ``-``."""
    if value is None:
        return "-"
    if _is_number(value):
        return f"{value:,}"
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
    return str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _line(cells: Sequence[str], names: Sequence[str], widths: Sequence[int], right: set[str]) -> str:
    parts = (
        cell.rjust(width) if name in right else cell.ljust(width)
        for cell, name, width in zip(cells, names, widths, strict=True)
    )
    return (_INDENT + _GAP.join(parts)).rstrip()
