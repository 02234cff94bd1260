import csv
import errno
import gzip
import json
import os
import resource
import signal
import threading

import duckdb
import pytest
from outputs import ENGINE, generations, left_over, publish, read, stage_query, stage_rows, start, target, token

from esanalytics.errors import DestinationError
from esanalytics.jobs import _files
from esanalytics.jobs._destination import destination, staging
from esanalytics.jobs._values import Target

ODD = """
SELECT 'a,"b' || chr(10) || 'é😀' AS odd, '' AS empty, NULL::VARCHAR AS nothing, 12.50::DECIMAL(30, 10) AS exact,
    'inf'::DOUBLE AS endless, {'q': [1, 2]} AS nested, {'w': 1, 'x': 'y'}::VARIANT AS payload, [1, 2] AS list,
    TIMESTAMPTZ '2026-03-01 10:00:00.5+02' AS instant, DATE '2026-03-01' AS day, true AS yes
"""


def written(tmp_path, name, query=ODD):
    where = Target(f"{tmp_path}/{name}", name.removesuffix(".gz").rpartition(".")[2])
    destination(where, ENGINE).publish(stage_query(query, tmp_path / "stage" / "odd.parquet"), token(1))
    return tmp_path / name


def test_csv_has_every_value_as_it_was(tmp_path):
    with written(tmp_path, "odd.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "odd": 'a,"b\né😀',
        "empty": "",
        "nothing": "",
        "exact": "12.5000000000",
        "endless": "inf",
        "nested": '{"q":[1,2]}',
        "payload": '{"w":1,"x":"y"}',
        "list": "[1,2]",
        "instant": "2026-03-01T08:00:00.500000Z",
        "day": "2026-03-01",
        "yes": "true",
    }
    again = duckdb.sql(
        f"SELECT empty, nothing FROM read_csv('{tmp_path}/odd.csv', all_varchar=true, allow_quoted_nulls=false)"
    ).fetchall()[0]
    assert again == ("", None)


def test_json_lines_have_every_value_as_it_was(tmp_path):
    (line,) = written(tmp_path, "odd.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line, parse_float=str) == {
        "odd": 'a,"b\né😀',
        "empty": "",
        "nothing": None,
        "exact": "12.5000000000",
        "endless": "inf",
        "nested": {"q": [1, 2]},
        "payload": {"w": 1, "x": "y"},
        "list": [1, 2],
        "instant": "2026-03-01T08:00:00.500000Z",
        "day": "2026-03-01",
        "yes": True,
    }


@pytest.mark.parametrize("name", ["odd.csv.gz", "odd.jsonl.gz"])
def test_a_name_that_ends_in_gz_is_compressed(tmp_path, name):
    plain = written(tmp_path, name.removesuffix(".gz")).read_bytes()
    assert gzip.decompress(written(tmp_path, name).read_bytes()) == plain


def test_rows_keep_their_order(tmp_path):
    path = written(tmp_path, "x.csv", "SELECT (i * 7919) % 300007 AS n FROM range(300007) t(i)")
    rows = path.read_text().split()[1:]
    assert rows == [str(i * 7919 % 300007) for i in range(300007)]


def test_a_parquet_file_is_the_staged_file_itself(tmp_path):
    where = target("parquet", tmp_path)
    it = token(1)
    path = staging(where, it.run, tmp_path)
    assert path.parent == tmp_path / "out"
    staged = stage_rows(path, 1)
    inode = path.stat().st_ino
    published = destination(where, ENGINE).publish(staged, it)
    assert (tmp_path / "out" / "orders.parquet").stat().st_ino == inode
    assert published.bytes == (tmp_path / "out" / "orders.parquet").stat().st_size
    assert not path.exists()


def test_a_file_that_is_replaced_keeps_its_permissions_and_the_link_to_it(tmp_path):
    where = target("csv", tmp_path)
    publish(where, 1)
    real = tmp_path / "out" / "orders.csv"
    real.chmod(0o640)
    (tmp_path / "link.csv").symlink_to(real)
    publish(Target(f"{tmp_path}/link.csv", "csv"), 2)
    assert real.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.csv").is_symlink()
    assert generations(read("csv", tmp_path)) == {2: 100}


def test_only_what_runs_have_left_is_swept(tmp_path):
    where = target("parquet", tmp_path)
    publish(where, 1)
    out = tmp_path / "out"
    mine = [".orders.parquet.dead.part", ".orders.parquet.dead.made.part"]
    others = [".orders.parquet.alive.part", ".orders.parquet.csv.dead.part", ".orders.dead.part", "orders.part"]
    for name in mine + others:
        (out / name).touch()
    destination(where, ENGINE).sweep(lambda run: run == "alive")
    assert sorted(path.name for path in out.iterdir()) == sorted([*others, "orders.parquet"])


