"""A Python reducer on a log: its state and its versions, once it has run."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.errors import ProjectionError
from esanalytics.projections import Reducer
from esanalytics.reducing import reduced
from esanalytics.store import Log
from esanalytics.timetravel._definitions import Table, key_test
from esanalytics.timetravel._views import Views

__all__ = ["Folded"]

_KEY = ("service", "stream_id")


@dataclass(frozen=True, slots=True)
class Folded:
    """A reducer, on a view of a log.

    Attributes:
        log: the view.
        reducer: what to do at each event.
        key: service and stream; None: all.
    """

    log: Log
    reducer: Reducer
    key: tuple[str, str] | None

    @classmethod
    def of(cls, log: Log, reducer: Reducer, key: Any = None) -> Folded:  # noqa: ANN401  a value of the key's type
        """Settle a reducer on a view.

        Raises:
            ProjectionError: ``key`` is not a service and a stream.
        """
        if key is not None and (not isinstance(key, tuple | list) or len(key) != len(_KEY)):
            reason = f"the key of a reducer is a service and a stream, not {key!r}"
            raise ProjectionError(reducer.name, reason, "give both, such as ('orders', 'order-42')")
        return cls(log, reducer, None if key is None else (str(key[0]), str(key[1])))

    def state(self, views: Views, among: exp.Query | None = None) -> Table:
        """Run the reducer, and compose the rows of the streams that live."""
        return self._run(views, among, every=False)

    def versions(
        self,
        views: Views,
        among: exp.Query | None = None,
        since: dt.datetime | None = None,  # noqa: ARG002  all are there
        *,
        standing: bool = False,  # noqa: ARG002
    ) -> Table:
        """Run the reducer, and compose a row for each event."""
        return self._run(views, among, every=True)

    def _run(self, views: Views, among: exp.Query | None, *, every: bool) -> Table:
        found = reduced(self.log, self.reducer, every=every, key=self.key)
        views.files.extend(found.files)
        views.held.append(found.keeper)
        tree = found.tree()
        if among is not None:
            tree = exp.select(exp.Star(), copy=False).from_(tree.subquery("rows", copy=False), copy=False)
            tree = tree.where(key_test([sql.column(name) for name in _KEY], among), copy=False)
        return Table(tree, _KEY, found.columns, frozenset(found.columns), ("VARCHAR", "VARCHAR"))
