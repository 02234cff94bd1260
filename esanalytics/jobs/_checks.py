"""Checks: conditions on a result, before anybody reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import DuckDB, Plan, Result, aggregates_in, prepared, select_only
from esanalytics.errors import EngineError, EsAnalyticsError, JobError
from esanalytics.jobs._keys import nearest
from esanalytics.jobs._values import Staged

__all__ = ["Verdict", "examine", "refused_check"]

_RESULT = "result"
_WORDS = (
    "row_count, not_null(column), unique(column), change(aggregate), any aggregate, such as sum(total) > 0, or what "
    "holds for every row, such as total >= 0"
)
_FAILING = "rows that fail"
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
        shown: what tells why it failed, by name.
    """

    text: str
    tree: exp.Expr
    measured: Mapping[str, exp.Expr]
    shown: Mapping[str, exp.Expr]


def examine(
    engine: DuckDB, staged: Staged, checks: Sequence[str], last: Mapping[str, float | None] | None = None
) -> Verdict:
    """Check a result.

    Args:
        engine: what computes them, all in one query.
        staged: the result.
        checks: SQL conditions over its aggregates; what names columns without one has to be true, and not NULL, for
            every row. ``row_count`` is how many rows there are, ``not_null(a, b)`` that no value is NULL,
            ``unique(a, b)`` that no two rows have the same, and ``change(x)`` by how much ``x`` is greater than the
            last time, as a part of it: 0.5 is half as much again.
        last: what was measured the last time; None: nothing was. Then a check with ``change`` passes.

    Raises:
        JobError: a check cannot be computed.
    """
    if not checks:
        return Verdict((), (), {})
    known = [_parsed(engine, text, last) for text in checks]
    rows = exp.select("*").from_(sql.parquet([str(staged.path)]))
    for check in known:
        _refuse_misfit(engine, check, staged.columns, rows)
    columns = [term for check in known for term in (check.tree, *check.measured.values(), *check.shown.values())]
    values = iter(_computed(engine, staged, columns, checks))
    failed: list[tuple[str, str]] = []
    passed: list[str] = []
    measures: dict[str, float | None] = {}
    for check in known:
        holds = next(values)
        found = {name: next(values) for name in check.measured}
        shown = [f"{name} = {_told(next(values))}" for name in check.shown]
        measures |= {name: None if value is None else float(value) for name, value in found.items()}
        compares_nothing = holds is None and any(_has_no_last(name, last) for name in found)
        if holds or compares_nothing:
            passed.append(check.text)
        else:
            failed.append((check.text, ", ".join(shown) or _told(holds)))
    return Verdict(tuple(failed), tuple(passed), measures)


def refused_check(engine: DuckDB, text: str, columns: Mapping[str, str] | None = None) -> str | None:
    """Say why a text is no check; None: it is one.

    Args:
        engine: what would compute it.
        text: the check.
        columns: DuckDB types by name, of the result; None: they are not known, and it may name any.
    """
    try:
        check = _parsed(engine, text, None)
        if columns is not None:
            empty = exp.select(*(sql.alias(sql.cast(exp.Null(), type_), name) for name, type_ in columns.items()))
            _refuse_misfit(engine, check, columns, empty)
    except JobError as error:
        return "; ".join(error.args[1:])
    return None


def _has_no_last(name: str, last: Mapping[str, float | None] | None) -> bool:
    return last is None or last.get(name) in (None, 0)


def _parsed(engine: DuckDB, text: str, last: Mapping[str, float | None] | None) -> _Check:
    try:
        tree = sql.condition(_QUOTED_OR_UNIQUE.sub(lambda found: "is_unique(" if found[1] else found[0], text))
        measured: dict[str, exp.Expr] = {}
        condition = exp.paren(tree).transform(lambda node: _replaced(node, text, measured, last))
        select_only(engine, sql.text(exp.select(condition.copy()).from_(_RESULT)), (_RESULT,))
        over_rows = _over_rows(condition, text)
        _refuse_no_truth(engine, text, over_rows)
    except (ValueError, EsAnalyticsError) as error:
        if isinstance(error, JobError):
            raise
        raise _no_check(text, str(error)) from error
    shown = {_named(term): term.copy() for term in aggregates_in(over_rows)}
    return _Check(text, over_rows, measured, shown)


def _over_rows(tree: exp.Expr, text: str) -> exp.Expr:
    """Make each condition on single rows one on how many rows do not meet it."""
    if isinstance(tree, exp.Paren):
        return exp.paren(_over_rows(tree.this, text))
    if isinstance(tree, exp.And):
        return exp.And(this=_over_rows(tree.this, text), expression=_over_rows(tree.expression, text))
    aggregates = aggregates_in(tree)
    single = [name for name in tree.find_all(exp.Column) if not _is_inside(name, tree, aggregates)]
    if any(not node.find_ancestor(exp.Query) for node in tree.find_all(exp.Window)):
        raise _no_check(text, "it has a window function", "compute that in the query, and check its column")
    if not single:
        return tree
    if aggregates:
        name, whole = sql.text(single[0]), sql.text(aggregates[0])
        reason = f"it compares {name}, of single rows, with {whole}, of all rows"
        raise _no_check(text, reason, f"take an aggregate of {name}, such as min or max, or write two checks")
    fails = exp.Where(this=exp.Not(this=exp.Is(this=exp.paren(tree.copy()), expression=exp.true())))
    failing = exp.Filter(this=_count(), expression=fails)
    failing.meta[_FAILING] = tree
    return exp.EQ(this=failing, expression=sql.literal(0))


