"""Where outputs go: one place for each window, whatever the service is called."""

import datetime as dt
import string
from itertools import islice
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from esanalytics.errors import JobFileError
from esanalytics.jobs._distinct import missing_times
from esanalytics.jobs._reading import read
from esanalytics.jobs._template import format_of, shown, template
from esanalytics.jobs._values import Unit, Window
from esanalytics.jobs._windows import Calendar, Grid, windows

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window(*(dt.datetime(2026, 3, day, 23, tzinfo=dt.UTC) for day in (1, 2, 2)))
FOLDER = Path("/data/jobs")
GRIDS = [Grid(), Grid("m", 15), Grid("h"), Grid("h", 2), Grid("h", 6), Grid("d"), Grid("w"), Grid("mo"), Grid("q")]
LINES = [
    "30 2 * * *",
    "*/30 2 * * *",
    "0 * * * *",
    "0 0 * * 1",
    "0 0 1 * *",
    "0,30 6,18 * * *",
    "5 4 1 1 *",
    "0 6 */2 * 1",
]
PARTS = ["%Y", "%m", "%d", "%H", "%M", "%z", "%j", "%G", "%V", "%u", "%W", "%y", "%b"]


def rendered(text, service="orders", tz=BERLIN):
    return template(text, FOLDER).render(Unit("daily", service), NIGHT, tz)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("out/{date}.csv", "/data/jobs/out/2026-03-02.csv"),
        ("out/date={start:%Y-%m-%d}/{job}/", "/data/jobs/out/date=2026-03-02/daily/"),
        ("{start}", "/data/jobs/2026-03-02T000000+0100"),
        ("{end:%H:%M}", "/data/jobs/00:00"),
        ("/abs/{service}/../{{x}}.csv", "/abs/{x}.csv"),
        ("file:///abs%20x/{date}.csv", "/abs x/2026-03-02.csv"),
        ("s3://bucket/{service}/{date}.csv", "s3://bucket/orders/2026-03-02.csv"),
        ("sqlite:///{date}.db", "sqlite:////data/jobs/2026-03-02.db"),
        ("{start:%%Y%Y}", "/data/jobs/%Y2026"),
    ],
)
def test_a_template_is_filled_in(text, expected):
    assert rendered(text) == expected


def test_what_a_template_is_about_is_known():
    assert template("{end:%Y}", FOLDER).windowed
    assert template("{date}", FOLDER).windowed
    assert not template("{job}-{service}.csv", FOLDER).windowed
    assert template("{service}/", FOLDER).by_service
    assert template("{service}/", FOLDER).directory
    assert not template("out.csv", FOLDER).directory


@settings(deadline=None)
@given(st.text(), st.text())
def test_services_have_places_of_their_own_inside_the_folder(one, other):
    paths = [rendered("out/{service}/x.csv", service) for service in (one, other)]
    assert (paths[0] == paths[1]) == (one == other)
    for path in paths:
        assert PurePosixPath(path).is_relative_to("/data/jobs/out")
        assert len(PurePosixPath(path).parts) in (5, 6)
        assert len(path.encode()) < 250
        assert ".." not in PurePosixPath(path).parts
        assert path.isprintable()


@settings(deadline=None)
@given(st.text(alphabet=string.ascii_letters + "{}:!%/.[]$" + "\0", max_size=30))
def test_any_text_is_a_template_or_a_value_error(text):
    try:
        found = template(text, FOLDER)
    except ValueError as error:
        assert str(error)  # noqa: PT017  either is right
    else:
        assert found.render(Unit("a"), NIGHT, BERLIN)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("file") / "jobs.toml"


@settings(deadline=None)
@given(st.text(alphabet=string.ascii_letters + "{}:!%/.[]$", max_size=30))
def test_a_file_with_any_template_is_read_or_refused(file, text):
    entry = f"[jobs.a]\nprojection = 'events'\nschedule = '@daily'\noutput = '{text}.csv'\n"
    file.write_text(f"[store]\npath = 'x'\n{entry}")
    try:
        assert read(file).jobs["a"].format
    except JobFileError as error:
        assert "jobs.a.output" in str(error)  # noqa: PT017  either is right


starts = st.sampled_from(
    [
        dt.datetime(2026, 10, 24, 20, tzinfo=dt.UTC),
        dt.datetime(2026, 3, 28, 20, tzinfo=dt.UTC),
        dt.datetime(2024, 12, 29, tzinfo=dt.UTC),
        dt.datetime(2026, 4, 4, 10, tzinfo=dt.UTC),
    ]
)


@settings(deadline=None)
@given(
    st.sampled_from(LINES),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]).map(ZoneInfo),
    st.sampled_from(GRIDS),
    st.lists(st.sampled_from(PARTS), max_size=6, unique=True),
    st.sampled_from(["start", "end"]),
    starts,
    st.sampled_from([60, 400]),
)
def test_an_output_that_is_accepted_is_of_one_window(line, tz, grid, parts, name, start, count):
    calendar = Calendar(line, tz, grid)
    found = template(f"{{{name}:{'_'.join(parts)}}}.csv", FOLDER)
    assume(not missing_times(found, calendar))
    some = list(islice(windows(calendar, start, start + dt.timedelta(days=1500)), count))
    assert len({found.render(Unit("a"), window, tz) for window in some}) == len(some)


@pytest.mark.parametrize(
    ("text", "line", "grid", "missing"),
    [
        ("{date}", "@", Grid("d"), ()),
        ("{date}", "@", Grid("h"), ("%H", "%z")),
        ("{start:%Y%m%d%H}", "@", Grid("h"), ("%z",)),
        ("{start:%Y%m%d%H}", "@", Grid("h", 2), ()),
        ("{start}", "@", Grid("m", 15), ()),
        ("{start:%G-%V}", "@", Grid("w"), ()),
        ("{start:%Y-%V}", "@", Grid("w"), ("%m", "%d")),
        ("{end:%Y-%j}", "@", Grid("d"), ()),
        ("{date}", "30 2 * * *", Grid(), ()),
        ("{date}", "30 2,14 * * *", Grid(), ("%H",)),
        ("{start:%Y-%m}", "0 0 1 * *", Grid(), ()),
        ("{start:%H%M}", "*/15 * * * *", Grid(), ("%Y", "%m", "%d", "%z")),
    ],
)
def test_what_lacks_in_an_output_is_named(text, line, grid, missing):
    calendar = Calendar("0 6 * * *" if line == "@" else line, BERLIN, grid)
    assert missing_times(template(text, FOLDER), calendar) == missing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b.PARQUET", "parquet"),
        ("s3://b/x.csv", "csv"),
        ("x.ndjson", "jsonl"),
        ("x.duckdb", "duckdb"),
        ("postgresql+psycopg://h/x.csv", "sql"),
        ("out/", "parquet"),
        ("out", None),
        ("g-{date}.csv.gz", "csv"),
        ("x.jsonl.gz", "jsonl"),
        ("tables/x.delta", "delta"),
    ],
)
def test_the_format_is_that_of_the_ending(text, expected):
    assert format_of(text) == expected


def test_passwords_are_not_shown():
    assert shown("postgresql://me:p%40:ss@host/db") == "postgresql://me:***@host/db"
    assert shown("out/a:b@c.csv") == "out/a:b@c.csv"
