"""Which step of one replay belongs to which of another: laws, and the definitions said naively."""

import datetime as dt
import itertools
import json
from dataclasses import asdict
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from histories import START, histories, law, store_of
from hypothesis import given
from hypothesis import strategies as st

from esanalytics.analysis._alignment import aligned, beside_rows, since_first
from esanalytics.analysis._session import ReplaySession

WAYS = ("step", "time", "type")
SECOND = 1_000_000
EVENTS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("ABC")), max_size=12)
"""Gaps in seconds, many of them none, and types."""


class Branch(SimpleNamespace):
    def __len__(self):
        return len(self.types)

    def instant(self, row):
        return int(self.instants[row])


def session_of(events):
    """Give what alignment knows of a replay."""
    instants = list(itertools.accumulate((gap * SECOND for gap, _ in events), initial=7 * SECOND))[1:]
    branch = Branch(instants=np.asarray(instants, np.int64), types=[type_ for _, type_ in events])
    return SimpleNamespace(branch=branch)


def by_step(left, right):
    return [min(step, len(right.types)) for step in range(len(left.types) + 1)]


def by_time(left, right):
    def passed(side, step):
        return side.instants[step - 1] - side.instants[0]

    steps = range(1, len(right.types) + 1)
    later = [
        max([0, *(step for step in steps if passed(right, step) <= passed(left, here))])
        for here in range(1, len(left.types) + 1)
    ]
    return [0, *later]


def by_type(left, right):
    def leads_to(row):
        nth = left.types[: row + 1].count(left.types[row])
        same = [step for step, type_ in enumerate(right.types, 1) if type_ == left.types[row]]
        return same[nth - 1] if nth <= len(same) else 0

    return [max([0, *map(leads_to, range(step))]) for step in range(len(left.types) + 1)]


NAIVE = {"step": by_step, "time": by_time, "type": by_type}


@pytest.mark.parametrize("by", WAYS)
@law(200)
@given(left=EVENTS, right=EVENTS)
def test_it_is_what_its_definition_says_and_never_goes_back(by, left, right):
    one, other = session_of(left), session_of(right)
    found = aligned(one, other, by)
    assert found == NAIVE[by](one.branch, other.branch)
    assert found[0] == 0
    assert len(found) == len(left) + 1
    assert found == sorted(found)
    assert found[-1] <= len(right)
    assert {type(step) for step in found} == {int}


@pytest.mark.parametrize("by", ["step", "type"])
@law(50)
@given(events=EVENTS)
def test_beside_itself_a_step_belongs_to_itself(by, events):
    session = session_of(events)
    assert aligned(session, session, by) == list(range(len(events) + 1))


@law(100)
@given(events=EVENTS)
def test_beside_itself_a_step_belongs_to_the_last_of_its_instant(events):
    session = session_of(events)
    instants = session.branch.instants.tolist()
    last = [max(step for step, at in enumerate(instants, 1) if at == here) for here in instants]
    assert aligned(session, session, "time") == [0, *last]
    if len(set(instants)) == len(instants):
        assert last == list(range(1, len(events) + 1))


@law(50)
@given(events=EVENTS, shift=st.integers(-(10**9), 10**9))
def test_only_the_time_since_the_first_event_counts(events, shift):
    one, other = session_of(events), session_of(events)
    other.branch.instants = other.branch.instants + shift
    assert aligned(one, other, "time") == aligned(one, one, "time")


def test_types_lead_as_far_as_any_of_them_did():
    left = session_of([(1, type_) for type_ in "ABCA"])
    right = session_of([(1, type_) for type_ in "CABBA"])
    assert aligned(left, right, "type") == [0, 2, 3, 3, 5]
    assert aligned(right, left, "type") == [0, 3, 3, 3, 3, 4]


@law(3)
@given(batches=histories(), data=st.data())
def test_replays_of_any_log_are_aligned(tmp_path, batches, data):
    store = store_of(tmp_path, batches)
    streams = sorted({(event["service"], event["stream_id"]) for batch in batches for event in batch})
    sessions = [ReplaySession(store, None, data.draw(st.sampled_from(streams))) for _ in range(2)]
    sessions[0].skip(sessions[0].branch.events.ids[0])
    for by in WAYS:
        found = aligned(*sessions, by)
        assert found == NAIVE[by](sessions[0].branch, sessions[1].branch)
        assert found == sorted(found)
    last = len(sessions[0])
    assert since_first(sessions[0], 0) is None
    passed = sessions[0].instant(last) - sessions[0].instant(1)
    assert since_first(sessions[0], last) == passed // dt.timedelta(microseconds=1)


def test_another_way_is_refused_by_name():
    session = session_of([])
    with pytest.raises(ValueError, match=r"by='clock'.*step, time, type"):
        aligned(session, session, "clock")
    assert [aligned(session, session, by) for by in WAYS] == [[0]] * 3


def test_rows_are_told_by_their_kind_and_by_how_much():
    left = {"total": Decimal("79.50"), "city": "Utrecht", "coupon": None, "items": [{"n": 1}], "at": START}
    right = {"total": Decimal("12.00"), "city": "Utrecht", "items": [{"n": 3}, {"n": 1}], "at": START, "new": {"a": 1}}
    rows = {row.path: (row.left, row.right, row.kind, row.delta) for row in beside_rows(left, right)}
    assert rows == {
        ("total",): (Decimal("79.50"), Decimal("12.00"), "changed", Decimal("-67.50")),
        ("coupon",): (None, None, "removed", None),
        ("items", 0, "n"): (1, 3, "changed", 2),
        ("items", 1): (None, {"n": 1}, "added", None),
        ("new",): (None, {"a": 1}, "added", None),
    }
    assert beside_rows(None, None) == beside_rows(left, left) == []
    assert {row.kind for row in beside_rows(None, left)} == {"added"}
    assert {row.kind for row in beside_rows(left, None)} == {"removed"}


def test_numbers_too_large_to_be_taken_from_each_other_have_no_delta():
    found = beside_rows({"a": 0.5, "b": Decimal("Infinity")}, {"a": 10**400, "b": Decimal("Infinity")})
    assert [(row.path, row.delta) for row in found] == [(("a",), None)]
    assert json.dumps([asdict(row)["kind"] for row in found]) == '["changed"]'
