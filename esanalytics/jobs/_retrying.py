"""Trying again what may go better by itself, for as long as there is time."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from typing import Protocol

from esanalytics.errors import EsAnalyticsError, JobError
from esanalytics.jobs._deadline import Deadline
from esanalytics.jobs._file import Ingest, Job
from esanalytics.jobs._values import Outcome

__all__ = ["is_transient", "retried"]

_TRANSIENT = frozenset(("EIO", "ESTALE", "ETIMEDOUT", "EAGAIN", "EBUSY", "ENETUNREACH", "EHOSTUNREACH"))


class Waiting(Protocol):
    """Is told of a pause before the next attempt."""

    def __call__(self, outcome: Outcome, attempt: int, seconds: float) -> None:
        """Take the outcome of an attempt that may go better."""


def retried(
    job: Job | Ingest,
    attempt: Callable[[int], Outcome],
    *,
    deadline: Deadline,
    waiting: Waiting,
    pause: Callable[[float], None],
) -> Outcome:
    """Run attempts, numbered from 1, until one ends well, or another one would not help or come too late.

    Args:
        job: says how often, and how long the first pause is; each pause is about twice the one before.
        attempt: runs one; what goes wrong is in the outcome.
        deadline: of all attempts together.
        waiting: is told of each pause.
        pause: waits for some seconds.
    """
    for number in range(1, job.retries + 2):
        outcome = attempt(number)
        wait = job.backoff.total_seconds() * 2 ** (number - 1) * random.uniform(0.5, 1.5)  # noqa: S311  no secret
        last = number > job.retries or wait >= deadline.left
        if outcome.error is None or last or not is_transient(outcome.error):
            break
        waiting(outcome, number, round(wait, 1))
        pause(wait)
    return outcome


def is_transient(error: BaseException) -> bool:
    """Tell whether something may go better the next time, without anybody mending anything."""
    if isinstance(error, JobError):
        return bool(error.transient)
    if isinstance(error, EsAnalyticsError):
        return isinstance(error.__cause__, OSError) and is_transient(error.__cause__)
    return isinstance(error, OSError) and errno.errorcode.get(error.errno or 0) in _TRANSIENT
