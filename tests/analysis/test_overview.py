import datetime as dt
import itertools
import json
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.analysis import _cube, _overview, _sampling
from esanalytics.analysis._overview import ALL, Chosen, Overview

ENGINE = ea.engines.DuckDB()
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
US = dt.timedelta(microseconds=1)
BASE = (START - EPOCH) // US
NAMES = ("a", "b")
TYPES = ("A", "B", "C", "other")

_folders = itertools.count()
law = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))

instants = st.integers(0, 60).map(lambda n: n if n < 20 else n * 1_000_003)
rows = st.tuples(st.sampled_from(NAMES), st.sampled_from("stuv"), st.sampled_from(TYPES), instants, st.booleans())
choices = st.builds(
    Chosen,
    st.none() | st.lists(st.sampled_from([*NAMES, "none"]), unique=True, max_size=2).map(tuple),
    st.none() | st.lists(st.sampled_from([*TYPES, "none"]), unique=True, max_size=2).map(tuple),
    st.none() | st.lists(st.sampled_from("stx"), unique=True, max_size=2).map(tuple),
    st.none() | st.sampled_from(["b", "marked", "S", "%", "'"]),
)
windows = st.none() | st.tuples(instants, instants).map(lambda w: (BASE - 5 + min(w), BASE - 3 + max(w)))


def store_of(tmp_path, events):
    store = ea.Store.create(tmp_path / f"s{next(_folders)}", engine=ENGINE)
    if events:
        store.append(events, progress=False)
    return store


def event(service, stream, type_, us, *, marked=False, **more):
    data = {"note": "Marked" if marked else "plain"}
    given = {"service": service, "stream_id": stream, "type": type_, "occurred_at": START + us * US, "data": data}
    return {**given, **more}


def shown(log, window, chosen):
    """Say what a filter shows, event by event."""
    found = []
    for row in log.events():
        us = (row["effective_at"] - EPOCH) // US
        texts = (row["event_id"], row["stream_id"], row["type"], json.dumps(row["data"]))
        kept = (
            (window is None or window[0] <= us < window[1])
            and (chosen.services is None or row["service"] in chosen.services)
            and (chosen.types is None or row["type"] in chosen.types)
            and (chosen.streams is None or row["stream_id"] in chosen.streams)
            and (not chosen.text or any(chosen.text.lower() in text.lower() for text in texts))
        )
        if kept:
            found.append((us, row["position"], row["service"], row["stream_id"], row["type"]))
    return found


@pytest.fixture
def small(monkeypatch):
    """Let few events do what many do: a coarse cube, a sample of some of them, windows read from the files."""
    monkeypatch.setattr(_cube, "_COARSE", 4)
    monkeypatch.setattr(_cube, "_FINEST", 16)
    monkeypatch.setattr(_overview, "_ENOUGH", 4)
    monkeypatch.setattr(_overview, "_FEW", 6)
    monkeypatch.setattr(_overview, "_NAMES", 3)
    monkeypatch.setattr(_sampling, "_RESIDENT", 8)
    monkeypatch.setattr(_sampling, "_SKEWED", 30)


