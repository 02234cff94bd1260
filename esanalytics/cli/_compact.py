"""``esanalytics compact``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from esanalytics import Store
from esanalytics.cli._ending import say
from esanalytics.cli._options import STORE, durations, examples

__all__ = ["compact"]


@click.command(epilog=examples("esanalytics compact shop", "esanalytics compact shop --retain 0s"))
@click.argument("store", type=STORE)
@click.option(
    "--retain",
    type=durations,
    metavar="DURATION",
    default="1h",
    show_default=True,
    help="Keep files that were replaced for this long, for readers that are still at them: 0s, 30m, 2h, 7d.",
)
def compact(store: Path, retain: dt.timedelta) -> None:
    """Merge small files, so that a store is read faster.

    No answer changes, and others may read and append meanwhile.
    """
    with Store.open(store) as opened:
        done = opened.compact(retain=retain)
    merged = f"merged {done.merged:,} files into {done.written:,}" if done.merged else "nothing to merge"
    say(f"{merged}, deleted {done.deleted:,} old files, {done.seconds:.1f} s")
