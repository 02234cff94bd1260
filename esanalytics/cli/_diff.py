"""``esanalytics diff``."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

import esanalytics as ea
from esanalytics.cli._answer import Rows
from esanalytics.cli._bounds import Bounds, at_option, bounds
from esanalytics.cli._ending import say
from esanalytics.cli._options import STORE, examples, instants, output
from esanalytics.cli._output import Target, show
from esanalytics.cli._question import PROJECTION, Question, asked, key_option
from esanalytics.engines import Result

__all__ = ["diff"]


@dataclass(slots=True)
class _Differences:
    """The differences as they go by, counting rows.

    Attributes:
        result: in order of the key.
        keys: how many columns the key has; they are the first.
        bare: whether to pass over the columns of an added or removed row that have no value.
        rows: how many rows were added, removed and changed.
    """

    result: Result
    keys: int
    bare: bool
    rows: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        last: tuple[Any, ...] | None = None
        for row in self.result:
            values = tuple(row.values())
            change, column, before, after = values[self.keys :]
            if values[: self.keys] != last:
                last = values[: self.keys]
                self.rows[change] += 1
            if not self.bare or column is None or before is not None or after is not None:
                yield row


@click.command(
    epilog=examples(
        "esanalytics diff shop esanalytics.demo:orders 2026-02-16 2026-02-17",
        "esanalytics diff shop esanalytics.demo:orders 2026-02-16 2026-02-26 --key order-150 --format json",
        "esanalytics diff shop esanalytics.demo:orders --without \"metadata.release::varchar = '2026.02.2'\"",
        "esanalytics diff shop orders.py:orders --without \"type = 'OrderShipped'\" --at 2026-03-01 -o diff.csv",
        "esanalytics diff shop esanalytics.demo:stock --known-at 2026-03-08 --at 2026-03-08",
    ),
    help=f"""Show what differs between two states: a line per row and column.

    \b
    BEFORE AFTER         the states at these two times
    --without CONDITION  as it is, and as if those events had never happened
    --known-at INSTANT   as it was known then, and as it is known now

    The last two go up to --at. In the first both states are seen through --without and --known-at, in the second
    through --known-at.

    {PROJECTION}

    change is added, removed or changed, and says what became of the row. A table leaves out the columns of added and
    removed rows that have no value, and shows times to the second; csv, json and parquet have all there is. How many
    rows differ is said on stderr.
    """,
)
@click.argument("store", type=STORE)
@click.argument("projection")
@click.argument("before", type=instants, required=False)
@click.argument("after", type=instants, required=False)
@at_option
@bounds
@key_option()
@output
def diff(
    store: Path,
    projection: str,
    before: dt.datetime | None,
    after: dt.datetime | None,
    *,
    at: dt.datetime | None,
    bounds: Bounds,
    key: tuple[str, ...],
    target: Target,
) -> None:
    """Show what differs between two states."""
    target.check()
    _check(before, after, at, bounds)
    with asked(store, projection, bounds, key) as question:
        if before is not None and after is not None:
            found = ea.diff(question.log, question.fold, before, after, key=question.key)
        else:
            sides = _sides(question, bounds, at)
            found = ea.diff(question.log, question.fold, *sides, key=question.key)
        column = found.columns[len(question.keys) + 1]
        ordered = found.order_by(*question.keys, column)
        differences = _Differences(ordered, len(question.keys), bare=target.chosen == "table")
        rows = Rows.like(ordered, differences)
        show(rows, target)
        rows.count()  # those that were not shown count, too
    added, removed, changed = (f"{differences.rows[word]:,}" for word in ("added", "removed", "changed"))
    say(f"{added} rows added, {removed} removed, {changed} changed")


def _check(before: dt.datetime | None, after: dt.datetime | None, at: dt.datetime | None, bounds: Bounds) -> None:
    if before is not None and after is None:
        raise click.UsageError("there is one instant, and two are compared; give BEFORE and AFTER")
    if before is not None and at is not None:
        raise click.UsageError("--at is for comparing two logs; here BEFORE and AFTER say up to when")
    if before is None and not bounds.without and bounds.known_at is None:
        raise click.UsageError("there is nothing to compare; give BEFORE and AFTER, --without or --known-at")


def _sides(question: Question, bounds: Bounds, at: dt.datetime | None) -> tuple[ea.Log, ea.Log]:
    """Give the two logs: the real one and the what-if; else then and now."""
    if bounds.without:
        pair = (bounds.real(question.whole), question.log)
    else:
        pair = (question.log, replace(bounds, known_at=None).real(question.whole))
    old, new = (log if at is None else log.at(at) for log in pair)
    return old, new
