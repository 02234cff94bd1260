"""The commit log: which files make up the store, and how they change, atomically.

All that the library knows of Delta Lake is in this module. The rest sees a ``CommitLog``.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    PostCommitHookProperties,
    RemoveAction,
    Transaction,
)

from esanalytics._disk import sync
from esanalytics._instants import iso
from esanalytics.errors import StoreExistsError, StoreFormatError, StoreNotFoundError
from esanalytics.events import storage_types
from esanalytics.store._files import DataFile, Period

__all__ = ["FORMAT", "CommitLog", "DeltaLog", "Head", "NotCommitted", "RaceLost", "has_entries"]

FORMAT = 1
"""The store's format; a store of a greater one is refused."""

_DELTA_TYPES = {
    "BIGINT": "long",
    "INTEGER": "integer",
    "TINYINT": "byte",
    "VARCHAR": "string",
    "TIMESTAMPTZ": "timestamp",
    "VARIANT": "variant",
}
_STATS = ("position", "stream_id", "occurred_at", "recorded_at")
_REOPEN_AFTER = 50
_KEEP_LOG = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
_LOST = "Concurrent transaction failed"
_CONFIGURATION = {
    "delta.checkpointInterval": "16",
    "delta.deletedFileRetentionDuration": "interval 1 minutes",
    "delta.logRetentionDuration": "interval 1 minutes",
}


class NotCommitted(Exception):  # noqa: N818  the store says it in words of its own
    """The commit failed, and it is certain that nothing of it is visible."""


class RaceLost(Exception):  # noqa: N818  no error of the user's: the writer tries again
    """Another writer committed first; read the head again and retry."""


@dataclass(frozen=True, slots=True)
class Head:
    """The store at one commit: its last position, its compactions so far, its files."""

    position: int
    maintenance: int
    files: tuple[DataFile, ...]


class CommitLog(Protocol):
    """The seam between the store and the table format."""

    def head(self, *, newest: bool = True) -> Head:
        """Read the newest commit; where it need not be the newest, the last one seen."""

    def append(self, after: Head, files: Sequence[DataFile], position: int) -> None:
        """Add files that take the store from ``after`` to ``position``; RaceLost if it has moved on."""

    def exchange(self, after: Head, old: Sequence[DataFile], new: Sequence[DataFile]) -> None:
        """Put files in the place of others, changing no event; RaceLost if another replaced first."""


