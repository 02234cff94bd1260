"""Traces: what caused what, over services, as a tree in which what is missing has a place too."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from esanalytics.analysis._causes import Forest, Found, forest, related
from esanalytics.analysis._places import place_of
from esanalytics.engines import Result
from esanalytics.errors import StoreError
from esanalytics.store import Log, Store, as_log, folder_of

__all__ = ["MOST", "Node", "Traced", "traced"]

MOST = 5_000
"""The most events of a trace that are read; the first ones in time."""

MOST_TEXT = 20_000
"""The most characters of a payload that a node holds; ``Traced.events()`` has all."""

_COLUMNS = (
    "position, event_id, service, stream_id, version, type, occurred_at, recorded_at, effective_at, "
    "correlation_id, causation_id"
)
_NODES = f"""
WITH found AS (SELECT {_COLUMNS}, CAST(data AS JSON)::VARCHAR AS text FROM events WHERE {{}})
SELECT {_COLUMNS}, epoch_us(effective_at) AS at, left(text, {MOST_TEXT}) AS data,
strlen(text) AS size FROM found ORDER BY effective_at, version NULLS FIRST, position LIMIT {MOST}
"""
_OF_CORRELATION = _NODES.format("correlation_id = $wanted")
_OF_POSITIONS = _NODES.format(
    "position IN (SELECT unnest($positions::BIGINT[])) AND hash(event_id) IN (SELECT unnest($wanted::UBIGINT[]))"
)
_OF_IDS = _NODES.format("event_id IN (SELECT unnest($wanted::VARCHAR[]))")
_EVENTS = (
    "SELECT * FROM events WHERE position IN (SELECT unnest($positions::BIGINT[])) "
    "AND event_id IN (SELECT unnest($wanted::VARCHAR[]))"
)
_IN_ORDER = " ORDER BY effective_at, version NULLS FIRST, position"
_COUNT = "SELECT count(*) AS n FROM events WHERE correlation_id = $wanted"
_ONE = "SELECT event_id, correlation_id, causation_id FROM events WHERE event_id = $wanted LIMIT 1"
_LIKE = {
    "event_id": "SELECT DISTINCT event_id AS id FROM events WHERE starts_with(event_id, $start) LIMIT 200",
    "correlation_id": "SELECT DISTINCT correlation_id AS id FROM events WHERE starts_with(correlation_id, $start) "
    "LIMIT 200",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the tree of a trace: an event, or the cause of one that the log does not show.

    Attributes:
        number: its place in the order of the tree, from 0.
        depth: 0 for a root.
        parent: the number of its cause's node; None for a root.
        kind: ``"event"``, or ``"missing"``: the log shows no event of this id.
        event_id: its id.
        event: the envelope by column name; ``data`` is JSON text, cut at `MOST_TEXT`; None where it is missing.
        at: its ``effective_at`` in microseconds; None where it is missing.
        gap: microseconds since its cause, negative where a clock ran backwards; None where it has none.
        size: bytes of its payload as JSON text.
        is_outside: it belongs to another correlation, and is here as the cause of an event that belongs to this.
        is_cycle: it is its own cause, over others or not; the tree begins with it.
        effects: how many nodes have it as parent.
    """

    number: int
    depth: int
    parent: int | None
    kind: Literal["event", "missing"]
    event_id: str
    event: dict[str, Any] | None
    at: int | None
    gap: int | None
    size: int = 0
    is_outside: bool = False
    is_cycle: bool = False
    effects: int = 0

    @property
    def service(self) -> str:
        """Its service; empty where it is missing."""
        return "" if self.event is None else str(self.event["service"])

    @property
    def type(self) -> str:
        """Its type; empty where it is missing."""
        return "" if self.event is None else str(self.event["type"])


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """The causal tree of a correlation, or of an event.

    Attributes:
        log: where it was found.
        correlation_id: whose tree it is; None where it was found by causes alone.
        event_id: the event that was asked about; None where a correlation was.
        nodes: in the order of the tree: a cause before its effects, these in order of time.
        total: how many events it has, also those that were left out.
        note: what was left out, or empty.
    """

    log: Log
    correlation_id: str | None
    event_id: str | None
    nodes: tuple[Node, ...]
    total: int
    note: str

    @property
    def title(self) -> str:
        """What it is the trace of."""
        return f"correlation {self.correlation_id}" if self.correlation_id is not None else f"event {self.event_id}"

    @property
    def services(self) -> tuple[str, ...]:
        """The services, in the order of the tree."""
        return tuple(dict.fromkeys(node.service for node in self.nodes if node.kind == "event"))

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last ``effective_at``, in microseconds."""
        times = [node.at for node in self.nodes if node.at is not None]
        return (min(times), max(times)) if times else (0, 0)

    def events(self) -> Result:
        """Return the events themselves, whole, in order of ``effective_at``, version, position."""
        found = [node.event for node in self.nodes if node.event is not None]
        wanted = {"positions": [event["position"] for event in found], "wanted": [event["event_id"] for event in found]}
        return self.log.sql(_EVENTS + _IN_ORDER, wanted)


def traced(log: Store | Log, *, correlation_id: str | None = None, event_id: str | None = None) -> Traced:
    """Find the causal tree of a correlation, or of an event.

    An event's tree is that of its correlation where it has one. Else it is the event, its causes up to the first,
    and everything that these caused. A cause that the log does not show is a node of its own.

    Args:
        log: a store, or any view of one.
        correlation_id: the events that have it.
        event_id: the tree in which this event is.

    Raises:
        StoreError: no event of the log has the id.
        TypeError: not exactly one of the two is given.

    Example:
        >>> traced(store, correlation_id="order-3").nodes[0].type  # doctest: +SKIP
        'OrderPlaced'
    """
    seen = as_log(log)
    if (correlation_id is None) == (event_id is None):
        raise TypeError("trace takes one id; give either correlation_id=… or event_id=…")
    if event_id is None:
        return _of_correlation(seen, str(correlation_id), None)
    wanted = str(event_id)
    start = seen.sql(_ONE, {"wanted": wanted}).head(1)
    if not start:
        raise _unknown(seen, "event_id", wanted)
    correlation = start[0]["correlation_id"]
    return _of_causes(seen, wanted) if correlation is None else _of_correlation(seen, correlation, wanted)


def _of_correlation(log: Log, correlation_id: str, event_id: str | None) -> Traced:
    rows = _rows(log, _OF_CORRELATION, correlation_id)
    if not rows:
        raise _unknown(log, "correlation_id", correlation_id)
    total = len(rows) if len(rows) < MOST else _counted(log, correlation_id)
    if event_id is not None and all(row["event_id"] != event_id for row in rows):
        rows += _rows(log, _OF_IDS, [event_id])
    rows += _rows(log, _OF_IDS, _causes_beside(rows))
    return _made(log, correlation_id, event_id, rows, total)


def _of_causes(log: Log, event_id: str) -> Traced:
    found: Found = related(log, event_id)
    nearest = {"positions": found.positions[:MOST].tolist(), "wanted": found.hashes[:MOST].tolist()}
    rows = list(log.sql(_OF_POSITIONS, nearest)) if nearest["wanted"] else []
    rows += _rows(log, _OF_IDS, list(dict.fromkeys([event_id, *_causes_beside(rows)])), rows)
    rows += _rows(log, _OF_IDS, _causes_beside(rows), rows)
    own = [row for row in rows if row["causation_id"] is None]
    total = max(len(rows), len(found.positions) + len(own))
    return _made(log, None, event_id, rows, total)


def _rows(log: Log, query: str, wanted: object, known: Iterable[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """Read events, but those that are known already."""
    ids = {row["event_id"] for row in known}
    if isinstance(wanted, list) and not wanted:
        return []
    return [row for row in log.sql(query, {"wanted": wanted}) if row["event_id"] not in ids]


def _causes_beside(rows: Sequence[dict[str, Any]]) -> list[str]:
    """List the causes of some events that are not among them."""
    known = {row["event_id"] for row in rows}
    causes = dict.fromkeys(row["causation_id"] for row in rows if row["causation_id"] is not None)
    return [cause for cause in causes if cause not in known]


def _counted(log: Log, correlation_id: str) -> int:
    return int(log.sql(_COUNT, {"wanted": correlation_id}).head(1)[0]["n"])


def _made(log: Log, correlation_id: str | None, event_id: str | None, rows: list[dict[str, Any]], total: int) -> Traced:
    every = sorted(rows, key=lambda row: place_of(row["effective_at"], row["version"], row["position"]))
    elsewhere = {row["event_id"] for row in rows if correlation_id is not None and _is_other(row, correlation_id)}
    found = forest(
        [row["event_id"] for row in every],
        [None if row["event_id"] in elsewhere else row["causation_id"] for row in every],
    )
    if correlation_id is None and event_id is not None:
        found = found.only(event_id)
    nodes = _nodes(found, every, elsewhere)
    left = total - len(rows) + len(elsewhere)
    note = f"the first {total - left:,} of {total:,} events in time; {left:,} are left out" if left > 0 else ""
    return Traced(log, correlation_id, event_id, nodes, total, note)


def _is_other(row: dict[str, Any], correlation_id: str) -> bool:
    return bool(row["correlation_id"] != correlation_id)


def _nodes(found: Forest, rows: Sequence[dict[str, Any]], elsewhere: set[str]) -> tuple[Node, ...]:
    times: list[int | None] = []
    nodes = []
    for number, spot in enumerate(found.spots):
        row = None if spot.row is None else rows[spot.row]
        at = None if row is None else int(row["at"])
        before = None if spot.parent is None else times[spot.parent]
        times.append(at)
        nodes.append(
            Node(
                number,
                spot.depth,
                spot.parent,
                "missing" if row is None else "event",
                spot.event_id,
                None if row is None else {name: value for name, value in row.items() if name not in ("at", "size")},
                at,
                None if at is None or before is None else at - before,
                0 if row is None else int(row["size"] or 0),
                row is not None and row["event_id"] in elsewhere,
                spot.is_cycle,
                spot.effects,
            )
        )
    return tuple(nodes)


def _unknown(log: Log, kind: str, wanted: str) -> StoreError:
    """Make the error of an id that no event has, with the ids that are most like it."""
    word, other = kind.replace("_", " "), "correlation_id" if kind == "event_id" else "event_id"
    path = str(folder_of(log))
    if any(found["id"] == wanted for found in log.sql(_LIKE[other], {"start": wanted}).head(200)):
        return StoreError(
            path, f"no event with the {word} {wanted!r}", f"one has it as {other}: trace(…, {other}={wanted!r})"
        )
    starts = dict.fromkeys(wanted[: max(1, len(wanted) - cut)] for cut in (1, 2, 4, 8))
    for start in starts:
        known = [str(row["id"]) for row in log.sql(_LIKE[kind], {"start": start}).head(200)]
        near = difflib.get_close_matches(wanted, known, n=3)
        if near:
            return StoreError(path, f"no event with the {word} {wanted!r}", f"there is {' or '.join(map(repr, near))}")
    listed = f"log.sql('select {kind} from events') lists those there are"
    return StoreError(path, f"no event with the {word} {wanted!r}", listed)
