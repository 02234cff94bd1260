"""What a step tells, as HTML that is safe to show: every text of the data is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

from esanalytics.analysis._changes import Change
from esanalytics.analysis._session import ReplaySession
from esanalytics.plots._labels import counted
from esanalytics.widgets._lettering import moment, written
from esanalytics.widgets._palettes import SIGNS
from esanalytics.widgets._telling import Told, payload_lines

__all__ = ["Diff", "diff_table", "event_table", "pictured", "state_table", "status"]

Diff = Literal["step", "marks", "what-if"]

_MOST = 300
_LONG = 300
_SCROLLED = "max-height:320px;max-width:100%;overflow:auto"
_CELL = "padding:1px 8px 1px 0;text-align:left;vertical-align:top;overflow-wrap:anywhere"


def event_table(told: Told) -> str:
    """Write the event of a step, with its payload."""
    if told.event is None:
        return _titled("event", "<p>before the first event</p>" if told.of else "<p>there are no events</p>")
    event = told.event
    rows = [
        ("type", event["type"]),
        ("at", f"{moment(event['effective_at'])} UTC"),
        ("stream", f"{event['service']} · {event['stream_id']}"),
        ("version", written(event["version"])),
        ("event id", event["event_id"]),
        *((f"data {name}".strip(), value) for name, value in payload_lines(told)[:_MOST]),
    ]
    rows += [("fold", f"failed here: {told.error}")] if told.error else []
    rows += [("what-if", "switched off")] if told.skipped else []
    return _titled("event", _table(("field", "value"), rows))


def state_table(told: Told) -> str:
    """Write the state at a step, with a sign before each column that changed."""
    signs = {str(change.path[0]): SIGNS[change.kind if len(change.path) == 1 else "changed"] for change in told.changes}
    if told.state is None:
        return _titled(f"state at {told.step:,}", "<p>no row: the entity has no state here</p>")
    rows = [(signs.get(name, ""), name, written(value, _LONG)) for name, value in told.state.items()]
    return _titled(f"state at {told.step:,}", _table(("", "field", "value"), rows))


def diff_table(session: ReplaySession, kind: Diff, step: int) -> str:
    """Write what differs: from the step before, between the marks A and B, or between what was and what would be."""
    if kind == "marks":
        marks = session.marks
        if not {"A", "B"} <= marks.keys():
            return _titled("A to B", "<p>set the marks A and B first</p>")
        return _changed(f"A ({marks['A']:,}) to B ({marks['B']:,})", session.diff("A", "B"))
    if kind == "what-if":
        return _changed("real to what-if", session.what_if(step))
    return _changed(f"{max(0, step - 1):,} to {step:,}", session.diff(max(0, step - 1), step))


def status(told: Told, note: str = "") -> str:
    """Write one line that is read aloud when it changes."""
    parts = [*_standing(told), *([note] if note else [])]
    return f'<div role="status" aria-live="polite">{escape(" · ".join(parts))}</div>'


def pictured(title: str, told: Told) -> str:
    """Say in plain text what the picture of a step shows."""
    return f"Replay of {title}: {', '.join(_standing(told))}"


def _standing(told: Told) -> list[str]:
    parts = [f"event {told.step:,} of {told.of:,}"]
    if told.event is not None:
        parts += [str(told.event["type"]), f"{moment(told.event['effective_at'])} UTC"]
    return [*parts, told.badge] if told.badge else parts


def _changed(title: str, found: Sequence[Change]) -> str:
    if not found:
        return _titled(title, "<p>no difference</p>")
    rows = [
        (
            SIGNS[change.kind],
            ".".join(map(str, change.path)),
            "" if change.kind == "added" else written(change.before, _LONG),
            "" if change.kind == "removed" else written(change.after, _LONG),
            "" if change.delta is None else f"{change.delta:+}",
            change.changed_by or "",
        )
        for change in found
    ]
    return _titled(title, _table(("", "field", "before", "after", "by how much", "event"), rows))


def _titled(title: str, inner: str) -> str:
    name = escape(title)
    return f'<section aria-label="{name}" tabindex="0" style="{_SCROLLED}"><b>{name}</b>{inner}</section>'


def _table(names: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col" style="{_CELL}">{escape(name)}</th>' for name in names)
    cells = ("".join(f'<td style="{_CELL}">{escape(str(cell))}</td>' for cell in row) for row in rows[:_MOST])
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    more = f"<p>… {counted(len(rows) - _MOST, 'more row')}</p>" if len(rows) > _MOST else ""
    return f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}'
