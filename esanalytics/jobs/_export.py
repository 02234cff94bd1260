"""One export, now: with the same guarantees as one that is scheduled."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from esanalytics.engines import DuckDB, Result
from esanalytics.errors import CheckError, DestinationError
from esanalytics.jobs._destination import destination as place_of
from esanalytics.jobs._destination import format_of, shown, staging
from esanalytics.jobs._explaining import explaining
from esanalytics.jobs._parts import discard, make_folder
from esanalytics.jobs._values import Destination, Format, Mode, Published, Staged, Target, Token, Window
from esanalytics.store import Log, Store

__all__ = ["export"]

_JOB = "export"
_ALWAYS = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def export(
    result: Result | Log | Store,
    destination: str | os.PathLike[str],
    *,
    format: Format | None = None,  # noqa: A002  what it is
    mode: Mode = "replace",
    table: str | None = None,
    key: str | Sequence[str] = (),
    partition_by: str | Sequence[str] = (),
    checks: Sequence[str] = (),
) -> Published:
    """Write an answer to a file, a folder, a table or an object store: whole, or not at all.

    Whatever happens meanwhile, the old output or the new one is there. A result keeps its order; give it one with
    ``order_by`` where two exports shall be the same, byte for byte. Of a log or a store all events are written, by
    position.

    Args:
        result: what to write.
        destination: a path; ``delta:`` and a path; what SQLAlchemy takes for a database, such as
            ``sqlite:///shop.db``; or a URL with ``s3://``, ``gs://``, ``az://``. One that ends in a slash is a folder.
        format: what is there; by default as the destination says.
        mode: ``"replace"``, or for a table in a database ``"upsert"``: rows are replaced by key, and those whose key
            is gone are removed.
        table: its name in a database; the sheet's in Excel.
        key: columns that tell rows apart, for ``"upsert"``.
        partition_by: columns that have folders of their own.
        checks: SQL conditions over the result, such as ``"row_count > 0"`` and ``"unique(order_id)"``.

    Returns:
        What is there now.

    Raises:
        DestinationError: it cannot be written; the old output is as it was.
        CheckError: a check fails; the old output is as it was.
        TypeError: it is no answer, but a frame, or something else.
        EngineError: the query fails.
        MissingDependencyError: the format's package is not installed.

    Example:
        >>> import esanalytics as ea
        >>> ea.export(shop, "orders.parquet", checks=["row_count > 0"]).rows  # doctest: +SKIP
        48
    """
    answer = _answer(result)
    target = _target(os.fspath(destination), format, mode, table, key, partition_by)
    engine = answer._engine  # noqa: SLF001  the one that the answer is computed with
    to = place_of(target, engine)
    to.check(dict.fromkeys(answer.columns, ""))
    run = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="esanalytics-") as folder:
        path = staging(target, run, Path(folder))
        try:
            return _publish(to, _staged(answer, path, engine, target), run, checks, engine)
        finally:
            discard(path)


def _target(
    url: str,
    format_: Format | None,
    mode: Mode,
    table: str | None,
    key: str | Sequence[str],
    partition_by: str | Sequence[str],
) -> Target:
    known = format_ or format_of(url, partitioned=bool(partition_by))
    if known is None:
        remedy = "end it in .parquet, .csv, .jsonl, .xlsx or .duckdb, or say which with format"
        raise DestinationError(shown(url), "it does not say which format it has", remedy)
    if known == "html":
        raise DestinationError(shown(url), "an answer is no page", "choose another format")
    if mode == "window":
        raise DestinationError(shown(url), "a single export has no window", "choose replace or upsert")
    return Target(url, known, mode, table, _names(key), _names(partition_by), fenced=False)


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _answer(result: Result | Log | Store) -> Result:
    if isinstance(result, Result):
        return result
    if not isinstance(result, Log | Store):
        remedy = "give a Result, as log.sql and ea.state_at return it, a Log or a Store; a frame writes itself"
        raise TypeError(f"{type(result).__name__} is no answer of a store; {remedy}")
    log = result.log if isinstance(result, Store) else result
    return log.events().order_by("position")


def _staged(answer: Result, path: Path, engine: DuckDB, target: Target) -> Staged:
    from esanalytics.jobs._stage import stage  # noqa: PLC0415  loaded where it is needed

    with explaining(shown(target.url)):
        make_folder(path.parent)
        return stage(answer, path, engine)


def _publish(to: Destination, staged: Staged, run: str, checks: Sequence[str], engine: DuckDB) -> Published:
    from esanalytics.jobs._checks import examine  # noqa: PLC0415  loaded where it is needed

    if checks:
        verdict = examine(engine, staged, checks)
        if verdict.failed:
            raise CheckError("", verdict.failed)
    token = Token(_JOB, "", Window(_ALWAYS, _ALWAYS, _ALWAYS), run, run)
    return to.publish(staged, token)
