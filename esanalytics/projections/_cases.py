"""Which events belong to some of a plan's cases, as a condition on ``type`` and ``service``."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.projections._plan import Case

__all__ = ["condition"]


def condition(cases: tuple[Case, ...], chosen: AbstractSet[int]) -> exp.Expr | None:
    """Write the condition that an event is of one of the chosen cases; None where it always holds."""
    everything = frozenset(range(len(cases)))
    rest = len(cases) - 1
    if rest not in chosen:
        return _is_of(cases, chosen)
    others = everything - chosen
    return exp.Not(this=exp.Paren(this=_is_of(cases, others))) if others else None


def _is_of(cases: tuple[Case, ...], chosen: AbstractSet[int]) -> exp.Expr:
    whole = [type_ for type_ in _types(cases, chosen) if _members(cases, type_) <= chosen]
    parts = [sql.is_in(sql.column("type"), whole)] if whole else []
    parts += [_is_case(cases, cases[n]) for n in sorted(chosen) if cases[n].type not in whole]
    return sql.any_of(parts) or exp.false()


def _types(cases: tuple[Case, ...], chosen: AbstractSet[int]) -> list[str]:
    return list(dict.fromkeys(type_ for n in sorted(chosen) if (type_ := cases[n].type) is not None))


def _members(cases: tuple[Case, ...], type_: str) -> frozenset[int]:
    return frozenset(n for n, case in enumerate(cases) if case.type == type_)


def _is_case(cases: tuple[Case, ...], case: Case) -> exp.Expr:
    type_ = sql.is_in(sql.column("type"), [case.type])
    if case.service is not None:
        return exp.And(this=type_, expression=sql.is_in(sql.column("service"), [case.service]))
    named = [other.service for other in cases if other.type == case.type and other.service is not None]
    return exp.And(this=type_, expression=exp.Not(this=exp.Paren(this=sql.is_in(sql.column("service"), named))))
