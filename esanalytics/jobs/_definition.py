"""What a job asks for, by name: a projection in a Python file or module, what is built in, or SQL."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from esanalytics.errors import JobFileError
from esanalytics.jobs._code import files_of, is_own
from esanalytics.projections import Projection, Reducer
from esanalytics.timetravel import Definition, SqlProjection

__all__ = ["BUILT_IN", "Asked", "Named", "asked_for", "named"]

_KINDS = (Projection, SqlProjection, Reducer)
_FORMS = "give FILE.py:NAME, MODULE:NAME or merged"
_OURS = "__esanalytics_file__"  # tells a module that was loaded here from one that only has its name

BuiltIn = Literal["events", "counts", "merged"]
BUILT_IN: tuple[BuiltIn, ...] = ("events", "counts", "merged")


@dataclass(frozen=True, slots=True)
class Named:
    """A projection, and the user's files that it was made of."""

    definition: Definition
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a job asks for; one of the three is there.

    Attributes:
        built_in: a word that needs no file.
        definition: a projection.
        sql: one SELECT over ``events``.
        files: the user's files that it was made of.
    """

    built_in: BuiltIn | None = None
    definition: Definition | None = None
    sql: str | None = None
    files: tuple[Path, ...] = ()


def asked_for(projection: str | None, sql: str | None, folder: Path) -> Asked:
    """Return what a job asks for; the user's code is run.

    Args:
        projection: ``events``, ``counts``, ``merged``, or as for `named`.
        sql: a query, in place of it.
        folder: where files and modules are.

    Raises:
        JobFileError: there is no such file, module or name, its code fails, or it is no projection.
    """
    if sql is not None:
        return Asked(sql=sql)
    for word in BUILT_IN:
        if projection == word:
            return Asked(built_in=word)
    found = named(projection or "", folder)
    return Asked(definition=found.definition, files=found.files)


def named(spec: str, folder: Path | None = None) -> Named:
    """Return the projection that ``FILE.py:NAME`` or ``MODULE:NAME`` names; its code is run.

    What it prints goes to stderr.

    Args:
        spec: the name.
        folder: where files and modules are; None: here.

    Raises:
        JobFileError: there is no such file, module or name, its code fails, or it is no projection. Its fourth
            argument says all.
    """
    place, colon, name = spec.rpartition(":")
    if not colon or not place or not name:
        raise _wrong(spec, _without_name(spec, folder))
    module = _file(place, folder) if place.endswith(".py") else _module(place, folder)
    if not hasattr(module, name):
        raise _wrong(spec, f"{place} has no {name!r}; {_offer(module, name)}")
    found = getattr(module, name)
    if not isinstance(found, _KINDS):
        kind = type(found).__name__
        raise _wrong(spec, f"{name!r} in {place} is of type {kind}, no projection; {_offer(module, name)}")
    return Named(found, files_of(module))


def _wrong(spec: str, text: str) -> JobFileError:
    return JobFileError(spec, None, "", text)


def _without_name(spec: str, folder: Path | None) -> str:
    path = spec.rstrip(":")
    if path.endswith(".py") and ((folder or Path()) / path).is_file():
        return f"{spec!r} does not say which projection; {_offer(_file(path, folder), '', path + ':')}"
    return f"{spec!r} is no projection; {_FORMS}"


def _offer(module: ModuleType, name: str, before: str = "") -> str:
    known = [key for key, value in vars(module).items() if isinstance(value, _KINDS)]
    if not known:
        return "it has no projection at all"
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(before + key for key in sorted(known))}"


def _file(place: str, folder: Path | None) -> ModuleType:
    path = (folder or Path()) / place
    if not path.is_file():
        raise _wrong(place, f"there is no file {place!r}")
    _first_on_path(path.resolve().parent)  # as python FILE.py has it
    loaded = sys.modules.get(path.stem)
    if loaded is not None and getattr(loaded, _OURS, None) == str(path.resolve()):
        return loaded
    spec = importlib.util.spec_from_file_location(_name(path), path)
    if spec is None or spec.loader is None:
        raise _wrong(place, f"{place!r} is no Python file")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _OURS, str(path.resolve()))
    sys.modules[spec.name] = module
    try:
        with _explained(place):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _name(path: Path) -> str:
    """Name the module as an import would, so that other processes find it; but never like one that it would hide."""
    hidden = f"__{path.stem}__"
    if not path.stem.isidentifier() or path.stem in sys.modules:
        return hidden
    found = importlib.util.find_spec(path.stem)
    return path.stem if found and found.origin and Path(found.origin).resolve() == path.resolve() else hidden


def _module(place: str, folder: Path | None) -> ModuleType:
    _first_on_path((folder or Path.cwd()).absolute())  # as python -m has it
    with _explained(place):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not (place == error.name or place.startswith(f"{error.name}.")):
                raise
            raise _wrong(place, f"there is no module {place!r}; {_FORMS}") from error


def _first_on_path(folder: Path) -> None:
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn what the user's code raises into one message with the line; keep what it prints off stdout."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (JobFileError, KeyboardInterrupt):
        raise
    except SyntaxError as error:
        where = f"{_near(error.filename)}:{error.lineno}" if error.filename else place
        raise _wrong(place, _told(where, error.text, f"SyntaxError: {error.msg}")) from error
    except BaseException as error:  # also SystemExit
        frame = _own_frame(error)
        where = f"{_near(frame.filename)}:{frame.lineno}" if frame else place
        line = frame.line if frame else None
        raise _wrong(place, _told(where, line, f"{type(error).__name__}: {error}")) from error


def _own_frame(error: BaseException) -> traceback.FrameSummary | None:
    """Find the last line of code that is neither installed nor ours: the user's own."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_own(frame.filename)]
    return frames[-1] if frames else None


def _near(file: str) -> str:
    """Name a file from here, where it is here."""
    path, here = Path(file).resolve(), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _told(where: str, line: str | None, what: str) -> str:
    return f"{where}: {what}" + (f"\n    {line.strip()}" if line and line.strip() else "")
