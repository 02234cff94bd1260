"""What another tool found in a log of cases, asked of the log here; used by two data sets."""

import datetime as dt
from collections import Counter

import pytest

import esanalytics as ea

CASES = ea.Projection(
    "cases",
    key={"case": ea.stream_id},
    on={
        "*": {
            "trace": ea.append(ea.type_),
            "first": ea.first(ea.type_),
            "last": ea.type_,
            "began": ea.min_(ea.effective_at),
            "ended": ea.max_(ea.effective_at),
        }
    },
)


def cases(log, at=None):
    return {row["case"]: row for row in ea.state_at(log, CASES, at)}


def as_of(log, at):
    """How many events there were, and cases started and open (begun, and with something yet to come)."""
    whole, instant = cases(log), dt.datetime.fromisoformat(at)
    then = cases(log, at)
    return {
        "at": at,
        "events_until": sum(len(row["trace"]) for row in then.values()),
        "cases_started": len(then),
        "cases_open_at_pm4py_traces_intersecting": sum(whole[key]["ended"] >= instant for key in then),
    }


def directly_follows(log):
    found = log.sql("""
        select type as a, next as b, count(*) as n from (
            select type, lead(type) over (partition by stream_id order by effective_at, version, position) as next
            from events
        ) where next is not null group by all
    """)
    return {(row["a"], row["b"]): row["n"] for row in found}


def durations(log):
    [row] = log.sql("""
        with cases as (select epoch(max(effective_at)) - epoch(min(effective_at)) as s from events group by stream_id)
        select count(*) as n, avg(s) as mean, median(s) as median, max(s) as max, min(s) as min from cases
    """)
    return row


def check(log, oracle):
    """Compare everything that the oracle says of the whole log."""
    rows = cases(log)
    assert log.count() == oracle["events"]
    assert len(rows) == oracle["cases"]
    assert {row["type"]: row["events"] for row in log.types()} == oracle["activities"]
    assert Counter(row["first"] for row in rows.values()) == oracle["start_activities"]
    assert Counter(row["last"] for row in rows.values()) == oracle["end_activities"]
    assert directly_follows(log) == {(a, b): n for a, b, n in oracle["dfg"]}
    variants = Counter(tuple(row["trace"]) for row in rows.values())
    assert len(variants) == oracle["n_variants"]
    assert {tuple(trace): variants[tuple(trace)] for trace, _ in oracle["top20_variants"]} == {
        tuple(trace): n for trace, n in oracle["top20_variants"]
    }
    assert durations(log) == pytest.approx(oracle["case_duration_seconds"])
    [row] = log.sql("select min(effective_at) as first, max(effective_at) as last from events")
    assert [str(row["first"]), str(row["last"])] == [oracle["time_min"], oracle["time_max"]]
