"""A branch: the rows of a replay in the order of the fold, with the states as they were and as they would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from esanalytics.analysis._acts import Column
from esanalytics.analysis._changes import Row
from esanalytics.analysis._entity import Entity
from esanalytics.analysis._folding import Fold, Stepper
from esanalytics.analysis._places import place_of
from esanalytics.analysis._tape import Events, Tape
from esanalytics.store import Log

__all__ = ["Branch", "Side", "branch_of", "real_branch"]


_CLOCKS = """
SELECT event_id, service, stream_id, epoch_us(occurred_at) AS at FROM events
WHERE version IS NOT NULL ORDER BY service, stream_id, version, position"""


class Side:
    """One of the two folds of a branch: what was, or what would be.

    Args:
        tape: the events and what they do.
        stepper: folds them.
        rows: for each row of the branch that of the tape; None: it is not there, or it does not count.
        stop: after the first failure nothing counts.
    """

    def __init__(self, tape: Tape, stepper: Stepper, rows: Sequence[int | None], *, stop: bool) -> None:
        self.tape = tape
        self.stepper = stepper
        self.rows = rows
        self.fold = Fold(stepper, rows, stop=stop)


class Branch:
    """The rows of a replay: every real event, and what was added to them.

    Args:
        events: the envelopes, in the order of the what-if fold.
        real: the fold of what was, in its own order.
        real_steps: by step, how many rows of ``real`` there are up to it.
        own: the fold of what would be; the same as ``real`` where nothing is off, changed or added.
    """

    def __init__(self, events: Events, real: Side, real_steps: Sequence[int], own: Side) -> None:
        self.events = events
        self.real = real
        self.own = own
        self.real_steps = real_steps

    def __len__(self) -> int:
        return len(self.events)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the row; none are known where a Python function folds."""
        return self.own.tape.columns

    @property
    def row_of(self) -> Mapping[str, int]:
        """The number of the row, from 0, by the id of its event."""
        return self.events.row_of

    @cached_property
    def instants(self) -> npt.NDArray[np.int64]:
        """The ``effective_at`` of each row as microseconds since 1970."""
        return self.events.instants("effective_at")

    @cached_property
    def types(self) -> Sequence[str]:
        """The type of each row."""
        return self.events.names("type")

    @cached_property
    def services(self) -> Sequence[str]:
        """The service of each row."""
        return self.events.names("service")

    @cached_property
    def streams(self) -> Sequence[tuple[str, str]]:
        """Service and stream of each row."""
        return list(zip(self.services, self.events.names("stream_id"), strict=True))

    def instant(self, row: int) -> int:
        """Return the ``effective_at`` of a row as microseconds since 1970."""
        return int(self.instants[row])

    def envelope(self, row: int) -> dict[str, Any]:
        """Return the envelope of a row."""
        return self.events.row(row)

    def step_of(self, event_id: str) -> int:
        """Return the step that an event leads to.

        Raises:
            ValueError: there is no such event.
        """
        if event_id not in self.row_of:
            count = f"{len(self)} {'event' if len(self) == 1 else 'events'}"
            raise ValueError(f"no event {event_id!r} in this replay; give the id of one of its {count}")
        return self.row_of[event_id] + 1

    def state(self, step: int, *, real: bool = False) -> Row:
        """Return the row of state at a step."""
        return self.real.fold.state(self.real_steps[step]) if real else self.own.fold.state(step)

    def error(self, row: int) -> Exception | None:
        """Return why the fold failed at a row; None where it did not, or has not got there."""
        place = self.own.rows[row]
        return None if place is None else self.own.fold.errors.get(place)

    def floors(self, log: Log) -> Mapping[str, int]:
        """Return what moves the clocks of rows and is not among them, by id of the row.

        That is the latest ``occurred_at`` (microseconds) of the events of the same stream, of an earlier version, that
        are not of this entity; only rows have an entry for which there are such events.
        """
        names = {service for service, _ in self.streams}, {stream for _, stream in self.streams}
        around = log.where(service=names[0], stream=names[1]).sql(_CLOCKS).arrow().to_pylist()
        known, latest, found = self.row_of, dict[tuple[str, str], int](), dict[str, int]()
        for event in around:
            stream = (event["service"], event["stream_id"])
            if event["event_id"] not in known:
                latest[stream] = max(event["at"], latest.get(stream, event["at"]))
            elif stream in latest:
                found[event["event_id"]] = latest[stream]
        return found

    @cached_property
    def changed(self) -> Mapping[str, Sequence[int]]:
        """The steps at which each column changed, in order."""
        return self.own.fold.changed()

    def fields(self) -> list[str]:
        """Return the names that the row has at any step."""
        rows = (self.state(step) for step in range(1, len(self) + 1))
        return sorted({name for row in rows if row is not None for name in row})

    def last_changes(self, columns: AbstractSet[str], low: int, high: int) -> dict[str, str]:
        """Return the id of the last event after step ``low``, up to ``high``, that changed each of some columns."""
        found = {}
        for column in columns:
            steps = self.changed.get(column, ())
            place = int(np.searchsorted(np.asarray(steps, np.int64), high, "right")) - 1
            if place >= 0 and steps[place] > low:
                found[column] = self.events.ids[steps[place] - 1]
        return found


def real_branch(log: Log, entity: Entity, *, stop: bool) -> Branch:
    """Read what was."""
    tape = entity.tape(log)
    side = Side(tape, entity.stepper(log, tape), range(len(tape.events)), stop=stop)
    return Branch(tape.events, side, range(len(tape.events) + 1), side)


def branch_of(
    real: Branch, changed: Log | None, left: Log, entity: Entity, skipped: AbstractSet[str], *, stop: bool
) -> Branch:
    """Compose what would be.

    Args:
        real: what was.
        changed: the log with events changed or added; None where none are.
        left: the same, as if what is skipped had never happened.
        entity: what is replayed.
        skipped: ids of events that do nothing.
        stop: after the first failure nothing counts.
    """
    if changed is None and not skipped:
        return real
    tape = real.real.tape if changed is None else entity.tape(changed)
    stepper = real.real.stepper if changed is None else entity.stepper(changed, tape)
    events = real.events if changed is None else _ordered(tape.events, real.events)
    if skipped and tape.events.skewed:  # an event that never happened moves no clock, and acts may know the time
        around, tape = tape.events, entity.tape(left)
        stepper = entity.stepper(left, tape)
        events = _ordered(tape.events, around, real.events)
    rows = [None if event_id in skipped else tape.events.row_of.get(event_id) for event_id in events.ids]
    return Branch(events, real.real, _real_steps(real.events, events), Side(tape, stepper, rows, stop=stop))


def _ordered(own: Events, *others: Events) -> Events:
    """Put rows in order: those of the first, and what the others have beside them."""
    table, known = own.table, set(own.ids)
    for other in others:
        more = [row for row, event_id in enumerate(other.ids) if event_id not in known]
        known |= {other.ids[row] for row in more}
        table = pa.concat_tables([table, other.table.take(more)]) if more else table
    keys = list(map(place_of, *(table[name].to_pylist() for name in ("effective_at", "version", "position"))))
    return Events(table.take(sorted(range(len(keys)), key=keys.__getitem__)))


def _real_steps(real: Events, events: Events) -> Sequence[int]:
    """Count by step the real rows up to it: all that came before the latest of them, in the order of what was."""
    if events is real:
        return range(len(real) + 1)
    places = [real.row_of.get(event_id, -1) + 1 for event_id in events.ids]
    found: list[int] = np.maximum.accumulate([0, *places]).tolist()
    return found
