import os
import threading
import time

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from outputs import ENGINE, generations, publish, read, stage_query, stage_rows, target, token, window

from esanalytics.errors import DestinationError
from esanalytics.jobs import _delta
from esanalytics.jobs._destination import destination
from esanalytics.jobs._values import Token


def test_each_publishing_is_one_commit(tmp_path):
    where = target("delta", tmp_path)
    for generation in range(3):
        publish(where, generation, day=generation % 2)
    assert DeltaTable(str(tmp_path / "out" / "orders")).version() == 2


def test_runs_at_once_double_nothing(tmp_path):
    where = target("delta", tmp_path)
    failed = []

    def run(generation):
        try:
            publish(where, generation, rows=500)
        except DestinationError as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(generation,)) for generation in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(error.transient for error in failed)
    assert list(generations(read("delta", tmp_path)).values()) == [500]


def test_every_type_of_a_result_can_be_written(tmp_path):
    query = """
    SELECT 1::UBIGINT AS a, {'q': 1} AS b, {'q': 1}::VARIANT AS c, [1] AS d, INTERVAL 1 DAY AS e, '1.50'::DECIMAL(9, 2)
        AS f, TIMESTAMPTZ '2026-03-01 10:00:00Z' AS g, TIME '10:00' AS h, 'x'::BLOB AS i, uuid() AS j, true AS k
    """
    where = target("delta-replace", tmp_path)
    destination(where, ENGINE).publish(stage_query(query, tmp_path / "stage" / "x.parquet"), token(1))
    (row,) = DeltaTable(str(tmp_path / "out" / "orders")).to_pyarrow_dataset().to_table().to_pylist()
    assert (row["b"], row["c"], row["d"], str(row["f"])) == ('{"q":1}', '{"q":1}', "[1]", "1.50")


def test_a_table_of_others_with_the_same_columns_is_taken_over(tmp_path):
    rows = pa.table({"id": ["old"], "generation": [0], "n": [0]})
    write_deltalake(str(tmp_path / "out" / "orders"), rows)
    where = target("delta-replace", tmp_path)
    assert destination(where, ENGINE).find(token(1)) is None
    publish(where, 1)
    assert generations(read("delta", tmp_path)) == {1: 100}


def test_a_table_whose_types_differ_is_left_as_it_is(tmp_path):
    where = target("delta-replace", tmp_path)
    publish(where, 1)
    staged = stage_query("SELECT 1 AS id, 'x' AS generation, 'y' AS n", tmp_path / "stage" / "x.parquet")
    with pytest.raises(DestinationError, match="; "):
        destination(where, ENGINE).publish(staged, token(2))
    assert generations(read("delta", tmp_path)) == {1: 100}


def test_files_that_no_commit_names_are_swept_after_a_day(tmp_path):
    where = target("delta", tmp_path)
    publish(where, 1)
    publish(where, 2)
    out = tmp_path / "out" / "orders"
    before = set(out.rglob("*.parquet"))
    for name in ("dead.parquet", "young.parquet"):
        (out / name).write_bytes(b"PAR1")
    old = time.time() - 2 * _delta._ORPHANED
    for path in (out / "dead.parquet", *before):
        os.utime(path, (old, old))
    destination(where, ENGINE).sweep(lambda _: False)
    assert set(out.rglob("*.parquet")) == before | {out / "young.parquet"}
    assert len(DeltaTable(str(out), version=0).to_pyarrow_dataset().to_table()) == 100


def test_a_conflict_that_lasts_may_be_tried_again(tmp_path, monkeypatch):
    where = target("delta", tmp_path)
    publish(where, 1)
    tries = []

    def conflicts(*_, **__):
        tries.append(1)
        raise _delta.CommitFailedError("Concurrent transaction failed.")

    monkeypatch.setattr(_delta, "write_deltalake", conflicts)
    monkeypatch.setattr(_delta.time, "sleep", lambda _: None)
    with pytest.raises(DestinationError) as caught:
        destination(where, ENGINE).publish(stage_rows(tmp_path / "x.parquet", 2), token(2))
    assert caught.value.transient
    assert len(tries) == _delta._TRIES


def test_windows_of_two_jobs_lie_in_one_table_and_of_another_length_replace_the_old_ones(tmp_path):
    where = target("delta", tmp_path)
    for day in range(2):
        publish(where, day, day=day, rows=10)
    publish(where, 7, day=0, rows=5, job="other")
    it = Token("daily", "", window(0, 2), "long", "print")
    path = tmp_path / "stage" / "long.parquet"
    destination(where, ENGINE).publish(stage_rows(path, 9, 3), it)
    assert generations(read("delta", tmp_path)) == {7: 5, 9: 3}
    publish(where, 8, day=1, rows=4)
    assert generations(read("delta", tmp_path)) == {7: 5, 8: 4}
