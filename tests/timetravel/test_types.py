"""The types of an answer come from what the log holds, never from which events share a file."""

from __future__ import annotations

import datetime as dt
import tempfile
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.errors import AppendConflictError, CompileError, CorruptFileError, EngineError
from esanalytics.projections import fold
from esanalytics.store import _append

NOW = dt.timedelta(0)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

untyped = ea.Projection(
    "untyped",
    key="stream_id",
    on={"A": {"of_a": ea.field("x")}, "B": {"of_b": ea.field("x")}, "*": {"of_all": ea.first(ea.field("x"))}},
)


def event(number: int, type_: str, **data: object) -> dict[str, object]:
    at = START + dt.timedelta(minutes=number)
    return {"stream_id": "s", "type": type_, "occurred_at": at, "data": data, "event_id": f"e{number}"}


def placed(events: list[dict[str, object]]) -> list[dict[str, object]]:
    blank = {"service": "default", "version": None, "schema_version": 1, "correlation_id": None, "causation_id": None}
    return [
        {**blank, **row, "position": n, "recorded_at": START, "metadata": None, "effective_at": row["occurred_at"]}
        for n, row in enumerate(events, 1)
    ]


def rows(result: ea.engines.Result) -> dict[tuple[object, ...], dict[str, object]]:
    return {(row.pop("stream_id"),): row for row in map(dict, result)}


VALUES = st.one_of(st.integers(-9, 9), st.text("ab", max_size=2), st.booleans(), st.just(Decimal("1.50")), st.none())


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.one_of(st.just({}), VALUES)), min_size=1, max_size=7))
def test_an_undeclared_type_is_the_same_before_and_after_compaction(drawn):
    events = [event(n, t, **({} if x == {} else {"x": x})) for n, (t, x) in enumerate(drawn)]
    with tempfile.TemporaryDirectory() as folder, ea.Store.create(f"{folder}/s", auto_compact=False) as store:
        for row in events:
            store.append([row])
        before, types = rows(ea.state_at(store, untyped)), ea.state_at(store, untyped).types
        store.compact(retain=NOW)
        assert (rows(ea.state_at(store, untyped)), ea.state_at(store, untyped).types) == (before, types)
        assert before == fold(untyped, placed(events))


@pytest.fixture
def store(tmp_path):
    with ea.Store.create(tmp_path / "store", auto_compact=False) as made:
        yield made


def test_a_type_is_that_of_the_events_that_the_rule_reads(store):
    total = ea.Projection("p", "stream_id", {"A": {"total": ea.add(ea.field("x"))}})
    store.append([event(1, "A", x=1)])
    store.append([event(2, "Note", x="many")])
    assert ea.state_at(store, total).head() == [{"stream_id": "s", "total": 1}]
    store.append([event(3, "A", x="two")])
    with pytest.raises(CompileError, match="VARCHAR"):
        ea.state_at(store, total)


def test_a_pinned_log_keeps_its_types_though_later_events_share_its_files(store):
    store.append([event(1, "A", x=1)])
    log = store.log
    store.append([event(2, "A", x="text", y=1)])
    store.compact(retain=NOW)
    assert ea.state_at(log, untyped).head()[0]["of_a"] == 1
    assert "y" not in ea.state_at(log, ea.merged(log)).columns


def test_the_row_of_one_key_has_the_types_of_the_whole(store):
    both = ea.Projection("p", ("service", "stream_id"), {"A": {"x": ea.field("x")}})
    store.append([event(1, "A", x=1)], service="a")
    store.append([event(2, "A", x="t")], service="b")
    assert ea.state_at(store, both, key=("a", "s")).head()[0]["x"] == "1"


def test_an_expected_version_holds_for_an_append_of_any_size(store, monkeypatch):
    monkeypatch.setattr(_append, "CHUNK_ROWS", 2)
    many = ({"type": "A", "data": {"n": n}, "occurred_at": START} for n in range(120_000))
    assert store.append(many, stream="v", expected_version=0).appended == 120_000
    assert store.log.where(stream="v").streams().head()[0]["version"] == 120_000
    with pytest.raises(AppendConflictError, match="is at version 120000"):
        store.append([{"type": "A", "occurred_at": START}], stream="v", expected_version=0)


def test_a_path_with_letters_of_a_pattern_means_this_folder_only(tmp_path):
    for name, number in (("shop*", 1), ("shop[1]", 2), ("shop?", 3), ("shop-copy", 4)):
        with ea.Store.create(tmp_path / name) as made:
            made.append([event(number, "A", x=number)])
            assert [row["data"] for row in made.log.events()] == [{"x": number}]
            assert ea.state_at(made, untyped).head()[0]["of_a"] == number


@pytest.mark.parametrize("ask", ["count", "df", "arrow", "len", "rows"])
def test_a_missing_file_is_named_however_it_is_met(store, ask):
    store.append([event(1, "A", x=1)])
    log = store.log.where("data.x::int = 1")
    path = next((store.path / "events").rglob("part-*.parquet"))
    path.unlink()
    asks = {
        "count": log.count,
        "df": lambda: log.events().df(),
        "arrow": lambda: log.events().arrow(),
        "len": lambda: len(log.events()),
        "rows": lambda: list(log.events()),
    }
    with pytest.raises(CorruptFileError, match=path.name):
        asks[ask]()


def test_a_wrong_column_in_a_condition_is_an_error_of_the_tree(store):
    store.append([event(1, "A", x=1)])
    with pytest.raises(EngineError, match="nocolumn"):
        store.log.where("nocolumn = 1").count()


def test_rows_without_ids_are_known_again_though_their_columns_type_has_changed(store, tmp_path):
    file = tmp_path / "grow.csv"
    file.write_text("stream_id,type,occurred_at,amount,n\na,Paid,2026-05-01,10.00,1\na,Paid,2026-05-02,12.50,2\n")
    assert store.append(ea.sources.csv(str(file))).appended == 2
    file.write_text(file.read_text() + "a,Paid,2026-05-03,9.5,2.5\na,Paid,2026-05-04,x,y\n")
    commit = store.append(ea.sources.csv(str(file)))
    assert (commit.appended, commit.duplicates) == (2, 2)
