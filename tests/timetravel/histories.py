"""Arbitrary histories and projections, stores that hold them, and what every verb must answer, in plain Python."""

import datetime as dt
import itertools
import math
import os
from collections import defaultdict

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.engines import DuckDB
from esanalytics.events import LOWEST_VERSION
from esanalytics.projections import fold, key_columns
from esanalytics.projections._fold import held_by

EXAMPLES = float(os.environ.get("HISTORY_EXAMPLES", "1"))
ENGINE = DuckDB(threads=1)
NOW = dt.timedelta(0)
MINUTE = dt.timedelta(minutes=1)
TICK = dt.timedelta(microseconds=1)
START = dt.datetime(2026, 1, 31, 23, 57, tzinfo=dt.UTC)  # the third minute is in another partition
RECORDED = dt.datetime(2026, 2, 2, tzinfo=dt.UTC)
STREAMS = {("shop", "v-1"): True, ("shop", "u-1"): False, ("post/é", "v-1"): True, ("post/é", "u '2"): False}
TYPES = ["A", "B", "C", "D"]
ABSENT = "absent"

_folders = itertools.count()


def law(examples):
    """Settings of a law that writes stores; ``HISTORY_EXAMPLES=10`` looks ten times as far, and shrinks."""
    count = max(1, round(examples * EXAMPLES))
    phases = [phase for phase in Phase if EXAMPLES > 1 or phase not in (Phase.shrink, Phase.explain)]
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), phases=phases)


# Histories


PAYLOADS = st.fixed_dictionaries(
    {
        "n": st.integers(-3, 9) | st.sampled_from([None, ABSENT]),
        "status": st.sampled_from(["placed", "paid", "né\n'x", None, ABSENT]),
        "price": st.sampled_from([1.5, -0.25, 7, None, ABSENT]),
        "any": st.sampled_from([3, "x", 0.5, [1, "x", None], {"k": 3, "j": {}}, None, ABSENT]),
        "customer": st.sampled_from(["anna", "bert", "anna", "bert", None, ABSENT]),
    }
).map(lambda data: {name: value for name, value in data.items() if value is not ABSENT})


