"""Alignment: which step of one replay belongs to which of another, and what differs between their states there."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from esanalytics.analysis._asking import choice
from esanalytics.analysis._branch import Branch
from esanalytics.analysis._changes import Kind, Row, changes
from esanalytics.analysis._session import ReplaySession

__all__ = ["Align", "BesideRow", "aligned", "beside_rows", "since_first"]

Align = Literal["step", "time", "type"]
"""By what two replays are aligned: the count of events, the time since the first, the types of events."""


@dataclass(frozen=True, slots=True)
class BesideRow:
    """One value that differs between two rows.

    Attributes:
        path: the column, then keys and list indexes (from 0) into its value.
        left: the value on the left; None where there is none.
        right: the value on the right; None where there is none.
        kind: ``"added"``: only the right has a value; ``"removed"``: only the left has; ``"changed"``: both have.
        delta: the right less the left, where both are numbers; else None.
    """

    path: tuple[str | int, ...]
    left: Any
    right: Any
    kind: Kind
    delta: Any = None


def aligned(left: ReplaySession, right: ReplaySession, by: Align) -> list[int]:
    """Return for every step of the left, from 0 to ``len(left)``, the step of the right that belongs to it.

    The steps never decrease, and step 0 belongs to step 0. Events that are switched off keep their step, their time and
    their type.

    Args:
        left: whose steps are asked for.
        right: whose steps are given.
        by: ``"step"``: the same step, or the last where the right has fewer events. ``"time"``: the last step of the
            right at which no more time has passed since its own first event than has on the left; of events of one
            instant that is the last, so that a replay beside itself stands after all of them. ``"type"``: the furthest
            that any event of the left so far leads to, where the n-th event of a type leads to the right's n-th event
            of that type, and nowhere if the right has no n-th.

    Raises:
        ValueError: ``by`` is none of these.

    Example:
        >>> aligned(one, other, "type")[one.step]  # doctest: +SKIP
        5
    """
    choice("by", by, get_args(Align))
    return _ALIGNED[by](left.branch, right.branch)


def since_first(session: ReplaySession, step: int) -> int | None:
    """Return how long after the first event a step is, in microseconds; None at step 0."""
    branch = session.branch
    return branch.instant(step - 1) - branch.instant(0) if 0 < step <= len(branch) else None


def beside_rows(left: Row, right: Row) -> list[BesideRow]:
    """List what differs between the rows of two entities, in the order of the columns; no row has no columns."""
    found = []
    for change in changes(left, right):
        delta = None
        with contextlib.suppress(ArithmeticError):  # numbers of which no difference can be told, such as 10**400 - 0.5
            delta = change.delta
        found.append(BesideRow(change.path, change.before, change.after, change.kind, delta))
    return found


def _by_step(left: Branch, right: Branch) -> list[int]:
    return [min(step, len(right)) for step in range(len(left) + 1)]


def _by_time(left: Branch, right: Branch) -> list[int]:
    return [0, *np.searchsorted(_offsets(right), _offsets(left), "right").tolist()]


def _offsets(branch: Branch) -> npt.NDArray[np.int64]:
    return branch.instants - branch.instants[:1]


def _by_type(left: Branch, right: Branch) -> list[int]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for step, type_ in enumerate(right.types, 1):
        places[type_].append(step)
    seen: Counter[str] = Counter()
    reached = [0]
    for type_ in left.types:
        steps, nth = places.get(type_, ()), seen[type_]
        reached.append(steps[nth] if nth < len(steps) else 0)
        seen[type_] += 1
    return list(accumulate(reached, max))


_ALIGNED = {"step": _by_step, "time": _by_time, "type": _by_type}
