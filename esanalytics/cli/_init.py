"""``esanalytics init``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from esanalytics import Store
from esanalytics.cli._ending import say
from esanalytics.cli._options import STORE, examples

__all__ = ["init"]


@click.command(epilog=examples("esanalytics init shop", "esanalytics init clicks --partition day"))
@click.argument("store", type=STORE)
@click.option(
    "--partition",
    type=click.Choice(["day", "month", "year"]),
    default="month",
    show_default=True,
    help="Keep files apart by service and by this period; it should have a million events or so.",
)
def init(store: Path, partition: Literal["day", "month", "year"]) -> None:
    """Make an empty store.

    STORE is a folder that is empty or not there yet.
    """
    Store.create(store, partition=partition).close()
    say(f"made the store {store}, partitioned by {partition}")
