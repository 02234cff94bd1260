"""What a reducer says: its arguments, its calling, its pickling. What it gives is tested in timetravel."""

import copy
import dataclasses
import pickle
from types import SimpleNamespace

import pytest

from esanalytics.errors import ProjectionError, ReducerError, UnsupportedError
from esanalytics.projections import Reducer, beginning, reducer


@reducer("counted", initial={"events": 0})
def counted(state, event):
    return {"events": state["events"] + len(event.type)}


class Holder:
    @reducer("held", initial=0)
    def held(state, _event):  # noqa: N805  a function, wherever it stands
        return state


def test_a_reducer_is_called_like_its_function():
    assert counted({"events": 2}, SimpleNamespace(type="Paid")) == {"events": 6}
    assert (counted.name, counted.on_error, counted.processes) == ("counted", "raise", 1)


def test_a_reducer_is_a_value_that_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        counted.name = "other"
    assert dataclasses.replace(counted, processes=2).processes == 2


@pytest.mark.parametrize("made", [counted, Holder.held])
def test_a_reducer_pickles_by_its_name(made):
    assert pickle.loads(pickle.dumps(made)) is made


def test_a_reducer_that_nobody_finds_by_its_name_does_not_pickle():
    @reducer("hidden", initial=0)
    def hidden(state, _event):
        return state

    for unfindable in (hidden, dataclasses.replace(counted, name="other")):
        with pytest.raises(pickle.PicklingError, match="top of a module"):
            pickle.dumps(unfindable)


@pytest.mark.parametrize("initial", [{"tags": [], "n": {"a": 1}}, [1, [2]], {"n": 1}])
def test_each_stream_begins_with_a_state_of_its_own(initial):
    before = copy.deepcopy(initial)
    made = beginning(Reducer("r", lambda state, _event: state, initial))
    first = made()
    first.clear()
    assert made() == before == initial


def test_a_nested_initial_state_is_copied_to_its_depth():
    made = beginning(Reducer("r", lambda state, _event: state, {"tags": []}))
    made()["tags"].append("x")
    assert made() == {"tags": []}


def test_the_initial_state_may_be_made_by_a_function():
    assert beginning(Reducer("r", lambda state, _event: state, list))() == []


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"name": ""}, ProjectionError, "the name of a reducer is a text"),
        ({"name": counted}, ProjectionError, r"write @ea.reducer\('document'"),
        ({"function": 3}, ProjectionError, "no function of a state and an event"),
        ({"function": lambda state: state}, ProjectionError, r"write def f\(state, event\)"),
        ({"on_error": "skip"}, UnsupportedError, "on_error='skip'; give 'raise' or 'set_aside'"),
        ({"processes": 0}, ProjectionError, "processes=0; give a whole number from 1"),
        ({"processes": True}, ProjectionError, "processes=True"),
        ({"processes": 1.5}, ProjectionError, "processes=1.5"),
        ({"initial": (n for n in ())}, ProjectionError, "initial=lambda"),
    ],
)
def test_what_has_no_meaning_is_refused(given, error, text):
    with pytest.raises(error, match=text):
        Reducer(**{"name": "r", "function": lambda state, _event: state, "initial": 0} | given)


def test_initial_has_to_be_given_by_name():
    with pytest.raises(TypeError):
        reducer("r")
    with pytest.raises(TypeError):
        reducer("r", {})


def test_a_reducer_error_pickles_and_says_what_to_do():
    facts = ("document", "orders", "order-42", 17, "e-42", "OrderPaid", None)
    error = ReducerError(*facts, "raised KeyError: 'x'")
    assert pickle.loads(pickle.dumps(error)).args == error.args
    assert str(error) == (
        "reducer 'document' raised KeyError: 'x' at event 'e-42' (OrderPaid, position 17) of stream 'order-42' of "
        "service 'orders'; mend the reducer, or set such streams aside with on_error='set_aside'"
    )
    assert str(ReducerError(*facts, "returned None", "return the state")).endswith("; return the state")
