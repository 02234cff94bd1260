"""Rows become Arrow tables with the columns of the envelope."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from esanalytics.demo._calendar import NODES, Calendar
from esanalytics.demo._catalog import QUANTITIES, SKUS
from esanalytics.demo._kinds import (
    CUSTOMERS,
    INVENTORY,
    NO_CAUSE,
    ORDERS,
    SERVICES,
    Flags,
    Ints,
    Kind,
    Rows,
    service_of,
)
from esanalytics.demo._payloads import has_total, join, payloads, pick, text
from esanalytics.events import SCHEMA

__all__ = ["TABLE", "table"]

TABLE = pa.schema([column for column in SCHEMA if column.name != "position"])
"""The columns of a generated table: the envelope without what only a store gives."""

Codes = npt.NDArray[np.uint64]

_STREAMS = ("customer-", "order-", "payment-", "", "shipment-")
_HEX = np.frombuffer("".join(f"{number:02x}" for number in range(256)).encode(), dtype=np.uint16)
_DIGITS = 16
_SPREAD = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def table(rows: Rows, calendar: Calendar) -> pa.Table:
    """Return the rows as a table, in their order."""
    service, kind = service_of(rows["kind"]), rows["kind"].astype(np.int64)
    columns = {
        "event_id": _ids(rows, rows["step"], calendar),
        "service": pick(SERVICES, service),
        "stream_id": _streams(rows, service),
        "version": pa.array(rows["version"].astype(np.int64), mask=rows["version"] < 0),
        "type": pick([kind.type for kind in Kind], kind),
        "schema_version": pa.array(1 + has_total(rows, calendar).astype(np.int32)),
        "occurred_at": pa.array(calendar.occurred(rows)),
        "recorded_at": pa.array(rows["recorded"]),
        "correlation_id": _correlations(rows),
        "causation_id": _causes(rows, calendar),
        "data": _data(rows, calendar),
        "metadata": _metadata(rows, service, calendar),
    }
    return pa.table([columns[column.name].cast(column.type) for column in TABLE], schema=TABLE)


def _ids(rows: Rows, step: Ints, calendar: Calendar) -> pa.Array:
    """Make event ids: one for each event, as the mixing loses no bit."""
    place = _owner(rows).astype(np.uint64) << np.uint64(56) | step.astype(np.uint64) << np.uint64(48)
    code = (place | rows["number"].astype(np.uint64)) ^ _mixed(np.array([calendar.seed + 1], np.uint64))
    return _hexadecimal(_mixed(code))


def _owner(rows: Rows) -> Ints:
    """Return whose steps the rows are: an order's (1), a customer's (0) or a delivery's (2)."""
    return np.where(rows["kind"] == Kind.STOCK_RECEIVED, 2, (service_of(rows["kind"]) != CUSTOMERS).astype(np.int64))


def _mixed(code: Codes) -> Codes:
    found = code
    for factor, shift in zip(_SPREAD, (np.uint64(30), np.uint64(27)), strict=True):
        found = (found ^ (found >> shift)) * factor
    return found ^ (found >> np.uint64(31))


def _hexadecimal(code: Codes) -> pa.Array:
    digits = _HEX[code.astype(">u8").view(np.uint8)]
    ends = np.arange(0, (len(code) + 1) * _DIGITS, _DIGITS, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(code), [None, pa.py_buffer(ends), pa.py_buffer(digits)])


def _streams(rows: Rows, service: Ints) -> pa.Array:
    numbered = join(pick(_STREAMS, service), text(rows["number"] + 1))
    if not (stock := service == INVENTORY).any():
        return numbered
    article = np.where(rows["kind"] == Kind.STOCK_RECEIVED, rows["a"], (rows["a"] - 1) // QUANTITIES)
    return _where(stock, pick(SKUS, np.where(stock, article, 0)), numbered)


def _where(condition: Flags, yes: pa.Array, no: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(condition), yes, no)


def _correlations(rows: Rows) -> pa.Array:
    numbers = pa.array(rows["number"] + 1, mask=_owner(rows) != 1).cast(pa.string())
    return pc.binary_join_element_wise("order-", numbers, "")


def _causes(rows: Rows, calendar: Calendar) -> pa.Array:
    has_cause = rows["cause"] != NO_CAUSE
    places = np.cumsum(has_cause) - 1
    found = _ids(rows[has_cause], rows["cause"][has_cause], calendar)
    return found.take(pa.array(places, mask=~has_cause))


def _data(rows: Rows, calendar: Calendar) -> pa.Array:
    """Write the payloads kind by kind, then put them back in the order of the rows."""
    order = np.argsort(rows["kind"], kind="stable")
    ends = np.searchsorted(rows["kind"][order], np.arange(len(Kind) + 1))
    pieces = [payloads(kind, rows[order[ends[kind] : ends[kind + 1]]], calendar) for kind in Kind]
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_arrays(pieces).take(pa.array(back))


def _metadata(rows: Rows, service: Ints, calendar: Calendar) -> pa.Array:
    words = [f'{{"release":"{release}","node":"{node}"}}' for release in calendar.releases for node in NODES]
    node = rows["node"].astype(np.int64)
    which = calendar.release(rows["made"], node) * len(NODES) + node
    return pa.array(words).take(pa.array(which, mask=service != ORDERS))
