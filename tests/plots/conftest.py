"""An empty store whose log is seen with whatever events a test thinks of; and the shop of the sample data."""

import datetime as dt
from pathlib import Path

import pytest

import esanalytics as ea

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
SAMPLE = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="session")
def nothing(tmp_path_factory):
    with ea.Store.create(tmp_path_factory.mktemp("nothing") / "store") as store:
        yield store.log


@pytest.fixture(scope="session")
def happened(nothing):
    """Make a log of (stream, type, seconds since the start) and other columns."""

    def log(*events, **columns):
        rows = [
            {"service": "s", "stream_id": stream, "type": type_, "occurred_at": START + dt.timedelta(seconds=seconds)}
            for stream, type_, seconds in events
        ]
        for name, values in columns.items():
            for row, value in zip(rows, values, strict=True):
                row[name] = value
        return nothing.with_events(rows) if rows else nothing

    return log


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    with ea.Store.create(tmp_path_factory.mktemp("shop") / "store") as store:
        store.append(ea.sources.jsonl(str(SAMPLE / "*.jsonl")))
        yield store
