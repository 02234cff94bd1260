"""The demo: the shop's raw files become a store, and the store answers questions."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from esanalytics.demo._kinds import SERVICES
from esanalytics.demo._steps import STEPS, Demo, Echo
from esanalytics.demo._text import heading, near
from esanalytics.demo._write import write
from esanalytics.errors import StoreExistsError
from esanalytics.store import Store

__all__ = ["run"]

_FOLDER = "demo-output"
_MARKER = ".esanalytics-demo"
_MARK = "Made by the demo of esanalytics, which makes it anew at its next run.\n"
_LEDGER = ("jobs.ledger.sqlite", "jobs.ledger.sqlite-shm", "jobs.ledger.sqlite-wal", "jobs.ledger.sqlite.d")
_OWN = ("shop", "sample", "orders.parquet", "orders.png", "jobs.toml", "exports", *_LEDGER)
_DATA = Path(__file__).resolve().parents[2] / "data"


def run(folder: str | Path | None = None, *, echo: Echo = print) -> Path:
    """Make a store of the sample, show what it answers, write a chart and the state beside it, and run its exports.

    The sample is ``data/`` of the working copy; where there is none, the same files are made first.

    Args:
        folder: where everything goes; None: ``demo-output`` in the current directory. What an earlier run made
            there is made anew, and nothing else is touched.
        echo: takes the text, some lines at a time.

    Returns:
        The folder.

    Raises:
        StoreExistsError: the folder has something in it, and is not of an earlier run.

    Example:
        >>> from tempfile import mkdtemp
        >>> lines = []
        >>> folder = run(mkdtemp(), echo=lines.append)
        >>> sorted(path.name for path in folder.glob("orders.*"))
        ['orders.parquet', 'orders.png']
    """
    began = time.perf_counter()
    where = Path(_FOLDER if folder is None else folder)
    _prepare(where)
    files = _sample(where)
    with Store.create(where / "shop") as store:
        demo = Demo(where, files, store, echo)
        for number, (title, step) in enumerate(STEPS, start=1):
            echo(heading(number, title))
            step(demo)
    echo(f"\n   All of this is in {near(where)}/ and took {time.perf_counter() - began:.1f} s.")
    return where


def _prepare(folder: Path) -> None:
    """Make the folder; of an earlier run take away what it made."""
    if (folder / _MARKER).is_file():
        for path in (folder / name for name in _OWN):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreExistsError(folder, "there, and not made by the demo")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER).write_text(_MARK, encoding="utf-8")


def _sample(folder: Path) -> tuple[Path, ...]:
    """Find the files of the sample; where they did not come along, make them."""
    files = tuple(_DATA / f"{service}.jsonl" for service in SERVICES)
    if all(file.is_file() for file in files):
        return files
    return tuple(write(folder / "sample", orders=320, seed=7).values())
