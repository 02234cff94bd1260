"""Reading a file of jobs; whatever is wrong with it, the error says where."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from esanalytics.errors import JobFileError, OverlapError
from esanalytics.jobs._distinct import refuse_overlaps
from esanalytics.jobs._entry import ingest, job
from esanalytics.jobs._file import JobsFile
from esanalytics.jobs._keys import DEFAULTS, LEDGER, REQUIRED, STORE, Key, Keys, nearest
from esanalytics.jobs._table import Refuse, checked, together
from esanalytics.jobs._template import shown
from esanalytics.jobs._where import line_of

__all__ = ["read"]

_TABLES = ("store", "ledger", "defaults", "jobs", "ingest")
T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_POSITION = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


def read(path: str | Path) -> JobsFile:
    """Read a file of jobs; nothing that it names is opened, but texts of queries.

    Args:
        path: of the file; what it names is relative to its folder.

    Raises:
        JobFileError: it cannot be read, or says what cannot be.
        OverlapError: two jobs write to the same place.
    """
    where = Path(path).absolute()
    text = _text(where)
    refuse = partial(_refused, str(path), text)
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unparsed(str(path), text, error) from error
    except RecursionError as error:
        raise JobFileError(str(path), None, "", "is nested too deeply", "leave some brackets out") from error
    return _checked(where, text, found, refuse)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise JobFileError(
            str(path), None, "", f"is no text in UTF-8 (byte {error.start})", "save it as UTF-8"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "give the path of a file of jobs"
        raise JobFileError(str(path), None, "", f"cannot be read ({reason})", remedy) from error


def _refused(path: str, text: str, where: str, reason: str, remedy: str = "") -> JobFileError:
    return JobFileError(path, line_of(text, where), where, reason, remedy)


def _unparsed(path: str, text: str, error: tomllib.TOMLDecodeError) -> JobFileError:
    position = _POSITION.search(str(error))
    line = int(position[1] or len(text.splitlines())) if position else None
    return JobFileError(path, line, "", f"is no TOML ({_POSITION.sub('', str(error))})")


def _checked(path: Path, text: str, found: Mapping[str, Any], refuse: Refuse) -> JobsFile:
    for name in found:
        if name not in _TABLES:
            raise refuse(name, "unknown table", nearest(name, _TABLES))
    if "store" not in found:
        raise refuse("store", "is not there", "add [store] with path = …")
    store = checked(found["store"], STORE, "store", refuse)
    ledger = checked(found.get("ledger", {}), LEDGER, "ledger", refuse)["path"] or f"{path.stem}.ledger.sqlite"
    if "://" in ledger:
        raise refuse("ledger.path", f"{shown(ledger)!r} is no file of this machine", "give the path of a file")
    jobs, ingests = _entries(found, "jobs", refuse), _entries(found, "ingest", refuse)
    for name in jobs.keys() & ingests.keys():
        raise refuse(f"ingest.{name}", f"there is jobs.{name} too", "give one of them another name")
    wrong: list[JobFileError] = []
    made_jobs = _each(_with_defaults(found, jobs, refuse), partial(_made, job, path.parent, refuse), wrong)
    made_ingests = _each(ingests.items(), partial(_made, ingest, path.parent, refuse), wrong)
    if wrong:
        raise together(wrong)
    made = JobsFile(
        path=path,
        text=text,
        store=store["path"] if "://" in store["path"] else str(path.parent / store["path"]),
        memory_limit=store["memory_limit"],
        threads=store["threads"],
        ledger=path.parent / ledger,
        jobs=made_jobs,
        ingests=made_ingests,
    )
    try:
        refuse_overlaps(made.jobs.values())
    except OverlapError as error:
        error.add_note(f"in {path}")
        raise
    return made


def _made(make: Callable[..., T], folder: Path, refuse: Refuse, name: str, entry: Mapping[str, Any]) -> T:
    return make(name, entry, folder, refuse)


def _each(entries: Iterable[tuple[str, Any]], make: Callable[[str, Any], T], wrong: list[JobFileError]) -> dict[str, T]:
    """Make what entries say; what is wrong with one does not hide what is wrong with the next."""
    found: dict[str, T] = {}
    for name, entry in entries:
        try:
            found[name] = make(name, entry)
        except JobFileError as error:
            wrong.append(error)
    return found


def _entries(found: Mapping[str, Any], kind: str, refuse: Refuse) -> Mapping[str, Any]:
    entries = found.get(kind, {})
    if not isinstance(entries, Mapping):
        raise refuse(kind, "is no table", f"write [{kind}.NAME]")
    for name, entry in entries.items():
        if not _NAME.fullmatch(name):
            remedy = "give one of up to 64 letters, digits, '_' and '-'"
            raise refuse(f"{kind}.{name}", "this is no name for it", remedy)
        if not isinstance(entry, Mapping):
            raise refuse(f"{kind}.{name}", "is no table", f"write [{kind}.NAME]")
    return entries


def _with_defaults(
    found: Mapping[str, Any], jobs: Mapping[str, Any], refuse: Refuse
) -> list[tuple[str, Mapping[str, Any]]]:
    """Give every job what it does not say itself; what is wrong with that is told of where it stands."""
    given = found.get("defaults", {})
    keys: Keys = {
        name: Key(key.read, None if key.default is REQUIRED else key.default) for name, key in DEFAULTS.items()
    }
    checked(given, keys, "defaults", refuse)
    return [(name, {**given, **entry}) for name, entry in jobs.items()]
