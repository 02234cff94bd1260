"""`state_at` is the fold of what had happened by then, of what was known then, and of what if."""

from histories import (
    KEYS,
    MINUTE,
    RECORDED,
    START,
    STATUS,
    Reference,
    alike,
    changes,
    effective,
    histories,
    in_order,
    instants,
    known,
    law,
    placed,
    projections,
    rows,
    some_instant,
    spans,
    store_of,
)
from hypothesis import given
from hypothesis import strategies as st

import esanalytics as ea


@law(2)
@given(batches=histories(), projection=projections())
def test_the_state_at_every_instant_is_the_fold_of_the_events_up_to_it(tmp_path, batches, projection):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(projection, events)
    assert alike(rows(ea.state_at(store, projection), projection), wanted.state())
    for at in instants(events):
        assert alike(rows(ea.state_at(store, projection, at), projection), wanted.state(at)), at


@law(3)
@given(
    batches=histories(),
    projection=projections(),
    knowns=st.lists(st.integers(-1, 9), min_size=3, max_size=3),
    at=some_instant(),
)
def test_the_state_as_it_was_known_is_the_fold_of_what_was_recorded_then(tmp_path, batches, projection, knowns, at):
    store, events = store_of(tmp_path, batches), placed(batches)
    for known_at in (RECORDED + n * MINUTE for n in knowns):
        wanted = Reference(projection, known(events, known_at))
        assert alike(rows(ea.state_at(store, projection, at, known_at=known_at), projection), wanted.state(at))
        log = store.log.at(at).known_at(known_at)
        assert alike(rows(ea.state_at(log, projection), projection), wanted.state(at))


@law(2)
@given(batches=histories(), projection=projections(), at=some_instant())
def test_the_state_of_a_key_is_its_row_in_the_state_of_all(tmp_path, batches, projection, at):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(projection, events)
    keys = {wanted.key(event) for event in events if None not in wanted.key(event)}
    for key in [*sorted(keys), ("nobody",) * len(next(iter(keys), "k"))][-4:]:
        found = rows(ea.state_at(store, projection, at, key=key), projection)
        assert alike(found, {owner: row for owner, row in wanted.state(at).items() if owner == key})


def removals(events, draw):
    """Draw some of the events to leave out, as ids, as a condition or as a view; and which they are."""
    ids = draw(st.sets(st.sampled_from([event["event_id"] for event in events]), min_size=1))
    type_ = draw(st.sampled_from("ABCD"))
    return draw(
        st.sampled_from(
            [
                (sorted(ids), lambda event: event["event_id"] in ids),
                (f"type = '{type_}'", lambda event: event["type"] == type_),
                ("data.n::int > 2", lambda event: (event["data"].get("n") or 0) > 2),
                (
                    lambda log: log.where(service="shop", type=type_),
                    lambda event: (event["service"], event["type"]) == ("shop", type_),
                ),
            ]
        )
    )  # fmt: skip


@law(3)
@given(batches=histories(), projection=projections(), at=some_instant(), data=st.data())
def test_without_some_events_every_answer_is_that_of_a_log_that_never_had_them(tmp_path, batches, projection, at, data):
    store, events = store_of(tmp_path, batches), placed(batches)
    what, is_out = removals(events, data.draw)
    log = store.log.without(what(store.log) if callable(what) else what)
    wanted = Reference(projection, effective([event for event in events if not is_out(event)]))
    assert alike(rows(ea.state_at(log, projection, at), projection), wanted.state(at))
    assert alike(in_order(spans(ea.history(log, projection), projection)), in_order(wanted.history()))


@law(3)
@given(batches=histories(), projection=projections(), at=some_instant(), data=st.data())
def test_without_events_and_with_them_again_is_the_log_as_it_was(tmp_path, batches, projection, at, data):
    store, events = store_of(tmp_path, batches), placed(batches)
    what, _ = removals(events, data.draw)
    removal = what(store.log) if callable(what) else what
    log = store.log
    gone = log.where("event_id in ({})".format(", ".join(f"'{i}'" for i in what))) if isinstance(what, list) else (
        removal if callable(what) else log.where(what)
    )  # fmt: skip
    again = log.without(removal).with_events(gone)
    wanted = Reference(projection, events)
    assert alike(rows(ea.state_at(again, projection), projection), wanted.state())
    assert alike(rows(ea.state_at(again, projection, at), projection), wanted.state(at))
    assert alike(in_order(spans(ea.history(again, projection), projection)), in_order(wanted.history()))
    assert changes(ea.diff(store, projection, log, again), projection) == {}
    assert changes(ea.diff(store, projection, again, log), projection) == {}


@law(2)
@given(
    batches=histories(most=10),
    added=histories(least=2, most=6),
    projection=projections(keys=KEYS[:2]),
    at=some_instant(),
)
def test_with_events_every_answer_is_that_of_a_store_that_has_them_too(tmp_path, batches, added, projection, at):
    fresh = [
        {**row, "event_id": f"x{row['event_id']}", "stream_id": "new-" + row["stream_id"][0]}
        for batch in added
        for row in batch
    ]
    fresh = [{name: value for name, value in row.items() if name != "recorded_at"} for row in fresh]
    whole = [*batches, [{**row, "recorded_at": row["occurred_at"]} for row in fresh]]
    store = store_of(tmp_path, batches)
    wanted = Reference(projection, placed(whole))
    log = store.log.with_events(fresh)
    assert alike(rows(ea.state_at(log, projection, at), projection), wanted.state(at))
    assert alike(in_order(spans(ea.history(log, projection), projection)), in_order(wanted.history()))
    assert alike(rows(ea.state_at(store, projection), projection), Reference(projection, placed(batches)).state())


def test_an_event_that_is_added_before_others_is_folded_before_them(tmp_path):
    statuses = ea.Projection("statuses", "stream_id", {"A": {"status": STATUS, "all": ea.append(STATUS)}})
    store = store_of(tmp_path, [])
    store.append([happened(1, status="placed"), happened(3, status="paid")])
    log = store.log.with_events([happened(2, status="packed"), happened(4, status="sent")])
    assert rows(ea.state_at(log, statuses, START + 3 * MINUTE), statuses) == {
        ("o",): {"status": "paid", "all": ["placed", "packed", "paid"]}
    }
    found = in_order(spans(ea.history(log, statuses), statuses))
    assert [(row["status"], begin, end) for _, row, begin, end, *_ in found] == [
        ("placed", START + MINUTE, START + 2 * MINUTE),
        ("paid", START + 3 * MINUTE, START + 4 * MINUTE),
        ("packed", START + 2 * MINUTE, START + 3 * MINUTE),
        ("sent", START + 4 * MINUTE, None),
    ]


def happened(minute, **data):
    return {"stream_id": "o", "type": "A", "occurred_at": START + minute * MINUTE, "data": data}
