"""Jobs, windows and runs, as tables and as JSON."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import click

from esanalytics._instants import iso

if TYPE_CHECKING:  # loaded by whoever has some
    from esanalytics.jobs import Outcome
    from esanalytics.jobs._file import JobsFile
    from esanalytics.jobs._ledger import RunRow
    from esanalytics.jobs._plan import Due
    from esanalytics.jobs._status import Status

__all__ = [
    "Form",
    "Row",
    "blocks",
    "due_rows",
    "duration",
    "job_rows",
    "outcome_rows",
    "printed",
    "run_rows",
    "status_rows",
    "zones_of",
]

Form = Literal["table", "json"]
Row = Mapping[str, object]

_TIMES = 5
_LONGEST = 60


def zones_of(file: JobsFile) -> dict[str, dt.tzinfo]:
    """Tell in which time zones the windows of jobs are shown."""
    return {job.name: job.calendar.tz for job in file.jobs.values()}


def job_rows(file: JobsFile, now: dt.datetime) -> Iterator[Row]:
    """Give the jobs of a file, with their next times."""
    from esanalytics.jobs._plan import upcoming  # noqa: PLC0415  see above
    from esanalytics.jobs._schedule import explained  # noqa: PLC0415  see above

    for job in file.jobs.values():
        calendar = job.calendar
        times = islice(upcoming(job, now), _TIMES)
        yield {
            "job": job.name,
            "enabled": job.enabled,
            "schedule": calendar.schedule,
            "tz": str(calendar.tz),
            "words": explained(calendar.schedule),
            "window": str(calendar.grid),
            "lag": calendar.lag,
            "kind": job.kind,
            "output": job.output.shown,
            "format": job.format,
            "next": [time.astimezone(calendar.tz).isoformat() for time in times],
        }
    for ingest in file.ingests.values():
        words = explained(ingest.schedule) if ingest.schedule else "with every call"
        yield {
            "job": ingest.name,
            "enabled": ingest.enabled,
            "schedule": ingest.schedule,
            "tz": str(ingest.tz),
            "words": words,
            "files": list(ingest.files),
        }


def blocks(rows: Iterable[Row]) -> str:
    """Write jobs for people, some lines for each."""
    return "\n\n".join("\n".join(_block(row)) for row in rows)


def _block(row: Row) -> Iterator[str]:
    off = "" if row["enabled"] else " (not enabled)"
    if "files" in row:
        yield f"{row['job']}{off}: ingest, {row['words']}"
        yield f"    from  {', '.join(row['files'])}"  # type: ignore[arg-type]
        return
    lag = f", {_text(row['lag'])} after its end" if row["lag"] else ""
    window = "from tick to tick" if row["window"] == "tick" else f"of {row['window']}"
    yield f"{row['job']}{off}: {row['kind']}, {row['words']} ({row['tz']}), windows {window}{lag}"
    yield f"    to    {row['output']} ({row['format']})"
    times: Any = row["next"]
    yield f"    next  {', '.join(time[:16].replace('T', ' ') for time in times)}"


def due_rows(found: Iterable[Due], left: Mapping[tuple[str, str], int]) -> list[Row]:
    """Give windows that are to be run, each with how many of its job and service are left for later calls."""
    return [
        {
            "job": due.unit.job,
            "service": due.unit.service,
            "window": due.window.key,
            "reason": due.reason,
            "left": left.get((due.unit.job, due.unit.service), 0),
        }
        for due in found
    ]


def outcome_rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """Give how runs ended."""
    return [
        {
            "job": outcome.unit.job,
            "service": outcome.unit.service,
            "window": outcome.window.key,
            "phase": outcome.phase,
            "reason": outcome.reason,
            "rows": outcome.rows,
            "error": str(outcome.error) if outcome.error else None,
        }
        for outcome in outcomes
    ]


def status_rows(found: Iterable[Status]) -> list[Row]:
    """Give how jobs are."""
    return [
        {
            "job": status.unit.job,
            "service": status.unit.service,
            "enabled": status.enabled,
            "window": status.window.key if status.window else None,
            "age": status.age,
            "open": status.open,
            "overdue": status.overdue,
            "rows": status.rows,
            "path": status.path,
            "phase": status.phase,
            "ended": status.ended,
            "next": status.next_due,
            "error": status.error,
        }
        for status in found
    ]


def run_rows(runs: Iterable[RunRow]) -> list[Row]:
    """Give the runs of a job."""
    return [
        {
            "run": run.run,
            "began": run.began,
            "service": run.unit.service,
            "window": run.window.key,
            "reason": run.reason,
            "phase": run.phase,
            "attempt": run.attempt,
            "seconds": None if run.seconds is None else round(run.seconds, 1),
            "rows": run.rows,
            "digest": run.digest,
            "pid": run.pid,
            "host": run.host,
            "error_type": run.error_type,
            "error": run.error,
        }
        for run in runs
    ]


def printed(rows: list[Row], form: Form, zones: Mapping[str, dt.tzinfo], without: frozenset[str] = frozenset()) -> None:
    """Print rows.

    Args:
        rows: which all have the same keys.
        form: a table, or an array of JSON objects.
        zones: of the windows in a table, by job; that of rows without a job is at ``""``.
        without: what a table leaves out; it also leaves out what is nowhere anything.
    """
    if form == "json":
        click.echo(json.dumps(rows, default=_plain, indent=2, ensure_ascii=False))
        return
    if not rows:
        return
    shown = [_in_zone(row, zones) for row in rows]
    columns = [name for name in shown[0] if name not in without and any(row[name] not in (None, "") for row in shown)]
    cells = [[_cell(name, row[name]) for name in columns] for row in shown]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    numbers = {place for place, name in enumerate(columns) if all(_is_number(row[name]) for row in rows)}
    for texts in (columns, ["─" * width for width in widths], *cells):
        parts = (
            text.rjust(width) if place in numbers else text.ljust(width)
            for place, (text, width) in enumerate(zip(texts, widths, strict=True))
        )
        click.echo("  ".join(parts).rstrip())


def _in_zone(row: Row, zones: Mapping[str, dt.tzinfo]) -> Row:
    """Show the window of a row in the time zone of its job."""
    from esanalytics.jobs._log import span  # noqa: PLC0415  see above

    window = row.get("window")
    if not isinstance(window, str):
        return row
    return {**row, "window": span(window, zones.get(str(row.get("job", "")), dt.UTC))}


def _is_number(value: object) -> bool:
    return value is None or type(value) in (int, float)


def _cell(name: str, value: object) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in _text(value))
    return text if len(text) <= _LONGEST or name == "path" else text[: _LONGEST - 1] + "…"


def _text(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%MZ")
    return duration(value) if isinstance(value, dt.timedelta) else str(value)


def duration(value: dt.timedelta) -> str:
    """Write a duration with its two largest units."""
    left = int(value.total_seconds())
    parts = []
    for name, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{name}")
    return " ".join(parts[:2]) or "0s"


def _plain(value: object) -> object:
    if isinstance(value, dt.datetime):
        return iso(value)
    return value.total_seconds() if isinstance(value, dt.timedelta) else str(value)
