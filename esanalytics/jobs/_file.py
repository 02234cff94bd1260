"""What a file of jobs says, read and checked; ``_reading.read`` reads it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from esanalytics.errors import JobFileError
from esanalytics.jobs._template import Template
from esanalytics.jobs._values import Format, Mode, Target, Unit, Window
from esanalytics.jobs._where import line_of
from esanalytics.jobs._windows import Calendar

__all__ = ["Catchup", "Ingest", "Job", "JobsFile", "Kind", "Notify", "OnEmpty"]

Kind = Literal["state", "history", "diff", "events"]
Catchup = Literal["all", "latest", "none"]
OnEmpty = Literal["write", "skip", "fail"]


@dataclass(frozen=True, slots=True)
class Notify:
    """Whom to tell of a job's runs.

    Attributes:
        url: is told of the end of every run.
        on_start, on_success, on_failure: are told of that alone.
    """

    url: str | None = None
    on_start: str | None = None
    on_success: str | None = None
    on_failure: str | None = None


@dataclass(frozen=True)
class Job:
    """An export, as its table in the file has it.

    Attributes:
        name: of the table.
        projection: ``FILE.py:NAME`` with the file's whole path, ``MODULE:NAME``, ``"events"``, ``"counts"`` or
            ``"merged"``; None: it is one of the next three.
        sql: the text of a query, from ``sql`` or ``sql_file``.
        notebook: the path of a notebook.
        parameters: of the notebook.
        kind: what is asked of it, for a window.
        calendar: when, and of what times.
        first: where the first window is that is exported; None: at the first event.
        services: of these events; empty: of all.
        output: a path, or a URL.
        format: of the output.
        mode: what becomes of the rows of other windows.
        table: where the output is a database; by default the job's name.
        keys: columns that tell rows apart; empty: the projection's.
        partition_by: columns that have folders of their own.
        catchup: what becomes of windows that were missed.
        max_catchup: how many windows one call makes at most.
        retries, backoff: how often what may go better is tried again, and the first pause.
        timeout: how long a window may take.
        on_empty: what becomes of a result without rows.
        keep: how many windows are kept, or for how long; None: all.
        checks: conditions on the result.
        notify: whom to tell.
        snapshot: whether to keep a snapshot of the projection.
        enabled: whether it is run.
        definition: digest of all of the above that decides what is in the output.
    """

    name: str
    projection: str | None
    sql: str | None
    notebook: Path | None
    parameters: Mapping[str, Any]
    kind: Kind
    calendar: Calendar
    first: dt.datetime | None
    services: tuple[str, ...]
    output: Template
    format: Format
    mode: Mode
    table: str | None
    keys: tuple[str, ...]
    partition_by: tuple[str, ...]
    catchup: Catchup
    max_catchup: int
    retries: int
    backoff: dt.timedelta
    timeout: dt.timedelta
    on_empty: OnEmpty
    keep: int | dt.timedelta | None
    checks: tuple[str, ...]
    notify: Notify
    snapshot: bool
    enabled: bool

    @property
    def newest_only(self) -> bool:
        """Whether the output holds the newest window alone, so that older ones need not be made."""
        return not self.output.windowed and self.mode != "window"

    @cached_property
    def definition(self) -> str:
        """Digest of what decides what is in the output; the code that it names is not in it."""
        facts = [
            [self.projection, self.sql, str(self.notebook), self.kind, self.services],
            [self.output.shown, self.format, self.mode, self.table, self.keys, self.partition_by],
            [self.parameters, self.on_empty, self.checks],
        ]
        return hashlib.sha256(json.dumps(facts, default=str, sort_keys=True).encode()).hexdigest()

    def units(self, services: Iterable[str] = ()) -> tuple[Unit, ...]:
        """Tell what is run for each window.

        Args:
            services: those of the log, in case the job is of each of them.
        """
        if not self.output.by_service:
            return (Unit(self.name),)
        return tuple(Unit(self.name, service) for service in sorted(self.services or services))

    def services_of(self, unit: Unit) -> tuple[str, ...]:
        """Tell whose events a unit is of; empty: all services'."""
        return (unit.service,) if unit.service else self.services

    def target(self, unit: Unit, window: Window, keys: tuple[str, ...] = ()) -> Target:
        """Tell where the output of a window goes.

        Args:
            unit: one of ``units``.
            window: one of the calendar's.
            keys: the projection's, in case the file does not say.
        """
        url = self.output.render(unit, window, self.calendar.tz)
        return Target(
            url, self.format, self.mode, self.table, self.keys or keys, self.partition_by, fenced=self.newest_only
        )


@dataclass(frozen=True, slots=True)
class Ingest:
    """Files that are appended to the store, as their table in the file has it.

    Attributes:
        name: of the table.
        files: whole paths, with patterns.
        format: ``"jsonl"``, ``"csv"`` or ``"parquet"``; None: what the files' names end in.
        service, stream: of events that do not say.
        mapping: where columns of the envelope come from: a path, ``sql:EXPRESSION`` or ``const:TEXT``; empty: nowhere.
        types: DuckDB types of a CSV's columns.
        delimiter: between a CSV's cells; None: as the files' names have it.
        header: whether a CSV has one; or the names of its columns, where it has none.
        on_invalid: what becomes of events that cannot be stored.
        schedule: five fields of cron; None: with every call.
        tz: the schedule's.
        retries, backoff, timeout, notify, enabled: as a job has them.
    """

    name: str
    files: tuple[str, ...]
    format: Literal["jsonl", "csv", "parquet"] | None
    service: str | None
    stream: str | None
    mapping: Mapping[str, str]
    types: Mapping[str, str]
    delimiter: str | None
    header: bool | tuple[str, ...]
    on_invalid: Literal["raise", "quarantine"]
    schedule: str | None
    tz: dt.tzinfo
    retries: int
    backoff: dt.timedelta
    timeout: dt.timedelta
    notify: Notify
    enabled: bool


@dataclass(frozen=True, slots=True)
class JobsFile:
    """All of a file.

    Attributes:
        path: its whole path.
        text: its text.
        store: path of the store.
        memory_limit, threads: of the database that answers.
        ledger: path of what is known of earlier runs.
        jobs, ingests: by name, in the file's order.
    """

    path: Path
    text: str = field(repr=False)
    store: str
    memory_limit: str | None
    threads: int | None
    ledger: Path
    jobs: Mapping[str, Job]
    ingests: Mapping[str, Ingest]

    def refused(self, where: str, reason: str, remedy: str = "") -> JobFileError:
        """Make the error for what is said somewhere in the file.

        Args:
            where: such as ``"jobs.daily.schedule"``.
            reason: what is wrong.
            remedy: how to mend it.
        """
        return JobFileError(str(self.path), line_of(self.text, where), where, reason, remedy)
