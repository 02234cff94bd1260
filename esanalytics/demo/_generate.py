"""The shop's log, in the order in which it was recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from esanalytics._instants import Instant
from esanalytics.demo._calendar import SCALE, Calendar, calendar
from esanalytics.demo._customers import customer_rows, customers_of
from esanalytics.demo._deliveries import delivery_rows
from esanalytics.demo._draws import Draws
from esanalytics.demo._kinds import Ints, Rows
from esanalytics.demo._orders import order_rows
from esanalytics.demo._tables import table

__all__ = ["blocks", "generate"]

_BLOCK = 8192
"""Orders of a block; another number gives another log."""


def generate(
    *,
    orders: int = 2_000,
    seed: int = 7,
    since: Instant = "2026-01-01",
    days: int = 90,
    batch: int = 100_000,
) -> Iterator[pa.Table]:
    """Yield the log of a shop of five services, in order of ``recorded_at`` over all of them.

    An order makes about 12 events. The same arguments give the same events on every machine; ``batch`` only
    decides where tables end. The tables have the columns of the envelope but ``position``; ``data`` and
    ``metadata`` are JSON text. Memory grows with the events of about a week, not with the log.

    Args:
        orders: how many orders are placed.
        seed: a whole number from 0; another one gives another log.
        since: the first instant of the log.
        days: how long the log is; the planted bug lies in days 46 to 57, the change of shape in day 40.
        batch: the most rows of a table.

    Raises:
        ValueError: a number is out of range.

    Example:
        >>> sum(table.num_rows for table in generate(orders=10)) > 100
        True
    """
    if batch < 1:
        raise ValueError(f"batch is {batch}; give a whole number from 1")
    plan = calendar(orders=orders, seed=seed, since=since, days=days)
    return _tables(plan, batch)


def blocks(plan: Calendar) -> Iterator[Rows]:
    """Yield every event of the log, a block of orders and customers at a time, in no order inside a block."""
    yield delivery_rows(plan, Draws.of(plan.seed, 0))
    for index, orders in enumerate(_ranges(plan)):
        draws = Draws.of(plan.seed, index + 1)
        numbers = np.arange(orders.start, orders.stop)
        customers = customers_of(plan, orders)
        yield np.concatenate([order_rows(plan, numbers, draws), customer_rows(plan, customers, draws)])


def _tables(plan: Calendar, batch: int) -> Iterator[pa.Table]:
    for rows in _slices(plan):
        for first in range(0, len(rows), batch):
            yield table(rows[first : first + batch], plan)


def _slices(plan: Calendar) -> Iterator[Rows]:
    """Yield the log's rows in order: one slice of time for each block, as no later block reaches into it."""
    edges = _edges(plan)
    waiting: defaultdict[int, list[Rows]] = defaultdict(list)
    for index, rows in enumerate(blocks(plan)):
        _share(rows, edges, waiting)
        if index:  # the deliveries come before the first slice
            yield _sorted(np.concatenate(waiting.pop(index - 1)))


def _share(rows: Rows, edges: Ints, waiting: defaultdict[int, list[Rows]]) -> None:
    ordered = _sorted(rows)
    cuts = [0, *np.searchsorted(ordered["recorded"], edges).tolist(), len(rows)]
    for index, (first, last) in enumerate(pairwise(cuts)):
        if first < last:
            waiting[index].append(ordered[first:last].copy())  # a view would keep the whole block alive


def _sorted(rows: Rows) -> Rows:
    return rows[np.argsort(rows["recorded"], kind="stable")]


def _edges(plan: Calendar) -> Ints:
    """Return the instants where slices of time meet; all that later blocks record is at or after them."""
    firsts = np.array([orders.start for orders in _ranges(plan)][1:], dtype=np.int64)
    return plan.moment(firsts * SCALE // plan.orders)


def _ranges(plan: Calendar) -> list[range]:
    return [range(first, min(first + _BLOCK, plan.orders)) for first in range(0, plan.orders, _BLOCK)]
