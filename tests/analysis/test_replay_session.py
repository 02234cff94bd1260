"""Examples and corners of a replay: what it is given, what it answers, what it refuses."""

import datetime as dt
import json
import shutil
import sys
import threading
from decimal import Decimal

import pytest
from histories import MINUTE, START
from replays import backwards

import esanalytics as ea
from esanalytics.analysis._changes import Change
from esanalytics.analysis._chosen import Chosen
from esanalytics.analysis._exact import exact_json, json_ready
from esanalytics.analysis._session import ReplaySession
from esanalytics.errors import (
    CorruptFileError,
    EngineError,
    InvalidEventError,
    ReducerError,
    StoreError,
    UnknownKeyError,
    UnsupportedError,
)

NASTY = "<img src=x onerror=alert(1)>'\" ; DROP TABLE events; -- \u202eאבג🧨\u2028\\"

orders = ea.Projection(
    "orders",
    "stream_id",
    {
        "Placed": {"status": "placed", "total": ea.field("total", "DECIMAL(18,2)"), "who": ea.field("who", "VARIANT")},
        "Added": {"total": ea.add(ea.field("price", "DECIMAL(18,2)")), "lines": ea.append(ea.field("sku"))},
        "Renamed": {"who": ea.field("who", "VARIANT")},
        "PaymentFailed": {"status": "failed"},
        "Deleted": ea.delete,
    },
)
life = [
    ("Placed", {"total": Decimal("10.00"), "who": {"name": "Ann", "home": {"city": "Bonn"}}}),
    ("Added", {"price": Decimal("2.50"), "sku": "pen"}),
    ("Seen", {}),
    ("Renamed", {"who": {"name": "Ann", "home": {"city": "Köln"}}}),
    ("PaymentFailed", {}),
    ("Added", {"price": Decimal("0.10"), "sku": "ink"}),
    ("Deleted", {}),
]


def stored(tmp_path, pairs, stream="order-1", service="orders", **more):
    store = (
        ea.Store.create(tmp_path / "store") if not (tmp_path / "store").exists() else ea.Store.open(tmp_path / "store")
    )
    rows = [
        {
            "event_id": f"{stream}/{n}",
            "service": service,
            "stream_id": stream,
            "type": type_,
            "occurred_at": START + n * MINUTE,
            "data": data,
            **more,
        }
        for n, (type_, data) in enumerate(pairs, 1)
    ]
    store.append(rows)
    return store


@pytest.fixture
def session(tmp_path):
    return ReplaySession(stored(tmp_path, life), orders, "order-1")


@ea.reducer("summing", initial={"n": 0, "seen": []})
def summing(state, event):
    state["n"] += 1
    state["seen"].append(event.type)
    if event.type == "Bad":
        raise ValueError(f"no {event.type}")
    return state


# What it shows


def test_a_life_step_by_step(session):
    assert len(session) == 7
    assert session.state() is None
    assert session.at is None
    assert session.event() is None
    assert session.goto(2).state() == {
        "status": "placed",
        "total": Decimal("12.50"),
        "who": {"name": "Ann", "home": {"city": "Bonn"}},
        "lines": ["pen"],
    }
    assert session.at == START + 2 * MINUTE
    assert session.event()["type"] == "Added"
    assert json.loads(session.event()["data"]) == {"price": 2.5, "sku": "pen"}
    assert session.state(3) == session.state(2)
    assert session.state(7) is None
    assert session.goto(99).step == 7
    assert session.goto(-1).step == 0
    assert session.goto("order-1/4").step == 4


def test_a_diff_goes_down_into_nested_values_and_names_the_event(session):
    (change,) = session.diff(3, 4)
    assert (change.path, change.kind) == (("who", "home", "city"), "changed")
    assert (change.before, change.after, change.changed_by) == ("Bonn", "Köln", "order-1/4")
    session.mark("A", 1).mark("B", 6)
    found = {change.path: change for change in session.diff("A", "B")}
    assert found.keys() == {("status",), ("total",), ("who", "home", "city"), ("lines", 0), ("lines", 1)}
    assert found["total",].delta == Decimal("2.60")
    assert found["total",].changed_by == "order-1/6"
    assert found["status",].changed_by == "order-1/5"
    assert {change.kind for change in session.diff(6, 7)} == {"removed"}
    assert {change.changed_by for change in session.diff(6, 7)} == {"order-1/7"}
    with pytest.raises(ValueError, match="no mark 'C'; there is A, B"):
        session.diff("C")


