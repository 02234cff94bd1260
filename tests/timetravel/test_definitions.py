"""State as SQL answers to the verbs that need no single events, and refuses the others by name."""

import pytest
from histories import (
    MINUTE,
    RECORDED,
    START,
    alike,
    changes,
    difference,
    histories,
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
from esanalytics.errors import EngineError, EsAnalyticsError, ProjectionError, UnsupportedError

per_stream = ea.SqlProjection(
    "per_stream",
    "select service, stream_id, count(*) as events, sum(data.n::int)::bigint as total, "
    "arg_max(type, (effective_at, coalesce(version, -1), position)) as last from events group by all",
    key=("service", "stream_id"),
)


def state(events):
    found = {}
    for event in events:  # in order
        row = found.setdefault((event["service"], event["stream_id"]), {"events": 0, "total": None, "last": None})
        n = event["data"].get("n")
        row["events"] += 1
        row["total"] = row["total"] if n is None else (row["total"] or 0) + n
        row["last"] = event["type"]
    return found


def keyed(result):
    return {(row.pop("service"), row.pop("stream_id")): row for row in result}


@law(3)
@given(batches=histories(), pair=st.tuples(some_instant(), some_instant()), minutes=st.integers(0, 9))
def test_a_query_gives_the_state_at_every_instant_and_the_difference_of_two(tmp_path, batches, pair, minutes):
    store, events = store_of(tmp_path, batches), placed(batches)
    first, second = pair
    assert alike(keyed(ea.state_at(store, per_stream)), state(events))
    known_at = RECORDED + minutes * MINUTE
    then = known(events, known_at)
    assert alike(keyed(ea.state_at(store, per_stream, first, known_at=known_at)), state(up_to(then, first)))
    key = (events[0]["service"], events[0]["stream_id"])
    wanted = {owner: row for owner, row in state(up_to(events, first)).items() if owner == key}
    assert alike(keyed(ea.state_at(store, per_stream, first, key=key)), wanted)
    found = changed(ea.diff(store, per_stream, first, second))
    assert alike(found, difference(state(up_to(events, first)), state(up_to(events, second))))
    views = (store.log.known_at(known_at), store.log)
    assert alike(changed(ea.diff(store, per_stream, *views)), difference(state(then), state(events)))


def changed(result):
    return changes(result, ea.Projection("p", ("service", "stream_id"), {"*": {}}))


# Examples


@pytest.fixture
def store(tmp_path):
    found = store_of(tmp_path, [])
    found.append(
        [{"stream_id": "o", "type": "A", "occurred_at": START + n * MINUTE, "data": {"n": n}} for n in range(3)]
    )
    return found


def test_what_a_query_cannot_answer_is_refused_by_name(store):
    asks = {
        "history": lambda: ea.history(store, per_stream).df(),
        "explain": lambda: ea.explain(store, per_stream, ("default", "o"), "total").df(),
        "join_asof": lambda: ea.join_asof(
            [{"service": "default", "id": "o", "at": START}], store, per_stream, key=("service", "id"), at="at"
        ).df(),
        "snapshot": lambda: ea.snapshot(store, per_stream),
        "refresh": lambda: ea.refresh(store, per_stream),
    }
    for name, ask in asks.items():
        with pytest.raises(UnsupportedError, match="SqlProjection 'per_stream'"):
            ask()
        assert name


def test_a_query_is_bisected(store):
    found = ea.bisect(store, per_stream, "total >= 3")
    assert found.event["position"] == 3
    assert (found.before["total"], found.after["total"]) == (1, 3)


def test_a_query_with_a_trailing_semicolon_comments_and_ctes_is_one_select(store):
    text = "with n as (select stream_id, count(*) as n from events group by all) select * from n -- all\n; -- end"
    counted = ea.SqlProjection("counted", text, "stream_id")
    assert list(ea.state_at(store, counted)) == [{"stream_id": "o", "n": 3}]
    assert len(list(ea.diff(store, counted, START, START + MINUTE))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "select * from '/etc/passwd'",
        "select * from read_csv('/etc/passwd')",
        "select stream_id, (select count(*) from read_text('/etc/passwd')) as n from events",
        "with events as (select * from glob('/*')) select * from events",
        "create table t as select 1",
        "copy (select 1) to '/tmp/x.csv'",
        "attach '/tmp/x.db'",
        "install httpfs",
        "load httpfs",
        "set memory_limit = '1GB'",
        "pragma database_list",
        "select 1 as stream_id; select 2 as stream_id",
        "select getenv('HOME') as stream_id",
        "select * from duckdb_settings()",
        "select * from information_schema.tables",
        "drop view events",
        "select stream_id from events) union all (select 'x'",
    ],
)
def test_sql_that_reads_or_does_anything_else_is_refused(store, text):
    hostile = ea.SqlProjection("hostile", text, "stream_id")
    for ask in (
        lambda: ea.state_at(store, hostile).df(),
        lambda: ea.diff(store, hostile, START, START + MINUTE).df(),
        lambda: ea.bisect(store, hostile, "count(*) > 0"),
    ):
        with pytest.raises(EngineError):
            ask()
    assert [row["n"] for row in store.log.sql("select count(*) as n from events")] == [3]


