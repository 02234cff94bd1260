"""The data under the plots, against what plain Python makes of the same events."""

import datetime as dt
import statistics
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.analysis._flows import flow, funnel, lasting, thinned
from esanalytics.analysis._measures import binned, cycle, ranking
from esanalytics.analysis._points import laned, rows
from esanalytics.analysis._versions import tracks

SECOND, HOUR, DAY = 10**6, 3600 * 10**6, 86_400 * 10**6
START = 1_772_323_200 * SECOND
HAPPENED = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("ABCD"), st.integers(0, 50) | st.integers(0, 10**6)), max_size=25
)
FEW = settings(max_examples=15, deadline=None)


def streams_of(events):
    """The events of each stream in their order, where none has a version: by time, then as they came."""
    found = defaultdict(list)
    for stream, type_, at in sorted(events, key=lambda event: event[2]):
        found[stream].append((type_, at))
    return found


def pairs(events):
    gaps = defaultdict(list)
    for own in streams_of(events).values():
        for (before, at), (after, later) in pairwise(own):
            gaps[before, after].append((later - at) * SECOND)
    return {pair: (len(found), statistics.median(found)) for pair, found in gaps.items()}


def came_to(events, steps, within=None):
    """How many streams had the steps in this order, by walking along each."""
    reached = [0] * len(steps)
    for own in streams_of(events).values():
        step, began = 0, 0
        for type_, at in own:
            if step < len(steps) and type_ == steps[step] and (not step or within is None or at - began <= within):
                began = began if step else at
                reached[step] += 1
                step += 1
    return tuple(reached)


@FEW
@given(HAPPENED)
def test_transitions_are_the_pairs_that_python_finds(happened, events):
    found = flow(happened(*events))
    edges = {(found.nodes[e.before].type, found.nodes[e.after].type): (e.count, e.gap) for e in found.edges}
    own = streams_of(events).values()
    assert edges == pairs(events)
    assert found.steps == sum(n for n, _ in edges.values())
    assert {node.type: node.events for node in found.nodes} == Counter(type_ for _, type_, _ in events)
    assert {n.type: n.starts for n in found.nodes if n.starts} == Counter(stream[0][0] for stream in own)
    assert {n.type: n.ends for n in found.nodes if n.ends} == Counter(stream[-1][0] for stream in own)


@FEW
@given(HAPPENED, st.lists(st.sampled_from("ABCD"), min_size=1, max_size=4), st.none() | st.integers(1, 60))
def test_a_funnel_is_what_python_counts_walking_along_each_stream(happened, events, steps, within):
    found = funnel(happened(*events), steps, None if within is None else within * SECOND)
    assert found.reached == came_to(events, steps, within)
    assert found.streams == len(streams_of(events))


@FEW
@given(HAPPENED, st.none() | st.integers(1, 40) | st.sampled_from(["10s", "7d", dt.timedelta(hours=3)]))
def test_bins_hold_each_event_once(happened, events, bins):
    log = happened(*events)
    if bins == "10s":
        log = log.at("2026-03-01T00:30:00")
    found = binned(log, "type", bins=bins, most=2)
    assert found.counts.sum() == log.count()
    assert all(found.counts[n].sum() == count for n, count in enumerate(found.ranking.counts))


@FEW
@given(HAPPENED, st.integers(1, 12))
def test_dots_are_all_events_or_whole_streams(happened, events, cap):
    log = happened(*events)
    found = rows(log, sort="first", align="time", cap=cap)
    sizes = Counter(stream for stream, _, _ in events)
    chosen = [stream for _, stream in found.streams]
    assert len(found.points.at) <= cap
    assert (found.of, found.total) == (len(sizes), len(events))
    if found.every == 1:
        assert len(found.points.at) == sum(sizes[stream] for stream in chosen)
    if len(events) <= cap:
        assert sorted(found.points.at.tolist()) == sorted(START + at * SECOND for _, _, at in events)


def test_a_sample_of_streams_is_always_the_same(shop):
    first = rows(shop.log, sort="duration", align="start", cap=500)
    second = rows(shop.log, sort="first", align="time", cap=500)
    assert set(first.streams) == set(second.streams)
    assert 400 < len(first.points.at) <= 500
    assert set(rows(shop.log, sort="first", align="time", cap=200).streams) < set(first.streams)


def test_rows_are_sorted_as_asked(happened):
    log = happened(("a", "A", 0), ("b", "A", 1), ("b", "A", 9), ("c", "A", 2), ("c", "A", 3), ("c", "A", 4))
    orders = {
        sort: [s for _, s in rows(log, sort=sort, align="time").streams] for sort in ("first", "duration", "events")
    }
    assert orders == {"first": ["a", "b", "c"], "duration": ["b", "c", "a"], "events": ["c", "b", "a"]}
    assert rows(log, sort="first", align="start").points.at.tolist() == [0, 0, 8 * SECOND, 0, SECOND, 2 * SECOND]


def test_one_stream_with_too_many_events_shows_some_of_them(happened):
    found = rows(happened(*[("a", "A", n) for n in range(100)]), sort="first", align="start", cap=30)
    assert found.every == 4
    assert found.points.at.tolist() == [n * SECOND for n in range(0, 100, 4)]


def test_lanes_count_what_they_cannot_draw(shop):
    points, counts = laned(shop.log, "type", most=5), laned(shop.log, "type", most=5, cap=100)
    assert counts.points is None
    assert counts.counts.sum() == points.shown == shop.log.count()
    assert counts.counts.sum(axis=1).tolist() == np.bincount(points.points.row).tolist()


