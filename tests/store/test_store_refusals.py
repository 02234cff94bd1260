import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from material import START, event, finish, new_store, plain, read, start

from esanalytics.errors import (
    AppendConflictError,
    DuplicateEventError,
    EsAnalyticsError,
    InvalidEventError,
    UnsupportedError,
)
from esanalytics.store import _append


def arrow(**columns):
    """Make a table of three events, of which the second is bad."""
    base = {"stream_id": ["s", "s", "s"], "type": ["A", "A", "A"], "occurred_at": [START] * 3, "n": [1, 2, 3]}
    return pa.table({**base, **columns})


def middle(**bad):
    """Make three events, of which the second is bad."""
    return [event(1), event(2, **bad), event(3)]


def without(name):
    return [event(1), {k: v for k, v in event(2).items() if k != name}, event(3)]


def texts(*values):
    """Make an Arrow string column of bytes that need not be UTF-8."""
    offsets = np.cumsum([0, *map(len, values)]).astype(np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))]
    )


BROKEN = texts(b"ok", b"\xff\xfe", b"fine")

ROWS = {
    "no time": (without("occurred_at"), "occurred_at is missing"),
    "no time in a frame": (arrow(occurred_at=[START, None, START]), "occurred_at is missing"),
    "a time that is none": (middle(occurred_at="yesterday"), "no instant.*yesterday"),
    "a time of a number": (middle(occurred_at=5), "no instant"),
    "a day that is none": (middle(occurred_at="2026-02-30"), "no instant"),
    "a time with a tail": (middle(occurred_at="2026-03-03abc"), "no instant"),
    "year 0": (middle(occurred_at="0000-01-01"), "occurred_at"),
    "before Christ": (middle(occurred_at="2026-03-03 (BC)"), "occurred_at"),
    "year 10000": (middle(occurred_at="10000-01-01"), "occurred_at"),
    "year 10000 in UTC": (middle(occurred_at="9999-12-31T23:59:59-01:00"), "years 1 to 9999"),
    "year 0 in UTC": (middle(occurred_at="0001-01-01T00:00:00+01:00"), "occurred_at"),
    "infinity": (middle(occurred_at="infinity"), "no instant|years 1 to 9999"),
    "minus infinity": (middle(occurred_at="-infinity"), "no instant|years 1 to 9999"),
    "seconds beyond microseconds": (
        arrow(occurred_at=pa.array([0, 2**62, 1], pa.timestamp("s"))),
        "range of microseconds",
    ),
    "microseconds beyond the year 9999": (
        arrow(occurred_at=pa.array([0, 2**62, 1], pa.timestamp("us", "UTC"))),
        "years 1 to 9999",
    ),
    "the least microsecond": (arrow(occurred_at=pa.array([0, -(2**63) + 1, 1], pa.timestamp("us"))), "years 1 to 9999"),
    "an empty stream": (middle(stream_id=""), "stream_id is missing or empty"),
    "no stream": (without("stream_id"), "stream_id is missing or empty"),
    "no type": (without("type"), "type is missing or empty"),
    "a NULL type": (arrow(type=["A", None, "A"]), "type is missing or empty"),
    "an empty type": (middle(type=""), "type is missing or empty"),
    "an empty service": (middle(service=""), "service is empty"),
    "a service of the store": (middle(service="$retraction"), r"begin with \$"),
    "a long service": (middle(service="x" * 1025), "longer than 1024 bytes"),
    "a long stream of wide characters": (middle(stream_id="é" * 600), "longer than 1024 bytes"),
    "a NUL in a name": (middle(type="a\x00b"), "NUL"),
    "half a version": (middle(version="1.5"), "version"),
    "half a version as a number": (arrow(version=[None, 1.5, None]), "version"),
    "a version that is none": (middle(version="one"), "version is no 64-bit integer"),
    "a version beyond 64 bits": (middle(version=2**63), "version is no 64-bit integer"),
    "the version that stands for none": (middle(version=-(2**63)), "version is out of range"),
    "schema version 0": (middle(schema_version=0), "schema_version is no number from 1"),
    "schema version of text": (middle(schema_version="two"), "schema_version is no number from 1"),
    "half a schema version": (middle(schema_version=1.5), "schema_version"),
    "a wide integer": (middle(data={"n": 2**63}), "9223372036854775808 does not fit 64 bits"),
    "a wider integer": (middle(data={"n": [-(2**80)]}), "does not fit 64 bits"),
    "a wide integer in text": (middle(data='{"n": 9223372036854775808}'), "does not fit 64 bits"),
    "a wide integer in a text column": (
        arrow(data=['{"n": 1}', '{"n": {"m": [18446744073709551616]}}', "{}"]),
        "does not fit 64 bits",
    ),
    "a wide integer beside a decimal": (middle(data={"n": 2**63, "d": Decimal("1.5")}), "64 bit|too large|int"),
    "a wide unsigned column": (arrow(n=pa.array([1, 2**63, 3], pa.uint64())), "does not fit 64 bits"),
    "a wide unsigned field": (
        arrow(data=pa.array([{"n": 1}, {"n": 2**64 - 1}, {"n": 3}], pa.struct([("n", pa.uint64())]))),
        "does not fit 64 bits",
    ),
    "a wide unsigned in a list": (
        arrow(n=pa.array([[1], [2**63], [3]], pa.list_(pa.uint64()))),
        "does not fit 64 bits",
    ),
    "an empty key": (middle(data={"": 1}), "empty key"),
    "an empty key inside": (middle(data={"a": [{"": 1}]}), "empty key"),
    "an empty key in text": (arrow(data=["{}", '{"a": {"" : 1}}', "{}"]), "empty key"),
    "an empty key beside a decimal": (middle(data={"": Decimal(1)}), "empty key"),
    "an empty key of a map": (
        arrow(data=pa.array([[("a", 1)], [("", 1)], []], pa.map_(pa.string(), pa.int64()))),
        "empty key",
    ),
    "a key twice": (middle(data='{"a": 1, "a": 2}'), "duplicate key 'a'"),
    "a key twice in a text column": (arrow(data=["{}", '{"x": {"a": 1, "a": 1}}', "{}"]), "duplicate key 'a'"),
    "a key of a map twice": (
        arrow(data=pa.array([[("a", 1)], [("a", 1), ("a", 2)], []], pa.map_(pa.string(), pa.int64()))),
        "duplicate key",
    ),
    "text that is no JSON": (middle(data="{not json"), "malformed JSON"),
    "JSON cut short": (arrow(data=["{}", '{"a": [1', "{}"]), "malformed JSON"),
    "a number beyond a double": (middle(data='{"a": 1e999}'), "does not fit a double"),
    "a payload that is a list": (middle(data=[1]), "data is a list"),
    "a payload that is a text in JSON": (middle(data='"text"'), "object|dict"),
    "a payload that is a number in a column": (arrow(data=["{}", "5", "{}"]), "object|dict"),
    "a value no payload can hold": (middle(data={"x": object()}), "cannot hold a object"),
    "half a character": (middle(data={"x": "\ud800"}), "surrogate|UTF-8|Unicode|malformed"),
    "half a character as a name": (middle(type="\ud800"), "surrogate|UTF-8|Unicode|encode"),
    "bytes that are no text": (arrow(x=BROKEN), "x is not valid UTF-8"),
    "a type that is no text": (arrow(type=BROKEN), "type is not valid UTF-8"),
    "a payload that is no text": (arrow(data=texts(b"{}", b"\xff\xfe", b"{}")), "data is not valid UTF-8|malformed"),
    "a field that is no text": (arrow(data=pa.StructArray.from_arrays([BROKEN], ["x"])), "valid UTF-8"),
    "no event": ([event(1), 5, event(3)], "int is no event"),
    "an unversioned event in a versioned stream": (
        [event(1, version=1), event(2), event(3, version=3)],
        "no version, but its stream",
    ),
}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_bad_row_refuses_the_whole_append_and_says_which_why_and_what_to_do(tmp_path, name):
    given, reason = ROWS[name]
    store = new_store(tmp_path)
    store.append([event(0, service="before", stream_id="before")])
    before = read(store.log)
    with pytest.raises(InvalidEventError, match=reason) as caught:
        store.append(given)
    message = str(caught.value)
    assert message.startswith("row:2: "), message
    assert "; " in message.removeprefix("row:2: ")
    assert read(store.log) == before
    assert store.quarantined() == []


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_bad_row_is_set_aside_once_and_the_good_ones_are_appended_once(tmp_path, name):
    given, reason = ROWS[name]
    store = new_store(tmp_path)
    for expected in (2, 0):
        done = store.append(given, on_invalid="quarantine")
        assert (done.appended, done.quarantined) == (expected, 1)
        assert (store.info().events, store.info().quarantined) == (2, 1)
        (refused,) = store.quarantined()
        assert (refused.origin, refused.line) == ("row", 2)
        assert pd.Series([refused.reason]).str.contains(reason).all(), refused.reason
        assert refused.raw


