"""Saved states on disk: a Parquet file of rows, and beside it a manifest, written last, that says what it is.

Without its manifest a file is nothing: an interrupted write leaves no half. The manifest names the definition by a
fingerprint, and the rows by a digest, so what was changed or belongs to something else is never read.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._disk import sync
from esanalytics._instants import instant, iso
from esanalytics.errors import StoreError
from esanalytics.projections import SettledPlan
from esanalytics.store import Log, folder_of, prefix_of

__all__ = ["FORMAT", "Saved", "fingerprint", "nearest", "read", "remove", "saved_rows", "stored", "write"]

FORMAT = 1
"""The format of a saved state; one of a greater format is passed over."""

_FOLDER = "snapshots"
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Saved:
    """A state of one projection at one (``at``, position).

    Attributes:
        projection: its name.
        fingerprint: stands for its definition, with the types it had in the log.
        at: it holds the events with ``effective_at`` up to and including this instant …
        position: … of those up to and including this position.
        recorded_at: when the event at that position was recorded.
        rows: how many keys there are.
        size: of the file, in bytes.
        digest: SHA-256 of the file.
        created_at: when it was saved.
        path: where the file lies.
    """

    projection: str
    fingerprint: str
    at: dt.datetime
    position: int
    recorded_at: dt.datetime
    rows: int
    size: int
    digest: str
    created_at: dt.datetime
    path: str


def fingerprint(plan: SettledPlan) -> str:
    """Make the name of a definition: two that differ in anything that matters have two."""
    what = repr((FORMAT, dict(plan.keys), plan.columns, plan.cases))
    return hashlib.sha256(what.encode()).hexdigest()


def nearest(log: Log, plan: SettledPlan, since: dt.datetime | None = None) -> Saved | None:
    """Find the saved state from which the least is left to do for a view; None where none can be used.

    Args:
        log: the view; it must be a whole store up to some bounds.
        plan: what is folded.
        since: it must hold nothing after this instant; None: nothing after the view's own.
    """
    prefix = prefix_of(log)
    folder = _folder(folder_of(log), plan.name)
    if prefix is None or not folder.is_dir():
        return None
    wanted = fingerprint(plan)
    bounds = [bound for bound in (since, prefix.at) if bound is not None]
    found = [
        saved
        for saved in _read(folder)
        if saved.fingerprint == wanted
        and all(saved.at <= bound for bound in bounds)
        and saved.position <= prefix.position
        and (prefix.known_at is None or saved.recorded_at <= prefix.known_at)
    ]
    by_use = sorted(found, key=lambda saved: (saved.at, saved.position), reverse=True)
    return next((saved for saved in by_use if _is_whole(saved)), None)


def read(store: Path) -> list[Saved]:
    """List the saved states of a store, by projection and time."""
    folders = sorted((store / _FOLDER).glob("*/"))
    found = [saved for folder in folders for saved in _read(folder)]
    return sorted(found, key=lambda saved: (saved.projection, saved.at, saved.position))


def write(store: Path, known: Saved, rows: Callable[[str], int]) -> Saved:
    """Write a state, whole or not at all.

    Args:
        store: the folder of the store.
        known: what is known of it beforehand.
        rows: writes the rows to the path it is given, and says how many.

    Raises:
        StoreError: the disk is full, or may not be written to.
    """
    folder = _folder(store, known.projection)
    path = folder / f"state-{uuid.uuid4().hex}.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
        count = rows(str(path))
        size = sync(path)
        saved = replace(known, rows=count, size=size, digest=_digest(str(path)), path=str(path))
        _write_manifest(path.with_suffix(".json"), saved)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StoreError(store, f"the snapshot cannot be written ({error.strerror or error})") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return saved


def stored(plan: SettledPlan, names: Iterable[str]) -> list[exp.Expr]:
    """Select columns of a state in types that Parquet takes: lists of payload values as one payload value each."""
    lists = _lists(plan)
    return [sql.alias(sql.cast(sql.column(n), "VARIANT"), n) if n in lists else sql.column(n) for n in names]


def saved_rows(plan: SettledPlan, path: str) -> exp.Expr:
    """Read the rows of a state, in the types that they had."""
    lists = {name: sql.cast(sql.column(name), type_) for name, type_ in _lists(plan).items()}
    if not lists:
        return sql.parquet([path])
    again = [exp.alias_(value, name, quoted=True) for name, value in lists.items()]
    select = exp.select(exp.Star(replace=again), copy=False).from_(sql.parquet([path]), copy=False)
    return select.subquery("stored", copy=False)


def _lists(plan: SettledPlan) -> dict[str, str]:
    return {column.name: column.type for column in plan.columns if column.type == "VARIANT[]"}


def remove(file: str) -> None:
    """Delete the saved state in a file: first what makes it one."""
    path = Path(file)
    path.with_suffix(".json").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _folder(store: Path, projection: str) -> Path:
    safe = quote(projection, safe=" $").replace(".", "%2E").replace("~", "%7E")
    if len(safe) > _LONGEST:
        safe = f"{safe[: _LONGEST - 33]}~{hashlib.sha256(projection.encode()).hexdigest()[:32]}"
    return store / _FOLDER / safe


def _write_manifest(path: Path, saved: Saved) -> None:
    facts = {name: iso(value) if isinstance(value, dt.datetime) else value for name, value in asdict(saved).items()}
    part = path.with_suffix(".part")
    told = {"format": FORMAT, **facts, "path": Path(saved.path).name}
    part.write_text(json.dumps({**told, "told": _digest_of_facts(told)}, indent=1), encoding="utf-8")
    sync(part)
    part.replace(path)
    sync(path.parent)
    sync(path.parent.parent)


def _read(folder: Path) -> Iterator[Saved]:
    for path in sorted(folder.glob("state-*.json")):
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            continue  # another process has dropped it
        saved = _parsed(path, text)
        if saved is not None:
            yield saved


def _parsed(path: Path, text: bytes) -> Saved | None:
    try:
        facts: dict[str, Any] = json.loads(text)
        if facts["format"] > FORMAT:
            _pass_over(path, f"has format {facts['format']}, this version reads up to {FORMAT}")
            return None
        if facts.pop("told") != _digest_of_facts(facts):
            _pass_over(path, "has an altered manifest")
            return None
        facts.pop("format")
        times = {name: instant(facts.pop(name)) for name in ("at", "recorded_at", "created_at")}
        return Saved(**(facts | times | {"path": str(path.parent / facts["path"])}))
    except (ValueError, KeyError, TypeError, AttributeError):
        _pass_over(path, "is damaged")
        return None


def _digest_of_facts(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _is_whole(saved: Saved) -> bool:
    try:
        found = Path(saved.path).stat()
        whole = found.st_size == saved.size and _digest_of(saved.path, found.st_mtime_ns, found.st_ino) == saved.digest
    except OSError:
        whole = False
    if not whole:
        _pass_over(Path(saved.path), "is missing, truncated or altered")
    return whole


def _pass_over(path: Path, reason: str) -> None:
    warnings.warn(
        f"snapshot {str(path)!r} {reason}; it is passed over, answers are computed without it; "
        "delete it, and take it again",
        UserWarning,
        stacklevel=2,
    )


@lru_cache(maxsize=1_000)
def _digest_of(path: str, modified: int, inode: int) -> str:  # noqa: ARG001  another file is another question
    return _digest(path)


def _digest(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tidy(folder: Path) -> None:
    """Delete what interrupted writes left behind long ago."""
    old = dt.datetime.now(dt.UTC).timestamp() - 3600
    for path in (*folder.glob("state-*.parquet"), *folder.glob("*.part")):
        if not path.with_suffix(".json").exists() and path.stat().st_mtime < old:
            path.unlink(missing_ok=True)
