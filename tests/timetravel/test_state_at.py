"""`state_at` is the fold of the events up to an instant, however they arrived and whatever has been compacted."""

from __future__ import annotations

import datetime as dt
import itertools
import tempfile
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.errors import EngineError, ProjectionError
from esanalytics.projections import fold

DAY = dt.datetime(2026, 1, 31, 23, 58, tzinfo=dt.UTC)
LAWS = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))

everything = ea.Projection(
    "everything",
    key=("service", "stream_id"),
    on={
        "Set": {"status": ea.field("status"), "total": ea.field("n", "BIGINT"), "seen_at": ea.occurred_at},
        "Keep": {"status": ea.keep(ea.field("status")), "kept": ea.keep(ea.field("n", "BIGINT"))},
        "Add": {
            "total": ea.add(ea.field("n", "BIGINT")),
            "money": ea.add(ea.field("price", "DECIMAL(18,2)") * ea.field("n", "BIGINT")),
            "least": ea.min_(ea.field("n", "BIGINT")),
            "greatest": ea.max_(ea.field("n", "BIGINT")),
            "tags": ea.append(ea.field("status")),
        },
        "Remove": {"tags": ea.remove(ea.field("status")), "removals": ea.count},
        "Delete": ea.delete,
        "*": {"events": ea.count, "first_type": ea.first(ea.type_), "last": ea.position},
    },
)
by_customer = ea.Projection(
    "by_customer",
    key=("customer",),
    on={"*": {"events": ea.count, "status": ea.field("status"), "streams": ea.append(ea.stream_id)}},
)


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, object]:
    fields = {
        "status": st.sampled_from(["placed", "paid", "né\n'x", None]),
        "n": st.one_of(st.integers(-5, 5), st.none()),
        "price": st.decimals(-9, 9, places=2),
        "customer": st.sampled_from(["anna", "bert", None]),
    }
    return {name: draw(values) for name, values in fields.items() if draw(st.booleans())}


@st.composite
def histories(draw: st.DrawFn) -> list[list[dict[str, object]]]:
    """Batches of events: versioned and unversioned streams, clocks that run backwards, ties, late arrivals."""
    events = [
        {
            "event_id": f"{stream}/{version}",
            "service": "plain" if stream == "u-1" else "versioned",
            "stream_id": stream,
            "version": None if stream == "u-1" else version * 2,
            "type": draw(st.sampled_from(["Set", "Keep", "Add", "Add", "Remove", "Delete", "Other"])),
            "occurred_at": DAY + dt.timedelta(minutes=draw(st.integers(0, 5))),
            "data": draw(payloads()),
        }
        for stream in ("v-1", "v-2", "u-1")
        for version in range(1, draw(st.integers(0, 6)) + 1)
    ]
    shuffled = draw(st.permutations(events))
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=3)))
    bounds = [0, *cuts, len(events)]
    return [shuffled[a:b] for a, b in itertools.pairwise(bounds) if a < b]


def placed(batches: list[list[dict[str, object]]]) -> list[dict[str, object]]:
    """Give each event its position and, straight from its definition, its `effective_at`."""
    events = [event for batch in batches for event in batch]
    numbered = [{**event, "position": n, "schema_version": 1, "recorded_at": DAY} for n, event in enumerate(events, 1)]
    blank = {"correlation_id": None, "causation_id": None, "metadata": None}
    return [{**blank, **event, "effective_at": effective_at(event, numbered)} for event in numbered]


def effective_at(event: dict[str, object], events: list[dict[str, object]]) -> object:
    if event["version"] is None:
        return event["occurred_at"]
    before = (e for e in events if e["stream_id"] == event["stream_id"] and e["version"] <= event["version"])
    return max(e["occurred_at"] for e in before)


def rows(result: object, keys: int) -> dict[tuple[object, ...], dict[str, object]]:
    found = {}
    for row in result:
        values = list(row.items())
        found[tuple(value for _, value in values[:keys])] = dict(values[keys:])
    return found


