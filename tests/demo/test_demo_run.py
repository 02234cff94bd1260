"""The demo as a whole: what it shows, what it writes, and what it leaves alone."""

import csv
import datetime as dt
import json
import re
import shlex
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import esanalytics as ea
from esanalytics.demo import _run, customers, orders, run, truth
from esanalytics.demo._figures import figures
from esanalytics.errors import StoreExistsError

EXPECTED = truth(orders=320)
SCRIPT = Path(sys.executable).with_name("esanalytics")


def text_of(folder):
    lines = []
    made = run(folder, echo=lines.append)
    assert made == Path("demo-output" if folder is None else folder)
    return "\n".join(lines)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of two runs, with files of others in it before the second one; and the text of both."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    texts = [text_of(folder)]
    (folder / "note.txt").write_text("mine")
    (folder / "shop" / "note.txt").write_text("in the way")
    return folder, *texts, text_of(folder)


@pytest.fixture(scope="module")
def without_data(tmp_path_factory):
    """A run in the current directory, away from the working copy's sample; and its text."""
    where = tmp_path_factory.mktemp("elsewhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_run, "_DATA", where / "absent")
        patch.chdir(where)
        text = text_of(None)
    return where / "demo-output", text


@pytest.fixture(scope="module")
def store(demo):
    with ea.Store.open(demo[0] / "shop") as store:
        yield store


def test_it_shows_the_counts_of_the_sample(demo):
    text = " ".join(demo[1].split())
    assert f"{EXPECTED.events:,} events; {EXPECTED.redelivered} records are re-deliveries" in text
    assert f"0 events; {EXPECTED.events + EXPECTED.redelivered:,} records are skipped: nothing has changed" in text
    assert f"{EXPECTED.late} events were recorded an hour or more after they happened" in text
    assert f"{len(EXPECTED.bad_orders)} orders were refunded twice" in text


def test_it_shows_how_many_events_each_type_has(demo):
    counts = [f"{n:,} {name}" for types in EXPECTED.types.values() for name, n in types.items()]
    assert [count for count in counts if count not in demo[1]] == []


def test_the_table_of_statuses_is_the_state_at_its_instant(demo, store):
    at = re.search(r"The orders as they were on (\S+)", demo[1])[1]
    for known_at, place in ((None, 0), (at, 4)):
        rows = list(ea.state_at(store, orders, at, known_at=known_at))
        line = next(line.split()[1:] for line in demo[1].splitlines() if line.split()[:1] == ["all"])
        assert line[place] == f"{len(rows):,}"
        paid = {0: 2, 4: 5}[place]
        assert line[paid] == f"{sum(row['paid'] for row in rows):,}"
    assert line[2] != line[5]


def test_the_order_it_compares_is_one_of_the_bad_ones(demo):
    assert re.search(r"(order-\d+) as it was on", demo[1])[1] in EXPECTED.bad_orders
    assert re.search(r"balance +([\d.]+) +-\1 +\*", demo[1])


def test_no_line_is_longer_than_a_hundred_columns(without_data):
    assert max(map(len, without_data[1].splitlines())) <= 100


def test_the_chart_is_a_png_of_a_size_to_look_at(demo):
    head = (demo[0] / "orders.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:])
    assert 1000 <= width <= 2000
    assert 600 <= height <= 1500


def test_the_figures_of_the_chart_are_the_state_at_the_end_of_the_days(store):
    found = figures(store.log)
    assert len(found.days) == 90
    for place in (0, 26, 54, 89):
        rows = list(ea.state_at(store, orders, found.days[place]))
        drawn = {name: counts[place] for name, counts in found.statuses.items()}
        assert drawn == {name: sum(row["status"] == name for row in rows) for name in drawn}
    assert sum(found.paid) == EXPECTED.paid
    assert sum(found.refunded) == EXPECTED.refunded + EXPECTED.refunded_again


def test_the_parquet_file_is_the_state_at_the_end(demo, store):
    written = pq.read_table(demo[0] / "orders.parquet").sort_by("order_id")
    answer = ea.state_at(store, orders).arrow().sort_by("order_id")
    assert written.equals(answer)
    assert written.num_rows == 320


def test_it_ends_with_exports_that_are_all_done_and_then_up_to_date(demo):
    ended = re.findall(r"^   (\w+) +(\w+) +(\d+)   (?:sqlite:///)?exports/", demo[1], re.MULTILINE)
    assert [(job, phase) for job, phase, _ in ended] == [
        *[("orders", "done")] * 3,
        *[("payments", "done")] * 3,
        ("counts", "done"),
        ("customers", "done"),
    ]
    assert "8 of 8 are up to date" in demo[1]


def test_the_exported_orders_are_the_state_at_the_end_of_the_days_in_berlin(demo, store):
    ends = {"2026-03-29": "2026-03-29T22:00Z", "2026-03-30": "2026-03-30T22:00Z", "2026-03-31": "2026-03-31T22:00Z"}
    files = sorted((demo[0] / "exports" / "orders").iterdir())
    assert [file.stem for file in files] == list(ends)
    for file in files:
        until = dt.datetime.fromisoformat(ends[file.stem]) - dt.timedelta(microseconds=1)
        assert pq.read_table(file).equals(ea.state_at(store, orders, until).order_by("order_id").arrow())


def test_the_exported_payments_are_those_of_each_day(demo, store):
    since = dt.datetime.fromisoformat("2026-03-28T23:00Z") - dt.timedelta(microseconds=1)
    log = store.log.where(service="payments").since(since).at("2026-03-31T21:59:59.999999Z")
    folders = sorted((demo[0] / "exports" / "payments").iterdir())
    assert [folder.name for folder in folders] == [f"date=2026-03-{day}" for day in (29, 30, 31)]
    lines = [line for folder in folders for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [json.loads(line)["event_id"] for line in lines] == [event["event_id"] for event in log.events()]


def test_the_exported_counts_and_customers_are_all_there_are(demo, store):
    with (demo[0] / "exports" / "counts.csv").open() as file:
        counts = {(row["service"], row["type"]): int(row["events"]) for row in csv.DictReader(file)}
    assert counts == {(name, type_): n for name, types in EXPECTED.types.items() for type_, n in types.items()}
    with sqlite3.connect(demo[0] / "exports" / "shop.db") as database:
        names = {name for (name,) in database.execute("select customer_id from customers")}
    assert names == {row["customer_id"] for row in ea.state_at(store, customers)}


def test_a_second_run_says_and_makes_the_same(demo):
    seconds = re.compile(r"took [\d.]+ s")
    assert seconds.sub("", demo[1]) == seconds.sub("", demo[2])


def test_a_second_run_touches_nothing_of_others_in_the_folder(demo):
    assert (demo[0] / "note.txt").read_text() == "mine"
    assert not (demo[0] / "shop" / "note.txt").exists()


@pytest.mark.parametrize("what", ["a file", "a folder with something in it"])
def test_what_the_demo_did_not_make_is_refused_and_left_alone(tmp_path, what):
    place = tmp_path / "place"
    other = place if what == "a file" else place / "shop" / "orders.parquet"
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_text("mine")
    with pytest.raises(StoreExistsError, match="not made by the demo"):
        run(place, echo=len)
    assert other.read_text() == "mine"
    assert len(list(tmp_path.rglob("*"))) == (1 if what == "a file" else 3)


def test_without_the_working_copy_it_makes_the_same_sample(without_data):
    files = sorted((without_data[0] / "sample").iterdir())
    assert len(files) == 5
    assert [file.name for file in files if file.read_bytes() != (_run._DATA / file.name).read_bytes()] == []
    assert f"{EXPECTED.events:,} events;" in without_data[1]
    assert "nothing has changed" in without_data[1]


def test_importing_the_demo_does_not_load_matplotlib():
    code = "import sys, esanalytics.demo; print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "False"


def test_importing_the_package_does_not_load_the_demo():
    code = "import sys, esanalytics; print('esanalytics.demo' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "False"


def printed(demo) -> list[str]:
    """Find the commands, whose quoted SQL may go over several lines."""
    return re.findall(r'^   (esanalytics (?:[^"\n]|"[^"]*")*)$', re.sub(r" \\\n +", " ", demo[1]), re.MULTILINE)


@pytest.mark.slow
def test_each_command_it_prints_runs(demo):
    assert len(printed(demo)) >= 5
    for command in printed(demo):
        words = shlex.split(command)
        found = subprocess.run([SCRIPT, *words[1:]], check=False, capture_output=True, text=True)
        assert found.returncode == 0, f"{command}\n{found.stderr}"
        written = words[-1] if "-o" in words else None
        assert Path(written).stat().st_size if written else (found.stdout + found.stderr).strip()


def test_the_command_about_the_bug_names_the_bad_release(demo):
    command = next(command for command in printed(demo) if "metadata.release" in command)
    found = subprocess.run([SCRIPT, *shlex.split(command)[1:]], check=True, capture_output=True, text=True)
    line = next(line for line in found.stdout.splitlines() if EXPECTED.bad_release in line)
    assert re.search(rf"\b{len(EXPECTED.bad_orders)}\b", line.replace(EXPECTED.bad_release, ""))
