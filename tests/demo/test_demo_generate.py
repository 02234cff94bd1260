import datetime as dt
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from esanalytics.demo import generate, write
from esanalytics.events import ENVELOPE

CLOCK_ERRORS = 245_000_000
DAY = 86_400_000_000
START = 1_767_225_600_000_000
LATE = 3_600_000_000


def test_two_runs_write_the_same_bytes(tmp_path):
    first = write(tmp_path / "first", orders=300)
    second = write(tmp_path / "second", orders=300)
    assert all(first[service].read_bytes() == second[service].read_bytes() for service in first)


def test_another_seed_writes_other_bytes_in_every_service(tmp_path):
    first = write(tmp_path / "first", orders=300, seed=7)
    second = write(tmp_path / "second", orders=300, seed=8)
    assert all(first[service].read_bytes() != second[service].read_bytes() for service in first)


def test_another_seed_shares_no_event_id():
    ids = [set(pa.concat_tables(generate(orders=300, seed=seed))["event_id"].to_pylist()) for seed in (7, 8)]
    assert ids[0].isdisjoint(ids[1])


def test_the_size_of_the_tables_changes_nothing_else():
    small, large = (list(generate(orders=300, batch=batch)) for batch in (500, 100_000))
    assert pa.concat_tables(small).combine_chunks() == pa.concat_tables(large).combine_chunks()
    assert max(table.num_rows for table in small) == 500


def test_tables_have_the_columns_of_the_envelope_but_the_position():
    tables = generate(orders=10)
    assert next(tables).column_names == [name for name in ENVELOPE if name != "position"]


def test_recorded_at_never_decreases_over_all_blocks_and_tables():
    recorded = pa.concat_tables(generate(orders=20_000, batch=10_000))["recorded_at"].cast(pa.int64())
    steps = pc.subtract(recorded.slice(1), recorded.slice(0, len(recorded) - 1))
    assert pc.min(steps).as_py() >= 0


def test_nothing_is_lost_between_blocks():
    tables = pa.concat_tables(generate(orders=20_000, days=30))
    placed = tables.filter(pc.equal(tables["type"], "OrderPlaced"))["stream_id"].unique()
    assert len(placed) == 20_000


def test_every_record_lies_within_the_days_asked_for_and_nothing_happens_after_them():
    log = pa.concat_tables(generate(orders=500, since="2025-06-01T12:00:00Z", days=10))
    start = dt.datetime(2025, 6, 1, 12, tzinfo=dt.UTC)
    end = start + dt.timedelta(days=10)
    recorded = pc.min_max(log["recorded_at"])
    assert start <= recorded["min"].as_py()
    assert recorded["max"].as_py() < end
    assert pc.max(log["occurred_at"]).as_py() < end + dt.timedelta(seconds=95)


@pytest.mark.parametrize("orders", [1, 2, 3, 4, 9])
def test_the_smallest_logs_place_every_order(orders):
    types = pa.concat_tables(generate(orders=orders, days=1))["type"].to_pylist()
    assert types.count("OrderPlaced") >= orders


@pytest.mark.parametrize("wrong", [{"orders": 0}, {"days": 0}, {"seed": -1}, {"batch": 0}, {"since": "spring"}])
def test_numbers_out_of_range_are_refused_at_the_call(wrong):
    with pytest.raises(ValueError, match=next(iter({"since": "not an instant"}.get(key, key) for key in wrong))):
        generate(**wrong)


def test_a_redelivery_repeats_the_event_but_for_recorded_at(ask):
    columns = ", ".join(name for name in ENVELOPE if name not in {"position", "recorded_at"})
    contents = ask(f"select count(*) from (select distinct {columns} from records)")
    assert contents == ask("select count(distinct event_id) from records")
    assert ask("select count(*) from (select distinct event_id, recorded_at from records)") == ask(
        "select count(*) from records"
    )


def test_about_one_record_in_a_hundred_is_a_redelivery(ask):
    [(share,)] = ask("select 1 - count(distinct event_id) / count(*) from records")
    assert 0.007 < share < 0.013


def test_about_two_events_in_a_hundred_are_late(ask):
    [(share,)] = ask(f"select avg((recorded - occurred > {LATE})::int) from events")
    assert 0.016 < share < 0.024


def test_versions_are_gapless_and_begin_at_one_or_in_customers_at_zero(ask):
    streams = ask("""
        select distinct service, min(version), max(version) - min(version) + 1 = count(*),
               count(distinct version) = count(*)
        from events where version is not null group by service, stream_id
    """)
    assert sorted(streams) == [
        ("customers", 0, True, True),
        ("orders", 1, True, True),
        ("payments", 1, True, True),
    ]


