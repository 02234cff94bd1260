"""What a view tells of a step: its event, its payload, the state and what changed; read once, whoever draws it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from esanalytics.analysis._branch import Branch
from esanalytics.analysis._changes import Change, Row, changes
from esanalytics.analysis._session import ReplaySession
from esanalytics.widgets._lettering import written

__all__ = ["Teller", "Told", "payload_lines", "sizes"]

_BLOCK = 128
_READ = 1 << 20
"""Payloads of so many characters are enough to be read at once."""
_KEPT = 20_000
_MOST = 4_096
_KILO = 1024


@dataclass(frozen=True, slots=True)
class Told:
    """A step of a replay.

    Attributes:
        step, of: the step, and the last.
        event: the envelope of its event; None at step 0.
        payload: the beginning of its payload as JSON text.
        size: of the whole payload, in bytes.
        skipped: the event is switched off.
        error: why the fold failed at it.
        state: the row of the entity.
        changes: from the step before.
        what_if: from what was to what would be.
        off: how many events are switched off.
        edited: how many are changed or added.
    """

    step: int
    of: int
    event: Mapping[str, Any] | None
    payload: str
    size: int
    skipped: bool
    error: str | None
    state: Row
    changes: list[Change]
    what_if: list[Change]
    off: int
    edited: int

    @property
    def badge(self) -> str:
        """Say how much of this never was; empty where all was."""
        parts = [f"{self.off} {'event' if self.off == 1 else 'events'} off"] if self.off else []
        parts += [f"{self.edited} changed or added"] if self.edited else []
        return f"what-if: {', '.join(parts)}" if parts else ""


class Teller:
    """Tells the steps of a replay; it reads payloads of many events at once, and keeps the last ones.

    Args:
        session: the replay.
    """

    def __init__(self, session: ReplaySession) -> None:
        self.session = session
        self._lock = threading.Lock()
        self._log: object = None
        self._payloads: dict[str, tuple[str, int]] = {}
        self._block = 8

    def at(self, step: int | None = None) -> Told:
        """Tell a step, held within the bounds; None: where the replay stands."""
        session, branch = self.session, self.session.branch
        place = max(0, min(session.step if step is None else step, len(branch)))
        state = session.state(place)
        before = session.state(place - 1) if place else state
        edits = session.spec().get("edits", ())
        changed = bool(session.skipped or edits)
        event = branch.envelope(place - 1) if place else None
        payload, size = self._payload(branch, place - 1) if place else ("", 0)
        error = branch.error(place - 1) if place else None
        return Told(
            step=place,
            of=len(branch),
            event=event,
            payload=payload,
            size=size,
            skipped=event is not None and event["event_id"] in session.skipped,
            error=None if error is None else f"{type(error).__name__}: {error}",
            state=state,
            changes=changes(before, state),
            what_if=session.what_if(place) if changed else [],
            off=len(session.skipped),
            edited=len(edits),
        )

    def _payload(self, branch: Branch, row: int) -> tuple[str, int]:
        event_id = branch.events.ids[row]
        with self._lock:
            log = self.session.whole_log
            if log is not self._log or len(self._payloads) > _MOST:
                self._log, self._payloads = log, {}
            if event_id not in self._payloads:
                self._read(branch, row)
            return self._payloads[event_id]

    def _read(self, branch: Branch, row: int) -> None:
        """Read the payload of a row, and of rows around it: more each time, fewer where they are big."""
        first = max(0, row - self._block // 4)
        rows = {row, *range(first, min(len(branch), first + self._block))}
        texts = {number: text for number, (text, _) in self.session.payloads(sorted(rows)).items()}
        for number, text in texts.items():
            cut = (text[:_KEPT], len(text.encode("utf-8", "replace")))
            self._payloads[branch.events.ids[number]] = cut
        big = sum(map(len, texts.values())) > _READ
        self._block = max(1, self._block // 8) if big else min(_BLOCK, 2 * self._block)


def payload_lines(told: Told) -> list[tuple[str, str]]:
    """Write the beginning of a payload as pairs of a field and its value, with numbers as they were written."""
    if len(told.payload) < told.size and len(told.payload) == _KEPT:
        return [("", told.payload[:_KILO]), ("", f"… {sizes(told.size)} in all")]
    try:
        found = json.loads(told.payload, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
    except (ValueError, RecursionError):
        return [("", told.payload)]
    if isinstance(found, dict):
        return [(str(name), written(value)) for name, value in found.items()]
    return [("", written(found))]


def sizes(size: int) -> str:
    """Write a number of bytes.

    Example:
        >>> sizes(5_242_880), sizes(43)
        ('5.0 MB', '43 bytes')
    """
    if size < _KILO:
        return f"{size} bytes"
    return f"{size / _KILO:.1f} kB" if size < _KILO**2 else f"{size / _KILO**2:.1f} MB"


class _Number(str):
    """A number as its literal; written without quotes."""

    __slots__ = ()
