import datetime as dt
from decimal import Decimal

import pytest

import esanalytics as ea
from esanalytics.analysis import _contents
from esanalytics.analysis._contents import fields_of, kinds_in, streams_in

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def event(number, data, **given):
    row = {"stream_id": f"s{number % 3}", "type": "T", "occurred_at": START + dt.timedelta(hours=number), "data": data}
    return {"service": "a", **row, **given}


def log_of(tmp_path, events):
    store = ea.Store.create(tmp_path / "s")
    store.append(events, progress=False)
    return store.log


def fields(log, type_="T", events=None):
    found = fields_of(log, type_, log.where(type=type_).count() if events is None else events)
    return {field.path: field for field in found.fields}, found


def test_kinds_and_streams_are_counted(tmp_path):
    log = log_of(tmp_path, [event(n, {}, type="U" if n > 5 else "T") for n in range(8)])
    kinds, note = kinds_in(log, 8)
    assert [(k.type, k.events, k.streams) for k in kinds] == [("T", 6, 3), ("U", 2, 2)]
    assert (kinds[0].first, kinds[0].last, note) == (START, START + dt.timedelta(hours=5), "")
    assert [(s.stream_id, s.events) for s in streams_in(log, 2)] == [("s0", 3), ("s1", 3)]
    assert kinds_in(log, 10**8)[1] == "counts of streams are estimates"


def test_types_shares_values_and_bounds_of_fields(tmp_path):
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    payloads = [
        {"a": 1, "d": Decimal("12.50"), "t": at, "text": "x", "b": True, "n": None},
        {"a": "one", "d": Decimal("3.10"), "t": at + dt.timedelta(days=1), "text": "x", "b": False},
        {"d": Decimal("7.00"), "text": "y", "inner": {"deep": 2.5, "odd key": 1}, "list": [{"k": 1}, {"k": 2}]},
        {},
    ]
    found, whole = fields(log_of(tmp_path, [event(n, data) for n, data in enumerate(payloads)]))
    assert (whole.looked_at, whole.events, whole.note) == (4, 4, "")
    assert set(found["a"].types) == {"BIGINT", "VARCHAR"}
    assert found["a"].share == 0.5
    assert found["a"].least is None
    assert (found["d"].types, found["d"].least, found["d"].most) == (("DECIMAL(18,2)",), "3.10", "12.50")
    assert (found["t"].types, found["t"].least) == (("TIMESTAMPTZ",), "2026-01-01T00:00:00.000000Z")
    assert found["text"].values == (("x", 2), ("y", 1))
    assert found["b"].values == (("true", 1), ("false", 1))
    assert (found["n"].types, found["n"].nulls, found["n"].share) == (("NULL",), 1, 0.25)
    assert found["inner.deep"].types == ("DOUBLE",)
    assert '"odd key"' in next(path for path in found if "odd" in path)
    assert (found["list"].types, found["list[].k"].share, found["list[].k"].values) == (
        ("list",),
        0.25,
        (("1", 1), ("2", 1)),
    )


def test_of_many_events_a_sample_is_looked_at_and_the_note_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(_contents, "_SAMPLE", 50)
    log = log_of(tmp_path, [event(n, {"n": n}) for n in range(800)])
    found, whole = fields(log)
    assert 10 < whole.looked_at <= 100
    assert whole.note == f"a sample of {whole.looked_at} of 800 events"
    assert found["n"].share == 1.0
    assert fields(log)[1] == whole


def test_long_payloads_are_left_out_and_long_values_cut(tmp_path):
    log = log_of(tmp_path, [event(0, {"x": "a" * 5_000_000}), event(1, {"x": "b" * 200})])
    found, whole = fields(log)
    assert whole.note == "1 payload of more than 100,000 characters left out"
    assert found["x"].share == 1.0
    assert found["x"].values == (("b" * 79 + "…", 1),)


@pytest.mark.parametrize("number", [5, 400])
def test_the_number_of_fields_is_bounded(tmp_path, number):
    found, whole = fields(log_of(tmp_path, [event(0, {f"k{n}": n for n in range(number)})]))
    assert len(found) == min(number, 300)
    assert whole.note == ("" if number < 300 else "the first 300 fields")


def test_values_are_the_same_only_where_type_and_whole_text_are(tmp_path):
    long = "x" * 200
    payloads = [{"v": 1}, {"v": "1"}, {"v": "1"}, {"v": long + "a"}, {"v": long + "b"}, {"v": long + "b"}, {"v": True}]
    found, _ = fields(log_of(tmp_path, [event(n, data) for n, data in enumerate(payloads)]))
    assert found["v"].distinct == 5
    counts = [count for _, count in found["v"].values]
    assert counts == [2, 2, 1, 1, 1]
    assert {text for text, _ in found["v"].values} == {"1", "true", long[:79] + "…"}
