"""The program: its commands, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from esanalytics.cli._bisect import bisect
from esanalytics.cli._compact import compact
from esanalytics.cli._demo import demo
from esanalytics.cli._diff import diff
from esanalytics.cli._ending import Unheard, ended
from esanalytics.cli._explain import explain
from esanalytics.cli._groups import InOrder
from esanalytics.cli._history import history
from esanalytics.cli._info import info
from esanalytics.cli._ingest import ingest
from esanalytics.cli._init import init
from esanalytics.cli._options import examples
from esanalytics.cli._query import sql
from esanalytics.cli._snapshot import snapshot
from esanalytics.cli._state import state

__all__ = ["main", "program"]

_NAME = "esanalytics"


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
    commands=[init, ingest, info, sql, state, history, diff, explain, bisect, snapshot, compact, demo],
    help="Understand event-sourced systems: keep their logs in a store, ask for the state at any time.\n\n"
    "Answers go to stdout, messages to stderr. Exit codes: 0 done, 1 failed, 2 called wrongly, 130 interrupted.",
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
        SystemExit: always; 0, 1, 2 or 130.
    """
    program.main(args)
