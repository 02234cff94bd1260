"""The table of markers that stands beside the tables of a database: which run their rows are of."""

from __future__ import annotations

from esanalytics._instants import iso
from esanalytics.errors import DestinationError
from esanalytics.jobs._values import Staged, Token

__all__ = ["COLUMNS", "MARKERS", "WINDOWED", "NewerError", "fence", "values", "window_values"]

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


class NewerError(DestinationError):
    """A newer window is there, and stays. Args: where, when that window ends."""

    def __str__(self) -> str:
        where, end = self.args
        return f"{where} holds a newer window, which ends {end}; to have an older one, remove it first"

    @property
    def transient(self) -> bool:  # type: ignore[override]
        """Whether it may go better the next time: no."""
        return False


def fence(where: str, end: object, token: Token) -> None:
    """Keep an older window from taking the place of a newer one.

    Args:
        where: the output.
        end: when the window ends that is there; None: it is not known.
        token: of the window that is to come.

    Raises:
        NewerError: the one that is there is newer.
    """
    if end is not None and str(end) > iso(token.window.end):
        raise NewerError(where, str(end))
