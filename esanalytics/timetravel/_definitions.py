"""What a verb asks of a definition of state, whatever kind it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.timetravel._views import Views

__all__ = ["MARKS", "Settled", "Table", "in_order", "key_test", "these_keys"]

MARKS = ("$effective_at", "$version", "$position", "$event_id", "$type", "$live", "$next_at")
"""What a version says of the event that made it, beside the key and the columns.

``$live`` is false where the event ended the entity; ``$next_at`` is the time of the key's next event.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of state, as part of a query.

    Attributes:
        tree: the query that gives them.
        keys: the names of the key's columns.
        columns: the names of the others.
        nested: of these, those whose values are compared as JSON.
        key_types: the types of the key's columns.
    """

    tree: exp.Query
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    nested: frozenset[str] = frozenset()
    key_types: tuple[str, ...] = ()


class Settled(Protocol):
    """A definition of state, with its types settled, and the key it is asked for."""

    @property
    def key(self) -> Any:  # noqa: ANN401  a value of the key's type
        """Only this key; None: all."""

    def state(self, views: Views, among: exp.Query | None = None) -> Table:
        """Compose the rows of the state at the end of the log.

        Args:
            views: takes the relations it reads.
            among: only the keys that this query gives, as ``$k0``, ``$k1`` and so on.
        """

    def versions(
        self,
        views: Views,
        among: exp.Query | None = None,
        since: dt.datetime | None = None,
        *,
        standing: bool = False,
    ) -> Table:
        """Compose a row for each event that has part in the state, with the columns after it and `MARKS`.

        Args:
            views: takes the relations it reads.
            among: as in ``state``.
            since: versions up to and including this instant need not be there; None: all are wanted.
            standing: but of each key the last of them must be there, at whatever time it says it began.
        """


def in_order() -> list[exp.Expr]:
    """Return the order of versions as terms to sort by."""
    marks = ("$effective_at", "$version", "$position")
    return [exp.Ordered(this=sql.column(mark), nulls_first=True) for mark in marks]


def these_keys(keys: Sequence[Sequence[Any]], types: Sequence[str]) -> exp.Query | None:
    """Write the query that gives some keys as ``$k0``, ``$k1`` and so on; None where a key has no columns."""
    if not types:
        return None
    rows = [
        [sql.alias(sql.try_cast(sql.literal(value), type_), f"$k{n}") for n, (value, type_) in enumerate(pairs)]
        for pairs in (zip(key, types, strict=True) for key in keys)
    ]
    found: exp.Query = exp.select(*rows[0], copy=False)
    for row in rows[1:]:
        found = exp.union(found, exp.select(*row, copy=False), distinct=False, copy=False)
    return found


def key_test(values: Sequence[exp.Expr], keys: exp.Query) -> exp.Expr:
    """Test that a key is among those that a query gives as ``$k0``, ``$k1`` and so on."""
    same = [
        exp.EQ(this=sql.column(f"$k{n}", table="$among"), expression=value.copy()) for n, value in enumerate(values)
    ]
    return exp.Exists(
        this=exp.select(sql.literal(1), copy=False)
        .from_(keys.subquery(exp.to_identifier("$among", quoted=True), copy=False), copy=False)
        .where(*same, copy=False)
    )
