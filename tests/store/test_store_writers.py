import itertools
from collections import Counter

import pytest
from material import NOW, START, event, finish, new_store, plain, read, start

from esanalytics.errors import AppendConflictError, InvalidEventError
from esanalytics.events import Event
from esanalytics.store import Store


def versions(store, stream="order-1"):
    return [(row["version"], row["type"]) for row in read(store.log.where(stream=stream))]


def placed(type_, **given):
    return Event(type_, occurred_at=START, **given)


# expected_version


def test_an_append_with_expected_version_gives_the_next_versions(tmp_path):
    store = new_store(tmp_path)
    store.append([placed("A"), placed("B")], stream="order-1", expected_version=0)
    store.append([placed("C")], stream="order-1", expected_version=2)
    store.append([placed("A")], stream="order-2", expected_version=0)
    assert versions(store) == [(1, "A"), (2, "B"), (3, "C")]
    assert versions(store, "order-2") == [(1, "A")]


def test_a_stream_that_moved_on_refuses_and_says_where_it_is(tmp_path):
    store = new_store(tmp_path)
    store.append([placed("A"), placed("B")], stream="order-1", service="orders", expected_version=0)
    with pytest.raises(AppendConflictError) as caught:
        store.append([placed("C")], stream="order-1", service="orders", expected_version=1)
    for part in ("order-1", "orders", "is at version 2", "expected 1", "retry"):
        assert part in str(caught.value)
    with pytest.raises(AppendConflictError):
        store.append([placed("C")], stream="order-1", service="orders", expected_version=3)
    with pytest.raises(AppendConflictError):
        store.append([placed("C")], stream="new", expected_version=1)
    assert store.info().events == 2


@pytest.mark.parametrize("ids", [["a", "b"], [None, None]])
def test_the_same_call_retried_is_one_append(tmp_path, ids):
    store = new_store(tmp_path)
    call = [placed("A", event_id=ids[0]), placed("B", event_id=ids[1])]
    store.append(call, stream="order-1", expected_version=0)
    store.append([placed("C", event_id="c")], stream="order-1", expected_version=2)
    before = plain(read(store.log))
    done = store.append(call, stream="order-1", expected_version=0)
    assert (done.appended, done.duplicates) == (0, 2)
    assert plain(read(store.log)) == before


def test_half_of_a_call_with_something_new_is_a_conflict(tmp_path):
    store = new_store(tmp_path)
    store.append([placed("A", event_id="a")], stream="order-1", expected_version=0)
    with pytest.raises(AppendConflictError):
        store.append([placed("A", event_id="a"), placed("B")], stream="order-1", expected_version=0)
    assert store.info().events == 1


def test_an_expected_version_is_checked_after_compaction_too(tmp_path):
    store = new_store(tmp_path)
    for number in range(4):
        store.append([placed("A", event_id=str(number))], stream="order-1", expected_version=number)
    store.compact(retain=NOW)
    with pytest.raises(AppendConflictError):
        store.append([placed("B")], stream="order-1", expected_version=3)
    store.append([placed("B")], stream="order-1", expected_version=4)
    assert [v for v, _ in versions(store)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": [placed("A", version=4)], "stream": "s", "expected_version": 0},
        {"events": [placed("A", stream_id="other")], "stream": "s", "expected_version": 0},
        {"events": [placed("A", service="other")], "stream": "s", "expected_version": 0},
        {"events": [placed("A")], "expected_version": 0},
    ],
)
def test_an_expected_version_speaks_of_one_stream_and_gives_the_versions_itself(tmp_path, wrong):
    store = new_store(tmp_path)
    with pytest.raises(InvalidEventError, match="expected_version"):
        store.append(**wrong)
    assert store.info().events == 0


def test_a_stream_without_versions_takes_no_expected_version(tmp_path):
    store = new_store(tmp_path)
    store.append([event(1)])
    with pytest.raises((InvalidEventError, AppendConflictError)):
        store.append([placed("A")], stream="s", expected_version=0)
    assert store.info().events == 1


RACER = """
import sys
from esanalytics.errors import AppendConflictError
from esanalytics.events import Event
from esanalytics.store import Store

store, me = Store.open(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
for line in sys.stdin:
    expected = int(line)
    try:
        store.append([Event("A", {"by": me}, event_id=f"{me}-{expected}")], stream="s", expected_version=expected)
        print("won", flush=True)
    except AppendConflictError:
        print("lost", flush=True)
"""


