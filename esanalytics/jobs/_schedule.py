"""The times of a schedule: five fields of cron, in a time zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

__all__ = ["ALIASES", "DAWN", "explained", "last_tick", "schedule", "ticks"]

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
DAWN = dt.datetime(1, 1, 8, tzinfo=dt.UTC)
"""Nothing is before it; some days into the first year, for time zones."""

_FIELDS = 5
_DAY = dt.timedelta(days=1)
_LONGEST = dt.timedelta(days=64 * 366)
"""The 29th of February may be a Monday, or not be at all, for so long."""


def schedule(text: str) -> str:
    """Return a cron line as its five fields.

    Args:
        text: five fields, or ``@hourly``, ``@daily``, ``@midnight``, ``@weekly``, ``@monthly``, ``@yearly``,
            ``@annually``.

    Raises:
        ValueError: it is none; the text says what is wrong with it.
    """
    found = ALIASES.get(text.strip().lower(), text)
    fields = found.split()
    if found.startswith("@"):
        raise ValueError(f"{text!r} is not known; choose {', '.join(ALIASES)}, or give five fields")
    if len(fields) == _FIELDS + 1:
        raise ValueError(f"{text!r} has 6 fields; seconds are not supported, give 5")
    try:
        next(CronSim(" ".join(fields), dt.datetime(2024, 1, 1)), None)  # noqa: DTZ001  whether it is ever
    except CronSimError as error:
        reason = f"{text!r} is no cron line ({error})"
        raise ValueError(f"{reason}; give minute hour day month weekday, such as '15 6 * * *'") from error
    return " ".join(fields)


def explained(expression: str) -> str:
    """Say five fields of cron in words."""
    return CronSim(expression, dt.datetime(2024, 1, 1)).explain()  # noqa: DTZ001  the words do not depend on it


def ticks(expression: str, tz: ZoneInfo, after: dt.datetime) -> Iterator[dt.datetime]:
    """Give the times of a schedule, in UTC, strictly increasing.

    A time of day that the clock leaps over is right after the leap; one that there is twice is the first. Where every
    hour is meant, it is every real hour.

    Args:
        expression: five fields of cron.
        tz: what its fields are in.
        after: excluded; aware.
    """
    last = max(after, DAWN).astimezone(dt.UTC)
    try:
        for tick in CronSim(expression, _anchor(last, tz)):
            found = tick.astimezone(dt.UTC)
            if found > last:
                yield found
                last = found
    except OverflowError:  # after the year 9999
        return


def last_tick(expression: str, tz: ZoneInfo, at: dt.datetime) -> dt.datetime | None:
    """Return the last time of a schedule that is not after an instant; None: there is none."""
    back = dt.timedelta(hours=1)
    while back <= _LONGEST and at - DAWN > back:
        found = None
        for tick in ticks(expression, tz, at - back):
            if tick > at:
                break
            found = tick
        if found is not None:
            return found
        back *= 4
    return None


def _anchor(after: dt.datetime, tz: ZoneInfo) -> dt.datetime:
    """Return where to start from: near a change of the clock, well before it, for there the next time may be wrong."""
    local = after.astimezone(tz)
    if after - _DAY > DAWN and len({(after + _DAY * days).astimezone(tz).utcoffset() for days in (-1, 0, 1)}) == 1:
        return local
    if local.toordinal() <= DAWN.toordinal():
        return local
    return (local - 2 * _DAY).replace(hour=12, minute=0, second=0, microsecond=0, fold=0)
