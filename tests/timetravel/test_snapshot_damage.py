"""A snapshot that is truncated, altered or of a newer format is passed over with a warning; the answer is right."""

import json
import warnings
from pathlib import Path

import pytest
from histories import FAMILIES, MINUTE, START, Reference, alike, histories, law, placed, projections, rows, store_of
from hypothesis import given
from hypothesis import strategies as st

import esanalytics as ea

orders = ea.Projection(
    "orders",
    "stream_id",
    {"Set": {"status": ea.field("status")}, "Add": {"total": ea.add(ea.field("n", "BIGINT"))}},
)
SAVED = {name: found for name, found in FAMILIES.items() if name != "list of anything"}
RIGHT = {("o",): {"status": "placed", "total": 5}, ("p",): {"status": None, "total": 2}}


def manifest(path):
    return path.with_suffix(".json")


def changed(snapshot, **facts):
    file = manifest(snapshot)
    file.write_text(json.dumps({**json.loads(file.read_text()), **facts}))


def truncate(path, size):
    path.write_bytes(path.read_bytes()[:size])


def flip(path, place):
    found = bytearray(path.read_bytes())
    found[place % len(found)] ^= 0x40
    path.write_bytes(bytes(found))


def swap(path):
    """Write a state that says other things, of the same shape."""
    other = path.with_name("other")
    ea.engines.DuckDB().cursor().execute(
        f"COPY (SELECT * REPLACE (7::BIGINT AS total) FROM '{path}') TO '{other}' (FORMAT parquet)"
    )
    other.replace(path)


DAMAGES = {
    "rows: empty": lambda path: truncate(path, 0),
    "rows: half": lambda path: truncate(path, path.stat().st_size // 2),
    "rows: a byte less": lambda path: truncate(path, -1),
    "rows: another byte": lambda path: flip(path, path.stat().st_size // 3),
    "rows: other values": swap,
    "rows: gone": lambda path: path.unlink(),
    "rows: a folder": lambda path: (path.unlink(), path.mkdir()),
    "manifest: newer": lambda path: changed(path, format=2),
    "manifest: no JSON": lambda path: manifest(path).write_text("{"),
    "manifest: empty": lambda path: manifest(path).write_text(""),
    "manifest: a list": lambda path: manifest(path).write_text("[1, 2]"),
    "manifest: not UTF-8": lambda path: manifest(path).write_bytes(b'{"format": "\xff\xfe"}'),
    "manifest: without a field": lambda path: manifest(path).write_text('{"format": 1}'),
    "manifest: a strange field": lambda path: changed(path, more=1),
    "manifest: format as text": lambda path: changed(path, format="1"),
    "manifest: no instant": lambda path: changed(path, at="yesterday"),
    "manifest: position as text": lambda path: changed(path, position="three"),
    "manifest: size as null": lambda path: changed(path, size=None),
    "manifest: digest as number": lambda path: changed(path, digest=7),
    "manifest: path as number": lambda path: changed(path, path=7),
    "manifest: another position": lambda path: changed(path, position=2),
    "manifest: another instant": lambda path: changed(path, at="2026-01-31T23:58:00Z"),
    "manifest: path elsewhere": lambda path: changed(path, path="../../../other.parquet"),
}


@pytest.fixture
def store(tmp_path):
    found = store_of(tmp_path, [])
    found.append([event(1, "Set", "o", status="placed"), event(2, "Add", "o", n=5), event(2, "Add", "p", n=2)])
    return found


def event(minute, type_, stream, **data):
    return {"stream_id": stream, "type": type_, "occurred_at": START + minute * MINUTE, "data": data}


def state(store, at=None):
    return rows(ea.state_at(store, orders, at), orders)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_named_in_a_warning_and_the_answer_is_right(store, damage):
    path = Path(ea.snapshot(store, orders).path)
    assert path.name in ea.state_at(store, orders).sql
    DAMAGES[damage](path)
    with pytest.warns(UserWarning, match=rf"snapshot '.*{path.stem}.* is passed over"):
        assert state(store) == RIGHT
    with pytest.warns(UserWarning, match=path.stem):
        assert not ea.history(store, orders, since=START + 2 * MINUTE).df().size
    with pytest.warns(UserWarning, match=path.stem):
        assert not ea.diff(store, orders, START + 2 * MINUTE, START + 3 * MINUTE).df().size
    with pytest.warns(UserWarning, match=path.stem):
        found = ea.join_asof([{"id": "o", "at": START + 3 * MINUTE}], store, orders, key="id", at="at")
    assert [row["total"] for row in found] == [5]


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name.startswith("manifest")])
def test_one_with_a_damaged_manifest_is_left_out_of_the_list_with_a_warning(store, damage):
    early = ea.snapshot(store, orders, START + MINUTE)
    path = Path(ea.snapshot(store, orders).path)
    DAMAGES[damage](path)
    with pytest.warns(UserWarning, match=path.stem):
        assert ea.snapshots(store) == [early]


