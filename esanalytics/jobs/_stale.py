"""Which windows that are done have to be made again, and why; where nothing has come, nothing is opened."""

from __future__ import annotations

import datetime as dt
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from esanalytics.jobs._file import Job
from esanalytics.jobs._ledger import Row
from esanalytics.jobs._plan import GOOD
from esanalytics.jobs._values import Reason, Unit, Window

if TYPE_CHECKING:  # what a run with nothing to do does not load
    from esanalytics.jobs._late import Arrived
    from esanalytics.jobs._source import Source

__all__ = ["Lost", "Stale", "expired", "lost_of", "stale_of"]

Lost = Mapping[str, str]
"""Windows, and the runs that made what is gone."""


@dataclass(frozen=True, slots=True)
class Stale:
    """What is known of the windows of a unit that are done.

    Attributes:
        windows: those to be made again.
        settled: whether something came to the store that changes nothing for the others, which the ledger should keep.
    """

    windows: Mapping[Window, Reason] = field(default_factory=dict)
    settled: bool = False


def stale_of(
    job: Job, unit: Unit, rows: Sequence[Row], source: Source, code: str, shape: Callable[[Unit], str], lost: Lost
) -> Stale:
    """Find the windows to be made again.

    Args:
        job: the job.
        unit: one of its units.
        rows: of the unit's windows, from the ledger.
        source: the store.
        code: digest of the files of code, as they are now.
        shape: tells what the log says of the columns; it is asked only where something has come.
        lost: what was found missing in earlier calls, and may not be made again yet.
    """
    done = [row for row in rows if row.phase in GOOD]
    missing = lost_of(done, lost)
    found: dict[Window, Reason] = {}
    came = [row for row in done if row.mark != source.mark or not row.mark]
    found |= _late(job, unit, came, source)
    if came:
        now = shape(unit)
        found |= {row.window: "columns changed" for row in came if row.shape != now}
    found |= {row.window: "definition changed" for row in done if (row.definition, row.code) != (job.definition, code)}
    found |= {
        row.window: "output changed" if row.bytes and Path(row.path).is_file() else "output missing"
        for row in done
        if row.window.key in missing
    }
    return Stale(found, settled=bool(came))


def expired(job: Job, rows: Sequence[Row], now: dt.datetime) -> list[Row]:
    """Return the windows that are done and not kept any longer: no one misses their outputs."""
    if job.keep is None or not job.output.windowed:
        return []
    done = sorted((row for row in rows if row.phase in GOOD), key=lambda row: row.window.end)
    if isinstance(job.keep, int):
        return done[: -job.keep]
    return [row for row in done if row.window.end <= now - job.keep]


def lost_of(rows: Iterable[Row], lost: Lost) -> dict[str, str]:
    """Return the windows whose outputs are not there, or are files of another size, each with the run that made it.

    Where many windows lie in one file, the first that is made again brings the file back, and not the others; so what
    was found missing stays so until it has another run.
    """
    known = list(rows)
    sizes: dict[str, set[int]] = {}
    for row in known:
        sizes.setdefault(row.path, set()).add(row.bytes)
    there = {path: not path or _is_whole(Path(path), of) for path, of in sizes.items()}
    return {row.window.key: row.run for row in known if not there[row.path] or lost.get(row.window.key) == row.run}


def _is_whole(path: Path, sizes: set[int]) -> bool:
    """Tell whether an output is there, and as long as it was; a folder's and a database's sizes say nothing."""
    try:
        found = path.stat()
    except OSError:
        return False
    return 0 in sizes or not stat.S_ISREG(found.st_mode) or found.st_size in sizes


def _late(job: Job, unit: Unit, rows: Sequence[Row], source: Source) -> dict[Window, Reason]:
    """Find the windows for which something came late."""
    found: dict[Window, Reason] = {}
    for position in {row.position for row in rows}:
        if position == source.position:
            continue
        windows = [row.window for row in rows if row.position == position]
        came = _arrived(job, unit, source, position, max(window.end for window in windows))
        affected = came.inside(windows) if job.kind == "events" else came.before_end(windows)
        found |= dict.fromkeys(affected, "late events")
    return found


def _arrived(job: Job, unit: Unit, source: Source, position: int, until: dt.datetime) -> Arrived:
    from esanalytics.jobs._late import arrived  # noqa: PLC0415  see above

    return arrived(source.of(job.services_of(unit)), position, until)
