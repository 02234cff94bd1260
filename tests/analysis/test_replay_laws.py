"""A replay shows at every step what `state_at` says of that prefix, whatever is switched off, changed or added."""

import pytest
from histories import KEYS, MINUTE, PAYLOADS, START, TYPES, histories, law, placed, store_of
from hypothesis import assume, given
from hypothesis import strategies as st
from replays import (
    REDUCERS,
    Truth,
    applied,
    asked,
    definitions,
    edits_of,
    entities,
    everything,
    replay_of,
    replayed,
    same_row,
    states,
    whole_of,
)

from esanalytics.analysis._changes import same
from esanalytics.analysis._finding import is_failure
from esanalytics.analysis._session import ReplaySession

pytestmark = pytest.mark.usefixtures("short_strides")


def draw_skipped(session, draw):
    return draw(st.sets(st.sampled_from(session.branch.events.ids), min_size=1, max_size=6))


def draw_edits(session, draw):
    """Change and add some events of a replay; returns what was done."""
    for number in range(draw(st.integers(1, 2))):
        found = {"data": draw(PAYLOADS)}
        if draw(st.booleans()):
            found["type"] = draw(st.sampled_from(TYPES))
        if number or draw(st.booleans()):
            at = START + draw(st.integers(0, 11)) * MINUTE / 2
            session.edit(**{"type": "A", **found}, occurred_at=at, **draw_stream(session, draw))
        else:
            session.edit(draw(st.sampled_from(session.branch.events.ids)), **found)
    return edits_of(session)


def draw_stream(session, draw):
    service, stream = draw(st.sampled_from(session.branch.streams))
    return {"service": service, "stream_id": stream}


def prefix_log(session, step):
    """Give the log without the later events of the entity."""
    return session.log.without(session.branch.events.ids[step:]) if step < len(session) else session.log


def agrees(session, truth):
    """Hold the states at all steps beside those of the truth, and the order beside its order."""
    ids = session.branch.events.ids
    assert [event_id for event_id in ids if event_id not in session.skipped and event_id in truth.ids] == truth.ids
    for step, row in enumerate(states(session)):
        assert same_row(row, truth.state(ids[:step])), step


@law(4)
@given(batches=histories(), definition=definitions(), data=st.data())
def test_the_state_at_a_step_is_the_state_of_the_log_up_to_it(tmp_path, batches, definition, data):
    session = replay_of(tmp_path, batches, definition, data.draw)
    agrees(session, Truth(session, placed(batches)))
    for step in {0, len(session), data.draw(st.integers(0, len(session)))}:
        assert same_row(session.state(step), asked(prefix_log(session, step), session)), step


@law(3)
@given(batches=histories(least=14), definition=everything(KEYS[2:]) | st.sampled_from(REDUCERS), data=st.data())
def test_steps_may_be_asked_for_in_any_order(tmp_path, batches, definition, data):
    session = replay_of(tmp_path, batches, definition, data.draw)
    wanted = states(replayed(session, session.log, definition))
    for step in data.draw(st.permutations(range(len(session) + 1))):
        assert session.state(step) == wanted[step]


@law(4)
@given(batches=histories(), definition=definitions(), data=st.data())
def test_what_is_switched_off_never_happened(tmp_path, batches, definition, data):
    session, events = replay_of(tmp_path, batches, definition, data.draw), placed(batches)
    before = states(session, real=True)
    skipped = draw_skipped(session, data.draw)
    session.skip(*skipped)
    agrees(session, Truth(session, events, skipped))
    mine = [event["event_id"] for event in session.log.events() if event["event_id"] in session.branch.row_of]
    assert [event_id for event_id in session.branch.events.ids if event_id not in skipped] == mine
    assert same_row(session.state(len(session)), asked(session.log, session))
    after = states(session, real=True)
    assert after[0] is before[0] is None
    assert after[-1] == before[-1]
    assert all(row in before for row in after)
    session.restore(*skipped)
    assert states(session) == states(session, real=True) == before


