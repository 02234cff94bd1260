"""One file: made beside its place, synced, and renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from esanalytics._disk import sync
from esanalytics.errors import DestinationError
from esanalytics.jobs._explaining import explaining
from esanalytics.jobs._forms import Form
from esanalytics.jobs._markers import fence
from esanalytics.jobs._marks import end_of, mark, marked, noted
from esanalytics.jobs._parts import discard, make_folder, nearest_folder, part, sweep_parts
from esanalytics.jobs._values import Published, Staged, Token

__all__ = ["File", "check_place"]


@dataclass(frozen=True, slots=True)
class File:
    """A file that is replaced whole.

    Attributes:
        path: where it is.
        form: what writes it; None: the staged file is taken as it is, and where it lies in the same folder it is
            renamed, so it is gone from there.
        fenced: as ``Target`` has it.
    """

    path: Path
    form: Form | None
    fenced: bool = True

    def find(self, token: Token) -> Published | None:
        """Return the file, where it is of this job, service and window with this fingerprint."""
        return marked(self.path, token)

    def check(self, columns: Mapping[str, str], token: Token | None = None) -> None:  # noqa: ARG002  it takes any
        """Refuse a place where no file can be.

        Raises:
            DestinationError: a folder is there, or the folder around it may not be written.
            NewerError: a newer window is there.
        """
        if token is not None:
            self._fence(token)
        if self.path.is_dir():
            raise DestinationError(str(self.path), "it is a folder", "end it in a name, or add a slash")
        check_place(self.path)

    def publish(self, staged: Staged, token: Token) -> Published:
        """Put the file there.

        Raises:
            DestinationError: it cannot be; the old one is as it was.
            NewerError: a newer window is there.
        """
        self._fence(token)
        made = part(self.path, token.run, "made")
        with explaining(str(self.path)):
            try:
                make_folder(self.path.parent)
                ready = self._ready(staged, token, made)
                if self.path.is_file():
                    shutil.copymode(self.path, ready)
                mark(ready, token, staged)
                size = sync(ready)
                os.replace(ready, self.path)  # noqa: PTH105  the tests stop processes here
            finally:
                discard(made)
            sync(self.path.parent)
        return Published(str(self.path), staged.rows, size, staged.digest, (str(self.path),))

    def sweep(self, keep: Callable[[str], bool]) -> None:
        """Remove what runs that died have left beside it."""
        sweep_parts(self.path, keep)

    def _fence(self, token: Token) -> None:
        if self.fenced:
            fence(str(self.path), end_of(noted(self.path), token), token)

    def _ready(self, staged: Staged, token: Token, made: Path) -> Path:
        if self.form is not None:
            self.form(staged, made, token)
            return made
        if staged.path.parent == self.path.parent:
            return staged.path
        shutil.copyfile(staged.path, made)
        return made


def check_place(path: Path) -> None:
    """Refuse a path whose folder is none or may not be written.

    Raises:
        DestinationError: it is so.
    """
    above = nearest_folder(path)
    if not above.is_dir():
        remedy = "move it away, or choose another output"
        raise DestinationError(str(path), f"{above} is a file and no folder", remedy)
    if not os.access(above, os.W_OK | os.X_OK):
        remedy = "let this user write there, or choose another output"
        raise DestinationError(str(path), f"{above} may not be written", remedy)
