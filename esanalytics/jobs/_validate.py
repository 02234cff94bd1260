"""What can be known of a file of jobs before anything is due."""

from __future__ import annotations

from collections.abc import Mapping

from esanalytics.errors import EsAnalyticsError, JobError, JobFileError
from esanalytics.jobs._checks import refused_check
from esanalytics.jobs._definition import asked_for
from esanalytics.jobs._destination import destination
from esanalytics.jobs._file import Job, JobsFile
from esanalytics.jobs._question import question
from esanalytics.jobs._source import Source
from esanalytics.jobs._values import Window

__all__ = ["validate"]


def validate(file: JobsFile, source: Source) -> list[str]:
    """Check the code, the queries, the checks and the destinations of all jobs; return what may be wrong.

    Raises:
        JobFileError: something is, with all that is.
    """
    warnings = _of_store(source)
    wrong = [text for job in file.jobs.values() for text in _of_job(file, job, source, is_there=not warnings)]
    source.close()
    if wrong:
        raise JobFileError(str(file.path), None, "", "\n".join(wrong))
    return warnings


def _of_store(source: Source) -> list[str]:
    try:
        return [] if source.position else ["the store has no events yet"]
    except EsAnalyticsError as error:
        return [str(error)]


def _of_job(file: JobsFile, job: Job, source: Source, *, is_there: bool) -> list[str]:
    where = f"jobs.{job.name}"
    found = _of_checks(job, source)
    if job.notebook is not None:
        return (
            found if job.notebook.is_file() else [*found, f"{where}.notebook: there is no file {str(job.notebook)!r}"]
        )
    try:
        asked = question(asked_for(job.projection, job.sql, file.path.parent), job.kind, from_start=job.newest_only)
        if is_there and source.first is not None:
            window = Window(source.first, source.info.last_time or source.first, source.first)
            unit = next(iter(job.units(source.services)))
            log = source.of(job.services_of(unit))
            types = asked.over(log, window).types
            found = _of_checks(job, source, types)
            destination(job.target(unit, window, asked.keys(log)), source.engine).check(types)
    except JobFileError as error:
        found.append(f"{where}: {error.args[3]}")
    except (EsAnalyticsError, OSError) as error:
        found.append(f"{where}: {error.args[1] if isinstance(error, JobError) and not error.args[0] else error}")
    return found


def _of_checks(job: Job, source: Source, types: Mapping[str, str] | None = None) -> list[str]:
    refused = (refused_check(source.engine, text, types) for text in job.checks)
    return [f"jobs.{job.name}.checks: {text}" for text in refused if text]
