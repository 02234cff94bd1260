"""Why an event counts for a column, or does not: what each move does, as conditions on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.projections._assignments import SETTERS
from esanalytics.projections._cases import condition
from esanalytics.projections._columns import Frame, effective
from esanalytics.projections._plan import Column, Plan, Step
from esanalytics.projections._reading import deleting, live
from esanalytics.projections._scalars import scalar

__all__ = ["Doing", "doing"]

Tree = exp.Expr
_WORDS = {"present": "set", "min": "min_", "max": "max_"}
_NULL = "NULL is passed over"
_ABSENT = "it has no such field"
_TAKEN = "there was a value already"


@dataclass(frozen=True, slots=True)
class Doing:
    """What the moves of a moved plan do to one column.

    Attributes:
        concerned: the condition that a move does something to the column, or ends the entity; None: each does.
        action: the kind of assignment, as it is written in a projection; ``delete`` for the end.
        value: what is assigned, as VARIANT.
        sets: the condition that it gives the column a value, whatever it was.
        idle: why it changes nothing, as text; NULL where it counts.
    """

    concerned: Tree | None
    action: Tree
    value: Tree
    sets: Tree
    idle: Tree


def doing(plan: Plan, column: Column, before: Tree) -> Doing:
    """Say what the moves of a moved plan do to a column; ``before`` is its value before the move."""
    frame = Frame(plan.cases, live(plan) | deleting(plan), exp.null())
    is_set = any(step.kind in SETTERS for step in column.steps)
    ended = condition(plan.cases, deleting(plan)) if deleting(plan) else exp.false()
    choose = _chooser(plan, column)
    word = choose(lambda step: exp.Literal.string(_WORDS.get(step.kind, step.kind)))
    return Doing(
        concerned=condition(plan.cases, frozenset(step.case for step in column.steps) | deleting(plan)),
        action=exp.Case(ifs=[exp.If(this=ended or exp.true(), true=exp.Literal.string("delete"))], default=word),
        value=choose(_operand),
        sets=(effective(column, frame) or exp.true()) if is_set else exp.false(),
        idle=choose(lambda step: _idle(step, before)),
    )


def _chooser(plan: Plan, column: Column) -> Callable[[Callable[[Step], Tree]], Tree]:
    """Choose by the case of a move; NULL for those that do nothing to the column."""

    def choose(write: Callable[[Step], Tree]) -> Tree:
        ifs = [exp.If(this=condition(plan.cases, {step.case}) or exp.true(), true=write(step)) for step in column.steps]
        return exp.Case(ifs=ifs)

    return choose


def _operand(step: Step) -> Tree:
    """Give what a step assigns, as VARIANT.

    A constant is hidden from the optimizer: DuckDB 2.0 takes one that is cast to VARIANT for the type of another
    branch.
    """
    value = scalar(step.value)
    if step.value.op == "constant":
        always = exp.NullSafeNEQ(this=sql.column("event_id"), expression=exp.Literal.string(""))
        value = exp.Case(ifs=[exp.If(this=always, true=value)])
    return sql.cast(value, "VARIANT")


def _idle(step: Step, before: Tree) -> Tree:
    if step.test is not None:
        return _said((exp.Not(this=exp.Paren(this=scalar(step.test))), _ABSENT))
    if step.kind == "set":
        return exp.null()
    tests: list[tuple[Tree, str]] = [(exp.Is(this=scalar(step.value), expression=exp.null()), _NULL)]
    if step.kind == "first":
        tests.append((exp.Not(this=exp.Is(this=before.copy(), expression=exp.null())), _TAKEN))
    return _said(*tests)


def _said(*reasons: tuple[Tree, str]) -> Tree:
    return exp.Case(ifs=[exp.If(this=test, true=exp.Literal.string(text)) for test, text in reasons])
