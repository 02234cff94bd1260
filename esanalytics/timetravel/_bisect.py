"""Bisect: the first event after which something holds."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import duckdb
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import Instant, iso
from esanalytics.engines import Result, aggregates_in, is_aggregate
from esanalytics.engines import predicate as condition
from esanalytics.errors import CompileError, EngineError, ProjectionError
from esanalytics.store import Log, Store, engine_of, result
from esanalytics.timetravel._by_sql import BySql
from esanalytics.timetravel._definitions import MARKS, Settled, Table, in_order
from esanalytics.timetravel._naming import nearest_names
from esanalytics.timetravel._settling import Definition, bounded, checked, settled
from esanalytics.timetravel._turning import around, first_of_cuts, first_of_whole
from esanalytics.timetravel._views import Views

__all__ = ["Bisection", "bisect"]

Row = Mapping[str, Any]
Predicate = str | Callable[[dict[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Bisection:
    """The first event after which a predicate holds; false where it never does.

    Attributes:
        predicate: as it was asked.
        event: the event, with the columns of ``events``; None: never.
        key: the key's columns of the row that the event changed; empty where that is not known.
        before: that row before the event; None where there was none.
        after: that row after it; None where there is none any more.
        aggregates: of a predicate about the whole state, what its aggregates were ``before`` the event and ``after``
            it, by their texts.
    """

    predicate: str
    event: dict[str, Any] | None = None
    key: Row | None = None
    before: Row | None = None
    after: Row | None = None
    aggregates: Mapping[str, Row] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.event is not None

    def __repr__(self) -> str:
        if self.event is None:
            return f"never: {self.predicate}"
        lines = [f"{self.predicate}: first after {_named(self.event)}"]
        lines += [f"  {text}: {_short(old)} -> {_short(new)}" for text, old, new in _pairs(self.aggregates)]
        lines += [f"  {name}: {_short(old)} -> {_short(new)}" for name, old, new in _changes(self.before, self.after)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        if self.event is None:
            return f"<p><b>never:</b> <code>{html.escape(self.predicate)}</code></p>"
        cells = (
            "".join(f"<td>{html.escape(str(cell))}</td>" for cell in (name, _short(old), _short(new)))
            for name, old, new in [*_pairs(self.aggregates), *_changes(self.before, self.after)]
        )
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        head = "<tr><th>column</th><th>before</th><th>after</th></tr>"
        title = f"<code>{html.escape(self.predicate)}</code>: first after {html.escape(_named(self.event))}"
        return f"<p>{title}</p><table><thead>{head}</thead><tbody>{body}</tbody></table>"


def bisect(
    log: Store | Log,
    projection: Definition,
    predicate: Predicate,
    *,
    key: Any = None,  # noqa: ANN401  a value of the key's type
    at: Instant | None = None,
    known_at: Instant | None = None,
) -> Bisection:
    """Find the first event, in the order of events, after which a predicate holds.

    A predicate about a row, such as ``"total < 0"`` or a Python function of a dict, is looked for in any row. One with
    an aggregate, such as ``"sum(total) < 0"``, is about the whole state. Both are asked after each event, also after
    those of one instant, so the answer is the first event; but with aggregates other than ``sum``, ``count`` and
    ``avg`` of exact numbers, and for an `SqlProjection`, it is found by bisection: it is the first one if the
    predicate, once true, stays so, and else one at which it became true.

    Args:
        log: a store, or any view of one.
        projection: what is folded.
        predicate: a boolean DuckDB expression over the state's columns, or a function that takes a row and returns a
            bool.
        key: look at this key only; a tuple where the key has several columns.
        at: only events up to and including this instant.
        known_at: only what was recorded up to and including this instant.

    Returns:
        The event, the row that it changed before and after it; false, and ``never`` when shown, where there is none.

    Raises:
        CompileError: there is no such column, the predicate is not boolean, or the types in the log do not allow what
            the projection says.
        ProjectionError: ``key`` does not have a value for each key column, or the function does not return a bool.
        UnsupportedError: the predicate reads something else than the state, or is a function asked of an
            `SqlProjection`.
        ValueError: the text is no condition.

    Example:
        >>> ea.bisect(store, orders, "balance < 0")  # doctest: +SKIP
    """
    definition = checked(projection)
    seen = bounded(log, at, known_at)
    found = settled(seen, definition, key)
    if not isinstance(predicate, str) and not callable(predicate):
        raise TypeError(f"not a predicate: {predicate!r}; give a condition such as 'total < 0', or a function of a row")
    if not isinstance(predicate, str):
        return _by_function(seen, definition, found, predicate)
    question = _Question(seen, definition, predicate, _tree(seen, predicate))
    if isinstance(found, BySql):
        return question.of_query(found)
    return question.of_versions(found)


@dataclass(frozen=True, slots=True)
class _Question:
    """A predicate as SQL, and what it is asked of."""

    log: Log
    definition: Definition
    text: str
    tree: exp.Expr

    def of_versions(self, found: Settled) -> Bisection:
        views = Views()
        table = found.versions(views)
        if self._is_empty(table, views):
            return Bisection(self.text)
        self._check(table, views)
        row: Row | None
        if is_aggregate(self.tree):
            row = first_of_whole(self.log, table, views, self.tree)
        else:
            live = (
                exp.select(exp.Star(), copy=False)
                .from_(table.tree.subquery("state", copy=False), copy=False)
                .where(sql.column("$live"), self.tree, copy=False)
            )
            row = _first(result(self.log, lambda: views.plan(_in_order(live).limit(1, copy=False))))
        if row is None:
            return Bisection(self.text)
        found_row = _found(self.log, self.definition, self.text, table, row)
        return (
            replace(found_row, aggregates=self._aggregates(found, found_row.event or {}))
            if is_aggregate(self.tree)
            else found_row
        )

    def of_query(self, found: BySql) -> Bisection:
        views = Views()
        table = found.state(views)
        self._check(table, views)
        whole = is_aggregate(self.tree)
        cut = first_of_cuts(self.log, lambda log: self._holding(log, found, whole=whole))
        if cut is None:
            return Bisection(self.text)
        event, (before, after) = cut.event, (self._holding(log, found, whole=whole) for log in (cut.before, cut.after))
        if after is None or whole:
            return Bisection(self.text, event, {}, aggregates=self._aggregates(found, event))
        key = {name: after[name] for name in found.keys}
        old = settled(cut.before, self.definition, tuple(key.values())).state(rows := Views())
        before = _first(result(cut.before, lambda: rows.plan(old.tree)))
        return Bisection(self.text, event, key, before, after)

    def _aggregates(self, found: Settled, event: Row) -> dict[str, Row]:
        """Ask for the predicate's aggregates before an event and after it."""
        asked = {sql.text(call): call for call in aggregates_in(self.tree)}
        sides = []
        for log in around(self.log, event):
            views = Views()
            state = settled(log, self.definition, found.key).state(views).tree.subquery("state")
            values = [sql.alias(call.copy(), f"v{n}") for n, call in enumerate(asked.values())]
            query = exp.select(*values, copy=False).from_(state, copy=False)
            sides.append(list((_first(result(log, partial(views.plan, query))) or {}).values()))
        return {text: {"before": old, "after": new} for text, old, new in zip(asked, *sides, strict=True)}

    def _is_empty(self, table: Table, views: Views) -> bool:
        """Tell whether no event has part in the state: then nothing is known of its columns."""
        any_row = exp.select(sql.literal(1), copy=False).from_(table.tree.subquery("state", copy=False), copy=False)
        return not result(self.log, lambda: views.plan(any_row.limit(1, copy=False))).head(1)

    def _holding(self, log: Log, found: BySql, *, whole: bool) -> Row | None:
        """Give a row of the state for which the predicate holds."""
        views = Views()
        table = settled(log, self.definition, found.key).state(views).tree.subquery("state", copy=False)
        if whole:
            asked = exp.select(sql.alias(self.tree.copy(), "holds"), copy=False).from_(table, copy=False)
            row = _first(result(log, lambda: views.plan(asked)))
            return row if row is not None and row["holds"] else None
        rows = (
            exp.select(exp.Star(), copy=False)
            .from_(table, copy=False)
            .where(self.tree.copy(), copy=False)
            .limit(1, copy=False)
        )
        return _first(result(log, lambda: views.plan(rows)))

    def _check(self, table: Table, views: Views) -> None:
        """Check that the predicate is boolean and names what there is."""
        if self.tree.find(exp.Window, exp.Placeholder, exp.Parameter):
            reason = f"the predicate {self.text!r} has a window or a parameter in it"
            raise CompileError(self.definition.name, reason, "ask about the columns of a row, or about all rows")
        asked = exp.select(sql.alias(self.tree.copy(), "holds"), copy=False).from_(
            table.tree.subquery("state", copy=False), copy=False
        )
        try:
            type_ = result(self.log, lambda: views.plan(asked)).types["holds"]
        except EngineError as error:
            if not isinstance(error.__cause__, duckdb.BinderException):
                raise
            raise _unknown(self.definition.name, self.tree, table) or CompileError(
                self.definition.name, f"the predicate cannot be asked ({error})"
            ) from error
        if type_ != "BOOLEAN":
            reason = f"the predicate {self.text!r} is no condition, but a value of type {type_}"
            raise CompileError(self.definition.name, reason, "compare it with something")


