import csv
import datetime as dt
import io
import json
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import esanalytics as ea
from esanalytics.cli._render import encoded

EVERYTHING = "select * from events order by position"
KINDS = """
select 1 as n, 1.10::decimal(18,2) as amount, 12345678901234567890.123456789::decimal(38,9) as long,
    0.0000001::decimal(18,9) as small, 0.1::double as real, 'nan'::double as nan, true as yes,
    'a, b' as comma, 'null'::json as nil,
    'a "b", c' as quoted, '' as empty, null::varchar as nothing, e'two\\nlines' as lines, 'Novák 東' as name,
    timestamptz '2026-03-03 10:00:00.5+02' as at, timestamp '2026-03-03 10:00:00' as naive, date '2026-03-03' as day,
    time '10:00:00' as clock, {'x': 1.10::decimal(4,2), 'y': [1, null]} as nested, map {'k': 1} as pairs,
    '\\xAB'::blob as bytes, '{"a": 1.10}'::json as document, {'a': 'b', 'n': 1}::variant as payload,
    'text'::variant as word, interval '1 month 2 days 3 seconds' as span,
    9223372036854775807 as top, 'x'::enum('x') as kind
"""


def tuples(text):
    return list(csv.reader(io.StringIO(text)))


def exact(text):
    return json.loads(text, parse_float=Decimal)


def as_utc(value):
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, dt.datetime) else value


def as_cell(value):
    return "" if value is None else str(as_utc(value))


def payload(value):
    return None if value is None else json.loads(value)


def test_json_of_all_events_is_what_python_gets(run, shop, store):
    found = exact(run("sql", shop, EVERYTHING, "--format", "json").stdout)
    expected = store.log.sql(EVERYTHING).arrow().to_pylist()
    assert len(found) == 3768
    for row, truth in zip(found, expected, strict=True):
        truth |= {"data": exact(truth["data"]), "metadata": truth["metadata"] and exact(truth["metadata"])}
        assert row == {name: as_utc(value) for name, value in truth.items()}


def test_csv_of_all_events_is_what_python_gets(run, shop, store):
    header, *rows = tuples(run("sql", shop, EVERYTHING, "--format", "csv").stdout)
    expected = store.log.sql(EVERYTHING).arrow().to_pylist()
    assert header == list(expected[0])
    assert rows == [[as_cell(value) for value in row.values()] for row in expected]


def test_parquet_of_all_events_is_what_python_gets(run, shop, store, tmp_path):
    run("sql", shop, EVERYTHING, "-o", tmp_path / "all.parquet")
    assert pq.read_table(tmp_path / "all.parquet").equals(store.log.sql(EVERYTHING).arrow())


def test_parquet_goes_down_a_pipe(run, shop):
    found = run("sql", shop, "select 1 as a", "--format", "parquet").stdout_bytes
    assert pq.read_table(pa.BufferReader(found)).to_pylist() == [{"a": 1}]


def test_events_written_as_parquet_are_the_same_events_when_ingested(run, shop, store, tmp_path):
    run("sql", shop, EVERYTHING, "-o", tmp_path / "all.parquet")
    run("init", tmp_path / "copy")
    assert run("ingest", tmp_path / "copy", tmp_path / "all.parquet").exit_code == 0
    query = "select * exclude (position) from events order by position"
    with ea.Store.open(tmp_path / "copy") as copy:
        assert copy.log.sql(query).arrow().equals(store.log.sql(query).arrow())


def test_json_keeps_every_kind_of_value(run, shop):
    text = run("sql", shop, KINDS, "--format", "json").stdout
    (found,) = exact(text)
    assert found == {
        "n": 1, "amount": Decimal("1.10"), "long": Decimal("12345678901234567890.123456789"),
        "small": Decimal("0.000000100"), "real": Decimal("0.1"), "nan": None, "yes": True,
        "quoted": 'a "b", c', "comma": "a, b", "nil": None,
        "empty": "", "nothing": None, "lines": "two\nlines", "name": "Novák 東",
        "at": "2026-03-03T08:00:00.500000Z", "naive": "2026-03-03T10:00:00.000000", "day": "2026-03-03",
        "clock": "10:00:00.000000", "nested": {"x": Decimal("1.10"), "y": [1, None]}, "pairs": {"k": 1},
        "bytes": "ab", "document": {"a": Decimal("1.10")}, "payload": {"a": "b", "n": 1}, "word": "text",
        "span": "P1M2DT3.000000000S", "top": 9223372036854775807, "kind": "x",
    }  # fmt: skip
    assert '"amount":1.10,' in text


