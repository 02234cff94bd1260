import dataclasses
import shutil

import pytest
from outputs import (
    ENGINE,
    KINDS,
    generations,
    left_over,
    publish,
    read,
    stage_query,
    stage_rows,
    target,
    token,
    window,
)

from esanalytics.errors import DestinationError
from esanalytics.jobs._destination import destination, format_of, shown
from esanalytics.jobs._values import Target


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_is_replaced_whole(tmp_path, kind):
    where = target(kind, tmp_path)
    first = publish(where, 1, rows=50)
    assert first.rows == 50
    assert generations(read(kind, tmp_path)) == {1: 50}
    publish(where, 2, rows=30)
    assert generations(read(kind, tmp_path)) == {2: 30}
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_result_empties_the_output(tmp_path, kind):
    where = target(kind, tmp_path)
    publish(where, 1)
    assert publish(where, 2, rows=0).rows == 0
    if kind != "jsonl":
        assert generations(read(kind, tmp_path)) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_is_found_by_its_fingerprint(tmp_path, kind):
    where = target(kind, tmp_path)
    there = destination(where, ENGINE)
    assert there.find(token(1)) is None
    published = publish(where, 1)
    found = there.find(token(1))
    assert (found.rows, found.digest) == (published.rows, published.digest)
    assert there.find(token(2)) is None
    assert there.find(token(1, job="other")) is None
    assert there.find(token(1, day=1)) is None


@pytest.mark.parametrize("kind", ["delta", "duckdb", "sqlite"])
def test_each_window_job_and_service_has_rows_of_its_own(tmp_path, kind):
    where = target(kind, tmp_path)
    publish(where, 1, rows=5, day=0)
    publish(where, 2, rows=6, day=1)
    publish(where, 3, rows=7, day=0, job="other")
    publish(where, 4, rows=8, day=0, service="it's")
    assert generations(read(kind, tmp_path)) == {1: 5, 2: 6, 3: 7, 4: 8}
    publish(where, 5, rows=2, day=0)
    assert generations(read(kind, tmp_path)) == {2: 6, 3: 7, 4: 8, 5: 2}
    publish(where, 6, rows=0, day=0, service="it's")
    assert generations(read(kind, tmp_path)) == {2: 6, 3: 7, 5: 2}
    assert destination(where, ENGINE).find(token(2, day=1)).rows == 6


@pytest.mark.parametrize("kind", ["delta", "duckdb", "sqlite"])
def test_a_window_takes_the_place_of_shorter_ones_within_it(tmp_path, kind):
    where = target(kind, tmp_path)
    publish(where, 1, day=0)
    publish(where, 2, day=1)
    publish(where, 3, day=2)
    two_days = dataclasses.replace(token(4), window=window(0, days=2))
    destination(where, ENGINE).publish(stage_rows(tmp_path / "stage" / "two.parquet", 4, 9), two_days)
    assert generations(read(kind, tmp_path)) == {3: 100, 4: 9}
    assert destination(where, ENGINE).find(token(2, day=1)) is None


@pytest.mark.parametrize("kind", ["delta-replace", "duckdb-upsert", "sqlite-upsert"])
def test_an_older_window_does_not_take_the_place_of_a_newer_one(tmp_path, kind):
    where = target(kind, tmp_path)
    publish(where, 1, day=3)
    with pytest.raises(DestinationError, match="newer window"):
        publish(where, 2, day=2)
    assert generations(read(kind, tmp_path)) == {1: 100}


@pytest.mark.parametrize("kind", ["duckdb-upsert", "sqlite-upsert"])
def test_rows_are_kept_up_to_date_by_key(tmp_path, kind):
    where = target(kind, tmp_path)
    publish(where, 1, rows=10)
    publish(where, 2, rows=20)
    publish(where, 3, rows=5)
    assert sorted(read(kind, tmp_path)) == [(f"k{n}", 3, n) for n in range(5)]


@pytest.mark.parametrize("kind", KINDS)
def test_publishing_a_run_twice_is_publishing_it_once(tmp_path, kind):
    where, it = target(kind, tmp_path), token(1)
    for number in range(2):
        staged = stage_rows(tmp_path / "stage" / f"{number}.parquet", 1)
        destination(where, ENGINE).publish(staged, it)
    assert generations(read(kind, tmp_path)) == {1: 100}
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("kind", ["delta", "duckdb", "duckdb-upsert", "sqlite", "sqlite-upsert"])
def test_a_table_with_other_columns_is_left_as_it_is(tmp_path, kind):
    where = target(kind, tmp_path)
    publish(where, 1)
    staged = stage_query("SELECT 'k' AS id, 1::BIGINT AS amount", tmp_path / "stage" / "x.parquet")
    there = destination(where, ENGINE)
    for act in (lambda: there.check(staged.columns), lambda: there.publish(staged, token(2))):
        with pytest.raises(DestinationError, match=r"missing amount; not known generation, n"):
            act()
    assert generations(read(kind, tmp_path)) == {1: 100}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_where_a_folder_should_be_is_named(tmp_path, kind):
    where = target(kind, tmp_path)
    staged = stage_rows(tmp_path / "stage" / "x.parquet", 1)
    (tmp_path / "out").write_text("in the way")
    there = destination(where, ENGINE)
    with pytest.raises(DestinationError, match="; "):
        there.check(staged.columns)
    with pytest.raises(DestinationError, match="; "):
        there.publish(staged, token(1))
    assert (tmp_path / "out").read_text() == "in the way"


@pytest.mark.parametrize("kind", KINDS)
def test_a_vanished_folder_is_made_again(tmp_path, kind):
    where = target(kind, tmp_path)
    publish(where, 1)
    shutil.rmtree(tmp_path / "out")
    publish(where, 2)
    assert generations(read(kind, tmp_path)) == {2: 100}


@pytest.mark.parametrize(
    ("url", "format_"),
    [
        ("a/b.parquet", "parquet"),
        ("a/b.csv.gz", "csv"),
        ("a/b.NDJSON", "jsonl"),
        ("delta:a/b", "delta"),
        ("postgresql+psycopg://me:secret@host/db", "sql"),
        ("s3://bucket/a.csv?region=x", "csv"),
        ("file:///a/b.xlsx", "xlsx"),
        ("a/b.duckdb", "duckdb"),
        ("a/b", None),
    ],
)
def test_the_format_is_what_the_url_says(url, format_):
    assert format_of(url) == format_


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:secret@host/db",
        "postgresql://me:sec@ret@host/db",
        "s3://key:secret@bucket/x.parquet",
        "mysql://host/db?user=me&password=secret",
        "s3://bucket/x.csv?secret_key=secret&region=x",
    ],
)
def test_passwords_are_not_shown(url):
    assert "secret" not in shown(url).replace("secret_key", "")
    assert "***" in shown(url)


@pytest.mark.parametrize(
    "asked",
    [
        Target("x.duckdb", "duckdb", "upsert", "t"),
        Target("x.parquet", "parquet", "window"),
        Target("x.parquet", "parquet", "upsert", keys=("id",)),
        Target("x", "delta", "upsert", keys=("id",)),
        Target("x.xlsx", "xlsx", partition_by=("id",)),
        Target("x.duckdb", "duckdb"),
        Target("x/", "xlsx"),
        Target("s3://bucket/folder/", "parquet"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(asked):
    with pytest.raises(DestinationError, match="; "):
        destination(asked, ENGINE)
