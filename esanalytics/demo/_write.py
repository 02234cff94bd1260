"""The shop's log as files, as its services would hand them out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from esanalytics._instants import Instant
from esanalytics.demo._generate import generate
from esanalytics.demo._kinds import SERVICES
from esanalytics.demo._payloads import join

__all__ = ["write"]

_ALWAYS = ("event_id", "service", "stream_id")


def write(
    folder: str | Path,
    *,
    orders: int = 2_000,
    seed: int = 7,
    since: Instant = "2026-01-01",
    days: int = 90,
) -> dict[str, Path]:
    """Write one JSON-lines file for each service, in order of ``recorded_at``; return the files by service.

    Each line is an event with the envelope's keys; ``data`` and ``metadata`` are objects. A key without a
    value is left out: ``version`` in inventory and shipping, ``causation_id`` where nothing caused the event.
    Files that are there already are replaced. The same arguments give the same bytes.

    Raises:
        ValueError: a number is out of range.
    """
    tables = generate(orders=orders, seed=seed, since=since, days=days)
    paths = {service: Path(folder) / f"{service}.jsonl" for service in SERVICES}
    Path(folder).mkdir(parents=True, exist_ok=True)
    with ExitStack() as open_files:
        files = {service: open_files.enter_context(path.open("wb")) for service, path in paths.items()}
        for table in tables:
            for service, file in files.items():
                file.write(_text(_lines(table.filter(pc.equal(table["service"], service)))))
    return paths


def _lines(table: pa.Table) -> pa.Array:
    rows = table.combine_chunks()
    fields = [
        _field(rows, "event_id", '"'),
        _field(rows, "service", '"'),
        _field(rows, "stream_id", '"'),
        _field(rows, "version"),
        _field(rows, "type", '"'),
        _field(rows, "schema_version"),
        _field(rows, "occurred_at", '"'),
        _field(rows, "recorded_at", '"'),
        _field(rows, "correlation_id", '"'),
        _field(rows, "causation_id", '"'),
        _field(rows, "data"),
        _field(rows, "metadata"),
    ]
    parts = pc.binary_join_element_wise(*fields, ",", null_handling="skip")
    return join("{", parts, "}\n")


def _field(rows: pa.Table, name: str, quote: str = "") -> pa.Array:
    """Write a key and its value; null where the value is."""
    column = rows[name].combine_chunks()
    values = _iso(column) if pa.types.is_timestamp(column.type) else column.cast(pa.string())
    return pc.binary_join_element_wise(f'"{name}":{quote}', values, quote, "")


def _iso(instants: pa.Array) -> pa.Array:
    plain = instants.cast(pa.timestamp("us")).cast(pa.string())  # no time zone: needs no database of them
    return join(pc.utf8_replace_slice(plain, 10, 11, "T"), "Z")


def _text(lines: pa.Array) -> memoryview:
    """Return the lines one after the other, which is how Arrow keeps them."""
    whole = pa.concat_arrays(lines.chunks) if isinstance(lines, pa.ChunkedArray) else lines
    _, _, text = whole.buffers()
    return memoryview(text)
