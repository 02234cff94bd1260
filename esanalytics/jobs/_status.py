"""How jobs are."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from esanalytics.jobs._file import Job, JobsFile
from esanalytics.jobs._ledger import Ledger, Row
from esanalytics.jobs._plan import GOOD, next_due
from esanalytics.jobs._values import Phase, Unit, Window

__all__ = ["Status", "status_of"]


@dataclass(frozen=True, slots=True)
class Status:
    """How a job is, or one service of it.

    Attributes:
        unit: which.
        enabled: whether it is run.
        window: the newest window that is done; None: none is.
        age: how long ago that window ended; None: there is none.
        rows: of its output.
        path: of its output.
        phase: how the last run ended, or where it is; None: there was none.
        ended: when that was; None: it has not ended.
        error: of the last run; None: it had none.
        next_due: when the next window may be run.
    """

    unit: Unit
    enabled: bool
    window: Window | None
    age: dt.timedelta | None
    rows: int | None
    path: str
    phase: Phase | None
    ended: dt.datetime | None
    error: str | None
    next_due: dt.datetime


def status_of(file: JobsFile, ledger: Ledger, now: dt.datetime) -> list[Status]:
    """Tell how each job of a file is, from the ledger alone."""
    services = ledger.stamps("services", "store")
    return [_status(job, unit, ledger, now) for job in file.jobs.values() for unit in job.units(services)]


def _status(job: Job, unit: Unit, ledger: Ledger, now: dt.datetime) -> Status:
    done = [row for row in ledger.rows(unit).values() if row.phase in GOOD]
    newest: Row | None = done[-1] if done else None
    last = next((run for run in ledger.runs(unit.job) if run.unit == unit), None)
    return Status(
        unit=unit,
        enabled=job.enabled,
        window=newest.window if newest else None,
        age=now - newest.window.end if newest else None,
        rows=newest.rows if newest else None,
        path=newest.path if newest else "",
        phase=last.phase if last else None,
        ended=last.ended if last else None,
        error=last.error if last else None,
        next_due=next_due(job, now),
    )
