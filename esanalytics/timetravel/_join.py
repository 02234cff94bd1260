"""Joining to the past: for each row of a frame the state as it was at that row's instant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
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
_NUMBER, _AT = "$row", "$at"


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
    in ``orders_status``.

    Args:
        frame: pandas, polars, Arrow, a DuckDB relation, a list of dicts, a `Result`.
        log: a store, or any view of one.
        projection: what to fold.
        key: the frame's column with the key; several, in the order of the key's columns, where it has several.
        at: the frame's column with the instant; times without a zone are UTC, and nanoseconds are cut.
        known_at: only what was recorded up to and including this instant.

    Raises:
        CompileError: the types in the log do not allow what the projection says.
        EngineError: the frame has no such column, or one that cannot be read as a key or an instant.
        ProjectionError: ``key`` does not name a column for each key column.
        UnsupportedError: the projection is SQL, which says nothing of single events.

    Example:
        >>> ea.join_asof(visits, store, orders, key="order_id", at="seen_at").df()  # doctest: +SKIP
    """
    definition = checked(projection)
    seen = bounded(log, None, known_at)
    given = as_table(frame)
    names = (key,) if isinstance(key, str) else tuple(key)
    _check(given, [*names, at])
    probe = _Probe(given, names, at, definition.name)

    def plan() -> Plan:
        views = Views()
        views.frames[_FRAME] = given.append_column(_NUMBER, pa.array(range(given.num_rows), pa.int64()))
        least, greatest = _ends(probe, seen)
        until = seen if greatest is None else seen.at(greatest)
        return views.plan(probe.query(settled(until, definition), views, least))

    return answer(seen, definition, plan)


@dataclass(frozen=True, slots=True)
class _Probe:
    """The frame, and its columns that say what is asked.

    Attributes:
        frame: the user's.
        key: columns with the key.
        at: the column with the instant.
        name: the projection's.
    """

    frame: pa.Table
    key: tuple[str, ...]
    at: str
    name: str

    def query(self, definition: Settled, views: Views, least: dt.datetime | None) -> exp.Query:
        """Compose the join."""
        wanted = exp.Table(this=exp.to_identifier(_KEYS, quoted=True))
        found = definition.versions(
            views, exp.select(exp.Star(), copy=False).from_(wanted, copy=False), since=least, standing=True
        )
        if len(found.keys) != len(self.key):
            reason = f"the key has {len(found.keys)} columns ({', '.join(found.keys)}), {len(self.key)} were named"
            raise ProjectionError(self.name, reason, "name the frame's column for each, in this order")
        rows = exp.Table(this=exp.to_identifier(_ROWS, quoted=True))
        query = self._joined(rows, found)
        query = query.with_(exp.to_identifier(_ROWS, quoted=True), as_=self.rows(), materialized=True, copy=False)
        keys = [sql.column(f"$k{n}") for n in range(len(self.key))]
        distinct = exp.select(*keys, copy=False).distinct(copy=False).from_(rows.copy(), copy=False)
        return query.with_(exp.to_identifier(_KEYS, quoted=True), as_=distinct, materialized=True, copy=False)

    def rows(self) -> exp.Select:
        """Select the frame's rows, with the key and the instant as they are compared."""
        keys = [sql.alias(sql.column(name), f"$k{n}") for n, name in enumerate(self.key)]
        at = sql.alias(_instant(sql.column(self.at), self.frame.schema.field(self.at).type), _AT)
        return exp.select(exp.Star(), *keys, at, copy=False).from_(exp.to_table(_FRAME), copy=False)

    def _joined(self, rows: exp.Table, found: Table) -> exp.Select:
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
        own = [sql.column(name, table="probe") for name in self.frame.column_names]
        shown = zip(found.columns, self._names(found.columns), strict=True)
        state = [sql.alias(_if_live(sql.column(name, table="past")), label) for name, label in shown]
        join = exp.Join(
            this=last.subquery("past", copy=False), method="ASOF", side="LEFT", on=sql.all_of([*same, after])
        )
        select = exp.select(*own, *state, copy=False).from_(sql.named_source(rows, "probe"), copy=False)
        select.append("joins", join)
        return select.order_by(sql.column(_NUMBER, table="probe"), copy=False)

    def _names(self, columns: Sequence[str]) -> list[str]:
        """Name the state's columns: as they are, or after the projection where the frame has such a name."""
        taken = {name.lower() for name in self.frame.column_names}
        found = []
        for name in columns:
            free = name if name.lower() not in taken else f"{self.name}_{name}"
            while free.lower() in taken:
                free += "_"
            taken.add(free.lower())
            found.append(free)
        return found


def _check(frame: pa.Table, names: Sequence[str]) -> None:
    missing = next((name for name in names if name not in frame.column_names), None)
    if missing is not None:
        raise EngineError(f"the frame has no column {missing!r}; it has {', '.join(frame.column_names)}")


def _instant(value: exp.Expr, type_: pa.DataType) -> exp.Expr:
    """Read a value as an instant; what is finer than microseconds is cut, for a later one would be a leak."""
    if not pa.types.is_timestamp(type_) or type_.unit != "ns":
        return sql.cast(value, "TIMESTAMPTZ")
    whole = exp.IntDiv(this=sql.function("epoch_ns", value), expression=sql.literal(1000))
    return sql.cast(sql.function("make_timestamp", whole), "TIMESTAMPTZ")


def _if_live(value: exp.Expr) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=sql.column("$live", table="past"), true=value)])


def _ends(probe: _Probe, log: Log) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Find the first and the last instant that is asked about."""
    at = sql.column(_AT)
    query = exp.select(exp.Min(this=at), exp.Max(this=at.copy()), copy=False).from_(
        probe.rows().subquery("probe", copy=False), copy=False
    )
    plan = Plan(sql.text(query), frames={_FRAME: probe.frame})
    [row] = result(log, lambda: plan, plan).head(1)
    least, greatest = row.values()
    return least, greatest
