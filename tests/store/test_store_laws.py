import datetime as dt
import itertools
from collections import Counter
from unittest.mock import patch

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from material import (
    NOW,
    START,
    answers,
    batches,
    event,
    in_position_order,
    law,
    new_store,
    order,
    placed,
    plain,
    read,
    rows,
)

from esanalytics.errors import AppendConflictError, InvalidEventError
from esanalytics.store import _append, _compact, _intake, view


def loaded(tmp_path, parts, **options):
    store = new_store(tmp_path, **options)
    for part in parts:
        store.append(part)
    return store


# 6. Compaction changes no answer


@law(4)
@given(parts=batches())
def test_compaction_changes_no_answer(tmp_path, parts):
    store = loaded(tmp_path, parts, auto_compact=False)
    log = store.log
    before = answers(log)
    files = len(store._log.head().files)
    done = store.compact(retain=NOW)
    assert len(store._log.head().files) == files - done.merged + done.written
    assert answers(log) == before
    assert answers(store.log) == before


@law(4)
@given(parts=batches(most=14))
def test_small_appends_with_compaction_and_without_and_one_big_append_answer_alike(tmp_path, parts):
    apart = loaded(tmp_path, parts, auto_compact=False)
    with patch.object(_compact, "FAN_OUT", 2):
        tidied = loaded(tmp_path, parts, auto_compact=True)
    whole = loaded(tmp_path, [list(itertools.chain(*parts))])
    expected = plain(read(apart.log))
    effective = [row["effective_at"] for row in read(apart.log)]
    assert len(expected) == sum(map(len, parts))
    for store in (tidied, whole):
        assert plain(read(store.log)) == expected
        assert [row["effective_at"] for row in read(store.log)] == effective
        assert list(store.log.streams()) == list(apart.log.streams())
        assert list(store.log.types()) == list(apart.log.types())


def test_auto_compaction_merges_files_while_appending(tmp_path):
    with patch.object(_compact, "FAN_OUT", 2):
        store = loaded(tmp_path, [[event(n)] for n in range(6)])
    assert store.info().files < 6
    assert [row["data"]["n"] for row in read(store.log)] == list(range(6))


def test_compaction_merges_what_was_appended_in_pieces_and_a_second_one_does_nothing(tmp_path):
    store = loaded(tmp_path, [[event(n, event_id=str(n))] for n in range(5)], auto_compact=False)
    assert store.info().files == 5
    first = store.compact(retain=NOW)
    assert (first.merged, first.written, first.deleted) == (5, 1, 5)
    again = store.compact(retain=NOW)
    assert (again.merged, again.written, again.deleted) == (0, 0, 0)
    assert store.info().files == 1


# 7. Appending anything twice changes nothing


@law(4)
@given(parts=batches(), size=st.integers(1, 4), data=st.data())
def test_appending_anything_twice_changes_nothing(tmp_path, parts, size, data):
    store = loaded(tmp_path, parts)
    before = answers(store.log)
    everything = list(itertools.chain(*parts))
    again = [
        everything,
        *parts,
        data.draw(st.permutations(everything)),
        *data.draw(st.permutations([everything[i : i + size] for i in range(0, len(everything), size)])),
    ]
    for part in again:
        done = store.append(part)
        assert (done.appended, done.duplicates) == (0, len(part))
    with patch.object(_append, "CHUNK_ROWS", size), patch.object(_intake, "PYTHON_ROWS", 1):
        assert store.append(everything).appended == 0
    assert answers(store.log) == before


