"""All entities of a log, as the page reads them."""

from __future__ import annotations

import json
from typing import Any

from esanalytics.analysis import ALL, Chosen, Density, Dots, Overview

__all__ = ["entities_text", "overview_text", "window_text"]

Window = tuple[int, int]


def overview_text(overview: Overview, title: str, window: Window | None = None, chosen: Chosen = ALL) -> str:
    """Write what the page needs to show all entities."""
    found = {
        "v": 1,
        "kind": "entities",
        "title": title,
        "events": overview.events,
        "span": list(overview.span),
        "services": [list(service) for service in overview.services],
        "types": [[service, type_, count] for service, type_, count, *_ in overview.types],
        "hidden": _hidden(overview, chosen),
    }
    return json.dumps(found | _pictures(overview, window, chosen), ensure_ascii=False, separators=(",", ":"))


def window_text(overview: Overview, window: Window, chosen: Chosen) -> str:
    """Write what the page needs to show a window: the pictures, and its events by service and type."""
    counts = {"counts": [list(kind) for kind in overview.counts(window, chosen)]}
    return json.dumps(_pictures(overview, window, chosen) | counts, ensure_ascii=False, separators=(",", ":"))


def entities_text(overview: Overview, text: str, chosen: Chosen = ALL) -> list[list[Any]]:
    """List the entities that a text may mean, with how many of their events are chosen."""
    within = overview if chosen == ALL else Overview(chosen.log(overview.log))
    return [list(found) for found in within.entities(text)]


def _hidden(overview: Overview, chosen: Chosen) -> dict[str, list[str]]:
    """Name what a filter leaves out, as the page's traits do."""
    services = {name for name, _ in overview.services}
    types = {type_ for _, type_, *_ in overview.types}
    return {
        "services": [] if chosen.services is None else sorted(services.difference(chosen.services)),
        "types": [] if chosen.types is None else sorted(types.difference(chosen.types)),
    }


def _pictures(overview: Overview, window: Window | None, chosen: Chosen) -> dict[str, Any]:
    density = overview.density(window, chosen)
    return {"density": _density(density), "dots": _dots(overview.dots(window, chosen))}


def _density(found: Density) -> dict[str, Any]:
    return {
        "start": found.start,
        "end": found.end,
        "names": list(found.names),
        "counts": found.counts.tolist(),
        "total": found.total,
        "note": found.left_out,
    }


def _dots(found: Dots) -> dict[str, Any]:
    numbers = {name: getattr(found, name).tolist() for name in ("entity", "at", "type", "service")}
    names = {"types": list(found.types), "services": list(found.services), "note": found.note}
    return {"entities": [list(entity) for entity in found.entities], **numbers, **names}
