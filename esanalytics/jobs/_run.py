"""One run of one window: computed, checked, published, and written down, in this order."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from esanalytics._instants import iso
from esanalytics.errors import CheckError, JobError, JobFileError, JobTimeoutError
from esanalytics.jobs._checks import Verdict, examine
from esanalytics.jobs._code import code_digest, stamp_of
from esanalytics.jobs._deadline import Deadline
from esanalytics.jobs._definition import asked_for
from esanalytics.jobs._destination import destination, local, shown, staging
from esanalytics.jobs._explaining import explaining
from esanalytics.jobs._file import Job
from esanalytics.jobs._ledger import Ledger, Row
from esanalytics.jobs._markers import NewerError, fence
from esanalytics.jobs._notify import tell_of
from esanalytics.jobs._parts import discard, make_folder
from esanalytics.jobs._plan import GOOD, Due
from esanalytics.jobs._question import Question, question
from esanalytics.jobs._retrying import retried
from esanalytics.jobs._source import Source
from esanalytics.jobs._stage import stage
from esanalytics.jobs._values import Destination, Outcome, Phase, Published, Staged, Target, Token, Unit

__all__ = ["Runner", "Tell", "facts_of", "phase_of", "run_id"]

Tell = Callable[[Mapping[str, Any]], None]
"""Is told of each step of a run."""

_FORMAT = 1
_SQLITE = "sqlite:///"
_ANEW = ("forced", "output missing", "output changed")


def run_id() -> str:
    """Make the id of a run, which sorts by time."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def phase_of(error: BaseException) -> Phase:
    """Say where a run ended that an error ended."""
    if isinstance(error, CheckError):
        return "rejected"
    if isinstance(error, JobTimeoutError):
        return "timed out"
    return "failed" if isinstance(error, Exception) else "interrupted"


@dataclass
class Runner:
    """Runs windows of one job, one after the other; the job's lock is held.

    Attributes:
        job: the job.
        source: the store.
        ledger: what is known of earlier runs.
        folder: of what is on its way.
        base: what the names of code begin at.
        tell: is told of each step.
        pause: waits for some seconds.
        overdue: ends the process, where a run goes on though its time is over; None: it is waited for.
    """

    job: Job
    source: Source
    ledger: Ledger
    folder: Path
    base: Path
    tell: Tell
    pause: Callable[[float], None] = field(default=time.sleep, repr=False)
    overdue: Callable[[JobTimeoutError], object] | None = field(default=None, repr=False)
    _shapes: dict[Unit, str] = field(default_factory=dict, repr=False)

    def run(self, due: Due, place: tuple[int, int] = (1, 1)) -> Outcome:
        """Run a window, and again where that may help; what goes wrong is in the outcome.

        Args:
            due: which window.
            place: which one it is of how many, to be told.

        Raises:
            KeyboardInterrupt: somebody stops it; the ledger knows.
        """
        running: list[tuple[str, int, float]] = []
        deadline = Deadline(self.job.name, self.job.timeout, lambda error: self._give_up(due, *running[-1], error))

        def attempt(number: int) -> Outcome:
            running.append((run_id(), number, time.monotonic()))
            return self._attempt(due, *running[-1], deadline, place)

        def waiting(outcome: Outcome, attempt: int, seconds: float) -> None:
            self.tell({**facts_of(outcome, attempt), "phase": "waiting", "seconds": seconds})

        return retried(self.job, attempt, deadline=deadline, waiting=waiting, pause=self.pause)

    def shape(self, unit: Unit) -> str:
        """Digest what the log says of the columns of a unit's output."""
        if unit not in self._shapes:
            log = self.source.of(self.job.services_of(unit))
            self._shapes[unit] = "" if self.job.notebook else self.question.shape(log)
        return self._shapes[unit]

    @cached_property
    def question(self) -> Question:
        """What is asked for each window; the user's code is run.

        Raises:
            JobFileError: there is no such code, or it fails.
        """
        try:
            asked = asked_for(self.job.projection, self.job.sql, self.base)
        except JobFileError as error:
            raise self.source.file.refused(f"jobs.{self.job.name}.projection", error.args[3]) from error
        stamps = {str(path): stamp_of(path) for path in asked.files}
        self.ledger.stamp("code", self.job.name, stamps, anew=True)
        self.__dict__["code"] = code_digest(stamps)
        return question(asked, self.job.kind, from_start=self.job.newest_only)

    @cached_property
    def code(self) -> str:
        """Digest of the user's files that decide what is in the output."""
        if self.job.notebook:
            stamps = {str(self.job.notebook): stamp_of(self.job.notebook)}
            self.ledger.stamp("code", self.job.name, stamps, anew=True)
            return code_digest(stamps)
        _ = self.question
        return str(self.__dict__["code"])

    def _attempt(
        self, due: Due, run: str, attempt: int, began: float, deadline: Deadline, place: tuple[int, int]
    ) -> Outcome:
        self.ledger.begin(run, due.unit, due.window, due.reason, attempt)
        try:
            with deadline:
                one = _One(self, due, run, deadline, began, place)
                row, published = one.export()
                self.ledger.end(run, row.phase, row=row)
        except NewerError as newer:
            return self._superseded(due, run, attempt, began, newer)
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            self.ledger.end(run, phase_of(error), error=error)
            if not isinstance(error, Exception):
                raise
            outcome = Outcome(due.unit, due.window, phase_of(error), due.reason, run, None, _since(began), error)
        else:
            outcome = Outcome(
                due.unit, due.window, row.phase, due.reason, run, row.rows, _since(began), None, published
            )
        self.tell(facts_of(outcome, attempt))
        return outcome

    def _superseded(self, due: Due, run: str, attempt: int, began: float, newer: NewerError) -> Outcome:
        """Write down that the output holds a newer window, and stays as it is; that is no error."""
        path = _path(self.job.target(due.unit, due.window))
        row = Row(due.unit, due.window, "superseded", run, definition=self.job.definition, path=path)
        self.ledger.end(run, row.phase, row=row)
        outcome = Outcome(due.unit, due.window, row.phase, due.reason, run, None, _since(began))
        self.tell({**facts_of(outcome, attempt), "newer": newer.args[1]})
        return outcome

    def _give_up(self, due: Due, run: str, attempt: int, began: float, error: JobTimeoutError) -> None:
        """Write down, beside the thread that hangs, that the time is over, and let somebody end the process."""
        if self.overdue is None:
            return
        outcome = Outcome(due.unit, due.window, "timed out", due.reason, run, None, _since(began), error)
        with suppress(Exception), Ledger.open(self.ledger.path) as ledger:
            ledger.end(run, "timed out", error=error)
        for left in (self.folder / "stage").glob(f"{run}.*"):
            discard(left)
        with suppress(Exception):
            self.tell(facts_of(outcome, attempt))
            tell_of(self.job.notify, outcome)
        self.overdue(error)


