"""Measures of writing: loads, single events, sources, quarantine, generators."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
from measuring import RATIO, Outcome, Timer, compare, of, shown, timer
from setting import Setting
from workload import COPY, ENVELOPE, PAYLOAD

import esanalytics as ea

_BAD_EACH = 1_000


def load(setting: Setting, ours: pa.Table, theirs: str) -> Outcome:
    """Append a table to an empty store; copy it to Parquet by hand."""
    copied = _copying(setting, theirs, loaded=setting.rows, nested=setting.structs)
    return compare(_appending(setting, lambda: ours), copied, setting.repeat)


def structs(setting: Setting) -> Outcome:
    return load(setting, setting.structs, ENVELOPE.format(source="nested"))


def structs_typed(setting: Setting) -> Outcome:
    return load(setting, setting.structs, "FROM loaded")


def columns(setting: Setting) -> Outcome:
    return load(setting, setting.rows, ENVELOPE.format(source="nested"))


def columns_typed(setting: Setting) -> Outcome:
    return load(setting, setting.rows, "FROM loaded")


def derived(setting: Setting) -> Outcome:
    """Leave the ids out: the store makes them of the content."""
    return load(setting, setting.structs.drop_columns(["event_id"]), ENVELOPE.format(source="nested"))


def single(setting: Setting, kind: str) -> Outcome:
    """Append one event at the end of many commits."""
    found = setting.commits
    return of([found.late[kind] * 1e3], "ms", f"slowest of all {shown(found.slowest * 1e3, 'ms')}")


def growth(setting: Setting, kind: str) -> Outcome:
    """Append one event at the end of many commits, and after the first hundred."""
    found = setting.commits
    late, early = found.late[kind], found.early[kind]
    return of([late / early], RATIO, f"{shown(late * 1e3, 'ms')} / {shown(early * 1e3, 'ms')}")


def quarantine(setting: Setting) -> Outcome:
    """Append with one invalid row in a thousand, set aside, and the valid rows alone."""
    mixed = f"SELECT * REPLACE (CASE WHEN row % {_BAD_EACH} = 0 THEN NULL ELSE type END AS type) FROM numbered"
    valid = f"FROM numbered WHERE row % {_BAD_EACH} <> 0"
    numbered = "WITH numbered AS (SELECT *, row_number() OVER () AS row FROM nested)"
    tables = [
        setting.arrow(f"{numbered} SELECT * EXCLUDE (row) FROM ({part})", nested=setting.structs)
        for part in (mixed, valid)
    ]
    ours = _appending(setting, lambda: tables[0], on_invalid="quarantine")
    return compare(ours, _appending(setting, lambda: tables[1]), setting.repeat)


def json_lines(setting: Setting) -> Outcome:
    """Append a file of JSON lines; have DuckDB read it and copy it to Parquet."""
    path = _lines(setting)
    types = {"event_id": "VARCHAR", "stream_id": "VARCHAR", "type": "VARCHAR", "occurred_at": "TIMESTAMPTZ"}
    query = f"FROM read_json('{path}', format = 'newline_delimited', columns = {types | PAYLOAD})"
    ours = _appending(setting, lambda: ea.sources.jsonl(path))
    found = compare(ours, _copying(setting, query), setting.repeat)
    path.unlink()
    return found


def json_lines_rate(setting: Setting) -> Outcome:
    path = _lines(setting)
    ours = _appending(setting, lambda: ea.sources.jsonl(path))
    found = of([setting.sizes.load / ours() for _ in range(setting.repeat)], "rows/s")
    path.unlink()
    return found


def generator_memory(setting: Setting) -> Outcome:
    found = setting.generated
    return of([found["peak"] / 1e6], "MB", f"{found['events']:,} events")


def generator_rate(setting: Setting) -> Outcome:
    found = setting.generated
    note = f"{found['seconds']:.1f} s, {found['making']:.1f} s of it in the generator itself"
    return of([found["events"] / found["seconds"]], "events/s", note)


def _appending(setting: Setting, events: Callable[[], object], **how: str) -> Timer:
    def run() -> float:
        with setting.empty() as store:
            return timer(lambda: store.append(events(), service="orders", progress=False, **how))()

    return run


def _copying(setting: Setting, query: str, **tables: pa.Table) -> Timer:
    def run() -> float:
        path = setting.path().with_suffix(".parquet")
        with setting.seeing(**tables) as connection:
            seconds = timer(partial(connection.execute, COPY.format(query=query, path=path)))()
        path.unlink()
        return seconds

    return run


def _lines(setting: Setting) -> Path:
    """Write the events of one load as JSON lines."""
    path = setting.path().with_suffix(".jsonl")
    with setting.seeing(loaded=setting.rows) as connection:
        connection.execute(f"COPY (FROM loaded) TO '{path}' (FORMAT json)")
    return path
