"""One call: what is due of some jobs is run, one job after the other; where nothing is due, nothing is opened."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from esanalytics.errors import ClockError, JobError, JobFileError, JobTimeoutError, LockedError, OverlapError
from esanalytics.jobs._code import as_they_are, code_digest
from esanalytics.jobs._file import Job, JobsFile
from esanalytics.jobs._ledger import Ledger, Row, Stamp
from esanalytics.jobs._lock import locked
from esanalytics.jobs._notify import started, tell_of
from esanalytics.jobs._parts import discard
from esanalytics.jobs._plan import GOOD, Due, Planned, chosen, plan
from esanalytics.jobs._source import Source
from esanalytics.jobs._stale import Lost, expired, lost_of, stale_of
from esanalytics.jobs._values import Outcome, Phase, Reason, Unit, Window
from esanalytics.jobs._windows import containing, newest

if TYPE_CHECKING:  # what a run with nothing to do does not load
    from esanalytics.jobs._run import Runner, Tell

__all__ = ["Call", "Wish", "folder_of"]


def folder_of(file: JobsFile) -> Path:
    """Return the folder of locks, of results on their way, and of rejected ones."""
    return file.ledger.with_name(file.ledger.name + ".d")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for, beside what is due.

    Attributes:
        named: whether jobs are named; then those that are up to date are told of too.
        since, until: of the windows to be run; None, None: those that are due.
        force: make windows again that are up to date.
        dry: only tell what would be run.
        wait: for how long to wait for another process.
    """

    named: bool = False
    since: str | dt.date | None = None
    until: str | dt.date | None = None
    force: bool = False
    dry: bool = False
    wait: dt.timedelta | None = None

    @property
    def is_span(self) -> bool:
        """Whether windows are named, or the newest one is to be made again."""
        return self.since is not None or self.until is not None or self.force


@dataclass(frozen=True, slots=True)
class _Unit:
    """What a unit has to do.

    Attributes:
        unit: which.
        due: in this order.
        current: what is up to date.
        planned: what the schedule says; None: windows were named.
        settled: the windows that what came to the store changes; None: nothing came.
        is_new: whether the ledger has to be told how far the unit is.
        lost: what is gone of its outputs; None: as the ledger has it.
    """

    unit: Unit
    due: tuple[Due, ...]
    current: tuple[Row, ...]
    planned: Planned | None = None
    settled: tuple[str, ...] | None = None
    is_new: bool = False
    lost: Lost | None = None


