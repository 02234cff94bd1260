"""A small store of the sample, and a folder in which every example of the help runs."""

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import esanalytics as ea
from esanalytics.cli._main import program

SAMPLE = Path(__file__).parents[2] / "data"

ORDERS = """
import esanalytics as ea

print("a word from the file")
orders = ea.Projection(
    "orders", key="stream_id",
    on={
        "OrderPlaced": {
            "status": "placed", "total": ea.field("amount", "DECIMAL(18,2)"), "placed_at": ea.occurred_at,
        },
        "OrderShipped": {"status": "shipped", "shipped_at": ea.occurred_at},
    },
)
several = ea.Projection("several", key=("service", "stream_id"), on={"*": {"events": ea.count}})
number = 3
"""
JOBS = """
[store]
path = "shop"

[jobs.daily]
projection = "orders.py:orders"
schedule = "15 6 * * *"
window = "1d"
output = "out/{date}/orders.parquet"
max_catchup = 2
"""
EVENT = '{"stream_id":"a","type":"T","occurred_at":"2026-01-01","n":1}\n'

Run = Callable[..., Result]
Spawn = Callable[..., subprocess.CompletedProcess[bytes]]


def make_inputs(folder: Path) -> None:
    """Write the files that the examples name."""
    (folder / "data").mkdir()
    for file in SAMPLE.glob("*.jsonl"):
        shutil.copy(file, folder / "data")
    (folder / "orders.py").write_text(ORDERS)
    (folder / "jobs.toml").write_text(JOBS)
    with gzip.open(folder / "clicks.csv.gz", "wt") as file:
        file.write("session,type,ts,page\ns-1,Click,2026-01-01T10:00,home\n")
    old = pa.table({"order": [{"id": "order-1"}], "occurred_at": ["2025-01-01"], "amount": [3]})
    pq.write_table(old, folder / "old.parquet")
    (folder / "unix.jsonl").write_text('{"stream_id":"a","type":"T","ts":1767225600.5,"metadata":{"x":1}}\n')
    (folder / "bare.csv").write_text("order-1,Paid,2026-01-01,1.50\n")
    (folder / "dirty.jsonl").write_text(EVENT + '{"stream_id":"a","type":"T"}\n')


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    make_inputs(folder)
    with ea.Store.create(folder / "shop") as store:
        store.append(ea.sources.jsonl(str(folder / "data" / "*.jsonl")))
    return folder


@pytest.fixture(scope="session")
def shop(prepared: Path) -> Path:
    """A store that no test changes."""
    return prepared / "shop"


@pytest.fixture
def store(shop: Path) -> Iterator[ea.Store]:
    with ea.Store.open(shop) as opened:
        yield opened


@pytest.fixture
def here(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: a copy of everything, to be changed at will."""
    folder = tmp_path / "here"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("COLUMNS", raising=False)

    def invoke(*args: object, columns: int | None = None, stdin: str | None = None) -> Result:
        if columns:
            monkeypatch.setenv("COLUMNS", str(columns))
        found = CliRunner().invoke(program, [str(arg) for arg in args], input=stdin)
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found

    return invoke


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a shell in which ``esanalytics`` is installed."""
    own = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return {**own, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def spawn(environment: dict[str, str]) -> Spawn:
    """Run the command line in a process of its own."""

    def start(*args: object) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "esanalytics", *map(str, args)]
        return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)

    return start
