"""What the demo does and shows, step by step."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from esanalytics import sources
from esanalytics.demo._figures import figures
from esanalytics.demo._shop import orders
from esanalytics.demo._text import HARD_SPACE, columns, command, near, paragraph, shown
from esanalytics.store import Store
from esanalytics.timetravel import state_at

__all__ = ["STEPS", "Demo", "Echo"]

Echo = Callable[[str], object]

_AN_INSTANT = "2026-01-27"
_AN_ORDER, _BEFORE, _AFTER = "order-150", "2026-02-24", "2026-02-26"
_FROM, _UP_TO = "2026-03-29", "2026-04-01"

_LATE = """
SELECT service, count(*) AS late, median(recorded_at - occurred_at) AS half, max(recorded_at - occurred_at) AS longest
FROM events WHERE recorded_at - occurred_at >= INTERVAL 1 HOUR GROUP BY service ORDER BY late DESC, service
"""
_TWICE = """
SELECT count(DISTINCT stream_id) AS orders FROM (
    SELECT stream_id FROM events WHERE type = 'OrderRefunded' GROUP BY stream_id, causation_id HAVING count(*) > 1
)
"""
_RELEASES = """select release, count(*) as twice from (
       select metadata.release::varchar as release,
       row_number() over (partition by causation_id order by position) as nth
       from events where type = 'OrderRefunded') where nth > 1 group by release"""
_TYPES = "select service, type, count(*) as n from events group by all order by n desc limit 5"


@dataclass(frozen=True, slots=True)
class Demo:
    """A run: its folder, its sample, its store, and where its text goes."""

    folder: Path
    files: tuple[Path, ...]
    store: Store
    echo: Echo


def _load(demo: Demo) -> None:
    commit = demo.store.append(sources.jsonl(demo.files), progress=False)
    by_service = defaultdict(list)
    for row in demo.store.log.types():
        by_service[row["service"]].append((row["events"], row["type"]))
    demo.echo(
        paragraph(
            f"From {near(demo.files[0].parent)}/*.jsonl into {near(demo.store.path)}/: {commit.appended:,} events; "
            f"{commit.duplicates} records are re-deliveries, and skipped."
        )
    )
    demo.echo("")
    for service, types in sorted(by_service.items()):
        counted = ", ".join(f"{events:,}{HARD_SPACE}{name}" for events, name in sorted(types, reverse=True))
        total = sum(events for events, _ in types)
        demo.echo(paragraph(f"{service:<10}{total:>6,}   {counted}", hanging=19))


def _load_again(demo: Demo) -> None:
    before = demo.store.info()
    commit = demo.store.append(sources.jsonl(demo.files), progress=False)
    outcome = "nothing has changed" if demo.store.info() == before else "THE STORE HAS CHANGED"
    demo.echo(paragraph(f"{commit.appended} events; {commit.duplicates:,} records are skipped: {outcome}."))


def _late(demo: Demo) -> None:
    found = list(demo.store.log.sql(_LATE))
    total = sum(row["late"] for row in found)
    text = (
        f"{total} events were recorded an hour or more after they happened. Each has both times, occurred_at and "
        "recorded_at, so a question can be about what happened by then, or about what was known by then."
    )
    demo.echo(paragraph(text))
    demo.echo("")
    demo.echo(
        columns(
            {
                "service": row["service"],
                "late": row["late"],
                "half of them by": _hours(row["half"]),
                "the latest by": _hours(row["longest"]),
            }
            for row in found
        )
    )


def _hours(delay: dt.timedelta) -> str:
    return f"{delay / dt.timedelta(hours=1):5.1f} h"


def _statuses(demo: Demo) -> None:
    now = list(state_at(demo.store, orders, _AN_INSTANT))
    then = list(state_at(demo.store, orders, _AN_INSTANT, known_at=_AN_INSTANT))
    names = sorted({row["status"] for row in [*now, *then]})
    rows = [_sums(name, [[row for row in rows if row["status"] == name] for rows in (now, then)]) for name in names]
    demo.echo(columns([*rows, _sums("all", [now, then])]))
    demo.echo("")
    demo.echo(
        paragraph(
            "Money is in EUR. The columns `known then` are the same question, asked of what was recorded by then: "
            "the rest came late."
        )
    )


def _sums(name: str, groups: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """Sum some orders, as they were and as they were known to be."""
    now, then = groups
    return {
        "status": name,
        "orders": len(now),
        "ordered": _sum(now, "total"),
        "paid": _sum(now, "paid"),
        "refunded": _sum(now, "refunded"),
        "known then: orders": len(then),
        "known then: paid": _sum(then, "paid"),
    }


def _sum(rows: Sequence[dict[str, Any]], column: str) -> Decimal:
    return sum((row[column] for row in rows), Decimal("0.00"))


def _an_order(demo: Demo) -> None:
    [before], [after] = (state_at(demo.store, orders, at, key=_AN_ORDER) for at in (_BEFORE, _AFTER))
    demo.echo(
        columns(
            {
                "column": name,
                _BEFORE: shown(before[name]),
                _AFTER: shown(after[name]),
                "changed": "" if before[name] == after[name] else "*",
            }
            for name in before
        )
    )


def _bug(demo: Demo) -> None:
    twice = demo.store.log.sql(_TWICE).head()[0]["orders"]
    demo.echo(paragraph(f"{twice} orders were refunded twice; find out which release did it with"))
    demo.echo("")
    demo.echo(command("sql", demo.store.path, _RELEASES))


def _files(demo: Demo) -> None:
    from esanalytics.demo._chart import draw  # noqa: PLC0415  matplotlib takes a while to import

    chart, state = demo.folder / "orders.png", demo.folder / "orders.parquet"
    draw(figures(demo.store.log), chart)
    answer = state_at(demo.store, orders).arrow()
    pq.write_table(answer, state)
    outcome = "read back and equal" if pq.read_table(state).equals(answer) else "READ BACK, AND NOT EQUAL"
    demo.echo(paragraph(f"{near(chart)}       orders by status, and money, over the days"))
    demo.echo(paragraph(f"{near(state)}   the state of {answer.num_rows} orders; {outcome}"))


def _exports(demo: Demo) -> None:
    from esanalytics.demo._exports import FILE, jobs_in, told  # noqa: PLC0415  an optional package is behind it

    file, jobs = demo.folder / FILE, jobs_in(demo.folder)
    text = (
        f"{near(file)} says what the shop hands on every morning, and what must hold before anybody reads it. Here "
        "are three days of two exports, one of them of 23 hours:"
    )
    demo.echo(paragraph(text))
    demo.echo("")
    demo.echo(command("jobs", "-f", file, "run", "orders", "payments", "--since", _FROM, "--until", _UP_TO))
    demo.echo("")
    demo.echo(columns(told(jobs.run("orders", "payments", since=_FROM, until=_UP_TO), demo.folder)))
    demo.echo("")
    demo.echo(paragraph("And the newest day of the others, as a scheduler would ask for it:"))
    demo.echo("")
    demo.echo(command("jobs", "-f", file, "run", "counts", "customers"))
    demo.echo("")
    demo.echo(columns(told(jobs.run("counts", "customers"), demo.folder)))
    again = jobs.run("orders", "payments", since=_FROM, until=_UP_TO) + jobs.run("counts", "customers")
    current = sum(outcome.reason == "up to date" for outcome in again)
    demo.echo("")
    demo.echo(paragraph(f"All of it once more: {current} of {len(again)} are up to date, and nothing is written."))


def _go_on(demo: Demo) -> None:
    shop, stock, jobs = demo.store.path, demo.folder / "stock.csv", demo.folder / "jobs.toml"
    for words in (
        ("info", shop),
        ("sql", shop, _TYPES),
        ("state", shop, "esanalytics.demo:orders", "--at", _AFTER, "--key", _AN_ORDER),
        ("state", shop, "esanalytics.demo:stock", "--format", "csv", "-o", stock),
        ("jobs", "-f", jobs, "status"),
        ("jobs", "-f", jobs, "render", "systemd"),
    ):
        demo.echo(command(*words))


STEPS: tuple[tuple[str, Callable[[Demo], None]], ...] = (
    ("Load the logs of five services", _load),
    ("Load them again", _load_again),
    ("What came late", _late),
    (f"The orders as they were on {_AN_INSTANT} at 00:00 UTC", _statuses),
    (f"{_AN_ORDER} as it was on {_BEFORE} and on {_AFTER}", _an_order),
    ("Something is wrong", _bug),
    ("A chart, and the state as a file", _files),
    ("Exports on a schedule", _exports),
    ("Go on from here", _go_on),
)
"""The title of each step, and what it does."""
