import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esanalytics import sources
from esanalytics.errors import SourceError
from esanalytics.events import Source

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def read(path, **options):
    return list(sources.jsonl(path, **options).batches())


def one(tmp_path, text, **options):
    path = tmp_path / "a.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (batch,) = read(path, **options)
    assert batch.done == path.stat().st_size
    return batch


def refused(batch):
    return [(refusal.line, refusal.reason) for refusal in batch.refused]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(texts, values, max_size=4), max_size=6),
    st.booleans(),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_any_objects_written_as_lines_come_back_equal(tmp_path, records, ascii_only, end):
    records = [{"f" + key: value for key, value in record.items()} for record in records]
    text = "".join(json.dumps(record, ensure_ascii=ascii_only) + end for record in records)
    batch = one(tmp_path, text)
    assert [json.loads(text) for text in batch.rows.column("data").to_pylist()] == records
    assert not batch.refused
    assert batch.lines.to_pylist() == [1 + len(end.replace("\r", "")) * place for place in range(len(records))]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), values), max_size=4), values)
def test_a_record_is_refused_exactly_when_a_key_is_there_twice(tmp_path, pairs, other):
    inside = ",".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs)
    batch = one(tmp_path, f'{{"x": [{{{inside}}}], "y": {json.dumps(other)}, "z": {{"a": {{"a": 1}}, "b": 2}}}}\n')
    keys = [key for key, _ in pairs]
    assert bool(batch.refused) == (len(set(keys)) < len(keys))


def test_numbers_keep_their_text(tmp_path):
    batch = one(tmp_path, '{"type":"a","x":1.10,"big":123456789012345678901234567890,"e":1E5,"version":007}\n')
    assert refused(batch)[0][0] == 1
    batch = one(tmp_path, '{"stream_id":1.10,"x":1.10,"big":123456789012345678901234567890,"e":1E5}\n')
    assert batch.rows.to_pylist() == [
        {
            "stream_id": "1.10",
            "data": '{"x":1.10,"big":123456789012345678901234567890,"e":1E5}',
            "metadata": None,
        }
    ]


def test_what_is_no_json_object_is_refused_with_its_line_and_the_rest_is_read(tmp_path):
    wrong = ["nope", "[1]", '{"a":NaN}', '{"a":[1, ]}', '{"a":1,}', '{"a":-Infinity}', '{"a":   inf}']
    text = "\n".join(['\ufeff{"a":1}', "", "  ", *wrong, '{"b":[ ]}'])
    batch = one(tmp_path, text)
    assert batch.rows.column("data").to_pylist() == ['{"a":1}', '{"b":[ ]}']
    assert batch.lines.to_pylist() == [1, 11]
    assert [line for line, _ in refused(batch)] == [4, 5, 6, 7, 8, 9, 10]
    assert all(reason.startswith(("not JSON", "JSON, but not an object")) for _, reason in refused(batch))
    assert [refusal.raw for refusal in batch.refused] == wrong


def test_bytes_that_are_no_utf8_are_refused_and_kept_readable(tmp_path):
    batch = one(tmp_path, b'{"a":1}\n{"a":"\xff"}\n{"a":"\xc3\xbc"}\n')
    assert refused(batch) == [(2, "not UTF-8 at byte 7 of the line")]
    assert batch.refused[0].raw == '{"a":"\\xff"}'
    assert batch.rows.column("data").to_pylist() == ['{"a":1}', '{"a":"ü"}']


def test_escaped_keys_that_are_equal_are_duplicates(tmp_path):
    batch = one(tmp_path, '{"a":1,"\\u0061":2}\n{"a\\"":1,"a":2}\n')
    assert refused(batch) == [(1, "duplicate key 'a'")]
    assert batch.lines.to_pylist() == [2]


@pytest.mark.parametrize("depth", [1_000, 50_000])
def test_deep_nesting_does_not_end_the_process(tmp_path, depth):
    deep = '{"a":' * depth + "1.10" + "}" * depth
    batch = one(tmp_path, f'{{"x":{deep}}}\n{{"x":1}}\n')
    assert batch.rows.column("data").to_pylist() == [f'{{"x":{deep}}}', '{"x":1}']


