"""Whatever happens, in whatever order: in the end outputs are what one clean run over the final log makes."""

import datetime as dt
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from shop_of_jobs import CODE, START, event, files_of, jobs_of, rows, shop

import esanalytics as ea
from esanalytics.engines import DuckDB
from esanalytics.jobs import _call, _ledger, _run

TEXT = """
[jobs.daily]
projection = "CODE:orders"
schedule = "@daily"
window = "1d"
output = "out/{date}.parquet"
max_catchup = 2

[jobs.latest]
projection = "merged"
schedule = "@daily"
output = "latest.parquet"

[jobs.events]
projection = "events"
schedule = "0 */6 * * *"
window = "12h"
output = "events/{start}/"
format = "parquet"
max_catchup = 3

[jobs.changes]
projection = "CODE:orders"
kind = "diff"
schedule = "@daily"
window = "1d"
output = "changes.duckdb"
max_catchup = 1

[jobs.table]
projection = "CODE:orders"
schedule = "@daily"
output = "sqlite:///FOLDER/table.sqlite"
"""
ENGINE = DuckDB(threads=1)
JOBS = ("daily", "latest", "events", "changes", "table")


class Crash(BaseException):
    """What a killed process does: nothing."""


class Bomb:
    """Lets everything happen until some step of it."""

    def __init__(self, steps):
        self.left = steps

    def __call__(self, function):
        def counted(*args, **options):
            self.tick()
            found = function(*args, **options)
            self.tick()
            return found

        return counted

    def tick(self):
        self.left -= 1
        if self.left == 0:
            raise Crash


def killed_at(jobs, now, step):
    """Run until some step, and leave everything as it is then."""
    bomb = Bomb(step)
    with pytest.MonkeyPatch.context() as patch:
        for place, name in (
            (_ledger.Ledger, "begin"),
            (_ledger.Ledger, "enter"),
            (_ledger.Ledger, "end"),
            (_ledger.Ledger, "claim"),
            (_ledger.Ledger, "confirm"),
            (_ledger.Ledger, "cover"),
            (_run, "stage"),
            (_run, "examine"),
            (_run._One, "_published"),
        ):
            patch.setattr(place, name, bomb(getattr(place, name)))
        patch.setattr(_run, "discard", lambda _: None)  # one who is killed tidies nothing
        try:
            jobs.run_due(now=now)
        except Crash:
            return True
    return False


def contents(folder):
    """Return what all outputs hold, by name."""
    found = {}
    for path in sorted(folder.rglob("*.parquet")):
        where = path.relative_to(folder)
        if "shop" not in where.parts and ".ledger." not in str(where):
            found.setdefault(str(where.parent if where.parts[0] == "events" else where), []).append(rows(path))
    if (folder / "changes.duckdb").exists():
        with closing(duckdb.connect(str(folder / "changes.duckdb"), read_only=True)) as connection:
            found["changes"] = sorted(
                connection.sql(
                    "SELECT * REPLACE (before::VARCHAR AS before, after::VARCHAR AS after) FROM changes"
                ).fetchall(),
                key=repr,
            )
    if (folder / "table.sqlite").exists():
        with closing(sqlite3.connect(folder / "table.sqlite")) as connection:
            found["table"] = sorted(connection.execute('SELECT * FROM "table"').fetchall(), key=repr)
    return found


def clean_run(folder, store, text, code, now):
    """Run everything once in another folder, over the same log."""
    folder.mkdir()
    shutil.copytree(store, folder / "shop")
    (folder / "code_of_jobs.py").write_text(code)
    jobs = jobs_of(folder, text.replace("FOLDER", str(folder)), engine=ENGINE)
    finish(jobs, now)
    return contents(folder)


def finish(jobs, now):
    """Run until nothing is due."""
    for _ in range(100):
        outcomes = jobs.run_due(now=now)
        assert all(outcome.error is None for outcome in outcomes), [o.error for o in outcomes if o.error]
        if not outcomes:
            return
    raise AssertionError("there is always something due")


