"""Windows: spans of time that lie end to end, each of them exported once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from esanalytics.jobs._schedule import DAWN, last_tick, ticks
from esanalytics.jobs._values import Window

__all__ = ["Calendar", "Grid", "containing", "horizon", "midnight", "newest", "windows"]

_LEAST = dt.timedelta(microseconds=1)
_SECOND = dt.timedelta(seconds=1)
_DAY = dt.timedelta(days=1)
_MONTHS = {"mo": 1, "q": 3, "y": 12}


@dataclass(frozen=True, slots=True)
class Grid:
    """How long windows are.

    Attributes:
        unit: ``"tick"`` is from one time of the schedule to the next; minutes, hours, days, weeks from Monday, months,
            quarters and years are those of the calendar's time zone.
        count: how many minutes or hours; they are counted from each midnight.
    """

    unit: Literal["tick", "m", "h", "d", "w", "mo", "q", "y"] = "tick"
    count: int = 1

    def __str__(self) -> str:
        return self.unit if self.unit == "tick" else f"{self.count}{self.unit}"


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a job is run, and of what times.

    Attributes:
        schedule: five fields of cron.
        tz: of the schedule and of the windows.
        grid: how long windows are.
        lag: how long to wait for events that come late.
    """

    schedule: str
    tz: ZoneInfo
    grid: Grid = Grid()
    lag: dt.timedelta = dt.timedelta()


def windows(calendar: Calendar, since: dt.datetime, until: dt.datetime) -> Iterator[Window]:
    """Give the windows that meet ``[since, until)``, in order; each begins where the one before it ends.

    Where the schedule has no time before ``since``, the first window begins with the years.

    Args:
        calendar: whose windows.
        since: included; aware.
        until: excluded; aware.
    """
    if until <= since:
        return
    due = _due(calendar)
    for start, end in pairwise(_boundaries(calendar, since)):
        if start >= until:
            return
        yield Window(start, end, due(end))


def containing(calendar: Calendar, at: dt.datetime) -> Window:
    """Return the window that an instant is in.

    Raises:
        LookupError: it has no end within 9,999 years, or the schedule's last time is before it.
    """
    for window in windows(calendar, at, at + _LEAST):
        return window
    raise LookupError(f"no window contains {at}")


def horizon(calendar: Calendar, now: dt.datetime) -> dt.datetime | None:
    """Return the instant up to which windows must have ended to be due; None: nothing can be due yet."""
    reached = now if calendar.grid.unit == "tick" else last_tick(calendar.schedule, calendar.tz, now)
    if reached is None or reached - DAWN <= calendar.lag:
        return None
    return reached.astimezone(dt.UTC) - calendar.lag


def newest(calendar: Calendar, now: dt.datetime) -> Window | None:
    """Return the last of the windows that are due."""
    reached = horizon(calendar, now)
    if reached is None:
        return None
    start = next(_boundaries(calendar, reached), DAWN)
    return containing(calendar, start - _LEAST) if start > DAWN else None


class _due:  # noqa: N801  a function that remembers the tick it is at
    """Tell when a window may be run; asked for windows in order."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._tick = DAWN

    def __call__(self, end: dt.datetime) -> dt.datetime:
        calendar = self._calendar
        ready = end + calendar.lag
        if calendar.grid.unit == "tick":
            return ready
        if self._tick < ready:
            following = ticks(calendar.schedule, calendar.tz, ready - _LEAST)
            self._tick = next(following, dt.datetime.max.replace(tzinfo=dt.UTC))
        return self._tick


def _boundaries(calendar: Calendar, since: dt.datetime) -> Iterator[dt.datetime]:
    """Give where windows begin, from the one that ``since`` is in, strictly increasing."""
    last, begun = DAWN, False
    with suppress(OverflowError):  # after the year 9999
        for boundary in _steps(calendar, max(since, DAWN)):
            if boundary <= since:
                last = max(last, boundary)
                continue
            if not begun:
                yield last
                begun = True
            if boundary > last:
                yield boundary
                last = boundary


def _steps(calendar: Calendar, since: dt.datetime) -> Iterator[dt.datetime]:
    """Give boundaries from one at or before ``since``, where there is one, never decreasing."""
    grid, tz = calendar.grid, calendar.tz
    if grid.unit == "tick":
        last = last_tick(calendar.schedule, tz, since)
        if last is not None:
            yield last
        yield from ticks(calendar.schedule, tz, since)
        return
    day = since.astimezone(tz).date() - _DAY
    if grid.unit not in ("h", "m"):
        for beginning in _periods(grid.unit, day):
            yield midnight(beginning, tz)
        return
    step = dt.timedelta(hours=grid.count) if grid.unit == "h" else dt.timedelta(minutes=grid.count)
    for first, second in pairwise(midnight(beginning, tz) for beginning in _periods("d", day)):
        boundary = first
        while boundary < second:
            yield boundary
            boundary += step


def _periods(unit: str, day: dt.date) -> Iterator[dt.date]:
    """Give the first days of periods, from the one that a day is in."""
    if unit in _MONTHS:
        months = _MONTHS[unit]
        number = (day.year * 12 + day.month - 1) // months * months
        while True:
            year, month = divmod(number, 12)
            if year > dt.MAXYEAR:
                raise OverflowError
            yield dt.date(year, month + 1, 1)
            number += months
    beginning = day - _DAY * day.weekday() if unit == "w" and day.toordinal() > day.weekday() else day
    while True:
        yield beginning
        beginning += _DAY * (7 if unit == "w" else 1)


def midnight(day: dt.date, tz: dt.tzinfo) -> dt.datetime:
    """Return when a day begins: its first midnight; where the clock leaps over midnight, the end of the leap."""
    found = dt.datetime.combine(day, dt.time(), tz).astimezone(dt.UTC)
    if found.astimezone(tz).replace(tzinfo=None) == dt.datetime.combine(day, dt.time()):
        return found
    before = dt.datetime.combine(day, dt.time(fold=1), tz).astimezone(dt.UTC)
    while found - before > _SECOND:
        middle = before + (found - before) // 2
        middle -= dt.timedelta(microseconds=middle.microsecond)
        before, found = (before, middle) if middle.astimezone(tz).date() >= day else (middle, found)
    return found
