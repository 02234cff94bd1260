"""One generated log, as a table of all records and as the events without re-deliveries."""

from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from esanalytics.demo import Truth, generate, truth

ORDERS = 3_000

_EVENTS = """
    create view events as
    select * exclude (data, metadata, nth), data::json data, metadata::json metadata,
           epoch_us(occurred_at) occurred, epoch_us(recorded_at) recorded
    from (select *, row_number() over (partition by event_id order by recorded_at) nth from records)
    where nth = 1
"""

Ask = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="session")
def expected() -> Truth:
    return truth(orders=ORDERS)


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Run SQL over ``records`` (all of the log) and ``events`` (each once)."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.register("records", pa.concat_tables(generate(orders=ORDERS)))
    connection.execute(_EVENTS)
    return lambda query: connection.execute(query).fetchall()