@law(4)
@given(old=rows(most=6), fresh=rows(least=2, most=4), data=st.data())
def test_new_events_mixed_with_old_ones_are_appended_alone(tmp_path, old, fresh, data):
    fresh = [{**row, "stream_id": "w" + row["stream_id"], "event_id": f"new-{n}"} for n, row in enumerate(fresh)]
    fresh = [{k: v for k, v in row.items() if k != "version"} for row in fresh]
    store = loaded(tmp_path, [old])
    mixed = data.draw(st.permutations([*old, *fresh]))
    done = store.append(mixed)
    assert (done.appended, done.duplicates) == (len(fresh), len(old))
    assert (done.first_position, done.last_position) == (len(old) + 1, len(old) + len(fresh))
    assert Counter(row["event_id"] for row in read(store.log)).most_common(1)[0][1] == 1
    assert store.append(mixed).appended == 0


pool = [
    {"stream_id": s, "type": t, "occurred_at": START + dt.timedelta(hours=h), "data": {"a": h}}
    for s, t, h in [("x", "A", 0), ("x", "A", 900), ("x", "B", 0), ("y", "A", 0)]
]


@law(5)
@given(
    calls=st.lists(
        st.tuples(st.lists(st.sampled_from(range(4)), min_size=1, max_size=6), st.sampled_from([1, 2, 100])),
        min_size=1,
        max_size=4,
    )
)
def test_equal_rows_are_as_many_events_as_the_call_with_most_of_them_had(tmp_path, calls):
    store = new_store(tmp_path)
    expected = Counter()
    for call, chunk in calls:
        grown = expected | Counter(call)
        with patch.object(_append, "CHUNK_ROWS", chunk), patch.object(_intake, "PYTHON_ROWS", chunk):
            done = store.append([pool[n] for n in call])
        assert done.appended == (grown - expected).total()
        assert done.duplicates == len(call) - done.appended
        expected = grown
    keys = [(row["stream_id"], row["type"], row["data"]["a"]) for row in read(store.log)]
    wanted = [(p["stream_id"], p["type"], p["data"]["a"]) for p in pool]
    assert Counter(keys) == Counter({wanted[n]: count for n, count in expected.items()})
    assert sorted(row["position"] for row in read(store.log)) == list(range(1, expected.total() + 1))


def test_the_same_events_in_another_form_are_the_same_events(tmp_path):
    table = pa.table(
        {
            "event_id": ["1", "2"],
            "stream_id": ["s", "s"],
            "type": ["A", "B"],
            "occurred_at": pa.array([START, START], pa.timestamp("ns", "Europe/Berlin")),
            "amount": [1, 2],
            "name": ["x", None],
        }
    )
    store = loaded(tmp_path, [table])
    forms = [
        table.to_pandas(),
        [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()],
        table.to_reader(),
        [
            {"event_id": "1", "stream_id": "s", "type": "A", "occurred_at": START.isoformat(), "data": d}
            for d in ('{"name": "x", "amount": 1}', {"amount": 1.0, "name": "x"})
        ],
    ]
    assert [store.append(form).appended for form in forms] == [0, 0, 0, 0]


def test_a_retried_append_of_events_without_ids_is_one_append_whatever_form_it_takes(tmp_path):
    frame = pd.DataFrame(
        {
            "stream_id": ["s", "s"],
            "type": ["A", "A"],
            "occurred_at": [pd.Timestamp("2026-03-03", tz="UTC")] * 2,
            "n": [1, 1],
        }
    )
    store = loaded(tmp_path, [frame])
    assert store.info().events == 2
    for form in (frame, pa.Table.from_pandas(frame), frame.to_dict("records"), iter(frame.to_dict("records"))):
        assert store.append(form).duplicates == 2
    assert store.info().events == 2


def test_fields_that_hold_the_separator_of_the_digest_do_not_make_two_events_one(tmp_path):
    sep = chr(31)
    store = new_store(tmp_path)
    one = {"service": "a", "stream_id": f"b{sep}{sep}c", "type": "d", "occurred_at": START}
    other = {"service": f"a{sep}b{sep}", "stream_id": "c", "type": "d", "occurred_at": START}
    assert store.append([one, other]).appended == 2