def test_what_if_shows_real_beside_what_would_be(session):
    session.skip("order-1/2", "order-1/7")
    assert session.state(6)["total"] == Decimal("10.10")
    assert session.state(6, real=True)["total"] == Decimal("12.60")
    assert [(change.path, change.delta) for change in session.what_if(2)] == [
        (("total",), Decimal("-2.50")),
        (("lines", 0), None),
    ]
    assert session.state(7)["status"] == "failed"
    assert session.state(7, real=True) is None
    assert session.event(2)["skipped"]
    assert not session.event(3)["skipped"]


def test_finding_what_comes_next(session):
    assert session.find("field", "total") == 1
    assert session.find("field", "total", start=1) == 2
    assert session.find("field", "who.home.city", start=1) == 4
    assert session.find("field", "who.name", start=1) == 7
    assert session.find("failure") == 5
    assert session.find("failure", start=5) is None
    assert session.find("type", "Added", start=7, back=True) == 6
    assert session.find("text", "KÖLN") == 4
    assert session.find("id", "order-1/6") == 6
    assert session.find("id", "order-1/", start=3) == 4
    assert session.find("instant", START + 3.5 * MINUTE) == 3
    assert session.find("instant", "2020-01-01") == 0
    with pytest.raises(ValueError, match="no field 'totl'; there is 'total'"):
        session.find("field", "totl")
    with pytest.raises(ValueError, match="cannot find 'fields'; there is 'field'"):
        session.find("fields", "total")


def test_an_event_may_be_changed_more_than_once(session):
    session.edit("order-1/2", data={"price": "5.00", "sku": "pen"}).edit("order-1/2", type="Seen")
    assert session.state(2)["total"] == Decimal("10.00")
    assert len(session.spec()["edits"]) == 1
    session.edit("order-1/2", type="Added")
    assert session.state(2)["total"] == Decimal("15.00")
    assert session.state(2, real=True)["total"] == Decimal("12.50")
    assert session.restore("order-1/2").state(2)["total"] == Decimal("12.50")


def test_what_was_changed_may_be_switched_off_too(session):
    session.edit("order-1/2", data={"price": "5.00"}).skip("order-1/2")
    assert session.state(2)["total"] == Decimal("10.00")
    assert "order-1/2" not in [event["event_id"] for event in session.log.events()]
    session.edit(type="Added", occurred_at=START + 5.5 * MINUTE, data={"price": "7.00"})
    added = session.branch.events.ids[5]
    assert session.state(6)["total"] == Decimal("17.00")
    assert session.skip(added).state(6)["total"] == Decimal("10.00")
    assert added not in [event["event_id"] for event in session.log.events()]
    assert session.restore("order-1/2").state(2)["total"] == Decimal("12.50")


def test_added_events_have_ids_of_their_own(session):
    for _ in range(3):
        session.edit(type="Added", occurred_at=START + 2.5 * MINUTE, data={"price": 1})
    session.edit(type="Added", occurred_at=START, data={}, stream_id="another")
    session.edit(type="Added", occurred_at=START, data={}, stream_id="another")
    assert len({edit["event_id"] for edit in session.spec()["edits"]}) == 5
    assert len(session) == 10
    assert session.state(5)["total"] == Decimal("15.50")


def test_an_event_that_cannot_be_is_refused_and_nothing_changes(session):
    before = session.spec(), session.branch
    for given in (
        {"data": {}},
        {"type": "Added"},
        {"type": "Added", "occurred_at": START, "colour": 1},
        {"type": None, "occurred_at": START},
    ):
        with pytest.raises(InvalidEventError):
            session.edit(**given)
    with pytest.raises(ValueError, match="no event 'nobody' in this replay"):
        session.edit("nobody", data={})
    with pytest.raises(ValueError, match="no event 'nobody' in this replay; give the id of one of its 7 events"):
        session.skip("order-1/1", "nobody")
    with pytest.raises(ValueError, match="not an instant"):
        session.edit(type="Added", occurred_at="yesterday")
    assert (session.spec(), session.branch) == before


def test_a_payload_that_is_merged_shows_fields_that_come_later(tmp_path):
    store = stored(tmp_path, [("A", {"b": 1}), ("A", {"b": 2})])
    session = ReplaySession(store)
    session.edit("order-1/1", data={"b": 1, "a": 3})
    assert session.state(2) == {"a": 3, "b": 2}
    assert ReplaySession(store, **session.spec()).state(2) == {"a": 3, "b": 2}
    assert session.restore().state(2) == {"b": 2}
    stored(tmp_path, [("A", {"c": 1})], event_id="new", occurred_at=START + 9 * MINUTE)
    assert len(session) == 2
    assert session.refresh() == 1
    assert session.state(3) == {"b": 2, "c": 1}


