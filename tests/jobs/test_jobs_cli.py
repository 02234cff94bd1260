"""``esanalytics jobs``: what is printed, and the exit codes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import esanalytics as ea
from esanalytics.cli._jobs_live import Live
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
    assert "daily  2026-03-03  due" in run("due", "--now", NOW).stdout
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
    for span in (("--since", "2026-03-02T05:00"), ("--until", "2026-03-09"), ("--since", "2026-03-07")):
        wrong = run("run", "daily", *span, "--now", NOW)
        assert (wrong.exit_code, wrong.stdout) == (2, "")
        assert "error: job 'daily': " in wrong.stderr
    assert len(json.loads(run("history", "daily", "--json").stdout)) == 2


def test_each_step_is_told_as_json(run):
    lines = [json.loads(line) for line in run("run", "--log-format", "json", "--now", NOW).stderr.splitlines()[:-1]]
    assert {line["job"] for line in lines} == {"daily"}
    assert [line["phase"] for line in lines[:3]] == ["folding", "publishing", "done"]
    ended = lines[2]
    assert ended["window"] == "2026-03-01T00:00:00.000000Z/2026-03-02T00:00:00.000000Z"
    assert {"ts", "run", "rows", "bytes", "seconds"} <= ended.keys()
    assert len({line["run"] for line in lines}) == 3
    assert all({"run", "job", "window", "phase", "seconds"} <= line.keys() for line in lines)
    assert [line["rows"] for line in lines[1:3]] == [1, 1]


def test_what_is_left_is_told_by_job_and_in_the_end(run):
    few = DAILY + "max_catchup = 2\n"
    first = run("run", "--now", NOW, text=few).stderr.splitlines()
    assert [first[-2].partition(" ")[2], first[-1]] == ["daily: 1 window is left; run again", "2 done, 1 left"]
    assert run("run", "--now", NOW).stderr.splitlines()[-1] == "1 done"


def test_windows_are_shown_in_the_time_zone_of_their_job(run):
    zoned = DAILY + 'tz = "Europe/Berlin"\n'
    assert "daily  2026-03-01  due" in run("due", "--now", NOW, text=zoned).stdout
    assert "2026-02-28T23:00:00.000000Z/" in run("due", "--json", "--now", NOW).stdout
    assert " daily 2026-03-01 done" in run("run", "--now", NOW).stderr
    assert "daily  2026-03-03" in run("status", "--now", NOW).stdout
    assert " 2026-03-02 " in run("history", "daily").stdout
    assert "T23:00" not in run("history", "daily").stdout
    assert "T23:00:00.000000Z" in run("history", "daily", "--json").stdout


def test_the_exit_codes_are_told_in_plain_words(run):
    words = " ".join(run("run", "--help").stdout.split())
    assert "4 some jobs failed and others were done;" in words


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
    assert "2026-03-03  12h" in fine.stdout
    late = run("status", "--json", "--fail-if-stale", "26h", "--now", "2026-03-06T12:00")
    assert late.exit_code == 1
    assert late.stderr == "stale: daily, 2 windows are open, the oldest due for 1d 5h\n"
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
    cron = run("render", "cron").stdout
    assert "\n15 6 * * * /" in cron
    assert "esanalytics jobs -f " in cron
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
    assert json.loads(said.splitlines()[-1])["phase"] == "interrupted"
    assert list(here.rglob("*.part")) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_watching_runs_what_is_due_and_ends_when_it_is_told(here, number, code):
    (here / "jobs.toml").write_text(DAILY + "first = 2026-03-01\nmax_catchup = 2\n")
    command = [sys.executable, "-m", "esanalytics", "jobs", "watch", "--log-format", "json"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        phases = []
        while phases.count("done") < 2:
            phases.append(json.loads(process.stderr.readline())["phase"])
        process.send_signal(number)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert names(here / "out")[:2] == ["2026-03-01.csv", "2026-03-02.csv"]
    assert list(here.rglob("*.part")) == []


@pytest.mark.usefixtures("here")
def test_watching_is_stopped_within_a_run_too(here):
    (here / "jobs.toml").write_text(DAILY.partition("[jobs")[0] + SLOW)
    command = [sys.executable, "-m", "esanalytics", "jobs", "watch", "--log-format", "json"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        while json.loads(process.stderr.readline())["phase"] != "folding":
            pass
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert list(here.rglob("*.part")) == []
    assert ea.jobs.load(here / "jobs.toml").history("slow")[0].phase in ("interrupted", "folding")


CODE = """
import time
import esanalytics as ea

