"""Traces: what caused what, over services."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.analysis._causes import forest
from esanalytics.analysis._tracing import MOST, MOST_TEXT, traced

_START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
_ALERT = "<img src=x onerror=alert(1)>"


def event(event_id, cause=None, correlation=None, *, second=0, service="orders", data=None):
    return {
        "event_id": event_id,
        "service": service,
        "stream_id": f"stream-{service}",
        "type": "Happened",
        "occurred_at": _START + dt.timedelta(seconds=second),
        "correlation_id": correlation,
        "causation_id": cause,
        "data": data or {},
    }


def store_of(tmp_path, *events):
    store = ea.Store.create(tmp_path / "store")
    store.append(list(events))
    return store


def shape(found):
    return [(node.event_id, node.depth, node.kind) for node in found.nodes]


@st.composite
def logs(draw):
    """Draw events whose causes are others, themselves, missing ones or none."""
    count = draw(st.integers(1, 9))
    names = [f"e{n}" for n in range(count)]
    causes = draw(st.lists(st.sampled_from([*names, "gone", "lost", None, None]), min_size=count, max_size=count))
    seconds = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    return [event(name, cause, second=s) for name, cause, s in zip(names, causes, seconds, strict=True)]


def walked(events, start):
    """Walk in plain Python over everything that hangs together with an event."""
    cause_of = {found["event_id"]: found["causation_id"] for found in events}
    ancestors = [start]
    while (cause := cause_of.get(ancestors[-1])) is not None and cause not in ancestors:
        ancestors.append(cause)
    reached = set(ancestors)
    while more := {name for name, cause in cause_of.items() if cause in reached} - reached:
        reached |= more
    return reached, {name for name in reached if name not in cause_of}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=logs(), data=st.data())
def test_the_tree_of_an_event_is_what_a_walk_in_python_finds(tmp_path_factory, events, data):
    store = store_of(tmp_path_factory.mktemp("walk"), *events)
    start = data.draw(st.sampled_from(events))["event_id"]
    found = traced(store, event_id=start)
    reached, missing = walked(events, start)
    assert {node.event_id for node in found.nodes} == reached
    assert {node.event_id for node in found.nodes if node.kind == "missing"} == missing
    assert len(found.nodes) == len(reached)
    assert found.total == len(reached - missing)
    holds_together(found, events)


def holds_together(found, events):
    cause_of = {one["event_id"]: one["causation_id"] for one in events}
    for node in found.nodes:
        if node.parent is None:
            assert node.depth == 0
            assert node.is_cycle == (cause_of.get(node.event_id) is not None)
            continue
        above = found.nodes[node.parent]
        assert above.number == node.parent < node.number
        assert node.depth == above.depth + 1
        assert above.event_id == cause_of[node.event_id]
        assert node.gap == (None if above.at is None else node.at - above.at)
    assert [node.effects for node in found.nodes] == [
        sum(other.parent == node.number for other in found.nodes) for node in found.nodes
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 12)), max_size=12))
def test_every_event_has_one_place_in_a_forest_whatever_the_causes(causes):
    names = [f"e{n}" for n in range(len(causes))]
    found = forest(names, [None if cause is None else f"e{cause}" for cause in causes])
    rows = [spot.row for spot in found.spots if spot.row is not None]
    assert sorted(rows) == list(range(len(causes)))
    for name in names:
        tree = found.only(name)
        assert sum(spot.event_id == name for spot in tree.spots) == 1
        assert all(spot.parent is None or tree.spots[spot.parent].depth == spot.depth - 1 for spot in tree.spots)


def test_the_order_is_that_of_the_tree_and_effects_go_by_time(tmp_path):
    store = store_of(
        tmp_path,
        event("root", second=0),
        event("late", "root", second=9),
        event("early", "root", second=1),
        event("leaf", "late", second=10, service="payments"),
    )
    found = traced(store, event_id="leaf")
    assert shape(found) == [("root", 0, "event"), ("early", 1, "event"), ("late", 1, "event"), ("leaf", 2, "event")]
    assert [node.gap for node in found.nodes] == [None, 1_000_000, 9_000_000, 1_000_000]
    assert found.services == ("orders", "payments")
    assert found.title == "event leaf"


def test_an_event_with_a_correlation_has_the_tree_of_its_correlation(tmp_path):
    store = store_of(
        tmp_path,
        event("a", correlation="c"),
        event("b", "a", "c", second=1),
        event("alone", correlation="c", second=2),
        event("other", "a", "d", second=3),
    )
    by_event, by_correlation = traced(store, event_id="b"), traced(store, correlation_id="c")
    assert shape(by_event) == shape(by_correlation) == [("a", 0, "event"), ("b", 1, "event"), ("alone", 0, "event")]
    assert (by_event.event_id, by_event.correlation_id) == ("b", "c")


def test_a_cause_in_another_correlation_is_shown_as_one(tmp_path):
    store = store_of(tmp_path, event("a", "gone", "other"), event("b", "a", "c", second=1))
    found = traced(store, correlation_id="c")
    assert [(node.event_id, node.is_outside) for node in found.nodes] == [("a", True), ("b", False)]
    assert found.total == 1
    assert found.note == ""


def test_a_missing_cause_has_all_its_effects_under_it(tmp_path):
    store = store_of(
        tmp_path, event("a", "gone", "c", second=1), event("x", None, "c", second=2), event("b", "gone", "c", second=3)
    )
    found = traced(store, correlation_id="c")
    assert shape(found) == [("gone", 0, "missing"), ("a", 1, "event"), ("b", 1, "event"), ("x", 0, "event")]
    assert found.nodes[0].event is None
    assert found.nodes[1].gap is None


def test_a_cause_that_the_view_leaves_out_is_missing(tmp_path):
    store = store_of(tmp_path, event("a"), event("b", "a", second=1))
    found = traced(store.log.without(["a"]), event_id="b")
    assert shape(found) == [("a", 0, "missing"), ("b", 1, "event")]


def test_a_circle_is_marked_and_does_not_hang(tmp_path):
    store = store_of(tmp_path, event("a", "c"), event("b", "a", second=1), event("c", "b", second=2), event("d", "d"))
    circle, alone = traced(store, event_id="b"), traced(store, event_id="d")
    assert [(node.event_id, node.depth, node.is_cycle) for node in circle.nodes] == [
        ("a", 0, True),
        ("b", 1, False),
        ("c", 2, False),
    ]
    assert [(node.event_id, node.is_cycle, node.effects) for node in alone.nodes] == [("d", True, 0)]


def test_a_clock_that_ran_backwards_gives_a_negative_gap(tmp_path):
    found = traced(
        store_of(tmp_path, event("a", second=5), event("b", "a", second=3, service="payments")), event_id="b"
    )
    assert found.nodes[1].gap == -2_000_000
    assert found.span == (int(_START.timestamp() * 1e6) + 3_000_000, int(_START.timestamp() * 1e6) + 5_000_000)


def test_a_long_chain_and_a_wide_fan_are_cut_with_a_note(tmp_path):
    chain = [event("n0"), *(event(f"n{n}", f"n{n - 1}", second=n) for n in range(1, MOST + 50))]
    found = traced(store_of(tmp_path, *chain), event_id="n7")
    assert len(found.nodes) == MOST + 1
    assert found.nodes[-1].depth == MOST
    assert found.total == MOST + 50
    assert "49 are left out" in found.note


def test_a_correlation_of_many_events_is_cut_with_a_note(tmp_path):
    store = store_of(tmp_path, *(event(f"n{n}", correlation="c", second=n) for n in range(MOST + 3)))
    found = traced(store, correlation_id="c")
    assert len(found.nodes) == MOST
    assert found.note == f"the first {MOST:,} of {MOST + 3:,} events in time; 3 are left out"


def test_a_large_payload_is_cut_in_the_node_and_whole_in_the_events(tmp_path):
    store = store_of(tmp_path, event("a", data={"text": "x" * 5_000_000}))
    found = traced(store, event_id="a")
    assert len(found.nodes[0].event["data"]) == MOST_TEXT
    assert found.nodes[0].size > 5_000_000
    assert len(found.events().arrow()["data"][0].as_py()) > 5_000_000


def test_an_unknown_id_is_refused_with_the_nearest(tmp_path):
    store = store_of(tmp_path, event("order-event-1", correlation="order-1"), event("order-event-2"))
    with pytest.raises(ea.errors.StoreError, match="no event with the event id 'order-event-3'; there is 'order-event"):
        traced(store, event_id="order-event-3")
    with pytest.raises(ea.errors.StoreError, match="one has it as correlation_id: trace"):
        traced(store, event_id="order-1")
    with pytest.raises(ea.errors.StoreError, match="one has it as event_id: trace"):
        traced(store, correlation_id="order-event-2")
    with pytest.raises(ea.errors.StoreError, match=r"log\.sql\('select correlation_id from events'\)"):
        traced(store, correlation_id=_ALERT)


def test_an_empty_log_has_no_trace(tmp_path):
    with pytest.raises(ea.errors.StoreError, match="no event with the event id 'x'"):
        traced(ea.Store.create(tmp_path / "store"), event_id="x")


@pytest.mark.parametrize("ids", [{}, {"event_id": "a", "correlation_id": "b"}])
def test_exactly_one_id_is_taken(tmp_path, ids):
    with pytest.raises(TypeError, match="give either"):
        traced(ea.Store.create(tmp_path / "store"), **ids)


def test_events_that_share_a_position_are_told_apart_by_their_ids(tmp_path):
    store = store_of(tmp_path, event("e1"), event("e2", "e1", second=1), event("c1", correlation="c"))
    added = {"recorded_at": _START, "type": "Given", "version": None}
    given_ = [
        event("x1", "elsewhere") | added | {"position": 2},
        event("x3", correlation="c") | added | {"position": 3},
    ]
    log = store.log.with_events(given_)
    found = traced(log, event_id="e1")
    assert shape(found) == [("e1", 0, "event"), ("e2", 1, "event")]
    assert (found.total, found.note) == (2, "")
    assert [row["event_id"] for row in found.events()] == ["e1", "e2"]
    found = traced(log, correlation_id="c")
    assert sorted(node.event_id for node in found.nodes) == ["c1", "x3"]
    assert not any(node.is_outside for node in found.nodes)
    assert sorted(row["event_id"] for row in found.events()) == ["c1", "x3"]


def test_the_cause_from_elsewhere_that_shares_a_position_is_there(tmp_path):
    store = store_of(tmp_path, event("e1", correlation="c"), event("e2", "x1", "c", second=1))
    outside = event("x1") | {"recorded_at": _START, "position": 1}
    found = traced(store.log.with_events([outside]), correlation_id="c")
    assert {node.event_id: (node.kind, node.is_outside) for node in found.nodes} == {
        "e1": ("event", False),
        "x1": ("event", True),
        "e2": ("event", False),
    }
