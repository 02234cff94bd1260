"""SQL as trees: the few helpers through which every query is built.

Values become literals that the generator quotes, identifiers are always quoted; no text is pasted. Where trees are
put together they are not copied (``copy=False``), for copies of copies would take longer than the query; a node that
is used twice is copied by who uses it.
"""

from __future__ import annotations

import datetime as dt
import glob
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from esanalytics._instants import iso

__all__ = [
    "CAST_IT",
    "DIALECT",
    "NO_TYPE",
    "Literal",
    "alias",
    "all_of",
    "any_of",
    "as_tree",
    "at_most",
    "between",
    "cast",
    "column",
    "condition",
    "equals",
    "exactly",
    "function",
    "grouped",
    "is_in",
    "literal",
    "named_source",
    "parquet",
    "payload",
    "text",
    "try_cast",
    "union_by_name",
    "untyped",
]

DIALECT = "duckdb"
_NEEDS_TYPE = (
    *(exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.Ordered, exp.Group, exp.Partition),
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg),
    *(exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Median, exp.Quantile, exp.PercentileCont, exp.Stddev, exp.Variance),
)
NO_TYPE = "{} has no type, and DuckDB would compare, add, sort or group it wrongly"
CAST_IT = "cast it: {0}::decimal(18, 2), {0}::double, {0}::varchar"
_NO_CONDITION = "not a SQL condition: {!r}; give one boolean expression, such as \"type = 'X'\""
Literal = str | int | float | bool | Decimal | dt.datetime | None


def column(name: str, *, table: str | None = None) -> exp.Column:
    """Name a column, quoted."""
    return exp.column(exp.to_identifier(name, quoted=True), table=table, quoted=True)


def alias(value: exp.Expr, name: str) -> exp.Alias:
    """Give a value a name, quoted."""
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def named_source(source: exp.Expr, name: str) -> exp.Expr:
    """Give a table or a subquery a name."""
    return exp.alias_(source, name, table=True, quoted=True, copy=False)


def literal(value: Literal) -> exp.Expr:
    """Write a value as a literal: instants are TIMESTAMPTZ in UTC, floats DOUBLE, Decimals DECIMAL."""
    if isinstance(value, dt.datetime):
        return cast(exp.Literal.string(iso(value)), "TIMESTAMPTZ")
    if isinstance(value, float):
        return cast(exp.Literal.string(repr(value)), "DOUBLE")
    if isinstance(value, Decimal):
        return _decimal(value)
    return exp.convert(value)


def function(name: str, *args: exp.Expr) -> exp.Anonymous:
    """Call an engine function by its exact name."""
    return exp.Anonymous(this=name, expressions=list(args))


def cast(value: exp.Expr, type_: str) -> exp.Cast:
    """Cast, raising on values that do not fit."""
    return exp.Cast(this=value, to=exp.DataType.build(type_, dialect=DIALECT, udt=True))


def payload(path: Sequence[str]) -> exp.Expr:
    """Name a field of the payload, by its keys from the top; NULL where an event has none."""
    found: exp.Expr = column("data")
    for key in path:
        found = exp.Dot(this=found, expression=exp.to_identifier(key, quoted=True))
    return found


def grouped(source: exp.Expr, *values: exp.Expr) -> exp.Select:
    """List the different rows that some expressions give over a source."""
    return exp.select(*values).distinct().from_(source)


def union_by_name(first: exp.Query, second: exp.Query) -> exp.Union:
    """Put the rows of two queries together by the names of their columns; NULL where one has no such column."""
    return exp.Union(this=first, expression=second, distinct=False, by_name=True)


def try_cast(value: exp.Expr, type_: str) -> exp.TryCast:
    """Cast, with NULL for values that do not fit."""
    return exp.TryCast(this=value, to=exp.DataType.build(type_, dialect=DIALECT, udt=True))


def all_of(conditions: Iterable[exp.Expr]) -> exp.Expr | None:
    """Join conditions with AND; None where there are none."""
    found = list(conditions)
    return reduce(lambda a, b: exp.And(this=_paren(a), expression=_paren(b)), found) if found else None


def any_of(conditions: Iterable[exp.Expr]) -> exp.Expr | None:
    """Join conditions with OR; None where there are none."""
    found = list(conditions)
    return reduce(lambda a, b: exp.Or(this=_paren(a), expression=_paren(b)), found) if found else None


def equals(value: exp.Expr, other: Literal) -> exp.Expr:
    """Test for equality with a value."""
    return exp.EQ(this=value, expression=literal(other))


def is_in(value: exp.Expr, options: Sequence[Literal]) -> exp.Expr:
    """Test whether a value is one of some options; one option is an equality, none is false."""
    if not options:
        return exp.false()
    if len(options) == 1:
        return exp.EQ(this=value, expression=literal(options[0]))
    return exp.In(this=value, expressions=[literal(option) for option in options])


def at_most(value: exp.Expr, greatest: Literal) -> exp.Expr:
    """Test whether a value is no greater than another."""
    return exp.LTE(this=value, expression=literal(greatest))


def between(value: exp.Expr, least: Literal, greatest: Literal) -> exp.Expr:
    """Test whether a value lies between two others, both included."""
    return exp.Between(this=value, low=literal(least), high=literal(greatest))


def exactly(path: str) -> str:
    """Write a path so that DuckDB, which reads patterns, means this file only."""
    return glob.escape(path)


