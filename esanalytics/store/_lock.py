"""A queue for the writers of one machine.

Commits race safely without it (the loser numbers its events anew); with it, local writers take turns, and a
large append is not overtaken again and again by small ones. The lock dies with its process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

try:
    import fcntl
except ImportError:  # not a POSIX system: the commit's own check is all there is
    fcntl = None  # type: ignore[assignment]

__all__ = ["exclusive", "unless_held"]


@contextmanager
def exclusive(path: Path, name: Literal["append", "compact"]) -> Iterator[None]:
    """Hold one of the store's locks, waiting for it as long as it takes.

    Raises:
        OSError: the store may not be written to.
    """
    descriptor = _open(path, name)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def unless_held(path: Path, name: Literal["append", "compact"]) -> Iterator[bool]:
    """Hold one of the store's locks, or give False at once where another holds it."""
    descriptor = _open(path, name)
    try:
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _open(path: Path, name: str) -> int:
    return os.open(path / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o666)
