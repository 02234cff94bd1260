"""A reducer gives what the same projection gives, one row per stream or one per event, wherever files end."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import enum
import itertools
import json
import pickle
import re
import tempfile
import tracemalloc
import uuid
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import pytest
import reducers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics import _sql as sql
from esanalytics.errors import EngineError, ReducerError, UnsupportedError
from esanalytics.projections import Reducer, delete, reducer
from esanalytics.reducing import _rows
from esanalytics.reducing._run import reduced

DAY = dt.datetime(2026, 1, 31, 23, 58, tzinfo=dt.UTC)
LAWS = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))

projection = ea.Projection(
    "same",
    key=("service", "stream_id"),
    on={
        "Set": {"status": ea.field("status"), "total": ea.field("n", "BIGINT"), "seen_at": ea.occurred_at},
        "Add": {
            "total": ea.add(ea.field("n", "BIGINT")),
            "money": ea.add(ea.field("price", "DECIMAL(18,2)")),
            "tags": ea.append(ea.field("status", "VARCHAR")),
        },
        "Delete": ea.delete,
        "*": {"events": ea.count, "last": ea.position},
    },
)


same = dataclasses.replace(reducers.in_two, processes=1)


@dataclasses.dataclass
class Order:
    total: Decimal = Decimal(0)
    lines: list[tuple[str, int]] = dataclasses.field(default_factory=list)


@st.composite
def histories(draw):
    """Batches of events: versioned and unversioned streams, clocks that run backwards, ties, late arrivals."""
    fields = {
        "status": st.sampled_from(["placed", "paid", "né\n'x", None]),
        "n": st.integers(-5, 5) | st.none(),
        "price": st.decimals(-9, 9, places=2),
    }
    payloads = st.fixed_dictionaries({}, optional=fields)
    events = [
        {
            "event_id": f"{stream}/{version}",
            "service": "plain" if stream == "u-1" else "versioned",
            "stream_id": stream,
            "version": None if stream == "u-1" else version * 2,
            "type": draw(st.sampled_from(["Set", "Add", "Add", "Delete", "Other"])),
            "occurred_at": DAY + dt.timedelta(minutes=draw(st.integers(0, 5))),
            "data": draw(payloads),
        }
        for stream in ("v-1", "v-2", "u-1")
        for version in range(1, draw(st.integers(0, 6)) + 1)
    ]
    shuffled = draw(st.permutations(events))
    bounds = [0, *sorted(draw(st.lists(st.integers(0, len(events)), max_size=3))), len(events)]
    return [shuffled[a:b] for a, b in itertools.pairwise(bounds) if a < b]


def table(found):
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    return con.sql(sql.text(found.tree())).to_arrow_table()


def types(found):
    con = duckdb.connect()
    relation = con.sql(sql.text(found.tree()))
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def rows(found):
    return sorted(table(found).to_pylist(), key=lambda row: (row["service"], row["stream_id"], row.get("$position")))


def by_key(found):
    return {(row.pop("service"), row.pop("stream_id")): row for row in rows(found)}


def state_of(row):
    return {name: value for name, value in row.items() if not name.startswith("$")}


def alike(values):
    """Without the columns that the one side has and the other has not, where none has a value."""
    return {name: value for name, value in values.items() if value is not None and value != []}


def folded(log, definition):
    """What each event makes of its stream, straight from the definition."""
    ordered = sorted(log.events(), key=lambda e: (e["service"], e["stream_id"]))
    found = []
    for _, stream in itertools.groupby(ordered, key=lambda e: (e["service"], e["stream_id"])):
        state, events = delete, list(stream)
        for event, after in itertools.zip_longest(events, events[1:]):
            state = definition(copy.deepcopy(definition.initial) if state is delete else state, Shown(event))
            found.append(
                {"service": event["service"], "stream_id": event["stream_id"]}
                | ({} if state is delete else copy.deepcopy(state))
                | {f"${name}": event[name] for name in ("effective_at", "version", "position", "event_id", "type")}
                | {"$live": state is not delete, "$next_at": after and after["effective_at"]}
            )
    return sorted(found, key=lambda row: (row["service"], row["stream_id"], row["$position"]))


class Shown(dict):
    __getattr__ = dict.__getitem__


@pytest.fixture
def store(tmp_path):
    with ea.Store.create(tmp_path / "store") as made:
        yield made


def event(stream, type_="T", minute=0, **data):
    return {"stream_id": stream, "type": type_, "occurred_at": DAY + dt.timedelta(minutes=minute), "data": data}


def states(store, *values):
    """Append an event for each value; what a reducer gives that takes the value as the state, or as its column."""
    store.append([event(f"s-{n}") for n in range(len(values))])
    tables = all(isinstance(value, dict | Order) for value in values)
    return reduced(store.log, _giving(values if tables else [{"state": value} for value in values]), every=False)


@LAWS
@given(histories(), st.integers(-1, 6), st.sampled_from([1, 2, 50_000]))
def test_a_reducer_gives_the_rows_of_the_same_projection(batches, minute, size):
    with tempfile.TemporaryDirectory() as folder, ea.Store.create(f"{folder}/store") as store, Small(size):
        for batch in batches:
            store.append(batch)
        for log in (store.log, store.log.at(DAY + dt.timedelta(minutes=minute))):
            compiled = {(row.pop("service"), row.pop("stream_id")): alike(row) for row in ea.state_at(log, projection)}
            assert {key: alike(row) for key, row in by_key(reduced(log, same, every=False)).items()} == compiled


@LAWS
@given(histories(), st.sampled_from([1, 2, 50_000]))
def test_there_is_a_row_for_every_event_and_the_last_that_live_are_the_state(batches, size):
    with tempfile.TemporaryDirectory() as folder, ea.Store.create(f"{folder}/store") as store, Small(size):
        for batch in batches:
            store.append(batch)
        found = reduced(store.log, same, every=True)
        versions = rows(found)
        assert [alike(row) for row in versions] == [alike(row) for row in folded(store.log, same)]
        last = [row for row in versions if row["$next_at"] is None and row["$live"]]
        assert [alike(state_of(row)) for row in last] == [
            alike(row) for row in rows(reduced(store.log, same, every=False))
        ]
        for service, stream in {(row["service"], row["stream_id"]) for row in versions}:
            one = rows(reduced(store.log, same, every=True, key=(service, stream)))
            own = [row for row in versions if (row["service"], row["stream_id"]) == (service, stream)]
            assert list(map(alike, one)) == list(map(alike, own))


class Small:
    """Make files end after a few rows."""

    def __init__(self, rows):
        self.patch = pytest.MonkeyPatch()
        self.rows = rows

    def __enter__(self):
        self.patch.setattr(_rows, "_ROWS", self.rows)
        self.patch.setattr(_rows, "_FILE_ROWS", 2 * self.rows)

    def __exit__(self, *_):
        self.patch.undo()


VALUES = {
    "flag": st.booleans(),
    "whole": st.integers(-(2**70), 2**70),
    "number": st.floats(allow_nan=False, width=64),
    "money": st.decimals(-(10**9), 10**9, places=2),
    "fine": st.decimals(-9, 9, places=6),
    "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    "raw": st.binary(max_size=3),
    "day": st.dates(),
    "at": st.datetimes(timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=5))])),
    "local": st.datetimes(),
    "clock": st.times(),
    "id": st.uuids(),
    "none": st.none(),
}


@st.composite
def columns(draw):
    """States with columns of some kinds of values, alone and together."""
    kinds = draw(st.lists(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3), min_size=1, max_size=3))
    one = {f"c {n}": st.one_of(*(VALUES[kind] for kind in found)) for n, found in enumerate(kinds)}
    return draw(st.lists(st.fixed_dictionaries({}, optional=one), min_size=1, max_size=6))


@LAWS
@given(columns(), st.sampled_from([1, 2, 3]))
def test_types_and_values_do_not_depend_on_where_files_end(values, size):
    with tempfile.TemporaryDirectory() as folder, ea.Store.create(f"{folder}/store") as store:
        whole = states(store, *values)
        with Small(size):
            cut = reduced(store.log, _giving(values), every=False)
        assert types(cut) == types(whole)
        assert rows(cut) == rows(whole)
        assert cut.columns == whole.columns


def _giving(values):
    return Reducer("given", lambda _, event: values[int(event.stream_id[2:])], 0)


def test_the_widest_number_decides_wherever_it_stands(store):
    for number, values in enumerate([(Decimal("1.50"), Decimal("12345678901234567.25")), (Decimal("1.5"), 2**70)]):
        store.append([event(f"s-{n}", "T", number) for n in range(2)])
        with Small(1):
            found = reduced(store.log, _giving([{"n": value} for value in values]), every=False)
        assert types(found)["n"].startswith("DECIMAL(38,")
        assert [row["n"] for row in rows(found)] == list(values)


@LAWS
@given(st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.lists(VALUES[kind], min_size=1, max_size=5)))
def test_values_of_one_kind_come_back_as_they_were(values):
    with tempfile.TemporaryDirectory() as folder, ea.Store.create(f"{folder}/store") as store:
        found = [row["state"] for row in rows(states(store, *values))]
        assert found == [str(value) if isinstance(value, uuid.UUID) and isinstance(got, str) else value
                         for value, got in zip(values, found, strict=True)]  # fmt: skip


def test_payloads_are_what_a_result_gives(store):
    for data in PAYLOADS:
        seen = []
        store.append([event("s", "T", n, **one) for n, one in enumerate(data)], stream=None)

        @reducer("seeing", initial=0)
        def seeing(state, event, seen=seen):
            seen.append(event.data)
            return state

        reduced(store.log, seeing, every=False)
        assert [exact(one) for one in seen] == [exact(row["data"]) for row in store.log.events()]


PAYLOADS = [
    [{"n": 1, "t": "a", "f": 1.5, "b": True, "x": None}, {"o": {"l": [1, 2.5, "x", {"k": None}]}, "e": {}, "l": []}],
    [{"n": 2.0}, {"n": "3"}, {"n": [1, [2]]}, {"n": {"k": 1e300}}],
    [{"price": Decimal("1.50"), "at": DAY, "day": DAY.date()}, {"price": Decimal("2.75"), "day": None}],
    [{"price": Decimal("1.500"), "f": 2.0, "lines": [{"p": Decimal("2.5"), "f": 1.0}]}],
    [{"count": Decimal(5)}, {"count": Decimal(12)}],
    [{"at": "text where others have instants"}],
    [{"raw": b"\x00\xff"}],
]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.5, 2.0, 1e300]) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=5,
)
TYPED = st.sampled_from([Decimal("1.50"), Decimal("1.25"), DAY, DAY.date(), 2.0, 3, "2026-01-01", True, b"x", None])
DATA = st.lists(st.dictionaries(st.sampled_from("abc"), JSON, max_size=3), min_size=1, max_size=4) | st.sampled_from(
    "abc"
).flatmap(lambda name: TYPED.map(lambda value: [{name: value, "list": [value, value], "in": {"side": value}}] * 2))


@settings(LAWS, max_examples=8)
@given(st.lists(DATA, min_size=1, max_size=3))
def test_arbitrary_payloads_are_what_a_result_gives(batches):
    with tempfile.TemporaryDirectory() as folder, ea.Store.create(f"{folder}/store") as store:
        for n, data in enumerate(batches):
            store.append([event("s", "T", n, **one) for one in data])
        seen = []
        reduced(store.log, Reducer("r", lambda state, event: seen.append(event.data) or state, 0), every=False)
        assert [exact(one) for one in seen] == [exact(row["data"]) for row in store.log.events()]


def exact(value):
    """A value with its types; instants in UTC, whichever object says so."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return type(value), value.astimezone(dt.UTC).isoformat() if isinstance(value, dt.datetime) else str(value)


