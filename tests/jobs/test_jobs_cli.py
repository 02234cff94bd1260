"""``esanalytics jobs``: what is printed, and the exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import esanalytics as ea
from esanalytics.cli._main import program
from esanalytics.jobs._lock import locked

NOW = "2026-03-04T12:00"
DAILY = """
[store]
path = "shop"
[defaults]
schedule = "15 6 * * *"
window = "1d"
retries = 0
[jobs.daily]
projection = "counts"
output = "out/{date}.csv"
"""
OTHER = """
[jobs.other]
sql = "select stream_id from events"
output = "other/{date}.csv"
"""
SLOW = """
[jobs.slow]
sql = "select count(*) as n from range(1000000) a, range(1000000) b"
output = "slow/{date}.csv"
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    with ea.Store.create(folder / "shop") as store:
        days = ("2026-03-01", "2026-03-02", "2026-03-03")
        store.append([{"stream_id": day, "type": "T", "occurred_at": f"{day}T10:00", "n": 1} for day in days])
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """The current directory, with a store and a file of jobs."""
    (tmp_path / "shop").symlink_to(made / "shop")
    (tmp_path / "jobs.toml").write_text(DAILY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ESANALYTICS_JOBS", raising=False)
    return tmp_path


@pytest.fixture
def run(here):
    """Run the command in this process; a text given is the file of jobs."""

    def invoke(*args, text=None):
        if text is not None:
            (here / "jobs.toml").write_text(text)
        found = CliRunner().invoke(program, ["jobs", *map(str, args)])
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found

    return invoke


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(ea.__file__).parents[1])}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_due_is_run_once(run, here):
    done = run("run", "--now", NOW)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == "3 done"
    assert names(here / "out") == ["2026-03-01.csv", "2026-03-02.csv", "2026-03-03.csv"]
    again = run("run", "--now", NOW)
    assert (again.exit_code, again.stderr) == (0, "nothing is due; next: daily at 2026-03-05 06:15 UTC\n")
    named = run("run", "daily", "--now", NOW)
    assert named.exit_code == 0
    assert named.stderr.startswith("up to date; nothing is due")


def test_the_jobs_are_listed_with_their_next_times(run):
    told = run("list", "--now", NOW).stdout
    assert told.splitlines() == [
        "daily: events, At 06:15 every day (UTC), windows of 1d",
        "    to    out/{date}.csv (csv)",
        "    next  2026-03-05 06:15, 2026-03-06 06:15, 2026-03-07 06:15, 2026-03-08 06:15, 2026-03-09 06:15",
    ]
    (found,) = json.loads(run("list", "--json", "--now", NOW).stdout)
    assert (found["job"], found["schedule"], len(found["next"])) == ("daily", "15 6 * * *", 5)


def test_what_would_be_run_is_shown(run, here):
    found = json.loads(run("due", "--json", "--now", NOW).stdout)
    assert [(one["job"], one["reason"]) for one in found] == [("daily", "due")] * 3
    assert "2026-03-03/2026-03-04" in run("due", "--now", NOW).stdout
    dry = run("run", "--dry-run", "--now", NOW)
    assert (dry.exit_code, dry.stderr) == (0, "3 to be run\n")
    assert dry.stdout.count("planned") == 3
    assert not (here / "out").exists()


def test_a_span_is_run_and_forced(run, here):
    run("run", "daily", "--since", "2026-03-02", "--until", "2026-03-03", "--now", NOW)
    assert names(here / "out") == ["2026-03-02.csv"]
    before = (here / "out/2026-03-02.csv").stat().st_ino
    forced = run("run", "daily", "--since", "2026-03-02", "--until", "2026-03-03", "--force", "--now", NOW)
    assert forced.stderr.splitlines()[-1] == "1 done"
    assert (here / "out/2026-03-02.csv").stat().st_ino != before
    wrong = run("run", "daily", "--since", "yesterday")
    assert wrong.exit_code == 2
    assert "--since" in wrong.stderr


def test_each_step_is_told_as_json(run):
    lines = [json.loads(line) for line in run("run", "--log-format", "json", "--now", NOW).stderr.splitlines()[:-1]]
    assert {line["job"] for line in lines} == {"daily"}
    assert [line["phase"] for line in lines[:3]] == ["folding", "publishing", "done"]
    ended = lines[2]
    assert ended["window"] == "2026-03-01T00:00:00.000000Z/2026-03-02T00:00:00.000000Z"
    assert {"ts", "run", "rows", "bytes", "seconds"} <= ended.keys()
    assert len({line["run"] for line in lines}) == 3


def test_quiet_is_quiet(run):
    done = run("run", "--quiet", "--now", NOW)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    failed = run("run", "-q", "--now", NOW, text=DAILY + 'checks = ["row_count > 5"]\n')
    assert failed.exit_code == 3
    assert len(failed.stderr.splitlines()) == 3


