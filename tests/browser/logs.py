"""The stores that the browser tests look at: the shop of the sample, and one that means no good."""

import datetime as dt
from pathlib import Path

import esanalytics as ea

ROOT = Path(__file__).resolve().parents[2]
START = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)
ATTACK = "<img src=x onerror=window.__pwned=1>"
ATTACKS = (
    ATTACK,
    "</script><script>window.__pwned=1</script>",
    "\"><svg onload='window.__pwned=1'>",
    "${window.__pwned=1}",
    "javascript:window.__pwned=1",
    "]]><!--\u2028<b>",
    "*/{background:url(https://example.org/)}/*",
)
RIGHT_TO_LEFT = "سلة المشتريات"
EMOJI = "👩🏽‍🚀 déjà 🧾"
LARGE = 5_000_000

PROJECTION = ea.Projection("things", ("service", "stream_id"), {"*": {"said": ea.field("said"), "seen": ea.count}})
"""Of the hostile store: the last thing said, and how many events there were."""


def shop(folder: Path) -> Path:
    """Store the sample's events."""
    store = ea.Store.create(folder / "shop")
    store.append(ea.sources.jsonl(str(ROOT / "data" / "*.jsonl")), progress=False)
    store.close()
    return store.path


def hostile(folder: Path) -> Path:
    """Store events whose ids, types and values would run where they are not taken as text."""
    store = ea.Store.create(folder / "hostile")
    events = [
        _event(f"{text} {n}", ATTACK, text, n, {"said": text, text: [text, {text: text}]}) for n, text in _texts()
    ]
    nulls = [_event(f"null-{n}", "nulls", "Nothing", n, {"said": None, "deep": {"er": None}}) for n in range(3)]
    large = [_event("large", "large", "Large", 1, {"said": "x" * LARGE})]
    store.append([*events, *nulls, *large], service=ATTACK, progress=False)
    store.close()
    return store.path


def manifold(folder: Path) -> Path:
    """Store an entity of events of 2,000 types."""
    store = ea.Store.create(folder / "manifold")
    events = [_event(f"e{n}", "one", f"Type{n:04d}", n, {"said": str(n)}) for n in range(2000)]
    store.append(events, service="types", progress=False)
    store.close()
    return store.path


def _texts() -> list[tuple[int, str]]:
    return list(enumerate([*ATTACKS, RIGHT_TO_LEFT, EMOJI, "\u202ereversed", "a" * 300]))


def _event(event_id: str, stream: str, kind: str, number: int, data: dict) -> dict:
    at = START + dt.timedelta(minutes=number)
    return {
        "event_id": event_id,
        "stream_id": stream,
        "type": kind,
        "occurred_at": at,
        "data": data,
    }
