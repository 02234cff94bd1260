"""The reducer: state as a Python function of the state before and an event."""

from __future__ import annotations

import copy
import datetime as dt
import importlib
import inspect
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, get_args

from esanalytics.errors import ProjectionError, UnsupportedError

__all__ = ["OnError", "Reducer", "beginning", "reducer"]

OnError = Literal["raise", "set_aside"]

_IMMUTABLE = (type(None), bool, int, float, str, bytes, Decimal, dt.datetime, dt.date)


@dataclass(frozen=True, slots=True, eq=False)
class Reducer:
    """A Python function that says what the state of a stream is after an event; made with `reducer`.

    Calling it calls the function, so that it can be tested without a store. It pickles by its name in its module,
    as functions do.

    Attributes:
        name: what it is called.
        function: takes the state before and the event, returns the state after.
        initial: the state before the first event; or a function without arguments that makes it.
        on_error: what to do with a stream at which the function fails.
        processes: over how many processes the streams are spread.

    Raises:
        ProjectionError: it says something that has no meaning.
        UnsupportedError: an unknown ``on_error``.
    """

    name: str
    function: Callable[[Any, Any], Any]
    initial: Any
    on_error: OnError = "raise"
    processes: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            reason = "the name of a reducer is a text"
            raise ProjectionError(str(self.name), reason, "write @ea.reducer('document', initial={})")
        if not callable(self.function) or not _takes_two(self.function):
            raise ProjectionError(self.name, "no function of a state and an event", "write def f(state, event): …")
        if self.on_error not in get_args(OnError):
            options = " or ".join(repr(option) for option in get_args(OnError))
            raise UnsupportedError(f"on_error={self.on_error!r}", f"give {options}")
        if not isinstance(self.processes, int) or isinstance(self.processes, bool) or self.processes < 1:
            raise ProjectionError(self.name, f"processes={self.processes!r}", "give a whole number from 1")
        _copied(self.name, self.initial)

    def __call__(self, state: Any, event: Any) -> Any:  # noqa: ANN401  the user's own types
        """Return the state after an event."""
        return self.function(state, event)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        module, name = self.function.__module__, self.function.__qualname__
        if not _importable(self, module, name):
            what = f"reducer {self.name!r} cannot be found as {module}.{name}"
            raise pickle.PicklingError(f"{what}; define it at the top of a module, under the name of its function")
        return _found, (module, name)


def reducer(
    name: str,
    *,
    initial: Any,  # noqa: ANN401  the user's own type
    on_error: OnError = "raise",
    processes: int = 1,
) -> Callable[[Callable[[Any, Any], Any]], Reducer]:
    """Make a definition of state out of a Python function ``(state, event) -> state``.

    The events of each stream ``(service, stream_id)`` go through the function in the one order: ``effective_at``,
    version, position. ``event`` has the envelope's columns and ``effective_at`` as attributes, ``data`` and
    ``metadata`` as dicts. A state that is a mapping or a dataclass gives a row with a column for each of its
    keys, any other state a column ``state``. Returning ``ea.delete`` ends the entity; a later event begins it anew
    with ``initial``. The function may change the state in place, but has to return it.

    Args:
        name: what the reducer is called.
        initial: the state before the first event, copied for each stream; or a function without arguments.
        on_error: ``"raise"`` stops at the first error; ``"set_aside"`` leaves out the streams that have one, and
            warns at the end.
        processes: spread the streams over so many processes. Then the function must be importable: defined at
            the top of a module, not in a notebook.

    Raises:
        ProjectionError: an argument has no meaning.
        UnsupportedError: an unknown ``on_error``.

    Example:
        >>> @reducer("balance", initial={"cents": 0})
        ... def balance(state, event):
        ...     state["cents"] += event.data["cents"] if event.type == "Paid" else 0
        ...     return state
    """

    def made(function: Callable[[Any, Any], Any]) -> Reducer:
        return Reducer(name, function, initial, on_error, processes)

    return made


def beginning(definition: Reducer) -> Callable[[], Any]:
    """Return what makes the state before the first event of a stream, each time a state of its own."""
    initial = definition.initial
    if callable(initial):
        return lambda: initial()  # noqa: PLW0108  typed, whatever it is
    if isinstance(initial, _IMMUTABLE):
        return lambda: initial
    if type(initial) is dict and all(isinstance(value, _IMMUTABLE) for value in initial.values()):
        return initial.copy
    return lambda: copy.deepcopy(initial)


def _copied(name: str, initial: Any) -> None:  # noqa: ANN401  the user's own type
    if callable(initial):
        return
    try:
        copy.deepcopy(initial)
    except Exception as error:
        reason = f"its initial state cannot be copied for each stream ({error})"
        raise ProjectionError(name, reason, "give a function that makes it: initial=lambda: …") from error


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # a built-in function that does not tell
        return True
    return True


def _importable(definition: Reducer, module: str, name: str) -> bool:
    """Tell whether another process finds the reducer under this name."""
    there = sys.modules.get(module)
    if module == "__main__" and not hasattr(there, "__file__"):
        return False
    try:
        return there is not None and _found(module, name) is definition
    except AttributeError:
        return False


def _found(module: str, name: str) -> Any:  # noqa: ANN401  whatever has the name
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
