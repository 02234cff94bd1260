"""``esanalytics info``."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from esanalytics import Store
from esanalytics._instants import iso
from esanalytics.cli._answer import batches
from esanalytics.cli._options import STORE, examples
from esanalytics.cli._output import terminal_width, write
from esanalytics.cli._render import lines, seconds
from esanalytics.cli._table import Table, visible

__all__ = ["info"]

_REASONS = 5
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_KILO = 1000


@click.command(epilog=examples("esanalytics info shop", "esanalytics info shop --format json"))
@click.argument("store", type=STORE)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or one JSON object.",
)
def info(store: Path, form: str) -> None:
    """Show what a store holds: services, types, times, files.

    Where rows are set aside, the first of them are shown with the reason.
    """
    with Store.open(store) as opened:
        chunks = _summary(opened) if form == "table" else _json(opened)
        write(chunks, None)


def _json(store: Store) -> Iterator[bytes]:
    types = store.log.types()
    found = {**asdict(store.info()), "types": list(types)}
    yield (json.dumps(found, default=_plain, indent=2, ensure_ascii=False) + "\n").encode()


def _plain(value: object) -> str:
    return iso(value) if isinstance(value, dt.datetime) else str(value)


def _summary(store: Store) -> Iterator[bytes]:
    found = store.info()
    size = f"{found.files:,} files, {_bytes(found.bytes)}, partitioned by {found.partition}"
    facts: dict[str, Any] = {
        "store": found.path,
        "events": f"{found.events:,}",
        "services": ", ".join(f"{name} {events:,}" for name, events in found.services.items()),
        "occurred": _span(found.first_time, found.last_time),
        "recorded": f"up to {seconds(found.recorded_at)}" if found.recorded_at else "",
        "files": size,
        "set aside": f"{found.quarantined:,}" if found.quarantined else "",
    }
    yield lines(f"{name:<11}{text}" for name, text in facts.items() if text)
    if found.events:
        yield b"\n"
        yield from Table(frozenset(), terminal_width(), 0).chunks(batches(store.log.types()))
    if found.quarantined:
        yield lines(["", *_set_aside(store)])


def _set_aside(store: Store) -> Iterator[str]:
    rows = store.quarantined()
    for row in rows[:_REASONS]:
        where = row.origin if row.line is None else f"{row.origin}:{row.line}"
        yield visible(f"{where}: {row.reason}")
    if len(rows) > _REASONS:
        yield f"… and {len(rows) - _REASONS:,} more set aside"


def _span(first: dt.datetime | None, last: dt.datetime | None) -> str:
    return f"{seconds(first)} to {seconds(last)}" if first and last else ""


def _bytes(size: int) -> str:
    amount, unit = float(size), 0
    while amount >= _KILO and unit < len(_UNITS) - 1:
        amount, unit = amount / _KILO, unit + 1
    return f"{amount:,.1f} {_UNITS[unit]}" if unit else f"{size} {_UNITS[0]}"