def test_a_replay_knows_what_the_log_held_until_it_is_refreshed(tmp_path):
    store = stored(tmp_path, life[:2])
    session, frozen = ReplaySession(store, orders).goto(2), ReplaySession(store.log, orders)
    stored(tmp_path, [("Added", {"price": 1})], event_id="new", occurred_at=START + 1.5 * MINUTE)
    assert (len(session), session.event()["event_id"]) == (2, "order-1/2")
    assert session.refresh() == 1
    assert session.branch.events.ids == ["order-1/1", "new", "order-1/2"]
    assert session.state(3)["total"] == Decimal("13.50")
    assert session.refresh() == frozen.refresh() == 0
    assert len(frozen) == 2


def test_what_is_changed_stays_so_when_the_replay_is_refreshed(tmp_path):
    session = ReplaySession(stored(tmp_path, life[:2]), orders)
    session.edit("order-1/2", data={"price": 5}).skip("order-1/1").goto(2)
    stored(tmp_path, [("Added", {"price": 1})], event_id="new", occurred_at=START + 3 * MINUTE)
    spec = session.spec()
    assert session.refresh() == 1
    assert session.spec() == spec
    assert session.state(3)["total"] == 6
    assert session.state(3, real=True)["total"] == Decimal("13.50")


def test_an_event_that_never_happened_moves_no_clock(tmp_path):
    store, projection = backwards(tmp_path)
    session = ReplaySession(store, projection, "anna")
    assert session.branch.events.ids == ["other", "v1", "v2", "v4"]
    assert session.goto("v2").at == START + 5 * MINUTE
    session.skip("v1")
    assert session.branch.events.ids == ["v2", "other", "v1", "v4"]
    assert session.state(4)["ids"] == ["v2", "other", "v4"]
    assert session.goto("v2").at == START + 1 * MINUTE
    assert [session.state(n, real=True) and len(session.state(n, real=True)["ids"]) for n in range(5)] == [
        None,
        3,
        3,
        3,
        4,
    ]
    session.restore().edit("v1", occurred_at=START)
    assert session.branch.events.ids == ["v1", "v2", "other", "v4"]


def test_marks_steps_and_skips_stay_within_what_is_left(session):
    session.edit(type="Added", occurred_at=START + 99 * MINUTE, data={"price": 1})
    session.goto(8).mark("A").skip(session.event()["event_id"]).restore()
    assert (session.step, session.marks, session.skipped, len(session)) == (7, {"A": 7}, frozenset(), 7)


# What it is given


def test_an_empty_log_has_no_entity(tmp_path):
    store = ea.Store.create(tmp_path / "store")
    for definition in (None, orders, summing):
        for key in (None, "order-1"):
            with pytest.raises(UnknownKeyError, match="the log has no event that has its key"):
                ReplaySession(store, definition, key)


@pytest.mark.parametrize("definition", [None, orders, summing])
def test_one_event_needs_no_key(tmp_path, definition):
    session = ReplaySession(stored(tmp_path, [("Placed", {"total": 1})]), definition)
    assert len(session) == 1
    assert session.state(0) is None
    assert session.state(1) is not None
    session.skip("order-1/1")
    assert session.state(1) is None
    assert session.diff(0, 1) == []
    session.restore()
    assert session.diff(0, 1)[0].kind == "added"


@pytest.mark.parametrize("definition", [None, orders, summing])
def test_a_key_that_does_not_exist_offers_the_nearest(tmp_path, definition):
    for number in (1, 2, 77):
        stored(tmp_path, life, f"order-{number}")
    store = ea.Store.open(tmp_path / "store")
    with pytest.raises(UnknownKeyError, match=r"no events of .*ordr-77.*; there is .*order-77"):
        ReplaySession(store, definition, "ordr-77")
    with pytest.raises(UnknownKeyError, match=r"about many entities; name the entity, such as key=.*order-1"):
        ReplaySession(store, definition)


@pytest.mark.parametrize("definition", [None, summing])
def test_a_stream_of_two_services_must_be_told_apart(tmp_path, definition):
    for service in ("orders", "payments"):
        stored(tmp_path, life, service=service, event_id=None)
    store = ea.Store.open(tmp_path / "store")
    with pytest.raises(
        UnknownKeyError, match=r"more than one entity 'order-1'; name one: key=\('orders', 'order-1'\) or"
    ):
        ReplaySession(store, definition, "order-1")
    session = ReplaySession(store, definition, ("payments", "order-1"))
    assert session.entity.key == ("payments", "order-1")
    assert {service for service, _ in session.branch.streams} == {"payments"}


