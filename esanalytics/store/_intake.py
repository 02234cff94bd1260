"""Whatever a user appends, as batches of Arrow rows with their origin and number."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import fields
from typing import Any

import duckdb
import pyarrow as pa

from esanalytics._instants import instant, iso
from esanalytics.engines import Result
from esanalytics.errors import InvalidEventError
from esanalytics.events import ENVELOPE, REQUIRED, Batch, Event, Groups, Refusal, Source
from esanalytics.store._payload import Inexact, common_type, flawed_rows, shapes, to_json

__all__ = ["batches", "in_all"]

PIECE_ROWS = 250_000
PIECE_BYTES = 64 * 2**20
PYTHON_ROWS = 50_000

_FIELDS = tuple(f.name for f in fields(Event))
_TIMES = ("occurred_at", "recorded_at")
_PAYLOADS = ("data", "metadata")
_LONGEST_RAW = 1_000_000
_Row = tuple[int, dict[str, object]]
"""A line number, and an event as a dict of the envelope."""
_REMEDY = (
    "append takes a pandas or polars frame, an Arrow table or stream, a DuckDB relation, events or dicts, "
    "a log view, or a source such as ea.sources.jsonl(path)"
)

Cursor = Callable[[], duckdb.DuckDBPyConnection]


def in_all(events: object) -> tuple[int | None, str]:
    """Return how much there is to load and in which unit, for progress; None where nobody knows."""
    if isinstance(events, Source):
        return events.total, "B"
    if isinstance(events, Sized) and not isinstance(events, Result | Mapping):
        return len(events), "event"
    return None, "event"


def batches(events: object, cursor: Cursor, now: dt.datetime) -> Iterator[Batch]:
    """Read anything that ``append`` takes, a bounded piece at a time.

    Args:
        events: what the user gave.
        cursor: makes a place to compute in.
        now: stands for the time of an ``Event`` that has none.

    Raises:
        InvalidEventError: it is nothing that holds events.
    """
    if isinstance(events, Source):
        return events.batches()
    if type(events).__module__.split(".")[0] == "pandas":
        return _from_pandas(events, cursor, now)
    reader = _reader(events)
    if reader is not None:
        return _from_arrow(reader)
    if isinstance(events, Iterable) and not isinstance(events, str | bytes):
        return _from_python([events] if isinstance(events, Mapping) else events, cursor, now)
    if isinstance(events, Event):
        return _from_python([events], cursor, now)
    raise InvalidEventError(type(events).__name__, None, "this holds no events", _REMEDY)


def _reader(events: object) -> pa.RecordBatchReader | None:
    if isinstance(events, Result):
        return events.batches(exact=True)
    if isinstance(events, pa.RecordBatch):
        return pa.Table.from_batches([events]).to_reader()
    return pa.RecordBatchReader.from_stream(events) if hasattr(events, "__arrow_c_stream__") else None


def _from_arrow(reader: pa.RecordBatchReader) -> Iterator[Batch]:
    first = 1
    for table in _pieces(reader):
        yield Batch(table, "row", first_line=first, done=table.num_rows)
        first += table.num_rows


def _pieces(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in reader:
        for start in range(0, batch.num_rows, PIECE_ROWS):
            held.append(batch.slice(start, PIECE_ROWS))
            if sum(b.num_rows for b in held) >= PIECE_ROWS or sum(b.nbytes for b in held) >= PIECE_BYTES:
                yield pa.Table.from_batches(held, reader.schema)
                held = []
    if held:
        yield pa.Table.from_batches(held, reader.schema)


def _from_pandas(frame: Any, cursor: Cursor, now: dt.datetime) -> Iterator[Batch]:  # noqa: ANN401  pandas, not imported
    if not hasattr(frame, "columns"):
        raise InvalidEventError(type(frame).__name__, None, "this holds no events", _REMEDY)
    if not frame.columns.is_unique:
        raise InvalidEventError("DataFrame", None, "two columns have the same name", "rename one")
    if not _holds_objects(frame):
        try:
            return _from_arrow(pa.Table.from_pandas(frame, preserve_index=False).to_reader())
        except (pa.ArrowException, TypeError, ValueError):
            pass  # columns of mixed objects: they are read row by row
    records = (zip(map(str, frame.columns), row, strict=True) for row in frame.itertuples(index=False, name=None))
    return _from_python((_record(cells) for cells in records), cursor, now)


def _record(cells: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Make an event of a row of a frame; an empty cell is an absent field."""
    found = ((name, _cell(value)) for name, value in cells)
    return {name: value for name, value in found if value is not None}


def _holds_objects(frame: Any) -> bool:  # noqa: ANN401  pandas, not imported
    objects = (frame[name] for name, kind in frame.dtypes.items() if kind == "object")
    return any(isinstance(value, Mapping | list) for column in objects for value in column.head(1_000))


def _cell(value: object) -> object:
    missing = value is None or type(value).__name__ in {"NaTType", "NAType"}
    return None if missing or (isinstance(value, float) and math.isnan(value)) else value


