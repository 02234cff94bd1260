"""Windows lie end to end: every instant is in one of them, whatever clocks do."""

import datetime as dt
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esanalytics.jobs._schedule import DAWN, ticks
from esanalytics.jobs._windows import Calendar, Grid, containing, horizon, midnight, newest, windows

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    "UTC",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Kathmandu",
    "America/Toronto",
]
GRIDS = [Grid(), Grid("m", 15), Grid("h"), Grid("h", 6), Grid("d"), Grid("w"), Grid("mo"), Grid("q"), Grid("y")]
LINES = ["30 2 * * *", "*/30 2 * * *", "0 * * * *", "0 0 * * 1", "0 0 29 2 *"]
LAGS = [dt.timedelta(), dt.timedelta(minutes=7), dt.timedelta(hours=26)]
SPRING, AUTUMN = dt.datetime(2026, 3, 28, 12, tzinfo=dt.UTC), dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC)
LEAP = dt.datetime(2024, 2, 28, 12, tzinfo=dt.UTC)

calendars = st.builds(
    Calendar,
    st.sampled_from(LINES),
    st.sampled_from(ZONES).map(ZoneInfo),
    st.sampled_from(GRIDS),
    st.sampled_from(LAGS),
)
moments = st.integers(0, (2030 - 1915) * 525_600).map(
    lambda minutes: dt.datetime(1915, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
)
HARD = [
    (SPRING, Calendar("30 2 * * *", BERLIN)),
    (AUTUMN, Calendar("*/30 2 * * *", BERLIN)),
    *((moment, Calendar("0 6 * * *", BERLIN, grid)) for moment in (SPRING, AUTUMN, LEAP) for grid in GRIDS[:5]),
    (dt.datetime(2011, 12, 29, tzinfo=dt.UTC), Calendar("0 6 * * *", ZoneInfo("Pacific/Apia"), Grid("h", 6))),
    (dt.datetime(1919, 3, 31, tzinfo=dt.UTC), Calendar("0 6 * * *", ZoneInfo("America/Toronto"), Grid("d"))),
]


def check_tiles(calendar, first, until, found):
    """Every instant of ``[first, until)`` is in one window, and no window is elsewhere."""
    assert found[0].start <= first < found[0].end
    assert found[-1].start < until <= found[-1].end
    assert all(one.end == other.start for one, other in pairwise(found))
    assert all(window.start < window.end and window.end + calendar.lag <= window.due for window in found)
    assert all(one.due <= other.due for one, other in pairwise(found))


@settings(deadline=None)
@given(calendars, moments, st.integers(1, 60_000))
def test_windows_cover_every_instant_once(calendar, first, minutes):
    until = first + dt.timedelta(minutes=minutes)
    check_tiles(calendar, first, until, list(windows(calendar, first, until)))


@pytest.mark.parametrize(("first", "calendar"), HARD)
def test_windows_cover_clock_changes_and_leap_days_once(first, calendar):
    until = first + dt.timedelta(days=3)
    check_tiles(calendar, first, until, list(windows(calendar, first, until)))


@settings(deadline=None)
@given(calendars, moments, st.integers(0, 3_000), st.integers(1, 3_000))
def test_windows_are_the_same_wherever_one_begins_to_look(calendar, first, before, minutes):
    at = first + dt.timedelta(minutes=before)
    until = at + dt.timedelta(minutes=minutes)
    later = [window for window in windows(calendar, first, until) if window.end > at]
    assert list(windows(calendar, at, until)) == later


@settings(deadline=None)
@given(calendars, moments)
@example(Calendar("30 2 * * *", BERLIN, Grid("d")), dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC))
def test_the_newest_window_is_the_last_that_is_due(calendar, now):
    found = newest(calendar, now)
    assert found.due <= now
    assert containing(calendar, found.end).due > now
    assert found.end <= horizon(calendar, now)


