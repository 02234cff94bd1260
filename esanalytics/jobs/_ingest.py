"""Files that come in: appended whole, again and again; what the store has already is passed over.

So a checkpoint only saves work. It is written after the store has the events, from what was read of the file before.
"""

from __future__ import annotations

import glob
import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from esanalytics.errors import JobError, LockedError
from esanalytics.jobs._call import Call, folder_of
from esanalytics.jobs._file import Ingest
from esanalytics.jobs._ledger import Stamp
from esanalytics.jobs._lock import locked
from esanalytics.jobs._notify import tell_of
from esanalytics.jobs._schedule import last_tick
from esanalytics.jobs._values import Outcome, Unit, Window

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


def ingest(job: Ingest, call: Call) -> Iterator[Outcome]:
    """Append the files that are new or have changed; each is an append of its own."""
    if not _is_due(job, call):
        return
    known = call.ledger.stamps("ingest", job.name)
    files = [path for path in _files(job) if known.get(path) != _stamp(path)]
    if not files or call.wish.dry:
        return
    began = time.monotonic()
    try:
        with locked(folder_of(call.file) / "locks", job.name, call.wish.wait):
            outcome = _run(job, call, files)
    except LockedError as error:
        outcome = Outcome(Unit(job.name), _window(call), "refused", "due", "", error=error)
    facts = {"run": outcome.run, "job": job.name, "phase": outcome.phase, "rows": outcome.rows}
    told = {"error": str(outcome.error), "error_type": type(outcome.error).__name__} if outcome.error else {}
    call.tell({**facts, "seconds": round(time.monotonic() - began, 3), **told})
    tell_of(job.notify, outcome)
    yield outcome


def _run(job: Ingest, call: Call, files: Iterable[str]) -> Outcome:
    """Append files, with the lock held; one that cannot be does not keep the others out."""
    from esanalytics.jobs._run import phase_of, run_id  # noqa: PLC0415  see above

    run, unit, window = run_id(), Unit(job.name), _window(call)
    call.ledger.interrupt(job.name)
    call.ledger.begin(run, unit, window, "due")
    errors: list[Exception] = []
    rows = 0
    try:
        for path in files:
            try:
                rows += _appended(job, call, path)
            except Exception as error:  # noqa: BLE001  the others come in
                errors.append(error)
    except (KeyboardInterrupt, SystemExit) as error:
        call.ledger.end(run, "interrupted", error=error)
        raise
    if errors:
        call.ledger.end(run, phase_of(errors[0]), error=errors[0])
        return Outcome(unit, window, phase_of(errors[0]), "due", run, rows, error=errors[0])
    call.ledger.end(run, "done")
    return Outcome(unit, window, "done", "due", run, rows)


def _window(call: Call) -> Window:
    return Window(call.now, call.now, call.now)


def _is_due(job: Ingest, call: Call) -> bool:
    """Tell whether the schedule has had a time since the last run that ended well."""
    if job.schedule is None or call.wish.named:
        return True
    tick = last_tick(job.schedule, ZoneInfo(str(job.tz)), call.now)
    done = next((run for run in call.ledger.runs(job.name, 20) if run.phase == "done"), None)
    return tick is not None and (done is None or done.window.end < tick)


def _files(job: Ingest) -> list[str]:
    found = {path for pattern in job.files for path in glob.glob(pattern, recursive=True)}  # noqa: PTH207  whole paths
    return sorted(path for path in found if Path(path).is_file())


def _stamp(path: str) -> Stamp | None:
    """Say what a file is like; None: it is gone."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
        found = Path(path).stat()
    except OSError:
        return None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino, hashlib.sha256(head).hexdigest())


def _appended(job: Ingest, call: Call, path: str) -> int:
    """Append a file; return how many events of it the store did not have."""
    before, looked = _stamp(path), time.time_ns()
    if before is None:
        return 0
    commit = call.source.store.append(
        _source(job, path), service=job.service, stream=job.stream, on_invalid=job.on_invalid, progress=False
    )
    if looked - before.mtime_ns > _GROWING_NS:  # else it may grow within what its time can tell
        call.ledger.stamp("ingest", job.name, {path: before})
    return commit.appended


def _source(job: Ingest, path: str) -> Events:
    from esanalytics import sources  # noqa: PLC0415  see above

    mapping = {column: _origin(column, text) for column, text in job.mapping.items()}
    format_ = job.format or _format(job, path)
    if format_ == "jsonl":
        return sources.jsonl(path, mapping=mapping)
    if format_ == "parquet":
        return sources.parquet(path, mapping=mapping)
    usual = "\t" if _suffix(path) == ".tsv" else ","
    header: Any = list(job.header) if isinstance(job.header, tuple) else job.header
    return sources.csv(path, mapping=mapping, types=dict(job.types), delimiter=job.delimiter or usual, header=header)


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
