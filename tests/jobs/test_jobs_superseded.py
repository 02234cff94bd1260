"""An output that holds the newest window alone: an older one never takes the newer one's place."""

import sqlite3
from contextlib import closing

import duckdb
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable
from outputs import generations, publish, read, target
from shop_of_jobs import NOW, append, event, jobs_of, shop

from esanalytics.cli._main import program
from esanalytics.errors import DestinationError
from esanalytics.jobs import _marks
from esanalytics.jobs._jobs import exit_code
from esanalytics.jobs._markers import MARKERS, NewerError

TEXT = """
[jobs.kept]
projection = "CODE:orders"
schedule = "@daily"
window = "1d"
output = "{output}"
retries = 0
"""
OUTPUTS = {
    "parquet": "kept.parquet",
    "csv": "kept.csv",
    "xlsx": "kept.xlsx",
    "directory": "kept/",
    "delta": "delta:table",
    "duckdb": "kept.duckdb",
    "duckdb-upsert": "kept.duckdb",
    "sqlite": "sqlite:///FOLDER/kept.sqlite",
    "sqlite-upsert": "sqlite:///FOLDER/kept.sqlite",
}
OLD = {"since": "2026-03-01", "until": "2026-03-03", "now": NOW}


def text(kind, folder):
    more = 'format = "parquet"\n' if kind == "directory" else ""
    more += 'mode = "replace"\n' if kind in ("duckdb", "sqlite") else ""
    return TEXT.format(output=OUTPUTS[kind].replace("FOLDER", str(folder))) + more


def held(folder, kind):
    """Return what is in an output."""
    if kind.startswith("sqlite"):
        with closing(sqlite3.connect(folder / "kept.sqlite")) as connection:
            return sorted(connection.execute("SELECT * FROM kept").fetchall(), key=repr)
    if kind.startswith("duckdb"):
        with duckdb.connect(str(folder / "kept.duckdb")) as connection:
            return sorted(connection.execute("SELECT * FROM kept").fetchall(), key=repr)
    if kind == "delta":
        return DeltaTable(folder / "table").version()
    if kind == "directory":
        return {path.name: path.read_bytes() for path in sorted((folder / "kept").iterdir())}
    return (folder / OUTPUTS[kind]).read_bytes()


def lose_ledger(folder):
    for path in folder.glob("jobs.ledger.sqlite*"):
        if path.is_file():
            path.unlink()


def lose_marker(folder, kind, monkeypatch):
    if kind.startswith("sqlite"):
        with closing(sqlite3.connect(folder / "kept.sqlite")) as connection:
            connection.execute(f"DROP TABLE {MARKERS}")
    elif kind.startswith("duckdb"):
        with duckdb.connect(str(folder / "kept.duckdb")) as connection:
            connection.execute(f"DROP TABLE {MARKERS}")
    elif kind == "directory":
        (folder / "kept/_manifest.json").unlink()
    elif kind == "delta":
        monkeypatch.setattr("esanalytics.jobs._delta._noted", lambda _: None)
    else:
        monkeypatch.setattr(_marks, "_NAME", "user.other")


@pytest.mark.parametrize("lost", ["nothing", "ledger", "marker"])
@pytest.mark.parametrize("kind", OUTPUTS)
def test_an_older_window_is_superseded_and_nothing_is_written(tmp_path, kind, lost, monkeypatch):
    jobs = shop(tmp_path, text(kind, tmp_path))
    assert [one.phase for one in jobs.run_due(now=NOW)] == ["done"]
    if lost == "ledger":
        lose_ledger(tmp_path)
    if lost == "marker":
        lose_marker(tmp_path, kind, monkeypatch)
    before = held(tmp_path, kind)
    for force in (False, True):
        told = []
        again = jobs_of(tmp_path, text(kind, tmp_path), tell=told.append)
        outcomes = again.run("kept", **OLD, force=force)
        assert [(one.phase, one.error) for one in outcomes] == [("superseded", None)] * 2
        assert exit_code(outcomes) == 0
        assert [one["newer"] for one in told if one["phase"] == "superseded"] == ["2026-03-05T00:00:00.000000Z"] * 2
        assert held(tmp_path, kind) == before
    assert {row.phase for row in jobs.history("kept", 4)} == {"superseded"}
    assert not list(tmp_path.rglob("*.part"))
    if lost != "ledger":
        assert jobs.run_due(now=NOW) == []