def test_an_event_has_the_envelope_as_attributes_and_items(store):
    store.append([{**event("s", n=1), "version": 3, "correlation_id": "c", "metadata": {"user": "u"}}])
    seen = []

    @reducer("r", initial=0)
    def looking(state, event):
        seen.append(event)
        return state

    reduced(store.log, looking, every=False)
    (stored,) = store.log.events()
    assert {name: getattr(seen[0], name) for name in stored} == stored == {name: seen[0][name] for name in stored}
    assert re.fullmatch(r"<event '\w+': T, stream='s', service='default', position=1>", repr(seen[0]))
    with pytest.raises(AttributeError, match="an event has no 'amount'; it has position, "):
        _ = seen[0].amount
    with pytest.raises(KeyError):
        _ = seen[0]["amount"]
    with pytest.raises(AttributeError):
        del seen[0].nothing


def test_a_state_changed_in_place_does_not_leak(store):
    store.append([event(stream, n=n, minute=n) for stream in "ab" for n in range(3)])
    versions = rows(reduced(store.log, Reducer("r", _changing, {"seen": [], "by": {"n": {}}}), every=True))
    assert [row["seen"] for row in versions] == [[0], [0, 1], [0, 1, 2]] * 2
    assert [row["by"]["n"]["last"] for row in versions] == [0, 1, 2] * 2