@dataclass(slots=True, eq=False)
class DeltaLog:
    """A Delta table as commit log.

    Appends race on ``Transaction("position")`` and replacements on ``Transaction("maintenance")``, so that
    the two kinds never disturb each other. A handle is opened anew every 50 commits: a long-lived one
    becomes slow.
    """

    path: Path
    partition: Period
    _table: DeltaTable = field(repr=False)
    _commits: int = 0
    _seen: tuple[int, Head] | None = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @classmethod
    def create(cls, path: Path, partition: Period) -> DeltaLog:
        """Make an empty log.

        Raises:
            StoreExistsError: there is a table already.
        """
        if has_entries(path):
            raise StoreExistsError(path.parent, "a store")
        path.mkdir(parents=True, exist_ok=True)
        own = {"esanalytics.format": str(FORMAT), "esanalytics.partition": partition}
        table = DeltaTable.create(
            path,
            _schema(partition),
            mode="error",
            name="esanalytics events",
            partition_by=["service", partition],
            configuration={**_CONFIGURATION, **own},
            raise_if_key_not_exists=False,
        )
        log = cls(path, partition, table)
        log._sync_since(-1)
        sync(path)
        sync(path.parent)
        return log

    @classmethod
    def open(cls, path: Path) -> DeltaLog:
        """Open the log at ``path``.

        Raises:
            StoreNotFoundError: there is none, or it is no store of ours.
            StoreFormatError: it was written by a newer version.
        """
        try:
            table = DeltaTable(path) if has_entries(path) else None
        except TableNotFoundError:
            table = None
        if table is None:
            raise StoreNotFoundError(path.parent)
        settings = table.metadata().configuration
        if "esanalytics.format" not in settings:
            raise StoreNotFoundError(path.parent, "a Delta table of something else")
        if int(settings["esanalytics.format"]) > FORMAT:
            raise StoreFormatError(path.parent, settings["esanalytics.format"], FORMAT)
        return cls(path, cast("Period", settings["esanalytics.partition"]), table)

    def head(self, *, newest: bool = True) -> Head:
        """Read the newest commit; where it need not be the newest, the last one seen."""
        with self._lock:
            if self._seen is not None and not newest:
                return self._seen[1]
            self._refresh()
            version = self._table.version()
            if self._seen is None or self._seen[0] != version:
                self._seen = (version, self._read())
            return self._seen[1]

    def append(self, after: Head, files: Sequence[DataFile], position: int) -> None:
        """Add files that take the store from ``after`` to ``position``."""
        actions = [self._add(file, data_change=True) for file in files]
        with self._lock:
            newest = self._since(after)
            if newest.position != after.position:
                raise RaceLost
            self._commit(actions, Transaction("position", position))
            self._note(replace(newest, position=position, files=(*newest.files, *files)))

    def exchange(self, after: Head, old: Sequence[DataFile], new: Sequence[DataFile]) -> None:
        """Put files in the place of others, changing no event."""
        now = int(time.time() * 1000)
        gone = [RemoveAction(file.path, False, now, file.size, self._values(file)) for file in old]
        added = [self._add(file, data_change=False) for file in new]
        with self._lock:
            newest = self._since(after)
            live = {file.path for file in newest.files}
            if newest.maintenance != after.maintenance or not all(file.path in live for file in old):
                raise RaceLost
            self._commit([*gone, *added], Transaction("maintenance", after.maintenance + 1))
            kept = live - {file.path for file in old}
            files = (*(file for file in newest.files if file.path in kept), *new)
            self._note(replace(newest, maintenance=after.maintenance + 1, files=files))

    def _since(self, head: Head) -> Head:
        """Return the head as this handle has it; the commit finds out whether there is a newer one."""
        seen = self._seen
        current = seen is not None and seen[1] is head and seen[0] == self._table.version()
        return head if current else self.head()

    def _note(self, head: Head) -> None:
        """Remember what the store is after a commit of ours, unless others came between."""
        version = self._table.version()
        if self._seen is not None and version == self._seen[0] + 1:
            self._seen = (version, head)

    def _commit(self, actions: Sequence[AddAction | RemoveAction], fence: Transaction) -> None:
        properties = CommitProperties(app_transactions=[fence], max_commit_retries=100)
        schema, columns = self._table.schema(), ["service", self.partition]
        before = self._table.version()
        try:
            self._table.create_write_transaction(
                [*actions],
                "append",
                schema,
                columns,
                commit_properties=properties,
                post_commithook_properties=_KEEP_LOG,
            )
        except DeltaError as error:
            if isinstance(error, CommitFailedError) and _LOST in str(error):
                raise RaceLost from error
            self._land(actions, error)
        self._commits += 1
        self._sync_since(before)

    def _land(self, actions: Sequence[AddAction | RemoveAction], error: DeltaError) -> None:
        """Find out whether a commit that ended in an error landed: what failed may be the checkpoint after it."""
        self._table = DeltaTable(self.path)
        live = {unquote(path) for path in pa.table(self._table.get_add_actions()).column("path").to_pylist()}
        if not any(isinstance(action, AddAction) and action.path in live for action in actions):
            raise NotCommitted(str(error)) from error

    def _refresh(self) -> None:
        try:
            if self._commits < _REOPEN_AFTER:
                self._table.update_incremental()
                return
        except DeltaError:
            pass  # others have tidied away the entries from where this handle stands
        self._table = DeltaTable(self.path)
        self._commits = 0

    def _read(self) -> Head:
        actions = pa.table(self._table.get_add_actions())
        return Head(
            position=self._table.transaction_version("position") or 0,
            maintenance=self._table.transaction_version("maintenance") or 0,
            files=tuple(sorted((_data_file(row, self.partition) for row in actions.to_pylist()), key=_by_position)),
        )

    def _add(self, file: DataFile, *, data_change: bool) -> AddAction:
        return AddAction(
            path=file.path,
            size=file.size,
            partition_values=self._values(file),
            modification_time=int(time.time() * 1000),
            data_change=data_change,
            stats=_stats(file),
        )

    def _values(self, file: DataFile) -> dict[str, str | None]:
        return {"service": file.service, self.partition: file.period}

    def _sync_since(self, version: int) -> None:
        """Make the entries after a version durable: the handle learns its own only by looking again."""
        self._refresh()
        folder = self.path / "_delta_log"
        for entry in range(max(0, version), self._table.version() + 1):
            for written in (folder / f"{entry:020d}.json", folder / f"{entry:020d}.checkpoint.parquet"):
                with suppress(FileNotFoundError):  # no checkpoint there, or another writer has tidied it away
                    sync(written)
        newest = folder / f"{self._table.version():020d}.checkpoint.parquet"
        with suppress(FileNotFoundError):
            sync(folder / "_last_checkpoint")
        sync(folder)
        if newest.exists():
            with suppress(DeltaError, OSError):  # the commit stands; the next checkpoint tidies again
                self._table.cleanup_metadata()  # not before the checkpoint that stands for the entries is on disk