def _tree(log: Log, text: str) -> exp.Expr:
    return condition(engine_of(log), text, ())


def _unknown(name: str, tree: exp.Expr, table: Table) -> CompileError | None:
    known = {column.lower(): column for column in (*table.keys, *table.columns)}
    wanted = next((c.parts[0].name for c in tree.find_all(exp.Column) if c.parts[0].name.lower() not in known), None)
    if wanted is None:
        return None
    reason = f"the predicate names {wanted!r}, which is no column"
    return CompileError(name, reason, nearest_names(wanted, [*known.values()]))


def _by_function(
    log: Log, definition: Definition, found: Settled, holds: Callable[[dict[str, Any]], bool]
) -> Bisection:
    """Ask a Python function about every version, in order."""
    views = Views()
    table = found.versions(views)
    name = getattr(holds, "__name__", repr(holds))
    live = (
        exp.select(exp.Star(), copy=False)
        .from_(table.tree.subquery("state", copy=False), copy=False)
        .where(sql.column("$live"), copy=False)
    )
    for row in result(log, lambda: views.plan(_in_order(live))):
        answer = holds({column: row[column] for column in (*table.keys, *table.columns)})
        if not isinstance(answer, bool) and type(answer).__name__ not in ("bool", "bool_"):
            reason = f"the predicate {name} gave {answer!r} for a row"
            raise ProjectionError(definition.name, reason, "return True or False")
        if answer:
            return _found(log, definition, name, table, row)
    return Bisection(name)