@ea.reducer("hangs", initial={"n": 0})
def hangs(state, event):
    time.sleep(60)
    return state
"""
HANGS = """
[jobs.hangs]
projection = "code.py:hangs"
output = "hangs/{date}.parquet"
timeout = "1s"
max_catchup = 1
"""
SOON = "from esanalytics.jobs import _deadline; _deadline._GRACE = 0.5; from esanalytics.cli import main; main()"


def test_what_cannot_be_stopped_ends_the_process_and_the_ledger_knows(here):
    (here / "code.py").write_text(CODE)
    (here / "jobs.toml").write_text(DAILY.partition("[jobs")[0] + HANGS)
    began = time.monotonic()
    command = [sys.executable, "-c", SOON, "jobs", "run", "--now", NOW, "--log-format", "json"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=50, check=False)
    assert time.monotonic() - began < 40
    assert done.returncode == 124
    lines = done.stderr.splitlines()
    assert json.loads(lines[-2])["phase"] == "timed out"
    assert json.loads(lines[-1])["error"].startswith("job 'hangs': not done after 1 s")
    jobs = ea.jobs.load(here / "jobs.toml")
    (row,) = jobs.history("hangs")
    assert (row.phase, row.error_type) == ("timed out", "JobTimeoutError")
    (here / "code.py").write_text(CODE.replace("time.sleep(60)", "pass"))
    assert [outcome.phase for outcome in jobs.run_due(now="2026-03-04T12:00:00Z")] == ["done"]
    assert list(here.rglob("*.part")) == []
    assert names(here / "jobs.ledger.sqlite.d/stage") == [] if (here / "jobs.ledger.sqlite.d/stage").exists() else True


def on_terminal(*args):
    """Run the command with a terminal as stderr, and return what is written to that."""
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "esanalytics", "jobs", *args]
    process = subprocess.Popen(command, env={**environment(), "COLUMNS": "100"}, stderr=follower, stdout=follower)
    os.close(follower)
    written = b""
    with suppress(OSError):  # how Linux says that nobody writes any more
        while more := os.read(leader, 4096):
            written += more
    os.close(leader)
    assert process.wait(60) == 0
    return written.decode()


@pytest.mark.usefixtures("here")
def test_a_terminal_shows_what_is_being_run():
    written = on_terminal("run", "--now", NOW)
    assert "(2/3) daily 2026-03-02 folding" in written
    assert "(3/3) daily 2026-03-03 publishing" in written
    shown = written.replace("\r\n", "\n").split("\n")
    left = [line.rpartition("\x1b[K")[2] for line in shown]
    assert [line.split(" ")[3] for line in left[:3]] == ["done"] * 3
    assert left[3:] == ["3 done", ""]
    plain = on_terminal("run", "--force", "--log-format", "json", "--now", NOW)
    assert "\x1b" not in plain


def test_the_line_of_a_terminal_tells_how_long_it_takes_and_is_cleared():
    written, ticked = [], threading.Event()

    def write(text):
        written.append(text)
        if len(written) == 3:
            ticked.set()

    with Live(write, every=0.01) as live:
        live.show("folding " + "x" * 500)
        assert ticked.wait(10)
        live.say("done")
    assert max(map(len, written)) < 500
    assert written[-2:] == ["\r\x1b[Kdone\n", "\r\x1b[K"]
