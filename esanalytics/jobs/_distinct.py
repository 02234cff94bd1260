"""Whether outputs are apart: windows of one job, and jobs from each other."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from esanalytics.errors import OverlapError
from esanalytics.jobs._file import Job
from esanalytics.jobs._template import Template
from esanalytics.jobs._values import Unit, Window
from esanalytics.jobs._windows import Calendar

__all__ = ["missing_times", "refuse_overlaps"]

_FIELDS = {
    "Y": "Y", "y": "Y", "m": "m", "b": "m", "B": "m", "d": "d", "H": "H", "M": "M", "z": "z", "Z": "z",
    "j": "j", "G": "G", "V": "V", "u": "u", "w": "u", "a": "u", "A": "u", "W": "W", "U": "W",
}  # fmt: skip
_IMPLIED = (
    ({"Y", "j"}, {"m", "d"}),
    ({"G", "V", "u"}, {"Y", "m", "d"}),
    ({"Y", "W", "u"}, {"m", "d"}),
)
_NAMES = {"Y": "%Y", "m": "%m", "d": "%d", "H": "%H", "M": "%M", "z": "%z"}
_SAMPLE = dt.datetime(2024, 2, 28, 23, tzinfo=dt.UTC)


def missing_times(template: Template, calendar: Calendar) -> tuple[str, ...]:
    """Tell what has to be in a template for each window to have an output of its own; empty: each has.

    Args:
        template: one with times in it.
        calendar: whose windows.
    """
    needed = _needed(calendar)
    lacking = [needed - _told(template.formats(name), calendar) for name in ("start", "end")]
    least = min(lacking, key=len)
    return tuple(_NAMES[field] for field in "YmdHMz" if field in least)


def _told(formats: str, calendar: Calendar) -> set[str]:
    found = {_FIELDS[letter] for letter in re.findall("%(.)", formats) if letter in _FIELDS}
    for given, implied in _IMPLIED:
        if given <= found:
            found |= implied
    if calendar.grid.unit == "w" and ({"Y", "W"} <= found or {"G", "V"} <= found):
        found |= {"Y", "m", "d"}
    return found


def _needed(calendar: Calendar) -> set[str]:
    """Tell which parts of a local time differ between windows."""
    unit, count = calendar.grid.unit, calendar.grid.count
    if unit == "tick":
        return _needed_by_ticks(calendar)
    if unit == "y":
        return {"Y"}
    if unit in ("mo", "q"):
        return {"Y", "m"}
    if unit in ("d", "w"):
        return {"Y", "m", "d"}
    found = {"Y", "m", "d", "H"}
    if _shifting(calendar) and (unit == "m" or count == 1):
        found |= {"z"}
    return found | {"M"} if unit == "m" else found


def _needed_by_ticks(calendar: Calendar) -> set[str]:
    minute, hour, day, month, weekday = calendar.schedule.split()
    found = {"Y"}
    if not month.isdigit():
        found |= {"m"}
    if not day.isdigit() or weekday != "*":
        found |= {"m", "d"}
    if not hour.isdigit():
        found |= {"H"}
    if not minute.isdigit():
        found |= {"M"}
    if _shifting(calendar) and ("*" in hour or minute.startswith("*")):
        found |= {"z"}
    return found


def _shifting(calendar: Calendar) -> bool:
    """Whether the clock is ever changed, as far as one can tell from the last years."""
    samples = (dt.datetime(year, month, 1, tzinfo=dt.UTC) for year in range(1990, 2041) for month in (1, 4, 7, 10))
    return len({sample.astimezone(calendar.tz).utcoffset() for sample in samples}) > 1


def refuse_overlaps(jobs: Iterable[Job]) -> None:
    """Refuse jobs that write to the same place, as far as one can tell from their templates.

    Raises:
        OverlapError: two do.
    """
    seen: dict[tuple[str, str | None], Job] = {}
    for job in jobs:
        url = job.output.render(Unit(job.name, "service"), Window(_SAMPLE, _SAMPLE, _SAMPLE), job.calendar.tz)
        place = (url.rstrip("/"), job.table)
        other = seen.get(place)
        if other is not None and not (job.mode == other.mode == "window"):
            raise OverlapError(job.name, other.name, job.output.shown)
        seen[place] = job
    _refuse_inside({url: job for (url, _), job in seen.items()})


def _refuse_inside(jobs: dict[str, Job]) -> None:
    folders = {
        str(PurePosixPath(url)): job
        for url, job in jobs.items()
        if job.output.directory or job.partition_by or job.format == "delta"
    }
    for url, job in jobs.items():
        for parent in PurePosixPath(url).parents:
            other = folders.get(str(parent))
            if other is not None and other is not job:
                raise OverlapError(job.name, other.name, job.output.shown)
