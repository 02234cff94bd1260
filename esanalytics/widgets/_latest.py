"""Work of which only the latest matters: what is asked for while some is done replaces what was asked for before."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Latest"]

T = TypeVar("T")


class Latest(Generic[T]):
    """One worker, which lives as long as there is work.

    Args:
        work: is called with what was asked for last, in a thread, never twice at the same time.
        failed: is called with what it raised.
    """

    def __init__(self, work: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        self._work = work
        self._failed = failed
        self._changed = threading.Condition()
        self._wanted: list[T] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, wanted: T) -> None:
        """Ask for something, instead of whatever waits; nothing happens after `close`."""
        with self._changed:
            if self._closed:
                return
            self._wanted = [wanted]
            if self._thread is None:
                context = contextvars.copy_context()  # a kernel knows by it which cell asked
                self._thread = threading.Thread(
                    target=context.run, args=(self._run,), daemon=True, name="esanalytics-latest"
                )
                self._thread.start()

    @property
    def newer(self) -> bool:
        """Whether something else waits already."""
        return bool(self._wanted)

    def wait(self, seconds: float = 10.0) -> bool:
        """Wait until nothing is left to do; tell whether that came."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, seconds)

    def close(self) -> None:
        """Forget what waits, and wait for what is being done."""
        with self._changed:
            self._closed = True
            self._wanted = []
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(10)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._wanted:
                    self._thread = None
                    self._changed.notify_all()
                    return
                wanted = self._wanted.pop()
            try:
                self._work(wanted)
            except Exception as error:  # noqa: BLE001  whatever it is, it is told, and the next is drawn
                if not self._closed:
                    self._failed(error)
