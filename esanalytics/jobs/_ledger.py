"""The ledger: what is known of earlier runs, in SQLite.

One that is lost costs work, never data: windows are made again over outputs that say what they are of.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any, Self

from esanalytics._instants import iso
from esanalytics.errors import ClockError, OverlapError
from esanalytics.jobs._ledger_rows import ROW, RUN, Row, RunRow, Stamp, facts_of, moment, row_of, run_of
from esanalytics.jobs._ledger_tables import explained, opened
from esanalytics.jobs._plan import GOOD, Coverage
from esanalytics.jobs._values import Phase, Reason, Unit, Window

__all__ = ["Ledger", "Row", "RunRow", "Stamp"]

_GOOD = tuple(GOOD)
_BACK = dt.timedelta(minutes=5)
"""Clocks of machines may differ by so much."""


class Ledger:
    """What is known of earlier runs; use it as a context manager.

    Each method is a transaction of its own, and raises LedgerError where the ledger cannot be read or written; the
    error is transient where another process is at it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Take an open connection; ``Ledger.open`` makes one."""
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a ledger, or make one with its folder.

        Raises:
            LedgerError: it cannot be opened, is none, or was written by a newer version.
        """
        return cls(path, opened(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        with explained(self.path):
            self._connection.close()

    def rows(self, unit: Unit) -> dict[str, Row]:
        """Return the windows of a unit by ``Window.key``, the oldest first."""
        found = self._all(
            f'SELECT {ROW} FROM windows WHERE job = ? AND service = ? ORDER BY start, "end"', (unit.job, unit.service)
        )
        return {
            f"{start}/{end}": row_of((job, service, start, end, *rest)) for job, service, start, end, *rest in found
        }

    def coverage(self, unit: Unit) -> Coverage | None:
        """Return what ``cover`` was told last; None: nothing."""
        found = self._all(
            "SELECT shape, first, frontier FROM units WHERE job = ? AND service = ?", (unit.job, unit.service)
        )
        return Coverage(found[0][0], moment(found[0][1]), moment(found[0][2])) if found else None

    def cover(self, unit: Unit, coverage: Coverage) -> None:
        """Keep up to where the windows of a unit are settled."""
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?, ?)",
                (unit.job, unit.service, coverage.shape, iso(coverage.first), iso(coverage.frontier)),
            )

    def confirm(self, unit: Unit, mark: str, position: int, *, but: Collection[str] = ()) -> None:
        """Note that what came to the store changes nothing for the windows of a unit that are done.

        Args:
            unit: of what.
            mark: of the store now.
            position: of the store now.
            but: the keys of windows for which it may.
        """
        excepted = json.dumps([key.split("/") for key in but])
        with self._writing() as connection:
            connection.execute(
                f"""UPDATE windows SET mark = ?, position = max(position, ?)
                WHERE job = ? AND service = ? AND phase IN {_GOOD} AND NOT EXISTS (
                    SELECT 1 FROM json_each(?) AS but
                    WHERE but.value ->> 0 = windows.start AND but.value ->> 1 = windows."end")""",
                (mark, position, unit.job, unit.service, excepted),
            )

    def begin(self, run: str, unit: Unit, window: Window, reason: Reason, attempt: int = 1) -> None:
        """Note that a run begins, in the phase ``"folding"``.

        Args:
            run: an id that no other run has.
            unit: of what.
            window: of when.
            reason: why.
            attempt: from 1.
        """
        facts = (run, unit.job, unit.service, iso(window.start), iso(window.end), reason, "folding", attempt)
        owner = (os.getpid(), socket.gethostname(), iso(_now()))
        with self._writing() as connection:
            connection.execute(
                """INSERT INTO runs(run, job, service, start, "end", reason, phase, attempt, pid, host, began)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                facts + owner,
            )

    def enter(
        self, run: str, phase: Phase, digest: str | None = None, *, path: str | None = None, alone: bool = False
    ) -> None:
        """Note how far a run is.

        Args:
            run: its id.
            phase: where it is.
            digest: of its rows, once it is known.
            path: of the output that it is about to replace. Windows of another calendar that are in it, and have a time
                in common with the run's, are forgotten: they are not there any longer.
            alone: whether the output holds one window; then newer ones are forgotten too.
        """
        with self._writing() as connection:
            connection.execute(
                "UPDATE runs SET phase = ?, digest = coalesce(?, digest) WHERE run = ?", (phase, digest, run)
            )
            if path is not None:
                _forget_replaced(connection, run, path, alone=alone)

    def end(self, run: str, phase: Phase, *, row: Row | None = None, error: BaseException | None = None) -> None:
        """Note how a run ended, and what its window is now, in one transaction.

        Args:
            run: its id.
            phase: where it ended.
            row: what the window is now; None: what it was, and a window that was never done gets the phase, unless the
                run was refused. A window that was done stays so where its row says that it is superseded.
            error: what went wrong.
        """
        told = (str(error), type(error).__name__) if error is not None else (None, None)
        came = (row.rows, row.digest, row.position) if row is not None else (None, None, None)
        now = _now()
        with self._writing() as connection:
            connection.execute(
                """UPDATE runs SET phase = ?, ended = ?, seconds = (julianday(?) - julianday(began)) * 86400,
                    rows = coalesce(?, rows), digest = coalesce(?, digest), position = coalesce(?, position),
                    error = ?, error_type = ? WHERE run = ?""",
                (phase, iso(now), iso(now), *came, *told, run),
            )
            if row is not None:
                if row.phase == "superseded" and _is_done(connection, row):
                    return
                marks = ", ".join("?" * len(facts_of(row)))
                connection.execute(f"INSERT OR REPLACE INTO windows({ROW}) VALUES ({marks})", facts_of(row))
                return
            if phase == "refused":
                return
            connection.execute(
                f"""INSERT INTO windows(job, service, start, "end", phase, run)
                SELECT job, service, start, "end", phase, run FROM runs WHERE run = ?
                ON CONFLICT DO UPDATE SET phase = excluded.phase, run = excluded.run
                WHERE windows.phase NOT IN {_GOOD}""",
                (run,),
            )

    def interrupt(self, job: str) -> list[str]:
        """Mark the runs of a job that never ended as interrupted, and return their ids; hold the job's lock."""
        found = [run for (run,) in self._all("SELECT run FROM runs WHERE job = ? AND ended IS NULL", (job,))]
        for run in found:
            self.end(run, "interrupted")
        return found

    def claim(self, path: str, job: str) -> None:
        """Note whose output a path is.

        Raises:
            OverlapError: it is that of another job.
        """
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO outputs VALUES (?, ?)", (path, job))
            ((owner,),) = connection.execute("SELECT job FROM outputs WHERE path = ?", (path,)).fetchall()
        if owner != job:
            raise OverlapError(job, owner, path)

    def clock(self, job: str, now: dt.datetime, *, force: bool = False) -> None:
        """Note the time.

        Args:
            job: who asks.
            now: what the clock says.
            force: whether a time that was noted before does not matter.

        Raises:
            ClockError: it is more than five minutes before a time that was noted earlier.
        """
        with self._writing() as connection:
            seen = connection.execute("SELECT value FROM facts WHERE name = 'clock'").fetchone()
            if seen and not force and now < moment(seen[0]) - _BACK:
                raise ClockError(job, _second(now), _second(moment(seen[0])))
            latest = iso(now) if force or not seen else max(iso(now), seen[0])
            if not seen or latest != seen[0]:
                connection.execute("INSERT OR REPLACE INTO facts VALUES ('clock', ?)", (latest,))

    def runs(self, job: str | None = None, limit: int = 50) -> list[RunRow]:
        """Return the last runs, the newest first.

        Args:
            job: of this one; None: of all.
            limit: how many at most.
        """
        found = self._all(
            f"SELECT {RUN} FROM runs WHERE ? IS NULL OR job = ? ORDER BY began DESC, rowid DESC LIMIT ?",
            (job, job, limit),
        )
        return [run_of(facts) for facts in found]

    def last(self, unit: Unit) -> RunRow | None:
        """Return the last run of a unit that was not refused for the clock; None: there was none."""
        found = self._all(
            f"""SELECT {RUN} FROM runs WHERE job = ? AND service = ?
            AND NOT (phase = 'refused' AND error_type = 'ClockError') ORDER BY began DESC, rowid DESC LIMIT 1""",
            (unit.job, unit.service),
        )
        return run_of(found[0]) if found else None

    def stamps(self, kind: str, owner: str) -> dict[str, Stamp]:
        """Return what files were like, by path.

        Args:
            kind: such as ``"code"`` or ``"ingest"``.
            owner: the job.
        """
        found = self._all(
            "SELECT path, size, mtime_ns, inode, digest FROM stamps WHERE kind = ? AND owner = ? ORDER BY path",
            (kind, owner),
        )
        return {path: Stamp(*facts) for path, *facts in found}

    def stamp(self, kind: str, owner: str, stamps: Mapping[str, Stamp], *, anew: bool = False) -> None:
        """Note what files are like.

        Args:
            kind: as ``stamps`` has it.
            owner: as ``stamps`` has it.
            stamps: by path.
            anew: whether those of other paths are forgotten.
        """
        with self._writing() as connection:
            if anew:
                connection.execute("DELETE FROM stamps WHERE kind = ? AND owner = ?", (kind, owner))
            connection.executemany(
                "INSERT OR REPLACE INTO stamps VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(kind, owner, path, *astuple(stamp)) for path, stamp in stamps.items()],
            )

    def _all(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with explained(self.path):
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection in a transaction; it is taken back where something goes wrong."""
        with explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _is_done(connection: sqlite3.Connection, row: Row) -> bool:
    facts = facts_of(row)[:4]
    found = connection.execute(
        f"""SELECT 1 FROM windows WHERE job = ? AND service = ? AND start = ? AND "end" = ? AND phase IN {_GOOD}""",
        facts,
    )
    return found.fetchone() is not None


def _forget_replaced(connection: sqlite3.Connection, run: str, path: str, *, alone: bool) -> None:
    """Forget windows that a run replaces by one of another length, or newer ones that are gone; they are due again."""
    found = connection.execute('SELECT job, service, start, "end" FROM runs WHERE run = ?', (run,)).fetchall()
    for job, service, start, end in found:
        forgotten = connection.execute(
            """DELETE FROM windows WHERE job = ? AND service = ? AND (start < ? OR ?) AND "end" > ?
            AND NOT (start = ? AND "end" = ?) AND path = ?""",
            (job, service, end, alone, start, start, end, path),
        )
        if forgotten.rowcount:
            connection.execute("DELETE FROM units WHERE job = ? AND service = ?", (job, service))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _second(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
