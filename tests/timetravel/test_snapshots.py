"""A snapshot, whenever it was taken and whatever came after it, changes no answer."""

import pytest
from histories import (
    FAMILIES,
    KEYS,
    MINUTE,
    NOW,
    RECORDED,
    START,
    TICK,
    Reference,
    alike,
    changes,
    difference,
    histories,
    in_order,
    keys_of,
    known,
    law,
    placed,
    projections,
    rows,
    some_instant,
    spans,
    store_of,
)
from hypothesis import event, given
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.errors import ProjectionError, UnsupportedError
from esanalytics.projections._fold import held_by


def uses_one(result):
    return "/snapshots/" in result.sql


def appended(tmp_path, batches, projection, takes):
    """Append batch after batch, and take snapshots in between; an instant before all events has none."""
    store = store_of(tmp_path, [])
    for number, batch in enumerate(batches):
        store.append(batch)
        there = placed(batches[: number + 1])
        for at in [at for place, at in takes if place == number]:
            if at is not None and at < there[0]["effective_at"]:
                with pytest.raises(ProjectionError, match="no event"):
                    ea.snapshot(store, projection, at)
                continue
            taken = ea.snapshot(store, projection, at)
            assert taken.position == len(there)
            assert taken.at == max(e["effective_at"] for e in there if at is None or e["effective_at"] <= at)
            assert taken.rows == len(Reference(projection, there).state(at))
    return store


def frame_of(wanted, instants):
    """Make rows for `join_asof`: every key at every instant."""
    names = keys_of(wanted.projection)
    keys = sorted({wanted.key(e) for e in wanted.events if None not in wanted.key(e)})
    return [{**dict(zip(names, key, strict=True)), "at": at} for key in keys for at in instants]


def check(store, wanted, instants):
    """Ask every verb that may use a snapshot, and say how many of the answers did."""
    projection = wanted.projection
    first, second = instants
    used = []

    def looked(result):
        used.append(uses_one(result))
        return result

    for at in (None, first, second):
        assert alike(rows(looked(ea.state_at(store, projection, at)), projection), wanted.state(at)), at
    for grain in ("instant", "event"):
        found = spans(looked(ea.history(store, projection, since=first, grain=grain)), projection)
        assert alike(in_order(found), in_order(wanted.history(since=first, grain=grain)))
    found = spans(looked(ea.history(store, projection, since=second, until=first)), projection)
    assert alike(in_order(found), in_order(wanted.history(since=second, until=first)))
    found = changes(looked(ea.diff(store, projection, first, second)), projection)
    assert alike(found, difference(wanted.state(first), wanted.state(second)))
    frame = frame_of(wanted, instants)
    if frame:
        names = keys_of(projection)
        states = {at: wanted.state(at) for at in instants}
        for asked, row in zip(frame, looked(ea.join_asof(frame, store, projection, key=names, at="at")), strict=True):
            columns = {name: value for name, value in row.items() if name not in asked}
            key = tuple(asked[name] for name in names)
            assert alike(columns, states[asked["at"]].get(key, dict.fromkeys(columns))), asked
        key = tuple(frame[0][name] for name in names)
        one = rows(looked(ea.state_at(store, projection, second, key=key)), projection)
        assert alike(one, {owner: row for owner, row in states[second].items() if owner == key})
    return sum(used)


SAVED = {name: found for name, found in FAMILIES.items() if name != "list of anything"}
takes = st.lists(st.tuples(st.integers(0, 3), st.none() | some_instant()), min_size=1, max_size=4)
pairs = st.tuples(some_instant(), some_instant())


@law(5)
@given(
    batches=histories(appends=4),
    projection=projections(families=SAVED),
    taken=takes,
    instants=pairs,
    compact=st.booleans(),
)
def test_a_snapshot_taken_at_any_moment_changes_no_answer(tmp_path, batches, projection, taken, instants, compact):
    store = appended(tmp_path, batches, projection, taken)
    wanted = Reference(projection, placed(batches))
    if compact:
        store.compact(retain=NOW)
    event(f"answers from a snapshot: {check(store, wanted, instants)}")
    for each in ea.snapshots(store):
        each.drop()
    assert ea.snapshots(store) == []
    result = ea.state_at(store, projection, instants[0])
    assert not uses_one(result)
    assert alike(rows(result, projection), wanted.state(instants[0]))


