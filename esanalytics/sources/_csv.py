"""Delimited text: one event per row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pyarrow as pa
from sqlglot import exp

from esanalytics.errors import SourceError
from esanalytics.events import Batch, Refusal
from esanalytics.sources._cells import Block, Cells, cut, head
from esanalytics.sources._columns import claims, mapped
from esanalytics.sources._evaluate import connect
from esanalytics.sources._files import ROWS, Chunk, Paths, chunks, find, refusal, size
from esanalytics.sources._mapping import Mapped, Origin, checked, nearest
from esanalytics.sources._types import Guess, checked_types, converted, guessed

__all__ = ["DelimitedText", "csv"]

_BOM = b"\xef\xbb\xbf"
_PATIENCE = 128 << 20
"""Bytes in which a quoted cell must be closed."""


@dataclass(frozen=True, slots=True)
class DelimitedText:
    """A source of delimited text; made by ``csv``."""

    paths: tuple[str, ...]
    mapping: Mapping[str, Origin]
    types: Mapping[str, exp.DataType]
    delimiter: str | None
    header: bool | tuple[str, ...]

    @property
    def total(self) -> int:
        """Bytes of the files."""
        return size(self.paths)

    def batches(self) -> Iterator[Batch]:
        """Yield the rows, in batches of at most 100,000; each call starts anew.

        Each file is read twice: once for the types of its columns, once for its rows.

        Raises:
            SourceError: a file cannot be opened, its header is unusable, or mapping or types do not fit it.
        """
        con = connect()
        try:
            for path in self.paths:
                yield from _file(con, path, self)
        finally:
            con.close()


def csv(
    path: Paths,
    *,
    mapping: Mapped | None = None,
    types: Mapping[str, str] | None = None,
    delimiter: str | None = ",",
    header: bool | Sequence[str] = True,
) -> DelimitedText:
    r"""Read events from delimited text, also compressed (``.gz``, ``.zst``), in UTF-8.

    An empty cell is NULL; ``NA``, ``null``, ``nan`` are text. Columns that become envelope columns are text
    as written. Another column gets a type only where nothing written is lost, over its whole file: BIGINT
    where every value is written as that integer (``007`` is text), DECIMAL where all have the same number of
    decimals (``1.50``), DOUBLE where each is the shortest text of its number (``5`` beside ``5.25``, but not
    ``5`` beside ``5.10``), else text. Rows with another number of fields, quotes that are not closed, and
    bytes that are no UTF-8 are refused with the line on which the row begins; blank lines are passed over.

    Args:
        path: a file, a pattern such as ``"logs/*.csv"``, or several; those of a pattern sorted by name.
        mapping: envelope column to its origin: a column's name, ``constant(value)``, ``sql(expression)``, or
            None to leave the column of that name out.
        types: column to DuckDB type, in place of the type found; a row whose value does not fit, or would be
            rounded, is refused.
        delimiter: one ASCII character; None: runs of blanks and tabs, and quotes mean nothing.
        header: whether the first row has the names; a list gives them for files without such a row. Columns
            without a name are ``column1``, ``column2``, …

    Raises:
        SourceError: there is no such file, or the mapping, the types or the delimiter are wrong.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> file = Path(mkdtemp(), "events.csv")
        >>> _ = file.write_text("case,type,amount,zip\n007,Paid,1.50,01234\n")
        >>> batch = next(csv(file, mapping={"stream_id": "case"}).batches())
        >>> batch.rows.to_pylist()
        [{'stream_id': '007', 'type': 'Paid', 'amount': Decimal('1.50'), 'zip': '01234'}]
    """
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n'):
        raise SourceError(
            "delimiter", None, f"{delimiter!r} cannot separate cells", "give one ASCII character, or None"
        )
    names = header if isinstance(header, bool) else _names(list(header), "header")
    return DelimitedText(find(path), checked(mapping), checked_types(types), delimiter, names)


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is known of a file before its rows are read."""

    source: DelimitedText
    path: str
    names: tuple[str, ...]
    skip: bool
    guesses: Mapping[str, Guess]


def _file(con: duckdb.DuckDBPyConnection, path: str, source: DelimitedText) -> Iterator[Batch]:
    layout = _layout(path, source)
    if layout is None:
        yield Batch(pa.table({}), path, done=size([path]))
        return
    layout = replace(layout, guesses=_guesses(con, layout))
    for cells, taken in _cells(layout):
        yield from _batches(con, layout, cells, taken)


def _layout(path: str, source: DelimitedText) -> _Layout | None:
    """Find the names of a file's columns; None where it has no row."""
    given = source.header if isinstance(source.header, tuple) else None
    found = given or _head(path, source.delimiter)
    if found is None:
        return None
    numbered = [(name if source.header else "") or f"column{place}" for place, name in enumerate(found, 1)]
    names = given or _names(numbered, path)
    unknown = [name for name in source.types if name not in names]
    if unknown:
        raise SourceError(
            path,
            None,
            f"types names the column {unknown[0]!r}, which is not there",
            nearest(unknown[0], names),
        )
    own = set(claims(names, source.mapping).values()) | set(source.types)
    guesses = {name: Guess() for name in names if name not in own}
    return _Layout(source, path, names, source.header is True, guesses)