def test_keys_may_be_of_any_type_and_the_spec_keeps_them(tmp_path):
    day, money = dt.date(2026, 3, 1), Decimal("12.50")
    store = stored(tmp_path, [("A", {"day": day, "money": money, "n": 7}), ("A", {"day": day, "money": money, "n": 7})])
    fields = {"day": "DATE", "money": "DECIMAL(18,2)", "n": "BIGINT"}
    values = {"day": day, "money": money, "n": 7}
    for name, type_ in fields.items():
        by = ea.Projection("by", {name: ea.field(name, type_)}, {"*": {"events": ea.count}})
        session = ReplaySession(store, by, values[name])
        assert session.state(2) == {"events": 2}
        again = ReplaySession(store, by, **json.loads(json.dumps(session.spec())))
        assert again.state(2) == {"events": 2}
        assert again.spec() == session.spec()


def test_sql_is_refused(tmp_path):
    totals = ea.SqlProjection("totals", "SELECT stream_id, count(*) AS n FROM events GROUP BY 1", key="stream_id")
    with pytest.raises(UnsupportedError, match="SQL says nothing of single events"):
        ReplaySession(stored(tmp_path, life), totals, "order-1")


def test_what_is_no_projection_is_refused(tmp_path):
    store = stored(tmp_path, life)
    with pytest.raises(TypeError):
        ReplaySession(store, "orders", "order-1")
    with pytest.raises(ValueError, match="give 'skip', 'stop' or 'raise'"):
        ReplaySession(store, orders, "order-1", on_error="ignore")
    with pytest.raises(ValueError, match="no step 9; the replay has steps 0 to 7"):
        ReplaySession(store, orders, "order-1").state(9)
    with pytest.raises(ValueError, match="no step -1"):
        ReplaySession(store, orders, "order-1").event(-1)


# Reducers that fail

troubled = [("A", {}), ("Bad", {}), ("B", {}), ("Bad", {}), ("C", {})]


def test_a_failing_reducer_leaves_the_state_as_it_was_and_goes_on(tmp_path):
    session = ReplaySession(stored(tmp_path, troubled), summing)
    assert session.event(2)["error"] == "ValueError: no Bad"
    assert [session.state(n) for n in range(6)] == [
        None,
        {"n": 1, "seen": ["A"]},
        {"n": 1, "seen": ["A"]},
        {"n": 2, "seen": ["A", "B"]},
        {"n": 2, "seen": ["A", "B"]},
        {"n": 3, "seen": ["A", "B", "C"]},
    ]
    assert [session.event(n)["error"] is not None for n in range(1, 6)] == [False, True, False, True, False]
    assert [session.find("failure", start=n) for n in (0, 2, 4)] == [2, 4, None]
    assert session.diff(1, 2) == []
    assert session.skip("order-1/2").event(2)["error"] is None


def test_a_failing_reducer_may_stop_the_fold(tmp_path):
    session = ReplaySession(stored(tmp_path, troubled), summing, on_error="stop")
    assert [session.state(n) for n in (5, 3, 1)] == [{"n": 1, "seen": ["A"]}] * 3
    assert session.find("failure", start=2) is None
    session.skip("order-1/2")
    assert session.state(5) == {"n": 2, "seen": ["A", "B"]}
    assert session.state(5, real=True) == {"n": 1, "seen": ["A"]}
    assert session.spec()["on_error"] == "stop"


def test_a_failing_reducer_may_be_raised(tmp_path):
    store = stored(tmp_path, troubled)
    with pytest.raises(
        ReducerError, match=r"raised ValueError: no Bad at event 'order-1/2'.*on_error='skip'"
    ) as caught:
        ReplaySession(store, summing, on_error="raise")
    assert isinstance(caught.value.__cause__, ValueError)
    bad = ["order-1/2", "order-1/4"]
    assert ReplaySession(store, summing, on_error="raise", skipped=bad).state(5)["n"] == 3


def test_a_failure_late_in_a_long_stream_is_found_whatever_is_asked_first(tmp_path):
    pairs = [("Bad" if n in {300, 700} else "A", {}) for n in range(1, 1_001)]
    store = stored(tmp_path, pairs)
    for ask in (
        lambda replay: replay.find("field", "n", start=299),
        lambda replay: replay.state(1_000),
        lambda replay: replay.find("failure"),
        lambda replay: replay.event(700),
    ):
        session = ReplaySession(store, summing)
        ask(session)
        assert [session.state(n)["n"] for n in (1_000, 299, 300, 301, 699, 700)] == [998, 299, 299, 300, 698, 698]
        assert session.find("field", "n", start=299) == 301
        assert session.find("failure", start=300) == 700


