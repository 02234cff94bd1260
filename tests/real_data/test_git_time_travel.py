"""1,414 commits of a repository: history, diff, explain and bisect say what the commits and the listed trees say."""

import datetime as dt
import itertools
import random
from collections import defaultdict

import pytest
from git_repository import TREE, TYPES, append, read_commits, read_trees, skewed, tree

import esanalytics as ea

DATA_SET = "git_httpx"
MIDDLE = 700


@pytest.fixture(scope="module")
def commits(folder):
    return read_commits(folder)


@pytest.fixture(scope="module")
def oracle(folder):
    return read_trees(folder)


def in_one_go(store, path, commits):
    append(store, path, commits)


def with_a_snapshot(store, path, commits):
    append(store, path, commits)
    ea.snapshot(store, TREE, at=moment(commits[MIDDLE - 1]))


def late_into_snapshots(store, path, commits):
    """Some commits come in shuffled parts, after snapshots were taken of what there was."""
    picked = random.Random(5).sample(commits, 40)
    late = {commit["seq"] for commit in picked}
    append(store, path, [commit for commit in commits if commit["seq"] not in late])
    for at in (moment(commits[MIDDLE - 1]), None):
        ea.snapshot(store, TREE, at=at)
    for start in range(2):
        append(store, path, picked[start::2])


EVERY = {in_one_go: 1, with_a_snapshot: 3, late_into_snapshots: 7}


