"""What a file of jobs may say, and what it gets that says something else."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esanalytics.errors import JobFileError, OverlapError
from esanalytics.jobs._keys import INGEST, JOB, LEDGER, NOTIFY, STORE
from esanalytics.jobs._reading import read
from esanalytics.jobs._values import Unit, Window
from esanalytics.jobs._where import line_of
from esanalytics.jobs._windows import Grid

BASE = """
[store]
path = "shop"

[jobs.daily]
projection = "orders.py:orders"
schedule = "@daily"
output = "out/{start:%Y-%m-%dT%H%M%z}.parquet"
"""


@pytest.fixture
def said(tmp_path, monkeypatch):
    """Read a file with this text, and give the error's text where there is one."""
    monkeypatch.chdir(tmp_path)

    def found(text):
        (tmp_path / "jobs.toml").write_text(text)
        return read("jobs.toml")

    return found


def refusal(said, text):
    with pytest.raises(JobFileError) as caught:
        said(text)
    return str(caught.value)


def test_what_is_not_said_has_a_default(said, tmp_path):
    file = said(BASE)
    job = file.jobs["daily"]
    assert file.store == str(tmp_path / "shop")
    assert file.ledger == tmp_path / "jobs.ledger.sqlite"
    assert job.projection == f"{tmp_path}/orders.py:orders"
    assert (job.kind, job.format, job.mode, job.catchup, job.max_catchup) == ("state", "parquet", "replace", "all", 31)
    assert (job.retries, job.backoff, job.timeout) == (3, dt.timedelta(seconds=30), dt.timedelta(hours=1))
    assert (job.calendar.schedule, job.calendar.tz, job.calendar.grid) == ("0 0 * * *", ZoneInfo("UTC"), Grid())
    assert job.enabled
    assert not job.newest_only


def test_everything_that_may_be_said_is_understood(said, tmp_path):
    file = said("""
[store]
path = "s3://bucket/shop"
memory_limit = "600MB"
threads = 2
[ledger]
path = "state/ledger.sqlite"
[defaults]
tz = "Europe/Berlin"
retries = 0
schedule = "15 6 * * *"
[jobs.by_service]
sql = "select 1 as n"
kind = "state"
window = "6h"
first = 2026-03-01
lag = "90m"
service = ["orders", "billing"]
output = "out/{service}/{start:%Y/%j/%H}/"
format = "parquet"
partition_by = ["n"]
catchup = "latest"
max_catchup = 3
retries = 5
backoff = "1s"
timeout = "2h"
on_empty = "skip"
keep = "90d"
checks = ["row_count > 0", "not_null(n)"]
notify = { url = "https://example.org/ping", on_failure = "http://example.org/sad" }
enabled = false
[jobs.table]
projection = "shop.projections:orders"
kind = "history"
output = "postgresql+psycopg://me:secret@host/db"
key = ["order_id"]
snapshot = true
[ingest.raw]
files = ["in/*.jsonl", "more/*.csv"]
mapping = { stream_id = "order.id", type = "const:Placed" }
types = { amount = "DECIMAL(18,2)" }
delimiter = "\\t"
header = ["a", "b"]
on_invalid = "quarantine"
schedule = "@hourly"
""")
    job, table, raw = file.jobs["by_service"], file.jobs["table"], file.ingests["raw"]
    assert (file.store, file.memory_limit, file.threads) == ("s3://bucket/shop", "600MB", 2)
    assert file.ledger == tmp_path / "state/ledger.sqlite"
    assert job.first == dt.datetime(2026, 2, 28, 23, tzinfo=dt.UTC)
    assert job.units(["ignored"]) == (Unit("by_service", "billing"), Unit("by_service", "orders"))
    assert (job.calendar.grid, job.calendar.lag, job.retries) == (Grid("h", 6), dt.timedelta(minutes=90), 5)
    assert job.keep == dt.timedelta(days=90)
    assert job.notify.on_failure == "http://example.org/sad"
    assert (table.format, table.mode, table.table, table.retries) == ("sql", "window", "table", 0)
    assert table.output.shown == "postgresql+psycopg://me:***@host/db"
    assert table.units(["orders"]) == (Unit("table"),)
    assert (raw.files, raw.header, raw.delimiter) == (
        (f"{tmp_path}/in/*.jsonl", f"{tmp_path}/more/*.csv"),
        ("a", "b"),
        "\t",
    )


