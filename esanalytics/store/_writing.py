"""Writing data files: DuckDB copies rows to Parquet, one file per partition, and each is on disk before it is named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.events import storage_types
from esanalytics.store._files import DataFile, Period, new_path, period

__all__ = ["Writer"]

_ORDER = ("stream_id", "position")


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the rows of a relation as data files.

    Attributes:
        root: the events folder.
        partition: how long a period is.
    """

    root: Path
    partition: Period

    def write(self, cursor: duckdb.DuckDBPyConnection, source: exp.Expression) -> list[DataFile]:
        """Write one sorted file per service and period, and make them durable.

        Args:
            cursor: where the source can be read.
            source: a relation with the columns of a data file.

        Raises:
            OSError: the disk is full or may not be written to; nothing remains.
            duckdb.Error: a value cannot be written; nothing remains.
        """
        written: list[DataFile] = []
        try:
            for group in cursor.execute(sql.text(self._groups(source))).fetchall():
                path = new_path(group[0], self.partition, period(group[1], self.partition))
                written.append(self._write_group(cursor, source, path, group))
        except BaseException:
            self.discard(file.path for file in written)
            raise
        _sync_folders({(self.root / file.path).parent for file in written}, self.root)
        return written

    def discard(self, paths: Iterable[str]) -> None:
        """Delete files that no commit names."""
        for path in paths:
            (self.root / path).unlink(missing_ok=True)

    def _write_group(
        self, cursor: duckdb.DuckDBPyConnection, source: exp.Expression, path: str, group: Sequence[object]
    ) -> DataFile:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        rows = exp.select(*(sql.column(name) for name in storage_types())).from_(source.copy())
        rows = rows.where(
            sql.equals(sql.column("service"), str(group[0])), sql.equals(self._period(), group[1])
        )
        rows = rows.order_by(*(sql.column(name) for name in _ORDER))
        try:
            cursor.execute(f"COPY ({sql.text(rows)}) TO ? (FORMAT parquet, COMPRESSION zstd)", [str(target)])
            size = _sync(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return _described(path, self.partition, size, group)

    def _period(self) -> exp.Expression:
        return sql.function("date_trunc", exp.Literal.string(self.partition), sql.column("occurred_at"))

    def _groups(self, source: exp.Expression) -> exp.Select:
        bounds = ("position", "occurred_at", "recorded_at", "stream_id")
        measures = [sql.function(f, sql.column(name)) for name in bounds for f in ("min", "max")]
        counts = [sql.function("count", exp.Star()), sql.function("count", sql.column("version"))]
        disorder = sql.function("max", sql.column("disorder"))
        select = exp.select(
            sql.column("service"), exp.alias_(self._period(), "period"), *counts, disorder, *measures
        )
        return select.from_(source.copy()).group_by(sql.column("service"), self._period()).order_by("1", "2")


def _described(path: str, partition: Period, size: int, group: Sequence[object]) -> DataFile:
    service, start, rows, versioned, disorder, *bounds = group
    return DataFile(path, service, period(start, partition), size, rows, versioned, disorder or 0, *bounds)  # type: ignore[arg-type]  typed by the query


def _sync(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _sync_folders(folders: set[Path], root: Path) -> None:
    parents = {parent for folder in folders for parent in folder.parents if root in (parent, *parent.parents)}
    for folder in sorted(folders | parents, reverse=True):
        _sync(folder)
