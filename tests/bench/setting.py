"""What several measures share: the sizes, the engines, the stores; each is made when first asked for."""

import datetime as dt
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from statistics import median

import duckdb
import pyarrow as pa
from measuring import fresh, said
from workload import COPY, PAYLOAD, TYPED, belated, events, nested, one, visits

import esanalytics as ea

KINDS = ("ids", "derived", "versioned")
"""How one event may be appended: with an id of its source, without one, with ``expected_version``."""

_EARLY = 100
_EACH = 40


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        events, streams: of the whole log.
        commits: of one event each.
        load: events of one append.
        foreign: events that the other library folds.
        history: versions of the history whose export is weighed, about.
    """

    events: int
    streams: int
    commits: int
    load: int
    foreign: int
    history: int


@dataclass(frozen=True, slots=True)
class Commits:
    """A store of commits of one event each, and how long those took, by kind, early and late."""

    store: ea.Store
    early: dict[str, float]
    late: dict[str, float]
    slowest: float


@dataclass(eq=False)
class Setting:
    """Where everything happens."""

    folder: Path
    sizes: Sizes
    repeat: int
    threads: int
    _numbers: Iterator[int] = field(default_factory=count, repr=False)

    @property
    def engine(self) -> ea.engines.DuckDB:
        return ea.engines.DuckDB(threads=self.threads)

    @cached_property
    def sql(self) -> duckdb.DuckDBPyConnection:
        """DuckDB for what is written by hand."""
        connection = duckdb.connect(config={"threads": self.threads})
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def path(self) -> Path:
        """Name a place that nothing has used before."""
        return self.folder / f"n{next(self._numbers)}"

    @contextmanager
    def empty(self) -> Iterator[ea.Store]:
        """Make a store and throw it away."""
        path = self.path()
        store = ea.Store.create(path, engine=self.engine)
        try:
            store.log.sql("SELECT count(*) FROM events").arrow()  # the engine is warm, as the other side's is
            yield store
        finally:
            store.close()
            shutil.rmtree(path)

    @cached_property
    def store(self) -> ea.Store:
        """The whole log, in one service, compacted."""
        store = ea.Store.create(self.path(), engine=self.engine)
        query = nested(events(self.sizes.events, self.sizes.streams))
        with said(f"a store of {self.sizes.events:,} events"):
            store.append(self.sql.cursor().sql(query).to_arrow_reader(100_000), service="orders", progress=False)
        with said("compacting it"):
            store.compact(retain=dt.timedelta(0))
        return store

    @cached_property
    def plain(self) -> str:
        """The whole log as plain typed columns: as many files as the store's, their rows in the same order."""
        folder = self.path()
        folder.mkdir()
        columns = ", ".join(f"data.{name}::{type_} AS {name}" for name, type_ in PAYLOAD.items())
        files = sorted((self.store.path / "events").glob("service=*/*/*.parquet"))
        with said(f"the same as {len(files)} plain files"):
            for number, file in enumerate(files):
                query = (
                    f"SELECT position, event_id, stream_id, type, occurred_at, {columns} FROM read_parquet('{file}')"
                )
                self.sql.execute(COPY.format(query=query, path=folder / f"{number}.parquet"))
        return f"read_parquet('{folder}/*.parquet')"

    @cached_property
    def clustered(self) -> str:
        """The whole log as plain typed columns in one file sorted by stream: the best for a point query."""
        path = self.path().with_suffix(".parquet")
        with said("the same sorted by stream"):
            query = f"SELECT * FROM {self.plain} ORDER BY stream_id, position"
            self.sql.execute(COPY.format(query=query, path=path))
        return f"read_parquet('{path}')"

    @cached_property
    def tails(self) -> tuple[ea.Store, ea.Store]:
        """Two stores with a snapshot, and the last hundredth of the log after it: on time; with some of it late."""
        count, streams = self.sizes.events, self.sizes.streams
        begun = ea.Store.create(self.path(), engine=self.engine)
        last = count - count // 100
        with said(f"a snapshot of {last:,} events, two stores that go on from it"):
            query = nested(events(count, streams, part=(0, last)))
            begun.append(self.sql.cursor().sql(query).to_arrow_reader(100_000), service="orders", progress=False)
            begun.compact(retain=dt.timedelta(0))
            ea.snapshot(begun, TYPED)
            begun.close()
            paths = (begun.path, shutil.copytree(begun.path, self.path()))
            found = tuple(ea.Store.open(path, engine=self.engine) for path in paths)
            tail = events(count, streams, part=(last, count))
            for store, query in zip(found, (tail, belated(tail)), strict=True):
                store.append(self.sql.cursor().sql(nested(query)), service="orders", progress=False)
        return found

    @cached_property
    def visits(self) -> pa.Table:
        """Rows to join to the past: a tenth as many as there are events."""
        return self.sql.sql(visits(self.sizes.events // 10, self.sizes.streams)).to_arrow_table()

    @cached_property
    def rows(self) -> pa.Table:
        """The events of one load, as Arrow: the envelope's columns, then the payload's."""
        streams = min(self.sizes.streams, self.sizes.load // 10)
        return self.sql.sql(events(self.sizes.load, streams)).to_arrow_table()

    @cached_property
    def structs(self) -> pa.Table:
        """The same with the payload as a struct ``data``."""
        return self.arrow(nested("FROM loaded"), loaded=self.rows)

    def arrow(self, query: str, **tables: pa.Table) -> pa.Table:
        """Ask something of Arrow tables, by name."""
        with self.seeing(**tables) as connection:
            return connection.sql(query).to_arrow_table()

    @contextmanager
    def seeing(self, **tables: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
        """Let hand-written SQL read Arrow tables."""
        for name, table in tables.items():
            self.sql.register(name, table)
        try:
            yield self.sql
        finally:
            for name in tables:
                self.sql.unregister(name)

    @cached_property
    def commits(self) -> Commits:
        """Append one event after the other on one handle; look closer after the first hundred, and at the end."""
        store = ea.Store.create(self.path(), engine=self.engine)
        single = _Single(store)
        with said(f"{self.sizes.commits:,} commits of one event"):
            first = [single.append("ids") for _ in range(_EARLY)]
            early = single.sample()
            between = range(single.number, self.sizes.commits - _EACH * len(KINDS))
            rest = [single.append("ids") for _ in between]
            late = single.sample()
        return Commits(store, early, late, max([*first, *rest]))

    @cached_property
    def generated(self) -> dict[str, float]:
        """What a new process found that appended as many events from a Python generator."""
        path = self.path()
        with said(f"{self.sizes.events:,} events from a generator"):
            found = fresh("generate", path, self.threads, self.sizes.events, self.sizes.streams)
        shutil.rmtree(path)
        return found


@dataclass(eq=False)
class _Single:
    """Appends one event at a time."""

    store: ea.Store
    number: int = 0
    version: int = 0

    def append(self, kind: str) -> float:
        """Append the next event and give the seconds it took."""
        event = one(self.number, f"{kind}-{self.number % 500}")
        own: dict[str, object] = {}
        if kind == "ids":
            event["event_id"] = f"event-{self.number:012d}"
        if kind == "versioned":
            event["stream_id"] = "versioned"
            own = {"stream": "versioned", "expected_version": self.version}
            self.version += 1
        self.number += 1
        began = time.perf_counter()
        self.store.append([event], progress=False, **own)
        return time.perf_counter() - began

    def sample(self) -> dict[str, float]:
        """Append some of each kind, in turns; give the median of each."""
        rounds = [{kind: self.append(kind) for kind in KINDS} for _ in range(_EACH)]
        return {kind: median(seconds[kind] for seconds in rounds) for kind in KINDS}
