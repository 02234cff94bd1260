"""``esanalytics ingest``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click

from esanalytics import Store
from esanalytics.cli._ending import say
from esanalytics.cli._options import STORE, examples, pairs
from esanalytics.cli._reading import FORMATS, Reading, by_format
from esanalytics.errors import EsAnalyticsError
from esanalytics.events import Source
from esanalytics.store import Commit

__all__ = ["ingest"]

_SOURCE_OPTIONS = (
    click.option(
        "--format",
        type=click.Choice(FORMATS),
        help="By default what the names of the files end in; .gz and .zst are decompressed.",
    ),
    click.option(
        "--map",
        "maps",
        type=pairs,
        multiple=True,
        metavar="COLUMN=ORIGIN",
        help="Where a column of the envelope comes from: a field or dotted path, sql:EXPRESSION, const:TEXT, or "
        "nothing to leave it out. May be repeated.",
    ),
    click.option(
        "--type",
        "types",
        type=pairs,
        multiple=True,
        metavar="COLUMN=TYPE",
        help="CSV: the DuckDB type of a column, such as amount=DECIMAL(18,2). May be repeated.",
    ),
    click.option(
        "--delimiter",
        metavar="CHARACTER",
        help="CSV: what is between cells, a comma by default, a tab in .tsv; \\t is a tab, blank any blanks.",
    ),
    click.option("--no-header", is_flag=True, help="CSV: the first row is no header."),
    click.option("--columns", metavar="A,B,C", help="CSV: the names of the columns, where the files have no header."),
)


def _source_options(command: Any) -> Any:  # noqa: ANN401  a decorator of click's
    for option in reversed(_SOURCE_OPTIONS):
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "esanalytics ingest shop 'data/*.jsonl'",
        "esanalytics ingest shop clicks.csv.gz --service web --map stream_id=session --map occurred_at=ts",
        "esanalytics ingest shop old.parquet --map stream_id=order.id --map type=const:OrderPlaced",
        "esanalytics ingest shop unix.jsonl --map 'occurred_at=sql:to_timestamp(ts::double)' --map metadata=",
        "esanalytics ingest shop bare.csv --no-header --columns stream_id,type,occurred_at,amount",
        "esanalytics ingest shop dirty.jsonl --on-invalid quarantine",
    )
)
@click.argument("store", type=STORE)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--service", help="The service of events that do not say; by default: default.")
@click.option("--stream", help="The stream of events that do not say.")
@_source_options
@click.option(
    "--on-invalid",
    type=click.Choice(["raise", "quarantine"]),
    default="raise",
    show_default=True,
    help="Refuse everything when an event is invalid, or set such events aside.",
)
def ingest(
    store: Path,
    files: tuple[str, ...],
    *,
    service: str | None,
    stream: str | None,
    on_invalid: Literal["raise", "quarantine"],
    **reading: Any,  # noqa: ANN401  the options of _SOURCE_OPTIONS
) -> None:
    """Append the events of files to a store.

    FILE is JSON lines, CSV or Parquet, or a quoted pattern of such files. Files of one format are one append: all of
    it or, where an event is invalid, none. What is in the store already is passed over, so it may be run again.

    An event must have stream_id, type and occurred_at, from its own field or by --map. The other columns are event_id,
    service, version, schema_version, correlation_id, causation_id, data and metadata; what is none of these becomes
    data.
    """
    sources = [Reading(**reading).source(*group) for group in by_format(files, reading.pop("format"))]
    with Store.open(store) as opened:
        append = partial(opened.append, service=service, stream=stream, on_invalid=on_invalid)
        done = _appended(append, sources)
    say(f"{done.appended:,} appended, {done.duplicates:,} duplicates, {done.quarantined:,} quarantined")
    if done.quarantined:
        say(f"esanalytics info {store} tells why")


def _appended(append: Callable[[Source], Commit], sources: Iterable[Source]) -> Commit:
    done = Commit(None, None, 0, 0, 0)
    for source in sources:
        try:
            done += append(source)
        except EsAnalyticsError as error:
            if done.appended:
                error.add_note(f"{done.appended:,} events of the files of another format before are appended")
            raise
    return done