def test_a_fold_that_is_interrupted_begins_anew(tmp_path):
    cut = []

    @ea.reducer("interrupted", initial={"n": 0})
    def interrupted(state, event):
        state["n"] += 1
        if event.type == "C" and not cut:
            cut.append(event)
            raise KeyboardInterrupt
        return state

    session = ReplaySession(stored(tmp_path, troubled), interrupted)
    session.state(2)
    with pytest.raises(KeyboardInterrupt):
        session.state(5)
    assert [session.state(n)["n"] for n in (5, 3, 4)] == [5, 3, 4]


def test_a_reducer_that_returns_nothing_is_told_so(tmp_path):
    forgetful = ea.reducer("forgetful", initial={"n": 0})(lambda state, event: None)  # noqa: ARG005
    session = ReplaySession(stored(tmp_path, troubled), forgetful)
    assert "it returned None instead of the state" in session.event(1)["error"]
    assert session.state(5) is None


def test_a_field_of_a_reducer_that_never_changes_is_known(tmp_path):
    still = ea.reducer("still", initial={"n": None})(lambda state, event: state)  # noqa: ARG005
    session = ReplaySession(stored(tmp_path, troubled), still)
    assert session.find("field", "n") is None
    with pytest.raises(ValueError, match="no field 'm'"):
        session.find("field", "m")


# What bad input gets


@pytest.mark.parametrize("definition", [None, summing])
def test_hostile_ids_types_and_values_are_data(tmp_path, definition):
    store = stored(tmp_path, [(NASTY, {NASTY: NASTY}), ("A", {"x": NASTY})], NASTY, NASTY, event_id=None)
    ids = [NASTY + "1", "b'"]
    for each, event_id in enumerate(ids):
        store.append(
            [
                {
                    "service": NASTY,
                    "stream_id": NASTY,
                    "type": NASTY,
                    "event_id": event_id,
                    "data": {"n": each},
                    "occurred_at": START + (9 + each) * MINUTE,
                }
            ]
        )
    session = ReplaySession(store, definition, NASTY)
    assert session.entity.key == (NASTY, NASTY)
    assert session.find("type", NASTY) == 1
    assert session.find("text", "onerror=ALERT") == 1
    assert session.find("text", "%") is None
    assert session.find("id", ids[0]) == 3
    before = [session.state(n) for n in range(5)]
    session.skip(*ids).edit("b'", data={NASTY: 1})
    assert session.state(4) == before[2]
    assert [event["event_id"] for event in session.log.events()] == session.branch.events.ids[:2]
    again = ReplaySession(store, definition, **json.loads(json.dumps(session.spec())))
    assert [again.state(n) for n in range(5)] == [session.state(n) for n in range(5)]
    session.restore()
    assert [session.state(n) for n in range(5)] == before


def test_nulls_everywhere(tmp_path):
    store = stored(tmp_path, [("A", None), ("A", {"x": None}), ("B", {"x": 1}), ("A", {"x": None})])
    session = ReplaySession(store)
    assert [session.state(n) for n in range(5)] == [None, {"x": None}, {"x": None}, {"x": 1}, {"x": None}]
    assert session.event(1)["metadata"] is None
    assert [session.find("field", "x", start=n) for n in (0, 3)] == [3, 4]
    assert session.skip("order-1/3").find("field", "x") is None


def test_events_at_one_instant_keep_the_order_of_arrival(tmp_path):
    session = ReplaySession(stored(tmp_path, [("A", {"n": n}) for n in range(50)], occurred_at=START))
    assert [session.state(n + 1)["n"] for n in range(50)] == list(range(50))
    assert session.find("instant", START) == 50
    assert session.find("instant", START - dt.timedelta(microseconds=1)) == 0
    session.edit(type="A", occurred_at=START, data={"n": -1})
    assert session.state(51) == {"n": -1}


def test_two_thousand_types(tmp_path):
    session = ReplaySession(stored(tmp_path, [(f"Type{n}", {"n": n}) for n in range(2_000)]))
    assert session.find("type", "Type1999") == 2_000
    assert session.state(1_234) == {"n": 1_233}


def test_twenty_thousand_events_are_seen_at_any_step(tmp_path):
    store = stored(tmp_path, [("Added", {"price": 1})] * 20_000)
    session = ReplaySession(store, orders)
    assert len(session) == 20_000
    for step in (20_000, 1, 12_345, 255, 256, 257, 19_999):
        assert session.state(step)["total"] == step
    session.skip("order-1/5")
    assert session.state(19_999)["total"] == 19_998
    assert session.find("field", "total", start=4) == 6
    assert session.find("field", "total", start=20_000, back=True) == 19_999


