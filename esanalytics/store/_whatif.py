"""What-if events: data files that no commit names, in a temporary folder, gone with the last view of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from esanalytics._temporary import Keeper
from esanalytics.engines import DuckDB
from esanalytics.errors import InvalidEventError
from esanalytics.events import Disorder, storage_types
from esanalytics.store import _staging
from esanalytics.store._admission import Admission, derive_ids, start
from esanalytics.store._intake import batches
from esanalytics.store._view import Extra
from esanalytics.store._writing import Writer

__all__ = ["write_extra"]


def write_extra(events: object, engine: DuckDB, position: int, defaults: _staging.Defaults) -> tuple[Extra, ...]:
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
        for problem in Admission(cursor, (), str).known():
            raise problem.error
        keeper = Keeper()
        files = Writer(Path(keeper.folder), "year").write(cursor, _rows(position))
        return tuple(Extra(file, f"{keeper.folder}/{file.path}", keeper) for file in files)
    finally:
        cursor.close()


def _rows(position: int) -> str:
    own = [name for name in storage_types() if name not in ("position", "recorded_at", "disorder")]
    unknown, late = int(Disorder.LATE | Disorder.CLOCK), int(Disorder.LATE)
    return (
        f"(SELECT {', '.join(own)}, coalesce(position, {position + 1} + row) AS position, "
        f"coalesce(recorded_at, occurred_at) AS recorded_at, if(version IS NULL, {late}, {unknown}) AS disorder "
        "FROM fresh)"
    )
