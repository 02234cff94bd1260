"""Which windows of a unit are to be run: nothing is read, nothing is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from esanalytics.errors import SpanError
from esanalytics.jobs._file import Job
from esanalytics.jobs._keys import local
from esanalytics.jobs._schedule import last_tick
from esanalytics.jobs._values import Phase, Reason, Unit, Window
from esanalytics.jobs._windows import containing, newest, windows

__all__ = ["GOOD", "Coverage", "Due", "Planned", "chosen", "covering", "next_due", "plan", "spanned", "upcoming"]

GOOD: tuple[Phase, ...] = ("done", "empty")
"""How a window ended that need not be run again."""

_SETTLED: tuple[Phase, ...] = (*GOOD, "superseded")
_UNFINISHED: tuple[Phase, ...] = ("folding", "checking", "publishing", "interrupted")
_COUNTED = 10_000
_LEAST = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Up to where the windows of a unit are settled.

    Attributes:
        shape: of the calendar and the catch-up it is of; another one's says nothing.
        first: where the first window began.
        frontier: all windows that end here or before are done, skipped or superseded.
    """

    shape: str
    first: dt.datetime
    frontier: dt.datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A window to be run.

    Attributes:
        unit: of what.
        window: of when.
        reason: why.
    """

    unit: Unit
    window: Window
    reason: Reason


@dataclass(frozen=True, slots=True)
class Planned:
    """What a unit has to do.

    Attributes:
        due: in this order.
        left: how many more are due, for later calls; 10,000 may be more.
        skipped: how many are passed over for good, for they were missed or a newer one replaces them.
        coverage: the frontier to keep at once: before the first window that is not settled; None: no window is due.
    """

    due: tuple[Due, ...]
    left: int
    skipped: int
    coverage: Coverage | None


def plan(
    job: Job,
    unit: Unit,
    phases: Mapping[str, Phase],
    *,
    now: dt.datetime,
    first: dt.datetime,
    coverage: Coverage | None = None,
    stale: Mapping[Window, Reason] | None = None,
) -> Planned:
    """Tell which windows of a unit are to be run now.

    Those that are stale come first, then those that were never done, each the oldest before the others: a backlog
    does not keep what is read already wrong. At most ``job.max_catchup`` are given; the others stay due.

    Args:
        job: the job.
        unit: one of its units.
        phases: how windows of the unit ended, by ``Window.key``; those before the frontier may be missing.
        now: the time.
        first: an instant of the first window.
        coverage: what the ledger keeps of the unit.
        stale: windows that are done and have to be made again; those that are no window of the calendar, that are not
            due, or before the first one are passed over.
    """
    last = newest(job.calendar, now)
    if last is None or last.end <= first:
        return Planned((), 0, 0, None)
    start = containing(job.calendar, first).start
    shape = covering(job)
    since = start
    if coverage is not None and coverage.shape == shape and coverage.first <= start:
        since = max(start, min(coverage.frontier, last.end))
    pending, skipped, frontier = _pending(job, phases, now, since, last)
    redone = _redone(job, pending, stale or {}, Window(start, last.end, last.due), last)
    wanted = [Due(unit, window, reason) for window, reason in redone.items()] + [
        Due(unit, window, "interrupted before" if phases.get(window.key) in _UNFINISHED else "due")
        for window in islice(pending, job.max_catchup)
    ]
    due = tuple(wanted[: job.max_catchup])
    left = len(pending) + len(redone) - len(due)
    return Planned(due, left, skipped, Coverage(shape, start, frontier))


def covering(job: Job) -> str:
    """Name the calendar and the catch-up of a job, as ``Coverage.shape`` has it."""
    calendar = job.calendar
    form = "newest" if job.newest_only else job.catchup
    return f"{calendar.schedule}|{calendar.tz}|{calendar.grid}|{form}"


def chosen(
    job: Job,
    *,
    since: str | dt.date | None,
    until: str | dt.date | None,
    now: dt.datetime,
    first: dt.datetime,
) -> list[Window]:
    """Return the windows of a span that somebody names, but those before the first one.

    Args:
        job: the job.
        since: where the first one begins, in the job's time zone where it does not say; None: at ``first``.
        until: where the last one ends; None: with the last that is due.
        now: the time.
        first: an instant of the first window.

    Raises:
        SpanError: windows do not begin and end there, or are not finished.
    """
    calendar = job.calendar
    start, end = spanned(job, since=since, until=until, now=now)
    beginning = containing(calendar, first).start
    return list(windows(calendar, max(start or beginning, beginning), end))


def spanned(
    job: Job, *, since: str | dt.date | None, until: str | dt.date | None, now: dt.datetime
) -> tuple[dt.datetime | None, dt.datetime]:
    """Return the bounds of a span that somebody names; the first is None where nobody says it.

    Args:
        job: as ``chosen`` has it.
        since: as ``chosen`` has it.
        until: as ``chosen`` has it.
        now: as ``chosen`` has it.

    Raises:
        SpanError: windows do not begin and end there, or are not finished.
    """
    last = newest(job.calendar, now)
    start, end = _edge(job, "since", since), _edge(job, "until", until)
    wanted = end - _LEAST if end is not None else start
    if last is None or (wanted is not None and wanted >= last.end):
        asked = containing(job.calendar, now if wanted is None else wanted)
        reason = f"the window up to {_local(job, asked.end)} may be run from {_local(job, asked.due)}"
        raise SpanError(job.name, reason, "wait for it")
    if start is not None and end is not None and start >= end:
        reason = f"there is no window from {_local(job, start)} to {_local(job, end)}"
        raise SpanError(job.name, reason, "give an until that is later")
    return start, end or last.end


def _edge(job: Job, option: Literal["since", "until"], given: str | dt.date | None) -> dt.datetime | None:
    """Return where a window begins or ends, as somebody says."""
    if given is None:
        return None
    try:
        moment = local(given, job.calendar.tz)
        found = containing(job.calendar, moment)
    except (ValueError, OverflowError, LookupError) as error:
        raise SpanError(job.name, f"no window has to do with {given!r}", f"give {option} 2026-03-01") from error
    if found.start != moment:
        what = "begins" if option == "since" else "ends"
        near = f"{_local(job, found.start)} or {_local(job, found.end)}"
        raise SpanError(job.name, f"no window {what} at {_local(job, moment)}", f"give {option} {near}")
    return moment


def _local(job: Job, moment: dt.datetime) -> str:
    return moment.astimezone(job.calendar.tz).isoformat()


def next_due(job: Job, now: dt.datetime) -> dt.datetime:
    """Return when the next window is due, after ``now``."""
    last = newest(job.calendar, now)
    return containing(job.calendar, last.end if last else now).due


def upcoming(job: Job, now: dt.datetime) -> Iterator[dt.datetime]:
    """Give when the next windows are due, after ``now``; what is due at one time is given once."""
    moment = now
    with suppress(LookupError, OverflowError):  # the calendar ends
        while True:
            following = next_due(job, moment)
            if following <= moment:
                return
            yield following
            moment = following


def _pending(
    job: Job, phases: Mapping[str, Phase], now: dt.datetime, since: dt.datetime, last: Window
) -> tuple[list[Window], int, dt.datetime]:
    """Tell which windows were never done, how many of them are passed over, and the frontier."""
    if job.newest_only or job.catchup != "all":
        return _newest(job, phases, now, since, last)
    found = (window for window in windows(job.calendar, since, last.end) if phases.get(window.key) not in GOOD)
    pending = list(islice(found, job.max_catchup + _COUNTED))
    return pending, 0, pending[0].start if pending else last.end


def _newest(
    job: Job, phases: Mapping[str, Phase], now: dt.datetime, since: dt.datetime, last: Window
) -> tuple[list[Window], int, dt.datetime]:
    missed = (window for window in windows(job.calendar, since, last.start) if phases.get(window.key) not in GOOD)
    skipped = 0 if job.newest_only else sum(1 for _ in islice(missed, _COUNTED))
    if since >= last.end or phases.get(last.key) in _SETTLED:
        return [], skipped, last.end
    if job.catchup == "none" and not _fresh(job, last, now):
        return [], skipped + 1, last.end
    return [last], skipped, last.start


def _fresh(job: Job, last: Window, now: dt.datetime) -> bool:
    """Whether a window became due at the schedule's last time, or after it."""
    schedule, tz = job.calendar.schedule, job.calendar.tz
    tick = last_tick(schedule, tz, now)
    before = last_tick(schedule, tz, tick - _LEAST) if tick else None
    return before is None or last.due > before


def _redone(
    job: Job, pending: list[Window], stale: Mapping[Window, Reason], covered: Window, last: Window
) -> dict[Window, Reason]:
    """Tell which of the stale windows are windows of the calendar, the oldest first."""
    found: dict[Window, Reason] = {}
    others = {window.key for window in pending}
    for window, reason in sorted(stale.items()):
        inside = covered.start <= window.start and window.end <= covered.end and window.key not in others
        if not inside or (job.newest_only and window.key != last.key):
            continue
        own = containing(job.calendar, window.start)
        if own.key == window.key:
            found[own] = reason
    return found
