"""What schedulers are given."""

import ast
import dataclasses
import datetime as dt
import shlex
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from esanalytics.jobs._calendars import on_calendar
from esanalytics.jobs._reading import read
from esanalytics.jobs._render import TARGETS, render_target
from esanalytics.jobs._schedule import schedule, ticks

TEXT = """
[store]
path = "shop"
[jobs.daily]
projection = "counts"
schedule = "15 6 * * 1-5"
tz = "Europe/Berlin"
output = "out/{date}.csv"
[jobs.second]
projection = "counts"
schedule = "15 6 * * 1-5"
tz = "Europe/Berlin"
output = "out/second-{date}.csv"
[jobs.nightly]
projection = "events"
schedule = "@daily"
output = "out/nightly.csv"
[jobs.waiting]
projection = "events"
schedule = "@daily"
lag = "2h"
output = "out/waiting.csv"
[jobs.off]
projection = "events"
schedule = "@daily"
output = "out/off.csv"
enabled = false
[ingest.raw]
files = "in/*.jsonl"
[ingest.hourly]
files = "hourly/*.jsonl"
schedule = "@hourly"
tz = "Europe/London"
"""
ALONE = """
[store]
path = "shop"
[jobs.one]
projection = "events"
schedule = "*/15 * * * *"
tz = "Europe/Berlin"
output = "out/one.csv"
[jobs.two]
projection = "counts"
schedule = "*/15 * * * *"
tz = "Europe/Berlin"
output = "out/two.csv"
"""
INCOMING = """
[store]
path = "shop"
[ingest.raw]
files = "in/*.jsonl"
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("it's 50%")
    (folder / "jobs.toml").write_text(TEXT)
    return read(folder / "jobs.toml")


def test_jobs_of_one_schedule_are_one_call_and_those_that_are_off_are_none(file):
    (text,) = render_target("cron", file).values()
    calls = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line.rpartition(" run ")[2] for line in calls] == ["daily second", "nightly", "waiting", "hourly"]
    assert [" ".join(line.split()[:5]) for line in calls] == ["15 * * * *", "0 0 * * *", "*/15 * * * *", "0 * * * *"]


def rendered(tmp_path, text, target="cron"):
    (tmp_path / "jobs.toml").write_text(text)
    return render_target(target, read(tmp_path / "jobs.toml"))


@pytest.mark.parametrize(("text", "schedule"), [(ALONE, "*/15 * * * *"), (INCOMING, "0 * * * *")])
def test_where_there_is_one_schedule_no_job_is_named(text, schedule, tmp_path):
    (call,) = (line for line in rendered(tmp_path, text)["crontab"].splitlines() if not line.startswith("#"))
    assert call.startswith(f"{schedule} ")
    assert call.endswith("jobs.toml run")


def test_comments_say_what_the_line_does(file, tmp_path):
    text = rendered(tmp_path, ALONE)["crontab"]
    assert [line for line in text.splitlines() if line.startswith("#")][1:] == [
        "# one, two: Every 15th minute of every hour (Europe/Berlin)"
    ]
    told = render_target("cron", file)["crontab"]
    assert "# cron knows no Europe/Berlin: it calls at minute 15 of every hour, and the command" in told
    assert "is not UTC, begin the line with 0 * * * * in place of\n# 0 0 * * *:" in told
    assert "Europe/London: it calls" not in told


@pytest.mark.parametrize("is_beside", [True, False])
def test_the_program_has_its_whole_path(is_beside, tmp_path, monkeypatch):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    if is_beside:
        python.with_name("esanalytics").write_text("")
    monkeypatch.setattr(sys, "executable", str(python))
    program = [str(python.with_name("esanalytics"))] if is_beside else [str(python), "-m", "esanalytics"]
    assert f"* * * * {shlex.join(program)} jobs " in rendered(tmp_path, ALONE)["crontab"]
    units = rendered(tmp_path, ALONE, "systemd")
    assert any(f"ExecStart={shlex.join(program)} jobs " in text for text in units.values())
    assert f"{shlex.join(program)} jobs " in rendered(tmp_path, ALONE, "airflow")["exports.py"]


def test_cron_takes_the_line_as_it_is(file, tmp_path, monkeypatch):
    program = tmp_path / "python's" / "esanalytics"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    (text,) = render_target("cron", file).values()
    call = next(line for line in text.splitlines() if not line.startswith("#"))
    command = " ".join(call.split(" ")[5:]).replace("\\%", "%")
    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == ["jobs", "-f", str(file.path), "run", "daily", "second"]
    assert "\\%" in call


def test_kubernetes_gets_objects_that_do_not_overlap(file):
    (text,) = render_target("k8s", file).values()
    found = list(yaml.safe_load_all(text))
    assert [one["kind"] for one in found] == ["CronJob"] * 4
    first = found[0]["spec"]
    assert (first["schedule"], first["timeZone"], first["concurrencyPolicy"]) == (
        "15 6 * * 1-5",
        "Europe/Berlin",
        "Forbid",
    )
    (container,) = first["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["esanalytics", "jobs", "-f", str(file.path), "run", "daily", "second"]
    names = [one["metadata"]["name"] for one in found]
    assert len(set(names)) == 4
    assert all(len(name) <= 52 for name in names)


def test_github_gets_a_workflow(file):
    (text,) = render_target("github", file).values()
    found = yaml.safe_load(text)
    assert [one["cron"] for one in found[True]["schedule"]] == ["15 * * * *", "0 0 * * *", "*/15 * * * *", "0 * * * *"]
    assert found["concurrency"]["group"] == "exports"
    install, run = (step["run"] for step in found["jobs"]["exports"]["steps"][-2:])
    assert run == "esanalytics jobs -f jobs.toml run"
    assert install == 'pip install "ESANALYTICS"'
    assert "install it your own way" in text


def test_airflow_gets_python(file):
    (text,) = render_target("airflow", file).values()
    tree = ast.parse(text)
    assert sum(isinstance(node, ast.With) for node in ast.walk(tree)) == 4
    assert "max_active_runs=1" in text


def test_systemd_takes_the_units(file, tmp_path):
    found = render_target("systemd", file)
    assert len(found) == 8
    timers = {name: text for name, text in found.items() if name.endswith(".timer")}
    assert all("Persistent=true" in text for text in timers.values())
    assert all(f"systemctl --user enable --now {name}\n" in text for name, text in timers.items())
    assert all("~/.config/systemd/user/" in text for text in found.values())
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not here")
    for name, text in found.items():
        (tmp_path / name).write_text(text)
    for name in found:
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", tmp_path / name], capture_output=True, text=True, check=False
        )
        own = [line for line in done.stderr.splitlines() if name.split(".")[0] in line]
        assert own == [], name


@pytest.mark.parametrize("target", TARGETS)
def test_a_file_without_jobs_is_rendered_too(target, tmp_path):
    (tmp_path / "jobs.toml").write_text('[store]\npath = "x"\n')
    assert isinstance(render_target(target, read(tmp_path / "jobs.toml")), dict)


LINES = [
    "15 6 * * 1-5",
    "*/15 * * * *",
    "5-50/15 */6 * * *",
    "0 0 1,15 * *",
    "0 0 1 jan-mar *",
    "0 12 */2 * 1",
    "0 0 13 * fri",
    "30 4 * 2,feb-mar sun,2-4",
    "0 0 * * */2",
    "0 9 * * 5-7",
    "0 0 29 2 *",
    "10/20 3 * * *",
]


def next_of_systemd(line, base, count):
    """Return the next times of ``OnCalendar``, as systemd has them."""
    done = subprocess.run(
        ["systemd-analyze", "calendar", f"--iterations={count}", f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", line],
        capture_output=True,
        text=True,
        check=False,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    )
    assert done.returncode == 0, done.stderr
    marked = [
        text.split(": ", 1)[1] for text in done.stdout.splitlines() if "(in UTC)" in text or "Next elapse" in text
    ]
    marked += [text.split(": ", 1)[1] for text in done.stdout.splitlines() if "Iter" in text or "Iteration" in text]
    stamps = {" ".join(text.split()[1:3]) for text in marked}
    return {dt.datetime.fromisoformat(stamp).replace(tzinfo=dt.UTC) for stamp in stamps}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("line", LINES)
def test_systemd_means_what_cron_means(line):
    base = dt.datetime(2026, 1, 30, 7, 7, tzinfo=dt.UTC)
    found = set().union(*(next_of_systemd(one, base, 12) for one in on_calendar(schedule(line), "UTC")))
    expected = list(islice(ticks(schedule(line), ZoneInfo("UTC"), base), 12))
    assert sorted(found)[:12] == expected


def test_what_systemd_cannot_say_is_every_hour():
    assert on_calendar("0 0 * * 5#3", "UTC") == ("*-*-* *:00:00 UTC",)
    assert on_calendar("0 0 L * *", "Europe/Berlin") == ("*-*-* *:00:00 Europe/Berlin",)


@settings(deadline=None, max_examples=40)
@given(st.text(alphabet="ab '\"%$\\{}#;-", min_size=1, max_size=12))
def test_any_path_is_quoted(file, name):
    moved = dataclasses.replace(file, path=Path("/data") / name / "jobs.toml")
    for target in TARGETS:
        texts = render_target(target, moved)
        if target == "k8s":
            command = next(yaml.safe_load_all(*texts.values()))["spec"]["jobTemplate"]["spec"]["template"]["spec"]
            assert command["containers"][0]["command"][3] == str(moved.path)
        if target == "airflow":
            assert ast.parse(*texts.values())
