"""Where things are in many JSON records at once.

Numbers keep their text and repeated keys stay visible, because nothing is parsed into values: a scan finds
the quotes, brackets, commas and colons that are not inside strings, and the spans between them are the keys
and values. Every text must be a JSON object that the engine's ``json_valid`` accepts; what that lets through
although it is no JSON (``[1,]``, ``NaN``) is found by ``doubtful``.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from esanalytics.sources._spans import Places, pick, whole

__all__ = ["Scan", "fields", "scan", "unquote"]

_QUOTE, _BACKSLASH, _OPEN, _CLOSE, _COMMA, _COLON = b'"\\{},:'
_MARKS = np.zeros(256, np.bool_)
_MARKS[list(b'"\\{}[],:')] = True
_STEP = np.zeros(256, np.int8)
_STEP[list(b"{[")] = 1
_STEP[list(b"}]")] = -1
_BLANK = np.zeros(256, np.bool_)
_BLANK[list(b" \t\r\n")] = True
_BEFORE_VALUE = np.zeros(256, np.bool_)
_BEFORE_VALUE[list(b"[,:")] = True
_CLEAR = np.zeros(256, np.bool_)
_CLEAR[list(b'"{[]0123456789tf')] = True
_SPACES = 4
_INT16 = 1 << 15


@dataclass(frozen=True)
class Scan:
    """The marks of many records: what stands where, and how deep.

    Attributes:
        block: the bytes of all records.
        starts: where each record starts, and where the last ends.
        at: the place of each mark.
        kind: the byte that stands there.
        depth: brackets open after it.
    """

    block: pa.Buffer
    starts: Places
    at: Places
    kind: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.int32]

    @cached_property
    def bytes(self) -> npt.NDArray[np.uint8]:
        """The bytes as numbers."""
        return np.frombuffer(self.block, np.uint8)

    def row(self, marks: Places) -> Places:
        """Return the record in which each mark stands, from 0."""
        return np.searchsorted(self.starts, self.at[marks], side="right") - 1

    def doubtful(self) -> Places:
        """Return the records, in order, that may be no JSON although ``json_valid`` takes them."""
        commas = np.flatnonzero(self.kind[:-1] == _COMMA)
        trailing = commas[_STEP[self.kind[commas + 1]] < 0]
        last = self.bytes[self.at[trailing + 1] - 1]
        odd = trailing[(last == _COMMA) | _BLANK[last]]
        return np.unique(np.concatenate([self.row(odd), self.row(self._odd_values())]))

    def repeated(self) -> dict[int, str]:
        """Return the records in which one object has a key twice, at any level, with that key."""
        colons = np.flatnonzero(self.kind == _COLON)
        codes, names = self.keys(colons)
        key = self._objects(colons) * max(1, len(names)) + codes
        ordered = np.sort(key)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if not len(twice):
            return {}
        found = np.flatnonzero(np.isin(key, twice))
        return {int(row): names[codes[one]] for row, one in zip(self.row(colons[found]), found, strict=True)}

    def _odd_values(self) -> Places:
        marks = np.flatnonzero(_BEFORE_VALUE[self.kind])
        place = self.at[marks] + 1
        for _ in range(_SPACES):
            blank = _BLANK[self.bytes[place]]
            if not blank.any():
                break
            place = place + blank
        first = self.bytes[place]
        unclear = np.flatnonzero(~_CLEAR[first])
        first, second = first[unclear], self.bytes[place[unclear] + 1]
        null = (first == ord("n")) & (second == ord("u"))
        minus = (first == ord("-")) & (second >= ord("0")) & (second <= ord("9"))
        found: Places = marks[unclear[~(null | minus)]]
        return found

    def keys(self, colons: Places) -> tuple[Places, list[str]]:
        """Return the key before each colon, as a number and as the names that the numbers stand for."""
        found = pick(self.block, self.at[colons - 2] + 1, self.at[colons - 1]).dictionary_encode()
        codes = found.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        written = found.dictionary.to_pylist()
        if not any("\\" in name for name in written):
            return codes, written
        read = [json.loads(f'"{name}"') for name in written]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(read))}
        return np.array([numbers[name] for name in read], np.int64)[codes], list(numbers)

    def _objects(self, colons: Places) -> Places:
        """Return for each colon the number of the object that it belongs to."""
        marks = np.flatnonzero((self.kind == _COLON) | (self.kind == _OPEN))
        depth = self.depth[marks]
        small = np.int16 if len(depth) and depth.max() < _INT16 else np.int32  # sixteen bits sort by radix
        order = np.argsort(depth.astype(small), kind="stable")
        owner = np.empty(len(marks), np.int64)
        owner[order] = np.cumsum(self.kind[marks[order]] == _OPEN)
        found: Places = owner[np.searchsorted(marks, colons)]
        return found


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of many records: the outermost keys and their values.

    Attributes:
        block: the bytes of all records.
        count: how many records.
        names: the keys that occur.
        rows: the record of each field.
        codes: the number in ``names`` of each field's key.
        keys: where each key starts, at its quote.
        starts: where each value starts.
        ends: where it ends.
    """

    block: pa.Buffer
    count: int
    names: list[str]
    rows: Places
    codes: Places
    keys: Places
    starts: Places
    ends: Places

    def get(self, name: str) -> pa.StringArray:
        """Return the value of one field in each record, as it is written; NULL where it is absent."""
        rows = np.full(self.count, -1, np.int64)
        if name in self.names:
            found = np.flatnonzero(self.codes == self.names.index(name))
            rows[self.rows[found]] = found
        return pick(self.block, self.starts, self.ends, rows)

    def path(self, path: str) -> pa.StringArray:
        """Return the value at ``a.b.c`` in each record; a field of exactly that name comes first."""
        found = self.get(path)
        head, dot, rest = path.partition(".")
        if not dot or found.null_count == 0:
            return found
        inside = self.get(head)
        rows = np.flatnonzero(pc.fill_null(pc.starts_with(inside, "{"), fill_value=False))
        if not len(rows):
            return found
        nested = fields(scan(inside.take(pa.array(rows)))).path(rest)
        spread = np.full(self.count, -1, np.int64)
        spread[rows] = np.arange(len(rows))
        return pc.coalesce(found, nested.take(pa.array(spread, mask=spread < 0)))

    def without(self, names: Collection[str]) -> pa.StringArray:
        """Return each record as JSON text without some of its fields."""
        dropped = [code for code, name in enumerate(self.names) if name in names]
        kept = ~np.isin(self.codes, dropped)
        pairs = pick(self.block, self.keys[kept], self.ends[kept])
        counts = np.bincount(self.rows[kept], minlength=self.count)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), pairs), ",")
        return pc.binary_join_element_wise("{", joined, "}", "")