@law(3)
@given(
    batches=histories(appends=4),
    projection=projections(families=SAVED),
    taken=takes,
    instants=pairs,
    minutes=st.lists(st.integers(0, 9), min_size=2, max_size=2),
)
def test_a_snapshot_changes_nothing_of_what_was_known(tmp_path, batches, projection, taken, instants, minutes):
    store = appended(tmp_path, batches, projection, taken)
    events = placed(batches)
    for known_at in (RECORDED + n * MINUTE for n in minutes):
        wanted = Reference(projection, known(events, known_at))
        for at in (None, *instants):
            result = ea.state_at(store, projection, at, known_at=known_at)
            event(f"what was known from a snapshot: {uses_one(result)}")
            assert alike(rows(result, projection), wanted.state(at)), (known_at, at)
        found = changes(ea.diff(store, projection, *instants, known_at=known_at), projection)
        assert alike(found, difference(*(wanted.state(at) for at in instants)))
        found = spans(ea.history(store, projection, since=instants[0], known_at=known_at), projection)
        assert alike(in_order(found), in_order(wanted.history(since=instants[0])))


@law(3)
@given(
    batches=histories(appends=4),
    projection=projections(families=SAVED),
    instants=pairs,
    first=st.none() | some_instant(),
)
def test_refreshed_after_each_append_there_is_one_snapshot_and_every_answer_is_right(
    tmp_path, batches, projection, instants, first
):
    store = store_of(tmp_path, batches[:1])
    there = placed(batches[:1])
    types = [held_by(projection, placed(batches[: number + 1])) for number in range(len(batches))]
    if first is None or first >= there[0]["effective_at"]:
        ea.snapshot(store, projection, first)
    for number, batch in enumerate(batches[1:], 2):
        store.append(batch)
        carried = ea.refresh(store, projection)
        assert carried.position == sum(map(len, batches[:number]))
        assert carried in ea.snapshots(store)
        if types[number - 1] == types[0]:
            assert ea.snapshots(store) == [carried]
    wanted = Reference(projection, placed(batches))
    if len(batches) > 1:
        assert uses_one(ea.state_at(store, projection))
    check(store, wanted, instants)


@law(2)
@given(batches=histories(appends=2), instants=pairs, at=st.none() | some_instant(), data=st.data())
def test_a_snapshot_of_another_definition_of_the_same_name_changes_no_answer(tmp_path, batches, instants, at, data):
    one, other = (data.draw(projections(keys=KEYS[:1], families=SAVED)) for _ in range(2))
    store = store_of(tmp_path, batches)
    for projection in (one, other):
        if at is None or at >= placed(batches)[0]["effective_at"]:
            ea.snapshot(store, projection, at)
        check(store, Reference(one, placed(batches)), instants)
    check(store, Reference(other, placed(batches)), instants)


# Examples


orders = ea.Projection(
    "orders",
    "stream_id",
    {
        "Set": {"status": ea.field("status"), "seen": ea.effective_at},
        "Add": {"total": ea.add(ea.field("n")), "all": ea.append(ea.field("n"))},
        "Deleted": ea.delete,
    },
)


@pytest.fixture
def store(tmp_path):
    found = store_of(tmp_path, [])
    found.append([order(1, "Set", status="placed"), order(2, "Add", n=5), order(2, "Set", stream="p", status="draft")])
    return found


def order(minute, type_, stream="o", version=None, **data):
    at = START + minute * MINUTE
    return {"stream_id": stream, "type": type_, "version": version, "occurred_at": at, "data": data}


def state(store, at=None, **options):
    return rows(ea.state_at(store, orders, at, **options), orders)


def test_every_verb_starts_from_a_snapshot_without_being_asked(store):
    taken = ea.snapshot(store, orders, START + MINUTE)
    later = START + 3 * MINUTE
    assert uses_one(ea.state_at(store, orders))
    assert uses_one(ea.state_at(store, orders, START + MINUTE))
    assert uses_one(ea.history(store, orders, since=START + MINUTE))
    assert uses_one(ea.diff(store, orders, START + MINUTE, later))
    assert uses_one(ea.join_asof([{"id": "o", "at": later}], store, orders, key="id", at="at"))
    assert state(store)["o",] == {"status": "placed", "seen": START + MINUTE, "total": 5, "all": [5]}
    taken.drop()
    taken.drop()
    assert not uses_one(ea.state_at(store, orders))


