"""The demo: the shop's raw files become a store, and the store answers questions."""

from __future__ import annotations

import shlex
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from esanalytics import sources
from esanalytics._instants import Instant
from esanalytics.demo._figures import figures
from esanalytics.demo._kinds import SERVICES
from esanalytics.demo._shop import orders, stock
from esanalytics.demo._text import columns, heading, paragraph, shown
from esanalytics.demo._write import write
from esanalytics.errors import StoreExistsError
from esanalytics.store import Store
from esanalytics.timetravel import state_at

__all__ = ["run"]

FOLDER = "demo-output"
MARKER = ".esanalytics-demo"
SAMPLE = {"orders": 320, "seed": 7}
"""What the files in ``data/`` were made with."""

_OWN = ("shop", "sample", "orders.parquet", "orders.png")
_MARK = "Made by `esanalytics demo`, which makes it anew at its next run.\n"

_AN_INSTANT = "2026-01-27"
_AN_ORDER, _BEFORE, _AFTER = "order-150", "2026-02-24", "2026-02-26"

_LATE = """
SELECT service, count(*) AS "late events", median(recorded_at - occurred_at) AS "median delay",
    max(recorded_at - occurred_at) AS "longest delay"
FROM events WHERE recorded_at - occurred_at >= INTERVAL 1 HOUR GROUP BY service ORDER BY count(*) DESC, service
"""
_TWICE = """
SELECT count(DISTINCT stream_id) AS orders FROM (
    SELECT stream_id FROM events WHERE type = 'OrderRefunded' GROUP BY stream_id, causation_id HAVING count(*) > 1
)
"""
_WHICH = (
    "select metadata.release::varchar as release, type, count(*) as events from events "
    "where type like '%Refund%' and service = 'orders' group by all order by release, type"
)

Echo = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _Demo:
    """A run: its folder, its store, and where its text goes."""

    folder: Path
    store: Store
    echo: Echo


def run(folder: str | Path | None = None, *, echo: Echo = print) -> Path:
    """Make a store of the sample, show what it answers, and write a chart and the state beside it.

    The sample is ``data/`` of the working copy; where that is absent, the same files are made first.

    Args:
        folder: where everything goes; None: ``demo-output`` in the current directory. What an earlier run left
            there is replaced, and nothing else is touched.
        echo: takes the text, some lines at a time.

    Returns:
        The folder.

    Raises:
        StoreExistsError: the folder has something in it, and is not of an earlier run.

    Example:
        >>> from tempfile import mkdtemp
        >>> run(mkdtemp(), echo=lambda text: None).name != ""
        True
    """
    began = time.perf_counter()
    where = Path(FOLDER if folder is None else folder)
    _prepare(where)
    with Store.create(where / "shop") as store:
        demo = _Demo(where, store, echo)
        for number, (title, step) in enumerate(_STEPS, start=1):
            echo(heading(number, title))
            step(demo)
    echo(f"\n   Done in {time.perf_counter() - began:.1f} s.")
    return where


def _prepare(folder: Path) -> None:
    """Make the folder; of an earlier run take away what it made."""
    if folder.is_dir() and (folder / MARKER).is_file():
        for path in (folder / name for name in _OWN):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreExistsError(folder, "there, and not made by the demo")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(_MARK, encoding="utf-8")


def _sample(folder: Path) -> list[Path]:
    """Find the files of the sample, or make them."""
    data = Path(__file__).resolve().parents[2] / "data"
    files = [data / f"{service}.jsonl" for service in SERVICES]
    if all(file.is_file() for file in files):
        return files
    return list(write(folder / "sample", **SAMPLE).values())


def _load(demo: _Demo) -> None:
    files = _sample(demo.folder)
    commit = demo.store.append(sources.jsonl(files), progress=False)
    by_service = defaultdict(list)
    for row in demo.store.log.types():
        by_service[row["service"]].append((row["events"], row["type"]))
    names = ", ".join(file.name for file in files)
    demo.echo(paragraph(f"{names} from {_near(files[0].parent)}/ into {_near(demo.store.path)}:"))
    demo.echo(paragraph(f"{commit.appended:,} events appended, {commit.duplicates} re-deliveries skipped.\n"))
    demo.echo("")
    for service, types in sorted(by_service.items()):
        counted = ", ".join(f"{type_} {events:,}" for events, type_ in sorted(types, reverse=True))
        total = sum(events for events, _ in types)
        demo.echo(paragraph(f"{service:<10}{total:>6,}   {counted}", hanging=19))


