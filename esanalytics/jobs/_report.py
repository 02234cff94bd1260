"""A notebook as a job: parameters go in, a page comes out."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from esanalytics._disk import sync
from esanalytics._instants import iso
from esanalytics._optional import requires
from esanalytics.errors import JobError
from esanalytics.jobs._file import Job
from esanalytics.jobs._values import Staged, Window

__all__ = ["report"]

_TAG = "parameters"
_QUIET = "--IPKernelApp.log_level=ERROR"
"""The kernel is on this machine; that it does not encrypt what it says to us is of no interest."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def report(job: Job, window: Window, store: str, path: Path, rejected: Path, seconds: float) -> Staged:
    """Run a notebook in its folder, and write it with all that it shows as one HTML file.

    After the cell that has the tag ``parameters``, else before the first one, a cell is put that sets the job's
    parameters, and ``start``, ``end`` and ``store`` as texts.

    Args:
        job: has a notebook.
        window: gives ``start`` and ``end``.
        store: path of the store.
        path: of the file to be written.
        rejected: of the file to be written where a cell fails, with what the notebook shows up to there.
        seconds: how long a cell may take.

    Raises:
        JobError: there is no such notebook, or a cell of it fails.
        MissingDependencyError: its packages are not installed.
    """
    with requires("report"):
        import nbclient  # noqa: PLC0415  an extra
        import nbconvert  # noqa: PLC0415
        import nbformat  # noqa: PLC0415
    assert job.notebook is not None  # noqa: S101  the caller has asked
    try:
        notebook = nbformat.read(job.notebook, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types
    except (OSError, ValueError) as error:
        raise JobError(job.name, f"the notebook {str(job.notebook)!r} cannot be read ({error})") from error
    values = {**job.parameters, "start": iso(window.start), "end": iso(window.end), "store": store}
    place = _place(notebook.cells)
    notebook.cells.insert(place, nbformat.v4.new_code_cell(_code(values)))  # type: ignore[no-untyped-call]
    begun: list[int] = []
    client = nbclient.NotebookClient(
        notebook,
        timeout=max(1, int(seconds)),
        kernel_name="python3",
        extra_arguments=[_QUIET],
        resources={"metadata": {"path": str(job.notebook.parent)}},
        on_cell_start=lambda cell, cell_index: begun.append(cell_index),  # noqa: ARG005  so nbclient calls it
    )
    exporter = nbconvert.HTMLExporter(embed_images=True)  # type: ignore[no-untyped-call]
    try:
        client.execute()
    except _failures(nbclient.exceptions) as error:
        _written(exporter.from_notebook_node(notebook)[0], rejected)
        reason = f"{_cell(begun, place)} of the notebook {job.notebook.name!r} failed: {_last_line(error)}"
        raise JobError(job.name, reason, f"the page up to there is {rejected}") from error
    page: str = exporter.from_notebook_node(notebook)[0]
    _written(page, path)
    return Staged(path, 1, {}, hashlib.sha256(page.encode()).hexdigest())


def _failures(exceptions: Any) -> tuple[type[Exception], ...]:  # noqa: ANN401  a module
    return exceptions.CellExecutionError, exceptions.CellTimeoutError, exceptions.DeadKernelError


def _written(page: str, path: Path) -> None:
    path.write_text(page, "utf-8")
    sync(path)


def _cell(begun: list[int], place: int) -> str:
    """Name the cell that was run last, as whoever wrote the notebook counts them."""
    if not begun or begun[-1] == place:
        return "the cell of parameters"
    return f"cell {begun[-1] + (begun[-1] < place)}"


def _place(cells: list[Any]) -> int:
    """Say where the cell with the values goes."""
    tagged = (n for n, cell in enumerate(cells) if _TAG in cell.get("metadata", {}).get("tags", []))
    return next(tagged, -1) + 1


def _code(values: Mapping[str, object]) -> str:
    return "\n".join(f"{name} = {_literal(value)}" for name, value in values.items())


def _literal(value: object) -> str:
    """Write a value of TOML as Python."""
    if isinstance(value, dt.date | dt.time):
        return repr(value.isoformat())
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_literal(one)}" for key, one in value.items()) + "}"
    return "[" + ", ".join(map(_literal, value)) + "]" if isinstance(value, list) else repr(value)


def _last_line(error: BaseException) -> str:
    lines = [line for line in _COLOURS.sub("", str(error)).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
