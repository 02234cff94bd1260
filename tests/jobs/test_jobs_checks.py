"""Checks say what is wrong with a result before anybody reads it."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esanalytics.engines import DuckDB, Plan, Result
from esanalytics.errors import JobError
from esanalytics.jobs._checks import examine, refused_check
from esanalytics.jobs._stage import stage, staged

ENGINE = DuckDB(threads=1)


@pytest.fixture
def made(tmp_path):
    def make(query, name="rows.parquet"):
        return stage(Result(ENGINE, lambda: Plan(query)), tmp_path / name, ENGINE)

    return make


ORDERS = "SELECT * FROM (VALUES ('a', 1, NULL), ('b', 2, 'x'), ('b', 3, 'x')) t(id, n, note)"


@pytest.mark.parametrize(
    "check",
    [
        "row_count = 3",
        "ROW_COUNT > 0",
        "row_count between 1 and 5 and not_null(id)",
        "not_null(id, n)",
        "unique(n)",
        "unique(id, n)",
        "sum(n) = 6",
        "count(*) FILTER (note IS NULL) = 1",
        "min(n) > 0 OR false",
        "abs(change(row_count)) < 0.5",
        "change(sum(n)) > -1",
        "list_contains(list(id), 'a')",
        "n >= 1",
        "N > 0 and row_count = 3 and (id <> 'c' or n = 2)",
        "true",
        "(select count(*) from result where n < 0) = 0",
        "n <= (select max(n) from result)",
        "result.n > 0",
    ],
)
def test_a_check_that_holds_passes(made, check):
    found = examine(ENGINE, made(ORDERS), [check])
    assert found.passed == (check,)
    assert not found.failed


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ("row_count > 3", "row_count = 3"),
        ("not_null(note)", "= 1"),
        ("unique(id)", "= 2"),
        ("sum(n) > 10 and row_count > 0", 'SUM("n") = 6|SUM(n) = 6'),
        ("max(note) = NULL", "MAX(note) = x"),
        ("false", "False"),
        ("n >= 2", "rows that fail (n >= 2) = 1"),
        ("id = 'a'", "= 2"),
        ("note = 'x'", "= 1"),
        ("n > 0 and note = 'x'", "rows that fail (note = 'x') = 1"),
    ],
)
def test_a_check_that_fails_says_what_was_found(made, check, why):
    found = examine(ENGINE, made(ORDERS), ["row_count > 0", check])
    ((text, told),) = found.failed
    assert text == check
    assert any(part in told for part in why.split("|")), told
    assert found.passed == ("row_count > 0",)


def test_a_change_is_against_what_was_measured_the_last_time(made):
    check = "abs(change(row_count)) < 0.5"
    first = examine(ENGINE, made(ORDERS), [check])
    assert list(first.measures.values()) == [3.0]
    assert not examine(ENGINE, made(ORDERS + " WHERE n < 3"), [check], first.measures).failed
    assert examine(ENGINE, made(ORDERS + " WHERE n < 2"), [check], first.measures).failed
    assert not examine(ENGINE, made(ORDERS), [check], {}).failed
    assert not examine(ENGINE, made(ORDERS), [check], dict.fromkeys(first.measures, 0.0)).failed


def test_a_change_that_compares_nothing_does_not_excuse_the_rest(made):
    assert not examine(ENGINE, made(ORDERS), ["change(row_count) < 0.5"]).failed
    assert examine(ENGINE, made(ORDERS), ["change(row_count) < 0.5 and row_count > 5"]).failed


@pytest.mark.parametrize(
    "text",
    [
        "row_count >",
        "",
        "row_count > 0; DROP TABLE x",
        "(select count(*) from read_parquet('/etc/passwd')) > 0",
        "(select count(*) from other) > 0",
        "change() > 1",
        "not_null()",
        "getenv('HOME') = 'x'",
        "1",
        "'yes'",
        "row_count",
        "n >= row_count",
        "n > 0 or sum(n) > 3",
        "sum(n) over () > 0",
        "change(n) > 0",
    ],
)
def test_what_is_no_check_is_refused_with_its_text(text):
    assert refused_check(ENGINE, text) is not None


def test_a_check_of_a_column_that_is_not_there_is_an_error_that_names_the_columns(made):
    with pytest.raises(JobError, match="note"):
        examine(ENGINE, made(ORDERS), ["not_null(order_id)"])


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("sum(totl) > 0", "did you mean 'total'?"),
        ("change(sum(totl)) > 0", "did you mean 'total'?"),
        ("list_bool_and(list_transform(list(total), lambda x: x > 0))", None),
        ("id.nothing = 1", "nothing"),
        ("not_null(id, missing)", "known are id, total, payload"),
        ("sum(total)", "neither true nor false"),
        ("total", "neither true nor false"),
        ("total >= min(total)", "take an aggregate of"),
        ("sum(total) > 0 and TOTAL >= 0 and payload is not null", None),
        ("unique(id) and abs(change(sum(total))) < 0.5", None),
    ],
)
def test_a_check_is_compared_with_the_columns_before_there_are_rows(check, said):
    columns = {"id": "VARCHAR", "total": "DECIMAL(18,2)", "payload": "VARIANT"}
    refused = refused_check(ENGINE, check, columns)
    assert (said is None) == (refused is None), refused
    assert said is None or said in refused


def test_what_is_neither_true_nor_false_is_an_error_and_no_pass(made):
    with pytest.raises(JobError, match="INTEGER, and neither true nor false"):
        examine(ENGINE, made(ORDERS), ["max(n)"])


def test_of_no_rows_all_conditions_on_single_rows_hold(made):
    found = examine(ENGINE, made(ORDERS + " WHERE false"), ["n > 5", "true", "row_count = 1"])
    assert [text for text, _ in found.failed] == ["row_count = 1"]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.text(max_size=3))), max_size=6), st.randoms())
def test_the_digest_is_of_the_rows_in_whatever_order(tmp_path_factory, rows, random):
    folder = tmp_path_factory.mktemp("digest")
    shuffled = list(rows)
    random.shuffle(shuffled)
    digests = []
    for name, some in (("a", rows), ("b", shuffled), ("c", [*rows, (9, "more")])):
        with duckdb.connect() as connection:
            connection.execute("CREATE TABLE t (a INTEGER, b VARCHAR)")
            for row in some:
                connection.execute("INSERT INTO t VALUES (?, ?)", list(row))
            connection.execute(f"COPY t TO '{folder / name}' (FORMAT parquet)")
        digests.append(staged(folder / name, ENGINE).digest)
    assert digests[0] == digests[1] != digests[2]


def test_the_digest_knows_the_names_of_columns_and_what_is_in_payloads(made):
    one = made("SELECT 1 AS a, {'x': 1}::VARIANT AS v", "1")
    assert one.columns == {"a": "INTEGER", "v": "VARIANT"}
    assert one.rows == 1
    assert made("SELECT 1 AS a, {'x': 1}::VARIANT AS v", "2").digest == one.digest
    assert made("SELECT 1 AS a, {'x': 2}::VARIANT AS v", "3").digest != one.digest
    assert made("SELECT 1 AS b, {'x': 1}::VARIANT AS v", "4").digest != one.digest
    assert made("SELECT 1 AS a, {'x': 1}::VARIANT AS v WHERE false", "5").rows == 0
