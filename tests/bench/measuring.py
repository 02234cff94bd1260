"""How a thing is measured: pairs of runs one after the other, and processes that begin with nothing."""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

RATIO = "\N{MULTIPLICATION SIGN}"
"""The unit of a ratio."""

Timer = Callable[[], float]
"""Does one run and gives the seconds of the part that counts."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What is wanted: a limit, and on which side of it the result must lie."""

    limit: float
    unit: str
    at_least: bool = False

    def reached(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {shown(self.limit, self.unit)}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out: the median, the least and the greatest run, and what they are made of."""

    value: float
    unit: str
    least: float
    greatest: float
    note: str = ""

    def __str__(self) -> str:
        spread = ""
        if self.least != self.greatest:
            spread = f" ({shown(self.least, '')}\N{EN DASH}{shown(self.greatest, '')})"
        return f"{shown(self.value, self.unit)}{spread}"


def shown(number: float, unit: str) -> str:
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f} {unit}".strip()


def of(values: Sequence[float], unit: str, note: str = "") -> Outcome:
    """Sum up runs of one thing."""
    return Outcome(median(values), unit, min(values), max(values), note)


def timer(run: Callable[[], object]) -> Timer:
    """Time a whole call."""

    def timed() -> float:
        gc.collect()
        began = time.perf_counter()
        run()
        return time.perf_counter() - began

    return timed


def compare(ours: Timer, theirs: Timer, repeat: int) -> Outcome:
    """Run two things in turns, once to warm up and then ``repeat`` times; the result is the ratio of a pair."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(repeat)]
    mine, other = (median(seconds) for seconds in zip(*pairs, strict=True))
    note = f"{shown(mine * 1e3, 'ms')} / {shown(other * 1e3, 'ms')}"
    return of([a / b for a, b in pairs], RATIO, note)


def fresh(*arguments: object) -> dict[str, Any]:
    """Run one command of ``child.py`` in a process of its own, and read what it found."""
    script = Path(__file__).with_name("child.py")
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def said(what: str) -> Iterator[None]:
    """Say on stderr what is going on, and how long it took."""
    print(f"{what} …", file=sys.stderr, flush=True)
    began = time.perf_counter()
    try:
        yield
    finally:
        print(f"{what}: {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
