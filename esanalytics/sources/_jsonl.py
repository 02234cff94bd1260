"""JSON lines: one record per line, kept as it is written.

Nothing is parsed into values: numbers keep their digits (``1.10``, integers of any size), strings their
escapes.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from esanalytics import _sql
from esanalytics._instants import iso
from esanalytics.errors import SourceError
from esanalytics.events import ENVELOPE, Batch, Refusal
from esanalytics.sources._evaluate import connect, evaluate, named, ran
from esanalytics.sources._files import LIMIT, ROWS, Paths, chunks, find, refusal, size
from esanalytics.sources._mapping import Constant, Expression, Mapped, Origin, checked, inside
from esanalytics.sources._scan import Fields, Scan, fields, scan, unquote
from esanalytics.sources._spans import Places, is_text, pick

__all__ = ["JsonLines", "jsonl"]

_PAYLOADS = ("data", "metadata")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A source of JSON lines; made by ``jsonl``."""

    paths: tuple[str, ...]
    mapping: Mapping[str, Origin]

    @property
    def total(self) -> int:
        """Bytes of the files."""
        return size(self.paths)

    def batches(self) -> Iterator[Batch]:
        """Yield the rows, in batches of at most 100,000; each call starts anew.

        Raises:
            SourceError: a file cannot be opened, or an expression of the mapping makes no sense.
        """
        con = connect()
        try:
            for path in self.paths:
                yield from _file(con, path, self.mapping)
        finally:
            con.close()


def jsonl(path: Paths, *, mapping: Mapped | None = None) -> JsonLines:
    """Read events from JSON lines (``.jsonl``, ``.ndjson``), also compressed (``.gz``, ``.zst``).

    A batch has the envelope columns that occur as text, and ``data`` and ``metadata`` as JSON text in which
    numbers stand as in the file. What no envelope column takes is ``data``; in a record that has ``data`` (or
    where ``data`` is mapped) it joins ``metadata``. Lines that are no JSON object, no UTF-8, or have one key
    twice are refused; blank lines are passed over.

    Args:
        path: a file, a pattern such as ``"logs/*.jsonl.gz"``, or several; those of a pattern sorted by name.
        mapping: envelope column to its origin: a key or dotted path of the record, ``constant(value)``,
            ``sql(expression)``, or None to leave the column and the key of that name out. A path's outermost
            key stays in ``data``; a whole key that is mapped does not.

    Raises:
        SourceError: there is no such file, or the mapping is wrong.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> file = Path(mkdtemp(), "events.jsonl")
        >>> _ = file.write_text('{"id": "o-1", "kind": "Paid", "amount": 1.10}')
        >>> batch = next(jsonl(file, mapping={"stream_id": "id", "type": "kind"}).batches())
        >>> batch.rows.to_pylist()
        [{'stream_id': 'o-1', 'type': 'Paid', 'data': '{"amount": 1.10}', 'metadata': None}]
    """
    return JsonLines(find(path), checked(mapping))


@dataclass(frozen=True, slots=True)
class _Lines:
    """Whole lines of a file: records as text, the number of each, and the lines that are none."""

    texts: pa.StringArray
    numbers: Places
    refused: tuple[Refusal, ...]
    found: Scan | None = None

    def keep(self, kept: npt.NDArray[np.bool_], refused: list[Refusal]) -> _Lines:
        return _Lines(self.texts.filter(pa.array(kept)), self.numbers[kept], (*self.refused, *refused))


def _file(con: duckdb.DuckDBPyConnection, path: str, mapping: Mapping[str, Origin]) -> Iterator[Batch]:
    for block, first, taken, cut in _blocks(path):
        slices = list(_sliced(block, first)) or [(b"", first)]
        ends = [number + 1 == len(slices) for number in range(len(slices))]
        for (part, line), last in zip(slices, ends, strict=True):
            yield _batch(con, path, _lines(con, path, part, line), mapping, taken if last else 0, cut if last else ())


