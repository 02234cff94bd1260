"""What is wrong, late or waiting is seen by whoever asks, and first made good."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from shop_of_jobs import NOW, append, event, jobs_of, shop, told

import esanalytics as ea
from esanalytics.cli._main import program
from esanalytics.errors import ClockError, JobFileError
from esanalytics.jobs._jobs import exit_code
from esanalytics.jobs._ledger import Ledger
from esanalytics.jobs._lock import locked
from esanalytics.jobs._values import Unit, Window

DAILY = """
[jobs.daily]
projection = "CODE:orders"
schedule = "@daily"
window = "1d"
retries = 0
output = "out/{date}.parquet"
"""
FEW = DAILY + "max_catchup = 1\n"
OTHER = DAILY.replace("daily]", "other]").replace("out/", "other/")
MONTHLY = DAILY.replace("daily]", "monthly]").replace('"1d"', '"1mo"').replace("{date}", "{start:%Y-%m}")
SLOW = """
[jobs.slow]
sql = "select count(*) as n from range(1000000) a, range(1000000) b"
schedule = "@daily"
window = "1d"
output = "slow/{date}.csv"
"""


def cli(folder, *args):
    found = CliRunner().invoke(program, ["jobs", "-f", str(folder / "jobs.toml"), *map(str, args)])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def gone():
    """Return the id of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_late_events_are_made_good_before_the_backlog_and_what_is_left_is_told(tmp_path):
    jobs = shop(tmp_path, FEW)
    jobs.run_due(now=NOW)
    append(tmp_path, event(2, "o1"))
    assert [(due.window.start.day, due.reason) for due in jobs.due(now=NOW)] == [(1, "late events")]
    (row,) = json.loads(cli(tmp_path, "due", "--json", "--now", NOW).stdout)
    assert (row["reason"], row["left"]) == ("late events", 3)
    assert cli(tmp_path, "due", "--now", NOW).stderr == "1 to be run, 3 left for later calls\n"
    dry = cli(tmp_path, "run", "--dry-run", "--now", NOW)
    assert "late events" in dry.stdout
    assert dry.stderr == "1 to be run, 3 left\n"
    assert told(jobs.run_due(now=NOW)) == [("daily", 1, "done", "late events")]
    assert told(jobs.run_due(now=NOW)) == [("daily", 2, "done", "due")]