def test_of_writers_with_one_expected_version_exactly_one_wins(tmp_path):
    store = new_store(tmp_path)
    racers = [start(RACER, store.path, name, stdin=-1) for name in "ab"]
    try:
        assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 2
        for expected in range(12):
            for racer in racers:
                racer.stdin.write(f"{expected}\n")
                racer.stdin.flush()
            assert sorted(racer.stdout.readline() for racer in racers) == ["lost\n", "won\n"]
    finally:
        for racer in racers:
            racer.stdin.close()
            racer.wait(30)
    assert [row["version"] for row in read(store.log)] == list(range(1, 13))


# Several processes

WRITER = """
import contextlib, sys
from esanalytics.events import Event
from esanalytics.store import Store, _append, _compact

path, me, rounds, locked = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "locked"
if not locked:
    _append.exclusive = lambda *_: contextlib.nullcontext()
    _compact.exclusive = lambda *_: contextlib.nullcontext()
    _compact.unless_held = lambda *_: contextlib.nullcontext(True)
store = Store.open(path)
day = "2026-0{}-03T10:00:00Z"
for n in range(rounds):
    own = [Event("Own", {"by": me, "n": n}, f"s{i}", day.format(1 + i), event_id=f"{me}-{n}-{i}") for i in range(3)]
    shared = [Event("Shared", {"n": n}, f"s{i}", day.format(1 + i), event_id=f"shared-{n}-{i}") for i in range(2)]
    plain = [Event("Plain", {"n": n}, "p", day.format(4))] * 2
    store.append([*own, *shared, *plain])
    if n % 3 == me % 3:
        store.append([*own, *shared])
print("done")
"""
COMPACTOR = """
import datetime as dt, sys
from pathlib import Path
from esanalytics.store import Store

store, stop = Store.open(sys.argv[1]), Path(sys.argv[2])
while not stop.exists():
    store.compact(retain=dt.timedelta(0))
"""
READER = """
import sys
from pathlib import Path
from esanalytics.errors import CorruptFileError
from esanalytics.store import Store

store, stop, least = Store.open(sys.argv[1]), Path(sys.argv[2]), 0
while not stop.exists():
    log = store.log
    try:
        positions = [row["position"] for row in log.sql("select position from events order by position")]
    except CorruptFileError as error:
        assert "is missing" in str(error), error  # compacted away with retain=0
        continue
    assert positions == list(range(1, log.count() + 1)), positions
    assert len(positions) >= least
    least = len(positions)
"""


def check_writers(store, writers, rounds):
    found = read(store.log)
    assert sorted(row["position"] for row in found) == list(range(1, len(found) + 1))
    expected = Counter(f"{me}-{n}-{i}" for me in range(writers) for n in range(rounds) for i in range(3))
    expected += Counter(f"shared-{n}-{i}" for n in range(rounds) for i in range(2))
    assert Counter(row["event_id"] for row in found if row["type"] != "Plain") == expected
    assert sum(row["type"] == "Plain" for row in found) == 2 * rounds
    times = [row["recorded_at"] for row in sorted(found, key=lambda row: row["position"])]
    assert times == sorted(times)


@pytest.mark.parametrize("rounds", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_writers_a_compactor_and_a_reader_lose_and_double_nothing(tmp_path, rounds):
    store, stop = new_store(tmp_path), tmp_path / "stop"
    others = [start(COMPACTOR, store.path, stop), start(READER, store.path, stop)]
    writers = [start(WRITER, store.path, me, rounds, "locked") for me in range(4)]
    try:
        for writer in writers:
            finish(writer)
    finally:
        stop.touch()
    for other in others:
        finish(other)
    check_writers(store, 4, rounds)
    assert store.log.count() == Store.open(store.path).info().events


def test_writers_that_do_not_take_turns_lose_nothing_either(tmp_path):
    store = new_store(tmp_path)
    for writer in [start(WRITER, store.path, me, 6, "unlocked") for me in range(3)]:
        finish(writer)
    check_writers(store, 3, 6)


def test_a_store_object_sees_what_another_appended_and_compacted(tmp_path):
    one = new_store(tmp_path)
    two = Store.open(one.path)
    for number, store in zip(range(8), itertools.cycle([one, two])):
        store.append([event(number)])
    two.compact(retain=NOW)
    one.append([event(9)])
    assert [row["position"] for row in read(one.log)] == list(range(1, 10))
    assert plain(read(one.log)) == plain(read(two.log))