def _blocks(path: str) -> Iterator[tuple[bytes, int, int, tuple[Refusal, ...]]]:
    """Yield whole lines, the number of the first, the bytes taken for them, and how a broken file ends."""
    held: list[bytes] = []
    taken, line = 0, 1
    for chunk in chunks(path):
        taken += chunk.taken
        end = chunk.data.rfind(b"\n") + 1
        if not end and not chunk.last:
            held.append(chunk.data)
            _limit(path, line, sum(map(len, held)))
            continue
        block = b"".join([*held, chunk.data[:end]])
        held = [chunk.data[end:]]
        cut: tuple[Refusal, ...] = ()
        if chunk.last:
            rest = b"".join(held) if end else block + b"".join(held)
            block = block if end else b""
            if chunk.broken:
                cut = (refusal(path, line + block.count(b"\n"), chunk.broken, rest),)
            else:
                block += rest
        yield block.removeprefix(_BOM) if line == 1 else block, line, taken, cut
        line += block.count(b"\n")
        taken = 0


def _limit(path: str, line: int, length: int) -> None:
    if length > LIMIT:
        raise SourceError(path, line, "the line is longer than 1 GiB", "is this a file of JSON lines?")


def _sliced(block: bytes, first: int) -> Iterator[tuple[bytes, int]]:
    """Cut a block of lines into blocks of at most ``ROWS`` lines."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
    start = 0
    for number in range(ROWS - 1, len(ends), ROWS):
        yield block[start : ends[number]], first + number + 1 - ROWS
        start = int(ends[number])
    if start < len(block):
        yield block[start:], first + len(ends) // ROWS * ROWS


def _lines(con: duckdb.DuckDBPyConnection, path: str, block: bytes, first: int) -> _Lines:
    """Split a block into lines and keep those that are JSON objects."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
    if len(block) and (not len(ends) or ends[-1] != len(block)):
        ends = np.append(ends, len(block))
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)[: len(ends)]
    numbers = np.arange(first, first + len(ends))
    refused: list[Refusal] = []
    kept = _decodable(path, block, starts, ends, first, refused)
    lines = _Lines(pick(pa.py_buffer(block), starts, ends, np.flatnonzero(kept)), numbers[kept], tuple(refused))
    lines = _objects(con, path, lines)
    return _strict(path, lines)


def _decodable(
    path: str, block: bytes, starts: Places, ends: Places, first: int, refused: list[Refusal]
) -> npt.NDArray[np.bool_]:
    kept = np.ones(len(starts), np.bool_)
    if is_text(block):
        return kept
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        line = block[start:end]
        try:
            line.decode()
        except UnicodeDecodeError as error:
            kept[row] = False
            reason = f"not UTF-8 at byte {error.start + 1} of the line"
            refused.append(refusal(path, first + row, reason, line.rstrip(b"\r\n")))
    return kept


def _objects(con: duckdb.DuckDBPyConnection, path: str, lines: _Lines) -> _Lines:
    """Keep the lines that are JSON objects, and pass over blank ones."""
    if not len(lines.texts):
        return lines
    valid = exp.select(named(_sql.function("json_valid", _sql.column("line")), "valid")).from_("rows")
    answer = ran(con, pa.table({"line": lines.texts}), valid).column("valid").combine_chunks()
    good = answer.to_numpy(zero_copy_only=False).astype(np.bool_)
    good &= pc.match_substring_regex(lines.texts, r"\A[ \t\r\n]*\{").to_numpy(zero_copy_only=False)
    if good.all():
        return lines
    bad = np.flatnonzero(~good)
    texts = zip(bad, lines.texts.take(pa.array(bad)).to_pylist(), strict=True)
    refused = [
        refusal(path, int(lines.numbers[row]), _reason(text), text.rstrip("\r\n").encode())
        for row, text in texts
        if text.strip(" \t\r\n")
    ]
    return lines.keep(good, refused)


