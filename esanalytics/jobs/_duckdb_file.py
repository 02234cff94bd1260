"""A table of a DuckDB file: rows and their marker in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from esanalytics._disk import sync
from esanalytics._instants import iso
from esanalytics._sql import alias, column, literal, text
from esanalytics.engines import DuckDB
from esanalytics.errors import DestinationError
from esanalytics.jobs._explaining import explaining, other_columns
from esanalytics.jobs._files import check_place
from esanalytics.jobs._forms import staged_types, table_source, window_columns
from esanalytics.jobs._markers import COLUMNS, MARKERS, WINDOWED, fence, values, window_values
from esanalytics.jobs._parts import make_folder
from esanalytics.jobs._values import Mode, Published, Staged, Token

__all__ = ["DuckDBFile"]


@dataclass(frozen=True, slots=True)
class DuckDBFile:
    """A table in a file that DuckDB opens.

    Attributes:
        path: the file.
        table: its name.
        mode: what becomes of the rows of other windows; ``"upsert"``: rows are replaced by key, and those whose key
            is gone are removed, so the table is what the result is.
        keys: columns that tell rows apart.
        engine: what opens it, for as long as it takes.
        fenced: as ``Target`` has it.
    """

    path: Path
    table: str
    mode: Mode
    keys: tuple[str, ...]
    engine: DuckDB
    fenced: bool = True

    def find(self, token: Token) -> Published | None:
        """Return the table, where its marker is of this job, service and window with this fingerprint."""
        if not self.path.is_file():
            return None
        with explaining(str(self.path)), self._open() as at:
            if not at.columns(MARKERS) or not at.columns(self.table):
                return None
            where = "output = ? AND job = ? AND service = ? AND window_start = ? AND window_end = ? AND fingerprint = ?"
            given = [*window_values(self.table, token), iso(token.window.end), token.fingerprint]
            rows = at.run(f"SELECT row_count, digest FROM {at.name(MARKERS)} WHERE {where}", given)
        return Published(self._where, int(rows[0][0]), 0, str(rows[0][1]), (str(self.path),)) if rows else None

    def check(self, columns: Mapping[str, str], token: Token | None = None) -> None:
        """Refuse a place where there can be no such table.

        Raises:
            DestinationError: the file may not be written, somebody has it open, the table has other columns.
            NewerError: a newer window is there.
        """
        check_place(self.path)
        missing = [name for name in self.keys if name not in columns]
        if missing:
            remedy = f"choose some of {', '.join(columns)}"
            raise DestinationError(self._where, f"there is no column {missing[0]!r} to tell rows apart by", remedy)
        if not self.path.is_file():
            return
        with explaining(str(self.path)), self._open() as at:
            if token is not None and at.columns(MARKERS):
                self._fence(at, token)
            there = at.columns(self.table)
            wanted = [*columns, *(WINDOWED if self.mode == "window" else ())]
            if there and set(there) != set(wanted):
                raise other_columns(self._where, f"table {self.table!r}", there, wanted)

    def publish(self, staged: Staged, token: Token) -> Published:
        """Put the rows into the table, in one transaction with the marker that says so.

        Raises:
            DestinationError: they cannot be; the table is as it was.
            NewerError: a newer window is there.
        """
        self.check(staged.columns, token)
        with explaining(str(self.path)):
            make_folder(self.path.parent)
            with self._open() as at:
                at.run("BEGIN")
                try:
                    self._write(at, staged, token)
                    at.run("COMMIT")
                except BaseException:
                    with suppress(duckdb.Error):
                        at.run("ROLLBACK")
                    raise
            sync(self.path)
            sync(self.path.parent)
        return Published(self._where, staged.rows, 0, staged.digest, (str(self.path),))

    def sweep(self, keep: Callable[[str], bool]) -> None:
        """Do nothing: what a run leaves that dies, DuckDB takes away when the file is opened next."""

    @property
    def _where(self) -> str:
        return f"{self.path}:{self.table}"

    @contextmanager
    def _open(self) -> Iterator[_Attached]:
        name = f"esanalytics_{uuid.uuid4().hex}"
        cursor = self.engine.cursor()
        try:
            cursor.execute(f"ATTACH {text(exp.Literal.string(str(self.path)))} AS {name}")
            try:
                yield _Attached(cursor, name)
            finally:
                cursor.execute(f"DETACH {name}")
        finally:
            cursor.close()

    def _write(self, at: _Attached, staged: Staged, token: Token) -> None:
        names = [*COLUMNS[:-2], "row_count", "digest"]
        kinds = ", ".join(f"{name} {'BIGINT' if name == 'row_count' else 'VARCHAR'}" for name in names)
        at.run(f"CREATE TABLE IF NOT EXISTS {at.name(MARKERS)} ({kinds})")
        self._fence(at, token)
        rows = self._rows(at, staged, token)
        if self.mode == "upsert":
            self._check_keys(at, rows, staged.rows)
        self._prepare(at, rows)
        table = at.name(self.table)
        listed = ", ".join(_quoted(one.alias_or_name) for one in rows.selects)
        query = self._clear(at, rows, token)
        verb = "INSERT OR REPLACE" if self.mode == "upsert" else "INSERT"
        at.run(f"{verb} INTO {table} ({listed}) {query}")
        self._mark(at, staged, token)

    def _rows(self, at: _Attached, staged: Staged, token: Token) -> exp.Select:
        types = staged_types(at.cursor, staged.path)
        more = window_columns(token) if self.mode == "window" else []
        return exp.select(*(alias(column(name), name) for name in types), *more).from_(table_source(staged.path))

    def _check_keys(self, at: _Attached, rows: exp.Select, many: int) -> None:
        keys = ", ".join(map(_quoted, self.keys))
        given = " AND ".join(f"{_quoted(key)} IS NOT NULL" for key in self.keys)
        found = at.run(f"SELECT count(*) FROM (SELECT DISTINCT {keys} FROM ({text(rows)}) WHERE {given})")
        if found[0][0] != many:
            what = f"{', '.join(self.keys)} does not tell all rows apart: {found[0][0]} keys for {many} rows"
            raise DestinationError(self._where, what, "choose other columns as key")

    def _prepare(self, at: _Attached, rows: exp.Select) -> None:
        relation = at.cursor.sql(text(rows))
        given = dict(zip(relation.columns, map(str, relation.types), strict=True))
        there = at.columns(self.table)
        if there and there != {**there, **given}:
            told = (f"{name} {type_}" for name, type_ in there.items()), (f"{n} {t}" for n, t in given.items())
            raise other_columns(self._where, f"table {self.table!r}", *told)
        if not there:
            key = f", PRIMARY KEY ({', '.join(map(_quoted, self.keys))})" if self.mode == "upsert" else ""
            columns = ", ".join(f"{_quoted(name)} {type_}" for name, type_ in given.items())
            at.run(f"CREATE TABLE {at.name(self.table)} ({columns}{key})")

    def _clear(self, at: _Attached, rows: exp.Select, token: Token) -> str:
        """Take away the rows in whose place others come; return the query for these."""
        query, table = text(rows), at.name(self.table)
        if self.mode == "window":
            start, end = (text(literal(instant)) for instant in (token.window.start, token.window.end))
            at.run(
                f"DELETE FROM {table} WHERE _job = ? AND _service = ? "
                f"AND _window_start < {end} AND _window_end > {start}",
                [token.job, token.service],
            )
        elif self.mode == "upsert":
            same = " AND ".join(f"t.{_quoted(key)} = s.{_quoted(key)}" for key in self.keys)
            at.run(f"DELETE FROM {table} t WHERE NOT EXISTS (SELECT 1 FROM ({query}) s WHERE {same})")
        else:
            at.run(f"DELETE FROM {table}")
        return query

    def _fence(self, at: _Attached, token: Token) -> None:
        if self.mode == "window" or not self.fenced:
            return
        found = at.run(
            f"SELECT max(window_end) FROM {at.name(MARKERS)} WHERE output = ? AND job = ? AND service = ?",
            [self.table, token.job, token.service],
        )
        fence(self._where, found[0][0], token)

    def _mark(self, at: _Attached, staged: Staged, token: Token) -> None:
        markers = at.name(MARKERS)
        if self.mode == "window":
            meeting = "output = ? AND job = ? AND service = ? AND window_end > ? AND window_start < ?"
            at.run(f"DELETE FROM {markers} WHERE {meeting}", [*window_values(self.table, token), iso(token.window.end)])
        else:
            at.run(f"DELETE FROM {markers} WHERE output = ?", [self.table])
        marks = ", ".join("?" for _ in COLUMNS)
        at.run(f"INSERT INTO {markers} VALUES ({marks})", values(self.table, token, staged))


@dataclass(frozen=True, slots=True)
class _Attached:
    """A file while it is open."""

    cursor: duckdb.DuckDBPyConnection
    alias: str

    def run(self, sql: str, given: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        return self.cursor.execute(sql, list(given or ())).fetchall()

    def name(self, table: str) -> str:
        return f"{self.alias}.main.{_quoted(table)}"

    def columns(self, table: str) -> dict[str, str]:
        """Return the types of a table's columns; none where there is no such table."""
        found = self.run(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ? AND table_name = ? "
            "AND schema_name = 'main' ORDER BY column_index",
            [self.alias, table],
        )
        return {str(name): str(type_) for name, type_ in found}


def _quoted(name: str) -> str:
    return text(exp.to_identifier(name, quoted=True))
