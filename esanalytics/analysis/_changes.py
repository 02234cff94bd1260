"""Changes: what differs between two states of one entity, down into nested values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Literal

__all__ = ["Change", "Row", "changes", "same"]

Row = dict[str, Any] | None
"""A row of state by column; None: the entity has no row."""

Kind = Literal["added", "removed", "changed"]
_ABSENT: Any = object()
_NUMBERS = (int, float, Decimal)
_EXACT = Context(prec=10_000, traps=[])


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs.

    Attributes:
        path: the column, then keys and list indexes (from 0) into its value.
        kind: ``added``, ``removed`` or ``changed``.
        before: the value before; None where it was added.
        after: the value after; None where it was removed.
        changed_by: the id of the last event between that changed the column; None where none is known.
    """

    path: tuple[str | int, ...]
    kind: Kind
    before: Any
    after: Any
    changed_by: str | None = None

    @property
    def delta(self) -> Any:  # noqa: ANN401  a number like the values
        """By how much a number changed; None for anything else."""
        numbers = [value for value in (self.before, self.after) if _is_number(value)]
        kinds = set(map(type, numbers))
        if len(numbers) < 2 or kinds >= {Decimal, float}:  # noqa: PLR2004  both of them
            return None
        if Decimal in kinds:
            return _EXACT.subtract(self.after, self.before)
        try:
            return self.after - self.before
        except OverflowError:  # an integer beyond all floats less a float
            return None


def changes(before: Row, after: Row) -> list[Change]:
    """List what differs between two rows, in the order of the columns; an entity without a row has no columns."""
    return list(_between((), before or {}, after or {}))


def same(one: Any, other: Any) -> bool:  # noqa: ANN401  any values
    """Tell whether two values are the same: equal and of one type, NaN like NaN; 79.5 and 79.50 are the same."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124  NaN


def _between(path: tuple[str | int, ...], before: Any, after: Any) -> Iterator[Change]:  # noqa: ANN401  any values
    parts = _parts(before, after)
    if parts is None:
        yield Change(path, "changed", before, after)
        return
    for name, (old, new) in parts.items():
        place = (*path, name)
        if old is _ABSENT:
            yield Change(place, "added", None, new)
        elif new is _ABSENT:
            yield Change(place, "removed", old, None)
        elif not same(old, new):
            yield from _between(place, old, new)


def _parts(before: Any, after: Any) -> dict[str | int, tuple[Any, Any]] | None:  # noqa: ANN401  any values
    """Pair the parts of two values that both have parts."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return {name: (before.get(name, _ABSENT), after.get(name, _ABSENT)) for name in {**before, **after}}
    if isinstance(before, list) and isinstance(after, list):
        longest = max(len(before), len(after))
        return {n: (_item(before, n), _item(after, n)) for n in range(longest)}
    return None


def _item(values: list[Any], number: int) -> Any:  # noqa: ANN401  any value
    return values[number] if number < len(values) else _ABSENT


def _is_number(value: object) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)
