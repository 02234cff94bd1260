"""What follows what: transitions, variants, funnels and durations, in the order of each stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from esanalytics.analysis._asking import Ints, columns, ints
from esanalytics.store import Log

__all__ = [
    "Edge",
    "Flow",
    "Funnel",
    "Lasting",
    "Node",
    "Variant",
    "Variants",
    "flow",
    "funnel",
    "lasting",
    "thinned",
    "variants",
]

_ORDER = "effective_at, version NULLS FIRST, position"


@dataclass(frozen=True, slots=True)
class Node:
    """A type of a service.

    Attributes:
        service, type: which.
        events: how many there are.
        starts, ends: how many streams begin and end with one.
    """

    service: str
    type: str
    events: int
    starts: int
    ends: int


@dataclass(frozen=True, slots=True)
class Edge:
    """One type directly after another, in a stream.

    Attributes:
        before, after: places of the nodes.
        count: how often.
        gap: the median time between, in microseconds.
    """

    before: int
    after: int
    count: int
    gap: float


@dataclass(frozen=True, slots=True)
class Flow:
    """The directly-follows graph of a log.

    Attributes:
        nodes: the biggest first.
        edges: the most frequent first.
        types, connections, steps: how many there are in the whole log: nodes, edges, and the sum of the edges' counts.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    types: int
    connections: int
    steps: int


@dataclass(frozen=True, slots=True)
class Variant:
    """Streams of a service whose events have the same types in the same order.

    Attributes:
        service: whose.
        types: of the events, in order; the first ones where there are very many.
        events: how many events each stream has.
        streams: how many streams.
    """

    service: str
    types: tuple[str, ...]
    events: int
    streams: int


@dataclass(frozen=True, slots=True)
class Variants:
    """The ways that streams go.

    Attributes:
        rows: the most frequent first.
        streams, different: how many streams and variants there are in the whole log.
    """

    rows: tuple[Variant, ...]
    streams: int
    different: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many streams came how far.

    Attributes:
        steps: the types.
        reached: how many streams had all the types up to each, in that order.
        gaps: the median time from the step before, in microseconds; NaN for the first and where none came.
        streams: how many there are in the log.
    """

    steps: tuple[str, ...]
    reached: tuple[int, ...]
    gaps: tuple[float, ...]
    streams: int


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long something lasted.

    Attributes:
        finished, unfinished: streams with and without the end.
        median, p95, longest: in microseconds; NaN where none finished.
        edges: of the bins, in microseconds; one more than there are bins.
        counts: of the bins; the longest may lie beyond the last.
    """

    finished: int
    unfinished: int
    median: float
    p95: float
    longest: float
    edges: Ints
    counts: Ints


def flow(log: Log) -> Flow:
    """Count what directly follows what."""
    found = columns(
        log,
        f"""
        SELECT service, type, next, count(*) AS n, count(*) FILTER (before IS NULL) AS starts,
               median(next_us - us) AS gap
        FROM (
            SELECT service, type, epoch_us(effective_at) AS us, lead(type) OVER way AS next,
                   lead(epoch_us(effective_at)) OVER way AS next_us, lag(type) OVER way AS before
            FROM events WINDOW way AS (PARTITION BY service, stream_id ORDER BY {_ORDER})
        ) GROUP BY ALL
        """,
    )
    rows = list(zip(*(found[name] for name in ("service", "type", "next", "n", "starts", "gap")), strict=True))
    events, starts, ends = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for service, type_, after, n, starting, _ in rows:
        events[service, type_] += int(n)
        starts[service, type_] += int(starting)
        ends[service, type_] += int(n) if after is None else 0
    ranked = sorted(events, key=lambda node: (-events[node], node))
    nodes = tuple(Node(*node, events[node], starts[node], ends[node]) for node in ranked)
    place = {node: number for number, node in enumerate(ranked)}
    edges = [
        Edge(place[service, type_], place[service, after], int(n), float(gap))
        for service, type_, after, n, _, gap in rows
        if after is not None
    ]
    edges.sort(key=lambda edge: (-edge.count, edge.before, edge.after))
    return Flow(nodes, tuple(edges), len(nodes), len(edges), sum(edge.count for edge in edges))


def variants(log: Log, most: int = 20, longest: int = 40) -> Variants:
    """Count the streams that have the same types in the same order.

    Args:
        log: where to look.
        most: how many variants to return, the most frequent; equally frequent ones come in the order of their types.
        longest: how many types of each to return; two variants that differ only behind these are still two.
    """
    found = log.sql(
        f"""
        SELECT service, path[1:$longest] AS types, len(path) AS events, count(*) AS n,
               sum(count(*)) OVER ()::BIGINT AS streams, count(*) OVER () AS different
        FROM (
            SELECT service, list(type ORDER BY {_ORDER}) AS path FROM events GROUP BY service, stream_id
        ) GROUP BY service, path ORDER BY n DESC, service, path LIMIT $most
        """,
        {"most": most, "longest": longest},
    ).arrow()
    rows = found.to_pylist()
    shown = tuple(Variant(row["service"], tuple(row["types"]), row["events"], row["n"]) for row in rows)
    return Variants(shown, rows[0]["streams"] if rows else 0, rows[0]["different"] if rows else 0)


