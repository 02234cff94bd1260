"""Files that come in: appended whole, again and again; what the store has already is passed over.

The new files of one format are one append, so their events may have been recorded in turns. A checkpoint only saves
work: it is written after the store has the events, from what was read of the files before.
"""

from __future__ import annotations

import glob
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from esanalytics.errors import JobError, JobTimeoutError, LockedError
from esanalytics.jobs._call import Call, folder_of
from esanalytics.jobs._deadline import Deadline
from esanalytics.jobs._file import Ingest
from esanalytics.jobs._ledger import Ledger, Stamp
from esanalytics.jobs._lock import locked
from esanalytics.jobs._notify import started, tell_of
from esanalytics.jobs._plan import Due
from esanalytics.jobs._retrying import is_transient, retried
from esanalytics.jobs._schedule import last_tick
from esanalytics.jobs._values import Outcome, Phase, Unit, Window

if TYPE_CHECKING:  # what a run with nothing to do does not load
    from esanalytics.events import Source as Events

__all__ = ["ingest"]

_HEAD = 4096
_GROWING_NS = 2_000_000_000
_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_PACKED = (".gz", ".zst")


def ingest(job: Ingest, call: Call, *, named: bool = False) -> Iterator[Outcome]:
    """Append the files that are new or have changed.

    Args:
        job: says which.
        call: knows the store.
        named: whether somebody asks for it by name; then its schedule does not matter.
    """
    if not (named or _is_due(job, call)) or call.wish.dry or not _fresh(job, call):
        return
    outcome: Outcome | None = None
    try:
        with locked(folder_of(call.file) / "locks", job.name, call.wish.wait):
            files = _fresh(job, call)  # another process may have been at it
            if files:
                started(job.notify, Due(Unit(job.name), _window(call), "due"))
                outcome = _Ingesting(job, call, files).run()
    except LockedError as error:
        outcome = Outcome(Unit(job.name), _window(call), "refused", "due", "", error=error)
        call.tell(_facts(outcome))
    if outcome is not None:
        tell_of(job.notify, outcome)
        yield outcome


class _Ingesting:
    """Appends files, with the lock held; one that cannot be is tried again, and keeps only those out that need it."""

    def __init__(self, job: Ingest, call: Call, files: list[str]) -> None:
        self._job = job
        self._call = call
        self._files = files
        self._rows = 0
        self._run = ""
        self._began = 0.0
        self._deadline = Deadline(job.name, job.timeout, self._give_up)

    def run(self) -> Outcome:
        """Append the files, and again those with which that may help."""
        self._call.ledger.interrupt(self._job.name)
        return retried(self._job, self._attempt, deadline=self._deadline, waiting=self._waiting, pause=self._call.pause)

    def _attempt(self, number: int) -> Outcome:
        from esanalytics.jobs._run import run_id  # noqa: PLC0415  a run with nothing to do does not load it

        self._run, self._began = run_id(), time.monotonic()
        ledger = self._call.ledger
        ledger.begin(self._run, Unit(self._job.name), _window(self._call), "due", number)
        error: Exception | None = None
        try:
            with self._deadline:
                self._append()
        except Exception as found:  # noqa: BLE001  it is in the outcome
            error = found
        except (KeyboardInterrupt, SystemExit) as stopped:
            ledger.end(self._run, "interrupted", error=stopped)
            raise
        outcome = self._outcome(error)
        ledger.end(self._run, outcome.phase, error=error)
        self._call.tell({**_facts(outcome), "attempt": number})
        return outcome

    def _append(self) -> None:
        """Append what has not come in; of what goes wrong, the first that trying again may mend is raised."""
        left: list[str] = []
        errors: list[Exception] = []
        groups = self._groups()
        while groups:
            self._deadline.check()
            files = groups.pop(0)
            try:
                self._rows += _appended(self._job, self._call, files)
            except Exception as error:  # noqa: BLE001  the others come in
                if len(files) > 1 and not is_transient(error) and not _is_in_turns(self._job, files):
                    groups = [[path] for path in files] + groups
                    continue
                left += files
                errors.append(error)
        self._files = left
        if errors:
            raise next(filter(is_transient, errors), errors[0])

    def _groups(self) -> list[list[str]]:
        """Return the files that are appended together: those that are read alike."""
        found: dict[tuple[str, ...], list[str]] = {}
        for path in self._files:
            known = self._job.format or _SUFFIXES.get(_suffix(path))
            alike = (known, _delimiter(self._job, path)) if known else (path,)
            found.setdefault(alike, []).append(path)
        return list(found.values())

    def _outcome(self, error: Exception | None) -> Outcome:
        from esanalytics.jobs._run import phase_of  # noqa: PLC0415  see above

        phase: Phase = "done" if error is None else phase_of(error)
        seconds = round(time.monotonic() - self._began, 3)
        return Outcome(Unit(self._job.name), _window(self._call), phase, "due", self._run, self._rows, seconds, error)

    def _waiting(self, outcome: Outcome, attempt: int, seconds: float) -> None:
        self._call.tell({**_facts(outcome), "attempt": attempt, "phase": "waiting", "seconds": seconds})

    def _give_up(self, error: JobTimeoutError) -> None:
        """Write down, beside the thread that hangs, that the time is over, and let somebody end the process."""
        if self._call.overdue is None:
            return
        outcome = self._outcome(error)
        with suppress(Exception), Ledger.open(self._call.ledger.path) as ledger:
            ledger.end(self._run, "timed out", error=error)
        with suppress(Exception):
            self._call.tell(_facts(outcome))
            tell_of(self._job.notify, outcome)
        self._call.overdue(error)