def _changing(state, event):
    state["seen"].append(event.data["n"])
    state["by"]["n"]["last"] = event.data["n"]
    return state


def test_delete_ends_an_entity_and_a_later_event_begins_it_anew(store):
    types_ = ["T", "T", "End", "T", "End"]
    store.append([event("a", type_, n) for n, type_ in enumerate(types_)] + [event("b"), event("c", "End", 9)])

    @reducer("r", initial=dict)
    def counting(state, event):
        return delete if event.type == "End" else {"n": state.get("n", 0) + 1}

    assert by_key(reduced(store.log, counting, every=False)) == {("default", "b"): {"n": 1}}
    versions = rows(reduced(store.log, counting, every=True))
    assert [(row["n"], row["$live"]) for row in versions] == [
        (1, True), (2, True), (None, False), (1, True), (None, False), (1, True), (None, False)
    ]  # fmt: skip


def test_none_is_no_state(store):
    store.append([event("a")])
    with pytest.raises(ReducerError, match=r"returned None instead of the state .*; return the state") as caught:
        reduced(store.log, Reducer("r", lambda _state, _event: None, {}), every=False)
    assert caught.value.args[:4] == ("r", "default", "a", 1)


def test_an_error_names_the_event_and_keeps_its_cause(store):
    store.append([event("a"), event("b", "Paid", 1, bad="x")])
    with pytest.raises(ReducerError, match=r"'r' raised KeyError: 'x' at event .*Paid, position 2.*'b'") as caught:
        reduced(store.log, Reducer("r", reducers.failing, {"n": 0}), every=False)
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.args[6] == DAY + dt.timedelta(minutes=1)
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize("size", [1, 3, 50_000])
def test_streams_that_fail_are_set_aside_whole(store, every, size):
    store.append([event(s, n=n, minute=n, bad=s in "bd" and n == 3) for s in "abcde" for n in range(5)])
    definition = Reducer("r", reducers.failing, {"n": 0}, "set_aside")
    with Small(size), pytest.warns(UserWarning, match=r"set 2 streams aside; the first: .* 'b' ") as caught:
        found = reduced(store.log, definition, every=every)
    assert caught[0].filename == __file__
    assert [row["stream_id"] for row in rows(found)] == [s for s in "ace" for _ in range(5 if every else 1)]


