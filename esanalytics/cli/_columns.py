"""Of an answer only some columns."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

import click

from esanalytics.cli._answer import Asked
from esanalytics.cli._options import names
from esanalytics.engines import Result

__all__ = ["REMEDY", "columns_option", "narrowed"]

REMEDY = "--columns A,B,C picks some, --format json shows all"

Command = Callable[..., None]


def columns_option(command: Command) -> Command:
    """Give a command the option that says which columns it shows."""
    text = "Only these columns of the projection, and the key."
    return click.option("--columns", type=names, default="", metavar="A,B,C", help=text)(command)


def narrowed(result: Result, chosen: Sequence[str], *, before: Sequence[str], after: Sequence[str] = ()) -> Asked:
    """Narrow an answer to the columns that were chosen, between those that it always has.

    Raises:
        click.BadParameter: there is no such column.
    """
    if not chosen:
        return Asked(result)
    there = result.columns
    for name in chosen:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=3)
            others = (column for column in there if column not in (*before, *after))
            offered = " or ".join(map(repr, near)) if near else ", ".join(others)
            raise click.BadParameter(f"there is no column {name!r}; there is {offered}", param_hint="'--columns'")
    middle = [name for name in dict.fromkeys(chosen) if name not in (*before, *after)]
    return Asked(result, (*before, *middle, *after))
