"""One run of a job at a time; the lock dies with its process."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from esanalytics.errors import LockedError

try:
    import fcntl
except ImportError:  # not a POSIX system: whoever schedules has to see to it
    fcntl = None  # type: ignore[assignment]

__all__ = ["locked"]

_PAUSE = 0.1


@contextlib.contextmanager
def locked(folder: Path, job: str, wait: dt.timedelta | None = None) -> Iterator[None]:
    """Hold the lock of a job.

    Args:
        folder: where locks are; made where it is not there.
        job: its name.
        wait: for how long to wait for another process; None: not at all.

    Raises:
        LockedError: another process has it; the error says which.
        OSError: the folder may not be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f"{job}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _take(descriptor, job, time.monotonic() + (wait.total_seconds() if wait else 0))
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, job: str, until: float) -> None:
    while fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= until:
                raise LockedError(job, _owner(descriptor)) from error
            time.sleep(_PAUSE)
        else:
            return


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    text = f"process {os.getpid()} on {socket.gethostname()} since {dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    os.pwrite(descriptor, text.encode(), 0)


def _owner(descriptor: int) -> str:
    return os.pread(descriptor, 500, 0).decode(errors="replace")
