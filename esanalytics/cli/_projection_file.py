"""The projection that the user names: one of any kind, in a Python file or module."""

from __future__ import annotations

import click

from esanalytics.errors import JobFileError
from esanalytics.jobs._definition import named
from esanalytics.timetravel import Definition

__all__ = ["load"]


def load(spec: str) -> Definition:
    """Return the projection that ``FILE.py:NAME`` or ``MODULE:NAME`` names; its code is run.

    What it prints goes to stderr.

    Raises:
        click.UsageError: there is no such file, module or name, its code fails, or it is no projection.
    """
    try:
        return named(spec).definition
    except JobFileError as error:
        raise click.UsageError(error.args[3]) from error
