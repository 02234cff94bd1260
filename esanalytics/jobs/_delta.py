"""A Delta table: each publishing is one commit, which replaces all rows or those of a window."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from sqlglot import exp

from esanalytics._disk import sync
from esanalytics._instants import iso
from esanalytics._sql import text
from esanalytics.engines import DuckDB
from esanalytics.errors import DestinationError
from esanalytics.jobs._explaining import explained_text, explaining, other_columns
from esanalytics.jobs._files import check_place
from esanalytics.jobs._forms import as_rows, staged_types, window_columns
from esanalytics.jobs._markers import WINDOWED, fence
from esanalytics.jobs._marks import end_of, facts, is_of
from esanalytics.jobs._parts import make_folder
from esanalytics.jobs._values import Mode, Published, Staged, Token

__all__ = ["DeltaOutput"]

_NOTE = "esanalytics"
_TRIES = 5
_NEWEST = 200
"""How many commits are looked through for one of ours; what is older is put there again."""
_ORPHANED = 24 * 3600.0
"""After how many seconds a file that no commit names is of a run that died, and not of one that another job is at."""


@dataclass(frozen=True, slots=True)
class DeltaOutput:
    """A Delta table in a folder, or in an object store.

    Commits are fenced by a transaction of their own for each job and service: of two runs at once one is refused, and
    looks again. Payloads are JSON text.

    Attributes:
        place: its folder or URL.
        mode: ``"replace"`` or ``"window"``.
        partition_by: columns that have folders of their own, where the table is made.
        engine: what reads the staged result.
        fenced: as ``Target`` has it.
    """

    place: str
    mode: Mode
    partition_by: tuple[str, ...]
    engine: DuckDB
    fenced: bool = True

    def find(self, token: Token) -> Published | None:
        """Return the table, where its newest commit of this window has this fingerprint."""
        with self._explaining():
            table = self._table()
            note = self._newest(table, token) if table is not None else None
            if table is None or note is None or not is_of(note, token):
                return None
            return Published(self.place, int(note["rows"]), 0, str(note["digest"]), tuple(table.file_uris()))

    def check(self, columns: Mapping[str, str], token: Token | None = None) -> None:
        """Refuse a place where there can be no such table.

        Raises:
            DestinationError: it may not be written, or the table has other columns.
            NewerError: a newer window is there.
        """
        if self._local is not None:
            check_place(self._local / "_delta_log")
        with self._explaining():
            table = self._table()
            if table is not None:
                if token is not None:
                    self._fence(table, token)
                self._compare(table, [*columns, *(WINDOWED if self.mode == "window" else ())])

    def publish(self, staged: Staged, token: Token) -> Published:
        """Put the rows into the table in one commit.

        Raises:
            DestinationError: they cannot be; the table is as it was.
            NewerError: a newer window is there.
        """
        self.check(staged.columns, token)
        with self._explaining():
            if self._local is not None:
                make_folder(self._local)
            for left in reversed(range(_TRIES)):
                before = self._table()
                try:
                    self._commit(before, staged, token)
                    break
                except CommitFailedError:
                    if not left:
                        raise
                    time.sleep(0.05 * (_TRIES - left))
            table = DeltaTable(self.place)
            self._sync(table)
            return Published(self.place, staged.rows, self._size(table), staged.digest, tuple(table.file_uris()))

    def sweep(self, keep: Callable[[str], bool]) -> None:  # noqa: ARG002  its files do not name their run
        """Remove files that are older than a day and that no commit names: those of runs that died."""
        if self._local is None:
            return
        with suppress(DeltaError, OSError, DestinationError):
            table = self._table()
            if table is None:
                return
            options: dict[str, Any] = {"retention_hours": 0, "dry_run": True, "enforce_retention_duration": False}
            for name in {*table.vacuum(**options, full=True)} - {*table.vacuum(**options)}:
                path = self._local / name
                if path.suffix == ".parquet" and path.stat().st_mtime < time.time() - _ORPHANED:
                    path.unlink()

    @property
    def _local(self) -> Path | None:
        return None if "://" in self.place else Path(self.place)

    def _table(self) -> DeltaTable | None:
        try:
            return DeltaTable(self.place)
        except TableNotFoundError:
            return None

    def _newest(self, table: DeltaTable, token: Token) -> dict[str, Any] | None:
        """Return what the newest commit says of this job and service, in this window where each has rows of its own."""
        for entry in table.history(_NEWEST):
            note = _noted(entry)
            same = note is not None and (note["job"], note["service"]) == (token.job, token.service)
            if note is not None and same and (self.mode != "window" or _meet(note["window"], token.window.key)):
                return note
        return None

    def _fence(self, table: DeltaTable, token: Token) -> None:
        if self.mode == "replace" and self.fenced:
            fence(self.place, end_of(self._newest(table, token), token), token)

    def _compare(self, table: DeltaTable, wanted: list[str]) -> None:
        there = [field.name for field in table.schema().fields]
        if set(there) != set(wanted):
            raise other_columns(self.place, "the table", there, wanted)

    def _compare_types(self, table: DeltaTable, given: pa.Schema) -> None:
        """Refuse rows that Delta would cast without a word, 1.5 to 1."""
        there, wanted = ({field.name: _kind(field.type) for field in each} for each in (_arrow(table), given))
        if there != wanted:
            told = ([f"{name} {kind}" for name, kind in each.items()] for each in (there, wanted))
            raise other_columns(self.place, "the table", *told)

    def _commit(self, table: DeltaTable | None, staged: Staged, token: Token) -> None:
        app = f"{_NOTE}:{token.job}:{token.service}"
        version = 0 if table is None else (table.transaction_version(app) or 0)
        if table is not None:
            self._fence(table, token)
        properties = CommitProperties(
            app_transactions=[Transaction(app, version + 1)],
            custom_metadata={_NOTE: json.dumps(facts(token, staged))},
        )
        with self.engine.cursor() as cursor:
            query = text(self._rows(staged_types(cursor, staged.path), staged, token))
            rows = cursor.sql(query).to_arrow_reader()
            if table is not None:
                self._compare_types(table, rows.schema)
            write_deltalake(
                self.place if table is None else table,
                rows,
                mode="overwrite",
                predicate=_predicate(token) if self.mode == "window" and table is not None else None,
                partition_by=list(self.partition_by) or None,
                commit_properties=properties,
            )

    def _rows(self, types: Mapping[str, str], staged: Staged, token: Token) -> exp.Select:
        rows = as_rows(staged.path, types, "delta")
        return rows.select(*window_columns(token)) if self.mode == "window" else rows

    def _sync(self, table: DeltaTable) -> None:
        """Make what was committed durable: Delta leaves that to the system."""
        if self._local is None:
            return
        log = self._local / "_delta_log"
        entry = json.loads("[" + ",".join((log / f"{table.version():020}.json").read_text("utf-8").splitlines()) + "]")
        for path in [self._local / line["add"]["path"] for line in entry if "add" in line]:
            sync(path)
            sync(path.parent)
        sync(log / f"{table.version():020}.json")
        sync(log)
        sync(self._local)

    def _size(self, table: DeltaTable) -> int:
        actions = pa.table(table.get_add_actions(flatten=True))
        return sum(actions.column("size_bytes").to_pylist())

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        with explaining(self.place):
            try:
                yield
            except CommitFailedError as error:
                raise DestinationError(self.place, str(error), "try again", True) from error
            except DeltaError as error:
                raise explained_text(self.place, str(error)) from error


def _predicate(token: Token) -> str:
    """Name the rows of windows that meet this one; Delta compares a column with plain text only."""
    names = {"_job": token.job, "_service": token.service}
    same = [f"{name} = {text(exp.Literal.string(value))}" for name, value in names.items()]
    start, end = iso(token.window.start), iso(token.window.end)
    return " AND ".join([*same, f"_window_start < '{end}'", f"_window_end > '{start}'"])


def _arrow(table: DeltaTable) -> pa.Schema:
    return pa.schema(table.schema().to_arrow())


def _kind(type_: pa.DataType) -> str:
    """Name a type; those that are the same to Delta have one name."""
    if pa.types.is_timestamp(type_):
        return "timestamp" if type_.tz is None else "instant"
    return str(type_).removeprefix("large_").removesuffix("_view")


def _meet(first: str, second: str) -> bool:
    """Tell whether two windows have a time in common."""
    (start, _, end), (other_start, _, other_end) = first.partition("/"), second.partition("/")
    return start < other_end and other_start < end


def _noted(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        found = json.loads(entry[_NOTE])
    except (KeyError, TypeError, ValueError):
        return None
    return found if isinstance(found, dict) else None
