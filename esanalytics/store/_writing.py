"""Writing data files: DuckDB copies rows to Parquet, one file per partition, and each is on disk before it is named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from esanalytics._disk import sync
from esanalytics.events import storage_types
from esanalytics.store._files import DataFile, Period, new_path, period

__all__ = ["Writer"]

_COLUMNS = ", ".join(storage_types())
_GROUPS = """
SELECT service, date_trunc('{partition}', occurred_at) AS start, count(*), count(version), max(disorder),
    min(position), max(position), min(occurred_at), max(occurred_at), min(recorded_at), max(recorded_at),
    min(stream_id), max(stream_id)
FROM {source} GROUP BY service, start ORDER BY service, start
"""
_COPY = f"""
COPY (SELECT {_COLUMNS} FROM {{source}} {{where}} ORDER BY stream_id, position)
TO '{{target}}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 40960)
"""
_OF_GROUP = "WHERE service = $service AND date_trunc('{partition}', occurred_at) = $start"


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the rows of a relation as data files.

    Attributes:
        root: the events folder.
        partition: how long a period is.
    """

    root: Path
    partition: Period

    def write(self, cursor: duckdb.DuckDBPyConnection, source: str) -> list[DataFile]:
        """Write one sorted file per service and period, and make them durable.

        Args:
            cursor: where the source can be read.
            source: a relation with the columns of a data file, as the library itself writes it.

        Raises:
            OSError: the disk is full or may not be written to; nothing remains.
            duckdb.Error: a value cannot be written; nothing remains.
        """
        written: list[DataFile] = []
        groups = cursor.execute(_GROUPS.format(partition=self.partition, source=source)).fetchall()
        try:
            for group in groups:
                path = new_path(group[0], self.partition, period(group[1], self.partition))
                size = self._copy(cursor, source, self.root / path, None if len(groups) == 1 else group)
                written.append(_described(path, self.partition, size, group))
        except BaseException:
            self.discard(file.path for file in written)
            raise
        _sync_folders({(self.root / file.path).parent for file in written}, self.root)
        return written

    def discard(self, paths: Iterable[str]) -> None:
        """Delete files that no commit names."""
        for path in paths:
            (self.root / path).unlink(missing_ok=True)

    def _copy(self, cursor: duckdb.DuckDBPyConnection, source: str, target: Path, group: Sequence[Any] | None) -> int:
        where = "" if group is None else _OF_GROUP.format(partition=self.partition)
        named = None if group is None else {"service": group[0], "start": group[1]}
        quoted = str(target).replace("'", "''")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            cursor.execute(_COPY.format(source=source, where=where, target=quoted), named)
            return sync(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _described(path: str, partition: Period, size: int, group: Sequence[Any]) -> DataFile:
    service, start, rows, versioned, disorder, *found = group
    bounds: list[Any] = [value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value for value in found]
    return DataFile(path, service, period(start, partition), size, rows, versioned, disorder or 0, *bounds)


def _sync_folders(folders: set[Path], root: Path) -> None:
    parents = {parent for folder in folders for parent in folder.parents if root in (parent, *parent.parents)}
    for folder in sorted(folders | parents, reverse=True):
        sync(folder)