def test_lanes_of_streams_leave_the_smaller_ones_out(shop):
    found = laned(shop.log, "stream", most=5)
    assert found.shown == sum(found.lanes.counts) < found.lanes.total
    assert (len(found.lanes.names), found.lanes.of) == (5, len(shop.log.streams()))


def test_bins_of_round_lengths_begin_at_round_times_and_weeks_on_mondays(happened):
    log = happened(("a", "A", 5), ("a", "A", 300 * 86_400))
    days = binned(log, "type", bins="1d")
    weeks = binned(log, "type")
    assert (days.start, days.counts.shape[1]) == (START, 301)
    assert weeks.width == 7 * DAY
    assert dt.datetime.fromtimestamp(weeks.start // SECOND, dt.UTC).strftime("%A") == "Monday"


def test_clocks_and_weekdays_are_utc_before_1970_too(nothing):
    instants = ["1969-12-28T23:30:00+00:00", "2026-03-02T01:00:00+02:00", "2026-03-01T23:59:59Z"]  # Sundays in UTC
    log = nothing.with_events([{"stream_id": "a", "type": "A", "occurred_at": at} for at in instants])
    assert np.flatnonzero(cycle(log, "hour").counts[0]).tolist() == [23]
    assert cycle(log, "day").counts[0].tolist() == [0, 0, 0, 0, 0, 0, 3]


def test_the_order_in_a_stream_is_that_of_versions_at_one_instant(happened):
    log = happened(("a", "C", 0), ("a", "A", 0), ("a", "B", 0), version=[3, 1, 2])
    found = flow(log)
    assert [(found.nodes[e.before].type, found.nodes[e.after].type) for e in found.edges] == [("A", "B"), ("B", "C")]


def test_thinning_keeps_the_strongest_way_in_and_out(happened):
    ways = [("a", "b", 5), ("a", "c", 1), ("b", "c", 2), ("c", "d", 1)]
    log = happened(*[(f"{a}{b}{n}", t, s) for a, b, many in ways for n in range(many) for s, t in enumerate((a, b))])
    found = thinned(flow(log), activities=1, connections=0, most_nodes=30, most=40, least_count=1)
    kept = {(found.nodes[e.before].type, found.nodes[e.after].type) for e in found.edges}
    assert kept == {("a", "b"), ("b", "c"), ("c", "d")}
    assert found.connections == 4
    small = thinned(flow(log), activities=0.5, connections=1, most_nodes=30, most=40, least_count=2)
    assert [node.type for node in small.nodes] == ["b", "a"]
    assert [edge.count for edge in small.edges] == [5]


def test_durations_are_from_the_first_start_to_the_next_end(happened):
    log = happened(
        *[("a", "E", 0), ("a", "S", 1), ("a", "S", 2), ("a", "E", 11), ("a", "E", 99)],
        *[("b", "S", 0), ("b", "E", 20), ("c", "S", 5), ("d", "E", 5)],
    )
    found = lasting(log, "S", "E")
    assert (found.finished, found.unfinished, found.median, found.longest) == (2, 1, 15 * SECOND, 20 * SECOND)
    assert found.counts.sum() == 2
    assert lasting(log, "S", "S").unfinished == 2


def test_few_very_long_ones_leave_room_for_the_others(happened):
    lengths = [*range(1, 200), 10**6]
    log = happened(*[(f"k{n}", t, s * n) for n in lengths for s, t in enumerate("SE")])
    found = lasting(log, "S", "E")
    assert found.finished - found.counts.sum() == 1
    assert found.edges[-1] < 1000 * SECOND


def test_ranks_are_by_size_then_name_and_know_the_rest(happened):
    found = ranking(happened(("a", "B", 0), ("a", "A", 1), ("b", "C", 2), ("b", "C", 3)), "type", 2)
    assert (found.names, found.counts, found.others, found.rest) == (("C", "A"), (2, 1), 1, 1)


def test_tracks_join_equal_values_and_know_when_a_row_was_dead(happened):
    log = happened(
        *[("a", "New", 0), ("a", "Set", 10), ("a", "Set", 20), ("a", "Gone", 30), ("a", "New", 50), ("b", "New", 60)],
        data=[{"v": None}, {"v": 1}, {"v": 1}, {}, {"v": 2.5}, {}],
    )
    value = {"v": ea.field("v", "DOUBLE"), "t": ea.type_}
    fold = ea.Projection("p", "stream_id", {"New": value, "Set": value, "Gone": ea.delete})
    found = tracks(log, fold, ["v"], "a")
    [track] = found.tracks
    at = [START + s * SECOND for s in (0, 10, 30, 50, 60)]
    assert track.spans == ((at[0], at[1], None), (at[1], at[2], 1.0), (at[3], at[4], 2.5))
    assert track.dead == ((at[2], at[3]),)
    assert tracks(log, fold, None, None, most_keys=1).of == 2


def test_keys_that_all_died_are_drawn_all_the_same(happened):
    fold = ea.Projection("p", "stream_id", {"New": {"n": ea.count}, "Gone": ea.delete})
    found = tracks(happened(("a", "New", 0), ("a", "Gone", 5), ("b", "Gone", 9)), fold, None, None)
    assert found.keys == ("a",)
    assert found.tracks[0].dead == ((START + 5 * SECOND, START + 9 * SECOND),)


@pytest.mark.parametrize("name", ["valid_from", "type", "position"])
def test_columns_that_share_a_name_with_history_are_found(happened, name):
    fold = ea.Projection("p", "stream_id", {"*": {name: ea.count, "other": ea.type_}})
    found = tracks(happened(("a", "A", 0), ("a", "B", 1)), fold, None, "a")
    assert found.columns == (name, "other")
    assert [value for _, _, value in found.tracks[0].spans] == [1.0, 2.0]