def test_a_query_without_its_key_is_refused_and_says_what_it_has(store):
    other = ea.SqlProjection("other", "select type, count(*) as n from events group by all", "stream_id")
    for ask in (
        lambda: ea.state_at(store, other).df(),
        lambda: ea.diff(store, other, START, START + MINUTE).df(),
        lambda: ea.bisect(store, other, "n > 1"),
    ):
        with pytest.raises(ProjectionError, match=r"no column 'stream_id', which is its key; it has type, n"):
            ask()


def test_a_query_with_an_error_says_so_when_it_is_asked(store):
    wrong = ea.SqlProjection("wrong", "select nosuch as stream_id from events", "stream_id")
    with pytest.raises(EngineError, match="nosuch"):
        ea.state_at(store, wrong).df()


@pytest.mark.parametrize(
    ("name", "text", "key"), [("", "select 1", "k"), ("n", " ", "k"), ("n", "select 1", ()), ("n", "select 1", "")]
)
def test_what_is_no_definition_is_refused_when_it_is_made(name, text, key):
    with pytest.raises(ProjectionError):
        ea.SqlProjection(name, text, key)


@pytest.mark.parametrize("definition", [None, "orders", {"on": {}}, len])
def test_what_is_no_definition_is_refused_by_every_verb(store, definition):
    for ask in (
        lambda: ea.state_at(store, definition),
        lambda: ea.history(store, definition),
        lambda: ea.diff(store, definition, START, START),
        lambda: ea.explain(store, definition, "o"),
        lambda: ea.bisect(store, definition, "true"),
        lambda: ea.join_asof([{"id": "o", "at": START}], store, definition, key="id", at="at"),
        lambda: ea.snapshot(store, definition),
    ):
        with pytest.raises(TypeError, match="not a projection"):
            ask()


def test_an_unknown_key_has_no_row_and_one_of_another_width_is_refused(store):
    assert list(ea.state_at(store, per_stream, key=("default", "nobody"))) == []
    with pytest.raises(ProjectionError, match="the key has 2 columns"):
        ea.state_at(store, per_stream, key="o")


def test_the_real_log_is_compared_with_what_if(store):
    found = ea.diff(store, per_stream, store.log, store.log.without("data.n::int = 2"))
    assert {row["column"]: (row["before"], row["after"]) for row in found} == {"events": (3, 2), "total": (3, 1)}


def test_every_error_is_of_the_tree(store):
    with pytest.raises(EsAnalyticsError):
        ea.state_at(store, ea.SqlProjection("x", "select from where", "k"))
