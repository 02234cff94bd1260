"""What is due is run, once; what has changed is made again; what fails leaves the old output."""

import datetime as dt
import errno
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import duckdb
import pytest
from shop_of_jobs import CODE, EVENTS, NOW, append, event, files_of, jobs_of, rows, shop, told

import esanalytics as ea
from esanalytics.errors import (
    CheckError,
    ClockError,
    DestinationError,
    JobFileError,
    JobTimeoutError,
    LockedError,
    OverlapError,
    SpanError,
    StoreNotFoundError,
)
from esanalytics.jobs import _deadline, _run
from esanalytics.jobs._jobs import exit_code
from esanalytics.jobs._lock import locked

DAILY = """
[jobs.daily]
projection = "CODE:orders"
schedule = "@daily"
window = "1d"
output = "out/{date}.parquet"
"""
LATEST = """
[jobs.latest]
projection = "CODE:orders"
schedule = "@daily"
output = "latest.parquet"
retries = 0
"""


SLEEPS = """
@ea.reducer("slow", initial={{"n": 0}})
def slow(state, event):
    import time
    time.sleep({seconds})
    return {{"n": state["n"] + 1}}
"""


def state(folder, until):
    spec: dict = {}
    exec((folder / "code_of_jobs.py").read_text(), spec)
    with ea.Store.open(folder / "shop") as store:
        table = ea.state_at(store, spec["orders"], until).arrow()
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)


def test_every_window_is_made_once_and_running_twice_is_running_once(tmp_path):
    jobs = shop(tmp_path, DAILY)
    assert told(jobs.run_due(now=NOW)) == [("daily", day, "done", "due") for day in (1, 2, 3, 4)]
    before = files_of(tmp_path)
    assert jobs.run_due(now=NOW) == []
    assert [o.reason for o in jobs.run("daily", now=NOW)] == ["up to date"]
    assert files_of(tmp_path) == before
    for day in (1, 2, 3, 4):
        assert rows(tmp_path / f"out/2026-03-0{day}.parquet")[1] == state(tmp_path, f"2026-03-0{day}T23:59:59.999999Z")


def test_catching_up_over_n_windows_is_n_single_runs(tmp_path):
    once = shop(tmp_path / "once", DAILY)
    once.run_due(now=NOW)
    daily = shop(tmp_path / "daily", DAILY.replace("[jobs.daily]", "[jobs.daily]\nmax_catchup = 1"))
    for day in (2, 3, 4, 5):
        assert len(daily.run_due(now=f"2026-03-0{day}T01:00:00Z")) == 1
    late = shop(tmp_path / "late", DAILY.replace("[jobs.daily]", "[jobs.daily]\nmax_catchup = 3"))
    assert [len(late.run_due(now=NOW)) for _ in range(3)] == [3, 1, 0]
    contents = [
        {name: content for name, (content, _) in files_of(tmp_path / one).items() if name.endswith(".parquet")}
        for one in ("once", "daily", "late")
    ]
    assert contents[0] == contents[1] == contents[2]


def test_late_events_make_what_they_change_again_and_nothing_else(tmp_path):
    jobs = shop(
        tmp_path, DAILY + DAILY.replace("daily]", "events]").replace("CODE:orders", "events").replace("out/", "ev/")
    )
    jobs.run_due(now=NOW)
    append(tmp_path, event(50, "late"))
    assert told(jobs.run_due(now=NOW)) == [
        ("daily", 3, "done", "late events"),
        ("daily", 4, "done", "late events"),
        ("events", 3, "done", "late events"),
    ]
    assert jobs.run_due(now=NOW) == []
    append(tmp_path, event(24 * 10, "future"))
    assert jobs.run_due(now=NOW) == []


