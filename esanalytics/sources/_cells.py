"""Rows of delimited text: where each cell is, and which rows are none.

Blocks in which every quote stands where it should are cut by arithmetic on the places of quotes, delimiters
and line ends. A block with any other quote is read row by row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from esanalytics.errors import SourceError
from esanalytics.events import Refusal
from esanalytics.sources._files import refusal
from esanalytics.sources._spans import Places, is_text, pick

__all__ = ["Block", "Cells", "cut", "head"]

_QUOTE = ord('"')
_LINE = ord("\n")
_RETURN = ord("\r")


@dataclass(frozen=True, slots=True)
class Block:
    """Some bytes of a file that begin where a row begins.

    Attributes:
        origin: the file.
        data: the bytes.
        line: the line on which they begin.
        delimiter: one ASCII character; None: runs of blanks, and no quotes.
        last: nothing follows, or what follows shall not be waited for.
    """

    origin: str
    data: bytes
    line: int
    delimiter: str | None
    last: bool


@dataclass(frozen=True, slots=True)
class Cells:
    """The rows of a block.

    Attributes:
        columns: one array of text for each column; empty cells are NULL.
        lines: the line on which each row begins.
        refused: rows that are none.
        used: bytes of the block that are dealt with.
    """

    columns: list[pa.StringArray]
    lines: Places
    refused: tuple[Refusal, ...]
    used: int


def cut(block: Block, width: int) -> Cells:
    """Cut a block into rows of ``width`` cells; other rows are refused, blank lines passed over."""
    if block.delimiter is None:
        return _by_blanks(block, width)
    return _by_arithmetic(block, width) or _row_by_row(block, width)


def head(block: Block) -> tuple[list[str], int] | None:
    """Return the cells of the first row and the bytes up to its end; None where it is not in the block.

    Raises:
        SourceError: the first row is none.
    """
    if block.delimiter is None:
        return _first_by_blanks(block)
    for row in _rows(block):
        if row.fault:
            raise SourceError(block.origin, row.line, row.fault, "correct the first row, or give header=[…]")
        if row.cells != [""]:
            return row.cells, row.end
    return None


def _by_blanks(block: Block, width: int) -> Cells:
    data = _whole_lines(block)
    numbers = np.frombuffer(data, np.uint8)
    blank = (numbers == ord(" ")) | (numbers == ord("\t")) | (numbers == _LINE) | (numbers == _RETURN)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], blank, [True]]).astype(np.int8)))
    starts, ends = edges[0::2], edges[1::2]
    stops = np.flatnonzero(numbers == _LINE)
    firsts = np.searchsorted(starts, np.concatenate([[0], stops]))
    begins = np.concatenate([[0], stops + 1])[: len(stops)].astype(np.int64)
    lines = block.line + np.arange(len(stops))
    rows = _Rows(block, data, begins, stops, lines, firsts[:-1], np.diff(firsts))
    return rows.cells(starts, ends, width, quoted=False)


def _by_arithmetic(block: Block, width: int) -> Cells | None:
    """Return the rows, or None where a quote stands in an unusual place."""
    delimiter = ord(block.delimiter or ",")
    data = block.data + b"\n" if block.last and not block.data.endswith(b"\n") else block.data
    numbers = np.frombuffer(data, np.uint8)
    found = np.flatnonzero((numbers == delimiter) | (numbers == _LINE) | (numbers == _QUOTE))
    kind = numbers[found]
    quotes = kind == _QUOTE
    quoted = bool(quotes.any())
    if quoted and not _in_place(numbers, found[quotes], delimiter, last=block.last):
        return None
    outside = ~quotes & (np.cumsum(quotes, dtype=np.int32) & 1 == 0)
    ends, marks = found[outside], kind[outside]
    stops = np.flatnonzero(marks == _LINE)
    if not len(stops):
        return Cells([pa.nulls(0, pa.string())] * width, np.empty(0, np.int64), (), 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    firsts = np.concatenate([[0], stops[:-1] + 1])
    newlines = found[kind == _LINE]
    lines = block.line + np.searchsorted(newlines, starts[firsts])
    rows = _Rows(block, data, starts[firsts], ends[stops], lines, firsts, stops + 1 - firsts)
    return rows.cells(starts, ends, width, quoted=quoted)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a block as places: where each begins and stops, its first cell and how many it has."""

    block: Block
    data: bytes
    begins: Places
    stops: Places
    lines: Places
    firsts: Places
    counts: Places

    def cells(self, starts: Places, ends: Places, width: int, *, quoted: bool) -> Cells:
        """Take the cells at these places out of the rows that are sound."""
        numbers = np.frombuffer(self.data, np.uint8)
        blank = _text_length(numbers, self.begins, self.stops) == 0
        sound = (self.counts == width) & ~blank & (self.counts > 0)
        refused = [self._refusal(int(row), width) for row in np.flatnonzero(~sound & ~blank & (self.counts > 0))]
        if not is_text(self.data):
            refused += self._undecodable(sound)
        cells = self.firsts[sound][:, None] + np.arange(width)
        columns = [self._column(starts[places], ends[places], quoted=quoted) for places in cells.T]
        used = min(int(self.stops[-1]) + 1, len(self.block.data)) if len(self.stops) else 0
        ordered = tuple(sorted(refused, key=lambda one: one.line or 0))
        return Cells(columns, self.lines[sound], ordered, used)

    def _column(self, starts: Places, ends: Places, *, quoted: bool) -> pa.StringArray:
        numbers = np.frombuffer(self.data, np.uint8)
        stops = starts + _text_length(numbers, starts, ends)
        rows = np.where(stops > starts, np.arange(len(starts)), -1)
        column = pick(pa.py_buffer(self.data), starts, stops, rows)
        return _unquoted(column) if quoted else column

    def _refusal(self, row: int, width: int) -> Refusal:
        raw = self.data[self.begins[row] : self.stops[row]].rstrip(b"\r")
        reason = f"{self.counts[row]} fields, not the expected {width}"
        return refusal(self.block.origin, int(self.lines[row]), reason, raw)

    def _undecodable(self, sound: npt.NDArray[np.bool_]) -> list[Refusal]:
        """Find the rows that are no UTF-8, and mark them as not sound."""
        refused = []
        for row in np.flatnonzero(sound):
            raw = self.data[self.begins[row] : self.stops[row]]
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                sound[row] = False
                reason = f"not UTF-8 at byte {error.start + 1} of the row"
                refused.append(refusal(self.block.origin, int(self.lines[row]), reason, raw.rstrip(b"\r")))
        return refused


