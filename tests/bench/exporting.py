"""Measures of exports: to a file, again after a little has come, with nothing to do, and in bounded memory."""

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
from measuring import Outcome, compare, fresh, of, shown, timer
from setting import Setting
from workload import SPAN, START, TYPED

import esanalytics as ea

_JOBS = 50
_NOW = START + SPAN + dt.timedelta(days=2)
_LIMIT = "500MB"
_CODE = """
from dataclasses import replace
from workload import TYPED as saved

unsaved = replace(saved, name="unsaved")
"""
_FILE = """
[store]
path = "{store}"
threads = {threads}
[defaults]
schedule = "@daily"
[jobs.checked]
projection = "exported.py:unsaved"
output = "checked.parquet"
checks = ["row_count > 0", "unique(stream_id)", "not_null(total)"]
[jobs.state]
projection = "exported.py:unsaved"
output = "state.parquet"
[jobs.refreshed]
projection = "exported.py:saved"
output = "refreshed.parquet"
snapshot = true
"""
_IDLE = """
[jobs.job{number}]
projection = "counts"
schedule = "15 6 * * *"
window = "1d"
output = "out/{number}/{{date}}.csv"
"""
_HISTORY = """
[store]
path = "{store}"
memory_limit = "{limit}"
threads = {threads}
[jobs.history]
projection = "exported.py:saved"
kind = "history"
schedule = "@daily"
output = "history.parquet"
"""


def copied(setting: Setting) -> Outcome:
    """Export a state, and let DuckDB copy the very query to a file."""
    setup, _, query = _state(setting.store).sql.rpartition(";\n")
    ours, theirs = (setting.path().with_suffix(".parquet") for _ in range(2))
    copy = partial(_copy, setting, setup, query, theirs)
    export = partial(_exported, setting, ours)
    export(), copy()
    _same(ours, theirs)
    found = compare(timer(export), timer(copy), setting.repeat)
    ours.unlink(), theirs.unlink()
    return found


def run_of_job(setting: Setting) -> Outcome:
    """Run a job with three checks, ledger and all, and let DuckDB copy the very query to a file."""
    setup, _, query = _state(setting.store).sql.rpartition(";\n")
    theirs = setting.path().with_suffix(".parquet")
    job = _forced(_folder(setting, setting.store), "checked")
    found = compare(timer(job), timer(partial(_copy, setting, setup, query, theirs)), setting.repeat)
    theirs.unlink()
    return found


def refreshed(setting: Setting) -> Outcome:
    """Run a job whose snapshot lacks the last hundredth of the log, and one without a snapshot."""
    folder = _folder(setting, setting.tails[0])
    ours, theirs = (_forced(folder, name) for name in ("refreshed", "state"))
    ours(), theirs()
    _same(folder / "refreshed.parquet", folder / "state.parquet")
    return compare(timer(ours), timer(theirs), setting.repeat)


def idle(setting: Setting) -> Outcome:
    """Start the program where every job is done, and wait for it to end."""
    folder = setting.path()
    with ea.Store.create(folder / "shop", engine=setting.engine) as store:
        store.append([{"stream_id": "a", "type": "T", "occurred_at": START}], progress=False)
    jobs = "".join(_IDLE.format(number=number) for number in range(_JOBS))
    (folder / "jobs.toml").write_text(f'[store]\npath = "shop"\n{jobs}')
    now = START + dt.timedelta(days=1, hours=7)
    done = ea.jobs.load(folder / "jobs.toml").run_due(now=now)
    if [outcome.phase for outcome in done] != ["done"] * _JOBS:
        raise ValueError("the jobs are not done")
    command = [sys.executable, "-m", "esanalytics", "jobs", "-f", str(folder / "jobs.toml"), "run", "--now", f"{now}"]
    runs = [_waited(command) for _ in range(2 * setting.repeat + 1)][1:]
    return of(runs, "s", f"{_JOBS} jobs, from the start of the process to its end")


def memory(setting: Setting) -> Outcome:
    """Export every version in a process of its own, within a memory limit."""
    folder = _folder(setting, setting.store)
    text = _HISTORY.format(store=setting.store.path, limit=_LIMIT, threads=setting.threads)
    (folder / "jobs.toml").write_text(text)
    rows = min(setting.sizes.history, setting.sizes.events)
    days = SPAN * (rows / setting.sizes.events) // dt.timedelta(days=1)
    found = fresh("export", folder / "jobs.toml", START + dt.timedelta(days=max(1, days)))
    note = (
        f"{found['rows']:,} versions, {shown(found['bytes'] / 1e6, 'MB')} of Parquet, "
        f"in {shown(found['seconds'], 's')}; memory_limit {_LIMIT}"
    )
    return of([found["peak"] / 1e6], "MB", note)


def _state(store: ea.Store) -> ea.engines.Result:
    return ea.state_at(store, TYPED).order_by("stream_id")


def _exported(setting: Setting, path: Path) -> None:
    ea.export(_state(setting.store), path)


def _copy(setting: Setting, setup: str, query: str, path: Path) -> None:
    cursor = setting.sql.cursor()
    if setup:
        cursor.execute(setup)
    cursor.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")


def _folder(setting: Setting, store: ea.Store) -> Path:
    """Make a folder with a file of jobs."""
    folder = setting.path()
    folder.mkdir()
    (folder / "exported.py").write_text(_CODE)
    (folder / "jobs.toml").write_text(_FILE.format(store=store.path, threads=setting.threads))
    return folder


def _forced(folder: Path, name: str) -> Callable[[], None]:
    """Return what runs a job whose output is there."""

    def run() -> None:
        [outcome] = ea.jobs.load(folder / "jobs.toml").run(name, force=True, now=_NOW)
        if outcome.error is not None:
            raise outcome.error

    return run


def _waited(command: list[str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    if "nothing is due" not in done.stderr:
        raise ValueError(f"there was something to do: {done.stderr}")
    return seconds


def _same(one: Path, other: Path) -> None:
    """Check that two files have the same rows, in the same order."""
    query = "SELECT stream_id, status, total, events, least FROM read_parquet('{path}')"
    first, second = (duckdb.sql(query.format(path=path)).to_arrow_table() for path in (one, other))
    if not first.equals(second):
        raise ValueError("the two sides give different answers")