def test_late_events_that_change_nothing_disturb_no_reader(tmp_path):
    jobs = shop(tmp_path, DAILY)
    jobs.run_due(now=NOW)
    before = files_of(tmp_path)
    append(tmp_path, event(50, "o1", "Seen"))
    assert {o.reason for o in jobs.run_due(now=NOW)} == {"late events"}
    assert files_of(tmp_path) == before


def test_an_earlier_first_event_makes_earlier_windows_due(tmp_path):
    jobs = shop(tmp_path, DAILY)
    jobs.run_due(now=NOW)
    append(tmp_path, event(-30, "o0"))
    assert [(o.window.start.day, o.reason) for o in jobs.run_due(now=NOW)] == [
        (1, "late events"), (2, "late events"), (3, "late events"), (4, "late events"), (27, "due"), (28, "due"),
    ]  # fmt: skip


def test_a_changed_definition_makes_everything_again_also_in_one_process(tmp_path):
    jobs = shop(tmp_path, DAILY)
    jobs.run_due(now=NOW)
    (tmp_path / "code_of_jobs.py").write_text(CODE.replace('"paid"', '"settled"'))
    assert {o.reason for o in jobs.run_due(now=NOW)} == {"definition changed"}
    assert any("settled" in row for row in rows(tmp_path / "out/2026-03-04.parquet")[1])
    assert jobs.run_due(now=NOW) == []
    (tmp_path / "code_of_jobs.py").touch()
    assert jobs.run_due(now=NOW) == []
    other = jobs_of(tmp_path, DAILY + 'checks = ["row_count > 0"]\n')
    assert {o.reason for o in other.run_due(now=NOW)} == {"definition changed"}


def test_code_that_the_code_imports_counts_too(tmp_path):
    helper = "RATE = 1\n"
    (tmp_path / "rates_of_jobs.py").write_text(helper)
    jobs = shop(tmp_path, DAILY, code="from rates_of_jobs import RATE\n" + CODE)
    jobs.run_due(now=NOW)
    (tmp_path / "rates_of_jobs.py").write_text("RATE = 1000\n")
    assert {o.reason for o in jobs.run_due(now=NOW)} == {"definition changed"}


def test_new_fields_change_the_columns_of_old_windows(tmp_path):
    jobs = shop(tmp_path, DAILY.replace("CODE:orders", "merged"))
    jobs.run_due(now=NOW)
    append(tmp_path, event(24 * 10, "future", coupon="x"))
    assert {o.reason for o in jobs.run_due(now=NOW)} == {"columns changed"}
    assert "coupon" in rows(tmp_path / "out/2026-03-01.parquet")[0]
    assert jobs.run_due(now=NOW) == []


def test_an_output_that_is_gone_is_made_again(tmp_path):
    jobs = shop(tmp_path, DAILY + LATEST)
    jobs.run_due(now=NOW)
    (tmp_path / "out/2026-03-02.parquet").unlink()
    (tmp_path / "latest.parquet").unlink()
    assert told(jobs.run_due(now=NOW)) == [
        ("daily", 2, "done", "output missing"),
        ("latest", 4, "done", "output missing"),
    ]


def test_a_ledger_that_is_lost_costs_work_and_nothing_else(tmp_path):
    jobs = shop(tmp_path, DAILY)
    jobs.run_due(now=NOW)
    before = files_of(tmp_path)
    for path in tmp_path.glob("jobs.ledger.sqlite*"):
        if path.is_file():
            path.unlink()
    assert {o.reason for o in jobs.run_due(now=NOW)} == {"due"}
    assert files_of(tmp_path) == before


def test_windows_that_are_named_are_run_and_force_makes_them_again(tmp_path):
    jobs = shop(tmp_path, DAILY)
    assert told(jobs.run("daily", since="2026-03-02", until="2026-03-04", now=NOW)) == [
        ("daily", 2, "done", "due"), ("daily", 3, "done", "due"),
    ]  # fmt: skip
    assert [o.reason for o in jobs.run("daily", since="2026-03-02", until="2026-03-05", now=NOW)] == [
        "due", "up to date", "up to date",
    ]  # fmt: skip
    assert told(jobs.run("daily", force=True, now=NOW)) == [("daily", 4, "done", "forced")]
    assert [o.window.start.day for o in jobs.run_due(now=NOW)] == [1]