def test_a_query_may_be_in_a_file_of_its_own(said, tmp_path):
    (tmp_path / "counts.sql").write_text("select 2 as n")
    one = BASE.replace('projection = "orders.py:orders"', 'sql_file = "counts.sql"')
    assert said(one).jobs["daily"].sql == "select 2 as n"
    assert refusal(said, one.replace("counts.sql", "count.sql")).startswith(
        f"jobs.toml:6: jobs.daily.sql_file: 'count.sql' cannot be read ({'No such file or directory'})"
    )


def test_what_is_in_the_output_is_in_the_definition_and_the_schedule_is_not(said):
    known = said(BASE).jobs["daily"].definition
    assert said(BASE.replace("@daily", "@hourly") + 'lag = "1h"\nretries = 9\n').jobs["daily"].definition == known
    for more in ('kind = "history"', 'checks = ["row_count > 0"]', 'format = "csv"', 'service = "orders"'):
        assert said(f"{BASE}{more}\n").jobs["daily"].definition != known


def test_the_environment_is_in_paths(said, tmp_path, monkeypatch):
    monkeypatch.setenv("OUT", "/data")
    monkeypatch.delenv("SHOP", raising=False)
    file = said(BASE.replace('"shop"', '"${SHOP:-here}/$$"').replace('"out/', '"${OUT}/'))
    assert file.store == str(tmp_path / "here/$")
    assert file.jobs["daily"].output.text.startswith("/data/")
    found = refusal(said, BASE.replace('"shop"', '"${SHOP}"'))
    assert found.startswith("jobs.toml:3: store.path: '${SHOP}' is not set in the environment; set it")
    assert "write ${NAME}" in refusal(said, BASE.replace('"shop"', '"${SHOP"'))


