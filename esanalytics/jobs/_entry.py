"""One job, one ingest: from a table of the file to what it means, with what does not go together refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from esanalytics.jobs._distinct import missing_times
from esanalytics.jobs._file import Ingest, Job, Kind, Notify
from esanalytics.jobs._keys import INGEST, JOB, NOTIFY, local
from esanalytics.jobs._table import Refuse, checked, parted
from esanalytics.jobs._template import Template, format_of, template
from esanalytics.jobs._values import Format, Mode
from esanalytics.jobs._windows import Calendar

__all__ = ["ingest", "job"]

_SOURCES = ("projection", "sql", "sql_file", "notebook")
_DATABASES = ("delta", "duckdb", "sql")
_PARTED = ("parquet", "csv", "delta")
_REMOTE = ("parquet", "csv", "jsonl", "delta")
_KINDS: dict[str, tuple[Kind, ...]] = {
    "events": ("events",),
    "counts": ("events", "state"),
    "merged": ("state", "history", "diff"),
    "projection": ("state", "history", "diff"),
    "sql": ("events", "state"),
    "notebook": ("events", "state"),
}
"""What may be asked of each kind of question; the first is what is asked where the file does not say."""


def job(name: str, entry: Mapping[str, Any], folder: Path, refuse: Refuse) -> Job:
    """Make a job of its table.

    Args:
        name: of the job.
        entry: its table, with the defaults.
        folder: what paths are relative to.
        refuse: makes errors.

    Raises:
        JobFileError: the table says what cannot be.
    """
    where = f"jobs.{name}"
    said = checked(entry, JOB, where, refuse)
    source = _source(said, where, refuse)
    calendar = Calendar(said["schedule"], said["tz"], said["window"], said["lag"])
    output, format_ = _output(said, folder, where, refuse)
    kind = _kind(said, source, where, refuse)
    made = Job(
        name=name,
        projection=_code(said["projection"], folder),
        sql=said["sql"] if source != "sql_file" else _query(said["sql_file"], folder, where, refuse),
        notebook=folder / said["notebook"] if said["notebook"] else None,
        parameters=said["parameters"] or {},
        kind=kind,
        calendar=calendar,
        first=local(said["first"], said["tz"]) if said["first"] is not None else None,
        services=said["service"] or (),
        output=output,
        format=format_,
        mode=said["mode"] or _mode(said, format_, kind),
        table=said["table"] or (name if format_ in ("duckdb", "sql") else None),
        keys=said["key"] or (),
        partition_by=said["partition_by"] or (),
        notify=_notify(said["notify"], where, refuse),
        **{key: said[key] for key in _AS_SAID},
        checks=said["checks"] or (),
    )
    for rule in _RULES:
        found = rule(made)
        if found is not None:
            raise refuse(f"{where}.{found[0]}", found[1], found[2])
    return made


_AS_SAID = (
    "catchup", "max_catchup", "retries", "backoff", "timeout", "on_empty", "keep", "snapshot", "enabled",
)  # fmt: skip


def _source(said: Mapping[str, Any], where: str, refuse: Refuse) -> str:
    given = [key for key in _SOURCES if said[key] is not None]
    if len(given) != 1:
        listed = f"it has {' and '.join(given)}" if given else "it has none of them"
        raise refuse(where, f"give one of {', '.join(_SOURCES)}", listed)
    return given[0]


def _code(projection: str | None, folder: Path) -> str | None:
    """Make the path of a file of code whole."""
    place, colon, name = (projection or "").rpartition(":")
    return f"{folder / place}{colon}{name}" if place.endswith(".py") else projection


def _query(path: str, folder: Path, where: str, refuse: Refuse) -> str:
    try:
        return (folder / path).read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise refuse(f"{where}.sql_file", f"{path!r} cannot be read ({reason})", "name a file with a query") from error


def _kind(said: Mapping[str, Any], source: str, where: str, refuse: Refuse) -> Kind:
    about = said["projection"] if said["projection"] in _KINDS else source.removesuffix("_file")
    allowed = _KINDS[about]
    kind: Kind = said["kind"] or allowed[0]
    if kind not in allowed:
        raise refuse(f"{where}.kind", f"{kind!r} cannot be asked of {about}", f"choose {' or '.join(allowed)}")
    return kind


def _output(said: Mapping[str, Any], folder: Path, where: str, refuse: Refuse) -> tuple[Template, Format]:
    text = said["output"]
    prefixed = text.startswith("delta:") and not text.startswith("delta://")
    try:
        output = template(text.removeprefix("delta:") if prefixed else text, folder)
    except ValueError as error:
        raise refuse(f"{where}.output", *parted(error)) from error
    found: Format | None = (
        "delta" if prefixed else said["format"] or format_of(output.text, partitioned=bool(said["partition_by"]))
    )
    if found is None:
        raise refuse(f"{where}.output", "does not end in a format's name", "add format = 'parquet', or another")
    return output, found


def _mode(said: Mapping[str, Any], format_: Format, kind: Kind) -> Mode:
    """Choose what becomes of the rows of other windows: a database keeps them, but a state is of now."""
    if format_ not in _DATABASES:
        return "replace"
    if kind != "state":
        return "window"
    keyed = said["key"] is not None or said["projection"] is not None
    return "upsert" if keyed and format_ != "delta" and said["projection"] != "counts" else "replace"


def _notify(given: object, where: str, refuse: Refuse) -> Notify:
    return Notify() if given is None else Notify(**checked(given, NOTIFY, f"{where}.notify", refuse))


Fault = tuple[str, str, str]
"""Key, reason, remedy."""


def _format_fits(made: Job) -> Fault | None:
    if (made.format == "html") != (made.notebook is not None):
        return "format", f"{made.format!r} is no format of this", "a notebook becomes html, everything else does not"
    if made.parameters and made.notebook is None:
        return "parameters", "are for a notebook", "leave them out"
    remote = "://" in made.output.text and not made.output.text.startswith("file:") and made.format != "sql"
    if remote and made.format not in _REMOTE:
        return "output", f"{made.format!r} cannot be written there", f"choose {', '.join(_REMOTE)}, or a path"
    if made.output.directory and made.format not in (*_PARTED, "jsonl"):
        return "output", f"{made.format!r} is one file, and this is a folder", "leave the last '/' out"
    return None


def _mode_fits(made: Job) -> Fault | None:
    if made.mode != "replace" and made.format not in _DATABASES:
        return "mode", f"{made.mode!r} is for databases", "leave it out, or write to delta, duckdb or sql"
    if made.mode == "upsert" and made.format == "delta":
        return "mode", "'upsert' is for duckdb and sql", "choose window or replace"
    if made.mode == "upsert" and (made.sql or made.projection == "counts") and not made.keys:
        return "mode", "'upsert' needs to know which columns tell rows apart", "add key = ['…']"
    if made.mode == "upsert" and made.kind != "state":
        return "mode", f"'upsert' is for a state, and this is {made.kind!r}", "choose window or replace"
    return None


def _table_fits(made: Job) -> Fault | None:
    if made.table is not None and made.format not in ("duckdb", "sql"):
        return "table", f"{made.format!r} has no tables", "leave it out"
    if made.partition_by and made.format not in _PARTED:
        return "partition_by", f"{made.format!r} has no partitions", f"choose {', '.join(_PARTED)}, or leave it out"
    return None


def _output_fits(made: Job) -> Fault | None:
    if len(made.services) > 1 and not made.output.by_service:
        return "service", "has several, and the output is not by service", "put {service} in output"
    if not made.output.windowed:
        if made.keep is not None:
            return "keep", "the output holds one window", "put {date}, or {start:…}, in output, or leave keep out"
        return None
    lacking = missing_times(made.output, made.calendar)
    if lacking:
        times = "".join(lacking)
        return "output", "several windows have the same output", f"add {times}, as in {{start:{times}}}"
    return None


def _snapshot_fits(made: Job) -> Fault | None:
    if made.snapshot and (made.projection in (None, "events", "counts", "merged") or made.services):
        return "snapshot", "is for a projection of all services", "leave it out"
    return None


_RULES = (_format_fits, _mode_fits, _table_fits, _output_fits, _snapshot_fits)


def ingest(name: str, entry: Mapping[str, Any], folder: Path, refuse: Refuse) -> Ingest:
    """Make an ingest of its table.

    Args:
        name: of the ingest.
        entry: its table.
        folder: what paths are relative to.
        refuse: makes errors.

    Raises:
        JobFileError: the table says what cannot be.
    """
    where = f"ingest.{name}"
    said = checked(entry, INGEST, where, refuse)
    if not said["files"]:
        raise refuse(f"{where}.files", "is empty", "give patterns such as 'incoming/*.jsonl'")
    given = {key: said[key] for key in said if key not in ("files", "mapping", "types", "notify")}
    return Ingest(
        name=name,
        files=tuple(file if "://" in file else str(folder / file) for file in said["files"]),
        mapping=said["mapping"] or {},
        types=said["types"] or {},
        notify=_notify(said["notify"], where, refuse),
        **given,
    )
