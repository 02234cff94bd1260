import datetime as dt
import re
import zipfile
from xml.etree import ElementTree as ET

import pytest
from outputs import ENGINE, publish, stage_query, stage_rows, target, token

from esanalytics.errors import DestinationError
from esanalytics.jobs import _excel
from esanalytics.jobs._destination import destination
from esanalytics.jobs._values import Target

NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def cells(path):
    """Read a sheet's cells as their kinds and texts, by address."""
    with zipfile.ZipFile(path) as book:
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
    return {cell.get("r"): (cell.get("t", "n"), "".join(cell.itertext())) for cell in sheet.iter(f"{NAMESPACE}c")}


def written(tmp_path, query, table="orders", name="x"):
    where = Target(f"{tmp_path}/{name}.xlsx", "xlsx", table=table)
    destination(where, ENGINE).publish(stage_query(query, tmp_path / "stage" / f"{name}.parquet"), token(1, run="r"))
    return tmp_path / f"{name}.xlsx"


def test_numbers_that_excel_would_round_are_text(tmp_path):
    query = "SELECT 2::BIGINT ** 0 + 4 AS a, 9007199254740993::BIGINT AS b, 1.25::DECIMAL(9, 2) AS c, "
    query += "1234567890123456.78::DECIMAL(30, 2) AS d, 'nan'::DOUBLE AS e, '-inf'::DOUBLE AS f, true AS g, NULL AS h"
    found = cells(written(tmp_path, query))
    assert [found.get(f"{letter}2") for letter in "ABCDEFGH"] == [
        ("n", "5"),
        ("inlineStr", "9007199254740993"),
        ("n", "1.25"),
        ("inlineStr", "1234567890123456.78"),
        ("inlineStr", "nan"),
        ("inlineStr", "-inf"),
        ("b", "1"),
        None,
    ]


def test_texts_are_texts_whatever_they_look_like(tmp_path):
    query = "SELECT '=1+1' AS a, 'https://example.org' AS b, '007' AS c, {'q': 1}::VARIANT AS d, '' AS e, 'é😀' AS f"
    found = cells(written(tmp_path, query))
    texts = [found.get(f"{letter}2", ("inlineStr", ""))[1] for letter in "ABCDEF"]
    assert texts == ["=1+1", "https://example.org", "007", '{"q":1}', "", "é😀"]
    assert found["A1"][1] == "a"


def test_instants_are_dates_in_utc_and_those_before_excel_are_text(tmp_path):
    query = "SELECT TIMESTAMPTZ '2026-03-01 12:00:00+02' AS a, DATE '2026-03-01' AS b, "
    query += "TIMESTAMPTZ '1850-01-01 00:00:00Z' AS c, DATE '1850-01-01' AS d"
    found = cells(written(tmp_path, query))
    days = (dt.date(2026, 3, 1) - dt.date(1899, 12, 30)).days
    assert float(found["A2"][1]) == pytest.approx(days + 10 / 24, abs=1e-9)
    assert float(found["B2"][1]) == days
    assert found["C2"][1] == "1850-01-01T00:00:00.000000Z"
    assert found["D2"][1] == "1850-01-01"


def test_the_same_rows_are_the_same_bytes(tmp_path):
    query = "SELECT i AS n FROM range(10) t(i)"
    assert written(tmp_path, query, name="x").read_bytes() == written(tmp_path, query, name="y").read_bytes()


@pytest.mark.parametrize("name", ["[a]:b*c?/\\", "x" * 40, "''"])
def test_a_sheet_has_a_name_that_excel_takes(tmp_path, name):
    with zipfile.ZipFile(written(tmp_path, "SELECT 1 AS n", name)) as book:
        (given,) = re.findall(r'<sheet name="([^"]*)"', book.read("xl/workbook.xml").decode())
    assert 0 < len(given) <= 31


def test_a_text_that_no_cell_can_hold_is_named(tmp_path):
    publish(target("xlsx", tmp_path), 1)
    staged = stage_query("SELECT 1 AS n, repeat('x', 32768) AS long", tmp_path / "stage" / "x.parquet")
    before = (tmp_path / "out" / "orders.xlsx").read_bytes()
    with pytest.raises(DestinationError, match="row 1, column 2: a cell holds 32767 letters, and this has 32768"):
        destination(target("xlsx", tmp_path), ENGINE).publish(staged, token(2))
    assert (tmp_path / "out" / "orders.xlsx").read_bytes() == before


def test_more_rows_than_a_sheet_holds_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_excel, "_ROWS", 100)
    with pytest.raises(DestinationError, match="a sheet cannot hold 100 rows of 3 columns; choose Parquet"):
        destination(target("xlsx", tmp_path), ENGINE).publish(stage_rows(tmp_path / "x.parquet"), token(1))
    assert not (tmp_path / "out" / "orders.xlsx").exists()