@st.composite
def histories(draw, least=8, most=18, appends=3):
    """Draw events cut into appends: late ones, ties, clocks that run backwards."""
    size = draw(st.integers(least, most))
    versions = {stream: iter(draw(st.permutations(range(0, 3 * size, 3)))) for stream, is_ in STREAMS.items() if is_}
    events = []
    for number in range(size):
        stream = draw(st.sampled_from(list(STREAMS)))
        events.append(
            {
                "event_id": f"e-{number}",
                "service": stream[0],
                "stream_id": stream[1],
                "version": next(versions[stream]) if stream in versions else None,
                "type": draw(st.sampled_from([*TYPES, "A", "B"])),
                "occurred_at": START + draw(st.integers(0, 5) | st.just(number * 6 // size)) * MINUTE,
                "recorded_at": RECORDED + number // 2 * MINUTE,
                "data": draw(PAYLOADS),
            }
        )
    cuts = sorted(draw(st.sets(st.integers(1, size - 1), max_size=appends - 1)))
    return [events[a:b] for a, b in itertools.pairwise([0, *cuts, size])]


def instants(events):
    """List the instants at which something may differ: before all events, at each, between, after all."""
    times = sorted({event["effective_at"] for event in events})
    return [*(time - TICK for time in times[:1]), *times, *(time + MINUTE / 2 for time in times)]


def some_instant():
    return st.integers(-1, 13).map(lambda n: START + n * MINUTE / 2)


def store_of(folder, batches, **options):
    """Make a store; one of an even number of appends has a file per month, so that two meet in it."""
    given = {"engine": ENGINE, "auto_compact": False, "partition": "year" if len(batches) % 2 else "month", **options}
    store = ea.Store.create(folder / f"store-{next(_folders)}", **given)
    for batch in batches:
        store.append(batch)
    return store


# Projections

N = ea.field("n", "BIGINT")
STATUS = ea.field("status")
ANY = ea.field("any", "VARIANT")
PRICE = ea.field("price", "DECIMAL(18,2)")
FAMILIES = {
    "set": [N, N + 1, None, ea.keep(N), 7, ea.position],
    "set text": [STATUS, ea.keep(STATUS), "placed", None, ea.stream_id, ea.event_id],
    "set time": [ea.occurred_at, ea.effective_at, ea.keep(ea.recorded_at), None],
    "add": [ea.add(N), ea.add(1), ea.add(ea.coalesce(ea.version, 0))],
    "add money": [ea.add(PRICE), ea.add(PRICE * N)],
    "set and add": [ea.add(N), ea.add(1), N, ea.keep(N), 0, None],
    "min": [ea.min_(N), ea.min_(ea.version)],
    "set and min": [ea.min_(N), N, None],
    "max": [ea.max_(ea.effective_at), ea.max_(ea.occurred_at)],
    "set and max": [ea.max_(N), ea.keep(N), None],
    "first": [ea.first(STATUS), ea.first(ea.type_)],
    "set and first": [ea.first(STATUS), ea.keep(STATUS), None],
    "list": [ea.append(STATUS), ea.remove(STATUS), ea.append(ea.type_)],
    "list that ends": [ea.append(STATUS), ea.remove(STATUS), None],
    "numbers": [ea.append(N), ea.remove(N)],
    "anything": [ANY, ea.keep(ANY), "placed", 0.5, None],
    "first of anything": [ea.first(ANY), ea.first("placed")],
    "list of anything": [ea.append(ANY), ea.append(0.5)],
    "untyped": [ea.field("n"), ea.keep(ea.field("n"))],
}
KEYS = [("service", "stream_id"), "stream_id", "customer", ("customer", "service")]
NAMES = ["one", "type", 'Größe "2"', "after"]
SELECTORS = [*TYPES, "A", ("shop", "B"), "*"]


@st.composite
def projections(draw, keys=KEYS, families=FAMILIES):
    """Draw what events do to up to four columns, each of another family; often one type deletes."""
    drawn = draw(st.lists(st.sampled_from(sorted(families)), min_size=1, max_size=4))
    columns = dict(zip(NAMES, drawn, strict=False))
    rules = {}
    for selector in draw(st.lists(st.sampled_from(SELECTORS), min_size=2, max_size=5, unique=True)):
        named = [name for name in columns if draw(st.integers(0, 3))]
        rules[selector] = {name: draw(st.sampled_from(families[columns[name]])) for name in named}
    if draw(st.booleans()):
        rules["D"] = ea.delete
    return ea.Projection("p", draw(st.sampled_from(keys)), rules)


# What must be answered


def placed(batches):
    """Number the events of some appends, and give each its ``effective_at``: a log as it is now."""
    blank = {"schema_version": 1, "correlation_id": None, "causation_id": None, "metadata": None}
    rows = [row for batch in batches for row in batch]
    return effective([{**blank, **row, "position": n} for n, row in enumerate(rows, 1)])


def effective(events):
    """Give events their ``effective_at``, by the rule, in the order of the fold."""
    streams = defaultdict(list)
    for event in events:
        streams[event["service"], event["stream_id"]].append(event)
    found = []
    for members in streams.values():
        for event in members:
            before = (e for e in members if e["version"] is not None and event["version"] is not None)
            times = [e["occurred_at"] for e in before if e["version"] <= event["version"]]
            found.append({**event, "effective_at": max(times, default=event["occurred_at"])})
    return sorted(found, key=order)


def order(event):
    version = LOWEST_VERSION if event["version"] is None else event["version"]
    return event["effective_at"], version, event["position"]


def known(events, known_at):
    """Give the log as it was known: an event that nobody knew of moved no clock."""
    return effective([event for event in events if event["recorded_at"] <= known_at])


def up_to(events, at):
    return [event for event in events if event["effective_at"] <= at]


class Reference:
    """A projection folded in Python on a whole log, whose types are those of the log."""

    def __init__(self, projection, events, held=None):
        self.projection = projection
        self.events = events
        self.held = held_by(projection, events) if held is None else held

    def state(self, at=None):
        return fold(self.projection, self.events if at is None else up_to(self.events, at), self.held)

    def versions(self, until=None):
        """List (key, event, row after it or None, time of the key's next event), in order."""
        events = self.events if until is None else up_to(self.events, until)
        mine = [(n, self.key(event)) for n, event in enumerate(events) if self.rules(event)]
        found = []
        for place, (n, key) in enumerate(mine):
            if None not in key:
                row = fold(self.projection, events[: n + 1], self.held).get(key)
                following = (events[other] for other, owner in mine[place + 1 :] if owner == key)
                found.append((key, events[n], row, next((e["effective_at"] for e in following), None)))
        return found

    def history(self, since=None, until=None, grain="instant"):
        """List the rows of a history as (key, columns, valid_from, valid_to, event_id, type, position)."""
        return [
            (key, row, event["effective_at"], ending, event["event_id"], event["type"], event["position"])
            for key, event, row, ending in self.versions(until)
            if row is not None
            and (grain == "event" or ending != event["effective_at"])
            and (since is None or event["effective_at"] > since)
        ]

    def key(self, event):
        parts = [part.args[0] for part in key_columns(self.projection).values()]
        return tuple(event[part] if isinstance(part, str) else event["data"].get(part[0]) for part in parts)

    def rules(self, event):
        """List the rules that are for an event, the most specific first."""
        wanted = ((event["service"], event["type"]), event["type"], "*")
        return [self.projection.on[selector] for selector in wanted if selector in self.projection.on]


# What was answered


def keys_of(projection):
    return tuple(key_columns(projection))


def rows(result, projection):
    """Give a state as key -> column -> value; a key that is there twice is a fault."""
    names = keys_of(projection)
    found = {}
    for row in result:
        key = tuple(row.pop(name) for name in names)
        assert key not in found, f"two rows of {key}"
        found[key] = row
    return found


def spans(result, projection):
    """Give the rows of a history as `Reference.history` has them."""
    width = len(keys_of(projection))
    found = []
    for row in result:
        values = list(row.items())
        key = tuple(value for _, value in values[:width])
        found.append((key, dict(values[width:-5]), *(value for _, value in values[-5:])))
    return found


def alike(found, wanted):
    """Compare values of any depth; a DECIMAL is its number, and sums of floats have no order."""
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and found.keys() == wanted.keys()
            and all(alike(found[name], wanted[name]) for name in wanted)
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(found, list | tuple)
            and len(found) == len(wanted)
            and all(alike(a, b) for a, b in zip(found, wanted, strict=True))
        )
    if isinstance(wanted, float) and isinstance(found, float | int):
        return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)


