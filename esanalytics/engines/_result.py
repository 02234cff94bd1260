"""A lazy answer: nothing runs until it is looked at, and then only what the look needs."""

from __future__ import annotations

import datetime as dt
import html
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa

from esanalytics._optional import requires
from esanalytics.engines._duckdb import DuckDB
from esanalytics.errors import CorruptFileError, EngineError, EsAnalyticsError

if TYPE_CHECKING:  # their import takes a while, and an answer may never be asked for as theirs
    import pandas as pd
    import polars as pl

__all__ = ["Interruptible", "Plan", "Result", "prepared", "recast"]

PREVIEW_ROWS = 10
_OF_FILES = (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException)
_BATCH_ROWS = 100_000

Parameters = Sequence[Any] | Mapping[str, Any] | None


class Interruptible(Protocol):
    """What a thread is busy with, and another one may stop."""

    def interrupt(self) -> None:
        """Stop it: it fails."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: a query, the statements it needs before it, and the files it reads.

    Attributes:
        query: one SELECT.
        setup: statements that make the temporary views which the query names.
        parameters: values for the query's ``?`` or ``$name``.
        files: the data files read, for naming the one that is damaged.
        frames: tables of the caller that the query names.
        held: what must not be let go of while the query may run, such as temporary files.
    """

    query: str
    setup: tuple[str, ...] = ()
    parameters: Parameters = None
    files: tuple[str, ...] = ()
    frames: Mapping[str, pa.Table] = field(default_factory=dict)
    held: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The answer to a question, computed when it is converted or looked at.

    Each conversion runs the query on a cursor of its own: a result survives the next query on the same
    store, and may be read many times. VARIANT columns come as Python objects in ``df()`` and in iteration, and as
    JSON text in Arrow and polars. DECIMAL is exact everywhere but in ``df()``, where pandas has no such type.

    Raises:
        EngineError: on any conversion, when the query fails.
        CorruptFileError: on any conversion, when a data file is missing or damaged.
    """

    _engine: DuckDB
    _make_plan: Callable[[], Plan]
    _made: list[Plan] = field(default_factory=list, repr=False)

    @property
    def sql(self) -> str:
        """The statements that run, ready to be pasted into DuckDB."""
        plan = self._plan()
        return ";\n".join([*plan.setup, plan.query])

    @property
    def types(self) -> dict[str, str]:
        """The columns and their DuckDB types, in order, without running the query."""
        with self._run() as (cursor, plan):
            relation = _relation(cursor, plan)
            return dict(zip(relation.columns, map(str, relation.types), strict=True))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, without running the query."""
        return tuple(self.types)

    def order_by(self, *columns: str) -> Result:
        """Return the same rows, sorted by some columns, NULL last."""
        names = ", ".join(_quoted(name) for name in columns)
        return self._asked(lambda query: f"SELECT * FROM (\n{query}\n) ORDER BY {names}")

    def limit(self, rows: int) -> Result:
        """Return the first rows only; computes no more than they need."""
        return self._asked(lambda query: f"SELECT * FROM (\n{query}\n) LIMIT {int(rows)}")

    def df(self) -> pd.DataFrame:
        """Return a pandas DataFrame: instants as ``datetime64[us, UTC]``, payloads as objects, DECIMAL as float."""
        with self._run() as (cursor, plan), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # DuckDB drops columns in place, pandas 3.1 minds
            frame: pd.DataFrame = cursor.execute(plan.query, plan.parameters).df()
            return frame

    def arrow(self) -> pa.Table:
        """Return a ``pyarrow.Table``; payloads are JSON text."""
        with self._run() as (cursor, plan):
            return _as_json(_relation(cursor, plan)).to_arrow_table()

    def pl(self) -> pl.DataFrame:
        """Return a polars DataFrame; payloads are JSON text.

        Raises:
            MissingDependencyError: polars is not installed.
        """
        with requires("polars"):
            import polars as pl  # noqa: PLC0415  an extra
        return pl.DataFrame(self.arrow())

    def batches(self, *, exact: bool = False) -> pa.RecordBatchReader:
        """Stream the answer as Arrow record batches, in bounded memory.

        Args:
            exact: keep VARIANT columns as Arrow's variant type instead of JSON text.
        """
        with self._run(keep_open=True) as (cursor, plan):
            relation = _relation(cursor, plan)
            reader = (relation if exact else _as_json(relation)).to_arrow_reader(_BATCH_ROWS)
        return pa.RecordBatchReader.from_batches(reader.schema, _holding(reader, plan, (cursor, self)))

    def write_parquet(self, path: str, on_cursor: Callable[[Interruptible], None] | None = None) -> int:
        """Write the answer to a Parquet file, with payloads as VARIANT; return how many rows it has.

        Args:
            path: of the file.
            on_cursor: is given what can be interrupted, from another thread, while the answer is computed.
        """
        with self._run() as (cursor, plan):
            if on_cursor is not None:
                on_cursor(cursor)
            target = "'" + str(path).replace("'", "''") + "'"
            written = cursor.execute(f"COPY (\n{plan.query}\n) TO {target} (FORMAT parquet)", plan.parameters)
            return int((written.fetchone() or (0,))[0])

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.batches().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        counted = self._asked(lambda query: f"SELECT count(*) AS n FROM (\n{query}\n)")
        return int(next(iter(counted))["n"])

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with self._run(keep_open=True) as (cursor, plan):
            cursor.execute(plan.query, plan.parameters)
            names = [column[0] for column in cursor.description or ()]
            while rows := cursor.fetchmany(10_000):
                for row in rows:
                    yield dict(zip(names, map(_in_utc, row), strict=True))

    def head(self, rows: int = PREVIEW_ROWS) -> list[dict[str, Any]]:
        """Return the first rows as dicts, computing no more than they need."""
        return [row for row in self.limit(rows)]  # noqa: C416  list() would ask for the length, and run the query for it

    def __repr__(self) -> str:
        types = ", ".join(f"{name} {type_}" for name, type_ in self.types.items())
        return f"Result({types}); .df(), .arrow(), .pl() run it, .sql shows it"

    def _repr_html_(self) -> str:
        rows = self.head(PREVIEW_ROWS + 1)
        types = self.types
        top = "".join(f"<th title='{html.escape(t)}'>{html.escape(n)}</th>" for n, t in types.items())
        body = "".join(_html_row(row.values()) for row in rows[:PREVIEW_ROWS])
        count = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
        more = f"the first {PREVIEW_ROWS} rows" if len(rows) > PREVIEW_ROWS else count
        return (
            f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{more}, {len(types)} columns; instants are UTC</p>"
        )

    def _plan(self) -> Plan:
        """Return the plan, made once, and anew when compaction has taken its files away since."""
        if not self._made or not all(Path(path).exists() for path in self._made[0].files):
            self._made[:] = [self._make_plan()]
        return self._made[0]

    def _asked(self, wrap: Callable[[str], str]) -> Result:
        """Ask a further question of this answer."""

        def plan() -> Plan:
            found = self._plan()
            return replace(found, query=wrap(found.query))

        return Result(self._engine, plan)

    @contextmanager
    def _run(self, *, keep_open: bool = False) -> Iterator[tuple[duckdb.DuckDBPyConnection, Plan]]:
        plan = self._plan()
        with prepared(self._engine, plan, keep_open=keep_open) as cursor:
            yield cursor, plan


