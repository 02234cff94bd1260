"""Where an answer goes, and in which form."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TextIO

import click

from esanalytics._disk import sync
from esanalytics.cli._answer import Answer
from esanalytics.cli._ending import Failure, say
from esanalytics.cli._render import csv, json, parquet
from esanalytics.cli._table import Look, Table

__all__ = ["FORMATS", "Target", "show", "terminal_width", "write"]

FORMATS = ("table", "csv", "json", "parquet")
_TABLE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer goes, as the options say.

    Attributes:
        format: one of ``FORMATS``; None: what the file's name ends in, else a table.
        path: the file; None: stdout.
        limit: how many rows; 0: all; None: as the format has it.
        out: stdout, as it was when the command began: what is printed meanwhile is no part of an answer.
    """

    format: str | None
    path: Path | None
    limit: int | None
    out: TextIO = field(default_factory=lambda: sys.stdout)

    @property
    def chosen(self) -> str:
        """The format."""
        suffix = self.path.suffix.lower().removeprefix(".") if self.path else ""
        return self.format or (suffix if suffix in FORMATS else "table")

    def check(self) -> None:
        """Refuse what cannot be written, before anything is computed.

        Raises:
            click.UsageError: there is no such folder, or Parquet would go to a terminal.
        """
        if self.path is not None and not self.path.resolve().parent.is_dir():
            raise click.BadParameter(f"there is no folder {str(self.path.parent)!r}", param_hint="'-o'")
        if self.chosen == "parquet" and self.path is None and self.out.isatty():
            raise click.UsageError("parquet is not for a terminal; name a file with -o FILE, or pipe it on")


def show(answer: Answer, target: Target, look: Look | None = None) -> None:
    """Write an answer where it should go.

    Args:
        answer: its rows.
        target: where it goes, and in which form.
        look: how it looks as a table.
    """
    if target.chosen == "table":
        _show_table(answer, target, look or Look())
        return
    documents = frozenset(answer.payloads)
    write(_FORMS[target.chosen](answer.batches(target.limit or 0), documents), target.path, target.out)


def write(chunks: Iterable[bytes], path: Path | None, out: TextIO | None = None) -> None:
    """Write bytes to stdout, or to a file that is there whole or not at all.

    Args:
        chunks: the bytes.
        path: the file; None: stdout.
        out: stdout, where it is not what it is now.

    Raises:
        Failure: the file cannot be written.
    """
    if path is None:
        _write_stdout(chunks, out or sys.stdout)
        return
    pending = iter(chunks)
    first = list(_first(pending))  # the query has succeeded so far when the file is made
    try:
        _write_file(chain(first, pending), path.resolve())
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror or error}; what was there is unchanged") from error


def terminal_width(out: TextIO | None = None) -> int | None:
    """Return how many columns the terminal has; None where stdout is none and ``COLUMNS`` does not say."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    return shutil.get_terminal_size().columns if (out or sys.stdout).isatty() else None


def _show_table(answer: Answer, target: Target, look: Look) -> None:
    limit = _TABLE_ROWS if target.limit is None else target.limit
    documents = frozenset(answer.payloads)  # asked of the query as it was given, so that an error points into that
    table = Table(documents, terminal_width(target.out) if target.path is None else None, limit, look)
    write(table.chunks(answer.batches(limit + 1 if limit else 0)), target.path, target.out)
    for note in table.notes(answer.count):
        say(note)


def _write_stdout(chunks: Iterable[bytes], stdout: TextIO) -> None:
    out = stdout.buffer
    try:
        for chunk in chunks:
            out.write(chunk)
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failure(f"cannot write to stdout: {error.strerror or error}") from error


def _first(chunks: Iterator[bytes]) -> Iterator[bytes]:
    found = next(chunks, None)
    if found is not None:
        yield found


def _write_file(chunks: Iterable[bytes], path: Path) -> None:
    if path.exists() and not path.is_file():  # a device or a pipe
        with path.open("wb") as file:
            file.writelines(chunks)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            file.writelines(chunks)
        sync(part)
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)


_FORMS: Mapping[str, Callable[..., Iterator[bytes]]] = {"csv": csv, "json": json, "parquet": parquet}
