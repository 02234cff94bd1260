"""What came late is found exactly where it can matter."""

import datetime as dt
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.engines import DuckDB
from esanalytics.jobs._late import Arrived, arrived
from esanalytics.jobs._values import Window

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ENGINE = DuckDB(threads=1)


def at(minutes):
    return START + dt.timedelta(minutes=minutes)


def event(minutes, stream="o1", **more):
    return {"stream_id": stream, "type": "A", "occurred_at": at(minutes), **more}


def spans(*edges):
    return [Window(at(a), at(b), at(b)) for a, b in pairwise(edges)]


def test_nothing_is_late_where_nothing_came():
    assert Arrived().earliest is None
    assert Arrived().before_end(spans(0, 60, 120)) == set()
    assert Arrived().inside(spans(0, 60, 120)) == set()


def test_what_is_after_the_windows_is_not_late(tmp_path):
    store = ea.Store.create(tmp_path / "shop", engine=ENGINE)
    store.append([event(10)])
    store.append([event(120), event(121)])
    assert arrived(store.log, 1, at(120)) == Arrived()
    assert arrived(store.log, 1, at(121)).minutes == {at(120): 1}
    assert arrived(store.log, 3, at(200)) == Arrived()


def test_only_the_services_that_are_looked_at_count(tmp_path):
    store = ea.Store.create(tmp_path / "shop", engine=ENGINE)
    store.append([event(10)], service="a")
    store.append([event(20)], service="b")
    assert arrived(store.log.where(service="a"), 1, at(60)) == Arrived()
    assert arrived(store.log.where(service="b"), 1, at(60)).earliest == at(20)


def test_an_event_whose_stream_has_a_skewed_clock_may_move_others(tmp_path):
    store = ea.Store.create(tmp_path / "shop", engine=ENGINE)
    store.append([event(10, version=1), event(20, version=3)])
    store.append([event(70, version=2)])
    found = arrived(store.log, 2, at(60))
    assert found.moved is not None
    assert found.before_end(spans(0, 60, 120)) == set(spans(0, 60, 120))


def answers(log, windows):
    before = {
        w: log.at(w.end - dt.timedelta(microseconds=1)).sql("select count(*) n, max(position) p from events").head()
        for w in windows
    }
    inside = {
        w: log.since(w.start - dt.timedelta(microseconds=1)).at(w.end - dt.timedelta(microseconds=1))
        .sql("select list(position order by position) p from events").head()
        for w in windows
    }  # fmt: skip
    return before, inside


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from("ab")), max_size=5),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from("ab")), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_every_window_that_changes_is_found(tmp_path_factory, first, second, versioned, compacted):
    store = ea.Store.create(tmp_path_factory.mktemp("late") / "shop", engine=ENGINE, auto_compact=False)
    numbers = iter(range(1, 100))
    made = [
        [event(m, s, **({"version": next(numbers)} if versioned else {})) for m, s in some] for some in (first, second)
    ]
    if made[0]:
        store.append(made[0])
    windows = spans(0, 15, 60, 90, 150)
    position, before = store.log.count(), answers(store.log, windows)
    store.append(made[1])
    if compacted:
        store.compact()
    found = arrived(store.log, position, at(150))
    after = answers(store.log, windows)
    assert {w for w in windows if before[0][w] != after[0][w]} <= found.before_end(windows)
    assert {w for w in windows if before[1][w] != after[1][w]} <= found.inside(windows)
    if not versioned:
        assert {w for w in windows if before[1][w] != after[1][w]} == found.inside(windows)
