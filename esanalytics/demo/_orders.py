"""The life of an order, step by step, over four services; a block of orders at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from esanalytics.demo._calendar import NODE_EXTRA, SCALE, Calendar
from esanalytics.demo._catalog import (
    CANCEL_REASONS,
    CARRIERS,
    CITIES,
    COUPONS,
    DEPOTS,
    FAIL_REASONS,
    METHODS,
    POPULARITY,
    PRICES,
    QUANTITIES,
    RECEIVERS,
    REFUND_REASONS,
)
from esanalytics.demo._customers import may_order, newest_customer
from esanalytics.demo._draws import DAY, HOUR, MINUTE, SECOND, Draws, Wait
from esanalytics.demo._kinds import NO_CAUSE, Flags, Ints, Kind, Rows
from esanalytics.demo._ledger import Ledger

__all__ = ["order_rows", "price_of"]

_THINKING: Wait = (10 * SECOND, 50 * SECOND, 3 * MINUTE, 12 * MINUTE)
_PAYING: Wait = (1 * SECOND, 8 * SECOND, 40 * SECOND, 2 * MINUTE)
_RETRYING: Wait = (1 * MINUTE, 6 * MINUTE, 20 * MINUTE, 3 * HOUR)
_MESSAGE: Wait = (200_000, 900_000, 3 * SECOND, 8 * SECOND)
_REGRETTING: Wait = (2 * MINUTE, 25 * MINUTE, 50 * MINUTE, 59 * MINUTE)
_CAPTURING: Wait = (1 * HOUR, 4 * HOUR, 14 * HOUR, 20 * HOUR)
_PACKING: Wait = (2 * HOUR, 16 * HOUR, 44 * HOUR, 4 * DAY)
_SCANNING: Wait = (3 * HOUR, 10 * HOUR, 22 * HOUR, 40 * HOUR)
_DELIVERING: Wait = (5 * HOUR, 14 * HOUR, 30 * HOUR, 4 * DAY)
_TESTING: Wait = (4 * HOUR, 3 * DAY, 9 * DAY, 14 * DAY)
_REFUNDING: Wait = (1 * MINUTE, 5 * HOUR, 30 * HOUR, 2 * DAY)

_LEAST_FOR_COUPON = 3000
_PAYMENT_FAILED = 0
_MOST_LINES = 3
_SHARE = np.cumsum(POPULARITY)


@dataclass(frozen=True, slots=True)
class _Cart:
    """What was ordered.

    Attributes:
        lines: the lines to reserve stock for, one array for each; 0 where there is none.
        total: what is to be paid, in cents.
        ready: when the customer was done.
        step: the last step of the cart.
    """

    lines: tuple[Ints, ...]
    total: Ints
    ready: Ints
    step: Ints


@dataclass(frozen=True, slots=True)
class _Step:
    """An event of each order: which orders have it, when, and what number the step has."""

    where: Flags
    made: Ints
    step: int


def order_rows(calendar: Calendar, numbers: Ints, draws: Draws) -> Rows:
    """Return every event of a block of orders, in no order."""
    ledger = Ledger(calendar, draws, numbers)
    cart = _cart(ledger)
    authorized = _payment(ledger, cart)
    reserved = _reservation(ledger, cart, authorized)
    cancelled = _cancellation(ledger, cart, authorized)
    paid = _capture(ledger, cart, authorized.where & ~cancelled, authorized.made, reserved)
    delivered = _shipment(ledger, paid)
    _refund(ledger, cart, delivered)
    return ledger.rows()


def price_of(lines: Ints) -> Ints:
    """Return the price in cents of lines of an order; nothing for a line that is not there.

    A line is ``1 + article * QUANTITIES + (quantity - 1)``, or 0.
    """
    article, more = np.divmod(lines - 1, QUANTITIES)
    found: Ints = np.where(lines > 0, PRICES[article] * (more + 1), 0)
    return found


def _cart(ledger: Ledger) -> _Cart:
    draws, size = ledger.draws, len(ledger.numbers)
    everyone = np.ones(size, dtype=bool)
    placed = _placed(ledger)
    lines = _lines(draws, size)
    total = sum((price_of(line) for line in lines), start=np.zeros(size, np.int64))
    packed = sum((line << (8 * place) for place, line in enumerate(lines)), start=np.zeros(size, np.int64))
    customer = _customer(ledger, placed)
    step = ledger.add(Kind.ORDER_PLACED, placed, everyone, a=packed, b=total, c=customer)
    return _changes(ledger, _Cart(lines, total, placed, np.full(size, step)))


def _placed(ledger: Ledger) -> Ints:
    calendar, draws, numbers = ledger.calendar, ledger.draws, ledger.numbers
    middle = (2 * numbers + 1) * SCALE // (2 * calendar.orders)
    fraction = middle + draws.upto(max(1, SCALE // (2 * calendar.orders)), len(numbers))
    return calendar.moment(fraction) + draws.upto(1000, len(numbers))


def _lines(draws: Draws, size: int) -> tuple[Ints, ...]:
    count = np.searchsorted(np.array([550, 850]), draws.upto(1000, size), side="right") + 1
    first = np.searchsorted(_SHARE, draws.upto(int(_SHARE[-1]), size), side="right")
    half = len(PRICES) // 2
    others = (first + 1 + draws.upto(half - 1, size), first + half + draws.upto(half, size))
    articles = [article % len(PRICES) for article in (first, *others)]
    pieces = [np.maximum(draws.upto(2 * QUANTITIES, size) - QUANTITIES, 0) for _ in range(_MOST_LINES)]
    found = zip(articles, pieces, strict=True)
    return tuple(
        np.where(place < count, 1 + article * QUANTITIES + more, 0) for place, (article, more) in enumerate(found)
    )


def _customer(ledger: Ledger, placed: Ints) -> Ints:
    newest = newest_customer(ledger.calendar, ledger.numbers)
    found = ledger.draws.upto(newest + 1, len(placed))
    return np.where(may_order(ledger.calendar, found, placed), found, found - 1)


def _changes(ledger: Ledger, cart: _Cart) -> _Cart:
    draws, size = ledger.draws, len(ledger.numbers)
    coupon = draws.upto(len(COUPONS), size)
    has_coupon = draws.chance(140, size) & (cart.total >= _LEAST_FOR_COUPON)
    has_extra = draws.chance(170, size)
    takes_back = has_extra & draws.chance(300, size)
    moves = draws.chance(50, size)
    extra = 1 + draws.upto(len(PRICES), size) * QUANTITIES + draws.upto(2, size)
    worth = price_of(extra)
    cart = _change(ledger, cart, Kind.COUPON_APPLIED, has_coupon, a=coupon)
    cart = _change(ledger, cart, Kind.ITEM_ADDED, has_extra, a=extra)
    cart = _change(ledger, cart, Kind.ITEM_REMOVED, takes_back, a=extra)
    cart = _change(ledger, cart, Kind.ADDRESS_CHANGED, moves, a=draws.upto(len(CITIES), size))
    discount = np.where(has_coupon, np.array([cents for _, cents in COUPONS])[coupon], 0)
    keeps = has_extra & ~takes_back
    lines = (*cart.lines, np.where(keeps, extra, 0))
    return _Cart(lines, cart.total - discount + np.where(keeps, worth, 0), cart.ready, cart.step)


def _change(ledger: Ledger, cart: _Cart, kind: Kind, where: Flags, *, a: Ints) -> _Cart:
    made = cart.ready + ledger.draws.wait(_THINKING, len(cart.ready))
    step = ledger.add(kind, made, where, a=a)
    return _Cart(cart.lines, cart.total, np.where(where, made, cart.ready), np.where(where, step, cart.step))


def _payment(ledger: Ledger, cart: _Cart) -> _Step:
    draws, size = ledger.draws, len(ledger.numbers)
    tried = cart.ready + draws.wait(_PAYING, size)
    fails = draws.chance(60, size)
    again = fails & draws.chance(500, size)
    why = draws.upto(len(FAIL_REASONS), size)
    failed = ledger.add(Kind.PAYMENT_FAILED, tried, fails, cause=cart.step, a=why, b=cart.total)
    retried = tried + draws.wait(_RETRYING, size)
    _cancel(ledger, _Step(fails & ~again, retried, failed), np.full(size, _PAYMENT_FAILED))
    made, where = np.where(fails, retried, tried), ~fails | again
    cause = np.where(again, failed, cart.step)
    method = draws.upto(len(METHODS), size)
    return _Step(where, made, ledger.add(Kind.PAYMENT_AUTHORIZED, made, where, cause=cause, a=method, b=cart.total))


def _reservation(ledger: Ledger, cart: _Cart, authorized: _Step) -> int:
    steps = []
    for line in cart.lines:
        made = authorized.made + ledger.draws.wait(_MESSAGE, len(line))
        where = authorized.where & (line > 0)
        steps.append(ledger.add(Kind.STOCK_RESERVED, made, where, cause=authorized.step, a=line))
    return steps[0]


def _cancellation(ledger: Ledger, cart: _Cart, authorized: _Step) -> Flags:
    draws, size = ledger.draws, len(ledger.numbers)
    where = authorized.where & draws.chance(45, size)
    made = authorized.made + draws.wait(_REGRETTING, size)
    reason = 1 + draws.upto(len(CANCEL_REASONS) - 1, size)
    cancelled = _cancel(ledger, _Step(where, made, NO_CAUSE), reason)
    later = made + draws.wait(_MESSAGE, size)
    ledger.add(Kind.PAYMENT_VOIDED, later, where, cause=cancelled)
    for line in cart.lines:
        ledger.add(Kind.STOCK_RELEASED, later, where & (line > 0), cause=cancelled, a=line)
    return where


def _cancel(ledger: Ledger, why: _Step, reason: Ints) -> int:
    return ledger.add(Kind.ORDER_CANCELLED, why.made, why.where, cause=why.step, a=reason)


def _capture(ledger: Ledger, cart: _Cart, where: Flags, since: Ints, cause: int) -> _Step:
    captured = since + ledger.draws.wait(_CAPTURING, len(since))
    step = ledger.add(Kind.PAYMENT_CAPTURED, captured, where, cause=cause, b=cart.total)
    made = captured + ledger.draws.wait(_MESSAGE, len(since))
    return _Step(where, made, ledger.add(Kind.ORDER_PAID, made, where, cause=step, b=cart.total))


def _shipment(ledger: Ledger, paid: _Step) -> _Step:
    draws, size = ledger.draws, len(paid.made)
    carrier, weight = draws.upto(len(CARRIERS), size), 20 + draws.upto(1200, size)
    packed = paid.made + draws.wait(_PACKING, size)
    shipped = ledger.add(Kind.SHIPPED, packed, paid.where, cause=paid.step, a=carrier, b=weight)
    told = packed + draws.wait(_MESSAGE, size)
    ledger.add(Kind.ORDER_SHIPPED, told, paid.where, cause=shipped, a=carrier)
    seen = packed
    for permille in (700, 250):
        where = paid.where & draws.chance(permille, size)
        seen = seen + draws.wait(_SCANNING, size)
        ledger.add(Kind.SCANNED, seen, where, cause=shipped, a=draws.upto(len(DEPOTS), size))
    arrived = seen + draws.wait(_DELIVERING, size)
    by = draws.upto(len(RECEIVERS), size)
    delivered = ledger.add(Kind.DELIVERED, arrived, paid.where, cause=shipped, a=by)
    made = arrived + draws.wait(_MESSAGE, size)
    return _Step(paid.where, made, ledger.add(Kind.ORDER_DELIVERED, made, paid.where, cause=delivered))


def _refund(ledger: Ledger, cart: _Cart, delivered: _Step) -> None:
    draws, size = ledger.draws, len(delivered.made)
    where = delivered.where & draws.chance(120, size)
    is_full = draws.chance(600, size)
    amount = np.where(is_full, cart.total, np.minimum(price_of(cart.lines[0]), cart.total))
    asked = delivered.made + draws.wait(_TESTING, size)
    why = draws.upto(len(REFUND_REASONS), size)
    request = ledger.add(Kind.REFUND_REQUESTED, asked, where, a=why, b=amount)
    sent = asked + draws.wait(_REFUNDING, size)
    refund = ledger.add(Kind.PAYMENT_REFUNDED, sent, where, cause=request, b=amount)
    noted = sent + draws.wait(_MESSAGE, size)
    ledger.add(Kind.ORDER_REFUNDED, noted, where, cause=refund, b=amount)
    twice = where & ledger.calendar.bad(noted)  # the bug: a second node handles the same message
    repeated = noted + draws.wait(_MESSAGE, size)
    ledger.add(Kind.ORDER_REFUNDED, repeated, twice, cause=refund, node=NODE_EXTRA, b=amount)