def test_an_id_used_at_two_times_does_not_refuse_the_second_delivery_of_either(tmp_path):
    late = event(1, event_id="x", occurred_at="2026-03-05")
    early = event(1, event_id="x", occurred_at="2026-03-03", type="U")
    other = event(2, event_id="y", occurred_at="2026-03-03")
    store = loaded(tmp_path, [[late], [early], [other]])
    count = store.info().events
    assert store.append([late, other]).appended == 0
    assert store.info().events == count


# Order and time


@law(5)
@given(parts=batches(most=12), compact=st.lists(st.integers(0, 5), max_size=2))
def test_effective_at_is_what_plain_python_computes_for_any_arrival(tmp_path, parts, compact):
    store = new_store(tmp_path, auto_compact=False)
    for number, part in enumerate(parts):
        store.append(part)
        if number in compact:
            store.compact(retain=NOW)
    found = read(store.log)
    assert found == placed(found)
    relation = view(store.log)
    assert not relation.in_order or in_position_order(found)
    if not any(file.disorder for file in store._log.head().files):
        assert in_position_order(found)


def test_versions_in_any_order_with_backwards_clocks_fold_in_version_order(tmp_path):
    hours = {1: 5, 2: 1, 3: 3, 4: 900, 5: 7}
    for arrival in [(5, 4, 3, 2, 1), (4, 1, 5, 3, 2), (3, 1, 4, 2, 5)]:
        for size in (1, 3):
            parts = [arrival[i : i + size] for i in range(0, 5, size)]
            store = loaded(
                tmp_path,
                [[event(v, version=v, occurred_at=START + dt.timedelta(hours=hours[v])) for v in p] for p in parts],
                auto_compact=False,
            )
            for _ in range(2):
                found = [(r["version"], (r["effective_at"] - START) // dt.timedelta(hours=1)) for r in read(store.log)]
                assert found == [(1, 5), (2, 5), (3, 5), (4, 900), (5, 900)]
                store.compact(retain=NOW)


@pytest.mark.parametrize("versioned", [True, False])
def test_events_that_come_in_order_are_known_to_be_in_order(tmp_path, versioned):
    parts = [[event(n, **({"version": n} if versioned else {})) for n in (m, m + 1)] for m in (1, 3, 5)]
    store = loaded(tmp_path, parts)
    assert view(store.log).in_order
    store.append([event(0, **({"version": 9} if versioned else {}))])
    assert not view(store.log).in_order


@law(5)
@given(
    hours=st.lists(st.sampled_from([0, 1, 2, 900, 901, 1800]), min_size=2, max_size=6),
    window=st.tuples(st.sampled_from([None, 0, 1, 899, 900]), st.sampled_from([None, 1, 900, 901])),
    cut=st.integers(0, 6),
    versions=st.none() | st.permutations(range(1, 7)),
)
def test_a_view_that_says_positions_are_in_order_is_in_order(tmp_path, hours, window, cut, versions):
    events = [event(n, occurred_at=START + dt.timedelta(hours=h)) for n, h in enumerate(hours)]
    if versions is not None:
        events = [{**row, "version": v} for row, v in zip(events, versions, strict=False)]
    store = loaded(tmp_path, [part for part in (events[:cut], events[cut:]) if part], auto_compact=False)
    log = store.log
    since, at = (None if h is None else START + dt.timedelta(hours=h) for h in window)
    log = log if since is None else log.since(since)
    log = log if at is None else log.at(at)
    assert not view(log).in_order or in_position_order(read(log))


def test_a_window_that_leaves_a_late_event_out_does_not_hide_that_others_are_out_of_order(tmp_path):
    store = loaded(tmp_path, [[event(1, occurred_at=day) for day in ("2026-02-10", "2026-01-05", "2026-02-07")]])
    log = store.log.since("2026-02-01")
    assert [row["position"] for row in read(log)] == [3, 1]
    assert not view(log).in_order


recorded = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 900]), st.sampled_from([None, 1, 2, 3, 4])), min_size=1, max_size=5
)


