"""Processes that are killed while they publish: the old output or the new one is there, and the next run completes."""

import random
import time

import duckdb
import pytest
from outputs import ENGINE, KINDS, generations, left_over, manifest, publish, read, start, target

from esanalytics.jobs import _directories
from esanalytics.jobs._destination import destination

ROWS = 20_000

VICTIM = """
import sys
from outputs import publish, target
from esanalytics.jobs import _directories

kind, folder, begin, rows = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if kind == "merged":
    kind, _directories.exchange = "directory", lambda *_: False
print("ready", flush=True)
for generation in range(begin, begin + 10_000):
    publish(target(kind, folder), generation, rows=rows)
    print(generation, flush=True)
"""


def whole(kind, folder):
    """Return the one generation that is there, whole; None: there is no output yet."""
    found = generations(read_by_manifest(folder) if kind == "merged" else read(kind, folder))
    assert len(found) <= 1
    assert set(found.values()) <= {ROWS}
    return next(iter(found), None)


def read_by_manifest(folder):
    out = folder / "out" / "orders"
    if not (out / "_manifest.json").exists():
        return None
    files = [str(out / name) for name in manifest(folder)["files"]]
    return duckdb.sql(f"SELECT id, generation, n FROM read_parquet({files}, hive_partitioning=true)").fetchall()


def kill(kind, folder, begin, chance):
    """Let a process publish until it is killed; return the last generation that it said is there."""
    victim = start(VICTIM, kind, folder, begin, ROWS)
    assert victim.stdout.readline() == "ready\n", victim.communicate()[1]
    said = [victim.stdout.readline() for _ in range(chance.randint(0, 2))]
    time.sleep(chance.uniform(0, 0.25))
    victim.kill()
    out, _ = victim.communicate(timeout=60)
    lines = [*said, *out.split("\n")[:-1]]
    return int(lines[-1]) if lines else begin - 1


def survive(folder, kind, kills):
    chance, last = random.Random(f"{kind}{kills}"), None
    where = target("directory" if kind == "merged" else kind, folder)
    generation = 1
    for _ in range(kills):
        said = kill(kind, folder, generation, chance)
        found = whole(kind, folder)
        assert found in ({said, said + 1} if said >= generation else {last, said + 1})
        last = said + 2
        publish(where, last, rows=ROWS)
        destination(where, ENGINE).sweep(lambda _: False)
        assert whole(kind, folder) == last
        assert left_over(folder) == []
        if kind in ("directory", "merged"):
            files = {path.name for path in (folder / "out" / "orders").rglob("*.parquet")}
            assert files == {name.rpartition("/")[2] for name in manifest(folder)["files"]}
        generation = last + 1


@pytest.fixture
def _merging(request, monkeypatch):
    if request.node.callspec.params["kind"] == "merged":
        monkeypatch.setattr(_directories, "exchange", lambda *_: False)


@pytest.mark.usefixtures("_merging")
@pytest.mark.parametrize("kind", ["parquet", "merged", "delta", "duckdb", "sqlite-upsert"])
def test_a_killed_run_leaves_the_old_output_or_the_new_one(tmp_path, kind):
    survive(tmp_path, kind, 1)


@pytest.mark.slow
@pytest.mark.usefixtures("_merging")
@pytest.mark.parametrize("kind", [*KINDS, "merged"])
def test_ten_kills_lose_nothing_and_double_nothing(tmp_path, kind):
    survive(tmp_path, kind, 10)


AT_A_POINT = """
import os, signal, sys
from outputs import publish, target
from esanalytics.jobs import _delta, _directories, _duckdb_file, _files, _forms, _sql, _sql_rows

kind, folder, point, when = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def around(owner, name, only=lambda *_: True):
    original = getattr(owner, name)

    def dies(*args, **options):
        if when == "before" and only(*args):
            die()
        found = original(*args, **options)
        if only(*args):
            die()
        return found

    setattr(owner, name, dies)

if kind == "merged":
    kind, _directories.exchange = "directory", lambda *_: False
commits = lambda at, sql, *_: sql == "COMMIT"
inserts = lambda at, sql, *_: sql.startswith("INSERT") and "_esanalytics" not in sql
around(*{
    "form": (_forms, "copy"),
    "files": (_directories, "copy"),
    "mark": (_files, "mark"),
    "rename": (os, "replace"),
    "make": (_directories.Directory, "_make"),
    "place": (_directories.Directory, "_place"),
    "exchange": (_directories, "exchange"),
    "merge": (_directories, "_merge"),
    "move": (_directories.shutil, "move"),
    "delta": (_delta, "write_deltalake"),
    "sync": (_delta.DeltaOutput, "_sync"),
    "insert": (_duckdb_file._Attached, "run", inserts),
    "marker": (_duckdb_file.DuckDBFile, "_mark"),
    "commit": (_duckdb_file._Attached, "run", commits),
    "rows": (_sql_rows, "_upsert"),
    "replace": (_sql, "replace_rows"),
    "upsert": (_sql, "upsert_rows"),
    "sql marker": (_sql.SqlTable, "_mark"),
    "sql write": (_sql.SqlTable, "_write"),
}[point])
publish(target(kind, folder), 2, rows=20_000)
"""
POINTS = {
    "parquet": ["mark", "rename"],
    "csv": ["form", "mark", "rename"],
    "jsonl": ["form", "rename"],
    "directory": ["files", "make", "exchange", "place"],
    "merged": ["make", "move", "rename", "merge"],
    "delta": ["delta", "sync"],
    "delta-replace": ["delta", "sync"],
    "duckdb": ["insert", "marker", "commit"],
    "duckdb-upsert": ["insert", "marker", "commit"],
    "sqlite": ["replace", "sql marker", "sql write"],
    "sqlite-upsert": ["rows", "upsert", "sql marker", "sql write"],
}
QUICK = {
    ("parquet", "rename", "before"),
    ("csv", "rename", "after"),
    ("directory", "exchange", "after"),
    ("merged", "rename", "before"),
    ("delta", "delta", "after"),
    ("duckdb", "commit", "before"),
    ("sqlite", "replace", "after"),
}
ALL = [(kind, point, when) for kind, points in POINTS.items() for point in points for when in ("before", "after")]


@pytest.mark.usefixtures("_merging")
@pytest.mark.parametrize(
    ("kind", "point", "when"), [pytest.param(*p, marks=[] if p in QUICK else [pytest.mark.slow]) for p in ALL]
)
def test_a_process_that_dies_at_a_point_leaves_the_old_output_or_the_new_one(tmp_path, kind, point, when):
    where = target("directory" if kind == "merged" else kind, tmp_path)
    publish(where, 1, rows=ROWS)
    victim = start(AT_A_POINT, kind, tmp_path, point, when)
    _, error = victim.communicate(timeout=60)
    assert victim.returncode == -9, error
    assert whole(kind, tmp_path) in (1, 2)
    publish(where, 3, rows=ROWS)
    destination(where, ENGINE).sweep(lambda _: False)
    assert whole(kind, tmp_path) == 3
    assert left_over(tmp_path) == []
