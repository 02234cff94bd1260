"""What a query of a plan reads: the events that matter to it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.errors import ProjectionError, UnsupportedError
from esanalytics.projections._assignments import SETTERS, Delete
from esanalytics.projections._cases import condition
from esanalytics.projections._cast import cast
from esanalytics.projections._plan import Column, Plan
from esanalytics.projections._scalars import constant, scalar
from esanalytics.projections._typed import Typed

__all__ = ["Reading", "deleting", "live", "mixed", "pins"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What every subquery of one query shares.

    Attributes:
        plan: what is asked.
        source: a table or subquery of events, aliased.
        order: the order of events, one comparable value.
        pins: conditions on the key.
    """

    plan: Plan
    source: exp.Expr
    order: exp.Expr
    pins: tuple[exp.Expr, ...] = ()

    def filters(self, cases: frozenset[int]) -> list[exp.Expr]:
        """Read only the events of some cases, with a whole key, of the wanted key."""
        found = [] if (only := condition(self.plan.cases, cases)) is None else [only]
        whole = [
            exp.Not(this=exp.Is(this=scalar(value), expression=exp.Null()))
            for value in self.plan.keys.values()
            if _nullable(value)
        ]
        return [*(pin.copy() for pin in self.pins), *found, *whole]

    def keys(self) -> list[exp.Expr]:
        """Select the key under names of our own, to join by."""
        return [sql.alias(scalar(value), f"$key{n}") for n, value in enumerate(self.plan.keys.values())]

    def same_key(self, alias: str) -> list[exp.Expr]:
        """Compare the key with a joined subquery's."""
        keys = enumerate(self.plan.keys.values())
        return [exp.EQ(this=scalar(value), expression=sql.column(f"$key{n}", table=alias)) for n, value in keys]


def live(plan: Plan) -> frozenset[int]:
    """Give the cases that assign."""
    return frozenset(n for n, case in enumerate(plan.cases) if isinstance(case.rule, Mapping))


def deleting(plan: Plan) -> frozenset[int]:
    """Give the cases that end an entity."""
    return frozenset(n for n, case in enumerate(plan.cases) if isinstance(case.rule, Delete))


def mixed(plan: Plan) -> dict[str, Column]:
    """Give the columns that are both set and accumulated, by a name for what concerns their last set."""
    both = [column for column in plan.columns if column.family and any(step.kind in SETTERS for step in column.steps)]
    return {f"$set{n}": column for n, column in enumerate(both)}


def pins(plan: Plan, key: Any) -> tuple[exp.Expr, ...]:  # noqa: ANN401  a value of the key's type
    """Write the conditions that an event belongs to a key.

    Args:
        plan: what is asked.
        key: a value for each key column, as a tuple where there are several; None: any key.

    Raises:
        ProjectionError: ``key`` does not have a value for each key column.
    """
    if key is None:
        return ()
    given = key if isinstance(key, tuple) else (key,)
    if len(given) != len(plan.keys):
        reason = f"the key has {len(plan.keys)} columns ({', '.join(plan.keys)}), {len(given)} were given"
        raise ProjectionError(plan.name, reason, "give a value for each, as a tuple")
    try:
        return tuple(_pin(part, value) for part, value in zip(given, plan.keys.values(), strict=True))
    except UnsupportedError as error:
        raise ProjectionError(plan.name, f"not a key: {key!r}", "give plain values, several as a tuple") from error


def _pin(given: Any, value: Typed) -> exp.Expr:  # noqa: ANN401  a value of the key's type
    found = cast(given, value.type)
    if found is None:
        return exp.false()
    return exp.EQ(this=scalar(value), expression=constant(Typed("constant", value.type, (found,))))


def _nullable(value: Typed) -> bool:
    return value.op != "envelope" or value.args[0] in {"version", "correlation_id", "causation_id"}
