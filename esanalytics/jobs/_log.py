"""Lines that tell of runs, as text or as JSON."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from esanalytics._instants import iso
from esanalytics.jobs._windows import midnight

__all__ = ["Log", "line", "span"]

_SHOWN = ("reason", "rows", "bytes", "seconds", "attempt", "error")
_DAY = dt.timedelta(days=1)
_STEPS = ("folding", "checking", "publishing")
"""What a run is at; that it was is of no interest to people."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Log:
    """Where lines go; call it with the facts of a step.

    Attributes:
        write: takes a line.
        form: ``"text"`` for people, ``"json"`` for programs.
        clock: tells the time of a line.
        show: takes what a run is at, for people; None: they are not told.
        zones: of the jobs, in which people are told of windows; others are in UTC.
    """

    write: Callable[[str], None]
    form: Literal["text", "json"] = "text"
    clock: Callable[[], dt.datetime] = _now
    show: Callable[[str], None] | None = None
    zones: Mapping[str, dt.tzinfo] = field(default_factory=dict)

    def __call__(self, facts: Mapping[str, Any]) -> None:
        """Write a line.

        Args:
            facts: ``run``, ``job``, ``service``, ``window``, ``phase``, ``reason``, ``number`` ``of`` windows,
                ``left``, ``newer``, ``rows``, ``bytes``, ``seconds``, ``attempt``, ``error``, ``error_type``, or some.
        """
        is_step = self.form == "text" and facts.get("phase") in _STEPS
        write = self.show if is_step else self.write
        if write is not None:
            write(line(self.form, self.clock(), facts, self.zones.get(str(facts.get("job")), dt.UTC)))


def line(form: Literal["text", "json"], at: dt.datetime, facts: Mapping[str, Any], tz: dt.tzinfo = dt.UTC) -> str:
    """Return a line of the log.

    Args:
        form: of the line.
        at: when.
        facts: as ``Log`` has them.
        tz: of the window, for people.
    """
    known = {name: fact for name, fact in facts.items() if fact is not None and fact != ""}
    if form == "json":
        return json.dumps({"ts": iso(at), **known}, ensure_ascii=False, default=str)
    subject = ":".join(str(known[name]) for name in ("job", "service") if name in known)
    if known.get("phase") == "left":
        return f"{at:%H:%M:%S} {subject}: {_left(known['left'])}; run again"
    window = span(str(known["window"]), tz) if "window" in known else ""
    place = f"({known['number']}/{known['of']})" if known.get("of", 1) != 1 else ""
    words = [at.strftime("%H:%M:%S"), place, subject, window, _phase(known, tz)]
    told = [f"{name}={_short(known[name])}" for name in _SHOWN if name in known]
    return " ".join(word for word in (*words, *told) if word)


def span(key: str, tz: dt.tzinfo = dt.UTC) -> str:
    """Write a window for people: a day, or the days or times at its ends; nothing where it has no length.

    Args:
        key: as ``Window.key`` has it.
        tz: in which days begin.
    """
    first_at, _, last_at = key.partition("/")
    if first_at == last_at:
        return ""
    start, end = (dt.datetime.fromisoformat(time).astimezone(tz) for time in (first_at, last_at))
    if _is_midnight(start) and _is_midnight(end):
        first, after = start.date(), end.date()
        return f"{first}" if after - first == _DAY else f"{first}/{after}"
    times = [start, end]
    if not any(map(_is_twice, times)):  # else the hours alone would not tell which of the two it is
        times = [time.replace(tzinfo=None) for time in times]
    exact = any(time.second or time.microsecond for time in times)
    return "/".join(time.isoformat() if exact else time.isoformat(timespec="minutes") for time in times)


def _is_midnight(time: dt.datetime) -> bool:
    return time.tzinfo is not None and midnight(time.date(), time.tzinfo) == time.astimezone(dt.UTC)


def _is_twice(time: dt.datetime) -> bool:
    """Tell whether clocks show a time twice, for they are set back."""
    return time.replace(fold=0).utcoffset() != time.replace(fold=1).utcoffset()


def _phase(known: Mapping[str, Any], tz: dt.tzinfo) -> str:
    if "newer" not in known:
        return str(known.get("phase", ""))
    end = dt.datetime.fromisoformat(str(known["newer"])).astimezone(tz)
    shown = end.date().isoformat() if _is_midnight(end) else end.isoformat(timespec="minutes")
    return f"{known['phase']}: the output holds a newer window, which ends {shown}, and stays as it is"


def _left(count: int) -> str:
    return "1 window is left" if count == 1 else f"{count:,} windows are left"


def _short(fact: object) -> str:
    if isinstance(fact, float):
        return f"{fact:.1f}"
    if isinstance(fact, int):
        return f"{fact:,}"
    text = " ".join(str(fact).split())
    return text if text.isalnum() else json.dumps(text, ensure_ascii=False)
