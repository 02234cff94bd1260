"""The tables of the ledger, and what SQLite says of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from esanalytics.errors import LedgerError

__all__ = ["explained", "opened"]

_VERSION = 1
_BUSY_SECONDS = 5.0
_PAUSE = 0.05
_TABLES = (
    "CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE units(
        job TEXT, service TEXT, shape TEXT NOT NULL, first TEXT NOT NULL, frontier TEXT NOT NULL,
        PRIMARY KEY(job, service))""",
    """CREATE TABLE windows(
        job TEXT, service TEXT, start TEXT, "end" TEXT, phase TEXT NOT NULL, run TEXT NOT NULL,
        mark TEXT NOT NULL DEFAULT '', position INTEGER NOT NULL DEFAULT 0,
        definition TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '',
        shape TEXT NOT NULL DEFAULT '', fingerprint TEXT NOT NULL DEFAULT '', path TEXT NOT NULL DEFAULT '',
        digest TEXT NOT NULL DEFAULT '', rows INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
        measures TEXT NOT NULL DEFAULT '{}',
        PRIMARY KEY(job, service, start, "end"))""",
    """CREATE TABLE runs(
        run TEXT PRIMARY KEY, job TEXT NOT NULL, service TEXT NOT NULL, start TEXT NOT NULL, "end" TEXT NOT NULL,
        reason TEXT NOT NULL, phase TEXT NOT NULL, attempt INTEGER NOT NULL, pid INTEGER NOT NULL, host TEXT NOT NULL,
        began TEXT NOT NULL, ended TEXT, seconds REAL, rows INTEGER, digest TEXT, position INTEGER, error TEXT,
        error_type TEXT)""",
    "CREATE INDEX runs_by_job ON runs(job, began)",
    """CREATE TABLE outputs(path TEXT PRIMARY KEY, job TEXT NOT NULL)""",
    """CREATE TABLE stamps(
        kind TEXT, owner TEXT, path TEXT, size INTEGER, mtime_ns INTEGER, inode INTEGER, digest TEXT,
        PRIMARY KEY(kind, owner, path))""",
)


def opened(path: Path) -> sqlite3.Connection:
    """Open a ledger, or make one with its folder.

    Raises:
        LedgerError: it cannot be opened, is none, or was written by a newer version.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL")
    if _version(connection) == 0:
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) == 0:
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    if _version(connection) != _VERSION:
        reason = f"has format {_version(connection)}, this version reads {_VERSION}"
        raise LedgerError(path, reason, "upgrade with: pip install -U esanalytics")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let others read while one writes; of several that make the ledger at once, one does it."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not _busy(error) or time.monotonic() > end:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into our error."""
    try:
        yield
    except sqlite3.Error as error:
        raise _error(path, error) from error
    except OSError as error:
        raise LedgerError(path, error.strerror or str(error), "see to its folder") from error


def _error(path: Path, error: sqlite3.Error) -> LedgerError:
    name = _name(error)
    if _busy(error):
        return LedgerError(path, "another process is at it", "try again", True)
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return LedgerError(path, f"is damaged ({error})", "move it away; windows are then made again")
    return LedgerError(path, str(error), "see to the file and its folder")


def _busy(error: sqlite3.Error) -> bool:
    return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", "") or ""