def test_csv_keeps_every_kind_of_value(run, shop):
    header, row = tuples(run("sql", shop, KINDS, "--format", "csv").stdout)
    found = dict(zip(header, row, strict=True))
    assert found == {
        "n": "1", "amount": "1.10", "long": "12345678901234567890.123456789", "small": "0.000000100", "real": "0.1",
        "nan": "nan", "yes": "true", "quoted": 'a "b", c', "comma": "a, b", "nil": "",
        "empty": "", "nothing": "", "lines": "two\nlines",
        "name": "Novák 東", "at": "2026-03-03T08:00:00.500000Z", "naive": "2026-03-03T10:00:00.000000",
        "day": "2026-03-03", "clock": "10:00:00.000000", "nested": '{"x":1.10,"y":[1,null]}', "pairs": '{"k":1}',
        "bytes": "ab", "document": '{"a": 1.10}', "payload": '{"a":"b","n":1}', "word": "text",
        "span": "P1M2DT3.000000000S", "top": "9223372036854775807", "kind": "x",
    }  # fmt: skip


def test_csv_tells_null_from_an_empty_text(run, shop, tmp_path):
    run("sql", shop, "select null as a, '' as b, 1 as c", "-o", tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == 'a,b,c\n,"",1\n'


def test_an_empty_answer_is_a_header_in_csv_and_an_empty_array_in_json(run, shop, tmp_path):
    query = "select type, position from events where false"
    assert run("sql", shop, query, "--format", "csv").stdout == "type,position\n"
    assert json.loads(run("sql", shop, query, "--format", "json").stdout) == []
    run("sql", shop, query, "-o", tmp_path / "none.parquet")
    assert pq.read_table(tmp_path / "none.parquet").column_names == ["type", "position"]


def test_duckdb_reads_the_json_and_the_csv(run, shop, tmp_path):
    for name in ("a.json", "a.csv"):
        run("sql", shop, EVERYTHING, "-o", tmp_path / name)
        reader = "read_json" if name.endswith("json") else "read_csv"
        assert duckdb.sql(f"select count(*), sum(position) from {reader}('{tmp_path / name}')").fetchall() == [
            (3768, 3768 * 3769 // 2)
        ]


def test_many_batches_make_one_array(run, shop):
    query = "select a.position as n from events a, (select 1 from events limit 30) b"
    assert len(json.loads(run("sql", shop, query, "--format", "json").stdout)) == 3768 * 30
    assert run("sql", shop, query, "--format", "csv").stdout.count("\n") == 3768 * 30 + 1


def test_a_limit_holds_in_every_format(run, shop):
    assert len(json.loads(run("sql", shop, EVERYTHING, "--format", "json", "--limit", 7).stdout)) == 7
    assert len(tuples(run("sql", shop, EVERYTHING, "--format", "csv", "--limit", 7).stdout)) == 8
    assert len(run("sql", shop, EVERYTHING, "--limit", 7).stdout.splitlines()) == 9


def test_the_bounds_are_those_of_the_log(run, shop, store):
    at, known_at, since = "2026-02-15T12:00", "2026-02-20", "2026-01-15T00:00+02:00"
    done = run(
        "sql", shop, "select count(*) as n, max(position) as p from events", "--at", at, "--known-at", known_at,
        "--since", since, "--service", "orders", "--service", "shipping", "--format", "json",
    )  # fmt: skip
    log = store.log.where(service=["orders", "shipping"]).at(at).known_at(known_at).since(since)
    assert json.loads(done.stdout) == list(log.sql("select count(*) as n, max(position) as p from events"))
    assert 0 < json.loads(done.stdout)[0]["n"] < 2000


def test_a_query_may_come_from_stdin_with_parameters(run, shop):
    query = "select count(*) as n from events where type = $type and data.amount::double > $least::double\n-- done"
    done = run("sql", shop, "-", "--param", "type=OrderPlaced", "--param", "least=100", "--format", "csv", stdin=query)
    assert int(done.stdout.split()[1]) > 10


def test_a_parameter_may_have_an_equals_sign(run, shop):
    assert run("sql", shop, "select $x as x", "--param", "x=a=b", "--format", "csv").stdout == "x\na=b\n"


def test_the_state_is_what_python_gets_in_order_of_the_key(run, shop, store, prepared):
    done = run("state", shop, f"{prepared / 'orders.py'}:orders", "--at", "2026-02-01", "--format", "json")
    found = exact(done.stdout)
    namespace: dict[str, object] = {}
    exec((prepared / "orders.py").read_text(), namespace)
    expected = sorted(ea.state_at(store, namespace["orders"], "2026-02-01"), key=lambda row: row["stream_id"])
    assert found == [{name: as_utc(value) for name, value in row.items()} for row in expected]
    assert len(found) > 50


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_the_merged_state_is_ordered_by_service_and_stream(run, shop, form):
    done = run("state", shop, "merged", "--format", form, "--limit", 0)
    if form == "json":
        keys = [(row["service"], row["stream_id"]) for row in json.loads(done.stdout)]
    elif form == "csv":
        keys = [tuple(row[:2]) for row in tuples(done.stdout)[1:]]
    else:
        keys = [tuple(line.split()[:2]) for line in done.stdout.splitlines()[2:]]
    assert keys == sorted(keys)
    assert len(keys) == len(set(keys)) > 500


def test_one_key_of_two_columns_gives_one_row(run, shop, store):
    args = ("--key", "orders", "--key", "order-42", "--known-at", "2026-02-10", "--format", "json")
    found = json.loads(run("state", shop, "merged", *args).stdout)
    known = store.log.known_at("2026-02-10")
    (truth,) = ea.state_at(known, ea.merged(known), key=("orders", "order-42")).arrow().to_pylist()
    assert {**found[0], "lines": None} == {**truth, "lines": None}
    assert found[0]["lines"] == payload(truth["lines"])


def test_types_and_services_narrow_the_state(run, shop, store):
    args = ("--type", "OrderPlaced", "--type", "OrderPaid", "--service", "orders", "--format", "json")
    found = json.loads(run("state", shop, "merged", *args).stdout)
    log = store.log.where(service="orders", type=["OrderPlaced", "OrderPaid"])
    assert len(found) == len(ea.state_at(log, ea.merged(log)))
    assert "carrier" not in found[0] or not any(row["carrier"] for row in found)


def test_info_as_json_is_the_info_of_the_store(run, shop, store):
    found = json.loads(run("info", shop, "--format", "json").stdout)
    info = store.info()
    assert found["services"] == info.services
    assert found["first_time"] == as_utc(info.first_time)
    assert found["partition"] == "month"
    assert sum(row["events"] for row in found["types"]) == found["events"] == 3768


def test_info_shows_what_a_person_asks(run, shop):
    text = run("info", shop, columns=100).stdout
    assert "3,768" in text
    assert "2026-01-01 00:02:37Z to 2026-03-31 22:50:26Z" in text
    assert "partitioned by month" in text
    assert any(line.split()[:3] == ["orders", "OrderPlaced", "320"] for line in text.splitlines())


def test_info_of_an_empty_store_says_that_it_is_empty(run, tmp_path):
    run("init", tmp_path / "new")
    done = run("info", tmp_path / "new")
    assert done.exit_code == 0
    assert "events     0" in done.stdout


def test_maps_inside_lists_are_objects():
    assert encoded([[("a", Decimal("1.0"))], []]) == '[{"a":1.0},[]]'