def _load_again(demo: _Demo) -> None:
    before = demo.store.info()
    commit = demo.store.append(sources.jsonl(_sample(demo.folder)), progress=False)
    unchanged = demo.store.info() == before
    demo.echo(
        paragraph(
            f"{commit.appended} events appended, {commit.duplicates:,} skipped: the store is "
            f"{'the same as before' if unchanged else 'not the same as before'}."
        )
    )


def _late(demo: _Demo) -> None:
    found = list(demo.store.log.sql(_LATE))
    total = sum(row["late events"] for row in found)
    demo.echo(
        paragraph(
            f"{total} events were recorded an hour or more after they happened. The log keeps both times: "
            "when it happened (occurred_at) and when it was recorded (recorded_at).\n"
        )
    )
    demo.echo("")
    short = ("median delay", "longest delay")
    demo.echo(columns({**row, **{name: _hours(row[name]) for name in short}} for row in found))


def _status_then(demo: _Demo) -> None:
    now = list(state_at(demo.store, orders, _AN_INSTANT))
    then = list(state_at(demo.store, orders, _AN_INSTANT, known_at=_AN_INSTANT))
    demo.echo(paragraph("Amounts are in EUR. The last two columns are what the log knew at that very instant:"))
    demo.echo(paragraph("what was recorded later is missing there.\n"))
    demo.echo("")
    statuses = [*dict.fromkeys(row["status"] for row in sorted(now, key=lambda row: row["status"]))]
    rows = [_status_row(status, now, then) for status in statuses]
    demo.echo(columns([*rows, _status_row(None, now, then)]))


def _status_row(status: str | None, now: list[dict[str, Any]], then: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum the orders of one status; None: of all."""
    chosen, known = ([row for row in rows if status in (None, row["status"])] for rows in (now, then))
    return {
        "status": status or "all",
        "orders": len(chosen),
        "ordered": _sum(chosen, "total"),
        "paid": _sum(chosen, "paid"),
        "refunded": _sum(chosen, "refunded"),
        "orders known then": len(known),
        "paid known then": _sum(known, "paid"),
    }


def _one_order(demo: _Demo) -> None:
    [before], [after] = (
        list(state_at(demo.store, orders, at, key=_AN_ORDER)) for at in (_BEFORE, _AFTER)
    )
    demo.echo(
        columns(
            {
                "": name,
                _BEFORE: shown(before[name]),
                _AFTER: shown(after[name]),
                " ": "" if before[name] == after[name] else "changed",
            }
            for name in before
        )
    )


def _bug(demo: _Demo) -> None:
    twice = demo.store.log.sql(_TWICE).head()[0]["orders"]
    demo.echo(paragraph(f"{twice} orders were refunded twice; find out which release did it with"))
    demo.echo(_command("sql", demo.store.path, _WHICH))


def _pictures(demo: _Demo) -> None:
    from esanalytics.demo._chart import draw  # noqa: PLC0415  matplotlib takes a while to import

    draw(figures(demo.store.log), demo.folder / "orders.png")
    demo.echo(paragraph(f"{_near(demo.folder / 'orders.png')}: orders by status over the days, and money"))


def _export(demo: _Demo) -> None:
    path = demo.folder / "orders.parquet"
    state = state_at(demo.store, orders).arrow()
    pq.write_table(state, path)
    same = pq.read_table(path).equals(state)
    demo.echo(
        paragraph(
            f"{_near(path)}: {state.num_rows} orders, {state.num_columns} columns; "
            f"read back, it is {'equal' if same else 'NOT equal'} to the state"
        )
    )


def _go_on(demo: _Demo) -> None:
    shop = demo.store.path
    chosen = ("--at", _AFTER, "--key", _AN_ORDER)
    for words in (
        ("info", shop),
        ("sql", shop, "select type, count(*) as events from events group by type order by events desc"),
        ("state", shop, "esanalytics.demo:orders", *chosen),
        ("state", shop, "esanalytics.demo:stock", "--format", "csv", "-o", demo.folder / "stock.csv"),
    ):
        demo.echo(_command(*words))


_STEPS: tuple[tuple[str, Callable[[_Demo], None]], ...] = (
    ("Load the logs of five services", _load),
    ("Load them a second time", _load_again),
    ("Events that came late", _late),
    (f"The orders at {_AN_INSTANT} 00:00 UTC", _status_then),
    (f"One order, {_AN_ORDER}, at two instants", _one_order),
    ("Something went wrong in February", _bug),
    ("A chart", _pictures),
    ("The state as a file", _export),
    ("Go on from here", _go_on),
)
