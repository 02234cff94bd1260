"""What the commands about a state have in common: a projection, and a view of a store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import click

import esanalytics as ea
from esanalytics.cli._bounds import EVERYTHING, Bounds
from esanalytics.cli._projection_file import load
from esanalytics.projections import key_columns
from esanalytics.timetravel import Definition

__all__ = ["PROJECTION", "Question", "asked", "key_option"]

Command = Callable[..., None]

PROJECTION = (
    "PROJECTION says what the state is: FILE.py:NAME or MODULE:NAME, an ea.Projection, an ea.SqlProjection or an "
    "@ea.reducer of that name in a Python file or module; or the word merged, for every payload field of every "
    "stream, last value wins (its key is the service and the stream)."
)

_MERGED = "merged"
_STREAM = ("service", "stream_id")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about.

    Attributes:
        store: the store, open.
        whole: all its events.
        log: those that are seen.
        fold: what makes the state of them.
        keys: the names of the columns of its key.
        key: a value for each; None: all keys.
    """

    store: ea.Store
    whole: ea.Log
    log: ea.Log
    fold: Definition
    keys: tuple[str, ...]
    key: tuple[str, ...] | None


def key_option(*, required: bool = False) -> Callable[[Command], Command]:
    """Give a command the option that says which row it is about."""
    text = "Only the row of this key; once per column of the key."
    return click.option("--key", multiple=True, required=required, help=text)


@contextmanager
def asked(store: Path, projection: str, bounds: Bounds = EVERYTHING, key: tuple[str, ...] = ()) -> Iterator[Question]:
    """Open a store, and settle what is asked about; what is printed meanwhile goes to stderr.

    Raises:
        click.UsageError: there is no such projection, it has another key, or a bound makes no sense.
        StoreError: there is no such store.
    """
    chosen = None if projection == _MERGED else load(projection)
    with redirect_stdout(sys.stderr), ea.Store.open(store) as opened:
        whole = opened.log
        fold = ea.merged(bounds.real(whole)) if chosen is None else chosen
        keys = _keys(fold)
        if key and len(key) != len(keys):
            names = f"{len(keys)} columns" if len(keys) > 1 else "1 column"
            raise click.UsageError(
                f"the key has {names} ({', '.join(keys)}), {len(key)} were given; repeat --key for each"
            )
        yield Question(opened, whole, bounds.seen(whole), fold, keys, key or None)


def _keys(fold: Definition) -> tuple[str, ...]:
    if isinstance(fold, ea.Projection):
        return tuple(key_columns(fold))
    return tuple(fold.key) if isinstance(fold, ea.SqlProjection) else _STREAM
