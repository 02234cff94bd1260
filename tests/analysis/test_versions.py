"""Versions: the values that columns of state had over time."""

import datetime as dt

import pytest

import esanalytics as ea
from esanalytics.analysis import _versions
from esanalytics.analysis._versions import tracks

_START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
_COUNTED = ea.Projection("counted", "stream_id", {"A": {"n": ea.count}, "D": ea.delete})


def store_of(tmp_path, streams):
    store = ea.Store.create(tmp_path / "store")
    rows = [(stream, n, type_) for stream, types in streams.items() for n, type_ in enumerate(types)]
    store.append(
        [
            {"stream_id": stream, "type": type_, "occurred_at": _START + n * dt.timedelta(seconds=1), "data": {}}
            for stream, n, type_ in rows
        ]
    )
    return store


@pytest.mark.parametrize("most", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("key", ["a", ["a", "b"], None])
def test_what_is_cut_is_told_and_nothing_else(tmp_path, monkeypatch, most, key):
    monkeypatch.setattr(_versions, "MOST_VERSIONS", most)
    counts = {"a": 4, "b": 2}
    store = store_of(tmp_path, {name: "A" * count for name, count in counts.items()})
    found = tracks(store.log, _COUNTED, ["n"], key)
    each = most // len(found.keys)
    wanted = {name: min(counts[name], each) for name in found.keys}
    assert found.cut == (wanted != {name: counts[name] for name in found.keys})
    assert found.versions == sum(wanted.values())
    assert {track.key: len(track.spans) for track in found.tracks} == wanted


def test_of_deleted_keys_all_are_counted_and_the_first_are_shown(tmp_path):
    store = store_of(tmp_path, {"many": "AAAAAAAAD", "b": "AD", "c": "AD", "d": "AD"})
    found = tracks(store.log, _COUNTED, ["n"], None, most_keys=3)
    assert (len(found.keys), found.of) == (3, 4)
