"""A question about a window knows what it may, and its rows always come in the same order."""

import datetime as dt
from itertools import pairwise

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.engines import DuckDB
from esanalytics.jobs._definition import Asked
from esanalytics.jobs._question import question
from esanalytics.jobs._stage import stage
from esanalytics.jobs._values import Window

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ENGINE = DuckDB(threads=1)
ORDERS = ea.Projection("orders", key="stream_id", on={"*": {"last": ea.type_, "n": ea.add(1)}})
PER_TYPE = ea.SqlProjection("per_type", "select type, count(*) as n from events group by all", key="type")


@ea.reducer("counted", initial=0)
def counted(state, _):
    return state + 1


def window(first, last):
    end = START + dt.timedelta(hours=last)
    return Window(START + dt.timedelta(hours=first), end, end)


def log_of(folder, hours):
    store = ea.Store.create(folder / "shop", engine=ENGINE, auto_compact=False)
    events = [
        {"stream_id": f"o{n % 3}", "type": "AB"[n % 2], "occurred_at": START + dt.timedelta(hours=hour)}
        for n, hour in enumerate(hours)
    ]
    if events:
        store.append(events)
    return store.log


ASKED = [
    (Asked(definition=ORDERS), "state"),
    (Asked(definition=ORDERS), "history"),
    (Asked(definition=ORDERS), "diff"),
    (Asked(definition=PER_TYPE), "state"),
    (Asked(definition=PER_TYPE), "diff"),
    (Asked(definition=counted), "state"),
    (Asked(definition=counted), "history"),
    (Asked(built_in="merged"), "state"),
    (Asked(built_in="merged"), "history"),
    (Asked(built_in="events"), "events"),
    (Asked(built_in="events"), "state"),
    (Asked(built_in="counts"), "events"),
    (Asked(built_in="counts"), "state"),
    (Asked(sql="select stream_id, count(*) n, sum(1) s, {'a': 1}::VARIANT v from events group by all"), "state"),
    (Asked(sql="select stream_id, position from events order by position desc"), "events"),
]


@pytest.mark.parametrize(("asked", "kind"), ASKED)
def test_every_question_gives_the_same_bytes_twice(tmp_path, asked, kind):
    log = log_of(tmp_path, [1, 5, 9, 13, 17, 21, 25, 29, 33])
    whole = question(asked, kind)
    assert isinstance(whole.shape(log), str)
    assert isinstance(whole.keys(log), tuple)
    one, two = (
        stage(whole.over(log, window(4, 30)), tmp_path / name, engine, None)
        for name, engine in (("1", ENGINE), ("2", DuckDB(threads=4)))
    )
    assert one.rows > 0
    assert (one.rows, one.columns, one.digest) == (two.rows, two.columns, two.digest)
    assert one.path.read_bytes() == two.path.read_bytes()
    assert not any("HUGEINT" in type_ for type_ in one.columns.values())


@pytest.mark.parametrize(("asked", "kind"), ASKED)
def test_a_question_about_nothing_has_no_rows(tmp_path, asked, kind):
    log = log_of(tmp_path, [100])
    assert len(question(asked, kind).over(log, window(1, 2))) == 0


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=8), st.lists(st.integers(0, 12), min_size=2, max_size=4, unique=True))
def test_windows_end_to_end_hold_each_event_once(tmp_path_factory, hours, bounds):
    folder = tmp_path_factory.mktemp("windows")
    log = log_of(folder, hours)
    edges = [0, *sorted(set(bounds) - {0}), 13]
    spans = [window(*pair) for pair in pairwise(edges)]
    events = [row["position"] for one in spans for row in question(Asked(built_in="events"), "events").over(log, one)]
    assert sorted(events) == list(range(1, len(hours) + 1))
    history = question(Asked(definition=ORDERS), "history")
    versions = [row["position"] for one in spans for row in history.over(log, one)]
    assert sorted(versions) == sorted(row["position"] for row in ea.history(log, ORDERS))
    whole = question(Asked(definition=ORDERS), "history", from_start=True)
    assert len(whole.over(log, spans[-1])) == len(versions)


def test_the_end_of_a_window_is_excluded_to_the_microsecond(tmp_path):
    store = ea.Store.create(tmp_path / "shop", engine=ENGINE)
    end = START + dt.timedelta(hours=1)
    times = [START - dt.timedelta(microseconds=1), START, end - dt.timedelta(microseconds=1), end]
    store.append([{"stream_id": str(n), "type": "A", "occurred_at": time} for n, time in enumerate(times)])
    inside = question(Asked(built_in="events"), "events").over(store.log, window(0, 1))
    assert [row["stream_id"] for row in inside] == ["1", "2"]
    state = question(Asked(definition=ORDERS), "state").over(store.log, window(0, 1))
    assert [row["stream_id"] for row in state] == ["0", "1", "2"]


def test_whole_numbers_beyond_64_bits_are_exact(tmp_path):
    log = log_of(tmp_path, [1])
    found = question(Asked(sql="select 12345678901234567890123::HUGEINT as n from events"), "state").over(
        log, window(0, 9)
    )
    path = stage(found, tmp_path / "n.parquet", ENGINE).path
    with duckdb.connect() as connection:
        ((n,),) = connection.execute(f"SELECT n FROM '{path}'").fetchall()
    assert str(n) == "12345678901234567890123"
