"""history, diff, explain, bisect, snapshot, and what-if: each says what the same question in Python says."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

import esanalytics as ea
from esanalytics.demo import orders, stock

ORDERS, STOCK = "esanalytics.demo:orders", "esanalytics.demo:stock"
RELEASE = "metadata.release::varchar = '2026.02.2'"
MODELS = """
import esanalytics as ea

by_type = ea.SqlProjection("by_type", "select type, count(*) as events from events group by all", key="type")


@ea.reducer("seen", initial={"events": 0, "last": None})
def seen(state, event):
    if event.event_id == "8568c428f7925977":
        print("a word from the reducer")
    return {"events": state["events"] + 1, "last": event.occurred_at}


@ea.reducer("apart", initial={"events": 0}, processes=2)
def apart(state, event):
    return {"events": state["events"] + 1}


@ea.reducer("failing", initial={"events": 0}, on_error="set_aside")
def failing(state, event):
    if event.stream_id == "order-150":
        raise ValueError("no more")
    return {"events": state["events"] + 1}
"""


@pytest.fixture
def models(tmp_path):
    path = tmp_path / "models.py"
    path.write_text(MODELS)
    return path


@pytest.fixture
def rows(run):
    """Run a command, and give the rows that it answers with, numbers exact."""

    def answer(*args):
        done = run(*args, "--format", "json")
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout, parse_float=Decimal)

    return answer


def shown(value):
    """Write a value as JSON reads it."""
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, dict):
        return {name: shown(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return Decimal(str(value)) if isinstance(value, float) else value


def truth(result, *order):
    found = [shown(row) for row in result]
    return sorted(found, key=lambda row: [str(row[name]) for name in order]) if order else found


def test_the_history_is_that_of_python_in_order_of_key_and_time(rows, shop, store):
    found = rows("history", shop, ORDERS)
    assert found == truth(ea.history(store, orders), "order_id", "valid_from")
    assert len(found) > 1_000


def test_a_history_takes_all_bounds(rows, shop, store):
    found = rows(
        "history", shop, ORDERS, "--since", "2026-02-10", "--until", "2026-02-28", "--known-at", "2026-02-27",
        "--service", "orders", "--type", "OrderPaid", "--type", "OrderRefunded", "--without", RELEASE,
    )  # fmt: skip
    log = store.log.where(service="orders", type=["OrderPaid", "OrderRefunded"]).known_at("2026-02-27")
    window = {"since": "2026-02-10", "until": "2026-02-28"}
    assert found == truth(ea.history(log.without(RELEASE), orders, **window), "order_id", "valid_from")
    assert 0 < len(found) < len(ea.history(log, orders, **window))


def test_a_history_by_event_has_a_version_for_each(run, tmp_path, rows):
    events = "".join(
        f'{{"stream_id":"a","type":"T","occurred_at":"2026-01-01","version":{n},"n":{n}}}\n' for n in (1, 2, 3)
    )
    (tmp_path / "events.jsonl").write_text(events)
    run("init", tmp_path / "new")
    run("ingest", tmp_path / "new", tmp_path / "events.jsonl")
    assert [row["n"] for row in rows("history", tmp_path / "new", "merged", "--grain", "event")] == [1, 2, 3]
    assert [row["n"] for row in rows("history", tmp_path / "new", "merged")] == [3]


def test_a_history_of_some_columns_goes_to_parquet_and_csv(run, shop, store, tmp_path):
    args = ("history", shop, ORDERS, "--key", "order-150", "--columns", "balance,paid")
    for name in ("a.parquet", "a.csv"):
        assert run(*args, "-o", tmp_path / name).exit_code == 0
    names = ["order_id", "balance", "paid", "valid_from", "valid_to", "event_id", "type", "position"]
    expected = ea.history(store, orders, key="order-150").order_by("valid_from").arrow().select(names)
    assert pq.read_table(tmp_path / "a.parquet").equals(expected)
    header, *lines = csv.reader(io.StringIO((tmp_path / "a.csv").read_text()))
    assert header == names
    assert [Decimal(line[1]) for line in lines] == expected["balance"].to_pylist()


def test_a_history_in_a_narrow_terminal_tells_when_and_why_and_what_changed(run, shop):
    done = run("history", shop, ORDERS, "--key", "order-150", columns=80)
    header, _, *lines = done.stdout.splitlines()
    assert header.split()[:3] == ["valid_from", "type", "status"]
    assert lines[-1].startswith("2026-02-25 06:16:06Z  OrderRefunded    refunded")
    assert max(map(len, lines)) <= 80
    assert "--columns A,B,C picks some" in done.stderr


def test_a_difference_of_two_instants_is_that_of_python_and_counts_rows(run, rows, shop, store):
    args = ("diff", shop, ORDERS, "2026-02-16", "2026-02-17")
    expected = truth(ea.diff(store, orders, "2026-02-16", "2026-02-17"), "order_id", "column")
    assert rows(*args) == expected
    counted = {
        kind: len({row["order_id"] for row in expected if row["change"] == kind}) for kind in ("added", "changed")
    }
    summary = f"{counted['added']} rows added, 0 removed, {counted['changed']} changed\n"
    assert run(*args, "--format", "csv").stderr == summary
    assert run(*args, "--limit", 3).stderr.endswith(f"more rows; --limit 0 shows all\n{summary}")
    assert len(rows(*args, "--limit", 3)) == 3


def test_a_difference_mirrored_removes_what_it_added(run, shop):
    there = run("diff", shop, ORDERS, "2026-02-16", "2026-02-17").stderr.splitlines()[-1]
    back = run("diff", shop, ORDERS, "2026-02-17", "2026-02-16").stderr.splitlines()[-1]
    assert there == "3 rows added, 0 removed, 10 changed"
    assert back == "0 rows added, 3 removed, 10 changed"


def test_without_instants_the_real_log_is_compared_with_the_what_if(run, rows, shop, store):
    log = store.log.at("2026-02-24")
    found = rows("diff", shop, ORDERS, "--without", RELEASE, "--at", "2026-02-24")
    assert found == truth(ea.diff(store, orders, log, log.without(RELEASE)), "order_id", "column")
    assert {row["order_id"] for row in found} == {"order-123", "order-154", "order-169", "order-175"} - {
        row["order_id"] for row in ea.state_at(log, orders) if row["refunds"] < 2
    }
    done = run("diff", shop, ORDERS, "--without", RELEASE)
    assert done.stderr == "0 rows added, 0 removed, 5 changed\n"
    assert done.stdout.splitlines()[2].split() == ["order-123", "changed", "balance", "-79.50", "0.00"]


def test_without_instants_what_was_known_is_compared_with_what_is_known(rows, shop, store):
    found = rows("diff", shop, STOCK, "--known-at", "2026-03-08", "--at", "2026-03-08")
    then, now = store.log.known_at("2026-03-08").at("2026-03-08"), store.log.at("2026-03-08")
    assert found == truth(ea.diff(store, stock, then, now), "sku", "column")
    assert [(row["sku"], row["column"]) for row in found] == [("sku-011", "on_hand"), ("sku-011", "reserved")]


def test_with_instants_the_other_bounds_hold_for_both_states(rows, shop, store):
    args = ("--known-at", "2026-02-25", "--without", RELEASE, "--service", "orders", "--key", "order-123")
    found = rows("diff", shop, ORDERS, "2026-02-01", "2026-02-20", *args)
    log = store.log.where(service="orders").known_at("2026-02-25").without(RELEASE)
    expected = ea.diff(log, orders, "2026-02-01", "2026-02-20", key="order-123")
    assert found == truth(expected, "order_id", "column")
    assert [row["after"] for row in found if row["column"] == "refunds"] == [1]


def test_a_table_of_differences_leaves_out_the_columns_without_value_of_a_new_row(run, rows, shop):
    args = ("diff", shop, ORDERS, "2026-02-17", "2026-02-18", "--key", "order-169")
    columns = [line.split()[2] for line in run(*args, columns=80).stdout.splitlines()[2:]]
    found = rows(*args)
    assert columns == [row["column"] for row in found if row["after"] is not None]
    assert len(columns) < len(found)


def test_an_explanation_is_that_of_python_and_ends_in_the_value(rows, shop, store):
    found = rows("explain", shop, ORDERS, "balance", "--key", "order-150", "--at", "2026-02-25T06:14")
    assert found == truth(ea.explain(store, orders, "order-150", "balance", at="2026-02-25T06:14"))
    assert [row["reason"] for row in found] == [None, None, "later than at"]
    every = rows("explain", shop, ORDERS, "--key", "order-150", "--without", RELEASE, "--known-at", "2026-03-01")
    log = store.log.without(RELEASE).known_at("2026-03-01")
    assert every == truth(ea.explain(log, orders, "order-150"))


def test_an_explanation_of_a_key_of_two_columns(rows, shop, store):
    found = rows("explain", shop, "merged", "method", "--key", "payments", "--key", "payment-150")
    assert found == truth(ea.explain(store, ea.merged(store), ("payments", "payment-150"), "method"))
    assert found[0]["result"] == found[0]["value"] is not None


def test_an_explanation_fits_a_narrow_terminal(run, shop):
    done = run("explain", shop, ORDERS, "balance", "--key", "order-150", columns=80)
    assert done.stdout.splitlines()[0].split() == ["effective_at", "type", "action", "value", "result", "reason"]
    assert done.stderr == "no room for event_id, position, service; --format json shows all columns\n"
    wide = run("explain", shop, ORDERS, "--key", "order-150", columns=200).stdout.splitlines()[0].split()
    assert {"column", "event_id", "position", "service"} < set(wide)


def test_an_unknown_key_has_no_rows(run, shop):
    for command in (("history",), ("explain",), ("diff", "2026-02-01", "2026-03-01")):
        done = run(command[0], shop, ORDERS, *command[1:], "--key", "nobody")
        assert (done.exit_code, done.stderr.splitlines()[0]) == (0, "no rows")


def test_a_bisection_shows_the_event_and_the_row_before_and_after(run, shop):
    lines = run("bisect", shop, ORDERS, "balance < 0", columns=80).stdout.splitlines()
    assert lines[0] == "balance < 0: holds for the first time after"
    assert "event      OrderRefunded ab42cbdaf3300cdf" in lines
    assert "stream     order-123 of orders, version 8" in lines
    assert 'metadata   {"node":"orders-3","release":"2026.02.2"}' in lines
    assert [line.split() for line in lines if line.startswith("*")] == [
        ["*", "balance", "0.00", "-79.50"], ["*", "refunded", "79.50", "159.00"], ["*", "refunds", "1", "2"],
    ]  # fmt: skip
    assert "  placed_at     2026-02-04 14:19:51Z  2026-02-04 14:19:51Z" in lines


@pytest.mark.parametrize(
    ("predicate", "options", "bounds"),
    [
        ("balance < 0", (), {}),
        ("balance < 0", ("--key", "order-150"), {"key": "order-150"}),
        ("sum(refunded) > 1000", ("--at", "2026-03-01"), {"at": "2026-03-01"}),
        ("balance < 0", ("--known-at", "2026-02-16"), {"known_at": "2026-02-16"}),
        ("total < -1", (), {}),
    ],
)
def test_a_bisection_as_json_is_that_of_python(rows, shop, store, predicate, options, bounds):
    found = ea.bisect(store, orders, predicate, **bounds)
    parts = ("predicate", "event", "key", "before", "after", "aggregates")
    assert rows("bisect", shop, ORDERS, predicate, *options) == {part: shown(getattr(found, part)) for part in parts}


def test_a_bisection_that_finds_nothing_says_never_and_is_no_failure(run, shop):
    done = run("bisect", shop, ORDERS, "balance < 0", "--without", RELEASE)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "never: balance < 0\n", "")


def test_a_bisection_says_that_there_was_no_row_before(run, shop):
    assert run("bisect", shop, ORDERS, "status = 'placed'").stdout.endswith("there was no such row before\n")


def test_snapshots_are_taken_listed_refreshed_and_dropped_and_change_no_answer(here, run, rows):
    before = rows("state", "shop", ORDERS, "--at", "2026-03-03")
    assert run("snapshot", "take", "shop", ORDERS, "--at", "2026-03-01").stderr.startswith(
        "took orders at 2026-02-28 20:25:56Z, up to position 3,768: 210 rows, "
    )
    with ea.Store.open(here / "shop") as store:
        (taken,) = ea.snapshots(store)
        names = ("projection", "at", "position", "rows", "size", "created_at", "path")
        assert rows("snapshot", "list", "shop") == [{name: shown(getattr(taken, name)) for name in names}]
        assert rows("state", "shop", ORDERS, "--at", "2026-03-03") == before
        assert run("snapshot", "refresh", "shop", ORDERS).stderr.startswith("refreshed orders at 2026-03-31")
        assert [one.rows for one in ea.snapshots(store)] == [320]
        run("snapshot", "take", "shop", ORDERS, "--at", "2026-02-01")
        missed = run("snapshot", "drop", "shop", "orders", "--at", "2026-02-01")
        assert missed.exit_code == 1
        assert missed.stderr.endswith("there are those at 2026-01-31 21:54:07Z, 2026-03-31 22:50:26Z\n")
        assert run("snapshot", "drop", "shop", "orders", "--at", "2026-03-31 22:50:26Z").exit_code == 0
        assert len(ea.snapshots(store)) == 1
        assert run("snapshot", "drop", "shop", "orders").stderr.startswith("dropped orders at 2026-01-31")
        assert ea.snapshots(store) == []
    assert run("snapshot", "drop", "shop", "orders").stderr.endswith("'orders'; there is none at all\n")
    assert run("snapshot", "list", "shop").stderr == "no rows\n"


def test_a_warning_is_one_line_on_stderr(here, spawn):
    with ea.Store.open(here / "shop") as store:
        path = ea.snapshot(store, orders).path
    with open(path, "r+b") as file:  # noqa: PTH123  in place
        file.truncate(100)
    done = spawn("state", here / "shop", ORDERS, "--format", "csv")
    assert done.returncode == 0
    assert done.stderr.decode().startswith(f"warning: snapshot '{path}' is missing, truncated or altered")
    assert done.stderr.decode().count("\n") == 1
    assert done.stdout.decode().count("\n") == 321


def test_state_and_sql_take_conditions_out_of_the_log(rows, shop, store):
    conditions = ("--without", RELEASE, "--without", "type = 'CouponApplied'")
    log = store.log.without(RELEASE).without("type = 'CouponApplied'")
    assert rows("state", shop, ORDERS, *conditions) == truth(ea.state_at(log, orders), "order_id")
    query = "select type, count(*) as n from events group by all order by type"
    assert rows("sql", shop, query, *conditions) == list(log.sql(query))
    assert rows("sql", shop, query, "--type", "OrderPaid") == [{"type": "OrderPaid", "n": 302}]


def test_some_columns_of_a_state_come_in_the_order_in_which_they_are_named(rows, shop):
    found = rows("state", shop, ORDERS, "--key", "order-150", "--columns", "refunds, balance,order_id")
    assert [list(row.items()) for row in found] == [
        [("order_id", "order-150"), ("refunds", 2), ("balance", Decimal("-318.00"))]
    ]


def test_sql_as_a_projection_answers_state_diff_and_bisect(rows, run, shop, models):
    spec = f"{models}:by_type"
    assert rows("state", shop, spec, "--key", "OrderPaid") == [{"type": "OrderPaid", "events": 302}]
    assert rows("diff", shop, spec, "2026-02-16", "2026-02-17", "--key", "OrderRefunded") == [
        {"type": "OrderRefunded", "change": "changed", "column": "events", "before": 18, "after": 20}
    ]
    assert rows("bisect", shop, spec, "events > 300")["after"] == {"type": "StockReserved", "events": 301}
    for args in (("history", shop, spec), ("explain", shop, spec, "--key", "OrderPaid")):
        done = run(*args)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "SqlProjection 'by_type' has no versions" in done.stderr
        assert "ask state, diff or bisect" in done.stderr
    refused = run("snapshot", "take", shop, spec)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "snapshots are for an ea.Projection" in refused.stderr


def test_a_reducer_answers_and_what_it_prints_is_no_part_of_the_answer(rows, run, shop, models):
    spec, key = f"{models}:seen", ("--key", "orders", "--key", "order-150")
    assert rows("state", shop, spec, *key)[0]["events"] == 9
    assert [row["events"] for row in rows("history", shop, spec, *key)] == list(range(1, 10))
    assert [row["result"] for row in rows("explain", shop, spec, "events", *key)] == list(range(1, 10))
    assert rows("bisect", shop, spec, "events = 9", *key)["event"]["event_id"] == "8568c428f7925977"
    assert rows("diff", shop, spec, "2026-02-24", "2026-02-26", *key)[0]["column"] == "events"
    done = run("state", shop, spec, *key, "--format", "csv")
    assert done.stdout == "service,stream_id,events,last\norders,order-150,9,2026-02-25T06:16:06.977915Z\n"
    assert set(done.stderr.splitlines()) == {"a word from the reducer"}


def test_a_reducer_of_a_file_runs_in_several_processes(spawn, shop, models):
    done = spawn("state", shop, f"{models}:apart", "--format", "csv", "--service", "orders")
    assert done.returncode == 0, done.stderr
    assert "orders,order-150,9" in done.stdout.decode().splitlines()


def test_streams_set_aside_are_told_of_in_a_warning(run, shop, models):
    done = run("state", shop, f"{models}:failing", "--format", "csv", "--service", "orders")
    assert done.exit_code == 0
    assert done.stderr.startswith("warning: reducer 'failing' set 1 stream aside")
    assert done.stdout.count("\n") == 320


MISUSES = [
    (("diff", ORDERS), "there is nothing to compare; give BEFORE and AFTER, --without or --known-at"),
    (("diff", ORDERS, "2026-02-01"), "there is one instant, and two are compared; give BEFORE and AFTER"),
    (("diff", ORDERS, "2026-02-01", "2026-02-02", "--at", "2026-02-01"), "--at is for comparing two logs"),
    (("diff", ORDERS, "soon", "2026-02-02"), "'soon' is no instant"),
    (("explain", ORDERS, "balance"), "Missing option '--key'"),
    (("explain", "merged", "--key", "x"), "the key has 2 columns (service, stream_id), 1 were given"),
    (("history", ORDERS, "--key", "a", "--key", "b"), "the key has 1 column (order_id), 2 were given"),
    (("history", ORDERS, "--columns", "balanse"), "there is no column 'balanse'; there is 'balance'"),
    (("history", ORDERS, "--grain", "day"), "'day' is not one of"),
    (("bisect", ORDERS, "balance <"), "Invalid value for 'PREDICATE': not a SQL condition: 'balance <'"),
    (("state", ORDERS, "--without", "nope"), "Invalid value for '--without': Binder Error: Referenced column \"nope\""),
    (("state", ORDERS, "--without", "type ="), "Invalid value for '--without': not a SQL condition"),
    (("state", ORDERS, "--without", "data.amount > 1"), "cast it: data.amount::decimal(18, 2)"),
]
FAILURES = [
    (("explain", ORDERS, "balanse", "--key", "order-1"), "it has no column 'balanse'; there is 'balance'"),
    (("bisect", ORDERS, "balanse < 0"), "the predicate names 'balanse', which is no column; there is 'balance'"),
    (("bisect", ORDERS, "balance"), "is no condition, but a value of type"),
    (("state", ORDERS, "--without", "(select 1 from read_csv('x')) = 1"), "load files with esanalytics ingest"),
]


@pytest.mark.parametrize(("args", "message"), MISUSES)
def test_a_misuse_exits_with_2_and_says_what_would_do(run, shop, args, message):
    done = run(args[0], shop, *args[1:])
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert "LINE" not in done.stderr


@pytest.mark.parametrize(("args", "message"), FAILURES)
def test_a_failure_exits_with_1_and_one_message(run, shop, args, message):
    done = run(args[0], shop, *args[1:])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr


def test_a_snapshot_of_an_empty_store_says_what_to_do(run, tmp_path):
    run("init", tmp_path / "new")
    done = run("snapshot", "take", tmp_path / "new", ORDERS)
    assert done.exit_code == 1
    assert done.stderr.endswith("there is no event to take a snapshot of; ingest events first\n")


def test_a_file_named_like_a_module_in_use_hides_it_not(here, run):
    (here / "json.py").write_text((here / "orders.py").read_text())
    assert run("state", "shop", "json.py:orders", "--key", "order-1", "--format", "json").exit_code == 0
