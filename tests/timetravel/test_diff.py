"""`diff` is what must be applied to one state to get another, and nothing more."""

import pytest
from histories import (
    MINUTE,
    RECORDED,
    START,
    Reference,
    alike,
    applied,
    changes,
    difference,
    effective,
    histories,
    known,
    law,
    placed,
    projections,
    rows,
    some_instant,
    store_of,
)
from hypothesis import given
from hypothesis import strategies as st

import esanalytics as ea


@law(4)
@given(
    batches=histories(), projection=projections(), pair=st.tuples(some_instant(), some_instant()), same=some_instant()
)
def test_the_difference_applied_to_the_first_state_gives_the_second(tmp_path, batches, projection, pair, same):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(projection, events)
    for before, after in (pair, pair[::-1]):
        found = changes(ea.diff(store, projection, before, after), projection)
        assert alike(applied(found, wanted.state(before)), wanted.state(after))
        assert alike(found, difference(wanted.state(before), wanted.state(after)))
    assert changes(ea.diff(store, projection, same, same), projection) == {}


@law(2)
@given(
    batches=histories(),
    projection=projections(),
    pair=st.tuples(some_instant(), some_instant()),
    minutes=st.integers(0, 9),
)
def test_the_difference_as_it_was_known_is_that_of_the_log_cut_there(tmp_path, batches, projection, pair, minutes):
    store, events = store_of(tmp_path, batches), placed(batches)
    known_at = RECORDED + minutes * MINUTE
    wanted = Reference(projection, known(events, known_at))
    found = changes(ea.diff(store, projection, *pair, known_at=known_at), projection)
    assert alike(found, difference(*(wanted.state(at) for at in pair)))
    key = wanted.key(events[0])
    one = changes(ea.diff(store, projection, *pair, known_at=known_at, key=key), projection)
    assert alike(one, {owner: row for owner, row in found.items() if owner == key})


@law(3)
@given(
    batches=histories(),
    projection=projections(),
    minutes=st.integers(-1, 9),
    type_=st.sampled_from("ABCD"),
    at=st.none() | some_instant(),
)
def test_the_difference_of_two_views_applied_to_the_one_gives_the_other(
    tmp_path, batches, projection, minutes, type_, at
):
    store, events = store_of(tmp_path, batches), placed(batches)
    known_at = RECORDED + minutes * MINUTE
    views = {
        "all": (store.log, events),
        "known": (store.log.known_at(known_at), known(events, known_at)),
        "without": (
            store.log.without(f"type = '{type_}'"),
            effective([event for event in events if event["type"] != type_]),
        ),
    }
    held = Reference(projection, events).held
    for old, new in (("known", "all"), ("all", "without"), ("without", "known")):
        logs = [views[name][0] if at is None else views[name][0].at(at) for name in (old, new)]
        states = [Reference(projection, views[name][1], held).state(at) for name in (old, new)]
        found = changes(ea.diff(store, projection, *logs), projection)
        assert alike(found, difference(*states)), (old, new)
        assert alike(applied(found, rows(ea.state_at(logs[0], projection), projection)), states[1])


# Examples

orders = ea.Projection(
    "orders", "stream_id", {"Set": {"status": ea.field("status"), "what": ea.field("what")}, "Deleted": ea.delete}
)


@pytest.fixture
def store(tmp_path):
    return store_of(tmp_path, [])


def order(minute, type_="Set", stream="o", **data):
    return {"stream_id": stream, "type": type_, "occurred_at": START + minute * MINUTE, "data": data}


def test_a_row_has_its_change_its_column_and_both_values(store):
    store.append([order(1, status="placed", what=[1, 2]), order(2, status="paid", what=[1, 2])])
    store.append([order(3, stream="p", status=None)])
    found = ea.diff(store, orders, START + MINUTE, START + 3 * MINUTE).order_by("stream_id", "column")
    assert found.columns == ("stream_id", "change", "column", "before", "after")
    assert [tuple(row.values()) for row in found] == [
        ("o", "changed", "status", "placed", "paid"),
        ("p", "added", "status", None, None),
        ("p", "added", "what", None, None),
    ]


def test_a_row_that_has_only_its_key_is_added_and_removed(store):
    bare = ea.Projection("bare", "stream_id", {"Set": {}, "Deleted": ea.delete})
    store.append([order(1), order(2, "Deleted")])
    times = [START, START + MINUTE, START + 2 * MINUTE]
    assert [tuple(row.values()) for row in ea.diff(store, bare, *times[:2])] == [("o", "added", None, None, None)]
    assert [tuple(row.values()) for row in ea.diff(store, bare, *times[1:])] == [("o", "removed", None, None, None)]
    assert list(ea.diff(store, bare, times[1], times[1])) == []


def test_an_object_with_its_fields_in_another_order_is_no_difference(store):
    store.append([order(1, what={"a": 1, "b": {"c": None}}), order(2, what={"b": {"c": None}, "a": 1})])
    assert list(ea.diff(store, orders, START + MINUTE, START + 2 * MINUTE)) == []


def test_a_column_whose_type_differs_between_two_views_is_compared_by_value(store):
    store.append([order(1, status="7", what=7), order(1, stream="p", what=1)])
    log = store.log
    store.append([order(2, stream="q", what="text")])
    found = {row["stream_id"] for row in ea.diff(store, orders, log, store.log)}
    assert found == {"q"}


def test_columns_of_a_diff_give_way_to_those_of_the_key(store):
    taken = ea.Projection("p", {"Change": ea.stream_id, "after": ea.type_}, {"*": {"n": 1}})
    store.append([order(1)])
    found = ea.diff(store, taken, START, START + MINUTE)
    assert [tuple(row.items()) for row in found] == [
        (("Change", "o"), ("after", "Set"), ("change_", "added"), ("column", "n"), ("before", None), ("after_", 1))
    ]


def test_an_unknown_key_makes_no_difference(store):
    store.append([order(1)])
    assert ea.diff(store, orders, START, START + MINUTE, key="nobody").df().empty


def test_an_instant_is_not_compared_with_a_view(store):
    with pytest.raises(TypeError, match="two instants or two views"):
        ea.diff(store, orders, START, store.log)
    with pytest.raises(ValueError, match="not an instant"):
        ea.diff(store, orders, START, "tomorrow")
