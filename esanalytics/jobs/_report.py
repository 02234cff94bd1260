"""A notebook as a job: parameters go in, a page comes out."""

from __future__ import annotations

import datetime as dt
import hashlib
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


def report(job: Job, window: Window, store: str, path: Path, seconds: float) -> Staged:
    """Run a notebook in its folder, and write it with all that it shows as one HTML file.

    After the cell that has the tag ``parameters``, else before the first one, a cell is put that sets the job's
    parameters, and ``start``, ``end`` and ``store`` as texts.

    Args:
        job: has a notebook.
        window: gives ``start`` and ``end``.
        store: path of the store.
        path: of the file to be written.
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
    notebook.cells.insert(_place(notebook.cells), nbformat.v4.new_code_cell(_code(values)))  # type: ignore[no-untyped-call]
    folder = {"metadata": {"path": str(job.notebook.parent)}}
    client = nbclient.NotebookClient(notebook, timeout=max(1, int(seconds)), kernel_name="python3", resources=folder)
    try:
        client.execute()
    except (nbclient.exceptions.CellExecutionError, nbclient.exceptions.CellTimeoutError) as error:
        raise JobError(job.name, f"the notebook {job.notebook.name!r} failed: {_last_line(error)}") from error
    page, _ = nbconvert.HTMLExporter(embed_images=True).from_notebook_node(notebook)  # type: ignore[no-untyped-call]
    path.write_text(page, "utf-8")
    sync(path)
    return Staged(path, 1, {}, hashlib.sha256(page.encode()).hexdigest())


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
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