@pytest.mark.parametrize("span", [{"until": "2026-03-09"}, {"since": "2026-03-02T05:00"}, {"since": "2026-03-06"}])
def test_windows_that_are_none_or_not_finished_are_refused_before_anything_is_run(tmp_path, span):
    jobs = shop(tmp_path, DAILY + LATEST)
    with pytest.raises(SpanError):
        jobs.run(**span, now=NOW)
    assert not (tmp_path / "out").exists()
    assert jobs.history("daily") == jobs.history("latest") == []


def test_what_is_up_to_date_does_not_count_as_done_beside_what_fails(tmp_path):
    shop(tmp_path, LATEST).run_due(now=NOW)
    other = LATEST.replace("jobs.latest", "jobs.other").replace("latest.parquet", "jobs.toml/x.parquet")
    jobs = jobs_of(tmp_path, LATEST + other)
    current, failed = jobs.run("latest", "other", now=NOW)
    assert (current.reason, failed.phase) == ("up to date", "failed")
    assert exit_code([current, failed]) == 1
    append(tmp_path, event(50, "late"))
    assert exit_code(jobs.run("latest", "other", now=NOW)) == 4


def test_a_dry_run_writes_nothing(tmp_path):
    jobs = shop(tmp_path, DAILY)
    assert told(jobs.run(dry_run=True, now=NOW)) == [("daily", day, "planned", "due") for day in (1, 2, 3, 4)]
    assert [due.window.start.day for due in jobs.due(now=NOW)] == [1, 2, 3, 4]
    assert not (tmp_path / "out").exists()
    assert jobs.history("daily") == []


def test_a_check_that_fails_keeps_the_old_output_and_the_rejected_one_beside_it(tmp_path):
    jobs = shop(tmp_path, LATEST + 'checks = ["row_count < 6", "not_null(status)"]\n')
    jobs.run_due(now=NOW)
    before = files_of(tmp_path)["latest.parquet"]
    append(tmp_path, event(50, "o7"), event(51, "o8"))
    outcomes = jobs.run_due(now=NOW)
    (outcome,) = outcomes
    assert (outcome.phase, type(outcome.error), exit_code(outcomes)) == ("rejected", CheckError, 3)
    assert "row_count = 7" in str(outcome.error)
    assert files_of(tmp_path)["latest.parquet"] == before
    assert len(rows(tmp_path / "latest.parquet.rejected")[1]) == 7
    assert jobs.history("latest")[0].phase == "rejected"
    append(tmp_path, event(52, "o7", "Deleted"), event(53, "o8", "Deleted"))
    assert jobs.run_due(now=NOW)[0].phase == "done"
    assert not (tmp_path / "latest.parquet.rejected").exists()


@pytest.mark.parametrize(("on_empty", "phase"), [("write", "done"), ("skip", "empty"), ("fail", "failed")])
def test_an_empty_result_is_what_the_file_says(tmp_path, on_empty, phase):
    text = LATEST.replace("CODE:orders", "events") + f'first = 2026-02-01\nwindow = "1d"\non_empty = "{on_empty}"\n'
    jobs = shop(tmp_path, text, events=[event(1000)])
    (outcome,) = jobs.run_due(now=NOW)
    assert outcome.phase == phase
    assert (tmp_path / "latest.parquet").exists() == (on_empty == "write")
    assert bool(jobs.run_due(now=NOW)) == (on_empty == "fail")


