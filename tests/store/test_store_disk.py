import datetime as dt
import inspect
import json
import os
import pickle
import shutil
import subprocess
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from material import NOW, START, event, finish, new_store, read, start, stray

from esanalytics import errors
from esanalytics.errors import (
    CorruptFileError,
    StoreError,
    StoreExistsError,
    StoreFormatError,
    StoreNotFoundError,
    UnsupportedError,
)
from esanalytics.store import Store, _append, _commits, _intake

# Making and opening


def test_a_store_is_made_once(tmp_path):
    new = Store.create(tmp_path / "shop")
    new.append([event(1)])
    with pytest.raises(StoreExistsError, match="already a store"):
        Store.create(tmp_path / "shop")
    assert Store.open(str(tmp_path / "shop")).info().events == 1


def test_a_folder_or_file_that_is_something_else_is_left_alone(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for name, what in (("folder", "a folder with other files, and no store"), ("file", "a file, and no store")):
        with pytest.raises(StoreExistsError, match=what):
            Store.create(tmp_path / name)
        with pytest.raises(StoreNotFoundError):
            Store.open(tmp_path / name)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["notes.txt"]


def test_an_empty_folder_becomes_a_store(tmp_path):
    assert Store.create(tmp_path).info().events == 0


def test_a_missing_store_is_not_found_and_the_message_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Store.create"):
        Store.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_table_of_something_else_is_no_store(tmp_path):
    write_deltalake(tmp_path / "shop" / "events", pa.table({"a": [1]}))
    with pytest.raises(StoreNotFoundError, match="something else"):
        Store.open(tmp_path / "shop")


def test_a_store_of_a_newer_format_is_refused_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(_commits, "FORMAT", 7)
    new = Store.create(tmp_path / "shop")
    new.append([event(1)])
    monkeypatch.undo()
    with pytest.raises(StoreFormatError, match=r"format 7.*reads up to 1.*pip install -U"):
        Store.open(tmp_path / "shop")


def test_a_partition_is_one_of_three(tmp_path):
    with pytest.raises(UnsupportedError, match=r"day.*month.*year"):
        Store.create(tmp_path / "shop", partition="week")
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize(("partition", "folders"), [("day", 4), ("month", 3), ("year", 2)])
def test_files_are_kept_apart_by_period(tmp_path, partition, folders):
    store = new_store(tmp_path, partition=partition)
    days = ["2025-12-31", "2026-01-01", "2026-02-01", "2026-02-02"]
    store.append([event(n, occurred_at=day) for n, day in enumerate(days)])
    again = Store.open(store.path)
    assert (again.info().files, again.info().partition) == (folders, partition)
    assert [row["data"]["n"] for row in read(again.log.since("2026-01-01"))] == [2, 3]
    again.append([event(9, occurred_at="2026-02-02")])
    again.compact(retain=NOW)
    assert again.info().files == folders


def test_a_closed_store_may_be_used_again(tmp_path):
    with Store.create(tmp_path / "shop") as store:
        store.append([event(1)])
    assert store.log.count() == len(store.log.events()) == 1


def test_info_tells_what_there_is_from_the_commits_alone(tmp_path):
    store = new_store(tmp_path)
    empty = store.info()
    assert (empty.events, empty.files, empty.first_time, empty.recorded_at) == (0, 0, None, None)
    store.append(
        [event(1, service="a"), event(5, service="b"), event(3, service="b"), {"type": "x"}], on_invalid="quarantine"
    )
    info = store.info()
    assert (info.events, info.services, info.quarantined) == (3, {"a": 1, "b": 2}, 1)
    assert (info.first_time, info.last_time) == (START + dt.timedelta(minutes=1), START + dt.timedelta(minutes=5))
    assert info.recorded_at == read(store.log)[0]["recorded_at"]
    live = [store.path / "events" / file.path for file in store._log.head().files]
    assert (info.files, info.bytes) == (len(live), sum(path.stat().st_size for path in live))
    for path in live:
        path.unlink()
    assert store.info() == info


# Damage


@pytest.fixture
def damaged(tmp_path):
    """A store of two services with a file each, and the file of the first."""
    store = new_store(tmp_path)
    store.append([event(n, service=name) for name in "ab" for n in range(200)])
    (file,) = [file for file in store._log.head().files if file.service == "a"]
    return store, store.path / "events" / file.path


def looks(result):
    return [result.df, result.arrow, result.head, lambda: list(result), lambda: pa.table(result)]


@pytest.mark.parametrize("how", ["missing", "empty", "cut", "overwritten"])
def test_a_damaged_file_is_named_and_the_others_are_read(damaged, how):
    store, path = damaged
    whole = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "overwritten": b"x" * len(whole)}[how])
    for look in looks(store.log.events()):
        with pytest.raises(CorruptFileError) as caught:
            look()
        assert path.name in str(caught.value)
        assert "restore" in str(caught.value)
    assert store.log.where(service="b").count() == len(read(store.log.where(service="b"))) == 200
    assert store.info().events == 400
    path.write_bytes(whole)
    assert len(read(store.log)) == 400


