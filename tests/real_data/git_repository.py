"""The commits of a repository as events of one stream per path; used by two test modules."""

import csv
import gzip
import json
from collections import defaultdict

import esanalytics as ea
from esanalytics import delete, field

NO_BLOB = "0" * 40

FILE = {"mode": field("mode", "VARCHAR"), "blob": field("blob", "VARCHAR")}
TREE = ea.Projection(
    "tree",
    key={"path": ea.stream_id},
    on={"FileAdded": FILE, "FileChanged": FILE, "FileTypeChanged": FILE, "FileDeleted": delete},
)
TYPES = {"A": "FileAdded", "M": "FileChanged", "D": "FileDeleted", "T": "FileTypeChanged"}
MAPPING = {
    "service": ea.sources.constant("git"),
    "stream_id": "path",
    "version": "seq",
    "type": ea.sources.sql(
        "case status " + " ".join(f"when '{status}' then '{type_}'" for status, type_ in TYPES.items()) + " end"
    ),
    "occurred_at": ea.sources.sql("to_timestamp(author_time::double)"),
    "correlation_id": "sha",
}


def read_commits(folder):
    with gzip.open(folder / "httpx_commits.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_trees(folder):
    """The tree at each of 20 commits: seq -> path -> (mode, blob)."""
    found = defaultdict(dict)
    with gzip.open(folder / "httpx_oracle_lstree.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[int(row["seq"])][row["path"]] = (row["mode"], row["blob"])
    assert len(found) == 20
    return dict(found)


def append(store, path, commits):
    """Append one event per change of a file, with what the commit says of it, by way of a file at the path."""
    common = ("seq", "sha", "author_time", "commit_time")
    lines = (
        json.dumps({**{name: commit[name] for name in common}, **change})
        for commit in commits
        for change in commit["changes"]
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    return store.append(ea.sources.jsonl(path, mapping=MAPPING))


def skewed(commits):
    """The same commits, as if every fifth author's clock was three days slow."""
    return [
        {**commit, "author_time": commit["author_time"] - (86_400 * 3 if commit["seq"] % 5 == 0 else 0)}
        for commit in commits
    ]


def tree(log, at=None):
    return {row["path"]: (row["mode"], row["blob"]) for row in ea.state_at(log, TREE, at)}