@law(5)
@given(drawn=recorded, more=recorded, versions=st.none() | st.permutations(range(1, 11)), known=st.integers(0, 4))
def test_a_log_that_brings_its_own_recording_times_is_numbered_and_known_by_them(
    tmp_path, drawn, more, versions, known
):
    store, numbers = new_store(tmp_path, auto_compact=False), itertools.count()
    timed = all(day is not None for _, day in drawn)
    for year, part in ((2024, drawn), (2025, more if timed else [(hour, None) for hour, _ in more])):
        events = []
        for hour, day in part:
            number = next(numbers)
            row = event(number, occurred_at=START + dt.timedelta(hours=hour))
            row |= {} if day is None else {"recorded_at": dt.datetime(year, 1, day, tzinfo=dt.UTC)}
            events.append(row if versions is None else {**row, "version": versions[number]})
        store.append(events)
    found = sorted(read(store.log), key=lambda row: row["position"])
    assert [row["position"] for row in found] == list(range(1, len(found) + 1))
    times = [row["recorded_at"] for row in found]
    assert times == sorted(times)
    bound = dt.datetime(2024 if known % 2 else 2025, 1, known + 1, tzinfo=dt.UTC)
    for log in (store.log, store.log.known_at(bound)):
        seen = read(log)
        assert seen == placed([r for r in found if log is not None and r["position"] in {s["position"] for s in seen}])
        assert not view(log).in_order or in_position_order(seen)
    assert read(store.log.known_at(bound)) == placed([row for row in found if row["recorded_at"] <= bound])


def test_recording_times_against_the_order_of_rows_make_late_events(tmp_path):
    store = loaded(
        tmp_path,
        [[event(1, recorded_at="2026-05-02"), event(2, recorded_at="2026-05-01")]],
    )
    assert [row["position"] for row in read(store.log)] == [2, 1]
    assert not view(store.log).in_order


def test_recording_times_never_decrease_where_some_events_have_none_and_others_lie_ahead(tmp_path):
    store = loaded(
        tmp_path, [[event(1, recorded_at=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2)), event(2)], [event(3)]]
    )
    times = [row["recorded_at"] for row in sorted(read(store.log), key=lambda row: row["position"])]
    assert times == sorted(times)


def test_a_backwards_clock_is_seen_where_only_a_part_of_the_stream_was_known(tmp_path):
    given_ = ((1, "2026-02-10", "2026-03-01"), (2, "2026-01-05", "2026-03-03"), (3, "2026-02-07", "2026-03-02"))
    store = loaded(tmp_path, [[event(v, occurred_at=o, recorded_at=r, version=v) for v, o, r in given_]])
    found = read(store.log.known_at("2026-03-02"))
    assert [(row["version"], row["effective_at"].day) for row in found] == [(1, 10), (3, 10)]


def test_a_recording_time_before_the_last_is_refused(tmp_path):
    store = loaded(tmp_path, [[event(1, recorded_at="2026-05-02")]])
    with pytest.raises(InvalidEventError, match=r"row:1.*recorded_at.*order of recorded_at"):
        store.append([event(2, recorded_at="2026-05-01")])
    assert store.info().events == 1


def test_an_in_order_key_is_strictly_greater_for_each_next_event(tmp_path):
    store = loaded(tmp_path, [[event(n % 3, type=str(n)) for n in range(9)]])
    keys = [order(row) for row in read(store.log)]
    assert all(a < b for a, b in itertools.pairwise(keys))


def test_two_events_that_claim_one_version_leave_the_first(tmp_path):
    store = loaded(tmp_path, [[event(1, version=1)]])
    with pytest.raises(AppendConflictError, match="version 1"):
        store.append([event(2, version=1)])
    assert [row["data"]["n"] for row in read(store.log)] == [1]
