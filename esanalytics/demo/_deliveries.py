"""What suppliers bring: each article once in four weeks, enough for the orders expected."""

from __future__ import annotations

import numpy as np

from esanalytics.demo._calendar import Calendar
from esanalytics.demo._catalog import POPULARITY, SKUS, SUPPLIERS
from esanalytics.demo._draws import DAY, MINUTE, Draws, Wait
from esanalytics.demo._kinds import Kind, Rows
from esanalytics.demo._ledger import Ledger

__all__ = ["delivery_rows"]

_EVERY = 28 * DAY
_UNLOADING: Wait = (0, 2 * MINUTE, 4 * MINUTE, 5 * MINUTE)


def delivery_rows(calendar: Calendar, draws: Draws) -> Rows:
    """Return all deliveries of the log."""
    rounds = -(-(calendar.end - calendar.start) // _EVERY)
    number = np.arange(rounds * len(SKUS))
    size, article = len(number), number % len(SKUS)
    made = calendar.start + number // len(SKUS) * _EVERY + article * 6 * MINUTE + draws.wait(_UNLOADING, size)
    share = POPULARITY[article] + 2
    quantity = 20 + calendar.orders * 4 * share // (int(share[: len(SKUS)].sum()) * rounds)
    ledger = Ledger(calendar, draws, number)
    everywhere = np.ones(size, dtype=bool)
    ledger.add(Kind.STOCK_RECEIVED, made, everywhere, a=article, b=quantity, c=draws.upto(len(SUPPLIERS), size))
    return ledger.rows()
