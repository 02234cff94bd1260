"""1,414 commits of a repository: the tree of files at any commit is the state of one stream per path."""

import datetime as dt
import random

import pytest
from git_repository import NO_BLOB, append, read_commits, read_trees, skewed, tree

import esanalytics as ea

DATA_SET = "git_httpx"


@pytest.fixture(scope="module")
def commits(folder):
    return read_commits(folder)


@pytest.fixture(scope="module")
def oracle(folder):
    return read_trees(folder)


@pytest.fixture(scope="module")
def store(commits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("git")
    with ea.Store.create(folder / "store", partition="year") as store:
        append(store, folder / "changes.jsonl", commits)
        yield store


def test_each_change_of_a_file_is_an_event(store, commits):
    assert store.log.count() == sum(len(commit["changes"]) for commit in commits) == 4560
    found = {row["type"]: row["events"] for row in store.log.types()}
    assert found == {"FileAdded": 326, "FileChanged": 4033, "FileDeleted": 201}


def test_the_tree_at_each_commit_is_exact_by_version(store, oracle):
    wrong = [seq for seq, files in oracle.items() if tree(store.log.where(f"version <= {seq}")) != files]
    assert wrong == []


def test_the_tree_at_the_time_of_each_commit_is_exact(store, oracle, commits):
    times = {commit["seq"]: dt.datetime.fromtimestamp(commit["author_time"], dt.UTC) for commit in commits}
    wrong = [seq for seq, files in oracle.items() if tree(store, times[seq]) != files]
    assert wrong == []


def test_a_file_that_was_deleted_and_added_again_begins_anew(store):
    again = [
        row["stream_id"]
        for row in store.log.sql("""
            select stream_id from events group by stream_id
            having count(*) filter (type = 'FileAdded') > 1 and max_by(type, version) <> 'FileDeleted'
        """)
    ]
    assert again
    state = tree(store)
    assert [path for path in again if path not in state] == []


def test_every_change_says_the_blob_that_the_one_before_left(store):
    before = {}
    for event in store.log.events():
        assert before.get(event["stream_id"], NO_BLOB) == event["data"]["old_blob"]
        before[event["stream_id"]] = event["data"]["blob"]
    assert len(before) == len(store.log.streams())


def test_the_blob_check_holds_in_sql_too(store):
    [answer] = store.log.sql(f"""
        select count(*) as events, count(*) filter (before is distinct from old) as wrong from (
            select data.old_blob::varchar as old, coalesce(lag(data.blob::varchar) over (
                partition by stream_id order by effective_at, version, position), '{NO_BLOB}') as before
            from events
        )
    """)
    assert answer == {"events": 4560, "wrong": 0}


def test_appends_in_any_order_and_compaction_change_no_tree(commits, oracle, tmp_path):
    parts = [commits[start::4] for start in range(4)]
    random.Random(3).shuffle(parts)
    with ea.Store.create(tmp_path / "store", partition="year", auto_compact=False) as store:
        for number, part in enumerate(parts):
            random.Random(number).shuffle(part)
            append(store, tmp_path / f"part-{number}.jsonl", part)
        assert store.log.count() == 4560
        some = [75, 670, 1414]
        before = {seq: tree(store.log.where(f"version <= {seq}")) for seq in some}
        files = store.info().files
        store.compact(retain=dt.timedelta(0))
        assert store.info().files < files
        after = {seq: tree(store.log.where(f"version <= {seq}")) for seq in oracle}
    assert before == {seq: oracle[seq] for seq in some}
    assert after == oracle


def test_a_commit_that_is_delivered_twice_changes_nothing(store, commits, tmp_path):
    everything = tree(store)
    commit = append(store, tmp_path / "again.jsonl", commits[700:900])
    assert commit.appended == 0
    assert commit.duplicates == sum(len(commit["changes"]) for commit in commits[700:900])
    assert tree(store) == everything


def test_a_clock_that_runs_backwards_leaves_the_trees_as_they_are(commits, oracle, tmp_path):
    with ea.Store.create(tmp_path / "store", partition="year") as store:
        append(store, tmp_path / "skewed.jsonl", skewed(commits))
        [row] = store.log.sql("select count(*) as moved from events where effective_at > occurred_at")
        assert row["moved"] > 100
        wrong = [seq for seq in (150, 596, 1042, 1414) if tree(store.log.where(f"version <= {seq}")) != oracle[seq]]
    assert wrong == []