WHOLE = {
    "a column twice": pd.DataFrame([["s", "A", START, 1, 2]], columns=["stream_id", "type", "occurred_at", "x", "x"]),
    "a column of the envelope twice": pa.Table.from_arrays(
        [pa.array(["s"]), pa.array(["A"]), pa.array(["B"]), pa.array([START])],
        ["stream_id", "type", "type", "occurred_at"],
    ),
    "a gathered column twice": pa.Table.from_arrays(
        [pa.array(["s"]), pa.array(["A"]), pa.array([START]), pa.array([1]), pa.array([1])],
        ["stream_id", "type", "occurred_at", "x", "x"],
    ),
    "a column without a name": arrow(**{"": [1, 2, 3]}),
    "a text": "events.jsonl",
    "bytes": b"{}",
    "a number": 5,
    "nothing": None,
    "a column": pd.Series([1, 2]),
    "an array": np.array([1, 2]),
    "an Arrow column": pa.array([1, 2]),
    "no event in a list": [5],
    "a list of lists": [["s", "A", START]],
}


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.parametrize("on_invalid", ["raise", "quarantine"])
def test_what_holds_no_events_is_refused_with_a_remedy(tmp_path, name, on_invalid):
    store = new_store(tmp_path)
    try:
        store.append(WHOLE[name], on_invalid=on_invalid)
    except InvalidEventError as error:
        assert len(str(error)) > 20  # noqa: PT017
    else:
        assert on_invalid == "quarantine"
        assert store.quarantined()
    assert store.info().events == 0


