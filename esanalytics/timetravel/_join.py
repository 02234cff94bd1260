"""Joining to the past: for each row of a frame the state as it was at that row's instant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import Instant
from esanalytics.engines import Plan, Result
from esanalytics.errors import EngineError, ProjectionError
from esanalytics.store import Log, Store, result
from esanalytics.timetravel._definitions import Settled, Table
from esanalytics.timetravel._frames import as_table
from esanalytics.timetravel._history import is_last_of_instant
from esanalytics.timetravel._settling import Definition, answer, bounded, checked, settled
from esanalytics.timetravel._views import Views

__all__ = ["join_asof"]

_FRAME, _ROWS, _KEYS = "frame", "$rows", "$wanted"
_NUMBER, _WHEN, _AT = "$row", "$when", "$at"


def join_asof(
    frame: object,
    log: Store | Log,
    projection: Definition,
    *,
    key: str | Sequence[str],
    at: str,
    known_at: Instant | None = None,
) -> Result:
    """Return a frame's rows, each with the state of its key as it was at its instant: features without a leak.

    An event counts for a row if its ``effective_at`` is not after the row's instant. Rows keep their order and number.
    Where there is no such key, or not at that instant, or one of the two is NULL, the state's columns are NULL.

    Columns: the frame's, then the projection's; one whose name the frame has already is called after the projection, as
    in ``orders_status``. A key is compared as the type of the projection's key: 7 finds the stream ``"7"``.

    Args:
        frame: pandas, polars, Arrow, a DuckDB relation, a list of dicts, a `Result`.
        log: a store, or any view of one.
        projection: what to fold.
        key: the frame's column with the key; several, in the order of the key's columns, where it has several.
        at: the frame's column with the instant; times without a zone are UTC, and nanoseconds are cut.
        known_at: only what was recorded up to and including this instant.

    Raises:
        CompileError: the types in the log do not allow what the projection says.
        EngineError: the frame has no such column, two of one name, or one that cannot be read as an instant.
        ProjectionError: ``key`` does not name a column for each key column.
        UnsupportedError: the projection is SQL, which says nothing of single events.

    Example:
        >>> ea.join_asof(visits, store, orders, key="order_id", at="seen_at").df()  # doctest: +SKIP
    """
    definition = checked(projection)
    seen = bounded(log, None, known_at)
    probe = _probe(as_table(frame), (key,) if isinstance(key, str) else tuple(key), at, definition.name)

    def plan() -> Plan:
        views = Views()
        views.frames[_FRAME] = probe.frame
        least, greatest = _ends(probe, seen)
        until = seen if greatest is None else seen.at(greatest)
        return views.plan(probe.query(settled(until, definition), views, least))

    return answer(seen, definition, plan)


@dataclass(frozen=True, slots=True)
class _Probe:
    """The frame, and its columns that say what is asked.

    Attributes:
        frame: the user's rows, the columns under names of our own (`_own`), with their instants and numbers.
        names: the columns as the user calls them.
        key: which columns have the key.
        projection: its name.
    """

    frame: pa.Table
    names: tuple[str, ...]
    key: tuple[int, ...]
    projection: str

    def query(self, definition: Settled, views: Views, least: dt.datetime | None) -> exp.Query:
        """Compose the join."""
        wanted = exp.select(exp.Star(), copy=False).from_(_step(_KEYS), copy=False)
        found = definition.versions(views, wanted, since=least, standing=True)
        if len(found.keys) != len(self.key):
            reason = f"the key has {len(found.keys)} columns ({', '.join(found.keys)}), {len(self.key)} were named"
            raise ProjectionError(self.projection, reason, "name the frame's column for each, in this order")
        keys = [sql.column(f"$k{n}") for n in range(len(self.key))]
        distinct = exp.select(*keys, copy=False).distinct(copy=False).from_(_step(_ROWS), copy=False)
        steps = {_ROWS: self.rows(found.key_types), _KEYS: distinct}
        query: exp.Query = self._joined(found)
        for name, step in steps.items():
            query = query.with_(exp.to_identifier(name, quoted=True), as_=step, materialized=True, copy=False)
        return query

    def rows(self, key_types: Sequence[str]) -> exp.Select:
        """Select the frame's rows, with the key and the instant as they are compared."""
        types = zip(self.key, key_types, strict=True)
        keys = [
            sql.alias(sql.try_cast(sql.column(_own(n)), type_), f"$k{place}") for place, (n, type_) in enumerate(types)
        ]
        at = sql.alias(sql.cast(sql.column(_WHEN), "TIMESTAMPTZ"), _AT)
        return exp.select(exp.Star(), *keys, at, copy=False).from_(exp.to_table(_FRAME), copy=False)

    def _joined(self, found: Table) -> exp.Select:
        last = (
            exp.select(exp.Star(), copy=False)
            .from_(found.tree.subquery("versions", copy=False), copy=False)
            .where(is_last_of_instant(), copy=False)
        )
        same = [
            exp.EQ(this=sql.column(f"$k{n}", table="probe"), expression=sql.column(name, table="past"))
            for n, name in enumerate(found.keys)
        ]
        after = exp.GTE(this=sql.column(_AT, table="probe"), expression=sql.column("$effective_at", table="past"))
        own = [sql.alias(sql.column(_own(n), table="probe"), name) for n, name in enumerate(self.names)]
        shown = zip(found.columns, self._shown(found.columns), strict=True)
        state = [sql.alias(_if_live(sql.column(name, table="past")), label) for name, label in shown]
        past = last.subquery("past", copy=False)
        join = exp.Join(this=past, method="ASOF", side="LEFT", on=sql.all_of([*same, after]))
        select = exp.select(*own, *state, copy=False).from_(sql.named_source(_step(_ROWS), "probe"), copy=False)
        select.append("joins", join)
        return select.order_by(sql.column(_NUMBER, table="probe"), copy=False)

    def _shown(self, columns: Sequence[str]) -> list[str]:
        """Name the state's columns: as they are, or after the projection where the frame has such a name."""
        taken = {name.lower() for name in self.names}
        found = []
        for name in columns:
            free = name if name.lower() not in taken else f"{self.projection}_{name}"
            while free.lower() in taken:
                free += "_"
            taken.add(free.lower())
            found.append(free)
        return found


