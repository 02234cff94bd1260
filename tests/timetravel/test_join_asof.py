"""`join_asof` gives each row of a frame the state of its key at its instant, and never a microsecond later."""

import datetime as dt

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from histories import (
    KEYS,
    MINUTE,
    RECORDED,
    START,
    TICK,
    Reference,
    alike,
    histories,
    instants,
    keys_of,
    known,
    law,
    placed,
    projections,
    store_of,
)
from hypothesis import given
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.errors import EngineError, ProjectionError, UnsupportedError

NANOSECOND = 1
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def nanoseconds(instant):
    return (instant - EPOCH) // TICK * 1000


def arrow(rows, names):
    fields = [*((name, pa.string()) for name in names), ("at", pa.timestamp("ns", "UTC")), ("row", pa.int64())]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def pandas(rows, names):
    frame = pd.DataFrame(rows, columns=[*names, "at", "row"])
    frame["at"] = pd.to_datetime(frame["at"], unit="ns", utc=True)
    return frame.set_index(pd.Index([7] * len(frame)))


def naive(rows, names):
    return arrow(rows, names).cast(
        pa.schema(
            [*((name, pa.large_string()) for name in names), ("at", pa.timestamp("ns")), ("row", pa.int64())],
        )
    )


FORMS = {
    "arrow": arrow,
    "without a zone": naive,
    "pandas": pandas,
    "polars": lambda rows, names: pl.DataFrame(arrow(rows, names)),
    "batches": lambda rows, names: arrow(rows, names).to_reader(3),
}


@st.composite
def frames(draw, wanted, events):
    """Draw rows of key, instant in nanoseconds, and number: unknown keys, NULL keys and instants, repeated."""
    names = [f"of {name}" for name in keys_of(wanted.projection)]
    keys = sorted({wanted.key(event) for event in events if None not in wanted.key(event)})
    unknown = st.sampled_from(
        [("nobody",) * len(names), (None,) * len(names), ("anna", *[None] * len(names))[: len(names)]]
    )
    times = [nanoseconds(at) + more for at in instants(events) for more in (0, -NANOSECOND, NANOSECOND, 1000)]
    row = st.tuples(unknown | st.sampled_from(keys or [("x",) * len(names)]), st.none() | st.sampled_from(times))
    found = draw(st.lists(row, min_size=1, max_size=30))
    found += draw(st.lists(st.sampled_from(found), max_size=3))
    return names, [
        {**dict(zip(names, key, strict=True)), "at": at, "row": number} for number, (key, at) in enumerate(found)
    ]


def check(result, rows, names, wanted):
    found = list(result)
    assert [row["row"] for row in found] == list(range(len(rows)))
    states = {}
    for asked, row in zip(rows, found, strict=True):
        key = tuple(asked[name] for name in names)
        assert tuple(row[name] for name in names) == key
        columns = {name: row[name] for name in row if name not in asked}
        if asked["at"] is None:
            assert not any(value is not None for value in columns.values())
            continue
        at = EPOCH + asked["at"] // 1000 * TICK
        if at not in states:
            states[at] = wanted.state(at)
        assert alike(columns, states[at].get(key, dict.fromkeys(columns))), (key, at)


@law(4)
@given(batches=histories(), projection=projections(), form=st.sampled_from(sorted(FORMS)), data=st.data())
def test_each_row_has_the_state_of_its_key_at_its_instant(tmp_path, batches, projection, form, data):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(projection, events)
    names, rows = data.draw(frames(wanted, events))
    frame = FORMS[form](rows, names)
    check(ea.join_asof(frame, store, projection, key=names, at="at"), rows, names, wanted)


@law(2)
@given(batches=histories(), projection=projections(), minutes=st.integers(0, 9), data=st.data())
def test_each_row_has_the_state_as_it_was_known(tmp_path, batches, projection, minutes, data):
    store, events = store_of(tmp_path, batches), placed(batches)
    known_at = RECORDED + minutes * MINUTE
    wanted = Reference(projection, known(events, known_at))
    names, rows = data.draw(frames(wanted, events))
    result = ea.join_asof(arrow(rows, names), store, projection, key=names, at="at", known_at=known_at)
    check(result, rows, names, wanted)


