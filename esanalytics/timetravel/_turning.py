"""When a predicate about a whole state becomes true.

Sums, counts and means are followed event by event: each adds what its row is now, less what it was. Other aggregates
are asked of the state after some events, halving what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import is_aggregate, prepared
from esanalytics.events import LOWEST_VERSION
from esanalytics.store import Log, engine_of, result
from esanalytics.timetravel._definitions import Table
from esanalytics.timetravel._views import Views

__all__ = ["Cut", "first_of_cuts", "first_of_whole"]

_EXACT = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "DECIMAL", "BOOLEAN")
_SAMPLES = 32
_ORDER = ("$effective_at", "$version", "$position")


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
    if not found or is_aggregate(rest) or not _are_exact(log, table, views, found):
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
            running[f"$sum{n}"] = _over(exp.Sum(this=exp.Sub(this=_or_zero(new), expression=_or_zero(old))), [])
    sums = exp.select(exp.Star(), *_named(running), copy=False).from_(pairs.subquery("pairs", copy=False), copy=False)
    holds = tree.transform(lambda node: _value(node, found.index(node)) if node in found else node)
    shown = (
        exp.select(exp.Star(), copy=False).from_(sums.subquery("sums", copy=False), copy=False).where(holds, copy=False)
    )
    return shown.order_by(*_sorting(), copy=False).limit(1, copy=False)


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


def _are_exact(log: Log, table: Table, views: Views, found: list[exp.Expr]) -> bool:
    """Tell whether what is summed can be taken away again without an error."""
    summed = [_part(each) for each in found if not isinstance(_bare(each), exp.Count)]
    if not summed:
        return True
    asked = exp.select(*_named({f"v{n}": part for n, part in enumerate(summed)}), copy=False).from_(
        table.tree.subquery("state", copy=False), copy=False
    )
    types = result(log, lambda: views.plan(asked)).types
    return all(type_.startswith(_EXACT) for type_ in types.values())


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


def _or_zero(value: exp.Expr) -> exp.Expr:
    return exp.Coalesce(this=value.copy(), expressions=[sql.literal(0)])


def _over(value: exp.Expr, partition: list[exp.Column]) -> exp.Window:
    spec = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")
    return exp.Window(
        this=value,
        partition_by=[part.copy() for part in partition],
        order=exp.Order(expressions=_sorting()),
        spec=spec,
    )


def _sorting() -> list[exp.Expr]:
    return [exp.Ordered(this=sql.column(name), nulls_first=True) for name in _ORDER]


def _named(values: dict[str, Any]) -> list[exp.Expr]:
    return [sql.alias(value, name) for name, value in values.items()]


def _halved(log: Log, table: Table, views: Views, tree: exp.Expr) -> dict[str, Any] | None:
    """Keep all versions in a temporary table, and ask it about the state after some of them."""
    number = exp.Window(this=sql.function("row_number"), order=exp.Order(expressions=_sorting()))
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


def first_of_cuts(log: Log, holding: Callable[[Log], object]) -> Cut | None:
    """Find the event with which something begins to hold of the log up to it, by halving; None: never."""
    events = log.sql(
        "SELECT effective_at, version, position, event_id FROM events "
        "ORDER BY effective_at, version NULLS FIRST, position"
    ).arrow()

    def up_to(number: int) -> Log:
        if not number:
            return log.where("false")
        last = events.slice(number - 1, 1).to_pylist()[0]
        return log.at(last["effective_at"]).where(sql.text(_not_behind(last)))

    place = _first_true(events.num_rows, lambda n: holding(up_to(n)) is not None, _SAMPLES // 8)
    if place is None:
        return None
    found = events.slice(place - 1, 1).to_pylist()[0]
    query = "SELECT * FROM events WHERE position = ? AND event_id = ?"
    [event] = log.sql(query, [found["position"], found["event_id"]]).head(1)
    return Cut(event, up_to(place - 1), up_to(place))


def _not_behind(event: dict[str, Any]) -> exp.Expr:
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
