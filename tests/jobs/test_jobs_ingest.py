"""Files come in once, however often they are looked at, and the checkpoint is never ahead of the store."""

import errno
import json
import os
import time

import pytest
from shop_of_jobs import NOW, jobs_of

import esanalytics as ea
from esanalytics.errors import InvalidEventError, JobTimeoutError
from esanalytics.jobs import _deadline, _ingest
from esanalytics.jobs._jobs import exit_code
from esanalytics.jobs._ledger import Ledger

TEXT = """
[ingest.drops]
files = "drops/*.jsonl"
service = "orders"

[jobs.latest]
projection = "events"
schedule = "@daily"
window = "1d"
output = "out/{date}.parquet"
"""


def lines(path, numbers, age=10):
    events = [
        {"stream_id": f"o{n}", "type": "Placed", "occurred_at": f"2026-03-02T00:00:{n:02}Z", "n": n} for n in numbers
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    os.utime(path, (time.time() - age,) * 2)


@pytest.fixture
def jobs(tmp_path):
    ea.Store.create(tmp_path / "shop")
    return jobs_of(tmp_path, TEXT)


def count(folder):
    return ea.Store.open(folder / "shop").log.count()


def test_new_files_come_in_once_and_are_exported_in_the_same_call(tmp_path, jobs):
    lines(tmp_path / "drops/a.jsonl", range(3))
    lines(tmp_path / "drops/b.jsonl", range(3, 5))
    outcomes = jobs.run_due(now=NOW)
    assert (outcomes[0].unit.job, outcomes[0].rows) == ("drops", 5)
    assert (tmp_path / "out/2026-03-02.parquet").exists()
    assert jobs.run_due(now=NOW) == []
    assert count(tmp_path) == 5


def test_a_file_that_has_grown_gives_what_is_new(tmp_path, jobs):
    lines(tmp_path / "drops/a.jsonl", range(3))
    jobs.run_due(now=NOW)
    lines(tmp_path / "drops/a.jsonl", range(7), age=5)
    first, *others = jobs.run_due(now=NOW)
    assert first.rows == 4
    assert {o.reason for o in others} == {"late events"}
    assert count(tmp_path) == 7


def test_a_file_that_may_still_grow_is_read_again(tmp_path, jobs):
    lines(tmp_path / "drops/a.jsonl", range(3), age=0)
    assert jobs.run_due(now=NOW)[0].rows == 3
    (again,) = jobs.run_due(now=NOW)
    assert (again.unit.job, again.rows) == ("drops", 0)


def test_a_file_with_another_name_is_nothing_new(tmp_path, jobs):
    lines(tmp_path / "drops/a.jsonl", range(3))
    jobs.run_due(now=NOW)
    (tmp_path / "drops/a.jsonl").rename(tmp_path / "drops/z.jsonl")
    assert jobs.run_due(now=NOW)[0].rows == 0
    assert count(tmp_path) == 3


def test_a_checkpoint_is_written_after_the_events_are_in(tmp_path, jobs, monkeypatch):
    lines(tmp_path / "drops/a.jsonl", range(3))

    class Crash(BaseException):
        pass

    def crash(*_, **__):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "stamp", crash)
        with pytest.raises(Crash):
            jobs.run_due(now=NOW)
    assert count(tmp_path) == 3
    assert jobs.run_due(now=NOW)[0].rows == 0
    assert count(tmp_path) == 3


def test_a_file_that_cannot_be_read_fails_and_the_exports_go_on(tmp_path, jobs):
    lines(tmp_path / "drops/a.jsonl", range(3))
    (tmp_path / "drops/b.jsonl").write_text("{no json\n")
    lines(tmp_path / "drops/c.jsonl", range(5, 9))
    first, *others = jobs.run_due(now=NOW)
    assert isinstance(first.error, InvalidEventError)
    assert others
    assert exit_code([first, *others]) == 4
    assert count(tmp_path) == 7
    assert jobs.history("drops")[0].error_type == "InvalidEventError"


