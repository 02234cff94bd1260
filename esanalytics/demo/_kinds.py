"""The shop's event types, and the rows in which they are kept before they become text."""

from __future__ import annotations

from enum import IntEnum, auto

import numpy as np
import numpy.typing as npt

__all__ = [
    "CUSTOMERS",
    "INVENTORY",
    "NO_CAUSE",
    "ORDERS",
    "PAYMENTS",
    "ROW",
    "SERVICES",
    "SHIPPING",
    "Flags",
    "Ints",
    "Kind",
    "Rows",
    "service_of",
]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.void]

SERVICES = ("customers", "orders", "payments", "inventory", "shipping")
"""The shop's services; the index in this tuple is the service's code."""

CUSTOMERS, ORDERS, PAYMENTS, INVENTORY, SHIPPING = range(len(SERVICES))


class Kind(IntEnum):
    """An event type; ``title`` is its name in the log."""

    CUSTOMER_REGISTERED = 0
    CUSTOMER_EMAIL_CHANGED = auto()
    CUSTOMER_DELETED = auto()
    ORDER_PLACED = auto()
    COUPON_APPLIED = auto()
    ITEM_ADDED = auto()
    ITEM_REMOVED = auto()
    ADDRESS_CHANGED = auto()
    ORDER_PAID = auto()
    ORDER_SHIPPED = auto()
    ORDER_DELIVERED = auto()
    ORDER_CANCELLED = auto()
    REFUND_REQUESTED = auto()
    ORDER_REFUNDED = auto()
    PAYMENT_AUTHORIZED = auto()
    PAYMENT_FAILED = auto()
    PAYMENT_CAPTURED = auto()
    PAYMENT_VOIDED = auto()
    PAYMENT_REFUNDED = auto()
    STOCK_RECEIVED = auto()
    STOCK_RESERVED = auto()
    STOCK_RELEASED = auto()
    SHIPPED = auto()
    SCANNED = auto()
    DELIVERED = auto()

    @property
    def type(self) -> str:
        """The event type as the log writes it, such as ``OrderPlaced``."""
        return self.name.title().replace("_", "")

    @property
    def service(self) -> int:
        """The code of the service that records it."""
        return sum(self >= first for first in _FIRST_OF_SERVICE[1:])


_FIRST_OF_SERVICE = (
    Kind.CUSTOMER_REGISTERED,
    Kind.ORDER_PLACED,
    Kind.PAYMENT_AUTHORIZED,
    Kind.STOCK_RECEIVED,
    Kind.SHIPPED,
)

NO_CAUSE = 255
"""The step that stands for: no event caused this one."""

ROW = np.dtype(
    [
        ("kind", "u1"),
        ("step", "u1"),  # number of the step inside its order, customer or delivery; makes the event id
        ("cause", "u1"),  # the step that caused it
        ("node", "u1"),
        ("version", "i4"),
        ("number", "i8"),  # of the order, customer or delivery, from 0
        ("made", "i8"),  # true time, in microseconds; clocks are added when rows become text
        ("recorded", "i8"),
        ("a", "i8"),  # what the payload says; each kind has its own use
        ("b", "i8"),
        ("c", "i8"),
        ("again", "?"),  # a re-delivery
    ]
)
"""One event before it is text: some 60 bytes instead of 400."""


def service_of(kinds: npt.NDArray[np.uint8]) -> Ints:
    """Return the service's code of each kind."""
    return np.searchsorted(np.array(_FIRST_OF_SERVICE), kinds, side="right").astype(np.int64) - 1