@pytest.mark.parametrize("name", ["out/{date}.parquet", "out/{date}.csv", "out/{date}.jsonl"])
def test_an_output_of_another_size_is_made_again_whatever_came_meanwhile(tmp_path, name):
    jobs = shop(tmp_path, DAILY.replace("out/{date}.parquet", name))
    jobs.run_due(now=NOW)
    path = tmp_path / name.replace("{date}", "2026-03-02")
    whole = path.read_bytes()
    os.truncate(path, len(whole) // 2)
    append(tmp_path, event(1000, "o9"))
    assert told(jobs.run_due(now=NOW)) == [("daily", 2, "done", "output changed")]
    assert path.stat().st_size == len(whole)
    assert jobs.run_due(now=NOW) == []


def test_what_is_open_makes_a_job_stale_however_new_its_newest_window_is(tmp_path):
    jobs = shop(tmp_path, DAILY + "first = 2026-01-01\n")
    jobs.run("daily", since="2026-03-04", until="2026-03-05", now=NOW)
    (found,) = jobs.status(now=NOW)
    assert (found.open, found.overdue) == (62, dt.timedelta(days=62, hours=12))
    done = cli(tmp_path, "status", "daily", "--fail-if-stale", "26h", "--now", NOW)
    assert (done.exit_code, done.stderr) == (1, "stale: daily, 62 windows are open, the oldest due for 62d 12h\n")


def test_a_monthly_job_is_stale_only_when_its_window_is_overdue(tmp_path):
    jobs = shop(tmp_path, MONTHLY + OTHER)
    jobs.run_due(now="2026-04-01T01:00:00Z")
    ask = ("status", "monthly", "--fail-if-stale", "26h", "--now")
    assert [cli(tmp_path, *ask, now).exit_code for now in ("2026-04-30T23:00", "2026-05-02T01:00")] == [0, 0]
    assert cli(tmp_path, *ask, "2026-05-02T03:00").exit_code == 1
    assert [row["job"] for row in json.loads(cli(tmp_path, *ask, "2026-04-30", "--json").stdout)] == ["monthly"]
    assert cli(tmp_path, "status", "monthyl").exit_code == 2


def test_a_job_that_was_never_run_is_stale_when_the_store_says_so_or_is_not_there(tmp_path):
    shop(tmp_path, DAILY)
    ask = ("status", "--fail-if-stale", "26h", "--now")
    assert [cli(tmp_path, *ask, now).exit_code for now in ("2026-03-01T20:00", "2026-03-02T20:00", NOW)] == [0, 0, 1]
    (tmp_path / "shop").rename(tmp_path / "moved")
    assert "nothing was ever run" in cli(tmp_path, *ask, NOW).stderr


def test_a_run_whose_process_is_gone_is_interrupted(tmp_path, monkeypatch):
    jobs = shop(tmp_path, DAILY)
    start = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    window = Window(start, start + dt.timedelta(days=1), start)
    with Ledger.open(jobs.file.ledger) as ledger:
        ledger.begin("mine", Unit("daily"), window, "due")
    assert (jobs.history("daily")[0].phase, jobs.status(now=NOW)[0].phase) == ("folding", "folding")
    monkeypatch.setattr(os, "getpid", gone)
    with Ledger.open(jobs.file.ledger) as ledger:
        ledger.begin("other", Unit("daily"), window, "due")
    monkeypatch.undo()
    assert (jobs.history("daily")[0].phase, jobs.status(now=NOW)[0].phase) == ("interrupted", "interrupted")


def test_an_earlier_time_is_refused_and_the_status_stays_as_it_was(tmp_path):
    jobs = shop(tmp_path, DAILY)
    jobs.run_due(now=NOW)
    (before,) = jobs.status(now=NOW)
    (refused,) = jobs.run_due(now="2026-03-04T12:00:00Z")
    assert (refused.phase, type(refused.error)) == ("refused", ClockError)
    assert ".0000" not in str(refused.error)
    assert jobs.status(now=NOW) == [before]
    assert jobs.history("daily")[0].phase == "refused"


def test_where_something_was_done_one_that_is_locked_is_no_failure(tmp_path):
    jobs = shop(tmp_path, DAILY + OTHER)
    with locked(tmp_path / "jobs.ledger.sqlite.d/locks", "other"):
        done = cli(tmp_path, "run", "--now", NOW)
        assert (done.exit_code, done.stderr.splitlines()[-1]) == (0, "4 done, 1 refused")
        again = cli(tmp_path, "run", "--now", NOW)
        assert (again.exit_code, again.stderr.splitlines()[-1]) == (75, "1 refused")
    assert exit_code(jobs.run_due(now=NOW)) == 0


def test_long_errors_are_cut_in_tables_and_whole_in_json(tmp_path):
    shop(tmp_path, DAILY + f'checks = ["row_count > {"1" * 50} + {"2" * 50}"]\n')
    cli(tmp_path, "run", "--now", NOW)
    for command in (("history", "daily"), ("status", "--now", NOW)):
        (error,) = {row["error"] for row in json.loads(cli(tmp_path, *command, "--json").stdout)[:1]}
        table = cli(tmp_path, *command).stdout
        assert error[:59] + "…" in table
        assert error[:65] not in table


@pytest.mark.parametrize("options", [(), ("--quiet",), ("broken",)])
def test_every_line_is_json_for_those_who_want_that(tmp_path, options):
    shop(tmp_path, DAILY.replace("out/{date}.parquet", "all.duckdb") + OTHER.replace(":orders", ":none"))
    lines = cli(tmp_path, "run", *options, "--log-format", "json", "--now", NOW).stderr.splitlines()
    found = [json.loads(line) for line in lines]
    assert found
    if not options:
        assert (found[-1]["phase"], found[-1]["done"], found[-1]["failed"]) == ("summary", 1, 1)
        assert not any("bytes" in line for line in found)


def test_all_that_is_wrong_in_a_file_is_told_at_once(tmp_path):
    shop(tmp_path, DAILY)
    wrong = DAILY.replace("retries = 0", "retires = 0\ncatchup = 1") + OTHER.replace("@daily", "15 25 * * *")
    with pytest.raises(JobFileError):
        jobs_of(tmp_path, wrong)
    said = cli(tmp_path, "validate").stderr
    assert [word in said for word in ("daily.retires", "daily.catchup", "other.schedule")] == [True] * 3
    assert len(said.splitlines()) == 3


def test_the_remedy_is_one_of_the_shell_in_the_shell_and_of_python_in_python(tmp_path):
    shop(tmp_path, DAILY)
    (tmp_path / "shop").rename(tmp_path / "moved")
    for command in (("validate",), ("run", "--now", NOW), ("run", "--now", NOW, "-q")):
        assert f"esanalytics init {tmp_path}/shop" in cli(tmp_path, *command).stderr
    with pytest.raises(JobFileError) as caught:
        ea.jobs.load(tmp_path / "nope.toml")
    assert "-f" not in str(caught.value).split()
    assert "with -f" in cli(tmp_path / "nowhere", "list").stderr


def test_the_next_times_are_those_at_which_windows_are_due(tmp_path):
    jobs = shop(tmp_path, MONTHLY)
    (found,) = json.loads(cli(tmp_path, "list", "--json", "--now", NOW).stdout)
    assert [time[:10] for time in found["next"]] == [f"2026-0{month}-01" for month in range(4, 9)]
    assert dt.datetime.fromisoformat(found["next"][0]) == jobs.status(now=NOW)[0].next_due


def test_jobs_are_shown_in_a_line(tmp_path):
    assert repr(shop(tmp_path, DAILY + OTHER)) == f"Jobs({str(tmp_path / 'jobs.toml')!r}: daily, other)"


def test_watching_ends_when_its_time_is_over_also_within_a_run(tmp_path):
    shop(tmp_path, SLOW)
    environment = {**os.environ, "PYTHONPATH": str(Path(ea.__file__).parents[1])}
    command = [sys.executable, "-m", "esanalytics", "jobs", "-f", str(tmp_path / "jobs.toml"), "watch", "--for", "2s"]
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 8  # with the start of the process, on a machine that has other work
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
