"""Which kind of place a URL names, and how it is shown to people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from esanalytics.errors import DestinationError
from esanalytics.jobs._parts import part
from esanalytics.jobs._template import format_of
from esanalytics.jobs._values import Destination, Target

if TYPE_CHECKING:
    from esanalytics.engines import DuckDB

__all__ = ["destination", "format_of", "local", "shown", "staging"]

_FOLDERS = ("parquet", "csv", "jsonl")
_OBJECTS = ("s3://", "gs://", "gcs://", "az://", "abfs://", "abfss://")
_SECRETS = (
    (re.compile(r"(://[^/@:]*):[^@]*@"), r"\1:***@"),
    (re.compile(r"(?i)([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&]*"), r"\1***"),
)


def destination(target: Target, engine: DuckDB) -> Destination:
    """Return what writes to a target; nothing is opened yet.

    Args:
        target: where the output goes.
        engine: what turns a staged result into other formats.

    Raises:
        DestinationError: there is no such kind of place.
        MissingDependencyError: its package is not installed.
    """
    _refuse(target)
    if target.format == "sql":
        return _database(target, engine)
    if target.format == "duckdb":
        from esanalytics.jobs._duckdb_file import DuckDBFile  # noqa: PLC0415  loaded where it is needed

        return DuckDBFile(local(target.url), _table(target), target.mode, target.keys, engine, target.fenced)
    if target.format == "delta":
        return _delta(target, engine)
    return _files(target, engine)


def shown(url: str) -> str:
    """Write a URL without its passwords."""
    for pattern, instead in _SECRETS:
        url = pattern.sub(instead, url)
    return url


def local(url: str) -> Path:
    """Return the path that a URL names; links are followed, so that what they lead to is replaced."""
    return Path(url.removeprefix("delta:").removeprefix("file://")).resolve()


def staging(target: Target, run: str, otherwise: Path) -> Path:
    """Say where the result of a run is best staged: for a Parquet file, where it has only to be renamed.

    Args:
        target: where the output goes.
        run: the id of the run.
        otherwise: a folder for results that go into something else.
    """
    if not target.url.startswith(_OBJECTS) and _is_single(target) and target.format in ("parquet", "html"):
        return part(local(target.url), run)
    return otherwise / f"{run}.parquet"


def _refuse(target: Target) -> None:
    where = shown(target.url)
    if target.mode == "upsert" and not target.keys:
        raise DestinationError(where, "rows are to be kept up to date by key, and no key is given", "name its columns")
    if target.mode != "replace" and target.format not in ("sql", "duckdb", "delta"):
        raise DestinationError(
            where, f"a file has no mode {target.mode!r}", "name the window in the output, or choose a table"
        )
    if target.mode == "upsert" and target.format == "delta":
        raise DestinationError(where, "a Delta table has no mode 'upsert'", "choose replace, or window")
    if target.partition_by and target.format not in (*_FOLDERS, "delta"):
        raise DestinationError(where, f"{target.format} has no folders by column", "leave partition_by out")
    if target.format in ("xlsx", "html") and not _is_single(target):
        raise DestinationError(where, f"{target.format} is one file, and no folder", "leave out the slash at its end")


def _is_single(target: Target) -> bool:
    return not (target.url.partition("?")[0].endswith("/") or target.partition_by)


def _table(target: Target) -> str:
    if not target.table:
        raise DestinationError(shown(target.url), "no table is named", "give table a name")
    return target.table


def _database(target: Target, engine: DuckDB) -> Destination:
    from esanalytics.jobs._sql import SqlTable  # noqa: PLC0415  loaded where it is needed

    return SqlTable(target.url, _table(target), target.mode, target.keys, engine, target.fenced)


def _delta(target: Target, engine: DuckDB) -> Destination:
    from esanalytics.jobs._delta import DeltaOutput  # noqa: PLC0415  loaded where it is needed

    plain = target.url.removeprefix("delta:")
    place = plain if plain.startswith(_OBJECTS) else str(local(plain))
    return DeltaOutput(place, target.mode, target.partition_by, engine, target.fenced)


def _files(target: Target, engine: DuckDB) -> Destination:
    from esanalytics.jobs._forms import form  # noqa: PLC0415  loaded where it is needed

    if target.url.startswith(_OBJECTS):
        from esanalytics.jobs._objects import Object  # noqa: PLC0415  loaded where it is needed

        if not _is_single(target):
            remedy = "write one object, a Delta table, or a local folder that is then copied"
            raise DestinationError(shown(target.url), "folders of objects cannot be replaced at once", remedy)
        return Object(target.url, form(target, engine))
    if not _is_single(target):
        from esanalytics.jobs._directories import Directory  # noqa: PLC0415  loaded where it is needed

        return Directory(local(target.url), target.format, target.partition_by, engine, target.fenced)
    from esanalytics.jobs._files import File  # noqa: PLC0415  loaded where it is needed

    return File(local(target.url), form(target, engine), target.fenced)
