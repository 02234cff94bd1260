"""2,900 audit records of a cloud account, delivered out of order: what lives in it at the end."""

import gzip
import random

import pytest

import esanalytics as ea
from esanalytics import add, case, delete, field, is_null, occurred_at

DATA_SET = "cloudtrail"

MAPPING = {
    "event_id": "eventID",
    "service": "eventSource",
    "stream_id": "recipientAccountId",
    "type": "eventName",
    "occurred_at": "eventTime",
}
WORKED = is_null(field("errorCode", "VARCHAR"))


def living(name, path, begin, end, begin_path=None):
    """One row per thing that was made and not deleted, by calls that worked."""
    thing = ea.coalesce(field(path, "VARCHAR"), field(begin_path or path, "VARCHAR"))
    return ea.Projection(
        name,
        key={"name": case((WORKED, thing))},
        on={begin: {"made_at": occurred_at}, end: delete},
    )


ROLES = living("roles", "requestParameters.roleName", "CreateRole", "DeleteRole")
USERS = living("users", "requestParameters.userName", "CreateUser", "DeleteUser")
KEYS = living(
    "keys",
    "requestParameters.accessKeyId",
    "CreateAccessKey",
    "DeleteAccessKey",
    "responseElements.accessKey.accessKeyId",
)
PARAMETERS = living("parameters", "requestParameters.name", "PutParameter", "DeleteParameter")


def one_if_it_worked():
    return case((WORKED, 1), else_=0)


BALANCE = ea.Projection(
    "balance",
    key="service",
    on={
        "CreateRole": {"roles": add(one_if_it_worked()), "roles_made": add(one_if_it_worked())},
        "DeleteRole": {"roles": add(-one_if_it_worked())},
        "CreateUser": {"users": add(one_if_it_worked()), "users_made": add(one_if_it_worked())},
        "DeleteUser": {"users": add(-one_if_it_worked())},
        "CreateAccessKey": {"keys": add(one_if_it_worked()), "keys_made": add(one_if_it_worked())},
        "DeleteAccessKey": {"keys": add(-one_if_it_worked())},
        "PutParameter": {"parameters": add(one_if_it_worked()), "put": add(one_if_it_worked())},
        "DeleteParameter": {"parameters": add(-one_if_it_worked()), "calls": add(1)},
    },
)


@pytest.fixture(scope="module")
def store(folder, tmp_path_factory):
    with ea.Store.create(tmp_path_factory.mktemp("cloudtrail") / "store") as store:
        source = ea.sources.jsonl(folder / "events.jsonl.gz", mapping=MAPPING)
        assert store.append(source).appended == 2900
        yield store


def balances(log):
    return {row["service"]: row for row in ea.state_at(log, BALANCE)}


def test_what_was_made_was_deleted_again_but_for_two_parameters(store):
    iam = balances(store)["iam.amazonaws.com"]
    assert (iam["roles_made"], iam["users_made"], iam["keys_made"]) == (13, 4, 2)
    assert (iam["roles"], iam["users"], iam["keys"]) == (0, 0, 0)
    ssm = balances(store)["ssm.amazonaws.com"]
    assert (ssm["put"], ssm["parameters"]) == (42, 2)


@pytest.mark.parametrize(("projection", "left"), [(ROLES, 0), (USERS, 0), (KEYS, 0), (PARAMETERS, 2)])
def test_the_things_that_live_at_the_end(store, projection, left):
    assert len(ea.state_at(store, projection)) == left


def test_what_lives_at_each_moment_is_what_was_made_and_not_yet_deleted(store):
    changes = store.log.where("data.errorCode is null", type=["CreateRole", "DeleteRole"]).events()
    alive, moments = set(), {}
    for event in changes:
        name = event["data"]["requestParameters"]["roleName"]
        alive = alive | {name} if event["type"] == "CreateRole" else alive - {name}
        moments[event["effective_at"]] = alive
    roles = store.log.where(service="iam.amazonaws.com")
    assert max(map(len, moments.values())) > 1
    for moment, expected in moments.items():
        assert {row["name"] for row in ea.state_at(roles, ROLES, moment)} == expected


def test_throttled_calls_change_nothing(store):
    throttled = "data.errorCode::varchar = 'ThrottlingException'"
    assert store.log.where(throttled, type="DeleteParameter").count() == 38
    without = store.log.without(throttled)
    assert ea.state_at(without, PARAMETERS).arrow().sort_by("name") == ea.state_at(store, PARAMETERS).arrow().sort_by(
        "name"
    )
    there, gone = balances(store)["ssm.amazonaws.com"], balances(without)["ssm.amazonaws.com"]
    assert (there["parameters"], gone["parameters"]) == (2, 2)
    assert (there["calls"], gone["calls"]) == (78, 40)


def test_the_records_came_out_of_order_and_are_folded_in_order(store):
    [row] = store.log.sql("""
        select count(*) filter (back) as inversions from (
            select occurred_at < lag(occurred_at) over (order by position) as back from events)
    """)
    assert row["inversions"] == 683
    times = [event["effective_at"] for event in store.log.events()]
    assert times == sorted(times)


def test_shuffled_deliveries_in_several_appends_give_the_same(store, folder, tmp_path):
    with gzip.open(folder / "events.jsonl.gz", "rb") as file:
        lines = file.readlines()
    random.Random(11).shuffle(lines)
    with ea.Store.create(tmp_path / "store") as other:
        for number in range(3):
            part = tmp_path / f"part-{number}.jsonl"
            part.write_bytes(b"".join(lines[number::3]))
            other.append(ea.sources.jsonl(part, mapping=MAPPING))
        assert balances(other) == balances(store)
        for projection in (ROLES, PARAMETERS):
            answers = [ea.state_at(log, projection).arrow().sort_by("name") for log in (store, other)]
            assert answers[0] == answers[1]


def test_a_nested_field_that_few_records_have_is_read_where_it_is(store):
    [row] = store.log.sql("""
        select count(data.errorCode) as errors, count(data.userIdentity.sessionContext.attributes.mfaAuthenticated)
            as sessions, count(*) as records from events
    """)
    assert 0 < row["errors"] < row["sessions"] < row["records"] == 2900
