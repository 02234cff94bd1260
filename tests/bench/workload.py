"""The events that everything is measured on, what is asked of them, and both in hand-written SQL."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import esanalytics as ea

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SPAN = dt.timedelta(days=120)
TYPES = ("OrderPlaced", "ItemAdded", "OrderPaid", "OrderShipped", "OrderDelivered")
STATUSES = ("placed", "paid", "packed", "shipped", "delivered", "returned")
PAYLOAD = {"status": "VARCHAR", "amount": "DECIMAL(18,2)", "quantity": "BIGINT", "sku": "VARCHAR"}

_PRIME = 2**31 - 1
_DRAWS = {
    "stream": 2654435761,
    "type": 2246822519,
    "status": 3266489917,
    "amount": 668265263,
    "quantity": 1274126177,
    "sku": 374761393,
}

TYPED = ea.Projection(
    "orders",
    key="stream_id",
    on={
        "*": {
            "status": ea.field("status", PAYLOAD["status"]),
            "total": ea.add(ea.field("amount", PAYLOAD["amount"])),
            "events": ea.count,
            "least": ea.min_(ea.field("quantity", PAYLOAD["quantity"])),
        }
    },
)
"""Four columns: set, add, count and min, with their types declared."""

UNTYPED = ea.Projection(
    "orders",
    key="stream_id",
    on={
        "*": {
            "status": ea.field("status"),
            "total": ea.add(ea.field("amount")),
            "events": ea.count,
            "least": ea.min_(ea.field("quantity")),
        }
    },
)
"""The same with no type declared."""

FOLD = """
SELECT stream_id, arg_max(status, position) AS status, sum(amount) AS total, count(*) AS events, min(quantity) AS least
FROM {source} GROUP BY stream_id
"""
"""The same by hand, over plain columns."""

HISTORY = """
SELECT stream_id, status, sum(amount) OVER past AS total, count(*) OVER past AS events,
    min(quantity) OVER past AS least, occurred_at AS valid_from, lead(occurred_at) OVER past AS valid_to,
    event_id, type, position
FROM {source} WINDOW past AS (PARTITION BY stream_id ORDER BY position ROWS UNBOUNDED PRECEDING)
QUALIFY valid_to IS DISTINCT FROM valid_from
"""
"""Every version by hand, over plain columns."""

ASOF = """
SELECT visits.*, status, total, events, least
FROM (SELECT *, row_number() OVER () AS row FROM visits) AS visits ASOF LEFT JOIN {source} AS history
    ON visits.order_id = history.stream_id AND visits.seen_at >= history.valid_from
ORDER BY row
"""
"""Rows of a frame with the state at their instant by hand, in the frame's order; ``row`` is left in."""

FOLD_OF_KEY = """
SELECT stream_id, arg_max(status, position) AS status, sum(amount) AS total, count(*) AS events, min(quantity) AS least
FROM {source} WHERE stream_id = ? GROUP BY stream_id
"""

ENVELOPE = """
SELECT row_number() OVER () AS position, event_id, 'orders' AS service, stream_id, NULL::BIGINT AS version, type,
    1::INTEGER AS schema_version, occurred_at, now() AS recorded_at, NULL::VARCHAR AS correlation_id,
    NULL::VARCHAR AS causation_id, data::VARIANT AS data, NULL::VARIANT AS metadata, 0::TINYINT AS disorder
FROM {source}
"""
"""The rows that a store writes, by hand, from rows with a struct ``data``."""

COPY = "COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"