def _strict(path: str, lines: _Lines) -> _Lines:
    """Refuse what the engine takes for JSON although it is none, and records with one key twice."""
    if not len(lines.texts):
        return lines
    found = scan(lines.texts)
    bad = {row: reason for row in map(int, found.doubtful()) if (reason := _fault(lines.texts[row].as_py()))}
    bad |= {row: f"duplicate key {name!r}" for row, name in found.repeated().items() if row not in bad}
    if not bad:
        return replace(lines, found=found)
    refused = [_refused(path, lines, row, reason) for row, reason in sorted(bad.items())]
    kept = np.ones(len(lines.texts), np.bool_)
    kept[list(bad)] = False
    return lines.keep(kept, refused)


def _refused(path: str, lines: _Lines, row: int, reason: str) -> Refusal:
    return refusal(path, int(lines.numbers[row]), reason, lines.texts[row].as_py().rstrip("\r\n").encode())


def _reason(text: str) -> str:
    """Say why the engine does not take this line for a JSON object."""
    if fault := _fault(text):
        return fault
    return "not JSON" if text.lstrip().startswith("{") else "JSON, but not an object"


def _fault(text: str) -> str | None:
    try:
        json.loads(text, parse_constant=_no_number, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} at column {error.colno}"
    except ValueError as error:
        return f"not JSON: {error}"
    except RecursionError:
        return "not JSON, or nested too deeply to tell"
    return None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _batch(
    con: duckdb.DuckDBPyConnection,
    path: str,
    lines: _Lines,
    mapping: Mapping[str, Origin],
    done: int,
    cut: tuple[Refusal, ...],
) -> Batch:
    if not len(lines.texts):
        return _made(path, lines, pa.table({"data": pa.nulls(0, pa.string())}), {}, done, cut)
    found = fields(lines.found or scan(lines.texts))
    computed, failed = _computed(con, lines.texts, mapping)
    columns, claimed = _columns(found, mapping, computed)
    doubled = _payloads(found, columns, claimed, mapping)
    names = [name for name in ENVELOPE if name in columns]
    return _made(path, lines, pa.table({name: columns[name] for name in names}), {**doubled, **failed}, done, cut)


def _made(
    path: str, lines: _Lines, rows: pa.Table, failed: Mapping[int, str], done: int, cut: tuple[Refusal, ...]
) -> Batch:
    numbers = lines.numbers
    refused = [*lines.refused, *(_refused(path, lines, row, reason) for row, reason in failed.items())]
    if failed:
        kept = np.ones(len(numbers), np.bool_)
        kept[list(failed)] = False
        rows, numbers = rows.filter(pa.array(kept)), numbers[kept]
    ordered = sorted(refused, key=lambda one: one.line or 0)
    return Batch(rows, path, lines=pa.array(numbers, pa.int64()), refused=(*ordered, *cut), done=done)


def _computed(
    con: duckdb.DuckDBPyConnection, texts: pa.StringArray, mapping: Mapping[str, Origin]
) -> tuple[dict[str, Any], dict[int, str]]:
    trees = {name: _over_record(origin) for name, origin in mapping.items() if isinstance(origin, Expression)}
    trees |= {name: _sql.cast(_sql.cast(tree, "JSON"), "VARCHAR") for name, tree in trees.items() if name in _PAYLOADS}
    variant = _sql.cast(_sql.cast(_sql.column("line"), "JSON"), "VARIANT")
    relation = exp.select(named(variant, "record")).from_("rows").subquery("lines")
    return evaluate(con, pa.table({"line": texts}), relation, trees)


def _over_record(expression: Expression) -> exp.Expression:
    """Turn columns into paths of the record."""

    def over(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Column):
            return node
        path = [part.name for part in node.parts]
        record = exp.Column(this=exp.to_identifier("record", quoted=True), table=exp.to_identifier("lines"))
        return inside(record, path[1:] if path[0] == "record" else path)

    return expression.tree.transform(over)


