"""``esanalytics explain``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

import esanalytics as ea
from esanalytics.cli._answer import Rows
from esanalytics.cli._bounds import Bounds, at_option, bounds
from esanalytics.cli._options import STORE, examples, output
from esanalytics.cli._output import Target, show
from esanalytics.cli._question import PROJECTION, asked, key_option
from esanalytics.cli._table import Look

__all__ = ["explain"]

_ORDER = (
    *("effective_at", "type", "column", "action", "value", "result", "reason"),
    *("event_id", "position", "service"),
)
_SPARE = ("service", "position", "event_id", "action", "value")


@click.command(
    epilog=examples(
        "esanalytics explain shop esanalytics.demo:orders balance --key order-150",
        "esanalytics explain shop esanalytics.demo:orders --key order-150 --at 2026-02-20",
        "esanalytics explain shop merged method --key payments --key payment-150 --format json",
    ),
    help=f"""Show which events made a value, and which did not, and why.

    {PROJECTION} An SqlProjection explains nothing, for it says nothing of single events.

    COLUMN is the value that is asked about; without it, all columns of the row are. A line for each event about it, in
    order: the action (set, add, delete and so on), its value, and the result, which is the column after the event. The
    reason is empty where the event counts for the value, and else says why it does not, such as before the last set.

    A table shows times to the second; csv, json and parquet have all there is.
    """,
)
@click.argument("store", type=STORE)
@click.argument("projection")
@click.argument("column", required=False)
@key_option(required=True)
@at_option
@bounds
@output
def explain(
    store: Path,
    projection: str,
    column: str | None,
    *,
    key: tuple[str, ...],
    at: dt.datetime | None,
    bounds: Bounds,
    target: Target,
) -> None:
    """Show which events made a value, and which did not, and why."""
    target.check()
    with asked(store, projection, bounds, key) as question:
        found = ea.explain(question.log, question.fold, question.key, column, at=at)
        order = tuple(name for name in _ORDER if column is None or name != "column")
        show(Rows.like(found, found), target, Look(order, _SPARE))
