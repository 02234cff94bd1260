"""Corners of time travel that generated histories seldom reach, each with the answer worked out by hand."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import esanalytics as ea
from esanalytics.errors import CompileError, EngineError, ProjectionError, UnsupportedError

X = ea.field("x", "BIGINT")
LAST = ea.Projection("last", key="stream_id", on={"A": {"x": X}})


def event(day, stream, type_="A", version=None, **data):
    return {"stream_id": stream, "type": type_, "occurred_at": f"2024-01-{day:02d}", "version": version, "data": data}


@pytest.fixture
def store(tmp_path):
    with ea.Store.create(tmp_path / "store") as store:
        yield store


def test_a_refresh_beside_a_skewed_stream_keeps_the_orders_that_late_events_need(store):
    kept = ea.Projection("p", key="stream_id", on={"A": {"x": X}, "B": {"y": ea.keep(X)}})
    store.append([event(5, "u", x=1), event(10, "v", "B", 1, x=0), event(9, "v", "B", 3, x=3)])
    ea.snapshot(store, kept)
    store.append([event(12, "u", "B", x=5), event(12, "v", "B", 2, x=9)])
    ea.refresh(store, kept)
    store.append([event(7, "u", x=2)])
    [row] = ea.state_at(store, kept, key="u")
    assert row == {"stream_id": "u", "x": 2, "y": 5}
    assert [r for r in ea.state_at(store, kept) if r["stream_id"] == "u"] == [row]


def test_a_list_of_objects_goes_into_a_snapshot_and_comes_out_as_it_was(store):
    listed = ea.Projection("o", key="stream_id", on={"A": {"list": ea.append(ea.field("o")), "one": ea.field("o")}})
    store.append([event(1, "a", o={"a": 1}), event(2, "a", o={"b": [1, 2]})])
    expected = list(ea.state_at(store, listed))
    ea.snapshot(store, listed, at="2024-01-01")
    found = ea.state_at(store, listed)
    assert "snapshots" in found.sql
    assert list(found) == expected == [{"stream_id": "a", "list": [{"a": 1}, {"b": [1, 2]}], "one": {"b": [1, 2]}}]


def test_a_key_may_be_called_as_the_library_calls_its_own_steps(store):
    named = ea.Projection("q", key="among", on={"A": {"moves": ea.add(X), "events": ea.count}})
    store.append([event(1, "a", among="h", x=1)])
    ea.snapshot(store, named)
    store.append([event(2, "b", among="h", x=1)])
    assert list(ea.state_at(store, named)) == [{"among": "h", "moves": 2, "events": 2}]


@pytest.mark.parametrize("change", [{"at": "2024-01-02T00:00:00.000000Z"}, {"position": "1"}, {"rows": "many"}])
def test_a_changed_manifest_is_passed_over_with_a_warning(store, change):
    total = ea.Projection("p", key="stream_id", on={"A": {"s": ea.add(X)}})
    store.append([event(1, "a", x=2), event(2, "a", x=5)])
    manifest = Path(ea.snapshot(store, total, at="2024-01-01").path).with_suffix(".json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    with pytest.warns(UserWarning, match=manifest.name):
        assert list(ea.state_at(store, total)) == [{"stream_id": "a", "s": 7}]


def test_names_that_begin_with_a_dollar_are_refused_and_merged_gives_others(store):
    with pytest.raises(ProjectionError, match=r"'\$live' begins with '\$'"):
        ea.Projection("p", key="stream_id", on={"A": {"$live": 1}})
    store.append([event(1, "a", **{"$type": "Ns.A"}), event(2, "a", **{"$type": "Ns.B"})])
    history = ea.history(store, ea.merged(store)).order_by("valid_from")
    assert [(row["data_$type"], row["type"]) for row in history] == [("Ns.A", "A"), ("Ns.B", "A")]
    own = ea.SqlProjection("s", 'select stream_id, 1 as "$n" from events', key="stream_id")
    with pytest.raises(ProjectionError, match=r"begins with '\$'"):
        ea.state_at(store, own)


def test_where_every_event_ends_the_entity_there_is_no_version(store):
    gone = ea.Projection("p", key="stream_id", on={"A": ea.delete})
    store.append([event(1, "a"), event(2, "a")])
    assert list(ea.history(store, gone)) == list(ea.state_at(store, gone)) == []
    assert list(ea.join_asof([{"k": "a", "t": "2024-01-03"}], store, gone, key="k", at="t")) == [
        {"k": "a", "t": "2024-01-03"}
    ]


def test_an_aggregate_in_a_subquery_is_not_about_the_whole_state(store):
    store.append([event(n + 1, f"s{n}", x=n) for n in range(6)])
    assert ea.bisect(store, LAST, "x > (select max(range) from range(3))").after == {"stream_id": "s3", "x": 3}


def test_a_sum_is_followed_from_one_end_of_the_integers_to_the_other(store):
    store.append([event(1, "a", x=-9 * 10**18), event(2, "a", x=9 * 10**18)])
    found = ea.bisect(store, LAST, "sum(x) > 0")
    assert found.event["position"] == 2
    assert found.aggregates == {"SUM(x)": {"before": -9 * 10**18, "after": 9 * 10**18}}


@pytest.mark.parametrize("predicate", ["sum(x) over () > 2", "x > ?"])
def test_a_window_or_a_parameter_in_a_predicate_is_refused_by_name(store, predicate):
    store.append([event(1, "a", x=1)])
    with pytest.raises(CompileError, match="a window or a parameter"):
        ea.bisect(store, LAST, predicate)


def test_what_is_no_predicate_is_refused_with_what_to_give(store):
    with pytest.raises(TypeError, match="give a condition"):
        ea.bisect(store, LAST, 5)


def test_of_nothing_a_bisection_is_never_and_an_explanation_empty(store):
    @ea.reducer("counted", initial={"n": 0})
    def counted(state, _event):
        return {"n": state["n"] + 1}

    assert repr(ea.bisect(store, LAST, "max(x) > 0")) == "never: max(x) > 0"
    assert list(ea.explain(store, ea.merged(store), ("a", "b"))) == []
    store.append([event(1, "a", x=1)])
    assert not ea.bisect(store, counted, "n > 1", key=("default", "nobody"))
    assert list(ea.explain(store, counted, ("default", "nobody"), "n")) == []
    assert list(ea.explain(store, ea.Projection("bare", key="stream_id", on={"A": {}}), "a")) == []


@pytest.mark.parametrize(("key", "text"), [(None, "about one key"), ({"a": 1}, "not a key")])
def test_explain_wants_one_key(store, key, text):
    with pytest.raises(ProjectionError, match=text):
        ea.explain(store, LAST, key)


def test_constants_of_several_types_are_explained_as_they_are(store):
    on = {"A": {"total": X}, "B": {"total": ea.add(X), "weight": 0.5, "word": "placed", "is": True}}
    mixed = ea.Projection("p", "stream_id", on)
    store.append([event(3, "o", x=1), event(4, "o", "B", x=2)])
    found = [(row["column"], row["value"], row["result"]) for row in ea.explain(store, mixed, "o")]
    assert found == [
        ("total", 1, 1),
        ("total", 2, 3),
        ("weight", 0.5, 0.5),
        ("word", "placed", "placed"),
        ("is", True, True),
    ]


@pytest.mark.parametrize("other", ["$k0", "$at", "$row", "A", "c0", "frame"])
def test_a_frame_may_have_columns_called_as_the_library_calls_its_own(store, other):
    store.append([event(1, "a", x=2)])
    frame = pa.table({other: ["2020-01-01"], "a": ["a"], "t": ["2024-01-05"]})
    [row] = ea.join_asof(frame, store, LAST, key="a", at="t")
    assert row == {other: "2020-01-01", "a": "a", "t": "2024-01-05", "x": 2}


def test_a_frame_with_two_columns_of_one_name_is_refused(store):
    frame = pa.table([["a"], ["b"], ["2024-01-01"]], names=["k", "k", "t"])
    with pytest.raises(EngineError, match="two columns called 'k'"):
        ea.join_asof(frame, store, LAST, key="k", at="t")


def test_a_number_finds_the_stream_whose_name_it_is(store):
    store.append([event(1, "1", x=10), event(1, "01", x=20), event(1, "a", x=30)])
    [row] = ea.join_asof([{"k": 1, "t": "2024-01-05"}], store, LAST, key="k", at="t")
    assert row["x"] == 10


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_nanoseconds_before_1970_are_cut_towards_the_past(store, zone):
    times = ["1960-01-01T00:00:00.000001", "1960-01-01T00:00:00.000002"]
    store.append([{**event(1, "a", x=n), "occurred_at": at} for n, at in enumerate(times)])
    at = pd.to_datetime(["1960-01-01T00:00:00.000001500", "1960-01-01T00:00:00.000002"]).tz_localize("UTC")
    frame = pd.DataFrame({"k": ["a", "a"], "t": at.tz_convert(zone)})
    assert [row["x"] for row in ea.join_asof(frame, store, LAST, key="k", at="t")] == [0, 1]


def test_rows_of_sql_have_a_key_each_and_payload_fields_a_cast(store):
    store.append([event(1, "a", x=9), event(2, "a", x=10.5)])
    twice = ea.SqlProjection("twice", "select stream_id, position from events", key="stream_id")
    with pytest.raises(EngineError, match=r"two rows of one key \(stream_id\)"):
        ea.state_at(store, twice).arrow()
    uncast = ea.SqlProjection(
        "s", "select stream_id, max(data.x) as most from events group by stream_id", key="stream_id"
    )
    with pytest.raises(UnsupportedError, match="cast it"):
        ea.state_at(store, uncast)


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) from (select data.x as a from events) where a > 300",
        "with p as (select data.x as a from events) select * from p where a > 3",
        "select data.x as a from events order by a",
        "select data.x as a from events order by 1",
        "select data.x as a, count(*) from events group by a",
        "select data.x as a, count(*) from events group by 1",
        "select distinct data.x from events",
        "select count(*) from events where data.x = 9.0",
        "select count(*) from events where data.x in (9, 10)",
    ],
)
def test_a_payload_field_is_cast_before_it_is_compared_or_handed_on(store, query):
    with pytest.raises(UnsupportedError, match="cast it"):
        store.log.sql(query)


def test_a_payload_field_may_be_shown_and_compared_with_text(store):
    store.append([event(1, "a", x=9, city="Ulm")])
    assert list(store.log.sql("select data.x, data.city as city from events where data.city = 'Ulm'")) == [
        {"x": 9, "city": "Ulm"}
    ]
