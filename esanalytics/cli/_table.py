"""Rows as a table that fits the terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import pyarrow as pa

from esanalytics.cli._render import plain

__all__ = ["Layout", "Look", "Table", "laid_out", "visible"]

_GAP = "  "
_LEAST = 12
"""A column is not made narrower than this; rather some columns are left out."""
_COMFORTABLE = 24
"""Before texts are made narrower than this, columns are left out that one can do without."""
_MEASURED = 1_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_PRECISE = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{6}(Z?)")
"""An instant as JSON has it."""
_GAP_COLUMN = -1


@dataclass(frozen=True, slots=True)
class Look:
    """How an answer looks as a table.

    Attributes:
        columns: those that are shown, in this order; empty: all.
        spare: those that are left out first where there is little room, in this order.
        steady: whether columns come next that have one value in all rows.
        remedy: how to see what was left out.
    """

    columns: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    steady: bool = False
    remedy: str = "--format json shows all columns"


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide each column is.

    Attributes:
        columns: the numbers of the columns shown, with -1 where some are left out.
        widths: of each of these.
        right: the numbers of the columns that are flush right.
    """

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    right: frozenset[int]

    def line(self, cells: Sequence[str]) -> str:
        """Write one row."""
        parts = [
            "…" if number == _GAP_COLUMN else _fitted(cells[number], width, right=number in self.right)
            for number, width in zip(self.columns, self.widths, strict=True)
        ]
        return _GAP.join(parts).rstrip()

    def rule(self) -> str:
        """Write the line below the header."""
        return _GAP.join("─" * width for width in self.widths)


