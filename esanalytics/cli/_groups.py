"""Commands of commands."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping

import click

__all__ = ["InOrder", "Places"]


class InOrder(click.Group):
    """A group that lists its commands in the order in which one comes to need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  as click has it
        """Return the names of the commands, as they were given."""
        return list(self.commands)


class Places(MutableMapping[str, click.Command]):
    """Commands by name, each loaded when somebody looks at it: some need a database, and that takes long to load."""

    def __init__(self, **places: str) -> None:
        """Take the modules in which commands of these names are."""
        self._places: dict[str, str | click.Command] = dict(places)

    def __getitem__(self, name: str) -> click.Command:
        found = self._places[name]
        if isinstance(found, str):
            found = getattr(importlib.import_module(found), name)
            assert isinstance(found, click.Command)  # noqa: S101  for the type checker
            self._places[name] = found
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._places[name] = command

    def __delitem__(self, name: str) -> None:
        del self._places[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
