"""The store that jobs read: opened only when somebody has to look into it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from esanalytics.jobs._file import JobsFile

if TYPE_CHECKING:  # what a run with nothing to do does not load
    from esanalytics.engines import DuckDB
    from esanalytics.store import Info, Log, Store

__all__ = ["Source"]


@dataclass
class Source:
    """What one call sees of the store: all of it as it was when it was looked at first.

    Attributes:
        file: names the store.
        given: the engine that answers; None: one of its own.
    """

    file: JobsFile
    given: DuckDB | None = field(default=None, repr=False)

    @cached_property
    def mark(self) -> str:
        """The name of the store's newest commit: as long as it stays, nothing has come; empty: there is none.

        It is read before the log, so it is never newer than what is read of the log.
        """
        entries = Path(self.file.store) / "events" / "_delta_log"
        try:
            return max((path.name for path in entries.iterdir() if path.name.endswith(".json")), default="")
        except OSError:
            return ""

    @cached_property
    def engine(self) -> DuckDB:
        """What answers, and writes results into other formats."""
        from esanalytics.engines import DuckDB  # noqa: PLC0415  see above

        if self.given is not None:
            return self.given
        return DuckDB(memory_limit=self.file.memory_limit, threads=self.file.threads)

    @cached_property
    def store(self) -> Store:
        """The store.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        from esanalytics.store import Store  # noqa: PLC0415  see above

        return Store.open(self.file.store, engine=self.engine)

    @cached_property
    def log(self) -> Log:
        """All its events, up to one position for the whole call."""
        assert self.mark is not None  # noqa: S101  read first
        return self.store.log

    @cached_property
    def position(self) -> int:
        """The last position that the call sees."""
        return self.log.count()

    @cached_property
    def info(self) -> Info:
        """What is in it."""
        return self.store.info()

    @property
    def first(self) -> dt.datetime | None:
        """When its first event happened; None: it has none."""
        return self.info.first_time

    @property
    def services(self) -> tuple[str, ...]:
        """The services that have events."""
        return tuple(self.info.services)

    def of(self, services: tuple[str, ...]) -> Log:
        """Show the events of some services; none named are all."""
        return self.log.where(service=services) if services else self.log

    def close(self) -> None:
        """Let go of what was opened."""
        if "engine" in self.__dict__ and self.given is None:
            self.engine.close()
