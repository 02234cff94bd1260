"""A small store, and a file of jobs beside it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb

import esanalytics as ea

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
NOW = "2026-03-05T12:00:00Z"
CODE = """
import esanalytics as ea

orders = ea.Projection(
    "orders", key="stream_id",
    on={
        "Placed": {"status": "placed", "total": ea.add(ea.field("amount", "BIGINT"))},
        "Paid": {"status": "paid"},
        "Deleted": ea.delete,
    },
)
per_type = ea.SqlProjection("per_type", "select type, count(*) as n from events group by all", key="type")


@ea.reducer("counted", initial={"n": 0})
def counted(state, event):
    return {"n": state["n"] + 1}
"""


def event(hours, stream="o1", type_="Placed", amount=1, **more):
    return {
        "stream_id": stream, "type": type_, "occurred_at": START + dt.timedelta(hours=hours), "amount": amount, **more,
    }  # fmt: skip


EVENTS = [event(7 * n, f"o{n % 5}", "Placed" if n < 5 else "Paid", n) for n in range(13)]


def shop(folder: Path, text: str, events=EVENTS, code=CODE) -> ea.jobs.Jobs:
    """Make a store with events, code and jobs."""
    folder.mkdir(parents=True, exist_ok=True)
    store = ea.Store.create(folder / "shop", auto_compact=False)
    if events:
        store.append(events, service="orders")
    (folder / "code_of_jobs.py").write_text(code)
    return jobs_of(folder, text)


def jobs_of(folder: Path, text: str, **options) -> ea.jobs.Jobs:
    """Write a file of jobs beside a store that is there."""
    text = text.replace("CODE:", "code_of_jobs.py:")
    (folder / "jobs.toml").write_text(f'[store]\npath = "shop"\nthreads = 1\n{text}')
    return ea.jobs.load(folder / "jobs.toml", **options)


def append(folder: Path, *events, service="orders"):
    ea.Store.open(folder / "shop", auto_compact=False).append(list(events), service=service)


def rows(path: Path):
    """Return the rows of a Parquet file, sorted."""
    with duckdb.connect() as connection:
        relation = connection.sql(f"SELECT * FROM read_parquet('{path}', hive_partitioning=false)")
        return tuple(relation.columns), sorted(relation.fetchall(), key=repr)


def told(outcomes):
    """Say of outcomes what matters."""
    return [(o.unit.job, o.window.start.day, o.phase, o.reason) for o in outcomes]


def files_of(folder: Path):
    """Return what files there are, with bytes and times, but those of the store and the ledger."""
    mine = [
        path for path in folder.rglob("*")
        if path.is_file() and not {"shop", "__pycache__"} & set(path.parts) and ".ledger." not in str(path)
    ]  # fmt: skip
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in mine}
