"""The events of a log in the order of a fold, stream after stream, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import DuckDB, Plan, prepared
from esanalytics.reducing._events import COLUMNS, INSTANTS, Event, Page, instants
from esanalytics.reducing._payloads import Payloads, payloads
from esanalytics.store import Log, as_view, engine_of, view

__all__ = ["Reading", "events_in_order", "reading"]

_ROWS = 2048
_BYTES = 4 * 2**20
_ORDER = ("effective_at", "version", "position")


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read and how; it pickles, and needs no store.

    Attributes:
        setup: the statement that makes the view ``events``.
        files: the data files.
        in_order: in every stream, ``position`` gives the order of events.
        payloads: how to read the payloads.
    """

    setup: str
    files: tuple[str, ...]
    in_order: bool
    payloads: Payloads

    def pages(self, engine: DuckDB, part: int, parts: int) -> Generator[Page, None, None]:
        """Read one of several parts of the streams.

        Raises:
            EngineError: the query fails.
            CorruptFileError: a data file is missing or damaged.
        """
        plan = Plan(self._query(part, parts), (self.setup,), files=self.files)
        with prepared(engine, plan) as cursor:
            yield from self._as_text(cursor, plan.query) if self.payloads.as_text else self._native(cursor, plan.query)

    def _query(self, part: int, parts: int) -> str:
        own = [exp.alias_(self._column(name), name, quoted=True) for name in COLUMNS]
        order = ("service", "stream_id", *(("position",) if self.in_order else _ORDER))
        query = exp.select(*own).from_(exp.to_table("events"))
        query = query.order_by(
            *(exp.Ordered(this=sql.column(name, table="events"), nulls_first=True) for name in order)
        )
        if parts > 1:
            hashed = sql.function("hash", sql.column("service"), sql.column("stream_id"))
            number = exp.Mod(this=hashed, expression=sql.literal(parts))
            query = query.where(exp.EQ(this=number, expression=sql.literal(part)))
        return sql.text(query, pretty=True)

    def _column(self, name: str) -> exp.Expr:
        if name in INSTANTS:
            return sql.function("epoch_us", sql.column(name))
        if name == "metadata" or (name == "data" and self.payloads.as_text):
            text = sql.cast(sql.cast(sql.column(name), "JSON"), "VARCHAR")
            return exp.Coalesce(this=text, expressions=[sql.literal("null")])
        return sql.column(name)

    def _as_text(self, cursor: duckdb.DuckDBPyConnection, query: str) -> Iterator[Page]:
        decoders = {**_DECODERS, "data": self.payloads.decoder()}
        for batch in cursor.sql(query).to_arrow_reader(_ROWS):
            rows = batch.num_rows
            step = max(1, min(rows, _BYTES * rows // max(1, batch.nbytes)))
            for start in range(0, rows, step):
                part = batch.slice(start, step)
                yield Page(part.num_rows, partial(_listed, part), decoders)

    def _native(self, cursor: duckdb.DuckDBPyConnection, query: str) -> Iterator[Page]:
        cursor.execute(query)
        while rows := cursor.fetchmany(_ROWS):
            lists = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
            yield Page(len(rows), lists.__getitem__, _DECODERS)


def reading(log: Log) -> tuple[Reading, DuckDB]:
    """Find out what a view reads and how, and in which engine."""
    found = view(log)
    engine = engine_of(log)
    how = payloads(engine, found.files)
    return Reading(as_view(found), found.files, found.in_order, how), engine


def events_in_order(log: Log) -> Iterator[Event]:
    """Give the events of a view as a reducer sees them, stream after stream."""
    what, engine = reading(log)
    for page in what.pages(engine, 0, 1):
        for row, type_ in enumerate(page["type"]):
            yield Event(type_, page, row)


def _listed(batch: pa.RecordBatch, name: str) -> list[Any]:
    found: list[Any] = batch.column(COLUMNS.index(name)).to_pylist()
    return found


def _objects(texts: list[str]) -> list[Any]:
    found: list[Any] = json.loads(f"[{','.join(texts)}]")
    return found


_DECODERS: Mapping[str, Callable[[list[Any]], list[Any]]] = {
    **dict.fromkeys(INSTANTS, instants),
    "metadata": _objects,
}
