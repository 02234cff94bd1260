"""When a predicate about a whole state becomes true.

Sums, counts and means are followed event by event: each adds what its row is now, less what it was. Other aggregates
are asked of the state after some events, halving what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import is_aggregate, prepared
from esanalytics.events import LOWEST_VERSION
from esanalytics.store import Log, engine_of, result
from esanalytics.timetravel._definitions import Table, in_order
from esanalytics.timetravel._views import Views

__all__ = ["Cut", "around", "first_of_cuts", "first_of_whole"]

_EXACT = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "DECIMAL", "BOOLEAN")
_SAMPLES, _FEW_SAMPLES = 32, 4
"""How often to ask, spread evenly, where the last answer is no; of what is dear to ask, few times."""


def first_of_whole(log: Log, table: Table, views: Views, tree: exp.Expr) -> dict[str, Any] | None:
    """Find the version after which a predicate over all rows holds first; None: never."""
    followed = _followed(log, table, views, tree)
    if followed is None:
        return _halved(log, table, views, tree)
    return next(iter(result(log, lambda: views.plan(followed))), None)


def _followed(log: Log, table: Table, views: Views, tree: exp.Expr) -> exp.Select | None:
    """Compose the query that follows the aggregates; None where they cannot be followed."""
    found = _aggregates(tree)
    rest = tree.transform(lambda node: exp.null() if node in found else node)
    wide = _exact_types(log, table, views, found) if found and not is_aggregate(rest) else None
    if wide is None:
        return None
    keys = [sql.column(name) for name in table.keys]
    parts = {f"$part{n}": _part(aggregate) for n, aggregate in enumerate(found)}
    now = exp.select(exp.Star(), *_named({name: _if_live(part) for name, part in parts.items()}), copy=False)
    now = now.from_(table.tree.subquery("state", copy=False), copy=False)
    was = {f"$was{n}": _over(sql.function("lag", sql.column(name)), keys) for n, name in enumerate(parts)}
    pairs = exp.select(exp.Star(), *_named(was), copy=False).from_(now.subquery("now", copy=False), copy=False)
    running = {}
    for n in range(len(found)):
        new, old = sql.column(f"$part{n}"), sql.column(f"$was{n}")
        running[f"$count{n}"] = _over(exp.Sum(this=exp.Sub(this=_is_there(new), expression=_is_there(old))), [])
        if not isinstance(_bare(found[n]), exp.Count):
            less = exp.Sub(this=_or_zero(new, wide[n]), expression=_or_zero(old, wide[n]))
            running[f"$sum{n}"] = _over(exp.Sum(this=less), [])
    sums = exp.select(exp.Star(), *_named(running), copy=False).from_(pairs.subquery("pairs", copy=False), copy=False)
    holds = tree.transform(lambda node: _value(node, found.index(node)) if node in found else node)
    shown = (
        exp.select(exp.Star(), copy=False).from_(sums.subquery("sums", copy=False), copy=False).where(holds, copy=False)
    )
    return shown.order_by(*in_order(), copy=False).limit(1, copy=False)


def _aggregates(tree: exp.Expr) -> list[exp.Expr]:
    """List the sums, counts and means in a predicate, each with its filter."""
    found: list[exp.Expr] = []
    for node in tree.find_all(exp.Sum, exp.Count, exp.Avg):
        whole = node.parent if isinstance(node.parent, exp.Filter) else node
        outer = not isinstance(whole.parent, exp.Window) and node.find_ancestor(exp.Query) is None
        plain = outer and not isinstance(node.this, exp.Distinct | exp.Order)
        if plain and not node.args.get("expressions") and whole not in found:
            found.append(whole)
    return found


def _bare(aggregate: exp.Expr) -> exp.Expr:
    bare: exp.Expr = aggregate.this if isinstance(aggregate, exp.Filter) else aggregate
    return bare


def _part(aggregate: exp.Expr) -> exp.Expr:
    """Give what a row brings to an aggregate; NULL: nothing."""
    bare = _bare(aggregate)
    value: exp.Expr = sql.literal(1) if isinstance(bare.this, exp.Star | None) else bare.this.copy()
    if not isinstance(aggregate, exp.Filter):
        return value
    return exp.Case(ifs=[exp.If(this=aggregate.expression.this.copy(), true=value)])


def _exact_types(log: Log, table: Table, views: Views, found: list[exp.Expr]) -> list[str | None] | None:
    """Give the type in which each summand is taken away again without an error; None where one has none."""
    parts = _named({f"v{n}": _part(each) for n, each in enumerate(found)})
    asked = exp.select(*parts, copy=False).from_(table.tree.subquery("state"), copy=False)
    types = list(result(log, lambda: views.plan(asked)).types.values())
    counts = [isinstance(_bare(each), exp.Count) for each in found]
    if not all(is_count or type_.startswith(_EXACT) for is_count, type_ in zip(counts, types, strict=True)):
        return None
    return [None if is_count else _wide(type_) for is_count, type_ in zip(counts, types, strict=True)]


def _wide(type_: str) -> str:
    return type_ if type_.startswith("DECIMAL") else "HUGEINT"


def _value(aggregate: exp.Expr, number: int) -> exp.Expr:
    bare, count = _bare(aggregate), sql.column(f"$count{number}")
    if isinstance(bare, exp.Count):
        return count
    total = sql.column(f"$sum{number}")
    some = exp.Nullif(this=count, expression=sql.literal(0))
    if isinstance(bare, exp.Avg):
        mean = exp.Div(this=sql.cast(total, "DOUBLE"), expression=some, typed=False, safe=False)
        return exp.Paren(this=mean)
    return exp.Case(ifs=[exp.If(this=exp.Not(this=exp.Is(this=some, expression=exp.null())), true=total)])


def _if_live(value: exp.Expr) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=sql.column("$live"), true=value)])


def _is_there(value: exp.Expr) -> exp.Expr:
    there = exp.Not(this=exp.Is(this=value.copy(), expression=exp.null()))
    return sql.cast(exp.Paren(this=there), "INTEGER")


def _or_zero(value: exp.Expr, type_: str | None) -> exp.Expr:
    wide = value.copy() if type_ is None else sql.cast(value.copy(), type_)
    return exp.Coalesce(this=wide, expressions=[sql.literal(0)])


def _over(value: exp.Expr, partition: list[exp.Column]) -> exp.Window:
    spec = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")
    return exp.Window(
        this=value,
        partition_by=[part.copy() for part in partition],
        order=exp.Order(expressions=in_order()),
        spec=spec,
    )


def _named(values: dict[str, Any]) -> list[exp.Expr]:
    return [sql.alias(value, name) for name, value in values.items()]


def _halved(log: Log, table: Table, views: Views, tree: exp.Expr) -> dict[str, Any] | None:
    """Keep all versions in a temporary table, and ask it about the state after some of them."""
    number = exp.Window(this=sql.function("row_number"), order=exp.Order(expressions=in_order()))
    numbered = exp.select(exp.Star(), *_named({"$n": number}), copy=False).from_(
        table.tree.subquery("state", copy=False), copy=False
    )
    follows = exp.Window(
        this=sql.function("lead", sql.column("$n")),
        partition_by=[sql.column(name) for name in table.keys],
        order=exp.Order(expressions=[exp.Ordered(this=sql.column("$n"))]),
    )
    spans = exp.select(exp.Star(), *_named({"$until": follows}), copy=False).from_(
        numbered.subquery("numbered", copy=False), copy=False
    )
    after = exp.Coalesce(this=exp.GT(this=sql.column("$until"), expression=exp.Placeholder()), expressions=[exp.true()])
    upto = exp.LTE(this=sql.column("$n"), expression=exp.Placeholder())
    asked = (
        exp.select(tree.copy(), copy=False)
        .from_(exp.to_table("versions"), copy=False)
        .where(upto, after, sql.column("$live"), copy=False)
    )
    with _table(log, views, sql.text(spans)) as cursor:
        question = sql.text(asked)
        size = int(cursor.execute("SELECT count(*) FROM versions").fetchall()[0][0])
        place = _first_true(size, lambda n: bool(cursor.execute(question, [n, n]).fetchall()[0][0]), _SAMPLES)
        if place is None:
            return None
        cursor.execute('SELECT * FROM versions WHERE "$n" = ?', [place])
        names = [column[0] for column in cursor.description or ()]
        return dict(zip(names, cursor.fetchall()[0], strict=True))


@contextmanager
def _table(log: Log, views: Views, query: str) -> Iterator[duckdb.DuckDBPyConnection]:
    with prepared(engine_of(log), views.plan(query)) as cursor:
        cursor.execute(f"CREATE TEMP TABLE versions AS {query}")
        yield cursor


@dataclass(frozen=True, slots=True)
class Cut:
    """The log up to an event, and up to the one before it.

    Attributes:
        event: the event, with the columns of ``events``.
        before: the log without it and what follows.
        after: the log with it.
    """

    event: dict[str, Any]
    before: Log
    after: Log


def around(log: Log, event: Mapping[str, Any]) -> tuple[Log, Log]:
    """Give a log up to an event, without it and with it."""
    until = _up_to(log, event)
    same = exp.And(
        this=sql.equals(sql.column("position"), event["position"]),
        expression=sql.equals(sql.column("event_id"), event["event_id"]),
    )
    return until.where(sql.text(exp.Not(this=exp.Paren(this=same)))), until


def first_of_cuts(log: Log, holding: Callable[[Log], object]) -> Cut | None:
    """Find the event with which something begins to hold of the log up to it, by halving; None: never."""
    events = log.sql(
        "SELECT effective_at, version, position, event_id FROM events "
        "ORDER BY effective_at, version NULLS FIRST, position"
    ).arrow()

    def up_to(number: int) -> Log:
        if not number:
            return log.where("false")
        return _up_to(log, events.slice(number - 1, 1).to_pylist()[0])

    place = _first_true(events.num_rows, lambda n: holding(up_to(n)) is not None, _FEW_SAMPLES)
    if place is None:
        return None
    found = events.slice(place - 1, 1).to_pylist()[0]
    query = "SELECT * FROM events WHERE position = ? AND event_id = ?"
    [event] = log.sql(query, [found["position"], found["event_id"]]).head(1)
    return Cut(event, *around(log, event))


def _up_to(log: Log, event: Mapping[str, Any]) -> Log:
    return log.at(event["effective_at"]).where(sql.text(_not_behind(event)))


def _not_behind(event: Mapping[str, Any]) -> exp.Expr:
    """Test that an event of the same instant or earlier does not stand behind another."""
    earlier = exp.LT(this=sql.column("effective_at"), expression=sql.literal(event["effective_at"]))
    place = exp.Tuple(
        expressions=[
            exp.Coalesce(this=sql.column("version"), expressions=[sql.literal(LOWEST_VERSION)]),
            sql.column("position"),
        ]
    )
    version = LOWEST_VERSION if event["version"] is None else event["version"]
    other = exp.Tuple(expressions=[sql.literal(version), sql.literal(event["position"])])
    return exp.Or(this=earlier, expression=exp.Paren(this=exp.LTE(this=place, expression=other)))


def _first_true(size: int, holds: Callable[[int], bool], samples: int) -> int | None:
    """Find a number in 1..size at which something becomes true: the first one, if it stays true."""
    if not size:
        return None
    high = next((n for n in _spread(size, samples) if holds(n)), None)
    if high is None:
        return None
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _spread(size: int, samples: int) -> Iterator[int]:
    """Give the last number, then some that are spread evenly, from the first on."""
    yield size
    step = max(1, size // samples)
    yield from range(1, size, step)
