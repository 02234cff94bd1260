"""The program: its commands, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from esanalytics.cli._ending import Unheard, ended
from esanalytics.cli._groups import InOrder, Places
from esanalytics.cli._words import examples

__all__ = ["main", "program"]

_NAME = "esanalytics"
_COMMANDS = Places(
    init="esanalytics.cli._init",
    ingest="esanalytics.cli._ingest",
    info="esanalytics.cli._info",
    sql="esanalytics.cli._query",
    state="esanalytics.cli._state",
    history="esanalytics.cli._history",
    diff="esanalytics.cli._diff",
    explain="esanalytics.cli._explain",
    bisect="esanalytics.cli._bisect",
    snapshot="esanalytics.cli._snapshot",
    jobs="esanalytics.cli._jobs",
    compact="esanalytics.cli._compact",
    demo="esanalytics.cli._demo",
)


class _Program(InOrder):
    """The group of all commands, ending the same way from a shell, ``python -m`` and a test."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as click has it
        kwargs |= {"prog_name": _NAME, "standalone_mode": False}
        sys.exit(ended(lambda: super(_Program, self).main(*args, **kwargs)))

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  as click has it
        """Run a command; that nobody reads on is no failure, which click would make of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise Unheard from error


program = _Program(
    _NAME,
    commands=_COMMANDS,
    help="Understand event-sourced systems: keep their logs in a store, ask for the state at any time.\n\n"
    "Answers go to stdout, messages to stderr. Exit codes: 0 done, 1 failed, 2 called wrongly, 130 interrupted; "
    "jobs has more.",
    epilog=examples(
        "esanalytics init shop",
        "esanalytics ingest shop 'data/*.jsonl'",
        "esanalytics info shop",
        'esanalytics sql shop "select type, count(*) as n from events group by all order by n desc"',
        "esanalytics state shop merged --service orders --at 2026-03-03 --format csv -o orders.csv",
        'esanalytics bisect shop esanalytics.demo:orders "balance < 0"',
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
program = click.version_option(package_name=_NAME, message="%(prog)s %(version)s")(program)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        args: its arguments; None: those of the process.

    Raises:
        SystemExit: always; 0, 1, 2 or 130, of jobs also 3, 4, 75 or 124.
    """
    program.main(args)
