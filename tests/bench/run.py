"""The benchmark: every measure is a ratio to hand-written code on the same data, or a limit of its own.

Run it with ``make bench``, or with choices: ``make bench BENCH="--small --only fold,key"``.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import appending
import exporting
import folding
import footprint
import travelling
from measuring import RATIO, Aim, Outcome, said
from setting import KINDS, Setting, Sizes

_PACKAGES = ("esanalytics", "duckdb", "deltalake", "pyarrow", "eventsourcing")
_SMALL = {"events": 200_000, "streams": 10_000, "commits": 300}
_FULL = {"events": 10_000_000, "streams": 500_000, "commits": 5_000}
_LOAD = 1_000_000
_FOREIGN = 100_000
_HISTORY = 1_000_000
_EIGHTH, _FIFTH = Aim(1 / 8, RATIO), Aim(1 / 5, RATIO)
_FIVE_TIMES = Aim(5, RATIO, at_least=True)
_FASTER = Aim(20, RATIO, at_least=True)


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table.

    Attributes:
        name: what ``--only`` chooses by; the part before the dash chooses the whole group.
        title: what is measured.
        aim: what is wanted; None: it is only shown.
        run: gives the result.
    """

    name: str
    title: str
    aim: Aim | None
    run: Callable[[Setting], Outcome]


@dataclass(frozen=True, slots=True)
class Line:
    """A measure and what came out, or why nothing did."""

    measure: Measure
    outcome: Outcome | None
    failure: str = ""

    @property
    def reached(self) -> bool | None:
        if self.outcome is None or self.measure.aim is None:
            return None
        return self.measure.aim.reached(self.outcome.value)


def _singles() -> tuple[Measure, ...]:
    named = dict(zip(KINDS, ("with a source's id", "without an id", "with expected_version"), strict=True))
    times = (
        Measure(
            f"one-{k}", f"append one event, {n}, after all commits", Aim(60, "ms"), partial(appending.single, kind=k)
        )
        for k, n in named.items()
    )
    growths = (
        Measure(f"one-{k}-growth", "the same ÷ after 100 commits", Aim(1.5, RATIO), partial(appending.growth, kind=k))
        for k in named
    )
    return tuple(measure for pair in zip(times, growths, strict=True) for measure in pair)


