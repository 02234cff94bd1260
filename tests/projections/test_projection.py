"""What a projection refuses, how rules win, and what the words mean, by example."""

import copy
import datetime as dt
import pickle
from decimal import Decimal

import engine
import pytest

from esanalytics.errors import CompileError, ProjectionError
from esanalytics.events import by_time
from esanalytics.projections import (
    Projection,
    add,
    append,
    case,
    coalesce,
    column_names,
    count,
    delete,
    effective_at,
    field,
    first,
    fold,
    is_null,
    keep,
    max_,
    merged_projection,
    min_,
    paths,
    remove,
    stream_id,
    unify,
)


@pytest.fixture(scope="module")
def con():
    return engine.connect()


@pytest.fixture
def both(con):
    """Fold in Python and in DuckDB, and see that they agree."""

    def run(on, events, key="stream_id"):
        projection = Projection("p", key, on)
        engine.load(con, events)
        held = engine.held(con, projection)
        found, _ = engine.rows(con, projection, by_time(), held)
        assert found == fold(projection, events, held)
        return found

    return run


SQUARE = field("x", "DECIMAL(18,2)") * field("x", "DECIMAL(18,2)")


def x(values):
    return [("A", {"x": value}) for value in values]


@pytest.mark.parametrize(
    ("assignment", "values", "wanted"),
    [
        (field("x"), [1, None], None),
        (keep(field("x")), [1, None], 1),
        (add(field("x")), [1, None, 2], 3),
        (add(field("x")), [None], 0),
        (add(field("x", "BIGINT")), ["7", "x"], 7),
        (count, [None, None], 2),
        (min_(field("x")), [3, 1, None], 1),
        (max_(field("x")), ["a", "é", None], "é"),
        (first(field("x")), [None, 4, 5], 4),
        (append(field("x")), [2, None, 1], [2, 1]),
        (append(field("x")), [None], []),
        (field("x"), [1, "a"], "a"),
        (field("x") / 0, [5], None),
        (field("x") / 2, [5], 2.5),
        (field("x") == None, [5], None),  # noqa: E711  NULL is not a value
        (is_null(field("x")), [None], True),
        (case((field("x") > 3, "large"), else_="small"), [5], "large"),
        (case((field("x") > 3, "large"), else_="small"), [None], "small"),
        (coalesce(field("x"), 9), [None, None], 9),
        ((field("x") > 3) | True, [None], True),
        (SQUARE, [Decimal("9999999999.99")], Decimal("99999999999800000000.0001")),
    ],
)  # fmt: skip
def test_what_an_assignment_means(both, assignment, values, wanted):
    assert both({"A": {"c": assignment}}, engine.stream(*x(values))) == {("x",): {"c": wanted}}


@pytest.mark.parametrize(
    ("family", "after_set", "after_null"),
    [(add, 15, 5), (min_, 5, 5), (max_, 10, 5), (first, 10, 5)],
)
def test_what_is_set_is_where_accumulating_goes_on(both, family, after_set, after_null):
    on = {"Set": {"c": field("x")}, "A": {"c": family(field("x"))}}
    before = [("A", {"x": 100}), ("A", {"x": 1})]
    assert both(on, engine.stream(*before, ("Set", {"x": 10}), *x([5]))) == {("x",): {"c": after_set}}
    assert both(on, engine.stream(*before, ("Set", {"x": None}), *x([5]))) == {("x",): {"c": after_null}}
    assert both(on, engine.stream(*before, ("Set", {"x": None}), *x([None]))) == {("x",): {"c": None}}


def test_a_list_loses_what_is_removed_and_may_get_it_again(both):
    on = {"Add": {"c": append(field("x"))}, "Gone": {"c": remove(field("x"))}, "Reset": {"c": field("l", "VARCHAR[]")}}
    added = [("Add", {"x": value}) for value in ("a", "b", "a")]
    gone = ("Gone", {"x": "a"})
    assert both(on, engine.stream(*added, gone)) == {("x",): {"c": ["b"]}}
    assert both(on, engine.stream(*added, gone, added[0])) == {("x",): {"c": ["b", "a"]}}
    reset = ("Reset", {"l": ["a", "c", None]})
    assert both(on, engine.stream(*added, reset, gone, added[1])) == {("x",): {"c": ["c", None, "b"]}}
    assert both(on, engine.stream(*added, gone, reset)) == {("x",): {"c": ["a", "c", None]}}


