"""When things happen in the shop: its busy hours, its releases, its clocks."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from esanalytics._instants import Instant, instant
from esanalytics.demo._draws import DAY, HOUR, SECOND
from esanalytics.demo._kinds import ORDERS, SHIPPING, Flags, Ints, Rows, service_of

__all__ = [
    "BAD_RELEASE",
    "NODES",
    "NODE_BEHIND",
    "NODE_EXTRA",
    "SCALE",
    "TOTAL_SINCE",
    "WEIGHT_SINCE",
    "Calendar",
    "calendar",
]

SCALE = 1 << 34
"""Points of the log's time are fractions of this."""

NODES = ("orders-1", "orders-2", "orders-3")
NODE_BEHIND = 1
"""The orders node whose clock is behind."""
NODE_EXTRA = 2
"""The orders node that only the bad release ran on."""

TOTAL_SINCE = 40 * DAY
"""From then on OrderPlaced has ``total`` in place of ``amount`` and ``currency``."""
WEIGHT_SINCE = 62 * DAY
"""From then on the weight of a parcel is a number; before it is text."""

BAD_RELEASE = 3
"""Index of the release with the bug."""
_RELEASE_DAYS = (0, 18, 33, 46, 57, 71)

_BEHIND = -150 * SECOND
_AHEAD = 95 * SECOND

_HOURS = np.array([2, 1, 1, 1, 1, 1, 2, 4, 6, 7, 8, 8, 9, 8, 7, 7, 8, 9, 10, 10, 9, 7, 5, 3])
_WEEK = np.array([9, 9, 9, 10, 11, 13, 10])
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_WEEKDAY = 3
_MICROSECOND = dt.timedelta(microseconds=1)
_MOST_ORDERS = 1 << 27
_MOST_DAYS = 3660


@dataclass(frozen=True, slots=True)
class Calendar:
    """The time that a log covers, and who is busy in it.

    Attributes:
        orders: how many orders are placed in it.
        seed: what makes one log differ from another.
        start: its first instant, in microseconds since 1970.
        end: the instant after its last one.
        busy: how busy the shop was from the start to the start of each hour, summed.
        releases: the names of the releases of the orders service.
    """

    orders: int
    seed: int
    start: int
    end: int
    busy: Ints
    releases: tuple[str, ...]

    @property
    def customers(self) -> int:
        """How many customers register."""
        return max(1, self.orders * 2 // 5)

    def moment(self, fraction: Ints) -> Ints:
        """Return the instant at which a fraction of all orders (0 to ``SCALE``) was placed."""
        target = fraction * self.busy[-1]
        hour = np.searchsorted(self.busy[:-1] * SCALE, target, side="right") - 1
        weight = self.busy[hour + 1] - self.busy[hour]
        inside = (target - self.busy[hour] * SCALE) >> 14
        found: Ints = self.start + hour * HOUR + inside * HOUR // (weight * (SCALE >> 14))
        return found

    def release(self, made: Ints, node: Ints) -> Ints:
        """Return the index of the release that an orders node ran; the bad one ran on its own node only."""
        days = [day for index, day in enumerate(_RELEASE_DAYS) if index != BAD_RELEASE]
        current = np.searchsorted(np.array(days), (made - self.start) // DAY, side="right") - 1
        return np.where(node == NODE_EXTRA, BAD_RELEASE, current + (current >= BAD_RELEASE))

    def bad(self, made: Ints) -> Flags:
        """Tell at which instants the release with the bug was running."""
        day = (made - self.start) // DAY
        found: Flags = (day >= _RELEASE_DAYS[BAD_RELEASE]) & (day < _RELEASE_DAYS[BAD_RELEASE + 1])
        return found

    def occurred(self, rows: Rows) -> Ints:
        """Return what the clocks of the services said."""
        service = service_of(rows["kind"])
        behind = (service == ORDERS) & (rows["node"] == NODE_BEHIND)
        found: Ints = rows["made"] + behind * _BEHIND + (service == SHIPPING) * _AHEAD
        return found


def calendar(*, orders: int, seed: int, since: Instant, days: int) -> Calendar:
    """Lay out the time of a log.

    Raises:
        ValueError: one of the numbers is out of range.
    """
    _check("orders", orders, 1, _MOST_ORDERS)
    _check("days", days, 1, _MOST_DAYS)
    _check("seed", seed, 0, (1 << 63) - 1)
    start = (instant(since) - _EPOCH) // _MICROSECOND
    hours = start // HOUR + np.arange(days * 24)
    weekday = (hours // 24 + _EPOCH_WEEKDAY) % 7
    busy = np.concatenate([[0], np.cumsum(_HOURS[hours % 24] * _WEEK[weekday])]).astype(np.int64)
    return Calendar(orders, seed, start, start + days * DAY, busy, _releases(start))


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}; give a whole number from {least} to {most}")


def _releases(start: int) -> tuple[str, ...]:
    days = [_EPOCH + dt.timedelta(days=start // DAY + day) for day in _RELEASE_DAYS]
    months = groupby(f"{day:%Y.%m}" for day in days)
    return tuple(f"{month}.{number}" for month, same in months for number, _ in enumerate(same, start=1))