def test_code_with_an_error_fails_its_job_alone_and_names_the_line(tmp_path):
    jobs = shop(tmp_path, LATEST + DAILY)
    jobs.run_due(now=NOW)
    before = files_of(tmp_path)["latest.parquet"]
    (tmp_path / "code_of_jobs.py").write_text(CODE + "\nraise ValueError('ouch')\n")
    outcomes = jobs.run_due(now=NOW)
    assert [type(o.error) for o in outcomes] == [JobFileError, JobFileError]
    assert f"code_of_jobs.py:{len(CODE.splitlines()) + 2}: ValueError: ouch" in str(outcomes[0].error)
    assert exit_code(outcomes) == 2
    assert files_of(tmp_path)["latest.parquet"] == before
    assert jobs.history("latest")[0].error_type == "JobFileError"
    (tmp_path / "code_of_jobs.py").write_text(CODE + "\n# mended\n")
    assert exit_code(jobs.run_due(now=NOW)) == 0


def test_a_store_that_is_not_there_fails_every_job(tmp_path):
    jobs = shop(tmp_path, LATEST + DAILY)
    (tmp_path / "shop").rename(tmp_path / "gone")
    outcomes = jobs.run_due(now=NOW)
    assert [type(o.error) for o in outcomes] == [StoreNotFoundError] * 2
    assert exit_code(outcomes) == 1
    assert len(jobs.history("latest")) == 1


def test_a_clock_that_was_set_back_is_refused_and_force_goes_on(tmp_path):
    jobs = shop(tmp_path, DAILY)
    jobs.run_due(now=NOW)
    outcomes = jobs.run_due(now="2026-03-04T12:00:00Z")
    assert [(o.phase, type(o.error)) for o in outcomes] == [("refused", ClockError)]
    assert exit_code(outcomes) == 1
    assert jobs.run("daily", force=True, now="2026-03-04T12:00:00Z")[0].phase == "done"


def test_one_that_is_locked_is_told_and_waited_for(tmp_path):
    jobs = shop(tmp_path, LATEST + DAILY)
    with locked(tmp_path / "jobs.ledger.sqlite.d/locks", "latest"):
        outcomes = jobs.run_due(now=NOW)
        assert isinstance(outcomes[0].error, LockedError)
        assert exit_code(outcomes[:1]) == 75
        assert exit_code(outcomes) == 0
        released = threading.Timer(0.3, lambda: None)
        released.start()
    assert jobs.run_due(now=NOW, wait=dt.timedelta(seconds=5))[0].phase == "done"


def test_what_takes_too_long_is_stopped(tmp_path):
    slow = LATEST.replace(
        'projection = "CODE:orders"', 'sql = "select sum(a.range * b.range) s from range(10000000) a, range(100000) b"'
    )
    jobs = shop(tmp_path, slow + 'timeout = "1s"\n')
    outcomes = jobs.run_due(now=NOW)
    assert [(o.phase, type(o.error)) for o in outcomes] == [("timed out", JobTimeoutError)]
    assert exit_code(outcomes) == 124
    assert outcomes[0].seconds < 10
    assert not list(tmp_path.glob(".latest*"))


def test_what_cannot_be_stopped_is_waited_for_in_python_and_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(_deadline, "_GRACE", 0.1)
    text = LATEST.replace("orders", "slow") + 'timeout = "1s"\n'
    slow = CODE + SLEEPS.format(seconds=0.3)
    (outcome,) = shop(tmp_path / "waits", text, code=slow).run_due(now=NOW)
    assert (outcome.phase, type(outcome.error)) == ("timed out", JobTimeoutError)
    assert not list((tmp_path / "waits").rglob("*.part"))
    shop(tmp_path / "told", text, code=slow)
    errors, rows = [], []
    jobs = jobs_of(
        tmp_path / "told", text, overdue=lambda error: (errors.append(error), rows.extend(jobs.history("latest")))
    )
    assert jobs.run_due(now=NOW)[0].phase == "timed out"
    assert [type(error) for error in errors] == [JobTimeoutError]
    assert [(row.phase, row.error_type) for row in rows] == [("timed out", "JobTimeoutError")]


