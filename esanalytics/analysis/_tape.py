"""A tape: the events of one entity in the order of a fold, each with what it assigns to the columns of the row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.analysis._acts import DELETE, Acts, Column
from esanalytics.analysis._chosen import occurs
from esanalytics.analysis._places import place_of
from esanalytics.engines import Result
from esanalytics.events import sorting
from esanalytics.projections import Projection, SettledPlan, deleting, live, moves, scalar
from esanalytics.store import Log, result
from esanalytics.timetravel import Compiled, Views, compiled

__all__ = ["Events", "Tape", "belonging", "events_of", "matching", "payloads_of", "reducer_tape", "tape_of"]

_TEXTS = ("event_id", "service", "stream_id", "type", "correlation_id", "causation_id")
_BLOCK = 1_024
_ORDER = ("effective_at", "version", "position")
_INSTANTS = ("effective_at", "occurred_at", "recorded_at")


class Events:
    """The envelopes of some events, in the order of a fold.

    Args:
        table: one row per event: the envelope's columns but the payload; instants as microseconds since 1970.
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def instants(self, name: str) -> npt.NDArray[np.int64]:
        """Return an instant of each event as microseconds since 1970."""
        return np.asarray(self.table[name].to_numpy(), np.int64)

    @cached_property
    def ids(self) -> list[str]:
        """The ids of the events."""
        found: list[str] = self.table["event_id"].to_pylist()
        return found

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """The number of the row, from 0, by the id of its event."""
        return {event_id: row for row, event_id in enumerate(self.ids)}

    def names(self, column: str) -> list[str]:
        """Return a column of texts, repeated texts being one object."""
        found = self.table[column].combine_chunks().dictionary_encode()
        names = found.dictionary.to_pylist()
        return [names[code] for code in found.indices.to_pylist()]

    def row(self, number: int) -> dict[str, Any]:
        """Return the envelope of one event."""
        found: dict[str, Any] = self.table.slice(number, 1).to_pylist()[0]
        return found

    @property
    def skewed(self) -> bool:
        """Whether an event counts at another time than it says: the clock of its stream ran backwards."""
        return bool((self.instants("effective_at") != self.instants("occurred_at")).any())


Rule = Callable[[Mapping[str, Any]], Acts]
"""Makes the acts of an event out of the values computed for it."""


@dataclass(frozen=True)
class Tape:
    """The events of one entity, and what each does.

    Attributes:
        events: their envelopes.
        columns: of the row.
        acts: by row of ``events``, what the event does; None: it has no part in the fold.
    """

    events: Events
    columns: tuple[Column, ...]
    acts: Sequence[Acts]


def tape_of(log: Log, projection: Projection, key: Any) -> Tape:  # noqa: ANN401  a value of the key's type
    """Read the tape of one entity.

    Raises:
        CompileError: the types in the log do not allow what the projection says.
        ProjectionError: ``key`` does not have a value for each key column.
    """
    found = compiled(log, projection, key)
    events = events_of(found.narrowed(), belonging(found))
    columns = tuple(Column(column.name, column.type, column.family) for column in found.plan.columns)
    return Tape(events, columns, _acts(found, events))


def events_of(log: Log, conditions: Sequence[exp.Expr] = ()) -> Events:
    """Read the envelopes of the events of a view for which some conditions hold."""
    views = Views()
    relation, _ = views.add(log)
    columns = [
        *(sql.column(name) for name in (*_TEXTS, "version", "schema_version", "position")),
        *(sql.alias(sql.function("epoch_us", sql.column(name)), name) for name in _INSTANTS),
    ]
    query = exp.select(*columns, copy=False).from_(sql.named_source(relation, "events"), copy=False)
    query = query.where(*conditions, copy=False).order_by(*sorting(by_place=False), copy=False)
    return Events(result(log, lambda: views.plan(query)).arrow())


def payloads_of(log: Log, events: Events, rows: Sequence[int]) -> dict[int, tuple[str, str | None]]:
    """Read the payload and the metadata of some events as JSON text, by row."""
    wanted = events.table.take(list(rows))
    views = Views()
    relation, _ = views.add(log)
    columns = [sql.column("event_id"), *(sql.alias(_text_of(name), name) for name in ("data", "metadata"))]
    query = exp.select(*columns, copy=False).from_(sql.named_source(relation, "events"), copy=False)
    query = query.where(sql.is_in(sql.column("position"), wanted["position"].to_pylist()), copy=False)
    found = {row["event_id"]: row for row in result(log, lambda: views.plan(query)).arrow().to_pylist()}
    texts = {row: found.get(event_id, {}) for row, event_id in zip(rows, wanted["event_id"].to_pylist(), strict=True)}
    return {row: (text.get("data") or "null", text.get("metadata")) for row, text in texts.items()}


def _text_of(name: str) -> exp.Expr:
    return sql.cast(sql.cast(sql.column(name), "JSON"), "VARCHAR")


def belonging(found: Compiled) -> list[exp.Expr]:
    """Write the conditions that an event is of the entity, whether or not the projection names its type."""
    whole = [exp.Not(this=exp.Is(this=scalar(value), expression=exp.Null())) for value in found.plan.keys.values()]
    return [*found.pinned(), *whole]


