"""``esanalytics state``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

import esanalytics as ea
from esanalytics.cli._options import STORE, bounded, bounds, examples, output
from esanalytics.cli._output import Target, show
from esanalytics.cli._projection_file import load
from esanalytics.projections import key_columns

__all__ = ["state"]

_MERGED = "merged"


@click.command(
    epilog=examples(
        "esanalytics state shop merged --service orders --at 2026-03-03",
        "esanalytics state shop merged --key orders --key order-42 --format json",
        "esanalytics state shop orders.py:orders --at 2026-03-03 -o orders.csv",
        "esanalytics state shop orders.py:orders --key order-42 --known-at 2026-02-01T12:00",
        "esanalytics state shop esanalytics.demo:stock --format json",
    )
)
@click.argument("store", type=STORE)
@click.argument("projection")
@bounds
@click.option("--type", "types", multiple=True, help="Fold only events of this type; may be repeated.")
@click.option("--key", multiple=True, help="Only the row of this key; once per column of the key.")
@output
def state(
    store: Path,
    projection: str,
    *,
    at: dt.datetime | None,
    known_at: dt.datetime | None,
    service: tuple[str, ...],
    types: tuple[str, ...],
    key: tuple[str, ...],
    target: Target,
) -> None:
    """Show the state as it was: one row per key, in order of the key.

    PROJECTION says what the state is: FILE.py:NAME or MODULE:NAME, a Projection of that name in a Python file or
    module; or the word merged, for every payload field of every stream, last value wins (its key is the service and
    the stream).

    A table shows times to the second; csv, json and parquet have all there is.
    """
    target.check()
    chosen = None if projection == _MERGED else load(projection)
    with ea.Store.open(store) as opened:
        log = bounded(opened.log, service, known_at, at)
        seen = log.where(type=types) if types else log
        fold = chosen or ea.merged(seen)
        columns = tuple(key_columns(fold))
        _check_key(key, columns)
        show(ea.state_at(seen, fold, key=key or None).order_by(*columns), target)


def _check_key(key: tuple[str, ...], columns: tuple[str, ...]) -> None:
    if key and len(key) != len(columns):
        names = ", ".join(columns)
        raise click.UsageError(
            f"the key has {len(columns)} columns ({names}), {len(key)} were given; repeat --key for each"
        )
