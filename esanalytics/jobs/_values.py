"""What the parts of a run hand to each other; plain values, and nothing that has to be loaded for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

__all__ = [
    "Destination",
    "Format",
    "Mode",
    "Outcome",
    "Phase",
    "Published",
    "Reason",
    "Staged",
    "Target",
    "Token",
    "Unit",
    "Window",
]

Format = Literal["parquet", "csv", "jsonl", "delta", "duckdb", "sql", "xlsx", "html"]
Mode = Literal["replace", "window", "upsert"]
"""The output is the newest window alone; each window has rows of its own in it; a row for each key, kept up to date."""

Phase = Literal[
    "planned",
    "folding",
    "checking",
    "publishing",
    "done",
    "empty",
    "rejected",
    "failed",
    "timed out",
    "interrupted",
    "superseded",
    "skipped",
    "refused",
]
Reason = Literal[
    "due",
    "late events",
    "definition changed",
    "columns changed",
    "output missing",
    "output changed",
    "forced",
    "interrupted before",
    "up to date",
]


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A span of time, from ``start``, included, to ``end``, excluded.

    Attributes:
        start, end: instants in UTC.
        due: when it may be run first.
    """

    start: dt.datetime
    end: dt.datetime
    due: dt.datetime

    @property
    def key(self) -> str:
        """What names it in ledgers, markers and messages."""
        start, end = (moment.astimezone(dt.UTC).isoformat(timespec="microseconds") for moment in (self.start, self.end))
        return f"{start[:26]}Z/{end[:26]}Z"  # as iso has it, in a fifth of the time: some ask for many


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """What is run for a window: a job, or one service of it.

    Attributes:
        job: its name.
        service: empty where the output is not by service.
    """

    job: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """Which run of what an output is of; it goes to the destination in the same transaction as the rows."""

    job: str
    service: str
    window: Window
    run: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where an output goes.

    Attributes:
        url: a path, or what SQLAlchemy or an object store takes.
        format: of what is there.
        mode: what becomes of the rows of other windows.
        table: in a database.
        keys: columns that tell rows apart, for ``upsert``.
        partition_by: columns that have folders of their own.
        fenced: whether an older window of a job does not take the place of a newer one.
    """

    url: str
    format: Format
    mode: Mode = "replace"
    table: str | None = None
    keys: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    fenced: bool = True


@dataclass(frozen=True, slots=True)
class Staged:
    """A result that is whole, in a Parquet file of its own, and that nobody reads yet.

    Attributes:
        path: the file.
        rows: how many.
        columns: DuckDB types by name, in order.
        digest: of the rows, in whatever order.
    """

    path: Path
    rows: int
    columns: Mapping[str, str]
    digest: str


@dataclass(frozen=True, slots=True)
class Published:
    """An output that is there.

    Attributes:
        where: path or URL, without passwords.
        rows: how many.
        bytes: of the files; 0 in a database.
        digest: of the rows.
        files: their paths.
    """

    where: str
    rows: int
    bytes: int
    digest: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        unit: of what.
        window: of when.
        phase: where it ended; ``"done"`` and ``"empty"`` are good; ``"superseded"``: the output holds a newer window,
            and stays as it is.
        reason: why it was run, or was not.
        run: its id.
        rows: how many; None where it did not come so far.
        seconds: how long it took.
        error: what went wrong; None where nothing did.
        published: what is there now; None where nothing was written.
    """

    unit: Unit
    window: Window
    phase: Phase
    reason: Reason
    run: str
    rows: int | None = None
    seconds: float = 0.0
    error: Exception | None = None
    published: Published | None = None


class Destination(Protocol):
    """Where results go; whatever happens, the old output or the new one is there, whole."""

    def find(self, token: Token) -> Published | None:
        """Return what is there of this job, service and window with this fingerprint; None: nothing is."""

    def check(self, columns: Mapping[str, str], token: Token | None = None) -> None:
        """Refuse cheaply, before anything is computed, what could not be written.

        Raises:
            DestinationError: there is no such folder, it may not be written, the table has other columns.
            NewerError: a newer window than the token's is there.
        """

    def publish(self, staged: Staged, token: Token) -> Published:
        """Put a result there; doing it twice is doing it once.

        Raises:
            DestinationError: it cannot be; the old output is as it was.
            NewerError: a newer window than the token's is there.
        """

    def sweep(self, keep: Callable[[str], bool]) -> None:
        """Remove what runs that died have left, by run id."""