class _Reading(Sequence[Acts]):
    """Acts that are made when somebody looks at them, a block at a time.

    Args:
        rules: by case, what makes the acts out of the computed values.
        chosen: the case of each row.
        values: the computed values of the rows that have a part in the fold, in order.
        parts: whether a row has one.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        chosen: npt.NDArray[np.int64],
        values: pa.Table,
        parts: npt.NDArray[np.bool_],
    ) -> None:
        self._rules = rules
        self._chosen = chosen
        self._values = values
        self._parts = parts
        self._before = np.concatenate([[0], np.cumsum(parts)])
        self._blocks: dict[int, list[Acts]] = {}

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, row: Any) -> Any:  # noqa: ANN401  an int; slices are not needed
        number, place = divmod(row, _BLOCK)
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = self._block(number * _BLOCK, min(len(self), (number + 1) * _BLOCK))
        return block[place]

    def _block(self, first: int, last: int) -> list[Acts]:
        begin, end = int(self._before[first]), int(self._before[last])
        values = iter(self._values.slice(begin, end - begin).to_pylist())
        cases, parts = self._chosen[first:last].tolist(), self._parts[first:last].tolist()
        return [self._rules[case](next(values)) if part else None for case, part in zip(cases, parts, strict=True)]


def _acts(found: Compiled, events: Events) -> Sequence[Acts]:
    """Say for each event what it does."""
    rules = _rules(found.moved)
    choose = _chooser(found.plan)
    names = [events.table[name].combine_chunks().dictionary_encode() for name in ("service", "type")]
    services, types = (column.dictionary.to_pylist() for column in names)
    cases = np.array([[choose(service, type_) for type_ in types] for service in services], np.int64)
    codes = [column.indices.to_numpy() for column in names]
    chosen = cases[codes[0], codes[1]] if len(events) else np.zeros(0, np.int64)
    parts = np.isin(chosen, list(live(found.moved) | deleting(found.moved)))
    values, exact = _values(found)
    if exact:
        return _Reading(rules, chosen, values.arrow(), parts)
    rest = iter(sorted(values, key=lambda row: place_of(*(row[name] for name in _ORDER))))
    return [rules[case](next(rest)) if part else None for case, part in zip(chosen.tolist(), parts, strict=True)]


def _chooser(plan: SettledPlan) -> Callable[[str, str], int]:
    """Return what gives the number of an event's case."""
    numbers = {(case.service, case.type): number for number, case in enumerate(plan.cases)}
    last = len(plan.cases) - 1

    def choose(service: str, type_: str) -> int:
        return numbers.get((service, type_), numbers.get((None, type_), last))

    return choose


def _rules(moved: SettledPlan) -> list[Rule]:
    """Return for each case what makes the acts out of the computed values."""
    return [_rule(moved, number) for number in range(len(moved.cases))]


def _rule(moved: SettledPlan, number: int) -> Rule:
    if number in deleting(moved):
        return lambda _: DELETE
    steps = [(n, step) for n, column in enumerate(moved.columns) for step in column.steps if step.case == number]
    tests = [None if step.test is None else step.test.args[0] for _, step in steps]
    plain = [(n, step.kind, step.value.op == "constant", step.value.args[0]) for n, step in steps]

    def made(values: Mapping[str, Any]) -> Acts:
        return [
            (n, kind, value if constant else values[value])
            for (n, kind, constant, value), test in zip(plain, tests, strict=True)
            if test is None or values[test]
        ]

    return made


def _values(found: Compiled) -> tuple[Result, bool]:
    """Ask for the values computed for the rows that have a part in the fold.

    In order, where none is VARIANT, and Arrow holds them. DuckDB 2.0 may damage what it sorts beside values read out of
    a VARIANT that was shredded as another type: those come as they are found, with what they are sorted by.
    """
    views = Views()
    relation, _ = views.add(found.narrowed())
    query = moves(found.plan, relation, found.pinned())
    names = [name for name in query.named_selects if name.startswith("$value")] or ["position"]
    types = {step.value.type for column in found.plan.columns for step in column.steps}
    exact = not any("VARIANT" in type_ for type_ in types)
    columns = [sql.column(name) for name in dict.fromkeys(names if exact else [*names, *_ORDER])]
    query = exp.select(*columns, copy=False).from_(query.subquery("moves", copy=False), copy=False)
    query = query.order_by(*sorting(by_place=False), copy=False) if exact else query
    return result(found.log, lambda: views.plan(query)), exact


def reducer_tape(log: Log) -> Tape:
    """Read the tape of a stream that a Python function folds: what an event does, the function knows."""
    events = events_of(log)
    return Tape(events, (), [None] * len(events))


def matching(log: Log, text: str, conditions: Sequence[exp.Expr] = ()) -> set[str]:
    """Return the ids of the events that have a text in their id, type, stream or payload, whatever the case."""
    views = Views()
    relation, _ = views.add(log.where(occurs(text)))
    query = exp.select(sql.column("event_id"), copy=False).from_(sql.named_source(relation, "events"), copy=False)
    query = query.where(*conditions, copy=False) if conditions else query
    return set(result(log, lambda: views.plan(query)).arrow()["event_id"].to_pylist())