def test_status_tells_what_is_stale(run):
    assert run("status", "--fail-if-stale", "26h", "--now", NOW).exit_code == 1
    run("run", "--now", NOW)
    fine = run("status", "--fail-if-stale", "26h", "--now", NOW)
    assert (fine.exit_code, fine.stderr) == (0, "")
    assert "2026-03-03/2026-03-04  12h" in fine.stdout
    late = run("status", "--json", "--fail-if-stale", "26h", "--now", "2026-03-06T12:00")
    assert late.exit_code == 1
    assert late.stderr == "stale: daily, the newest window ended 2 days, 12:00:00 ago\n"
    (found,) = json.loads(late.stdout)
    assert (found["age"], found["phase"], found["next"]) == (216_000, "done", "2026-03-07T06:15:00.000000Z")


def test_history_has_every_run(run):
    run("run", "--now", NOW)
    found = json.loads(run("history", "daily", "--limit", "2", "--json").stdout)
    assert [(one["phase"], one["attempt"]) for one in found] == [("done", 1)] * 2
    assert run("history", "daily").stdout.count("done") == 3
    wrong = run("history", "dialy")
    assert wrong.exit_code == 2
    assert "no job 'dialy'; did you mean 'daily'?" in wrong.stderr


def test_a_file_is_validated(run):
    assert run("validate").stderr == "jobs.toml is valid: 1 job\n"
    wrong = run("validate", text=DAILY + "retires = 1\n")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr.rstrip().endswith("jobs.toml:11: jobs.daily.retires: unknown key; did you mean 'retries'?")


def test_the_file_may_be_named_in_the_environment(run, here, monkeypatch):
    (here / "jobs.toml").rename(here / "mine.toml")
    assert run("list").exit_code == 2
    monkeypatch.setenv("ESANALYTICS_JOBS", "mine.toml")
    assert run("list").exit_code == 0


def test_schedulers_are_given_what_they_need(run, here):
    assert "15 6 * * * esanalytics jobs -f " in run("render", "cron").stdout
    assert yaml.safe_load(run("render", "k8s").stdout)["kind"] == "CronJob"
    assert run("render", "systemd", "-o", "units").exit_code == 0
    assert [name.split(".")[1] for name in names(here / "units")] == ["service", "timer"]
    (here / "file").write_text("")
    assert run("render", "systemd", "-o", "file/units").exit_code == 1


CODES = [
    (1, DAILY.replace("out/", "jobs.toml/")),
    (2, DAILY.replace("15 6", "15 25")),
    (2, DAILY + OTHER.replace("other/{date}.csv", "out/{date}.csv")),
    (2, DAILY.replace('"counts"', '"nowhere.py:orders"')),
    (3, DAILY + 'checks = ["row_count > 5"]\n'),
    (4, DAILY.replace("out/", "jobs.toml/") + OTHER),
]


@pytest.mark.parametrize(("code", "text"), CODES, ids=[f"{code}-{number}" for number, (code, _) in enumerate(CODES)])
def test_what_went_wrong_is_in_the_exit_code(run, code, text):
    done = run("run", "--now", NOW, text=text)
    assert done.exit_code == code
    assert "Traceback" not in done.output


def test_another_run_is_an_exit_code(run, here):
    run("run", "--dry-run", "--now", NOW)
    with locked(here / "jobs.ledger.sqlite.d" / "locks", "daily"):
        done = run("run", "--now", NOW)
        waited = run("run", "--wait", "1s", "--now", NOW)
    assert (done.exit_code, waited.exit_code) == (75, 75)
    assert run("run", "--wait", "1s", "--now", NOW).exit_code == 0


def test_running_out_of_time_is_an_exit_code(run, here):
    done = run("run", "--now", NOW, "slow", text=DAILY + SLOW + 'timeout = "1s"\nmax_catchup = 1\n')
    assert done.exit_code == 124
    assert not (here / "slow").exists() or names(here / "slow") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_somebody_stopping_it_is_an_exit_code(here, number):
    (here / "jobs.toml").write_text(DAILY + SLOW + "max_catchup = 1\n")
    command = [sys.executable, "-m", "esanalytics", "jobs", "run", "slow", "--now", NOW, "--log-format", "json"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        assert json.loads(process.stderr.readline())["phase"] in ("left", "folding")
        time.sleep(0.5)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted"
    assert list(here.rglob("*.part")) == []


@pytest.mark.usefixtures("here")
def test_watching_ends_when_it_is_told():
    command = [sys.executable, "-m", "esanalytics", "jobs", "watch", "--log-format", "json"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        assert json.loads(process.stderr.readline())["job"] == "daily"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
