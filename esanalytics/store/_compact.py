"""Compaction: many small files become few, clustered by stream; no event changes, and nobody waits."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from esanalytics import _sql as sql
from esanalytics.engines import DuckDB
from esanalytics.errors import CorruptFileError
from esanalytics.store._commits import CommitLog, Head, NotCommitted, RaceLost
from esanalytics.store._files import DataFile
from esanalytics.store._lock import exclusive, unless_held
from esanalytics.store._writing import Writer

__all__ = ["Compaction", "Compactor"]

LARGE_ROWS = 2_000_000
FAN_OUT = 8
_OF_THE_LOG = re.compile(r"\d{20}\.(json|crc|checkpoint.*\.parquet|\d{20}\.compacted\.json)|_last_checkpoint|_sidecars")


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did.

    Attributes:
        merged: how many files became one of the ``written``.
        written: how many files were written.
        deleted: how many files that no commit names any more were deleted.
        seconds: how long it took.
    """

    merged: int
    written: int
    deleted: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Compactor:
    """Compacts one store."""

    path: Path
    log: CommitLog
    engine: DuckDB
    writer: Writer

    def compact(self, retain: dt.timedelta) -> Compaction:
        """Merge the small files of every partition, then delete what nobody needs."""
        began = time.perf_counter()
        merged = written = 0
        with exclusive(self.path, "compact"):
            for files in _partitions(self.log.head().files):
                small = [file for file in files if file.rows < LARGE_ROWS]
                if len(small) > 1 and self._merge(small):
                    merged, written = merged + len(small), written + 1
            with exclusive(self.path, "append"):
                deleted = self._sweep(retain)
        return Compaction(merged, written, deleted, time.perf_counter() - began)

    def tidy(self) -> None:
        """Merge files of about one size where there are many, so that each event is rewritten a few times only."""
        crowded = [_crowded(files) for files in _partitions(self.log.head(newest=False).files)]
        if any(crowded):
            with unless_held(self.path, "compact") as free:
                for files in crowded if free else ():
                    if files:
                        self._merge(files)

    def _merge(self, files: Sequence[DataFile]) -> bool:
        """Put one file in the place of several; False where another compaction was first."""
        cursor = self.engine.cursor()
        paths = [f"{self.writer.root}/{file.path}" for file in files]
        try:
            head = self.log.head()
            if not _live(files, head):
                return False
            new = self.writer.write(cursor, sql.text(sql.parquet(paths)))
        finally:
            cursor.close()
        return self._replace(head, files, new)

    def _replace(self, head: Head, old: Sequence[DataFile], new: Sequence[DataFile]) -> bool:
        if sum(file.rows for file in new) != sum(file.rows for file in old):
            self.writer.discard(file.path for file in new)
            raise CorruptFileError(old[0].path, "does not hold as many events as were committed")
        for file in old:
            (self.writer.root / file.path).touch()  # its age counts from here: readers may still be at it
        try:
            self.log.exchange(head, old, new)
        except RaceLost:
            self.writer.discard(file.path for file in new)
            return False
        except NotCommitted:
            self.writer.discard(file.path for file in new)
            raise
        return True

    def _sweep(self, retain: dt.timedelta) -> int:
        """Delete data files that no commit names: what crashed writers left, and what was merged."""
        live = {file.path for file in self.log.head().files}
        oldest = time.time() - retain.total_seconds()
        root = self.writer.root
        unnamed = [p for p in root.glob("service=*/**/*.parquet") if p.relative_to(root).as_posix() not in live]
        left = [p for p in (root / "_delta_log").glob("*") if not _OF_THE_LOG.fullmatch(p.name)]
        parts = [*(self.path / "quarantine").glob("*.part")]
        old = [path for path in (*unnamed, *left, *parts) if path.is_file() and path.stat().st_mtime <= oldest]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)


def _partitions(files: Iterable[DataFile]) -> list[list[DataFile]]:
    found: defaultdict[tuple[str, str], list[DataFile]] = defaultdict(list)
    for file in files:
        found[file.service, file.period].append(file)
    return list(found.values())


def _crowded(files: Sequence[DataFile]) -> list[DataFile]:
    """Choose what to merge: all files up to the size of which there are too many."""
    tiers: defaultdict[int, list[DataFile]] = defaultdict(list)
    for file in files:
        if file.rows < LARGE_ROWS:
            tiers[_tier(file.rows)].append(file)
    crowded = [tier for tier, members in tiers.items() if len(members) >= FAN_OUT]
    return [file for tier, members in tiers.items() if crowded and tier <= max(crowded) for file in members]


def _tier(rows: int) -> int:
    tier = 0
    while rows >= FAN_OUT ** (tier + 1):
        tier += 1
    return tier


def _live(files: Sequence[DataFile], head: Head) -> bool:
    live = {file.path for file in head.files}
    return all(file.path in live for file in files)
