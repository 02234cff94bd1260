"""How a run ends: what is printed, and the exit code."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click

from esanalytics.errors import EsAnalyticsError, StoreNotFoundError

__all__ = ["Failure", "Unheard", "ended", "interrupted_as", "say", "terminated"]

_FAILED, _INTERRUPTED = 1, 130
_QUERY_INTERRUPTED = "Query interrupted"
"""What DuckDB raises as a RuntimeError in place of KeyboardInterrupt."""
_GRACE = 1.0
"""Seconds in which an interrupted run may end by itself."""
_LAST_WORDS = {"interrupted": b"interrupted\n"}
"""What is said of a run that does not end by itself."""
_CODES = {signal.SIGINT: _INTERRUPTED, signal.SIGTERM: _INTERRUPTED}
"""What a run ends with that does not end by itself; signals are the whole process's, and so is this."""

_WORDS = (
    (re.compile(r"open it with Store\.open"), "use it as it is"),
    (re.compile(r"on_invalid='quarantine'"), "--on-invalid quarantine"),
    (re.compile(r"upgrade with: "), "run: "),
    (re.compile(r"log\.sql takes"), "sql takes"),
    (re.compile(r"ask state_at, diff or bisect"), "ask state, diff or bisect"),
    (re.compile(r"load files with store\.append"), "load files with esanalytics ingest"),
    (re.compile(r"append events first"), "ingest events first"),
)
"""What the library says to Python, as it is said to a shell."""


class Failure(click.ClickException):
    """Something that is nobody's mistake in calling the program, such as a full disk."""

    exit_code = _FAILED


class Unheard(Exception):  # noqa: N818  nothing went wrong
    """Nobody reads stdout any more, as in ``| head``."""


def say(text: str) -> None:
    """Tell the user something that is not the answer."""
    click.echo(text, err=True)


def ended(run: Callable[[], object]) -> int:
    """Run, print what went wrong, and return the exit code."""
    try:
        with _prompt_interrupts(), _told_warnings():
            found = run()
    except (click.ClickException, EsAnalyticsError) as error:
        return _misused(error) if isinstance(error, click.UsageError) else _failed(_text(error))
    except Unheard:
        return _unheard()
    except (KeyboardInterrupt, RuntimeError) as error:  # click's Abort is the latter
        if not isinstance(error, KeyboardInterrupt | click.Abort) and str(error) != _QUERY_INTERRUPTED:
            raise
        say("interrupted")
        return _INTERRUPTED
    return found if isinstance(found, int) else 0


def _text(error: Exception) -> str:
    found = _reworded(error) if isinstance(error, EsAnalyticsError) else str(error)
    return "\n".join([found, *getattr(error, "__notes__", ())])


def _reworded(error: EsAnalyticsError) -> str:
    """Say it as one says it to a shell."""
    if isinstance(error, StoreNotFoundError):
        path, *rest = error.args
        reason = f" ({rest[0]})" if rest else ""
        return f"no store at {str(path)!r}{reason}; make one with: esanalytics init {shlex.quote(str(path))}"
    found = str(error).rstrip()
    for pattern, words in _WORDS:
        found = pattern.sub(words, found)
    return found


def _failed(text: str) -> int:
    say(f"error: {text}")
    return _FAILED


def _misused(error: click.UsageError) -> int:
    if error.format_message().startswith("Usage:"):  # called with nothing: the help is all there is to say
        say(error.format_message())
        return error.exit_code
    if error.ctx is not None:
        say(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help.\n")
    say(f"error: {error.format_message()}")
    return error.exit_code


def _unheard() -> int:
    """End quietly; what is still held must not be written at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


@contextmanager
def terminated() -> Iterator[threading.Event]:
    """Let SIGTERM be a good end, with code 0, of what would go on for ever; give what tells whether it came.

    In the block, SIGTERM is to raise KeyboardInterrupt; that is swallowed.
    """
    asked = threading.Event()
    _CODES[signal.SIGTERM] = 0
    try:
        yield asked
    except KeyboardInterrupt:
        if not asked.is_set():
            raise
    finally:
        _CODES[signal.SIGTERM] = _INTERRUPTED


@contextmanager
def interrupted_as(words: str) -> Iterator[None]:
    """Say this of a run that does not end by itself when it is interrupted in the block."""
    before = _LAST_WORDS["interrupted"]
    _LAST_WORDS["interrupted"] = f"{words}\n".encode()
    try:
        yield
    finally:
        _LAST_WORDS["interrupted"] = before


@contextmanager
def _told_warnings() -> Iterator[None]:
    """Say warnings as messages are said, without the line of code that they come from."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: say(f"warning: {message}")
        yield


@contextmanager
def _prompt_interrupts() -> Iterator[None]:
    """End within a second of Ctrl-C, or SIGTERM, also where a query does not look at signals until it is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)


def _watch(reading: int) -> None:
    while arrived := os.read(reading, 1):  # SIGTERM is told of only where somebody handles it
        if arrived[0] not in _CODES:
            continue
        ready, _, _ = select.select([reading], [], [], _GRACE)
        if ready and not os.read(reading, 1):
            break
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _LAST_WORDS["interrupted"])
        os._exit(_CODES[signal.Signals(arrived[0])])
    os.close(reading)