def test_a_word_that_is_no_choice_is_refused(tmp_path):
    with pytest.raises(UnsupportedError, match=r"raise.*quarantine"):
        new_store(tmp_path).append([event(1)], on_invalid="ignore")


# Events that stand against others

CONFLICTS = {
    "one id, two payloads": ([event(1, event_id="x")], event(1, event_id="x", data={"n": 9}), DuplicateEventError),
    "one id, two types": ([event(1, event_id="x")], event(1, event_id="x", type="U"), DuplicateEventError),
    "one id, two streams": ([event(1, event_id="x")], event(1, event_id="x", stream_id="t"), DuplicateEventError),
    "one version, two events": (
        [event(1, version=1), event(3, version=2)],
        event(2, version=1),
        AppendConflictError,
    ),
    "a version in a stream without": ([event(1)], event(2, version=1), InvalidEventError),
    "no version in a stream with": ([event(1, version=1)], event(2), InvalidEventError),
}


@pytest.mark.parametrize("where", ["one call", "two calls"])
@pytest.mark.parametrize("name", sorted(CONFLICTS))
def test_an_event_that_contradicts_another_is_refused(tmp_path, name, where):
    first, second, kind = CONFLICTS[name]
    store = new_store(tmp_path)
    if where == "two calls":
        store.append(first)
    before = plain(read(store.log))
    with pytest.raises(kind) as caught:
        store.append([*first, second])
    assert type(caught.value) is kind
    assert f"row:{len(first) + 1}" in str(caught.value) or kind is AppendConflictError
    assert plain(read(store.log)) == before


@pytest.mark.parametrize("where", ["one call", "two calls"])
@pytest.mark.parametrize("name", sorted(CONFLICTS))
def test_an_event_that_contradicts_another_is_set_aside_once(tmp_path, name, where):
    first, second, _ = CONFLICTS[name]
    store = new_store(tmp_path)
    if where == "two calls":
        store.append(first)
    for _ in range(2):
        done = store.append([*first, second, event(7, stream_id="good")], on_invalid="quarantine")
        assert done.quarantined == 1
        assert store.info().events == len(first) + 1
        (refused,) = store.quarantined()
        assert json.loads(refused.raw)["type"] == second["type"]
        assert refused.line == len(first) + 1
    assert done.appended == 0