def test_inventory_and_shipping_have_no_versions_and_the_others_have_them_throughout(ask):
    found = ask("select service, count(version) / count(*) from events group by service order by service")
    assert found == [("customers", 1), ("inventory", 0), ("orders", 1), ("payments", 1), ("shipping", 0)]


def test_every_cause_is_in_the_log(ask):
    assert ask("select count(*) from events where causation_id is not null") != [(0,)]
    assert ask("""
        select count(*) from events e anti join events c on e.causation_id = c.event_id
        where e.causation_id is not null
    """) == [(0,)]


def test_no_effect_comes_before_its_cause_by_more_than_the_clocks_are_wrong(ask):
    [(least,)] = ask("select min(e.occurred - c.occurred) from events e join events c on e.causation_id = c.event_id")
    assert -CLOCK_ERRORS <= least < 0


def test_cause_and_effect_cross_the_services_inside_one_order(ask):
    pairs = ask("""
        select distinct c.service, e.service from events e join events c on e.causation_id = c.event_id
        where e.correlation_id = c.correlation_id order by all
    """)
    assert pairs == [
        ("inventory", "payments"),
        ("orders", "inventory"),
        ("orders", "payments"),
        ("orders", "shipping"),
        ("payments", "inventory"),
        ("payments", "orders"),
        ("payments", "payments"),
        ("shipping", "orders"),
        ("shipping", "shipping"),
    ]


def test_the_correlation_is_the_order_the_payload_speaks_of(ask):
    assert ask("""
        select distinct correlation_id = coalesce(data->>'order_id', stream_id) from events
        where correlation_id is not null
    """) == [(True,)]
    assert ask("select distinct service, type from events where correlation_id is null order by all") == [
        ("customers", "CustomerDeleted"),
        ("customers", "CustomerEmailChanged"),
        ("customers", "CustomerRegistered"),
        ("inventory", "StockReceived"),
    ]


def test_every_order_has_a_customer_who_is_registered_and_not_deleted(ask):
    customers = """
        select stream_id, min(occurred) registered, min(occurred) filter (type = 'CustomerDeleted') deleted
        from events where service = 'customers' group by stream_id
    """
    assert ask("select count(*) from events where type = 'CustomerDeleted'") != [(0,)]
    assert ask(f"""
        select count(*) from events o left join ({customers}) c on o.data->>'customer_id' = c.stream_id
        where o.type = 'OrderPlaced'
        and (c.stream_id is null or o.occurred + {CLOCK_ERRORS} < c.registered or o.occurred > c.deleted)
    """) == [(0,)]


def test_the_clock_of_shipping_is_ahead_of_the_log(ask):
    [(share,)] = ask("select avg((occurred > recorded)::int) from events where service = 'shipping'")
    assert share > 0.95


def test_only_the_second_orders_node_is_behind(ask):
    found = ask("""
        select metadata->>'node', median(recorded - occurred) > 100e6 from events
        where service = 'orders' group by all order by all
    """)
    assert found == [("orders-1", False), ("orders-2", True), ("orders-3", False)]


def test_order_placed_changes_its_shape_on_day_forty(ask):
    found = ask(f"""
        select distinct occurred + if(metadata->>'node' = 'orders-2', 150e6::bigint, 0) >= {START + 40 * DAY},
               schema_version, array_to_string(list_sort(json_keys(data)), ' ')
        from events where type = 'OrderPlaced' order by all
    """)
    assert found == [
        (False, 1, "amount currency customer_id lines"),
        (True, 2, "customer_id lines total"),
    ]


def test_no_other_type_has_a_second_schema_version(ask):
    assert ask("select distinct type from events where schema_version = 2") == [("OrderPlaced",)]


def test_the_weight_of_a_parcel_turns_from_text_to_a_number_on_day_sixty_two(ask):
    found = ask(f"""
        select distinct occurred - 95e6::bigint >= {START + 62 * DAY}, json_type(data->'weight_kg')
        from events where type = 'Shipped' order by all
    """)
    assert found == [(False, "VARCHAR"), (True, "DOUBLE")]


def test_each_release_follows_the_one_before(ask):
    spans = ask("""
        select metadata->>'release', min(recorded), max(occurred) from events
        where service = 'orders' and metadata->>'node' = 'orders-1' group by all order by min(recorded)
    """)
    assert [name for name, _, _ in spans] == ["2026.01.1", "2026.01.2", "2026.02.1", "2026.02.3", "2026.03.1"]
    assert all(last <= first for (_, _, last), (_, first, _) in pairwise(spans))