WRONG = [
    ('schedul = "@daily"', "jobs.toml:9: jobs.daily.schedul: unknown key; did you mean 'schedule'?"),
    ("zzz = 1", "jobs.toml:9: jobs.daily.zzz: unknown key; known are "),
    ('retries = "three"', "jobs.daily.retries: 'three' is text; give a whole number from 0"),
    ("retries = true", "jobs.daily.retries: True is true or false; give a whole number from 0"),
    ("retries = 1.0", "jobs.daily.retries: 1.0 is a number; give a whole number from 0"),
    ("max_catchup = 0", "jobs.daily.max_catchup: 0 is too small; give a whole number from 1"),
    ("enabled = 1", "jobs.daily.enabled: 1 is a whole number; give true or false"),
    ('tz = "Europe/Berln"', "jobs.daily.tz: there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
    ('tz = "../etc"', "jobs.daily.tz: there is no time zone '../etc'"),
    ('window = "7m"', "jobs.daily.window: '7m' does not divide an hour, or has a longer name; choose 1m, 5m"),
    ('window = "2d"', "jobs.daily.window: '2d' is no window; choose tick, 15m"),
    ('lag = "2 hours"', "jobs.daily.lag: '2 hours' is no duration; give a number and s, m, h or d"),
    ('timeout = "0s"', "jobs.daily.timeout: '0s' is no time at all"),
    ('first = "soon"', "jobs.daily.first: 'soon' is no instant; give a date such as 2026-03-01"),
    ('kind = "stat"', "jobs.daily.kind: 'stat' is not known; did you mean 'state'?"),
    ('kind = "events"', "jobs.daily.kind: 'events' cannot be asked of projection; choose state or history or diff"),
    ('sql = "select 1"', "jobs.toml:5: jobs.daily: give one of projection, sql, sql_file, notebook; it has projection"),
    ('mode = "window"', "jobs.daily.mode: 'window' is for databases"),
    ('table = "t"', "jobs.daily.table: 'parquet' has no tables"),
    ('format = "html"', "jobs.daily.format: 'html' is no format of this"),
    ("parameters = { a = 1 }", "jobs.daily.parameters: are for a notebook"),
    ('service = ["a", "b"]', "jobs.daily.service: has several, and the output is not by service; put {service} in"),
    ('snapshot = true\nservice = "a"', "jobs.daily.snapshot: is for a projection of all services"),
    ('notify = { url = "mail:me" }', "jobs.daily.notify.url: 'mail:me' is no address"),
    ('notify = { urls = "https://x" }', "jobs.daily.notify.urls: unknown key; did you mean 'url'?"),
    ('checks = ["a", "a"]', "jobs.daily.checks: has the same text twice"),
    ('keep = "x"', "jobs.daily.keep: 'x' is no duration"),
    ("[job.other]", "jobs.toml:9: job: unknown table; did you mean 'jobs'?"),
    ("[jobs.'a b']", "jobs.a b: this is no name for it"),
    ("[ingest.daily]\nfiles = 'x'", "ingest.daily: there is jobs.daily too; give one of them another name"),
    ("[ingest.raw]", "jobs.toml:9: ingest.raw: has no files; add files = …"),
    ("[ingest.raw]\nfiles = []", "ingest.raw.files: is empty"),
    ('[defaults]\noutput = "x"', "defaults.output: unknown key"),
    ('[defaults]\nlag = "x"', "jobs.toml:10: defaults.lag: 'x' is no duration"),
    ('[ledger]\npath = "s3://x/y"', "ledger.path: 's3://x/y' is no file of this machine"),
    ("x = ", "jobs.toml:9: is no TOML (Invalid value)"),
    ("x = [", "is no TOML"),
]


@pytest.mark.parametrize(("more", "expected"), WRONG, ids=[more for more, _ in WRONG])
def test_what_is_wrong_is_told_with_its_place_and_remedy(said, more, expected):
    found = refusal(said, f"{BASE}{more}\n")
    assert expected in found
    assert found.startswith("jobs.toml")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("out/{starts}", "{starts} is not known; did you mean {start}?"),
        ("out/{0}", "{0} is not known; known are {start}"),
        ("out/{start.year}", "is not known"),
        ("out/{job!r}", "{job} takes no format"),
        ("out/{date:%Y}", "{date} takes no format"),
        ("out/{start:%Q}", "'%Q' is no format of a time"),
        ("out/{start", "is no template"),
        ("out/x", "does not end in a format's name"),
        ("out/{start:%Y-%m}.csv", "several windows have the same output; add %d, as in {start:%d}"),
        ("s3://bucket/{date}.xlsx", "'xlsx' cannot be written there"),
        ("out/{date}.duckdb/", "'duckdb' is one file, and this is a folder"),
        ("", "is empty"),
    ],
)
def test_an_output_that_cannot_be_is_refused(said, output, expected):
    found = refusal(said, BASE.replace("out/{start:%Y-%m-%dT%H%M%z}.parquet", output))
    assert "jobs.daily.output: " in found
    assert expected in found


@pytest.mark.parametrize(
    ("other", "output"),
    [
        ("same", "out/{start:%Y-%m-%dT%H%M%z}.parquet"),
        ("inside", "out/"),
        ("dotted", "./x/../out/{start:%Y-%m-%dT%H%M%z}.parquet"),
    ],
)
def test_two_jobs_with_one_output_are_refused(said, other, output):
    more = f'[jobs.{other}]\nprojection = "counts"\nschedule = "@daily"\noutput = "{output}"\nformat = "parquet"\n'
    with pytest.raises(OverlapError, match="both write"):
        said(BASE + more)


