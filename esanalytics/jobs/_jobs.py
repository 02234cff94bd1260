"""Jobs: a file of exports, and what is to be done about them."""

from __future__ import annotations

import datetime as dt
import difflib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from esanalytics._instants import Instant, instant
from esanalytics.errors import CheckError, ClockError, JobError, JobFileError, JobTimeoutError, LedgerError, LockedError
from esanalytics.jobs._call import Call, Wish
from esanalytics.jobs._code import fresh_code
from esanalytics.jobs._file import Ingest, Job, JobsFile
from esanalytics.jobs._ledger import Ledger, RunRow
from esanalytics.jobs._plan import Due, next_due, spanned
from esanalytics.jobs._reading import read
from esanalytics.jobs._source import Source
from esanalytics.jobs._status import Status, as_it_is, status_of
from esanalytics.jobs._values import Outcome

if TYPE_CHECKING:
    from esanalytics.engines import DuckDB

__all__ = ["Jobs", "exit_code", "load"]

Tell = Callable[[Mapping[str, Any]], None]
Overdue = Callable[[JobTimeoutError], object]


def load(
    path: str | Path = "jobs.toml",
    *,
    engine: DuckDB | None = None,
    tell: Tell | None = None,
    overdue: Overdue | None = None,
) -> Jobs:
    """Read a file of jobs.

    Args:
        path: of the file.
        engine: what answers; None: one as the file says.
        tell: is told of each step, as a mapping of facts; None: nobody is.
        overdue: is called, from another thread, where a run cannot be stopped and has not ended five seconds after its
            timeout, such as one that waits for a server; None: it is waited for, and ends with JobTimeoutError.

    Raises:
        JobFileError: it cannot be read, or says what cannot be.
        OverlapError: two jobs write to the same place.

    Example:
        >>> for outcome in ea.jobs.load("jobs.toml").run_due():  # doctest: +SKIP
        ...     print(outcome.unit.job, outcome.window.key, outcome.phase)
    """
    return Jobs(read(path), engine, tell or _nobody, overdue)


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of a file.

    ``now`` is an instant, or None for what the clock says; no method waits for it.

    Attributes:
        file: what the file says.
        engine: what answers; None: one as the file says.
        tell: is told of each step.
        overdue: is called where a run cannot be stopped, as ``load`` has it.
    """

    file: JobsFile
    engine: DuckDB | None = field(default=None, repr=False)
    tell: Tell = field(default=lambda _: None, repr=False)
    overdue: Overdue | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        names = ", ".join((*self.file.jobs, *self.file.ingests))
        return f"Jobs({str(self.file.path)!r}: {names or 'none'})"

    def due(self, *, now: Instant | None = None) -> list[Due]:
        """Tell which windows the next run makes; ``tell`` is told how many are left for later ones.

        Raises:
            EsAnalyticsError: that cannot be told.
        """
        with self._call(_moment(now), Wish(dry=True)) as call:
            return [due for job in self._exports(()) for due in call.due(job)]

    def run_due(
        self, *, now: Instant | None = None, names: Iterable[str] | None = None, wait: dt.timedelta | None = None
    ) -> list[Outcome]:
        """Run what is due: first what is ingested, then the exports, in the file's order.

        Args:
            now: the time.
            names: of these jobs; None: of all that are enabled.
            wait: for how long to wait for another process that is at a job.

        Returns:
            How each run ended; none where nothing is due.

        Raises:
            JobFileError: there is no job of a name.
            LedgerError: the ledger cannot be read or written.
        """
        return self.run(*(names or ()), now=now, wait=wait)

    def run(
        self,
        *names: str,
        since: str | dt.date | None = None,
        until: str | dt.date | None = None,
        force: bool = False,
        dry_run: bool = False,
        now: Instant | None = None,
        wait: dt.timedelta | None = None,
    ) -> list[Outcome]:
        """Run what is due of some jobs, or some windows of them.

        Unless windows are chosen, what is ingested comes first, also before exports that are named; while another
        process is at that, nothing is exported.

        Args:
            names: of the jobs; none: all that are enabled.
            since: where the first window begins that is run, in the job's time zone where it does not say; None: where
                the job's first one does, if ``until`` is given.
            until: where the last one ends; None: with the last that is due, if ``since`` is given.
            force: make windows again that are up to date: those between ``since`` and ``until``, else the newest.
            dry_run: only tell what would be run.
            now: the time.
            wait: for how long to wait for another process that is at a job.

        Returns:
            How each run ended. Of jobs that are named, and of windows that are, also what is up to date.

        Raises:
            JobFileError: there is no job of a name.
            SpanError: no windows of a job begin at ``since`` and end at ``until``, or they are not finished; nothing
                is run then.
            LedgerError: the ledger cannot be read or written.
        """
        moment = _moment(now)
        exports = self._exports(names)
        if since is not None or until is not None:
            for job in exports:
                spanned(job, since=since, until=until, now=moment)
        wish = Wish(bool(names), since, until, force, dry_run, wait)
        with self._call(moment, wish) as call:
            try:
                if exports and not dry_run:
                    call.ledger.clock(exports[0].name, moment, force=force)
            except ClockError as error:
                return [call.refused(job, ClockError(job.name, *error.args[1:])) for job in exports]
            outcomes = [] if wish.is_span else self._ingested(names, call)
            busy = next((one.error for one in outcomes if isinstance(one.error, LockedError)), None)
            return outcomes + list(call.run(exports) if busy is None else call.held(exports, busy))

    def status(self, *names: str, now: Instant | None = None) -> list[Status]:
        """Tell how jobs are: the newest window that is done, those that are open, the last error, when it is due next.

        Args:
            names: of the jobs; none: all.
            now: the time.

        Raises:
            JobFileError: there is no job of a name.
        """
        self._known(names)
        with Ledger.open(self.file.ledger) as ledger, closing(Source(self.file, self.engine)) as source:
            return status_of(self.file, ledger, source, _moment(now), names)

    def history(self, name: str, limit: int = 50) -> list[RunRow]:
        """Return the last runs of a job, the newest first; one whose process is gone is interrupted.

        Raises:
            JobFileError: there is no such job.
        """
        self._known((name,))
        with Ledger.open(self.file.ledger) as ledger:
            return [as_it_is(run) for run in ledger.runs(name, limit)]

    def validate(self) -> list[str]:
        """Check what reading the file does not: that the store is there, the code loads, and checks are checks.

        Returns:
            What may be wrong.

        Raises:
            JobFileError: something is.
        """
        from esanalytics.jobs._validate import validate  # noqa: PLC0415  needs a database

        with fresh_code(self.file.path.parent):
            return validate(self.file, Source(self.file, self.engine))

    def watch(
        self,
        *,
        stop: threading.Event | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        every: float = 30.0,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Run what is due, again and again: for those who have nothing that calls them.

        What goes wrong is told, and tried again the next time.

        Args:
            stop: ends it; None: nobody does.
            now: tells the time.
            every: how many seconds to wait at most before looking again.
            pause: waits for some seconds; None: until then, or until ``stop`` is set.
        """
        over = stop or threading.Event()
        while not over.is_set():
            try:
                self.run_due(now=now())
            except JobError as error:
                self.tell({"phase": "failed", "error": str(error), "error_type": type(error).__name__})
            moment = now()
            soon = min(
                (next_due(job, moment) for job in self._exports(())), default=moment + dt.timedelta(seconds=every)
            )
            (pause or over.wait)(max(1.0, min(every, (soon - moment).total_seconds())))

    def render(self, target: Literal["cron", "systemd", "k8s", "github", "airflow"]) -> dict[str, str]:
        """Write what a scheduler needs, as texts by file name."""
        from esanalytics.jobs._render import render_target  # noqa: PLC0415  seldom

        return render_target(target, self.file)

    @contextmanager
    def _call(self, now: dt.datetime, wish: Wish) -> Iterator[Call]:
        source = Source(self.file, self.engine)
        with fresh_code(self.file.path.parent), Ledger.open(self.file.ledger) as ledger:
            try:
                yield Call(self.file, ledger, source, now, wish, self.tell, overdue=self.overdue)
            finally:
                source.close()

    def _ingested(self, names: tuple[str, ...], call: Call) -> list[Outcome]:
        """Append what has come: also before exports that are named, for they are of the store."""
        all_of_them = not names or any(name in self.file.jobs for name in names)
        chosen = [one for one in self.file.ingests.values() if one.name in names or (all_of_them and one.enabled)]
        if not chosen:
            return []
        from esanalytics.jobs._ingest import ingest  # noqa: PLC0415  not everybody has one

        return [outcome for one in chosen for outcome in ingest(one, call, named=one.name in names)]

    def _exports(self, names: tuple[str, ...]) -> list[Job]:
        self._known(names)
        return [job for job in self.file.jobs.values() if (job.name in names if names else job.enabled)]

    def _known(self, names: tuple[str, ...]) -> None:
        known: dict[str, Job | Ingest] = {**self.file.jobs, **self.file.ingests}
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                remedy = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known) or 'none at all'}"
                raise JobFileError(str(self.file.path), None, "", f"no job {name!r}", remedy)


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """Return what a process should end with.

    0: all is done, or nothing was due; 1: what was run failed; 2: the file, or the code that it names, is wrong; 3: all
    that failed are checks; 4: some jobs failed and others were done, which those that are up to date or superseded do
    not count as; 75: another process is at it, and nothing was done; where something was, and nothing failed, it is 0;
    124: it took too long; 130: somebody stopped it.
    """
    found = list(outcomes)
    errors = [outcome.error for outcome in found if outcome.error is not None]
    if any(outcome.phase == "interrupted" for outcome in found):
        return 130
    failed = [error for error in errors if not _is_busy(error)]
    some = any(one.error is None and one.phase != "superseded" and one.reason != "up to date" for one in found)
    if not failed:
        return 75 if errors and not some else 0
    if all(isinstance(error, CheckError) for error in failed):
        return 3
    if some:
        return 4
    if all(isinstance(error, JobFileError) for error in failed):
        return 2
    return 124 if any(isinstance(error, JobTimeoutError) for error in failed) else 1


def _is_busy(error: Exception) -> bool:
    return isinstance(error, LockedError) or (isinstance(error, LedgerError) and error.transient)


def _moment(now: Instant | None) -> dt.datetime:
    return dt.datetime.now(dt.UTC) if now is None else instant(now)


def _nobody(_: Mapping[str, Any]) -> None:
    """Tell nobody."""
