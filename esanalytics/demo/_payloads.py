"""Payloads as JSON text, one function for each event type, a column at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esanalytics.demo import _catalog as catalog
from esanalytics.demo._calendar import TOTAL_SINCE, WEIGHT_SINCE, Calendar
from esanalytics.demo._kinds import Ints, Kind, Rows

__all__ = ["has_total", "join", "money", "payloads", "pick", "text"]

CURRENCY = "EUR"


def payloads(kind: Kind, rows: Rows, calendar: Calendar) -> pa.Array:
    """Return the payloads of rows of one kind."""
    return _PAYLOADS[kind](rows, calendar)


def has_total(rows: Rows, calendar: Calendar) -> np.ndarray:
    """Tell which rows carry the second version of their payload's schema."""
    found: np.ndarray = (rows["kind"] == Kind.ORDER_PLACED) & (rows["made"] >= calendar.start + TOTAL_SINCE)
    return found


def text(numbers: Ints) -> pa.Array:
    """Write whole numbers as text."""
    return pa.array(numbers).cast(pa.string())


def money(cents: Ints) -> pa.Array:
    """Write cents as an amount with two decimals."""
    parts = np.zeros((len(cents), 2), "<i8")  # the lower and the upper half of a 128-bit integer
    parts[:, 0] = cents
    decimals = pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(parts)])
    return decimals.cast(pa.string())


def pick(words: Sequence[str], which: Ints) -> pa.Array:
    """Look words up."""
    return pa.array(words, pa.string()).take(pa.array(which))


def join(*parts: pa.Array | str) -> pa.Array:
    """Put the parts of each row together, passing over those that are null."""
    return pc.binary_join_element_wise(*parts, "", null_handling="skip")


def _object(**fields: pa.Array) -> pa.Array:
    """Write a JSON object from values that are JSON already."""
    names = [f'{"," if place else "{"}"{name}":' for place, name in enumerate(fields)]
    return join(*(part for pair in zip(names, fields.values(), strict=True) for part in pair), "}")


def _words(words: Sequence[str], which: Ints) -> pa.Array:
    return pick([json.dumps(word, ensure_ascii=False) for word in words], which)


def _id(prefix: str, numbers: Ints) -> pa.Array:
    return join(f'"{prefix}-', text(numbers + 1), '"')


def _line_texts() -> list[str]:
    return [
        f'{{"sku":"{sku}","quantity":{quantity},"price":{cents // 100}.{cents % 100:02}}}'
        for sku, cents in zip(catalog.SKUS, catalog.PRICES.tolist(), strict=True)
        for quantity in range(1, catalog.QUANTITIES + 1)
    ]


_LINES = tuple(_line_texts())


def _order_placed(rows: Rows, calendar: Calendar) -> pa.Array:
    amount = money(rows["b"])
    plain = join('"amount":', amount, f',"currency":"{CURRENCY}"')
    total = join('"total":{"amount":', amount, f',"currency":"{CURRENCY}"}}')
    worth = pc.if_else(pa.array(has_total(rows, calendar)), total, plain)
    return join('{"customer_id":', _id("customer", rows["c"]), ",", worth, ',"lines":[', _lines(rows["a"]), "]}")


def _lines(packed: Ints) -> pa.Array:
    first, *others = ((packed >> shift) & 255 for shift in (0, 8, 16))
    further = [f",{line}" for line in _LINES]
    parts = (pa.array(further).take(pa.array(line - 1, mask=line == 0)) for line in others)
    return join(pick(_LINES, first - 1), *parts)


def _coupon_applied(rows: Rows, _: Calendar) -> pa.Array:
    codes = [code for code, _ in catalog.COUPONS]
    discounts = np.array([cents for _, cents in catalog.COUPONS])
    return _object(code=_words(codes, rows["a"]), discount=money(discounts[rows["a"]]))


def _item(rows: Rows, _: Calendar) -> pa.Array:
    return pick(_LINES, rows["a"] - 1)


def _address_changed(rows: Rows, _: Calendar) -> pa.Array:
    cities, codes = zip(*catalog.CITIES, strict=True)
    return _object(city=_words(cities, rows["a"]), postcode=_words(codes, rows["a"]))


def _of_payment(rows: Rows, _: Calendar) -> pa.Array:
    return _object(payment_id=_id("payment", rows["number"]), amount=money(rows["b"]))


def _order_shipped(rows: Rows, _: Calendar) -> pa.Array:
    return _object(shipment_id=_id("shipment", rows["number"]), carrier=_words(catalog.CARRIERS, rows["a"]))


def _order_delivered(rows: Rows, _: Calendar) -> pa.Array:
    return _object(shipment_id=_id("shipment", rows["number"]))


def _order_cancelled(rows: Rows, _: Calendar) -> pa.Array:
    return _object(reason=_words(catalog.CANCEL_REASONS, rows["a"]))