def in_order(found):
    """Sort the rows of a history by position, to compare them."""
    return sorted(found, key=lambda row: row[-1])


def at_instant(found, at):
    """Give the state that the rows of a history say there was at an instant."""
    valid = [(key, row) for key, row, begin, end, *_ in found if begin <= at and (end is None or at < end)]
    assert len(valid) == len(dict(valid)), "two versions of one key at one instant"
    return dict(valid)


def changes(result, projection):
    """Give a diff as key -> (change, column -> (before, after))."""
    width = len(keys_of(projection))
    found = {}
    for row in result:
        values = list(row.values())
        key, (change, column, before, after) = tuple(values[:width]), values[width:]
        kind, columns = found.setdefault(key, (change, {}))
        assert kind == change
        assert column not in columns, f"two entries of {key}, {column}"
        columns[column] = (before, after)
    return found


def difference(before, after):
    """Say what must differ between two states, as `changes` gives it."""
    found = {}
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old is None or new is None:
            names = (new if old is None else old) or [None]  # an entry without a column stands for a row without one
            rows_ = {name: ((old or {}).get(name), (new or {}).get(name)) for name in names}
            found[key] = ("added" if old is None else "removed", rows_)
        elif differing := {name: (old[name], new[name]) for name in new if not alike(old[name], new[name])}:
            found[key] = ("changed", differing)
    return found


def applied(found, before):
    """Apply a difference to a state."""
    state = {key: dict(row) for key, row in before.items()}
    for key, (change, columns) in found.items():
        assert (change == "added") == (key not in state)
        for name, (old, _) in columns.items():
            assert alike(old, state.get(key, {}).get(name))
        if change == "removed":
            del state[key]
        else:
            assigned = {name: new for name, (_, new) in columns.items() if name is not None}
            state.setdefault(key, {}).update(assigned)
    return state
