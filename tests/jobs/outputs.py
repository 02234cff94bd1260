"""Staged results to publish, what is read of an output, and the ten places that outputs go to."""

import datetime as dt
import itertools
import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
from deltalake import DeltaTable

import esanalytics
from esanalytics.engines import DuckDB
from esanalytics.jobs._destination import destination, staging
from esanalytics.jobs._stage import staged
from esanalytics.jobs._values import Target, Token, Window

ROOT = Path(esanalytics.__file__).resolve().parents[1]
ENGINE = DuckDB()
DAY = dt.timedelta(days=1)
FIRST = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ROWS = "SELECT 'k' || i AS id, {generation}::BIGINT AS generation, i::BIGINT AS n FROM range({rows}) t(i)"

_runs = itertools.count()


def window(day=0, days=1):
    start = FIRST + day * DAY
    return Window(start, start + days * DAY, start + days * DAY)


def token(generation=0, *, day=0, job="daily", service="", run=None):
    return Token(job, service, window(day), run or f"run{next(_runs)}x{os.getpid()}", f"print-{generation}")


def stage_query(query, path, engine=ENGINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    with engine.cursor() as cursor:
        cursor.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return staged(path, engine)


def stage_rows(path, generation=0, rows=100, engine=ENGINE):
    return stage_query(ROWS.format(generation=generation, rows=rows), path, engine)


def target(kind, folder):
    """Return the target of a kind in a folder."""
    return {
        "parquet": Target(f"{folder}/out/orders.parquet", "parquet"),
        "csv": Target(f"{folder}/out/orders.csv", "csv"),
        "jsonl": Target(f"{folder}/out/orders.jsonl", "jsonl"),
        "xlsx": Target(f"{folder}/out/orders.xlsx", "xlsx"),
        "directory": Target(f"{folder}/out/orders/", "parquet", partition_by=("generation",)),
        "delta": Target(f"{folder}/out/orders", "delta", "window"),
        "delta-replace": Target(f"{folder}/out/orders", "delta"),
        "duckdb": Target(f"{folder}/out/shop.duckdb", "duckdb", "window", "orders"),
        "duckdb-upsert": Target(f"{folder}/out/shop.duckdb", "duckdb", "upsert", "orders", ("id",)),
        "sqlite": Target(f"sqlite:///{folder}/out/shop.db", "sql", "window", "orders"),
        "sqlite-upsert": Target(f"sqlite:///{folder}/out/shop.db", "sql", "upsert", "orders", ("id",)),
    }[kind]


KINDS = ["parquet", "csv", "jsonl", "directory", "delta", "delta-replace", "duckdb", "duckdb-upsert"]
KINDS += ["sqlite", "sqlite-upsert"]


def publish(where, generation=0, *, rows=100, day=0, engine=ENGINE, job="daily", service=""):
    """Stage and publish a generation of rows as a run would."""
    it = token(generation, day=day, job=job, service=service)
    path = staging(where, it.run, Path(where.url.removeprefix("sqlite:///")).parents[1] / "stage")
    result = stage_rows(path, generation, rows, engine)
    try:
        return destination(where, engine).publish(result, it)
    finally:
        path.unlink(missing_ok=True)


def read(kind, folder):
    """Read the rows of an output, in no order; None: there is none."""
    out = Path(folder) / "out"
    if kind.startswith("sqlite"):
        return _sqlite(out / "shop.db")
    if kind.startswith("duckdb"):
        return _duckdb(out / "shop.duckdb")
    if kind.startswith("delta"):
        return _delta(out / "orders")
    query = {
        "parquet": f"FROM read_parquet('{out}/orders.parquet')",
        "csv": f"FROM read_csv('{out}/orders.csv')",
        "jsonl": f"FROM read_json('{out}/orders.jsonl', format='newline_delimited')",
        "directory": f"FROM read_parquet('{out}/orders/**/*.parquet', hive_partitioning=true)",
    }[kind]
    there = out / ("orders" if kind == "directory" else f"orders.{kind}")
    return duckdb.sql(f"SELECT id, generation, n {query}").fetchall() if there.exists() else None


def generations(found):
    """Tell which generations of rows there are, and how many of each, checking that none is there twice."""
    if found is None:
        return {}
    assert len({(one[0], one[1]) for one in found}) == len(found)
    return {g: sum(one[1] == g for one in found) for g in sorted({one[1] for one in found})}


def left_over(folder):
    """Name files that no output has."""
    out = Path(folder) / "out"
    return sorted(
        str(path.relative_to(out))
        for path in out.rglob("*")
        if path.name.endswith((".part", "-journal", ".wal", ".tmp"))
    )


def start(code, *args):
    """Start a Python process that has this folder's modules."""
    here = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": here},
    )


def manifest(folder):
    return json.loads((Path(folder) / "out" / "orders" / "_manifest.json").read_text())


def _sqlite(path):
    if not path.exists():
        return None
    connection = sqlite3.connect(path, timeout=20)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'orders'").fetchone():
            return None
        return connection.execute("SELECT id, generation, n FROM orders").fetchall()
    finally:
        connection.close()


def _duckdb(path):
    if not path.exists():
        return None
    with duckdb.connect(str(path)) as connection:
        if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'orders'").fetchone():
            return None
        return connection.execute("SELECT id, generation, n FROM orders").fetchall()


def _delta(path):
    if not DeltaTable.is_deltatable(str(path)):
        return None
    table = duckdb.arrow(DeltaTable(str(path)).to_pyarrow_dataset().to_table())  # noqa: F841  DuckDB finds it
    return duckdb.sql('SELECT id, generation, n FROM "table"').fetchall()
