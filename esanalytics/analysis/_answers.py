"""What the page of an explorer asks, and the answers, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from esanalytics.analysis._contents import Fields, kinds_in, streams_in
from esanalytics.analysis._exploring import Exploration
from esanalytics.analysis._overview import Density, Overview
from esanalytics.analysis._sight import Sight, micros_of
from esanalytics.timetravel._naming import nearest_names

__all__ = ["answer", "fields_data", "first_data"]

_PAGE = 100
"""Rows of a page of events."""
_PREVIEW = 300
_LONGEST = 100_000
_STREAMS = 100
_EVENTS = """
SELECT position, event_id, service, stream_id, version, type, epoch_us(effective_at) AS us,
    left(data::JSON::VARCHAR, $preview) AS data, length(data::JSON::VARCHAR) AS size
FROM (
    SELECT * FROM events ORDER BY effective_at, version NULLS FIRST, position LIMIT $limit OFFSET $offset
) ORDER BY effective_at, version NULLS FIRST, position
"""
_PAYLOAD = """
SELECT left(data::JSON::VARCHAR, $longest) AS data, length(data::JSON::VARCHAR) AS size,
    left(metadata::JSON::VARCHAR, $longest) AS metadata
FROM events WHERE event_id = $id AND position = $position
"""


def first_data(known: Exploration, sight: Sight) -> dict[str, Any]:
    """Return what a page shows first: the whole, and the density."""
    found = known.overview
    return {
        "v": 1,
        "events": found.events,
        "span": list(found.span),
        "services": [list(row) for row in found.services],
        "kinds": [list(row) for row in found.types],
        "density": _density(known, sight),
    }


def answer(known: Exploration, what: str, sight: Sight, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a page.

    Raises:
        ValueError: nobody knows what is asked.
    """
    found: dict[str, Callable[[], dict[str, Any]]] = {
        "density": lambda: _density(known, known.snapped(sight) if asked.get("snap") else sight),
        "kinds": lambda: _kinds(known, sight),
        "streams": lambda: _streams(known, sight, str(asked.get("find") or "")),
        "events": lambda: _events(known, sight),
        "fields": lambda: fields_data(known.fields(sight, sight.type)) if sight.type is not None else {},
        "payload": lambda: _payload(known, str(asked.get("id")), int(asked.get("position") or 0)),
    }
    if what not in found:
        raise ValueError(f"no answer to {what!r}; {nearest_names(what, list(found))}")
    return found[what]()


def fields_data(found: Fields) -> dict[str, Any]:
    """Return the fields of a type as a page knows them."""
    rows = [
        [f.path, list(f.types), f.events, f.nulls, f.share, [list(v) for v in f.values], f.distinct, f.least, f.most]
        for f in found.fields
    ]
    return {"type": found.type, "rows": rows, "looked_at": found.looked_at, "events": found.events, "note": found.note}


def _density(known: Exploration, sight: Sight) -> dict[str, Any]:
    """Return the counts of a sight: over all time, and in its window."""
    found, inner = known.at_hand(sight)
    window, chosen = inner.window, inner.chosen
    return {
        "context": _density_data(found.overview.density(known.overview.span, chosen, by=sight.by)),
        "detail": _density_data(found.overview.density(window or known.overview.span, chosen, by=sight.by)),
        "kinds": [list(row) for row in known.counts(sight) if row[2]],
        "window": None if window is None else list(window),
        "python": known.program(sight),
        "sql": known.sql(sight),
    }


def _density_data(found: Density) -> dict[str, Any]:
    """Return a density as a page knows it."""
    return {
        "start": found.start,
        "end": found.end,
        "names": list(found.names),
        "counts": found.counts.tolist(),
        "total": found.total,
        "note": found.left_out,
    }


def _kinds(known: Exploration, sight: Sight) -> dict[str, Any]:
    kinds, note = kinds_in(known.read(sight), known.total(sight))
    return {
        "rows": [[k.service, k.type, k.events, k.streams, micros_of(k.first), micros_of(k.last)] for k in kinds],
        "note": note,
    }


def _streams(known: Exploration, sight: Sight, find: str) -> dict[str, Any]:
    if find:
        named = Overview(known.read(sight)).entities(find, _STREAMS)
        return {"rows": [[*row, None, None] for row in named], "note": f"those with {find!r} in their name"}
    rows = streams_in(known.read(sight), _STREAMS)
    return {
        "rows": [[s.service, s.stream_id, s.events, micros_of(s.first), micros_of(s.last)] for s in rows],
        "note": f"the {_STREAMS} with the most events" if len(rows) == _STREAMS else "",
    }


def _events(known: Exploration, sight: Sight) -> dict[str, Any]:
    total = known.total(sight)
    first = min(sight.page, max(0, total - 1) // _PAGE) * _PAGE
    found, inner = known.at_hand(sight)
    window, offset = found.overview.around(inner.window, inner.chosen, (first, first + _PAGE))
    log = found.shown(replace(inner, window=window))
    rows = log.sql(_EVENTS, {"limit": _PAGE, "offset": offset, "preview": _PREVIEW})
    return {"rows": [list(row.values()) for row in rows], "first": first, "page": first // _PAGE, "total": total}


def _payload(known: Exploration, event_id: str, position: int) -> dict[str, Any]:
    rows = known.log.sql(_PAYLOAD, {"id": event_id, "position": position, "longest": _LONGEST}).head(1)
    return rows[0] if rows else {"data": "", "size": 0, "metadata": None}
