"""The law: the query gives the rows that the Python fold gives."""

import datetime as dt
import operator
from decimal import Decimal

import engine
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from esanalytics.errors import CompileError, UnsupportedError
from esanalytics.events import by_position, by_time
from esanalytics.projections import (
    Projection,
    add,
    append,
    case,
    coalesce,
    delete,
    effective_at,
    field,
    first,
    fold,
    is_null,
    keep,
    key_columns,
    max_,
    merged_projection,
    min_,
    position,
    remove,
    service,
    stream_id,
    version,
)

INSTANTS = [engine.START + dt.timedelta(hours=n, microseconds=n * 500) for n in range(3)]
NUMBERS = st.integers(-3, 12) | st.sampled_from([0.5, 2.5, -1.25]) | st.sampled_from([Decimal("1.50"), Decimal("-0.3")])
TEXTS = st.sampled_from(
    ["", "a", "é", "日本", "it's", "12 ", "7", "1.5", "-3", "true", "2026-01-02", "\U0001f600", "a\nb"]
)
DATES = st.sampled_from([dt.date(2026, 1, 2), INSTANTS[1]])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | DATES
NESTED = st.sampled_from([{}, [], {"k": 3}, [1, "x", None], {"k": None, "j": {"i": "é"}}])
ABSENT = "absent"
DATA = st.fixed_dictionaries(
    {
        "i": st.integers(-3, 12) | st.none() | st.just(ABSENT),
        "n": NUMBERS | st.none() | st.just(ABSENT),
        "t": TEXTS | st.none() | st.just(ABSENT),
        "b": st.sampled_from([True, False, None, ABSENT]),
        "w": SCALARS | st.just(ABSENT),
        "v": SCALARS | NESTED | st.just(ABSENT),
        "o": st.fixed_dictionaries({}, optional={"k": st.integers(0, 2) | TEXTS | st.none(), "a.b": NUMBERS})
        | st.just(3),
        "l": st.lists(TEXTS | st.none(), max_size=3) | st.integers(0, 3),
        "when": st.sampled_from(["2026-01-01", "2026-01-01T10:00:00.25Z", "nope", ABSENT]) | DATES,
    },
).map(lambda data: {key: value for key, value in data.items() if value is not ABSENT})
TYPES = ["A", "B", "C"]


@st.composite
def logs(draw, *, in_order=False):
    size = draw(st.sampled_from([9, 6, 12, 2, 0]))
    positions = range(1, size + 1) if in_order else draw(st.permutations(range(1, size + 1)))
    versions = {key: draw(st.permutations(range(1, size + 1))) for key in ("x", "y")}
    versioned = draw(st.sets(st.sampled_from(["x", "y"])))
    found = []
    for n, place in enumerate(positions):
        stream = draw(st.sampled_from(["x", "y"]))
        given_version = None if stream not in versioned else n if in_order else versions[stream][n]
        found.append(
            engine.event(
                draw(st.sampled_from(TYPES)),
                draw(DATA),
                position=place,
                service=draw(st.sampled_from(["s", "t"])),
                stream_id=stream,
                version=given_version,
                effective_at=INSTANTS[0] + dt.timedelta(hours=n) if in_order else draw(st.sampled_from(INSTANTS)),
                correlation_id=draw(st.sampled_from([None, "c", "d"])),
            )
        )
    return found


def fields(*names):
    return st.sampled_from([field(name) for name in names])


