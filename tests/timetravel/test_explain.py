"""`explain` says which events made a value, step by step, and why others did not."""

import pytest
from histories import (
    MINUTE,
    RECORDED,
    START,
    Reference,
    alike,
    histories,
    known,
    law,
    placed,
    projections,
    some_instant,
    store_of,
)
from hypothesis import assume, given
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.errors import CompileError, ProjectionError, UnsupportedError
from esanalytics.projections import columns_of, fold

LATER, DELETED, RESET = "later than at", "deleted", "before the last set"
IDLE = {"NULL is passed over", "there was a value already"}
COLUMNS = (
    "effective_at",
    "type",
    "service",
    "event_id",
    "position",
    "column",
    "action",
    "value",
    "result",
    "reason",
)


def explained(store, wanted, key, at, **options):
    """Give the rows of an explanation by column."""
    found = {name: [] for name in columns_of(wanted.projection)}
    for row in ea.explain(store, wanted.projection, key, at=at, **options):
        assert tuple(row) == COLUMNS
        found[row["column"]].append(row)
    return found


def check_column(steps, column, wanted, key, at):
    """Hold what is said of one column against the events and the fold."""
    events = {event["event_id"]: event for event in wanted.events}
    order = [next(n for n, event in enumerate(wanted.events) if event["event_id"] == row["event_id"]) for row in steps]
    assert order == sorted(order)
    for row in steps:
        event = events[row["event_id"]]
        assert wanted.key(event) == key
        assert all(row[name] == event[name] for name in ("effective_at", "type", "service", "position"))
        assert (row["reason"] == LATER) == (at is not None and event["effective_at"] > at)
    state = wanted.state(at)
    past = [row for row in steps if row["reason"] != LATER]
    assert all(row["result"] is None for row in steps if row["reason"] == LATER)
    if past and key in state:
        ended = past[-1]["action"] == "delete"  # and begun anew by an event that is not about this column
        assert alike(past[-1]["result"], state[key][column]) or (ended and state[key][column] in (None, 0, []))
    counted = fold(wanted.projection, [events[row["event_id"]] for row in past if row["reason"] is None], wanted.held)
    if key in counted:
        assert key in state
        assert alike(counted[key][column], state[key][column])
    elif key in state:
        assert state[key][column] in (None, 0, [])
    check_reasons(past)


def check_reasons(past):
    for place, row in enumerate(past):
        after = past[place + 1 :]
        is_deleted = any(other["action"] == "delete" for other in after)
        is_reset = any(
            other["action"] == "set" or (other["action"] == "keep" and other["value"] is not None) for other in after
        )
        assert (row["reason"] == DELETED) == is_deleted
        if is_deleted or row["action"] == "delete":
            continue
        assert (row["reason"] == RESET) == is_reset
        if not is_reset and row["action"] not in {"set", "delete", "first"}:
            assert row["reason"] == ("NULL is passed over" if row["value"] is None else None)
        assert row["reason"] in {None, RESET, *IDLE}


@law(5)
@given(batches=histories(), projection=projections(), at=st.none() | some_instant(), data=st.data())
def test_the_last_running_value_is_the_value_and_what_counts_alone_gives_it(tmp_path, batches, projection, at, data):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(projection, events)
    keys = sorted({wanted.key(event) for event in events if None not in wanted.key(event)})
    assume(columns_of(projection))
    for key in data.draw(st.permutations(keys))[:2]:
        for column, steps in explained(store, wanted, key, at).items():
            check_column(steps, column, wanted, key, at)


@law(2)
@given(batches=histories(), projection=projections(), minutes=st.integers(0, 9), at=st.none() | some_instant())
def test_what_is_explained_as_it_was_known_is_the_value_that_was_known(tmp_path, batches, projection, minutes, at):
    store, events = store_of(tmp_path, batches), placed(batches)
    known_at = RECORDED + minutes * MINUTE
    wanted = Reference(projection, known(events, known_at))
    key = next((wanted.key(event) for event in wanted.events if None not in wanted.key(event)), None)
    assume(columns_of(projection))
    if key is not None:
        whole = explained(store, wanted, key, at, known_at=known_at)
        for column, steps in whole.items():
            check_column(steps, column, wanted, key, at)
        column = next(iter(whole), None)
        if column is not None:
            one = ea.explain(store, projection, key, column, at=at, known_at=known_at)
            assert alike(list(one), whole[column])


# Examples

orders = ea.Projection(
    "orders",
    "stream_id",
    {
        "Placed": {"total": ea.field("n", "BIGINT"), "status": "placed", "first": ea.first(ea.field("who"))},
        "Added": {"total": ea.add(ea.field("n", "BIGINT")), "first": ea.first(ea.field("who"))},
        "Noted": {"status": ea.keep(ea.field("status")), "tags": ea.append(ea.field("status"))},
        "Deleted": ea.delete,
    },
)


@pytest.fixture
def store(tmp_path):
    return store_of(tmp_path, [])