@dataclass(frozen=True, slots=True)
class _Row:
    """One row read by itself: its cells or its fault, its line, and its bytes."""

    cells: list[str]
    line: int
    start: int
    end: int
    fault: str | None = None


def _row_by_row(block: Block, width: int) -> Cells:
    cells: list[list[str]] = []
    lines: list[int] = []
    refused: list[Refusal] = []
    used = 0
    for row in _rows(block):
        used = row.end
        fault = row.fault or _width_fault(row.cells, width)
        if row.fault is None and row.cells == [""] and not block.data[row.start : row.end].strip(b"\r\n"):
            continue
        if fault:
            refused.append(refusal(block.origin, row.line, fault, block.data[row.start : row.end].rstrip(b"\r\n")))
            continue
        cells.append(row.cells)
        lines.append(row.line)
    turned = zip(*cells, strict=True) if cells else [()] * width
    columns = [pa.array([cell or None for cell in column], pa.string()) for column in turned]
    return Cells(columns, np.array(lines, np.int64), tuple(refused), used)


def _width_fault(cells: list[str], width: int) -> str | None:
    return None if len(cells) == width else f"{len(cells)} fields, not the expected {width}"


def _rows(block: Block) -> Iterator[_Row]:
    """Read rows one by one.

    A quote opens a cell only where the cell begins. One that is never closed makes its line a fault and
    reading goes on behind that line; so does text behind a closing quote.
    """
    data, place, line = block.data, 0, block.line
    delimiter = re.escape((block.delimiter or ",").encode())
    cell = re.compile(rb'(?:"([^"]*+(?:""[^"]*+)*+)"|(?!")([^%b\n]*+))(%b|\r?\n|\Z)' % (delimiter, delimiter))
    while place < len(data):
        row = _row(cell, block, place, line)
        if row is None:
            return
        yield row
        line += data.count(b"\n", place, row.end)
        place = row.end


