"""Edits: events of a replay that are changed or added, as JSON can hold them, and the log that they make."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import instant, iso
from esanalytics.analysis._exact import exact_json
from esanalytics.errors import InvalidEventError
from esanalytics.store import Log, prefix_of, unbounded

__all__ = ["Edit", "edit_of", "edited", "remaining"]

Edit = dict[str, Any]
"""The id of an event, and the columns of it that are changed; of one that is added, all that it has."""

_COLUMNS = (
    "service",
    "stream_id",
    "type",
    "occurred_at",
    "version",
    "correlation_id",
    "causation_id",
    "data",
    "metadata",
)
_NEW = "what-if-"


def edit_of(event_id: str | None, changed: Mapping[str, Any], beside: Mapping[str, Any], taken: Iterable[str]) -> Edit:
    """Make an edit.

    Args:
        event_id: of the event that is changed; None: one is added.
        changed: its columns.
        beside: an event of the replay, whose service and stream an added one gets where it has none.
        taken: ids that there are.

    Raises:
        InvalidEventError: an event has no such column; or one that is added has no ``type`` or ``occurred_at``.
    """
    for name in changed:
        if name not in _COLUMNS:
            raise InvalidEventError(
                "what-if",
                None,
                f"an event has no column {name!r} that can be changed",
                f"there is {', '.join(_COLUMNS)}",
            )
    plain = {name: _plain(name, value) for name, value in changed.items()}
    if event_id is not None:
        return {"event_id": event_id, **plain}
    missing = [name for name in ("type", "occurred_at") if name not in plain]
    if missing:
        raise InvalidEventError("what-if", None, f"an event needs {' and '.join(missing)}", "give them by name")
    known = set(taken)
    number = next(n for n in range(1, len(known) + 2) if f"{_NEW}{n}" not in known)
    own = {name: beside[name] for name in ("service", "stream_id")}
    return {"event_id": f"{_NEW}{number}", **own, "data": "{}", **plain}


def edited(log: Log, edits: Iterable[Edit]) -> Log:
    """See a log as if some of its events were others, and some had happened too."""
    given = {edit["event_id"]: edit for edit in edits}
    if not given:
        return log
    found = _of(log, given).sql("SELECT * EXCLUDE (effective_at) FROM events")
    rows = {row["event_id"]: row for row in found}
    return log.with_events([{**rows.get(event_id, {}), **edit} for event_id, edit in given.items()])


def remaining(log: Log, changed: Log, edits: AbstractSet[str], skipped: AbstractSet[str]) -> Log:
    """See a log with what is changed or added, as if some events, changed ones among them, had never happened.

    Args:
        log: the log of what was.
        changed: the same, with events changed or added.
        edits: the ids of these.
        skipped: the ids of what never happened.
    """
    if not skipped:
        return changed
    if not edits & skipped:
        left = changed.without(sorted(skipped))
    else:
        left, kept = log.without(sorted(skipped)), edits - skipped
        left = left.with_events(_of(changed, kept)) if kept else left
    is_plain = prefix_of(unbounded(log)) is not None
    return left if is_plain else _without_added(left, skipped)


def _without_added(left: Log, skipped: AbstractSet[str]) -> Log:
    """Take away what is there although it is left out: events that the log was given by ``with_events``.

    Each gives way to one without a version, which moves no clock, and that one is not shown.
    """
    found = _of(unbounded(left).without("true"), skipped).sql("SELECT * EXCLUDE (effective_at) FROM events")
    added = [{**row, "version": None} for row in found]
    if not added:
        return left
    hidden = exp.Not(this=sql.is_in(sql.column("event_id"), sorted(row["event_id"] for row in added)))
    return left.with_events(added).where(sql.text(hidden))


def _of(log: Log, event_ids: Iterable[str]) -> Log:
    return log.where(sql.text(sql.is_in(sql.column("event_id"), sorted(event_ids))))


def _plain(name: str, value: Any) -> Any:  # noqa: ANN401  a column's value
    if name == "occurred_at":
        return iso(instant(value))
    if name in {"data", "metadata"} and not isinstance(value, str):
        return exact_json(value)
    return value.isoformat() if isinstance(value, dt.date) else value
