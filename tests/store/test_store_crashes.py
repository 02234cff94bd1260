import random
import time
from collections import Counter

import pytest
from material import ENGINE, NOW, event, new_store, read, start, stray

from esanalytics.store import Store, _append

VICTIM = """
import datetime as dt, random, sys
from esanalytics.store import Store

path, run, compacts = sys.argv[1], sys.argv[2], sys.argv[3] == "compact"
store, chance = Store.open(path), random.Random(run)
print("ready", flush=True)
for n in range(10_000):
    size = chance.randint(1, 12)
    store.append([
        {
            "service": chance.choice("ab"),
            "stream_id": f"s{i % 3}",
            "type": "T",
            "occurred_at": f"2026-0{1 + i % 2}-03T10:00:00Z",
            "data": {"run": run, "n": n, "size": size, "i": i},
        }
        for i in range(size)
    ])
    print(n, flush=True)
    if compacts and n % 2:
        store.compact(retain=dt.timedelta(0))
"""


def killed(store, run, mode, chance):
    """Let a process append until it is killed; return what it says is appended."""
    victim = start(VICTIM, store.path, run, mode)
    said = [victim.stdout.readline() for _ in range(chance.randint(1, 5))]
    time.sleep(chance.uniform(0, 0.1))
    victim.kill()
    out, error = victim.communicate(timeout=60)
    assert said[0] == "ready\n", error
    return {int(line) for line in "".join([*said[1:], out]).split("\n")[:-1]}


def check(path, acknowledged):
    """Everything acknowledged is there, and of every append all or nothing."""
    store = Store.open(path, engine=ENGINE)
    found = [row for row in read(store.log) if row["type"] == "T"]
    positions = sorted(row["position"] for row in read(store.log))
    assert positions == list(range(1, store.log.count() + 1))
    sizes = {(row["data"]["run"], row["data"]["n"]): row["data"]["size"] for row in found}
    assert Counter((row["data"]["run"], row["data"]["n"]) for row in found) == sizes
    assert acknowledged <= set(sizes)
    unsaid = set(sizes) - acknowledged
    assert len(unsaid) <= len({run for run, _ in unsaid})
    return store


def survive(tmp_path, mode, kills):
    store, chance, acknowledged = new_store(tmp_path), random.Random(kills), set()
    for kill in range(kills):
        run = f"{mode}-{kill}"
        acknowledged |= {(run, n) for n in killed(store, run, mode, chance)}
        after = check(store.path, acknowledged)
        after.append([event(kill, type="After", event_id=run)])
        after.compact(retain=NOW)
        assert stray(after) == []
        check(store.path, acknowledged)
    assert acknowledged


def test_a_killed_append_loses_nothing_acknowledged_and_shows_no_part(tmp_path):
    survive(tmp_path, "append", 6)


def test_a_killed_compaction_loses_nothing(tmp_path):
    survive(tmp_path, "compact", 6)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append", "compact"])
def test_a_hundred_kills_lose_nothing(tmp_path, mode):
    survive(tmp_path, mode, 60)


AT_A_POINT = """
import datetime as dt, os, signal, sys
from esanalytics.store import Store, _commits, _compact, _quarantine, _writing

path, point, when = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def around(owner, name):
    original = getattr(owner, name)

    def dies(*args, **options):
        if when == "before":
            die()
        original(*args, **options)
        die()

    setattr(owner, name, dies)

def row(n, **given):
    at = f"2026-0{n % 2 + 1}-03T10:00:00Z"
    return {"stream_id": "s", "type": "New", "occurred_at": at, "event_id": f"new-{n}", **given}

store = Store.open(path)
owner, name = {
    "write": (_writing.Writer, "write"),
    "sync": (_writing, "sync"),
    "commit": (_commits.DeltaLog, "_commit"),
    "sync entry": (_commits, "sync"),
    "quarantine": (_quarantine.Quarantine, "add"),
    "quarantine sync": (os, "fsync"),
    "replace": (_compact.Compactor, "_replace"),
    "sweep": (_compact.Compactor, "_sweep"),
    "unlink": (os, "unlink"),
}[point.removeprefix("compact ")]
around(owner, name)
print("set", flush=True)
if point.startswith("compact "):
    store.compact(retain=dt.timedelta(0))
else:
    store.append([row(0), row(1), row(2, type=None)], on_invalid="quarantine")
"""
POINTS = [
    *[("append", p, w) for p in ("write", "sync", "commit", "sync entry", "quarantine") for w in ("before", "after")],
    ("append", "quarantine sync", "after"),
    *[("compact", f"compact {p}", w) for p in ("write", "commit", "replace", "sweep") for w in ("before", "after")],
    ("compact", "compact unlink", "after"),
]
SLOW = {("compact write", "before"), ("write", "before"), ("compact commit", "before"), ("quarantine", "after")}


