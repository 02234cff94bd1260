"""Whatever a user appends, as batches of Arrow rows with their origin and number."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, fields
from typing import Any

import duckdb
import pyarrow as pa

from esanalytics._instants import instant, iso
from esanalytics.engines import Result
from esanalytics.errors import InvalidEventError
from esanalytics.events import ENVELOPE, Batch, Event, Groups, Refusal, Source
from esanalytics.store._payload import Inexact, common_type, flawed_rows, shapes, to_json

__all__ = ["batches", "in_all"]

PIECE_ROWS = 250_000
PIECE_BYTES = 64 * 2**20
PYTHON_ROWS = 50_000

_FIELDS = tuple(f.name for f in fields(Event))
_TIMES = ("occurred_at", "recorded_at")
_PAYLOADS = ("data", "metadata")
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
    if isinstance(events, Event | Mapping):
        return _from_python([events], cursor, now)
    if type(events).__module__.split(".")[0] == "pandas":
        return _from_pandas(events, cursor, now)
    if isinstance(events, Result):
        return _from_arrow(events.batches(exact=True))
    if isinstance(events, pa.RecordBatch):
        return _from_arrow(pa.Table.from_batches([events]).to_reader())
    if hasattr(events, "__arrow_c_stream__"):
        return _from_arrow(pa.RecordBatchReader.from_stream(events))
    if isinstance(events, Iterable) and not isinstance(events, str | bytes):
        return _from_python(events, cursor, now)
    raise InvalidEventError(type(events).__name__, None, "this holds no events", _REMEDY)


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
    if not _holds_objects(frame):
        try:
            table = pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            pass
        else:
            return _from_arrow(table.to_reader())
    records = (dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False, name=None))
    return _from_python(({k: _cell(v) for k, v in row.items()} for row in records), cursor, now)


def _holds_objects(frame: Any) -> bool:  # noqa: ANN401  pandas, not imported
    objects = (frame[name] for name, kind in frame.dtypes.items() if kind == object)
    return any(isinstance(value, Mapping | list) for column in objects for value in column.head(1_000))


def _cell(value: object) -> object:
    missing = value is None or type(value).__name__ in {"NaTType", "NAType"}
    return None if missing or (isinstance(value, float) and math.isnan(value)) else value


def _from_python(events: Iterable[object], cursor: Cursor, now: dt.datetime) -> Iterator[Batch]:
    numbered = enumerate(events, start=1)
    own: duckdb.DuckDBPyConnection | None = None
    while rows := list(itertools.islice(numbered, PYTHON_ROWS)):
        own = own or cursor()
        yield _Rows.read(rows, now).batch(own, done=len(rows))


@dataclass(slots=True, eq=False)
class _Rows:
    """Python rows, sorted into those that can become Arrow and those that are refused."""

    lines: list[int]
    columns: dict[str, list[object]]
    payloads: dict[str, list[object]]
    refused: list[Refusal]

    @classmethod
    def read(cls, rows: list[tuple[int, object]], now: dt.datetime) -> _Rows:
        """Take rows apart into columns; what is no event is refused."""
        names = [name for name in ENVELOPE if name not in _PAYLOADS]
        found = cls([], {name: [] for name in names}, {name: [] for name in _PAYLOADS}, [])
        for line, row in rows:
            try:
                envelope = _envelope(row, now)
                payload = {name: _payload(envelope.get(name), name) for name in _PAYLOADS}
            except (TypeError, ValueError) as error:
                found.refused.append(Refusal("row", line, str(error), repr(row)[:100_000]))
                continue
            found.lines.append(line)
            for name in names:
                found.columns[name].append(envelope.get(name))
            for name in _PAYLOADS:
                found.payloads[name].append(payload[name])
        return found

    def batch(self, cursor: duckdb.DuckDBPyConnection, *, done: int) -> Batch:
        """Make the batch; payloads that JSON would bend become exact VARIANT."""
        self._refuse_flawed(cursor)
        columns = {name: _texts(name, values) for name, values in self.columns.items()}
        payloads = {name: _groups(values) for name, values in self.payloads.items()}
        used = {name: values for name, values in columns.items() if values.null_count < len(values)}
        rows = pa.table(used)
        return Batch(rows, "row", pa.array(self.lines, pa.int64()), 1, tuple(self.refused), payloads, done)

    def _refuse_flawed(self, cursor: duckdb.DuckDBPyConnection) -> None:
        flawed: dict[int, str] = {}
        for values in self.payloads.values():
            flawed |= flawed_rows(cursor, pa.array([v if isinstance(v, str) else None for v in values], pa.string()))
        for row in sorted(flawed, reverse=True):
            raw = {name: str(v[row]) for name, v in (self.columns | self.payloads).items() if v[row] is not None}
            self.refused.append(Refusal("row", self.lines[row], flawed[row], json.dumps(raw)))
            del self.lines[row]
            for held in (*self.columns.values(), *self.payloads.values()):
                del held[row]


def _groups(values: list[object]) -> Groups:
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
    extra = {str(name): value for name, value in row.items() if name not in ENVELOPE}
    if "data" not in row:
        return {**row, "data": extra}
    return {**row, "metadata": {**extra, **(row.get("metadata") or {})}} if extra else dict(row)


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


def _texts(name: str, values: list[object]) -> pa.Array:
    make = _instant_text if name in _TIMES else _text
    return pa.array([None if value is None else make(value) for value in values], pa.string())


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool) else str(value)


def _instant_text(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return iso(instant(value))
    except ValueError:
        return repr(value)