INTEGER_FIELDS = fields("i", "n") | st.sampled_from(
    [
        field("i", "BIGINT"),
        field("t", "INTEGER"),
        field("w", "BIGINT"),
        field("n", "SMALLINT"),
        field("b", "BIGINT"),
    ]
)
NUMBER_FIELDS = INTEGER_FIELDS | st.sampled_from(
    [field("n", "DOUBLE"), field("n", "DECIMAL(18,2)"), field("w", "DECIMAL(6,1)"), field("i", "DECIMAL(10,3)"),
     field("t", "DECIMAL(18,2)"), field(("o", "a.b")), field("o.k", "BIGINT"), version]
)  # fmt: skip
NUMBER_CONSTANTS = st.sampled_from([0, 1, -2, 0.5, Decimal("0.25"), None])
ARITHMETIC = st.sampled_from([operator.add, operator.sub, operator.mul])
numbers = st.recursive(
    NUMBER_FIELDS,
    lambda inner: (
        st.builds(
            lambda f, a, b: f(a, b),
            ARITHMETIC,
            inner,
            inner | st.sampled_from([2, 0.5, Decimal("1.5")]),
        )
        | st.builds(lambda a, b: a / b, inner, st.sampled_from([0, 2, 0.5]))
        | st.builds(lambda a: -a, inner)
        | st.builds(coalesce, inner, NUMBER_CONSTANTS)
        | st.builds(
            lambda c, a, b: case((c, a), else_=b),
            st.deferred(lambda: conditions),
            inner,
            inner | NUMBER_CONSTANTS,
        )
    ),
    max_leaves=3,
)
COMPARE = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
conditions = st.recursive(
    st.builds(lambda f, a, b: f(a, b), st.sampled_from(COMPARE), NUMBER_FIELDS, NUMBER_FIELDS | NUMBER_CONSTANTS)
    | st.builds(lambda f, b: f(field("t"), b), st.sampled_from(COMPARE), st.sampled_from(["a", "é"]))
    | st.builds(lambda f: f(effective_at, "2026-01-01T01:00:00Z"), st.sampled_from(COMPARE))
    | st.sampled_from([field("b"), field("w", "BOOLEAN"), is_null(field("t")), is_null(field("v")), service == "s"]),
    lambda inner: st.builds(lambda a, b: a & b, inner, inner) | st.builds(lambda a, b: a | b, inner, inner)
    | st.builds(lambda a: ~a, inner),
    max_leaves=3,
)  # fmt: skip
TEXT_VALUES = st.sampled_from([field("t"), field("w", "VARCHAR"), field("o.k"), "placed", "é'", service, None])
DATE_VALUES = st.sampled_from([field("when", "TIMESTAMPTZ"), field("when", "DATE"), effective_at, dt.date(2026, 1, 1)])
ANY = numbers | TEXT_VALUES | DATE_VALUES | conditions | fields("w", "v", "absent") | st.just(3)
LISTS = st.sampled_from([None, field("l", "VARCHAR[]")])


def settable(values):
    return values | values.map(keep)


FAMILIES = {
    "set": settable(ANY),
    "add": settable(numbers | st.just(0)) | st.builds(add, numbers | st.just(1)) | st.just(add(1)),
    "min": settable(numbers) | numbers.map(min_),
    "min text": settable(TEXT_VALUES) | (TEXT_VALUES | DATE_VALUES).map(min_),
    "max": settable(DATE_VALUES) | (DATE_VALUES | numbers).map(max_),
    "first": settable(st.sampled_from([None]) | ANY) | ANY.map(first),
    "list": TEXT_VALUES.map(append) | TEXT_VALUES.map(remove) | LISTS | LISTS.map(keep),
    "numbers": NUMBER_FIELDS.map(append) | NUMBER_FIELDS.map(remove) | st.none(),
    "anything": ANY.map(append) | st.just(append(field("v"))),
}
SELECTORS = [*TYPES, ("s", "A"), ("t", "A"), ("s", "B"), "*"]
KEYS = [
    "stream_id", ("service", "stream_id"), "t", "o.k", ("stream_id", "b"), field("i", "VARCHAR"), "correlation_id",
    {"who": coalesce(field("t"), stream_id), "n": field("n", "DECIMAL(9,1)")},
    field("when", "TIMESTAMPTZ"), "type", "w",
]  # fmt: skip


@st.composite
def projections(draw):
    families = draw(st.lists(st.sampled_from(sorted(FAMILIES)), min_size=1, max_size=4))
    columns = dict(zip(["one", "occurred_at", 'Größe "2"', "data"], families, strict=False))
    selectors = draw(st.lists(st.sampled_from(SELECTORS), min_size=2, max_size=5, unique=True))
    rules = {}
    for selector in selectors:
        if draw(st.integers(0, 5)) == 5:
            rules[selector] = delete
            continue
        chosen = [name for name in columns if draw(st.integers(0, 3)) < 3]
        rules[selector] = {name: draw(FAMILIES[columns[name]]) for name in chosen}
    return Projection("p", draw(st.sampled_from(KEYS)), rules)


