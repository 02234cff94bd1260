"""What-if events: data files that no commit names, in the system's temporary folder, gone with the last view of them."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
import weakref
from pathlib import Path

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import DuckDB
from esanalytics.errors import InvalidEventError
from esanalytics.events import Disorder, storage_types
from esanalytics.store import _staging
from esanalytics.store._admission import derive_ids, find_known, start
from esanalytics.store._intake import batches
from esanalytics.store._view import Extra
from esanalytics.store._writing import Writer

__all__ = ["write_extra"]


class _Keeper:
    """Deletes a folder when nobody holds it any more."""

    __slots__ = ("__weakref__",)

    def __init__(self, folder: str) -> None:
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)


def write_extra(
    events: object, engine: DuckDB, position: int, defaults: _staging.Defaults
) -> tuple[Extra, ...]:
    """Write events that a view adds to the log.

    Args:
        events: anything that ``append`` takes.
        engine: where to stage them.
        position: the log's last; events that have none follow it.
        defaults: what the caller says for all.

    Raises:
        InvalidEventError: one of them could not be stored.
        DuplicateEventError: two of them share an id and differ.
    """
    cursor = engine.cursor()
    try:
        _staging.create(cursor)
        start(cursor)
        rows = 0
        for batch in batches(events, engine.cursor, dt.datetime.now(dt.UTC)):
            for refusal in _staging.stage(cursor, batch, rows, defaults):
                raise InvalidEventError(refusal.origin, refusal.line, refusal.reason)
            rows += batch.rows.num_rows
        derive_ids(cursor)
        for problem in find_known(cursor, (), str):
            raise problem.error
        folder = tempfile.mkdtemp(prefix="esanalytics-")
        keeper = _Keeper(folder)
        files = Writer(Path(folder), "year").write(cursor, _rows(position))
        return tuple(Extra(file, f"{folder}/{file.path}", keeper) for file in files)
    finally:
        cursor.close()


def _rows(position: int) -> exp.Expression:
    values: dict[str, exp.Expression] = {
        name: sql.column(name) for name in storage_types() if name != "disorder"
    }
    following = exp.Add(this=sql.literal(position + 1), expression=sql.column("row"))
    values["position"] = exp.Coalesce(this=values["position"], expressions=[following])
    values["recorded_at"] = exp.Coalesce(this=values["recorded_at"], expressions=[sql.column("occurred_at")])
    versioned = exp.Not(this=exp.Is(this=sql.column("version"), expression=exp.null()))
    unknown, late = sql.literal(int(Disorder.LATE | Disorder.CLOCK)), sql.literal(int(Disorder.LATE))
    values["disorder"] = exp.Case(ifs=[exp.If(this=versioned, true=unknown)], default=late)
    select = exp.select(*(exp.alias_(value, name, quoted=True) for name, value in values.items()))
    return select.from_("fresh").subquery("rows")
