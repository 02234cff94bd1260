"""Measures of reading: a whole log, one key, many small commits, too little memory, another library."""

import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from itertools import count

import duckdb
import pyarrow as pa
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from measuring import RATIO, Outcome, Timer, compare, fresh, of, shown, timer
from setting import Setting
from workload import FOLD, FOLD_OF_KEY, PAYLOAD, TYPED, UNTYPED, events, nested

import esanalytics as ea

STEPS = 20
_BACKWARDS = """
SELECT 1 FROM (
    SELECT occurred_at < lag(occurred_at) OVER (PARTITION BY stream_id ORDER BY position) AS late FROM events
) WHERE late LIMIT 1
"""


def whole(setting: Setting, projection: ea.Projection) -> Outcome:
    """Fold the whole log, and the plain files by hand."""
    query = FOLD.format(source=setting.plain)
    ours = ea.state_at(setting.store, projection).arrow
    theirs = partial(answer, setting.sql, query)
    same(ours(), theirs())
    return compare(timer(lambda: ea.state_at(setting.store, projection).arrow()), timer(theirs), setting.repeat)


def typed(setting: Setting) -> Outcome:
    return whole(setting, TYPED)


def untyped(setting: Setting) -> Outcome:
    return whole(setting, UNTYPED)


def key_time(setting: Setting) -> Outcome:
    """Ask for one key, each time another."""
    ask = asking(setting, lambda key: ea.state_at(setting.store, TYPED, key=key).arrow())
    ask()
    return of([ask() * 1e3 for _ in range(4 * setting.repeat)], "ms")


def key_ratio(setting: Setting) -> Outcome:
    """Ask for one key, here and of the sorted plain file."""
    query = FOLD_OF_KEY.format(source=setting.clustered)
    ours = asking(setting, lambda key: ea.state_at(setting.store, TYPED, key=key).arrow())
    theirs = asking(setting, lambda key: answer(setting.sql, query, [key]))
    key = nth_key(setting, 1)
    same(ea.state_at(setting.store, TYPED, key=key).arrow(), answer(setting.sql, query, [key]))
    return compare(ours, theirs, 4 * setting.repeat)


def asking(setting: Setting, ask: Callable[[str], object]) -> Timer:
    """Ask for another key in every run."""
    numbers = count(2)

    def run() -> float:
        return timer(partial(ask, nth_key(setting, next(numbers))))()

    return run


def nth_key(setting: Setting, number: int) -> str:
    return f"order-{number * 7919 % setting.sizes.streams:08d}"


def many_commits(setting: Setting) -> Outcome:
    """Fold a store of one-event commits, and a store with the same events in one commit."""
    many = setting.commits.store
    with setting.empty() as single:
        single.append(many.log.events(), progress=False)
        first, second = ea.state_at(many, TYPED), ea.state_at(single, TYPED)
        same(first.arrow(), second.arrow())
        return compare(
            timer(lambda: ea.state_at(many, TYPED).arrow()),
            timer(lambda: ea.state_at(single, TYPED).arrow()),
            2 * setting.repeat,
        )


def opening(setting: Setting) -> Outcome:
    """Open the store of one-event commits in a new process, and count."""
    path = setting.commits.store.path
    runs = [fresh("open", path)["seconds"] * 1e3 for _ in range(setting.repeat + 1)]
    return of(runs[1:], "ms", f"{setting.commits.store.info().files} files")


def composite(setting: Setting) -> Outcome:
    """Fold a log with late events, and the same events in order."""
    streams = min(setting.sizes.streams, setting.sizes.load // 10)
    with setting.empty() as late, setting.empty() as ordered:
        for store, is_late in ((late, True), (ordered, False)):
            query = nested(events(setting.sizes.load, streams, late=is_late))
            store.append(setting.sql.cursor().sql(query), progress=False)
        same(ea.state_at(late, TYPED).arrow(), ea.state_at(ordered, TYPED).arrow())
        if not late.log.sql(_BACKWARDS).arrow().num_rows:
            raise ValueError("no event came late")
        return compare(
            timer(lambda: ea.state_at(late, TYPED).arrow()),
            timer(lambda: ea.state_at(ordered, TYPED).arrow()),
            setting.repeat,
        )


def memory(setting: Setting) -> Outcome:
    """Fold the whole log in a new process with 1 GB for DuckDB."""
    found = fresh("fold", setting.store.path, setting.threads, "1GB", setting.path())
    spilled = shown(found["spilled"] / 1e6, "MB")
    note = f"{found['rows']:,} rows in {found['seconds']:.1f} s, {spilled} spilled"
    return of([found["peak"] / 1e6], "MB", f"{note}, {shown(found['before'] / 1e6, 'MB')} before")


class Order(Aggregate):
    """The same fold for the ``eventsourcing`` library, as its documentation writes aggregates."""

    @event("Opened")
    def __init__(self) -> None:
        self.status: str | None = None
        self.total = Decimal(0)
        self.events = 0
        self.least: int | None = None

    @event("Changed")
    def change(self, status: str, amount: Decimal, quantity: int, sku: str) -> None:  # noqa: ARG002  part of the event
        self.status = status
        self.total += amount
        self.events += 1
        self.least = quantity if self.least is None else min(self.least, quantity)


def eventsourcing(setting: Setting) -> Outcome:
    """Read aggregates back from the library's recorder in memory, per event, and fold the whole log, per event."""
    application: Application = Application(env={"PERSISTENCE_MODULE": "eventsourcing.popo"})
    ids = saved(setting, application)

    def theirs() -> float:
        began = time.perf_counter()
        found = [application.repository.get(name) for name in ids]
        seconds = time.perf_counter() - began
        if any(order.events != STEPS for order in found):
            raise ValueError("the other library lost events")
        return seconds / (len(ids) * (STEPS + 1))

    def ours() -> float:
        return timer(lambda: ea.state_at(setting.store, TYPED).arrow())() / setting.sizes.events

    theirs(), ours()
    pairs = [(theirs(), ours()) for _ in range(setting.repeat)]
    note = f"{shown(pairs[-1][0] * 1e6, 'µs')} / {shown(pairs[-1][1] * 1e6, 'µs')} per event"
    return of([a / b for a, b in pairs], RATIO, note)


def saved(setting: Setting, application: Application) -> list[object]:
    columns = [setting.rows[name].to_pylist() for name in PAYLOAD]
    rows = list(zip(*columns, strict=True))
    ids = []
    for start in range(0, setting.sizes.foreign - STEPS + 1, STEPS):
        order = Order()
        for row in rows[start : start + STEPS]:
            order.change(*row)
        application.save(order)
        ids.append(order.id)
    return ids


def answer(connection: duckdb.DuckDBPyConnection, query: str, parameters: list[str] | None = None) -> pa.Table:
    return connection.sql(query, params=parameters).to_arrow_table()


def same(one: pa.Table, other: pa.Table) -> None:
    """Check that both sides give one answer: a fast wrong one is worth nothing."""
    first, second = (table.sort_by("stream_id").combine_chunks() for table in (one, other))
    if not first.equals(second.cast(first.schema)):
        raise ValueError("the two sides give different answers")