@law(4)
@given(batches=histories(), definition=definitions(), data=st.data())
def test_what_is_changed_or_added_is_as_if_it_had_happened_so(tmp_path, batches, definition, data):
    session, events = replay_of(tmp_path, batches, definition, data.draw), placed(batches)
    before, ids = states(session), session.branch.events.ids
    edits = draw_edits(session, data.draw)
    whole = whole_of(events, edits)
    agrees(session, Truth(session, whole))
    assert same_row(session.state(len(session)), asked(session.log, session))
    mine = [edit["event_id"] for edit in edits if edit["event_id"] in session.branch.row_of]
    skipped = draw_skipped(session, data.draw) | set(mine[-1:])
    session.skip(*skipped)
    agrees(session, Truth(session, whole, skipped))
    assert same_row(session.state(len(session)), asked(session.log, session))
    assert session.state(len(session), real=True) == before[-1]
    again = replayed(session, session._given, definition)
    assert (states(again), again.branch.events.ids, again.spec()) == (
        states(session),
        session.branch.events.ids,
        session.spec(),
    )
    session.restore()
    assert states(session) == states(session, real=True) == before
    assert session.branch.events.ids == ids


@law(4)
@given(batches=histories(), definition=definitions(), data=st.data())
def test_what_a_view_was_given_may_be_switched_off_too(tmp_path, batches, definition, data):
    events = placed(batches)
    given_ = draw_given(events, data.draw)
    whole = whole_of(events, given_)
    keys = entities(definition, whole)
    assume(keys)
    log = store_of(tmp_path, batches).log.with_events(given_)
    session = ReplaySession(log, definition, data.draw(st.sampled_from(keys)))
    before, ids = states(session), session.branch.events.ids
    agrees(session, Truth(session, whole))
    mine = [row["event_id"] for row in given_ if row["event_id"] in session.branch.row_of]
    skipped = draw_skipped(session, data.draw) | set(mine[:1])
    session.skip(*skipped)
    agrees(session, Truth(session, whole, skipped))
    assert skipped.isdisjoint(event["event_id"] for event in session.log.events())
    assert same_row(session.state(len(session)), asked(session.log, session))
    edits = draw_edits(session, data.draw)
    session.skip(*skipped)
    agrees(session, Truth(session, whole_of(whole, edits), skipped))
    assert skipped.isdisjoint(event["event_id"] for event in session.log.events())
    assert same_row(session.state(len(session)), asked(session.log, session))
    session.restore()
    assert (states(session), session.branch.events.ids) == (before, ids)


def draw_given(events, draw):
    """Draw events that a view is given: changed ones of the store, and others."""
    found = []
    for event in draw(st.lists(st.sampled_from(events), min_size=1, max_size=2, unique_by=lambda e: e["event_id"])):
        row = {name: value for name, value in event.items() if name != "effective_at"}
        found.append({**row, "data": draw(PAYLOADS), "occurred_at": START + draw(st.integers(0, 11)) * MINUTE / 2})
    like = draw(st.sampled_from(events))
    at = START + draw(st.integers(0, 11)) * MINUTE / 2
    last = max(event["position"] for event in events)
    blank = {"version": None, "schema_version": 1, "correlation_id": None, "causation_id": None, "metadata": None}
    new = {"event_id": "given", "service": like["service"], "stream_id": like["stream_id"], "type": "A"}
    placed_at = {"position": last + 1, "recorded_at": at, "occurred_at": at}
    return [*found, {**blank, **new, **placed_at, "data": draw(PAYLOADS)}]


@law(4)
@given(batches=histories(), definition=definitions(), data=st.data())
def test_a_diff_turns_the_one_state_into_the_other(tmp_path, batches, definition, data):
    session = replay_of(tmp_path, batches, definition, data.draw)
    if data.draw(st.booleans()):
        session.skip(*draw_skipped(session, data.draw))
    found, ids = states(session), session.branch.events.ids
    for low, high in data.draw(st.lists(st.tuples(*[st.integers(0, len(session))] * 2), min_size=3, max_size=9)):
        changes = session.diff(low, high)
        assert applied(changes, found[low]) == (found[high] or {})
        assert len({change.path for change in changes}) == len(changes)
        for change in changes:
            by = last_change(found, ids, change.path[0], *sorted((low, high)))
            assert change.changed_by == by, change