def test_delete_ends_the_row_and_a_later_event_begins_it_anew(both):
    on = {"A": {"n": count, "last": field("x")}, "Gone": delete}
    assert both(on, engine.stream(("Gone", {}))) == {}
    assert both(on, engine.stream(*x([1, 2]), ("Gone", {}))) == {}
    assert both(on, engine.stream(*x([1, 2]), ("Gone", {}), *x([None]))) == {("x",): {"n": 1, "last": None}}


RULES = {
    "more specific wins by column": (
        {"*": {"a": 1, "b": 1, "c": 1}, "A": {"a": 2, "b": 2}, ("s", "A"): {"a": 3}},
        {"a": 3, "b": 2, "c": 1},
    ),
    "another service": ({"A": {"a": 2}, ("t", "A"): {"a": 3}}, {"a": 2}),
    "a less specific delete hides what is less specific still": (
        {"*": {"b": 1}, "A": delete, ("s", "A"): {"a": 3}},
        {"b": None, "a": 3},
    ),
    "the most specific is delete": ({"*": {"a": 1}, "A": {"a": 2}, ("s", "A"): delete}, None),
    "everything is deleted but one type": ({"*": delete, "A": {"a": 2}}, {"a": 2}),
    "type is deleted": ({"*": {"a": 1}, "A": delete}, None),
    "no rule": ({"B": {"a": 1}}, None),
    "a rule without columns makes a row": ({"A": {}}, {}),
}


@pytest.mark.parametrize("name", RULES)
def test_which_rule_wins(both, name):
    on, wanted = RULES[name]
    assert both(on, engine.stream(("A", {}))) == ({} if wanted is None else {("x",): wanted})


def test_order_is_time_then_version_then_position(both):
    at = engine.START
    events = [
        engine.event("A", {"x": "version 2"}, position=1, version=2, effective_at=at),
        engine.event("A", {"x": "version 1"}, position=2, version=1, effective_at=at),
        engine.event("A", {"x": "no version"}, position=3, effective_at=at),
        engine.event("A", {"x": "earlier"}, position=4, version=9, effective_at=at - dt.timedelta(microseconds=1)),
    ]
    assert both({"A": {"c": append(field("x"))}}, events) == {
        ("x",): {"c": ["earlier", "no version", "version 1", "version 2"]}
    }


def test_keys_are_columns_paths_and_expressions(both):
    events = [engine.event("A", {"o": {"id": 7}}, position=1), engine.event("A", {"o": {}}, position=2)]
    assert both({"A": {"n": count}}, events, key="o.id") == {(7,): {"n": 1}}
    either = {"who": coalesce(field("o.id", "VARCHAR"), stream_id)}
    assert both({"A": {"n": count}}, events, key=either) == {("7",): {"n": 1}, ("x",): {"n": 1}}
    assert both({"A": {"n": count}}, events, key=("service", "o.id")) == {("s", 7): {"n": 1}}


def test_merged_assigns_what_an_event_has_null_included(con):
    projection = merged_projection(["a", "A", "service", "data_a"])
    assert column_names(projection) == ("service", "stream_id", "a", "data_A", "data_service", "data_data_a")
    events = engine.stream(("E", {"a": 1, "A": "x", "service": "y"}), ("E", {"a": None}), ("F", {"data_a": True}))
    engine.load(con, events)
    found, _ = engine.rows(con, projection, by_time(), engine.held(con, projection))
    assert found == {("s", "x"): {"a": None, "data_A": "x", "data_service": "y", "data_data_a": True}}
    assert found == fold(projection, events)


@pytest.mark.parametrize(
    ("key", "on", "message"),
    [
        ("k", {}, "`on` has no rule"),
        ("k", {"": {}}, "not a kind of event: ''"),
        ("k", {("s", "*"): {}}, "not a kind of event: ('s', '*')"),
        ("k", {"A": "x"}, "not a rule for 'A': 'x'"),
        ("k", {"A": {"c": object}}, "column 'c': not a value of an expression"),
        ("k", {"A": {"K": 1}}, "two columns are named 'k'"),
        ("k", {"A": {"c": 1}, "B": {"C": 1}}, "two columns are named 'c'"),
        (("a.id", "b.id"), {"A": {}}, "the key has two columns named 'id'"),
        ((), {"A": {}}, "the key is empty"),
        ("data", {"A": {}}, "not a key: 'data'"),
        (field("a") + 1, {"A": {}}, "the key has a part without a name"),
        ("k", {"A": {"c": field("a..b")}}, "not a payload path: ('a', '', 'b')"),
        ("k", {"A": {"c": field("a", "MONEY")}}, "field 'a' has the unknown type 'MONEY'"),
        ("k", {"A": {"c": field("a", "DECIMAL(39,2)")}}, "unknown type 'DECIMAL(39,2)'"),
        ("k", {"A": {"c": 2**63}}, "the number 9223372036854775808 is too long"),
        ("k", {"A": {"c": add(1)}, "B": {"c": min_(1)}}, "column 'c' mixes add and min_"),
    ],
)
def test_a_projection_without_meaning_is_refused(key, on, message):
    with pytest.raises(ProjectionError) as error:
        Projection("p", key, on)
    assert str(error.value).startswith("projection 'p': ")
    assert message in str(error.value)
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)


