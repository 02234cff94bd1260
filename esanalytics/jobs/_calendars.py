"""A line of cron as systemd says it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from cronsim import CronSim

__all__ = ["on_calendar"]

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_HOURLY = "*-*-* *:00:00"


def on_calendar(schedule: str, tz: str) -> tuple[str, ...]:
    """Return lines of ``OnCalendar``; several where cron says "or".

    What systemd cannot say, such as the third Friday, becomes every hour: the command knows what is due.

    Args:
        schedule: five fields of cron.
        tz: their time zone.
    """
    cron = CronSim(schedule, dt.datetime(2024, 1, 1))  # noqa: DTZ001  only its fields are looked at
    weekdays = {day % 7 for day in cron.weekdays if isinstance(day, int)}
    if min(cron.days) < 0 or not all(isinstance(day, int) for day in cron.weekdays):
        return (f"{_HOURLY} {tz}",)
    times = f"{_listed(cron.hours, 24)}:{_listed(cron.minutes, 60)}:00 {tz}"
    months, days = _listed(cron.months, 12), _listed(cron.days, 31)
    named = ",".join(_DAYS[day] for day in sorted(weekdays)) + " "
    if cron.day_and:
        return (f"{'' if len(weekdays) == len(_DAYS) else named}*-{months}-{days} {times}",)
    return f"*-{months}-{days} {times}", f"{named}*-{months}-* {times}"


def _listed(numbers: Iterable[int], many: int) -> str:
    found = sorted(numbers)
    return "*" if len(found) == many else ",".join(f"{number:02}" for number in found)
