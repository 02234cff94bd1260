"""Types of text columns: the narrowest that loses nothing of what is written.

A column is BIGINT where every value is written as that integer, DECIMAL where every value has the same number
of decimals, DOUBLE where every value is the shortest way to write that number; otherwise it stays text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import cast

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from esanalytics import _sql
from esanalytics.errors import SourceError
from esanalytics.sources._evaluate import named, ran

__all__ = ["Guess", "checked_types", "converted", "guessed"]

_MISFITS = {
    "integer": "try_cast(x as bigint)::varchar = x",
    "decimal": "regexp_full_match(x, '-?(0|[1-9][0-9]*)[.][0-9]+') and not regexp_full_match(x, '-0[.]0+')",
    "number": "regexp_matches(x, '^-?[0-9]') and not ends_with(x, '.0') and x != '-0' "
    "and try_cast(x as double)::varchar in (x, x || '.0')",
}
_MEASURES = {
    "values": "count(x)",
    "least": "min(length(x) - strpos(x, '.'))",
    "most": "max(length(x) - strpos(x, '.'))",
    "digits": "max(length(x))",
}
_SHORT, _LONG = 18, 38
_EXACT = 15  # an integer of so many digits is a DOUBLE without loss


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column may be, by the values seen so far.

    Attributes:
        values: how many there were.
        integer: all are integers.
        decimal: all are decimals.
        number: all are numbers in their shortest form.
        least: the fewest decimals of one.
        most: the most decimals of one.
        digits: the most characters of one.
    """

    values: int = 0
    integer: bool = True
    decimal: bool = True
    number: bool = True
    least: int = 99
    most: int = 0
    digits: int = 0

    @property
    def open(self) -> bool:
        """Whether it may be anything but text."""
        return self.integer or self.decimal or self.number

    @property
    def type(self) -> pa.DataType:
        """The type."""
        if not self.values or not self.open:
            return pa.string()
        if self.integer:
            return pa.int64()
        if self.decimal:
            return pa.decimal128(_SHORT if self.digits <= _SHORT else _LONG, self.most)
        return pa.float64()


def guessed(con: duckdb.DuckDBPyConnection, rows: pa.Table, before: Mapping[str, Guess]) -> dict[str, Guess]:
    """Return what the columns may be when these rows, too, are seen: they have the columns of ``before``."""
    after = dict(before)
    if not rows.num_rows:
        return after
    integers = {name: ("integer",) for name, guess in before.items() if guess.integer}
    after |= _asked(con, rows, before, integers)
    rest = {
        name: tuple(kind for kind in ("decimal", "number") if getattr(before[name], kind))
        for name, guess in after.items()
        if not guess.integer and before[name].open
    }
    return after | _asked(con, rows, before, rest)


def checked_types(types: Mapping[str, str] | None) -> dict[str, exp.DataType]:
    """Read type names.

    Raises:
        SourceError: a name is no type.
    """
    found = {}
    for name, text in (types or {}).items():
        try:
            found[name] = exp.DataType.build(text, dialect=_sql.DIALECT)
        except (SqlglotError, ValueError) as error:
            remedy = 'give a DuckDB type, such as "DECIMAL(18,2)"'
            reason = f"{text!r} of column {name!r} is no type"
            raise SourceError("types", None, reason, remedy) from error
    return found


def converted(
    con: duckdb.DuckDBPyConnection, rows: pa.Table, types: Mapping[str, exp.DataType]
) -> tuple[pa.Table, dict[int, str]]:
    """Cast text columns to given types, and return the rows (from 0) that do not fit, with the reason.

    A number that would be rounded does not fit.

    Raises:
        SourceError: the engine does not know a type.
    """
    if not types or not rows.num_rows:
        return rows, {}
    places = {name: f"c{place}" for place, name in enumerate(types)}
    table = pa.table({place: rows.column(name) for name, place in places.items()})
    wanted = [named(_fit(places[name], type_), places[name]) for name, type_ in types.items()]
    try:
        found = ran(con, table, exp.select(*wanted).from_("rows"))
    except duckdb.Error as error:
        reason = str(error).split("\n", 1)[0]
        raise SourceError("types", None, reason, "give types that DuckDB knows") from error
    failed: dict[int, str] = {}
    for name, place in places.items():
        position = rows.column_names.index(name)
        for row in _misfits(table.column(place), found.column(place)):
            value = rows.column(name)[row].as_py()
            failed.setdefault(row, f"{name}: {value!r} is no {types[name].sql(dialect=_sql.DIALECT)}")
        rows = rows.set_column(position, name, found.column(place))
    return rows, failed


