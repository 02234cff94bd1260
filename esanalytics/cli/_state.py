"""``esanalytics state``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

import esanalytics as ea
from esanalytics.cli._bounds import Bounds, at_option, bounds
from esanalytics.cli._columns import REMEDY, columns_option, narrowed
from esanalytics.cli._options import STORE, examples, output
from esanalytics.cli._output import Target, show
from esanalytics.cli._question import PROJECTION, asked, key_option
from esanalytics.cli._table import Look

__all__ = ["state"]


@click.command(
    epilog=examples(
        "esanalytics state shop merged --service orders --at 2026-03-03",
        "esanalytics state shop merged --key orders --key order-42 --format json",
        "esanalytics state shop orders.py:orders --at 2026-03-03 -o orders.csv",
        "esanalytics state shop orders.py:orders --key order-42 --known-at 2026-02-01T12:00",
        "esanalytics state shop esanalytics.demo:orders --without \"metadata.release::varchar = '2026.02.2'\"",
        "esanalytics state shop esanalytics.demo:stock --columns on_hand,supplier --format json",
    ),
    help=f"""Show the state as it was: one row per key, in order of the key.

    {PROJECTION}

    A table shows times to the second; csv, json and parquet have all there is.
    """,
)
@click.argument("store", type=STORE)
@click.argument("projection")
@at_option
@bounds
@key_option()
@columns_option
@output
def state(
    store: Path,
    projection: str,
    *,
    at: dt.datetime | None,
    bounds: Bounds,
    key: tuple[str, ...],
    columns: tuple[str, ...],
    target: Target,
) -> None:
    """Show the state as it was."""
    target.check()
    with asked(store, projection, bounds, key) as question:
        found = ea.state_at(question.log, question.fold, at, key=question.key).order_by(*question.keys)
        show(narrowed(found, columns, before=question.keys), target, Look(remedy=REMEDY))
