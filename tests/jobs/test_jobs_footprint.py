"""A run with nothing to do must not wait for a database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import esanalytics as ea

HEAVY = ("deltalake", "duckdb", "matplotlib", "numpy", "pandas", "pyarrow", "pytz", "sqlalchemy", "sqlglot", "tqdm")
CODE = f"""
import sys
from esanalytics.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print("code", end.code)
print("loaded", *sorted(set({HEAVY!r}) & sys.modules.keys()))
"""
JOB = """
[jobs.job{number}]
projection = "counts"
schedule = "15 6 * * *"
window = "1d"
output = "out/{number}/{{date}}.csv"
first = 2026-03-03
"""
NOW = "2026-03-04T12:00"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fifty jobs, all of which are done."""
    folder = tmp_path_factory.mktemp("fifty")
    with ea.Store.create(folder / "shop") as store:
        store.append([{"stream_id": "a", "type": "T", "occurred_at": "2026-03-01T10:00"}])
    (folder / "jobs.toml").write_text('[store]\npath = "shop"\n' + "".join(JOB.format(number=n) for n in range(50)))
    outcomes = ea.jobs.load(folder / "jobs.toml").run_due(now=NOW)
    assert {outcome.phase for outcome in outcomes} == {"done"}
    return folder


def spoken(folder, *args):
    done = subprocess.run(
        [sys.executable, "-c", CODE, "jobs", "-f", folder / "jobs.toml", *args],
        env={**os.environ, "PYTHONPATH": str(Path(ea.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-2:], done.stderr


@pytest.mark.parametrize(
    "command", [("run", "--now", NOW), ("due", "--now", NOW), ("status",), ("list",), ("render", "cron")]
)
def test_nothing_to_do_loads_no_database(folder, command):
    assert spoken(folder, *command)[0] == ["code 0", "loaded"]


def test_importing_the_jobs_loads_no_database():
    code = f"import sys, esanalytics as ea; ea.jobs.load; print(*sorted(set({HEAVY!r}) & sys.modules.keys()))"
    environment = {**os.environ, "PYTHONPATH": str(Path(ea.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
