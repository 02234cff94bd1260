"""The files to ingest, as the options describe them."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from esanalytics import sources
from esanalytics.errors import SourceError
from esanalytics.events import Source

__all__ = ["FORMATS", "Reading", "by_format", "origin"]

FORMATS = ("jsonl", "csv", "parquet")
_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_PACKED = {".gz", ".zst"}
_DELIMITERS = {"\\t": "\t", "blank": None}
_WORDS = (
    ('sql("to_timestamp(ts::double)")', "sql:to_timestamp(ts::double)"),
    ("ASCII character, or None", "ASCII character, or blank"),
)
"""What the library says to Python, as it is said to a shell."""
_PAYLOADS = {"data", "metadata"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read, as the options say.

    Attributes:
        maps: envelope column and origin, as text.
        types: column and DuckDB type.
        delimiter: as given; None: as the file's name has it.
        no_header: whether the first row is an event.
        columns: names separated by commas.
    """

    maps: tuple[tuple[str, str], ...]
    types: tuple[tuple[str, str], ...]
    delimiter: str | None
    no_header: bool
    columns: str | None

    def source(self, format_: str, files: tuple[str, ...]) -> Source:
        """Return the source of some files of one format.

        Raises:
            click.UsageError: the options make no sense, or not for this format.
            SourceError: there is no such file.
        """
        with _usage():
            mapping = {column: origin(column, text) for column, text in self.maps}
            if format_ == "csv":
                return self._csv(files, mapping)
            self._no_csv_options(format_)
            read = sources.jsonl if format_ == "jsonl" else sources.parquet
            return read(files, mapping=mapping)

    def _csv(self, files: tuple[str, ...], mapping: Mapping[str, Any]) -> Source:
        if self.columns is not None and not self.no_header:
            raise click.UsageError("--columns names the columns of files without a header; add --no-header")
        header = self.columns.split(",") if self.columns else not self.no_header
        return sources.csv(
            files, mapping=mapping, types=dict(self.types), delimiter=self._delimiter(files), header=header
        )

    def _delimiter(self, files: tuple[str, ...]) -> str | None:
        if self.delimiter is None:
            return "\t" if all(_suffix(file) == ".tsv" for file in files) else ","
        return _DELIMITERS.get(self.delimiter, self.delimiter)

    def _no_csv_options(self, format_: str) -> None:
        given = {
            "--type": bool(self.types),
            "--delimiter": self.delimiter is not None,
            "--no-header": self.no_header,
            "--columns": self.columns is not None,
        }
        for name, there in given.items():
            if there:
                raise click.UsageError(f"{name} is for csv, the files are {format_}")


def origin(column: str, text: str) -> Any:  # noqa: ANN401  of several kinds
    """Read what stands behind ``--map COLUMN=``.

    Raises:
        SourceError: it is no SQL expression.
        click.UsageError: a constant payload is no JSON object.
    """
    if not text:
        return None
    kind, colon, rest = text.partition(":")
    if colon and kind == "sql":
        return sources.sql(rest)
    if colon and kind == "const":
        return sources.constant(_object(column, rest) if column in _PAYLOADS else rest)
    return text


def by_format(files: Iterable[str], format_: str | None) -> list[tuple[str, tuple[str, ...]]]:
    """Group files by their format, in the order in which each first comes.

    Raises:
        click.UsageError: a name does not tell the format.
    """
    found: dict[str, list[str]] = {}
    for file in (one for given in files for one in _expanded(given)):
        found.setdefault(format_ or _format(file), []).append(file)
    return [(name, tuple(group)) for name, group in found.items()]


def _expanded(file: str) -> list[str]:
    """Return the files of a pattern, or what is none, as it is."""
    if Path(file).exists() or not glob.has_magic(file):
        return [file]
    return sorted(one for one in glob.glob(file, recursive=True) if Path(one).is_file()) or [file]  # noqa: PTH207  keeps the path as given


def _format(file: str) -> str:
    found = _SUFFIXES.get(_suffix(file))
    if found is None:
        raise click.UsageError(f"the name of {file!r} does not tell its format; give --format {'|'.join(FORMATS)}")
    return found


def _suffix(file: str) -> str:
    path = Path(file.lower())
    return (path.with_suffix("") if path.suffix in _PACKED else path).suffix


def _object(column: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise click.UsageError(f"{column} is a JSON object, {text!r} is none; such as {column}=const:{{}}")
    return found


@contextmanager
def _usage() -> Iterator[None]:
    """Turn what is wrong with the options, and not with a file, into a usage error."""
    try:
        yield
    except SourceError as error:
        where, line, reason, remedy = (*error.args, "", "")[:4]
        if where not in ("mapping", "types", "delimiter", "header") or line is not None:
            raise
        text = "; ".join(part for part in (reason, remedy) if part)
        for said, shell in _WORDS:
            text = text.replace(said, shell)
        raise click.UsageError(text) from error