def test_a_good_row_is_not_set_aside_for_the_bad_one_before_it(tmp_path):
    store = new_store(tmp_path)
    store.append([event(1)])
    done = store.append([event(2, version=1), event(3)], on_invalid="quarantine")
    assert (done.appended, done.quarantined) == (1, 1)


def test_the_same_bad_row_of_a_longer_load_is_set_aside_once(tmp_path):
    store = new_store(tmp_path)
    load = [event(1), {"type": "A"}]
    store.append(load, on_invalid="quarantine")
    store.append([*load, event(2), {"type": "B"}], on_invalid="quarantine")
    assert [refused.line for refused in store.quarantined()] == [2, 4]


def test_a_load_cut_into_other_chunks_sets_nothing_aside_twice(tmp_path, monkeypatch):
    store = new_store(tmp_path)
    load = [event(1), {"type": "A"}, event(2), {"type": "B"}]
    store.append(load, on_invalid="quarantine")
    monkeypatch.setattr(_append, "CHUNK_ROWS", 1)
    monkeypatch.setattr("esanalytics.store._intake.PYTHON_ROWS", 1)
    store.append(load, on_invalid="quarantine")
    assert sorted(refused.line for refused in store.quarantined()) == [2, 4]


def test_bad_rows_of_every_kind_are_set_aside_together(tmp_path):
    store = new_store(tmp_path)
    load = [event(1), {"type": "A"}, event(2, version=1), event(3, occurred_at="x"), event(4, data={"": 1}), event(5)]
    done = store.append(load, on_invalid="quarantine")
    assert (done.appended, done.quarantined) == (2, 4)
    assert sorted(refused.line for refused in store.quarantined()) == [2, 3, 4, 5]


# Odd, and right


def test_nan_and_infinity_are_kept_as_doubles(tmp_path):
    store = new_store(tmp_path)
    odd = {"a": float("nan"), "b": float("inf"), "c": -float("inf")}
    text = '{"a": NaN, "b": Infinity, "c": -Infinity}'
    exact = {**odd, "d": Decimal(1)}
    for number, data in enumerate([odd, text, exact]):
        call = [event(number, data=data)]
        assert store.append(call).appended == 1
        assert store.append(call).duplicates == 1
    for row in store.log.sql("select data.a::double as a, data.b::double as b, data.c::double as c from events"):
        assert np.isnan(row["a"])
        assert (row["b"], row["c"]) == (float("inf"), -float("inf"))
    kinds = store.log.sql("select distinct variant_typeof(data.a) as a from events")
    assert [row["a"] for row in kinds] == ["DOUBLE"]


DEEP = """
import sys
from esanalytics.errors import InvalidEventError
from esanalytics.store import Store

kind, depth = sys.argv[2], int(sys.argv[3])
nested = {}
for _ in range(depth):
    nested = {"a": nested} if kind != "list" else {"a": [nested]}
text = '{"a":' * depth + "1" + "}" * depth
data = text if kind == "text" else nested
store = Store.open(sys.argv[1])
row = {"stream_id": "s", "type": "T", "occurred_at": "2026-03-03", "data": data}
good = {**row, "data": {}}
try:
    store.append([row])
except InvalidEventError as error:
    assert "deep" in str(error) or "nested" in str(error), error
    assert store.log.count() == 0
    done = store.append([good, row], on_invalid="quarantine")
    assert (done.appended, done.quarantined) == (1, 1), done
    print("refused")
else:
    assert len(store.log.events().arrow()["data"][0].as_py()) >= 6 * depth
    assert len(list(store.log.events())) == 1
    print("taken")
"""


@pytest.mark.parametrize(
    ("kind", "depth"), [("dict", 200), ("dict", 1_000), ("text", 1_000), ("text", 100_000), ("list", 600)]
)
def test_a_payload_nested_deep_is_taken_or_refused_and_ends_no_process(tmp_path, kind, depth):
    store = new_store(tmp_path)
    assert finish(start(DEEP, store.path, kind, depth)).strip() in {"taken", "refused"}


