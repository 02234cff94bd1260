"""Templates of outputs: paths with the window's times, the service and the job in them."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import os
import re
import string
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo

from esanalytics.jobs._values import Format, Unit, Window

__all__ = ["Template", "format_of", "shown", "template"]

_NAMES = ("start", "end", "date", "service", "job")
_TIMES = {"start", "end", "date"}
_DATE = "%Y-%m-%d"
_USUAL = "%Y-%m-%dT%H%M%S%z"
_DIRECTIVES = frozenset("YymdHMSzjGVuaAbBWUwpIZ%")
_ENDINGS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".delta": "delta",
    ".duckdb": "duckdb",
    ".xlsx": "xlsx",
    ".html": "html",
}
_STORES = {"file", "s3", "gs", "gcs", "az", "abfs", "abfss"}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_FILE_OF_DATABASE = re.compile(r"((?:sqlite|duckdb)(?:\+\w+)?:///)([^?]+)(.*)", re.DOTALL)
_PASSWORD = re.compile(r"(://[^/@:]*:)[^@/]*@")
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Template:
    """Where outputs go.

    Attributes:
        text: as the file has it, with the environment's values.
        folder: what paths are relative to.
        parts: literal text, and for each variable its name and format.
    """

    text: str
    folder: Path
    parts: tuple[str | tuple[str, str], ...]

    @property
    def windowed(self) -> bool:
        """Whether each window has an output of its own."""
        return any(part[0] in _TIMES for part in self.parts if isinstance(part, tuple))

    @property
    def by_service(self) -> bool:
        """Whether each service has an output of its own."""
        return any(part[0] == "service" for part in self.parts if isinstance(part, tuple))

    @property
    def directory(self) -> bool:
        """Whether the output is a folder of files."""
        return self.text.endswith("/")

    @property
    def shown(self) -> str:
        """The text, without passwords."""
        return shown(self.text)

    def formats(self, name: str) -> str:
        """Return the formats in which a time occurs, one after the other."""
        found = [(part[0], part[1]) for part in self.parts if isinstance(part, tuple)]
        dates = _DATE if name == "start" and any(variable == "date" for variable, _ in found) else ""
        return dates + "".join(format_ for variable, format_ in found if variable == name)

    def render(self, unit: Unit, window: Window, tz: ZoneInfo) -> str:
        """Return the whole path, or the URL, of one output.

        Args:
            unit: whose service and job.
            window: whose times.
            tz: in which they are written.
        """
        values = {"service": _safe(unit.service), "job": unit.job}
        times = {"start": window.start, "end": window.end, "date": window.start}
        text = "".join(
            part
            if isinstance(part, str)
            else values[part[0]]
            if part[0] in values
            else _written(times[part[0]].astimezone(tz), part[1])
            for part in self.parts
        )
        in_file = _FILE_OF_DATABASE.fullmatch(text)
        if in_file and not in_file[2].startswith((":memory:", "file:")):
            return in_file[1] + os.path.normpath(self.folder / in_file[2]) + in_file[3]
        if _SCHEME.match(text) and not text.startswith("file://"):
            return text
        path = unquote(urlsplit(text).path) if text.startswith("file://") else text
        return os.path.normpath(self.folder / path) + ("/" if path.endswith("/") else "")


def template(text: str, folder: Path) -> Template:
    """Read a template.

    ``{start:FORMAT}`` and ``{end:FORMAT}`` are the window's times, ``{date}`` is the day on which it starts,
    ``{service}`` and ``{job}`` are names; ``{{`` and ``}}`` are braces.

    Args:
        text: the template.
        folder: what its path is relative to.

    Raises:
        ValueError: it is none; the text says what is wrong with it.
    """
    if not text.strip() or "\0" in text:
        raise ValueError("is no path; give one such as 'out/{date}.parquet'")
    try:
        found = tuple(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is no template ({error}); write {{{{ for a brace") from error
    parts: list[str | tuple[str, str]] = []
    for literal, name, format_, conversion in found:
        if literal:
            parts.append(literal)
        if name is not None:
            parts.append(_variable(name, format_ or "", conversion))
    return Template(text, folder, tuple(parts))


def _variable(name: str, format_: str, conversion: str | None) -> tuple[str, str]:
    if name not in _NAMES:
        near = difflib.get_close_matches(name, _NAMES, n=1)
        known = f"did you mean {{{near[0]}}}?" if near else f"known are {', '.join(f'{{{one}}}' for one in _NAMES)}"
        raise ValueError(f"{{{name}}} is not known; {known}")
    if conversion or (format_ and name not in ("start", "end")):
        raise ValueError(f"{{{name}}} takes no format; write {{{name}}}")
    if name == "date":
        return name, _DATE
    if name in ("start", "end"):
        _refuse_unknown(format_)
        return name, format_ or _USUAL
    return name, ""


def _refuse_unknown(format_: str) -> None:
    pairs = re.findall(r"%(.?)", format_, re.DOTALL)
    unknown = next((letter for letter in pairs if letter not in _DIRECTIVES or not letter), None)
    if unknown is not None or "{" in format_:
        raise ValueError(f"{format_!r} is no format of a time; give one such as '%Y-%m-%d'")


def _written(moment: dt.datetime, format_: str) -> str:
    return moment.strftime(re.sub("%%|%Y", lambda found: "%%" if found[0] == "%%" else f"{moment.year:04}", format_))


def _safe(name: str) -> str:
    """Write a name as one part of a path, different for different names."""
    if _PLAIN.fullmatch(name):
        return name
    safe = quote(name, safe=" ", errors="surrogatepass").replace(".", "%2E").replace("~", "%7E")
    if 0 < len(safe) <= _LONGEST:
        return safe
    return f"{safe[: _LONGEST - 33]}~{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:32]}"


def format_of(text: str, *, partitioned: bool = False) -> Format | None:
    """Tell the format from what a path ends in, or from the kind of URL; None: it does not say.

    Args:
        text: the path or the URL; where it says nothing, a folder is one of Parquet files.
        partitioned: whether the output is a folder, however it ends.
    """
    if text.startswith("delta:"):
        return "delta"
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() not in _STORES:
        return "sql"
    whole = text.partition("?")[0] if scheme else text
    name = whole.rstrip("/").lower()
    usual: Format | None = "parquet" if partitioned or whole.endswith("/") else None
    return next((found for ending, found in _ENDINGS.items() if name.endswith(ending)), usual)


def shown(url: str) -> str:
    """Write a URL without its password."""
    return _PASSWORD.sub(r"\1***@", url)
