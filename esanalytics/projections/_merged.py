"""The projection one gets without writing one: every payload field, last value wins."""

from __future__ import annotations

from collections.abc import Sequence

from esanalytics.projections._assignments import Assignment, present
from esanalytics.projections._expressions import field
from esanalytics.projections._projection import Projection

__all__ = ["merged_projection"]

_KEY = ("service", "stream_id")


def merged_projection(fields: Sequence[str]) -> Projection:
    """Make the projection of every stream to its fields, each as the last event that has it says, null included.

    Args:
        fields: keys of the payloads. One that differs from a key column or an earlier field only in upper or
            lower case, or begins with ``$``, gets the prefix ``data_``, then a number.

    Example:
        >>> from esanalytics.projections import columns_of
        >>> columns_of(merged_projection(["status", "Status", "service"]))
        ('status', 'data_Status', 'data_service')
    """
    columns: dict[str, Assignment] = {}
    taken = {name.lower() for name in _KEY}
    for name in fields:
        column = _free(name, taken)
        taken.add(column.lower())
        columns[column] = present(field((name,)))
    return Projection("merged", _KEY, {"*": columns})


def _free(name: str, taken: set[str]) -> str:
    if name.lower() not in taken and not name.startswith("$"):
        return name
    candidate, number = f"data_{name}", 2
    while candidate.lower() in taken:
        candidate, number = f"data_{name}_{number}", number + 1
    return candidate
