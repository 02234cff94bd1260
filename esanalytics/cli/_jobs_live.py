"""A line at the bottom of a terminal that tells what is being run, and for how long."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

__all__ = ["Live"]

_CLEAR = "\r\x1b[K"


class Live:
    """Draws the line again each second; lines that stay are written above it. Use it as a context manager."""

    def __init__(self, write: Callable[[str], None], *, every: float = 1.0) -> None:
        """Take a terminal.

        Args:
            write: writes text to it, as it is, and at once.
            every: how many seconds to wait before the line is drawn again.
        """
        self._write = write
        self._every = every
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._line = ""
        self._since = 0.0

    def show(self, line: str) -> None:
        """Show this from now on."""
        with self._lock:
            self._line, self._since = line, time.monotonic()
            self._draw()

    def say(self, line: str) -> None:
        """Write a line that stays; what was shown is over."""
        with self._lock:
            self._line = ""
            self._write(f"{_CLEAR}{line}\n")

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with self._lock:
            self._line = ""
            self._write(_CLEAR)

    def _run(self) -> None:
        while not self._over.wait(self._every):
            with self._lock:
                if self._line:
                    self._draw()

    def _draw(self) -> None:
        """Draw the line, no longer than the terminal is wide: else it could not be drawn over."""
        passed = time.monotonic() - self._since
        told = f"{self._line} {passed:.0f}s" if passed >= 1 else self._line
        self._write(_CLEAR + told[: shutil.get_terminal_size().columns - 1])
