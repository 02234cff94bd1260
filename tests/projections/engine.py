"""Events as a DuckDB table whose payloads are VARIANT, and the rows a compiled fold gives on it."""

import datetime as dt
import json
from decimal import Decimal

import duckdb
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.projections import column_names, compile_fold, key_columns, paths
from esanalytics.projections._cast import cast

COLUMNS = {
    "position": "BIGINT",
    "event_id": "VARCHAR",
    "service": "VARCHAR",
    "stream_id": "VARCHAR",
    "version": "BIGINT",
    "type": "VARCHAR",
    "schema_version": "INTEGER",
    "occurred_at": "TIMESTAMPTZ",
    "recorded_at": "TIMESTAMPTZ",
    "effective_at": "TIMESTAMPTZ",
    "correlation_id": "VARCHAR",
    "causation_id": "VARCHAR",
}
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def event(type_="A", data=None, **given):
    position = given.get("position", 1)
    plain = dict.fromkeys(COLUMNS) | {
        "position": position,
        "event_id": f"e{position}",
        "service": "s",
        "stream_id": "x",
        "schema_version": 1,
        "effective_at": START + dt.timedelta(seconds=position),
        "occurred_at": START,
        "recorded_at": START,
    }
    return plain | given | {"type": type_, "data": data or {}}


def stream(*pairs):
    """Events of one stream in order, from (type, data) pairs."""
    return [event(type_, data, position=n) for n, (type_, data) in enumerate(pairs, 1)]


def connect():
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET threads = 1")
    con.execute(f"CREATE TABLE log ({', '.join(f'{name} {type_}' for name, type_ in COLUMNS.items())}, data VARIANT)")
    return con


def load(con, events):
    con.execute("DELETE FROM log")
    if not events:
        return
    rows = [
        ", ".join(
            [
                *(f"{_plain(e[name])}::{type_}" for name, type_ in COLUMNS.items()),
                f"{variant(e['data'])} AS data",
            ]
        )
        for e in events
    ]
    # As the store does on write: through the Parquet form, where all integers are signed.
    con.execute(
        f"""
        INSERT INTO log SELECT * EXCLUDE (data, p), variant_bytes_to_variant(p.metadata || p.value) FROM (
            SELECT *, variant_to_parquet_variant(data)::STRUCT(metadata BLOB, value BLOB) AS p
            FROM ({" UNION ALL ".join(f"SELECT {row}" for row in rows)}) t({", ".join([*COLUMNS, "data"])})
        )"""
    )


def held(con, projection):
    found = {}
    for path in paths(projection):
        name = ".".join('"' + key.replace('"', '""') + '"' for key in ("data", *path))
        rows = con.execute(f"SELECT type, variant_typeof({name}) FROM log GROUP BY ALL").fetchall()
        found[path] = {type_: frozenset(t for owner, t in rows if owner == type_ and t) for type_, _ in rows}
    return found


def table(con, tree):
    """The rows a query gives, payload values as JSON has them, and the names of the columns that hold such."""
    types = dict(row[:2] for row in con.execute(f"DESCRIBE {sql.text(tree)}").fetchall())
    shown = [_shown(name, type_) for name, type_ in types.items()]
    found = con.cursor().sql(f"SELECT {', '.join(shown)} FROM ({sql.text(tree)}) t").to_arrow_table().to_pylist()
    nested = {name for name, type_ in types.items() if "VARIANT" in type_}
    return [{c: json.loads(v) if c in nested and v is not None else v for c, v in row.items()} for row in found], nested


def rows(con, projection, order, held, key=None):
    tree = compile_fold(projection, source=exp.to_table("log"), order=order, held=held, key=key)
    types = dict(row[:2] for row in con.execute(f"DESCRIBE {sql.text(tree)}").fetchall())
    assert tuple(types) == column_names(projection)
    listed, _ = table(con, tree)
    names = tuple(key_columns(projection))
    found = {tuple(row[name] for name in names): {k: v for k, v in row.items() if k not in names} for row in listed}
    assert len(found) == len(listed)
    return found, types


def plain(value):
    """A Python value as it comes back out of a VARIANT through JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    return cast(value, "VARCHAR") if isinstance(value, dt.date) else value


def variant(value):
    if isinstance(value, dict) and len({key.lower() for key in value}) < len(value):
        return f"'{json.dumps(value)}'::JSON::VARIANT"  # a struct cannot tell a from A
    if isinstance(value, dict) and value:
        return "{" + ", ".join(f"{_plain(key)}: {variant(item)}" for key, item in value.items()) + "}::VARIANT"
    if isinstance(value, list) and value:
        return "[" + ", ".join(variant(item) for item in value) + "]::VARIANT"
    if isinstance(value, dict | list):
        return f"'{json.dumps(value)}'::JSON::VARIANT"
    return f"{_plain(value)}::VARIANT"


def _plain(value):
    if isinstance(value, bool) or value is None:
        return "NULL" if value is None else str(value)
    if isinstance(value, int):
        return f"'{value}'::BIGINT"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return f"DATE '{value}'"
    return sql.text(sql.literal(value))


def _shown(name, type_):
    quoted = '"' + name.replace('"', '""') + '"'
    return f"CAST({quoted}::VARIANT AS JSON)::VARCHAR AS {quoted}" if "VARIANT" in type_ else quoted
