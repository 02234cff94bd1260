"""What several commands take, without anything that takes long to load: parameter types, examples."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import click

from esanalytics._instants import instant

__all__ = ["STORE", "Command", "applied", "durations", "examples", "instants", "names", "pairs"]

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


def applied(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    """Give a command some options, in this order."""
    for option in reversed(options):
        command = option(command)
    return command
