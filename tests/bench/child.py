"""What is measured in a process of its own; prints one line of JSON."""

import json
import resource
import sys
import threading
import time
from pathlib import Path

import esanalytics as ea


def opened(path: str) -> dict[str, float]:
    """Open a store and count its events."""
    began = time.perf_counter()
    store = ea.Store.open(path)
    count = store.log.count()
    return {"seconds": time.perf_counter() - began, "events": count}


def folded(path: str, threads: str, limit: str, spill: str) -> dict[str, float]:
    """Fold a whole log within a memory limit; watch what is spilled."""
    from workload import TYPED  # noqa: PLC0415  the others do without

    engine = ea.engines.DuckDB(memory_limit=limit, threads=int(threads), temp_directory=spill)
    before = _peak()
    began = time.perf_counter()
    with _watched(Path(spill)) as watch:
        rows = ea.state_at(ea.Store.open(path, engine=engine), TYPED).arrow().num_rows
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "rows": rows, "before": before, "peak": _peak(), "spilled": watch.most}


def generated(path: str, threads: str, count: str, streams: str) -> dict[str, float]:
    """Append events from a Python generator."""
    from workload import dicts  # noqa: PLC0415  the others do without

    began = time.perf_counter()
    made = sum(1 for _ in dicts(int(count) // 10, int(streams)))
    making = (time.perf_counter() - began) * int(count) / made
    store = ea.Store.create(path, engine=ea.engines.DuckDB(threads=int(threads)))
    began = time.perf_counter()
    commit = store.append(dicts(int(count), int(streams)), service="orders", progress=False)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "making": making, "events": commit.appended, "peak": _peak()}


def exported(path: str, now: str) -> dict[str, float]:
    """Run what is due of a file of jobs."""
    before = _peak()
    began = time.perf_counter()
    [outcome] = ea.jobs.load(path).run_due(now=now)
    if outcome.error is not None:
        raise outcome.error
    seconds, made = time.perf_counter() - began, outcome.published
    return {"seconds": seconds, "rows": made.rows, "bytes": made.bytes, "before": before, "peak": _peak()}


def _peak() -> int:
    """Read the most memory this program had, in bytes; the kernel's ``ru_maxrss`` also counts who started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class _watched:  # noqa: N801  a context manager, called like a function
    """Looks at the size of a folder, again and again."""

    def __init__(self, folder: Path) -> None:
        self.most = 0
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.most = max(self.most, sum(_size(path) for path in self._folder.rglob("*")))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


COMMANDS = {"open": opened, "fold": folded, "generate": generated, "export": exported}

if __name__ == "__main__":
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
