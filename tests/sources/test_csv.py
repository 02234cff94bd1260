import csv
import gzip
import io
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esanalytics import sources
from esanalytics.errors import SourceError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

cells = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\x00"), max_size=5) | st.text(
    alphabet='",;\n a1', max_size=5
)


def one(tmp_path, text, **options):
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (batch,) = list(sources.csv(path, **options).batches())
    assert batch.done == path.stat().st_size
    return batch


def column(tmp_path, *values, **options):
    return one(tmp_path, "type,x\n" + "".join(f"t,{value}\n" for value in values), **options).rows.column("x")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 3).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), min_size=1, max_size=6)),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_text_table_comes_back_equal_with_the_line_of_each_row(tmp_path, table, end):
    written, lines = io.StringIO(newline=""), []
    for row in table:
        lines.append(written.getvalue().count("\n") + 1)
        csv.writer(written, lineterminator=end).writerow(row)
    names = [f"c{place}" for place in range(len(table[0]))]
    batch = one(tmp_path, written.getvalue(), header=names, types=dict.fromkeys(names, "VARCHAR"))
    expected = [[cell or None for cell in row] for row in table]
    assert [list(row.values()) for row in batch.rows.to_pylist()] == expected
    assert batch.lines.to_pylist() == lines
    assert not batch.refused


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{0,3})?", fullmatch=True), min_size=1, max_size=5))
def test_no_type_loses_what_was_written(tmp_path, values):
    found = column(tmp_path, *values)
    if pa.types.is_floating(found.type):
        shortest = {repr(value).removesuffix(".0") for value in found.to_pylist()}
        assert shortest == set(values)
    else:
        assert [str(value) for value in found.to_pylist()] == values


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["1", "-2", ""], pa.int64()),
        (["9223372036854775807"], pa.int64()),
        (["9223372036854775808"], pa.string()),
        (["007", "1"], pa.string()),
        (["+1"], pa.string()),
        (["-0"], pa.string()),
        (["1.50", "-0.05"], pa.decimal128(18, 2)),
        (["12345678901234567890.50"], pa.decimal128(38, 2)),
        (["-0.00"], pa.string()),
        (["5", "5.25"], pa.float64()),
        (["5", "5.10"], pa.string()),
        (["5.0", "5.25"], pa.string()),
        (["NA", "null", "None", "nan"], pa.string()),
        (["nan", "1.5"], pa.string()),
        (["", ""], pa.string()),
        (["1", "x"], pa.string()),
    ],
)
def test_types_are_the_narrowest_that_keep_the_text(tmp_path, values, type_):
    found = column(tmp_path, *values)
    assert found.type == type_
    if type_ == pa.string():
        assert found.to_pylist() == [value or None for value in values]


def test_the_type_is_that_of_the_whole_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("type,x,y\n" + "t,1,1\n" * 250_000 + "t,007,2.5\n")
    batches = list(sources.csv(path).batches())
    assert {batch.rows.column("x").type for batch in batches} == {pa.string()}
    assert {batch.rows.column("y").type for batch in batches} == {pa.float64()}
    assert max(batch.rows.num_rows for batch in batches) <= 100_000
    assert [line for batch in batches for line in batch.lines.to_pylist()] == list(range(2, 250_003))
    assert sum(batch.done for batch in batches) == path.stat().st_size


def test_an_override_refuses_what_does_not_fit_with_its_line(tmp_path):
    text = "type,amount,zip,n\na,1.5,007,1\nb,1.239,1,2\nc,x,2,3\nd,,3,1.5\n"
    batch = one(tmp_path, text, types={"amount": "DECIMAL(18,2)", "zip": "VARCHAR", "n": "INTEGER"})
    assert batch.rows.to_pylist() == [{"type": "a", "amount": Decimal("1.50"), "zip": "007", "n": 1}]
    assert [(r.line, r.reason.split(":")[0]) for r in batch.refused] == [
        (3, "amount"),
        (4, "amount"),
        (5, "n"),
    ]


