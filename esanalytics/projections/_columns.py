"""One column as an aggregate expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.projections._assignments import SETTERS
from esanalytics.projections._cases import condition
from esanalytics.projections._plan import Case, Column, Step
from esanalytics.projections._scalars import scalar
from esanalytics.projections._typed import Typed

__all__ = ["NUMBER", "Frame", "column_value", "effective", "given", "joined_value"]

NUMBER = "$number"
"""The column by which a running list tells what came first: the number of an event among those of its key."""

Tree = exp.Expr


@dataclass(frozen=True, slots=True)
class Frame:
    """The query a column stands in.

    Attributes:
        cases: the plan's.
        scope: the cases whose events the query reads.
        order: the order of events.
        over: the window of each event: what came before it, and itself; None: the query groups.
    """

    cases: tuple[Case, ...]
    scope: frozenset[int]
    order: Tree
    over: Callable[[Tree], Tree] | None = None

    def only(self, chosen: AbstractSet[int]) -> Tree | None:
        """Write the condition that an event the query reads is of a chosen case; None where it always is."""
        return None if self.scope <= chosen else condition(self.cases, chosen)

    def filtered(self, aggregate: Tree, *conditions: Tree | None) -> Tree:
        """Restrict an aggregate to events for which all conditions hold, and to the window."""
        found = sql.all_of(part.copy() for part in conditions if part is not None)
        kept = aggregate if found is None else exp.Filter(this=aggregate, expression=exp.Where(this=found))
        return kept if self.over is None else self.over(kept)

    def latest(self, value: Tree) -> Tree:
        """Take the value of the last event, NULL included."""
        return sql.function("arg_max_null", value, self.order.copy())


def column_value(column: Column, frame: Frame, after: Tree | None, kept: Tree | None) -> Tree:
    """Write the value of a column.

    Args:
        column: the column.
        frame: the query it stands in.
        after: for a column that is also set, the condition that an event comes after the last set.
        kept: for a list, the condition that no later event removes the element.
    """
    if column.family is None:
        return _set_value(column, frame)
    return _FAMILIES[column.family](column, frame, after, kept)


def effective(column: Column, frame: Frame) -> Tree | None:
    """Write the condition that an event sets the column; None where every event does."""
    setters = [step for step in column.steps if step.kind in SETTERS]
    sure = frozenset(step.case for step in setters if step.kind == "set")
    parts = [frame.only(sure)] if sure else []
    parts += [_all(frame.only(cases), test) for cases, test in _guarded(setters, frame)]
    found = [part for part in parts if part is not None]
    return sql.any_of(found) if len(found) == len(parts) else None


def given(column: Column, frame: Frame) -> Tree | None:
    """Write the condition that an event gives the column a value that is not NULL."""
    return _all(frame.only(frozenset(step.case for step in column.steps)), _is_set(_value(list(column.steps), frame)))


def joined_value(column: Column, kind: str, frame: Frame) -> Tree:
    """Write the value of a column's steps of one kind; anything for other events."""
    return _value([step for step in column.steps if step.kind == kind], frame)


def _guarded(setters: list[Step], frame: Frame) -> list[tuple[frozenset[int], Tree]]:
    keeping = [step for step in setters if step.kind == "keep"]
    tests = [(frozenset(step.case for step in keeping), _is_set(_value(keeping, frame)))] if keeping else []
    present: dict[Typed, frozenset[int]] = {}
    for step in setters:
        if step.test is not None:
            present[step.test] = present.get(step.test, frozenset()) | {step.case}
    return [*tests, *((cases, scalar(test)) for test, cases in present.items())]


def _is_set(value: Tree) -> Tree:
    return exp.Not(this=exp.Is(this=value, expression=exp.Null()))


def _all(*conditions: Tree | None) -> Tree | None:
    return sql.all_of(part for part in conditions if part is not None)


def _value(steps: list[Step], frame: Frame) -> Tree:
    by_value: dict[Typed, set[int]] = {}
    for step in steps:
        by_value.setdefault(step.value, set()).add(step.case)
    *branches, (last, _) = by_value.items()
    ifs = [exp.If(this=frame.only(cases) or exp.true(), true=scalar(value)) for value, cases in branches]
    return exp.Case(ifs=ifs, default=scalar(last)) if ifs else scalar(last)


def _of(column: Column, *kinds: str) -> tuple[list[Step], frozenset[int]]:
    steps = [step for step in column.steps if step.kind in kinds]
    return steps, frozenset(step.case for step in steps)


def _set_value(column: Column, frame: Frame) -> Tree:
    steps, cases = _of(column, *SETTERS)
    value = _value(steps, frame)
    if all(step.kind == "keep" for step in steps):
        return frame.filtered(exp.ArgMax(this=value, expression=frame.order.copy()), frame.only(cases))
    return frame.filtered(frame.latest(value), effective(column, frame))


def _sets(column: Column, frame: Frame) -> tuple[Tree, Tree] | None:
    steps, _ = _of(column, *SETTERS)
    if not steps:
        return None
    times = frame.filtered(exp.Count(this=exp.Star()), effective(column, frame))
    return _set_value(column, frame), exp.GT(this=times, expression=sql.literal(0))