def _from_python(events: Iterable[object], cursor: Cursor, now: dt.datetime) -> Iterator[Batch]:
    numbered = enumerate(events, start=1)
    own: duckdb.DuckDBPyConnection | None = None
    while rows := list(itertools.islice(numbered, PYTHON_ROWS)):
        own = own or cursor()
        read, refused = _read(rows, now)
        sound, flawed = _sound(read, own)
        written, garbled = _encodable(sound)
        yield _batch(written, (*refused, *flawed, *garbled), done=len(rows))


def _read(rows: Iterable[tuple[int, object]], now: dt.datetime) -> tuple[list[_Row], list[Refusal]]:
    """Make an envelope of every row, its payloads as JSON text where JSON bends nothing."""
    found: list[_Row] = []
    refused: list[Refusal] = []
    for line, row in rows:
        try:
            envelope = _envelope(row, now)
            for name in _PAYLOADS:
                if envelope.get(name) is not None:
                    envelope[name] = _payload(envelope[name], name)
        except (TypeError, ValueError) as error:
            refused.append(Refusal("row", line, str(error), repr(row)[:_LONGEST_RAW]))
        except RecursionError:
            refused.append(
                Refusal("row", line, "the payload is nested too deep", "a payload nested too deep to be shown")
            )
        else:
            found.append((line, envelope))
    return found, refused


def _sound(rows: list[_Row], cursor: duckdb.DuckDBPyConnection) -> tuple[list[_Row], list[Refusal]]:
    """Part the rows whose payloads can be stored from those whose cannot."""
    flawed: dict[int, str] = {}
    for name in _PAYLOADS:
        texts = [value if isinstance(value := row.get(name), str) else None for _, row in rows]
        flawed |= flawed_rows(cursor, pa.array(texts, pa.string()))
    if not flawed:
        return rows, []
    refused = [
        Refusal("row", rows[row][0], reason, json.dumps(rows[row][1], default=str)) for row, reason in flawed.items()
    ]
    return [row for number, row in enumerate(rows) if number not in flawed], refused


def _encodable(rows: list[_Row]) -> tuple[list[_Row], list[Refusal]]:
    """Part the rows whose text is Unicode from those with half a character in it."""
    try:
        "".join(str(value) for _, row in rows for value in row.values() if isinstance(value, str)).encode()
    except UnicodeEncodeError:
        good = [row for row in rows if _is_unicode(row[1])]
        bad = [row for row in rows if not _is_unicode(row[1])]
        return good, [
            Refusal("row", line, "its text is not valid Unicode", json.dumps(row, default=str)) for line, row in bad
        ]
    return rows, []


def _is_unicode(row: Mapping[str, object]) -> bool:
    return not any(re.search("[\ud800-\udfff]", value) for value in row.values() if isinstance(value, str))


def _batch(rows: list[_Row], refused: tuple[Refusal, ...], *, done: int) -> Batch:
    """Make the batch; payloads that JSON would bend become exact VARIANT."""
    lines = pa.array([line for line, _ in rows], pa.int64())
    names = {name for _, row in rows for name in row}
    columns = {name: [row.get(name) for _, row in rows] for name in ENVELOPE if name in names or name in REQUIRED}
    payloads = {name: _groups(columns.pop(name)) for name in _PAYLOADS if name in columns}
    table = pa.table({name: _column(name, values) for name, values in columns.items()})
    return Batch(table, "row", lines, 1, refused, payloads, done)


def _groups(values: list[object]) -> Groups:
    """Sort the payloads of rows by what they are made of."""
    texts = [row for row, value in enumerate(values) if isinstance(value, str)]
    exact = [row for row, value in enumerate(values) if isinstance(value, Mapping)]
    plain = (pa.array(texts, pa.int64()), pa.array([values[row] for row in texts], pa.string()))
    return (*([plain] if texts else []), *shapes(exact, values))


def _envelope(row: object, now: dt.datetime) -> dict[str, object]:
    if isinstance(row, Event):
        found = {name: getattr(row, name) for name in _FIELDS}
        return {**found, "occurred_at": now if row.occurred_at is None else row.occurred_at}
    if not isinstance(row, Mapping):
        raise TypeError(f"{type(row).__name__} is no event; give a dict or an ea.Event")
    extra = {str(name): value for name, value in row.items() if name not in ENVELOPE and name != "effective_at"}
    found = {name: value for name, value in row.items() if name in ENVELOPE}
    if not extra:
        return found
    if "data" not in row:
        return {**found, "data": extra}
    if isinstance(row.get("metadata"), str):
        raise TypeError(f"metadata is text, so {next(iter(extra))!r} cannot join it; give a dict")
    return {**found, "metadata": {**extra, **(row.get("metadata") or {})}}


def _payload(value: object, name: str) -> object:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is a {type(value).__name__}; give a dict or JSON text")
    try:
        return to_json(value)
    except Inexact:
        common_type(value)
        return value


def _column(name: str, values: list[object]) -> pa.Array:
    """Make a column of the envelope: instants where all are ``datetime``, else text, for the store to read."""
    if name in _TIMES:
        if all(type(value) is dt.datetime for value in values):
            return pa.array(values, pa.timestamp("us", tz="UTC"))
        return pa.array([None if value is None else _instant_text(value) for value in values], pa.string())
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:
        return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _instant_text(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return iso(instant(value))
    except ValueError:
        return repr(value)
