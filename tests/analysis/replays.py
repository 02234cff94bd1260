"""What a replay must show, in plain Python: which events there are, in which order, and what they make."""

import copy
import datetime as dt
import functools
import json
import types as python_types
from collections.abc import Mapping
from decimal import Decimal

import reducers
from histories import FAMILIES, KEYS, MINUTE, START, Reference, alike, effective, placed, projections, store_of
from hypothesis import assume
from hypothesis import strategies as st

import esanalytics as ea
from esanalytics.analysis._exact import exact_json
from esanalytics.analysis._session import ReplaySession
from esanalytics.projections import Reducer, delete, key_columns


@ea.reducer("in place", initial={"n": 0, "sum": 0, "seen": []})
def in_place(state, event):
    """Change the state and what is in it."""
    if event.type == "D":
        return delete
    state["n"] += 1
    state["sum"] += event.data.get("n") or 0
    state["seen"].append(event.type)
    return state


@ea.reducer("anew", initial=lambda: {"status": None, "events": ()})
def anew(state, event):
    """Make a state of its own each time."""
    if event.type == "D":
        return delete
    return {"status": event.data.get("status", state["status"]), "events": (*state["events"], event.event_id)}


@ea.reducer("failing", initial={"n": 0, "seen": []})
def failing(state, event):
    """Fail at some events, when the state has been changed already."""
    state["n"] += 1
    state["seen"].append(event.event_id)
    if event.data.get("n") == 3:
        raise ValueError("three")
    return state


@ea.reducer("keeping", initial=lambda: {"items": [], "seen": {}})
def keeping(state, event):
    """Keep parts of the payload in the state, and change them, there and in the event."""
    if event.type == "D":
        return delete
    state["seen"] = event.data
    state["items"] = event.data.setdefault("items", state["items"])
    state["items"].append(event.event_id)
    event.data["n"] = len(state["items"])
    if event.metadata:
        event.metadata["was"] = state["metadata"] = event.metadata
        del event.metadata["was"]
    return state


REDUCERS = [in_place, anew, keeping, reducers.in_two]


@st.composite
def everything(draw, keys=KEYS):
    """Draw a projection that assigns in all the ways there are."""
    of_type = st.fixed_dictionaries({name: st.sampled_from(ways) for name, ways in FAMILIES.items()})
    rules = {type_: draw(of_type) for type_ in "ABC"} | {"D": draw(st.just(ea.delete) | of_type)}
    return ea.Projection("everything", draw(st.sampled_from(keys)), rules)


def definitions():
    """Draw a projection, the payloads as they are, or a reducer."""
    drawn = st.one_of(everything(), everything(KEYS[2:]), projections(), st.none())
    return drawn | everything() | st.sampled_from(REDUCERS)


def backwards(tmp_path):
    """Make a store with a stream whose clock ran backwards, of events of two customers, and a projection of theirs."""
    versioned = [("v1", 1, 5, "anna"), ("v2", 2, 1, "anna"), ("v3", 3, 9, "bert"), ("v4", 4, 2, "anna")]
    rows = [
        {"event_id": name, "stream_id": "v", "version": version, "occurred_at": START + minute * MINUTE, **of(customer)}
        for name, version, minute, customer in versioned
    ]
    rows.append({"event_id": "other", "stream_id": "u", "occurred_at": START + 3 * MINUTE, **of("anna")})
    store = store_of(tmp_path, [[{"version": None, "service": "shop", **row} for row in rows]])
    return store, ea.Projection("customers", "customer", {"A": {"ids": ea.append(ea.event_id)}})


def of(customer):
    return {"type": "A", "data": {"customer": customer}}


def replay_of(tmp_path, batches, definition, draw):
    """Open a replay of one of the entities of a log, given as appends."""
    store = store_of(tmp_path, batches)
    keys = entities(definition, placed(batches))
    assume(keys)
    key = draw(st.sampled_from(keys))
    return ReplaySession(store, definition, key)


def entities(definition, events):
    """List the keys that the events of a log have, the one with most events first."""
    found = [owner(definition, event) for event in events]
    whole = [key for key in found if None not in key]
    return sorted(set(whole), key=lambda key: (-whole.count(key), key))


def owner(definition, event):
    """Give the key of an event."""
    if definition is None or isinstance(definition, Reducer):
        return event["service"], event["stream_id"]
    return Reference(definition, [], {}).key(event)


def whole_of(events, edits=()):
    """Give a log some of whose events are changed, or added."""
    found = {event["event_id"]: event for event in events}
    last = max(event["position"] for event in events)
    for number, edit in enumerate(edits, 1):
        blank = {"version": None, "schema_version": 1, "correlation_id": None, "causation_id": None, "metadata": None}
        added = {**blank, "recorded_at": edit.get("occurred_at"), "position": last + number}
        before = found.get(edit["event_id"], added)
        found[edit["event_id"]] = {**before, **edit}
    return effective(list(found.values()))