@pytest.mark.parametrize(
    ("value", "types", "message"),
    [
        (add(field("x")), {"VARCHAR"}, "add of VARCHAR in a column of sums; declare a numeric type"),
        (field("x") + 1, {"VARCHAR"}, "'+' needs numbers, field 'x' is VARCHAR; declare a numeric type"),
        (field("x") > 1, {"VARCHAR"}, "VARCHAR is compared with BIGINT; declare the field"),
        (field("x") == "a", {"OBJECT"}, "VARIANT is compared with VARCHAR"),
        (~field("x"), {"BIGINT"}, "'not' needs a condition, field 'x' is BIGINT"),
        (effective_at > "soon", set(), "an instant is compared with text; not an instant: 'soon'"),
        (max_(field("x")), {"ARRAY"}, "max_ cannot order objects and arrays"),
    ],
)
def test_types_that_cannot_meet_are_refused_with_the_place(value, types, message):
    projection = Projection("p", "stream_id", {"A": {"c": value}})
    with pytest.raises(CompileError) as error:
        fold(projection, [], {("x",): {"A": frozenset(types)}})
    assert str(error.value).startswith("projection 'p': column 'c': ")
    assert message in str(error.value)


def test_an_expression_has_no_truth():
    with pytest.raises(TypeError, match="join conditions with"):
        bool(field("a") == 1)


def test_equal_projections_are_equal_and_survive_copying():
    def make(value):
        return Projection("p", "k", {"A": {"c": add(field("a") * value)}, "B": delete})

    assert make(1) == make(1)
    assert make(1) != make(1.0)
    assert len({make(1), make(1), make(2)}) == 2
    assert pickle.loads(pickle.dumps(make(1))) == make(1) == copy.deepcopy(make(1))


def test_the_rules_given_are_copied():
    on = {"A": {"c": 1}}
    projection = Projection("p", "k", on)
    on["A"]["d"] = 2
    assert column_names(projection) == ("k", "c")


def test_paths_are_those_read_with_the_types_they_are_read_from():
    on = {
        "A": {"c": field("a.b"), "d": field("e")},
        ("s", "B"): {"c": case((field("a.b") > 1, 2))},
        "*": {"f": field("e")},
    }
    assert paths(Projection("p", "k", on)) == {("k",): None, ("a", "b"): {"A", "B"}, ("e",): None}


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        (set(), "VARCHAR"),
        ({"VARIANT_NULL"}, "VARCHAR"),
        ({"INT8", "BIGINT", "UINT64"}, "BIGINT"),
        ({"DECIMAL(4, 2)", "INT64"}, "DECIMAL(21,2)"),
        ({"DECIMAL(4,2)", "DECIMAL(10,0)"}, "DECIMAL(12,2)"),
        ({"DECIMAL(38,30)", "BIGINT"}, "DOUBLE"),
        ({"DOUBLE", "DECIMAL(4,2)"}, "DOUBLE"),
        ({"BOOL_TRUE", "BOOL_FALSE"}, "BOOLEAN"),
        ({"TIMESTAMP_MICROS_TZ", "VARIANT_NULL"}, "TIMESTAMPTZ"),
        ({"OBJECT(a, b)", "VARCHAR"}, "VARIANT"),
        ({"STRUCT(a INTEGER)"}, "VARIANT"),
        ({"VARCHAR[]"}, "VARIANT"),
        ({"ARRAY(2)"}, "VARIANT"),
        ({"VARCHAR", "BIGINT"}, "VARCHAR"),
        ({"BOOLEAN", "BIGINT"}, "VARCHAR"),
    ],
)
def test_unify_gives_the_type_that_holds_all(types, wanted):
    assert unify(frozenset(types)) == wanted
