"""``esanalytics snapshot``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click
import pyarrow as pa

import esanalytics as ea
from esanalytics.cli._answer import Rows
from esanalytics.cli._ending import Failure, say
from esanalytics.cli._groups import InOrder
from esanalytics.cli._options import STORE, examples, instants, output
from esanalytics.cli._output import Target, show
from esanalytics.cli._question import asked
from esanalytics.cli._render import seconds
from esanalytics.cli._table import Look

__all__ = ["snapshot"]

_SCHEMA = pa.schema(
    [
        ("projection", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("position", pa.int64()),
        ("rows", pa.int64()),
        ("size", pa.int64()),
        ("created_at", pa.timestamp("us", "UTC")),
        ("path", pa.string()),
    ]
)
_PROJECTION = "PROJECTION is FILE.py:NAME or MODULE:NAME, an ea.Projection, or the word merged; see esanalytics state."


@click.command(
    epilog=examples(
        "esanalytics snapshot take shop esanalytics.demo:orders",
        "esanalytics snapshot take shop orders.py:orders --at 2026-03-01",
    ),
    help=f"""Save a state, so that later questions start from it.

    {_PROJECTION}
    """,
)
@click.argument("store", type=STORE)
@click.argument("projection")
@click.option(
    "--at", type=instants, metavar="INSTANT", help="The state at this time; by default that after the last event."
)
def take(store: Path, projection: str, *, at: dt.datetime | None) -> None:
    """Save a state, so that later questions start from it."""
    with asked(store, projection) as question:
        _tell("took", ea.snapshot(question.store, question.fold, at))


@click.command(
    "list",
    epilog=examples("esanalytics snapshot list shop", "esanalytics snapshot list shop --format json"),
)
@click.argument("store", type=STORE)
@output
def list_(store: Path, *, target: Target) -> None:
    """List the snapshots of a store, by projection and time.

    at and position say which events a snapshot holds: those up to this time, of the first so many. Its size is in
    bytes.
    """
    target.check()
    with ea.Store.open(store) as opened:
        found = map(asdict, ea.snapshots(opened))
        show(Rows(_SCHEMA, frozenset(), found), target, Look(spare=("path", "created_at")))


@click.command(
    epilog=examples("esanalytics snapshot refresh shop esanalytics.demo:orders"),
    help=f"""Carry the newest snapshot forward to the last event.

    It is the newest one of the projection that is carried forward: only the events since then are folded, and the new
    snapshot takes its place. Where there is none that can be used, one is taken.

    {_PROJECTION}
    """,
)
@click.argument("store", type=STORE)
@click.argument("projection")
def refresh(store: Path, projection: str) -> None:
    """Carry the newest snapshot forward to the last event."""
    with asked(store, projection) as question:
        _tell("refreshed", ea.refresh(question.store, question.fold))


@click.command(
    epilog=examples(
        "esanalytics snapshot drop shop orders", "esanalytics snapshot drop shop orders --at 2026-02-28T20:25:56"
    )
)
@click.argument("store", type=STORE)
@click.argument("name")
@click.option(
    "--at", type=instants, metavar="INSTANT", help="Only the one at this time; to the second, as a table lists it."
)
def drop(store: Path, name: str, *, at: dt.datetime | None) -> None:
    """Delete snapshots; questions are answered without them.

    NAME is the projection's, as snapshot list shows it. Without --at all of its snapshots are deleted.
    """
    with ea.Store.open(store) as opened:
        there = ea.snapshots(opened)
        chosen = [one for one in there if one.projection == name and (at is None or at in _times(one))]
        if not chosen:
            raise Failure(_without(there, name, at))
        for one in chosen:
            one.drop()
            _tell("dropped", one)


snapshot = InOrder(
    "snapshot",
    commands=[take, list_, refresh, drop],
    help="Save states, from which later questions start by themselves.\n\n"
    "state, diff and history use the nearest snapshot without being asked, and give the answers that they give "
    "without it. A projection that was changed does not use the snapshots of the old one.",
    epilog=examples(
        "esanalytics snapshot take shop esanalytics.demo:orders --at 2026-03-01",
        "esanalytics snapshot list shop",
        "esanalytics snapshot refresh shop esanalytics.demo:orders",
        "esanalytics snapshot drop shop orders",
    ),
)


def _times(one: ea.Snapshot) -> tuple[dt.datetime, dt.datetime]:
    return one.at, one.at.replace(microsecond=0)


def _tell(done: str, one: ea.Snapshot) -> None:
    size = f"{one.rows:,} rows, {one.size:,} bytes"
    say(f"{done} {one.projection} at {seconds(one.at)}, up to position {one.position:,}: {size}")


def _without(there: Iterable[ea.Snapshot], name: str, at: dt.datetime | None) -> str:
    times = [seconds(one.at) for one in there if one.projection == name]
    if times and at is not None:
        return f"there is no snapshot of {name!r} at {seconds(at)}; there are those at {', '.join(times)}"
    names = ", ".join(sorted({one.projection for one in there}))
    return f"there is no snapshot of {name!r}; " + (f"there are those of {names}" if names else "there is none at all")
