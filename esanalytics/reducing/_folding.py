"""The loop: events go through a reducer, rows come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from esanalytics.errors import ReducerError
from esanalytics.projections import Reducer, beginning, delete
from esanalytics.reducing._events import Event, Page
from esanalytics.reducing._rows import Rows, Written
from esanalytics.reducing._values import Unfit

__all__ = ["Folding", "Outcome"]

_NOTHING: Any = object()
_MARKED = ("service", "stream_id", "effective_at", "version", "position", "event_id", "type")
_AT = _MARKED.index("effective_at")
_NO_STATE = "returned None instead of the state"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of folding some streams.

    Attributes:
        written: their rows.
        failed: how many streams were set aside.
        error: the first error of these.
    """

    written: Written
    failed: int
    error: ReducerError | None


class Folding:
    """Folds streams, one after the other."""

    def __init__(self, definition: Reducer, rows: Rows, *, every: bool) -> None:
        self._failed = 0
        self._error: ReducerError | None = None
        self._definition = definition
        self._rows = rows
        self._every = every
        self._initial = beginning(definition)
        self._key: tuple[str, str] | None = None
        self._state: Any = _NOTHING
        self._event: Event | None = None
        self._broken = False

    def run(self, pages: Iterable[Page], progress: Callable[[int], object]) -> Outcome:
        """Fold all pages.

        Raises:
            ReducerError: the reducer failed, and that is to be raised.
        """
        for page in pages:
            self._fold(page)
            progress(page.size)
        self._end()
        return Outcome(self._rows.close(), self._failed, self._error)

    def _fold(self, page: Page) -> None:
        """Fold a page; what runs once per event is written to be short, not split further."""
        function, initial, state = self._definition.function, self._initial, self._state
        service, stream = self._key or (None, None)
        marks = page.stored(_MARKED) if self._every else None
        kinds = zip(page["service"], page["stream_id"], page["type"], strict=True)
        for row, (its_service, its_stream, type_) in enumerate(kinds):
            if its_stream != stream or its_service != service:
                self._state = state
                self._end()
                service, stream = self._key = its_service, its_stream
                state = _NOTHING
            elif self._broken:
                continue
            elif marks is not None:
                self._rows.follow(marks[row][_AT])
            event = self._event = Event(type_, page, row)
            try:
                state = function(initial() if state is _NOTHING else state, event)
            except Exception as error:  # noqa: BLE001  whatever the user's function raises
                self._fail(f"raised {type(error).__name__}: {error}", None, error)
                continue
            if state is None or state is delete:
                state = self._ended(state)
            if marks is not None and not self._broken:
                self._add(marks[row], state)
        self._state = state

    def _ended(self, state: object) -> Any:  # noqa: ANN401  a state
        if state is None:
            self._fail(_NO_STATE, "return the state, or ea.delete to end it", None)
        return _NOTHING

    def _end(self) -> None:
        """End the stream: give its row, where there is one per stream."""
        if self._key is not None and not self._broken:
            if self._every:
                self._rows.follow(None)
            elif self._state is not _NOTHING:
                self._add(self._key, self._state)
        self._rows.begin()
        self._broken, self._state = False, _NOTHING

    def _add(self, mark: tuple[Any, ...], state: Any) -> None:  # noqa: ANN401  the user's own type
        """Add a row for a state."""
        live = state is not _NOTHING
        try:
            row = self._rows.admit(state) if live else {}
        except Unfit as error:
            self._fail(error.args[0], error.args[1], error.__cause__)
            return
        self._rows.add((*mark, live) if self._every else mark, row)

    def _fail(self, reason: str, remedy: str | None, cause: BaseException | None) -> None:
        """Stop, or set the stream aside."""
        event = self._event
        if event is None:
            return
        where = (event.service, event.stream_id, event.position, event.event_id, event.type, event.effective_at)
        error = ReducerError(self._definition.name, *where, reason, *([remedy] if remedy else []))
        error.__cause__ = cause
        if self._definition.on_error == "raise":
            raise error
        self._rows.drop((event.service, event.stream_id))
        self._broken = True
        self._failed += 1
        self._error = self._error or error
