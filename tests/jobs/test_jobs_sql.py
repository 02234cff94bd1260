import getpass
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
from contextlib import contextmanager

import pytest
from outputs import ENGINE, FIRST, generations, publish, read, stage_query, stage_rows, target, token

from esanalytics.errors import DestinationError
from esanalytics.jobs import _sql
from esanalytics.jobs._destination import destination
from esanalytics.jobs._values import Target

sa = pytest.importorskip("sqlalchemy")

EVERYTHING = """
SELECT 'k' AS id, 9223372036854775807::BIGINT AS big, 1.5::DOUBLE AS half, 12.50::DECIMAL(9, 2) AS price,
    1234567890123.25::DECIMAL(30, 2) AS exact, true AS yes, DATE '2026-03-01' AS day, 7::UTINYINT AS small,
    TIMESTAMPTZ '2026-03-01 10:00:00.5+02' AS instant, {'q': [1]} AS nested, {'w': 1}::VARIANT AS payload, NULL::BIGINT
    AS nothing, 'é😀' AS odd, 9007::UBIGINT AS huge, INTERVAL 1 DAY AS took
"""
EXACT = EVERYTHING.replace("1234567890123.25", "123456789012345678.25").replace("9007", "18446744073709551615")


def put(where, query, tmp_path, number=1, **options):
    it = token(number, **options)
    return destination(where, ENGINE).publish(stage_query(query, tmp_path / "stage" / f"{it.run}.parquet"), it)


def sqlite(tmp_path):
    return Target(f"sqlite:///{tmp_path}/x.db", "sql", table="t")


def test_sqlite_has_every_value_as_it_was(tmp_path):
    put(sqlite(tmp_path), EVERYTHING, tmp_path)
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.row_factory = sqlite3.Row
    (row,) = connection.execute("SELECT * FROM t").fetchall()
    connection.close()
    assert dict(row) == {
        "id": "k",
        "big": 9223372036854775807,
        "half": 1.5,
        "price": 12.5,
        "exact": 1234567890123.25,
        "yes": 1,
        "day": "2026-03-01",
        "small": 7,
        "instant": "2026-03-01 08:00:00.500000",
        "nested": '{"q":[1]}',
        "payload": '{"w":1}',
        "nothing": None,
        "odd": "é😀",
        "huge": 9007,
        "took": "1 day",
    }


def test_numbers_are_compared_as_numbers_in_sqlite(tmp_path):
    query = "SELECT i::VARCHAR AS id, (i * 10.25)::DECIMAL(18, 2) AS paid, (i * 7)::DECIMAL(38, 0) AS many"
    put(sqlite(tmp_path), f"{query}, sum(i * 1.5) OVER ()::DECIMAL(38, 4) AS total FROM range(1, 21) t(i)", tmp_path)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        asked = "SELECT sum(paid > 100), max(paid), max(many), sum(many > 69), max(total), "
        asked += "min(typeof(paid)), max(typeof(paid)), min(typeof(many)) FROM t"
        assert connection.execute(asked).fetchall() == [(11, 205.0, 140, 11, 315.0, "real", "real", "integer")]
    connection.close()


@pytest.mark.parametrize("number", ["123456789012345678.25::DECIMAL(30, 2)", "18446744073709551615::UBIGINT"])
def test_a_number_that_sqlite_would_change_is_refused(tmp_path, number):
    put(sqlite(tmp_path), "SELECT 1::DECIMAL(30, 2) AS n", tmp_path)
    with pytest.raises(DestinationError, match="it keeps 15 digits; round the numbers, or cast them to text"):
        put(sqlite(tmp_path), f"SELECT {number} AS n", tmp_path)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        assert connection.execute("SELECT n FROM t").fetchall() == [(1.0,)]
    connection.close()


