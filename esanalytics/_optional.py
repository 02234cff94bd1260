"""Optional packages: a missing one is an error that says how to get it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from esanalytics.errors import MissingDependencyError

__all__ = ["requires"]


@contextmanager
def requires(package: str, extra: str | None = None) -> Iterator[None]:
    """Turn a failed import of ``package`` into an error that names the extra to install.

    Raises:
        MissingDependencyError: the package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != package:
            raise
        raise MissingDependencyError(package, extra or package) from error
