"""`bisect` finds the event that a scan of the whole log finds."""

import pickle

import pytest
from histories import (
    KEYS,
    MINUTE,
    RECORDED,
    START,
    Reference,
    alike,
    histories,
    keys_of,
    known,
    law,
    placed,
    some_instant,
    store_of,
    up_to,
)
from hypothesis import given
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.errors import CompileError, EsAnalyticsError, ProjectionError, UnsupportedError

N = ea.field("n", "BIGINT")


def balances(key):
    return ea.Projection(
        "balances",
        key,
        {
            "A": {"total": ea.add(N), "events": ea.add(1), "sum": ea.add(ea.case((N > 0, N), else_=0))},
            "B": {"total": N, "status": ea.field("status"), "events": ea.add(1)},
            "C": {"status": ea.keep(ea.field("status")), "least": ea.min_(N), "tags": ea.append(ea.type_)},
            "D": ea.delete,
        },
    )


def there(value, test):
    return value is not None and test(value)


ROWS = {
    "total < {}": lambda row, n: there(row["total"], lambda v: v < n),
    "total >= {} and events > 1": lambda row, n: there(row["total"], lambda v: v >= n) and row["events"] > 1,
    "status is null and events >= {}": lambda row, n: row["status"] is None and row["events"] >= n,
    "status = 'paid'": lambda row, _: row["status"] == "paid",
    "least <= {} or len(tags) = 2": lambda row, n: there(row["least"], lambda v: v <= n) or len(row["tags"]) == 2,
    "(total + {}) % 3 = 2 or status like '%x'": lambda row, n: (
        there(row["total"], lambda v: (v + n) % 3 == 2 and v + n >= 0)
        or there(row["status"], lambda v: v.endswith("x"))
    ),
}
WHOLE = {
    "count(*) >= {}": lambda rows, n: len(rows) >= n,
    "sum(total) > {}": lambda rows, n: there(total(rows, "total"), lambda v: v > n),
    "sum(total) < -{}": lambda rows, n: there(total(rows, "total"), lambda v: v < -n),
    "count(*) filter (where status = 'paid') >= {}": lambda rows, n: sum(r["status"] == "paid" for r in rows) >= n,
    "avg(events) >= {}": lambda rows, n: bool(rows) and total(rows, "events") / len(rows) >= n,
    "sum(events) >= {} and count(status) > 1": lambda rows, n: (
        there(total(rows, "events"), lambda v: v >= n) and sum(r["status"] is not None for r in rows) > 1
    ),
}
SOME_BECOMING = {
    "max(total) >= {}": lambda rows, n: any(there(row["total"], lambda v: v >= n) for row in rows),
    "count(distinct status) >= {}": lambda rows, n: len({row["status"] for row in rows} - {None}) >= n,
}


def total(rows, name):
    found = [row[name] for row in rows if row[name] is not None]
    return sum(found) if found else None


def scan(wanted, holds):
    """Give the first event after which a test of the state holds, and the states around it."""
    before = {}
    for number, event in enumerate(wanted.events, 1):
        after = Reference(wanted.projection, wanted.events[:number], wanted.held).state()
        if holds(after):
            return event, before, after
        before = after
    return None


def named(wanted, key, row):
    return None if row is None else {**dict(zip(keys_of(wanted.projection), key, strict=True)), **row}


def same(found, wanted, scanned):
    """Hold a bisection against a scan."""
    if scanned is None:
        assert not found
        assert repr(found).startswith("never")
        assert "never" in found._repr_html_()
        assert (found.event, found.key, found.before, found.after) == (None, None, None, None)
        return
    event, before, after = scanned
    assert found
    assert found.event["event_id"] == event["event_id"]
    assert all(found.event[name] == event[name] for name in ("position", "effective_at", "type", "stream_id"))
    key = wanted.key(event)
    assert found.key == dict(zip(keys_of(wanted.projection), key, strict=True))
    assert alike(found.before, named(wanted, key, before.get(key)))
    assert alike(found.after, named(wanted, key, after.get(key)))
    assert event["event_id"] in repr(found)


keys = st.sampled_from(KEYS)
bounds = st.integers(0, 9)