def _misfits(before: pa.ChunkedArray, after: pa.ChunkedArray) -> list[int]:
    if before.null_count == after.null_count:
        return []
    pairs = zip(before.is_valid().to_pylist(), after.is_valid().to_pylist(), strict=True)
    return [row for row, (was, is_) in enumerate(pairs) if was and not is_]


def _fit(place: str, type_: exp.DataType) -> exp.Expression:
    """Cast, with NULL where a value would be rounded."""
    value = _sql.column(place)
    tried = exp.TryCast(this=value, to=type_)
    scale = _scale(type_)
    if scale is None:
        return tried
    exact = _sql.function("regexp_full_match", value, _sql.literal(rf"\s*[+-]?[0-9]*[.]?[0-9]{{0,{scale}}}0*\s*"))
    return exp.Case(ifs=[exp.If(this=exact, true=tried)])


def _scale(type_: exp.DataType) -> int | None:
    """Return the decimals that an exact number type keeps; None for other types."""
    if type_.is_type(*exp.DataType.INTEGER_TYPES):
        return 0
    if not type_.is_type("decimal"):
        return None
    given = [int(part.name) for part in type_.expressions]
    return given[1] if len(given) > 1 else (3 if not given else 0)


def _asked(
    con: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    before: Mapping[str, Guess],
    questions: Mapping[str, tuple[str, ...]],
) -> dict[str, Guess]:
    """Ask of each column only what is still open."""
    if not questions:
        return {}
    places = {name: f"c{place}" for place, name in enumerate(questions)}
    table = pa.table({place: rows.column(name) for name, place in places.items()})
    wanted = [
        named(_probe(probe, place), f"{place}_{probe}")
        for name, place in places.items()
        for probe in (*questions[name], *_MEASURES)
    ]
    answer = ran(con, table, exp.select(*wanted).from_("rows")).to_pylist()[0]
    return {
        name: _narrowed(before[name], {probe: answer.get(f"{place}_{probe}") for probe in (*_MISFITS, *_MEASURES)})
        for name, place in places.items()
    }


def _narrowed(before: Guess, answer: Mapping[str, int | None]) -> Guess:
    """Take in the answers; a question that was not asked is answered by the others."""
    values = answer["values"] or 0
    if not values:
        return before
    least = min(before.least, answer["least"] or 0)
    most = max(before.most, answer["most"] or 0)
    digits = max(before.digits, answer["digits"] or 0)
    integer = before.integer and answer["integer"] == 0
    decimal = before.decimal and answer["decimal"] == 0 and least == most and digits <= _LONG
    number = before.number and (answer["number"] == 0 or (integer and digits <= _EXACT))
    return Guess(before.values + values, integer, decimal, number, least, most, digits)


def _probe(name: str, place: str) -> exp.Expression:
    """Ask something about a column: a measure, or how many values there are for which it does not hold."""
    parsed = _parsed((_MISFITS | _MEASURES)[name])
    asked = parsed.transform(lambda node: _sql.column(place) if isinstance(node, exp.Column) else node)
    if name in _MEASURES:
        return asked
    there = exp.Not(this=exp.Is(this=_sql.column(place), expression=exp.null()))
    holds = exp.Coalesce(this=exp.Paren(this=asked), expressions=[exp.false()])
    return exp.CountIf(this=exp.And(this=there, expression=exp.Not(this=holds)))


@cache
def _parsed(text: str) -> exp.Expression:
    return cast(exp.Expression, sqlglot.parse_one(text, dialect=_sql.DIALECT))
