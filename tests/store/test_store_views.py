import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from material import NOW, START, batches, event, law, new_store, placed, plain, read, rows

from esanalytics.errors import EngineError, InvalidEventError, UnsupportedError
from esanalytics.store import view


def hour(number):
    return START + dt.timedelta(hours=number)


def identified(found):
    """Compare events of two views: everything but what a payload's text form may change."""
    return [
        (*plain([row])[0].items(), ("recorded_at", row["recorded_at"]), ("effective_at", row["effective_at"]))
        for row in found
    ]


STEPS = {
    "service": lambda log, _: log.where(service="a"),
    "type": lambda log, _: log.where(type=["A", "B"]),
    "stream": lambda log, _: log.where(stream=["v", "u", "extra"]),
    "condition": lambda log, _: log.where("data.number::int <> 1"),
    "at": lambda log, _: log.at(hour(6)),
    "since": lambda log, _: log.since(hour(1)),
    "known_at": lambda log, known: log.known_at(known),
    "without": lambda log, _: log.without("data.number::int = 0"),
    "without ids": lambda log, _: log.without(["id-2", "id-3"]),
    "with": lambda log, _: log.with_events(EXTRA),
}
EXTRA = [
    {
        "event_id": f"extra-{n}",
        "service": "a",
        "stream_id": stream,
        "version": version,
        "type": "A",
        "occurred_at": hour(n),
        "data": {"number": 100 + n},
    }
    for n, stream, version in [(5, "v", 0), (1, "v", 1000), (2, "u", None), (0, "extra", None)]
]


def expected(stored, steps, known):
    """Say in plain Python what a view of these steps shows."""
    log = [row for row in stored if "known_at" not in steps or row["recorded_at"] <= known]
    if "without" in steps:
        log = [row for row in log if row["data"]["number"] != 0]
    if "without ids" in steps:
        log = [row for row in log if row["event_id"] not in {"id-2", "id-3"}]
    if "with" in steps:
        last = max(row["position"] for row in stored)
        log += [
            {**log_row(row), "position": last + n, "recorded_at": row["occurred_at"]}
            for n, row in enumerate(EXTRA, start=1)
            if "known_at" not in steps or row["occurred_at"] <= known
        ]
    tests = {
        "service": lambda row: row["service"] == "a",
        "type": lambda row: row["type"] in {"A", "B"},
        "stream": lambda row: row["stream_id"] in {"v", "u", "extra"},
        "condition": lambda row: row["data"]["number"] != 1,
        "at": lambda row: row["effective_at"] <= hour(6),
        "since": lambda row: row["effective_at"] > hour(1),
    }
    return [row for row in placed(log) if all(tests[s](row) for s in steps if s in tests)]


def log_row(row):
    return {"schema_version": 1, "correlation_id": None, "causation_id": None, "metadata": None, **row}


@law(8)
@given(
    parts=batches(most=9, identified=True),
    steps=st.lists(st.sampled_from(sorted(STEPS)), unique=True, max_size=6),
    data=st.data(),
)
def test_views_composed_in_any_order_show_what_plain_python_shows(tmp_path, parts, steps, data):
    store = new_store(tmp_path, auto_compact=False)
    for part in parts:
        store.append(part)
    stored = read(store.log)
    known = data.draw(st.sampled_from(stored))["recorded_at"]
    wanted = identified(expected(stored, steps, known))
    orders = list(itertools.permutations(steps)) if len(steps) <= 2 else []
    for composed in orders or [data.draw(st.permutations(steps)) for _ in range(3)]:
        log = store.log
        for step in composed:
            log = STEPS[step](log, known)
        assert identified(read(log)) == wanted, composed
        assert log.count() == len(wanted)
        assert log.sql("select count(*) as n from events").head() == [{"n": len(wanted)}]


@law(6)
@given(parts=batches(most=8), data=st.data())
def test_what_was_left_out_can_be_put_back_in_any_form(tmp_path, parts, data):
    store = new_store(tmp_path, auto_compact=False)
    for part in parts:
        store.append(part)
    log = store.log
    before = identified(read(log))
    left_out = data.draw(
        st.sampled_from([log.where(stream=["u", "v"]), log.where(service="a"), log.since(hour(1)), log])
    )
    form = data.draw(st.sampled_from(sorted(FORMS)))
    there = log.without(left_out)
    assert there.count() == len(before) - left_out.count()
    back = there.with_events(FORMS[form](left_out))
    assert identified(read(back)) == before
    assert log.count() == len(before)


