"""Slider, list, states, diffs, marks and spec of a replay agree after any sequence of operations."""

import itertools
import tempfile
from pathlib import Path

import pytest
from histories import MINUTE, PAYLOADS, START, STREAMS, TYPES, histories, law, placed, store_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from replays import (
    REDUCERS,
    Truth,
    applied,
    asked,
    edits_of,
    entities,
    everything,
    failing,
    replayed,
    same_row,
    states,
    whole_of,
)

from esanalytics.analysis._changes import changes
from esanalytics.analysis._session import ReplaySession
from esanalytics.errors import UnknownKeyError

pytestmark = pytest.mark.usefixtures("short_strides")


class Replaying(RuleBasedStateMachine):
    """A replay, its store, and beside it what was done."""

    @initialize(
        batches=histories(appends=2),
        definition=everything() | st.none() | st.sampled_from([*REDUCERS, failing]),
        stop=st.booleans(),
        data=st.data(),
    )
    def open(self, batches, definition, stop, data):
        self.folder = tempfile.TemporaryDirectory()
        self.store = store_of(Path(self.folder.name), batches)
        self.definition = definition
        self.stored = placed(batches)
        self.stop = stop and definition is failing
        keys = entities(definition, self.stored) or [("nobody", "nobody")]
        self.key = data.draw(st.sampled_from(keys[:2]))
        how = {"on_error": "stop"} if self.stop else {}
        try:
            self.session = ReplaySession(self.store, definition, self.key, **how)
        except UnknownKeyError:
            self.session = None
            return
        self.seen, self.log = self.stored, self.store.log
        self.opened = self.session.branch.events.ids, states(self.session)
        self.skipped, self.bookmarks, self.marks = set(), [], {}

    def teardown(self):
        if getattr(self, "session", None):
            self.open_again()
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    def some_id(self, data):
        return data.draw(st.sampled_from(self.session.branch.events.ids))

    @precondition(lambda self: self.session)
    @rule(step=st.integers(-2, 25))
    def goto(self, step):
        assert self.session.goto(step) is self.session
        assert self.session.step == min(max(step, 0), len(self.session))

    @precondition(lambda self: self.session)
    @rule(data=st.data())
    def goto_event(self, data):
        wanted = self.some_id(data)
        assert self.session.goto(wanted).event()["event_id"] == wanted

    @precondition(lambda self: self.session)
    @rule(data=st.data())
    def skip(self, data):
        wanted = data.draw(st.sets(st.sampled_from(self.session.branch.events.ids), min_size=1, max_size=4))
        self.session.skip(*wanted)
        self.skipped |= wanted

    @precondition(lambda self: self.session and self.skipped)
    @rule(data=st.data())
    def restore(self, data):
        wanted = data.draw(st.sets(st.sampled_from(sorted(self.skipped)), min_size=1))
        self.session.restore(*wanted)
        self.skipped -= wanted
        assert self.session.skipped.isdisjoint(wanted)

    @precondition(lambda self: self.session)
    @rule()
    def restore_all(self):
        self.session.restore()
        self.skipped = set()
        if self.seen is self.stored:
            ids = [event["event_id"] for event in Truth(self.session, self.seen).own]
            assert self.session.branch.events.ids == ids
        assert not self.session.spec().keys() & {"edits", "skipped"}

    @precondition(lambda self: self.session)
    @rule(data=st.data(), payload=PAYLOADS)
    def change(self, data, payload):
        wanted, before = self.some_id(data), self.session.event()
        self.session.edit(wanted, data=payload)
        assert before is None or self.session.step > 0
        assert (
            edits_of(self.session)[-1].items() >= {"event_id": wanted, "data": payload}.items()
            or len(edits_of(self.session)) > 1
        )

    @precondition(lambda self: self.session)
    @rule(type_=st.sampled_from(TYPES), at=st.integers(0, 11), payload=PAYLOADS)
    def insert(self, type_, at, payload):
        known = len(edits_of(self.session))
        self.session.edit(type=type_, occurred_at=START + at * MINUTE / 2, data=payload)
        assert len(edits_of(self.session)) == known + 1

    @precondition(lambda self: self.session)
    @rule(name=st.sampled_from("AB"))
    def mark(self, name):
        self.session.mark(name)
        assert self.session.marks[name] == self.session.step

    @precondition(lambda self: self.session)
    @rule(label=st.text(max_size=3))
    def bookmark(self, label):
        self.session.bookmarks = [*self.session.bookmarks, (self.session.step, label)]

    @precondition(lambda self: self.session)
    @rule(back=st.booleans(), type_=st.sampled_from(TYPES))
    def find(self, back, type_):
        here = self.session.step
        found = self.session.find("type", type_, back=back)
        assert self.session.step == here
        if found is not None:
            assert found < here if back else found > here
            assert self.session.goto(found).event()["type"] == type_

    @precondition(lambda self: self.session)
    @rule(type_=st.sampled_from(TYPES), at=st.integers(0, 5), payload=PAYLOADS, new=st.booleans())
    def append(self, type_, at, payload, new):
        service, stream = next(stream for stream, versioned in STREAMS.items() if not versioned)
        number = len(self.stored)
        event = {
            "event_id": f"e-{number}",
            "service": service,
            "stream_id": stream,
            "version": None,
            "type": type_,
            "occurred_at": START + at * MINUTE,
            "recorded_at": START + (number + 9999) * MINUTE,
            "data": payload | ({"new": 1} if new else {}),
        }
        self.store.append([event])
        before = sorted(self.stored, key=lambda each: each["position"])
        self.stored = placed([[{name: each[name] for name in event} for each in before], [event]])

    @precondition(lambda self: self.session)
    @rule()
    def refresh(self):
        before = len(Truth(self.session, self.seen).own)
        came = self.session.refresh()
        self.seen, self.log = self.stored, self.store.log
        assert came == len(Truth(self.session, self.seen).own) - before

    @precondition(lambda self: getattr(self, "session", None))
    @invariant()
    def everything_agrees(self):
        session = self.session
        ids, found = session.branch.events.ids, states(session)
        whole = whole_of(self.seen, edits_of(session))
        truth = Truth(session, whole, session.skipped, stop=self.stop)
        assert session.skipped == self.skipped & set(ids)
        assert [each for each in ids if each in set(truth.ids)] == truth.ids
        assert set(truth.ids) | session.skipped | gone(session, self.seen) == set(ids)
        for step, row in enumerate(found):
            assert same_row(row, truth.state(ids[:step])), step
        assert same_row(session.state(len(ids), real=True), Truth(session, self.seen, stop=self.stop).state(set(ids)))
        self.here_agrees(ids, found)

    def here_agrees(self, ids, found):
        session = self.session
        assert 0 <= session.step <= len(ids) == len(session)
        assert session.state() == found[session.step]
        event = session.event()
        assert (event is None) == (session.step == 0) == (session.at is None)
        if event:
            assert event["event_id"] == ids[session.step - 1]
            assert event["skipped"] == (event["event_id"] in session.skipped)
        for low, high in itertools.pairwise(sorted({0, session.step, *session.marks.values(), len(ids)})):
            diff = session.diff(low, high)
            assert applied(diff, found[low]) == (found[high] or {})
            plain = [(each.path, each.kind) for each in changes(found[low], found[high])]
            assert [(each.path, each.kind) for each in diff] == plain
        for name, step in session.marks.items():
            assert session.diff(name, len(ids)) == session.diff(step, len(ids))
        assert applied(session.what_if(), session.state(real=True)) == (session.state() or {})

    @precondition(lambda self: self.session)
    @rule()
    def open_again(self):
        ids, found = self.session.branch.events.ids, states(self.session)
        again = replayed(self.session, self.log, self.definition)
        assert again.branch.events.ids == ids
        assert states(again) == found
        assert states(again, real=True) == states(self.session, real=True)
        assert again.spec() == self.session.spec()
        assert (again.step, again.marks, again.skipped) == (self.session.step, self.session.marks, self.session.skipped)
        assert again.bookmarks == self.session.bookmarks
        if not self.stop and self.definition is not failing:
            assert same_row(found[-1], asked(self.session.log, self.session))


def gone(session, seen):
    """List the events that are of the entity no more as they are changed, and what is switched off."""
    return {event["event_id"] for event in Truth(session, seen).own} - session.branch.own.tape.events.row_of.keys()


@pytest.mark.parametrize("seed", [0])
def test_a_replay_agrees_with_itself_after_any_sequence_of_operations(seed):
    del seed
    run_state_machine_as_test(Replaying, settings=settings(law(3), stateful_step_count=10))