@law(4)
@given(batches=histories(), key=keys, text=st.sampled_from(sorted(ROWS)), bound=bounds, data=st.data())
def test_of_a_row_it_finds_what_a_scan_finds(tmp_path, batches, key, text, bound, data):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(balances(key), events)
    holds, asked = ROWS[text], text.format(bound)
    scanned = scan(wanted, lambda rows: any(holds(row, bound) for row in rows.values()))
    same(ea.bisect(store, wanted.projection, asked), wanted, scanned)
    same(ea.bisect(store, wanted.projection, lambda row: holds(row, bound)), wanted, scanned)
    one = data.draw(st.sampled_from([wanted.key(event) for event in events]))
    if None not in one:
        scanned = scan(wanted, lambda rows: one in rows and holds(rows[one], bound))
        for predicate in (asked, lambda row: holds(row, bound)):
            same(ea.bisect(store, wanted.projection, predicate, key=one), wanted, scanned)


@law(4)
@given(batches=histories(), key=keys, text=st.sampled_from(sorted(WHOLE)), bound=st.integers(1, 9))
def test_of_a_whole_state_it_finds_what_a_scan_finds(tmp_path, batches, key, text, bound):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(balances(key), events)
    scanned = scan(wanted, lambda rows: WHOLE[text](list(rows.values()), bound))
    same(ea.bisect(store, wanted.projection, text.format(bound)), wanted, scanned)


@law(2)
@given(batches=histories(), key=keys, text=st.sampled_from(sorted(SOME_BECOMING)), bound=st.integers(1, 9))
def test_of_other_aggregates_it_finds_an_event_at_which_they_became_true(tmp_path, batches, key, text, bound):
    store, events = store_of(tmp_path, batches), placed(batches)
    wanted = Reference(balances(key), events)
    found = ea.bisect(store, wanted.projection, text.format(bound))
    if not found:
        assert not SOME_BECOMING[text](list(wanted.state().values()), bound)
        return
    place = next(n for n, event in enumerate(events) if event["event_id"] == found.event["event_id"])
    states = [Reference(wanted.projection, events[:n], wanted.held).state() for n in (place, place + 1)]
    assert [SOME_BECOMING[text](list(state.values()), bound) for state in states] == [False, True]


@law(2)
@given(
    batches=histories(),
    key=keys,
    text=st.sampled_from(sorted(ROWS)),
    bound=bounds,
    at=some_instant(),
    minutes=st.integers(0, 9),
)
def test_it_looks_no_further_than_it_is_told(tmp_path, batches, key, text, bound, at, minutes):
    store, events = store_of(tmp_path, batches), placed(batches)
    known_at = RECORDED + minutes * MINUTE
    wanted = Reference(balances(key), up_to(known(events, known_at), at))
    scanned = scan(wanted, lambda rows: any(ROWS[text](row, bound) for row in rows.values()))
    same(ea.bisect(store, wanted.projection, text.format(bound), at=at, known_at=known_at), wanted, scanned)


@law(2)
@given(batches=histories(), bound=st.integers(1, 9))
def test_of_a_query_it_finds_what_a_scan_finds_where_it_stays_true(tmp_path, batches, bound):
    counts = ea.SqlProjection("counts", "select stream_id, count(*) as events from events group by all", "stream_id")
    store, events = store_of(tmp_path, batches), placed(batches)
    streams = [event["stream_id"] for event in events]
    found = ea.bisect(store, counts, f"count(*) >= {bound}")
    first = next((e for n, e in enumerate(events) if len(set(streams[: n + 1])) >= bound), None)
    assert (found.event or {}).get("event_id") == (first or {}).get("event_id")
    found = ea.bisect(store, counts, f"events >= {bound}")
    first = next((n for n in range(len(events)) if streams[: n + 1].count(streams[n]) >= bound), None)
    if first is None:
        assert not found
        assert repr(found).startswith("never")
    else:
        assert found.event["event_id"] == events[first]["event_id"]
        assert found.key == {"stream_id": streams[first]}
        assert found.after["events"] == bound
        assert (found.before or {"events": 0})["events"] == bound - 1


# Examples

orders = balances("stream_id")


@pytest.fixture
def store(tmp_path):
    found = store_of(tmp_path, [])
    found.append([order(1, "A", n=5), order(2, "A", n=-7), order(2, "A", n=1), order(3, "D"), order(4, "A", n=-1)])
    return found


def order(minute, type_, stream="o", **data):
    return {"stream_id": stream, "type": type_, "occurred_at": START + minute * MINUTE, "data": data}


