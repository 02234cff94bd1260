"""Where in a file of jobs something is said; ``tomllib`` does not tell."""

from __future__ import annotations

import re

__all__ = ["line_of"]

_HEADER = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'\- ]+?)\s*=")


def line_of(text: str, where: str) -> int | None:
    """Return the line of a key or table, or of the nearest thing around it; None: it is not there.

    Args:
        text: of the file.
        where: such as ``"jobs.daily.schedule"`` or ``"jobs.daily"``.
    """
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _plain(header[1])
            for length in range(len(table) + 1):
                if table[length : length + 1] in ("", "."):
                    lines.setdefault(table[:length], number)
        elif key := _KEY.match(line):
            lines.setdefault(f"{table}.{_plain(key[1])}".lstrip("."), number)
    while where:
        if where in lines:
            return lines[where]
        where = where.rpartition(".")[0]
    return None


def _plain(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))