def test_a_line_of_fifty_megabytes_is_one_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"type":"small"}\n{"type":"big","x":"' + "y" * 50_000_000 + '"}\n{"type":"last"}')
    batches = read(path)
    assert [row for batch in batches for row in batch.rows.column("type").to_pylist()] == [
        "small",
        "big",
        "last",
    ]
    assert [line for batch in batches for line in batch.lines.to_pylist()] == [1, 2, 3]
    assert sum(batch.done for batch in batches) == path.stat().st_size


def test_batches_are_bounded_and_number_lines_throughout(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"n":{n}}}\n' if n % 1000 else "bad\n" for n in range(250_000)))
    batches = read(path)
    assert max(batch.rows.num_rows for batch in batches) <= 100_000
    for batch in batches:
        numbers = [json.loads(text)["n"] + 1 for text in batch.rows.column("data").to_pylist()]
        assert batch.lines.to_pylist() == numbers
        inside = range(min(numbers) - 1, max(numbers) + 2)
        assert all(refusal.line in inside for refusal in batch.refused)
    assert [r.line for batch in batches for r in batch.refused] == list(range(1, 250_000, 1000))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.9])
def test_a_cut_compressed_file_gives_all_whole_lines_and_one_refusal(tmp_path, suffix, share):
    lines = b"".join(b'{"n":%d,"x":"%d"}\n' % (n, n * n) for n in range(100_000))
    packed = gzip.compress(lines) if suffix == ".gz" else pa.compress(lines, codec="zstd", asbytes=True)
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(packed[: int(len(packed) * share)])
    source = sources.jsonl(path)
    batches = list(source.batches())
    rows = [line for batch in batches for line in batch.lines.to_pylist()]
    assert rows == list(range(1, len(rows) + 1))
    assert len(rows) == 100_000 if share == 1 else 30_000 * share < len(rows) < 100_000
    faults = [refusal for batch in batches for refusal in batch.refused]
    assert [(f.line, f.reason) for f in faults] == (
        [] if share == 1 else [(len(rows) + 1, "the compressed file ends early")]
    )
    assert sum(batch.done for batch in batches) == source.total


def test_gzip_members_behind_one_another_are_one_file(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"n":1}\n') + gzip.compress(b'{"n":2}\n'))
    (batch,) = read(path)
    assert batch.lines.to_pylist() == [1, 2]


def test_a_record_with_data_keeps_the_rest_in_metadata(tmp_path):
    lines = [
        '{"data":{"x":1.0},"trace":7,"metadata":{"k":[1]}}',
        '{"data":{},"metadata":{}}',
        '{"x":1,"metadata":{"k":2}}',
        '{"data":"{\\"y\\":2}","t":1}',
        '{"data":{},"k":1,"metadata":{"k":2}}',
        '{"data":{},"k":1,"metadata":"text"}',
    ]
    batch = one(tmp_path, "\n".join(lines))
    assert batch.rows.to_pylist() == [
        {"data": '{"x":1.0}', "metadata": '{"trace":7,"k":[1]}'},
        {"data": "{}", "metadata": "{}"},
        {"data": '{"x":1}', "metadata": '{"k":2}'},
        {"data": '{"y":2}', "metadata": '{"t":1}'},
        {"data": "{}", "metadata": '{"k":1,"metadata":"text"}'},
    ]
    assert refused(batch) == [(5, "key 'k' both in the record and in its metadata")]


def test_a_mapping_takes_keys_paths_constants_expressions_and_leaves_out(tmp_path):
    mapping = {
        "stream_id": "order.id",
        "type": "kind",
        "service": sources.constant("shop"),
        "occurred_at": sources.sql("to_timestamp(ts::double)"),
        "event_id": sources.sql("record.user.name::varchar || '-' || user.tags[1]::varchar"),
        "version": None,
    }
    rest = '"type":"t","ts":0.5,%s"user":{"name":"u","tags":["x"]}}'
    line = '{"order":{"id":"o\\u002d1","n":1.50},"kind":"Paid",' + rest % '"version":3,'
    row = one(tmp_path, line, mapping=mapping).rows.to_pylist()[0]
    assert row.pop("occurred_at").timestamp() == 0.5
    assert row == {
        "event_id": "u-x",
        "service": "shop",
        "stream_id": "o-1",
        "type": "Paid",
        "data": '{"order":{"id":"o\\u002d1","n":1.50},' + rest % "",
        "metadata": None,
    }