def test_a_state_that_no_table_can_hold_sets_its_stream_aside_too(store):
    store.append([event("a"), event("b")])
    definition = Reducer("r", lambda _, event: {1} if event.stream_id == "a" else 1, 0, "set_aside")
    with pytest.warns(UserWarning, match="set 1 stream aside; .* gave column 'state' a value of type set"):
        assert [row["stream_id"] for row in rows(reduced(store.log, definition, every=False))] == ["b"]


def test_nothing_left_is_an_empty_answer(store):
    found = reduced(store.log, same, every=True)
    assert (found.columns, found.files, rows(found)) == ((), (), [])
    assert list(types(found)) == [
        *("service", "stream_id", "$effective_at", "$version", "$position", "$event_id", "$type", "$live", "$next_at")
    ]
    store.append([event("a", "Delete")])
    assert rows(reduced(store.log, same, every=False)) == []


MANY = {str(n): n for n in range(65)}


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("values", "type_", "expected"),
    [
        ([1, 2], "BIGINT", [1, 2]),
        ([1, 2.5, None], "DOUBLE", [1.0, 2.5, None]),
        ([1, Decimal("2.50")], "DECIMAL(38,2)", [Decimal(1), Decimal("2.5")]),
        ([Decimal("1.5"), Decimal("2.255")], "DECIMAL(18,3)", [Decimal("1.5"), Decimal("2.255")]),
        ([2**63, 1], "DECIMAL(38,0)", [Decimal(2**63), Decimal(1)]),
        ([Decimal("1" * 38), Decimal("0.01")], "DOUBLE", [float("1" * 38), 0.01]),
        ([Decimal("1" * 38), Decimal("0.01"), "x"], "VARCHAR", ["1" * 38, "0.01", '"x"']),
        ([1, "1", True, None], "VARCHAR", ["1", '"1"', "true", None]),
        ([DAY, DAY.date()], "TIMESTAMP WITH TIME ZONE", [DAY, dt.datetime(2026, 1, 31, tzinfo=dt.UTC)]),
        ([DAY, "x"], "VARCHAR", ['"2026-01-31 23:58:00+00"', '"x"']),
        ([None, None], "VARCHAR", [None, None]),
        ([np.int64(3), np.float64(1.5)], "DOUBLE", [3.0, 1.5]),
        ([np.array([1, 2])], "BIGINT[]", [[1, 2]]),
        ([pd.Timestamp(DAY), pd.NaT], "TIMESTAMP WITH TIME ZONE", [DAY, None]),
        ([Colour.RED], "VARCHAR", ["red"]),
        ([[1, None], [], [2.5]], "DOUBLE[]", [[1.0, None], [], [2.5]]),
        ([[1], ["x"]], "JSON[]", [["1"], ['"x"']]),
        ([[1], "x", {"a": 1}], "VARCHAR", ["[1]", '"x"', '{"a":1}']),
        ([[], []], "VARCHAR[]", [[], []]),
        (
            [{"k": [{"a": Decimal("12345678901234567.25"), "at": DAY}]}, {"k": [{"b": None, "é \"'": "é \"'\n"}]}],
            None,
            [
                [{"a": Decimal("12345678901234567.25"), "at": DAY, "b": None, "é \"'": None}],
                [{"a": None, "at": None, "b": None, "é \"'": "é \"'\n"}],
            ],
        ),
        ([{"k": MANY}], "VARCHAR", [json.dumps(MANY, separators=(",", ":"))]),
        ([{"k": {"a": 1, "A": 2}}, {"k": {}}], "VARCHAR", ['{"a":1,"A":2}', "{}"]),
        ([{"k": {"": 1}}], "VARCHAR", ['{"":1}']),
    ],
)  # fmt: skip
def test_a_column_has_one_type(store, values, type_, expected):
    found = states(store, *values)
    (name,) = found.columns or ["state"]
    assert types(found)[name] == (type_ or types(found)[name])
    assert [row[name] for row in rows(found)] == expected