def test_no_snapshot_is_used_for_what_came_before_it_or_for_another_log(store):
    ea.snapshot(store, orders)
    for result in (
        ea.state_at(store, orders, START + MINUTE),
        ea.history(store, orders),
        ea.history(store, orders, since=START + MINUTE),
        ea.state_at(store.log.without("type = 'Add'"), orders),
        ea.state_at(store.log.with_events([order(9, "Add", n=1)]), orders),
        ea.state_at(store.log.where(stream="o"), orders),
        ea.state_at(store.log.since(START + MINUTE), orders),
        ea.state_at(store, orders, known_at=START),
    ):
        assert not uses_one(result)
    assert state(store.log.without("type = 'Add'"))["o",]["total"] == 0


def test_a_log_that_was_taken_before_a_snapshot_does_not_use_it(store):
    log = store.log
    store.append([order(1, "Add", n=7)])
    ea.snapshot(store, orders)
    assert not uses_one(ea.state_at(log, orders))
    assert state(log)["o",]["total"] == 5
    assert state(store)["o",]["total"] == 12


def test_the_nearest_snapshot_is_used(store):
    early = ea.snapshot(store, orders, START + MINUTE)
    late = ea.snapshot(store, orders)
    assert late.path in ea.state_at(store, orders).sql
    assert early.path in ea.state_at(store, orders, START + MINUTE).sql
    assert ea.snapshots(store) == [early, late]
    assert str(late) == (f"orders at 2026-01-31T23:59:00.000000Z, up to position 3: 2 rows, {late.size / 1e6:,.1f} MB")


def test_late_events_fold_only_the_keys_that_they_touch_again(store):
    ea.snapshot(store, orders)
    store.append([order(0, "Add", n=2), order(3, "Add", stream="p", n=1)])
    assert uses_one(ea.state_at(store, orders))
    assert state(store) == {
        ("o",): {"status": "placed", "seen": START + MINUTE, "total": 7, "all": [2, 5]},
        ("p",): {"status": "draft", "seen": START + 2 * MINUTE, "total": 1, "all": [1]},
    }
    assert state(store, START + MINUTE)["o",]["total"] == 2


def test_a_late_event_of_a_skewed_clock_moves_the_events_inside_a_snapshot(tmp_path):
    store = store_of(tmp_path, [])
    store.append([order(1, "Set", version=2, status="a"), order(2, "Set", version=3, status="b")])
    store.append([order(2, "Set", stream="p", status="p"), order(2, "Add", stream="q", n=1)])
    ea.snapshot(store, orders)
    assert state(store)["o",]["seen"] == START + 2 * MINUTE
    store.append([order(9, "Add", version=1, n=1)])
    result = ea.state_at(store, orders, START + 5 * MINUTE)
    assert uses_one(result)
    assert rows(result, orders).keys() == {("p",), ("q",)}
    assert uses_one(ea.state_at(store, orders))
    assert state(store)["o",] == {"status": "b", "seen": START + 9 * MINUTE, "total": 1, "all": [1]}
    store.compact(retain=NOW)
    assert state(store, START + 5 * MINUTE).keys() == {("p",), ("q",)}


def test_a_snapshot_of_a_changed_definition_is_not_used(store):
    ea.snapshot(store, orders)
    changed = ea.Projection("orders", orders.key, {**orders.on, "Add": {**orders.on["Add"], "total": ea.add(1)}})
    assert not uses_one(ea.state_at(store, changed))
    assert rows(ea.state_at(store, changed), changed)["o",]["total"] == 1
    again = ea.Projection("orders", "stream_id", dict(orders.on))
    assert uses_one(ea.state_at(store, again))


