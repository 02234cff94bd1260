"""The replay session: one entity's events, its state at every step, and what would be without some of them.

All logic of a replay is here, without Jupyter; widgets hold traits and pass messages.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from esanalytics._instants import iso
from esanalytics.analysis._acts import fitting
from esanalytics.analysis._branch import Branch, branch_of, real_branch
from esanalytics.analysis._changes import Change, Row, changes
from esanalytics.analysis._edits import Edit, edit_of, edited, remaining
from esanalytics.analysis._entity import Entity, entity_of
from esanalytics.analysis._exact import json_ready
from esanalytics.analysis._finding import Wanted, find
from esanalytics.analysis._places import moment
from esanalytics.analysis._tape import payloads_of
from esanalytics.errors import EngineError, EsAnalyticsError, ReducerError, StoreError
from esanalytics.projections import Reducer
from esanalytics.store import Log, Store, as_log, folder_of

__all__ = ["OnFoldError", "ReplaySession", "in_words"]

OnFoldError = Literal["skip", "stop", "raise"]
_REPLACED = ("it was replaced by another one", "open it again, and replay that")
_REMEDY = "mend the reducer, or replay past such events with on_error='skip'"


class ReplaySession:
    """A replay of one entity, step by step, with events switched off, changed or added.

    Steps count events in the order of a fold: step 0 is before all of them, step ``len(session)`` after all. What is
    switched off keeps its step and does nothing. Safe to use from several threads.

    Args:
        log: a store, or any view of one; the replay knows what the log holds now, until `refresh`.
        projection: what folds the events: an `ea.Projection` or a reducer; None: each payload field, last value wins.
        key: of the entity, as a tuple where it has several columns; None where there is but one. Where the key is
            ``(service, stream_id)``, the stream is enough if only one service has it.
        on_error: what a failing reducer does: ``"skip"``: the state stays as it was at that event, and goes on after
            it; ``"stop"``: it stays so to the end; ``"raise"``: the first failure is raised.
        step: where to begin.
        skipped: ids of events that are switched off.
        edits: events that are changed or added, as `spec` gives them.
        marks: steps by name.
        bookmarks: pairs of a step and a label.

    Raises:
        UnknownKeyError: no event has the key; the message offers the nearest.
        UnsupportedError: the projection is SQL, which says nothing of single events.
        CompileError: the types in the log do not allow what the projection says.
        ReducerError: the reducer fails, and ``on_error`` is ``"raise"``.
        ValueError: an argument has no meaning.

    Attributes:
        entity: what is replayed.
        listeners: called after every change of step, marks, bookmarks, or what is switched off, changed or added; by
            then the thread that made it holds nothing.

    Example:
        >>> replay = ea.ReplaySession(store, orders, "order-42")  # doctest: +SKIP
        >>> replay.goto(replay.find("field", "status")).diff()  # doctest: +SKIP
    """

    def __init__(  # noqa: PLR0913  what spec gives, by name
        self,
        log: Store | Log,
        projection: object = None,
        key: Any = None,  # noqa: ANN401  a value of the key's type
        *,
        on_error: OnFoldError = "skip",
        step: int = 0,
        skipped: Iterable[str] = (),
        edits: Iterable[Mapping[str, Any]] = (),
        marks: Mapping[str, int | None] | None = None,
        bookmarks: Iterable[tuple[int, str]] = (),
    ) -> None:
        if on_error not in {"skip", "stop", "raise"}:
            raise ValueError(f"on_error={on_error!r}; give 'skip', 'stop' or 'raise'")
        self._lock = threading.RLock()
        self._depth, self._untold = 0, False
        self.listeners: list[Callable[[], None]] = []
        self._given = log
        self._on_error = on_error
        self._real_log = as_log(log)
        self.entity = entity_of(self._real_log, projection, key)
        self._real = self._read(self._real_log, self.entity)
        self._edits: dict[str, Edit] = {}
        self._skipped: frozenset[str] = frozenset()
        self._log = self._whole_log = self._real_log
        self._branch = self._real
        self._step = 0
        self._version = -1  # the first change makes it what it is
        self._marks: dict[str, int] = {}
        self._bookmarks: list[tuple[int, str]] = []
        given = {edit["event_id"]: dict(edit) for edit in edits}
        for event_id in (known for known, edit in given.items() if "type" not in edit):
            self._real.step_of(event_id)  # what changes an event needs one
        self._change(frozenset(), given)
        self.skip(*skipped)
        self._version = 0
        self.goto(step)
        self.bookmarks = bookmarks
        for name, marked in (marks or {}).items():
            self.mark(name, marked)
        if on_error == "raise":
            self._raise_first()

    def __len__(self) -> int:
        """Return the number of events: the last step."""
        return len(self._branch)

    def __repr__(self) -> str:
        return f"ReplaySession of {in_words(self)}"

    @property
    def step(self) -> int:
        """The step it stands at."""
        return self._step

    @property
    def at(self) -> dt.datetime | None:
        """The ``effective_at`` of the event it stands at; None before the first."""
        with self._lock:
            return self.instant(self._step)

    def instant(self, step: int) -> dt.datetime | None:
        """Return the ``effective_at`` of the event that leads to a step; None at step 0."""
        with self._lock:
            number = self._within(step) - 1
            return None if number < 0 else moment(self._branch.instant(number))

    @property
    def skipped(self) -> frozenset[str]:
        """The ids of the events that are switched off."""
        return self._skipped

    @property
    def marks(self) -> dict[str, int]:
        """The steps that are marked, by name."""
        return dict(self._marks)

    @marks.setter
    def marks(self, marks: Mapping[str, int]) -> None:
        with self.held():
            self._marks = {str(name): self._within(step) for name, step in marks.items()}
            self._untold = True

    @property
    def bookmarks(self) -> list[tuple[int, str]]:
        """The bookmarks, pairs of a step and a label; who changes them assigns a list, so that listeners are called."""
        return self._bookmarks

    @bookmarks.setter
    def bookmarks(self, bookmarks: Iterable[tuple[int, str]]) -> None:
        with self.held():
            self._bookmarks = [(self._within(int(step)), str(label)) for step, label in bookmarks]
            self._untold = True

    @property
    def version(self) -> int:
        """How often the events themselves were changed: edited, added, taken back, others found in the store."""
        return self._version

    @property
    def folds_in_python(self) -> bool:
        """Whether a Python function folds the events, which only Python can run."""
        return isinstance(self.entity.definition, Reducer)

    @property
    def page_can_skip(self) -> bool:
        """Whether a page knows by itself what switching off does: acts stay as they are, but for what is off."""
        branch = self._branch
        real, own = branch.real.tape, branch.own.tape
        if self.folds_in_python or real is own:
            return not self.folds_in_python
        rows = ((real.events.row_of.get(event_id), row) for row, event_id in enumerate(own.events.ids))
        return all(before is not None and real.acts[before] == own.acts[row] for before, row in rows)

    @property
    def branch(self) -> Branch:
        """The rows as they are now: real events, and what is switched off, changed or added."""
        return self._branch

    @property
    def log(self) -> Log:
        """The log as the replay sees it: without what is switched off, with what is changed or added."""
        return self._log

    @property
    def whole_log(self) -> Log:
        """The log with what is changed or added, and nothing switched off."""
        return self._whole_log

    @contextmanager
    def held(self) -> Iterator[ReplaySession]:
        """Hold the replay as it is for a while: no other thread changes it; listeners are called when that ends.

        Example:
            >>> with replay.held():  # doctest: +SKIP
            ...     row, change = replay.state(), replay.diff()
        """
        tell = False
        try:
            with self._lock:
                self._depth += 1
                try:
                    yield self
                finally:
                    self._depth -= 1
                    if not self._depth:
                        tell, self._untold = self._untold, False
        finally:
            for listener in tuple(self.listeners) if tell else ():
                listener()

    def goto(self, step: int | str | None) -> ReplaySession:
        """Stand at a step, by its number (held within the bounds), or at an event, by its id; None: stay.

        At an instant: ``goto(replay.find("instant", at))``.

        Raises:
            ValueError: there is no such event.
        """
        with self.held():
            wanted = self._branch.step_of(step) if isinstance(step, str) else step
            self._step = self._step if wanted is None else max(0, min(int(wanted), len(self)))
            self._untold = True
        return self

    def state(self, step: int | None = None, *, real: bool = False) -> Row:
        """Return the row at a step, by column; None where the entity has none.

        Args:
            step: None: where it stands.
            real: as it was, whatever is switched off, changed or added.

        Raises:
            EngineError: a sum does not fit into the type of its column; `state_at` has no answer either.
            ValueError: there is no such step.
        """
        with self._lock:
            side = self._branch.real if real else self._branch.own
            row = self._branch.state(self._step if step is None else self._within(step), real=real)
            return fitting(side.tape.columns, row)

    def event(self, step: int | None = None) -> dict[str, Any] | None:
        """Return the event that leads to a step: its envelope, ``effective_at``, ``data`` and ``metadata`` (JSON text).

        ``occurred_at``, ``recorded_at`` and ``effective_at`` are microseconds since 1970, as int; `instant` gives a
        datetime. ``skipped`` tells whether it is switched off, ``error`` why the fold failed at it, or None. None at
        step 0.

        Raises:
            ValueError: there is no such step.
            CorruptFileError: the data file that has the payload is missing or damaged.
        """
        with self._lock:
            number = (self._step if step is None else self._within(step)) - 1
            if number < 0:
                return None
            found = self._branch.envelope(number)
            text, metadata = self.payloads([number])[number]
            error = self._failure(number + 1)
            skipped = found["event_id"] in self._skipped
        told = None if error is None else f"{type(error).__name__}: {error}"
        return {**found, "data": text, "metadata": metadata, "skipped": skipped, "error": told}

    def payloads(self, rows: Iterable[int]) -> dict[int, tuple[str, str | None]]:
        """Return payload and metadata as JSON text, by row (from 0: the event that leads to step row + 1)."""
        with self._lock:
            wanted = list(rows)
            return payloads_of(self._whole_log, self._branch.events, wanted) if wanted else {}

    def matching(self, text: str) -> set[str]:
        """Return the ids of the events that have a text in their id, type, stream or payload, whatever the case."""
        with self._lock:
            return self.entity.matching(self._whole_log, text)

    def diff(self, before: int | str | None = None, after: int | str | None = None) -> list[Change]:
        """List what differs between the states at two steps, each with the event that changed its column last.

        Args:
            before: a step, or the name of a mark; None: the step before ``after``.
            after: likewise; None: where it stands.
        """
        with self._lock:
            last = self._place(after, self._step)
            first = self._place(before, max(0, last - 1))
            found = changes(self.state(first), self.state(last))
            low, high = sorted((first, last))
            by = self._branch.last_changes({str(change.path[0]) for change in found}, low, high)
        return [replace(change, changed_by=by.get(str(change.path[0]))) for change in found]

    def what_if(self, step: int | None = None) -> list[Change]:
        """List what differs at a step between what was and what would be."""
        with self._lock:
            return changes(self.state(step, real=True), self.state(step))

    def skip(self, *event_ids: str) -> ReplaySession:
        """Switch events off; the log is not touched."""
        with self.held():
            for event_id in event_ids:
                self._branch.step_of(event_id)
            return self.switch_off(self._skipped | set(event_ids))

    def switch_off(self, event_ids: Iterable[str]) -> ReplaySession:
        """Switch off exactly these events; ids that are no event of the replay are passed over."""
        return self._change(frozenset(event_ids))

    def restore(self, *event_ids: str) -> ReplaySession:
        """Switch events on again, and take back how they were changed; without arguments: all."""
        with self.held():
            gone = set(event_ids) or self._skipped | self._edits.keys()
            left = {event_id: edit for event_id, edit in self._edits.items() if event_id not in gone}
            return self._change(self._skipped - gone, None if left == self._edits else left)

    def edit(self, event_id: str | None = None, **changed: Any) -> ReplaySession:  # noqa: ANN401  columns of an event
        """Change an event, or add one; the log is not touched.

        Args:
            event_id: the event that is changed; None: one is added, whose ``type`` and ``occurred_at`` must be given.
            changed: columns of the envelope, ``data`` as a dict or JSON text.

        Raises:
            InvalidEventError: such an event could not be stored.
        """
        with self.held():
            if event_id is not None:
                self._branch.step_of(event_id)
            before = {} if event_id is None else self._edits.get(event_id, {})
            beside = self._branch.envelope(max(0, self._step - 1))
            edit = before | edit_of(event_id, changed, beside, {*self._branch.row_of, *self._edits})
            others = {known: each for known, each in self._edits.items() if known != edit["event_id"]}
            return self._change(self._skipped, {**others, edit["event_id"]: edit})  # the last one is the last

    def mark(self, name: str, step: int | None = None) -> ReplaySession:
        """Mark a step by name; None: where it stands."""
        with self.held():
            self._marks[name] = self._step if step is None else self._within(step)
            self._untold = True
        return self

    def find(self, what: Wanted, value: Any = None, *, start: int | None = None, back: bool = False) -> int | None:  # noqa: ANN401
        """Return the next step at which something is, or None.

        Args:
            what: ``"field"``: the value of a column, or of a path such as ``"customer.city"``, changes; ``"type"``: an
                event of this type; ``"failure"``: an event whose type says that something failed, or at which the fold
                does; ``"text"``: an event with this text in its id, type, stream or payload; ``"id"``: the event of
                this id, or that begins with it; ``"instant"``: the last event up to this instant.
            value: what is looked for.
            start: steps after this one, or before it; None: where it stands.
            back: look backwards.

        Raises:
            ValueError: there is no such field, or nothing can be looked for like this.
        """
        with self._lock:
            return find(self, what, value, self._step if start is None else self._within(start), back=back)

    def spec(self) -> dict[str, Any]:
        """Return what makes the same replay again, as JSON can hold it: ``ReplaySession(log, projection, **spec)``."""
        with self._lock:
            found: dict[str, Any] = {"key": list(map(json_ready, self.entity.key)), "step": self._step}
            found |= {"on_error": self._on_error} if self._on_error != "skip" else {}
            found |= {"skipped": sorted(self._skipped)} if self._skipped else {}
            found |= {"edits": [dict(edit) for edit in self._edits.values()]} if self._edits else {}
            found |= {"marks": self.marks} if self._marks else {}
            return found | ({"bookmarks": [list(each) for each in self._bookmarks]} if self._bookmarks else {})

    def refresh(self) -> int:
        """Read what the store holds now; returns how many events came.

        Raises:
            StoreError: the store is gone, or another one is in its place; the replay stays as it was.
        """
        with self.held():
            before = self._real_log, self._real
            self._real_log, self._real = self._newest()
            try:
                self._change(self._skipped, {**self._edits})
            except BaseException:
                self._real_log, self._real = before
                raise
            known, found = before[1], self._real
            self._version += known.columns != found.columns or not known.events.table.equals(found.events.table)
            return len(found) - len(known)

    def _newest(self) -> tuple[Log, Branch]:
        """Read what the store holds now."""
        folder = folder_of(self._real_log)
        try:
            log = as_log(self._given)
            found = self._read(log, self.entity)
        except (EsAnalyticsError, OSError) as error:
            if not folder.exists():
                raise StoreError(str(folder), "it is gone", "put it back, or open it where it is now") from error
            if _opens(folder):
                raise StoreError(str(folder), *_REPLACED) from error
            raise
        if not self._real.row_of.keys() <= found.row_of.keys():
            raise StoreError(str(folder), *_REPLACED)
        return log, found

    def _change(self, skipped: frozenset[str], edits: dict[str, Edit] | None = None) -> ReplaySession:
        """Switch off and change exactly these events; steps stay at their events where others are changed."""
        with self.held():
            kept = self._edits if edits is None else edits
            changed = self._whole_log if edits is None else edited(self._real_log, edits.values())
            entity = self.entity if edits is None else self.entity.on(changed)
            real = self._real if entity is self.entity else self._read(self._real_log, entity)
            known = frozenset(each for each in skipped if each in kept or each in real.row_of)
            left = remaining(self._real_log, changed, kept.keys(), known)
            stop = self._on_error == "stop"
            branch = branch_of(real, changed if kept else None, left, entity, known, stop=stop)
            before = branch if edits is None else self._branch
            self._version += kept != self._edits
            self.entity, self._real, self._branch = entity, real, branch
            self._whole_log, self._log = changed, left
            self._edits, self._skipped = kept, known & branch.row_of.keys()
            self._step = _followed(self._step, before, branch)
            self._marks = {name: _followed(step, before, branch) for name, step in self._marks.items()}
            self._bookmarks = [(_followed(step, before, branch), label) for step, label in self._bookmarks]
            self._untold = True
        return self

    def _read(self, log: Log, entity: Entity) -> Branch:
        return real_branch(log, entity, stop=self._on_error == "stop")

    def _failure(self, step: int) -> Exception | None:
        """Return why the fold failed at the event that leads to a step."""
        try:
            self.state(step)
        except EngineError as error:
            return error
        return self._branch.error(step - 1)

    def _place(self, step: int | str | None, otherwise: int) -> int:
        if step is None:
            return otherwise
        if isinstance(step, str):
            if step not in self._marks:
                raise ValueError(f"no mark {step!r}; there is {', '.join(self._marks) or 'none: set one with mark'}")
            return self._marks[step]
        return self._within(step)

    def _within(self, step: int) -> int:
        if not 0 <= step <= len(self):
            raise ValueError(f"no step {step}; the replay has steps 0 to {len(self)}")
        return int(step)

    def _raise_first(self) -> None:
        self.state(len(self))
        for row in range(len(self)):
            error = self._branch.error(row)
            if error is not None:
                event = self._branch.envelope(row)
                where = [event[name] for name in ("service", "stream_id", "position", "event_id", "type")]
                reason = f"raised {type(error).__name__}: {error}"
                found = (self.entity.definition.name, *where, self.instant(row + 1), reason, _REMEDY)
                raise ReducerError(*found) from error


def _followed(step: int, before: Branch, after: Branch) -> int:
    """Return the step that stands at the same event as a step did before; one within bounds where it is gone."""
    if not 0 < step <= len(before):
        return min(step, len(after))
    return after.row_of.get(before.events.ids[step - 1], min(step, len(after)) - 1) + 1


def _opens(folder: Path) -> bool:
    """Tell whether a store is there that can be opened anew."""
    try:
        Store.open(folder).close()
    except (EsAnalyticsError, OSError):
        return False
    return True


def in_words(session: ReplaySession) -> str:
    """Say in a line what is replayed, and where it stands."""
    with session.held():
        title, size = session.entity.title, len(session)
        if not size:
            return f"{title}: no events"
        days = [iso(day)[:10] for step in (1, size) if (day := session.instant(step)) is not None]
        event, off = session.event(), len(session.skipped)
        at = "before the first" if event is None else f"at {session.step} {event['type']}"
        told = [f"{size:,} {'event' if size == 1 else 'events'}", "..".join(dict.fromkeys(days)), at]
        told += [f"what-if: {off} off"] if off else []
        told += [f"the fold fails there: {event['error']}"] if event and event["error"] else []
        return f"{title}: {', '.join(told)}"
