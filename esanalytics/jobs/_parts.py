"""Files that are being made, beside the output they will be: hidden, named after their run, swept when that died."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from esanalytics._disk import sync

__all__ = ["discard", "make_folder", "nearest_folder", "part", "sweep_parts", "sync_tree"]


def part(path: Path, run: str, kind: str = "") -> Path:
    """Name the file or folder that becomes an output; the run's id may have no dot.

    Args:
        path: the output.
        run: the id of the run.
        kind: ``"made"``: made of the staged one, which has no kind.
    """
    return path.with_name(f".{path.name}.{run}.{kind}.part" if kind else f".{path.name}.{run}.part")


def sweep_parts(path: Path, keep: Callable[[str], bool]) -> None:
    """Remove the parts of an output whose runs are not to be kept."""
    for run, found in _parts(path):
        if not keep(run):
            discard(found)


def discard(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably.

    Raises:
        OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def nearest_folder(path: Path) -> Path:
    """Return the folder a path is in, or would be in: the nearest above it that is there."""
    return next(parent for parent in path.parents if parent.exists() or parent.is_symlink())


def sync_tree(folder: Path) -> None:
    """Make a folder durable with everything in it."""
    for name, _, files in os.walk(folder, topdown=False):
        for file in files:
            sync(Path(name, file))
        sync(Path(name))


def _parts(path: Path) -> Iterator[tuple[str, Path]]:
    pattern = re.compile(re.escape(f".{path.name}.") + r"([^.]+)(?:\.made)?\.part")
    for found in list(path.parent.iterdir()) if path.parent.is_dir() else []:
        named = pattern.fullmatch(found.name)
        if named:
            yield named[1], found
