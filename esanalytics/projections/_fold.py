"""The reference fold: what a projection means, in plain Python.

It is the definition. The query that `compile_fold` makes must give the same rows, and a test holds them
side by side over generated projections and logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from esanalytics.errors import UnsupportedError
from esanalytics.events import LOWEST_VERSION
from esanalytics.projections._assignments import Delete
from esanalytics.projections._cast import cast
from esanalytics.projections._evaluate import evaluate, lookup
from esanalytics.projections._plan import Case, Column, Plan, Step, plan_of
from esanalytics.projections._projection import Projection, paths
from esanalytics.projections._types import Held, type_of

__all__ = ["fold", "held_by"]

Event = Mapping[str, Any]


def fold(
    projection: Projection, events: Iterable[Event], types: Held | None = None
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Fold events into rows, one per key, without an engine.

    Args:
        projection: what to fold.
        events: the envelope's columns and ``effective_at``, with ``data`` a dict, in any order.
        types: the types the log holds; None: those of these events.

    Returns:
        key -> column -> value.

    Raises:
        CompileError: the types do not allow what the projection says.

    Example:
        >>> from esanalytics.projections import add, field
        >>> sums = Projection("sums", "stream_id", {"Paid": {"total": add(field("amount"))}})
        >>> stream = {"type": "Paid", "service": "s", "stream_id": "a", "effective_at": 1, "version": None}
        >>> paid = [{**stream, "position": n, "data": {"amount": amount}} for n, amount in ((1, 5), (2, 7))]
        >>> fold(sums, paid)
        {('a',): {'total': 12}}
    """
    ordered = sorted(events, key=_order)
    plan = plan_of(projection, held_by(projection, ordered) if types is None else types)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for event in ordered:
        key = tuple(evaluate(value, event) for value in plan.keys.values())
        number, case = _case(plan, event)
        if None in key or case.rule is None:
            continue
        if isinstance(case.rule, Delete):
            rows.pop(key, None)
            continue
        row = rows.setdefault(key, {column.name: _start(column) for column in plan.columns})
        for column in plan.columns:
            row[column.name] = _stepped(column, number, row[column.name], event)
    return rows


def held_by(projection: Projection, events: Iterable[Event]) -> Held:
    """Find the types that events hold at the paths of a projection."""
    found: dict[tuple[str, ...], dict[str | None, frozenset[str]]] = {path: {} for path in paths(projection)}
    for event in events:
        for path, by_type in found.items():
            value = lookup(event["data"], path)
            if value is not None:
                by_type[event["type"]] = by_type.get(event["type"], frozenset()) | {_type_of(value)}
    return {path: _together(by_type) for path, by_type in found.items()}


def _together(by_type: Mapping[str | None, frozenset[str]]) -> Mapping[str | None, frozenset[str]]:
    """Where all values are of one type, do not tell the types of events apart."""
    types = frozenset().union(*by_type.values())
    return by_type if len(types) > 1 else {None: types}


def _order(event: Event) -> tuple[Any, int, int]:
    return (
        event["effective_at"],
        LOWEST_VERSION if event["version"] is None else event["version"],
        event["position"],
    )


def _case(plan: Plan, event: Event) -> tuple[int, Case]:
    wanted = ((event["service"], event["type"]), (None, event["type"]), (None, None))
    by_kind = {(case.service, case.type): (n, case) for n, case in enumerate(plan.cases)}
    return next(by_kind[kind] for kind in wanted if kind in by_kind)


def _start(column: Column) -> Any:  # noqa: ANN401  a value of the column
    return {"add": cast(0, column.type), "list": []}.get(column.family or "")


def _stepped(column: Column, case: int, before: Any, event: Event) -> Any:  # noqa: ANN401  values of the column
    for step in column.steps:
        if step.case == case:
            return _STEPS[step.kind](before, evaluate(step.value, event), event, step, column)
    return before


def _set(before: Any, value: Any, event: Event, step: Step, column: Column) -> Any:  # noqa: ANN401, ARG001
    return cast(value, column.type)


def _keep(before: Any, value: Any, event: Event, step: Step, column: Column) -> Any:  # noqa: ANN401, ARG001
    return before if value is None else cast(value, column.type)


def _present(before: Any, value: Any, event: Event, step: Step, column: Column) -> Any:  # noqa: ANN401
    return cast(value, column.type) if step.test is not None and evaluate(step.test, event) else before


def _add(before: Any, value: Any, event: Event, step: Step, column: Column) -> Any:  # noqa: ANN401, ARG001
    return before if value is None else cast((0 if before is None else before) + value, column.type)


def _min(before: Any, value: Any, *_: object) -> Any:  # noqa: ANN401
    return min((x for x in (before, value) if x is not None), default=None)


def _max(before: Any, value: Any, *_: object) -> Any:  # noqa: ANN401
    return max((x for x in (before, value) if x is not None), default=None)


def _first(before: Any, value: Any, *_: object) -> Any:  # noqa: ANN401
    return value if before is None else before


def _append(before: Any, value: Any, *_: object) -> Any:  # noqa: ANN401
    return before if value is None else [*(before or []), value]


def _remove(before: Any, value: Any, *_: object) -> Any:  # noqa: ANN401
    return before if value is None or before is None else [x for x in before if x is None or x != value]


_STEPS: Mapping[str, Callable[..., Any]] = {
    "set": _set,
    "keep": _keep,
    "present": _present,
    "add": _add,
    "min": _min,
    "max": _max,
    "first": _first,
    "append": _append,
    "remove": _remove,
}


def _type_of(value: object) -> str:
    found = type_of(value) or next((name for kind, name in _NESTED if isinstance(value, kind)), None)
    if found is None:
        what = f"a payload value of type {type(value).__name__}"
        raise UnsupportedError(what, "give what JSON has, Decimal, datetime, date or bytes")
    return found


_NESTED: tuple[tuple[type, str], ...] = ((dict, "OBJECT"), (list, "ARRAY"), (bytes, "BLOB"))
