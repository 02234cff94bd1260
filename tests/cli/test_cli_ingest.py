import datetime as dt
import json

import pytest

import esanalytics as ea

GOOD = '{"stream_id":"a","type":"T","occurred_at":"2026-01-01","n":1}\n'


@pytest.fixture
def new(tmp_path, run):
    """A new store."""
    assert run("init", tmp_path / "new").exit_code == 0
    return tmp_path / "new"


def rows(path, query="select * exclude (recorded_at) from events order by position"):
    with ea.Store.open(path) as store:
        return list(store.log.sql(query))


def test_a_new_store_has_the_partition_asked_for(tmp_path, run):
    done = run("init", tmp_path / "new", "--partition", "year")
    assert (done.exit_code, done.stdout) == (0, "")
    with ea.Store.open(tmp_path / "new") as store:
        assert store.info().partition == "year"


def test_the_sample_is_ingested_as_python_ingests_it(prepared, new, run, store):
    done = run("ingest", new, prepared / "data" / "*.jsonl")
    assert done.stderr == "3,768 appended, 41 duplicates, 0 quarantined\n"
    assert done.stdout == ""
    assert rows(new) == list(store.log.sql("select * exclude (recorded_at) from events order by position"))


def test_ingesting_again_appends_nothing(prepared, new, run):
    run("ingest", new, prepared / "data" / "orders.jsonl")
    done = run("ingest", new, prepared / "data" / "orders.jsonl")
    assert done.stderr == "0 appended, 1,450 duplicates, 0 quarantined\n"


def test_files_of_one_format_are_one_append_so_that_a_bad_one_keeps_out_all(tmp_path, new, run):
    (tmp_path / "a.jsonl").write_text(GOOD)
    (tmp_path / "b.jsonl").write_text(GOOD + '{"stream_id":"b","type":"T"}\n')
    done = run("ingest", new, tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'b.jsonl'}:2: occurred_at is missing")
    assert "--on-invalid quarantine" in done.stderr
    assert rows(new) == []


def test_files_of_several_formats_are_counted_together(tmp_path, new, run):
    (tmp_path / "a.jsonl").write_text(GOOD)
    (tmp_path / "b.csv").write_text("stream_id,type,occurred_at\nb,T,2026-01-02\nc,T,2026-01-03\n")
    (tmp_path / "c.ndjson").write_text(GOOD.replace('"a"', '"d"'))
    done = run("ingest", new, *(tmp_path / name for name in ("a.jsonl", "b.csv", "c.ndjson")))
    assert done.stderr == "4 appended, 0 duplicates, 0 quarantined\n"
    assert [row["stream_id"] for row in rows(new)] == ["a", "d", "b", "c"]


def test_a_failure_in_a_second_format_says_what_is_appended(tmp_path, new, run):
    (tmp_path / "a.jsonl").write_text(GOOD)
    (tmp_path / "b.csv").write_text("stream_id,type\nb,T\n")
    done = run("ingest", new, tmp_path / "a.jsonl", tmp_path / "b.csv")
    assert done.exit_code == 1
    assert "1 events of the files of another format before are appended" in done.stderr
    assert len(rows(new)) == 1


def test_quarantine_sets_bad_rows_aside_and_info_tells_why(tmp_path, new, run):
    (tmp_path / "a.jsonl").write_text(GOOD + "{nope\n")
    done = run("ingest", new, tmp_path / "a.jsonl", "--on-invalid", "quarantine")
    assert done.stderr.startswith("1 appended, 0 duplicates, 1 quarantined\n")
    shown = run("info", new).stdout
    assert f"{tmp_path / 'a.jsonl'}:2: " in shown
    assert "set aside  1" in shown


def test_a_mapping_names_fields_expressions_constants_and_nothing(tmp_path, new, run):
    line = {"order": {"id": "o-1"}, "ts": 1767225600.5, "metadata": {"x": 1}, "kind": "Paid", "amount": 1.5}
    (tmp_path / "a.jsonl").write_text(json.dumps(line))
    maps = (
        "stream_id=order.id", "occurred_at=sql:to_timestamp(ts::double)", "service=const:orders", "metadata=",
        "type=kind", "correlation_id=const:a:b=c",
    )  # fmt: skip
    assert run("ingest", new, tmp_path / "a.jsonl", *(f"--map={one}" for one in maps)).exit_code == 0
    (row,) = rows(new)
    assert (row["stream_id"], row["service"], row["type"], row["metadata"]) == ("o-1", "orders", "Paid", None)
    assert row["occurred_at"] == dt.datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=dt.UTC)
    assert row["correlation_id"] == "a:b=c"


def test_a_constant_payload_is_an_object(tmp_path, new, run):
    (tmp_path / "a.jsonl").write_text(GOOD)
    assert run("ingest", new, tmp_path / "a.jsonl", "--map", 'metadata=const:{"load":"first"}').exit_code == 0
    assert rows(new)[0]["metadata"] == {"load": "first"}


def test_service_and_stream_are_for_events_that_do_not_say(tmp_path, new, run):
    (tmp_path / "a.jsonl").write_text(
        '{"type":"T","occurred_at":"2026-01-01"}\n'
        '{"type":"T","occurred_at":"2026-01-01","service":"own","stream_id":"mine"}\n'
    )
    run("ingest", new, tmp_path / "a.jsonl", "--service", "given", "--stream", "one")
    assert [(row["service"], row["stream_id"]) for row in rows(new)] == [("given", "one"), ("own", "mine")]


def test_csv_options_reach_the_reader(tmp_path, new, run):
    (tmp_path / "a.txt").write_text("o-1;Paid;2026-01-01;007\n")
    done = run(
        "ingest", new, tmp_path / "a.txt", "--format", "csv", "--delimiter", ";", "--no-header",
        "--columns", "stream_id,type,occurred_at,amount", "--type", "amount=DECIMAL(18,2)",
    )  # fmt: skip
    assert done.exit_code == 0
    assert rows(new, "select data::json::varchar as data from events")[0]["data"] == '{"amount":7.00}'


@pytest.mark.parametrize(
    ("name", "args"), [("a.tsv", ()), ("a.csv", ("--delimiter", "\\t")), ("a.csv", ("--delimiter", "blank"))]
)
def test_tabs_separate_cells(name, args, tmp_path, new, run):
    (tmp_path / name).write_text("stream_id\ttype\toccurred_at\nx\tT\t2026-01-01\n")
    assert run("ingest", new, tmp_path / name, *args).exit_code == 0
    assert rows(new)[0]["stream_id"] == "x"


def test_compaction_merges_files_and_says_so(tmp_path, new, run):
    for number in range(3):
        (tmp_path / "a.jsonl").write_text(GOOD.replace('"a"', f'"{number}"'))
        run("ingest", new, tmp_path / "a.jsonl")
    before = rows(new)
    done = run("compact", new, "--retain", "0s")
    assert done.stderr.startswith("merged 3 files into 1, deleted 3 old files, ")
    assert done.stdout == ""
    assert rows(new) == before


def test_what_is_retained_is_not_deleted(tmp_path, new, run):
    for number in range(2):
        (tmp_path / "a.jsonl").write_text(GOOD.replace('"a"', f'"{number}"'))
        run("ingest", new, tmp_path / "a.jsonl")
    assert "merged 2 files into 1, deleted 0 old files" in run("compact", new, "--retain", "30m").stderr
    assert len(list(new.rglob("part-*.parquet"))) == 3