def test_a_file_of_others_is_not_taken_for_ours(tmp_path):
    where = target("csv", tmp_path)
    publish(where, 1)
    path = tmp_path / "out" / "orders.csv"
    path.rename(tmp_path / "moved.csv")
    path.write_text("id\n1\n")
    assert destination(where, ENGINE).find(token(1)) is None


def test_a_reader_sees_one_output_at_every_moment(tmp_path):
    where = target("parquet", tmp_path)
    publish(where, 0)
    done = threading.Event()
    seen = []

    def look():
        while not done.is_set():
            seen.append(generations(read("parquet", tmp_path)))

    reader = threading.Thread(target=look)
    reader.start()
    for generation in range(1, 20):
        publish(where, generation)
    done.set()
    reader.join()
    assert all(len(found) == 1 and set(found.values()) == {100} for found in seen)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "directory", "xlsx"])
def test_a_full_disk_leaves_the_old_output(tmp_path, kind, monkeypatch):
    where = target(kind, tmp_path)
    publish(where, 1)
    before = {path: path.stat().st_ino for path in (tmp_path / "out").rglob("*")}

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    from esanalytics.jobs import _directories  # noqa: PLC0415  the one of the two that is used

    monkeypatch.setattr(_files, "sync", full)
    monkeypatch.setattr(_directories, "sync_tree", full)
    with pytest.raises(DestinationError, match="No space left on device; make room") as caught:
        publish(where, 2)
    assert not caught.value.transient
    assert {path: path.stat().st_ino for path in (tmp_path / "out").rglob("*")} == before


FULL = """
import resource, signal, sys
from outputs import publish, target
from esanalytics.errors import DestinationError

kind, folder = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    publish(target(kind, folder), 2, rows=200_000)
except Exception as error:
    print(type(error).__name__, "|", error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on the size of files here")
@pytest.mark.parametrize("kind", ["csv", "jsonl", "duckdb", "sqlite", "delta", "directory"])
def test_a_disk_that_takes_no_more_leaves_the_old_output(tmp_path, kind):
    assert resource.RLIMIT_FSIZE
    where = target(kind, tmp_path)
    publish(where, 1)
    stage_rows(tmp_path / "stage" / "ready.parquet", 2, 200_000)
    code = FULL.replace("publish(target(kind, folder), 2, rows=200_000)", PREPARED)
    said, error = start(code, kind, tmp_path).communicate(timeout=60)
    assert said.startswith("DestinationError |"), said + error
    assert "; " in said
    assert generations(read(kind, tmp_path)) == {1: 100}
    publish(where, 3)
    assert generations(read(kind, tmp_path)) == {3: 100}
    assert left_over(tmp_path) == []


PREPARED = """
    from pathlib import Path
    from outputs import ENGINE, destination, staged, token
    where = target(kind, folder)
    destination(where, ENGINE).publish(staged(Path(folder, "stage", "ready.parquet"), ENGINE), token(2))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder is made read-only for everybody by root")
@pytest.mark.parametrize("kind", ["parquet", "csv", "directory", "delta", "duckdb", "sqlite"])
def test_a_read_only_place_is_named(tmp_path, kind):
    where = target(kind, tmp_path)
    publish(where, 1)
    code = """
    import os, sys
    from pathlib import Path
    from outputs import ENGINE, destination, publish, staged, target, token
    from esanalytics.errors import DestinationError

    kind, folder = sys.argv[1:]
    publish(target(kind, folder + "/other"), 1)
    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
    there = destination(target(kind, folder), ENGINE)
    result = staged(Path(folder, "stage", "ready.parquet"), ENGINE)
    for act in (lambda: there.check(result.columns), lambda: there.publish(result, token(2))):
        try:
            act()
        except DestinationError as error:
            print("DestinationError", error.transient, error)
    """
    stage_rows(tmp_path / "stage" / "ready.parquet", 2)
    above = tmp_path
    while above != above.parent and above.stat().st_uid == os.getuid():
        above.chmod(above.stat().st_mode | 0o055)
        above = above.parent
        if above.name in ("tmp", ""):
            break
    said, error = start(code, kind, tmp_path).communicate(timeout=60)
    lines = said.splitlines()
    assert lines, error
    assert all(line.startswith("DestinationError False") and "let this user write" in line for line in lines), said
    assert len(lines) == 2, said + error
    assert generations(read(kind, tmp_path)) == {1: 100}