@pytest.mark.parametrize(
    ("mode", "point", "when"), [pytest.param(*p, marks=[pytest.mark.slow] if p[1:] in SLOW else []) for p in POINTS]
)
def test_a_process_that_dies_at_a_point_leaves_a_store_that_works(tmp_path, mode, point, when):
    store = new_store(tmp_path, auto_compact=False)
    for number in range(3):
        store.append([event(number, event_id=f"old-{number}")])
    victim = start(AT_A_POINT, store.path, point, when)
    _, error = victim.communicate(timeout=60)
    assert victim.returncode == -9, error
    after = Store.open(store.path)
    found = Counter(row["event_id"] for row in read(after.log))
    old = Counter(f"old-{n}" for n in range(3))
    assert found in (old, old + Counter(["new-0", "new-1"]))
    again = [
        {"stream_id": "s", "type": t, "occurred_at": f"2026-0{n % 2 + 1}-03T10:00:00Z", "event_id": f"new-{n}"}
        for n, t in enumerate(["New", "New", None])
    ]
    if mode == "append":
        after.append(again, on_invalid="quarantine")
        assert after.info().events == 5
        assert len(after.quarantined()) == 1
    after.compact(retain=NOW)
    assert stray(after) == []
    assert len(read(after.log)) == after.info().events


def test_a_writer_killed_while_making_a_store_leaves_a_place_where_one_can_be_made(tmp_path):
    (tmp_path / "shop" / "events" / "_delta_log").mkdir(parents=True)
    store = Store.create(tmp_path / "shop")
    store.append([event(1)])
    assert store.info().events == 1


class FailsOnce:
    """Runs a method, and then fails as a disk would, the first time."""

    def __init__(self, original):
        self.original, self.failed = original, False

    def __call__(self, *args, **options):
        found = self.original(*args, **options)
        if not self.failed:
            self.failed = True
            raise OSError(28, "No space left on device")
        return found


def test_a_commit_that_landed_keeps_its_files_whatever_fails_after_it(tmp_path, monkeypatch):
    store = new_store(tmp_path)
    store.append([event(1)])
    fails = FailsOnce(store._log._commit)
    monkeypatch.setattr(type(store._log), "_commit", lambda _, *args: fails(*args))
    with pytest.raises(_append.EsAnalyticsError):
        store.append([event(2)])
    found = [row["data"]["n"] for row in read(store.log)]
    assert found in ([1], [1, 2])
    assert store.append([event(2), event(3)]).appended == 4 - len(found) - 1
    assert [row["data"]["n"] for row in read(Store.open(store.path).log)] == [1, 2, 3]


def test_a_compaction_that_landed_keeps_its_files_whatever_fails_after_it(tmp_path, monkeypatch):
    store = new_store(tmp_path, auto_compact=False)
    for number in range(3):
        store.append([event(number)])
    fails = FailsOnce(store._log._commit)
    monkeypatch.setattr(type(store._log), "_commit", lambda _, *args: fails(*args))
    with pytest.raises(_append.EsAnalyticsError):
        store.compact(retain=NOW)
    assert [row["data"]["n"] for row in read(store.log)] == [0, 1, 2]
    store.compact(retain=NOW)
    assert [row["data"]["n"] for row in read(Store.open(store.path).log)] == [0, 1, 2]
    assert stray(store) == []


def test_an_append_that_is_committed_is_acknowledged_even_where_tidying_fails(tmp_path):
    store = new_store(tmp_path, auto_compact=False)
    for number in range(9):
        store.append([event(number, service="a")])
    (store.path / "events" / store._log.head().files[0].path).unlink()
    tidying = Store.open(store.path)
    done = tidying.append([event(1, service="b", occurred_at="2026-08-08")])
    assert done.appended == 1
    assert tidying.log.where(service="b").events().head()[0]["position"] == 10
