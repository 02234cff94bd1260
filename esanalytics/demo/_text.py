"""Answers as plain text of at most 100 columns."""

from __future__ import annotations

import datetime as dt
import re
import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

__all__ = ["HARD_SPACE", "columns", "command", "heading", "near", "paragraph", "shown"]

HARD_SPACE = "\u00a0"
"""A space at which a paragraph is not broken; it comes out as a plain one."""

_WIDTH = 100
_INDENT = "   "
_GAP = "   "
_PLAIN_IN_QUOTES = re.compile(r'[^"$`\\!]*')


def heading(number: int, text: str) -> str:
    """Write the heading of a step."""
    return f"\n{number}. {text}\n"


def paragraph(text: str, *, hanging: int = 0) -> str:
    """Write text in lines that are not too long, all but the first indented by ``hanging`` more."""
    further = _INDENT + " " * hanging
    lines = textwrap.wrap(text, _WIDTH, initial_indent=_INDENT, subsequent_indent=further, break_on_hyphens=False)
    return "\n".join(lines).replace(HARD_SPACE, " ")


def command(*words: str | Path) -> str:
    """Write a command of esanalytics as it may be typed into a shell, in lines that are not too long."""
    quoted = ["esanalytics", *(_quoted(near(word) if isinstance(word, Path) else word) for word in words)]
    line = _INDENT + " ".join(quoted)
    if len(line) <= _WIDTH:
        return line
    last = -2 if quoted[-2].startswith("--") else -1
    return f"{_INDENT}{' '.join(quoted[:last])} \\\n{_INDENT * 2}{' '.join(quoted[last:])}"


def columns(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows in columns under their names: numbers to the right, the rest to the left."""
    found = list(rows)
    names = list(found[0])
    right = {name for name in names if any(_is_number(row[name]) for row in found)}
    cells = [names, *([shown(row[name]) for name in names] for row in found)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    first, *others = (_line(line, names, widths, right) for line in cells)
    return "\n".join([first, _INDENT + _GAP.join("-" * width for width in widths), *others])


def shown(value: object) -> str:
    """Write one value: numbers with thousands, instants to the second in UTC, nothing as ``-``."""
    if value is None:
        return "-"
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
    return f"{value:,}" if _is_number(value) else str(value)


def near(path: Path) -> str:
    """Write a path as it is seen from the current directory, where it lies below it."""
    whole, here = path.absolute(), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _quoted(word: str) -> str:
    plain = shlex.quote(word)
    return f'"{word}"' if plain != word and _PLAIN_IN_QUOTES.fullmatch(word) else plain


def _line(cells: Sequence[str], names: Sequence[str], widths: Sequence[int], right: set[str]) -> str:
    parts = (
        cell.rjust(width) if name in right else cell.ljust(width)
        for cell, name, width in zip(cells, names, widths, strict=True)
    )
    return (_INDENT + _GAP.join(parts)).rstrip()
