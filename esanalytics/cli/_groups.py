"""Commands of commands."""

from __future__ import annotations

import click

__all__ = ["InOrder"]


class InOrder(click.Group):
    """A group that lists its commands in the order in which one comes to need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  as click has it
        """Return the names of the commands, as they were given."""
        return list(self.commands)
