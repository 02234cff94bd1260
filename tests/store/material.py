"""Events to append, what a log must answer about them in plain Python, and processes that use a store."""

import datetime as dt
import itertools
import json
import os
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

import esanalytics
from esanalytics.engines import DuckDB
from esanalytics.store import Store

ROOT = Path(esanalytics.__file__).resolve().parents[1]
START = dt.datetime(2026, 1, 30, 12, tzinfo=dt.UTC)
NOW = dt.timedelta(0)
LOWEST = -(2**63)
KEPT = (
    "position",
    "event_id",
    "service",
    "stream_id",
    "version",
    "type",
    "schema_version",
    "occurred_at",
    "correlation_id",
    "causation_id",
    "data",
    "metadata",
)

ENGINE = DuckDB()
EXAMPLES = float(os.environ.get("STORE_EXAMPLES", "1"))

_folders = itertools.count()

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
)
payloads = st.dictionaries(
    names,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
instants = st.integers(0, 40).map(lambda n: START + dt.timedelta(hours=n % 8 if n < 24 else n * 24))


def law(examples):
    """Settings of a law that writes stores; ``STORE_EXAMPLES=10`` looks ten times as far."""
    count = max(1, round(examples * EXAMPLES))
    phases = [phase for phase in Phase if EXAMPLES > 1 or phase not in (Phase.shrink, Phase.explain)]
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), phases=phases)


def new_store(tmp_path, **options):
    return Store.create(tmp_path / f"store-{next(_folders)}", **{"engine": ENGINE, **options})


def event(number=1, **given):
    row = {
        "stream_id": "s",
        "type": "T",
        "occurred_at": START + dt.timedelta(minutes=number),
        "data": {"n": number},
    }
    return {**row, **given}


@st.composite
def rows(draw, *, least=1, most=10, identified=None):
    """Draw events that all differ: some streams versioned, times with ties, some with ids of their own."""
    found = []
    versions = draw(st.permutations(range(1, most + 1)))
    for number in range(draw(st.integers(least, most))):
        stream = draw(st.sampled_from(["u", "ü 'x", "v", "v2"]))
        row = {
            "service": draw(st.sampled_from(["a", "b/é"])),
            "stream_id": stream,
            "type": draw(st.sampled_from(["A", "B", "C"])),
            "occurred_at": draw(instants),
            "data": {**draw(payloads), "number": number},
        }
        if stream.startswith("v"):
            row["version"] = versions[number]
        if draw(st.booleans()) if identified is None else identified:
            row["event_id"] = f"id-{number}"
        if draw(st.booleans()):
            row["metadata"] = draw(payloads)
        found.append(row)
    return found


def batches(most=10, **options):
    """Draw events, cut into appends."""
    return st.tuples(rows(most=most, **options), st.sets(st.integers(1, most))).map(_cut)


def _cut(drawn):
    found, cuts = drawn
    bounds = [0, *sorted(cut for cut in cuts if cut < len(found)), len(found)]
    return [found[a:b] for a, b in itertools.pairwise(bounds)]


def read(log):
    """Return the events of a view, in its order."""
    return list(log.events())


def plain(events):
    """Leave out what tells of a delivery, and make payloads comparable (NaN, nested order)."""
    return [{name: _comparable(row[name]) for name in KEPT} for row in events]


def _comparable(value):
    return json.dumps(value, sort_keys=True, default=repr) if isinstance(value, dict) else value


def answers(log):
    """Return what a log answers to everything that can be asked of it without a projection."""
    seen = read(log)
    half = START + dt.timedelta(hours=3)
    known = seen[len(seen) // 2]["recorded_at"] if seen else half
    views = {
        "all": log,
        "service": log.where(service="a"),
        "types": log.where(type=["A", "C"]),
        "stream": log.where(stream="v"),
        "condition": log.where("data.number::int % 2 = 0"),
        "at": log.at(half),
        "since": log.since(half),
        "known_at": log.known_at(known),
        "mixed": log.known_at(known).since(START).where(service="b/é").at(half),
    }
    return {
        "count": log.count(),
        "streams": list(log.streams()),
        "types": list(log.types()),
        **{name: [r["position"] for r in read(each)] for name, each in views.items() if name != "all"},
        "all": [{**row, "data": _comparable(row["data"]), "metadata": _comparable(row["metadata"])} for row in seen],
    }


def order(row):
    version = LOWEST if row["version"] is None else row["version"]
    return row["effective_at"], version, row["position"]


def placed(log_rows):
    """Give events their ``effective_at`` and sort them: the reference for every view."""
    found = [dict(row) for row in log_rows]
    streams = defaultdict(list)
    for row in found:
        streams[row["service"], row["stream_id"], row["version"] is None].append(row)
    for (*_, unversioned), members in streams.items():
        latest = None
        for row in sorted(members, key=lambda r: (r["version"] or 0, r["position"])):
            at = row["occurred_at"]
            latest = at if latest is None or unversioned else max(latest, at)
            row["effective_at"] = latest
    return sorted(found, key=order)


def in_position_order(found):
    """Tell whether, in every stream, positions give the order of events."""
    streams = defaultdict(list)
    for row in found:
        streams[row["service"], row["stream_id"]].append(row)
    return all(
        members == sorted(members, key=order)
        for members in (sorted(m, key=lambda r: r["position"]) for m in streams.values())
    )


def start(script, *args, **options):
    """Start a Python process that runs ``script`` with ``sys.argv[1:]`` set to ``args``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def finish(process, timeout=120):
    """Wait for a process that must succeed and return what it printed."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err[-3000:]
    return out


def stray(store):
    """Return every file under a store that no reader or writer needs."""
    live = {f"events/{file.path}" for file in store._log.head().files}
    found = {path.relative_to(store.path).as_posix() for path in store.path.rglob("*") if path.is_file()}
    return sorted(name for name in found - live if not _needed(name))


def _needed(name):
    if name in {".append.lock", ".compact.lock"}:
        return True
    if name.startswith("quarantine/"):
        return name.endswith(".jsonl")
    folder, _, file = name.rpartition("/")
    if folder != "events/_delta_log":
        return False
    stem, _, suffix = file.partition(".")
    entry = stem.isdigit() and suffix in {"json", "checkpoint.parquet"}
    return entry or file == "_last_checkpoint" or suffix == "crc"
