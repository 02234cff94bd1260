"""Assignments: what an event does to a column."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from esanalytics.projections._expressions import Expression, Value, lift

__all__ = [
    "ACCUMULATORS",
    "SETTERS",
    "Assignment",
    "Delete",
    "add",
    "append",
    "assignment",
    "count",
    "delete",
    "first",
    "keep",
    "max_",
    "min_",
    "present",
    "remove",
]

SETTERS = frozenset({"set", "keep", "present"})
"""The kinds that give a column a value, whatever it was."""

ACCUMULATORS = {
    "add": "add",
    "min": "min_",
    "max": "max_",
    "first": "first",
    "append": "append/remove",
    "remove": "append/remove",
}
"""The kinds that build on what a column was, and the family of each; a column has one family at most."""


class Delete(Enum):
    """The end of an entity; use the word ``delete``."""

    DELETE = "delete"

    def __repr__(self) -> str:
        return "delete"


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """What an event does to one column.

    Attributes:
        kind: ``set``, ``keep``, ``present``, ``add``, ``min``, ``max``, ``first``, ``append`` or ``remove``.
        value: computed from the event.
    """

    kind: str
    value: Expression


delete = Delete.DELETE
"""The event ends the entity: its row goes, and a later event begins it anew."""


def keep(value: Value) -> Assignment:
    """Assign the value where it is not NULL."""
    return Assignment("keep", lift(value))


def add(value: Value) -> Assignment:
    """Add the value, from 0; NULL is passed over."""
    return Assignment("add", lift(value))


def min_(value: Value) -> Assignment:
    """Keep the smallest value; NULL is passed over."""
    return Assignment("min", lift(value))


def max_(value: Value) -> Assignment:
    """Keep the greatest value; NULL is passed over."""
    return Assignment("max", lift(value))


def first(value: Value) -> Assignment:
    """Assign the value where the column is NULL at that moment."""
    return Assignment("first", lift(value))


def append(value: Value) -> Assignment:
    """Add the value at the end of a list, from an empty one; NULL is passed over."""
    return Assignment("append", lift(value))


def remove(value: Value) -> Assignment:
    """Take every element equal to the value out of a list; NULL is passed over."""
    return Assignment("remove", lift(value))


def present(value: Expression) -> Assignment:
    """Assign a payload field where the payload has it, null included."""
    return Assignment("present", value)


def assignment(value: Value | Assignment) -> Assignment:
    """Make an assignment of a bare value or an expression: set.

    Raises:
        TypeError: it is no value an expression can hold.
    """
    return value if isinstance(value, Assignment) else Assignment("set", lift(value))


count = add(1)
"""Count the events: add 1."""
