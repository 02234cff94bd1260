"""The user's own code: which files of it a definition was made of, and what they hold."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from esanalytics.jobs._ledger import Stamp

__all__ = ["as_they_are", "code_digest", "files_of", "fresh_code", "is_own", "stamp_of"]

_INSTALLED = frozenset(("site-packages", "dist-packages"))


def stamp_of(path: Path) -> Stamp:
    """Read a file; what is known of it is never newer than what was read. One that is not there has no digest."""
    try:
        before = path.stat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return Stamp(0, 0, 0, "")
    return Stamp(before.st_size, before.st_mtime_ns, before.st_ino, digest)


def as_they_are(stamps: Mapping[str, Stamp]) -> dict[str, Stamp]:
    """Stamp files anew, reading those only whose size or time is another."""
    return {path: stamp if _is_as_it_was(path, stamp) else stamp_of(Path(path)) for path, stamp in stamps.items()}


def code_digest(stamps: Mapping[str, Stamp]) -> str:
    """Digest what some files hold, whatever folder they lie in; no files have no digest."""
    if not stamps:
        return ""
    parts = sorted(f"{Path(path).name} {stamp.digest}" for path, stamp in stamps.items())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _is_as_it_was(path: str, stamp: Stamp) -> bool:
    try:
        found = Path(path).stat()
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns, found.st_ino) == (stamp.size, stamp.mtime_ns, stamp.inode)


def is_own(file: str) -> bool:
    """Tell whether a file is the user's: neither installed nor of this package."""
    path = Path(file)
    installed = (Path(__file__).parents[1], *(Path(place) for place in sysconfig.get_paths().values()))
    is_file = not file.startswith("<") and _INSTALLED.isdisjoint(path.parts)
    return is_file and not any(map(path.is_relative_to, installed))


@contextmanager
def fresh_code(folder: Path) -> Iterator[None]:
    """Load the user's code that lies under a folder anew inside, and leave what was loaded before as it was.

    So what is said of its files is true of what runs, also in a process that lives long.
    """
    place, path = folder.resolve(), list(sys.path)
    before = _loaded_from(place)
    _forget(before)
    try:
        yield
    finally:
        _forget(_loaded_from(place))
        sys.modules.update(before)
        sys.path[:] = path


def _loaded_from(folder: Path) -> dict[str, ModuleType]:
    begin = str(folder)
    near = {n: m for n, m in list(sys.modules.items()) if str(getattr(m, "__file__", None) or "").startswith(begin)}
    return {name: module for name, module in near.items() if name != "__main__" and _own_file(module)}


def _forget(modules: Iterable[str]) -> None:
    for name in modules:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


def files_of(module: ModuleType) -> tuple[Path, ...]:
    """List the user's files that a module was made of: its own, and those of what it imports, and so on."""
    found: dict[Path, None] = {}
    rest = [module]
    while rest:
        one = rest.pop()
        path = _own_file(one)
        if path is None or path in found:
            continue
        found[path] = None
        rest += [sys.modules[name] for name in _imported(one, path) if name in sys.modules]
    return tuple(sorted(found))


def _own_file(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    if not file or not is_own(file) or not str(file).endswith(".py"):
        return None
    return Path(file).resolve()


def _imported(module: ModuleType, path: Path) -> Iterator[str]:
    """Name what a module's text imports, with the packages that are run on the way."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from _with_packages(name.name)
        elif isinstance(node, ast.ImportFrom):
            place = _absolute(module, node)
            yield from _with_packages(place)
            yield from (f"{place}.{name.name}" for name in node.names)


def _absolute(module: ModuleType, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = getattr(module, "__package__", None) or module.__name__
    return importlib.util.resolve_name("." * node.level + (node.module or ""), package)


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: n + 1]) for n in range(len(parts)))
