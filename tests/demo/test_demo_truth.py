from decimal import Decimal

DAY = 86_400_000_000
START = 1_767_225_600_000_000
BAD = "(type = 'OrderRefunded' and metadata->>'release' = '2026.02.2')"

ITEM = "(data->>'price')::decimal(18,2) * (data->>'quantity')::int"
LINES = f"list_sum([{ITEM} for data in (data->'lines')::json[]])"

STATUSES = {
    "OrderPlaced": "placed",
    "OrderPaid": "paid",
    "OrderShipped": "shipped",
    "OrderDelivered": "delivered",
    "OrderCancelled": "cancelled",
    "RefundRequested": "refund_requested",
    "OrderRefunded": "refunded",
}


def test_the_truth_counts_events_redeliveries_and_late_ones(ask, expected):
    assert ask("select count(*) from events") == [(expected.events,)]
    assert ask("select count(*) from records") == [(expected.events + expected.redelivered,)]
    assert ask("select count(*) from events where recorded - occurred >= 3600e6") == [(expected.late,)]


def test_the_truth_counts_every_type(ask, expected):
    found = ask("select service, type, count(*) from events group by all")
    assert {(service, type_): count for service, type_, count in found} == {
        (service, type_): count for service, types in expected.types.items() for type_, count in types.items()
    }
    assert len(found) == 25


def test_the_last_version_gives_each_order_its_status(ask, expected):
    names = ", ".join(f"'{name}'" for name in STATUSES)
    found = ask(f"""
        select type, count(*) from (
            select arg_max(type, version) as type from events
            where service = 'orders' and type in ({names}) group by stream_id
        ) group by type
    """)
    assert {STATUSES[type_]: count for type_, count in found} == dict(expected.statuses)
    assert sum(expected.statuses.values()) == 3_000


def test_paid_and_refunded_add_up_to_the_cent(ask, expected):
    amount = "sum((data->>'amount')::decimal(18,2))"
    assert ask(f"select {amount} from events where type = 'OrderPaid'") == [(expected.paid,)]
    clean = ask(f"select {amount} from events where type = 'OrderRefunded' and not {BAD}")
    assert clean == [(expected.refunded,)]
    assert ask(f"select {amount} from events where {BAD}") == [(expected.refunded_again,)]
    assert expected.refunded_again > Decimal(0)


def test_what_was_ordered_is_what_was_authorized(ask):
    totals = f"""
        select correlation_id as id, sum(case type
            when 'OrderPlaced' then coalesce(data->>'amount', data->'total'->>'amount')::decimal(18,2)
            when 'ItemAdded' then {ITEM} when 'ItemRemoved' then -({ITEM})
            when 'CouponApplied' then -(data->>'discount')::decimal(18,2) end) total
        from events where service = 'orders' group by correlation_id
    """
    wrong = ask(f"""
        select t.id, t.total, data->>'amount' from events join ({totals}) t on t.id = correlation_id
        where type = 'PaymentAuthorized' and (data->>'amount')::decimal(18,2) <> t.total
    """)
    assert wrong == []
    assert ask(f"select min(total) > 0 from ({totals})") == [(True,)]


def test_the_amount_of_an_order_is_the_sum_of_its_lines(ask):
    assert ask(f"""
        select distinct coalesce(data->>'amount', data->'total'->>'amount')::decimal(18,2) = {LINES}
        from events where type = 'OrderPlaced'
    """) == [(True,)]


def test_the_stock_of_each_article_adds_up_and_is_never_oversold(ask, expected):
    found = ask("""
        select stream_id, sum((data->>'quantity')::int * if(type = 'StockReserved', -1, 1))::int
        from events where service = 'inventory' group by all
    """)
    assert dict(found) == dict(expected.stock)
    assert min(expected.stock.values()) >= 0


def test_customers_are_those_registered_and_not_deleted(ask, expected):
    [(registered, deleted)] = ask("""
        select count(*) filter (type = 'CustomerRegistered'), count(*) filter (type = 'CustomerDeleted')
        from events
    """)
    assert registered - deleted == expected.customers


def test_clocks_run_backwards_in_as_many_streams_as_the_truth_says(ask, expected):
    assert ask("""
        select count(distinct stream_id) from (
            select stream_id, occurred < lag(occurred) over (partition by stream_id order by version) as back
            from events where service = 'orders'
        ) where back
    """) == [(expected.backwards,)]
    assert expected.backwards > 0


def test_the_bad_release_refunds_again_what_was_refunded_already(ask, expected):
    again = ask("""
        select distinct stream_id from events where type = 'OrderRefunded'
        group by stream_id, causation_id having count(*) > 1 order by stream_id
    """)
    assert tuple(stream for (stream,) in again) == expected.bad_orders
    assert len(again) > 5


def test_the_bad_release_did_nothing_else_and_no_other_release_did_it(ask, expected):
    assert expected.bad_release == "2026.02.2"
    found = ask("""
        select metadata->>'release' = '2026.02.2', type, nth > 1 from (
            select *, row_number() over (partition by causation_id order by version) nth
            from events where type = 'OrderRefunded' or metadata->>'release' = '2026.02.2'
        ) group by all order by all
    """)
    assert found == [(False, "OrderRefunded", False), (True, "OrderRefunded", True)]


def test_the_bad_release_ran_from_day_46_to_57_and_missed_no_refund(ask):
    inside = f"occurred between {START + 46 * DAY + 150_000_000} and {START + 57 * DAY - 150_000_000}"
    [(refunds, repeated)] = ask(f"""
        select count(*) filter (not {BAD}), count(*) filter ({BAD}) from events
        where type = 'OrderRefunded' and {inside}
    """)
    assert refunds == repeated > 0
    assert ask(f"select count(*) from events where {BAD} and not {inside}") == [(0,)]


def test_the_balance_of_some_orders_is_negative_until_the_bad_release_is_left_out(ask):
    balance = """
        select stream_id, sum(if(type = 'OrderPaid', 1, -1) * (data->>'amount')::decimal(18,2)) balance
        from events where type in ('OrderPaid', 'OrderRefunded') and {} group by all
    """
    negative = "select count(*) from ({}) where balance < 0"
    assert ask(negative.format(balance.format("true"))) > [(0,)]
    assert ask(negative.format(balance.format(f"not {BAD}"))) == [(0,)]
