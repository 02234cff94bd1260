"""What several commands take: parameter types, options, examples."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from esanalytics._instants import instant
from esanalytics.cli._output import FORMATS, Target

__all__ = ["STORE", "applied", "durations", "examples", "instants", "names", "output", "pairs"]

Command = Callable[..., None]

STORE = click.Path(file_okay=False, path_type=Path)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def instants(text: str) -> dt.datetime:
    """Read the value of an option as an instant."""
    try:
        return instant(text)
    except ValueError as error:
        reason = f"{text!r} is no instant; give 2026-03-03, 2026-03-03T10:00 or 2026-03-03T10:00+02:00"
        raise click.BadParameter(reason) from error


def durations(text: str) -> dt.timedelta:
    """Read the value of an option as a duration: a number and its unit."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no duration; give a number and s, m, h or d, such as 30m")
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})


def pairs(text: str) -> tuple[str, str]:
    """Read the value of an option as name and value, with ``=`` between them."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} has no name and value with '=' between them")
    return name, value


def names(text: str) -> tuple[str, ...]:
    """Read the value of an option as names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def examples(*lines: str) -> str:
    """Write the end of a help text: commands as one may type them."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


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


def applied(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    """Give a command some options, in this order."""
    for option in reversed(options):
        command = option(command)
    return command
