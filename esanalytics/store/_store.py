"""The store: a folder that holds the log of many services."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
from deltalake.exceptions import DeltaError

from esanalytics.engines import DuckDB
from esanalytics.errors import (
    EsAnalyticsError,
    InvalidEventError,
    StoreExistsError,
    StoreNotFoundError,
    UnsupportedError,
)
from esanalytics.events import Refusal
from esanalytics.store._append import Appender, Commit, OnInvalid, Terms, explained
from esanalytics.store._commits import DeltaLog, NotCommitted, has_entries
from esanalytics.store._compact import Compaction, Compactor
from esanalytics.store._files import Period
from esanalytics.store._log import Log, Reader
from esanalytics.store._quarantine import Quarantine
from esanalytics.store._staging import Defaults
from esanalytics.store._view import Base
from esanalytics.store._writing import Writer

__all__ = ["Info", "Store", "as_log"]

_EVENTS = "events"
_QUARANTINE = "quarantine"


def as_log(log: Store | Log) -> Log:
    """Return the log that a verb is asked about.

    Raises:
        TypeError: it is neither a store nor a view of one.
    """
    if isinstance(log, Store):
        return log.log
    if isinstance(log, Log):
        return log
    raise TypeError(f"not a log: {log!r}; give a store, as ea.Store.open(path) returns it, or a view of one")


@dataclass(frozen=True, slots=True)
class Info:
    """What a store holds, from its commits alone.

    Attributes:
        path: its folder.
        events: how many; also its last position.
        services: events of each service.
        files: how many data files.
        bytes: their size.
        first_time, last_time: least and greatest ``occurred_at``; None where it is empty.
        recorded_at: when it last grew; None where it is empty.
        quarantined: how many rows are set aside.
        partition: the period of its partitions.
    """

    path: str
    events: int
    services: dict[str, int]
    files: int
    bytes: int
    first_time: dt.datetime | None
    last_time: dt.datetime | None
    recorded_at: dt.datetime | None
    quarantined: int
    partition: Period


def _folder(path: str | Path) -> Path:
    if "://" in str(path):
        raise UnsupportedError(f"a store at {str(path)!r}", "give a local folder; object stores are not supported yet")
    return Path(path).absolute()


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """A log on disk. Make one with ``Store.create``, open it with ``Store.open``.

    Any number of processes may append to it and read it at the same time. A process that was forked from one
    which had a store open cannot use it; start processes with ``spawn``.

    Example:
        >>> import esanalytics as ea
        >>> with ea.Store.create("shop") as store:  # doctest: +SKIP
        ...     store.append([{"stream_id": "order-1", "type": "Placed", "occurred_at": "2026-03-03", "total": 12}])
    """

    path: Path
    engine: DuckDB
    auto_compact: bool
    _log: DeltaLog = field(repr=False)

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        partition: Period = "month",
        engine: DuckDB | None = None,
        auto_compact: bool = True,
    ) -> Store:
        """Make an empty store.

        Args:
            path: a folder, which must be empty or not there yet.
            partition: files are kept apart by service and by this period of ``occurred_at``: ``"day"``, ``"month"``
                or ``"year"``. Choose so that a period has a million events or so.
            engine: what runs the queries; None: DuckDB with its own settings.
            auto_compact: merge small files while appending.

        Raises:
            StoreExistsError: there is a store, or something else.
            StoreError: the folder cannot be written.
        """
        folder = _folder(path)
        if partition not in ("day", "month", "year"):
            raise UnsupportedError(f"partition {partition!r}", "choose 'day', 'month' or 'year'")
        if has_entries(folder / _EVENTS):
            raise StoreExistsError(folder, "a store")
        if folder.exists() and (not folder.is_dir() or any(path.name != _EVENTS for path in folder.iterdir())):
            raise StoreExistsError(folder, "a folder with other files" if folder.is_dir() else "a file")
        with explained(folder):
            log = DeltaLog.create(folder / _EVENTS, partition)
        return cls(folder, engine or DuckDB(), auto_compact, log)

    @classmethod
    def open(cls, path: str | Path, *, engine: DuckDB | None = None, auto_compact: bool = True) -> Store:
        """Open a store that is there.

        Args:
            path: its folder.
            engine: what runs the queries; None: DuckDB with its own settings.
            auto_compact: merge small files while appending.

        Raises:
            StoreNotFoundError: there is none.
            StoreFormatError: a newer version wrote it.
        """
        folder = _folder(path)
        if folder.exists() and not (folder / _EVENTS).is_dir():
            raise StoreNotFoundError(folder, "a file" if folder.is_file() else "a folder with other files")
        if not folder.is_dir():
            raise StoreNotFoundError(folder)
        with explained(folder):
            log = DeltaLog.open(folder / _EVENTS)
        return cls(folder, engine or DuckDB(), auto_compact, log)

    @property
    def log(self) -> Log:
        """The events of the store up to its last position now, as an immutable view."""
        return Log(Reader(self._log.head, str(self.path / _EVENTS), self.engine), Base(self._log.head().position))

    def append(
        self,
        events: object,
        *,
        service: str | None = None,
        stream: str | None = None,
        expected_version: int | None = None,
        on_invalid: OnInvalid = "raise",
        progress: bool | None = None,
    ) -> Commit:
        """Append events: all of them or, where one is invalid, none.

        The call is one atomic commit; one of more than a million events is several, each atomic: where it is cut
        off, the same call again completes it. What is in the store already, with the same ``event_id`` and
        ``occurred_at``, is passed over, so any load may be repeated. ``metadata`` and ``recorded_at`` tell of a
        delivery and are not compared.

        Args:
            events: a pandas or polars frame, an Arrow table or stream, a DuckDB relation, events or dicts (also
                from a generator), a log view, or a source. Columns that are not of the envelope become ``data``;
                where there is a ``data`` column, they become ``metadata``. A NULL in them is an absent field.
            service: the service of events that do not say; ``"default"`` if never given.
            stream: the stream of events that do not say.
            expected_version: the version that ``stream`` has now, from 0, which is that of a stream without events; the
                events get the next ones. A stream of unversioned events has none, and is refused.
            on_invalid: ``"raise"`` refuses everything; ``"quarantine"`` sets invalid events aside, with origin, line
                and reason, and appends the others.
            progress: show a bar when it takes long; None: on a terminal and in a notebook.

        Raises:
            InvalidEventError: an event cannot be stored, or would mix versioned and unversioned ones in a stream.
            DuplicateEventError: an ``event_id`` stands for two different events.
            AppendConflictError: the stream is not at ``expected_version``, or two events claim one version.
            SourceError: the source cannot be read.
            StoreError: the disk is full, or may not be written to.

        Example:
            >>> store.append(frame, service="orders")  # doctest: +SKIP
            Commit(first_position=1, last_position=3, appended=3, duplicates=0, quarantined=0)
        """
        if expected_version is not None and stream is None:
            raise InvalidEventError(
                "append", None, "expected_version is given without a stream", "name it: stream='order-42'"
            )
        if expected_version is not None and (type(expected_version) is not int or expected_version < 0):
            raise InvalidEventError("append", None, f"expected_version is {expected_version!r}", "give a number from 0")
        if on_invalid not in ("raise", "quarantine"):
            raise UnsupportedError(f"on_invalid={on_invalid!r}", "choose 'raise' or 'quarantine'")
        terms = Terms(
            Defaults("default" if service is None else service, stream), expected_version, on_invalid, progress
        )
        quarantine = Quarantine(self.path / _QUARANTINE)
        commit = Appender(self.path, self._log, self.engine, self._writer(), quarantine, terms).append(
            events.events() if isinstance(events, Log) else events
        )
        if self.auto_compact and commit.appended:
            with suppress(EsAnalyticsError, OSError, duckdb.Error, DeltaError, NotCommitted):
                self._compactor().tidy()  # the events are in; what keeps it from tidying, compact() will tell
        return commit

    def compact(self, *, retain: dt.timedelta = dt.timedelta(hours=1)) -> Compaction:
        """Merge small files, cluster them by stream, and delete files that are no longer needed.

        It changes no answer. Others may append and read meanwhile.

        Args:
            retain: keep files that nobody needs any more for this long, for readers that are still at them.

        Raises:
            CorruptFileError: a data file is missing or damaged.
            StoreError: the disk is full, or may not be written to.
        """
        with explained(self.path):
            return self._compactor().compact(retain)

    def info(self) -> Info:
        """Return what the store holds; reads no data file."""
        files = self._log.head().files
        services: dict[str, int] = {}
        for file in files:
            services[file.service] = services.get(file.service, 0) + file.rows
        return Info(
            path=str(self.path),
            events=self._log.head().position,
            services=dict(sorted(services.items())),
            files=len(files),
            bytes=sum(file.size for file in files),
            first_time=min((file.first_time for file in files), default=None),
            last_time=max((file.last_time for file in files), default=None),
            recorded_at=max((file.last_recorded for file in files), default=None),
            quarantined=len(self.quarantined()),
            partition=self._log.partition,
        )

    def quarantined(self) -> list[Refusal]:
        """Return the rows that were set aside, each with its origin, line, reason and raw text."""
        return Quarantine(self.path / _QUARANTINE).rows()

    def close(self) -> None:
        """Let go of the engine's memory; the store may be used again."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _writer(self) -> Writer:
        return Writer(self.path / _EVENTS, self._log.partition)

    def _compactor(self) -> Compactor:
        return Compactor(self.path, self._log, self.engine, self._writer())
