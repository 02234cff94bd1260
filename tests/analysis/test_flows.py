"""Flows, against what plain Python counts in the same events."""

import datetime as dt
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.analysis import Chosen, Exploration, Sight, _exploring, flow, variants

SAMPLE = Path(__file__).parents[2] / "data"
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ROWS = st.tuples(st.sampled_from("st"), st.sampled_from("xyz"), st.sampled_from("ABC"), st.integers(0, 30))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with ea.Store.create(tmp_path_factory.mktemp("shop") / "store") as store:
        store.append(ea.sources.jsonl(str(SAMPLE / "*.jsonl")), progress=False)
        yield store


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    with ea.Store.create(tmp_path_factory.mktemp("nothing") / "store") as store:
        yield store.log


def counted(log):
    """Count the ways of streams by walking along all events."""
    ways = defaultdict(list)
    for event in log.events():
        ways[event["service"], event["stream_id"]].append(event["type"])
    return Counter((service, tuple(way)) for (service, _), way in ways.items())


def as_counted(found):
    return {(row.service, row.types): row.streams for row in found.rows}


def test_the_variants_of_the_sample_are_those_that_python_counts(shop):
    wanted = counted(shop.log)
    found = variants(shop.log, most=10_000, longest=1_000)
    assert as_counted(found) == wanted
    assert (found.streams, found.different) == (sum(wanted.values()), len(wanted))
    assert all(row.events == len(row.types) for row in found.rows)
    few = variants(shop.log)
    assert len(few.rows) == 20
    assert [row.streams for row in few.rows] == sorted(wanted.values(), reverse=True)[:20]
    assert (few.streams, few.different) == (found.streams, found.different)


@settings(max_examples=15, deadline=None)
@given(st.lists(ROWS, max_size=20))
def test_the_variants_of_anything_are_those_that_python_counts(nothing, events):
    rows = [
        {"service": service, "stream_id": stream, "type": type_, "occurred_at": START + dt.timedelta(seconds=at)}
        for service, stream, type_, at in events
    ]
    log = nothing.with_events(rows) if rows else nothing
    found = variants(log, most=100)
    assert as_counted(found) == counted(log)
    assert found.streams == len({row[:2] for row in events})


def test_variants_that_differ_only_where_they_are_cut_are_two(nothing):
    rows = [
        {"service": "s", "stream_id": stream, "type": type_, "occurred_at": START + dt.timedelta(seconds=at)}
        for stream in "xy"
        for at, type_ in enumerate("ABC" + stream)
    ]
    found = variants(nothing.with_events(rows), longest=3)
    assert [(row.types, row.events, row.streams) for row in found.rows] == [(("A", "B", "C"), 4, 1)] * 2


def test_the_flows_of_a_sight_are_those_of_its_log(shop):
    known = Exploration(shop.log)
    start, end = known.overview.span
    sight = Sight((start, (start + end) // 2), Chosen(services=("orders", "payments")))
    found = known.flows(sight)
    assert found.flow == flow(known.shown(sight))
    assert found.variants == variants(known.shown(sight))
    assert found.note == ""


def test_of_many_events_whole_streams_are_looked_at_and_the_note_says_so(shop, monkeypatch):
    monkeypatch.setattr(_exploring, "_FLOWING", 1_000)
    found = Exploration(shop.log).flows(Sight())
    assert found.note.startswith("a sample of whole streams, one in 4, with ")
    assert found.note.endswith(" of 3,768 events")
    events = sum(node.events for node in found.flow.nodes)
    assert 500 < events < 1_500
    assert f"{events:,} of" in found.note
    assert as_counted(found.variants).keys() <= counted(shop.log).keys()


def test_streams_that_are_too_long_to_be_sampled_are_looked_at_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr(_exploring, "_FLOWING", 100)
    monkeypatch.setattr(_exploring, "_MOST_FLOWING", 400)
    store = ea.Store.create(tmp_path / "s")
    rows = [
        {"service": "s", "stream_id": "one", "type": "AB"[n % 2], "occurred_at": START + dt.timedelta(hours=n)}
        for n in range(2_000)
    ]
    store.append(rows, progress=False)
    found = Exploration(store.log).flows(Sight())
    assert found.note == "the first of 2,000 events: these streams are too long to be sampled whole"
    assert 100 <= sum(node.events for node in found.flow.nodes) <= 400
