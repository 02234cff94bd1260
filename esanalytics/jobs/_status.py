"""How jobs are."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from zoneinfo import ZoneInfo

from esanalytics.errors import EsAnalyticsError
from esanalytics.jobs._file import Ingest, Job, JobsFile
from esanalytics.jobs._ledger import Ledger, Row, RunRow
from esanalytics.jobs._plan import GOOD, Coverage, next_due, plan
from esanalytics.jobs._schedule import ticks
from esanalytics.jobs._source import Source
from esanalytics.jobs._values import Phase, Unit, Window
from esanalytics.jobs._windows import newest

__all__ = ["Status", "as_it_is", "status_of"]

_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Status:
    """How a job is, or one service of it; or how an ingest is, which has neither windows nor an output.

    Attributes:
        unit: which.
        enabled: whether it is run.
        window: the newest window that is done; None: none is.
        age: how long ago that window ended; None: there is none.
        open: how many windows are due and not done.
        overdue: how long the oldest of them has been due; None: none is, or nothing was ever run and the store that
            could tell cannot be read.
        rows: of its output.
        path: of its output.
        phase: how the last run ended, or where it is; None: there was none. One that was refused, for the clock was set
            back, does not count.
        ended: when that was; None: it has not ended.
        error: of the last run; None: it had none.
        next_due: when the next window may be run, or files are looked for.
        is_ingest: whether it is an ingest. Then ``open`` is 1 where the last run failed, and ``overdue`` says for how
            long all have.
    """

    unit: Unit
    enabled: bool
    window: Window | None
    age: dt.timedelta | None
    open: int
    overdue: dt.timedelta | None
    rows: int | None
    path: str
    phase: Phase | None
    ended: dt.datetime | None
    error: str | None
    next_due: dt.datetime
    is_ingest: bool = False


def status_of(
    file: JobsFile, ledger: Ledger, source: Source, now: dt.datetime, names: Collection[str] = ()
) -> list[Status]:
    """Tell how jobs of a file are, from the ledger; of a job that was never run the store says since when it is due.

    Args:
        file: of jobs.
        ledger: what is known of their runs.
        source: the store.
        now: the time.
        names: of the jobs; none: all.
    """
    services = tuple(ledger.stamps("services", "store"))
    wanted = [job for job in file.jobs.values() if not names or job.name in names]
    found = [_status(job, unit, ledger, source, now) for job in wanted for unit in _units(job, services, source)]
    return found + [_of_ingest(one, ledger, now) for one in file.ingests.values() if not names or one.name in names]


def _of_ingest(job: Ingest, ledger: Ledger, now: dt.datetime) -> Status:
    runs = ledger.runs(job.name, _LOOKED_AT)
    last = as_it_is(runs[0]) if runs else None
    bad = list(takewhile(lambda run: run.phase not in GOOD, runs)) if last is not None and last.error else []
    return Status(
        unit=Unit(job.name),
        enabled=job.enabled,
        window=None,
        age=None,
        open=1 if bad else 0,
        overdue=now - bad[-1].began if bad else None,
        rows=None,
        path="",
        phase=last.phase if last else None,
        ended=last.ended if last else None,
        error=last.error if last else None,
        next_due=next(ticks(job.schedule, ZoneInfo(str(job.tz)), now), now) if job.schedule else now,
        is_ingest=True,
    )


def as_it_is(run: RunRow) -> RunRow:
    """Return a run as interrupted, where it did not end and its process is gone from this machine."""
    if run.ended is not None or run.host != socket.gethostname() or os.name != "posix":
        return run
    try:
        os.kill(run.pid, 0)
    except ProcessLookupError:
        return replace(run, phase="interrupted")
    except OSError:  # somebody else's
        return run
    return run


def _units(job: Job, services: tuple[str, ...], source: Source) -> tuple[Unit, ...]:
    if services or job.services or not job.output.by_service:
        return job.units(services)
    with suppress(EsAnalyticsError):
        return job.units(source.services)
    return ()


def _status(job: Job, unit: Unit, ledger: Ledger, source: Source, now: dt.datetime) -> Status:
    rows = ledger.rows(unit)
    done = [row for row in rows.values() if row.phase in GOOD]
    best: Row | None = done[-1] if done else None
    found = ledger.last(unit)
    last = as_it_is(found) if found else None
    count, since = _open(job, unit, rows, ledger.coverage(unit), source, now)
    return Status(
        unit=unit,
        enabled=job.enabled,
        window=best.window if best else None,
        age=now - best.window.end if best else None,
        open=count,
        overdue=now - since if since else None,
        rows=best.rows if best else None,
        path=best.path if best else "",
        phase=last.phase if last else None,
        ended=last.ended if last else None,
        error=last.error if last else None,
        next_due=next_due(job, now),
    )


def _open(
    job: Job, unit: Unit, rows: Mapping[str, Row], coverage: Coverage | None, source: Source, now: dt.datetime
) -> tuple[int, dt.datetime | None]:
    """Tell how many windows are due and not done, and since when the oldest of them is."""
    try:
        first = job.first or (coverage.first if coverage else source.first)
    except EsAnalyticsError:
        return (0, None) if newest(job.calendar, now) is None else (1, None)
    if first is None:
        return 0, None
    phases = {key: row.phase for key, row in rows.items()}
    found = plan(job, unit, phases, now=now, first=first, coverage=coverage)
    return len(found.due) + found.left, found.due[0].window.due if found.due else None