def _add(column: Column, frame: Frame, after: Tree | None, _: Tree | None) -> Tree:
    steps, cases = _of(column, "add")
    last = _sets(column, frame)
    zero = sql.literal(0)
    if last is None and {step.value for step in steps} == {_ONE}:
        return frame.filtered(exp.Count(this=exp.Star()), frame.only(cases))
    total = frame.filtered(exp.Sum(this=_value(steps, frame)), frame.only(cases), after)
    begun = exp.Coalesce(this=total, expressions=[zero])
    if last is None:
        return sql.cast(begun, column.type) if column.type == "BIGINT" else begun
    value, is_set = last
    untouched = exp.And(this=is_set, expression=exp.Is(this=total.copy(), expression=exp.Null()))
    summed = exp.Add(this=exp.Coalesce(this=value, expressions=[zero.copy()]), expression=begun)
    return sql.cast(exp.Case(ifs=[exp.If(this=untouched, true=value.copy())], default=summed), column.type)


_ONE = Typed("constant", "BIGINT", (1,))


def _extreme(aggregate: type[exp.AggFunc], join: str) -> Callable[..., Tree]:
    def write(column: Column, frame: Frame, after: Tree | None, _: Tree | None) -> Tree:
        steps, cases = _of(column, "min", "max")
        found = frame.filtered(aggregate(this=_value(steps, frame)), frame.only(cases), after)
        last = _sets(column, frame)
        return found if last is None else sql.function(join, last[0], found)

    return write


def _first(column: Column, frame: Frame, after: Tree | None, _: Tree | None) -> Tree:
    steps, cases = _of(column, "first")
    earliest = exp.ArgMin(this=_value(steps, frame), expression=frame.order.copy())
    found = frame.filtered(earliest, frame.only(cases), after)
    last = _sets(column, frame)
    return found if last is None else exp.Coalesce(this=last[0], expressions=[found])


def _list(column: Column, frame: Frame, after: Tree | None, kept: Tree | None) -> Tree:
    empty = sql.cast(exp.Array(expressions=[]), column.type)
    last = _sets(column, frame)
    added = _appended(column, frame, after, kept)
    begun = empty if added is None else exp.Coalesce(this=added, expressions=[empty])
    if last is None:
        return begun
    value, is_set = _without_removed(column, frame, after, last[0]), last[1]
    nothing = exp.EQ(this=_appends(column, frame, after), expression=sql.literal(0))
    whole = sql.function("list_concat", exp.Coalesce(this=value, expressions=[empty.copy()]), begun)
    return exp.Case(ifs=[exp.If(this=exp.And(this=is_set, expression=nothing), true=value.copy())], default=whole)


def _appended(column: Column, frame: Frame, after: Tree | None, kept: Tree | None) -> Tree | None:
    steps, cases = _of(column, "append")
    if not steps:
        return None
    if frame.over is not None and _of(column, "remove")[0]:
        return _surviving(column, frame)
    value = _value(steps, frame)
    ordered = exp.Order(this=value, expressions=[exp.Ordered(this=frame.order.copy(), nulls_first=False)])
    listed = sql.function("list", ordered)
    return frame.filtered(listed, frame.only(cases), _is_set(value.copy()), after, kept)


def _surviving(column: Column, frame: Frame) -> Tree:
    """Write the list of elements that, of what a window holds, no later event removes."""
    appended, removed = (_numbered(column, kind, frame) for kind in ("append", "remove"))
    names = (("added", "value"), ("gone", "value"), ("gone", "number"), ("added", "number"))
    value, other, later, earlier = (exp.column(field, table=owner) for owner, field in names)
    same = exp.And(this=exp.EQ(this=other, expression=value), expression=exp.GT(this=later, expression=earlier))
    after = sql.function("len", sql.function("list_filter", removed, _lambda("gone", same)))
    stays = exp.EQ(this=exp.Coalesce(this=after, expressions=[sql.literal(0)]), expression=sql.literal(0))
    kept = sql.function("list_filter", appended, _lambda("added", stays))
    return sql.function("list_transform", kept, _lambda("added", value.copy()))


def _numbered(column: Column, kind: str, frame: Frame) -> Tree:
    """List the values of one kind of step, each with the number of its event."""
    steps, cases = _of(column, kind)
    value = _value(steps, frame)
    pair = exp.Struct(expressions=[_named("value", value), _named("number", sql.column(NUMBER))])
    return frame.filtered(sql.function("list", pair), frame.only(cases), _is_set(value.copy()))


def _named(name: str, value: Tree) -> Tree:
    return exp.PropertyEQ(this=exp.to_identifier(name), expression=value)


def _lambda(name: str, body: Tree) -> Tree:
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name)])


def _appends(column: Column, frame: Frame, after: Tree | None) -> Tree:
    steps, cases = _of(column, "append")
    return frame.filtered(exp.Count(this=_value(steps, frame)), frame.only(cases), after) if steps else sql.literal(0)


def _without_removed(column: Column, frame: Frame, after: Tree | None, value: Tree) -> Tree:
    steps, cases = _of(column, "remove")
    if not steps or all(step.value.op == "constant" for step in column.steps if step.kind in SETTERS):
        return value
    gone = exp.Distinct(expressions=[_value(steps, frame)])
    removed = frame.filtered(sql.function("list", gone), frame.only(cases), after)
    contains = exp.Coalesce(
        this=sql.function("list_contains", removed, exp.column("element")), expressions=[exp.false()]
    )
    return sql.function("list_filter", value, _lambda("element", exp.Not(this=contains)))


_FAMILIES: Mapping[str, Callable[[Column, Frame, Tree | None, Tree | None], Tree]] = {
    "add": _add,
    "min": _extreme(exp.Min, "least"),
    "max": _extreme(exp.Max, "greatest"),
    "first": _first,
    "list": _list,
}