@law(2)
@given(batches=histories(), projection=projections(keys=KEYS[1:3]), data=st.data())
def test_rows_as_dicts_and_instants_as_text_are_read_alike(tmp_path, batches, projection, data):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(projection, events)
    names, rows = data.draw(frames(wanted, events))
    rows = [{**row, "at": row["at"] and row["at"] // 1000 * 1000} for row in rows]
    for write in (lambda at: at, lambda at: at.isoformat(), lambda at: at.astimezone(dt.timezone(5 * 60 * MINUTE))):
        frame = [{**row, "at": None if row["at"] is None else write(EPOCH + row["at"] // 1000 * TICK)} for row in rows]
        if any(row["at"] is not None for row in rows) and any(row[names[0]] is not None for row in rows):
            check(ea.join_asof(frame, store, projection, key=names[0], at="at"), rows, names, wanted)


# Examples

orders = ea.Projection(
    "orders",
    "stream_id",
    {"Set": {"status": ea.field("status"), "n": ea.field("n", "BIGINT")}, "Deleted": ea.delete},
)


@pytest.fixture
def store(tmp_path):
    found = store_of(tmp_path, [])
    found.append([order(1, status="placed", n=1), order(3, status="paid"), order(5, "Deleted")])
    return found


def order(minute, type_="Set", **data):
    return {"stream_id": "o", "type": type_, "occurred_at": START + minute * MINUTE, "data": data}


def test_an_instant_one_nanosecond_before_an_event_does_not_see_it(store):
    times = [nanoseconds(START + MINUTE) + more for more in (-1, 0, 999)]
    frame = pa.table({"id": ["o"] * 3, "at": pa.array(times, pa.timestamp("ns", "UTC"))})
    found = ea.join_asof(frame, store, orders, key="id", at="at")
    assert [row["status"] for row in found] == [None, "placed", "placed"]
    assert found.arrow()["at"].type == pa.timestamp("ns", "UTC")


def test_an_instant_before_the_epoch_is_cut_downwards(tmp_path):
    store = store_of(tmp_path, [])
    store.append([{"stream_id": "o", "type": "Set", "occurred_at": EPOCH - TICK, "data": {"status": "old"}}])
    times = pa.array([-1001, -1000, -1, 0], pa.timestamp("ns", "UTC"))
    found = ea.join_asof(pa.table({"id": ["o"] * 4, "at": times}), store, orders, key="id", at="at")
    assert [row["status"] for row in found] == [None, "old", "old", "old"]


def test_after_a_deletion_there_is_no_state(store):
    frame = [{"id": "o", "at": START + 4 * MINUTE}, {"id": "o", "at": START + 5 * MINUTE}]
    found = list(ea.join_asof(frame, store, orders, key="id", at="at"))
    assert [(row["status"], row["n"]) for row in found] == [("paid", None), (None, None)]


def test_columns_that_the_frame_has_too_are_called_after_the_projection(store):
    frame = [{"Status": "mine", "orders_status": "too", "n": "o", "at": START + MINUTE}]
    found = ea.join_asof(frame, store, orders, key="n", at="at")
    assert found.columns == ("Status", "orders_status", "n", "at", "orders_status_", "orders_n")
    assert [tuple(row.values()) for row in found] == [("mine", "too", "o", START + MINUTE, "placed", 1)]


@pytest.mark.parametrize(
    "column", ["effective_at", "version", "stream_id", "$row", "$k0", "$at", "$live", "probe", "past"]
)
def test_a_frame_may_call_its_columns_as_it_likes(store, column):
    frame = [{column: "mine", "id": "o", "when": START + MINUTE}]
    found = list(ea.join_asof(frame, store, orders, key="id", at="when"))
    assert found == [{column: "mine", "id": "o", "when": START + MINUTE, "status": "placed", "n": 1}]


def test_one_column_may_be_key_and_instant_of_several_joins(store):
    frame = ea.join_asof([{"id": "o", "at": START + 4 * MINUTE}], store, orders, key="id", at="at")
    again = ea.join_asof(frame, store, orders, key="id", at="at")
    assert [row["orders_status"] for row in again] == ["paid"]


def test_a_frame_of_none_but_null_keys_or_instants_has_no_state(store):
    unknown = pa.table({"id": pa.nulls(2), "at": pa.array([START] * 2, pa.timestamp("us", "UTC"))})
    never = pa.table({"id": ["o", "p"], "at": pa.nulls(2)})
    for frame in (unknown, never):
        assert [row["status"] for row in ea.join_asof(frame, store, orders, key="id", at="at")] == [None, None]


def test_an_empty_frame_has_no_rows_but_all_columns(store):
    frame = pa.table({"id": pa.array([], pa.string()), "at": pa.array([], pa.timestamp("us", "UTC"))})
    found = ea.join_asof(frame, store, orders, key="id", at="at")
    assert found.columns == ("id", "at", "status", "n")
    assert list(found) == []


def test_days_are_their_first_instant(store):
    frame = pd.DataFrame({"id": ["o", "o"], "at": [dt.date(2026, 1, 31), dt.date(2026, 2, 1)]})
    found = ea.join_asof(frame, store, orders, key="id", at="at")
    assert [row["status"] for row in found] == [None, "paid"]


def test_an_empty_store_knows_no_state(tmp_path):
    frame = [{"id": "o", "at": START}]
    found = list(ea.join_asof(frame, store_of(tmp_path, []), orders, key="id", at="at"))
    assert [(row["status"], row["n"]) for row in found] == [(None, None)]


def test_a_frame_without_the_column_is_refused_and_says_what_it_has(store):
    frame = [{"id": "o", "at": START}]
    with pytest.raises(EngineError, match=r"no column 'order_id'; it has id, at"):
        ea.join_asof(frame, store, orders, key="order_id", at="at")
    with pytest.raises(EngineError, match="no column 'seen_at'"):
        ea.join_asof(frame, store, orders, key="id", at="seen_at")


def test_a_key_of_too_many_columns_is_refused(store):
    frame = [{"id": "o", "at": START}]
    with pytest.raises(ProjectionError, match="the key has 1 columns"):
        ea.join_asof(frame, store, orders, key=("id", "id"), at="at").df()


def test_what_is_no_frame_or_no_instant_is_refused(store):
    with pytest.raises(EngineError, match="give a pandas or polars frame"):
        ea.join_asof(3, store, orders, key="id", at="at")
    with pytest.raises(EngineError):
        ea.join_asof([{"id": "o", "at": "yesterday"}], store, orders, key="id", at="at").df()


def test_sql_is_joined_to_nothing(store):
    counted = ea.SqlProjection("counted", "select stream_id, count(*) as n from events group by all", "stream_id")
    with pytest.raises(UnsupportedError, match="SqlProjection 'counted' has no versions"):
        ea.join_asof([{"id": "o", "at": START}], store, counted, key="id", at="at").df()
