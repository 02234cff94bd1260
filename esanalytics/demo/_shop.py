"""What the shop's log is about: its orders, payments, stock and customers."""

from __future__ import annotations

from esanalytics.projections import (
    Expression,
    Projection,
    add,
    coalesce,
    count,
    delete,
    effective_at,
    field,
    first,
    stream_id,
)

__all__ = ["customers", "orders", "payments", "stock"]


def _money(path: str) -> Expression:
    return field(path, "DECIMAL(18,2)")


_quantity = field("quantity", "BIGINT")
_line = _money("price") * _quantity

orders = Projection(
    "orders",
    key={"order_id": stream_id},
    on={
        "OrderPlaced": {
            "status": "placed",
            "customer_id": field("customer_id", "VARCHAR"),
            "total": coalesce(_money("amount"), _money("total.amount")),  # version 1, version 2
            "placed_at": effective_at,
        },
        "ItemAdded": {"total": add(_line)},
        "ItemRemoved": {"total": add(-_line)},
        "CouponApplied": {"total": add(-_money("discount")), "coupon": field("code", "VARCHAR")},
        "AddressChanged": {"city": field("city", "VARCHAR")},
        "OrderPaid": {"status": "paid", "paid": add(_money("amount")), "balance": add(_money("amount"))},
        "OrderShipped": {
            "status": "shipped",
            "carrier": field("carrier", "VARCHAR"),
            "shipped_at": effective_at,
        },
        "OrderDelivered": {"status": "delivered", "delivered_at": effective_at},
        "OrderCancelled": {"status": "cancelled"},
        "RefundRequested": {"status": "refund_requested", "refund_asked": add(_money("amount"))},
        "OrderRefunded": {
            "status": "refunded",
            "refunded": add(_money("amount")),
            "refunds": count,
            "balance": add(-_money("amount")),
        },
    },
)
"""One row per order; ``total`` is what was ordered, ``balance`` what was paid less what was refunded, in euros."""

payments = Projection(
    "payments",
    key={"order_id": field("order_id", "VARCHAR")},
    on={
        "PaymentAuthorized": {
            "status": "authorized",
            "method": field("method", "VARCHAR"),
            "authorized": _money("amount"),
        },
        "PaymentFailed": {"status": "failed", "failures": count},
        "PaymentCaptured": {"status": "captured", "captured": add(_money("amount"))},
        "PaymentVoided": {"status": "voided"},
        "PaymentRefunded": {"status": "refunded", "refunded": add(_money("amount"))},
    },
)
"""One row per order that was to be paid, as the payment service sees it, in euros."""

stock = Projection(
    "stock",
    key={"sku": stream_id},
    on={
        "StockReceived": {
            "on_hand": add(_quantity),
            "received": add(_quantity),
            "supplier": field("supplier", "VARCHAR"),
        },
        "StockReserved": {"on_hand": add(-_quantity), "reserved": add(_quantity)},
        "StockReleased": {"on_hand": add(_quantity), "released": add(_quantity)},
    },
)
"""One row per article; ``on_hand`` is the pieces that are neither sold nor reserved."""

customers = Projection(
    "customers",
    key={"customer_id": stream_id},
    on={
        "CustomerRegistered": {
            "name": field("name", "VARCHAR"),
            "email": field("email", "VARCHAR"),
            "country": field("country", "VARCHAR"),
            "registered_at": first(effective_at),
        },
        "CustomerEmailChanged": {"email": field("email", "VARCHAR"), "email_changes": count},
        "CustomerDeleted": delete,
    },
)
"""One row per customer who is registered and was not deleted."""
