"""Checks: conditions on a result, before anybody reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import DuckDB, Plan, prepared, select_only
from esanalytics.errors import EngineError, EsAnalyticsError, JobError
from esanalytics.jobs._values import Staged

__all__ = ["Verdict", "examine", "refused_check"]

_RESULT = "result"
_WORDS = "row_count, not_null(column), unique(column), change(expression), or any aggregate, such as sum(total) > 0"
_QUOTED_OR_UNIQUE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\b(unique\s*\()""", re.IGNORECASE)
"""``unique`` is a word of SQL's own, which its parser does not take for a function."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks say of a result.

    Attributes:
        failed: the checks that failed, each with what was found.
        passed: the others.
        measures: what ``change`` is about, by expression, for the next run.
    """

    failed: tuple[tuple[str, str], ...]
    passed: tuple[str, ...]
    measures: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class _Check:
    """One check, with its words replaced.

    Attributes:
        text: as it was given.
        tree: what must be true.
        measured: what ``change`` is about, by expression.
        shown: what tells why it failed.
    """

    text: str
    tree: exp.Expr
    measured: Mapping[str, exp.Expr]
    shown: tuple[exp.Expr, ...]


def examine(
    engine: DuckDB, staged: Staged, checks: Sequence[str], last: Mapping[str, float | None] | None = None
) -> Verdict:
    """Check a result.

    Args:
        engine: what computes them, all in one query.
        staged: the result.
        checks: SQL conditions over its aggregates. ``row_count`` is how many rows there are, ``not_null(a, b)`` that
            no value is NULL, ``unique(a, b)`` that no two rows have the same, and ``change(x)`` by how much ``x`` is
            greater than the last time, as a part of it: 0.5 is half as much again.
        last: what was measured the last time; None: nothing was. Then a check with ``change`` passes.

    Raises:
        JobError: a check cannot be computed.
    """
    if not checks:
        return Verdict((), (), {})
    known = [_parsed(engine, text, last) for text in checks]
    columns = [term for check in known for term in (check.tree, *check.measured.values(), *check.shown)]
    values = iter(_computed(engine, staged, columns, checks))
    failed: list[tuple[str, str]] = []
    passed: list[str] = []
    measures: dict[str, float | None] = {}
    for check in known:
        holds = next(values)
        found = {name: next(values) for name in check.measured}
        shown = [f"{_named(term)} = {_told(next(values))}" for term in check.shown]
        measures |= {name: None if value is None else float(value) for name, value in found.items()}
        compares_nothing = holds is None and any(_has_no_last(name, last) for name in found)
        if holds or compares_nothing:
            passed.append(check.text)
        else:
            failed.append((check.text, ", ".join(shown) or _told(holds)))
    return Verdict(tuple(failed), tuple(passed), measures)


def refused_check(engine: DuckDB, text: str) -> str | None:
    """Say why a text is no check; None: it is one, whether or not the result has the columns it names."""
    try:
        _parsed(engine, text, None)
    except JobError as error:
        return str(error.args[1])
    return None


def _has_no_last(name: str, last: Mapping[str, float | None] | None) -> bool:
    return last is None or last.get(name) in (None, 0)


def _parsed(engine: DuckDB, text: str, last: Mapping[str, float | None] | None) -> _Check:
    try:
        tree = sql.condition(_QUOTED_OR_UNIQUE.sub(lambda found: "is_unique(" if found[1] else found[0], text))
        measured: dict[str, exp.Expr] = {}
        condition = exp.paren(tree).transform(lambda node: _replaced(node, text, measured, last))
        select_only(engine, sql.text(exp.select(condition.copy()).from_(_RESULT)), (_RESULT,))
    except (ValueError, EsAnalyticsError) as error:
        if isinstance(error, JobError):
            raise
        raise _no_check(text, str(error)) from error
    shown = {sql.text(term): term for term in condition.find_all(exp.AggFunc) if not term.find_ancestor(exp.AggFunc)}
    return _Check(text, condition, measured, tuple(_whole(term) for term in shown.values()))


def _whole(term: exp.Expr) -> exp.Expr:
    """Return an aggregate with the filter that belongs to it."""
    above = term.parent
    return above.copy() if isinstance(above, exp.Filter) else term.copy()


def _replaced(
    node: exp.Expr, text: str, measured: dict[str, exp.Expr], last: Mapping[str, float | None] | None
) -> exp.Expr:
    """Put SQL in the place of the words that checks have."""
    if isinstance(node, exp.Column) and not node.table and node.name.lower() == "row_count":
        return exp.Count(this=exp.Star())
    if not isinstance(node, exp.Anonymous):
        return node
    word, arguments = str(node.this).lower(), list(node.expressions)
    if word not in _MACROS and word != "change":
        return node
    if not arguments:
        raise _no_check(text, f"{word}() says nothing")
    if word != "change":
        return _MACROS[word](arguments)
    inner = arguments[0].transform(lambda one: _replaced(one, text, measured, last))
    name = sql.text(inner)
    measured[name] = inner
    before = None if last is None else last.get(name)
    if not before:
        return exp.Null()
    return exp.paren(
        exp.Div(
            this=exp.paren(exp.Sub(this=sql.cast(inner.copy(), "DOUBLE"), expression=sql.literal(before))),
            expression=sql.literal(abs(before)),
        )
    )


def _not_null(columns: Sequence[exp.Expr]) -> exp.Expr:
    missing = sql.any_of(exp.Is(this=column.copy(), expression=exp.Null()) for column in columns)
    counted = exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=missing))
    return exp.paren(exp.EQ(this=counted, expression=sql.literal(0)))


def _unique(columns: Sequence[exp.Expr]) -> exp.Expr:
    values = sql.function("row", *(column.copy() for column in columns))
    distinct = exp.Count(this=exp.Distinct(expressions=[values]))
    return exp.paren(exp.EQ(this=distinct, expression=exp.Count(this=exp.Star())))


_MACROS: dict[str, Callable[[Sequence[exp.Expr]], exp.Expr]] = {"not_null": _not_null, "is_unique": _unique}


def _computed(engine: DuckDB, staged: Staged, terms: Sequence[exp.Expr], checks: Sequence[str]) -> tuple[Any, ...]:
    source = sql.named_source(sql.parquet([str(staged.path)]), _RESULT)
    query = exp.select(*(sql.alias(term.copy(), f"c{n}") for n, term in enumerate(terms))).from_(source)
    plan = Plan(sql.text(query))
    try:
        with prepared(engine, plan) as cursor:
            return tuple(cursor.execute(plan.query).fetchone() or ())
    except EngineError as error:
        reason = f"a check cannot be computed ({str(error).splitlines()[0]})"
        raise JobError(
            "", reason, f"the result has {json.dumps(list(staged.columns))}, the checks are {list(checks)}"
        ) from error


def _no_check(text: str, reason: str) -> JobError:
    return JobError("", f"{text!r} is no check ({reason})", f"use {_WORDS}")


def _named(term: exp.Expr) -> str:
    return "row_count" if sql.text(term).upper() == "COUNT(*)" else sql.text(term)


def _told(value: object) -> str:
    return "NULL" if value is None else str(value)
