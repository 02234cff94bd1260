"""1,414 commits of a repository: the tree of files at any commit is the state of one stream per path."""

import csv
import datetime as dt
import gzip
import json
import random
from collections import defaultdict

import pytest

import esanalytics as ea
from esanalytics import delete, field

DATA_SET = "git_httpx"
NO_BLOB = "0" * 40

FILE = {"mode": field("mode", "VARCHAR"), "blob": field("blob", "VARCHAR"), "commit": ea.version}
TREE = ea.Projection(
    "tree",
    key={"path": ea.stream_id},
    on={"FileAdded": FILE, "FileChanged": FILE, "FileTypeChanged": FILE, "FileDeleted": delete},
)
MAPPING = {
    "service": ea.sources.constant("git"),
    "stream_id": "path",
    "version": "seq",
    "type": ea.sources.sql(
        "case status when 'A' then 'FileAdded' when 'M' then 'FileChanged' when 'D' then 'FileDeleted' "
        "when 'T' then 'FileTypeChanged' end"
    ),
    "occurred_at": ea.sources.sql("to_timestamp(author_time::double)"),
    "correlation_id": "sha",
}


@pytest.fixture(scope="module")
def commits(folder):
    with gzip.open(folder / "httpx_commits.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def oracle(folder):
    """The tree at each of 20 commits: seq -> path -> (mode, blob)."""
    found = defaultdict(dict)
    with gzip.open(folder / "httpx_oracle_lstree.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[int(row["seq"])][row["path"]] = (row["mode"], row["blob"])
    assert len(found) == 20
    return found


def changes_file(path, commits):
    """One line per change of a file, with what the commit says of it."""
    common = ("seq", "sha", "author_time", "commit_time")
    lines = (
        json.dumps({**{name: commit[name] for name in common}, **change})
        for commit in commits
        for change in commit["changes"]
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def store(commits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("git")
    with ea.Store.create(folder / "store", partition="year") as store:
        store.append(ea.sources.jsonl(changes_file(folder / "changes.jsonl", commits), mapping=MAPPING))
        yield store


def tree(log, at=None):
    return {row["path"]: (row["mode"], row["blob"]) for row in ea.state_at(log, TREE, at)}


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
            file = changes_file(tmp_path / f"part-{number}.jsonl", part)
            store.append(ea.sources.jsonl(file, mapping=MAPPING))
        assert store.log.count() == 4560
        some = [75, 670, 1414]
        before = {seq: tree(store.log.where(f"version <= {seq}")) for seq in some}
        files = store.info().files
        store.compact(retain=dt.timedelta(0))
        assert store.info().files < files
        after = {seq: tree(store.log.where(f"version <= {seq}")) for seq in oracle}
    assert before == {seq: oracle[seq] for seq in some}
    assert after == dict(oracle)


def test_a_commit_that_is_delivered_twice_changes_nothing(store, commits, tmp_path):
    everything = tree(store)
    commit = store.append(ea.sources.jsonl(changes_file(tmp_path / "again.jsonl", commits[700:900]), mapping=MAPPING))
    assert commit.appended == 0
    assert commit.duplicates == sum(len(commit["changes"]) for commit in commits[700:900])
    assert tree(store) == everything


def test_a_clock_that_runs_backwards_leaves_the_trees_as_they_are(commits, oracle, tmp_path):
    skewed = [
        {**commit, "author_time": commit["author_time"] - (86_400 * 3 if commit["seq"] % 5 == 0 else 0)}
        for commit in commits
    ]
    with ea.Store.create(tmp_path / "store", partition="year") as store:
        store.append(ea.sources.jsonl(changes_file(tmp_path / "skewed.jsonl", skewed), mapping=MAPPING))
        [row] = store.log.sql("select count(*) as moved from events where effective_at > occurred_at")
        assert row["moved"] > 100
        wrong = [seq for seq in (150, 596, 1042, 1414) if tree(store.log.where(f"version <= {seq}")) != oracle[seq]]
    assert wrong == []