def order(minute, type_, **data):
    return {"stream_id": "o", "type": type_, "occurred_at": START + minute * MINUTE, "data": data}


def steps(store, column, at=None):
    found = ea.explain(store, orders, "o", column, at=at)
    return [(row["type"], row["action"], row["value"], row["result"], row["reason"]) for row in found]


def test_a_value_is_explained_step_by_step_with_what_was_passed_over_and_why(store):
    store.append([order(0, "Added", n=9), order(1, "Deleted"), order(2, "Added", n=1), order(3, "Placed", n=5)])
    store.append([order(4, "Added", n=2), order(4, "Added"), order(5, "Noted", status="x"), order(6, "Added", n=3)])
    assert steps(store, "total", START + 5 * MINUTE) == [
        ("Added", "add", 9, 9, DELETED),
        ("Deleted", "delete", None, None, None),
        ("Added", "add", 1, 1, RESET),
        ("Placed", "set", 5, 5, None),
        ("Added", "add", 2, 7, None),
        ("Added", "add", None, 7, "NULL is passed over"),
        ("Added", "add", 3, None, LATER),
    ]


def test_the_first_value_stays_and_later_ones_say_so(store):
    store.append([order(1, "Added"), order(2, "Added", who="anna"), order(3, "Placed", who="bert")])
    assert steps(store, "first") == [
        ("Added", "first", None, None, "NULL is passed over"),
        ("Added", "first", "anna", "anna", None),
        ("Placed", "first", "bert", "anna", "there was a value already"),
    ]


def test_a_field_that_merged_does_not_find_is_said_to_be_missing(store):
    store.append([order(1, "A", x=1), order(2, "B", x=None), order(3, "C", y=2)])
    found = ea.explain(store, ea.merged(store), ("default", "o"), "x")
    assert [(row["type"], row["action"], row["result"], row["reason"]) for row in found] == [
        ("A", "set", 1, RESET),
        ("B", "set", None, None),
        ("C", "set", None, "it has no such field"),
    ]


def test_where_there_are_no_columns_there_is_nothing_to_explain(store):
    assert list(ea.explain(store, ea.merged(store), ("default", "o"))) == []
    store.append([order(1, "Placed")])
    assert list(ea.explain(store, ea.Projection("bare", "stream_id", {"*": {}}), "o")) == []
    with pytest.raises(CompileError, match="no column 'total'"):
        ea.explain(store, ea.Projection("bare", "stream_id", {"*": {}}), "o", "total")


def test_a_deleted_entity_is_explained_by_its_end(store):
    store.append([order(1, "Placed", n=5), order(2, "Deleted")])
    assert steps(store, "total") == [
        ("Placed", "set", 5, 5, DELETED),
        ("Deleted", "delete", None, None, None),
    ]


@pytest.mark.parametrize("constant", [0.5, "placed", True, 7])
def test_a_constant_of_one_column_is_itself_beside_numbers_of_another(store, constant):
    n = ea.field("n", "BIGINT")
    both = ea.Projection("both", "stream_id", {"Placed": {"total": n}, "Added": {"total": ea.add(n), "c": constant}})
    store.append([order(1, "Placed", n=3), order(2, "Added", n=4)])
    assert [(row["column"], row["value"], row["result"]) for row in ea.explain(store, both, "o")] == [
        ("total", 3, 3),
        ("total", 4, 7),
        ("c", constant, constant),
    ]


def test_an_unknown_key_has_an_empty_explanation(store):
    store.append([order(1, "Placed", n=5)])
    assert list(ea.explain(store, orders, "nobody")) == []
    assert ea.explain(store, orders, "nobody").columns == COLUMNS


def test_an_empty_store_explains_nothing(store):
    assert list(ea.explain(store, orders, "o", "total")) == []


def test_an_unknown_column_is_refused_with_the_nearest_names(store):
    store.append([order(1, "Placed", n=5)])
    with pytest.raises(CompileError, match=r"has no column 'totl'.*there is 'total'"):
        ea.explain(store, orders, "o", "totl")
    with pytest.raises(CompileError, match="there is total, status, first, tags"):
        ea.explain(store, orders, "o", "zzz")


def test_a_key_of_another_width_is_refused(store):
    store.append([order(1, "Placed", n=5)])
    with pytest.raises(ProjectionError):
        ea.explain(store, orders, ("default", "o"), "total")


def test_what_if_is_explained_like_what_is(store):
    store.append([order(1, "Placed", n=5), order(2, "Added", n=2)])
    log = store.log.without("data.n::int = 2").with_events([order(3, "Added", n=4)])
    assert [row["result"] for row in ea.explain(log, orders, "o", "total")] == [5, 9]


def test_sql_explains_nothing(store):
    counted = ea.SqlProjection("counted", "select stream_id, count(*) as n from events group by all", "stream_id")
    store.append([order(1, "Placed", n=5)])
    with pytest.raises(UnsupportedError, match="SqlProjection 'counted'"):
        ea.explain(store, counted, "o", "n")