def test_where_the_nearest_is_damaged_the_next_one_is_used(store):
    early = ea.snapshot(store, orders, START + MINUTE)
    late = ea.snapshot(store, orders)
    flip(Path(late.path), 100)
    with pytest.warns(UserWarning, match=Path(late.path).name):
        result = ea.state_at(store, orders)
    assert early.path in result.sql
    assert rows(result, orders) == RIGHT


def test_a_snapshot_that_was_damaged_after_it_was_used_is_not_used_again(store):
    path = Path(ea.snapshot(store, orders).path)
    assert state(store) == RIGHT
    swap(path)
    with pytest.warns(UserWarning, match=path.name):
        assert state(store) == RIGHT


def test_a_damaged_one_can_be_dropped_and_taken_again(store):
    taken = ea.snapshot(store, orders)
    truncate(Path(taken.path), 10)
    with pytest.warns(UserWarning, match="passed over"):
        again = ea.refresh(store, orders)
    taken.drop()
    assert ea.snapshots(store) == [again]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert state(store) == RIGHT
    assert again.path in ea.state_at(store, orders).sql


def test_rows_without_a_manifest_are_no_snapshot(store):
    path = Path(ea.snapshot(store, orders).path)
    manifest(path).rename(manifest(path).with_suffix(".part"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ea.snapshots(store) == []
        assert state(store) == RIGHT
        assert "/snapshots/" not in ea.state_at(store, orders).sql


def test_a_snapshot_of_another_store_is_not_used_though_it_was_copied_here(store, tmp_path):
    other = store_of(tmp_path, [])
    other.append([event(1, "Set", "o", status="other"), event(2, "Add", "o", n=50), event(2, "Add", "p", n=20)])
    path = Path(ea.snapshot(other, orders).path)
    folder = Path(ea.snapshot(store, orders, START + MINUTE).path).parent
    for file in (path, manifest(path)):
        (folder / file.name).write_bytes(file.read_bytes())
    assert state(store, START + MINUTE)["o",]["status"] == "placed"


def test_a_digit_of_a_manifest_that_was_changed_changes_no_answer(store):
    path = Path(ea.snapshot(store, orders, START + MINUTE).path)
    store.append([event(3, "Add", "o", n=10), event(1, "Add", "p", n=100)])
    text = manifest(path).read_text()
    right = {("o",): {"status": "placed", "total": 15}, ("p",): {"status": None, "total": 102}}
    assert state(store) == right
    for place in [place for place, letter in enumerate(text) if letter.isdigit()]:
        manifest(path).write_text(f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert state(store) == right, text[text.rindex("\n", 0, place) : place + 1]


@law(3)
@given(batches=histories(most=12), projection=projections(families=SAVED), place=st.integers(0), cut=st.booleans())
def test_a_byte_that_was_changed_or_cut_anywhere_changes_no_answer(tmp_path, batches, projection, place, cut):
    store = store_of(tmp_path, batches)
    path = Path(ea.snapshot(store, projection).path)
    change = truncate if cut else flip
    change(path, place % path.stat().st_size)
    with pytest.warns(UserWarning, match=path.name):
        found = rows(ea.state_at(store, projection), projection)
    assert alike(found, Reference(projection, placed(batches)).state())