FEW = {
    "i": st.sampled_from([1, 2, None]),
    "t": st.sampled_from(["a", "b", None]),
    "l": st.lists(st.sampled_from("ab"), max_size=2),
}
SETTERS = [None, field("i"), keep(field("i"))]
DENSE = {
    "set": [*SETTERS, 7],
    "add": [*SETTERS, add(field("i")), add(1)],
    "min": [*SETTERS, min_(field("i"))],
    "max": [*SETTERS, max_(field("i"))],
    "first": [None, keep(field("i")), first(field("i")), first(position)],
    "list": [None, field("l", "VARCHAR[]"), append(field("t")), remove(field("t"))],
    "only list": [append(field("t")), remove(field("t"))],
}


@st.composite
def dense_logs(draw):
    """Many events of one stream, in an order that times, versions and positions decide between them."""
    size = draw(st.sampled_from([8, 12, 5]))
    positions = draw(st.permutations(range(1, size + 1)))
    versions = draw(st.permutations([*range(1, size - 2), None, None, None]))
    return [
        engine.event(
            draw(st.sampled_from(TYPES)),
            draw(st.fixed_dictionaries(FEW)),
            position=place,
            version=version_,
            effective_at=draw(st.sampled_from(INSTANTS[:2])),
        )
        for place, version_ in zip(positions, versions, strict=True)
    ]


@st.composite
def dense_projections(draw, family):
    """Every type of event does something to one column; sometimes one deletes."""
    *others, last = [{"c": draw(st.sampled_from(DENSE[family]))} for _ in TYPES]
    ending = delete if draw(st.sampled_from([False, False, True])) else last
    return Projection("p", "stream_id", dict(zip(TYPES, [*others, ending], strict=True)))


@pytest.fixture(scope="module")
def con():
    return engine.connect()


def expected(projection, events, held, types):
    found = fold(projection, events, held)
    names = [name for name, type_ in types.items() if "VARIANT" in type_]
    return {key: {c: engine.plain(v) if c in names else v for c, v in row.items()} for key, row in found.items()}


def check(con, projection, events, order):
    engine.load(con, events)
    held = engine.held(con, projection)
    try:
        fold(projection, events, held)
    except (CompileError, UnsupportedError) as error:
        event(f"refused: {type(error).__name__}")
        return
    found, types = engine.rows(con, projection, order, held)
    wanted = expected(projection, events, held, types)
    assert same(found) == same(wanted)
    if wanted:
        key = min(wanted, key=str)
        one, _ = engine.rows(con, projection, order, held, key=key)
        assert same(one) == same({key: wanted[key]})


def same(rows):
    """Compare the classes too: True is not 1; but a DECIMAL is its number."""
    return {key: {c: (type(v).__name__, v) for c, v in row.items()} for key, row in rows.items()}


LAW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@LAW
@given(projection=projections(), events=logs())
def test_the_query_gives_the_rows_of_the_fold(con, projection, events):
    check(con, projection, events, by_time())


@LAW
@given(projection=projections(), events=logs(in_order=True))
def test_the_query_by_position_gives_the_same_where_positions_are_the_order(con, projection, events):
    check(con, projection, events, by_position())


@pytest.mark.parametrize("family", DENSE)
@LAW
@given(data=st.data())
def test_the_query_gives_the_rows_of_the_fold_where_every_event_counts(con, family, data):
    check(con, data.draw(dense_projections(family)), data.draw(dense_logs()), by_time())


@LAW
@given(events=logs())
def test_merged_gives_the_rows_of_the_fold(con, events):
    check(con, merged_projection(["t", "v", "w", "Service", "T", "o", "n", "absent"]), events, by_time())


def test_a_key_is_read_once():
    assert list(key_columns(Projection("p", ("service", "o.k"), {"A": {}}))) == ["service", "k"]