@pytest.mark.usefixtures("small")
@law
@given(st.lists(rows, max_size=25), windows, choices, st.integers(1, 20), st.sampled_from(["type", "service"]))
def test_a_density_counts_what_the_log_has(tmp_path, drawn, window, chosen, bins, by):
    log = store_of(tmp_path, [event(*row[:4], marked=row[4]) for row in drawn]).log
    found = Overview(log).density(window, chosen, bins=bins, by=by)
    expected = shown(log, (found.start, found.end), chosen)
    width = (found.end - found.start) // max(1, found.counts.shape[1])
    counts = Counter(((row[0] - found.start) // width, row[4 if by == "type" else 2]) for row in expected)
    assert found.total == len(expected) == found.counts.sum()
    assert 1 <= found.counts.shape[1] <= max(bins, 2)
    for number, name in enumerate(found.names):
        if not (found.left_out and number == len(found.names) - 1):
            assert [counts[n, name] for n in range(found.counts.shape[1])] == found.counts[number].tolist()
    inside = shown(log, window, chosen)
    assert set(inside) <= set(expected)


@pytest.mark.usefixtures("small")
@law
@given(st.lists(rows, max_size=40), windows, choices, st.integers(1, 20))
def test_dots_are_events_of_whole_entities_never_too_many(tmp_path, drawn, window, chosen, most):
    log = store_of(tmp_path, [event(*row[:4], marked=row[4]) for row in drawn]).log
    found = Overview(log).dots(window, chosen, most=most)
    expected = shown(log, (found.start, found.end), chosen)
    dots = [
        (int(us), int(position), found.services[service], found.entities[entity][1], found.types[type_])
        for us, position, service, entity, type_ in zip(
            found.at, found.position, found.service, found.entity, found.type, strict=True
        )
    ]
    assert len(set(dots)) == len(dots) <= most
    assert set(dots) <= set(expected)
    assert found.total == len(expected)
    assert dots == sorted(dots, key=lambda dot: dot[:2])
    assert all(found.entities[e][0] == found.services[s] for e, s in zip(found.entity, found.service, strict=True))
    assert (found.note == "") == (len(dots) == len(expected))
    if "spread" not in found.note:
        entities = {(dot[2], dot[3]) for dot in dots}
        assert len(entities) == len(found.entities)
        assert set(dots) == {event for event in expected if (event[2], event[3]) in entities}


@law
@given(st.lists(rows, min_size=1, max_size=15), choices)
def test_the_python_of_a_filter_gives_the_same_log(tmp_path, drawn, chosen):
    log = store_of(tmp_path, [event(*row[:4], marked=row[4]) for row in drawn]).log
    told = eval(f"log{chosen.python()}", {"log": log})
    assert [row["position"] for row in told.events()] == [row[1] for row in shown(log, None, chosen)]
    counts = {row[:2]: row[2] for row in Overview(log).counts(None, chosen) if row[2]}
    assert counts == Counter((row[2], row[4]) for row in shown(log, None, chosen))


def test_an_empty_log_has_nothing_to_show(tmp_path):
    found = Overview(store_of(tmp_path, []).log)
    assert (found.span, found.events, found.services, found.types) == ((0, 0), 0, [], [])
    density, dots = found.density(), found.dots()
    assert (density.total, density.names, density.counts.shape, dots.total, dots.entities) == (0, (), (0, 1), 0, [])
    assert found.density((5, 9), Chosen(text="x")).total == found.dots((5, 9)).total == 0
    assert found.entities("a") == []


def test_one_event_has_a_window_of_a_microsecond(tmp_path):
    found = Overview(store_of(tmp_path, [event("a", "s", "A", 7)]).log)
    assert found.span == (BASE + 7, BASE + 8)
    assert found.density().counts.tolist() == [[1]]
    assert found.dots().at.tolist() == [BASE + 7]


def test_many_events_at_one_instant_are_one_bin_and_few_dots(tmp_path):
    store = ea.Store.create(tmp_path / "s", engine=ENGINE)
    query = "SELECT 'e' || i AS event_id, 's' || i % 30_000 AS stream_id, 'T' AS type, "
    query += "TIMESTAMPTZ '2026-03-01 00:00:00+00' AS occurred_at FROM range(200_000) AS numbers(i)"
    store.append(ENGINE.cursor().sql(query), service="a", progress=False)
    found = Overview(store.log)
    assert found.density().counts.tolist() == [[200_000]]
    dots = found.dots()
    assert 10_000 < len(dots.at) <= 20_000
    assert dots.note.endswith("of about 30,000 entities")


def test_one_entity_with_too_many_events_is_spread_evenly(tmp_path):
    store = ea.Store.create(tmp_path / "s", engine=ENGINE)
    query = "SELECT 'e' || i AS event_id, 's' AS stream_id, 'T' AS type, "
    query += "TIMESTAMPTZ '2026-03-01 00:00:00+00' + to_seconds(i) AS occurred_at FROM range(30_000) AS numbers(i)"
    store.append(ENGINE.cursor().sql(query), service="a", progress=False)
    dots = Overview(store.log).dots(most=1_000)
    assert dots.note == "1,000 of 30,000 events, spread evenly: entities have too many to be shown whole"
    assert np.ptp(np.diff(dots.at)) == 0


def test_two_thousand_types_are_eleven_and_the_others(tmp_path):
    events = [event("a", "s", f"T{n}", n * 977) for n in range(2_000)] + [event("a", "s", "T7", 5)]
    found = Overview(store_of(tmp_path, events).log).density()
    assert len(found.names) == 12
    assert (found.names[0], found.names[-1], found.left_out) == ("T7", "other", "other: 1,989 more")
    assert found.total == 2_001 == found.counts.sum()


def test_time_is_that_of_the_fold(tmp_path):
    late = [event("a", "s", "A", 50, version=1), event("a", "s", "B", 20, version=2), event("a", "t", "B", 90)]
    found = Overview(store_of(tmp_path, late).log)
    assert sorted(found.dots().at - BASE) == [50, 50, 90]
    assert found.types[0][3:] == (BASE + 50, BASE + 90)


def test_entities_are_found_by_any_part_of_their_name_the_nearest_first(tmp_path):
    events = [event("a", name, "A", n) for n, name in enumerate(["xORDER-1", "order-1", "order-12", "ORDER-12", "b%"])]
    found = Overview(store_of(tmp_path, events).log)
    assert [row[1] for row in found.entities("order-1")] == ["order-1", "ORDER-12", "order-12", "xORDER-1"]
    assert [row[1] for row in found.entities("%")] == ["b%"]
    assert len(found.entities("order", 2)) == 2


def test_threads_may_ask_at_the_same_time(tmp_path):
    events = [event("a", f"s{n % 9}", TYPES[n % 3], n * 1_000) for n in range(300)]
    found = Overview(store_of(tmp_path, events).log)
    answers = []
    asked = [(None, ALL), ((BASE, BASE + 90_000), ALL), (None, Chosen(text="s1")), (None, Chosen(types=("A",)))]

    def ask(window, chosen):
        answers.append((found.density(window, chosen).total, found.dots(window, chosen).total))

    threads = [threading.Thread(target=ask, args=each) for each in asked * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 12
    assert all(a == b for a, b in answers)


def test_a_window_has_its_start_and_not_its_end(tmp_path):
    found = Overview(store_of(tmp_path, [event("a", "s", "A", n) for n in range(10)]).log)
    dots, density = found.dots((BASE + 2, BASE + 5)), found.density((BASE + 2, BASE + 5))
    assert (dots.start - BASE, dots.end - BASE, dots.total) == (2, 5, 3)
    assert (dots.at - BASE).tolist() == [2, 3, 4]
    assert density.counts.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize("chosen", [Chosen(text="marked"), Chosen(streams=("t",)), Chosen(text="nowhere")])
def test_a_filter_does_not_move_the_picture(tmp_path, chosen):
    events = [event("a", "st"[n == 5], "A", n * 10**9, marked=n == 5) for n in range(10)]
    overview = Overview(store_of(tmp_path, events).log)
    whole, part = overview.density(), overview.density(None, chosen)
    assert (part.start, part.end) == (whole.start, whole.end)
    assert part.total == (0 if chosen.text == "nowhere" else 1)
    dots = overview.dots(None, chosen)
    assert (dots.start, dots.end, len(dots.at)) == (whole.start, whole.end, part.total)
    assert overview.by_kind(None, chosen)[0] == (whole.start, whole.end)