@pytest.fixture(scope="module", params=EVERY, ids=lambda way: way.__name__)
def store(request, commits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("git")
    with ea.Store.create(folder / "store", partition="year", auto_compact=False) as store:
        request.param(store, folder / "changes.jsonl", commits)
        yield store


def moment(commit):
    return dt.datetime.fromtimestamp(commit["author_time"], dt.UTC)


def changes(commits):
    """Each change in order: seq, path, its type, what it leaves (None: nothing), and the time at which it counts."""
    latest = {}
    for commit in commits:
        for change in commit["changes"]:
            path = change["path"]
            latest[path] = at = max(moment(commit), latest.get(path, moment(commit)))
            left = None if change["status"] == "D" else (change["mode"], change["blob"])
            yield commit["seq"], path, TYPES[change["status"]], left, at


def lives(commits):
    """Every version of every path: path, type, what it is, from when until when."""
    by_path = defaultdict(list)
    for _, path, type_, left, at in changes(commits):
        by_path[path].append((type_, left, at))
    return [
        (path, type_, left, begin, None if follower is None else follower[2])
        for path, steps in by_path.items()
        for (type_, left, begin), follower in itertools.zip_longest(steps, steps[1:])
        if left is not None
    ]


def versions(log, **how):
    return [
        (row["path"], row["type"], (row["mode"], row["blob"]), row["valid_from"], row["valid_to"])
        for row in ea.history(log, TREE, **how)
    ]


def in_order(rows):
    return sorted(rows, key=lambda row: (row[0], row[3], row[4] is None, row[4]))


def valid(rows, at):
    return {path: left for path, _, left, begin, end in rows if begin <= at and (end is None or at < end)}


def difference(before, after):
    """What `diff` is to say of two trees: one entry per path and column."""
    entries = {}
    for path in before.keys() | after.keys():
        old, new = before.get(path, (None, None)), after.get(path, (None, None))
        change = "added" if path not in before else "removed" if path not in after else "changed"
        for column, was, is_ in zip(("mode", "blob"), old, new, strict=True):
            if was != is_:
                entries[path, column] = (change, was, is_)
    return entries


def differing(log, before, after):
    rows = list(ea.diff(log, TREE, before, after))
    found = {(row["path"], row["column"]): (row["change"], row["before"], row["after"]) for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture
def pairs(request, oracle):
    """Each listed tree with the one before it, the last pair first; where there are snapshots, every so many."""
    return list(itertools.pairwise([0, *sorted(oracle)]))[:: -EVERY[request.node.callspec.params["store"]]]


def test_answers_begin_from_a_snapshot_where_there_is_one(request, store, commits):
    """Else the tests of this module ask nothing of snapshots."""
    at = moment(commits[MIDDLE + 100])
    there = request.node.callspec.params["store"] is not in_one_go
    asked = (ea.state_at(store, TREE, at), ea.history(store, TREE, since=at), ea.diff(store, TREE, at, "2024-01-01"))
    assert ["/snapshots/" in answer.sql for answer in asked] == [there] * 3


def test_history_has_the_versions_that_the_commits_made(store, commits):
    assert in_order(versions(store)) == in_order(lives(commits))


def test_history_tiles_the_life_of_every_path(store, commits):
    by_path = defaultdict(list)
    for path, type_, _, begin, end in in_order(versions(store)):
        by_path[path].append((type_, begin, end))
    gaps = 0
    for spans in by_path.values():
        assert spans[0][0] == "FileAdded"
        assert all(end is None or begin < end for _, begin, end in spans)
        for (_, _, end), (type_, begin, _) in itertools.pairwise(spans):
            assert end is not None
            assert (type_ == "FileAdded") == (end < begin)
            assert end <= begin
            gaps += end < begin
    alive = {path for path, spans in by_path.items() if spans[-1][2] is None}
    assert alive == tree(store).keys()
    added = sum(type_ == "FileAdded" for _, _, type_, _, _ in changes(commits))
    assert gaps == added - len(by_path) > 10


def test_the_versions_that_hold_at_the_time_of_a_listed_tree_are_the_tree(store, oracle, commits):
    found = versions(store)
    wrong = [seq for seq, files in oracle.items() if valid(found, moment(commits[seq - 1])) != files]
    assert wrong == []


def test_history_since_a_moment_and_of_one_path_are_parts_of_the_whole(store, commits):
    whole = lives(commits)
    since = moment(commits[MIDDLE + 100])
    assert in_order(versions(store, since=since)) == in_order(row for row in whole if row[3] > since)
    assert in_order(versions(store, key="setup.py")) == in_order(row for row in whole if row[0] == "setup.py")


def test_the_state_at_the_time_of_a_listed_tree_is_the_tree(store, pairs, oracle, commits):
    wrong = [seq for _, seq in pairs if tree(store, moment(commits[seq - 1])) != oracle[seq]]
    assert wrong == []


def test_the_difference_of_two_instants_is_that_of_the_listed_trees(store, pairs, oracle, commits):
    times = {0: moment(commits[0]) - dt.timedelta(days=1), **{commit["seq"]: moment(commit) for commit in commits}}
    wrong = [
        (first, second)
        for first, second in pairs
        if differing(store, times[first], times[second]) != difference(oracle.get(first, {}), oracle[second])
    ]
    assert wrong == []


def test_the_difference_of_two_views_is_that_of_the_listed_trees(store, pairs, oracle):
    upto = {seq: store.log.where(f"version <= {seq}") for seq in (0, *oracle)}
    wrong = [
        (first, second)
        for first, second in pairs
        if differing(store, upto[first], upto[second]) != difference(oracle.get(first, {}), oracle[second])
    ]
    assert wrong == []


@pytest.mark.parametrize(("path", "upto"), [("setup.py", None), ("README.md", 500), ("scripts/lint", 1414)])
def test_the_explanation_of_a_blob_is_its_chain_of_changes(store, commits, path, upto):
    at = None if upto is None else moment(commits[upto - 1])
    chain = [(seq, type_, left, time) for seq, its, type_, left, time in changes(commits) if its == path]
    past = [step for step in chain if upto is None or step[0] <= upto]
    found = list(ea.explain(store, TREE, path, "blob", at=at))
    assert [(row["effective_at"], row["type"]) for row in found] == [(time, type_) for _, type_, _, time in chain]
    assert [row["value"] for row in found] == [left and left[1] for _, _, left, _ in chain]
    assert [row["result"] for row in found[: len(past)]] == [left and left[1] for _, _, left, _ in past]
    assert {row["action"] for row in found} == {"set" if left else "delete" for _, _, left, _ in chain}
    assert {row["reason"] for row in found[len(past) :]} <= {"later than at"}
    ended = max((seq for seq, _, left, _ in past if left is None), default=0)
    last = past[-1][0]
    for (seq, _, left, _), row in zip(past, found, strict=False):
        if left is not None:
            reason = "deleted" if seq < ended else "before the last set" if seq < last else None
            assert row["reason"] == reason
    assert found[len(past) - 1]["result"] == tree(store, at).get(path, (None, None))[1]


def scan(commits, holds):
    """The changes after which something holds of the tree and did not before: seq, path, and the file around it."""
    files, held = {}, holds({})
    for seq, path, _, left, _ in changes(commits):
        before = files.get(path)
        files.pop(path, None)
        if left is not None:
            files[path] = left
        was, held = held, holds(files)
        if held and not was:
            yield seq, path, before, left


def turn(found):
    """What a bisection found, as `scan` has it."""
    around = [None if row is None else (row["mode"], row["blob"]) for row in (found.before, found.after)]
    return found.event["version"], found.event["stream_id"], *around


@pytest.mark.parametrize(
    ("predicate", "holds"),
    [
        ("path = 'httpx/_client.py'", lambda files: "httpx/_client.py" in files),
        ("path = 'setup.py' and mode = '100755'", lambda files: files.get("setup.py", "?")[0] == "100755"),
        ("path like '%/%/%/%.py'", lambda files: any(p.count("/") >= 3 and p.endswith(".py") for p in files)),
        (lambda row: row["path"].count("/") >= 3, lambda files: any(path.count("/") >= 3 for path in files)),
    ],
)
def test_the_first_event_after_which_a_file_is_so_is_that_of_a_linear_scan(store, commits, predicate, holds):
    wanted = next(scan(commits, holds), None)
    found = ea.bisect(store, TREE, predicate)
    assert (turn(found) if found else None) == wanted


@pytest.mark.parametrize(
    ("predicate", "holds"),
    [
        ("count(*) > 20", lambda files: len(files) > 20),
        ("count(*) > 100", lambda files: len(files) > 100),
        ("count(*) > 1000", lambda files: len(files) > 1000),
        (
            "count(*) filter (path like 'docs/%') > count(*) filter (path like 'tests/%')",
            lambda files: sum(p.startswith("docs/") for p in files) > sum(p.startswith("tests/") for p in files),
        ),
    ],
)
def test_the_first_event_after_which_the_tree_is_so_is_that_of_a_linear_scan(store, commits, predicate, holds):
    wanted = next(scan(commits, holds), None)
    found = ea.bisect(store, TREE, predicate)
    assert (turn(found) if found else None) == wanted


def test_an_aggregate_that_comes_and_goes_is_found_where_it_becomes_true(store, commits):
    turns = list(scan(commits, lambda files: len({blob for _, blob in files.values()}) > 90))
    assert len(turns) > 1
    assert turn(ea.bisect(store, TREE, "count(distinct blob) > 90")) in turns


def test_history_of_a_clock_that_runs_backwards_has_the_versions_that_the_commits_made(commits, tmp_path):
    moved = skewed(commits)
    with ea.Store.create(tmp_path / "store", partition="year") as store:
        late_into_snapshots(store, tmp_path / "skewed.jsonl", moved)
        wanted = lives(moved)
        assert in_order(versions(store, grain="event")) == in_order(wanted)
        assert in_order(versions(store)) == in_order(row for row in wanted if row[3] != row[4])