def test_a_locked_database_may_be_tried_again(tmp_path):
    where = target("sqlite", tmp_path)
    publish(where, 1)
    holder = sqlite3.connect(tmp_path / "out" / "shop.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    url = f"{where.url}?timeout=0.1"
    there = destination(Target(url, "sql", "window", "orders"), ENGINE)
    with pytest.raises(DestinationError, match="locked; try again") as caught:
        there.publish(stage_rows(tmp_path / "stage" / "x.parquet", 2), token(2))
    assert caught.value.transient
    holder.close()
    assert generations(read("sqlite", tmp_path)) == {1: 100}
    publish(where, 2)
    assert generations(read("sqlite", tmp_path)) == {2: 100}


def test_a_failure_leaves_no_table_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(_sql.SqlTable, "_mark", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        put(sqlite(tmp_path), EVERYTHING, tmp_path)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()


def test_where_only_the_answer_to_the_commit_is_lost_all_is_well(tmp_path, monkeypatch):
    where = target("sqlite", tmp_path)
    publish(where, 1)
    staged, begin = stage_rows(tmp_path / "stage" / "x.parquet", 2), sa.Engine.begin

    @contextmanager
    def loses(self):
        with begin(self) as connection:
            yield connection
        raise sa.exc.OperationalError("COMMIT", {}, Exception("server closed the connection"))

    monkeypatch.setattr(sa.Engine, "begin", loses)
    assert destination(where, ENGINE).publish(staged, token(2)).rows == 100
    assert generations(read("sqlite", tmp_path)) == {2: 100}


def test_a_table_of_the_users_without_an_index_is_named(tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE t (id TEXT, n BIGINT)")
        connection.execute("INSERT INTO t VALUES ('mine', 1)")
    connection.close()
    where = Target(f"sqlite:///{tmp_path}/x.db", "sql", "upsert", "t", ("id",))
    with pytest.raises(DestinationError, match="a unique index over id"):
        put(where, "SELECT 'k' AS id, 1::BIGINT AS n", tmp_path)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == [("mine", 1)]
    connection.close()


@pytest.mark.parametrize("key", ["'same'", "NULL::VARCHAR"])
def test_keys_that_do_not_tell_rows_apart_leave_the_old_rows(tmp_path, key):
    where = target("sqlite-upsert", tmp_path)
    publish(where, 1)
    query = f"SELECT {key} AS id, 2::BIGINT AS generation, i::BIGINT AS n FROM range(3) t(i)"
    with pytest.raises(DestinationError, match="and rows that fit it"):
        put(where, query, tmp_path, 2)
    assert generations(read("sqlite", tmp_path)) == {1: 100}


def test_rows_that_stay_are_not_taken_away_and_put_back(tmp_path):
    where = target("sqlite-upsert", tmp_path)
    publish(where, 1, rows=10)
    with sqlite3.connect(tmp_path / "out" / "shop.db") as connection:
        connection.executescript(
            "CREATE TABLE gone (id TEXT);"
            "CREATE TRIGGER t AFTER DELETE ON orders BEGIN INSERT INTO gone VALUES (old.id); END"
        )
    connection.close()
    publish(where, 2, rows=8)
    with sqlite3.connect(tmp_path / "out" / "shop.db") as connection:
        assert sorted(connection.execute("SELECT id FROM gone").fetchall()) == [("k8",), ("k9",)]
    connection.close()


def test_a_table_of_keys_alone_is_kept_up_to_date(tmp_path):
    where = Target(f"sqlite:///{tmp_path}/x.db", "sql", "upsert", "t", ("id",))
    for number, rows in enumerate((5, 3)):
        put(where, f"SELECT i AS id FROM range({rows}) t(i)", tmp_path, number)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        assert sorted(connection.execute("SELECT * FROM t").fetchall()) == [(0,), (1,), (2,)]
    connection.close()


def test_looking_makes_no_file(tmp_path):
    there = destination(sqlite(tmp_path), ENGINE)
    assert there.find(token(1)) is None
    there.check({"id": "BIGINT"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgres-of-old://host/db", "as SQLAlchemy does"),
        ("mysql+nothing://me:secret@host/db", "as SQLAlchemy does"),
        ("oracle+oracledb://me:secret@host/db", "pip install oracledb"),
        ("no url at all", "as SQLAlchemy does"),
    ],
)
def test_a_url_that_leads_nowhere_is_named_without_its_password(url, said):
    with pytest.raises(DestinationError, match=said) as caught:
        destination(Target(url, "sql", table="t"), ENGINE).check({"id": "BIGINT"})
    assert "secret" not in str(caught.value)


def test_what_is_no_database_is_left_as_it_is(tmp_path):
    (tmp_path / "x.db").write_text("a letter to grandmother" * 1000)
    with pytest.raises(DestinationError, match="move that file away"):
        put(sqlite(tmp_path), EVERYTHING, tmp_path)
    assert (tmp_path / "x.db").read_text().startswith("a letter")


@pytest.fixture(scope="module")
def postgres():
    pytest.importorskip("psycopg", reason="PostgreSQL's driver, psycopg, is not installed")
    if not all(shutil.which(command) for command in ("initdb", "pg_ctl")):
        pytest.skip("PostgreSQL is not installed here")
    as_nobody, user = [], getpass.getuser()
    folder = tempfile.mkdtemp(prefix="pg", dir="/tmp")  # a socket's path is short, and others may enter
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("PostgreSQL does not run as root")
        as_nobody, user = ["setpriv", "--reuid=nobody", "--clear-groups"], "nobody"
        shutil.chown(folder, "nobody")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, options = f"{folder}/d", f"-k {folder} -h 127.0.0.1 -p {port} -c fsync=off"

    def run(*command):
        command = [*as_nobody, *command, "-D", data]
        subprocess.run(command, check=True, cwd=folder, timeout=120, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "-U", "t", "-A", "trust")
        run("pg_ctl", "-o", options, "-l", f"{folder}/log", "-w", "start")
    except (subprocess.SubprocessError, OSError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL cannot be started here as {user}: {error}")
    yield f"postgresql+psycopg://t@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


def rows_of(url, query):
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_postgresql_has_every_value_as_it_was(postgres, tmp_path):
    where = Target(postgres, "sql", "upsert", "everything", ("id",))
    for number in range(2):
        put(where, EXACT, tmp_path, number)
    (row,) = rows_of(postgres, "SELECT * FROM everything")
    assert [str(value) for value in row[:5]] == ["k", "9223372036854775807", "1.5", "12.50", "123456789012345678.25"]
    assert row[8] == FIRST.replace(hour=8, microsecond=500_000)
    assert row[9:] == ('{"q":[1]}', '{"w":1}', None, "é😀", 18446744073709551615, "1 day")


def test_postgresql_keeps_windows_apart_and_refuses_other_columns(postgres, tmp_path):
    where = Target(postgres, "sql", "window", "windows")
    query = "SELECT i AS id, {} AS generation FROM range({}) t(i)"
    for number, (day, rows) in enumerate([(0, 5), (1, 6), (0, 3)]):
        put(where, query.format(number, rows), tmp_path, number, day=day)
    counted = "SELECT generation, count(*) FROM windows GROUP BY 1 ORDER BY 1"
    assert rows_of(postgres, counted) == [(1, 6), (2, 3)]
    there = destination(where, ENGINE)
    assert there.find(token(2)).rows == 3
    assert there.find(token(0)) is None
    with pytest.raises(DestinationError, match="missing amount; not known generation"):
        put(where, "SELECT 1 AS id, 2 AS amount", tmp_path)
    assert rows_of(postgres, counted) == [(1, 6), (2, 3)]


def test_runs_at_once_on_postgresql_double_nothing(postgres, tmp_path):
    where = Target(postgres, "sql", "upsert", "racing", ("id",))
    failed = []

    def run(number):
        try:
            put(where, f"SELECT i AS id, {number} AS generation FROM range(500) t(i)", tmp_path, number)
        except DestinationError as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows_of(postgres, "SELECT count(*), count(DISTINCT generation) FROM racing") == [(500, 1)]


def test_a_server_that_is_down_may_be_tried_again(postgres, tmp_path):
    url = postgres.replace("postgresql+psycopg://t@", "postgresql+psycopg://t:secret@").rpartition(":")[0] + ":1/x"
    with pytest.raises(DestinationError) as caught:
        put(Target(url, "sql", table="t"), EVERYTHING, tmp_path)
    assert caught.value.transient
    assert "secret" not in str(caught.value)
