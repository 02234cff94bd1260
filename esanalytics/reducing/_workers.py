"""A reducer in several processes, each with a part of the streams and an engine of its own."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from esanalytics.engines import DuckDB
from esanalytics.errors import EngineError, UnsupportedError
from esanalytics.projections import Reducer
from esanalytics.reducing._folding import Folding, Outcome
from esanalytics.reducing._reading import Reading
from esanalytics.reducing._rows import Rows

__all__ = ["in_processes"]

_NO_MODULE = "put it at the top of a module (a .py file), or run it with processes=1"
_NO_ANSWER = (
    "a process of reducer {!r} ended without an answer (exit code {}); put the code that starts it under "
    "if __name__ == '__main__':, or give it more memory, or run it with processes=1"
)


@dataclass(frozen=True, slots=True)
class _Task:
    """What one process does; it pickles."""

    definition: Reducer
    reading: Reading
    settings: tuple[str | None, int | None, str | None]
    folder: str
    every: bool
    part: int


@dataclass(frozen=True, slots=True)
class _Failure:
    """An error on its way to the process that waits for the answer: pickling would lose its cause."""

    error: Exception
    cause: BaseException | None


def in_processes(
    definition: Reducer,
    reading: Reading,
    engine: DuckDB,
    folder: str,
    *,
    every: bool,
    progress: Callable[[int], object],
) -> list[Outcome]:
    """Fold the streams in as many processes as the reducer asks for.

    Raises:
        ReducerError: the reducer failed at an event; which one, where several do, is not said.
        UnsupportedError: the processes cannot import the reducer.
        EngineError: a process ended before its time.
    """
    try:
        pickle.dumps(definition)
    except pickle.PicklingError as error:
        raise UnsupportedError(str(error).partition(";")[0], _NO_MODULE) from error
    settings = _settings(engine, definition.processes)
    tasks = [_Task(definition, reading, settings, folder, every, part) for part in range(definition.processes)]
    outcomes: dict[int, Outcome] = {}
    with _running(tasks) as running:
        while len(outcomes) < len(tasks):
            for connection in wait([c for part, (c, _) in enumerate(running) if part not in outcomes]):
                part = next(n for n, (own, _) in enumerate(running) if own is connection)
                answer = _answer(definition, *running[part])
                if isinstance(answer, Outcome):
                    outcomes[part] = answer
                else:
                    progress(answer)
    return [outcomes[part] for part in range(len(tasks))]


@contextmanager
def _running(tasks: Sequence[_Task]) -> Iterator[list[tuple[Connection, BaseProcess]]]:
    """Start the processes, by spawning: neither DuckDB nor its threads survive a fork."""
    context = get_context("spawn")
    running: list[tuple[Connection, BaseProcess]] = []
    try:
        for task in tasks:
            ours, theirs = context.Pipe(duplex=False)
            process: BaseProcess = context.Process(target=_work, args=(task, theirs), daemon=True)
            process.start()
            theirs.close()
            running.append((ours, process))
        yield running
    finally:
        for connection, process in running:
            connection.close()
            process.terminate()
            process.join()


def _answer(definition: Reducer, connection: Connection, process: BaseProcess) -> Outcome | int:
    try:
        answer = connection.recv()
    except (EOFError, OSError) as error:
        process.join()
        raise EngineError(_NO_ANSWER.format(definition.name, process.exitcode)) from error
    if isinstance(answer, _Failure):
        raise answer.error from answer.cause
    found: Outcome | int = answer
    return found


def _work(task: _Task, connection: Connection) -> None:
    """Do a part, in a process of its own; tell how far it is, then what came of it."""
    os.dup2(2, 1)  # what the function prints is no part of an answer on stdout
    memory, threads, spill = task.settings
    engine = DuckDB(memory, threads, spill)
    try:
        rows = Rows(task.folder, f"part-{task.part}", every=task.every)
        with closing(task.reading.pages(engine, task.part, task.definition.processes)) as pages:
            connection.send(Folding(task.definition, rows, every=task.every).run(pages, connection.send))
    except Exception as error:  # noqa: BLE001  raised again where the answer is awaited
        connection.send(_Failure(_portable(error), error.__cause__ and _portable(error.__cause__)))
    finally:
        connection.close()


def _portable(error: Any) -> Any:  # noqa: ANN401  the same exception, or what can be told of it
    try:
        return pickle.loads(pickle.dumps(error))  # noqa: S301  what was made a line ago
    except Exception:  # noqa: BLE001  whatever a user's exception does there
        return RuntimeError(f"{type(error).__name__}: {error}")


def _settings(engine: DuckDB, parts: int) -> tuple[str | None, int | None, str | None]:
    """Share memory and cores out among the processes."""
    cursor = engine.cursor()
    try:
        ((memory, threads),) = cursor.execute(
            "SELECT current_setting('memory_limit'), current_setting('threads')"
        ).fetchall()
    finally:
        cursor.close()
    amount, _, unit = memory.partition(" ")
    spill = None if engine.temp_directory is None else str(engine.temp_directory)
    return f"{float(amount) / parts:.3f}{unit}", max(1, int(threads) // parts), spill