def test_two_tables_of_one_database_are_apart(said):
    more = '[jobs.{0}]\nprojection = "counts"\nschedule = "@daily"\noutput = "sqlite:///x.db"\n'
    assert len(said(BASE + more.format("a") + more.format("b")).jobs) == 3
    with pytest.raises(OverlapError):
        said(BASE + more.format("a") + "kind='state'\n" + more.format("b") + 'table = "a"\n')


def test_a_file_that_cannot_be_read_is_told_so(tmp_path):
    with pytest.raises(JobFileError, match=r"nowhere.toml: cannot be read \(No such file"):
        read(tmp_path / "nowhere.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(JobFileError, match="is no text in UTF-8"):
        read(tmp_path / "bytes.toml")
    with pytest.raises(JobFileError, match="Is a directory"):
        read(tmp_path)


def test_the_line_of_a_key_is_found():
    text = 'a = 1\n[ "b" . c ]\n"d e" = 2\nf.g = 3 # h = 4\n'
    assert [line_of(text, where) for where in ("a", "b.c", "b.c.d e", "b.c.f.g", "b.c.zzz", "zzz")] == [
        1, 2, 3, 4, 2, None,
    ]  # fmt: skip


values = st.one_of(
    st.booleans(),
    st.integers(-5, 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["${HOME}", "{date}", "1h", "0 6 * * *", "UTC", "events", "sql", "https://x", "out/x.csv", "${", "$"]
    ),
    st.lists(st.text(max_size=3), max_size=2),
    st.just({"a": 1}),
)


def toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{a = 1}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value if not 0xD800 <= ord(letter) < 0xE000) + '"'
    return repr(value)


def tables(keys):
    return st.dictionaries(st.sampled_from([*keys, "other"]), values, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(tables(STORE), tables(LEDGER), tables(JOB), tables(INGEST), tables(NOTIFY))
def test_any_file_is_read_or_refused(tmp_path, store, ledger, job, ingest, notify):
    parts = {"store": {"path": "x"} | store, "ledger": ledger, "ingest.b": {"files": "x"} | ingest}
    parts["jobs.a"] = {"projection": "events", "schedule": "@daily", "output": "out/x.csv"} | job
    if "notify" not in job:
        parts["jobs.a.notify"] = notify
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in entry.items())
        for name, entry in parts.items()
    )
    (tmp_path / "jobs.toml").write_text(text)
    try:
        found = read(tmp_path / "jobs.toml")
    except JobFileError as error:
        place = str(error)
        assert place.startswith(str(tmp_path / "jobs.toml"))
    else:
        assert list(found.jobs) == ["a"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet="[]={}\"'\n#.,ab1", max_size=60))
def test_any_text_is_read_or_refused(tmp_path, text):
    (tmp_path / "jobs.toml").write_text(text)
    with pytest.raises(JobFileError):
        read(tmp_path / "jobs.toml")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("sqlite:///x.sqlite", "sqlite:///{}/x.sqlite"),
        ("sqlite:///../x.sqlite?timeout=3", "sqlite:///{}/x.sqlite?timeout=3"),
        ("sqlite+pysqlite:///./a/../x.db", "sqlite+pysqlite:///{}/x.db"),
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:///file:x?mode=memory&uri=true", "sqlite:///file:x?mode=memory&uri=true"),
        ("all.duckdb", "{}/all.duckdb"),
        ("delta:all", "{}/all"),
        ("all/", "{}/all/"),
    ],
)
def test_databases_are_beside_the_file_of_jobs_wherever_one_is(said, tmp_path, output, expected):
    more = f'[jobs.x]\nprojection = "counts"\nschedule = "@daily"\noutput = "{output}"\n'
    job = said(BASE + more + ('format = "parquet"\n' if output == "all/" else "")).jobs["x"]
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    folder = tmp_path.parent if "../x" in output and "a/" not in output else tmp_path
    assert job.target(Unit("x"), Window(now, now, now)).url == expected.format(folder)