def test_a_snapshot_is_not_used_when_the_type_of_a_field_has_changed(store):
    ea.snapshot(store, orders)
    store.append([order(3, "Set", status=7)])
    result = ea.state_at(store, orders, START + 2 * MINUTE)
    assert state(store, START + 2 * MINUTE)["o",]["status"] == "placed"
    store.append([order(4, "Add", n=0.5)])
    assert state(store)["o",]["all"] == [5, 0.5]
    assert not uses_one(ea.state_at(store, orders))
    assert result.types["status"] != "BIGINT"


def test_names_of_projections_are_no_paths(store):
    for name in ("../../up", "a/b", "ü '\"\n", ".", "x" * 300):
        renamed = ea.Projection(name, orders.key, orders.on)
        taken = ea.snapshot(store, renamed)
        assert taken.path.startswith(str(store.path / "snapshots"))
        assert uses_one(ea.state_at(store, renamed))
        assert rows(ea.state_at(store, renamed), renamed) == state(store)
    assert len(ea.snapshots(store)) == 5
    assert not uses_one(ea.state_at(store, orders))


def test_names_that_differ_in_case_alone_are_two_projections(store):
    other = ea.Projection("Orders", "stream_id", {"Set": {"n": ea.add(1)}})
    ea.snapshot(store, orders)
    ea.snapshot(store, other)
    assert rows(ea.state_at(store, other), other) == {("o",): {"n": 1}, ("p",): {"n": 1}}
    assert {found.projection for found in ea.snapshots(store)} == {"orders", "Orders"}


def test_a_snapshot_of_nothing_is_refused(store, tmp_path):
    with pytest.raises(ProjectionError, match=r"no event.* to take a snapshot of"):
        ea.snapshot(store, orders, START + MINUTE - TICK)
    with pytest.raises(ProjectionError, match="append events first"):
        ea.snapshot(store_of(tmp_path, []), orders)
    with pytest.raises(ValueError, match="not an instant"):
        ea.snapshot(store, orders, "yesterday")
    with pytest.raises(TypeError, match="not a store"):
        ea.snapshot(store.log, orders)
    assert ea.snapshots(store) == []


def test_only_a_projection_can_be_saved(store):
    counted = ea.SqlProjection("counted", "select stream_id, count(*) as n from events group by all", "stream_id")
    for ask in (ea.snapshot, ea.refresh):
        with pytest.raises(UnsupportedError, match="SqlProjection 'counted' cannot be saved"):
            ask(store, counted)


def test_another_process_sees_a_snapshot_and_one_that_was_dropped_is_forgotten(store):
    taken = ea.snapshot(store, orders)
    with ea.Store.open(store.path) as other:
        result = ea.state_at(other, orders)
        assert uses_one(result)
        taken.drop()
        assert rows(result, orders) == state(store)
        assert not uses_one(ea.state_at(other, orders))


def test_a_snapshot_survives_compaction(store):
    ea.snapshot(store, orders, START + MINUTE)
    store.append([order(3, "Deleted"), order(4, "Add", n=3)])
    before = state(store)
    store.compact(retain=NOW)
    assert uses_one(ea.state_at(store, orders))
    assert state(store) == before
    assert before["o",] == {"status": None, "seen": None, "total": 3, "all": [3]}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_kind_of_assignment_goes_on_from_a_snapshot(tmp_path, family):
    rules = dict(zip("ABC", [{"c": found} for found in FAMILIES[family]], strict=False))
    projection = ea.Projection("p", "stream_id", {**rules, "D": ea.delete})
    kinds = "ABCABCDCBAACB"
    batches = [
        [
            {
                "event_id": str(n),
                "service": "s",
                "stream_id": "x",
                "version": n,
                "type": kind,
                "occurred_at": START + n * MINUTE,
                "recorded_at": RECORDED,
                "data": {"n": n % 3, "status": "ab"[n % 2], "any": (n, "x", {"k": n}, None)[n % 4], "price": n % 5},
            }
            for n, kind in enumerate(kinds)
        ]
    ]
    store = store_of(tmp_path, batches)
    wanted = Reference(projection, placed(batches))
    for minute in (1, 4, 8):
        ea.snapshot(store, projection, START + minute * MINUTE)
    assert check(store, wanted, (START + 5 * MINUTE, START + 10 * MINUTE)) >= 6
