"""What the ledger holds, as values."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from esanalytics._instants import iso
from esanalytics.jobs._values import Phase, Reason, Unit, Window

__all__ = ["ROW", "RUN", "Row", "RunRow", "Stamp", "facts_of", "moment", "row_of", "run_of"]

ROW = """job, service, start, "end", phase, run, mark, position, definition, code, shape, fingerprint, path, digest,
    rows, bytes, measures"""
"""The columns of a window."""
RUN = """run, job, service, start, "end", reason, phase, attempt, pid, host, began, ended, seconds, rows, digest,
    position, error, error_type"""
"""The columns of a run."""


@dataclass(frozen=True, slots=True)
class Row:
    """The newest truth of a window.

    Attributes:
        unit, window: of what and when; ``window.due`` is its end, for the ledger does not keep it.
        phase: how its last run ended.
        run: the last run's id.
        mark, position: of the store, as it was read, or as it was when nothing had changed for the window.
        definition: digest of the job's table in the file.
        code: digest of the files of code.
        shape: digest of the columns.
        fingerprint: of all that decides what is in the output, but the events.
        path: where the output is.
        digest, rows, bytes: of the output.
        measures: what checks compare with the next time.
    """

    unit: Unit
    window: Window
    phase: Phase
    run: str
    mark: str = ""
    position: int = 0
    definition: str = ""
    code: str = ""
    shape: str = ""
    fingerprint: str = ""
    path: str = ""
    digest: str = ""
    rows: int = 0
    bytes: int = 0
    measures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run, as it went.

    Attributes:
        run: its id.
        unit, window: of what and when.
        reason: why it was run.
        phase: where it ended, or is.
        attempt: from 1.
        pid, host: whose it was.
        began, ended: when; ``ended`` is None where it did not end, or is not yet.
        seconds, rows, digest, position: None where it did not come so far.
        error, error_type: what went wrong; None where nothing did.
    """

    run: str
    unit: Unit
    window: Window
    reason: Reason
    phase: Phase
    attempt: int
    pid: int
    host: str
    began: dt.datetime
    ended: dt.datetime | None = None
    seconds: float | None = None
    rows: int | None = None
    digest: str | None = None
    position: int | None = None
    error: str | None = None
    error_type: str | None = None


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file was like.

    Attributes:
        size, mtime_ns, inode: as the file system has them.
        digest: of its content, or of its beginning.
    """

    size: int
    mtime_ns: int
    inode: int
    digest: str


def row_of(found: tuple[Any, ...]) -> Row:
    """Return a window from the columns of ``ROW``."""
    job, service, start, end, *facts, measures = found
    return Row(Unit(job, service), _window(start, end), *(*facts, json.loads(measures) if measures != "{}" else {}))


def facts_of(row: Row) -> tuple[object, ...]:
    """Return the columns of ``ROW``."""
    named = (row.unit.job, row.unit.service, iso(row.window.start), iso(row.window.end), row.phase, row.run)
    read = (row.mark, row.position, row.definition, row.code, row.shape, row.fingerprint)
    return (*named, *read, row.path, row.digest, row.rows, row.bytes, json.dumps(dict(row.measures), default=str))


def run_of(found: tuple[Any, ...]) -> RunRow:
    """Return a run from the columns of ``RUN``."""
    run, job, service, start, end, reason, phase, attempt, pid, host, began, ended, *rest = found
    done = moment(ended) if ended else None
    return RunRow(
        run, Unit(job, service), _window(start, end), reason, phase, attempt, pid, host, moment(began), done, *rest
    )


def moment(text: str) -> dt.datetime:
    """Return an instant as the ledger keeps it."""
    return dt.datetime.fromisoformat(text)


def _window(start: str, end: str) -> Window:
    return Window(moment(start), moment(end), moment(end))
