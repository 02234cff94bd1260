"""The words of a picture: the event of a step, and the state with what changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure

from esanalytics.analysis._changes import Change
from esanalytics.plots._labels import counted
from esanalytics.plots._theme import Theme, palette
from esanalytics.widgets._lettering import Word, fit, moment, width, written
from esanalytics.widgets._palettes import KINDS, SIGNS
from esanalytics.widgets._telling import Told, payload_lines

__all__ = ["Panel", "event_words", "state_words"]

_SIZE = 9.0
_LINE = 1.5
_COLUMN = 150.0  # points that a column of the state needs at least


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a figure that holds lines of words: in parts of the figure, from its upper left corner."""

    figure: Figure
    left: float
    top: float
    right: float
    bottom: float
    theme: Theme

    @property
    def wide(self) -> float:
        """How wide it is, in points."""
        return float((self.right - self.left) * self.figure.get_figwidth() * 72)

    @property
    def lines(self) -> int:
        """How many lines it holds."""
        return max(3, int((self.top - self.bottom) * self.figure.get_figheight() * 72 / (_SIZE * _LINE)))

    def word(
        self,
        across: float,
        line: float,
        text: str,
        colour: str,
        *,
        size: float = _SIZE,
        bold: bool = False,
        ha: Literal["left", "right"] = "left",
    ) -> Word:
        """Put a text so many points from the left, on a line."""
        x = self.left + across / (self.figure.get_figwidth() * 72)
        y = self.top - (line + 0.8) * _SIZE * _LINE / (self.figure.get_figheight() * 72)
        return Word(x, y, text, colour, size, bold, ha)


def event_words(panel: Panel, told: Told) -> Iterator[Word]:
    """Write the event of a step: its type, when, where, and the beginning of its payload."""
    colours = palette(panel.theme)
    yield panel.word(0, 0, f"event {told.step:,} of {told.of:,}", colours.soft)
    if told.event is None:
        text = "before the first event" if told.of else "there are no events"
        yield panel.word(0, 1.35, text, colours.ink, size=12, bold=True)
        return
    event, line = told.event, 3.6
    tail = "   switched off" if told.skipped else ""
    room = panel.wide - 14 - width(tail, _SIZE)
    type_ = fit(event["type"], room, 12, bold=True)
    yield panel.word(14, 1.35, type_, colours.ink, size=12, bold=True)
    if tail:
        yield panel.word(14 + width(type_, 12, bold=True), 1.35, tail, colours.alert)
    version = "" if event["version"] is None else f" · version {event['version']:,}"
    where = fit(f"{event['service']} · {event['stream_id']}", panel.wide - width(version))
    yield panel.word(0, 2.5, f"{moment(event['effective_at'])} UTC", colours.ink)
    yield panel.word(0, 3.5, where + version, colours.soft)
    if told.error is not None:
        line += 1
        yield panel.word(0, line, fit(f"the fold failed here: {told.error}", panel.wide), colours.alert)
    yield from _payload(panel, told, line + 1.3)