@settings(deadline=None)
@given(calendars.filter(lambda calendar: calendar.grid.unit != "tick"), moments)
def test_a_window_is_due_at_the_first_tick_after_its_lag(calendar, at):
    window = containing(calendar, at)
    ready = window.end + calendar.lag
    assert window.due == next(ticks(calendar.schedule, calendar.tz, ready - dt.timedelta(microseconds=1)))


def starts(grid, day, tz=BERLIN):
    first = dt.datetime.combine(day, dt.time(), tz)
    found = windows(Calendar("0 0 * * *", tz, grid), first, first + dt.timedelta(days=1))
    return [window.start.astimezone(tz).strftime("%H:%M%z") for window in found]


def test_the_last_part_of_a_day_is_as_long_as_the_clock_makes_it():
    assert starts(Grid("h", 6), dt.date(2026, 10, 25)) == [
        "00:00+0200",
        "05:00+0100",
        "11:00+0100",
        "17:00+0100",
        "23:00+0100",
    ]
    assert starts(Grid("h", 6), dt.date(2026, 3, 29)) == ["00:00+0100", "07:00+0200", "13:00+0200", "19:00+0200"]


@pytest.mark.parametrize(("day", "hours"), [(dt.date(2026, 3, 29), 23), (dt.date(2026, 10, 25), 25)])
def test_a_day_has_as_many_hours_as_it_has(day, hours):
    assert len(starts(Grid("h"), day)) == hours
    window = containing(Calendar("0 0 * * *", BERLIN, Grid("d")), dt.datetime.combine(day, dt.time(12), BERLIN))
    assert window.end - window.start == dt.timedelta(hours=hours)


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("America/Sao_Paulo", dt.date(2017, 10, 15), "2017-10-15T03:00Z"),
        ("Pacific/Apia", dt.date(2011, 12, 30), "2011-12-30T10:00Z"),
        ("America/Havana", dt.date(2020, 11, 1), "2020-11-01T04:00Z"),
        ("America/Toronto", dt.date(1919, 3, 31), "1919-03-31T04:30Z"),
        ("Europe/Berlin", dt.date(2026, 6, 1), "2026-05-31T22:00Z"),
    ],
)
def test_a_day_begins_at_its_first_instant(zone, day, expected):
    found = midnight(day, ZoneInfo(zone))
    assert found == dt.datetime.fromisoformat(expected)
    assert found.astimezone(ZoneInfo(zone)).date() >= day
    assert (found - dt.timedelta(seconds=1)).astimezone(ZoneInfo(zone)).date() < day


@pytest.mark.parametrize(
    ("grid", "start", "end"),
    [
        (Grid("w"), "2026-02-23", "2026-03-02"),
        (Grid("mo"), "2026-02-01", "2026-03-01"),
        (Grid("q"), "2026-01-01", "2026-04-01"),
        (Grid("y"), "2026-01-01", "2027-01-01"),
    ],
)
def test_long_windows_are_those_of_the_calendar(grid, start, end):
    window = containing(Calendar("0 0 * * *", BERLIN, grid), dt.datetime(2026, 2, 25, tzinfo=dt.UTC))
    assert (f"{window.start.astimezone(BERLIN):%Y-%m-%d}", f"{window.end.astimezone(BERLIN):%Y-%m-%d}") == (start, end)


def test_nothing_is_due_before_the_years_began():
    assert newest(Calendar("0 0 * * *", BERLIN, Grid("d")), DAWN) is None
    assert list(windows(Calendar("0 0 * * *", BERLIN), LEAP, LEAP)) == []


def test_windows_end_with_the_years():
    last = dt.datetime(9999, 12, 31, 12, tzinfo=dt.UTC)
    found = list(islice(windows(Calendar("0 * * * *", BERLIN, Grid("h")), last, last + dt.timedelta(hours=3)), 99))
    assert len(found) <= 3
    with pytest.raises(LookupError):
        containing(Calendar("0 0 1 1 *", BERLIN, Grid("y")), last)