def test_data_may_be_mapped_and_the_rest_joins_metadata(tmp_path):
    batch = one(tmp_path, '{"p":{"x":1.10},"q":2}\n{"q":3}', mapping={"data": "p"})
    assert batch.rows.to_pylist() == [
        {"data": '{"x":1.10}', "metadata": '{"q":2}'},
        {"data": None, "metadata": '{"q":3}'},
    ]
    batch = one(tmp_path, '{"p":{"x":1},"q":2}', mapping={"data": sources.sql("{'y': p.x}")})
    assert json.loads(batch.rows.to_pylist()[0]["data"]) == {"y": 1}


def test_a_row_on_which_sql_fails_is_refused_and_the_others_are_computed(tmp_path):
    batch = one(tmp_path, '{"n":"1"}\n{"n":"x"}\n{}\n{"n":3}', mapping={"version": sources.sql("n::int")})
    assert batch.rows.column("version").to_pylist() == [1, None, 3]
    assert batch.lines.to_pylist() == [1, 3, 4]
    assert batch.refused[0].line == 2
    assert "SQL fails" in batch.refused[0].reason


@pytest.mark.parametrize(
    "text", ["1 +", "a, b", "count(*)", "a from t", "(select 1)", "a; b", "sum(a) over ()", "a as b", ""]
)
def test_what_is_not_one_expression_is_refused_at_once(text):
    with pytest.raises(SourceError, match="expression"):
        sources.sql(text)


def test_an_unknown_envelope_column_names_the_nearest(tmp_path):
    path = tmp_path / "a.jsonl"
    path.touch()
    with pytest.raises(SourceError, match="did you mean 'stream_id'"):
        sources.jsonl(path, mapping={"steam_id": "x"})
    with pytest.raises(SourceError, match="constant"):
        sources.jsonl(path, mapping={"stream_id": 3})


def test_paths_are_patterns_sorted_by_name_and_nothing_found_is_an_error(tmp_path):
    for name in ("b", "a", "c[1]"):
        (tmp_path / f"{name}.jsonl").write_text(f'{{"type":"{name}"}}\n')
    source = sources.jsonl(str(tmp_path / "*.jsonl"))
    assert isinstance(source, Source)
    assert [Path(batch.origin).stem for batch in source.batches()] == ["a", "b", "c[1]"]
    assert [batch.rows.column("type")[0].as_py() for batch in source.batches()] == ["a", "b", "c[1]"]
    assert len(sources.jsonl([tmp_path / "a.jsonl", str(tmp_path / "*.jsonl")]).paths) == 3
    assert sources.jsonl([tmp_path / "c[1].jsonl", str(tmp_path / "a.jsonl")]).paths[0].endswith("c[1].jsonl")
    for missing in (tmp_path / "x.jsonl", str(tmp_path / "x*.jsonl"), tmp_path, []):
        with pytest.raises(SourceError):
            sources.jsonl(missing)


@pytest.mark.parametrize(
    ("file", "rows", "mapping"),
    [
        ("cloudtrail/events.jsonl.gz", 2900, {"type": "eventName", "stream_id": "userIdentity.arn"}),
        ("temporal_histories/events.jsonl.gz", 1027, {"type": "eventType", "stream_id": "stream"}),
    ],
)
def test_real_logs_are_read_whole(file, rows, mapping):
    if not DATA.exists():
        pytest.skip("the shared data folder is not here")
    batches = read(DATA / file, mapping=mapping)
    assert sum(batch.rows.num_rows for batch in batches) == rows
    assert not [refusal for batch in batches for refusal in batch.refused]
    with gzip.open(DATA / file, "rt") as lines:
        records = [json.loads(line) for line in lines]
    read_back = [row for batch in batches for row in batch.rows.to_pylist()]
    taken = {mapping["type"], mapping["stream_id"], "version"}
    for row, record in zip(read_back, records, strict=True):
        assert row["type"] == record[mapping["type"]]
        assert json.loads(row["data"]) == {key: value for key, value in record.items() if key not in taken}
