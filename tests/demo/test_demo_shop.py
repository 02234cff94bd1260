"""The shop's projections, over a store of the packaged sample, give what the generator decided."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

import esanalytics as ea
from esanalytics.demo import customers, orders, payments, stock, truth

DATA = Path(__file__).parents[2] / "data"
SERVICES = ("customers", "orders", "payments", "inventory", "shipping")
EXPECTED = truth(orders=320)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with ea.Store.create(tmp_path_factory.mktemp("demo") / "shop") as store:
        store.append(ea.sources.jsonl([DATA / f"{service}.jsonl" for service in SERVICES]))
        yield store


@pytest.fixture(scope="module")
def state(store):
    return {row["order_id"]: row for row in ea.state_at(store, orders)}


def test_the_sample_loads_each_event_once(store):
    found = {(row["service"], row["type"]): row["events"] for row in store.log.types()}
    types = EXPECTED.types.items()
    assert found == {(service, name): n for service, names in types for name, n in names.items()}
    assert store.log.count() == EXPECTED.events


def test_every_order_ends_in_the_status_the_generator_gave_it(state):
    assert Counter(row["status"] for row in state.values()) == EXPECTED.statuses


def test_paid_and_refunded_are_exact_to_the_cent(state):
    assert sum(row["paid"] for row in state.values()) == EXPECTED.paid
    assert sum(row["refunded"] for row in state.values()) == EXPECTED.refunded + EXPECTED.refunded_again
    assert all(row["balance"] == row["paid"] - row["refunded"] for row in state.values())


@pytest.mark.parametrize("column", ["total", "paid", "balance", "refund_asked", "refunded"])
def test_money_has_two_decimals_and_is_no_double(store, column):
    assert ea.state_at(store, orders).arrow().schema.field(column).type.scale == 2


def test_the_total_is_what_was_paid_in_both_versions_of_the_payload(state):
    paid = [row for row in state.values() if row["paid"]]
    assert [row["order_id"] for row in paid if row["total"] != row["paid"]] == []
    assert min(row["placed_at"].month for row in paid) == 1
    assert max(row["placed_at"].month for row in paid) == 3


def test_exactly_the_bad_orders_are_refunded_twice_and_end_below_zero(state):
    twice = sorted(key for key, row in state.items() if row["refunds"] > 1)
    negative = {key for key, row in state.items() if row["balance"] < 0}
    assert tuple(twice) == EXPECTED.bad_orders
    assert negative
    assert negative <= set(twice)
    excess = sum(state[key]["refunded"] - state[key]["refund_asked"] for key in twice)
    assert excess == EXPECTED.refunded_again


def test_without_the_bad_release_no_balance_is_below_zero(store):
    clean = store.log.without(f"metadata.release::varchar = '{EXPECTED.bad_release}'")
    rows = list(ea.state_at(clean, orders))
    assert sum(row["refunded"] for row in rows) == EXPECTED.refunded
    assert min(row["balance"] for row in rows) == 0


def test_stock_counts_the_pieces_of_every_article(store):
    found = {row["sku"]: row["on_hand"] for row in ea.state_at(store, stock)}
    assert found == EXPECTED.stock


def test_only_customers_who_were_not_deleted_have_a_row(store):
    rows = list(ea.state_at(store, customers))
    assert len(rows) == EXPECTED.customers
    assert sum(row["email_changes"] for row in rows) == EXPECTED.types["customers"]["CustomerEmailChanged"]
    assert all(row["email"].endswith("example.net") == (row["email_changes"] > 0) for row in rows)


def test_payments_agree_with_orders_but_for_what_was_refunded_again(store, state):
    rows = {row["order_id"]: row for row in ea.state_at(store, payments)}
    assert sum(row["refunded"] for row in rows.values()) == EXPECTED.refunded
    differing = {key for key, row in rows.items() if row["refunded"] != state[key]["refunded"]}
    assert tuple(sorted(differing)) == EXPECTED.bad_orders
    assert sum((row["captured"] for row in rows.values()), Decimal(0)) == EXPECTED.paid


def test_sql_over_the_events_gives_the_same_as_the_projection(store, state):
    found = store.log.sql("""
        select stream_id,
            coalesce(sum(data.amount::decimal(18, 2)) filter (type = 'OrderPaid'), 0) as paid,
            coalesce(sum(data.amount::decimal(18, 2)) filter (type = 'OrderRefunded'), 0) as refunded,
            max_by(type, version) filter (type in ('OrderPlaced', 'OrderPaid', 'OrderShipped', 'OrderDelivered',
                'OrderCancelled', 'RefundRequested', 'OrderRefunded')) as last
        from events where service = 'orders' group by stream_id
    """)
    rows = {row["stream_id"]: row for row in found}
    assert rows.keys() == state.keys()
    assert all(
        (row["paid"], row["refunded"]) == (state[key]["paid"], state[key]["refunded"]) for key, row in rows.items()
    )
    last = Counter((row["last"], state[key]["status"]) for key, row in rows.items())
    assert len({type_ for type_, _ in last}) == len({status for _, status in last}) == len(last)


def test_a_node_whose_clock_is_behind_does_not_change_the_order_of_a_stream(store):
    streams = store.log.sql("""
        select distinct stream_id from (
            select stream_id, occurred_at < max(occurred_at) over (partition by stream_id order by version) as back
            from events where service = 'orders'
        ) where back
    """)
    assert len(streams) == EXPECTED.backwards
    [(orders_, times)] = [
        (row["n"], row["ok"])
        for row in store.log.sql("""
            select count(*) as n, count(*) filter (ordered) as ok from (
                select effective_at >= lag(effective_at) over (partition by stream_id order by version) as ordered
                from events where service = 'orders' qualify lag(effective_at) over (
                    partition by stream_id order by version) is not null
            )
        """)
    ]
    assert orders_ == times > 0
