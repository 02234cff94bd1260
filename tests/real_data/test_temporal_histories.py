"""1,027 events of 51 workflow runs, written in two spellings: the state of each run, and what is pending."""

import datetime as dt
import gzip
import json
import re
from collections import Counter, defaultdict

import pytest

import esanalytics as ea
from esanalytics import case, coalesce, count, delete, field, type_, version

DATA_SET = "temporal_histories"

MAPPING = {
    "service": ea.sources.constant("workflows"),
    "stream_id": "stream",
    "version": "eventId",
    "type": "eventType",
    "occurred_at": "eventTime",
}


def both(name):
    """The two spellings of an event type."""
    return name, "EVENT_TYPE_" + re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()


def rules(**by_name):
    return {spelling: rule for name, rule in by_name.items() for spelling in both(name)}


RUNS = ea.Projection(
    "runs",
    key={"run": ea.stream_id},
    on={
        "*": {"last_type": type_, "events": count, "last_id": version},
        **rules(
            WorkflowExecutionStarted={"status": "running"},
            WorkflowExecutionCompleted={"status": "completed"},
            WorkflowExecutionFailed={"status": "failed"},
            WorkflowExecutionCanceled={"status": "cancelled"},
        ),
    },
)

ENDS = ("Completed", "Failed", "Canceled", "TimedOut")
SCHEDULED = coalesce(
    *(field(f"activityTask{end}EventAttributes.scheduledEventId", "BIGINT") for end in ("Started", *ENDS))
)
IS_SCHEDULED = (type_ == both("ActivityTaskScheduled")[0]) | (type_ == both("ActivityTaskScheduled")[1])
ACTIVITIES = ea.Projection(
    "activities",
    key={"run": ea.stream_id, "scheduled": case((IS_SCHEDULED, version), else_=SCHEDULED)},
    on=rules(
        ActivityTaskScheduled={"status": "scheduled"},
        ActivityTaskStarted={"status": "started"},
        **{f"ActivityTask{end}": delete for end in ENDS},
    ),
)


@pytest.fixture(scope="module")
def index(folder):
    return {run["stream"]: run for run in json.loads((folder / "index.json").read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def store(folder, tmp_path_factory):
    with ea.Store.create(tmp_path_factory.mktemp("temporal") / "store", partition="year") as store:
        source = ea.sources.jsonl(folder / "events.jsonl.gz", mapping=MAPPING)
        assert store.append(source).appended == 1027
        yield store


@pytest.fixture(scope="module")
def runs(store):
    return {row["run"]: row for row in ea.state_at(store, RUNS)}


def test_every_run_ends_with_the_type_and_number_that_the_index_says(runs, index):
    assert {key: (row["last_type"], row["events"]) for key, row in runs.items()} == {
        key: (run["last_type"], run["events"]) for key, run in index.items()
    }
    assert len(runs) == 51


def test_the_status_of_the_runs_in_both_spellings(runs, index):
    statuses = Counter(row["status"] for row in runs.values())
    assert (statuses["completed"], statuses["failed"], statuses["cancelled"]) == (33, 5, 4)
    spellings = Counter(
        run["last_type"].startswith("EVENT_TYPE_") for key, run in index.items() if runs[key]["status"] == "completed"
    )
    assert spellings == {True: 22, False: 11}


def test_four_activities_are_pending(store):
    assert len(ea.state_at(store, ACTIVITIES)) == 4


def test_sql_over_the_events_finds_the_same_pending_activities(store):
    found = store.log.sql("""
        with activities as (
            select stream_id, version, replace(replace(lower(type), 'event_type_', ''), '_', '') as kind, coalesce(
                data.activityTaskCompletedEventAttributes.scheduledEventId::bigint,
                data.activityTaskFailedEventAttributes.scheduledEventId::bigint) as ended
            from events
        )
        select stream_id as run, version as scheduled from activities where kind = 'activitytaskscheduled'
        except select stream_id, ended from activities
    """)
    pending = {(row["run"], row["scheduled"]) for row in found}
    assert pending == {(row["run"], row["scheduled"]) for row in ea.state_at(store, ACTIVITIES)}


def test_versions_are_the_ids_of_the_history_and_have_no_gap(store, runs):
    found = store.log.sql("""
        select stream_id, min(version) = 1 and max(version) = count(*) and count(distinct version) = count(*) as whole
        from events group by stream_id
    """)
    assert Counter(row["whole"] for row in found) == {True: 51}
    assert all(row["last_id"] == row["events"] for row in runs.values())


def test_where_the_clock_ran_backwards_the_order_is_that_of_the_versions(store, folder):
    times = defaultdict(list)
    with gzip.open(folder / "events.jsonl.gz", "rt", encoding="utf-8") as file:
        for event in map(json.loads, file):
            times[event["stream"]].append(dt.datetime.fromisoformat(event["eventTime"]))
    moved = store.log.sql("select distinct stream_id from events where effective_at > occurred_at")
    backwards = {key for key, found in times.items() if found != sorted(found)}
    assert {row["stream_id"] for row in moved} == backwards
    assert len(backwards) == 11
    seen = {}
    for event in store.log.events():
        assert event["version"] == seen.get(event["stream_id"], 0) + 1
        seen[event["stream_id"]] = event["version"]


def test_an_unknown_field_and_the_payload_own_version_are_kept(store):
    [row] = store.log.sql("""
        select count(data.someNewFieldThatIsAbsentFromTheCurrentProtoSchema) as new,
            count(data.version) as with_version, min(version) as least from events
    """)
    assert row == {"new": 1, "with_version": 106, "least": 1}
