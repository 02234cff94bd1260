"""The keys of a file of jobs: what each takes, and what it is where it is not given."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from esanalytics._instants import instant
from esanalytics.jobs._schedule import schedule
from esanalytics.jobs._windows import Grid

__all__ = ["DEFAULTS", "INGEST", "JOB", "LEDGER", "NOTIFY", "REQUIRED", "STORE", "Key", "Keys", "local", "nearest"]

_MINUTES = (1, 5, 10, 15, 20, 30)
_HOURS = (1, 2, 3, 4, 6, 8, 12)
_GRIDS = {
    "tick": Grid(),
    **{f"{count}m": Grid("m", count) for count in _MINUTES},
    **{f"{count}h": Grid("h", count) for count in _HOURS},
    "1d": Grid("d"),
    "1w": Grid("w"),
    "1mo": Grid("mo"),
    "1q": Grid("q"),
    "1y": Grid("y"),
}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "an array",
    dict: "a table",
}
_MOST = 1_000_000_000


def kind(value: object) -> str:
    """Say what a value of TOML is."""
    return _KINDS.get(type(value), "a date" if isinstance(value, dt.date) else "a time")


def _show(value: object) -> str:
    return f"{value!r} is {kind(value)}"


def text(value: Any) -> str:  # noqa: ANN401  whatever TOML has
    """Read text that is not empty."""
    if type(value) is not str:
        raise ValueError(f"{_show(value)}; give text")
    if not value.strip() or "\0" in value:
        raise ValueError("is empty; give text" if not value.strip() else "has a NUL in it; leave it out")
    return value


def yes(value: Any) -> bool:  # noqa: ANN401  whatever TOML has
    """Read true or false."""
    if type(value) is not bool:
        raise ValueError(f"{_show(value)}; give true or false")
    return value


def number(least: int) -> Callable[[Any], int]:
    """Return what reads a whole number that is not less than this."""

    def read(value: Any) -> int:  # noqa: ANN401  whatever TOML has
        if type(value) is not int:
            raise ValueError(f"{_show(value)}; give a whole number from {least}")
        if not least <= value <= _MOST:
            raise ValueError(
                f"{value} is too {'small' if value < least else 'large'}; give a whole number from {least}"
            )
        return value

    return read


def choice(*known: str) -> Callable[[Any], str]:
    """Return what reads one of some words."""

    def read(value: Any) -> str:  # noqa: ANN401  whatever TOML has
        if type(value) is not str:
            raise ValueError(f"{_show(value)}; choose {' or '.join(known)}")
        if value not in known:
            raise ValueError(f"{value!r} is not known; {nearest(value, known, 'choose')}")
        return value

    return read


def texts(value: Any) -> tuple[str, ...]:  # noqa: ANN401  whatever TOML has
    """Read an array of texts; one text is an array of one."""
    if type(value) is str:
        return (text(value),)
    if type(value) is not list:
        raise ValueError(f"{_show(value)}; give text, or an array of texts")
    found = tuple(text(one) for one in value)
    if len(set(found)) < len(found):
        raise ValueError("has the same text twice; leave one out")
    return found


def named(value: Any) -> dict[str, str]:  # noqa: ANN401  whatever TOML has
    """Read a table of texts."""
    if type(value) is not dict:
        raise ValueError(f"{_show(value)}; give a table")
    for name, one in value.items():
        if type(one) is not str:
            raise ValueError(f"{name} is {kind(one)}; give text")
    return value


def table(value: Any) -> dict[str, Any]:  # noqa: ANN401  whatever TOML has
    """Read a table."""
    if type(value) is not dict:
        raise ValueError(f"{_show(value)}; give a table")
    return value


def duration(value: Any) -> dt.timedelta:  # noqa: ANN401  whatever TOML has
    """Read a number and its unit."""
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", value) if type(value) is str else None
    if found is None:
        raise ValueError(f"{value!r} is no duration; give a number and s, m, h or d, such as '30m'")
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})


def lasting(value: Any) -> dt.timedelta:  # noqa: ANN401  whatever TOML has
    """Read a duration that is not nothing."""
    found = duration(value)
    if not found:
        raise ValueError(f"{value!r} is no time at all; give some, such as '30m'")
    return found


def kept(value: Any) -> int | dt.timedelta:  # noqa: ANN401  whatever TOML has
    """Read a number of windows, or an age."""
    return number(1)(value) if type(value) is int else lasting(value)


def line(value: Any) -> str:  # noqa: ANN401  whatever TOML has
    """Read a line of cron."""
    return schedule(text(value))


def zone(value: Any) -> ZoneInfo:  # noqa: ANN401  whatever TOML has
    """Read the name of a time zone."""
    name = text(value)
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "give one such as 'Europe/Berlin'"
        raise ValueError(f"there is no time zone {name!r}; {remedy}") from error


def grid(value: Any) -> Grid:  # noqa: ANN401  whatever TOML has
    """Read how long windows are."""
    found = re.fullmatch(r"([0-9]{1,4})([mh])", value) if type(value) is str else None
    if found and value not in _GRIDS:
        whole, fit = ("an hour", _MINUTES) if found[2] == "m" else ("a day", _HOURS)
        listed = ", ".join(f"{count}{found[2]}" for count in fit)
        raise ValueError(f"{value!r} does not divide {whole}, or has a longer name; choose {listed}")
    if type(value) is not str or value not in _GRIDS:
        raise ValueError(f"{value!r} is no window; choose tick, 15m, 1h, 6h, 1d, 1w, 1mo, 1q or 1y")
    return _GRIDS[value]


def moment(value: Any) -> dt.date | str:  # noqa: ANN401  whatever TOML has
    """Read a date or an instant; which time zone it is in is known later."""
    if type(value) is not str and not isinstance(value, dt.date):
        raise ValueError(f"{_show(value)}; give a date such as 2026-03-01")
    try:
        instant(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no instant; give a date such as 2026-03-01") from error
    return value


def local(value: dt.date | str, tz: ZoneInfo) -> dt.datetime:
    """Return an instant; one that does not say its time zone is in this one."""
    found = dt.datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    if not isinstance(found, dt.datetime):
        found = dt.datetime.combine(found, dt.time())
    return instant(found if found.tzinfo else found.replace(tzinfo=tz))


def _header(value: Any) -> bool | tuple[str, ...]:  # noqa: ANN401  whatever TOML has
    return value if type(value) is bool else texts(value)


def _delimiter(value: Any) -> str:  # noqa: ANN401  whatever TOML has
    if type(value) is not str or not value:
        raise ValueError(f"{_show(value)}; give a character such as ';'" if value else "is empty; leave it out")
    return value


def _address(value: Any) -> str:  # noqa: ANN401  whatever TOML has
    found = text(value)
    if not re.match(r"https?://[^\s/]", found):
        raise ValueError(f"{found!r} is no address; give one that begins with https://")
    return found


def nearest(name: str, known: Iterable[str], else_: str = "known are") -> str:
    """Say which of the known names may be meant."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"{else_} {', '.join(names)}"