@LAWS
@given(histories(), st.integers(-1, 6), st.sampled_from([everything, by_customer]), st.booleans())
def test_state_at_is_the_fold_of_the_events_up_to_then(batches, minute, projection, compacted):
    keys = 2 if projection is everything else 1
    with tempfile.TemporaryDirectory() as folder, ea.Store.create(f"{folder}/store") as store:
        for batch in batches:
            store.append(batch)
        if compacted:
            store.compact(retain=dt.timedelta(0))
        at = DAY + dt.timedelta(minutes=minute)
        known = [event for event in placed(batches) if event["effective_at"] <= at]
        assert rows(ea.state_at(store, projection, at), keys) == fold(projection, known)
        assert rows(ea.state_at(store, projection), keys) == fold(projection, placed(batches))


@LAWS
@given(histories(), st.sampled_from(["v-1", "u-1", "nobody"]))
def test_state_of_one_key_is_its_row_of_the_whole(batches, stream):
    service = "plain" if stream == "u-1" else "versioned"
    with tempfile.TemporaryDirectory() as folder, ea.Store.create(f"{folder}/store") as store:
        for batch in batches:
            store.append(batch)
        whole = rows(ea.state_at(store, everything), 2)
        one = rows(ea.state_at(store, everything, key=(service, stream)), 2)
        assert one == {key: row for key, row in whole.items() if key == (service, stream)}


@pytest.fixture
def store(tmp_path):
    with ea.Store.create(tmp_path / "store") as made:
        yield made


def order(minutes: int, type_: str, **data: object) -> dict[str, object]:
    return {"stream_id": "order-1", "type": type_, "occurred_at": DAY + dt.timedelta(minutes=minutes), "data": data}


def test_known_at_leaves_out_what_was_recorded_later(store):
    early, late = dt.datetime(2026, 2, 1, tzinfo=dt.UTC), dt.datetime(2026, 2, 9, tzinfo=dt.UTC)
    store.append([{**order(5, "Set", status="placed"), "recorded_at": early}])
    store.append([{**order(1, "Set", status="draft"), "recorded_at": late}])
    then = ea.state_at(store, everything, DAY + dt.timedelta(minutes=3), known_at="2026-02-05")
    now = ea.state_at(store, everything, DAY + dt.timedelta(minutes=3))
    assert [row["status"] for row in then] == []
    assert [row["status"] for row in now] == ["draft"]


def test_what_if_needs_no_verb_of_its_own(store):
    store.append([order(1, "Set", status="placed", n=10), order(2, "Add", n=5), order(3, "Add", n=-20)])
    real = ea.state_at(store, everything).head()[0]["total"]
    without = ea.state_at(store.log.without("data.n::int = -20"), everything).head()[0]["total"]
    added = ea.state_at(store.log.with_events([order(4, "Add", n=100)]), everything).head()[0]["total"]
    assert (real, without, added) == (-5, 15, 95)


def test_decimals_stay_exact(store):
    store.append([order(n, "Add", n=1, price=Decimal("0.10")) for n in range(3)])
    assert ea.state_at(store, everything).arrow()["money"].to_pylist() == [Decimal("0.30")]


def test_a_result_shows_its_sql_which_runs_as_it_stands(store):
    store.append([order(1, "Set", status="placed")])
    result = ea.state_at(store, everything)
    cursor = store.engine.cursor()
    assert cursor.execute(result.sql).fetchall()[0][1] == "order-1"


def test_an_empty_store_has_an_empty_state(store):
    assert ea.state_at(store, everything).df().empty
    assert ea.state_at(store, everything).columns[:2] == ("service", "stream_id")


def test_a_wrong_question_is_refused_when_it_is_asked(store):
    with pytest.raises(ProjectionError, match="as a tuple"):
        ea.state_at(store, everything, key="order-1")
    with pytest.raises(ValueError, match="not an instant"):
        ea.state_at(store, everything, "yesterday")


def test_a_failing_query_says_why(store):
    store.append([order(1, "Set")])
    with pytest.raises(EngineError, match="tyep"):
        store.log.where("tyep = 'Set'").events().df()


def test_merged_takes_the_last_event_that_has_a_field(store):
    store.append([order(1, "A", status="placed", n=1), order(2, "B", status=None), order(3, "C", price=2.5)])
    row = ea.state_at(store, ea.merged(store)).head()[0]
    assert row == {"service": "default", "stream_id": "order-1", "n": 1, "price": 2.5, "status": None}
