"""What several commands take: parameter types, options, examples."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click

from esanalytics.cli._output import FORMATS, Target
from esanalytics.cli._words import STORE, Command, applied, durations, examples, instants, names, pairs

__all__ = ["STORE", "applied", "durations", "examples", "instants", "names", "output", "pairs"]


def output(command: Command) -> Command:
    """Give a command the options that say where its answer goes; it gets them as ``target``."""

    @functools.wraps(command)
    def packed(*args: Any, format: str | None, output: Path | None, limit: int | None, **rest: Any) -> None:  # noqa: A002, ANN401  click's names
        command(*args, target=Target(format, output, limit), **rest)

    options = (
        click.option(
            "--format",
            type=click.Choice(FORMATS),
            help="table, csv, json (an array, one row per line) or parquet; by default what FILE's name "
            "ends in, else table.",
        ),
        click.option(
            "-o",
            "--output",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write to FILE, whole or not at all, in place of stdout.",
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=0),
            metavar="N",
            help="At most N rows, 0 for all; by default 50 in a table, else all.",
        ),
    )
    return applied(options, packed)