def parquet(paths: Sequence[str], *, by_name: bool = False) -> exp.Expr:
    """Read exactly these Parquet files.

    Args:
        paths: the files.
        by_name: they need not have the same columns; what a file has not is NULL in its rows.
    """
    files = exp.Array(expressions=[exp.Literal.string(exactly(path)) for path in paths])
    plain = exp.EQ(this=exp.to_identifier("hive_partitioning"), expression=exp.false())
    named = exp.EQ(this=exp.to_identifier("union_by_name"), expression=exp.true())
    return exp.Anonymous(this="read_parquet", expressions=[files, plain, *([named] if by_name else [])])


def condition(sql: str) -> exp.Expr:
    """Read a user's boolean SQL expression.

    Raises:
        ValueError: the text is not one SQL expression, or uses a payload field without the cast that it needs.
    """
    try:
        trees = sqlglot.parse(f"SELECT 1 WHERE {sql}", dialect=DIALECT)
    except SqlglotError as error:
        raise ValueError(_NO_CONDITION.format(sql)) from error
    select = trees[0] if len(trees) == 1 else None
    where = select.args.get("where") if select is not None else None
    parts = {name for name, value in select.args.items() if value} if select is not None else set()
    if where is None or not parts <= {"kind", "expressions", "where"}:
        raise ValueError(_NO_CONDITION.format(sql))
    tree: exp.Expr = where.this.copy()
    field = untyped(tree)
    if field is not None:
        raise ValueError(f"{NO_TYPE.format(field)}; {CAST_IT.format(field)}")
    return tree


def as_tree(query: str) -> exp.Expr | None:
    """Read a query; None where it is in a dialect newer than the reader's."""
    try:
        return sqlglot.parse_one(query, dialect=DIALECT)
    except SqlglotError:
        return None


def untyped(tree: exp.Expr) -> str | None:
    """Find a payload field that is used without a cast where DuckDB would answer wrongly, as its name; None: none.

    A VARIANT is ordered by its kind before its value (every number is less than every text, every small integer
    less than every double), added as an integer, and grouped by its encoding.
    """
    return next(
        (text(field) for field in map(_field_of, tree.find_all(exp.Column)) if field and _needs_type(field)), None
    )


def _field_of(found: exp.Column) -> exp.Expr | None:
    names = [part.name for part in found.parts]
    roots = [place for place, name in enumerate(names[:-1]) if name in ("data", "metadata")]
    if not roots or roots[0] > 1:
        return None
    field: exp.Expr = found
    while isinstance(field.parent, exp.Dot | exp.Bracket | exp.Paren) and field.parent.this is field:
        field = field.parent
    return field


def _needs_type(field: exp.Expr) -> bool:
    if isinstance(field.parent, _NEEDS_TYPE) or field.arg_key == "partition_by" or _is_compared(field):
        return True
    select = field.find_ancestor(exp.Select)
    shown = isinstance(field.parent, exp.Select | exp.Alias) and field.parent_select is select
    return shown and select is not None and _is_used(field, select)


def _is_compared(field: exp.Expr) -> bool:
    """Tell whether a field is compared with something else than text: 79.5 is not 79.50 to DuckDB there."""
    parent = field.parent
    if isinstance(parent, exp.In):
        return any(not _is_text(option) for option in parent.expressions)
    if not isinstance(parent, exp.EQ | exp.NEQ | exp.NullSafeEQ | exp.NullSafeNEQ):
        return False
    other = parent.expression if parent.this is field else parent.this
    number = other.this if isinstance(other, exp.Neg) else other
    return isinstance(number, exp.Literal) and not number.is_string


def _is_text(value: exp.Expr) -> bool:
    return not isinstance(value, exp.Literal) or value.is_string


def _is_used(field: exp.Expr, select: exp.Select) -> bool:
    """Tell whether a select goes on with a field that it shows: it groups or sorts by it, or stands inside another."""
    group, order = select.args.get("group"), select.args.get("order")
    if select.args.get("distinct") or select.find_ancestor(exp.Query) or (group and group.args.get("all")):
        return True
    item = field.parent if isinstance(field.parent, exp.Alias) else field
    place = next((n for n, found in enumerate(select.expressions, start=1) if found is item), 0)
    terms = [*(group.expressions if group else ()), *(term.this for term in (order.expressions if order else ()))]
    return any(_names(term, item, place) for term in terms)


def _names(term: exp.Expr, item: exp.Expr, place: int) -> bool:
    if isinstance(term, exp.Literal):
        return not term.is_string and term.name == str(place)
    return isinstance(item, exp.Alias) and isinstance(term, exp.Column) and term.name.lower() == item.alias.lower()


def text(tree: exp.Expr, *, pretty: bool = False) -> str:
    """Write a tree as SQL for the engine."""
    return tree.sql(dialect=DIALECT, pretty=pretty, comments=False, copy=False)


def _decimal(value: Decimal) -> exp.Expr:
    _, digits, exponent = value.as_tuple()
    places = exponent if isinstance(exponent, int) else 0
    scale = max(0, -places)
    width = min(38, max(len(digits) + max(0, places), scale + 1))
    return cast(exp.Literal.string(f"{value:f}"), f"DECIMAL({width},{scale})")


def _paren(tree: exp.Expr) -> exp.Expr:
    return exp.Paren(this=tree) if isinstance(tree, exp.Connector) else tree
