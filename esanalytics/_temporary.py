"""Temporary folders that live as long as somebody holds them."""

from __future__ import annotations

import shutil
import tempfile
import weakref

__all__ = ["Keeper"]


class Keeper:
    """A new temporary folder, deleted when nobody holds the keeper any more, at the latest when Python ends."""

    __slots__ = ("__weakref__", "folder")

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="esanalytics-")
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
