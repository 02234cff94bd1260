"""Acts: what one event does to the columns of a row, on values that are computed already.

The same few rules are written once more in ``static/replay/fold.js``, so that a page replays without Python; a test
holds the two side by side, and this one beside `state_at`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Final

from esanalytics.analysis._changes import Row, same
from esanalytics.errors import EngineError
from esanalytics.projections import cast

__all__ = ["DELETE", "Act", "Acts", "Column", "Values", "acted", "begun", "fitting", "shown"]

DELETE: Final = "delete"
"""The acts of an event that ends the entity."""

Act = tuple[int, str, Any]
"""The number of a column, the kind of assignment, and its value."""

Acts = str | list[Act] | None
"""What an event does: acts; `DELETE`; None: it has no part in the fold."""

Values = list[Any]
"""The values of a row in the order of the columns, lists as `Grown`."""

_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the row.

    Attributes:
        name: its name.
        type: its DuckDB type.
        family: ``add``, ``min``, ``max``, ``first``, ``list``, or None where it is only set.
    """

    name: str
    type: str
    family: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """The first ``size`` of some items: lists that grow one after the other share what they have in common."""

    items: list[Any]
    size: int

    def and_(self, item: Any) -> Grown:  # noqa: ANN401  a value of the column
        """Return these items and one more."""
        if self.size == len(self.items):
            self.items.append(item)
            return Grown(self.items, self.size + 1)
        return Grown([*self.items[: self.size], item], self.size + 1)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items[: self.size])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grown) or self.size != other.size:
            return False
        return self.items is other.items or all(map(same, self, other))

    def __hash__(self) -> int:
        return hash(self.size)


def begun(columns: Sequence[Column]) -> Values:
    """Return the values of a row at its beginning."""
    return [_START[column.family or ""](column.type) for column in columns]


def acted(columns: Sequence[Column], before: Values | None, acts: Acts) -> Values | None:
    """Return the values after an event; ``before`` is left as it is."""
    if acts is None:
        return before
    if isinstance(acts, str):
        return None
    values = begun(columns) if before is None else before.copy()
    for number, kind, value in acts:
        values[number] = _KINDS[kind](values[number], value, columns[number].type)
    return values


def shown(columns: Sequence[Column], values: Values | None) -> Row:
    """Return values as a row of the state."""
    if values is None:
        return None
    return {column.name: _copied(value) for column, value in zip(columns, values, strict=True)}


def fitting(columns: Sequence[Column], row: Row) -> Row:
    """Return a row whose sums fit the types of their columns.

    Raises:
        EngineError: one does not; the engine, asked for this state, has no answer either.
    """
    for column in columns if row else ():
        value = None if row is None or column.family != "add" else row[column.name]
        if isinstance(value, int | Decimal) and cast(value, column.type) is None:
            remedy = "give the field as a DOUBLE, or look at what is added"
            raise EngineError(f"the sum {column.name!r} is {value}, which does not fit into {column.type}; {remedy}")
    return row


def _copied(value: Any) -> Any:  # noqa: ANN401  a value of a column
    """Return a value that shares no list and no object with the one given."""
    if isinstance(value, Grown | list):
        return [_copied(part) if isinstance(part, list | dict) else part for part in value]
    return {name: _copied(part) for name, part in value.items()} if isinstance(value, dict) else value


def _set(_: Any, value: Any, type_: str) -> Any:  # noqa: ANN401  values of the column
    if isinstance(value, list) and type_.endswith("[]"):
        return Grown(list(value), len(value))
    return value


def _keep(before: Any, value: Any, type_: str) -> Any:  # noqa: ANN401
    return before if value is None else _set(before, value, type_)


def _add(before: Any, value: Any, _: str) -> Any:  # noqa: ANN401
    if value is None:
        return before
    start = 0 if before is None else before
    return _EXACT.add(start, value) if isinstance(value, Decimal) else start + value


def _first(before: Any, value: Any, _: str) -> Any:  # noqa: ANN401
    return value if before is None else before


def _append(before: Any, value: Any, _: str) -> Any:  # noqa: ANN401
    return before if value is None else (before or Grown([], 0)).and_(value)


def _remove(before: Any, value: Any, _: str) -> Any:  # noqa: ANN401
    if value is None or before is None:
        return before
    kept = [item for item in before if item is None or not _equal(item, value)]
    return Grown(kept, len(kept)) if len(kept) < before.size else before


def _equal(one: Any, other: Any) -> bool:  # noqa: ANN401
    """Tell whether two values are equal, NaN like NaN, as in DuckDB."""
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124  true of NaN alone


def _extreme(choose: Callable[..., Any]) -> Callable[[Any, Any, str], Any]:
    def chosen(before: Any, value: Any, _: str) -> Any:  # noqa: ANN401
        return choose((x for x in (before, value) if x is not None), default=None, key=_rank)

    return chosen


def _rank(value: Any) -> Any:  # noqa: ANN401
    """Put NaN above all numbers, as DuckDB does."""
    return (value != value, value) if isinstance(value, float) else (False, value)  # noqa: PLR0124  true of NaN alone


_START: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("", "min", "max", "first"), lambda _: None),
    "add": lambda type_: cast(0, type_),
    "list": lambda _: Grown([], 0),
}

_KINDS: Mapping[str, Callable[[Any, Any, str], Any]] = {
    "set": _set,
    "present": _set,
    "keep": _keep,
    "add": _add,
    "min": _extreme(min),
    "max": _extreme(max),
    "first": _first,
    "append": _append,
    "remove": _remove,
}
