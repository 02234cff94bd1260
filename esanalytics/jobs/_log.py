"""Lines that tell of runs, as text or as JSON."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from esanalytics._instants import iso

__all__ = ["Log", "line", "span"]

_SHOWN = ("reason", "left", "rows", "bytes", "seconds", "attempt", "error")
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
    """

    write: Callable[[str], None]
    form: Literal["text", "json"] = "text"
    clock: Callable[[], dt.datetime] = _now
    show: Callable[[str], None] | None = None

    def __call__(self, facts: Mapping[str, Any]) -> None:
        """Write a line.

        Args:
            facts: ``run``, ``job``, ``service``, ``window``, ``phase``, ``reason``, ``number`` ``of`` windows,
                ``left``, ``rows``, ``bytes``, ``seconds``, ``attempt``, ``error``, ``error_type``, or some of them.
        """
        is_step = self.form == "text" and facts.get("phase") in _STEPS
        write = self.show if is_step else self.write
        if write is not None:
            write(line(self.form, self.clock(), facts))


def line(form: Literal["text", "json"], at: dt.datetime, facts: Mapping[str, Any]) -> str:
    """Return a line of the log.

    Args:
        form: of the line.
        at: when.
        facts: as ``Log`` has them.
    """
    known = {name: fact for name, fact in facts.items() if fact is not None and fact != ""}
    if form == "json":
        return json.dumps({"ts": iso(at), **known}, ensure_ascii=False, default=str)
    subject = ":".join(str(known[name]) for name in ("job", "service") if name in known)
    window = span(str(known["window"])) if "window" in known else ""
    place = f"({known['number']}/{known['of']})" if known.get("of", 1) != 1 else ""
    words = [at.strftime("%H:%M:%S"), place, subject, window, str(known.get("phase", ""))]
    told = [f"{name}={_short(known[name])}" for name in _SHOWN if name in known]
    return " ".join(word for word in (*words, *told) if word)


def span(key: str) -> str:
    """Write a window for people: its times, without the zeros at their ends.

    Args:
        key: as ``Window.key`` has it.
    """
    times = [time.removesuffix("Z").removesuffix(".000000") for time in key.split("/")]
    for ending in (":00", "T00:00"):
        if all(time.endswith(ending) for time in times):
            times = [time.removesuffix(ending) for time in times]
    return "/".join(times)


def _short(fact: object) -> str:
    if isinstance(fact, float):
        return f"{fact:.1f}"
    if isinstance(fact, int):
        return f"{fact:,}"
    text = " ".join(str(fact).split())
    return text if text.isalnum() else json.dumps(text, ensure_ascii=False)