def _is_inside(name: exp.Expr, tree: exp.Expr, aggregates: Sequence[exp.Expr]) -> bool:
    """Tell whether a column belongs to an aggregate, or to a query of its own."""
    above: exp.Expr | None = name
    while above is not None and above is not tree.parent:
        if isinstance(above, exp.Query) or any(above is one for one in aggregates):
            return True
        above = above.parent
    return False


def _refuse_misfit(engine: DuckDB, check: _Check, columns: Mapping[str, str], rows: exp.Select) -> None:
    """Refuse a check that a result with these columns cannot answer; nothing is computed."""
    known = {name.lower() for name in columns}
    for term in (name for tree in (check.tree, *check.measured.values()) for name in tree.find_all(exp.Column)):
        parts = [part.name for part in term.parts]
        first = parts[1] if parts[0].lower() == _RESULT and len(parts) > 1 else parts[0]
        if first.lower() not in known and not term.find_ancestor(exp.Query):
            raise _no_check(check.text, f"there is no column {first!r}", nearest(first, columns))
    _refuse_no_truth(engine, check.text, check.tree, rows)


def _refuse_no_truth(engine: DuckDB, text: str, tree: exp.Expr, source: exp.Select | None = None) -> None:
    """Refuse what is neither true nor false; where no columns are known, that of what names none alone."""
    if source is None and any(True for _ in tree.find_all(exp.Column)):
        return
    single = [term.meta[_FAILING] for term in aggregates_in(tree) if term.meta.get(_FAILING)]
    terms = [tree, *(sql.function("any_value", term.copy()) for term in single)]
    query = sql.text(_over(source or exp.select(sql.alias(sql.literal(1), "one")), terms))
    try:
        *types, _ = Result(engine, lambda: Plan(query)).types.values()
    except EngineError as error:
        raise _no_check(text, str(error).splitlines()[0]) from error
    other = next((type_ for type_ in types if type_ != "BOOLEAN"), None)
    if other is not None:
        raise _no_check(text, f"it is {other}, and neither true nor false", "compare it with something")


def _replaced(
    node: exp.Expr, text: str, measured: dict[str, exp.Expr], last: Mapping[str, float | None] | None
) -> exp.Expr:
    """Put SQL in the place of the words that checks have."""
    if isinstance(node, exp.Column) and not node.table and node.name.lower() == "row_count":
        return _count()
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
    if not aggregates_in(inner):
        raise _no_check(text, f"{name} is no aggregate", f"write change(row_count), or such as change(sum({name}))")
    measured[name] = inner
    before = None if last is None else last.get(name)
    if not before:
        return sql.cast(exp.Null(), "DOUBLE")
    return exp.paren(
        exp.Div(
            this=exp.paren(exp.Sub(this=sql.cast(inner.copy(), "DOUBLE"), expression=sql.literal(before))),
            expression=sql.literal(abs(before)),
        )
    )


def _count() -> exp.Expr:
    return exp.Count(this=exp.Star())


def _not_null(columns: Sequence[exp.Expr]) -> exp.Expr:
    missing = sql.any_of(exp.Is(this=column.copy(), expression=exp.Null()) for column in columns)
    counted = exp.Filter(this=_count(), expression=exp.Where(this=missing))
    return exp.paren(exp.EQ(this=counted, expression=sql.literal(0)))


def _unique(columns: Sequence[exp.Expr]) -> exp.Expr:
    values = sql.function("row", *(column.copy() for column in columns))
    distinct = exp.Count(this=exp.Distinct(expressions=[values]))
    return exp.paren(exp.EQ(this=distinct, expression=_count()))


_MACROS: dict[str, Callable[[Sequence[exp.Expr]], exp.Expr]] = {"not_null": _not_null, "is_unique": _unique}


def _computed(engine: DuckDB, staged: Staged, terms: Sequence[exp.Expr], checks: Sequence[str]) -> tuple[Any, ...]:
    rows = exp.select("*").from_(sql.parquet([str(staged.path)]))
    plan = Plan(sql.text(_over(rows, terms)))
    try:
        with prepared(engine, plan) as cursor:
            return tuple((cursor.execute(plan.query).fetchone() or ())[:-1])
    except EngineError as error:
        reason = f"a check cannot be computed ({str(error).splitlines()[0]})"
        raise JobError(
            "", reason, f"the result has {json.dumps(list(staged.columns))}, the checks are {list(checks)}"
        ) from error


def _over(rows: exp.Select, terms: Sequence[exp.Expr]) -> exp.Select:
    """Compute terms over rows: one row, whatever they are, for the last column counts."""
    columns = [sql.alias(term.copy(), f"c{n}") for n, term in enumerate(terms)]
    return exp.select(*columns, sql.alias(_count(), "all")).from_(_RESULT).with_(_RESULT, as_=rows)


def _no_check(text: str, reason: str, remedy: str = f"use {_WORDS}") -> JobError:
    return JobError("", f"{text!r} is no check ({reason})", remedy)


def _named(term: exp.Expr) -> str:
    if term.meta.get(_FAILING):
        return f"{_FAILING} ({sql.text(term.meta[_FAILING])})"
    return "row_count" if sql.text(term).upper() == "COUNT(*)" else sql.text(term)


def _told(value: object) -> str:
    return "NULL" if value is None else str(value)