def _probe(frame: pa.Table, key: Sequence[str], at: str, projection: str) -> _Probe:
    """Find the columns that are asked about, and give all of them names that clash with nothing.

    Raises:
        EngineError: there is no such column, or two are called alike.
    """
    names = tuple(frame.column_names)
    missing = next((name for name in (*key, at) if name not in names), None)
    if missing is not None:
        known = ", ".join(names) or "no column at all; an empty frame needs its columns too"
        raise EngineError(f"the frame has no column {missing!r}; it has {known}")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise EngineError(f"the frame has two columns called {twice!r}; rename one of them")
    own = frame.rename_columns([_own(n) for n in range(len(names))])
    asked = own.append_column(_WHEN, _to_microseconds(own.column(names.index(at))))
    numbered = asked.append_column(_NUMBER, pa.array(range(frame.num_rows), pa.int64()))
    return _Probe(numbered, names, tuple(names.index(name) for name in key), projection)


def _own(number: int) -> str:
    return f"c{number}"


def _step(name: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(name, quoted=True))


def _to_microseconds(instants: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cut what is finer than microseconds, towards the past: a later instant would be a leak."""
    if not pa.types.is_timestamp(instants.type) or instants.type.unit != "ns":
        return instants
    rest = pc.subtract(instants, pc.floor_temporal(instants, unit="microsecond"))
    floored = pc.subtract(instants, rest)
    return pc.cast(floored, pa.timestamp("us", tz=instants.type.tz))


def _if_live(value: exp.Expr) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=sql.column("$live", table="past"), true=value)])


def _ends(probe: _Probe, log: Log) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Find the first and the last instant that is asked about."""
    at = sql.cast(sql.column(_WHEN), "TIMESTAMPTZ")
    ends = [sql.alias(exp.Min(this=at), "least"), sql.alias(exp.Max(this=at.copy()), "greatest")]
    query = exp.select(*ends, copy=False).from_(exp.to_table(_FRAME), copy=False)
    plan = Plan(sql.text(query), frames={_FRAME: probe.frame})
    [row] = result(log, lambda: plan, plan).head(1)
    return row["least"], row["greatest"]
