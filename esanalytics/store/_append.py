"""Appending: stage a chunk, admit what is new, number it after the head, write it, commit it; again if it lost."""

from __future__ import annotations

import datetime as dt
import errno
import itertools
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb
from deltalake.exceptions import DeltaError
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import DuckDB
from esanalytics.errors import (
    AppendConflictError,
    CorruptFileError,
    EsAnalyticsError,
    InvalidEventError,
    StoreError,
)
from esanalytics.events import Batch, Refusal, storage_types
from esanalytics.store import _staging
from esanalytics.store._admission import BEGINNING, Admission, Problem, Scope, derive_ids, start
from esanalytics.store._commits import CommitLog, Head, NotCommitted, RaceLost
from esanalytics.store._files import DataFile
from esanalytics.store._intake import batches, in_all
from esanalytics.store._lock import exclusive
from esanalytics.store._quarantine import Quarantine
from esanalytics.store._writing import Writer

__all__ = ["Appender", "Commit", "OnInvalid", "Terms", "explained"]

OnInvalid = Literal["raise", "quarantine"]

CHUNK_ROWS = 1_000_000
CHUNK_BYTES = 512 * 2**20
_SMALL = 500
_PROGRESS_AFTER = 2.0
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Commit:
    """What an append did.

    Attributes:
        first_position, last_position: the positions given, both included; None where nothing was new.
        appended: how many events are new.
        duplicates: how many were there already, or came twice in this append.
        quarantined: how many were set aside.
    """

    first_position: int | None
    last_position: int | None
    appended: int
    duplicates: int
    quarantined: int

    def __add__(self, other: Commit) -> Commit:
        return Commit(
            self.first_position if self.first_position is not None else other.first_position,
            other.last_position if other.last_position is not None else self.last_position,
            self.appended + other.appended,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
        )


