import signal
import statistics
import time

import duckdb
import pytest
from outputs import ENGINE, start

import esanalytics as ea
from esanalytics.engines import Plan, Result
from esanalytics.errors import CheckError, DestinationError, EngineError, JobError


def result(query="SELECT 'k' || i AS id, i AS n FROM range(10) t(i)"):
    return Result(ENGINE, lambda: Plan(query))


@pytest.fixture
def store(tmp_path):
    made = ea.Store.create(tmp_path / "shop")
    made.append(
        [
            {"stream_id": f"o{n % 3}", "type": "Placed", "occurred_at": f"2026-03-0{n + 1}", "data": {"n": n}}
            for n in range(5)
        ]
    )
    return made


@pytest.mark.parametrize(
    "name",
    [
        "x.parquet",
        "x.csv",
        "x.jsonl",
        "x.xlsx",
        "folder/x.parquet",
        "folder/",
        "x.csv.gz",
        "x.pq",
        "delta:table",
        "x.delta",
    ],
)
def test_an_answer_goes_where_the_destination_says(tmp_path, name):
    where = f"delta:{tmp_path}/table" if name.startswith("delta:") else f"{tmp_path}/{name}"
    published = ea.export(result(), where, checks=["row_count = 10"])
    assert published.rows == 10
    assert all(path.startswith(("/", "file://")) for path in published.files)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("url", ["{}/x.duckdb", "sqlite:///{}/x.db"])
def test_a_table_is_kept_up_to_date_by_key(tmp_path, url):
    where = url.format(tmp_path)
    for _ in range(2):
        assert ea.export(result(), where, table="t", mode="upsert", key="id").rows == 10


def test_a_parquet_file_is_the_result(tmp_path):
    ea.export(result(), tmp_path / "x.parquet")
    assert duckdb.sql(f"FROM read_parquet('{tmp_path}/x.parquet')").df().equals(result().df())


@pytest.mark.parametrize("what", ["store", "log"])
def test_of_a_store_all_events_are_written_by_position(tmp_path, store, what):
    published = ea.export(store if what == "store" else store.log, tmp_path / "x.parquet")
    found = duckdb.sql(f"SELECT position FROM read_parquet('{tmp_path}/x.parquet')").fetchall()
    assert found == [(n,) for n in range(1, 6)]
    assert published.rows == 5


def test_a_check_that_fails_leaves_the_old_output(tmp_path):
    ea.export(result(), tmp_path / "x.csv")
    before = (tmp_path / "x.csv").read_bytes()
    with pytest.raises(CheckError, match="row_count > 10"):
        ea.export(result("SELECT 1 AS id"), tmp_path / "x.csv", checks=["row_count > 10"])
    assert (tmp_path / "x.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_a_query_that_fails_leaves_the_old_output(tmp_path):
    ea.export(result(), tmp_path / "x.parquet")
    before = (tmp_path / "x.parquet").read_bytes()
    with pytest.raises(EngineError):
        ea.export(result("SELECT error('no') AS id"), tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("x.txt", {}, "end it in .parquet"),
        ("x.html", {}, "an answer is no page"),
        ("x.parquet", {"mode": "window"}, "no window"),
        ("x.duckdb", {}, "give table a name"),
        ("sqlite:///x.db", {}, "give table a name"),
        ("x.duckdb", {"table": "t", "mode": "upsert"}, "name its columns"),
        ("x.duckdb", {"table": "t", "mode": "upsert", "key": "nothing"}, "choose some of id, n"),
        ("x/", {"partition_by": "nothing"}, "choose some of id, n"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(tmp_path, name, options, said):
    with pytest.raises(DestinationError, match=said):
        ea.export(result(), name if "://" in name else f"{tmp_path}/{name}", **options)
    assert list(tmp_path.iterdir()) == []


FULL = """
import resource, signal, sys
import esanalytics as ea
from esanalytics.engines import Plan, Result
from outputs import ENGINE, start

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    ea.export(Result(ENGINE, lambda: Plan("SELECT hash(i) AS n FROM range(200_000) t(i)")), sys.argv[1])
except Exception as error:
    print(type(error).__name__, "|", error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on the size of files here")
def test_a_disk_that_takes_no_more_leaves_the_old_output(tmp_path):
    ea.export(result(), tmp_path / "x.parquet")
    before = (tmp_path / "x.parquet").read_bytes()
    said, error = start(FULL, tmp_path / "x.parquet").communicate(timeout=60)
    assert said.startswith("DestinationError |"), said + error
    assert "make room there" in said
    assert (tmp_path / "x.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


def test_a_check_that_fails_speaks_of_no_job(tmp_path):
    with pytest.raises(CheckError) as failed:
        ea.export(result(), tmp_path / "x.csv", checks=["n > 0"])
    assert str(failed.value).startswith("failed n > 0 (rows that fail (n > 0) = 1); the old output stays")
    with pytest.raises(JobError, match=r"^'totl > 0' is no check"):
        ea.export(result(), tmp_path / "x.csv", checks=["totl > 0"])


@pytest.mark.parametrize("convert", [Result.df, Result.arrow, Result.pl, list])
def test_a_frame_is_no_answer(tmp_path, convert):
    with pytest.raises(TypeError, match="is no answer of a store; give a Result"):
        ea.export(convert(result()), tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_export_takes_no_longer_than_a_copy_of_the_same_query(tmp_path):
    query = """
    SELECT 'order-' || (i % 500000) AS id, arg_max(i, i) AS last, sum(i)::BIGINT AS total, count(*) AS many,
        max(TIMESTAMPTZ '2026-01-01' + INTERVAL (i) SECOND) AS at
    FROM range(5000000) t(i) GROUP BY 1 ORDER BY 1
    """
    asked = result(query)

    def took(work):
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    def copy():
        with ENGINE.cursor() as cursor:
            cursor.execute(f"COPY ({query}) TO '{tmp_path}/copy.parquet' (FORMAT parquet)")

    ratios = []
    for _ in range(5):
        base = took(copy)
        ratios.append(took(lambda: ea.export(asked, tmp_path / "x.parquet")) / base)
    assert statistics.median(ratios) <= 1.2
