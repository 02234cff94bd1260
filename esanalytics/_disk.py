"""Durable means fsync: nothing is acknowledged before the disk has it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["sync"]


def sync(path: Path) -> int:
    """Make a file, or a folder's list of files, durable; return its size in bytes.

    Raises:
        OSError: there is none, or the disk refuses.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