def _found(log: Log, definition: Definition, text: str, table: Table, row: Row) -> Bisection:
    key = {name: row[name] for name in table.keys}
    before, after = _around(log, definition, tuple(key.values()), row)
    return Bisection(text, _event(log, row), key, before, after)


def _around(log: Log, definition: Definition, key: tuple[Any, ...], row: Row) -> tuple[Row | None, Row | None]:
    """Give a row before and after an event of its key."""
    views = Views()
    versions = settled(log, definition, key).versions(views)
    last: Row | None = None
    for found in result(
        log,
        lambda: views.plan(
            _in_order(exp.select(exp.Star(), copy=False).from_(versions.tree.subquery("state", copy=False), copy=False))
        ),
    ):
        if (found["$position"], found["$event_id"]) == (row["$position"], row["$event_id"]):
            return _shown(last), _shown(found)
        last = found
    return _shown(last), None


def _shown(row: Row | None) -> Row | None:
    if row is None or not row["$live"]:
        return None
    return {name: value for name, value in row.items() if name not in MARKS}


def _event(log: Log, row: Row) -> dict[str, Any]:
    found = log.sql("SELECT * FROM events WHERE position = ? AND event_id = ?", [row["$position"], row["$event_id"]])
    return found.head(1)[0]


def _in_order(select: exp.Select) -> exp.Select:
    return select.order_by(*in_order(), copy=False)


def _first(found: Result) -> Row | None:
    return next(iter(found), None)


def _named(event: Mapping[str, Any]) -> str:
    where = f"stream {event['stream_id']!r} of service {event['service']!r}"
    when = iso(event["effective_at"])
    return f"{event['type']} {event['event_id']!r} (position {event['position']}) of {where} at {when}"


def _changes(before: Row | None, after: Row | None) -> list[tuple[str, Any, Any]]:
    names = list(dict.fromkeys([*(before or {}), *(after or {})]))
    pairs = [(name, (before or {}).get(name), (after or {}).get(name)) for name in names]
    return [(name, old, new) for name, old, new in pairs if old != new]


def _pairs(values: Mapping[str, Row]) -> list[tuple[str, Any, Any]]:
    return [(text, value["before"], value["after"]) for text, value in values.items()]


def _short(value: Any, length: int = 80) -> str:  # noqa: ANN401  any value of any column
    text = "NULL" if value is None else str(value)
    return text if len(text) <= length else text[: length - 1] + "…"
