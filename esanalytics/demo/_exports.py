"""What the shop hands on: the demo's file of jobs, and its runs."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from esanalytics.jobs import Jobs, Outcome, load

__all__ = ["FILE", "jobs_in", "told"]

FILE = "jobs.toml"


def jobs_in(folder: Path) -> Jobs:
    """Write the file of jobs into a folder, where the store is, and read it."""
    path = folder / FILE
    path.write_text(files("esanalytics.demo").joinpath(FILE).read_text("utf-8"), "utf-8")
    return load(path)


def told(outcomes: Iterable[Outcome], folder: Path) -> list[dict[str, Any]]:
    """Say of runs what a table shows."""
    return [_line(outcome, f"{folder.resolve()}/") for outcome in outcomes]


def _line(outcome: Outcome, folder: str) -> dict[str, Any]:
    found = outcome.published.where if outcome.published else str(outcome.error or "")
    return {
        "job": outcome.unit.job,
        "ended": "up to date" if outcome.reason == "up to date" else outcome.phase,
        "rows": outcome.rows,
        "where": found.replace(folder, ""),
    }