def test_a_dataclass_gives_its_fields_and_a_tuple_a_list(store):
    found = states(store, Order(Decimal("1.50"), [("a", 1)]), Order())
    assert found.columns == ("total", "lines")
    assert [(row["total"], row["lines"]) for row in rows(found)] == [(Decimal("1.5"), [['"a"', "1"]]), (Decimal(0), [])]


@pytest.mark.parametrize("value", [7, "text", [1, 2], Decimal("1.50")])
def test_a_state_without_parts_is_one_column(store, value):
    store.append([event("a")])
    found = reduced(store.log, Reducer("r", lambda _state, _event: value, None), every=False)
    assert found.columns == ("state",)
    assert [row["state"] for row in rows(found)] == [value]


def test_columns_stand_in_the_order_of_their_first_appearance(store):
    assert states(store, {"z": 1}, {"b": None, "a": 1}, {"z": 1, "0": 2}).columns == ("z", "b", "a", "0")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"tags": {1, 2}}, "gave column 'tags' a value of type set .*; give what JSON has"),
        ({"tags": [object()]}, "gave column 'tags' a value of type object"),
        ({"for": dt.timedelta(1)}, "a value of type timedelta"),
        ({"n": 10**38}, "gave column 'n' a number of more than 38 digits .*; round it"),
        ({"n": Decimal("NaN")}, "the Decimal NaN"),
        ({"t": "\ud800"}, "text that is not valid Unicode"),
        ({"t": {"\ud800": 1}}, "text that is not valid Unicode"),
        ({"t": {1: 2}}, "a mapping with a key of type int"),
        ({"t": [b"x"]}, "bytes in a list or a mapping"),
        ({"service": 1}, "gave a column 'service', and every row has one already"),
        ({"Stream_ID": 1}, "gave a column 'Stream_ID', and"),
        ({"$live": 1}, r"gave a column '\$live', and"),
        ({"a": 1, "A": 2}, "gave columns 'a' and 'A', which differ only in case .*; rename one of them"),
        ({1: 2}, "gave a state with the key 1"),
        ({"": 2}, "gave a state with the key ''"),
        ({"a\0b": 2}, "no text that a table can have"),
        ({"\ud800": 2}, "text that is not valid Unicode"),
    ],
)
def test_what_no_table_can_hold_is_refused_with_its_column(store, value, text):
    with pytest.raises(ReducerError, match=text):
        states(store, value)


