"""When schedules fire, in time zones whose clocks are changed."""

import datetime as dt
from contextlib import suppress
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esanalytics.jobs._schedule import ALIASES, explained, last_tick, schedule, ticks

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Africa/Cairo"]
LINES = [
    "30 2 * * *",
    "0 0 * * *",
    "*/15 * * * *",
    "*/30 2 * * *",
    "30 * * * *",
    "0 6,18 * * 1-5",
    "0 0 1 * *",
    "15 6 1 */3 *",
]
HOUR = dt.timedelta(hours=1)

lines = st.sampled_from(LINES)
zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.integers(0, (2030 - 2009) * 525_600).map(
    lambda minutes: dt.datetime(2009, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
)
near_changes = st.one_of(
    moments,
    st.builds(
        lambda change, minutes: change + dt.timedelta(minutes=minutes),
        st.sampled_from(
            [
                dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC),
                dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC),
                dt.datetime(2026, 4, 4, 15, tzinfo=dt.UTC),
                dt.datetime(2011, 12, 30, 10, tzinfo=dt.UTC),
                dt.datetime(2017, 10, 15, 3, tzinfo=dt.UTC),
            ]
        ),
        st.integers(-3000, 3000),
    ),
)


def local(line, after, count, tz=BERLIN):
    found = islice(ticks(line, tz, dt.datetime.fromisoformat(after).replace(tzinfo=tz)), count)
    return [tick.astimezone(tz).strftime("%d %H:%M%z") for tick in found]


@settings(deadline=None)
@given(lines, zones, near_changes, st.integers(1, 40))
@example("30 2 * * *", BERLIN, dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC), 3)
@example("30 * * * *", ZoneInfo("Australia/Lord_Howe"), dt.datetime(2026, 4, 4, 15, 10, tzinfo=dt.UTC), 3)
def test_the_ticks_from_any_start_are_the_last_of_those_from_far_back(line, tz, after, days):
    far = (tick for tick in ticks(line, tz, after - dt.timedelta(days=days)) if tick > after)
    assert list(islice(ticks(line, tz, after), 12)) == list(islice(far, 12))


@settings(deadline=None)
@given(lines, zones, near_changes)
def test_ticks_increase_and_are_after_the_start(line, tz, after):
    found = list(islice(ticks(line, tz, after), 30))
    assert all(one < other for one, other in zip([after, *found], found, strict=False))
    assert {tick.tzinfo for tick in found} == {dt.UTC}


@settings(deadline=None)
@given(lines, zones, near_changes)
def test_the_last_tick_is_the_one_before_the_next(line, tz, at):
    last = last_tick(line, tz, at)
    assert last <= at
    assert next(ticks(line, tz, last)) > at
    assert last in list(takewhile(lambda tick: tick <= at, ticks(line, tz, last - dt.timedelta(days=3))))


def test_a_time_that_is_leapt_over_is_right_after_the_leap():
    assert local("30 2 * * *", "2026-03-28T12:00", 2) == ["29 03:00+0200", "30 02:30+0200"]


def test_a_time_that_is_there_twice_is_the_first():
    assert local("30 2 * * *", "2026-10-24T12:00", 2) == ["25 02:30+0200", "26 02:30+0100"]


def test_every_hour_is_every_real_hour():
    expected = ["25 01:30+0200", "25 02:30+0200", "25 02:30+0100", "25 03:30+0100"]
    assert local("30 * * * *", "2026-10-25T01:00", 4) == expected


def test_the_last_tick_may_be_years_ago():
    at = dt.datetime(1904, 2, 28, tzinfo=dt.UTC)
    assert last_tick("0 0 29 2 *", ZoneInfo("UTC"), at) == dt.datetime(1896, 2, 29, tzinfo=dt.UTC)


def test_the_years_end():
    last = dt.datetime(9999, 12, 31, 23, 30, tzinfo=dt.UTC)
    assert list(ticks("0 * * * *", BERLIN, last - 2 * HOUR))[-1:] <= [last]
    assert list(ticks("0 * * * *", ZoneInfo("UTC"), last)) == []


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_five_fields(alias):
    assert len(schedule(alias).split()) == 5
    assert schedule(alias.upper()) == schedule(alias)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("15 25 * * *", "Bad hour"),
        ("* * * * * *", "has 6 fields; seconds are not supported, give 5"),
        ("@reboot", "is not known; choose @hourly"),
        ("0 0 31 2 *", "Bad day-of-month"),
        ("daily", "is no cron line"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(line, reason):
    with pytest.raises(ValueError, match=reason):
        schedule(line)


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_other_text_is_a_value_error(text):
    with suppress(ValueError):
        assert len(schedule(text).split()) == 5


def test_a_schedule_is_said_in_words():
    assert explained("15 6 * * 1-5") == "At 06:15 on Monday through Friday"
