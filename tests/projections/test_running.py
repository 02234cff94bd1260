"""The laws of running values: a row after an event is the fold so far, and a saved state is a beginning."""

import datetime as dt
import math

import engine
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlglot import exp
from test_law import DENSE, dense_logs, dense_projections, logs, projections

from esanalytics import _sql as sql
from esanalytics.errors import CompileError, UnsupportedError
from esanalytics.events import LOWEST_VERSION, by_time, sorting
from esanalytics.projections import fold
from esanalytics.projections._compile import compile_plan
from esanalytics.projections._evaluate import evaluate
from esanalytics.projections._moves import from_saved, moved, moves, saved_moves
from esanalytics.projections._plan import plan_of
from esanalytics.projections._running import compile_versions


@pytest.fixture(scope="module")
def con():
    return engine.connect()


def in_order(events):
    return sorted(
        events,
        key=lambda e: (e["effective_at"], LOWEST_VERSION if e["version"] is None else e["version"], e["position"]),
    )


def planned(con, projection, events):
    """The plan, or None where the projection means nothing on these events."""
    engine.load(con, events)
    held = engine.held(con, projection)
    try:
        fold(projection, events, held)
        return plan_of(projection, held), held
    except (CompileError, UnsupportedError) as error:
        event(f"refused: {type(error).__name__}")
        return None, held


def same(found, wanted):
    """Compare rows; sums of floats may differ in the order in which they were added."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(same(found[name], wanted[name]) for name in wanted)
    if isinstance(wanted, float) and found is not None:
        return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
    return found == wanted


def versions(con, plan):
    source = moves(plan, exp.to_table("log"))
    return engine.table(con, compile_versions(moved(plan), source, by_time(), sorting(by_place=False)))


def check(con, projection, events):
    plan, held = planned(con, projection, events)
    if plan is None:
        return
    rows, nested = versions(con, plan)
    by_position = {row["$position"]: row for row in rows}
    ordered = in_order(events)
    for n, happened in enumerate(ordered, start=1):
        key = tuple(evaluate(value, happened) for value in plan.keys.values())
        state = fold(projection, ordered[:n], held)
        row = by_position.pop(happened["position"], None)
        if row is None:
            assert None in key or state == fold(projection, ordered[: n - 1], held)
            continue
        assert row["$live"] == (key in state)
        if row["$live"]:
            wanted = {c: engine.plain(v) if c in nested else v for c, v in state[key].items()}
            assert same({name: row[name] for name in wanted}, wanted)
    assert not by_position


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_after_each_event_the_row_is_the_fold_of_the_events_so_far(con, data):
    check(con, data.draw(projections()), data.draw(logs()))


@pytest.mark.parametrize("family", sorted(DENSE))
@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_family_of_assignments_runs_as_it_folds(con, family, data):
    check(con, data.draw(dense_projections(family)), data.draw(dense_logs()))


def resumed(con, projection, events, cut):
    """Fold the first events, save that state, and fold the others from it; and all events at once."""
    plan, held = planned(con, projection, events)
    if plan is None:
        return None
    ordered = in_order(events)
    engine.load(con, ordered[:cut])
    con.execute(f"CREATE OR REPLACE TABLE saved AS {sql.text(compile_plan(plan, exp.to_table('log'), by_time()))}")
    before = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    engine.load(con, ordered[cut:])
    source = exp.union(
        moves(plan, exp.to_table("log")),
        saved_moves(plan, exp.to_table("saved"), sql.literal(before)),
        distinct=False,
        by_name=True,
    )
    return from_saved(moved(plan)), source, held


@pytest.mark.parametrize("family", [*sorted(DENSE), "any"])
@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_fold_from_a_saved_state_is_the_fold_of_everything(con, family, data):
    projection, events = (
        (data.draw(projections()), data.draw(logs()))
        if family == "any"
        else (data.draw(dense_projections(family)), data.draw(dense_logs()))
    )
    cut = data.draw(st.integers(0, len(events)))
    found = resumed(con, projection, events, cut)
    if found is None:
        return
    plan, source, held = found
    rows, nested = engine.table(con, compile_plan(plan, source.subquery(), by_time()))
    names = list(plan.keys)
    state = {tuple(row[name] for name in names): {k: v for k, v in row.items() if k not in names} for row in rows}
    wanted = {
        key: {c: engine.plain(v) if c in nested else v for c, v in row.items()}
        for key, row in fold(projection, events, held).items()
    }
    assert same(state, wanted)