MEASURES = (
    Measure("import", "import esanalytics", Aim(0.5, "s"), footprint.imported),
    Measure("fold-typed", "state_at, whole log ÷ DuckDB over plain columns", Aim(1.3, RATIO), folding.typed),
    Measure("fold-untyped", "the same, no type declared", Aim(1.3, RATIO), folding.untyped),
    Measure("fold-library", "eventsourcing library ÷ state_at", _FASTER, folding.eventsourcing),
    Measure("fold-memory", "peak memory of state_at, memory_limit 1 GB", None, folding.memory),
    Measure("fold-late", "state_at with late events ÷ without", None, folding.composite),
    Measure("key-time", "state_at, one key", Aim(50, "ms"), folding.key_time),
    Measure("key-ratio", "the same ÷ DuckDB over a sorted plain file", Aim(2, RATIO), folding.key_ratio),
    Measure("history", "history, everything ÷ DuckDB over plain columns", Aim(1.3, RATIO), travelling.history),
    Measure("history-key", "history, one key", Aim(60, "ms"), travelling.history_of_key),
    Measure("explain", "explain, one key", Aim(60, "ms"), travelling.explain_key),
    Measure("explain-value", "explain, one value of one key", Aim(60, "ms"), travelling.explain_value),
    Measure("snapshot-tail", "state_at, snapshot and 1 % after it ÷ without the snapshot", _EIGHTH, travelling.tail),
    Measure("snapshot-late", "the same, 1 % of the tail months late", _FIFTH, travelling.late_tail),
    Measure("diff", "diff, a day, snapshot near ÷ two state_at without it", Aim(1 / 4, RATIO), travelling.diff),
    Measure("bisect", "bisect, condition on a row ÷ history", Aim(1.2, RATIO), travelling.bisect),
    Measure("join", "join_asof less history ÷ ASOF JOIN with prepared versions", Aim(1.5, RATIO), travelling.join),
    Measure("reducer", "eventsourcing library ÷ state_at of a reducer", _FIVE_TIMES, travelling.reducer),
    Measure("export-copy", "export of a state to Parquet ÷ COPY of the query", Aim(1.2, RATIO), exporting.copied),
    Measure("export-job", "a whole run with three checks ÷ the same COPY", None, exporting.run_of_job),
    Measure("export-refresh", "run, snapshot and 1 % after it ÷ without", _FIFTH, exporting.refreshed),
    Measure("export-idle", "jobs run, 50 jobs, nothing to do, new process", Aim(1, "s"), exporting.idle),
    Measure("export-memory", "export of a history, peak memory", Aim(1000, "MB"), exporting.memory),
    Measure("load-struct", "append from Arrow, struct data ÷ COPY with VARIANT", Aim(2, RATIO), appending.structs),
    Measure("load-struct-plain", "the same ÷ COPY of plain columns", None, appending.structs_typed),
    Measure("load-columns", "append from Arrow, payload columns ÷ COPY with VARIANT", Aim(2, RATIO), appending.columns),
    Measure("load-columns-plain", "the same ÷ COPY of plain columns", None, appending.columns_typed),
    Measure("load-derived", "append from Arrow, without ids ÷ COPY with VARIANT", None, appending.derived),
    Measure("load-quarantine", "append, 0.1 % set aside ÷ the valid rows alone", None, appending.quarantine),
    Measure("load-jsonl", "append of JSON lines ÷ DuckDB's read_json and COPY", None, appending.json_lines),
    Measure("load-jsonl-rate", "append of JSON lines", None, appending.json_lines_rate),
    *_singles(),
    Measure("open", "Store.open and log.count, new process, after all commits", Aim(300, "ms"), folding.opening),
    Measure("fold-commits", "state_at over all commits ÷ over one", Aim(2, RATIO), folding.many_commits),
    Measure("disk", "store ÷ gzip -6 of JSON lines", Aim(1, RATIO), footprint.disk),
    Measure("generator-memory", "append from a generator, peak memory", Aim(2000, "MB"), appending.generator_memory),
    Measure("generator-rate", "append from a generator", None, appending.generator_rate),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, print the table; 1 where a measure gave nothing."""
    given = _parser().parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="esanalytics-bench-", dir=given.dir))
    try:
        setting = Setting(folder, _sizes(given), given.repeat, os.cpu_count() or 1)
        lines = [_measured(measure, setting) for measure in _chosen(given.only)]
        print(table(lines, setting))
        if given.json:
            given.json.write_text(json.dumps(_report(lines, setting), indent=1), encoding="utf-8")
    finally:
        shutil.rmtree(folder)
    return int(any(line.outcome is None for line in lines))


def table(lines: Sequence[Line], setting: Setting) -> str:
    """Write the results as a Markdown table, the machine below it."""
    rows = [("measure", "result", "of", "aim", "reached"), *map(_cells, lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    rule = "-|-".join("-" * width for width in widths)
    shown = [f"| {text} |" for text in texts]
    return "\n".join([shown[0], f"|-{rule}-|", *shown[1:], "", _machine(setting)])


def _cells(line: Line) -> tuple[str, ...]:
    name = f"{line.measure.name}: {line.measure.title}"
    if line.outcome is None:
        return (name, "failed", line.failure, str(line.measure.aim or ""), "no")
    reached = {True: "yes", False: "no", None: ""}[line.reached]
    return (name, str(line.outcome), line.outcome.note, str(line.measure.aim or ""), reached)


def _machine(setting: Setting) -> str:
    sizes = setting.sizes
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{sizes.events:,} events, {sizes.streams:,} streams, {sizes.commits:,} commits, loads of {sizes.load:,}; "
        f"medians of {setting.repeat} pairs (least to greatest); {platform.system()} {platform.machine()}, "
        f"{setting.threads} cores; Python {platform.python_version()}, {packages}"
    )


def _report(lines: Iterable[Line], setting: Setting) -> dict[str, object]:
    return {"machine": _machine(setting), "measures": [_record(line) for line in lines]}


def _record(line: Line) -> dict[str, object]:
    outcome = asdict(line.outcome) if line.outcome else {"value": None, "failure": line.failure}
    aim = str(line.measure.aim) if line.measure.aim else None
    return {"name": line.measure.name, "title": line.measure.title, "aim": aim, "reached": line.reached, **outcome}


def _measured(measure: Measure, setting: Setting) -> Line:
    try:
        with said(measure.name):
            return Line(measure, measure.run(setting))
    except Exception as error:  # noqa: BLE001  the other measures still count
        traceback.print_exc()
        return Line(measure, None, f"{type(error).__name__}: {error}".splitlines()[0][:100])


def _chosen(only: str | None) -> list[Measure]:
    wanted = [name for name in (only or "").split(",") if name]
    unknown = [name for name in wanted if not any(_is(measure, name) for measure in MEASURES)]
    if unknown:
        names = ", ".join(measure.name for measure in MEASURES)
        raise SystemExit(f"no measure {unknown[0]!r}; there are: {names}")
    return [m for m in MEASURES if not wanted or any(_is(m, name) for name in wanted)]


def _is(measure: Measure, name: str) -> bool:
    return measure.name == name or measure.name.startswith(f"{name}-")


def _sizes(given: argparse.Namespace) -> Sizes:
    default = _SMALL if given.small else _FULL
    events, streams, commits = (getattr(given, name) or default[name] for name in default)
    foreign = min(_FOREIGN, events // 10)
    return Sizes(events, streams, commits, min(_LOAD, events), foreign, min(given.history, events))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--events", type=int, help="of the whole log; 10 million")
    parser.add_argument("--streams", type=int, help="of the whole log; 500 thousand")
    parser.add_argument("--commits", type=int, help="of one event each; 5 thousand")
    parser.add_argument(
        "--small", action="store_true", help="a smoke test: 200 thousand events, 10 thousand streams, 300 commits"
    )
    parser.add_argument(
        "--history", type=int, default=_HISTORY, help="versions of the history that is exported; 1 million"
    )
    parser.add_argument("--only", help="measures by name, or by the first part of it, with commas")
    parser.add_argument("--repeat", type=int, default=5, help="pairs of runs; 5")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--dir", type=Path, help="where to work; the system's temporary folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