def test_a_store_that_disappears_says_so_and_what_is_known_stays(tmp_path):
    session = ReplaySession(stored(tmp_path, life), orders).goto(2)
    before = session.state(6)
    shutil.rmtree(tmp_path / "store")
    with pytest.raises((StoreError, CorruptFileError)):
        session.refresh()
    with pytest.raises((StoreError, CorruptFileError)):
        session.event()
    assert session.state(6) == before
    assert session.skip("order-1/2").state(2)["total"] == 10
    assert session.restore().state(6) == before
    assert session.diff(0, 6)
    assert session.find("type", "Renamed") == 4
    assert session.spec() == {"key": ["order-1"], "step": 2}


def test_threads_may_do_anything_at_once(tmp_path):
    session = ReplaySession(stored(tmp_path, life[:6] * 50), orders)
    ids, whole = session.branch.events.ids, session.state(300)
    barrier, failures = threading.Barrier(8), []

    def hammer(number):
        mine = ids[number * 30 : number * 30 + 20]
        barrier.wait()
        try:
            for turn in range(12):
                session.skip(mine[turn % 20]).goto(number * turn).mark(str(number))
                row, diff = session.state(), session.diff(0, 300)
                assert row is None or row.keys() == whole.keys()
                assert all(change.changed_by in ids for change in diff)
                if turn % 20 == number:
                    session.edit(type="Added", occurred_at=START + (turn + 400) * MINUTE, data={"price": 1})
                    assert session.event(session.find("type", "Added", start=0))["type"] == "Added"
                    json.dumps(session.spec())
                    session.restore(*(edit["event_id"] for edit in session.spec().get("edits", [])))
                session.what_if()
                session.goto(10_000)
                at = session.at
                assert at is None or at >= START
                session.restore(mine[turn % 20])
        except BaseException as error:  # noqa: BLE001  told below
            failures.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=hammer, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not failures, failures[0]
    assert session.skipped == frozenset()
    assert session.restore().state(300) == session.state(300, real=True) == whole
    assert session.branch.events.ids == ids


# What changes, and who is told


def test_the_version_changes_with_the_events_and_with_nothing_else(tmp_path):
    store = stored(tmp_path, life)
    session = ReplaySession(store, orders)
    seen = [session.version]

    def changed():
        seen.append(session.version)
        return seen[-1] != seen[-2]

    session.skip("order-1/2").goto(3).mark("A").restore()
    assert not changed()
    session.edit("order-1/2", data={"price": 5})
    assert changed()
    session.edit(type="Added", occurred_at=START, data={"price": 1})
    assert changed()
    session.skip("order-1/3").restore("order-1/3")
    assert not changed()
    session.restore("order-1/2")
    assert changed()
    session.refresh()
    assert not changed()
    store.append([{"service": "orders", "stream_id": "other", "type": "Added", "occurred_at": START, "data": {}}])
    session.refresh()
    assert not changed()
    merged = ReplaySession(store, None, "order-1")
    before = merged.version
    stored(tmp_path, [("Added", {"colour": 1})], stream="another", event_id=None)
    assert (merged.refresh(), "colour" in merged.state(1), merged.version != before) == (0, True, True)
    stored(tmp_path, [("Added", {"price": 1})], event_id="new")
    session.refresh()
    assert changed()
    assert len(set(seen)) == 5


def test_a_state_is_the_callers_own(tmp_path):
    nested = ea.Projection(
        "nested", "stream_id", {"A": {"who": ea.field("who", "VARIANT"), "all": ea.append(ea.field("who", "VARIANT"))}}
    )
    session = ReplaySession(stored(tmp_path, [("A", {"who": {"tags": ["x", {"deep": [1]}]}})] * 3), nested)
    before = [json.dumps(session.state(n)) for n in range(4)]
    for step in (1, 2, 3):
        for real in (False, True):
            row = session.state(step, real=real)
            row["who"]["tags"][1]["deep"].append("changed by who was given it")
            row["all"].append("this too")
            for part in row["all"][:-1]:
                part and part["tags"].clear()
    assert [json.dumps(session.state(n)) for n in range(4)] == before


