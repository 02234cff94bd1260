"""What is known of earlier runs, and how it survives."""

import datetime as dt
import multiprocessing
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from esanalytics.errors import CheckError, ClockError, LedgerError, OverlapError
from esanalytics.jobs._ledger import Ledger, Row, Stamp
from esanalytics.jobs._plan import Coverage
from esanalytics.jobs._values import Unit, Window

UNIT = Unit("daily", "orders")
DAYS = [Window(*(dt.datetime(2026, 3, day + offset, tzinfo=dt.UTC) for offset in (0, 1, 1))) for day in range(1, 6)]
NOW = dt.datetime(2026, 3, 10, 6, tzinfo=dt.UTC)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "state" / "ledger.sqlite") as opened:
        yield opened


def row(window, phase="done", **facts):
    return Row(
        UNIT, window, phase, "run-1", **{"mark": "m1", "position": 10, "rows": 3, "measures": {"n": 1.5}} | facts
    )


def run(ledger, name, window, phase="done", **ended):
    ledger.begin(name, UNIT, window, "due")
    ledger.end(name, phase, **ended)


def test_a_run_that_is_done_is_there_with_its_window(ledger):
    ledger.begin("run-1", UNIT, DAYS[0], "late events", attempt=2)
    ledger.enter("run-1", "publishing", "abc")
    (begun,) = ledger.runs("daily")
    assert (begun.phase, begun.digest, begun.ended, begun.attempt, begun.reason) == (
        "publishing", "abc", None, 2, "late events",
    )  # fmt: skip
    ledger.end("run-1", "done", row=row(DAYS[0], digest="abc", path="out/x.parquet"))
    (done,) = ledger.runs("daily")
    assert (done.unit, done.window.key, done.phase, done.rows, done.position) == (UNIT, DAYS[0].key, "done", 3, 10)
    assert done.seconds >= 0
    assert ledger.rows(UNIT) == {DAYS[0].key: row(DAYS[0], digest="abc", path="out/x.parquet")}
    assert ledger.rows(Unit("daily")) == {}


def test_a_failure_is_kept_with_its_error_and_what_was_done_stays_done(ledger):
    run(ledger, "run-1", DAYS[0], row=row(DAYS[0]))
    run(ledger, "run-2", DAYS[0], "rejected", error=CheckError("daily", [("row_count > 0", "0")], None))
    run(ledger, "run-3", DAYS[1], "failed", error=OSError("disk"))
    found = ledger.rows(UNIT)
    assert [found[window.key].phase for window in DAYS[:2]] == ["done", "failed"]
    assert [(one.run, one.error_type) for one in ledger.runs("daily")] == [
        ("run-3", "OSError"),
        ("run-2", "CheckError"),
        ("run-1", None),
    ]
    assert ledger.runs("daily", limit=1)[0].error == "disk"
    assert ledger.runs("other") == []
    assert len(ledger.runs()) == 3


def test_runs_that_never_ended_are_interrupted(ledger):
    ledger.begin("run-1", UNIT, DAYS[0], "due")
    ledger.begin("run-2", Unit("other"), DAYS[0], "due")
    assert ledger.interrupt("daily") == ["run-1"]
    assert ledger.interrupt("daily") == []
    assert ledger.rows(UNIT)[DAYS[0].key].phase == "interrupted"
    assert ledger.runs("other")[0].ended is None


def test_what_came_without_changing_a_window_is_noted(ledger):
    for number, window in enumerate(DAYS[:3]):
        run(ledger, f"run-{number}", window, row=row(window))
    run(ledger, "run-9", DAYS[3], "failed")
    ledger.confirm(UNIT, "m2", 20, but=[DAYS[1].key])
    found = [(one.mark, one.position) for one in ledger.rows(UNIT).values()]
    assert found == [("m2", 20), ("m1", 10), ("m2", 20), ("", 0)]


def test_how_far_a_unit_is_settled_is_kept(ledger):
    assert ledger.coverage(UNIT) is None
    for frontier in (DAYS[1].end, DAYS[2].end):
        ledger.cover(UNIT, Coverage("daily", DAYS[0].start, frontier))
        assert ledger.coverage(UNIT) == Coverage("daily", DAYS[0].start, frontier)


