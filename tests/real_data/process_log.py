"""What another tool found in a log of cases, asked of the log here; two data sets answer to it."""

import datetime as dt
import json
import random
from collections import Counter

import pandas as pd
import pyarrow as pa
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
PROGRESS = ea.Projection(
    "progress",
    key={"case": ea.stream_id},
    on={"*": {"events": ea.count, "last": ea.type_, "ended": ea.max_(ea.effective_at)}},
)
MICROSECOND = dt.timedelta(microseconds=1)


def read_oracle(path):
    return json.loads(path.read_text(encoding="utf-8"))


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


def times_of(log):
    """The instants of the events of each case."""
    found = log.sql("select stream_id as name, list(effective_at) as times from events group by all")
    return {row["name"]: row["times"] for row in found}


def probes(times, count):
    """A frame of cases, some of which there are not, and instants: at an event, beside one, at the ends, none."""
    chosen = random.Random(17)
    names = [*sorted(times), "no such case", None]
    asked = [(case, chosen.choice(times[case])) for case in chosen.sample(sorted(times), 3)]
    asked = [(case, at + beside) for case, at in asked for beside in (-MICROSECOND, 0 * MICROSECOND, MICROSECOND)]
    instants = [*(at for _, at in asked), max(map(max, times.values())), None]
    asked += [(chosen.choice(names), chosen.choice(instants)) for _ in range(count)]
    chosen.shuffle(asked)
    return [{"n": n, "case": case, "at": at} for n, (case, at) in enumerate(asked)]


class Questions:
    """The tests of both logs; a module that has fixtures ``store`` and ``oracle`` inherits them."""

    def test_counts_starts_ends_variants_and_durations_are_those_of_the_other_tool(self, store, oracle):
        log = store.log
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

    def test_the_cases_started_and_open_at_an_instant_are_those_of_the_other_tool(self, store, oracle):
        assert [as_of(store, block["at"]) for block in oracle["asof"]] == oracle["asof"]

    def test_one_join_of_all_cases_with_all_instants_gives_the_same_numbers(self, store, oracle):
        names = sorted(times_of(store.log))
        instants = [*(block["at"] for block in oracle["asof"]), oracle["time_max"]]
        frame = {"case": names * len(instants), "at": [at for at in instants for _ in names]}
        found = ea.join_asof(pa.table(frame), store, PROGRESS, key="case", at="at").df()
        assert found[["case", "at"]].to_dict("list") == frame
        *thens, whole = (found.iloc[start : start + len(names)] for start in range(0, len(found), len(names)))
        ended = whole["ended"].to_numpy()
        assert [
            {
                "at": at,
                "events_until": then["events"].sum(),
                "cases_started": then["events"].count(),
                "cases_open_at_pm4py_traces_intersecting": (then["events"].notna() & (ended >= pd.Timestamp(at))).sum(),
            }
            for at, then in zip(instants, thens, strict=False)
        ] == oracle["asof"]

    def test_a_join_at_random_cases_and_instants_gives_the_state_there_and_keeps_the_rows(self, store):
        frame = probes(times_of(store.log), 600)
        found = ea.join_asof(frame, store, PROGRESS, key="case", at="at").arrow().to_pylist()
        nothing = {"events": None, "last": None, "ended": None}
        states = {None: {}}
        for at in {row["at"] for row in frame} - {None}:
            rows = ea.state_at(store, PROGRESS, at).arrow().to_pylist()
            states[at] = {row.pop("case"): row for row in rows}
        assert sum(row["events"] is not None for row in found) > 200
        assert found == [{**row, **states[row["at"]].get(row["case"], nothing)} for row in frame]

    def test_history_has_a_version_for_each_instant_of_a_case_and_by_event_for_each_event(self, store):
        times = times_of(store.log)
        by_instant = ea.history(store, PROGRESS).arrow().to_pydict()
        assert Counter(by_instant["case"]) == {case: len(set(found)) for case, found in times.items()}
        by_event = ea.history(store, PROGRESS, grain="event").arrow().to_pydict()
        assert Counter(by_event["case"]) == {case: len(found) for case, found in times.items()}
        for case, begin in zip(by_event["case"], by_event["valid_from"], strict=True):
            times[case].remove(begin)
        assert not any(times.values())

    def test_the_versions_that_hold_at_an_instant_are_the_cases_started_by_then(self, store, oracle):
        versions = ea.history(store, PROGRESS).df()
        begins = ea.history(store, PROGRESS, grain="event").df()["valid_from"]
        found = []
        for at in [block["at"] for block in oracle["asof"]]:
            now = pd.Timestamp(at)
            holding = versions[(versions["valid_from"] <= now) & ~(versions["valid_to"] <= now)]
            coming = holding["valid_to"].notna() | (holding["valid_from"] == now)
            found.append(
                {
                    "at": at,
                    "events_until": (begins <= now).sum(),
                    "cases_started": len(holding),
                    "cases_open_at_pm4py_traces_intersecting": coming.sum(),
                }
            )
        assert found == oracle["asof"]