@dataclass(frozen=True, slots=True)
class Key:
    """What a key takes.

    Attributes:
        read: makes a value of it, or raises ValueError.
        default: as it would stand in the file; None: nothing.
        expand: whether ``${NAME}`` in it is the environment's.
    """

    read: Callable[[Any], Any]
    default: Any = None
    expand: bool = False


Keys = dict[str, Key]
REQUIRED = object()
"""The default of what has to be given."""

STORE: Keys = {
    "path": Key(text, REQUIRED, expand=True),
    "memory_limit": Key(text),
    "threads": Key(number(1)),
}
LEDGER: Keys = {"path": Key(text, expand=True)}
NOTIFY: Keys = {name: Key(_address, expand=True) for name in ("url", "on_start", "on_success", "on_failure")}
_COMMON: Keys = {
    "tz": Key(zone, "UTC"),
    "retries": Key(number(0), 3),
    "backoff": Key(duration, "30s"),
    "timeout": Key(lasting, "1h"),
    "notify": Key(table),
    "enabled": Key(yes, default=True),
}
DEFAULTS: Keys = {
    **_COMMON,
    "schedule": Key(line, REQUIRED),
    "window": Key(grid, "tick"),
    "first": Key(moment),
    "lag": Key(duration, "0s"),
    "catchup": Key(choice("all", "latest", "none"), "all"),
    "max_catchup": Key(number(1), 31),
    "on_empty": Key(choice("write", "skip", "fail"), "write"),
    "keep": Key(kept),
}
JOB: Keys = {
    **DEFAULTS,
    "projection": Key(text, expand=True),
    "sql": Key(text),
    "sql_file": Key(text, expand=True),
    "notebook": Key(text, expand=True),
    "parameters": Key(table),
    "kind": Key(choice("state", "history", "diff", "events")),
    "service": Key(texts),
    "output": Key(text, REQUIRED, expand=True),
    "format": Key(choice("parquet", "csv", "jsonl", "delta", "duckdb", "sql", "xlsx", "html")),
    "mode": Key(choice("replace", "window", "upsert")),
    "table": Key(text),
    "key": Key(texts),
    "partition_by": Key(texts),
    "checks": Key(texts),
    "snapshot": Key(yes, default=False),
}
INGEST: Keys = {
    **_COMMON,
    "files": Key(texts, REQUIRED, expand=True),
    "format": Key(choice("jsonl", "csv", "parquet")),
    "service": Key(text),
    "stream": Key(text),
    "mapping": Key(named),
    "types": Key(named),
    "delimiter": Key(_delimiter),
    "header": Key(_header, default=True),
    "on_invalid": Key(choice("raise", "quarantine"), "raise"),
    "schedule": Key(line),
}
