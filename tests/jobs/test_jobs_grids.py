"""Windows of another length take the place of those that were there; jobs that share a table leave each other alone."""

import sqlite3
from contextlib import closing

import duckdb
import pytest
from deltalake import DeltaTable
from shop_of_jobs import append, event, jobs_of, shop

from esanalytics.errors import OverlapError

TEXT = """
[jobs.{name}]
projection = "events"
schedule = "@hourly"
window = "{window}"
output = "{output}"
table = "changes"
max_catchup = 200
"""
OUTPUTS = {"duckdb": "all.duckdb", "sqlite": "sqlite:///all.sqlite", "delta": "delta:all"}
EVENING = "2026-03-05T00:30:00Z"
WINDOWED = {"_job", "_service", "_window_start", "_window_end"}


def text(kind, window, name="made"):
    found = TEXT.format(name=name, window=window, output=OUTPUTS[kind])
    return found.replace('table = "changes"\n', "") if kind == "delta" else found


def held(folder, kind):
    """Return the rows of a table, by job and window."""
    columns = "_job, _window_start::VARCHAR, _window_end::VARCHAR, event_id"
    if kind == "sqlite":
        with closing(sqlite3.connect(folder / "all.sqlite")) as connection:
            query = "SELECT _job, _window_start, _window_end, event_id FROM changes"
            return sorted(connection.execute(query).fetchall())
    if kind == "delta":
        table = DeltaTable(folder / "all").to_pyarrow_dataset().to_table()  # noqa: F841  DuckDB finds it
        return sorted(duckdb.sql(f'SELECT {columns} FROM "table"').fetchall())
    with duckdb.connect(str(folder / "all.duckdb"), read_only=True) as connection:
        return sorted(connection.execute(f"SELECT {columns} FROM changes").fetchall())


def finish(jobs, now=EVENING):
    outcomes = jobs.run_due(now=now)
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    return outcomes


@pytest.mark.parametrize("kind", OUTPUTS)
def test_from_days_to_hours_and_back_is_one_clean_run(tmp_path, kind):
    finish(shop(tmp_path, text(kind, "1d")))
    days = held(tmp_path, kind)
    assert len(finish(jobs_of(tmp_path, text(kind, "6h")))) == 16
    hours = held(tmp_path, kind)
    assert len(hours) == len(days) == 13
    assert len({row[1] for row in hours}) > len({row[1] for row in days}) == 4
    append(tmp_path, event(30, "late"))
    assert len(finish(jobs_of(tmp_path, text(kind, "6h")))) == 1
    again = finish(jobs_of(tmp_path, text(kind, "1d")))
    assert [(outcome.window.start.day, outcome.reason) for outcome in again] == [(day, "due") for day in (1, 2, 3, 4)]
    assert jobs_of(tmp_path, text(kind, "1d")).run_due(now=EVENING) == []
    ended = held(tmp_path, kind)
    assert len(ended) == 14
    clean = tmp_path / "clean"
    clean.mkdir()
    (clean / "shop").symlink_to(tmp_path / "shop")
    finish(jobs_of(clean, text(kind, "1d")))
    assert held(clean, kind) == ended


def test_one_window_within_an_old_one_takes_all_of_that_away(tmp_path):
    jobs = shop(tmp_path, text("duckdb", "1d"))
    finish(jobs)
    assert jobs.run_due(now=EVENING) == []
    jobs_of(tmp_path, text("duckdb", "6h")).run(
        "made", since="2026-03-02T06:00Z", until="2026-03-02T12:00Z", now=EVENING
    )
    starts = {(row[1][:13], row[2][:13]) for row in held(tmp_path, "duckdb")}
    assert ("2026-03-02 00", "2026-03-03 00") not in starts
    assert ("2026-03-02 06", "2026-03-02 12") in starts
    assert len(starts) == 4
    assert [o.window.start.day for o in finish(jobs_of(tmp_path, text("duckdb", "1d")))] == [2]


@pytest.mark.parametrize("kind", OUTPUTS)
def test_two_jobs_share_a_table_and_each_replaces_its_own_rows(tmp_path, kind):
    both = text(kind, "1d") + text(kind, "12h", "other")
    jobs = shop(tmp_path, both)
    finish(jobs)
    before = held(tmp_path, kind)
    assert {row[0] for row in before} == {"made", "other"}
    assert len(before) == 26
    assert all(o.error is None for o in jobs.run("other", force=True, now=EVENING))
    assert held(tmp_path, kind) == before
    assert jobs.run_due(now=EVENING) == []


def test_a_table_that_is_replaced_whole_is_not_shared(tmp_path):
    alone = text("duckdb", "1d", "other") + 'mode = "replace"\n'
    with pytest.raises(OverlapError):
        shop(tmp_path, text("duckdb", "1d") + alone)