def test_steps_marks_and_bookmarks_stay_at_their_events(tmp_path):
    store = stored(tmp_path, life[:4])
    session = ReplaySession(store, orders, step=3, marks={"A": 2, "B": 0}, bookmarks=[(4, "last"), (1, "first")])
    session.edit(type="Added", occurred_at=START + 1.5 * MINUTE, data={"price": 1})
    assert (session.step, session.marks, session.bookmarks) == (4, {"A": 3, "B": 0}, [(5, "last"), (1, "first")])
    assert session.event()["event_id"] == "order-1/3"
    added = session.branch.events.ids[1]
    session.goto(added).mark("C", 2).restore(added)
    assert (session.step, session.marks) == (2, {"A": 2, "B": 0, "C": 2})
    stored(tmp_path, [("Added", {"price": 1})] * 2, stream="order-1", event_id=None, occurred_at=START)
    session.goto("order-1/4").refresh()
    assert session.event()["event_id"] == "order-1/4"
    assert (session.step, session.marks, session.bookmarks) == (
        6,
        {"A": 4, "B": 0, "C": 4},
        [(6, "last"), (3, "first")],
    )
    again = ReplaySession(store, orders, **session.spec())
    assert (again.step, again.marks, again.bookmarks) == (session.step, session.marks, session.bookmarks)


def test_bookmarks_are_held_within_bounds_and_told(session):
    told = []
    session.listeners.append(lambda: told.append(session.bookmarks))
    session.bookmarks = [(2, "look"), [7, "end"]]
    assert told == [[(2, "look"), (7, "end")]]
    with pytest.raises(ValueError, match="no step 8; the replay has steps 0 to 7"):
        session.bookmarks = [(1, "fine"), (8, "far")]
    assert session.bookmarks == [(2, "look"), (7, "end")]
    assert len(told) == 1


def test_a_listener_may_wait_for_a_thread_that_uses_the_replay(session):
    found = []

    def listen():
        other = threading.Thread(target=lambda: found.append(session.state(6)["total"]), daemon=True)
        other.start()
        other.join(10)
        found.append(not other.is_alive())

    session.listeners.append(listen)
    session.skip("order-1/2")
    session.edit("order-1/6", data={"price": 1})
    session.restore()
    session.refresh()
    assert found == [Decimal("10.10"), True, Decimal("11.00"), True, Decimal("12.60"), True, Decimal("12.60"), True]


def test_listeners_may_come_and_go_while_they_are_called(session):
    told = []

    def once():
        told.append("once")
        session.listeners.remove(once)

    session.listeners += [once, lambda: told.append("always")]
    session.goto(1).goto(2)
    assert told == ["once", "always", "always"]


def test_what_is_held_is_told_once_and_also_when_it_fails(session):
    told = []
    session.listeners.append(lambda: told.append(session.step))
    with session.held():
        session.goto(1).mark("A").skip("order-1/2")
        assert told == []
    assert told == [1]
    with pytest.raises(ValueError, match="no step 99"), session.held():
        session.goto(5).state(99)
    assert told == [1, 5]
    with session.held():
        session.state()
    assert told == [1, 5]


# What a view was given


def given_more(tmp_path):
    store = stored(tmp_path, life[:4])
    first = {"event_id": "order-1/2", "data": {"price": 5}}
    whole = {"service": "orders", "stream_id": "order-1", "type": "Added", "occurred_at": START + 2 * MINUTE}
    return store, store.log.with_events([whole | first])


def test_what_a_view_was_given_is_left_out_whatever_the_order_of_views(tmp_path):
    store, log = given_more(tmp_path)
    whole = {"service": "orders", "stream_id": "order-1", "type": "Added", "occurred_at": START + 2 * MINUTE}
    again = store.log.without(["order-1/2"]).with_events([whole | {"event_id": "order-1/2", "data": {"price": 5}}])
    for view in (log, again, log.with_events([whole | {"event_id": "order-1/2", "data": {"price": 6}}])):
        session = ReplaySession(view, orders).skip("order-1/2")
        assert session.state(4)["total"] == Decimal("10.00")
        assert [event["event_id"] for event in session.log.events()] == ["order-1/1", "order-1/3", "order-1/4"]
        session.edit("order-1/1", data={"total": 1})
        assert session.state(4)["total"] == Decimal("1.00")
        assert "order-1/2" not in [event["event_id"] for event in session.log.events()]
        session.edit("order-1/2", data={"price": 9})
        assert "order-1/2" not in [event["event_id"] for event in session.log.events()]
        assert len(list(session.restore("order-1/2").log.events())) == 4


def test_text_is_found_as_a_filter_on_the_log_finds_it(tmp_path):
    texts = ["Straße", "STRASSE", "İzmir", "izmir", "\u212a", "k", "Σας", "ΣΑΣ", "a'b", "100%"]
    session = ReplaySession(stored(tmp_path, [("A", {"x": text}) for text in texts]))
    for text in [*texts, "order-1/2\nA", "strasse", "i̇zmir", "σας"]:
        wanted = {event["event_id"] for event in Chosen(text=text).log(session.log).events()}
        assert session.matching(text) == wanted, text


