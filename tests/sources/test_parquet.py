from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from esanalytics import sources
from esanalytics.errors import SourceError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def test_columns_keep_their_types_and_rows_are_numbered_over_batches(tmp_path):
    path = tmp_path / "a[1].parquet"
    table = pa.table({"case": pa.array(range(250_000), pa.int32()), "x": ["y", None] * 125_000})
    pq.write_table(table, path)
    source = sources.parquet(path, mapping={"stream_id": "case"})
    batches = list(source.batches())
    assert max(batch.rows.num_rows for batch in batches) <= 100_000
    assert batches[0].rows.schema == pa.schema({"stream_id": pa.int32(), "x": pa.string()})
    assert [batch.rows.column("stream_id")[0].as_py() + 1 for batch in batches] == [b.first_line for b in batches]
    assert sum(batch.done for batch in batches) == source.total
    assert [batch.rows for batch in source.batches()] == [batch.rows for batch in batches]


def test_wide_rows_come_in_smaller_batches(tmp_path):
    path = tmp_path / "a.parquet"
    rows = pa.table({"x": [str(n) * 20_000 for n in range(1000, 9000)]})
    pq.write_table(rows, path, use_dictionary=False, row_group_size=1000)
    assert max(batch.rows.nbytes for batch in sources.parquet(path).batches()) <= 100 << 20


def test_paths_go_into_structs_and_variants(tmp_path):
    path = tmp_path / "a.parquet"
    duckdb.execute(
        "copy (select {'id': 'o-1'} s, '{\"k\": 1.5}'::json::variant v) to $path (format parquet)".replace(
            "$path", f"'{path}'"
        )
    )
    mapping = {"stream_id": "s.id", "type": "v.k", "version": sources.sql("v.k::double * 2")}
    (batch,) = sources.parquet(path, mapping=mapping).batches()
    row = batch.rows.to_pylist()[0]
    assert row == {"stream_id": "o-1", "version": 3.0, "type": "1.5", "s": {"id": "o-1"}, "v": '{"k":1.5}'}


def test_a_row_on_which_sql_fails_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": ["1", "x", "3"]}), path)
    (batch,) = sources.parquet(path, mapping={"version": sources.sql("n::int")}).batches()
    assert batch.rows.column("version").to_pylist() == [1, 3]
    assert batch.lines.to_pylist() == [1, 3]
    assert batch.refused[0].line == 2


def test_no_rows_are_an_empty_batch(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"type": pa.array([], pa.string())}), path)
    (batch,) = sources.parquet(path, mapping={"service": sources.constant("s")}).batches()
    assert batch.rows.num_rows == 0
    assert batch.done == path.stat().st_size


@pytest.mark.parametrize("keep", [0, 3, 0.5, 0.99])
def test_what_is_no_whole_parquet_file_is_an_error_with_its_name(tmp_path, keep):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": list(range(1000))}), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else keep])
    with pytest.raises(SourceError, match=r"a\.parquet.*whole Parquet file"):
        list(sources.parquet(path).batches())


def test_sepsis_is_read_with_the_case_named_na():
    if not DATA.exists():
        pytest.skip("the shared data folder is not here")
    mapping = {"stream_id": "case_id", "type": "activity", "occurred_at": "timestamp"}
    batches = list(sources.parquet(DATA / "sepsis" / "sepsis.parquet", mapping=mapping).batches())
    assert sum(batch.rows.num_rows for batch in batches) == 15214
    cases = {case for batch in batches for case in batch.rows.column("stream_id").to_pylist()}
    assert len(cases) == 1050
    assert "NA" in cases


def test_a_file_damaged_inside_is_an_error_with_its_name(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [str(n) for n in range(100_000)]}), path, compression="zstd")
    whole = bytearray(path.read_bytes())
    whole[1000 : len(whole) - 2000] = bytes(len(whole) - 3000)
    path.write_bytes(whole)
    with pytest.raises(SourceError, match=r"a\.parquet"):
        list(sources.parquet(path).batches())
