"""What users write in SQL, let through only where it reads nothing but what it is given.

The check is of the tree that DuckDB's own parser makes of the very text that runs, and knows what it lets through:
whatever it does not know is refused.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

import duckdb
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines._duckdb import DuckDB
from esanalytics.errors import EngineError, UnsupportedError

__all__ = ["predicate", "select_only"]

_TABLE_FUNCTIONS = frozenset(
    ("generate_series", "json_each", "json_tree", "pg_timezone_names", "range", "repeat", "repeat_row", "unnest")
)
# how functions that reach outside begin, or may come to begin in a later DuckDB
_OUTSIDE = ("__internal", "duckdb_", "http", "json_serialize_plan", "make_type", "pragma_", "read_", "write_")
_STATEFUL = frozenset(("currval", "getenv", "getvariable", "nextval", "setval"))
_HARMLESS = frozenset(
    (
        *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"),
        *("SUBQUERY", "JOIN", "EXPRESSION_LIST", "EMPTY", "PIVOT"),
        *("DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER"),
        *("ASCENDING", "DESCENDING", "ORDER_DEFAULT"),
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "DEFAULT"),
        *("LAMBDA", "LAMBDA_REF", "OPERATOR", "PARAMETER", "POSITIONAL_REFERENCE", "STAR"),
    )
)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)  # DuckDB's idea of case is ASCII's
_BUILT_IN = """
SELECT 'type', type_name FROM duckdb_types() UNION SELECT 'function', function_name FROM duckdb_functions()
WHERE function_type IN ('scalar', 'aggregate', 'window', 'macro')
AND (macro_definition IS NULL OR NOT contains(lower(macro_definition), 'select'))
"""

Node = dict[str, Any]
Scope = frozenset[tuple[str, ...]]  # the qualified names that may be read at some place of a query


def select_only(engine: DuckDB, query: str, relations: Sequence[str] = ("events",)) -> str:
    """Return a query's text, ready to be put in parentheses, if it is one SELECT that reads only what it may.

    It may read some relations, the CTEs that it makes itself, and the values that table functions such as ``range`` and
    ``unnest`` make of their arguments; it may call the functions and name the types that are built into DuckDB.

    Args:
        engine: whose parser reads the query; nothing of the query runs.
        query: the user's text; a semicolon after it, and the comments that follow, are left out of what is returned.
        relations: the names of the relations that it may read.

    Raises:
        EngineError: the text is no SQL.
        UnsupportedError: it is something else than one SELECT; or it names a file, a table, a catalog, or a function
            that reads, writes or installs something; or it uses a payload field without the cast that it needs.
    """
    cursor = engine.cursor()
    try:
        text = _one_select(cursor, query)
        tree = _tree(cursor, text)
    except duckdb.Error as error:
        raise EngineError(str(error), query) from error
    finally:
        cursor.close()
    refused = next(_refused(tree, _scope(relations)), None)
    if refused is not None:
        raise UnsupportedError(refused, _remedy(relations))
    known = sql.as_tree(text)
    field = None if known is None else sql.untyped(known)
    if field is not None:
        raise UnsupportedError(sql.NO_TYPE.format(field), sql.CAST_IT.format(field))
    return text


def predicate(engine: DuckDB, condition: str, relations: Sequence[str] = ()) -> exp.Expr:
    """Return a user's boolean SQL expression as a tree, if it reads nothing but the columns it is asked about.

    The tree keeps the text as the user wrote it, as ``meta["written"]``.

    Args:
        engine: whose parser reads the condition; nothing of it runs.
        condition: such as ``"data.amount::double > 100"``.
        relations: the names of the relations that its subqueries may read.

    Raises:
        ValueError: the text is not one SQL expression, or uses a payload field without the cast that it needs.
        UnsupportedError: it names a file, a table, or a function that reads, writes or installs something.
    """
    tree = sql.condition(condition)
    try:
        select_only(engine, sql.text(exp.select("1").where(tree.copy())), relations)
    except UnsupportedError:
        raise
    except EngineError as error:
        raise ValueError(f"not a SQL condition: {condition!r}; {error}") from error
    tree.meta["written"] = condition.strip()
    return tree


def _remedy(relations: Sequence[str]) -> str:
    read = " and ".join(relations)
    only = f"a query can read {read} only" if read else "a condition can read the columns of its own rows only"
    return f"{only}; load files with store.append, or join outside, in pandas or DuckDB"


def _one_select(cursor: duckdb.DuckDBPyConnection, query: str) -> str:
    statements = cursor.extract_statements(query)
    types = [statement.type for statement in statements]
    if types == [duckdb.StatementType.MULTI]:
        listed = "list the values: PIVOT … ON type IN ('A', 'B') USING …"
        raise UnsupportedError("a PIVOT without the values of its columns is no single SELECT", listed)
    if types != [duckdb.StatementType.SELECT]:
        raise UnsupportedError("a query takes one SELECT, and nothing else", "a view can only be read")
    return _without_end(str(statements[0].query))


def _without_end(text: str) -> str:
    """Leave out the semicolon that ends a statement, and the comments after it."""
    tokens = [start for start, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    encoded = text.encode()
    while tokens and encoded[tokens[-1] :].startswith(b";"):
        encoded = encoded[: tokens.pop()]
    return encoded.decode().rstrip()


def _tree(cursor: duckdb.DuckDBPyConnection, text: str) -> Node:
    (found,) = cursor.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0]
    try:
        tree: Node = json.loads(found)
    except RecursionError as error:
        raise UnsupportedError("this is nested too deeply", "give its parts names: WITH part AS (SELECT …)") from error
    if tree["error"]:
        raise EngineError(tree["error_message"], text)
    return tree


def _scope(relations: Sequence[str]) -> Scope:
    names = [_lower(name) for name in relations]
    return frozenset((*prefix, name) for name in names for prefix in ((), ("main",), ("temp",), ("temp", "main")))


def _refused(tree: Node, scope: Scope) -> Iterator[str]:
    """List what a tree holds that no query may, in words."""
    rest: list[tuple[object, Scope]] = [(tree, scope)]
    while rest:
        node, seen = rest.pop()
        if isinstance(node, list):
            rest += [(part, seen) for part in node]
        elif isinstance(node, dict):
            found = _judged(node, seen)
            if found is not None:
                yield found
            rest += _parts(node, seen)


def _parts(node: Node, scope: Scope) -> Iterator[tuple[object, Scope]]:
    """List the parts of a node, each with what may be read in it: a CTE sees those before it, not itself.

    DuckDB takes a name that is no CTE *there* for a file, so what is seen must be exact.
    """
    seen = scope
    for cte in (node.get("cte_map") or {}).get("map", ()):
        yield cte["value"], seen
        seen |= {(_lower(cte["key"]),)}
    for key, value in node.items():
        if key == "right" and node["type"] == "RECURSIVE_CTE_NODE":
            name = _lower(node["cte_name"])
            yield value, seen | {(name,), ("recurring", name)}
        elif key != "cte_map":
            yield value, seen


def _judged(node: Node, scope: Scope) -> str | None:
    kind = node.get("class") or node.get("type")
    if not isinstance(kind, str) or kind in _HARMLESS:
        return None
    judge = _JUDGES.get(kind)
    return f"{kind.removesuffix('_QUERY_NODE')} cannot be used in a query" if judge is None else judge(node, scope)


def _table(node: Node, scope: Scope) -> str | None:
    path = tuple(_lower(part) for part in node["qualified_name"]["path"])
    return None if path in scope else f"{'.'.join(node['qualified_name']['path'])!r} cannot be read"


def _table_function(node: Node, _: Scope) -> str | None:
    name = _lower(node["function"]["function_name"])
    return None if name in _TABLE_FUNCTIONS else f"the table function {name!r} cannot be used"


def _function(node: Node, _: Scope) -> str | None:
    name = _lower(node["function_name"])
    if name in _STATEFUL or name.startswith(_OUTSIDE):
        return f"the function {name!r} cannot be used"
    return None if name in _TABLE_FUNCTIONS else _unless_built_in("function", name)


def _type(node: Node, _: Scope) -> str | None:
    return _unless_built_in("type", _lower(node["type_name"]))


def _show(node: Node, _: Scope) -> str | None:
    return None if node["query"] else "SHOW, which lists the catalog, cannot be used"


_JUDGES: dict[str, Callable[[Node, Scope], str | None]] = {
    "BASE_TABLE": _table,
    "FUNCTION": _function,
    "SHOW_REF": _show,
    "TABLE_FUNCTION": _table_function,
    "TYPE": _type,
    "WINDOW": _function,
}


def _unless_built_in(kind: str, name: str) -> str | None:
    known = _built_in()[kind]
    if name in known:
        return None
    close = "".join(f", did you mean {match!r}?" for match in get_close_matches(name, known, n=1))
    return f"the {kind} {name!r} is none that is built into DuckDB{close}"


@cache
def _built_in() -> dict[str, frozenset[str]]:
    """Return the functions and types that need no extension: DuckDB would install one to find others."""
    with duckdb.connect() as fresh:
        rows = fresh.execute(_BUILT_IN).fetchall()
    return {kind: frozenset(_lower(name) for k, name in rows if k == kind) for kind in ("function", "type")}


def _lower(name: str) -> str:
    return name.translate(_LOWER)