def test_a_csv_is_read_as_the_file_of_jobs_says(tmp_path):
    ea.Store.create(tmp_path / "shop")
    text = """
[ingest.clicks]
files = ["*.tsv", "no/such/*"]
service = "web"
schedule = "@hourly"
types = { amount = "DECIMAL(18,2)" }
mapping = { stream_id = "session", type = "const:Click", occurred_at = "sql:to_timestamp(ts::double)" }
"""
    path = tmp_path / "c.tsv"
    path.write_text("session\tts\tamount\ns1\t1767225600\t1.50\n")
    os.utime(path, (time.time() - 10,) * 2)
    jobs = jobs_of(tmp_path, text)
    assert jobs.run_due(now=NOW)[0].rows == 1
    with ea.Store.open(tmp_path / "shop") as store:
        (row,) = store.log.sql("select stream_id, type, data.amount::decimal(18,2) a from events").head()
    assert (row["stream_id"], row["type"], str(row["a"])) == ("s1", "Click", "1.50")
    path.write_text("session\tts\tamount\ns1\t1767225600\t1.50\ns2\t1767225601\t2.50\n")
    os.utime(path, (time.time() - 5,) * 2)
    assert jobs.run_due(now="2026-03-05T12:30:00Z") == []
    assert jobs.run_due(now="2026-03-05T13:00:00Z")[0].rows == 1


def test_what_may_go_better_is_tried_again_and_only_that(tmp_path, monkeypatch):
    ea.Store.create(tmp_path / "shop")
    jobs = jobs_of(tmp_path, TEXT.partition("[jobs")[0] + 'retries = 2\nbackoff = "0s"\n')
    lines(tmp_path / "drops/a.jsonl", range(3))
    lines(tmp_path / "drops/b.jsonl", range(3, 5))
    appended, tried = _ingest._appended, []

    def flaky(job, call, path):
        tried.append(path[-7:])
        if path.endswith("b.jsonl") and len(tried) < 4:
            raise OSError(errno.EIO, "Input/output error")
        return appended(job, call, path)

    monkeypatch.setattr(_ingest, "_appended", flaky)
    (outcome,) = jobs.run_due(now=NOW)
    assert tried == ["a.jsonl", "b.jsonl", "b.jsonl", "b.jsonl"]
    assert (outcome.phase, outcome.rows) == ("done", 5)
    assert [(row.attempt, row.phase) for row in jobs.history("drops")] == [(3, "done"), (2, "failed"), (1, "failed")]
    (tmp_path / "drops/c.jsonl").write_text("{no json\n")
    assert jobs.run_due(now=NOW)[0].phase == "failed"
    assert len(jobs.history("drops")) == 4


def test_files_that_take_too_long_come_in_the_next_time(tmp_path, monkeypatch):
    monkeypatch.setattr(_deadline, "_GRACE", 0.1)
    ea.Store.create(tmp_path / "shop")
    overdue, told = [], []
    text = TEXT.partition("[jobs")[0] + 'timeout = "1s"\n'
    jobs = jobs_of(tmp_path, text, overdue=overdue.append, tell=told.append)
    lines(tmp_path / "drops/a.jsonl", range(3))
    lines(tmp_path / "drops/b.jsonl", range(3, 5))
    appended = _ingest._appended

    def slow(job, call, path):
        time.sleep(1.8)
        return appended(job, call, path)

    with monkeypatch.context() as patch:
        patch.setattr(_ingest, "_appended", slow)
        (outcome,) = jobs.run_due(now=NOW)
    assert (outcome.phase, type(outcome.error), outcome.rows) == ("timed out", JobTimeoutError, 3)
    assert exit_code([outcome]) == 124
    assert [type(error) for error in overdue] == [JobTimeoutError]
    assert told[-1]["phase"] == "timed out"
    assert {"run", "job", "window", "rows", "seconds"} <= told[-1].keys()
    assert jobs.run_due(now=NOW)[0].rows == 2
