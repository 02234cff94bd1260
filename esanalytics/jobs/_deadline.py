"""How long a run may take: what is computed when the time is over is stopped."""

from __future__ import annotations

import datetime as dt
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from esanalytics.errors import JobTimeoutError

if TYPE_CHECKING:
    from esanalytics.engines import Interruptible

__all__ = ["Deadline"]

_AGAIN = 0.2


class Deadline:
    """The end of the time that a job has for a window; use it as a context manager."""

    def __init__(self, job: str, timeout: dt.timedelta) -> None:
        """Begin to count.

        Args:
            job: its name.
            timeout: how long it has.
        """
        self._job = job
        self._seconds = timeout.total_seconds()
        self._until = time.monotonic() + self._seconds
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
            raise JobTimeoutError(self._job, self._seconds)

    def __enter__(self) -> Self:
        threading.Thread(target=self._stop, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._busy = None
        if isinstance(error, Exception) and not self.left:
            raise JobTimeoutError(self._job, self._seconds) from error

    def _stop(self) -> None:
        """Interrupt again and again, for what is watched may not have begun."""
        self._over.wait(self.left)
        while not self._over.wait(_AGAIN):
            busy = self._busy
            if busy is not None:
                with suppress(Exception):  # it may be closed by now
                    busy.interrupt()