def last_change(found, ids, column, low, high):
    """Find by looking at every step which event after ``low``, up to ``high``, changed a column last."""
    for step in range(high, low, -1):
        if not same(value(found[step - 1], column), value(found[step], column)):
            return ids[step - 1]
    return None


def value(row, column, *path):
    found = (row or {}).get(column)
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


@law(4)
@given(batches=histories(), definition=definitions(), data=st.data())
def test_find_stops_where_a_look_at_every_step_does(tmp_path, batches, definition, data):
    session = replay_of(tmp_path, batches, definition, data.draw)
    if data.draw(st.booleans()):
        session.skip(*draw_skipped(session, data.draw))
    found, events = states(session), [session.event(step) for step in range(1, len(session) + 1)]
    columns = sorted({name for row in found for name in row or ()})
    wanted = [("field", name, steps_of(found, name)) for name in columns]
    wanted += [("field", "any.k", steps_of(found, "any", "k"))] if "any" in columns else []
    wanted += [("type", type_, where(events, lambda e, t=type_: e["type"] == t)) for type_ in TYPES]
    wanted += [("failure", None, where(events, lambda e: is_failure(e["type"])))]
    whole = where(events, lambda e: e["event_id"] == "e-1")
    wanted += [("id", "e-1", whole or where(events, lambda e: e["event_id"].startswith("e-1")))]
    wanted += [("text", "ANN", where(events, lambda e: "ann" in e["data"]))]
    for what, sought, steps in wanted:
        for start in [0, len(session)] if what == "text" else range(len(session) + 1):
            after = next((step for step in steps if step > start), None)
            before = next((step for step in reversed(steps) if step < start), None)
            assert session.find(what, sought, start=start) == after, (what, sought, start)
            assert session.find(what, sought, start=start, back=True) == before, (what, sought, start)


@law(3)
@given(batches=histories(), definition=definitions(), at=st.integers(-1, 13), data=st.data())
def test_an_instant_stands_after_the_last_event_up_to_it(tmp_path, batches, definition, at, data):
    session = replay_of(tmp_path, batches, definition, data.draw)
    sought = START + at * MINUTE / 2
    steps = [step for step in range(1, len(session) + 1) if session.goto(step).at <= sought]
    assert session.find("instant", sought) == len(steps) == (steps or [0])[-1]
    mine = Truth(session, placed(batches))
    before = [e["event_id"] for e in mine.own if e["effective_at"] <= sought]
    assert same_row(session.state(len(steps)), mine.state(before))


def steps_of(found, *path):
    return [n for n in range(1, len(found)) if not same(value(found[n - 1], *path), value(found[n], *path))]


def where(events, test):
    return [step for step, event in enumerate(events, 1) if test(event)]


@pytest.mark.parametrize("definition", REDUCERS, ids=lambda each: each.name)
def test_a_function_that_changes_its_state_leaves_the_states_before_alone(tmp_path, definition):
    events = [
        {
            "event_id": f"e-{n}",
            "service": "shop",
            "stream_id": "u-1",
            "type": "ABCDA"[n % 5],
            "occurred_at": START + n * MINUTE,
            "recorded_at": START + n * MINUTE,
            "version": None,
            "data": {"n": n % 4, "status": "placed"},
        }
        for n in range(20)
    ]
    session = ReplaySession(store_of(tmp_path, [events]), definition)
    for step in (20, 7, 3, 11):
        session.state(step)["seen"] = "changed by who was given it"
    agrees(session, Truth(session, placed([events])))
    agrees(session.skip("e-3", "e-7"), Truth(session, placed([events]), {"e-3", "e-7"}))
