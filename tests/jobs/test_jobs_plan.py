"""What is to be run: the same windows, however many calls it takes."""

import dataclasses
import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esanalytics.errors import SpanError
from esanalytics.jobs._plan import Coverage, chosen, covering, next_due, plan
from esanalytics.jobs._reading import read
from esanalytics.jobs._values import Unit
from esanalytics.jobs._windows import Calendar, Grid, windows

BERLIN = ZoneInfo("Europe/Berlin")
UNIT = Unit("daily")
GRIDS = [Grid(), Grid("h", 6), Grid("d"), Grid("w")]
DAY = dt.timedelta(days=1)
FIRST = dt.datetime(2026, 3, 20, 7, tzinfo=dt.UTC)
NOW = FIRST + 20 * DAY


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "jobs.toml"
    entry = "[jobs.daily]\nprojection = 'merged'\nschedule = '15 6 * * *'\noutput = 'out/{start}.csv'\n"
    path.write_text(f"[store]\npath = 'x'\n{entry}window = '1d'\ntz = 'Europe/Berlin'\nlag = '2h'\n")
    return read(path).jobs["daily"]


def changed(job, **facts):
    return dataclasses.replace(job, **facts)


def keys(planned):
    return [due.window.key for due in planned.due]


def ready(job, now=NOW, first=FIRST):
    """All windows that are due, found without any plan."""
    found = windows(job.calendar, first, now)
    return [window for window in found if window.due <= now and window.end > first]


def caught_up(job, now, first, phases, coverage=None):
    """Call until nothing is due; return the windows in the order in which they were run."""
    run = []
    while True:
        found = plan(job, UNIT, phases, now=now, first=first, coverage=coverage)
        coverage = found.coverage
        if not found.due:
            assert found.left == 0
            return run, coverage
        for due in found.due:
            phases[due.window.key] = "done"
            run.append(due.window)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(GRIDS),
    st.sampled_from(["15 6 * * *", "0 * * * *", "0 0 * * 1"]),
    st.integers(1, 40),
    st.integers(0, 60 * 24 * 12),
    st.sampled_from([dt.timedelta(), dt.timedelta(hours=2)]),
)
def test_catching_up_in_calls_of_many_is_catching_up_one_by_one(job, grid, line, most, minutes, lag):
    now = FIRST + dt.timedelta(minutes=minutes)
    many = changed(job, calendar=Calendar(line, BERLIN, grid, lag), max_catchup=most)
    run, _ = caught_up(many, now, FIRST, {})
    one, _ = caught_up(changed(many, max_catchup=1), now, FIRST, {})
    assert run == one == ready(many, now)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 60 * 24 * 30), min_size=1, max_size=6), st.sampled_from(GRIDS))
def test_calls_now_and_then_run_what_one_call_at_the_end_runs(job, moments, grid):
    some = changed(job, calendar=dataclasses.replace(job.calendar, grid=grid))
    phases, coverage, run = {}, None, []
    for minutes in sorted(moments):
        done, found = caught_up(some, FIRST + dt.timedelta(minutes=minutes), FIRST, phases, coverage)
        coverage = found or coverage
        run += done
    assert run == ready(some, FIRST + dt.timedelta(minutes=max(moments)))


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(0, 18)), st.integers(1, 30))
def test_windows_that_failed_are_due_until_they_are_done(job, failing, most):
    known = ready(job)
    bad = {known[place].key for place in failing}
    some = changed(job, max_catchup=most)
    phases = {window.key: "failed" if window.key in bad else "done" for window in known}
    found = plan(some, UNIT, phases, now=NOW, first=FIRST)
    assert keys(found) == sorted(bad)[:most]
    assert found.left == max(0, len(bad) - most)
    assert found.coverage.frontier == min(
        (window.start for window in known if window.key in bad), default=known[-1].end
    )


def test_nothing_is_due_before_the_first_window_is_over(job):
    assert plan(job, UNIT, {}, now=FIRST, first=FIRST).due == ()
    assert plan(job, UNIT, {}, now=FIRST, first=FIRST).coverage is None


def test_what_is_before_the_frontier_is_not_looked_at(job):
    phases = {}
    _, coverage = caught_up(job, NOW, FIRST, phases)
    later = NOW + 2 * DAY
    assert len(keys(plan(job, UNIT, {}, now=later, first=FIRST, coverage=coverage))) == 2
    assert keys(plan(job, UNIT, {}, now=NOW - 5 * DAY, first=FIRST, coverage=coverage)) == []


def test_an_earlier_first_event_makes_earlier_windows_due(job):
    phases = {}
    _, coverage = caught_up(job, NOW, FIRST, phases)
    found = plan(job, UNIT, phases, now=NOW, first=FIRST - 3 * DAY, coverage=coverage)
    assert len(found.due) == 3
    assert found.due[0].window.start < FIRST - 3 * DAY < found.due[0].window.end