def test_the_time_is_watched_in_every_attempt():
    deadline = _deadline.Deadline("x", dt.timedelta(seconds=0.5))
    with deadline:
        pass
    stopped = threading.Event()

    class Busy:
        def interrupt(self):
            stopped.set()

    with deadline:
        deadline.watch(Busy())
        assert stopped.wait(5)


def test_a_full_disk_while_a_result_is_computed_is_told_with_its_remedy(tmp_path, monkeypatch):
    jobs = shop(tmp_path, LATEST)
    jobs.run_due(now=NOW)
    before = files_of(tmp_path)

    def stage(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_run, "stage", stage)
    append(tmp_path, event(50, "late"))
    (outcome,) = jobs.run_due(now=NOW)
    assert isinstance(outcome.error, DestinationError)
    assert "latest.parquet: No space left on device; make room there" in str(outcome.error)
    assert files_of(tmp_path) == before


def test_a_result_without_columns_makes_a_folder_too(tmp_path):
    text = (
        LATEST.replace("CODE:orders", "merged")
        .replace("latest.parquet", "latest/")
        .replace("retries", 'format = "parquet"\nfirst = 2026-02-01\nretries')
    )
    (outcome,) = shop(tmp_path, text, events=[event(24 * 30)]).run_due(now=NOW)
    assert outcome.error is None
    assert (tmp_path / "latest/_manifest.json").exists()


def test_what_may_go_better_is_tried_again_and_nothing_else(tmp_path, monkeypatch):
    jobs = shop(tmp_path, LATEST.replace("retries = 0", 'retries = 3\nbackoff = "0s"'))
    calls = []

    def stage(*_):
        calls.append(1)
        raise OSError(errno.EIO if len(calls) < 3 else errno.EACCES, "no")

    monkeypatch.setattr(_run, "stage", stage)
    (outcome,) = jobs.run_due(now=NOW)
    assert len(calls) == 3
    assert outcome.phase == "failed"
    assert [row.attempt for row in jobs.history("latest")] == [3, 2, 1]


def test_two_jobs_never_write_one_output(tmp_path):
    jobs = shop(tmp_path, LATEST)
    jobs.run_due(now=NOW)
    other = jobs_of(tmp_path, LATEST.replace("jobs.latest", "jobs.other"))
    (outcome,) = other.run_due(now=NOW)
    assert isinstance(outcome.error, OverlapError)


def test_outputs_that_are_not_kept_go_and_are_not_missed(tmp_path):
    jobs = shop(tmp_path, DAILY.replace("out/{date}.parquet", "out/{date}/o.parquet") + "keep = 2\n")
    jobs.run_due(now=NOW)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["2026-03-03", "2026-03-04"]
    append(tmp_path, event(2, "o9"))
    assert [o.window.start.day for o in jobs.run_due(now=NOW)] == [3, 4]
    assert jobs.run_due(now=NOW) == []


def test_each_service_has_its_own_output(tmp_path):
    text = DAILY.replace("{date}", "{service}/{date}")
    jobs = shop(tmp_path, text)
    append(tmp_path, event(5, "c1"), service="carts")
    jobs.run_due(now=NOW)
    assert len(rows(tmp_path / "out/carts/2026-03-01.parquet")[1]) == 1
    assert len(rows(tmp_path / "out/orders/2026-03-01.parquet")[1]) == 4
    append(tmp_path, event(80, "c2"), service="carts")
    assert {(o.unit.service, o.window.start.day) for o in jobs.run_due(now=NOW)} == {("carts", 4)}


def test_a_snapshot_is_kept_and_the_output_is_the_same(tmp_path):
    jobs = shop(tmp_path, LATEST + "snapshot = true\n")
    jobs.run_due(now="2026-03-03T12:00:00Z")
    jobs.run_due(now=NOW)
    with ea.Store.open(tmp_path / "shop") as store:
        assert [one.projection for one in ea.snapshots(store)] == ["orders"]
    assert rows(tmp_path / "latest.parquet")[1] == state(tmp_path, "2026-03-04T23:59:59.999999Z")