def test_a_sum_that_does_not_fit_has_no_state_as_in_the_engine(tmp_path):
    for type_, most in (("BIGINT", 2**63 - 1), ("DECIMAL(38,2)", Decimal(10**38 - 1) / 100)):
        sums = ea.Projection("sums", "stream_id", {"A": {"s": ea.add(ea.field("n", type_))}})
        numbers = [most, 1, -1, -most, -most]
        store = stored(tmp_path / type_, [("A", {"n": str(number)}) for number in numbers], event_id=None)
        session = ReplaySession(store, sums)
        for step, event in enumerate(session.branch.instants, 1):
            at = START + step * MINUTE
            assert event == (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
            try:
                wanted = next(iter(ea.state_at(store, sums, at)))["s"]
            except EngineError:
                with pytest.raises(EngineError, match=r"the sum 's' is -?\d+.*, which does not fit into"):
                    session.state(step)
                assert "does not fit" in session.event(step)["error"]
            else:
                assert session.state(step) == {"s": wanted}
                assert session.event(step)["error"] is None
        assert type_ != "BIGINT" or session.what_if(3) == []


def test_nan_is_removed_from_a_list_as_in_the_engine(tmp_path):
    number = ea.field("n", "DOUBLE")
    listed = ea.Projection("listed", "stream_id", {"A": {"s": ea.append(number)}, "R": {"s": ea.remove(number)}})
    pairs = [("A", {"n": "1"}), ("A", {"n": "NaN"}), ("A", {"n": "2"}), ("R", {"n": "NaN"})]
    store = stored(tmp_path, pairs)
    assert (
        ReplaySession(store, listed).state(4) == {"s": [1.0, 2.0]} == {"s": next(iter(ea.state_at(store, listed)))["s"]}
    )


@pytest.mark.parametrize(
    ("before", "after", "delta"),
    [
        (
            Decimal("0.01"),
            Decimal("99999999999999999999999999999999999.99"),
            Decimal("99999999999999999999999999999999999.98"),
        ),
        (1, Decimal(12345678901234567890123456789012345678), Decimal(12345678901234567890123456789012345677)),
        (2**70, 2**70 + 1, 1),
        (1, 2.5, 1.5),
        (True, 2, None),
        (Decimal("Infinity"), Decimal("Infinity"), "NaN"),
        pytest.param(10**400, 1.0, None, id="huge"),
        (Decimal(1), 1.0, None),
    ],
)
def test_a_delta_is_exact(before, after, delta):
    found = Change(("n",), "changed", before, after).delta
    assert str(found) == "NaN" if delta == "NaN" else found == delta


def test_numbers_without_a_number_are_texts():
    odd = [float("nan"), float("inf"), -float("inf"), Decimal("NaN"), Decimal("-Infinity"), Decimal("sNaN")]
    assert exact_json(odd) == '["NaN","Infinity","-Infinity","NaN","-Infinity","NaN"]'
    assert exact_json([True, 7, Decimal("1E+3"), 0.5]) == "[true,7,1000,0.5]"
    assert [json_ready(value) for value in odd[:3]] == ["NaN", "Infinity", "-Infinity"]


def test_a_store_in_the_place_of_another_is_told_from_it(tmp_path):
    session = ReplaySession(stored(tmp_path, life), orders).goto(2)
    before = session.spec(), session.state(6), session.version
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(StoreError, match=r"store '.*store': it is gone; put it back, or open it"):
        session.refresh()
    stored(tmp_path, life[:2], stream="order-2")
    with pytest.raises(StoreError, match="it was replaced by another one; open it again"):
        session.refresh()
    assert (session.spec(), session.state(6), session.version) == before
    assert session.skip("order-1/2").state(2)["total"] == 10


@pytest.mark.parametrize("definition", [None, orders, summing])
def test_what_is_no_key_is_refused_with_what_is_one(tmp_path, definition):
    store = stored(tmp_path, life)
    parts = "stream_id" if definition is orders else r"\(service, stream_id\)"
    with pytest.raises(ValueError, match=rf"key=\('a', 'b', 'c'\) has 3 parts; .*{parts}"):
        ReplaySession(store, definition, ("a", "b", "c"))
    for odd in ({"stream_id": "order-1"}, {"order-1"}, b"order-1", [["order-1"]]):
        with pytest.raises(ValueError, match="is no value of a column; give a text, a number or a date"):
            ReplaySession(store, definition, odd)
    assert len(ReplaySession(store, definition, [])) == 7


def test_one_event_is_not_called_events(tmp_path):
    session = ReplaySession(stored(tmp_path, life[:1]))
    with pytest.raises(ValueError, match=r"give the id of one of its 1 event$"):
        session.skip("nobody")