@dataclass
class Call:
    """What one call knows: the file, the ledger, the store as it is now, and the time."""

    file: JobsFile
    ledger: Ledger
    source: Source
    now: dt.datetime
    wish: Wish
    tell: Tell
    pause: Callable[[float], None] = time.sleep
    overdue: Callable[[JobTimeoutError], object] | None = None
    _runners: dict[str, Runner] = field(default_factory=dict, repr=False)

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Run what is due of some jobs; what goes wrong is in the outcomes."""
        for job in jobs:
            yield from self._job(job)

    def held(self, jobs: Iterable[Job], error: Exception) -> Iterator[Outcome]:
        """Run nothing, but tell of which jobs something is due."""
        for job in jobs:
            try:
                due = self.due(job)[:1]
            except Exception as found:  # noqa: BLE001  of the other jobs it is told
                yield self._ended(job, None, found)
                continue
            for one in due:
                yield Outcome(one.unit, one.window, "refused", one.reason, "", error=error)

    def due(self, job: Job) -> list[Due]:
        """Tell what is due of a job.

        Raises:
            EsAnalyticsError: that cannot be told.
        """
        units = self._planned(job)
        self._remaining(units)
        return [due for unit in units for due in unit.due]

    def refused(self, job: Job, error: Exception) -> Outcome:
        """Tell, also the ledger, that a job is not run."""
        return self._ended(job, None, error)

    def _job(self, job: Job) -> list[Outcome]:
        first: Due | None = None
        try:
            units = self._planned(job)
            if self.wish.dry:
                self._remaining(units)
            if self.wish.dry or not any(map(_has_work, units)):
                return self._told(units)
            first = next((due for unit in units for due in unit.due), None)
            with locked(folder_of(self.file) / "locks", job.name, self.wish.wait if first else None):
                return self._run(job)
        except LockedError as error:
            if first is None:
                return []
            return [Outcome(first.unit, first.window, "refused", first.reason, "", error=error)]
        except Exception as error:  # noqa: BLE001  the other jobs go on
            return [self._ended(job, first, error)]

    def _run(self, job: Job) -> list[Outcome]:
        """Run what is due, with the lock held."""
        for run in self.ledger.interrupt(job.name):
            for left in (folder_of(self.file) / "stage").glob(f"{run}.*"):
                discard(left)
        units = self._planned(job)
        for unit in units:
            self._noted(unit)
        outcomes: list[Outcome] = []
        if any(unit.due for unit in units):
            runner = self._runner(job)
            for unit in units:
                outcomes += self._unit(runner, unit)
                self._remaining([unit])
            self._swept(job)
        return outcomes + self._told([replace(unit, due=()) for unit in units])

    def _unit(self, runner: Runner, unit: _Unit) -> Iterator[Outcome]:
        if unit.due:
            self._saved(runner, unit.due[-1].window)
        for number, due in enumerate(unit.due, 1):
            started(runner.job.notify, due)
            outcome = runner.run(due, (number, len(unit.due)))
            tell_of(runner.job.notify, outcome)
            yield outcome
            if _is_hopeless(outcome):
                return

    def _remaining(self, units: Iterable[_Unit]) -> None:
        """Tell how many windows are left for later calls."""
        for unit in units:
            if unit.planned is not None and unit.planned.left:
                named = {"job": unit.unit.job, "service": unit.unit.service}
                self.tell({**named, "phase": "left", "left": unit.planned.left})

    def _noted(self, unit: _Unit) -> None:
        if unit.planned is not None and unit.planned.coverage is not None and unit.is_new:
            self.ledger.cover(unit.unit, unit.planned.coverage)
        if unit.lost is not None:
            stamps = {key: Stamp(0, 0, 0, run) for key, run in unit.lost.items()}
            self.ledger.stamp("lost", _owner(unit.unit), stamps, anew=True)
        if unit.settled is not None:
            self.ledger.confirm(unit.unit, self.source.mark, self.source.position, but=unit.settled)

    def _told(self, units: Iterable[_Unit]) -> list[Outcome]:
        """Tell what would be run, and where somebody asks by name, what is up to date."""
        found = [Outcome(due.unit, due.window, "planned", due.reason, "") for unit in units for due in unit.due]
        if not self.wish.named:
            return found
        return found + [
            Outcome(row.unit, row.window, row.phase, "up to date", row.run, row.rows)
            for unit in units
            for row in unit.current
        ]

    def _planned(self, job: Job) -> list[_Unit]:
        return [self._of_unit(job, unit, self._code(job)) for unit in job.units(self._services(job))]

    def _of_unit(self, job: Job, unit: Unit, code: str) -> _Unit:
        rows = self.ledger.rows(unit)
        gone = {row.window.key for row in expired(job, list(rows.values()), self.now)}
        done = [row for row in rows.values() if row.phase in GOOD and row.window.key not in gone]
        considered = done[-1:] if job.newest_only else done
        lost = {key: stamp.digest for key, stamp in self.ledger.stamps("lost", _owner(unit)).items()}
        stale = stale_of(job, unit, considered, self.source, code, lambda one: self._runner(job).shape(one), lost)
        coverage = self.ledger.coverage(unit)
        first = self._first(job, bool(considered) and not stale.settled, coverage.first if coverage else None)
        if first is None:
            return _Unit(unit, (), ())
        if self.wish.is_span:
            due, current = self._wished(job, unit, first, rows, stale.windows)
            return _Unit(unit, due, current)
        freed = {key for key, row in rows.items() if _is_free(job, row)}
        phases = {key: row.phase for key, row in rows.items() if key not in freed}
        gone_now = lost_of(considered, lost)
        found = plan(
            job, unit, phases, now=self.now, first=first, coverage=None if freed else coverage, stale=stale.windows
        )
        kept = [due.window.key for due in found.due] if not found.left else [one.key for one in stale.windows]
        settled = tuple(kept) if stale.settled else None
        current = tuple(considered[-1:]) if not found.due else ()
        return _Unit(
            unit, found.due, current, found, settled, found.coverage != coverage, gone_now if gone_now != lost else None
        )

    def _wished(
        self, job: Job, unit: Unit, first: dt.datetime, rows: dict[str, Row], stale: Mapping[Window, Reason]
    ) -> tuple[tuple[Due, ...], tuple[Row, ...]]:
        """Tell which of the windows that are asked for have to be made."""
        if self.wish.since is None and self.wish.until is None:
            last = newest(job.calendar, self.now)
            windows = [last] if last is not None and last.end > first else []
        else:
            windows = chosen(job, since=self.wish.since, until=self.wish.until, now=self.now, first=first)
        reasons = {window.key: reason for window, reason in stale.items()}
        due: list[Due] = []
        current: list[Row] = []
        for window in windows:
            row = rows.get(window.key)
            is_done = row is not None and row.phase in GOOD
            if self.wish.force:
                due.append(Due(unit, window, "forced"))
            elif not is_done or window.key in reasons:
                due.append(Due(unit, window, reasons.get(window.key, "due")))
            elif row is not None:
                current.append(row)
        return tuple(due), tuple(current)

    def _first(self, job: Job, nothing_came: bool, known: dt.datetime | None) -> dt.datetime | None:  # noqa: FBT001
        """Return an instant of the first window; where nothing has come it is where it was."""
        if job.first is not None:
            return job.first
        return known if nothing_came and known is not None else self.source.first

    def _services(self, job: Job) -> tuple[str, ...]:
        """Return the services of the log, where they matter; as long as nothing comes they stay."""
        if not job.output.by_service or job.services:
            return ()
        known = self.ledger.stamps("services", "store")
        if known and all(stamp.digest == self.source.mark for stamp in known.values()):
            return tuple(known)
        stamps = {service: Stamp(0, 0, 0, self.source.mark) for service in self.source.services}
        self.ledger.stamp("services", "store", stamps, anew=True)
        return tuple(stamps)

    def _code(self, job: Job) -> str:
        """Digest the user's files that a job was made of the last time, as they are now; nothing of them is run."""
        known = self.ledger.stamps("code", job.name)
        found = as_they_are(known)
        digest = code_digest(found)
        if found != known and digest == code_digest(known):
            self.ledger.stamp("code", job.name, found, anew=True)
        return digest

    def _runner(self, job: Job) -> Runner:
        from esanalytics.jobs._run import Runner  # noqa: PLC0415  see above

        if job.name not in self._runners:
            self._runners[job.name] = Runner(
                job,
                self.source,
                self.ledger,
                folder_of(self.file),
                self.file.path.parent,
                self.tell,
                self.pause,
                self.overdue,
            )
        return self._runners[job.name]

    def _saved(self, runner: Runner, window: Window) -> None:
        """Take a snapshot of the projection, where that is wanted and pays."""
        if runner.job.snapshot:
            from esanalytics.jobs._saving import save  # noqa: PLC0415  see above

            with suppress(JobFileError):  # the run itself says so
                save(self.source, runner.question, window)

    def _swept(self, job: Job) -> None:
        """Remove the outputs of windows that are not kept any longer."""
        for unit in job.units(self._services(job)):
            for row in expired(job, list(self.ledger.rows(unit).values()), self.now):
                if row.path and Path(row.path).exists():
                    discard(Path(row.path))
                    with suppress(OSError):  # only a folder that is empty now
                        Path(row.path).parent.rmdir()

    def _ended(self, job: Job, due: Due | None, error: Exception) -> Outcome:
        """Write down that a job failed before it could begin."""
        from esanalytics.jobs._run import phase_of, run_id  # noqa: PLC0415  see above

        unit = due.unit if due else Unit(job.name)
        window = due.window if due else newest(job.calendar, self.now) or containing(job.calendar, self.now)
        reason: Reason = due.reason if due else "due"
        run = run_id()
        phase: Phase = "refused" if isinstance(error, ClockError | OverlapError) else phase_of(error)
        if not self.wish.dry:
            self.ledger.begin(run, unit, window, reason)
            self.ledger.end(run, phase, error=error)
        outcome = Outcome(unit, window, phase, reason, run, error=error)
        facts = {"run": run, "job": unit.job, "service": unit.service, "window": window.key, "phase": phase}
        self.tell({**facts, "reason": reason, "error": str(error), "error_type": type(error).__name__})
        tell_of(job.notify, outcome)
        return outcome


def _has_work(unit: _Unit) -> bool:
    return bool(unit.due) or unit.settled is not None or unit.is_new or unit.lost is not None


def _is_free(job: Job, row: Row) -> bool:
    """Tell whether a window was superseded in an output that is gone, or is another one now."""
    gone = bool(row.path) and not Path(row.path).exists()
    return row.phase == "superseded" and (gone or row.definition != job.definition)


def _owner(unit: Unit) -> str:
    return f"{unit.job}/{unit.service}"


def _is_hopeless(outcome: Outcome) -> bool:
    """Tell whether the next window would end likewise."""
    error = outcome.error
    return isinstance(error, JobFileError) or (isinstance(error, JobError) and error.transient)