def thinned(
    whole: Flow, *, activities: float, connections: float, most_nodes: int, most: int, least_count: int
) -> Flow:
    """Keep the biggest nodes and the most frequent edges; a node keeps its most frequent edge in and out all the same.

    Args:
        whole: what to thin.
        activities: which share of the nodes to keep, 0 to 1; one always stays.
        connections: which share of the edges to keep, 0 to 1.
        most_nodes: how many nodes there may be.
        most: how many edges there may be.
        least_count: edges that are less frequent go.
    """
    kept = min(max(1, round(activities * len(whole.nodes))), most_nodes)
    among = [edge for edge in whole.edges if max(edge.before, edge.after) < kept and edge.count >= least_count]
    wanted = min(round(connections * len(among)), most)
    best: dict[tuple[str, int], Edge] = {}
    for edge in among:
        if edge.before != edge.after:
            best.setdefault(("out", edge.before), edge)
            best.setdefault(("in", edge.after), edge)
    backbone = set(best.values())
    edges = [edge for nth, edge in enumerate(among) if nth < wanted or edge in backbone]
    return replace(whole, nodes=whole.nodes[:kept], edges=tuple(edges))


def funnel(log: Log, steps: Sequence[str], within: int | None = None) -> Funnel:
    """Count the streams that had some types in some order.

    The first event of the first type begins; each further step is the first event of its type behind the step before.

    Args:
        log: where to look.
        steps: the types.
        within: microseconds from the first step up to and including which a step counts.
    """
    bound = "" if within is None else "AND o.us - b.began <= $within"
    ctes = [
        f"""o AS (
            SELECT service, stream_id, type, epoch_us(effective_at) AS us,
                   row_number() OVER (PARTITION BY service, stream_id ORDER BY {_ORDER}) AS nth
            FROM events WHERE list_contains($steps, type))""",
        """s1 AS (
            SELECT service, stream_id, min(nth) AS nth, arg_min(us, nth) AS us, arg_min(us, nth) AS began,
                   NULL::BIGINT AS gap
            FROM o WHERE type = $steps[1] GROUP BY ALL)""",
    ]
    ctes += [
        f"""s{nth} AS (
            SELECT o.service, o.stream_id, min(o.nth) AS nth, arg_min(o.us, o.nth) AS us, b.began,
                   arg_min(o.us, o.nth) - b.us AS gap
            FROM o JOIN s{nth - 1} AS b ON o.service = b.service AND o.stream_id = b.stream_id AND o.nth > b.nth {bound}
            WHERE o.type = $steps[{nth}] GROUP BY o.service, o.stream_id, b.began, b.us)"""
        for nth in range(2, len(steps) + 1)
    ]
    shown = " UNION ALL ".join(
        f"SELECT {nth} AS step, count(*) AS n, median(gap)::DOUBLE AS gap FROM s{nth}"
        for nth in range(1, len(steps) + 1)
    )
    parameters = {"steps": list(steps), **({"within": within} if "$within" in "".join(ctes) else {})}
    found = columns(log, f"WITH {', '.join(ctes)} {shown} ORDER BY step", parameters)
    streams = columns(log, "SELECT count(DISTINCT (service, stream_id)) AS n FROM events")["n"][0]
    gaps = tuple(float("nan") if gap is None else float(gap) for gap in found["gap"])
    return Funnel(tuple(steps), tuple(map(int, found["n"])), gaps, int(streams))


def lasting(log: Log, start: str, end: str, bins: int = 60) -> Lasting:
    """Measure, in each stream, the time from the first event of one type to the next of another behind it."""
    spans = f"""
        WITH o AS (
            SELECT service, stream_id, type, epoch_us(effective_at) AS us,
                   row_number() OVER (PARTITION BY service, stream_id ORDER BY {_ORDER}) AS nth
            FROM events WHERE type IN ($start, $end)),
        a AS (
            SELECT service, stream_id, min(nth) AS nth, arg_min(us, nth) AS us FROM o WHERE type = $start GROUP BY ALL),
        b AS (
            SELECT a.service, a.stream_id, any_value(arrived - a.us) AS lasted FROM a LEFT JOIN (
                SELECT o.service, o.stream_id, arg_min(o.us, o.nth) AS arrived
                FROM o JOIN a ON o.service = a.service AND o.stream_id = a.stream_id AND o.nth > a.nth
                WHERE o.type = $end GROUP BY ALL
            ) AS e ON a.service = e.service AND a.stream_id = e.stream_id GROUP BY ALL)
    """
    asked = {"start": start, "end": end}
    found = columns(
        log,
        f"""{spans} SELECT count(lasted) AS n, count(*) - count(lasted) AS unfinished,
            coalesce(median(lasted), 'nan'::DOUBLE)::DOUBLE AS median,
            coalesce(quantile_cont(lasted, 0.95), 'nan'::DOUBLE)::DOUBLE AS p95,
            coalesce(quantile_cont(lasted, 0.99), 'nan'::DOUBLE)::DOUBLE AS p99,
            coalesce(max(lasted), 'nan'::DOUBLE)::DOUBLE AS longest FROM b""",
        asked,
    )
    n, unfinished = int(found["n"][0]), int(found["unfinished"][0])
    middle, p95, p99, longest = (float(found[name][0]) for name in ("median", "p95", "p99", "longest"))
    if not n:
        return Lasting(0, unfinished, middle, p95, longest, ints([0, 1]), ints([0]))
    top = longest if longest <= 2 * p99 else 1.25 * p99  # a few that lasted very long would leave no room for the rest
    width = max(1, -(-int(top + 1) // bins))
    counted = columns(
        log,
        f"{spans} SELECT lasted // $width AS bin, count(*) AS n FROM b WHERE lasted < $top GROUP BY ALL",
        {**asked, "width": width, "top": width * bins},
    )
    counts = np.zeros(bins, np.int64)
    counts[ints(counted["bin"])] = ints(counted["n"])
    return Lasting(n, unfinished, middle, p95, longest, np.arange(bins + 1, dtype=np.int64) * width, counts)