def events(count: int, streams: int, *, late: bool = False, part: tuple[int, int] | None = None) -> str:
    """Write the query of ``count`` events: envelope columns, then the payload's, in order of time.

    Args:
        count: how many, spread over four months.
        streams: how many streams they belong to, interleaved.
        late: one event in a hundred stands a quarter of the log behind its place.
        part: only the events from one number up to another, which is excluded; None: all.
    """
    step = SPAN // dt.timedelta(microseconds=1) // count
    draw = {name: _drawn(factor) for name, factor in _DRAWS.items()}
    first, end = part or (0, count)
    behind = f"i + CASE WHEN {draw['amount']} % 100 = 0 THEN {count // 4} ELSE 0 END"
    return f"""
SELECT md5('event ' || i)::UUID::VARCHAR AS event_id,
    'order-' || lpad(({draw["stream"]} % {streams})::VARCHAR, 8, '0') AS stream_id,
    {list(TYPES)}[1 + {draw["type"]} % {len(TYPES)}] AS type,
    make_timestamptz({int(START.timestamp() * 1e6)} + i * {step} + {draw["sku"]} % {step}) AS occurred_at,
    {list(STATUSES)}[1 + {draw["status"]} % {len(STATUSES)}] AS status,
    (({draw["amount"]} % 50000) / 100)::DECIMAL(18,2) AS amount,
    1 + {draw["quantity"]} % 9 AS quantity,
    'sku-' || lpad(({draw["sku"]} % 5000)::VARCHAR, 5, '0') AS sku
FROM range({first}, {end}) AS numbers(i) {f"ORDER BY {behind}, i" if late else ""}
"""


def belated(query: str) -> str:
    """Let one event in a hundred of ``events`` have happened two and a half months before."""
    late = "CASE WHEN hash(event_id) % 100 = 0 THEN occurred_at - INTERVAL 75 DAY ELSE occurred_at END"
    return f"SELECT * REPLACE ({late} AS occurred_at) FROM ({query})"


def visits(count: int, streams: int) -> str:
    """Write the query of ``count`` rows that ask about an order at an instant each, in no order."""
    span = SPAN // dt.timedelta(microseconds=1)
    at = f"{int(START.timestamp() * 1e6)} + ({_drawn(_DRAWS['amount'])} * 4801 % {span})"
    return f"""
SELECT 'order-' || lpad(({_drawn(_DRAWS["sku"])} % {streams})::VARCHAR, 8, '0') AS order_id,
    make_timestamptz({at}) AS seen_at
FROM range({count}) AS numbers(i)
"""


def _drawn(factor: int) -> str:
    """Draw a number for event ``i``; the square breaks the even spacing that a product alone has."""
    return f"((i * {factor} % {_PRIME}) * ((i * {factor} + 1) % {_PRIME}) % {_PRIME})"


def nested(query: str, *, ids: bool = True) -> str:
    """Gather the payload's columns of ``events`` into a struct ``data``."""
    names = [*(["event_id"] if ids else []), "stream_id", "type", "occurred_at"]
    packed = ", ".join(f"{name} := {name}" for name in PAYLOAD)
    return f"SELECT {', '.join(names)}, struct_pack({packed}) AS data FROM ({query})"


def dicts(count: int, streams: int) -> Iterator[dict[str, Any]]:
    """Make the like of ``events`` as Python dicts, one after the other."""
    step = SPAN // count
    for i in range(count):
        draw = {name: i * factor % _PRIME * ((i * factor + 1) % _PRIME) % _PRIME for name, factor in _DRAWS.items()}
        yield {
            "event_id": f"event-{i:012d}",
            "stream_id": f"order-{draw['stream'] % streams:08d}",
            "type": TYPES[draw["type"] % len(TYPES)],
            "occurred_at": START + step * i,
            "data": {
                "status": STATUSES[draw["status"] % len(STATUSES)],
                "amount": draw["amount"] % 50000 / 100,
                "quantity": 1 + draw["quantity"] % 9,
                "sku": f"sku-{draw['sku'] % 5000:05d}",
            },
        }


def one(number: int, stream: str) -> dict[str, Any]:
    """Make one small event, a minute after the one before."""
    return {
        "stream_id": stream,
        "type": TYPES[number % len(TYPES)],
        "occurred_at": START + dt.timedelta(minutes=number),
        "data": {
            "status": STATUSES[number % len(STATUSES)],
            "amount": Decimal(number % 50000) / 100,
            "quantity": 1 + number % 9,
            "sku": f"sku-{number % 5000:05d}",
        },
    }
