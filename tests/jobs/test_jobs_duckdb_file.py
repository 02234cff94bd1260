import duckdb
import pytest
from outputs import ENGINE, generations, publish, read, stage_query, stage_rows, start, target, token

from esanalytics.engines import DuckDB
from esanalytics.errors import DestinationError
from esanalytics.jobs._destination import destination
from esanalytics.jobs._values import Target

HOLDER = """
import duckdb, sys
held = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read() if False else __import__("time").sleep(60)
"""


def test_payloads_keep_their_type(tmp_path):
    where = Target(f"{tmp_path}/x.duckdb", "duckdb", table='a "table"')
    staged = stage_query("SELECT {'q': 1}::VARIANT AS v, 1.5::DECIMAL(9, 2) AS d", tmp_path / "s" / "x.parquet")
    destination(where, ENGINE).publish(staged, token(1))
    with duckdb.connect(f"{tmp_path}/x.duckdb") as connection:
        described = connection.execute('DESCRIBE "a ""table"""').fetchall()
    assert [row[1] for row in described] == ["VARIANT", "DECIMAL(9,2)"]


def test_a_file_that_somebody_has_open_may_be_tried_again(tmp_path):
    where = target("duckdb", tmp_path)
    publish(where, 1)
    holder = start(HOLDER, tmp_path / "out" / "shop.duckdb")
    try:
        assert holder.stdout.readline() == "held\n", holder.stderr.read()
        there = destination(where, ENGINE)
        with pytest.raises(DestinationError, match="wait for who has it open") as caught:
            there.publish(stage_rows(tmp_path / "stage" / "x.parquet", 2), token(2))
        assert caught.value.transient
    finally:
        holder.kill()
        holder.communicate()
    assert generations(read("duckdb", tmp_path)) == {1: 100}
    publish(where, 2)
    assert generations(read("duckdb", tmp_path)) == {2: 100}


def test_a_file_that_this_process_has_open_may_be_tried_again(tmp_path):
    where = target("duckdb", tmp_path)
    publish(where, 1)
    with duckdb.connect(f"{tmp_path}/out/shop.duckdb"), pytest.raises(DestinationError) as caught:
        publish(where, 2, engine=DuckDB())
    assert caught.value.transient
    publish(where, 3)
    assert generations(read("duckdb", tmp_path)) == {3: 100}


def test_columns_of_other_types_are_refused(tmp_path):
    where = target("duckdb-upsert", tmp_path)
    publish(where, 1)
    query = "SELECT 'k' AS id, 1.5::DOUBLE AS generation, 1::BIGINT AS n"
    with pytest.raises(DestinationError, match="generation DOUBLE"):
        destination(where, ENGINE).publish(stage_query(query, tmp_path / "stage" / "x.parquet"), token(2))
    assert generations(read("duckdb", tmp_path)) == {1: 100}


@pytest.mark.parametrize("key", ["'same'", "NULL::VARCHAR"])
def test_keys_that_do_not_tell_rows_apart_leave_the_old_rows(tmp_path, key):
    where = target("duckdb-upsert", tmp_path)
    publish(where, 1)
    staged = stage_query(
        f"SELECT {key} AS id, 2::BIGINT AS generation, i::BIGINT AS n FROM range(3) t(i)", tmp_path / "s" / "x.parquet"
    )
    with pytest.raises(DestinationError, match="does not tell all rows apart"):
        destination(where, ENGINE).publish(staged, token(2))
    assert generations(read("duckdb", tmp_path)) == {1: 100}


def test_a_key_that_is_no_column_is_refused_before_anything_is_computed(tmp_path):
    where = Target(f"{tmp_path}/x.duckdb", "duckdb", "upsert", "t", ("nothing",))
    with pytest.raises(DestinationError, match="no column 'nothing'"):
        destination(where, ENGINE).check({"id": "BIGINT"})


def test_what_is_no_database_is_left_as_it_is(tmp_path):
    (tmp_path / "x.duckdb").write_text("a letter to grandmother, which is long enough to be read as a header" * 100)
    where = Target(f"{tmp_path}/x.duckdb", "duckdb", table="t")
    with pytest.raises(DestinationError, match="; "):
        destination(where, ENGINE).check({"id": "BIGINT"})
    assert (tmp_path / "x.duckdb").read_text().startswith("a letter")


def test_tables_of_others_in_the_file_stay(tmp_path):
    (tmp_path / "out").mkdir()
    with duckdb.connect(f"{tmp_path}/out/shop.duckdb") as connection:
        connection.execute("CREATE TABLE mine AS SELECT 42 AS n")
    publish(target("duckdb", tmp_path), 1)
    with duckdb.connect(f"{tmp_path}/out/shop.duckdb") as connection:
        assert connection.execute("FROM mine").fetchall() == [(42,)]
