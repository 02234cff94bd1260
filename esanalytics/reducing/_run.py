"""Running a reducer over a log: in this process, or over several."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from esanalytics._temporary import Keeper
from esanalytics.errors import ReducerError
from esanalytics.projections import Reducer
from esanalytics.reducing._folding import Folding, Outcome
from esanalytics.reducing._reading import reading
from esanalytics.reducing._reduced import Reduced, together
from esanalytics.reducing._rows import Rows
from esanalytics.reducing._workers import in_processes
from esanalytics.store import Log

__all__ = ["reduced"]

_PROGRESS_AFTER = 2.0


def reduced(log: Log, reducer: Reducer, *, every: bool, key: tuple[str, str] | None = None) -> Reduced:
    """Run a reducer over the events of a view, and keep what it gave in temporary files.

    Args:
        log: the events.
        reducer: what to do at each.
        every: one row per event; else one row per stream that lives.
        key: only the stream of this service and id.

    Raises:
        ReducerError: the reducer failed at an event, and sets no streams aside.
        UnsupportedError: it is to run in several processes, which cannot import it.
    """
    narrowed = log if key is None else log.where(service=key[0], stream=key[1])
    keeper = Keeper()
    what, engine = reading(narrowed)
    with _progress(narrowed, reducer.name) as bar:
        if reducer.processes > 1 and key is None:
            outcomes = in_processes(reducer, what, engine, keeper.folder, every=every, progress=bar.update)
        else:
            folding = Folding(reducer, Rows(keeper.folder, "part", every=every), every=every)
            with closing(what.pages(engine, 0, 1)) as pages:
                outcomes = [folding.run(pages, bar.update)]
    _warn(reducer, outcomes)
    return together(reducer.name, [outcome.written for outcome in outcomes], keeper, every=every)


def _warn(reducer: Reducer, outcomes: Sequence[Outcome]) -> None:
    """Say what was set aside."""
    failed = sum(outcome.failed for outcome in outcomes)
    errors: list[ReducerError] = [outcome.error for outcome in outcomes if outcome.error is not None]
    if not errors:
        return
    first = min(errors, key=lambda error: error.args[1:3])
    streams = "1 stream" if failed == 1 else f"{failed} streams"
    told = str(first).rpartition(";")[0] or str(first)
    warnings.warn(f"reducer {reducer.name!r} set {streams} aside; the first: {told}", UserWarning, _outside())


def _outside() -> int:
    """Count the frames between the warning and the first that is not of this library."""
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe(1)  # noqa: SLF001  what warnings.warn itself does
    ours = (package, "contextlib")  # a context manager of ours stands between
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in ours:
        level, frame = level + 1, frame.f_back
    return level


@contextmanager
def _progress(log: Log, name: str) -> Iterator[Any]:
    """Show a bar on what takes long, where somebody looks: on a terminal and in a notebook."""
    from tqdm.auto import tqdm  # noqa: PLC0415  it looks for widgets when imported

    shown = sys.stderr.isatty() or "ipykernel" in sys.modules
    with tqdm(
        total=log.count() if shown else None,
        unit="events",
        unit_scale=True,
        desc=name,
        delay=_PROGRESS_AFTER,
        disable=not shown,
    ) as bar:
        yield bar
