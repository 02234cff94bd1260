"""``esanalytics history``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import esanalytics as ea
from esanalytics.cli._bounds import Bounds, bounds
from esanalytics.cli._columns import REMEDY, columns_option, narrowed
from esanalytics.cli._options import STORE, examples, instants, output
from esanalytics.cli._output import Target, show
from esanalytics.cli._question import PROJECTION, asked, key_option
from esanalytics.cli._table import Look

__all__ = ["history"]

_OWN = 5
"""How many columns a history has beside those of the state; they are the last."""


@click.command(
    epilog=examples(
        "esanalytics history shop esanalytics.demo:orders --key order-150",
        "esanalytics history shop esanalytics.demo:orders --key order-150 --columns paid,refunded,balance",
        "esanalytics history shop esanalytics.demo:stock --since 2026-03-01 --until 2026-03-08 --format csv",
        "esanalytics history shop merged --service customers -o customers.parquet",
    ),
    help=f"""Show every version of every row, in order of the key and of time.

    {PROJECTION} An SqlProjection has no history, for it says nothing of single events.

    A version is what an event made of a row. It holds from valid_from up to, but not at, valid_to, which is empty where
    it holds to this day; event_id, type and position are those of the event.

    A table begins with when and why, and shows times to the second; csv, json and parquet have all columns in the
    order of ea.history.
    """,
)
@click.argument("store", type=STORE)
@click.argument("projection")
@click.option(
    "--since", type=instants, metavar="INSTANT", help="Versions that begin after this time, which is excluded."
)
@click.option("--until", type=instants, metavar="INSTANT", help="Events up to and including this time.")
@click.option(
    "--grain",
    type=click.Choice(["instant", "event"]),
    default="instant",
    show_default=True,
    help="One version for all events of a row at one instant, or one for each event.",
)
@bounds
@key_option()
@columns_option
@output
def history(
    store: Path,
    projection: str,
    *,
    bounds: Bounds,
    key: tuple[str, ...],
    columns: tuple[str, ...],
    target: Target,
    **how: Any,  # noqa: ANN401  since, until and grain, as ea.history takes them
) -> None:
    """Show every version of every row."""
    target.check()
    with asked(store, projection, bounds, key) as question:
        found = ea.history(question.log, question.fold, key=question.key, **how)
        own = found.columns[-_OWN:]
        valid_from, valid_to, event_id, type_, position = own
        ordered = found.order_by(*question.keys, valid_from, valid_to, position)
        answer = narrowed(ordered, columns, before=question.keys, after=own)
        shown = answer.columns or found.columns
        middle = [name for name in shown if name not in (*question.keys, *own)]
        order = (*question.keys, valid_from, type_, *middle, valid_to, event_id, position)
        show(answer, target, Look(order, (position, event_id, valid_to), steady=bool(key), remedy=REMEDY))
