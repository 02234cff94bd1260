"""State as SQL over the events: whatever a query says it is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import select_only
from esanalytics.errors import ProjectionError, UnsupportedError
from esanalytics.store import Log, engine_of, result
from esanalytics.timetravel._definitions import Table
from esanalytics.timetravel._views import Views

__all__ = ["BySql", "SqlProjection"]


@dataclass(frozen=True, slots=True)
class SqlProjection:
    """What the state is, as a query over the relation ``events``.

    It answers to ``state_at``, ``diff`` and ``bisect``, each of which asks the query about the events up to some
    moment. It says nothing of single events, so it has no history, explains nothing, and is joined to nothing.

    Attributes:
        name: what it is called.
        sql: one SELECT in DuckDB's SQL over ``events``, as in ``log.sql``; a row per key.
        key: the column that tells its rows apart, or several.

    Raises:
        ProjectionError: it has no name, no query or no key.

    Example:
        >>> SqlProjection("per_type", "select type, count(*) as n from events group by all", key="type").key
        ('type',)
    """

    name: str
    sql: str
    key: str | tuple[str, ...]

    def __post_init__(self) -> None:
        keys = (self.key,) if isinstance(self.key, str) else tuple(self.key)
        if not isinstance(self.name, str) or not self.name:
            raise ProjectionError(self.name, "it has no name", "give a text")
        if not isinstance(self.sql, str) or not self.sql.strip():
            raise ProjectionError(self.name, "it has no query", "give one SELECT over the relation events")
        if not keys or not all(isinstance(name, str) and name for name in keys):
            raise ProjectionError(self.name, f"not a key: {self.key!r}", "name the columns that tell its rows apart")
        object.__setattr__(self, "key", keys)


@dataclass(frozen=True, slots=True)
class BySql:
    """A query as a definition of state, on a view of a log.

    Attributes:
        log: the view.
        name: what it is called.
        text: the query, fit to be put in parentheses.
        keys: the key's columns.
        key: a value for each of them; None: all rows.
    """

    log: Log
    name: str
    text: str
    keys: tuple[str, ...]
    key: tuple[Any, ...] | None

    @classmethod
    def of(cls, log: Log, definition: SqlProjection, key: Any = None) -> BySql:  # noqa: ANN401  a value of the key's type
        """Settle a query on a view.

        Raises:
            EngineError: the text is no SQL.
            ProjectionError: ``key`` does not have a value for each key column.
            UnsupportedError: it is something else than one SELECT over ``events``.
        """
        wanted = key if key is None or isinstance(key, tuple) else tuple(key) if isinstance(key, list) else (key,)
        if wanted is not None and len(wanted) != len(definition.key):
            reason = (
                f"the key has {len(definition.key)} columns ({', '.join(definition.key)}), {len(wanted)} were given"
            )
            raise ProjectionError(definition.name, reason, "give a value for each, as a tuple")
        text = select_only(engine_of(log), definition.sql)
        tree = sql.as_tree(text)
        if tree is not None and tree.find(exp.Placeholder, exp.Parameter):
            raise UnsupportedError(f"SqlProjection {definition.name!r} has a parameter in it", "write the value itself")
        return cls(log, definition.name, text, tuple(definition.key), wanted)

    def state(self, views: Views, among: exp.Query | None = None) -> Table:  # noqa: ARG002  as every definition has it
        """Compose the rows that the query gives on the view."""
        types = self._types()
        missing = next((name for name in self.keys if name not in types), None)
        if missing is not None:
            reason = f"its query has no column {missing!r}, which is its key; it has {', '.join(types)}"
            raise ProjectionError(self.name, reason, "name the key's columns as the query does")
        own = next((name for name in types if name.startswith("$")), None)
        if own is not None:
            raise ProjectionError(self.name, f"its column {own!r} begins with '$'", "such names are the library's own")
        columns = tuple(name for name in types if name not in self.keys)
        names = [sql.column(name) for name in (*self.keys, *columns)]
        select = exp.select(*names, copy=False).from_(views.add_query(self.log, self.text), copy=False)
        select.set("qualify", exp.Qualify(this=self._is_unique()))
        given = zip(self.keys, self.key or (), strict=False)
        wanted = [_is(name, types[name], value) for name, value in given]
        nested = frozenset(name for name in columns if "VARIANT" in types[name])
        return Table(select.where(*wanted, copy=False) if wanted else select, self.keys, columns, nested)

    def versions(
        self,
        views: Views,  # noqa: ARG002  as every definition has it
        among: exp.Query | None = None,  # noqa: ARG002
        since: dt.datetime | None = None,  # noqa: ARG002
        *,
        standing: bool = False,  # noqa: ARG002
    ) -> Table:
        """Refuse: a query does not say what each event does.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            f"SqlProjection {self.name!r} has no versions, for its query says nothing of single events",
            "ask state_at, diff or bisect; or say it as an ea.Projection or an @ea.reducer",
        )

    def _is_unique(self) -> exp.Expr:
        """Test that no other row has the same key, and fail where one has."""
        times = exp.Window(this=exp.Count(this=exp.Star()), partition_by=[sql.column(name) for name in self.keys])
        columns = ", ".join(self.keys)
        reason = f"SqlProjection '{self.name}' has two rows of one key ({columns})"
        text = f"{reason}; name the columns that tell its rows apart"
        failed = exp.If(
            this=exp.GT(this=times, expression=sql.literal(1)), true=sql.function("error", exp.Literal.string(text))
        )
        return exp.Case(ifs=[failed], default=exp.true())

    def _types(self) -> dict[str, str]:
        """Find the columns of the query, without running it."""
        views = Views()
        views.add(self.log)
        return result(self.log, lambda: views.plan(self.text)).types


def _is(name: str, type_: str, value: Any) -> exp.Expr:  # noqa: ANN401  a value of the key's type
    return exp.EQ(this=sql.column(name), expression=sql.try_cast(sql.literal(value), type_))
