"""A fold that can be asked for any step: it keeps what it had every so many events, and goes on from there."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from esanalytics.analysis._acts import Acts, Column, Values, acted, shown
from esanalytics.analysis._changes import Row, same
from esanalytics.projections import Reducer, beginning, delete
from esanalytics.reducing import Event, parts_of

__all__ = ["EVERY", "ActsStepper", "Fold", "ReducerStepper", "Stepper"]

EVERY = 256
"""Events from one kept state to the next."""


class Stepper(Protocol):
    """What a fold does at each event. States are opaque; None is the beginning, and what a delete leaves."""

    def after(self, state: Any, row: int) -> Any:  # noqa: ANN401  a state
        """Return the state after the event of a row; may change the state in place."""

    def kept(self, state: Any) -> Any:  # noqa: ANN401  a state
        """Return a state that does not change when the fold goes on from the one given."""

    def shown(self, state: Any) -> Row:  # noqa: ANN401  a state
        """Return a state as a row."""

    def changed(self, before: Any, after: Any, row: int) -> Iterable[str]:  # noqa: ANN401  states
        """Name the columns that the event of a row changed."""


class ActsStepper:
    """Steps through acts."""

    def __init__(self, columns: Sequence[Column], acts: Sequence[Acts]) -> None:
        self._columns = columns
        self._acts = acts

    def after(self, state: Values | None, row: int) -> Values | None:
        """Return the values after the event of a row."""
        return acted(self._columns, state, self._acts[row])

    def kept(self, state: Values | None) -> Values | None:
        """Return the values: they never change."""
        return state

    def shown(self, state: Values | None) -> Row:
        """Return the values as a row."""
        return shown(self._columns, state)

    def changed(self, before: Values | None, after: Values | None, row: int) -> Iterable[str]:
        """Name the columns that the event of a row changed."""
        acts = self._acts[row]
        if before is after or acts is None:
            return
        touched: Iterable[int] = range(len(self._columns))
        if before is not None and not isinstance(acts, str):
            touched = {number for number, _, _ in acts}
        for number in touched:
            old, new = (None if values is None else values[number] for values in (before, after))
            if not same(old, new):
                yield self._columns[number].name


class _Lent(Event):
    """An event whose payload and metadata are copies, made when somebody looks at them."""

    __slots__ = ("_whole",)

    def __init__(self, whole: Event) -> None:
        self._whole = whole
        self.type = whole.type

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  called once for each column that is looked at
        if name == "_whole":  # it is being copied itself
            raise AttributeError(name)
        value = getattr(self._whole, name)
        if name in {"data", "metadata"}:
            value = copy.deepcopy(value)
        setattr(self, name, value)
        return value


class ReducerStepper:
    """Steps through the events of one stream with a Python function.

    Args:
        reducer: the function.
        events: by row.
    """

    def __init__(self, reducer: Reducer, events: Sequence[Event]) -> None:
        self._reducer = reducer
        self._initial = beginning(reducer)
        self._events = events

    def after(self, state: Any, row: int) -> Any:  # noqa: ANN401  the user's own type
        """Return what the function makes of a state and the event of a row, whose payload it may keep and change."""
        before = self._initial() if state is None else state
        found = self._reducer.function(before, _Lent(self._events[row]))
        if found is None:
            raise TypeError("it returned None instead of the state; return the state, or ea.delete to end it")
        return None if found is delete else found

    def kept(self, state: Any) -> Any:  # noqa: ANN401  the user's own type
        """Return a copy: the function may change a state in place."""
        return copy.deepcopy(state)

    def shown(self, state: Any) -> Row:  # noqa: ANN401  the user's own type
        """Return a state as a row."""
        return None if state is None else dict(copy.deepcopy(parts_of(state)))

    def changed(self, before: Any, after: Any, row: int) -> Iterable[str]:  # noqa: ANN401, ARG002  the user's own type
        """Name the columns that the event of a row changed."""
        old, new = ({} if state is None else parts_of(state) for state in (before, after))
        return [name for name in {**old, **new} if not same(old.get(name), new.get(name))]


class Fold:
    """The states of one entity, step by step.

    Step 0 is before all events, step n after the first n of the order. A row at which the stepper fails is passed
    over: the state stays as it was, and ``errors`` tells.

    Args:
        stepper: what happens at an event.
        order: the rows in the order of the fold; those that do not count are left out.
        stop: after the first failure nothing counts.
    """

    def __init__(self, stepper: Stepper, order: Sequence[int | None], *, stop: bool = False) -> None:
        self.errors: dict[int, Exception] = {}
        self._stepper = stepper
        self._order = order
        self._stop = stop
        self._kept: list[Any] = [None]
        self._last: tuple[int, Any] = (0, None)
        self._failed = len(order)

    def state(self, step: int) -> Row:
        """Return the row after so many events; None: there is none."""
        return self._stepper.shown(self._at(step))

    def changed(self) -> dict[str, list[int]]:
        """Return for each column the steps at which it changed, in order."""
        found: dict[str, list[int]] = {}
        before = None
        for number, row in enumerate(self._order):
            if row is None or not self._counts(number):
                continue
            try:
                after = self._stepper.after(self._stepper.kept(before), row)
            except Exception as error:  # noqa: BLE001  whatever the user's function raises
                self._fail(number, error)
                continue
            for name in self._stepper.changed(before, after, row):
                found.setdefault(name, []).append(number + 1)
            before = after
        return found

    def _at(self, step: int) -> Any:  # noqa: ANN401  a state
        nearest = min(step // EVERY, len(self._kept) - 1)
        number, state = self._last
        if not nearest * EVERY <= number <= step:
            number, state = nearest * EVERY, self._stepper.kept(self._kept[nearest])
        self._last = (0, None)  # what is cut short may leave a state half changed
        while number < step:
            state = self._after(state, number)
            number += 1
            if number == len(self._kept) * EVERY:
                self._kept.append(self._stepper.kept(state))
        self._last = (step, state)
        return state

    def _after(self, state: Any, number: int) -> Any:  # noqa: ANN401  a state
        row = self._order[number]
        if row is None or not self._counts(number):
            return state
        try:
            return self._stepper.after(state, row)
        except Exception as error:  # noqa: BLE001  whatever the user's function raises
            self._fail(number, error)
            return self._again(number)

    def _counts(self, number: int) -> bool:
        """Tell whether an event has not failed, and comes after none that stopped the fold."""
        return self._order[number] not in self.errors and not (self._stop and number > self._failed)

    def _fail(self, number: int, error: Exception) -> None:
        row = self._order[number]
        if row is not None:
            self.errors[row] = error
            self._failed = min(self._failed, number)

    def _again(self, number: int) -> Any:  # noqa: ANN401  a state
        """Return the state before an event at which the stepper failed, which may have changed it."""
        nearest = number // EVERY
        state = self._stepper.kept(self._kept[nearest])
        for earlier in range(nearest * EVERY, number):
            state = self._after(state, earlier)
        return state