def _refund_requested(rows: Rows, _: Calendar) -> pa.Array:
    return _object(amount=money(rows["b"]), reason=_words(catalog.REFUND_REASONS, rows["a"]))


def _order_id(rows: Rows, _: Calendar) -> pa.Array:
    return _object(order_id=_id("order", rows["number"]))


def _of_order(rows: Rows, _: Calendar) -> pa.Array:
    return _object(order_id=_id("order", rows["number"]), amount=money(rows["b"]))


def _payment_authorized(rows: Rows, _: Calendar) -> pa.Array:
    order, amount = _id("order", rows["number"]), money(rows["b"])
    return _object(order_id=order, amount=amount, method=_words(catalog.METHODS, rows["a"]))


def _payment_failed(rows: Rows, _: Calendar) -> pa.Array:
    order, amount = _id("order", rows["number"]), money(rows["b"])
    return _object(order_id=order, amount=amount, reason=_words(catalog.FAIL_REASONS, rows["a"]))


def _stock_received(rows: Rows, _: Calendar) -> pa.Array:
    return _object(quantity=text(rows["b"]), supplier=_words(catalog.SUPPLIERS, rows["c"]))


def _stock_moved(rows: Rows, _: Calendar) -> pa.Array:
    quantity = (rows["a"] - 1) % catalog.QUANTITIES + 1
    return _object(order_id=_id("order", rows["number"]), quantity=text(quantity))


def _shipped(rows: Rows, calendar: Calendar) -> pa.Array:
    weight = money(rows["b"])
    is_number = pa.array(rows["made"] >= calendar.start + WEIGHT_SINCE)
    order, carrier = _id("order", rows["number"]), _words(catalog.CARRIERS, rows["a"])
    return _object(order_id=order, carrier=carrier, weight_kg=pc.if_else(is_number, weight, join('"', weight, '"')))


def _scanned(rows: Rows, _: Calendar) -> pa.Array:
    return _object(order_id=_id("order", rows["number"]), depot=_words(catalog.DEPOTS, rows["a"]))


def _delivered(rows: Rows, _: Calendar) -> pa.Array:
    return _object(order_id=_id("order", rows["number"]), received_by=_words(catalog.RECEIVERS, rows["a"]))


def _customer_registered(rows: Rows, _: Calendar) -> pa.Array:
    given, family = pick(catalog.GIVEN_NAMES, rows["a"]), pick(catalog.FAMILY_NAMES, rows["b"])
    country = _words(catalog.COUNTRIES, rows["c"])
    return _object(name=join('"', given, " ", family, '"'), email=_email(rows, "example.org"), country=country)


def _customer_email_changed(rows: Rows, _: Calendar) -> pa.Array:
    return _object(email=_email(rows, "example.net"))


def _customer_deleted(rows: Rows, _: Calendar) -> pa.Array:
    return pick(['{"reason":"erasure_requested"}'], np.zeros(len(rows), np.int64))


def _email(rows: Rows, host: str) -> pa.Array:
    return join('"customer.', text(rows["number"] + 1), f'@{host}"')


_PAYLOADS: Mapping[Kind, Callable[[Rows, Calendar], pa.Array]] = MappingProxyType(
    {
        Kind.CUSTOMER_REGISTERED: _customer_registered,
        Kind.CUSTOMER_EMAIL_CHANGED: _customer_email_changed,
        Kind.CUSTOMER_DELETED: _customer_deleted,
        Kind.ORDER_PLACED: _order_placed,
        Kind.COUPON_APPLIED: _coupon_applied,
        Kind.ITEM_ADDED: _item,
        Kind.ITEM_REMOVED: _item,
        Kind.ADDRESS_CHANGED: _address_changed,
        Kind.ORDER_PAID: _of_payment,
        Kind.ORDER_SHIPPED: _order_shipped,
        Kind.ORDER_DELIVERED: _order_delivered,
        Kind.ORDER_CANCELLED: _order_cancelled,
        Kind.REFUND_REQUESTED: _refund_requested,
        Kind.ORDER_REFUNDED: _of_payment,
        Kind.PAYMENT_AUTHORIZED: _payment_authorized,
        Kind.PAYMENT_FAILED: _payment_failed,
        Kind.PAYMENT_CAPTURED: _of_order,
        Kind.PAYMENT_VOIDED: _order_id,
        Kind.PAYMENT_REFUNDED: _of_order,
        Kind.STOCK_RECEIVED: _stock_received,
        Kind.STOCK_RESERVED: _stock_moved,
        Kind.STOCK_RELEASED: _stock_moved,
        Kind.SHIPPED: _shipped,
        Kind.SCANNED: _scanned,
        Kind.DELIVERED: _delivered,
    }
)
