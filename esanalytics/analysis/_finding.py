"""Finding the next step of a replay at which something is."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from esanalytics._instants import instant
from esanalytics.analysis._branch import Branch
from esanalytics.analysis._changes import Row, same
from esanalytics.analysis._places import micros
from esanalytics.timetravel import nearest_names

if TYPE_CHECKING:
    from esanalytics.analysis._session import ReplaySession

__all__ = ["Wanted", "find", "is_failure"]

Wanted = Literal["field", "type", "failure", "text", "id", "instant"]

_FAILURE = re.compile(
    r"fail|error|reject|declin|cancel|refus|abort|time[d_ ]?_?out|expir|denied|crash|exception|chargeback",
    re.IGNORECASE,
)


def is_failure(type_: str) -> bool:
    """Tell whether the name of a type of event says that something failed."""
    return _FAILURE.search(type_) is not None


def find(session: ReplaySession, what: Wanted, value: Any, start: int, *, back: bool) -> int | None:  # noqa: ANN401
    """Return the next step at which something is; see `ReplaySession.find`.

    Raises:
        ValueError: nothing can be looked for like this.
    """
    if what == "instant":
        return int(np.searchsorted(session.branch.instants, micros(instant(value)), "right"))
    if what not in _FINDERS:
        raise ValueError(f"cannot find {what!r}; {nearest_names(str(what), get_args(Wanted))}")
    steps = _FINDERS[what](session, value)
    place = bisect_left(steps, start) - 1 if back else bisect_right(steps, start)
    return steps[place] if 0 <= place < len(steps) else None


def _field(session: ReplaySession, value: Any) -> Sequence[int]:  # noqa: ANN401
    branch = session.branch
    if value in branch.changed:
        return branch.changed[value]
    column, *rest = str(value).split(".")
    if rest and column in branch.changed:
        return [step for step in branch.changed[column] if not same(*_around(branch, step, (column, *rest)))]
    known = [each.name for each in branch.columns] or branch.fields()
    if column in known:
        return ()
    raise ValueError(f"no field {value!r}; {nearest_names(column, known)}")


def _around(branch: Branch, step: int, path: Sequence[str]) -> tuple[Any, Any]:
    return _looked_up(branch.state(step - 1), path), _looked_up(branch.state(step), path)


def _looked_up(row: Row, path: Sequence[str]) -> Any:  # noqa: ANN401  any value
    found: Any = row
    for name in path:
        if isinstance(found, list) and name.isdigit():
            found = found[int(name)] if int(name) < len(found) else None
        else:
            found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _type(session: ReplaySession, value: Any) -> Sequence[int]:  # noqa: ANN401
    return [row + 1 for row, type_ in enumerate(session.branch.types) if type_ == value]


def _failure(session: ReplaySession, _: Any) -> Sequence[int]:  # noqa: ANN401
    branch = session.branch
    session.state(len(session))
    return [row + 1 for row, type_ in enumerate(branch.types) if is_failure(type_) or branch.error(row) is not None]


def _text(session: ReplaySession, value: Any) -> Sequence[int]:  # noqa: ANN401
    found = session.matching(str(value)) if str(value) else ()
    return sorted(session.branch.row_of[event_id] + 1 for event_id in found if event_id in session.branch.row_of)


def _id(session: ReplaySession, value: Any) -> Sequence[int]:  # noqa: ANN401
    rows = session.branch.row_of
    if value in rows:
        return [rows[value] + 1]
    return [row + 1 for event_id, row in rows.items() if event_id.startswith(str(value))]


_FINDERS: Mapping[str, Callable[[ReplaySession, Any], Sequence[int]]] = {
    "field": _field,
    "type": _type,
    "failure": _failure,
    "text": _text,
    "id": _id,
}
