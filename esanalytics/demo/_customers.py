"""The life of a customer; and who may place which order."""

from __future__ import annotations

import numpy as np

from esanalytics.demo._calendar import SCALE, Calendar
from esanalytics.demo._catalog import COUNTRIES, FAMILY_NAMES, GIVEN_NAMES
from esanalytics.demo._draws import DAY, Draws, Wait
from esanalytics.demo._kinds import Flags, Ints, Kind, Rows
from esanalytics.demo._ledger import Ledger

__all__ = ["customer_rows", "customers_of", "may_order", "newest_customer"]

_LEAVING: Wait = (20 * DAY, 30 * DAY, 45 * DAY, 60 * DAY)
_MOVING: Wait = (2 * DAY, 20 * DAY, 50 * DAY, 80 * DAY)
_ONE_IN = 40


def customers_of(calendar: Calendar, orders: range) -> Ints:
    """Return the customers that register while these orders are placed."""
    first, end = (-(-number * calendar.customers // calendar.orders) for number in (orders.start, orders.stop))
    return np.arange(first, end)


def newest_customer(calendar: Calendar, orders: Ints) -> Ints:
    """Return the newest customer registered for certain before each order."""
    behind = 10 * (2 * orders + 1) * calendar.customers - 2 * calendar.orders
    return behind // (20 * calendar.orders)


def may_order(calendar: Calendar, customers: Ints, placed: Ints) -> Flags:
    """Tell whether each customer is still there at that instant; the one before is, where this one is not."""
    registered = calendar.moment(customers * SCALE // calendar.customers)
    return ~_leaves(customers) | (placed < registered + _LEAVING[0])


def customer_rows(calendar: Calendar, numbers: Ints, draws: Draws) -> Rows:
    """Return every event of a block of customers, in no order."""
    ledger, size = Ledger(calendar, draws, numbers), len(numbers)
    fraction = numbers * SCALE // calendar.customers
    spread = draws.upto(max(1, SCALE // (10 * calendar.customers)), size)
    registered = calendar.moment(fraction + spread)
    given, family = draws.upto(len(GIVEN_NAMES), size), draws.upto(len(FAMILY_NAMES), size)
    country = draws.upto(len(COUNTRIES), size)
    ledger.add(Kind.CUSTOMER_REGISTERED, registered, np.ones(size, dtype=bool), a=given, b=family, c=country)
    leaves = _leaves(numbers)
    changed = registered + draws.wait(_MOVING, size)
    ledger.add(Kind.CUSTOMER_EMAIL_CHANGED, changed, draws.chance(120, size) & ~leaves)
    ledger.add(Kind.CUSTOMER_DELETED, registered + draws.wait(_LEAVING, size), leaves)
    return ledger.rows()


def _leaves(customers: Ints) -> Flags:
    found: Flags = customers % _ONE_IN == _ONE_IN // 3
    return found