def recast(result: Result, types: Mapping[str, str]) -> Result:
    """Return the same rows, with other types of some columns."""

    def plan() -> Plan:
        found = result._plan()  # noqa: SLF001  of this module
        changed = ", ".join(f"CAST({_quoted(name)} AS {type_}) AS {_quoted(name)}" for name, type_ in types.items())
        return replace(found, query=f"SELECT * REPLACE ({changed}) FROM (\n{found.query}\n)")

    return Result(result._engine, plan) if types else result  # noqa: SLF001


@contextmanager
def prepared(engine: DuckDB, plan: Plan, *, keep_open: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a cursor on which a plan's query can run; what goes wrong on it is an error of the tree.

    Args:
        engine: where to run.
        plan: its frames and views are made.
        keep_open: the cursor outlives the block, unless that fails.

    Raises:
        EngineError: the query fails.
        CorruptFileError: a data file is missing or damaged.
    """
    cursor = engine.cursor()
    try:
        with _explaining(plan):
            for name, frame in plan.frames.items():
                cursor.register(name, frame)
            for statement in plan.setup:
                cursor.execute(statement)
            yield cursor
    except BaseException:
        cursor.close()
        raise
    finally:
        if not keep_open:
            cursor.close()


def _relation(cursor: duckdb.DuckDBPyConnection, plan: Plan) -> duckdb.DuckDBPyRelation:
    return cursor.sql(plan.query, params=plan.parameters) if plan.parameters else cursor.sql(plan.query)


def _as_json(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Put JSON text in the place of VARIANT columns, which Arrow's readers do not know."""
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    if not any("VARIANT" in type_ for type_ in types.values()):
        return relation
    return relation.project(
        ", ".join(
            f"CAST({_quoted(name)} AS JSON)::VARCHAR AS {_quoted(name)}" if "VARIANT" in type_ else _quoted(name)
            for name, type_ in types.items()
        )
    )


def _holding(reader: pa.RecordBatchReader, plan: Plan, _alive: object) -> Iterator[pa.RecordBatch]:
    with _explaining(plan):
        yield from reader


@contextmanager
def _explaining(plan: Plan) -> Iterator[None]:
    """Turn what DuckDB and, on the way through Arrow, others say into errors of the tree."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        if isinstance(error, EsAnalyticsError):
            raise
        raise _explained(error, plan) from error
    except RuntimeError as error:
        if "interrupted" not in str(error):
            raise
        raise KeyboardInterrupt from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _in_utc(value: Any) -> Any:  # noqa: ANN401  any value of any column
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC)
    return value


def _html_row(values: Iterable[Any]) -> str:
    cells = "".join(f"<td>{html.escape(_short(value))}</td>" for value in values)
    return f"<tr>{cells}</tr>"


def _short(value: Any, length: int = 120) -> str:  # noqa: ANN401  any value of any column
    if value is None:
        return ""
    shown = (
        value.strftime("%Y-%m-%d %H:%M:%S.%f").removesuffix(".000000") if isinstance(value, dt.datetime) else str(value)
    )
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def _explained(error: Exception, plan: Plan) -> EngineError | CorruptFileError:
    missing = next((path for path in plan.files if not Path(path).exists()), None)
    if missing is not None:
        return CorruptFileError(missing, "is missing")
    named = next((path for path in plan.files if path in str(error)), None)
    if named is not None and isinstance(error, (*_OF_FILES, OSError)):
        return CorruptFileError(named, f"cannot be read ({str(error).splitlines()[0]})")
    return EngineError(str(error), plan.query)
