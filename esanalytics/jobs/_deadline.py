"""How long a run may take: what is computed when the time is over is stopped."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from esanalytics.errors import JobTimeoutError

if TYPE_CHECKING:
    from esanalytics.engines import Interruptible

__all__ = ["Deadline"]

_AGAIN = 0.2
_GRACE = 5.0
"""How many seconds a run has to end by itself, once it is stopped."""


class Deadline:
    """The end of the time that a job has for a window; use it as a context manager, once for each attempt."""

    def __init__(
        self, job: str, timeout: dt.timedelta, overdue: Callable[[JobTimeoutError], object] | None = None
    ) -> None:
        """Begin to count.

        Args:
            job: its name.
            timeout: how long it has.
            overdue: is called, from another thread, some seconds after the time is over, where what is run cannot be
                stopped; None: it ends when it ends.
        """
        self._job = job
        self._seconds = timeout.total_seconds()
        self._until = time.monotonic() + self._seconds
        self._overdue = overdue
        self._over = threading.Event()
        self._busy: Interruptible | None = None

    @property
    def left(self) -> float:
        """How many seconds there are; none when it is over."""
        return max(0.0, self._until - time.monotonic())

    def watch(self, busy: Interruptible) -> None:
        """Stop this when the time is over; in the place of what was watched before."""
        self._busy = busy

    def check(self) -> None:
        """Go on only while there is time.

        Raises:
            JobTimeoutError: it is over.
        """
        if not self.left:
            raise self._error

    def __enter__(self) -> Self:
        self._over = threading.Event()
        threading.Thread(target=self._stop, args=(self._over,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._busy = None
        if isinstance(error, Exception) and not self.left:
            raise self._error from error

    @property
    def _error(self) -> JobTimeoutError:
        return JobTimeoutError(self._job, self._seconds)

    def _stop(self, over: threading.Event) -> None:
        """Interrupt again and again, for what is watched may not have begun; in the end, give up waiting."""
        over.wait(self.left)
        last = time.monotonic() + _GRACE
        while not over.wait(_AGAIN):
            busy = self._busy
            if busy is not None:
                with suppress(Exception):  # it may be closed by now
                    busy.interrupt()
            if self._overdue is not None and time.monotonic() > last:
                self._overdue(self._error)
                return