def left_of(events, skipped):
    """Give a log as if some events had never happened."""
    return effective([event for event in events if event["event_id"] not in skipped])


class Truth:
    """What a replay must show of a log.

    Args:
        session: says what is replayed.
        events: the log, with what is changed or added.
        skipped: the ids of what never happened.
        stop: after the first failure nothing counts.
    """

    def __init__(self, session, events, skipped=(), *, stop=False):
        self.definition, self.key = session.entity.definition, session.entity.key
        self.whole = events
        self.stop = stop
        self.own = [event for event in left_of(events, skipped) if owner(self.definition, event) == self.key]
        self.held = None if isinstance(self.definition, Reducer) else Reference(self.definition, events).held

    @property
    def ids(self):
        return [event["event_id"] for event in self.own]

    def state(self, ids):
        """Give the row after some of its events."""
        events = [event for event in self.own if event["event_id"] in ids]
        if isinstance(self.definition, Reducer):
            return self._reduced(events)
        return Reference(self.definition, events, self.held).state().get(self.key)

    def _reduced(self, events):
        state = delete
        for event in events:
            initial = self.definition.initial
            fresh = copy.deepcopy(initial() if callable(initial) else initial)
            before = fresh if state is delete else copy.deepcopy(state)
            try:
                state = self.definition.function(before, shown(event))
            except ValueError:
                if self.stop:
                    break
        return None if state is delete else state


class Shown(python_types.SimpleNamespace):
    def __getitem__(self, name):
        return getattr(self, name)


def shown(event):
    return Shown(**{**event, "data": copy.deepcopy(event["data"] or {}), "metadata": copy.deepcopy(event["metadata"])})


def asked(log, session):
    """Ask a log for the row of the entity that is replayed."""
    definition = session.entity.definition
    columns = ("service", "stream_id") if isinstance(definition, Reducer) else tuple(key_columns(definition))
    found = list(ea.state_at(log, definition, key=session.entity.key))
    if not found:
        return None
    return {name: value for name, value in found[0].items() if name not in columns}


def same_row(found, wanted):
    """Compare two rows; a reducer's row has a column, NULL, for what other rows of its stream have."""
    if found is None or wanted is None:
        return found is None and wanted is None
    rows = [json_of(row) for row in (found, wanted)]
    return alike(*({name: _seen(each) if name == "seen" else each for name, each in row.items()} for row in rows))


def _seen(value):
    """Give what a table holds of any payload: it has JSON text where the values of a mapping do not agree."""
    if isinstance(value, dict):
        return {name: _seen(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_seen(part) for part in value]
    try:
        return _seen(json.loads(value)) if isinstance(value, str) else value
    except ValueError:
        return value


def json_of(value):
    """Give a value as JSON has it, numbers exactly."""
    return _plain(json.loads(exact_json(value), parse_float=Decimal))


def _plain(value):
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return float(value) if isinstance(value, Decimal) else value


def edits_of(session):
    """Give what a replay changes or adds, as rows."""
    found = []
    for edit in session.spec().get("edits", []):
        data = {"data": json.loads(edit["data"])} if "data" in edit else {}
        at = {"occurred_at": dt.datetime.fromisoformat(edit["occurred_at"])} if "occurred_at" in edit else {}
        found.append({**edit, **data, **at})
    return found


def states(session, **how):
    """Give the states at all steps."""
    return [session.state(step, **how) for step in range(len(session) + 1)]


def replayed(session, log, definition):
    """Open the replay that a session's spec says, by way of JSON."""
    return ReplaySession(log, definition, **json.loads(json.dumps(session.spec())))


def applied(found, before):
    """Apply changes to a row by their paths."""
    row = _apart(before) or {}
    for change in sorted(found, key=lambda each: each.kind == "removed" and -1 * _last(each.path)):
        *way, name = change.path
        part = functools.reduce(lambda parts, key: parts[key], way, row)
        if change.kind == "removed":
            assert part[name] == change.before or part[name] != part[name]
            del part[name]
        elif change.kind == "added" and isinstance(part, list):
            assert name == len(part)
            part.append(change.after)
        else:
            assert (name in part) == (change.kind == "changed") if isinstance(part, Mapping) else name < len(part)
            part[name] = change.after
    return row


def _apart(value):
    """Copy a value so that no two of its parts are one object, as they may be in a reducer's state."""
    if isinstance(value, Mapping):
        return {name: _apart(part) for name, part in value.items()}
    return [_apart(part) for part in value] if isinstance(value, list) else value


def _apart(value):
    """Copy a value so that no two of its parts are one object, as they may be in a reducer's state."""
    if isinstance(value, Mapping):
        return {name: _apart(part) for name, part in value.items()}
    return [_apart(part) for part in value] if isinstance(value, list) else value


def _last(path):
    return path[-1] if isinstance(path[-1], int) else 0
