import datetime as dt
import json
import threading
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from material import ENGINE, START, event, law, new_store, payloads, plain, read

from esanalytics.events import Event

RECORDS = [
    {
        "event_id": f"id-{n}",
        "service": "orders",
        "stream_id": f"order-{n % 2}",
        "version": n,
        "type": "Placed",
        "occurred_at": START + dt.timedelta(hours=n),
        "data": {"amount": n, "name": f"é{n}", "tags": ["a", "b"], "inner": {"deep": n + 0.5}},
    }
    for n in range(4)
]
TABLE = pa.Table.from_pylist(RECORDS)


class Stream:
    """Something that is known by its Arrow stream alone."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def relation(table):
    connection = duckdb.connect()
    connection.register("given", table)
    return connection.sql("select * from given")


def another(tmp_path):
    store = new_store(tmp_path)
    store.append(RECORDS)
    return store


FORMS = {
    "list of dicts": lambda _: RECORDS,
    "tuple of dicts": lambda _: tuple(RECORDS),
    "generator": lambda _: (dict(row) for row in RECORDS),
    "events": lambda _: [Event(**row) for row in RECORDS],
    "arrow table": lambda _: TABLE,
    "arrow reader": lambda _: TABLE.to_reader(max_chunksize=1),
    "arrow batch": lambda _: TABLE.to_batches()[0],
    "arrow stream": lambda _: Stream(TABLE),
    "chunked arrow": lambda _: pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]),
    "pandas": lambda _: pd.DataFrame(RECORDS),
    "pandas on arrow": lambda _: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas with categories": lambda _: pd.DataFrame(RECORDS).astype({"service": "category", "type": "category"}),
    "pandas with nanoseconds": lambda _: pd.DataFrame(RECORDS).assign(
        occurred_at=lambda f: f.occurred_at.dt.tz_convert("Asia/Tokyo").astype("datetime64[ns, Asia/Tokyo]")
    ),
    "pandas with an index": lambda _: pd.DataFrame(RECORDS, index=[7, 7, 8, 9]),
    "polars": lambda _: pl.DataFrame(TABLE),
    "polars with categories": lambda _: pl.DataFrame(TABLE).with_columns(pl.col("type").cast(pl.Categorical)),
    "duckdb": lambda _: relation(TABLE),
    "json text": lambda _: [{**row, "data": json.dumps(row["data"])} for row in RECORDS],
    "json column": lambda _: TABLE.set_column(
        6, "data", pa.array([json.dumps(row["data"]) for row in RECORDS], pa.large_string())
    ),
    "view of a store": lambda path: another(path).log,
    "result of a store": lambda path: another(path).log.events(),
    "frame of a store": lambda path: another(path).log.events().df(),
    "arrow of a store": lambda path: another(path).log.events().arrow(),
    "rows of a store": lambda path: list(another(path).log.events()),
    "query of a store": lambda path: another(path).log.sql("select * from events order by position"),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_events_are_taken_in_every_form(tmp_path, form):
    store = new_store(tmp_path)
    done = store.append(FORMS[form](tmp_path))
    assert (done.first_position, done.last_position, done.appended) == (1, 4, 4)
    shared = {"schema_version": 1, "correlation_id": None, "causation_id": None, "metadata": None}
    expected = plain([{**row, **shared, "position": n} for n, row in enumerate(RECORDS, start=1)])
    assert sorted(plain(read(store.log)), key=lambda row: row["position"]) == expected
    assert store.append(FORMS[form](tmp_path)).appended == 0


@pytest.mark.parametrize(
    "empty", [[], iter([]), TABLE.slice(0, 0), pd.DataFrame(RECORDS).head(0), pl.DataFrame(TABLE).head(0)]
)
def test_nothing_is_appended_from_something_empty(tmp_path, empty):
    store = new_store(tmp_path)
    assert store.append(empty).appended == 0
    assert store.info().events == 0


GATHERED = {
    "stream_id": ["s", "t"],
    "type": ["A", "B"],
    "occurred_at": [START, START],
    "x": [1, None],
    "y": ["a", "b"],
}
EXPECTED = [{"x": 1, "y": "a"}, {"y": "b"}]


@pytest.mark.parametrize(
    "frame",
    [
        pa.table(GATHERED),
        pl.DataFrame(GATHERED),
        pd.DataFrame(GATHERED).astype({"x": "Int64"}),
        relation(pa.table(GATHERED)),
        pd.DataFrame(GATHERED).astype(object),
    ],
    ids=["arrow", "polars", "pandas", "duckdb", "pandas objects"],
)
def test_columns_beside_the_envelope_become_data_and_an_empty_cell_is_an_absent_field(tmp_path, frame):
    store = new_store(tmp_path)
    store.append(frame)
    assert [row["data"] for row in read(store.log)] == EXPECTED


def test_an_empty_cell_is_an_absent_field_where_other_columns_hold_objects_too(tmp_path):
    frame = pd.DataFrame({**GATHERED, "z": [{"deep": 1}, None]})
    store = new_store(tmp_path)
    store.append(frame)
    assert [row["data"] for row in read(store.log)] == [{"x": 1, "y": "a", "z": {"deep": 1}}, {"y": "b"}]


@pytest.mark.parametrize("form", ["arrow", "pandas", "polars", "dicts", "text"])
def test_columns_beside_data_become_metadata(tmp_path, form):
    rows_ = [{**event(n), "trace": f"t{n}"} for n in (1, 2)]
    as_text = [{**row, "data": json.dumps(row["data"])} for row in rows_]
    forms = {
        "arrow": pa.Table.from_pylist(rows_),
        "pandas": pd.DataFrame(rows_),
        "polars": pl.DataFrame(pa.Table.from_pylist(rows_)),
        "dicts": rows_,
        "text": as_text,
    }
    store = new_store(tmp_path)
    store.append(forms[form])
    found = [(row["data"], row["metadata"]) for row in read(store.log)]
    assert found == [({"n": n}, {"trace": f"t{n}"}) for n in (1, 2)]


def test_columns_beside_data_join_the_metadata_that_is_there(tmp_path):
    store = new_store(tmp_path)
    store.append([event(1, metadata={"a": 1}, trace="x")])
    assert [row["metadata"] for row in read(store.log)] == [{"a": 1, "trace": "x"}]


@pytest.mark.parametrize(
    "data",
    [
        pa.array([[("a", 1), ("b", None)], []], pa.map_(pa.string(), pa.int64())),
        pa.array([{"a": 1, "b": None}, {"a": None, "b": None}], pa.struct([("a", pa.int64()), ("b", pa.int64())])),
    ],
    ids=["map", "struct"],
)
def test_a_null_in_a_map_or_struct_of_a_frame_is_an_absent_field(tmp_path, data):
    store = new_store(tmp_path)
    table = pa.table({k: v for k, v in GATHERED.items() if k not in "xy"}).append_column("data", data)
    store.append(table)
    assert [row["data"] for row in read(store.log)] == [{"a": 1}, {}]


def test_a_missing_payload_is_an_empty_one(tmp_path):
    store = new_store(tmp_path)
    base = pa.table({k: v for k, v in GATHERED.items() if k not in "xy"})
    store.append(base)
    store.append(base.append_column("data", pa.array([None, '{"a": null}'])).set_column(1, "type", [["C", "D"]]))
    assert [row["data"] for row in read(store.log.where(type=["A", "B"]))] == [{}, {}]
    assert [row["data"] for row in read(store.log.where(type=["C", "D"]))] == [{}, {"a": None}]


NAIVE = dt.datetime(2026, 3, 3, 10)  # noqa: DTZ001  taken as UTC
EXACT = {
    "decimal": Decimal("1234567890123456.78"),
    "wide": Decimal("-12345678901234567890.123456"),
    "at": dt.datetime(2026, 3, 3, 10, 0, 0, 123456, tzinfo=dt.UTC),
    "naive": NAIVE,
    "day": dt.date(2026, 3, 3),
    "bytes": b"\x00\xff'",
    "list": [Decimal("1.50"), Decimal("2.25")],
    "inner": {"decimal": Decimal("0.1"), "list": [{"day": dt.date(1999, 1, 1)}]},
    "int": 2**63 - 1,
    "none": None,
    "text": "é'\"",
}


@pytest.mark.parametrize("as_", ["dict", "event", "pandas"])
def test_exact_values_keep_their_types(tmp_path, as_):
    row = event(1, data=EXACT)
    forms = {"dict": [row], "event": [Event(**row)], "pandas": pd.DataFrame([row])}
    store = new_store(tmp_path)
    store.append(forms[as_])
    assert [found["data"] for found in read(store.log)] == [EXACT]
    types = "variant_typeof(data.decimal) as d, variant_typeof(data.bytes) as b, variant_typeof(data.day) as y"
    assert store.log.sql(f"select {types} from events").head()[0] == {"d": "DECIMAL(18, 2)", "b": "BLOB", "y": "DATE"}
    assert store.append(forms[as_]).duplicates == 1


def test_exact_and_plain_payloads_stay_with_their_rows(tmp_path):
    store = new_store(tmp_path)
    kinds = [{"n": n, **([{}, {"d": Decimal(n)}, {"d": dt.date(2026, 1, 1 + n)}][n % 3])} for n in range(9)]
    store.append([event(n, data=data) for n, data in enumerate(kinds)])
    assert [row["data"] for row in read(store.log)] == kinds


@law(10)
@given(found=st.lists(payloads, min_size=1, max_size=5))
def test_every_payload_comes_back_as_it_was(tmp_path, found):
    store = new_store(tmp_path)
    store.append([event(n, data=data) for n, data in enumerate(found)])
    assert [row["data"] for row in read(store.log)] == found
    assert [json.loads(text) for text in store.log.events().arrow()["data"].to_pylist()] == found


TIMES = {
    "text with an offset": ("2026-03-03T12:00:00+02:00", "2026-03-03T10:00:00+00:00"),
    "text in UTC": ("2026-03-03T10:00:00.5Z", "2026-03-03T10:00:00.500000+00:00"),
    "naive text": ("2026-03-03 10:00:00", "2026-03-03T10:00:00+00:00"),
    "a day as text": ("2026-03-03", "2026-03-03T00:00:00+00:00"),
    "nanoseconds as text": ("2026-03-03T10:00:00.123456999Z", "2026-03-03T10:00:00.123456+00:00"),
    "date": (dt.date(2026, 3, 3), "2026-03-03T00:00:00+00:00"),
    "naive": (NAIVE, "2026-03-03T10:00:00+00:00"),
    "aware": (dt.datetime(2026, 3, 3, 10, tzinfo=ZoneInfo("Asia/Tokyo")), "2026-03-03T01:00:00+00:00"),
    "numpy": (np.datetime64("2026-03-03T10:00:00.123456789"), "2026-03-03T10:00:00.123456+00:00"),
    "pandas": (pd.Timestamp("2026-03-03 10:00", tz="Europe/Berlin"), "2026-03-03T09:00:00+00:00"),
    "the first": ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
    "the last": ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
    "the year 987": (dt.datetime(987, 6, 5, tzinfo=dt.UTC), "0987-06-05T00:00:00+00:00"),
    "before 1970": ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999+00:00"),
}


@pytest.mark.parametrize("name", sorted(TIMES))
def test_instants_are_read_in_every_form(tmp_path, name):
    given_, expected = TIMES[name]
    store = new_store(tmp_path)
    store.append([event(1, occurred_at=given_)])
    assert [row["occurred_at"].isoformat() for row in read(store.log)] == [expected]
    assert store.append([event(1, occurred_at=given_)]).duplicates == 1
    assert store.log.at(expected).count() == 1


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1772532000], pa.timestamp("s")),
        pa.array([1772532000_000], pa.timestamp("ms", "Asia/Tokyo")),
        pa.array([1772532000_000000], pa.timestamp("us")),
        pa.array([1772532000_000000999], pa.timestamp("ns", "UTC")),
        pa.array(["2026-03-03T10:00:00Z"]),
        pa.array(["2026-03-03T10:00:00Z"]).dictionary_encode(),
    ],
    ids=str,
)
def test_instants_of_every_unit_are_microseconds(tmp_path, column):
    store = new_store(tmp_path)
    store.append(pa.table({"stream_id": ["s"], "type": ["A"], "occurred_at": column}))
    assert read(store.log)[0]["occurred_at"] == dt.datetime(2026, 3, 3, 10, tzinfo=dt.UTC)


def test_a_date_column_is_midnight(tmp_path):
    store = new_store(tmp_path)
    store.append(pa.table({"stream_id": ["s"], "type": ["A"], "occurred_at": [dt.date(2026, 3, 3)]}))
    assert read(store.log)[0]["occurred_at"] == dt.datetime(2026, 3, 3, tzinfo=dt.UTC)


def test_names_given_once_hold_for_events_that_do_not_say(tmp_path):
    store = new_store(tmp_path)
    mine = {"type": "A", "occurred_at": START}
    store.append([mine, {**mine, "service": "own", "stream_id": "own"}], service="given", stream="given")
    assert [(row["service"], row["stream_id"]) for row in read(store.log)] == [("given", "given"), ("own", "own")]
    store.append([{**mine, "stream_id": "s"}])
    assert store.info().services == {"default": 1, "given": 1, "own": 1}


def test_a_schema_version_is_1_unless_the_event_says_another(tmp_path):
    store = new_store(tmp_path)
    store.append([event(1, schema_version=3), event(2)])
    assert [row["schema_version"] for row in read(store.log)] == [3, 1]


def test_an_event_without_a_time_happens_when_it_is_appended(tmp_path):
    store = new_store(tmp_path)
    before = dt.datetime.now(dt.UTC)
    store.append(Event("A", {"x": 1}), stream="s")
    assert before <= read(store.log)[0]["occurred_at"] <= dt.datetime.now(dt.UTC)


def test_one_dict_is_one_event(tmp_path):
    store = new_store(tmp_path)
    assert store.append(event(1)).appended == 1


def test_columns_of_many_types_are_gathered(tmp_path):
    store = new_store(tmp_path)
    values = {
        "i8": pa.array([1], pa.int8()),
        "u64": pa.array([2**63 - 1], pa.uint64()),
        "f32": pa.array([0.5], pa.float32()),
        "flag": pa.array([True]),
        "dec": pa.array([Decimal("1.25")]),
        "day": pa.array([dt.date(2026, 1, 1)]),
        "at": pa.array([START], pa.timestamp("ns", "UTC")),
        "raw": pa.array([b"\x00"], pa.large_binary()),
        "texts": pa.array([["a", None]], pa.large_list(pa.large_string())),
        "code": pa.array(["x"]).dictionary_encode(),
        "inner": pa.array([{"a": 1}]),
        "id": pa.array([1]),
        "ID": pa.array([2]),
    }
    store.append(pa.table({"stream_id": ["s"], "type": ["A"], "occurred_at": [START], **values}))
    (found,) = [row["data"] for row in read(store.log)]
    assert found["u64"] == 2**63 - 1
    assert (found["dec"], found["day"], found["at"], found["raw"]) == (
        Decimal("1.25"),
        dt.date(2026, 1, 1),
        START,
        b"\x00",
    )
    assert (found["texts"], found["code"], found["inner"], found["f32"]) == (["a", None], "x", {"a": 1}, 0.5)
    assert (found["id"], found["ID"]) == (1, 2)


@pytest.mark.parametrize(
    "column", [pd.Series([pd.Timedelta("1h")]), pd.Series([1j]), pd.Series(pd.arrays.SparseArray([1]))], ids=str
)
def test_a_column_that_no_payload_can_hold_is_refused_or_kept_but_never_a_foreign_error(tmp_path, column):
    store = new_store(tmp_path)
    frame = pd.DataFrame({"stream_id": ["s"], "type": ["A"], "occurred_at": [START], "x": column})
    try:
        store.append(frame)
    except ValueError as error:
        assert "x" in str(error)  # noqa: PT017  either is right
        assert type(error).__name__ == "InvalidEventError"  # noqa: PT017
        assert store.info().events == 0
    else:
        assert "x" in read(store.log)[0]["data"]


def test_a_relation_with_wide_sums_is_taken(tmp_path):
    store = new_store(tmp_path)
    query = (
        "select 's' as stream_id, 'A' as type, timestamptz '2026-03-03' as occurred_at, sum(i) as n from range(5) t(i)"
    )
    store.append(duckdb.sql(query))
    assert int(read(store.log)[0]["data"]["n"]) == 10


# What a result can become


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    store = new_store(tmp_path_factory.mktemp("three"))
    store.append([event(n, event_id=f"e{n}", data={"n": n, "d": Decimal(n)}) for n in (1, 2, 3)])
    return store


def test_a_result_becomes_every_kind_of_frame(three):
    result = three.log.events()
    assert len(result) == 3
    assert list(result.df().event_id) == result.arrow()["event_id"].to_pylist() == result.pl()["event_id"].to_list()
    assert [row["event_id"] for row in result] == ["e1", "e2", "e3"]
    assert str(result.df().occurred_at.dtype) == "datetime64[us, UTC]"
    assert result.df().data[0] == {"n": 1, "d": Decimal(1)}
    assert json.loads(result.arrow()["data"][0].as_py()) == {"n": 1, "d": 1}
    assert result.columns[0] == "position"
    assert result.columns[-1] == "effective_at"
    assert "Result(position BIGINT" in repr(result)
    assert [row["event_id"] for row in result.head(2)] == ["e1", "e2"]
    assert bool(three.log.where(type="none").events()) is True


def test_a_result_is_taken_by_others_through_its_arrow_stream(three):
    result = three.log.sql("select position, data from events order by 1")
    assert pa.table(result).num_rows == 3
    assert pl.DataFrame(result).height == 3
    connection = duckdb.connect()
    connection.register("given", pa.RecordBatchReader.from_stream(result))
    assert connection.sql("select sum(position) from given").fetchall() == [(6,)]
    assert duckdb.sql("select count(*) from result").fetchall() == [(3,)]


def test_a_result_survives_the_next_query_and_two_are_read_in_turns(three):
    one, two = three.log.events(), three.log.sql("select position as p from events order by p desc")
    assert [(a["position"], b["p"]) for a, b in zip(one, two, strict=True)] == [(1, 3), (2, 2), (3, 1)]
    walk = iter(one)
    next(walk)
    assert len(two.df()) == 3
    assert [row["position"] for row in walk] == [2, 3]
    assert [row["position"] for row in one] == [1, 2, 3]


def test_a_result_is_shown_as_html_that_holds_no_markup_of_its_data(tmp_path):
    store = new_store(tmp_path)
    store.append([event(n, type="<script>") for n in range(12)])
    shown = store.log.events()._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "the first 10 rows" in shown
    assert "2 rows" in store.log.at(START + dt.timedelta(minutes=1)).events()._repr_html_()


def test_a_result_shows_the_query_that_runs(three):
    result = three.log.where(type="T").sql("select count(*) as n from events")
    connection = duckdb.connect()
    for statement in result.sql.split(";\n"):
        found = connection.execute(statement)
    assert found.fetchall() == [(3,)]


def test_parameters_go_with_every_conversion(three):
    result = three.log.sql("select position, data from events where position > $p order by 1", {"p": 1})
    assert result.columns == ("position", "data")
    assert len(result) == len(result.df()) == result.arrow().num_rows == len(list(result)) == len(result.head()) == 2
    assert result._repr_html_()


def test_threads_ask_and_append_at_the_same_time(tmp_path):
    store = new_store(tmp_path)
    store.append([event(n) for n in range(50)])
    failed, seen = [], []

    def ask():
        try:
            seen.extend(len(store.log.events().arrow()) >= 50 for _ in range(5))
            seen.append(sum(1 for _ in store.log.events()) >= 50)
        except Exception as error:  # noqa: BLE001  any is a failure
            failed.append(error)

    def add(name):
        try:
            for n in range(4):
                store.append([event(n, type=name)])
        except Exception as error:  # noqa: BLE001  any is a failure
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    threads += [threading.Thread(target=add, args=(name,)) for name in ("A", "B", "C")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert all(seen)
    assert sorted(row["position"] for row in read(store.log)) == list(range(1, 63))


def test_two_stores_of_one_engine_do_not_mix(tmp_path):
    one, two = new_store(tmp_path, engine=ENGINE), new_store(tmp_path, engine=ENGINE)
    one.append([event(1)])
    two.append([event(2), event(3)])
    assert (len(one.log.events()), len(two.log.events())) == (1, 2)