@dataclass(slots=True)
class Table:
    """A table of an answer; what it had to leave out is known once it is written."""

    payloads: frozenset[str]
    width: int | None
    limit: int
    look: Look = field(default_factory=Look)
    _names: Sequence[str] = ()
    _seen: int = 0
    _hidden: list[str] = field(default_factory=list)

    def chunks(self, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
        """Write the rows, as wide as the first thousand need."""
        pending = (batch.select(self.look.columns) if self.look.columns else batch for batch in batches)
        first = next(pending)
        self._names = first.schema.names
        measured, rest = _measured(pending)
        rows = [row for batch in measured for row in self._rows(batch)]
        numbers, times = _numbers(first.schema), _of_kind(first.schema, pa.types.is_temporal)
        spare = self._spare(rows)
        layout = laid_out(self._names, rows, right=numbers, whole=numbers | times, spare=spare, width=self.width)
        self._hidden = [name for n, name in enumerate(self._names) if n not in layout.columns]
        lines = [layout.line([visible(name) for name in self._names]), layout.rule(), *map(layout.line, rows)]
        yield _text(lines)
        for batch in rest:
            yield _text(map(layout.line, self._rows(batch)))

    def notes(self, count: Callable[[], int]) -> Iterator[str]:
        """Say what was left out; ``count`` tells how many rows there are in all."""
        if not self._seen:
            yield "no rows"
        if self.limit and self._seen > self.limit:
            left = count() - self.limit
            yield f"{left:,} more rows; --limit 0 shows all"
        if self._hidden:
            yield f"no room for {', '.join(self._hidden)}; {self.look.remedy}"

    def _spare(self, rows: Sequence[Sequence[str]]) -> list[int]:
        """Tell which columns are left out first."""
        found = [self._names.index(name) for name in self.look.spare if name in self._names]
        if not self.look.steady or len(rows) < 2:  # noqa: PLR2004  one row is no comparison
            return found
        steady = [n for n, cells in enumerate(zip(*rows, strict=True)) if len(set(cells)) == 1 and n not in found]
        return [*found, *reversed(steady)]

    def _rows(self, batch: pa.RecordBatch) -> list[tuple[str, ...]]:
        shown = batch.num_rows if not self.limit else max(0, min(batch.num_rows, self.limit - self._seen))
        self._seen += batch.num_rows
        kept = batch.slice(0, shown)
        pairs = zip(kept.schema.names, kept.columns, strict=True)
        return list(zip(*(_cells(column, payload=name in self.payloads) for name, column in pairs), strict=True))


def laid_out(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: frozenset[int] = frozenset(),
    whole: frozenset[int] = frozenset(),
    spare: Sequence[int] = (),
    width: int | None = None,
) -> Layout:
    """Give each column what it needs; where that is too much, cut texts, then leave columns out.

    Spare columns are left out before any text is cut short, then columns without any value, then those in the middle.

    Args:
        names: of the columns.
        rows: their cells.
        right: the columns that stand flush right.
        whole: the columns whose cells are never cut.
        spare: columns that one can do without, the first first.
        width: of the terminal; None: as wide as it gets.
    """
    columns = list(zip(*([[visible(name) for name in names], *rows]), strict=True))
    needed = {n: max(map(_wide, cells)) for n, cells in enumerate(columns)}
    shown = _comfortable(needed, whole, spare, width)
    empty = {n for n, cells in enumerate(columns) if not any(cells[1:])}
    while True:
        widths = _shrunk([needed.get(n, 1) for n in shown], [n in whole or n == _GAP_COLUMN for n in shown], width)
        if widths is not None:
            return Layout(tuple(shown), tuple(widths), right)
        if len([n for n in shown if n != _GAP_COLUMN]) == 1:
            return Layout(tuple(shown), tuple(min(needed.get(n, 1), width or 1) for n in shown), right)
        shown = _without_middle(shown, empty)


def _comfortable(
    needed: Mapping[int, int], whole: frozenset[int], spare: Sequence[int], width: int | None
) -> list[int]:
    """Leave out spare columns until the others have enough room."""
    shown = list(needed)
    for number in spare:
        if len(shown) == 1 or _shrunk([needed[n] for n in shown], [n in whole for n in shown], width, _COMFORTABLE):
            break
        shown.remove(number)
    return shown


def _without_middle(shown: Sequence[int], empty: Collection[int]) -> list[int]:
    """Leave out the columns without any value, then one after the other from the middle."""
    kept = [n for n in shown if n != _GAP_COLUMN]
    filled = [n for n in kept if n not in empty]
    if filled and filled != kept:
        return filled
    middle = len(kept) // 2
    return [*kept[:middle], _GAP_COLUMN, *kept[middle + 1 :]]


def _shrunk(needed: Sequence[int], rigid: Sequence[bool], width: int | None, least: int = _LEAST) -> list[int] | None:
    """Cut the widest texts until all fits; None where that is not enough."""
    if width is None:
        return list(needed)
    room = width - len(_GAP) * (len(needed) - 1)
    for most in range(max(needed), least - 1, -1):
        widths = [need if stiff else min(need, most) for need, stiff in zip(needed, rigid, strict=True)]
        if sum(widths) <= room:
            return widths
    return list(needed) if sum(needed) <= room else None


def _measured(batches: Iterator[pa.RecordBatch]) -> tuple[list[pa.RecordBatch], Iterator[pa.RecordBatch]]:
    """Take the batches that say how wide the columns are; the rest of the last one comes later."""
    held: list[pa.RecordBatch] = []
    room = _MEASURED
    for batch in batches:
        held.append(batch.slice(0, room))
        if batch.num_rows >= room:
            return held, chain([batch.slice(room)], batches)
        room -= batch.num_rows
    return held, iter(())


def _cells(column: pa.Array, *, payload: bool) -> list[str]:
    texts: list[str | None] = plain(column, payload=payload).to_pylist()
    shown = ("" if text is None else text for text in texts)
    if pa.types.is_timestamp(column.type):
        ends = "Z" if column.type.tz else ""
        return [f"{text.split('.')[0].rstrip('Z').replace('T', ' ')}{ends}" if text else "" for text in shown]
    return [visible(_PRECISE.sub(r"\1 \2\3", text) if payload else text) for text in shown]


def _numbers(schema: pa.Schema) -> frozenset[int]:
    return _of_kind(schema, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def _of_kind(schema: pa.Schema, *kinds: Callable[[pa.DataType], bool]) -> frozenset[int]:
    return frozenset(n for n, type_ in enumerate(schema.types) if any(kind(type_) for kind in kinds))


def visible(text: str) -> str:
    """Write control characters as escapes, so that an event cannot steer the terminal."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _wide(text: str) -> int:
    """Return how many places a text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_places, text))


def _places(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Cf", "Me", "Mn"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _fitted(text: str, width: int, *, right: bool) -> str:
    wide = _wide(text)
    if wide > width and not right:
        return _cut(text, width)
    padding = " " * (width - wide)
    return padding + text if right else text + padding


def _cut(text: str, width: int) -> str:
    taken, places = [], 0
    for character in text:
        places += _places(character)
        if places > width - 1:
            break
        taken.append(character)
    found = "".join(taken) + "…"
    return found + " " * (width - _wide(found))


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="replace")
