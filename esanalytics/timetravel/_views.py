"""The relations that one query stands on: each view of a log becomes a temporary view of the engine."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import Plan
from esanalytics.store import Log, Relation, as_view, view

__all__ = ["Views"]


@dataclass(slots=True)
class Views:
    """What a query needs before it can run, gathered while it is composed.

    Attributes:
        statements: they make the views, in order.
        files: the data files read.
        frames: tables of the caller, by the name they have in the query.
        held: what must live as long as the query.
    """

    statements: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    frames: dict[str, pa.Table] = field(default_factory=dict)
    held: list[object] = field(default_factory=list)
    _known: list[tuple[Log, exp.Table, Relation]] = field(default_factory=list)

    def add(self, log: Log) -> tuple[exp.Table, Relation]:
        """Name the relation of a view of the log: ``events``, then ``events_2`` and so on."""
        known = next((found for found in self._known if found[0] is log), None)
        if known is not None:
            return known[1].copy(), known[2]
        name = "events" if not self._known else f"events_{len(self._known) + 1}"
        found = view(log)
        self.statements.append(as_view(found, name))
        self.files.extend(found.files)
        self._known.append((log, exp.to_table(name), found))
        return exp.to_table(name), found

    def add_query(self, log: Log, text: str) -> exp.Expr:
        """Name the rows that a user's query gives on a view of the log, where the query says ``events``."""
        if not self._known or self._known[0][0] is log:
            self.add(log)
            return exp.Subquery(this=exp.Var(this=f"\n{text}\n"), alias=exp.TableAlias(this=exp.to_identifier("rows")))
        found, name = view(log), f"rows_{len(self.statements)}"
        self.statements.append(as_view(found))
        self.statements.append(f"CREATE OR REPLACE TEMP TABLE {name} AS\n{text}")
        self.statements.append(as_view(self._known[0][2]))
        self.files.extend(found.files)
        return exp.to_table(name)

    def plan(self, query: exp.Query | str) -> Plan:
        """Make the plan of a query over these relations."""
        text = query if isinstance(query, str) else sql.text(query, pretty=True)
        return Plan(text, tuple(self.statements), None, tuple(self.files), dict(self.frames), tuple(self.held))