def _columns(
    found: Fields, mapping: Mapping[str, Origin], computed: Mapping[str, Any]
) -> tuple[dict[str, Any], set[str]]:
    """Return the envelope columns but the payloads (these as written), and the keys that they took."""
    columns: dict[str, Any] = dict(computed)
    claimed: set[str] = set()
    for name in ENVELOPE:
        origin = mapping.get(name, name if name in found.names else None)
        if isinstance(origin, Constant):
            columns[name] = _repeated(name, origin.value, found.count)
        if isinstance(origin, str):
            value = found.path(origin) if name in mapping else found.get(name)
            columns[name] = value if name in _PAYLOADS else unquote(value)
            claimed.add(origin)
        if name in mapping and origin is None:
            claimed.add(name)
    return columns, claimed


def _repeated(name: str, value: Any, count: int) -> pa.Array:  # noqa: ANN401  a constant
    if value is None:
        return pa.nulls(count, pa.string())
    if isinstance(value, dt.datetime):
        text = iso(value if value.tzinfo else value.replace(tzinfo=dt.UTC))
    else:
        text = json.dumps(value, default=str) if name in _PAYLOADS else str(value)
    return pa.repeat(pa.scalar(text, pa.string()), count)


def _payloads(
    found: Fields, columns: dict[str, Any], claimed: set[str], mapping: Mapping[str, Origin]
) -> dict[int, str]:
    """Put what is left into ``data``, or ``metadata`` where there is data; return rows whose keys clash."""
    rest = found.without(claimed)
    mapped = mapping.get("data") is not None
    own = columns.get("data")
    own = pa.nulls(found.count, pa.string()) if own is None else _combined(own)
    has = pa.repeat(pa.scalar(True), found.count) if mapped else own.is_valid()
    columns["data"] = pc.if_else(has, _payload(own), rest)
    given = columns.get("metadata")
    given = pa.nulls(found.count, pa.string()) if given is None else _payload(_combined(given))
    more = pc.and_(has, pc.not_equal(rest, "{}"))
    merged = pc.if_else(more, _merged(given, rest), given) if pc.any(more).as_py() else given
    columns["metadata"] = merged
    return _clashes(merged, pc.and_(more, given.is_valid()))


def _combined(column: Any) -> pa.Array:  # noqa: ANN401  an Array or a ChunkedArray
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _payload(values: pa.StringArray) -> pa.StringArray:
    """Return payloads as JSON text: a string that holds an object is that object, ``null`` is NULL."""
    texts = unquote(values)
    packed = pc.and_(pc.starts_with(values, '"'), pc.match_substring_regex(texts, r"\A\s*\{"))
    return pc.if_else(pc.fill_null(packed, fill_value=False), texts, pc.if_else(pc.equal(values, "null"), None, values))


def _merged(given: pa.StringArray, rest: pa.StringArray) -> pa.StringArray:
    """Join two objects; what is given and no object becomes the field ``metadata``."""
    start = pc.utf8_slice_codeunits(rest, 0, -1)
    bare = pc.utf8_trim_whitespace(given)
    objects = pc.starts_with(bare, "{")
    empty = pc.match_substring_regex(bare, r"\A\{\s*\}\z")
    tail = pc.utf8_slice_codeunits(bare, 1)
    inner = pc.binary_join_element_wise(start, tail, ",")
    named = pc.binary_join_element_wise(start, ',"metadata":', bare, "}", "")
    joined = pc.if_else(objects, pc.if_else(empty, rest, inner), named)
    return pc.coalesce(joined, rest)


def _clashes(merged: pa.StringArray, both: pa.BooleanArray) -> dict[int, str]:
    rows = np.flatnonzero(both)
    if not len(rows):
        return {}
    found = scan(merged.take(pa.array(rows))).repeated()
    return {int(rows[row]): f"key {name!r} both in the record and in its metadata" for row, name in found.items()}
