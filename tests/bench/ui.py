"""The benchmark of the views in a real browser, beside a slider and a matplotlib figure in an ``Output``.

Run it with ``make bench-ui``, or smaller: ``make bench-ui BENCH="--events 1000000"``. It ends with status 1 where an
aim is missed, and names what missed it.
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

import ui_cells
from measuring import RATIO, Aim, Outcome, of
from ui_page import FLOOR, Pages, opened

_PACKAGES = ("esanalytics", "duckdb", "jupyterlab", "anywidget", "ipywidgets", "matplotlib")
_REPAINT = Aim(60, "ms")
_OPEN, _FIRST, _BRUSH = Aim(2, "s"), Aim(1.5, "s"), Aim(150, "ms")
_FASTER = Aim(3, RATIO, at_least=True)

_PARTS = "['canvas', 'state', 'diff'].map((part) => document.querySelector(`.es-replay [data-part=${part}]`))"
_STEP = f"Math.min(...{_PARTS}.map((part) => +(part?.dataset.step ?? -1)))"
"""The step that the timeline, the state and the diff show."""
_DOTS = "document.querySelector('.es-replay [data-part=dots]')?.getAttribute('aria-label')"
"""How many events and entities are drawn: it changes with the kernel's answer to a brush."""
_DRAWN = f"/[1-9]/.test({_DOTS} ?? '')"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    name: str
    title: str
    outcome: Outcome
    aim: Aim | None = None

    @property
    def reached(self) -> str:
        if self.aim is None:
            return ""
        return "no" if self.missed else "yes"

    @property
    def missed(self) -> bool:
        return self.aim is not None and not self.aim.reached(self.outcome.value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything, print the table; return 1 where an aim is missed."""
    given = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="esanalytics-bench-", dir=given.dir) as folder:
        lines = list(_lines(Path(folder), given.events, given.keys))
    print(_table(lines, given.events))
    if given.json:
        given.json.write_text(json.dumps([_record(line) for line in lines], indent=1), encoding="utf-8")
    print(f"\n{_verdict(lines)}")
    return int(any(line.missed for line in lines))


def _lines(folder: Path, events: int, keys: int) -> Iterator[Line]:
    """Measure, beginning with what everything is compared to."""
    few, many, most = (min(count, events) for count in (1_000, 100_000, 250_000))
    stores = {count: ui_cells.made(folder, count, 1) for count in {few, many, most}}
    whole = ui_cells.made(folder, events, max(1, events // 20))
    with opened(folder) as pages:
        usual = {count: _usual(pages, stores[count], count, keys) for count in (few, many)}
        for count in (few, many):
            yield _timed(f"output-{count}", f"matplotlib in an Output, {count:,} events: key to picture", usual[count])
        for count in (few, many, most):
            opening, taken = _replay(pages, stores[count], count, keys)
            title = f"replay, {count:,} events of one entity"
            yield Line(f"open-{count}", f"{title}: first picture", of([opening / 1e3], "s"), _OPEN)
            yield _timed(f"replay-{count}", f"{title}: key to picture", taken, _REPAINT)
            if count in usual:
                ratio = of([median(usual[count]) / median(taken)], RATIO)
                yield Line(f"ratio-{count}", f"Output ÷ replay, {count:,} events", ratio, _FASTER)
        yield from _overview(pages, whole, events, keys)


def _usual(pages: Pages, store: Path, count: int, keys: int) -> list[float]:
    begin = ui_cells.BEGIN_OUTPUT.format(path=str(store))
    with pages.notebook(f"output-{count}", begin) as book:
        pages.open(book, ui_cells.OUTPUT, "window.__clock.pictures > 0")
        pages.page.locator(".by-output .noUi-handle").focus()
        return pages.keys(keys, "window.__clock.pictures")


def _replay(pages: Pages, store: Path, count: int, keys: int) -> tuple[float, list[float]]:
    """Give the milliseconds until the first picture, and from each key to its picture."""
    with pages.notebook(f"replay-{count}", _begin(store)) as book:
        opening = pages.open(book, ui_cells.ONE, f"{_STEP} >= 0")
        pages.page.wait_for_timeout(500)
        pages.page.evaluate(f"() => document.querySelector('.es-replay').parentElement.esReplay.goto({count // 2})")
        pages.page.locator(".es-replay [data-part=slider]").focus()
        pages.page.wait_for_timeout(1000)
        return opening, pages.keys(keys, _STEP)


def _overview(pages: Pages, store: Path, events: int, keys: int) -> Iterator[Line]:
    title = f"all entities, {events:,} events"
    with pages.notebook("everything", _begin(store)) as book:
        opening = pages.open(book, ui_cells.ALL, _DRAWN)
        yield Line("first", f"{title}: first picture", of([opening / 1e3], "s"), _FIRST)
        pages.page.wait_for_timeout(1000)
        brush = pages.page.locator(".es-replay [data-part=all-density]")
        taken = [pages.brush(brush, 0.15 + n % 7 * 0.08, 0.3 + n % 5 * 0.12, _DOTS) for n in range(keys // 2)]
        yield _timed("brush", f"{title}: end of a drag to its picture", taken, _BRUSH)


def _begin(store: Path) -> str:
    return ui_cells.BEGIN.format(path=str(store), bench=str(Path(__file__).parent))


def _timed(name: str, title: str, taken: Sequence[float], aim: Aim | None = None) -> Line:
    tenth = quantiles(taken, n=10)[-1]
    return Line(name, title, of(taken, "ms", f"p90 {tenth:.0f} ms, {len(taken)} times"), aim)


def _table(lines: Sequence[Line], events: int) -> str:
    rows = [("measure", "result", "of", "aim", "reached")]
    rows += [(x.title, str(x.outcome), x.outcome.note, str(x.aim or ""), x.reached) for x in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    rule = "-|-".join("-" * width for width in widths)
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    machine = f"{events:,} events; medians (least to greatest); {FLOOR}; Python {platform.python_version()}, {packages}"
    return "\n".join([f"| {texts[0]} |", f"|-{rule}-|", *(f"| {text} |" for text in texts[1:]), "", machine])


def _verdict(lines: Sequence[Line]) -> str:
    missed = [f"  {line.title}: {line.outcome}, not {line.aim}" for line in lines if line.missed]
    if missed:
        return "\n".join([f"Missed, {len(missed)} of {sum(line.aim is not None for line in lines)} aims:", *missed])
    return f"All {sum(line.aim is not None for line in lines)} aims are reached."


def _record(line: Line) -> dict[str, object]:
    return {"name": line.name, "title": line.title, "reached": line.reached, **asdict(line.outcome)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-ui", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000, help="of the large store; 10 million")
    parser.add_argument("--keys", type=int, default=40, help="pressed in each view; 40")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--dir", type=Path, help="where to work; the system's temporary folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