def test_an_output_belongs_to_one_job(ledger):
    ledger.claim("out/x", "a")
    ledger.claim("out/x", "a")
    with pytest.raises(OverlapError, match="jobs 'b' and 'a' both write 'out/x'"):
        ledger.claim("out/x", "b")


def test_a_clock_that_was_set_back_is_noticed(ledger):
    ledger.clock("daily", NOW)
    ledger.clock("daily", NOW - dt.timedelta(minutes=4))
    with pytest.raises(ClockError, match=r"the clock says 2026-03-10T05:54:00Z, the last run was at 2026-03-10T06"):
        ledger.clock("daily", NOW - dt.timedelta(minutes=6))
    ledger.clock("daily", NOW - dt.timedelta(days=1), force=True)
    ledger.clock("daily", NOW - dt.timedelta(hours=23))


def test_what_files_were_like_is_kept_by_kind_and_job(ledger):
    ledger.stamp("code", "daily", {"a.py": Stamp(1, 2, 3, "x"), "b.py": Stamp(4, 5, 6, "y")})
    ledger.stamp("code", "daily", {"a.py": Stamp(7, 2, 3, "z")})
    assert list(ledger.stamps("code", "daily").items()) == [
        ("a.py", Stamp(7, 2, 3, "z")),
        ("b.py", Stamp(4, 5, 6, "y")),
    ]
    ledger.stamp("code", "daily", {}, anew=True)
    assert ledger.stamps("code", "daily") == {}
    assert ledger.stamps("ingest", "daily") == {}


def test_a_ledger_outlives_its_process(ledger):
    run(ledger, "run-1", DAYS[0], row=row(DAYS[0]))
    ledger.close()
    with Ledger.open(ledger.path) as again:
        assert list(again.rows(UNIT)) == [DAYS[0].key]


def test_a_ledger_that_another_process_writes_is_busy_for_now(ledger):
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ledger._connection.execute("PRAGMA busy_timeout = 50")
    with pytest.raises(LedgerError, match="another process is at it; try again") as caught:
        ledger.claim("out/x", "a")
    assert caught.value.transient
    assert ledger.runs() == []
    other.execute("ROLLBACK")
    other.close()
    ledger.claim("out/x", "a")


@pytest.mark.parametrize("content", [b"not a database, but long enough to be taken for one" * 50, b"SQLite"])
def test_what_is_no_ledger_is_refused(tmp_path, content):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="is damaged") as caught:
        Ledger.open(path)
    assert not caught.value.transient
    assert path.read_bytes() == content


def test_a_ledger_of_a_newer_version_is_refused(ledger):
    ledger._connection.execute("PRAGMA user_version = 9")
    with pytest.raises(LedgerError, match="has format 9, this version reads 1; upgrade"):
        Ledger.open(ledger.path)


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="see to its folder"):
        Ledger.open(tmp_path / "file" / "ledger.sqlite")


def test_many_may_make_and_use_a_ledger_at_once(tmp_path):
    path = tmp_path / "ledger.sqlite"

    def work(number):
        with Ledger.open(path) as ledger:
            for window in DAYS:
                run(ledger, f"{number}-{window.key}", window, row=row(window))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    with Ledger.open(path) as ledger:
        assert len(ledger.runs(limit=100)) == 40
        assert len(ledger.rows(UNIT)) == 5


def _die_while_writing(path):
    with Ledger.open(path) as ledger, ledger._writing() as connection:
        connection.execute("INSERT INTO outputs VALUES ('out/half', 'a')")
        multiprocessing.current_process().kill()


def test_a_process_that_dies_while_writing_writes_nothing(tmp_path):
    path = tmp_path / "ledger.sqlite"
    process = multiprocessing.get_context("spawn").Process(target=_die_while_writing, args=(path,))
    process.start()
    process.join(60)
    with Ledger.open(path) as ledger:
        ledger.claim("out/half", "b")
