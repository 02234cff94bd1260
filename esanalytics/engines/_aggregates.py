"""Which expressions ask about many rows at once."""

from __future__ import annotations

from functools import cache

import duckdb
from sqlglot import exp

__all__ = ["aggregates_in", "is_aggregate"]


def is_aggregate(tree: exp.Expr) -> bool:
    """Tell whether an expression calls an aggregate itself: not over a window, nor in a subquery."""
    return bool(aggregates_in(tree))


def aggregates_in(tree: exp.Expr) -> list[exp.Expr]:
    """List the aggregates that an expression calls itself, each with its filter."""
    calls = [node for node in tree.find_all(exp.Func) if _name(node) in _aggregates()]
    whole = [node.parent if isinstance(node.parent, exp.Filter) else node for node in calls]
    return [node for node in whole if not isinstance(node.parent, exp.Window) and not node.find_ancestor(exp.Query)]


def _name(node: exp.Func) -> str:
    return (node.name if isinstance(node, exp.Anonymous) else node.sql(dialect="duckdb").split("(")[0]).strip().lower()


@cache
def _aggregates() -> frozenset[str]:
    with duckdb.connect() as fresh:
        query = "SELECT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'"
        return frozenset(name.lower() for (name,) in fresh.execute(query).fetchall())