def test_wrong_options_are_source_errors(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,a\n1,2\n")
    for options in ({"types": {"a": "NO SUCH"}}, {"delimiter": ",,"}, {"header": ["a", "a"]}):
        with pytest.raises(SourceError):
            sources.csv(path, **options)
    with pytest.raises(SourceError, match="two columns are named 'a'"):
        list(sources.csv(path).batches())
    path.write_text('"a"x,b\n1,2\n')
    with pytest.raises(SourceError, match="text behind a closing quote"):
        list(sources.csv(path).batches())
    path.write_text("amount,b\n1,2\n")
    with pytest.raises(SourceError, match="did you mean 'amount'"):
        list(sources.csv(path, types={"amout": "INT"}).batches())
    with pytest.raises(SourceError, match="did you mean 'amount'"):
        list(sources.csv(path, mapping={"stream_id": "amout"}).batches())
    with pytest.raises(SourceError, match="did you mean 'amount'"):
        list(sources.csv(path, mapping={"stream_id": sources.sql("amout || 'x'")}).batches())


def test_malformed_rows_are_refused_and_the_others_read(tmp_path):
    text = b'type,a,b\nx,"q\nr",1\n\ny,5" pipe,2\ny,1\nz,"a""b",3\nz,"bad"x,3\nk,\xff,4\nu,"never\nv,w,5\n'
    batch = one(tmp_path, text)
    assert [tuple(row.values()) for row in batch.rows.to_pylist()] == [
        ("x", "q\nr", 1),
        ("y", '5" pipe', 2),
        ("z", 'a"b', 3),
        ("v", "w", 5),
    ]
    assert batch.lines.to_pylist() == [2, 5, 7, 11]
    assert [(r.line, r.reason) for r in batch.refused] == [
        (6, "2 fields, not the expected 3"),
        (8, "text behind a closing quote"),
        (9, "not UTF-8: invalid start byte"),
        (10, "a quote is opened and never closed"),
    ]
    assert batch.refused[-1].raw == 'u,"never'


def test_wrong_widths_and_bytes_are_refused_where_all_quotes_are_in_place(tmp_path):
    batch = one(tmp_path, b'\xef\xbb\xbftype,a\r\nx,"1\r\n2"\r\n\r\ny\r\nz,1,2\r\nk,\xff\r\nl,3')
    assert batch.rows.to_pylist() == [{"type": "x", "a": "1\r\n2"}, {"type": "l", "a": "3"}]
    assert batch.lines.to_pylist() == [2, 8]
    assert [(r.line, r.raw) for r in batch.refused] == [(5, "y"), (6, "z,1,2"), (7, "k,\\xff")]


def test_a_cell_of_fifty_megabytes_is_one_row(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('type,x\na,1\nb,"' + "y\n" * 25_000_000 + '"\nc,2\n')
    batches = list(sources.csv(path).batches())
    assert [t for batch in batches for t in batch.rows.column("type").to_pylist()] == ["a", "b", "c"]
    assert [line for batch in batches for line in batch.lines.to_pylist()] == [2, 3, 25_000_004]


def test_names_may_be_given_or_made_up(tmp_path):
    assert one(tmp_path, "a,b\n", header=False).rows.to_pylist() == [{"column1": "a", "column2": "b"}]
    assert one(tmp_path, "a,b\n", header=["type", "y"]).rows.to_pylist() == [{"type": "a", "y": "b"}]
    assert one(tmp_path, ",b\n1,2\n").rows.to_pylist() == [{"column1": 1, "b": 2}]
    assert one(tmp_path, "type,b\n").rows.num_rows == 0
    assert one(tmp_path, "").rows.num_rows == 0


def test_envelope_columns_are_text_and_mapped_columns_are_renamed(tmp_path):
    mapping = {
        "stream_id": "case",
        "type": sources.constant("Paid"),
        "occurred_at": sources.sql("to_timestamp(at::double)"),
        "recorded_at": None,
    }
    batch = one(tmp_path, "case,version,At,recorded_at,Case\n007,1,60,x,2\n", mapping=mapping)
    row = batch.rows.to_pylist()[0]
    assert row.pop("occurred_at").timestamp() == 60
    assert row == {"stream_id": "007", "version": "1", "type": "Paid", "At": 60, "Case": 2}


def test_a_column_named_like_an_envelope_column_from_elsewhere_is_kept_in_data(tmp_path):
    batch = one(tmp_path, "kind,type,n\nPaid,gift,1\n", mapping={"type": "kind"})
    assert batch.rows.to_pylist() == [{"type": "Paid", "data": {"type": "gift", "n": 1}}]


def test_a_row_on_which_sql_fails_is_refused(tmp_path):
    batch = one(tmp_path, "type,x\na,1\nb,z\n", mapping={"version": sources.sql("x::int")})
    assert batch.rows.column("version").to_pylist() == [1]
    assert [(r.line, r.raw) for r in batch.refused] == [(3, "b,z")]


def test_a_cut_gzip_gives_its_whole_rows_and_one_refusal(tmp_path):
    packed = gzip.compress(b"type,x\n" + b"".join(b"t,%d\n" % (n * n) for n in range(50_000)))
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    source = sources.csv(path)
    batches = list(source.batches())
    rows = [row for batch in batches for row in batch.rows.column("x").to_pylist()]
    assert rows == [n * n for n in range(len(rows))]
    assert len(rows) > 10_000
    assert [(r.line, r.reason) for b in batches for r in b.refused] == [
        (len(rows) + 2, "the compressed file ends early")
    ]
    assert sum(batch.done for batch in batches) == source.total


def test_runs_of_blanks_separate_cells(tmp_path):
    batch = one(tmp_path, ' 001  "a\t3 \n\n002 b\n 003 c 5', delimiter=None, header=["stream_id", "x", "n"])
    assert batch.rows.to_pylist() == [
        {"stream_id": "001", "x": '"a', "n": 3},
        {"stream_id": "003", "x": "c", "n": 5},
    ]
    assert batch.lines.to_pylist() == [1, 4]
    assert [(r.line, r.reason) for r in batch.refused] == [(3, "2 fields, not the expected 3")]


def test_the_purchases_of_cdnow_are_read_with_their_cents():
    if not DATA.exists():
        pytest.skip("the shared data folder is not here")
    names = ["master_id", "stream_id", "day", "n_cds", "dollars"]
    (batch,) = sources.csv(DATA / "cdnow" / "CDNOW_sample.txt", delimiter=None, header=names).batches()
    assert batch.rows.num_rows == 6919
    assert len(set(batch.rows.column("stream_id").to_pylist())) == 2357
    assert batch.rows.column("dollars")[0].as_py() == Decimal("29.33")


def test_the_case_named_na_of_sepsis_stays():
    if not DATA.exists():
        pytest.skip("the shared data folder is not here")
    path = DATA / "sepsis" / "sepsis.csv"
    mapping = {"stream_id": "Case ID", "type": "Activity"}
    (batch,) = sources.csv(path, delimiter=";", mapping=mapping).batches()
    with path.open(newline="") as file:
        expected = [row["Case ID"] for row in csv.DictReader(file, delimiter=";")]
    assert batch.rows.column("stream_id").to_pylist() == expected
    assert "NA" in expected
    assert not batch.refused
