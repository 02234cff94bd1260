"""DuckDB inside this process: one database in memory, one cursor per query."""

from __future__ import annotations

import getpass
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from esanalytics.errors import EngineError

__all__ = ["DuckDB"]


@dataclass(frozen=True, slots=True, eq=False)
class DuckDB:
    """The engine that runs on this machine.

    Every query gets a cursor of its own, so answers do not disturb each other and threads may ask at the
    same time.

    Attributes:
        memory_limit: what DuckDB may use, such as ``"1GB"``; None: 80 % of the machine. What does not
            fit is spilled to ``temp_directory``.
        threads: how many cores; None: all.
        temp_directory: where to spill; None: a folder of the system's temporary directory.

    Example:
        >>> import esanalytics as ea
        >>> engine = ea.engines.DuckDB(memory_limit="1GB", threads=2)
    """

    memory_limit: str | None = None
    threads: int | None = None
    temp_directory: str | Path | None = None
    _root: dict[bool, duckdb.DuckDBPyConnection] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def cursor(self, *, small: bool = False) -> duckdb.DuckDBPyConnection:
        """Return a new cursor with its own temporary tables and views, in UTC.

        Args:
            small: for work on a few rows, which one thread does faster than several.

        Raises:
            EngineError: DuckDB refuses a setting.
        """
        with self._lock:
            if small not in self._root:
                self._root[small] = self._connect(1 if small else self.threads)
            return self._root[small].cursor()

    def close(self) -> None:
        """Let go of the database; the next cursor opens a new one."""
        with self._lock:
            while self._root:
                self._root.popitem()[1].close()

    def _connect(self, threads: int | None) -> duckdb.DuckDBPyConnection:
        spill = self.temp_directory or Path(tempfile.gettempdir()) / f"esanalytics-{getpass.getuser()}"
        settings = {
            "temp_directory": str(spill),
            "python_enable_replacements": "false",
            "autoinstall_known_extensions": "false",  # a type named in a text must not start a download
            "memory_limit": self.memory_limit,
            "threads": threads,
        }
        try:
            root = duckdb.connect(config={k: v for k, v in settings.items() if v is not None})
            root.execute("SET GLOBAL TimeZone = 'UTC'")
            root.execute("SET GLOBAL parquet_metadata_cache = true")  # data files never change
        except duckdb.Error as error:
            raise EngineError(f"DuckDB does not take these settings: {error}") from error
        return root