def test_damage_inside_a_file_is_an_error_of_the_tree(damaged):
    store, path = damaged
    whole = bytearray(path.read_bytes())
    whole[8 : len(whole) // 2] = b"\xff" * (len(whole) // 2 - 8)
    path.write_bytes(whole)
    for look in looks(store.log.events()):
        with pytest.raises((CorruptFileError, errors.EngineError)):
            look()


@pytest.mark.parametrize("how", ["missing", "cut"])
def test_an_append_and_a_compaction_that_need_a_damaged_file_change_nothing_and_name_it(damaged, how):
    store, path = damaged
    store.append([event(900, service="a", occurred_at=START + dt.timedelta(minutes=1))])
    whole = path.read_bytes()
    path.unlink() if how == "missing" else path.write_bytes(whole[:100])
    before = store.info()
    with pytest.raises(StoreError, match=path.name):
        store.append([event(7, service="a", type="U")])
    with pytest.raises(CorruptFileError, match=path.name):
        store.compact(retain=NOW)
    assert store.info() == before
    assert store.append([event(1, service="c", occurred_at="2030-01-01")]).appended == 1
    path.write_bytes(whole)
    store.append([event(7, service="a", type="U")])
    store.compact(retain=NOW)
    assert len(read(store.log)) == 403


def test_a_store_whose_log_is_damaged_is_an_error_of_the_store(tmp_path):
    store = new_store(tmp_path)
    for number in range(3):
        store.append([event(number)])
    entry = sorted((store.path / "events" / "_delta_log").glob("*.json"))[1]
    entry.write_text("{not json")
    with pytest.raises(StoreError):
        _ = Store.open(store.path).log


def test_a_store_that_was_deleted_is_an_error_of_the_store(tmp_path):
    store = new_store(tmp_path)
    store.append([event(1)])
    shutil.rmtree(store.path)
    with pytest.raises(StoreError):
        store.append([event(2)])
    with pytest.raises(errors.EsAnalyticsError):
        read(store.log)


# Rights and space

READ_ONLY = """
import os, sys
import pandas, pytz, tqdm.auto
from esanalytics.errors import StoreError
from esanalytics.store import Store

Store.open(sys.argv[1]).log.events().df()
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
store = Store.open(sys.argv[1])
assert len(list(store.log.events())) == store.log.count() == store.info().events == 1
row = {"stream_id": "s", "type": "T", "occurred_at": "2026-03-03"}
bad = {"type": "T"}
for act in (
    lambda: store.append([row]),
    lambda: store.append([row, bad], on_invalid="quarantine"),
    lambda: store.compact(),
    lambda: Store.create(sys.argv[1] + "/inner"),
):
    try:
        act()
    except StoreError as error:
        assert type(error) is StoreError and "may not be written" in str(error) and "right" in str(error), repr(error)
    else:
        raise AssertionError(act)
assert len(list(store.log.events())) == 1
print("done")
"""


@pytest.fixture
def open_folder():
    """A folder that every user may enter; pytest keeps its own to itself."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_store_that_may_not_be_written_to_is_read_and_refuses_appends(open_folder):
    store = new_store(open_folder)
    store.append([event(1)])
    folders = [store.path, *(path for path in store.path.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert finish(start(READ_ONLY, store.path)).strip() == "done"
    finally:
        for folder in folders:
            folder.chmod(0o755)
    store.append([event(2)])
    assert store.info().events == 2


@pytest.fixture
def small_disk(tmp_path):
    """A folder that holds no more than three megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(ballast: Path, leave: int) -> None:
    """Leave some bytes of a disk, no more."""
    ballast.unlink(missing_ok=True)
    there = os.statvfs(ballast.parent)
    free = there.f_bavail * there.f_frsize
    with ballast.open("wb") as file:
        file.write(b"\0" * max(0, free - leave))


def test_a_full_disk_loses_nothing_and_works_again_after_space_is_freed(small_disk):
    ballast = small_disk / "ballast"
    store = Store.create(small_disk / "shop")
    acknowledged, refused = [], 0
    for number in range(40):
        call = [event(number, event_id=f"{number}-{part}", data={"x": "é" * 50, "n": number}) for part in range(5)]
        fill(ballast, 4096 * (number % 9))
        try:
            store.append(call)
        except StoreError as error:
            refused += 1
            assert "disk is full" in str(error)  # noqa: PT017
            assert "free some space" in str(error)  # noqa: PT017
            fill(ballast, 1_000_000)
            assert store.append(call).appended in (0, 5)
        acknowledged += [row["event_id"] for row in call]
        assert sorted(row["event_id"] for row in read(store.log)) == sorted(acknowledged)
    assert 0 < refused < 40
    for leave in (0, 4096, 16384):
        fill(ballast, leave)
        try:
            store.compact(retain=NOW)
        except StoreError as error:
            assert "disk is full" in str(error)  # noqa: PT017
        assert sorted(row["event_id"] for row in read(store.log)) == sorted(acknowledged)
    ballast.unlink()
    store.compact(retain=NOW)
    assert stray(store) == []
    assert sorted(row["event_id"] for row in read(Store.open(store.path).log)) == sorted(acknowledged)


FULL = """
import os, sys
from esanalytics.errors import StoreError
from esanalytics.store import Store

store = Store.open(sys.argv[1])
with open(sys.argv[2], "wb") as ballast:
    there = os.statvfs(sys.argv[2])
    ballast.write(bytes(there.f_bavail * there.f_frsize - 4096))
for n in range(20):
    try:
        store.append([{"stream_id": "s", "type": "T", "occurred_at": "2026-03-03", "data": {"n": n}}])
    except StoreError as error:
        print("full" if "disk is full" in str(error) else error)
        break
"""


def test_a_failure_in_a_folder_called_conflict_is_not_taken_for_a_lost_race(small_disk):
    store = Store.create(small_disk / "concurrent conflict")
    assert finish(start(FULL, store.path, small_disk / "ballast"), timeout=30).strip() == "full"


# Chunks


def test_a_load_of_several_chunks_is_several_commits_and_completes_where_it_was_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(_append, "CHUNK_ROWS", 10)
    monkeypatch.setattr(_intake, "PYTHON_ROWS", 5)
    store = new_store(tmp_path, auto_compact=False)
    events = [event(n % 7, data={"n": n // 2}) for n in range(45)]

    def breaks():
        yield from events[:33]
        raise KeyError("the source broke")

    with pytest.raises(KeyError):
        store.append(breaks())
    assert store.info().events == 30
    assert [file.rows for file in store._log.head().files] == [10, 10, 10]
    done = store.append(iter(events))
    assert (done.appended, done.duplicates, done.first_position, done.last_position) == (15, 30, 31, 45)
    assert store.append(events).appended == 0
    assert sorted(row["data"]["n"] for row in read(store.log)) == [n // 2 for n in range(45)]


def test_a_bad_row_in_a_later_chunk_says_that_the_chunks_before_it_are_appended(tmp_path, monkeypatch):
    monkeypatch.setattr(_append, "CHUNK_ROWS", 5)
    monkeypatch.setattr(_intake, "PYTHON_ROWS", 5)
    store = new_store(tmp_path)
    events = [event(n) for n in range(12)]
    with pytest.raises(errors.InvalidEventError, match="row:13") as caught:
        store.append([*events, {"type": "A"}])
    assert caught.value.__notes__ == ["10 events before it are appended; mend it and run the same call again"]
    assert store.append([*events, event(12)]).appended == 3
    assert store.info().events == 13


@pytest.mark.parametrize("form", ["rows", "arrow", "reader"])
def test_chunks_and_pieces_of_any_size_give_the_same_log(tmp_path, monkeypatch, form):
    table = pa.Table.from_pylist([event(n % 3, data={"n": n // 4}) for n in range(30)])
    forms = {"rows": table.to_pylist, "arrow": lambda: table, "reader": lambda: table.to_reader(max_chunksize=4)}
    logs = []
    for size in (1000, 7):
        monkeypatch.setattr(_append, "CHUNK_ROWS", size)
        monkeypatch.setattr(_intake, "PIECE_ROWS", size)
        monkeypatch.setattr(_intake, "PYTHON_ROWS", size)
        store = new_store(tmp_path)
        assert store.append(forms[form]()).appended == 30
        logs.append([(row["position"], row["event_id"]) for row in read(store.log)])
    assert logs[0] == logs[1]


# Quarantine and tidying


def test_quarantine_is_kept_in_readable_files(tmp_path):
    store = new_store(tmp_path)
    store.append([event(1), {"type": "é\n\u2028x"}], on_invalid="quarantine")
    (file,) = (store.path / "quarantine").iterdir()
    (line,) = file.read_bytes().split(b"\n")[:-1]
    assert json.loads(line)["line"] == 2
    (refused,) = Store.open(store.path).quarantined()
    assert json.loads(refused.raw)["type"] == "é\n\u2028x"


def test_quarantined_rows_alone_commit_nothing(tmp_path):
    store = new_store(tmp_path)
    done = store.append([{"type": "A"}], on_invalid="quarantine")
    assert (done.first_position, done.last_position, done.appended, done.quarantined) == (None, None, 0, 1)
    assert store.info().events == 0


@pytest.mark.parametrize("appends", [70, pytest.param(300, marks=pytest.mark.slow)])
def test_many_small_appends_keep_the_number_of_files_small(tmp_path, appends):
    store = new_store(tmp_path)
    most = 0
    for number in range(appends):
        store.append([event(number)])
        most = max(most, store.info().files)
    assert most < (40 if appends > 100 else 20)
    assert store.info().events == appends
    assert [row["data"]["n"] for row in read(store.log)] == list(range(appends))


# Errors

FACTS = {
    "StoreNotFoundError": [("shop",), ("shop", "there is something else")],
    "StoreExistsError": [("shop", "a store")],
    "StoreFormatError": [("shop", 7, 1)],
    "AppendConflictError": [("orders", "order-1", 1, 2)],
    "DuplicateEventError": [("id", "position 1", "row:2")],
    "InvalidEventError": [("row", 1, "b"), ("row", None, "b", "c")],
    "SourceError": [("a.csv", 1, "b"), ("a.csv", None, "b", "c")],
    "CorruptFileError": [("part.parquet", "is missing")],
    "MissingDependencyError": [("polars", "polars")],
    "OverlapError": [("daily", "weekly", "out.parquet")],
    "CheckError": [("daily", (("row_count > 0", "0"),), "out.parquet.rejected")],
    "ClockError": [("daily", "2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z")],
    "JobTimeoutError": [("daily", 60)],
    "ReducerError": [
        ("document", "notes", "note-1", 7, "e-7", "Edited", "2026-03-03T00:00:00Z", "raised KeyError: 'x'"),
        ("document", "notes", "note-1", 7, "e-7", "Edited", "2026-03-03T00:00:00Z", "returned None", "return it"),
    ],
}


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_survives_pickling_with_its_message(name):
    kind = getattr(errors, name)
    parameters = FACTS.get(name, [("a",), ("a", 1), ("a", 1, "b"), (Path("a"), None, "b", "c")])
    for facts in parameters:
        error = kind(*facts)
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is kind
        assert str(copy) == str(error)
        assert copy.args == error.args
        assert str(facts[0]) in str(error)


def test_every_error_is_of_the_tree_and_is_listed():
    classes = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__}
    assert classes == set(errors.__all__)
    assert all(issubclass(getattr(errors, name), errors.EsAnalyticsError) for name in classes)
