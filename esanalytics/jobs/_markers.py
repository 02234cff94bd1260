"""The table of markers that stands beside the tables of a database: which run their rows are of."""

from __future__ import annotations

from esanalytics._instants import iso
from esanalytics.errors import DestinationError
from esanalytics.jobs._values import Staged, Token

__all__ = ["COLUMNS", "MARKERS", "WINDOWED", "newer", "values", "window_values"]

MARKERS = "_esanalytics_outputs"
COLUMNS = (
    "output",
    "job",
    "service",
    "window_start",
    "window_end",
    "run",
    "fingerprint",
    "row_count",
    "digest",
)
WINDOWED = ("_job", "_service", "_window_start", "_window_end")
"""The columns that rows have in a table where each window has rows of its own."""


def values(table: str, token: Token, staged: Staged) -> tuple[str | int, ...]:
    """Write a marker, in the order of ``COLUMNS``."""
    return (
        *window_values(table, token),
        iso(token.window.end),
        token.run,
        token.fingerprint,
        staged.rows,
        staged.digest,
    )


def window_values(table: str, token: Token) -> tuple[str, str, str, str]:
    """Name a window of a table, as the first four ``COLUMNS`` do."""
    return table, token.job, token.service, iso(token.window.start)


def newer(where: str, end: str) -> DestinationError:
    """Tell that the rows of a newer window are there already."""
    return DestinationError(where, f"it holds a newer window, which ends {end}", "run the newest window")
