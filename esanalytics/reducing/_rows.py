"""What a reducer has made, on its way to Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from esanalytics.reducing._arrays import Column, spread
from esanalytics.reducing._values import PLAIN, Nested, Unfit, admitted, is_short, is_table

__all__ = ["KEY", "MARKS", "Key", "Rows", "Written", "parts_of"]

KEY = ("service", "stream_id")
MARKS: Mapping[str, pa.DataType] = {
    "$effective_at": pa.timestamp("us", tz="UTC"),
    "$version": pa.int64(),
    "$position": pa.int64(),
    "$event_id": pa.string(),
    "$type": pa.string(),
    "$live": pa.bool_(),
    "$next_at": pa.timestamp("us", tz="UTC"),
}
"""What a row says of its event where there is a row for each."""

_ROWS = 4_096
_FILE_ROWS = 50_000
_SIZE = 16 * 2**20
_LIGHT: Mapping[type, Callable[[Any], bool]] = {int: lambda value: -(2**63) <= value < 2**63, Decimal: is_short}
"""Values that most often can be stored as they are, and how to tell quickly."""

Key = tuple[str, str]


@dataclass(slots=True)
class Written:
    """What has been written.

    Attributes:
        files: the Parquet files.
        columns: what is known of each column.
        aside: streams whose rows in the files do not count.
    """

    files: list[str] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    aside: list[Key] = field(default_factory=list)


class Rows:
    """Gathers rows and writes them, a file at a time; streams come one after the other."""

    def __init__(self, folder: str, part: str, *, every: bool) -> None:
        self.written = Written()
        self._names: set[str] = set()
        self._by_lower: dict[str, str] = {}
        self._place = f"{folder}/{part}"
        self._every = every
        self._marks: list[tuple[Any, ...]] = []
        self._next: list[int | None] = []
        self._states: list[dict[str, Any]] = []
        self._size = 0
        self._count = 0
        self._began = 0
        self._spilled = False
        self._tables: list[pa.Table] = []

    def begin(self) -> None:
        """Begin the next stream."""
        if len(self._states) >= _ROWS or self._size >= _SIZE:
            self._flush()
        self._began = len(self._states)
        self._spilled = False

    def add(self, mark: tuple[Any, ...], state: dict[str, Any]) -> None:
        """Add a row; where there is one per event, its ``$next_at`` is given later."""
        self._marks.append(mark)
        self._states.append(state)

    def follow(self, at: int | None) -> None:
        """Say when the event after the last one that was added happened."""
        self._next.append(at)
        if len(self._next) >= _ROWS or self._size >= _SIZE:
            self._flush()

    def drop(self, key: Key) -> None:
        """Leave out the stream that has begun."""
        del self._marks[self._began :], self._next[self._began :], self._states[self._began :]
        if self._spilled:
            self.written.aside.append(key)

    def close(self) -> Written:
        """Write what is left."""
        self._flush()
        self._write()
        return self.written

    def admit(self, state: Any) -> dict[str, Any]:  # noqa: ANN401  the user's own type
        """Return a state as the columns of a row, as they are at this moment.

        Raises:
            Unfit: a table cannot hold it.
        """
        row: dict[str, Any] = dict(state) if type(state) is dict else dict(parts_of(state))
        if not row.keys() <= self._names:
            for name in row:
                self._meet(name)
        for name, value in row.items():
            kind = type(value)
            if kind is str and value.isascii():
                self._size += len(value)
            elif kind not in PLAIN and not (kind in _LIGHT and _LIGHT[kind](value)):
                row[name] = self._admitted(name, value)
        return row

    def _admitted(self, name: str, value: Any) -> Any:  # noqa: ANN401  any value
        """Return a value that needs a closer look as it is stored."""
        try:
            found = admitted(value)
        except Unfit as error:
            what, remedy = error.args
            raise Unfit(f"gave column {name!r} {what}", remedy) from error.__cause__
        if isinstance(found, str | bytes | Nested):
            self._size += len(found)
        return found

    def _meet(self, name: Any) -> None:  # noqa: ANN401  the user's own
        """Check the name of a column that is new."""
        if not isinstance(name, str) or not name:
            raise Unfit(f"gave a state with the key {name!r}", "give keys that are text")
        if "\0" in name or admitted(name) != name:
            raise Unfit(f"gave a column {name!r}, which is no text that a table can have", "call it something else")
        if name.lower() in KEY or name.startswith("$"):
            raise Unfit(f"gave a column {name!r}, and every row has one already", "call it something else")
        other = self._by_lower.setdefault(name.lower(), name)
        if other != name:
            raise Unfit(f"gave columns {other!r} and {name!r}, which differ only in case", "rename one of them")
        self._names.add(name)

    def _flush(self) -> None:
        """Turn the rows into Arrow, soon: Python's garbage collector looks at them again and again."""
        if not self._states:
            return
        names = KEY if not self._every else (*KEY, *list(MARKS)[:-1])
        columns: dict[str, Any] = {name: [mark[n] for mark in self._marks] for n, name in enumerate(names)}
        if self._every:
            columns["$next_at"] = self._next
        arrays = {name: pa.array(values, MARKS.get(name, pa.string())) for name, values in columns.items()}
        for name, values in _transposed(self._states):
            if name not in self.written.columns:
                self._note()
            arrays |= spread(name, values, self.written.columns[name])
        self._tables.append(pa.table(arrays))
        self._count += len(self._states)
        self._marks, self._next, self._states = [], [], []
        self._began, self._spilled, self._size = 0, True, 0
        if sum(table.num_rows for table in self._tables) >= _FILE_ROWS or _bytes(self._tables) >= _SIZE:
            self._write()

    def _write(self) -> None:
        """Write a file."""
        if self._tables:
            self.written.files.append(f"{self._place}-{len(self.written.files)}.parquet")
            whole = pa.concat_tables(self._tables, promote_options="default")
            pq.write_table(whole, self.written.files[-1], compression="zstd")
            self._tables = []

    def _note(self) -> None:
        """Note where columns appear first."""
        for number, (state, mark) in enumerate(zip(self._states, self._marks, strict=True), self._count):
            for place, name in enumerate(state):
                if name not in self.written.columns:
                    self.written.columns[name] = Column((*mark[: len(KEY)], number, place))


def _bytes(tables: list[pa.Table]) -> int:
    return sum(table.nbytes for table in tables)


def _transposed(states: list[dict[str, Any]]) -> Iterable[tuple[str, list[Any]]]:
    """Give the columns of some rows, which most often all have the same.

    Not by zipping them: thousands of iterators at once make the garbage collector look at everything.
    """
    layouts = set(map(tuple, states))
    if len(layouts) == 1:
        return [(name, [state[name] for state in states]) for name in layouts.pop()]
    names = sorted({name for layout in layouts for name in layout})
    return [(name, [state.get(name) for state in states]) for name in names]


def parts_of(state: Any) -> Mapping[Any, Any]:  # noqa: ANN401  the user's own type
    """Return a state as the columns of a row."""
    if not is_table(state):
        return {"state": state}
    return state if isinstance(state, Mapping) else {part.name: getattr(state, part.name) for part in fields(state)}
