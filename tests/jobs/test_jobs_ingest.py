"""Files come in once, however often they are looked at, and the checkpoint is never ahead of the store."""

import errno
import json
import os
import time

import pytest
from shop_of_jobs import NOW, jobs_of

import esanalytics as ea
from esanalytics.errors import InvalidEventError, JobTimeoutError, LockedError
from esanalytics.jobs import _deadline, _ingest
from esanalytics.jobs._call import folder_of
from esanalytics.jobs._jobs import exit_code
from esanalytics.jobs._ledger import Ledger
from esanalytics.jobs._lock import locked

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

    def flaky(job, call, files):
        tried.append([path[-7:] for path in files])
        if len(tried) < 3:
            raise OSError(errno.EIO, "Input/output error")
        return appended(job, call, files)

    monkeypatch.setattr(_ingest, "_appended", flaky)
    (outcome,) = jobs.run_due(now=NOW)
    assert tried == [["a.jsonl", "b.jsonl"]] * 3
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
    jobs_of(tmp_path, text)
    (tmp_path / "jobs.toml").write_text((tmp_path / "jobs.toml").read_text().replace('"drops/*.jsonl"', '"drops/*"'))
    jobs = ea.jobs.load(tmp_path / "jobs.toml", overdue=overdue.append, tell=told.append)
    lines(tmp_path / "drops/a.jsonl", range(3))
    (tmp_path / "drops/b.csv").write_text("stream_id,type,occurred_at\no3,Placed,2026-03-02\no4,Placed,2026-03-02\n")
    os.utime(tmp_path / "drops/b.csv", (time.time() - 10,) * 2)
    appended = _ingest._appended

    def slow(job, call, files):
        time.sleep(1.8)
        return appended(job, call, files)

    with monkeypatch.context() as patch:
        patch.setattr(_ingest, "_appended", slow)
        (outcome,) = jobs.run_due(now=NOW)
    assert (outcome.phase, type(outcome.error), outcome.rows) == ("timed out", JobTimeoutError, 3)
    assert exit_code([outcome]) == 124
    assert [type(error) for error in overdue] == [JobTimeoutError]
    assert told[-1]["phase"] == "timed out"
    assert {"run", "job", "window", "rows", "seconds"} <= told[-1].keys()
    assert jobs.run_due(now=NOW)[0].rows == 2


def recorded(path, names, minutes):
    events = [
        {"stream_id": name, "type": "Placed", "occurred_at": f"2026-03-02T00:{n:02}:00Z", "id": name}
        | {"recorded_at": f"2026-03-02T01:{n:02}:00Z"}
        for name, n in zip(names, minutes, strict=True)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    os.utime(path, (time.time() - 10,) * 2)


def test_files_whose_events_were_recorded_in_turns_come_in_together(tmp_path, jobs):
    recorded(tmp_path / "drops/customers.jsonl", ["c1", "c2", "c3"], [0, 4, 8])
    recorded(tmp_path / "drops/orders.jsonl", ["o1", "o2"], [2, 6])
    first, *_ = jobs.run_due(now=NOW)
    assert (first.error, first.rows) == (None, 5)
    with ea.Store.open(tmp_path / "shop") as store:
        assert [event["stream_id"] for event in store.log.events().order_by("position")] == [
            "c1",
            "o1",
            "c2",
            "o2",
            "c3",
        ]
    assert jobs.run_due(now=NOW) == []
    assert ea.Store.open(tmp_path / "shop").log.count() == 5


def test_where_one_of_them_cannot_be_read_all_wait_for_it(tmp_path, jobs):
    recorded(tmp_path / "drops/customers.jsonl", ["c1", "c2"], [0, 4])
    recorded(tmp_path / "drops/orders.jsonl", ["o1"], [2])
    good = (tmp_path / "drops/orders.jsonl").read_text()
    (tmp_path / "drops/orders.jsonl").write_text("{no json\n" + good)
    assert isinstance(jobs.run_due(now=NOW)[0].error, InvalidEventError)
    assert count(tmp_path) == 0
    (tmp_path / "drops/orders.jsonl").write_text(good)
    assert jobs.run_due(now=NOW)[0].rows == 3


def test_an_export_that_is_named_is_of_what_has_come(tmp_path, jobs):
    lines(tmp_path / "drops/a.jsonl", range(3))
    first, export, *_ = jobs.run("latest", now=NOW)
    assert (first.unit.job, first.rows, export.unit.job) == ("drops", 3, "latest")
    lines(tmp_path / "drops/b.jsonl", range(3, 5))
    assert [(one.unit.job, one.rows) for one in jobs.run("drops", now=NOW)] == [("drops", 2)]


def test_an_ingest_with_a_schedule_is_run_before_a_named_export_when_it_is_due(tmp_path):
    ea.Store.create(tmp_path / "shop")
    jobs = jobs_of(tmp_path, TEXT.replace('service = "orders"', 'service = "orders"\nschedule = "@daily"'))
    lines(tmp_path / "drops/a.jsonl", range(3))
    assert jobs.run("latest", now=NOW)[0].unit.job == "drops"
    lines(tmp_path / "drops/b.jsonl", range(3, 5))
    assert {one.unit.job for one in jobs.run("latest", now=NOW)} == {"latest"}
    assert jobs.run("drops", now=NOW)[0].rows == 2


def test_while_another_process_ingests_nothing_is_exported(tmp_path, jobs):
    lines(tmp_path / "drops/a.jsonl", range(3))
    jobs.run_due(now=NOW)
    lines(tmp_path / "drops/b.jsonl", range(3, 5))
    with locked(folder_of(jobs.file) / "locks", "drops"):
        outcomes = jobs.run_due(now="2026-03-06T12:00:00Z")
    assert {(one.unit.job, one.phase) for one in outcomes} == {("drops", "refused"), ("latest", "refused")}
    assert all(isinstance(one.error, LockedError) for one in outcomes)
    assert exit_code(outcomes) == 75
    assert jobs.run_due(now="2026-03-06T12:00:00Z")[0].phase == "done"
    assert count(tmp_path) == 5


def test_the_status_tells_of_an_ingest_that_fails_and_exports_go_on(tmp_path, jobs):
    assert [(one.unit.job, one.phase, one.is_ingest) for one in jobs.status(now=NOW)][1:] == [("drops", None, True)]
    lines(tmp_path / "drops/a.jsonl", range(3))
    jobs.run_due(now=NOW)
    (tmp_path / "drops/b.jsonl").write_text("{no json\n")
    jobs.run_due(now="2026-03-06T12:00:00Z")
    export, ingest = jobs.status(now="2026-03-06T13:00:00Z")
    assert (export.phase, export.window.start.day) == ("done", 5)
    assert (ingest.phase, ingest.open, ingest.is_ingest, ingest.age) == ("failed", 1, True, None)
    assert "b.jsonl:1" in ingest.error
    assert [one.unit.job for one in jobs.status("drops", now=NOW)] == ["drops"]
    (tmp_path / "drops/b.jsonl").unlink()
    lines(tmp_path / "drops/c.jsonl", range(5, 6))
    jobs.run_due(now="2026-03-06T14:00:00Z")
    assert (jobs.status("drops")[0].phase, jobs.status("drops")[0].open) == ("done", 0)
