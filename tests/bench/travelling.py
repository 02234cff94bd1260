"""Measures of time travel: versions, one key, saved states, two instants, joins, Python functions."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
from eventsourcing.application import Application
from folding import STEPS, answer, asking, nth_key, same, saved
from measuring import RATIO, Outcome, compare, of, shown, timer
from setting import Setting
from workload import ASOF, COPY, FOLD, HISTORY, START, TYPED, nested

import esanalytics as ea

_BATCH = 100_000
_UNSAVED = replace(TYPED, name="unsaved")
"""The same projection under a name that has no snapshot."""

_NEAR = replace(TYPED, name="near")
_DAY = (START + dt.timedelta(days=90), START + dt.timedelta(days=91))
_NEARLY = START + dt.timedelta(days=89, hours=18)

_DIFFERENT = """
SELECT coalesce(new.stream_id, old.stream_id) AS stream_id,
    CASE WHEN old.stream_id IS NULL THEN 'added' WHEN new.stream_id IS NULL THEN 'removed' ELSE 'changed' END AS change,
    {column!r} AS "column", old.{column}::VARCHAR AS before, new.{column}::VARCHAR AS after
FROM old FULL JOIN new USING (stream_id)
WHERE old.stream_id IS NULL OR new.stream_id IS NULL OR old.{column} IS DISTINCT FROM new.{column}
"""
_PLAIN_DIFF = """
SELECT stream_id, change, "column", trim(before, '"') AS before, trim(after, '"') AS after FROM found
"""
_IN_STEPS = f"""
SELECT * REPLACE ('order-' || lpad(((row_number() OVER () - 1) // {STEPS})::VARCHAR, 8, '0') AS stream_id) FROM loaded
"""


@ea.reducer("orders", initial={"status": None, "total": Decimal(0), "events": 0, "least": None})
def reduced(state: dict[str, Any], event: Any) -> dict[str, Any]:
    """Fold as `TYPED` does."""
    data = event.data
    quantity, least = data["quantity"], state["least"]
    state["status"] = data["status"]
    state["total"] += data["amount"]
    state["events"] += 1
    state["least"] = quantity if least is None else min(least, quantity)
    return state


def history(setting: Setting) -> Outcome:
    """Stream every version, and the same of the plain files by hand, as Arrow batches."""
    query = HISTORY.format(source=setting.plain)
    ours, theirs = partial(_all_versions, setting), partial(_streamed, setting.sql, query)
    found = ea.history(setting.store, TYPED).batches()
    if _digest(setting, found) != _digest(setting, setting.sql.cursor().sql(query).to_arrow_reader(_BATCH)):
        raise ValueError("the two sides give different versions")
    return compare(timer(ours), timer(theirs), setting.repeat)


def history_of_key(setting: Setting) -> Outcome:
    """Ask for the versions of one key, each time another."""
    key = nth_key(setting, 1)
    query = f"SELECT * FROM ({HISTORY.format(source=setting.clustered)}) WHERE stream_id = ?"
    _same_rows(ea.history(setting.store, TYPED, key=key).arrow(), answer(setting.sql, query, [key]), "position")
    return _for_keys(setting, lambda key: ea.history(setting.store, TYPED, key=key).arrow())


def explain_key(setting: Setting) -> Outcome:
    """Ask for what made the values of one key, each time another."""
    key = nth_key(setting, 1)
    _check_explained(setting, key, None)
    return _for_keys(setting, lambda key: ea.explain(setting.store, TYPED, key).arrow())


def explain_value(setting: Setting) -> Outcome:
    """Ask for what made one value of one key, each time another."""
    key = nth_key(setting, 1)
    _check_explained(setting, key, "total")
    return _for_keys(setting, lambda key: ea.explain(setting.store, TYPED, key, "total").arrow())


def tail(setting: Setting) -> Outcome:
    """Go on from a snapshot of all but the last hundredth of the events, and fold them all."""
    return _from_snapshot(setting, setting.tails[0])


def late_tail(setting: Setting) -> Outcome:
    """The same where one event in a hundred of that last hundredth is months late."""
    return _from_snapshot(setting, setting.tails[1])


def diff(setting: Setting) -> Outcome:
    """Compare two instants a day apart with a snapshot some hours before, and fold the log up to each."""
    before, after = _DAY
    with _saved(setting.store, _NEAR, _NEARLY):
        ours = ea.diff(setting.store, _NEAR, before, after).arrow
        old, new = (ea.state_at(setting.store, _UNSAVED, at).arrow() for at in _DAY)
        query = " UNION ALL ".join(_DIFFERENT.format(column=name) for name in ("status", "total", "events", "least"))
        with setting.seeing(old=old, new=new, found=ours()) as connection:
            _same_rows(answer(connection, _PLAIN_DIFF), answer(connection, query), "stream_id", "column")
        return compare(
            timer(lambda: ea.diff(setting.store, _NEAR, before, after).arrow()),
            timer(lambda: [ea.state_at(setting.store, _UNSAVED, at).arrow() for at in _DAY]),
            setting.repeat,
        )


def bisect(setting: Setting) -> Outcome:
    """Look for the first row with almost the greatest total of all, and stream every version."""
    versions = HISTORY.format(source=setting.plain)
    limit = setting.sql.sql(f"SELECT max(total) - 1 FROM ({versions})").fetchall()[0][0]
    first = f"SELECT event_id FROM ({versions}) WHERE total > {limit} ORDER BY valid_from, position LIMIT 1"
    ours = partial(ea.bisect, setting.store, TYPED, f"total > {limit}")
    if ours().event["event_id"] != setting.sql.sql(first).fetchall()[0][0]:
        raise ValueError("the two sides find different events")
    return compare(timer(ours), timer(partial(_all_versions, setting)), setting.repeat)


def join(setting: Setting) -> Outcome:
    """Join a frame to the past, less the time to make the versions it needs, and to a file of versions by hand."""
    path = setting.path().with_suffix(".parquet")
    setting.sql.execute(COPY.format(query=HISTORY.format(source=setting.plain), path=path))
    query = ASOF.format(source=f"read_parquet('{path}')")
    ours = partial(_joined, setting)
    making = timer(partial(_needed_versions, setting))
    with setting.seeing(visits=setting.visits) as connection:
        theirs = partial(answer, connection, query)
        expected = theirs()
        if not ours().equals(expected.select(ours().column_names).cast(ours().schema)):
            raise ValueError("the two sides give different answers")
        runs = [(timer(ours)(), making(), timer(theirs)()) for _ in range(setting.repeat + 1)][1:]
    path.unlink()
    note = " / ".join(shown(seconds * 1e3, "ms") for seconds in runs[-1])
    return of([(whole - made) / by_hand for whole, made, by_hand in runs], RATIO, f"join, versions, by hand: {note}")


def reducer(setting: Setting) -> Outcome:
    """Read aggregates back with the other library, and run a Python function over the same events, per event."""
    application: Application = Application(env={"PERSISTENCE_MODULE": "eventsourcing.popo"})
    ids = saved(setting, application)
    rows = setting.rows.slice(0, len(ids) * STEPS)
    with setting.empty() as store:
        store.append(setting.arrow(nested(_IN_STEPS), loaded=rows), service="orders", progress=False)
        store.compact(retain=dt.timedelta(0))
        theirs, ours = partial(_replayed, application, ids), ea.state_at(store, reduced).arrow
        _check_replayed(theirs(), ours().sort_by("stream_id"))
        other, own = timer(theirs), timer(lambda: ea.state_at(store, reduced).arrow())
        pairs = [(other() / (len(ids) * (STEPS + 1)), own() / len(rows)) for _ in range(setting.repeat)]
    note = " / ".join(shown(seconds * 1e6, "µs") for seconds in pairs[-1])
    return of([a / b for a, b in pairs], RATIO, f"{note} per event")


def _all_versions(setting: Setting) -> None:
    for _ in ea.history(setting.store, TYPED).batches():
        pass


def _needed_versions(setting: Setting) -> None:
    """Stream the columns of every version that a join needs: ids and types of events are not among them."""
    connection = setting.sql.cursor()
    setup, _, query = ea.history(setting.store, TYPED).sql.rpartition(";\n")
    connection.execute(setup)
    _streamed(connection, f"SELECT stream_id, status, total, events, least, valid_from FROM ({query})")


def _streamed(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    for _ in connection.sql(query).to_arrow_reader(_BATCH):
        pass


def _digest(setting: Setting, versions: pa.RecordBatchReader) -> object:
    """Sum up rows in any order; types aside, for sums differ in how many digits they may have."""
    columns = "stream_id, status, total::DOUBLE, events, least, valid_from, valid_to, event_id, type, position"
    query = f"SELECT count(*), sum(hash({columns})::HUGEINT) FROM versions"
    with setting.seeing(versions=versions) as connection:
        return connection.sql(query).fetchall()


def _for_keys(setting: Setting, ask: Callable[[str], object]) -> Outcome:
    run = asking(setting, ask)
    run()
    return of([run() * 1e3 for _ in range(4 * setting.repeat)], "ms")


def _check_explained(setting: Setting, key: str, column: str | None) -> None:
    """Check that the last running value of each column is the state's."""
    [row] = answer(
        setting.sql, f"SELECT * FROM ({FOLD.format(source=setting.plain)}) WHERE stream_id = ?", [key]
    ).to_pylist()
    last = {step["column"]: step["result"] for step in ea.explain(setting.store, TYPED, key, column)}
    wanted = [column] if column else ["status", "total", "events", "least"]
    if [last.get(name) for name in wanted] != [row[name] for name in wanted]:
        raise ValueError("the last running values are not the state's")


def _from_snapshot(setting: Setting, store: ea.Store) -> Outcome:
    same(ea.state_at(store, TYPED).arrow(), ea.state_at(store, _UNSAVED).arrow())
    ours, theirs = (timer(partial(_folded, store, projection)) for projection in (TYPED, _UNSAVED))
    return compare(ours, theirs, setting.repeat)


def _folded(store: ea.Store, projection: ea.Projection) -> pa.Table:
    return ea.state_at(store, projection).arrow()


def _joined(setting: Setting) -> pa.Table:
    return ea.join_asof(setting.visits, setting.store, TYPED, key="order_id", at="seen_at").arrow()


@contextmanager
def _saved(store: ea.Store, projection: ea.Projection, at: dt.datetime) -> Iterator[None]:
    found = ea.snapshot(store, projection, at)
    try:
        yield
    finally:
        found.drop()


def _replayed(application: Application, ids: list[object]) -> list[Any]:
    return [application.repository.get(name) for name in ids]


def _check_replayed(orders: list[Any], rows: pa.Table) -> None:
    names = ("status", "total", "events", "least")
    if [tuple(getattr(order, name) for name in names) for order in orders] != [
        tuple(row[name] for name in names) for row in rows.to_pylist()
    ]:
        raise ValueError("the two sides give different answers")


def _same_rows(one: pa.Table, other: pa.Table, *order: str) -> None:
    by = [(name, "ascending") for name in order]
    first, second = (table.sort_by(by).combine_chunks() for table in (one, other))
    if not first.equals(second.select(first.column_names).cast(first.schema)):
        raise ValueError("the two sides give different answers")