_DATA_FILE = re.compile(r"(/[^'\"\n]*?\.parquet)")
_TAKE_VERSIONS = """
UPDATE staged SET version = $expected + n FROM (SELECT row AS nr, row_number() OVER (ORDER BY row) AS n FROM fresh) AS f
WHERE f.nr = staged.row
"""
_OWN = [name for name in storage_types() if name not in ("position", "recorded_at", "disorder")]
_ROWS = (
    f"(SELECT {', '.join(_OWN)}, numbers.position, coalesce(recorded_at, {{now}}) AS recorded_at, numbers.disorder "
    "FROM staged JOIN numbers USING (row))"
)
_AS_JSON = """
SELECT origin, line, to_json({event_id: event_id, service: service, stream_id: stream_id, version: version, type: type,
    schema_version: schema_version, occurred_at: strftime(occurred_at, '%Y-%m-%dT%H:%M:%S.%fZ'),
    correlation_id: correlation_id, causation_id: causation_id, data: data::JSON, metadata: metadata::JSON})::VARCHAR
FROM staged WHERE row = ?
"""
NOTHING = Commit(None, None, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the caller asks of an append."""

    defaults: _staging.Defaults
    expected_version: int | None
    on_invalid: OnInvalid
    progress: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Appender:
    """Appends to one store."""

    path: Path
    log: CommitLog
    engine: DuckDB
    writer: Writer
    quarantine: Quarantine
    terms: Terms
    _done: list[Commit] = field(default_factory=list)

    def append(self, events: object) -> Commit:
        """Append everything, a chunk at a time, each chunk one commit."""
        now = dt.datetime.now(dt.UTC)
        with self._progress(events) as bar:
            read = batches(events, self.engine.cursor, now)
            chunks = _chunks(read) if self.terms.expected_version is None else iter([list(read)])
            first = next(chunks, [])
            cursor = self.engine.cursor(small=sum(batch.rows.num_rows for batch in first) <= _SMALL)
            try:
                start(cursor)
                for chunk in itertools.chain([first], chunks):
                    done = sum(batch.done for batch in chunk)
                    self._done.append(self._chunk(cursor, chunk))
                    bar.update(done)
            except EsAnalyticsError as error:
                if any(commit.appended for commit in self._done):
                    error.add_note(
                        f"{self._sum().appended} events before it are appended; mend it and run the same call again"
                    )
                raise
            finally:
                cursor.close()
        return self._sum()

    def _sum(self) -> Commit:
        return sum(self._done, NOTHING)

    def _chunk(self, cursor: duckdb.DuckDBPyConnection, chunk: list[Batch]) -> Commit:
        _staging.create(cursor)
        first, refused = 0, []
        while chunk:  # what is staged is let go, for it is there twice
            batch = chunk.pop(0)
            refused += _staging.stage(cursor, batch, first, self.terms.defaults)
            first += batch.rows.num_rows
        self._refuse(refused)
        self._check_expected(cursor)
        derive_ids(cursor)
        with explained(self.path), exclusive(self.path, "append"):
            while True:
                try:
                    return self._commit(cursor, refused)
                except RaceLost:
                    continue

    def _refuse(self, refused: list[Refusal]) -> None:
        if refused and self.terms.on_invalid == "raise":
            worst = refused[0]
            others = len(refused) - 1
            more = f" ({others} more {'row is' if others == 1 else 'rows are'} refused too)" if others else ""
            remedy = "mend it, or append with on_invalid='quarantine' to set such rows aside"
            raise InvalidEventError(worst.origin, worst.line, f"{worst.reason}{more}", remedy)

    def _commit(self, cursor: duckdb.DuckDBPyConnection, refused: list[Refusal]) -> Commit:
        head = self.log.head()
        admission = Admission(cursor, head.files, self._locate)
        set_aside = [*refused, *self._set_aside(admission, self._problems(admission, head))]
        duplicates = admission.gone - (len(set_aside) - len(refused))
        new = admission.number(head.position)
        if set_aside:
            self.quarantine.add(set_aside)
        if new is None:
            return Commit(None, None, 0, duplicates, len(set_aside))
        files = self.writer.write(cursor, self._rows(cursor, head, new))
        last = head.position + new.rows
        try:
            self.log.append(head, files, last)
        except (RaceLost, NotCommitted):
            self.writer.discard(file.path for file in files)
            raise
        return Commit(head.position + 1, last, new.rows, duplicates, len(set_aside))

    def _problems(self, admission: Admission, head: Head) -> Iterator[Problem]:
        expected = self.terms.expected_version
        if expected is not None:
            admission.cursor.execute("UPDATE staged SET version = NULL")
        yield from admission.known()
        if expected is not None and admission.scope() is not None:
            self._take_versions(admission.cursor, head, expected)
            admission.forget()
        yield from admission.misplaced()

    def _set_aside(self, admission: Admission, problems: Iterator[Problem]) -> list[Refusal]:
        found: dict[int, Refusal] = {}
        for problem in problems:
            if self.terms.on_invalid == "raise":
                raise problem.error
            if problem.row not in found:
                found[problem.row] = _refusal(admission.cursor, problem)
                admission.leave_out(problem.row)
        return list(found.values())

    def _locate(self, file: DataFile) -> str:
        return str(self.writer.root / file.path)

    def _rows(self, cursor: duckdb.DuckDBPyConnection, head: Head, new: Scope) -> str:
        """Return the rows to write: what is staged, with its numbers, and the time of recording."""
        last = max((file.last_recorded for file in head.files), default=BEGINNING)
        if new.recorded:
            last = max(last, cursor.execute("SELECT max(recorded_at) FROM fresh").fetchall()[0][0])
        now = sql.text(sql.literal(max(dt.datetime.now(dt.UTC), last)))
        return _ROWS.format(now=now)

    def _check_expected(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if self.terms.expected_version is None:
            return
        defaults = self.terms.defaults
        wrong = cursor.execute(
            "SELECT origin, line, version, service, stream_id FROM staged "
            "WHERE version IS NOT NULL OR service <> ? OR stream_id <> ? LIMIT 1",
            [defaults.service, defaults.stream],
        ).fetchall()
        for origin, line, version, service, stream_id in wrong:
            reason = (
                f"the event has version {version} of its own"
                if version is not None
                else f"the event belongs to stream {stream_id!r} of service {service!r}"
            )
            raise InvalidEventError(
                origin,
                line,
                reason,
                "an append with expected_version gives the versions of one stream itself",
            )

    def _take_versions(self, cursor: duckdb.DuckDBPyConnection, head: Head, expected: int) -> None:
        """Give the next versions to what is new in the stream, if the stream is where it was expected."""
        service, stream = self.terms.defaults.service, self.terms.defaults.stream or ""
        files = [self._locate(f) for f in head.files if f.service == service and f.may_hold([stream])]
        top = 0
        if files:
            own = (sql.equals(sql.column("service"), service), sql.equals(sql.column("stream_id"), stream))
            query = exp.select("coalesce(max(version), 0)").from_(sql.parquet(files)).where(*own)
            top = cursor.execute(sql.text(query)).fetchall()[0][0]
        if top != expected:
            raise AppendConflictError(service, stream, expected, top)
        cursor.execute(_TAKE_VERSIONS, {"expected": expected})

    @contextmanager
    def _progress(self, events: object) -> Iterator[Any]:
        """Show a bar on loads that take long, where somebody looks: on a terminal and in a notebook."""
        from tqdm.auto import tqdm  # noqa: PLC0415  it looks for widgets when imported

        shown = self.terms.progress
        if shown is None:
            shown = sys.stderr.isatty() or "ipykernel" in sys.modules
        amount, unit = in_all(events)
        with tqdm(
            total=amount,
            unit=unit,
            unit_scale=True,
            unit_divisor=1000,
            desc="append",
            delay=_PROGRESS_AFTER,
            disable=not shown,
        ) as bar:
            yield bar


def _chunks(source: Iterator[Batch]) -> Iterator[list[Batch]]:
    """Gather batches until they are a commit's worth; an append of less is one commit."""
    held: list[Batch] = []
    for batch in source:
        held.append(batch)
        if sum(b.rows.num_rows for b in held) >= CHUNK_ROWS or sum(b.rows.nbytes for b in held) >= CHUNK_BYTES:
            yield held
            held = []
    if held:
        yield held


def _refusal(cursor: duckdb.DuckDBPyConnection, problem: Problem) -> Refusal:
    origin, line, raw = cursor.execute(_AS_JSON, [problem.row]).fetchall()[0]
    return Refusal(origin, line, str(problem.error), raw)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the disk says into an error of the store."""
    try:
        yield
    except OSError as error:
        if isinstance(error, EsAnalyticsError):
            raise
        raise StoreError(path, *_reason(str(error), error.errno)) from error
    except duckdb.Error as error:
        damaged = _DATA_FILE.search(str(error))
        if damaged and not _says_full(str(error)):
            reason = f"cannot be read ({str(error).splitlines()[0]})" if Path(damaged[1]).exists() else "is missing"
            raise CorruptFileError(damaged[1], reason) from error
        raise StoreError(path, *_reason(str(error), None)) from error
    except (DeltaError, NotCommitted) as error:
        raise StoreError(path, *_reason(str(error), None)) from error


def _says_full(text: str) -> bool:
    return any(words in text.lower() for words in ("no space left", "disk quota"))


def _reason(text: str, number_: int | None) -> tuple[str, str]:
    lowered = text.lower()
    if number_ in _FULL or _says_full(text):
        return "the disk is full, nothing was appended", "free some space and run the same call again"
    if number_ in {errno.EACCES, errno.EPERM, errno.EROFS} or "permission denied" in lowered or "read-only" in lowered:
        return (
            "it may not be written to, nothing was appended",
            "ask for the right to write, or copy the store",
        )
    return f"writing failed, nothing was appended: {text}", "mend the cause and run the same call again"