def test_a_payload_of_50_megabytes_is_one_event(tmp_path):
    store = new_store(tmp_path)
    large = "x" * 50_000_000
    store.append([event(1, data={"large": large}), event(2)])
    assert store.log.sql("select length(data.large::varchar) as n from events order by position").head() == [
        {"n": 50_000_000},
        {"n": None},
    ]
    store.append([event(3)])
    store.compact()
    assert store.log.count() == 3


NAMES = [
    "/",
    "../../x",
    "..",
    ".",
    "a=b",
    "it's",
    'a"b',
    "a\nb",
    "100%",
    "%2F",
    "~",
    "é😀",
    " ",
    "a b",
    "a\\b",
    "*?[x]",
]
NAMES += [
    "x" * 1000,
    "é" * 500,
    "service=a/month=2026-01",
    "'; drop table x; --",
    "__HIVE_DEFAULT_PARTITION__",
    "A",
    "a",
]


def test_names_of_every_kind_come_back_as_they_were_and_stay_inside_the_store(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    store = new_store(outside)
    call = [event(1, service=name, stream_id=name, type=name) for name in NAMES]
    store.append(call)
    store.append([{**row, "occurred_at": "2026-01-31"} for row in call])
    for _ in range(2):
        found = read(store.log)
        assert sorted(row["service"] for row in found) == sorted(NAMES * 2)
        assert all(row["service"] == row["stream_id"] == row["type"] for row in found)
        assert store.info().services == dict.fromkeys(sorted(NAMES), 2)
        assert store.append(call).appended == 0
        assert [path.name for path in tmp_path.iterdir()] == ["outside"]
        assert [path.name for path in outside.iterdir()] == [store.path.name]
        assert all(len(part) < 256 for path in store.path.rglob("*") for part in path.parts)
        store.compact(retain=START - START)
    for name in NAMES:
        assert store.log.where(service=name).count() == 2


def test_errors_of_an_append_are_of_the_tree(tmp_path):
    store = new_store(tmp_path)
    for given, _ in ROWS.values():
        with pytest.raises(EsAnalyticsError):
            store.append(given)


def test_a_recording_time_in_the_future_is_refused_as_it_would_hold_for_all_that_follow(tmp_path):
    store = new_store(tmp_path)
    with pytest.raises(InvalidEventError, match="recorded_at is in the future"):
        store.append([event(1, recorded_at="2999-01-01")])
    assert store.info().events == 0


@pytest.mark.parametrize("expected", [-1, "0", True, 1.0])
def test_an_expected_version_is_a_number_from_0(tmp_path, expected):
    store = new_store(tmp_path)
    with pytest.raises(InvalidEventError, match="expected_version"):
        store.append([event(1)], stream="order-1", expected_version=expected)


def test_an_expected_version_is_refused_for_a_stream_without_versions(tmp_path):
    store = new_store(tmp_path)
    store.append([event(1, service="default", stream_id="s")])
    with pytest.raises(InvalidEventError, match="but its stream 's'"):
        store.append([{"type": "B", "data": {}, "occurred_at": "2026-02-02"}], stream="s", expected_version=0)


@pytest.mark.parametrize("condition", ["data.n > 3", "data.n between 1 and 2", "data.n + 1 = 2", "-data.a.b = 1"])
def test_a_field_without_a_type_is_not_compared_by_size(tmp_path, condition):
    store = new_store(tmp_path)
    with pytest.raises(ValueError, match="cast it"):
        store.log.where(condition)
    with pytest.raises(UnsupportedError, match="cast it"):
        store.log.sql(f"select count(*) filter ({condition}) from events")


@pytest.mark.parametrize(
    "query",
    [
        "select sum(data.n) from events",
        "select metadata.release, count(*) from events group by all",
        "select data.x from events order by data.x",
        "select count(*) over (partition by e.data.x) from events e",
    ],
)
def test_a_field_without_a_type_is_not_added_sorted_or_grouped(tmp_path, query):
    with pytest.raises(UnsupportedError, match="cast it"):
        new_store(tmp_path).log.sql(query)


@pytest.mark.parametrize(
    "query",
    ["select data.x, data from events", "select count(*) from events where data.x = 'a' and data.y is null",
     "select sum(data.n::int), data.x::varchar as x from events group by all order by x"],
)  # fmt: skip
def test_a_field_without_a_type_may_be_shown_and_compared_for_equality(tmp_path, query):
    assert new_store(tmp_path).log.sql(query).columns