def scan(texts: pa.StringArray) -> Scan:
    """Find the marks of these records, which the engine takes for JSON objects."""
    block, starts = whole(texts)
    data = np.frombuffer(block, np.uint8)
    found = np.flatnonzero(_MARKS[data])
    kind = data[found]
    if (kind == _BACKSLASH).any():
        real = ~_escapes(found, kind)
        found, kind = found[real], kind[real]
    quotes = kind == _QUOTE
    outside = quotes | (np.cumsum(quotes, dtype=np.int32) & 1 == 0)
    at, kind = found[outside], kind[outside]
    return Scan(block, starts, at, kind, np.cumsum(_STEP[kind], dtype=np.int32))


def fields(found: Scan) -> Fields:
    """Return the outermost fields of the scanned records, none of which may be ``doubtful``."""
    outer = found.depth == 1
    colons = np.flatnonzero(outer & (found.kind == _COLON))
    full = np.concatenate([[False], found.kind[:-1] != _OPEN])
    closing = (found.depth == 0) & (found.kind == _CLOSE) & full[: len(found.kind)]
    ends = np.flatnonzero(closing | (outer & (found.kind == _COMMA)))
    codes, names = found.keys(colons)
    starts, stops = _trimmed(found.bytes, found.at[colons] + 1, found.at[ends])
    return Fields(
        found.block,
        len(found.starts) - 1,
        names,
        found.row(colons),
        codes,
        found.at[colons - 2],
        starts,
        stops,
    )


def unquote(values: pa.StringArray) -> pa.StringArray:
    """Turn values as written into text: strings lose their quotes, ``null`` is NULL, others stay."""
    strings = pc.starts_with(values, '"')
    bare = values.cast(pa.binary())
    inner = pc.if_else(strings, pc.binary_slice(bare, 1, -1), bare).cast(pa.string())
    texts = pc.if_else(pc.equal(values, "null"), None, inner)
    escaped = pc.and_(strings, pc.match_substring(values, "\\"))
    rows = np.flatnonzero(pc.fill_null(escaped, fill_value=False))
    if not len(rows):
        return texts
    read = [json.loads(text) for text in values.take(pa.array(rows)).to_pylist()]
    mask = np.zeros(len(texts), np.bool_)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(read, pa.string()))


def _escapes(found: Places, kind: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Mark the backslashes, and the quotes behind an odd number of them."""
    slashes: npt.NDArray[np.bool_] = kind == _BACKSLASH
    marks = np.flatnonzero(slashes)
    place = found[marks]
    first = np.flatnonzero(np.concatenate([[True], np.diff(place) != 1]))
    last = np.concatenate([first[1:], [len(place)]]) - 1
    odd = marks[last[(last - first) % 2 == 0]]
    after = odd[odd + 1 < len(found)] + 1
    escaped = after[(found[after] == found[after - 1] + 1) & (kind[after] == _QUOTE)]
    slashes[escaped] = True
    return slashes


def _trimmed(data: npt.NDArray[np.uint8], starts: Places, ends: Places) -> tuple[Places, Places]:
    first, last = starts.copy(), ends.copy()
    wide = np.flatnonzero(_BLANK[data[first]])
    while len(wide):
        first[wide] += 1
        wide = wide[_BLANK[data[first[wide]]]]
    wide = np.flatnonzero(_BLANK[data[last - 1]])
    while len(wide):
        last[wide] -= 1
        wide = wide[_BLANK[data[last[wide] - 1]]]
    return first, last
