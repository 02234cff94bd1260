"""A document under 18,639 keystrokes, one long stream: a reducer reaches every checkpoint and the final text."""

import gzip
import hashlib
import json

import duckdb
import pytest

import esanalytics as ea
from esanalytics import _sql as sql
from esanalytics.projections import reducer
from esanalytics.reducing._run import reduced

DATA_SET = "editing_trace"


@reducer("document", initial={"text": ""})
def document(state, event):
    """The text after a transaction: each patch takes some characters out at a place and puts others in."""
    text = state["text"]
    for place, deleted, inserted in event.data["patches"]:
        text = text[:place] + inserted + text[place + deleted :]
    return {"text": text}


@pytest.fixture(scope="module")
def trace(folder):
    with gzip.open(folder / "seq_json-crdt-patch.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.fixture(scope="module")
def log(trace, tmp_path_factory):
    with ea.Store.create(tmp_path_factory.mktemp("trace") / "store") as store:
        store.append(
            {
                "stream_id": "document",
                "type": "Edited",
                "version": number,
                "occurred_at": edit["time"],
                "data": {"patches": edit["patches"]},
            }
            for number, edit in enumerate(trace["txns"], 1)
        )
        yield store.log


def rows(log, *columns, every=False):
    found = reduced(log, document, every=every)  # its files go with it
    return duckdb.sql(f"SELECT {', '.join(columns)} FROM ({sql.text(found.tree())})").fetchall()


def test_the_document_ends_as_it_did(log, trace):
    assert rows(log, "*") == [("default", "document", trace["endContent"])]


def test_every_checkpoint_is_reached(log, folder):
    checkpoints = json.loads((folder / "checkpoints.json").read_text())
    assert len(checkpoints) == 20
    for checkpoint in checkpoints[::5]:
        before = log.where(f"version <= {checkpoint['txn']}")
        ((text,),) = rows(before, "text")
        assert digest(text) == (checkpoint["length"], checkpoint["sha256"])


def test_every_version_of_the_document_is_kept(log, folder, trace):
    found = dict(rows(log, '"$version"', "text", every=True))
    assert len(found) == len(trace["txns"]) == 18_639
    for checkpoint in json.loads((folder / "checkpoints.json").read_text()):
        assert digest(found[checkpoint["txn"]]) == (checkpoint["length"], checkpoint["sha256"])


def digest(text):
    return len(text), hashlib.sha256(text.encode()).hexdigest()
