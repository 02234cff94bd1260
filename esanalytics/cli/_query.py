"""``esanalytics sql``."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from esanalytics import Store
from esanalytics.cli._answer import Asked
from esanalytics.cli._bounds import Bounds, at_option, bounds
from esanalytics.cli._options import STORE, examples, instants, output, pairs
from esanalytics.cli._output import Target, show

__all__ = ["sql"]


@click.command(
    epilog=examples(
        'esanalytics sql shop "select type, count(*) as n from events group by all order by n desc"',
        "esanalytics sql shop 'select * from events order by position' --service orders -o orders.parquet",
        'esanalytics sql shop "select avg(data.amount::double) as mean from events" --at 2026-03-01',
        "esanalytics sql shop 'select count(*) as n from events' --without \"type = 'CouponApplied'\"",
        "esanalytics sql shop 'select * from events where stream_id = $id' --param id=order-42 --format json",
        "echo 'select count(*) as events from events' | esanalytics sql shop -",
    )
)
@click.argument("store", type=STORE)
@click.argument("query")
@at_option
@click.option("--since", type=instants, metavar="INSTANT", help="Events after this time, which is excluded.")
@bounds
@click.option(
    "--param",
    "params",
    type=pairs,
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for $NAME in the query, as text; cast it there ($least::double). May be repeated.",
)
@output
def sql(
    store: Path,
    query: str,
    *,
    at: dt.datetime | None,
    since: dt.datetime | None,
    bounds: Bounds,
    params: Iterable[tuple[str, str]],
    target: Target,
) -> None:
    """Ask anything of the events, in DuckDB's SQL.

    QUERY is one SELECT over the relation events; - reads it from stdin. Its columns are position, event_id, service,
    stream_id, version, type, schema_version, occurred_at, recorded_at, correlation_id, causation_id, data, metadata
    and effective_at. Fields of the payload are read as data.amount and cast as data.amount::double.

    A table shows times to the second; csv, json and parquet have all there is.
    """
    target.check()
    text = sys.stdin.read() if query == "-" else query
    with Store.open(store) as opened:
        log = bounds.seen(opened.log)
        up_to = log if at is None else log.at(at)
        seen = up_to if since is None else up_to.since(since)
        show(Asked(seen.sql(text, dict(params) or None)), target)