def _row(cell: re.Pattern[bytes], block: Block, start: int, line: int) -> _Row | None:
    """Read one row; None where its end is not in the block yet."""
    data, place = block.data, start
    cells: list[bytes] = []
    while True:
        found = cell.match(data, place)
        if found is None:
            return _faulty(block, start, place, line)
        plain = (found[2] or b"") if found[1] is None else found[1].replace(b'""', b'"')
        place, mark = found.end(), found[3]
        if not mark and not block.last:
            return None
        if mark[-1:] in (b"\n", b""):
            cells.append(plain if found[1] is not None else plain.removesuffix(b"\r"))
            break
        cells.append(plain)
    try:
        return _Row([one.decode() for one in cells], line, start, place)
    except UnicodeDecodeError as error:
        return _Row([], line, start, place, f"not UTF-8: {error.reason}")


def _faulty(block: Block, start: int, quote: int, line: int) -> _Row | None:
    closed = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"').match(block.data, quote)
    if closed is None and not block.last:
        return None
    behind = start if closed is None else closed.end()
    end = block.data.find(b"\n", behind) + 1
    if not end and not block.last:
        return None
    fault = "a quote is opened and never closed" if closed is None else "text behind a closing quote"
    return _Row([], line, start, end or len(block.data), fault)


def _in_place(numbers: npt.NDArray[np.uint8], quotes: Places, delimiter: int, *, last: bool) -> bool:
    """Test whether each quote opens a cell, closes one, or is doubled inside one."""
    opens, closes = quotes[0::2], quotes[1::2]
    if len(opens) != len(closes) and last:
        return False
    before = numbers[np.maximum(opens - 1, 0)]
    doubled = np.concatenate([[False], opens[1:] == closes[: len(opens) - 1] + 1])
    if not ((opens == 0) | (before == delimiter) | (before == _LINE) | doubled).all():
        return False
    after = numbers[np.minimum(closes + 1, len(numbers) - 1)]
    end = closes + 1 >= len(numbers)
    fine = end | (after == delimiter) | (after == _LINE) | (after == _RETURN) | (after == _QUOTE)
    return bool(fine.all())


def _text_length(numbers: npt.NDArray[np.uint8], starts: Places, ends: Places) -> Places:
    """Return the length of each text without the carriage return before a line end."""
    if not len(numbers):
        return ends - starts
    stops = np.minimum(ends, len(numbers) - 1)
    behind = (numbers[stops] == _LINE) & (numbers[np.maximum(ends - 1, 0)] == _RETURN) & (ends > starts)
    length: Places = ends - starts - behind
    return length


def _unquoted(column: pa.StringArray) -> pa.StringArray:
    quoted = pc.starts_with(column, '"')
    if not pc.any(quoted).as_py():
        return column
    bare = column.cast(pa.binary())
    inner = pc.if_else(quoted, pc.binary_slice(bare, 1, -1), bare).cast(pa.string())
    doubled = pc.and_(quoted, pc.match_substring(inner, '""'))
    if pc.any(doubled).as_py():
        inner = pc.if_else(doubled, pc.replace_substring(inner, '""', '"'), inner)
    return pc.if_else(pc.equal(inner, ""), None, inner)


def _whole_lines(block: Block) -> bytes:
    if block.last:
        return block.data if block.data.endswith(b"\n") or not block.data else block.data + b"\n"
    return block.data[: block.data.rfind(b"\n") + 1]


def _first_by_blanks(block: Block) -> tuple[list[str], int] | None:
    place = 0
    for line in _whole_lines(block).splitlines(keepends=True):
        place += len(line)
        if line.strip():
            return line.decode("utf-8", "backslashreplace").split(), min(place, len(block.data))
    return None