def has_entries(path: Path) -> bool:
    """Tell whether a log was ever begun here: a process may have died between making the folder and the first entry."""
    return any((path / "_delta_log").glob("*.json"))


def _schema(partition: Period) -> Schema:
    columns = {**storage_types(), partition: "VARCHAR"}
    fields = [
        {"name": name, "type": _DELTA_TYPES[type_], "nullable": True, "metadata": {}} for name, type_ in columns.items()
    ]
    return Schema.from_json(json.dumps({"type": "struct", "fields": fields}))


def _stats(file: DataFile) -> str:
    least = (file.first_position, file.first_stream, iso(file.first_time), iso(file.first_recorded), 0)
    greatest = (
        file.last_position,
        file.last_stream,
        iso(file.last_time),
        iso(file.last_recorded),
        file.disorder,
    )
    names = (*_STATS, "disorder")
    return json.dumps(
        {
            "numRecords": file.rows,
            "minValues": dict(zip(names, least, strict=True)),
            "maxValues": dict(zip(names, greatest, strict=True)),
            "nullCount": {"version": file.rows - file.versioned, **dict.fromkeys(names, 0)},
        }
    )


def _by_position(file: DataFile) -> tuple[int, str]:
    return file.first_position, file.path


def _data_file(row: dict[str, object], partition: Period) -> DataFile:
    least, greatest, nulls, values = (_struct(row[name]) for name in ("min", "max", "null_count", "partition"))
    rows = _int(row["num_records"])
    return DataFile(
        path=unquote(str(row["path"])),
        service=str(values["service"]),
        period=str(values[partition]),
        size=_int(row["size_bytes"]),
        rows=rows,
        versioned=rows - _int(nulls["version"]),
        disorder=_int(greatest["disorder"]),
        first_position=_int(least["position"]),
        last_position=_int(greatest["position"]),
        first_time=_time(least["occurred_at"]),
        last_time=_time(greatest["occurred_at"]),
        first_recorded=_time(least["recorded_at"]),
        last_recorded=_time(greatest["recorded_at"]),
        first_stream=str(least["stream_id"]),
        last_stream=str(greatest["stream_id"]),
    )


def _struct(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value


def _time(value: object) -> dt.datetime:
    if not isinstance(value, dt.datetime):
        raise TypeError(value)
    return value.astimezone(dt.UTC)
