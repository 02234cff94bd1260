import hashlib

import duckdb
import pytest
from outputs import ENGINE, generations, manifest, publish, read, stage_query, target, token

from esanalytics.errors import DestinationError
from esanalytics.jobs import _directories, _exchange
from esanalytics.jobs._destination import destination
from esanalytics.jobs._values import Target

QUERY = "SELECT i AS n, CASE WHEN i % 3 > 0 THEN 'g/' || i % 3 END AS team FROM range({}) t(i)"


def folder_of(tmp_path, format_="parquet", partition_by=("team",)):
    return Target(f"{tmp_path}/out/orders/", format_, partition_by=partition_by)


def filled(tmp_path, where, rows=30, number=1):
    it = token(number)
    return destination(where, ENGINE).publish(
        stage_query(QUERY.format(rows), tmp_path / "stage" / f"{it.run}.parquet"), it
    )


@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_a_column_has_folders_of_its_own(tmp_path, format_):
    published = filled(tmp_path, folder_of(tmp_path, format_))
    assert len(published.files) == 3
    reader = f"read_{format_}('{tmp_path}/out/orders/**/*.{format_}', hive_partitioning=true)"
    found = duckdb.sql(f"SELECT n, team FROM {reader} ORDER BY n").fetchall()
    assert found == [(n, f"g/{n % 3}" if n % 3 else None) for n in range(30)]


def test_the_manifest_lists_every_file_with_its_digest(tmp_path):
    published = filled(tmp_path, folder_of(tmp_path))
    out = tmp_path / "out" / "orders"
    found = manifest(tmp_path)
    assert {str(out / name) for name in found["files"]} == set(published.files)
    for name, said in found["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == said["sha256"]
    assert (found["rows"], found["digest"]) == (30, published.digest)


def test_a_slash_at_the_end_makes_a_folder_of_one_file(tmp_path):
    published = filled(tmp_path, folder_of(tmp_path, partition_by=()))
    assert len(published.files) == 1
    assert len(duckdb.sql(f"FROM read_parquet('{tmp_path}/out/orders/*.parquet')").fetchall()) == 30


def test_files_that_are_gone_are_not_found(tmp_path):
    where = folder_of(tmp_path)
    published = filled(tmp_path, where)
    assert destination(where, ENGINE).find(token(1)) == published
    duckdb.sql("SELECT 1")
    (tmp_path / "out" / "orders" / published.files[0]).unlink()
    assert destination(where, ENGINE).find(token(1)) is None


def test_a_folder_with_files_of_others_is_left_as_it_is(tmp_path):
    mine = tmp_path / "out" / "orders" / "my thesis.docx"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    with pytest.raises(DestinationError, match=r"my thesis\.docx is not of an export; move it away"):
        filled(tmp_path, folder_of(tmp_path))
    assert mine.read_text() == "years of work"


@pytest.mark.parametrize(
    ("names", "said"), [(("nothing",), "no column 'nothing'"), (("n", "team"), "no column would be in its files")]
)
def test_columns_to_make_folders_by_are_checked(tmp_path, names, said):
    with pytest.raises(DestinationError, match=said):
        filled(tmp_path, folder_of(tmp_path, partition_by=names))


def test_where_folders_cannot_swap_names_readers_by_the_manifest_are_always_right(tmp_path, monkeypatch):
    monkeypatch.setattr(_directories, "exchange", lambda *_: False)
    where = target("directory", tmp_path)
    publish(where, 1)
    publish(where, 2)
    assert generations(read("directory", tmp_path)) == {2: 100}
    assert len(list((tmp_path / "out" / "orders").iterdir())) == 2


def test_two_folders_swap_their_names(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not _exchange.exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("folders cannot swap names here")
    assert (tmp_path / "a" / "b").exists()
    with pytest.raises(FileNotFoundError):
        _exchange.exchange(tmp_path / "a", tmp_path / "missing")


def test_elsewhere_nothing_is_swapped(monkeypatch, tmp_path):
    monkeypatch.setattr(_exchange.sys, "platform", "darwin")
    assert not _exchange.exchange(tmp_path, tmp_path)
