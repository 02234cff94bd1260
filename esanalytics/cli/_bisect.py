"""``esanalytics bisect``."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import click
import pyarrow as pa

import esanalytics as ea
from esanalytics.cli._bounds import Bounds, at_option, bounds
from esanalytics.cli._options import STORE, examples
from esanalytics.cli._output import terminal_width, write
from esanalytics.cli._question import PROJECTION, asked, key_option
from esanalytics.cli._render import encoded, lines, seconds
from esanalytics.cli._table import Table, visible

__all__ = ["bisect"]

Row = Mapping[str, Any]


@click.command(
    epilog=examples(
        'esanalytics bisect shop esanalytics.demo:orders "balance < 0"',
        'esanalytics bisect shop esanalytics.demo:orders "balance < 0" --key order-150 --format json',
        'esanalytics bisect shop esanalytics.demo:orders "sum(refunded) > 1000"',
        'esanalytics bisect shop esanalytics.demo:stock "on_hand < 0" --service inventory',
    ),
    help=f"""Find the first event after which something holds.

    {PROJECTION}

    PREDICATE is a SQL condition on the columns of the state. It is looked for in any row; with an aggregate, such as
    sum(total) > 1000, it is about the whole state. What is found is shown: the event, and the row before and after it,
    with a star where it changed. Where it never holds, the answer is never, and the exit code 0, too.

    Times are shown to the second; json has all there is, and null in the place of an event that there is not.
    """,
)
@click.argument("store", type=STORE)
@click.argument("projection")
@click.argument("predicate")
@at_option
@bounds
@key_option()
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or one JSON object.",
)
def bisect(
    store: Path,
    projection: str,
    predicate: str,
    *,
    at: dt.datetime | None,
    bounds: Bounds,
    key: tuple[str, ...],
    form: Literal["table", "json"],
) -> None:
    """Find the first event after which something holds."""
    out = sys.stdout
    with asked(store, projection, bounds, key) as question:
        try:
            found = ea.bisect(question.log, question.fold, predicate, key=question.key, at=at)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="'PREDICATE'") from error
    chunks = _json(found) if form == "json" else _shown(found, terminal_width(out))
    write(chunks, None, out)


def _json(found: ea.Bisection) -> Iterator[bytes]:
    parts = (f"{encoded(part.name)}:{encoded(getattr(found, part.name))}" for part in fields(found))
    yield ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _shown(found: ea.Bisection, width: int | None) -> Iterator[bytes]:
    if found.event is None:
        yield lines([visible(f"never: {found.predicate}")])
        return
    yield lines(map(visible, [f"{found.predicate}: holds for the first time after", "", *_facts(found.event)]))
    if found.aggregates:
        changes = [f"{text}: {value['before']} -> {value['after']}" for text, value in found.aggregates.items()]
        yield lines(map(visible, ["", *changes]))
    if found.key:
        yield b"\n"
        yield from _rows(found, width)


def _facts(event: Row) -> Iterator[str]:
    version = "" if event["version"] is None else f", version {event['version']}"
    facts = {
        "event": f"{event['type']} {event['event_id']}",
        "stream": f"{event['stream_id']} of {event['service']}{version}",
        "position": f"{event['position']:,}",
        "effective": seconds(event["effective_at"]),
        "occurred": "" if event["occurred_at"] == event["effective_at"] else seconds(event["occurred_at"]),
        "recorded": seconds(event["recorded_at"]),
        "caused by": event["causation_id"],
        "data": event["data"] and encoded(event["data"]),
        "metadata": event["metadata"] and encoded(event["metadata"]),
    }
    return (f"{name:<11}{text}" for name, text in facts.items() if text)


def _rows(found: ea.Bisection, width: int | None) -> Iterator[bytes]:
    """Write the row before and after as a table, with a star at what changed."""
    before, after = found.before or {}, found.after or {}
    names = list(dict.fromkeys([*before, *after]))
    columns = {
        "row": [f"{' ' if before.get(name) == after.get(name) else '*'} {name}" for name in names],
        "before": [_cell(before, name) for name in names],
        "after": [_cell(after, name) for name in names],
    }
    batch = pa.RecordBatch.from_pydict(columns, pa.schema([(name, pa.string()) for name in columns]))
    yield from Table(frozenset(("before", "after")), width, 0).chunks([batch.slice(0, 0), batch])
    missing = {"there was no such row before": found.before, "there is no such row after": found.after}
    yield lines(text for text, row in missing.items() if row is None)


def _cell(row: Row, name: str) -> str | None:
    return None if row.get(name) is None else encoded(row[name])
