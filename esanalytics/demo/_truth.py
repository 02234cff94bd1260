"""What a clean fold of the shop's log must give, counted without reading the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

import numpy as np

from esanalytics._instants import Instant
from esanalytics.demo._calendar import BAD_RELEASE, NODE_EXTRA, Calendar, calendar
from esanalytics.demo._catalog import QUANTITIES, SKUS
from esanalytics.demo._draws import HOUR
from esanalytics.demo._generate import blocks
from esanalytics.demo._kinds import ORDERS, SERVICES, Flags, Kind, Rows, service_of

__all__ = ["Truth", "truth"]

STATUSES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.ORDER_PLACED: "placed",
        Kind.ORDER_PAID: "paid",
        Kind.ORDER_SHIPPED: "shipped",
        Kind.ORDER_DELIVERED: "delivered",
        Kind.ORDER_CANCELLED: "cancelled",
        Kind.REFUND_REQUESTED: "refund_requested",
        Kind.ORDER_REFUNDED: "refunded",
    }
)
"""What each event makes of an order's status; other events leave it."""

_Key = tuple[str, str]
"""What is counted: a group, and a name in it."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is in a log, re-deliveries left out unless said.

    Attributes:
        events: how many different events.
        redelivered: how many records are re-deliveries.
        late: how many events were recorded an hour or more after they happened.
        types: how many events of each type, by service.
        statuses: how many orders have each status at the end.
        paid: what OrderPaid says in all.
        refunded: what should have been refunded: one OrderRefunded for each PaymentRefunded.
        refunded_again: what the bug noted as refunded a second time.
        stock: pieces of each article at the end.
        customers: how many customers are registered and not deleted at the end.
        backwards: streams of orders whose ``occurred_at`` runs backwards against ``version`` at least once.
        bad_release: the release with the bug.
        bad_orders: the streams it made wrong, sorted.
    """

    events: int
    redelivered: int
    late: int
    types: Mapping[str, Mapping[str, int]]
    statuses: Mapping[str, int]
    paid: Decimal
    refunded: Decimal
    refunded_again: Decimal
    stock: Mapping[str, int]
    customers: int
    backwards: int
    bad_release: str
    bad_orders: tuple[str, ...]


def truth(*, orders: int = 2_000, seed: int = 7, since: Instant = "2026-01-01", days: int = 90) -> Truth:
    """Return what the log of the same arguments must fold to.

    It is counted from what the generator decided, before there is any text: no fold, no JSON, no store.

    Raises:
        ValueError: a number is out of range.
    """
    plan = calendar(orders=orders, seed=seed, since=since, days=days)
    tally: Counter[_Key] = Counter()
    bad: list[int] = []
    for rows in blocks(plan):
        events = rows[~rows["again"]]
        for count in (_totals, _types, _statuses, _stock):
            tally.update(count(events, plan))
        tally["totals", "redelivered"] += len(rows) - len(events)
        bad += events["number"][_is_bad(events)].tolist()
    return _truth(plan, tally, tuple(sorted(f"order-{number + 1}" for number in bad)))


def _truth(plan: Calendar, tally: Counter[_Key], bad: tuple[str, ...]) -> Truth:
    totals, types = _of(tally, "totals"), {service: _of(tally, service) for service in SERVICES}
    customers = types["customers"]
    return Truth(
        events=totals["events"],
        redelivered=totals["redelivered"],
        late=totals["late"],
        types=MappingProxyType(types),
        statuses=_of(tally, "statuses"),
        paid=_euros(totals["paid"]),
        refunded=_euros(totals["refunded"]),
        refunded_again=_euros(totals["refunded_again"]),
        stock=_of(tally, "stock"),
        customers=customers["CustomerRegistered"] - customers.get("CustomerDeleted", 0),
        backwards=totals["backwards"],
        bad_release=plan.releases[BAD_RELEASE],
        bad_orders=bad,
    )


def _of(tally: Counter[_Key], group: str) -> Mapping[str, int]:
    return MappingProxyType({name: count for (found, name), count in sorted(tally.items()) if found == group})


def _euros(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _totals(events: Rows, plan: Calendar) -> Mapping[_Key, int]:
    kind, cents, bad = events["kind"], events["b"], _is_bad(events)
    late = events["recorded"] - events["made"] >= HOUR
    found = {
        "events": len(events),
        "late": int(late.sum()),
        "paid": int(cents[kind == Kind.ORDER_PAID].sum()),
        "refunded": int(cents[(kind == Kind.ORDER_REFUNDED) & ~bad].sum()),
        "refunded_again": int(cents[bad].sum()),
        "backwards": _backwards(events, plan),
    }
    return {("totals", name): count for name, count in found.items()}


def _types(events: Rows, _: Calendar) -> Mapping[_Key, int]:
    counts = np.bincount(events["kind"], minlength=len(Kind))
    return {(SERVICES[kind.service], kind.type): int(counts[kind]) for kind in Kind if counts[kind]}


def _statuses(events: Rows, _: Calendar) -> Mapping[_Key, int]:
    deciding = events[np.isin(events["kind"], list(STATUSES))]
    last = _by_version(deciding)
    if not len(last):
        return {}
    ends = np.append(np.diff(last["number"]) != 0, np.True_)
    counts = Counter(last["kind"][ends].tolist())
    return {("statuses", STATUSES[Kind(kind)]): count for kind, count in counts.items()}


def _stock(events: Rows, _: Calendar) -> Mapping[_Key, int]:
    kind, a = events["kind"], events["a"]
    received, reserved, released = (
        kind == which for which in (Kind.STOCK_RECEIVED, Kind.STOCK_RESERVED, Kind.STOCK_RELEASED)
    )
    article = np.where(received, a, (a - 1) // QUANTITIES)
    pieces = np.where(received, events["b"], ((a - 1) % QUANTITIES + 1) * np.where(reserved, -1, 1))
    moved = received | reserved | released
    sums = [int(pieces[moved & (article == index)].sum()) for index in range(len(SKUS))]
    return {("stock", sku): count for sku, count in zip(SKUS, sums, strict=True)}


def _backwards(events: Rows, plan: Calendar) -> int:
    orders = _by_version(events[service_of(events["kind"]) == ORDERS])
    same = np.diff(orders["number"]) == 0
    back = same & (np.diff(plan.occurred(orders)) < 0)
    return len(np.unique(orders["number"][1:][back]))


def _by_version(events: Rows) -> Rows:
    return events[np.lexsort((events["version"], events["number"]))]


def _is_bad(events: Rows) -> Flags:
    found: Flags = (events["kind"] == Kind.ORDER_REFUNDED) & (events["node"] == NODE_EXTRA)
    return found
