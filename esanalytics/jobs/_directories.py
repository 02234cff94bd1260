"""A folder of files by column: made beside its place, and swapped with the old one; its manifest is written last."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot import exp

from esanalytics._disk import sync
from esanalytics._sql import text
from esanalytics.engines import DuckDB
from esanalytics.errors import DestinationError
from esanalytics.jobs._exchange import exchange
from esanalytics.jobs._explaining import explaining
from esanalytics.jobs._files import check_place
from esanalytics.jobs._forms import copy
from esanalytics.jobs._markers import fence
from esanalytics.jobs._marks import end_of, facts, is_of
from esanalytics.jobs._parts import discard, make_folder, part, sweep_parts, sync_tree
from esanalytics.jobs._values import Format, Published, Staged, Token

__all__ = ["MANIFEST", "Directory"]

MANIFEST = "_manifest.json"
_PREFIX = "part-"


@dataclass(frozen=True, slots=True)
class Directory:
    """A folder that is replaced whole.

    Where folders can swap names in one step, whoever lists it sees the old files or the new ones. Elsewhere the new
    files come first, then the manifest that lists them, and then the old files go: whoever reads by the manifest is
    right at every moment, whoever takes all files may see both for a while.

    Attributes:
        path: the folder.
        format: of its files.
        partition_by: columns that have folders of their own in it.
        engine: what writes them.
        fenced: as ``Target`` has it.
    """

    path: Path
    format: Format
    partition_by: tuple[str, ...]
    engine: DuckDB
    fenced: bool = True

    def find(self, token: Token) -> Published | None:
        """Return the folder, where it is whole and of this job, service and window with this fingerprint."""
        found = _manifest(self.path)
        if not is_of(found, token) or not _is_whole(self.path, found["files"]):
            return None
        return self._published(found)

    def check(self, columns: Mapping[str, str], token: Token | None = None) -> None:
        """Refuse a place where no such folder can be.

        Raises:
            DestinationError: it holds files of others, may not be written, or a column is not there.
            NewerError: a newer window is there.
        """
        if token is not None and self.fenced:
            fence(str(self.path), end_of(_manifest(self.path), token), token)
        unknown = [name for name in self.partition_by if columns and name not in columns]
        if unknown or (columns and set(columns) <= set(self.partition_by)):
            raise DestinationError(
                str(self.path),
                f"there is no column {unknown[0]!r} to make folders by"
                if unknown
                else "no column would be in its files",
                f"choose some of {', '.join(columns)}",
            )
        check_place(self.path)
        if not self.path.exists():
            return
        foreign = next(_foreign(self.path), None) if self.path.is_dir() else "it"
        if foreign is not None:
            what = f"{foreign} is not of an export" if foreign != "it" else "it is a file and no folder"
            raise DestinationError(str(self.path), what, "move it away, or choose another folder")

    def publish(self, staged: Staged, token: Token) -> Published:
        """Put the folder there.

        Raises:
            DestinationError: it cannot be; the old one is as it was.
            NewerError: a newer window is there.
        """
        made = part(self.path, token.run, "made")
        with explaining(str(self.path)):
            self.check(staged.columns, token)
            make_folder(self.path.parent)
            try:
                discard(made)
                found = self._make(made, staged, token)
                self._place(made, found)
            finally:
                discard(made)
        return self._published(found)

    def sweep(self, keep: Callable[[str], bool]) -> None:
        """Remove what runs that died have left beside it, and in it where folders cannot swap names."""
        sweep_parts(self.path, keep)
        listed = set(_manifest(self.path).get("files", ()))
        for path in list(_files(self.path)):
            run = path.name.removeprefix(_PREFIX).rpartition("-")[0]
            if path.name.startswith(_PREFIX) and _relative(path, self.path) not in listed and not keep(run):
                path.unlink(missing_ok=True)

    def _make(self, made: Path, staged: Staged, token: Token) -> dict[str, Any]:
        made.mkdir()
        options = []
        if self.partition_by:
            names = ", ".join(text(exp.to_identifier(name, quoted=True)) for name in self.partition_by)
            options = [f"PARTITION_BY ({names})"]
        name = f"{_PREFIX}{token.run}-{{i}}"
        with self.engine.cursor(small=True) as cursor:  # one thread: as many files as folders
            if self.partition_by and staged.rows:
                pattern = text(exp.Literal.string(name))
                copy(cursor, staged.path, made, self.format, *options, f"FILENAME_PATTERN {pattern}")
            else:  # an empty folder would say nothing of the columns
                copy(cursor, staged.path, made / f"{name.format(i=0)}.{self.format}", self.format)
        files = {_relative(path, made): _described(path) for path in sorted(_files(made))}
        found = {**facts(token, staged), "files": files}
        (made / MANIFEST).write_text(json.dumps(found, indent=1), encoding="utf-8")
        sync_tree(made)
        return found

    def _place(self, made: Path, found: Mapping[str, Any]) -> None:
        if not self.path.exists():
            made.rename(self.path)
        elif not exchange(made, self.path):
            _merge(made, self.path, found)
        sync(self.path.parent)

    def _published(self, found: Mapping[str, Any]) -> Published:
        files = tuple(str(self.path / name) for name in found["files"])
        size = sum(one["bytes"] for one in found["files"].values())
        return Published(str(self.path), int(found["rows"]), size, str(found["digest"]), files)


def _merge(made: Path, folder: Path, found: Mapping[str, Any]) -> None:
    """Put new files among old ones, then the manifest that names them, and then take the old ones away."""
    for name in found["files"]:
        make_folder((folder / name).parent)
        shutil.move(made / name, folder / name)
        sync(folder / name)
        sync((folder / name).parent)
    waiting = folder / f".{MANIFEST}"
    shutil.move(made / MANIFEST, waiting)
    sync(waiting)
    os.replace(waiting, folder / MANIFEST)  # noqa: PTH105  the tests stop processes here
    sync(folder)
    for path in list(_files(folder)):
        if path.name.startswith(_PREFIX) and _relative(path, folder) not in found["files"]:
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_whole(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> bool:
    try:
        return all((folder / name).stat().st_size == one["bytes"] for name, one in files.items())
    except OSError:
        return False


def _foreign(folder: Path) -> Iterator[str]:
    return (path.name for path in _files(folder) if not path.name.startswith((_PREFIX, MANIFEST, f".{MANIFEST}")))


def _files(folder: Path) -> Iterator[Path]:
    for above, _, names in os.walk(folder):
        yield from (Path(above, name) for name in names)


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