def test_reducers_and_sql_projections_are_run_too(tmp_path):
    text = LATEST.replace("orders", "per_type") + LATEST.replace("latest", "counted").replace("orders", "counted")
    jobs = shop(tmp_path, text)
    assert {o.phase for o in jobs.run_due(now=NOW)} == {"done"}
    assert rows(tmp_path / "latest.parquet")[1] == [("Paid", 8), ("Placed", 5)]
    assert len(rows(tmp_path / "counted.parquet")[1]) == 5


def test_somebody_who_wants_to_know_is_told(tmp_path):
    heard = []

    class Hears(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((self.path, body["phase"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hears)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_port}"
    urls = f'notify = {{ url = "{at}/u", on_start = "{at}/s", on_success = "{at}/y", on_failure = "{at}/n" }}\n'
    jobs = shop(tmp_path, LATEST + urls)
    jobs.run_due(now=NOW)
    (tmp_path / "latest.parquet").unlink()
    (tmp_path / "latest.parquet").mkdir()
    append(tmp_path, event(50))
    assert jobs.run_due(now=NOW)[0].phase == "failed"
    server.shutdown()
    server.server_close()
    assert heard == [
        ("/s", "folding"),
        ("/u", "done"),
        ("/y", "done"),
        ("/s", "folding"),
        ("/u", "failed"),
        ("/n", "failed"),
    ]
    (tmp_path / "latest.parquet").rmdir()
    with pytest.warns(UserWarning, match="nobody was told of job 'latest': 127.0.0.1 ") as warned:
        assert jobs.run_due(now=NOW)[0].phase == "done"
    assert len(warned) == 3


def test_steps_are_told_with_run_job_and_window(tmp_path):
    lines = []
    shop(tmp_path, "")
    jobs_of(tmp_path, LATEST, tell=lines.append).run_due(now=NOW)
    assert [line["phase"] for line in lines] == ["folding", "publishing", "done"]
    assert all({"run", "job", "window", "seconds"} <= set(line) for line in lines)
    assert [line.get("rows") for line in lines] == [None, 5, 5]
    assert [(line["number"], line["of"]) for line in lines[:2]] == [(1, 1)] * 2


def test_watching_goes_on_until_it_is_stopped(tmp_path):
    jobs = shop(tmp_path, LATEST)
    stop = threading.Event()
    threading.Timer(3, stop.set).start()
    jobs.watch(stop=stop, now=lambda: dt.datetime(2026, 3, 5, 12, tzinfo=dt.UTC))
    assert [row.phase for row in jobs.history("latest")] == ["done"]


def test_watching_runs_each_job_when_it_is_due(tmp_path):
    clock = [dt.datetime(2026, 3, 2, 23, 59, 30, tzinfo=dt.UTC)]
    text = LATEST + LATEST.replace("latest", "other").replace("@daily", "15 6 * * *")
    shop(tmp_path, text)
    made, stop = [], threading.Event()

    def tell(facts):
        if facts["phase"] == "done":
            made.append((facts["job"], f"{clock[0]:%d %H:%M:%S}", facts["window"][:10]))

    def pause(seconds):
        assert 1 <= seconds <= 3600
        clock[0] += dt.timedelta(seconds=seconds)
        if clock[0].day == 4 and clock[0].hour == 7:
            stop.set()

    jobs_of(tmp_path, text, tell=tell).watch(stop=stop, now=lambda: clock[0], every=3600, pause=pause)
    assert made == [
        ("latest", "02 23:59:30", "2026-03-01"),
        ("other", "02 23:59:30", "2026-03-01"),
        ("latest", "03 00:00:00", "2026-03-02"),
        ("other", "03 06:15:00", "2026-03-02"),
        ("latest", "04 00:00:00", "2026-03-03"),
        ("other", "04 06:15:00", "2026-03-03"),
    ]


def test_a_name_that_is_none_gets_the_nearest(tmp_path):
    with pytest.raises(JobFileError, match="did you mean 'daily'"):
        shop(tmp_path, DAILY).run("dialy", now=NOW)


def test_validating_names_all_that_is_wrong(tmp_path):
    jobs = shop(tmp_path, DAILY.replace(":orders", ":ordres") + LATEST + 'checks = ["row_count >"]\n')
    with pytest.raises(JobFileError, match=r"(?s)did you mean 'orders'.*is no check"):
        jobs.validate()
    assert jobs_of(tmp_path, DAILY).validate() == []
    assert "no events" in shop(tmp_path / "empty", DAILY, events=()).validate()[0]


def test_the_status_tells_the_newest_window_and_the_last_error(tmp_path):
    jobs = shop(tmp_path, DAILY)
    (before,) = jobs.status(now=NOW)
    assert (before.window, before.phase) == (None, None)
    jobs.run_due(now=NOW)
    (after,) = jobs.status(now=NOW)
    assert (after.window.start.day, after.phase, after.rows) == (4, "done", 5)
    assert after.age == dt.timedelta(hours=12)
    assert len(EVENTS) == 13


def test_windows_that_lie_in_one_file_all_come_back_however_few_a_call_makes(tmp_path):
    text = DAILY.replace("out/{date}.parquet", "all.duckdb").replace("[jobs.daily]", '[jobs.daily]\nkind = "diff"')
    jobs = shop(tmp_path, text)
    jobs.run_due(now=NOW)
    (tmp_path / "all.duckdb").unlink()
    few = jobs_of(tmp_path, text + "max_catchup = 1\n")
    assert [[o.window.start.day for o in few.run_due(now=NOW)] for _ in range(5)] == [[1], [2], [3], [4], []]
    assert few.run_due(now=NOW) == []


@pytest.mark.parametrize(
    ("output", "more", "reader", "path"),
    [
        ("g.csv.gz", "", "read_csv", "g.csv.gz"),
        ("g-{date}.csv.gz", "", "read_csv", "g-2026-03-04.csv.gz"),
        ("x.jsonl.gz", "", "read_json", "x.jsonl.gz"),
        ("out/folder/", 'partition_by = ["status"]', "read_parquet", "out/folder/**/*.parquet"),
        ("out/folder", 'partition_by = ["status"]', "read_parquet", "out/folder/**/*.parquet"),
        ("out/folder/", "", "read_parquet", "out/folder/*.parquet"),
    ],
)
def test_the_format_is_what_the_output_says_as_in_a_single_export(tmp_path, output, more, reader, path):
    jobs = shop(
        tmp_path,
        f'[jobs.x]\nprojection = "CODE:orders"\nschedule = "@daily"\nwindow = "1d"\noutput = "{output}"\n{more}\n',
    )
    assert {one.phase for one in jobs.run_due(now=NOW)} == {"done"}
    with duckdb.connect() as connection:
        found = connection.sql(f"SELECT status, total FROM {reader}('{tmp_path}/{path}')").fetchall()
    assert len(found) == 5
    assert jobs.run_due(now=NOW) == []


def test_validating_finds_columns_that_checks_name_and_the_result_has_not(tmp_path):
    text = DAILY + 'checks = ["row_count > 0", "sum(totl) >= 0", "total >= 0", "status"]\n'
    with pytest.raises(JobFileError) as found:
        shop(tmp_path, text).validate()
    said = str(found.value)
    assert "'sum(totl) >= 0' is no check (there is no column 'totl'); did you mean 'total'?" in said
    assert "'status' is no check (it is VARCHAR, and neither true nor false)" in said
    assert said.count("is no check") == 2
