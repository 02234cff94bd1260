"""A sheet of Excel: everything that it can hold, and a refusal where it would lose something."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from esanalytics._instants import iso
from esanalytics._optional import requires
from esanalytics._sql import text
from esanalytics.engines import DuckDB
from esanalytics.errors import DestinationError
from esanalytics.jobs._forms import Form, as_rows, staged_types
from esanalytics.jobs._values import Staged, Token

with requires("xlsxwriter", "excel"):
    import xlsxwriter

__all__ = ["workbook"]

_ROWS = 1_048_576
_COLUMNS = 16_384
_LETTERS = 32_767
_EXACT = 2**53
_DIGITS = 15
_FIRST = dt.datetime(1900, 3, 1, tzinfo=dt.UTC)
_CHUNK = 10_000
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_SHEET_NAME = 31


def workbook(sheet: str, engine: DuckDB, where: str) -> Form:
    """Return what writes a staged result as a workbook of one sheet.

    Instants are UTC, for Excel has no time zones. Numbers that Excel would round, and those that are no finite
    number, are text, and so are times before 1900-03-01.

    Args:
        sheet: its name.
        engine: what reads the staged result.
        where: the output, for messages.
    """
    return partial(_write, sheet=sheet, engine=engine, where=where)


def _write(staged: Staged, path: Path, token: Token, *, sheet: str, engine: DuckDB, where: str) -> None:
    remedy = "choose Parquet or CSV, or fewer rows"
    if staged.rows >= _ROWS or len(staged.columns) > _COLUMNS:
        size = f"{staged.rows} rows of {len(staged.columns)} columns"
        raise DestinationError(where, f"a sheet cannot hold {size}", remedy)
    with xlsxwriter.Workbook(str(path), _OPTIONS) as book, engine.cursor() as cursor:
        book.set_properties({"created": token.window.end.astimezone(dt.UTC).replace(tzinfo=None)})
        page = book.add_worksheet(_sheet_name(sheet))
        formats = {
            "head": book.add_format({"bold": True}),
            "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"}),
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        types = staged_types(cursor, staged.path)
        page.freeze_panes(1, 0)
        for place, name in enumerate(types):
            page.write_string(0, place, name, formats["head"])
        cursor.execute(text(as_rows(staged.path, types, "xlsx")))
        row = 0
        while rows := cursor.fetchmany(_CHUNK):
            for values in rows:
                row += 1
                _write_row(page, row, values, formats, where)


def _write_row(page: Any, row: int, values: tuple[Any, ...], formats: Mapping[str, Any], where: str) -> None:  # noqa: ANN401  of xlsxwriter
    for place, value in enumerate(values):
        if value is not None and _cell(value, formats)(page, row, place) != 0:
            said = f"row {row}, column {place + 1}: a cell holds {_LETTERS} letters, and this has {len(str(value))}"
            raise DestinationError(where, said, "leave the column out, or choose Parquet or CSV")


def _cell(value: Any, formats: Mapping[str, Any]) -> Callable[[Any, int, int], int]:  # noqa: ANN401  any value of any column
    if isinstance(value, bool):
        return lambda page, row, place: page.write_boolean(row, place, value)
    if _is_exact(value):
        return lambda page, row, place: page.write_number(row, place, value)
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        if aware >= _FIRST:
            plain = aware.astimezone(dt.UTC).replace(tzinfo=None)
            return lambda page, row, place: page.write_datetime(row, place, plain, formats["instant"])
        return lambda page, row, place: page.write_string(row, place, iso(aware))
    if isinstance(value, dt.date) and value >= _FIRST.date():
        return lambda page, row, place: page.write_datetime(row, place, value, formats["date"])
    return lambda page, row, place: page.write_string(row, place, _text(value))


def _is_exact(value: object) -> bool:
    if isinstance(value, int):
        return abs(value) <= _EXACT
    if isinstance(value, Decimal):
        return value.is_finite() and len(value.as_tuple().digits) <= _DIGITS
    return isinstance(value, float) and math.isfinite(value)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)


def _sheet_name(name: str) -> str:
    return "".join("_" if letter in "[]:*?/\\" else letter for letter in name)[:_SHEET_NAME].strip("'") or "Sheet1"
