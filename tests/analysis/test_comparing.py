"""Comparing: what differs between two states, and the events that made it so."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.analysis._comparing import compared

_START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
_ORDERS = ea.Projection(
    "orders",
    key={"order": ea.stream_id},
    on={
        "Placed": {
            "status": "placed",
            "total": ea.field("amount", "DECIMAL(18,2)"),
            "note": ea.field("note", "VARCHAR"),
        },
        "Added": {"total": ea.add(ea.field("amount", "DECIMAL(18,2)")), "lines": ea.add(1)},
        "Paid": {"status": "paid"},
        "Deleted": ea.delete,
    },
)


def event(number, type_="Placed", stream="o-1", second=0, **data):
    return {
        "event_id": f"e{number}",
        "stream_id": stream,
        "type": type_,
        "occurred_at": _START + dt.timedelta(seconds=second),
        "data": data,
    }


def at(second):
    return _START + dt.timedelta(seconds=second)


def store_of(tmp_path, *events):
    store = ea.Store.create(tmp_path / "store")
    if events:
        store.append(list(events))
    return store


@st.composite
def logs(draw):
    count = draw(st.integers(1, 10))
    types = st.sampled_from(["Placed", "Added", "Paid", "Deleted", "Other"])
    amounts = st.decimals(-99, 99, places=2, allow_nan=False)
    return [
        event(n, draw(types), f"o-{draw(st.integers(1, 3))}", draw(st.integers(0, 5)), amount=str(draw(amounts)))
        for n in range(count)
    ]


def rows_of(state):
    return {row.pop("order"): row for row in map(dict, state)}


def by_brute_force(left, right):
    """Compare two states in plain Python."""
    added, removed = right.keys() - left.keys(), left.keys() - right.keys()
    both = left.keys() & right.keys()
    names = ("status", "total", "note", "lines")
    columns = {name: (sum(left[k][name] != right[k][name] for k in both),) for name in names}
    columns = {
        name: (
            *counts,
            sum(right[k][name] is not None for k in added),
            sum(left[k][name] is not None for k in removed),
        )
        for name, counts in columns.items()
    }
    changed = {k for k in both if left[k] != right[k]}
    return {"added": len(added), "removed": len(removed), "changed": len(changed)}, columns


def summed(rows, name):
    return sum((row[name] for row in rows.values() if row[name] is not None), Decimal(0))


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=logs(), seconds=st.tuples(st.integers(-1, 5), st.integers(-1, 5)), skipped=st.integers(0, 9))
def test_the_counts_are_those_of_two_states(tmp_path_factory, events, seconds, skipped):
    store = store_of(tmp_path_factory.mktemp("law"), *events)
    pairs = [
        ((store.log, at(seconds[0])), (store.log, at(seconds[1])), tuple(map(at, seconds))),
        ((store.log, None), (other := store.log.without([f"e{skipped}"]), None), (store.log, other)),
    ]
    for left, right, sides in pairs:
        states = [rows_of(ea.state_at(log, _ORDERS, instant)) for log, instant in (left, right)]
        counts, columns = by_brute_force(*states)
        found = compared(store, _ORDERS, *sides)
        assert found.counts == counts
        assert found.total == sum(counts.values()) == len(found.page(size=100)) == len(found.rows())
        given = {c.name: (c.changed, c.added, c.removed) for c in found.columns}
        assert {name: n for name, n in given.items() if any(n)} == {name: n for name, n in columns.items() if any(n)}
        for column in found.columns:
            if column.delta is not None:
                assert column.delta == summed(states[1], column.name) - summed(states[0], column.name)
        for row in found.page(size=100):
            assert found.sides(row.key) == tuple(
                {"order": row.key[0], **state[row.key[0]]} if row.key[0] in state else None for state in states
            )
        for row in found.page(size=1):
            assert found.events(row.key)


def test_the_events_between_two_instants_say_what_they_touched(tmp_path):
    store = store_of(
        tmp_path,
        event(1, amount="10.00", note="n"),
        event(2, "Paid", second=1),
        event(3, "Added", second=2, amount="2.50"),
        event(4, "Paid", second=3),
        event(5, "Paid", second=9),
        event(6, "Paid", "o-2", second=2),
    )
    found = compared(store, _ORDERS, at(0), at(3), key="o-1")
    events = found.events(("o-1",))
    assert [(e.event_id, e.side, set(e.touched)) for e in events] == [
        ("e2", "between", set()),
        ("e3", "between", {"total", "lines"}),
        ("e4", "between", {"status"}),
    ]
    assert events[0].passed == {"status": "before the last set"}
    assert events[1].data == '{"amount":"2.50"}'
    assert found.counts == {"added": 0, "removed": 0, "changed": 1}


def test_a_deletion_is_responsible_for_a_row_that_is_gone(tmp_path):
    store = store_of(tmp_path, event(1, amount="1"), event(2, "Deleted", second=1))
    found = compared(store, _ORDERS, at(0), at(1))
    assert found.counts["removed"] == 1
    assert [e.event_id for e in found.events(("o-1",))] == ["e2"]
    assert next(c.delta for c in found.columns if c.name == "total") == Decimal("-1.00")


def test_of_two_logs_the_events_of_one_of_them_and_the_changed_ones_are_responsible(tmp_path):
    store = store_of(
        tmp_path,
        event(1, amount="10"),
        event(2, "Added", second=1, amount="1"),
        event(3, "Added", second=2, amount="2"),
    )
    more = [event(2, "Added", second=1, amount="5"), event(4, "Paid", second=4)]
    other = store.log.without(["e3"]).with_events(more)
    found = compared(store, _ORDERS, store.log, other)
    events = {e.event_id: (e.side, e.data) for e in found.events(("o-1",))}
    assert events == {
        "e2": ("changed", '{"amount":"5"}'),
        "e3": ("left only", '{"amount":"2"}'),
        "e4": ("right only", "{}"),
    }


def test_an_empty_log_and_an_empty_difference_are_fine(tmp_path):
    store = store_of(tmp_path)
    nothing = {"added": 0, "removed": 0, "changed": 0}
    assert compared(store, _ORDERS, at(0), at(9)).counts == nothing
    store.append([event(1, amount="1")])
    found = compared(store, _ORDERS, at(3), at(9))
    assert (found.counts, found.columns, found.page(), list(found.rows())) == (nothing, (), [], [])
    assert found.entries(("o-1",)) == ()


def test_rows_come_in_pages_by_key_and_by_kind(tmp_path):
    store = store_of(tmp_path, *(event(n, stream=f"o-{n:02}", second=n % 2, amount="1") for n in range(20)))
    found = compared(store, _ORDERS, at(-1), at(1))
    pages = [found.page("added", start=start, size=7) for start in (0, 7, 14, 21)]
    assert [row.key[0] for page in pages for row in page] == [f"o-{n:02}" for n in range(20)]
    assert found.page("removed") == []
    assert [entry.column for entry in found.page(size=1)[0].first] == ["lines", "status", "total"]
    assert found.rows("added").head(1)[0]["columns"] == ["lines", "status", "total"]
    with pytest.raises(ValueError, match="choose 'added'"):
        found.rows("new")


def test_keys_of_several_columns_with_strange_names_are_kept_apart(tmp_path):
    paid = {"Placed": {"before": ea.field("amount", "BIGINT")}}
    projection = ea.Projection("pairs", key={"a $keys": ea.service, "change": ea.stream_id}, on=paid)
    store = store_of(tmp_path, event(1, amount=1), event(2, stream="<b>", second=1, amount=2))
    found = compared(store, projection, at(0), at(1))
    assert found.keys == ("a $keys", "change")
    assert [row.key for row in found.page()] == [("default", "<b>")]
    assert found.entries(("default", "<b>"))[0].after == "2"
    assert [list(row.values()) for row in found.rows()] == [["default", "<b>", "added", ["before"]]]
    assert [e.event_id for e in found.events(("default", "<b>"))] == ["e2"]


def test_numbers_that_do_not_fit_are_summed_as_well_as_can_be(tmp_path):
    huge = {"Placed": {"n": ea.field("n", "DECIMAL(38,0)"), "d": ea.field("d", "DOUBLE")}}
    projection = ea.Projection("huge", key=("stream_id",), on=huge)
    most = 9 * 10**37
    store = store_of(tmp_path, *(event(n, stream=f"o-{n}", n=str(most), d="1.5") for n in range(4)))
    found = {c.name: c.delta for c in compared(store, projection, at(-1), at(1)).columns}
    assert found["d"] == 6.0
    assert found["n"] == pytest.approx(4 * most)


def test_many_columns_are_explained_by_the_versions_of_the_row(tmp_path):
    columns = {f"c{n}": n for n in range(70)}
    store = store_of(tmp_path, event(1, **columns), event(2, second=1, c3=None, c5=-1))
    merged = ea.merged(store)
    found = compared(store, merged, at(-1), at(1))
    events = found.events(found.page()[0].key)
    assert [(e.event_id, len(e.touched)) for e in events] == [("e1", 70), ("e2", 2)]
    assert {e.service for e in events} == {"default"}
    assert set(events[1].touched) == {"c3", "c5"}


def test_an_event_that_ends_an_entity_of_many_columns_is_responsible(tmp_path):
    wide = {f"c{n}": ea.field(f"c{n}", "BIGINT") for n in range(70)}
    projection = ea.Projection("wide", key=("stream_id",), on={"Placed": wide, "Deleted": ea.delete})
    store = store_of(tmp_path, event(1, c1=1, c2=2), event(2, "Deleted", second=1), event(3, second=2, c1=1))
    found = compared(store, projection, at(0), at(1))
    assert [(e.event_id, e.touched) for e in found.events(("o-1",))] == [("e2", ("c1", "c2"))]
    found = compared(store, projection, at(0), at(2))
    assert [(e.event_id, e.touched) for e in found.events(("o-1",))] == [("e2", ("c1", "c2")), ("e3", ("c1",))]


def test_reducers_are_compared_too_and_sql_says_that_it_knows_no_events(tmp_path):
    @ea.reducer("counted", initial={"n": 0})
    def counted(state, _):
        return {"n": state["n"] + 1}

    store = store_of(tmp_path, event(1), event(2, second=1))
    found = compared(store, counted, at(0), at(1))
    assert found.counts["changed"] == 1
    key = found.page()[0].key
    assert [(e.event_id, e.touched) for e in found.events(key)] == [("e2", ("n",))]
    by_sql = ea.SqlProjection("n", "SELECT stream_id, count(*) AS n FROM events GROUP BY stream_id", key=("stream_id",))
    found = compared(store, by_sql, at(0), at(1))
    assert found.counts["changed"] == 1
    with pytest.raises(ea.errors.UnsupportedError):
        found.events(("o-1",))


@pytest.mark.parametrize("wide", [False, True])
def test_events_of_one_instant_are_in_the_order_of_their_versions(tmp_path, wide):
    columns = {f"c{n}": ea.field(f"c{n}", "BIGINT") for n in range(70 if wide else 2)}
    projection = ea.Projection(
        "versions", key=("stream_id",), on={"Placed": columns, "Added": {"c1": ea.field("c1", "BIGINT")}}
    )
    late = [event(2, "Added", c1=2) | {"version": 2}, event(3, "Added", c1=3) | {"version": 3}]
    store = store_of(tmp_path, event(1, c1=1) | {"version": 1})
    for one in reversed(late):
        store.append([one])
    log = store.log
    assert [row["position"] for row in log.events()] == [1, 3, 2]
    for pair in ((log.without(["e1", "e2", "e3"]), log), (at(-1), at(1))):
        events = compared(store, projection, *pair).events(("o-1",))
        assert [e.event_id for e in events] == ["e1", "e2", "e3"]
        assert [e.touched for e in events if e.event_id == "e3"] == [("c1",)]
    events = compared(store, projection, log, log.without(["e1", "e2", "e3"])).events(("o-1",))
    assert [(e.event_id, e.side) for e in events] == [(name, "left only") for name in ("e1", "e2", "e3")]


@pytest.mark.parametrize("wide", [False, True])
def test_events_that_share_a_position_have_their_own_payloads(tmp_path, wide):
    columns = {f"c{n}": ea.field(f"c{n}", "BIGINT") for n in range(70 if wide else 2)}
    projection = ea.Projection("shared", key=("stream_id",), on={"Placed": columns})
    store = store_of(tmp_path, event(1, c1=1))
    given_ = [event(n, second=n, c1=n) | {"position": 1, "recorded_at": at(n), "service": "given"} for n in (2, 3)]
    log = store.log.with_events(given_)
    events = compared(store, projection, store.log, log).events(("o-1",))
    assert [(e.event_id, e.service, e.data) for e in events] == [
        ("e2", "given", '{"c1":2}'),
        ("e3", "given", '{"c1":3}'),
    ]
