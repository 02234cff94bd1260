"""Processes that are killed while they write snapshots leave a store that answers right, and whole snapshots only."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import pytest
from histories import MINUTE, START, rows

import esanalytics as ea

KILLS = 8
ROOT = Path(ea.__file__).resolve().parents[1]
WRITER = """
    import sys
    import esanalytics as ea
    from test_snapshot_crashes import orders

    store = ea.Store.open(sys.argv[1], engine=ea.engines.DuckDB(threads=1))
    print("ready", flush=True)
    while True:
        ea.snapshot(store, orders)
        ea.refresh(store, orders)
        print("taken", flush=True)
"""

orders = ea.Projection(
    "orders",
    "stream_id",
    {"Set": {"status": ea.field("status")}, "Add": {"total": ea.add(ea.field("n", "BIGINT"))}},
)


def state(store, at=None):
    return rows(ea.state_at(store, orders, at), orders)


def event(number):
    type_, data = ("Add", {"n": number}) if number % 3 else ("Set", {"status": f"s{number % 7}"})
    at = START + number % 50 * MINUTE
    return {"stream_id": f"o-{number % 200}", "type": type_, "occurred_at": at, "data": data}


@pytest.mark.slow
def test_a_crash_while_a_snapshot_is_written_leaves_no_half_of_it(tmp_path):
    with ea.Store.create(tmp_path / "store") as store:
        store.append([event(number) for number in range(3_000)])
        right = {at: state(store, at) for at in (None, START + 20 * MINUTE)}
        for number in range(KILLS):
            killed_while_writing(store.path, at_random=number % 2 == 0)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = ea.snapshots(store)
                assert {at: state(store, at) for at in right} == right
            assert all(each.rows == 200 and Path(each.path).stat().st_size == each.size for each in found)
            halves = len(unfinished(store.path / "snapshots" / orders.name))
        assert halves, "no process was killed in the middle of a write"
        last = ea.refresh(store, orders)
        assert last.path in ea.state_at(store, orders).sql
        assert state(store) == right[None]


def killed_while_writing(path, *, at_random):
    """Start a process that takes snapshots without end; kill it at some moment, or when it has begun a file."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        folder, before = path / "snapshots" / orders.name, set(unfinished(path / "snapshots" / orders.name))
        end = time.monotonic() + (random.uniform(0.05, 0.6) if at_random else 20)
        while time.monotonic() < end and (at_random or set(unfinished(folder)) <= before):
            time.sleep(0.0005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def unfinished(folder):
    """List the files of rows that have no manifest, and so are no snapshots."""
    return [path for path in folder.glob("state-*.parquet") if not path.with_suffix(".json").exists()]
