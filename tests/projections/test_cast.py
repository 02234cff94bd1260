"""Casts in the Python fold are DuckDB's."""

import datetime as dt
from decimal import Decimal

import engine
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from esanalytics.events import by_time
from esanalytics.projections import Projection, field
from esanalytics.projections._cast import cast

TYPES = [
    "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "DOUBLE", "DECIMAL(18,2)", "DECIMAL(4,1)", "DECIMAL(38,10)", "VARCHAR",
    "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMPTZ",
]  # fmt: skip
NUMERIC_TEXT = st.from_regex(r"\A[ \t]?[+-]?0{0,2}(0|[1-9][0-9]{0,5})?(\.[0-9]{0,4})?(e[+-]?[0-9])?[ \n]?\Z")
INSTANT_TEXT = st.from_regex(
    r"\A[12][0-9]{3}-[01]?[0-9]-[0-3]?[0-9]"
    r"([ T][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-]0[0-9](:?30)?)?)?\Z"
)
VALUES = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-300, 300)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e17, max_value=1e17).filter(
        lambda x: x == 0 or abs(x) > 1e-6
    )
    | st.integers(-4000, 4000).map(lambda n: n / 8)
    | st.decimals(-99999, 99999, places=3)
    | st.decimals(-9, 9, places=1)
    | NUMERIC_TEXT
    | INSTANT_TEXT
    | st.sampled_from(["", "true", "T", "Yes", "no", "1", "y", "é", " true"])
    | st.dates(dt.date(1000, 1, 1), dt.date(9998, 1, 1))
    | st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9998, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001
)


@pytest.fixture(scope="module")
def con():
    return engine.connect()


def by_duckdb(con, value, type_):
    query = f"SELECT try_cast({engine.variant(value)} AS {type_}) AS x"
    return con.cursor().sql(query).to_arrow_table().to_pylist()[0]["x"]


@settings(deadline=None, max_examples=300)
@given(value=VALUES, type_=st.sampled_from(TYPES))
def test_a_cast_in_python_is_the_cast_in_the_query(con, value, type_):
    assume(not (isinstance(value, str) and "e" in value and type_ == "DECIMAL(4,1)"))
    found, wanted = cast(value, type_), by_duckdb(con, value, type_)
    assert (type(found), found) == (type(wanted), wanted)


@pytest.mark.parametrize(
    ("value", "type_", "wanted"),
    [
        ("12 ", "BIGINT", 12),
        ("1.5", "BIGINT", None),
        ("000012", "BIGINT", None),
        ("000012", "DOUBLE", None),
        ("-0012", "BIGINT", -12),
        ("000012", "DECIMAL(18,2)", Decimal(12)),
        (2.5, "BIGINT", 2),
        (Decimal("2.5"), "BIGINT", 3),
        (Decimal("-2.5"), "BIGINT", -3),
        (True, "BIGINT", 1),
        (2**40, "INTEGER", None),
        (1.005, "DECIMAL(18,2)", Decimal("1.00")),
        ("1.005", "DECIMAL(18,2)", Decimal("1.01")),
        (99999.99, "DECIMAL(4,1)", None),
        ("12 ", "DOUBLE", None),
        (1e20, "VARCHAR", "1e+20"),
        (1.0, "VARCHAR", "1.0"),
        (False, "VARCHAR", "false"),
        (2, "BOOLEAN", True),
        ("2026-01-01T10:00:00+02:00", "TIMESTAMPTZ", dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC)),
        ("2026-02-30", "DATE", None),
        (["1", None], "BIGINT[]", [1, None]),
        (["1", "x"], "BIGINT[]", None),
        ("x", "VARCHAR[]", None),
    ],
)
def test_known_casts(con, value, type_, wanted):
    assert cast(value, type_) == wanted
    assert by_duckdb(con, value, type_) == wanted


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("text", ["+5", "1.5", "000012", "12 ", "y", "1", "2026-01-02T10:00:00Z", "0.25", "-3", "no"])
def test_a_field_reads_the_same_whether_the_log_holds_other_types_or_not(con, text, type_):
    projection = Projection("p", "stream_id", {"A": {"x": field("n", type_)}})
    engine.load(con, engine.stream(("A", {"n": text})))
    for others in (frozenset(), frozenset({"VARCHAR"}), frozenset({"VARCHAR", "BIGINT"})):
        found, _ = engine.rows(con, projection, by_time(), {("n",): {"A": others}})
        assert found == {("x",): {"x": cast(text, type_)}}


@pytest.mark.parametrize("digits", ["0.3", "-0.05", "0.00", "1.50"])
def test_the_text_of_a_decimal_does_not_depend_on_how_wide_it_is_stored(con, digits):
    projection = Projection("p", "stream_id", {"A": {"x": field("n", "VARCHAR")}})
    for other in ({}, {"n": True}):
        engine.load(con, engine.stream(("A", other), ("A", {"n": Decimal(digits)})))
        found, _ = engine.rows(con, projection, by_time(), engine.held(con, projection))
        assert found == {("x",): {"x": digits}}