def _facts(outcome: Outcome) -> dict[str, Any]:
    """Say how a run ended, as a line of the log has it."""
    told = {"error": str(outcome.error), "error_type": type(outcome.error).__name__} if outcome.error else {}
    known = {"run": outcome.run, "job": outcome.unit.job, "window": outcome.window.key, "phase": outcome.phase}
    return {**known, "rows": outcome.rows, "seconds": outcome.seconds, **told}


def _window(call: Call) -> Window:
    return Window(call.now, call.now, call.now)


def _is_due(job: Ingest, call: Call) -> bool:
    """Tell whether the schedule has had a time since the last run that ended well."""
    if job.schedule is None:
        return True
    tick = last_tick(job.schedule, ZoneInfo(str(job.tz)), call.now)
    done = next((run for run in call.ledger.runs(job.name, 20) if run.phase == "done"), None)
    return tick is not None and (done is None or done.window.end < tick)


def _files(job: Ingest) -> list[str]:
    found = {path for pattern in job.files for path in glob.glob(pattern, recursive=True)}  # noqa: PTH207  whole paths
    return sorted(path for path in found if Path(path).is_file())


def _fresh(job: Ingest, call: Call) -> list[str]:
    """List the files that are new, or have changed."""
    known = call.ledger.stamps("ingest", job.name)
    return [path for path in _files(job) if known.get(path) != _stamp(path)]


def _stamp(path: str) -> Stamp | None:
    """Say what a file is like; None: it is gone."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
        found = Path(path).stat()
    except OSError:
        return None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino, hashlib.sha256(head).hexdigest())


def _appended(job: Ingest, call: Call, files: list[str]) -> int:
    """Append files, all of them or none; return how many events of them the store did not have."""
    looked = time.time_ns()
    before = {path: stamp for path in files if (stamp := _stamp(path)) is not None}
    if not before:
        return 0
    commit = call.source.store.append(
        _source(job, list(before)), service=job.service, stream=job.stream, on_invalid=job.on_invalid, progress=False
    )
    settled = {path: one for path, one in before.items() if looked - one.mtime_ns > _GROWING_NS}
    if settled:  # a younger one may grow within what its time can tell
        call.ledger.stamp("ingest", job.name, settled)
    return commit.appended


def _is_in_turns(job: Ingest, files: list[str]) -> bool:
    """Tell whether files say when events were recorded: then those of one could not come in after those of another."""
    for path in files:
        with suppress(Exception):  # it is the one that cannot be read
            first = next(iter(_source(job, [path]).batches()), None)
            if first is not None and "recorded_at" in first.rows.column_names:
                return True
    return False


def _source(job: Ingest, files: list[str]) -> Events:
    from esanalytics import sources  # noqa: PLC0415  see above

    mapping = {column: _origin(column, text) for column, text in job.mapping.items()}
    format_ = job.format or _format(job, files[0])
    if format_ == "jsonl":
        return sources.jsonl(files, mapping=mapping)
    if format_ == "parquet":
        return sources.parquet(files, mapping=mapping)
    delimiter, header = _delimiter(job, files[0]), job.header
    columns: Any = list(header) if isinstance(header, tuple) else header
    return sources.csv(files, mapping=mapping, types=dict(job.types), delimiter=delimiter, header=columns)


def _delimiter(job: Ingest, path: str) -> str:
    return job.delimiter or ("\t" if _suffix(path) == ".tsv" else ",")


def _origin(column: str, text: str) -> Any:  # noqa: ANN401  of several kinds
    """Read where a column of the envelope comes from."""
    from esanalytics import sources  # noqa: PLC0415  see above

    kind, colon, rest = text.partition(":")
    if colon and kind == "sql":
        return sources.sql(rest)
    if colon and kind == "const":
        return sources.constant(json.loads(rest) if column in ("data", "metadata") else rest)
    return text or None


def _format(job: Ingest, path: str) -> str:
    found = _SUFFIXES.get(_suffix(path))
    if found is None:
        raise JobError(
            job.name, f"the name of {path!r} does not tell its format", "say format = 'jsonl', csv or parquet"
        )
    return found


def _suffix(path: str) -> str:
    name = Path(path.lower())
    return (name.with_suffix("") if name.suffix in _PACKED else name).suffix
