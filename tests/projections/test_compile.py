"""The text of the queries, and that they read no more than they need."""

import engine
import pytest
from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.errors import ProjectionError
from esanalytics.events import by_position, by_time
from esanalytics.projections import Projection, add, compile_fold, count, delete, field, min_, occurred_at

HELD = {("amount",): {None: frozenset({"BIGINT"})}, ("status",): {None: frozenset({"VARCHAR"})}}


def query(on, *, key=None, by="stream_id", order=None, held=HELD):
    projection = Projection("p", by, on)
    return sql.text(
        compile_fold(projection, source=exp.to_table("log"), order=order or by_position(), held=held, key=key)
    )


def test_plain_columns_are_one_group_by_without_filters():
    on = {"*": {"status": field("status"), "total": add(field("amount")), "n": count, "low": min_(field("amount"))}}
    assert query(on) == (
        'SELECT "stream_id" AS "stream_id", ARG_MAX_NULL(TRY_CAST("data"."status" AS TEXT), "position") AS "status", '
        'CAST(COALESCE(SUM(TRY_CAST("data"."amount" AS BIGINT)), 0) AS BIGINT) AS "total", COUNT(*) AS "n", '
        'MIN(TRY_CAST("data"."amount" AS BIGINT)) AS "low" FROM log AS "events" GROUP BY 1'
    )


def test_one_type_needs_no_filter_and_a_key_is_a_plain_equality():
    assert query({"A": {"n": count}}, key="it's") == (
        'SELECT "stream_id" AS "stream_id", COUNT(*) AS "n" FROM log AS "events" '
        "WHERE \"stream_id\" = 'it''s' AND \"type\" = 'A' GROUP BY 1"
    )


def test_a_field_stored_as_another_type_is_cast_through_it():
    assert 'TRY_CAST(TRY_CAST("data"."amount" AS BIGINT) AS DOUBLE)' in query({"A": {"x": field("amount", "DOUBLE")}})
    assert 'ARG_MAX_NULL("data"."amount", "position")' in query({"A": {"x": field("amount", "VARIANT")}})


def test_orders():
    orders = {
        "OrderPlaced": {"status": "placed", "customer": field("customer_id")},
        "ItemAdded": {"items": add(1)},
        "OrderShipped": {"status": "shipped", "shipped_at": occurred_at},
        "OrderDeleted": delete,
    }
    order = '("effective_at", COALESCE("version", -9223372036854775808), "position")'
    assert query(orders, order=by_time()) == (
        'SELECT "stream_id" AS "stream_id", '
        f"ARG_MAX_NULL(CASE WHEN \"type\" = 'OrderPlaced' THEN 'placed' ELSE 'shipped' END, {order}) "
        "FILTER(WHERE \"type\" IN ('OrderPlaced', 'OrderShipped')) AS \"status\", "
        f'ARG_MAX_NULL(TRY_CAST("data"."customer_id" AS TEXT), {order}) '
        'FILTER(WHERE "type" = \'OrderPlaced\') AS "customer", '
        'COUNT(*) FILTER(WHERE "type" = \'ItemAdded\') AS "items", '
        f'ARG_MAX_NULL("occurred_at", {order}) FILTER(WHERE "type" = \'OrderShipped\') AS "shipped_at" '
        'FROM log AS "events" LEFT JOIN ('
        f'SELECT "stream_id" AS "$key0", MAX({order}) AS "$deleted" FROM log AS "events" '
        'WHERE "type" = \'OrderDeleted\' GROUP BY 1) AS "$anchors" ON "stream_id" = "$anchors"."$key0" '
        "WHERE \"type\" IN ('OrderPlaced', 'ItemAdded', 'OrderShipped') "
        f'AND ("$anchors"."$deleted" IS NULL OR {order} > "$anchors"."$deleted") GROUP BY 1'
    )


def test_a_key_that_no_row_can_have_gives_no_row():
    projection = Projection("p", field("amount", "BIGINT"), {"A": {}})
    con = engine.connect()
    engine.load(con, engine.stream(("A", {"amount": 7})))
    held = engine.held(con, projection)
    assert [len(engine.rows(con, projection, by_time(), held, key=key)[0]) for key in (7, "7", "x", 8)] == [1, 1, 0, 0]


def test_a_key_with_too_few_values_is_refused():
    with pytest.raises(ProjectionError, match=r"the key has 2 columns \(service, stream_id\), 1 were given"):
        query({"A": {}}, by=("service", "stream_id"), key="x")