@dataclass
class _One:
    """One attempt at one window."""

    runner: Runner
    due: Due
    run: str
    deadline: Deadline
    began: float
    place: tuple[int, int]

    @property
    def job(self) -> Job:
        return self.runner.job

    def export(self) -> tuple[Row, Published | None]:
        """Compute, check and publish; return what the window is then, for the ledger."""
        runner, due, job = self.runner, self.due, self.job
        token = Token(due.unit.job, due.unit.service, due.window, self.run, self._fingerprint())
        target = job.target(due.unit, due.window, self._keys())
        self._fence(target, token)
        place = destination(target, runner.source.engine)
        place.sweep(lambda run: run == self.run)
        path = staging(target, self.run, runner.folder / "stage")
        try:
            staged = self._staged(target, place, path, token)
            verdict = self._examined(target, staged)
            row = self._row(target, staged, token.fingerprint, verdict)
            if staged.rows == 0 and job.on_empty == "skip" and not job.notebook:
                return row("empty", None), None
            self.deadline.check()
            if job.mode != "window":  # else it replaces rows of its own alone
                runner.ledger.claim(_claimed(target), job.name)
            runner.ledger.enter(self.run, "publishing", staged.digest, path=_path(target), alone=target.fenced)
            self._told("publishing", rows=staged.rows)
            published = self._published(place, staged, token)
        finally:
            discard(path)
        discard(_rejected(target, due, runner.folder))
        return row("done", published), published

    def _fence(self, target: Target, token: Token) -> None:
        """Keep an older window from taking the place of a newer one that the ledger knows of, while that is there."""
        if not target.fenced:
            return
        path = _path(target)
        for row in self.runner.ledger.rows(self.due.unit).values():
            same = row.path == path and bool(path or row.definition == self.job.definition)
            if row.phase == "done" and same and (not path or Path(path).exists()):
                fence(shown(target.url), iso(row.window.end), token)

    def _fingerprint(self) -> str:
        runner = self.runner
        facts = [_FORMAT, self.job.definition, runner.code, runner.shape(self.due.unit)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def _keys(self) -> tuple[str, ...]:
        log = self.runner.source.of(self.job.services_of(self.due.unit))
        return () if self.job.notebook or self.job.keys else self.runner.question.keys(log)

    def _staged(self, target: Target, place: Destination, path: Path, token: Token) -> Staged:
        """Compute the result, once it is clear that it could be written."""
        runner = self.runner
        self._told("folding")
        if self.job.notebook:
            from esanalytics.jobs._report import report  # noqa: PLC0415  an extra

            place.check({}, token)
            make_folder(path.parent)
            rejected = _rejected(target, self.due, runner.folder)
            with explaining(shown(target.url)):
                return report(self.job, self.due.window, runner.source.file.store, path, rejected, self.deadline.left)
        log = runner.source.of(self.job.services_of(self.due.unit))
        result = runner.question.over(log, self.due.window)
        place.check(result.types, token)
        with explaining(shown(target.url)):
            make_folder(path.parent)
            staged = stage(result, path, runner.source.engine, self.deadline.watch)
        if staged.rows == 0 and self.job.on_empty == "fail":
            raise JobError(self.job.name, "the result has no rows", "it says on_empty = 'fail'")
        return staged

    def _examined(self, target: Target, staged: Staged) -> Verdict:
        runner = self.runner
        if not self.job.checks or self.job.notebook:
            return Verdict((), (), {})
        runner.ledger.enter(self.run, "checking", staged.digest)
        self._told("checking", rows=staged.rows)
        try:
            verdict = examine(runner.source.engine, staged, self.job.checks, self._last())
        except JobError as error:
            raise JobError(self.job.name, *error.args[1:]) from error
        if verdict.failed:
            raise CheckError(self.job.name, verdict.failed, self._kept(target, staged))
        return verdict

    def _last(self) -> Mapping[str, float | None] | None:
        """Return what was measured the last time: for the window, else for the newest one before it."""
        rows = self.runner.ledger.rows(self.due.unit)
        own = rows.get(self.due.window.key)
        before = [row for row in rows.values() if row.window.end <= self.due.window.start]
        known = [row for row in ([own] if own else []) + before[::-1] if row.phase in GOOD and row.measures]
        return known[0].measures if known else None

    def _kept(self, target: Target, staged: Staged) -> str:
        """Keep a rejected result beside the output."""
        path = _rejected(target, self.due, self.runner.folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(staged.path, path)
        return str(path)

    def _published(self, place: Destination, staged: Staged, token: Token) -> Published:
        """Publish, unless the same rows are there: then whoever reads them is not disturbed."""
        found = None if self.due.reason in _ANEW else place.find(token)
        if found is not None and found.digest == staged.digest:
            self._told("same result", rows=staged.rows)
            return found
        return place.publish(staged, token)

    def _row(
        self, target: Target, staged: Staged, fingerprint: str, verdict: Verdict
    ) -> Callable[[Phase, Published | None], Row]:
        runner = self.runner

        def row(phase: Phase, published: Published | None) -> Row:
            return Row(
                unit=self.due.unit,
                window=self.due.window,
                phase=phase,
                run=self.run,
                mark=runner.source.mark,
                position=runner.source.position,
                definition=self.job.definition,
                code=runner.code,
                shape=runner.shape(self.due.unit),
                fingerprint=fingerprint,
                path=_path(target) if published else "",
                digest=staged.digest,
                rows=staged.rows,
                bytes=published.bytes if published else 0,
                measures=verdict.measures,
            )

        return row

    def _told(self, phase: str, **facts: object) -> None:
        due = self.due
        self.deadline.check()
        unit = {"run": self.run, "job": due.unit.job, "service": due.unit.service, "window": due.window.key}
        number, of = self.place
        told = {"phase": phase, "reason": due.reason, "number": number, "of": of, "seconds": _since(self.began)}
        self.runner.tell({**unit, **told, **facts})


def _path(target: Target) -> str:
    """Name what has to be there after a run; empty: that cannot be seen without a connection."""
    if target.url.startswith(_SQLITE) and ":memory:" not in target.url:
        return str(local(target.url.removeprefix(_SQLITE).partition("?")[0]))
    if "://" in target.url.removeprefix("file://"):
        return ""
    return str(local(target.url))


def _claimed(target: Target) -> str:
    """Name what belongs to one job alone."""
    return f"{shown(target.url)} {target.table}" if target.table else shown(target.url)


def _rejected(target: Target, due: Due, folder: Path) -> Path:
    """Say where a rejected result is kept: beside a file or a folder of files, else beside the ledger."""
    if target.format not in ("sql", "duckdb", "delta") and _path(target):
        path = local(target.url)
        return path.with_name(f"{path.name}.rejected{'.html' if target.format == 'html' else ''}")
    name = f"{due.unit.service}{'-' if due.unit.service else ''}{due.window.start:%Y-%m-%dT%H%M%SZ}.parquet"
    return folder / "rejected" / due.unit.job / name.replace("/", "%2F")


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def facts_of(outcome: Outcome, attempt: int) -> dict[str, Any]:
    """Say how a run ended, as a line of the log has it.

    Args:
        outcome: of the run.
        attempt: from 1.
    """
    facts = {
        "run": outcome.run,
        "job": outcome.unit.job,
        "service": outcome.unit.service,
        "window": outcome.window.key,
        "phase": outcome.phase,
        "reason": outcome.reason,
        "rows": outcome.rows,
        "bytes": (outcome.published.bytes or None) if outcome.published else None,  # a database's are not known
        "seconds": outcome.seconds,
        "attempt": attempt,
        "error": str(outcome.error) if outcome.error else None,
        "error_type": type(outcome.error).__name__ if outcome.error else None,
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}
