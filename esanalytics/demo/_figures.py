"""The questions that the demo's chart asks of the log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from esanalytics.demo._truth import STATUSES
from esanalytics.store import Log

__all__ = ["Figures", "figures"]

_BY_DAY = """
WITH days AS (
    SELECT unnest(generate_series(
        date_trunc('day', min(effective_at)) + INTERVAL 1 DAY, max(effective_at) + INTERVAL 1 DAY, INTERVAL 1 DAY
    )) AS day
    FROM events
), last AS (
    SELECT day, stream_id, max_by(type, version) AS type FROM days JOIN events ON effective_at <= day
    WHERE service = 'orders' AND list_contains($types, type) GROUP BY day, stream_id
)
SELECT day, type, count(*) AS orders FROM last GROUP BY day, type ORDER BY day
"""
_BY_WEEK = """
SELECT time_bucket(INTERVAL 7 DAY, effective_at, date_trunc('day', (SELECT min(effective_at) FROM events))) AS week,
    coalesce(sum(data.amount::DECIMAL(18, 2)) FILTER (type = 'OrderPaid'), 0) AS paid,
    coalesce(sum(data.amount::DECIMAL(18, 2)) FILTER (type = 'OrderRefunded'), 0) AS refunded
FROM events WHERE type IN ('OrderPaid', 'OrderRefunded') GROUP BY week ORDER BY week
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the chart shows.

    Attributes:
        days: the ends of the days, each the instant 00:00 of the next.
        statuses: how many orders have each status at those instants.
        weeks: the starts of periods of seven days.
        paid, refunded: euros in each of them.
    """

    days: tuple[dt.datetime, ...]
    statuses: Mapping[str, tuple[int, ...]]
    weeks: tuple[dt.datetime, ...]
    paid: tuple[Decimal, ...]
    refunded: tuple[Decimal, ...]


def figures(log: Log) -> Figures:
    """Count the orders by status at the end of each day, and the money that moved in each week."""
    names = {kind.type: status for kind, status in STATUSES.items()}
    by_day = list(log.sql(_BY_DAY, {"types": list(names)}))
    by_week = list(log.sql(_BY_WEEK))
    days = tuple(dict.fromkeys(row["day"] for row in by_day))
    counts = {(row["day"], names[row["type"]]): row["orders"] for row in by_day}
    statuses = {name: tuple(counts.get((day, name), 0) for day in days) for name in names.values()}
    money = (tuple(row[name] for row in by_week) for name in ("week", "paid", "refunded"))
    return Figures(days, statuses, *money)