def _names(names: Sequence[str], origin: str) -> tuple[str, ...]:
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise SourceError(origin, 1, f"two columns are named {twice[0]!r}", "rename one; the names must differ")
    return tuple(names)


def _head(path: str, delimiter: str | None) -> list[str] | None:
    held = b""
    for chunk in chunks(path):
        held += chunk.data
        found = head(Block(path, held.removeprefix(_BOM), 1, delimiter, chunk.last or len(held) > _PATIENCE))
        if found is not None:
            return found[0]
    return None


def _guesses(con: duckdb.DuckDBPyConnection, layout: _Layout) -> dict[str, Guess]:
    """Look at every value of the columns that may have a type."""
    found = dict(layout.guesses)
    if not found:
        return found
    for cells, _ in _cells(layout):
        found = guessed(con, pa.table(cells.columns, names=list(layout.names)), found)
        if not any(guess.open for guess in found.values()):
            break
    return found


def _cells(layout: _Layout) -> Iterator[tuple[Cells, int]]:
    """Yield the rows of a file, block by block, with the bytes taken for them."""
    held, line, taken, skip = b"", 1, 0, layout.skip
    for chunk in chunks(layout.path):
        data = (held + chunk.data).removeprefix(_BOM) if line == 1 else held + chunk.data
        taken += chunk.taken
        block = Block(layout.path, data, line, layout.source.delimiter, _final(chunk, data))
        if skip and (found := head(block)) is not None:
            block, skip = _behind(block, found[1]), False
        if skip and not chunk.last:
            held = data
            continue
        cells = cut(_complete(block, chunk), len(layout.names))
        held = block.data[cells.used :]
        line = block.line + block.data.count(b"\n", 0, cells.used)
        yield (_with_break(cells, layout.path, line, held, chunk) if chunk.last else cells), taken
        taken = 0


def _final(chunk: Chunk, data: bytes) -> bool:
    return (chunk.last and not chunk.broken) or len(data) > _PATIENCE


def _behind(block: Block, end: int) -> Block:
    return replace(block, data=block.data[end:], line=block.line + block.data.count(b"\n", 0, end))


def _complete(block: Block, chunk: Chunk) -> Block:
    """Do not read beyond the last line end while more is to come, however long a cell is."""
    if chunk.last or not block.last:
        return block
    end = block.data.rfind(b"\n") + 1
    return replace(block, data=block.data[:end]) if end else replace(block, last=False)


def _with_break(cells: Cells, path: str, line: int, rest: bytes, chunk: Chunk) -> Cells:
    if not chunk.broken:
        return cells
    broken: Refusal = refusal(path, line, chunk.broken, rest)
    return replace(cells, refused=(*cells.refused, broken))


def _batches(con: duckdb.DuckDBPyConnection, layout: _Layout, cells: Cells, taken: int) -> Iterator[Batch]:
    table = pa.table(cells.columns, names=list(layout.names))
    count = max(1, -(-table.num_rows // ROWS))
    for number in range(count):
        last = number + 1 == count
        rows, lines = table.slice(number * ROWS, ROWS), cells.lines[number * ROWS : (number + 1) * ROWS]
        until = None if last else int(lines[-1])
        after = None if not number else int(cells.lines[number * ROWS - 1])
        refused = [one for one in cells.refused if _between(one.line, after, until)]
        yield _batch(con, layout, Cells(rows.columns, lines, tuple(refused), 0), taken if last else 0)


def _between(line: int | None, after: int | None, until: int | None) -> bool:
    return line is None or ((after is None or line > after) and (until is None or line <= until))


def _batch(con: duckdb.DuckDBPyConnection, layout: _Layout, cells: Cells, taken: int) -> Batch:
    source = layout.source
    written = pa.table(cells.columns, names=list(layout.names))
    typed, misfits = converted(con, _typed(written, layout.guesses), source.types)
    rows, failed = mapped(con, typed, source.mapping)
    lines, bad = cells.lines, {**failed, **misfits}
    refused = [*cells.refused]
    for row, reason in sorted(bad.items()):
        raw = (source.delimiter or " ").join(value or "" for value in written.slice(row, 1).to_pylist()[0].values())
        refused.append(refusal(layout.path, int(lines[row]), reason, raw.encode()))
    if bad:
        kept = np.ones(len(lines), np.bool_)
        kept[list(bad)] = False
        rows, lines = rows.filter(pa.array(kept)), lines[kept]
    ordered = tuple(sorted(refused, key=lambda one: one.line or 0))
    return Batch(rows, layout.path, lines=pa.array(lines, pa.int64()), refused=ordered, done=taken)


def _typed(rows: pa.Table, guesses: Mapping[str, Guess]) -> pa.Table:
    fields = [pa.field(name, guesses[name].type if name in guesses else pa.string()) for name in rows.column_names]
    return rows.cast(pa.schema(fields))
