"""Which events a command sees, as its options say."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from esanalytics import Log
from esanalytics.cli._options import applied, instants
from esanalytics.errors import EngineError, UnsupportedError

__all__ = ["EVERYTHING", "Bounds", "at_option", "bounds"]

Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which events of a log are seen.

    Attributes:
        known_at: what was recorded up to and including this instant.
        services: of these services; empty: of all.
        types: of these types; empty: of all.
        without: conditions on events; as if those for which one of them holds had never happened.
    """

    known_at: dt.datetime | None
    services: tuple[str, ...]
    types: tuple[str, ...]
    without: tuple[str, ...]

    def seen(self, log: Log) -> Log:
        """Narrow a log.

        Raises:
            click.BadParameter: one of ``without`` is no condition on events.
        """
        found = self.real(log)
        for condition in self.without:
            found = _without(found, condition)
        return found

    def real(self, log: Log) -> Log:
        """Narrow a log, but to what did happen."""
        found = log.where(service=self.services or None, type=self.types or None)
        return found if self.known_at is None else found.known_at(self.known_at)


EVERYTHING = Bounds(None, (), (), ())


def bounds(command: Command) -> Command:
    """Give a command the options that say which events it sees; it gets them as ``bounds``."""

    @functools.wraps(command)
    def packed(
        *args: Any,  # noqa: ANN401  the command's own
        known_at: dt.datetime | None,
        service: tuple[str, ...],
        types: tuple[str, ...],
        without: tuple[str, ...],
        **rest: Any,  # noqa: ANN401  the command's own
    ) -> None:
        command(*args, bounds=Bounds(known_at, service, types, without), **rest)

    options = (
        click.option(
            "--known-at", type=instants, metavar="INSTANT", help="Only what was recorded up to and including this time."
        ),
        click.option("--service", multiple=True, help="Only events of this service; may be repeated."),
        click.option("--type", "types", multiple=True, help="Only events of this type; may be repeated."),
        click.option(
            "--without",
            multiple=True,
            metavar="CONDITION",
            help="As if the events for which this SQL condition holds had never happened; may be repeated.",
        ),
    )
    return applied(options, packed)


def at_option(command: Command) -> Command:
    """Give a command the option that says up to when it looks."""
    text = "Events up to and including this time; naive times are UTC."
    return click.option("--at", type=instants, metavar="INSTANT", help=text)(command)


def _without(log: Log, condition: str) -> Log:
    """Take events out of a log; what is wrong with the condition is said now, not when the answer is read."""
    try:
        found = log.without(condition)
        log.where(condition).sql("SELECT 1 AS found FROM events").types  # noqa: B018  it binds the names
    except UnsupportedError:
        raise
    except (EngineError, ValueError) as error:
        reason = str(error).partition("\n\n")[0]  # the rest points into a query that nobody wrote
        raise click.BadParameter(reason, param_hint="'--without'") from error
    return found