def test_the_event_is_shown_with_the_row_before_and_after_it(store):
    found = ea.bisect(store, orders, "total < 0")
    assert found.event["position"] == 2
    assert found.event["data"] == {"n": -7}
    assert (found.before["total"], found.after["total"]) == (5, -2)
    assert "total: 5 -> -2" in repr(found)
    assert "<td>total</td><td>5</td><td>-2</td>" in found._repr_html_()


def test_an_event_between_two_of_one_instant_is_found(store):
    store.append([order(5, "A", n=9), order(5, "A", n=-9)])
    assert ea.bisect(store, orders, "total = 8").event["position"] == 6
    assert ea.bisect(store, orders, "sum(total) = 8").event["position"] == 6


def test_late_events_are_looked_at_in_their_place(store):
    store.append([order(0, "A", "p", n=20), order(0, "A", "q", n=-30)])
    for predicate in ("sum(total) < -5", "max(total) >= 20", "count(*) >= 1"):
        assert ea.bisect(store, orders, predicate).event["position"] == (7 if "sum" in predicate else 6)


def test_a_deletion_may_be_the_event_that_makes_a_whole_state_so(store):
    store.append([order(0, "A", "p", n=1)])
    found = ea.bisect(store, orders, "sum(total) = 1 and count(*) = 1", at=START + 3 * MINUTE)
    assert found.event["position"] == 6
    found = ea.bisect(store.log.since(START), orders, "count(*) = 0")
    assert found.event["type"] == "D"
    assert found.after is None
    assert found.before["total"] == -1


def test_never_is_no_error(store):
    found = ea.bisect(store, orders, "total > 1000")
    assert not found
    assert repr(found) == "never: total > 1000"
    assert not ea.bisect(store, orders, "total < 0", key="nobody")
    assert not ea.bisect(store, orders, lambda row: row["total"] > 1000)
    assert pickle.loads(pickle.dumps(found)) == found


def test_an_empty_store_never_is_anything(tmp_path):
    empty = store_of(tmp_path, [])
    assert not ea.bisect(empty, orders, "total < 0")
    assert not ea.bisect(empty, orders, "count(*) >= 1")
    assert not ea.bisect(empty, orders, lambda row: True)  # noqa: ARG005


def test_the_real_log_and_one_without_the_culprit_differ(store):
    culprit = ea.bisect(store, orders, "total < 0").event["event_id"]
    assert ea.bisect(store.log.without([culprit]), orders, "total < 0").event["position"] == 5


def test_a_column_that_does_not_exist_is_refused_with_the_nearest_names(store):
    with pytest.raises(CompileError, match=r"names 'totl', which is no column.*there is 'total'"):
        ea.bisect(store, orders, "totl < 0")
    with pytest.raises(CompileError, match="'totl'"):
        ea.bisect(store, orders, "sum(totl) < 0")


@pytest.mark.parametrize("predicate", ["total", "total + 1", "status", "sum(total)", "'x'", "tags"])
def test_a_predicate_that_is_no_condition_is_refused(store, predicate):
    with pytest.raises(CompileError, match=r"no condition|predicate"):
        ea.bisect(store, orders, predicate)


@pytest.mark.parametrize(
    "predicate",
    [
        "total < (select count(*) from read_csv('/etc/passwd'))",
        "exists (select 1 from '/etc/passwd')",
        "total in (select n from read_parquet('x.parquet'))",
        "total < (select max(memory_limit) from duckdb_settings())",
        "getenv('HOME') = '/root'",
        "total < (select count(*) from events)",
    ],
)
def test_a_predicate_that_reads_something_else_is_refused(store, predicate):
    with pytest.raises(UnsupportedError):
        ea.bisect(store, orders, predicate)


@pytest.mark.parametrize(
    "predicate", ["", ";", "total <", "total < 0; drop table events", "total < 0) or (true", "-- x"]
)
def test_what_is_not_one_expression_is_refused(store, predicate):
    with pytest.raises((ValueError, UnsupportedError)):
        ea.bisect(store, orders, predicate)


def test_a_function_that_answers_something_else_or_fails_is_not_believed(store):
    with pytest.raises(ProjectionError, match="return True or False"):
        ea.bisect(store, orders, lambda row: row["total"])
    with pytest.raises(KeyError, match="totl"):
        ea.bisect(store, orders, lambda row: row["totl"] < 0)
    with pytest.raises((TypeError, EsAnalyticsError)):
        ea.bisect(store, orders, 3)