class Exports(RuleBasedStateMachine):
    """A store that grows, a clock that goes on, and jobs that are run, killed and tampered with."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp()) / "own"
        self.hours = 30
        self.number = 0
        self.code = CODE
        self.text = TEXT.replace("FOLDER", str(self.folder))
        shop(self.folder, self.text, [event(1, "o0")])
        self.jobs = jobs_of(self.folder, self.text, engine=ENGINE)

    @property
    def now(self):
        return START + dt.timedelta(hours=self.hours)

    def append(self, *events):
        self.number += 1
        made = [{**one, "event_id": f"{self.number}-{n}"} for n, one in enumerate(events)]
        with ea.Store.open(self.folder / "shop", engine=ENGINE, auto_compact=False) as store:
            store.append(made, service="orders")

    @rule(hours=st.integers(1, 40), stream=st.sampled_from("abc"))
    def something_happens_in_time(self, hours, stream):
        self.hours += hours
        self.append(event(self.hours - 1, stream))

    @rule(
        hours=st.integers(-10, 60),
        stream=st.sampled_from("abc"),
        type_=st.sampled_from(["Placed", "Paid", "Deleted", "Seen"]),
        more=st.sampled_from([{}, {}, {}, {"coupon": "x"}, {"gift": True}]),
    )
    def something_comes_late(self, hours, stream, type_, more):
        self.append(event(min(hours, self.hours), stream, type_, **more))

    @rule(first=st.integers(0, 60), second=st.integers(0, 60), version=st.integers(1, 5))
    def a_clock_is_skewed(self, first, second, version):
        stream = f"versioned-{version}"
        self.number += 1
        base = 2 * self.number
        self.append(event(first, stream, version=base), event(second, stream, version=base + 1))

    @rule()
    def the_store_is_compacted(self):
        with ea.Store.open(self.folder / "shop", engine=ENGINE) as store:
            store.compact()

    @rule(hours=st.integers(0, 30))
    def jobs_are_run(self, hours):
        self.hours += hours
        assert all(outcome.error is None for outcome in self.jobs.run_due(now=self.now))

    @rule(name=st.sampled_from(JOBS))
    def a_job_is_forced(self, name):
        assert all(outcome.error is None for outcome in self.jobs.run(name, force=True, now=self.now))

    @rule(hours=st.integers(0, 30), step=st.integers(1, 25))
    def jobs_are_killed(self, hours, step):
        self.hours += hours
        killed_at(self.jobs, self.now, step)

    @rule(which=st.integers(0, 50))
    def an_output_is_deleted(self, which):
        outputs = [self.folder / name for name in ("latest.parquet", "changes.duckdb", "table.sqlite")]
        outputs += sorted(self.folder.glob("out/*")) + sorted(self.folder.glob("events/*"))
        path = outputs[which % len(outputs)]
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    @rule()
    def the_ledger_is_lost(self):
        for path in self.folder.glob("jobs.ledger.sqlite*"):
            if path.is_file():
                path.unlink()

    @rule(word=st.sampled_from(["paid", "settled", "closed"]))
    def the_definition_changes(self, word):
        self.code = CODE.replace('"paid"', f'"{word}"')
        (self.folder / "code_of_jobs.py").write_text(self.code)

    @invariant()
    def nothing_is_half_there(self):
        if hasattr(self, "folder"):
            contents(self.folder)

    def teardown(self):
        if not hasattr(self, "folder"):
            return
        finish(self.jobs, self.now)
        before = files_of(self.folder)
        assert self.jobs.run_due(now=self.now) == []
        assert files_of(self.folder) == before
        assert not [name for name in before if name.endswith(".part")]
        clean = clean_run(self.folder.parent / "clean", self.folder / "shop", TEXT, self.code, self.now)
        assert contents(self.folder) == clean
        shutil.rmtree(self.folder.parent)


_SOME = settings(
    max_examples=4, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
TestExports = Exports.TestCase
TestExports.settings = _SOME


@pytest.mark.slow
class TestManyExports(Exports.TestCase):
    """The same, for as long as there is time."""

    settings = settings(_SOME, max_examples=40, stateful_step_count=15)


@pytest.mark.parametrize(
    "step", [step if step % 4 == 1 else pytest.param(step, marks=pytest.mark.slow) for step in range(1, 24)]
)
def test_killed_at_any_step_the_next_run_completes_it(tmp_path, step):
    text = TEXT.replace("FOLDER", str(tmp_path / "own"))
    events = [event(1, "a"), event(5, "b"), event(20, "a", "Paid")]
    shop(tmp_path / "own", text, events)
    jobs = jobs_of(tmp_path / "own", text, engine=ENGINE)
    now = START + dt.timedelta(hours=36)
    was_killed = killed_at(jobs, now, step)
    finish(jobs, now)
    assert not list((tmp_path / "own").rglob("*.part"))
    assert not list((tmp_path / "own").glob("jobs.ledger.sqlite.d/stage/*"))
    clean = clean_run(tmp_path / "clean", tmp_path / "own" / "shop", TEXT, CODE, now)
    assert contents(tmp_path / "own") == clean
    phases = [row.phase for name in JOBS for row in jobs.history(name)]
    assert was_killed
    assert set(phases) <= {"done", "interrupted"}
    assert _call.folder_of(jobs.file).exists()
