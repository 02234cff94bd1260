"""What people read of windows: days in the job's time zone, and nothing that says nothing."""

import datetime as dt
import json
from zoneinfo import ZoneInfo

import pytest

from esanalytics.jobs._log import Log, line, span

BERLIN = ZoneInfo("Europe/Berlin")
AT = dt.datetime(2026, 3, 26, 12, tzinfo=dt.UTC)
DAY = "2026-03-24T23:00:00.000000Z/2026-03-25T23:00:00.000000Z"


@pytest.mark.parametrize(
    ("start", "end", "tz", "shown"),
    [
        ("2026-03-24T23:00", "2026-03-25T23:00", BERLIN, "2026-03-25"),
        ("2026-03-28T23:00", "2026-03-29T22:00", BERLIN, "2026-03-29"),
        ("2026-02-28T23:00", "2026-03-31T22:00", BERLIN, "2026-03-01/2026-04-01"),
        ("2026-03-24T23:00", "2026-03-25T05:00", BERLIN, "2026-03-25T00:00/2026-03-25T06:00"),
        ("2026-10-25T00:00", "2026-10-25T01:00", BERLIN, "2026-10-25T02:00+02:00/2026-10-25T02:00+01:00"),
        ("2026-03-25T00:00", "2026-03-26T00:00", dt.UTC, "2026-03-25"),
        ("2026-03-24T23:00", "2026-03-25T23:00", dt.UTC, "2026-03-24T23:00/2026-03-25T23:00"),
        ("2026-09-06T04:00", "2026-09-07T03:00", ZoneInfo("America/Santiago"), "2026-09-06"),
        ("2026-11-01T04:00", "2026-11-02T05:00", ZoneInfo("America/Havana"), "2026-11-01"),
        ("2026-03-25T12:00:01.5", "2026-03-25T12:00:01.5", BERLIN, ""),
    ],
)
def test_a_window_is_shown_in_its_time_zone(start, end, tz, shown):
    assert span(f"{start}Z/{end}Z", tz) == shown


def test_json_keeps_what_the_ledger_says():
    facts = {"job": "daily", "window": DAY, "phase": "done", "rows": 1234}
    lines = []
    Log(lines.append, "json", lambda: AT, zones={"daily": BERLIN})(facts)
    Log(lines.append, "text", lambda: AT, zones={"daily": BERLIN})(facts)
    assert json.loads(lines[0])["window"] == DAY
    assert lines[1] == "12:00:00 daily 2026-03-25 done rows=1,234"


@pytest.mark.parametrize(("left", "words"), [(1, "1 window is left"), (297, "297 windows are left")])
def test_windows_that_are_left_are_told_in_words(left, words):
    facts = {"job": "daily", "service": "carts", "phase": "left", "left": left}
    assert line("text", AT, facts) == f"12:00:00 daily:carts: {words}; run again"


def test_what_has_no_window_shows_none():
    now = "2026-03-26T12:00:00.000000Z"
    assert line("text", AT, {"job": "files", "window": f"{now}/{now}", "phase": "done"}) == "12:00:00 files done"