def test_a_state_that_holds_itself_is_refused(store):
    endless = []
    endless.append(endless)
    with pytest.raises(ReducerError, match="nested too deep, or holds itself"):
        states(store, endless)


def test_files_live_as_long_as_the_answer(store):
    found = states(store, 1)
    path = found.files[0]
    assert open(path, "rb").read(4) == b"PAR1"  # noqa: SIM115, PTH123
    del found
    with pytest.raises(FileNotFoundError):
        open(path)  # noqa: SIM115, PTH123


def test_a_long_stream_takes_bounded_memory(store):
    store.append(duckdb.sql("SELECT 's' AS stream_id, 'T' AS type, i AS version, "
                            "TIMESTAMPTZ '2026-01-01' + to_seconds(i) AS occurred_at, {'n': i} AS data "
                            "FROM range(1, 100_001) t(i)"))  # fmt: skip
    store_log = store.log

    @reducer("sums", initial={"sum": 0})
    def sums(state, event):
        state["sum"] += event.data["n"]
        return state

    tracemalloc.start()
    try:
        found = reduced(store_log, sums, every=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    last = duckdb.sql(f'SELECT count(*), max("sum") FROM ({sql.text(found.tree())})').fetchall()
    assert last == [(100_000, 100_000 * 100_001 // 2)]
    assert peak < 30 * 2**20


def test_a_reducer_in_two_processes_gives_the_same(store):
    kinds = ["Set", "Add", "Delete", "Other"]
    store.append(
        [
            event(f"s-{s}", kinds[(s * n) % 4], n, n=n, price=Decimal("1.25"), status="x")
            for s in range(40)
            for n in range(9)
        ]
    )
    store.append([event("s-1", "Set", 3, n=1)])
    for every in (True, False):
        one, two = reduced(store.log, same, every=every), reduced(store.log, reducers.in_two, every=every)
        assert rows(one) == rows(two)
        assert (one.columns, types(one)) == (two.columns, types(two))
        assert len(two.files) == 2


def test_errors_come_back_from_other_processes(store):
    store.append([event(s, n=n, minute=n, bad=s == "b" and n == 3) for s in "abcde" for n in range(5)])
    with pytest.raises(ReducerError, match=r"raised KeyError: True at event .* stream 'b'") as caught:
        reduced(store.log, reducers.breaking, every=False)
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.warns(UserWarning, match=r"set 1 stream aside; the first: .* 'b' "):
        assert len(rows(reduced(store.log, reducers.setting_aside, every=True))) == 20


def test_a_process_that_dies_is_an_error(store):
    store.append([event("a", exit=True)])
    with pytest.raises(EngineError, match=r"'breaking' ended without an answer \(exit code 3\)"):
        reduced(store.log, reducers.breaking, every=False)


def test_a_reducer_that_cannot_be_imported_stays_in_one_process(store):
    store.append([event("a")])
    hidden = dataclasses.replace(same, processes=2)
    with pytest.raises(UnsupportedError, match=re.escape("put it at the top of a module (a .py file), or run it with")):
        reduced(store.log, hidden, every=False)
