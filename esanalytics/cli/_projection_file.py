"""The projection that the user names: one of any kind, in a Python file or module."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType

import click

from esanalytics import Projection, Reducer, SqlProjection
from esanalytics.timetravel import Definition

__all__ = ["load"]

_KINDS = (Projection, SqlProjection, Reducer)
_FORMS = "give FILE.py:NAME, MODULE:NAME or merged"


def load(spec: str) -> Definition:
    """Return the projection that ``FILE.py:NAME`` or ``MODULE:NAME`` names; its code is run.

    What it prints goes to stderr.

    Raises:
        click.UsageError: there is no such file, module or name, its code fails, or it is no projection.
    """
    place, colon, name = spec.rpartition(":")
    if not colon or not place or not name:
        raise click.UsageError(_without_name(spec))
    module = _file(place) if place.endswith(".py") else _module(place)
    if not hasattr(module, name):
        raise click.UsageError(f"{place} has no {name!r}; {_offer(module, name)}")
    found = getattr(module, name)
    if not isinstance(found, _KINDS):
        raise click.UsageError(
            f"{name!r} in {place} is of type {type(found).__name__}, no projection; {_offer(module, name)}"
        )
    return found


def _without_name(spec: str) -> str:
    if spec.rstrip(":").endswith(".py") and Path(spec.rstrip(":")).is_file():
        path = spec.rstrip(":")
        return f"{spec!r} does not say which projection; {_offer(_file(path), '', path + ':')}"
    return f"{spec!r} is no projection; {_FORMS}"


def _offer(module: ModuleType, name: str, before: str = "") -> str:
    known = [key for key, value in vars(module).items() if isinstance(value, _KINDS)]
    if not known:
        return "it has no projection at all"
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(before + key for key in sorted(known))}"


def _file(place: str) -> ModuleType:
    path = Path(place)
    if not path.is_file():
        raise click.UsageError(f"there is no file {place!r}")
    sys.path.insert(0, str(path.resolve().parent))  # as python FILE.py has it
    spec = importlib.util.spec_from_file_location(_name(path), path)
    if spec is None or spec.loader is None:
        raise click.UsageError(f"{place!r} is no Python file")
    module = importlib.util.module_from_spec(spec)
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


def _module(place: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))  # as python -m has it
    with _explained(place):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not (place == error.name or place.startswith(f"{error.name}.")):
                raise
            raise click.UsageError(f"there is no module {place!r}; {_FORMS}") from error


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn what the user's code raises into one message with the line; keep what it prints off stdout."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (click.UsageError, KeyboardInterrupt):
        raise
    except SyntaxError as error:
        where = f"{_near(error.filename)}:{error.lineno}" if error.filename else place
        raise click.UsageError(_told(where, error.text, f"SyntaxError: {error.msg}")) from error
    except BaseException as error:  # also SystemExit
        frame = _own_frame(error)
        where = f"{_near(frame.filename)}:{frame.lineno}" if frame else place
        line = frame.line if frame else None
        raise click.UsageError(_told(where, line, f"{type(error).__name__}: {error}")) from error


def _own_frame(error: BaseException) -> traceback.FrameSummary | None:
    """Find the last line of code that is neither installed nor ours: the user's own."""
    places = (Path(__file__).parents[1], *(Path(place) for place in sysconfig.get_paths().values()))
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and not any(map(Path(frame.filename).is_relative_to, places))
    ]
    return frames[-1] if frames else None


def _near(file: str) -> str:
    """Name a file from here, where it is here."""
    path, here = Path(file).resolve(), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _told(where: str, line: str | None, what: str) -> str:
    return f"{where}: {what}" + (f"\n    {line.strip()}" if line and line.strip() else "")
