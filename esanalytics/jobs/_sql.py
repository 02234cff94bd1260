"""A table of a SQL database, through SQLAlchemy: rows and their marker in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esanalytics._instants import iso
from esanalytics._optional import requires
from esanalytics.engines import DuckDB
from esanalytics.errors import DestinationError
from esanalytics.jobs._destination import shown
from esanalytics.jobs._explaining import explaining, other_columns
from esanalytics.jobs._files import check_place
from esanalytics.jobs._markers import MARKERS, WINDOWED, fence, values, window_values
from esanalytics.jobs._parts import make_folder
from esanalytics.jobs._sql_rows import marker_table, replace_rows, staged_rows, staged_table, upsert_rows
from esanalytics.jobs._values import Mode, Published, Staged, Token

with requires("sqlalchemy", "sql"):
    import sqlalchemy as sa
    from sqlalchemy import exc

__all__ = ["SqlTable"]

_BUSY = 5  # SQLITE_BUSY; the only one of SQLite's that goes away by itself
_DROPPED = (exc.OperationalError, exc.InterfaceError, exc.DisconnectionError, exc.TimeoutError)


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table that SQLAlchemy reaches.

    Tables are made with the rows where there are none, in the same transaction, if the database can do so. SQLite
    and PostgreSQL let one run at a time write a table. In SQLite decimal numbers are numbers of 15 digits; one that has
    more is refused, and nothing is written.

    Attributes:
        url: as SQLAlchemy takes it.
        table: its name; one with a dot has a schema.
        mode: what becomes of the rows of other windows; ``"upsert"``: rows are replaced by key, and those whose key
            is gone are removed, so the table is what the result is.
        keys: columns that tell rows apart.
        engine: what reads the staged result.
        fenced: as ``Target`` has it.
    """

    url: str
    table: str
    mode: Mode
    keys: tuple[str, ...]
    engine: DuckDB
    fenced: bool = True

    def find(self, token: Token) -> Published | None:
        """Return the table, where its marker is of this job, service and window with this fingerprint."""
        found = self._marker(token)
        if found is None or found["fingerprint"] != token.fingerprint:
            return None
        return Published(self._where, int(found["row_count"]), 0, str(found["digest"]))

    def check(self, columns: Mapping[str, str], token: Token | None = None) -> None:
        """Refuse a place where there can be no such table.

        Raises:
            DestinationError: the database cannot be reached, or the table has other columns.
            NewerError: a newer window is there.
        """
        missing = [name for name in self.keys if name not in columns]
        if missing:
            remedy = f"choose some of {', '.join(columns)}"
            raise DestinationError(self._where, f"there is no column {missing[0]!r} to tell rows apart by", remedy)
        file = self._file
        if file is not None:
            check_place(file)
            if not file.exists():
                return
        with self._explaining(), self._database() as database, database.connect() as connection:
            if token is not None and sa.inspect(connection).has_table(MARKERS, schema=self._name[0]):
                self._fence(connection, marker_table(sa.MetaData(), self._name[0]), token)
            self._compare(connection, [*columns, *(WINDOWED if self.mode == "window" else ())])

    def publish(self, staged: Staged, token: Token) -> Published:
        """Put the rows into the table, in one transaction with the marker that says so.

        Raises:
            DestinationError: they cannot be; the table is as it was.
            NewerError: a newer window is there.
        """
        published = Published(self._where, staged.rows, 0, staged.digest)
        with self._explaining():
            if self._file is not None:
                make_folder(self._file.parent)
            try:
                with self._database() as database, database.begin() as connection:
                    self._write(connection, staged, token)
            except _DROPPED:
                if not self._landed(token):  # where only the answer to the commit was lost, all is well
                    raise
        return published

    def sweep(self, keep: Callable[[str], bool]) -> None:
        """Do nothing: what a run leaves that dies, the database rolls back."""

    @property
    def _where(self) -> str:
        return f"{shown(self.url)} table {self.table!r}"

    @property
    def _file(self) -> Path | None:
        """The file of a SQLite database."""
        with self._explaining():
            url = sa.make_url(self.url)
        return Path(url.database).resolve() if url.get_backend_name() == "sqlite" and url.database else None

    @property
    def _name(self) -> tuple[str | None, str]:
        schema, dot, name = self.table.rpartition(".")
        return (schema if dot else None), name

    @contextmanager
    def _database(self) -> Iterator[sa.Engine]:
        database = sa.create_engine(self.url, poolclass=sa.NullPool)
        if database.dialect.name == "sqlite":
            sa.event.listen(database, "connect", _own_transactions)
            sa.event.listen(database, "begin", _begin_immediately)
        try:
            yield database
        finally:
            database.dispose()

    def _marker(self, token: Token) -> Mapping[str, Any] | None:
        if self._file is not None and not self._file.exists():
            return None
        schema, name = self._name
        markers = marker_table(sa.MetaData(), schema)
        same = zip(("output", "job", "service", "window_start"), window_values(name, token), strict=True)
        query = sa.select(markers).where(
            *(markers.c[column] == value for column, value in same), markers.c.window_end == iso(token.window.end)
        )
        with self._explaining(), self._database() as database, database.connect() as connection:
            inspector = sa.inspect(connection)
            if not all(inspector.has_table(each, schema=schema) for each in (MARKERS, name)):
                return None
            found = connection.execute(query).mappings().first()
        return None if found is None else dict(found)

    def _landed(self, token: Token) -> bool:
        with suppress(DestinationError):
            found = self._marker(token)
            return found is not None and found["run"] == token.run
        return False

    def _compare(self, connection: sa.Connection, wanted: list[str]) -> None:
        schema, name = self._name
        inspector = sa.inspect(connection)
        if not inspector.has_table(name, schema=schema):
            return
        there = [str(column["name"]) for column in inspector.get_columns(name, schema=schema)]
        if set(there) != set(wanted):
            raise other_columns(shown(self.url), f"table {self.table!r}", there, wanted)

    def _write(self, connection: sa.Connection, staged: Staged, token: Token) -> None:
        schema, name = self._name
        windowed = self.mode == "window"
        if connection.dialect.name == "postgresql":  # one at a time, of all who make or fill this table
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"esanalytics:{self.table}"))))
        self._compare(connection, [*staged.columns, *(WINDOWED if windowed else ())])
        keys = self.keys if self.mode == "upsert" else ()
        metadata = sa.MetaData()
        with self.engine.cursor() as cursor:
            table = staged_table(metadata, schema, name, cursor, staged, connection.dialect.name, keys, windowed)
            markers = marker_table(metadata, schema)
            metadata.create_all(connection)
            self._fence(connection, markers, token)
            if keys:
                upsert_rows(connection, table, keys, staged_rows(cursor, staged, connection.dialect.name, {}))
            else:
                more = dict(
                    zip(WINDOWED, (token.job, token.service, token.window.start, token.window.end), strict=True)
                )
                rows = staged_rows(cursor, staged, connection.dialect.name, more if windowed else {})
                replace_rows(connection, table, _inside(table, token) if windowed else [], rows)
        self._mark(connection, markers, staged, token)

    def _fence(self, connection: sa.Connection, markers: sa.Table, token: Token) -> None:
        if self.mode == "window" or not self.fenced:
            return
        same = zip(("output", "job", "service"), window_values(self._name[1], token)[:3], strict=True)
        query = sa.select(sa.func.max(markers.c.window_end)).where(*(markers.c[name] == value for name, value in same))
        fence(self._where, connection.execute(query).scalar(), token)

    def _mark(self, connection: sa.Connection, markers: sa.Table, staged: Staged, token: Token) -> None:
        given = values(self._name[1], token, staged)
        output, job, service, start = given[:4]
        old = [markers.c.output == output]
        if self.mode == "window":
            old += [markers.c.job == job, markers.c.service == service, markers.c.window_end > start]
            old += [markers.c.window_start < iso(token.window.end)]
        connection.execute(sa.delete(markers).where(*old))
        connection.execute(sa.insert(markers).values(dict(zip(markers.c.keys(), given, strict=True))))

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        with explaining(self._where):
            try:
                yield
            except exc.SQLAlchemyError as error:
                raise self._explained(error) from error
            except OverflowError as error:
                raise DestinationError(self._where, str(error), "round the numbers, or cast them to text") from error
            except ModuleNotFoundError as error:
                remedy = f"install the database's driver: pip install {error.name}"
                raise DestinationError(self._where, f"there is no package {error.name}", remedy) from error

    def _explained(self, error: exc.SQLAlchemyError) -> DestinationError:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        if isinstance(error, exc.NoSuchModuleError | exc.ArgumentError):
            remedy = "write it as SQLAlchemy does, such as sqlite:///file.db or postgresql+psycopg://host/name"
            return DestinationError(self._where, shown(str(error)), remedy)
        if "ON CONFLICT" in said or isinstance(error, exc.IntegrityError):
            remedy = (
                f"give the table a unique index over {', '.join(self.keys) or 'nothing else'}, and rows that fit it"
            )
            return DestinationError(self._where, said, remedy)
        for words, remedy in _SAID:
            if words in said:
                return DestinationError(self._where, said, remedy)
        if isinstance(error, _DROPPED) and getattr(getattr(error, "orig", None), "sqlite_errorcode", _BUSY) == _BUSY:
            return DestinationError(self._where, said, "try again when it can be reached and nobody locks it", True)
        return DestinationError(self._where, said, "mend that, or choose another table")


_SAID = (
    ("readonly", "let this user write there, or choose another output"),
    ("unable to open database file", "make its folder, and let this user write there"),
    ("disk is full", "make room there, or choose another output"),
    ("disk I/O error", "make room there, or mend the disk"),
    ("not a database", "move that file away, or choose another output"),
)


def _inside(table: sa.Table, token: Token) -> list[sa.ColumnElement[bool]]:
    """Choose the rows of windows that have a time in common with this one: those of another calendar go with them."""
    job, service, start, end = (table.c[name] for name in WINDOWED)
    return [
        job == token.job,
        service == token.service,
        start < token.window.end,
        end > token.window.start,
    ]


def _own_transactions(connection: Any, _record: object) -> None:  # noqa: ANN401  a driver's
    """Keep SQLite's driver from committing by itself, so that making a table is rolled back with the rest."""
    connection.isolation_level = None


def _begin_immediately(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