def test_a_check_that_would_fail_does_not_hide_that_a_newer_window_is_there(tmp_path):
    jobs = shop(tmp_path, text("parquet", tmp_path) + 'checks = ["row_count > 4"]\n')
    jobs.run_due(now=NOW)
    lose_ledger(tmp_path)
    assert [one.phase for one in jobs.run("kept", since="2026-03-01", until="2026-03-02", now=NOW)] == ["superseded"]
    assert not list(tmp_path.glob("*.rejected"))


@pytest.mark.parametrize("kind", ["parquet", "directory", "duckdb", "sqlite", "delta"])
def test_the_newest_window_is_made_again_as_before(tmp_path, kind):
    jobs = shop(tmp_path, text(kind, tmp_path))
    jobs.run_due(now=NOW)
    append(tmp_path, event(50, "late"))
    assert [(one.phase, one.reason) for one in jobs.run_due(now=NOW)] == [("done", "late events")]
    assert [one.phase for one in jobs.run("kept", force=True, now=NOW)] == ["done"]


def test_where_the_output_is_gone_an_older_window_is_made_and_the_newest_is_due_again(tmp_path):
    jobs = shop(tmp_path, text("parquet", tmp_path))
    jobs.run_due(now=NOW)
    assert jobs.run_due(now=NOW) == []
    (tmp_path / "kept.parquet").unlink()
    assert [one.phase for one in jobs.run("kept", **OLD)] == ["done", "done"]
    assert [(one.window.start.day, one.phase) for one in jobs.run_due(now=NOW)] == [(4, "done")]
    assert jobs.run_due(now=NOW) == []


@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
def test_longer_windows_wait_until_one_ends_later_unless_the_output_is_gone(tmp_path, kind):
    shop(tmp_path, text(kind, tmp_path)).run_due(now=NOW)
    weekly = jobs_of(tmp_path, text(kind, tmp_path).replace('"1d"', '"1w"'))
    assert [one.phase for one in weekly.run_due(now=NOW)] == ["superseded"]
    assert weekly.run_due(now=NOW) == []
    (tmp_path / OUTPUTS[kind]).unlink()
    assert [one.phase for one in weekly.run_due(now=NOW)] == ["done"]
    assert weekly.run_due(now=NOW) == []
    assert [one.phase for one in weekly.run_due(now="2026-03-09T01:00:00Z")] == ["done"]


@pytest.mark.parametrize("output", ["out/{date}.parquet", "out/{date}/", "out/{date}.duckdb"])
def test_windows_with_outputs_of_their_own_do_not_supersede_each_other(tmp_path, output):
    weeks = TEXT.replace("{output}", output).replace("1d", "1w") + 'format = "parquet"\nfirst = 2026-03-02\n'
    weeks = weeks.replace('"parquet"', '"duckdb"\nmode = "replace"') if "duckdb" in output else weeks
    late = "2026-03-10T12:00:00Z"
    assert [one.phase for one in shop(tmp_path, weeks).run_due(now=late)] == ["done"]
    days = jobs_of(tmp_path, weeks.replace("1w", "1d"))
    assert {one.phase for one in days.run_due(now=late)} == {"done"}


@pytest.mark.parametrize("kind", ["parquet", "csv", "directory", "delta-replace", "duckdb-upsert", "sqlite-upsert"])
def test_a_destination_refuses_an_older_window_by_its_marker(tmp_path, kind):
    publish(target(kind, tmp_path), 1, day=3)
    with pytest.raises(NewerError, match="holds a newer window, which ends 2026-03-05") as found:
        publish(target(kind, tmp_path), 2, day=2)
    assert isinstance(found.value, DestinationError)
    assert not found.value.transient
    assert generations(read(kind, tmp_path)) == {1: 100}


def test_the_command_says_so_and_ends_with_0(tmp_path):
    zoned = text("parquet", tmp_path) + 'tz = "Europe/Berlin"\n'
    shop(tmp_path, zoned)
    run = ["jobs", "-f", str(tmp_path / "jobs.toml"), "run", "kept", "--now", NOW]
    assert CliRunner().invoke(program, run).exit_code == 0
    found = CliRunner().invoke(program, [*run, "--since", "2026-03-01", "--until", "2026-03-03"])
    assert found.exit_code == 0
    first, _, last = found.stderr.splitlines()
    words = "kept 2026-03-01 superseded: the output holds a newer window, which ends 2026-03-05, and stays as it is"
    assert words in first
    assert last == "2 superseded"
