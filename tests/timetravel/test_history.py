"""`history` has every version of every row: its intervals tile the time in which a key lives."""

import itertools
from collections import defaultdict

import pytest
from histories import (
    MINUTE,
    RECORDED,
    START,
    Reference,
    alike,
    at_instant,
    histories,
    in_order,
    instants,
    keys_of,
    known,
    law,
    placed,
    projections,
    rows,
    some_instant,
    spans,
    store_of,
)
from hypothesis import given
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.errors import UnsupportedError


@law(3)
@given(batches=histories(), projection=projections(), data=st.data())
def test_the_versions_of_a_key_tile_its_life_and_those_of_an_instant_are_the_state(tmp_path, batches, projection, data):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(projection, events)
    found = spans(ea.history(store, projection), projection)
    by_key = defaultdict(list)
    for key, _, begin, end, *_ in found:
        by_key[key].append((begin, end))
    for lives in by_key.values():
        assert all(end is None or begin < end for begin, end in lives)
        ordered = sorted(lives)
        assert all(end is not None and end <= begin for (_, end), (begin, _) in itertools.pairwise(ordered))
    for at in instants(events):
        assert alike(at_instant(found, at), wanted.state(at)), at
    at = data.draw(st.sampled_from(instants(events)))
    assert alike(at_instant(found, at), rows(ea.state_at(store, projection, at), projection))


@law(3)
@given(batches=histories(), projection=projections())
def test_each_version_is_what_one_event_made_and_says_which(tmp_path, batches, projection):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(projection, events)
    found = {grain: spans(ea.history(store, projection, grain=grain), projection) for grain in ("event", "instant")}
    for grain, versions in found.items():
        assert alike(in_order(versions), in_order(wanted.history(grain=grain))), grain
    by_id = {event["event_id"]: event for event in events}
    for key, _, begin, _, event_id, type_, position in found["event"]:
        event = by_id[event_id]
        assert wanted.key(event) == key
        assert (event["effective_at"], event["type"], event["position"]) == (begin, type_, position)
    last = [row for row in found["event"] if row[2] != row[3]]
    assert alike(in_order(last), in_order(found["instant"]))


@law(3)
@given(
    batches=histories(),
    projection=projections(),
    window=st.tuples(some_instant(), some_instant()),
    grain=st.sampled_from(["instant", "event"]),
)
def test_windows_of_a_history_compose(tmp_path, batches, projection, window, grain):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(projection, events)
    since, until = window
    whole = spans(ea.history(store, projection, until=until, grain=grain), projection)
    assert alike(in_order(whole), in_order(wanted.history(until=until, grain=grain)))
    found = spans(ea.history(store, projection, since=since, until=until, grain=grain), projection)
    assert alike(in_order(found), in_order([row for row in whole if row[2] > since]))
    open_ended = spans(ea.history(store, projection, since=until, grain=grain), projection)
    assert alike(in_order(open_ended), in_order(wanted.history(since=until, grain=grain)))
    key = wanted.key(events[0])
    one = spans(ea.history(store, projection, key=key, since=since, until=until, grain=grain), projection)
    assert alike(in_order(one), in_order([row for row in found if row[0] == key]))


@law(2)
@given(batches=histories(), projection=projections(), minutes=st.integers(-1, 9), until=st.none() | some_instant())
def test_the_history_as_it_was_known_is_that_of_a_store_that_has_no_more(tmp_path, batches, projection, minutes, until):
    store, events = store_of(tmp_path, batches), placed(batches)
    known_at = RECORDED + minutes * MINUTE
    found = spans(ea.history(store, projection, known_at=known_at, until=until), projection)
    assert alike(in_order(found), in_order(Reference(projection, known(events, known_at)).history(until=until)))
    cut = [[row for row in batch if row["recorded_at"] <= known_at] for batch in batches]
    then = store_of(tmp_path, [batch for batch in cut if batch])
    assert alike(in_order(spans(ea.history(then, projection, until=until), projection)), in_order(found))


# Examples

orders = ea.Projection(
    "orders",
    "stream_id",
    {
        "Placed": {"status": "placed", "total": ea.field("amount", "BIGINT")},
        "Added": {"total": ea.add(ea.field("amount", "BIGINT"))},
        "Deleted": ea.delete,
    },
)


@pytest.fixture
def store(tmp_path):
    return store_of(tmp_path, [])


def order(minute, type_, **data):
    return {"stream_id": "o", "type": type_, "occurred_at": START + minute * MINUTE, "data": data}


def test_a_deletion_ends_a_row_and_a_later_event_begins_another(store):
    store.append([order(1, "Placed", amount=5), order(2, "Deleted"), order(4, "Added", amount=2)])
    found = ea.history(store, orders).order_by("valid_from")
    assert found.columns == (
        "stream_id",
        "status",
        "total",
        "valid_from",
        "valid_to",
        "event_id",
        "type",
        "position",
    )
    assert [(row["total"], row["status"], row["valid_from"], row["valid_to"]) for row in found] == [
        (5, "placed", START + MINUTE, START + 2 * MINUTE),
        (2, None, START + 4 * MINUTE, None),
    ]


def test_an_entity_that_begins_and_ends_at_one_instant_has_no_version_but_its_events_do(store):
    store.append([order(1, "Placed", amount=5), order(1, "Deleted"), order(1, "Added", amount=1), order(1, "Deleted")])
    assert len(ea.history(store, orders)) == 0
    found = ea.history(store, orders, grain="event").order_by("position")
    assert [(row["position"], row["total"], row["valid_from"] == row["valid_to"]) for row in found] == [
        (1, 5, True),
        (3, 1, True),
    ]


def test_columns_of_a_history_give_way_to_those_of_the_projection(store):
    taken = ea.Projection("p", {"Type": ea.stream_id}, {"*": {"valid_to": ea.field("amount"), "position_": 1}})
    store.append([order(1, "Placed", amount=5)])
    assert ea.history(store, taken).columns == (
        "Type",
        "valid_to",
        "position_",
        "valid_from",
        "valid_to_",
        "event_id",
        "type_",
        "position",
    )
    assert [row["type_"] for row in ea.history(store, taken)] == ["Placed"]


def test_an_unknown_key_has_an_empty_history(store):
    store.append([order(1, "Placed", amount=5)])
    assert ea.history(store, orders, key="nobody").df().empty
    assert ea.history(store, orders, key="o", since=START + MINUTE).df().empty


def test_an_empty_store_has_an_empty_history(store):
    assert list(ea.history(store, orders)) == []
    assert ea.history(store, orders).columns[:1] == keys_of(orders)


def test_an_unknown_grain_is_refused_by_name(store):
    with pytest.raises(UnsupportedError, match=r"grain='day'.*'instant' or 'event'"):
        ea.history(store, orders, grain="day")


def test_a_window_that_is_none_is_refused_when_it_is_asked(store):
    with pytest.raises(ValueError, match="not an instant"):
        ea.history(store, orders, since="yesterday")
    with pytest.raises(ValueError, match="not an instant"):
        ea.history(store, orders, until="tomorrow")