def state_words(panel: Panel, told: Told) -> Iterator[Word]:
    """Write the state at a step: a line for each column, what changed marked by sign and colour."""
    colours = palette(panel.theme)
    yield panel.word(0, 0, f"state at {told.step:,}", colours.soft)
    if told.changes:
        counts = ", ".join(_count(told.changes, kind) for kind in SIGNS if any(c.kind == kind for c in told.changes))
        yield panel.word(panel.wide, 0, counts, colours.soft, ha="right")
    names = _columns(told)
    if told.state is None:
        yield panel.word(0, 1.4, "no row: the entity has no state here", colours.ink)
    room = panel.lines - 1 - (2 if told.state is None else 0)
    columns = 1 if len(names) <= room or panel.wide < 2 * _COLUMN else 2
    kept = names if len(names) <= columns * room else names[: columns * room - 1]
    wide = panel.wide / columns
    for nth, name in enumerate(kept):
        beside = kept[nth // room * room :][:room]
        indent = min(max(map(_name_width, beside)) + 22, 0.42 * wide)
        line = panel.lines - room + 0.2 + nth % room
        yield from _field(panel, told, name, (nth // room * wide, line, indent, wide - 10))
    if len(kept) < len(names):
        more = f"… {counted(len(names) - len(kept), 'more field')}"
        yield panel.word((columns - 1) * wide + 12, panel.lines - 0.8, more, colours.soft)


def _payload(panel: Panel, told: Told, line: float) -> Iterator[Word]:
    colours = palette(panel.theme)
    found = payload_lines(told)
    most = max(1, int(panel.lines - line))
    kept = found if len(found) <= most else found[: most - 1]
    names = max((min(width(name), panel.wide * 0.4) for name, _ in kept if name), default=-8.0) + 8
    for nth, (name, value) in enumerate(kept):
        if name:
            yield panel.word(0, line + nth, fit(name, names - 6), colours.soft)
        yield panel.word(names, line + nth, fit(value, panel.wide - names), colours.ink)
    if len(kept) < len(found):
        more = f"… {counted(len(found) - len(kept), 'more field')}"
        yield panel.word(0, line + len(kept), more, colours.soft)


def _columns(told: Told) -> list[str]:
    """Name the columns that are written: all in their order where there is room, those that changed first."""
    changed = {str(change.path[0]) for change in (*told.changes, *told.what_if)}
    present = list(told.state or {})
    gone = [name for name in changed if name not in (told.state or {})]
    if len(present) <= 2 * 10:
        return [*present, *sorted(gone)]
    return [*(name for name in present if name in changed), *sorted(gone), *(n for n in present if n not in changed)]


def _field(panel: Panel, told: Told, name: str, place: tuple[float, float, float, float]) -> Iterator[Word]:
    """Write one column: sign, name, value; the value that was before it, and the real one where it differs."""
    across, line, names, wide = place
    colours = palette(panel.theme)
    own = [change for change in told.changes if str(change.path[0]) == name]
    colour = colours.ink
    if own:
        kind = own[0].kind if len(own) == 1 and len(own[0].path) == 1 else "changed"
        colour = KINDS[panel.theme][kind]
        yield panel.word(across, line, SIGNS[kind], colour, bold=True)
    yield panel.word(across + 12, line, fit(name, names - 16), colour if own else colours.soft)
    left, room = across + names, wide - names
    real = next((change for change in told.what_if if str(change.path[0]) == name), None)
    tail = ""
    if real is not None:
        told_real = written(real.before, 60) if len(real.path) == 1 else "differs"
        shown = width(_value(told, name, own, room))
        tail = fit(f"real: {told_real}", max(room * 0.45, room - shown - 12), 8)
        room -= width(tail, 8) + 8
        yield panel.word(across + wide, line, tail, colours.alert, size=8, ha="right")
    yield panel.word(left, line, _value(told, name, own, room), colour)


def _name_width(name: str) -> float:
    return width(fit(name, 200))


def _value(told: Told, name: str, own: list[Change], room: float) -> str:
    """Write what a column holds, or what became of it."""
    if len(own) == 1 and own[0].kind == "changed":
        (change,) = own
        inner = ".".join(map(str, change.path[1:]))
        start = f"{inner}: " if inner else ""
        after = f" → {fit(written(change.after, 200), room * 0.6)}"
        return fit(start + written(change.before, 200), room - width(after)) + after
    if len(own) == 1 and own[0].kind == "removed" and len(own[0].path) == 1:
        return fit(f"was {written(own[0].before)}", room)
    value = (told.state or {}).get(name)
    text = written(value)
    if isinstance(value, dt.datetime) and width(text) > room:
        text = text[:19] + "Z" * bool(value.tzinfo)
    return fit(f"{len(own)} changes: {text}" if len(own) > 1 else text, room)


def _count(changes: list[Change], kind: str) -> str:
    return f"{SIGNS[kind]} {sum(change.kind == kind for change in changes)} {kind}"
