"""Parquet: one event per row, with the types of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
from sqlglot import exp

from esanalytics import _sql
from esanalytics.errors import SourceError
from esanalytics.events import Batch
from esanalytics.sources._columns import mapped
from esanalytics.sources._evaluate import connect, named
from esanalytics.sources._files import ROWS, Paths, find, refusal, size
from esanalytics.sources._mapping import Mapped, Origin, checked

if TYPE_CHECKING:  # its import takes a while
    from pyarrow.parquet import FileMetaData

__all__ = ["ParquetFiles", "parquet"]

_BYTES = 64 << 20
_REMEDY = "give a whole Parquet file; this one may be of another format, or cut off"


@dataclass(frozen=True, slots=True)
class ParquetFiles:
    """A source of Parquet files; made by ``parquet``."""

    paths: tuple[str, ...]
    mapping: Mapping[str, Origin]

    @property
    def total(self) -> int:
        """Bytes of the files."""
        return size(self.paths)

    def batches(self) -> Iterator[Batch]:
        """Yield the rows, in batches of at most 100,000 rows or about 64 MB; each call starts anew.

        Raises:
            SourceError: a file is no Parquet file or damaged, or the mapping does not fit it.
        """
        reader, con = connect(), connect()
        try:
            for path in self.paths:
                yield from _file(reader, con, path, self.mapping)
        finally:
            reader.close()
            con.close()


def parquet(path: Paths, *, mapping: Mapped | None = None) -> ParquetFiles:
    """Read events from Parquet files.

    Columns keep their types; a VARIANT becomes JSON text. Rows are numbered from 1.

    Args:
        path: a file, a pattern such as ``"logs/*.parquet"``, or several; those of a pattern sorted by name.
        mapping: envelope column to its origin: a column, a dotted path into a struct or VARIANT,
            ``constant(value)``, ``sql(expression)``, or None to leave the column of that name out.

    Raises:
        SourceError: there is no such file, or the mapping is wrong.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from esanalytics.sources import constant
        >>> file = Path(mkdtemp(), "events.parquet")
        >>> pq.write_table(pa.table({"case": ["o-1"], "amount": [3]}), file)
        >>> batch = next(parquet(file, mapping={"stream_id": "case", "type": constant("Paid")}).batches())
        >>> batch.rows.to_pylist()
        [{'stream_id': 'o-1', 'type': 'Paid', 'amount': 3}]
    """
    return ParquetFiles(find(path), checked(mapping))


@dataclass(frozen=True, slots=True)
class _Stream:
    """A file that is being read."""

    reader: pa.RecordBatchReader
    variants: tuple[str, ...]
    rows: int


def _file(
    reader: duckdb.DuckDBPyConnection,
    con: duckdb.DuckDBPyConnection,
    path: str,
    mapping: Mapping[str, Origin],
) -> Iterator[Batch]:
    stream, whole = _opened(reader, path), size([path])
    if not stream.rows:
        rows, _ = mapped(con, stream.reader.schema.empty_table(), mapping, stream.variants)
        yield Batch(rows, path, done=whole)
        return
    seen = reported = 0
    for table in _tables(stream, path):
        done = whole * (seen + table.num_rows) // stream.rows
        yield _batch(con, path, table, mapping, stream.variants, seen + 1, done - reported)
        seen, reported = seen + table.num_rows, done


def _batch(
    con: duckdb.DuckDBPyConnection,
    path: str,
    table: pa.Table,
    mapping: Mapping[str, Origin],
    variants: tuple[str, ...],
    first: int,
    done: int,
) -> Batch:
    rows, failed = mapped(con, table, mapping, variants)
    if not failed:
        return Batch(rows, path, first_line=first, done=done)
    kept = np.ones(table.num_rows, np.bool_)
    kept[list(failed)] = False
    refused = tuple(
        refusal(path, first + row, reason, str(table.slice(row, 1).to_pylist()[0]).encode())
        for row, reason in sorted(failed.items())
    )
    lines = pa.array(np.arange(first, first + table.num_rows)[kept], pa.int64())
    return Batch(rows.filter(pa.array(kept)), path, lines=lines, refused=refused, done=done)


def _opened(con: duckdb.DuckDBPyConnection, path: str) -> _Stream:
    try:
        from pyarrow import parquet as pq  # noqa: PLC0415  its import takes a while

        facts = pq.read_metadata(path)
        relation = con.sql(_sql.text(_query(path, {})))
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        reader = con.sql(_sql.text(_query(path, types))).to_arrow_reader(_step(facts))
    except (pa.ArrowException, duckdb.Error, OSError) as error:
        reason = f"not a readable Parquet file ({_first_line(error)})"
        raise SourceError(path, None, reason, _REMEDY) from error
    variants = tuple(name for name, type_ in types.items() if type_ == "VARIANT")
    return _Stream(reader, variants, facts.num_rows)


def _step(facts: FileMetaData) -> int:
    """Return how many rows make a batch."""
    plain: int = sum(facts.row_group(group).total_byte_size for group in range(facts.num_row_groups))
    rows: int = _BYTES * max(1, facts.num_rows) // max(1, plain)
    return max(1, min(ROWS, rows))


def _query(path: str, types: Mapping[str, str]) -> exp.Select:
    """Read one file, whatever letters its name has; columns of type VARIANT as JSON text."""
    columns = [_readable(name, type_) for name, type_ in types.items()] or [exp.Star()]
    return exp.select(*columns).from_(_sql.parquet([path]))


def _readable(name: str, type_: str) -> exp.Expression:
    value: exp.Expression = _sql.column(name)
    if type_ == "VARIANT":
        value = _sql.cast(_sql.cast(value, "JSON"), "VARCHAR")
    return named(value, name)


def _tables(stream: _Stream, path: str) -> Iterator[pa.Table]:
    while True:
        try:
            batch = next(stream.reader, None)
        except (pa.ArrowException, duckdb.Error, OSError) as error:
            raise SourceError(path, None, f"damaged inside ({_first_line(error)})", _REMEDY) from error
        if batch is None:
            return
        if batch.num_rows:
            yield pa.Table.from_batches([batch])


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