def test_another_calendar_makes_everything_due(job):
    phases = {}
    _, coverage = caught_up(job, NOW, FIRST, phases)
    weekly = changed(job, calendar=dataclasses.replace(job.calendar, grid=Grid("w")))
    assert covering(weekly) != covering(job)
    assert [due.window for due in plan(weekly, UNIT, phases, now=NOW, first=FIRST, coverage=coverage).due] == ready(
        weekly
    )


def test_what_was_interrupted_says_so(job):
    first = ready(job)[0]
    found = plan(job, UNIT, {first.key: "interrupted"}, now=NOW, first=FIRST)
    assert [due.reason for due in found.due[:2]] == ["interrupted before", "due"]


def test_the_latest_alone_is_run_where_missed_ones_are_not_wanted(job):
    latest = changed(job, catchup="latest")
    found = plan(latest, UNIT, {}, now=NOW, first=FIRST)
    assert [due.window for due in found.due] == ready(job)[-1:]
    assert found.skipped == len(ready(job)) - 1
    assert found.coverage.frontier == ready(job)[-1].start
    done = plan(latest, UNIT, {ready(job)[-1].key: "done"}, now=NOW, first=FIRST, coverage=found.coverage)
    assert (done.due, done.skipped, done.coverage.frontier) == ((), 0, ready(job)[-1].end)


def test_none_but_what_became_due_now_is_run_where_catching_up_is_not_wanted(job):
    hourly = dataclasses.replace(job.calendar, schedule="0 * * * *")
    none = changed(job, catchup="none", calendar=hourly)
    due = ready(none)[-1].due
    assert len(plan(none, UNIT, {}, now=due + DAY / 48, first=FIRST).due) == 1
    assert plan(none, UNIT, {}, now=due + DAY / 4, first=FIRST).due == ()


def test_an_output_of_the_newest_window_needs_no_other(job):
    newest = changed(job, output=dataclasses.replace(job.output, parts=("out.csv",)))
    assert newest.newest_only
    found = plan(newest, UNIT, {}, now=NOW, first=FIRST)
    assert [due.window for due in found.due] == ready(job)[-1:]
    stale = {ready(job)[0]: "late events", ready(job)[-1]: "late events"}
    phases = {window.key: "done" for window in stale}
    redone = plan(newest, UNIT, phases, now=NOW, first=FIRST, stale=stale)
    assert [(due.window, due.reason) for due in redone.due] == [(ready(job)[-1], "late events")]


def test_stale_windows_come_before_those_never_done_and_count_too(job):
    known = ready(job)
    phases = {window.key: "done" for window in known[:-2]}
    foreign = dataclasses.replace(known[3], end=known[3].end + DAY)
    stale = {known[4]: "late events", known[1]: "definition changed", known[-1]: "late events", foreign: "late events"}
    found = plan(changed(job, max_catchup=3), UNIT, phases, now=NOW, first=FIRST, stale=stale)
    assert [(due.window, due.reason) for due in found.due] == [
        (known[1], "definition changed"),
        (known[4], "late events"),
        (known[-2], "due"),
    ]
    assert found.left == 1


def test_a_span_is_its_windows(job):
    found = chosen(job, since="2026-03-28", until=dt.date(2026, 3, 30), now=NOW, first=FIRST)
    assert [f"{window.start.astimezone(BERLIN):%d %H}" for window in found] == ["28 00", "29 00"]
    assert chosen(job, since=None, until=None, now=NOW, first=FIRST) == ready(job)
    assert chosen(job, since="2020-01-01", until=None, now=NOW, first=FIRST) == ready(job)


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        (
            {"since": "2026-03-28T05:00"},
            "no window begins at 2026-03-28T05:00:00.01:00; give since 2026-03-28T00:00:00",
        ),
        ({"until": "2026-03-28T05:00"}, "no window ends at 2026-03-28T05:00:00.01:00; give until"),
        ({"until": "2027-03-28"}, "may be run from 2027-03-28T06:15:00.02:00; wait for it"),
        ({"since": "2027-03-28"}, "the window up to 2027-03-29T00:00:00.02:00 may be run from 2027-03-29T06:15:00"),
        ({"since": "2026-03-28", "until": "2026-03-28"}, "there is no window from 2026-03-28T00:00:00.01:00 to"),
        ({"since": "yesterday"}, "no window has to do with 'yesterday'; give since"),
        ({"until": "9999-12-31T23:59:59.999999-14:00"}, "no window has to do with"),
    ],
)
def test_a_span_that_is_none_is_refused(job, span, reason):
    with pytest.raises(SpanError, match=reason):
        chosen(job, **{"since": None, "until": None} | span, now=NOW, first=FIRST)


def test_the_next_time_is_that_of_the_next_window(job):
    assert next_due(job, NOW) == ready(job)[-1].due + DAY
    assert isinstance(plan(job, UNIT, {}, now=NOW, first=FIRST).coverage, Coverage)