FORMS = {
    "a view": lambda log: log,
    "a result": lambda log: log.events(),
    "pandas": lambda log: log.events().df(),
    "arrow": lambda log: log.events().arrow(),
    "dicts": lambda log: list(log.events()),
    "a generator": lambda log: (row for row in log.events()),
    "polars": lambda log: log.events().pl(),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_events_left_out_and_put_back_are_the_same_events(tmp_path, form):
    store = new_store(tmp_path)
    rich = [
        event(1, event_id="x", correlation_id="c", causation_id="k", metadata={"m": [1, None]}, schema_version=3),
        event(2, stream_id="v", version=2, data={"a": None, "b": {"c": [1.5, "é"]}, "big": 2**62}),
        event(1, stream_id="v", version=3, data={}),
        event(900, data={"text": "", "true": True}),
    ]
    store.append(rich)
    before = identified(read(store.log))
    for left_out in (store.log.where(stream="v"), store.log.where(stream="s"), store.log):
        back = store.log.without(left_out).with_events(FORMS[form](left_out))
        assert identified(read(back)) == before


@law(4)
@given(found=rows(most=6, identified=True), data=st.data())
def test_an_event_that_never_happened_moves_no_clock(tmp_path, found, data):
    found = [{**row, "service": "a"} for row in found]
    store = new_store(tmp_path)
    store.append(found)
    gone = data.draw(st.sets(st.sampled_from(found).map(lambda row: row["event_id"])))
    stored = read(store.log)
    rest = [row for row in stored if row["event_id"] not in gone]
    assert identified(read(store.log.without(sorted(gone)))) == identified(placed(rest))


def test_without_may_speak_of_effective_at(tmp_path):
    store = new_store(tmp_path)
    store.append([event(9, version=1), event(2, version=2), event(3, stream_id="t")])
    log = store.log.without("effective_at > '2026-01-30 12:05:00+00'")
    assert [row["stream_id"] for row in read(log)] == ["t"]


def test_events_put_in_twice_are_there_once(tmp_path):
    store = new_store(tmp_path)
    store.append([event(5, version=1), event(6, version=3)])
    more = [event(2, version=2)]
    assert store.log.with_events(more).with_events(more).count() == 3
    assert len(read(store.log.with_events(more).with_events(more))) == 3


def test_events_put_in_by_two_calls_have_positions_of_their_own(tmp_path):
    store = new_store(tmp_path)
    store.append([event(1)])
    found = read(store.log.with_events([event(2), event(3)]).with_events([event(2, type="U")]))
    assert len({row["position"] for row in found}) == 4


def test_an_event_with_the_id_of_one_in_the_store_stands_in_its_place(tmp_path):
    store = new_store(tmp_path)
    store.append([event(1, event_id="x"), event(2, event_id="y")])
    log = store.log.with_events([event(3, event_id="x", data={"n": 30})])
    assert [(row["event_id"], row["data"]["n"]) for row in read(log)] == [("y", 2), ("x", 30)]
    assert [row["event_id"] for row in read(store.log)] == ["x", "y"]


def test_a_view_knows_nothing_that_is_appended_later(tmp_path):
    store = new_store(tmp_path)
    store.append([event(n) for n in range(3)])
    log = store.log
    result = log.events()
    store.append([event(1, type="U")])
    store.compact(retain=NOW)
    assert (log.count(), len(result), store.log.count()) == (3, 3, 4)
    assert [row["type"] for row in result] == ["T"] * 3


def test_bounds_are_exact_to_the_microsecond(tmp_path):
    store = new_store(tmp_path)
    tick = dt.timedelta(microseconds=1)
    times = [START - tick, START, START + tick]
    store.append([event(n, occurred_at=at) for n, at in enumerate(times)])
    assert [row["data"]["n"] for row in read(store.log.at(START))] == [0, 1]
    assert [row["data"]["n"] for row in read(store.log.since(START))] == [2]
    assert [row["data"]["n"] for row in read(store.log.since(START - tick).at(START))] == [1]
    known = read(store.log)[0]["recorded_at"]
    assert store.log.known_at(known).count() == 3
    assert store.log.known_at(known - tick).count() == 0


def test_bounds_given_twice_narrow(tmp_path):
    store = new_store(tmp_path)
    store.append([event(n, type=t) for n, t in enumerate("ABCAB")])
    log = store.log
    twice = log.at(START + dt.timedelta(minutes=3)).at(START + dt.timedelta(minutes=9)).since(START).since("2020-01-01")
    assert [row["data"]["n"] for row in read(twice)] == [1, 2, 3]
    assert log.where(type=["A", "B"]).where(type=["B", "C"]).count() == 2
    assert log.where(type="A").where(type="B").count() == 0
    assert log.where(type=[]).count() == 0


def test_late_and_early_recording_is_seen_by_known_at(tmp_path):
    store = new_store(tmp_path)
    store.append([event(9, version=1)])
    then = read(store.log)[0]["recorded_at"]
    store.append([event(1, version=2), event(0, version=0)])
    assert [row["version"] for row in read(store.log.known_at(then))] == [1]
    assert [row["version"] for row in read(store.log)] == [0, 1, 2]


def test_names_of_every_kind_can_be_asked_for(tmp_path):
    store = new_store(tmp_path)
    odd = [
        "/",
        "..",
        "a=b",
        "it's",
        '"',
        "a\nb",
        "100%",
        "%2F",
        "é😀",
        "; drop table events; --",
        "$x",
        "~",
        "\\",
        "?",
        "*",
    ]
    for name in odd:
        if not name.startswith("$"):
            store.append([event(1, service=name, stream_id=name, type=name)])
    store.append([event(1, stream_id="$x", type="$x")])
    for name in odd:
        assert store.log.where(stream=name, type=name).count() == 1
        assert store.log.where(service=name).count() == (not name.startswith("$"))
        assert [r["type"] for r in store.log.sql("select type from events where type = ?", [name])] == [name]


@pytest.mark.parametrize("text", ["", ";", "type = 'x' ; drop table events", "1 = 1) or (1 = 1", "select", "a b c"])
def test_a_condition_that_is_none_is_refused(tmp_path, text):
    store = new_store(tmp_path)
    for ask in (store.log.where, store.log.without):
        with pytest.raises(ValueError, match="condition"):
            ask(text)


@pytest.mark.parametrize("text", ["drop table events", "select 1; select 2", "create table t (a int)", ""])
def test_only_one_select_is_taken(tmp_path, text):
    with pytest.raises((UnsupportedError, EngineError)):
        new_store(tmp_path).log.sql(text).df()


def test_a_query_with_a_mistake_is_an_engine_error_that_says_what_it_is(tmp_path):
    log = new_store(tmp_path).log
    with pytest.raises(EngineError, match="nothing_like_it"):
        log.sql("select nothing_like_it from events").df()


@pytest.mark.parametrize(
    "text", ["select 1 as a from events -- a note", "select 1 as a from events /* a */;", "from events;"]
)
def test_a_query_may_end_in_a_comment_or_a_semicolon(tmp_path, text):
    store = new_store(tmp_path)
    store.append([event(1)])
    result = store.log.sql(text)
    assert len(result) == 1
    assert result.arrow().num_rows == len(result.df()) == len(result.head()) == 1
    assert result._repr_html_()
    assert result.columns


def test_an_empty_store_answers(tmp_path):
    log = new_store(tmp_path).log
    assert (log.count(), read(log), list(log.types()), list(log.streams())) == (0, [], [], [])
    assert log.events().arrow().num_rows == 0
    assert read(log.at("2026-01-01").known_at("2026-01-01").without("true")) == []
    assert log.with_events([event(1)]).count() == 1


def test_what_if_events_that_are_none_are_refused(tmp_path):
    with pytest.raises(InvalidEventError, match="row:1"):
        new_store(tmp_path).log.with_events([{"type": "A"}])


def test_a_view_says_what_it_is(tmp_path):
    store = new_store(tmp_path)
    store.append([event(1)])
    shown = repr(store.log.where(type="A").at("2026-03-03").without("type = 'X'").with_events([event(2)]))
    for part in ("position 1", "type=['A']", "at=2026-03-03", "without", "with 1 events"):
        assert part in shown


def test_a_query_reads_no_file_outside_its_window(tmp_path):
    store = new_store(tmp_path)
    store.append([event(n, occurred_at=f"2026-{n:02d}-03", service=s) for n in range(1, 7) for s in "ab"])
    assert len(view(store.log).files) == 12
    assert len(view(store.log.where(service="a")).files) == 6
    assert len(view(store.log.since("2026-02-05").at("2026-04-05").where(service="b")).files) == 2
