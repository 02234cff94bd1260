import datetime as dt
import itertools
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ipywidgets import Button
from ipywidgets.widgets.widget import _instances

import esanalytics as ea
from esanalytics.analysis._session import ReplaySession
from esanalytics.widgets._latest import Latest
from esanalytics.widgets._matplotlib import MatplotlibReplay
from esanalytics.widgets._matplotlib_overview import MatplotlibOverview
from esanalytics.widgets._placing import Look
from esanalytics.widgets._tables import diff_table

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
HOSTILE = "<img src=x onerror=alert(1)>"
law = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
_folders = itertools.count()


def store_of(folder, events):
    store = ea.Store.create(folder / f"s{next(_folders)}")
    base = {"service": "shop", "stream_id": "one", "data": {}}
    hour = dt.timedelta(hours=1)
    store.append([{**base, "occurred_at": START + n * hour, **event} for n, event in enumerate(events)])
    return store


EVENTS = [
    {"type": "Placed", "data": {"status": "new", "total": 5}},
    {"type": "PaymentFailed", "data": {"status": "failed"}},
    {"type": "Paid", "data": {"status": "paid", "note": "by card"}},
    {"type": "Sent", "data": {"status": "sent"}},
]


@pytest.fixture
def session(tmp_path):
    return ReplaySession(store_of(tmp_path, EVENTS), None, "one")


@pytest.fixture
def view(session):
    found = MatplotlibReplay(session)
    yield found
    found.close()


def click(view, name):
    view._buttons[name].click()
    assert view._work.wait()


def send(view, control, **state):
    control.set_state(state)
    assert view._work.wait()


def test_slider_buttons_trait_and_session_always_agree(view, session):
    seen = []
    view.observe(lambda change: seen.append(change["new"]), "step")
    send(view, view._slider, value=3)
    assert (view.step, session.step, view._play.value) == (3, 3, 3)
    for name, step in (("Back", 2), ("First", 0), ("Back", 0), ("Last", 4), ("Forward", 4)):
        click(view, name)
        assert (view.step, session.step, view._slider.value) == (step, step, step)
    view.step = 1
    assert (session.step, view._slider.value) == (1, 1)
    assert seen == [3, 2, 0, 4, 1]


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["Forward", "Back", "Last", "Next change", "Next failure", "Mark A", "skip", "slide", "search"]
        ),
        st.integers(0, 4),
    ),
    max_size=8,
)


@law
@given(done=steps)
def test_after_any_use_everything_shown_is_of_the_step_it_stands_at(tmp_path, done):
    session = ReplaySession(store_of(tmp_path, EVENTS), None, "one")
    view = MatplotlibReplay(session)
    for name, n in done:
        if name == "slide":
            view._slider.set_state({"value": n})
        elif name == "search":
            view._search.set_state({"value": ["CARD", "paid", "", "nowhere", "Sent"][n]})
        elif name == "skip":
            view._skip.set_state({"value": n % 2 == 0})
        else:
            view._buttons[name].click()
    assert view._work.wait()
    step, event = session.step, session.event()
    assert view.step == view._slider.value == view._play.value == step
    assert f"event {step} of 4" in view._status.value
    assert f"state at {step}" in view._state.value
    assert view._skip.value == (event is not None and event["skipped"])
    assert view._skip.disabled == (step == 0)
    assert event is None or event["event_id"] in view._event.value
    assert view._image.value == view.picture.png(step, fast=True)
    view.close()


def test_switching_an_event_off_shows_what_if_and_on_again_all_as_it_was(view, session):
    send(view, view._slider, value=4)
    before = view._image.value
    send(view, view._kind, index=2)
    assert "no difference" in view._diff.value
    send(view, view._skip, value=True)
    assert session.skipped == {session.branch.events.ids[3]}
    assert "what-if: 1 event off" in view._status.value
    assert "sent" in view._diff.value
    send(view, view._skip, value=False)
    assert not session.skipped
    assert view._image.value == before


def test_finding_goes_there_or_says_that_there_is_nothing(view):
    click(view, "Next failure")
    assert view.step == 2
    click(view, "Next failure")
    assert (view.step, "no later event that failed" in view._status.value) == (2, True)
    view._field.value = "note"
    click(view, "Next change")
    assert view.step == 3
    send(view, view._search, value="sent")
    assert view.step == 4
    click(view, "First")
    assert "no later" not in view._status.value


def test_marks_are_compared(view):
    send(view, view._kind, index=1)
    assert "set the marks A and B first" in view._diff.value
    send(view, view._slider, value=1)
    click(view, "Mark A")
    send(view, view._slider, value=4)
    click(view, "Mark B")
    assert "A (1) to B (4)" in view._diff.value
    assert "new" in view._diff.value


def test_play_begins_again_at_the_end_and_its_speed_can_be_set(view):
    assert view._play.interval == 500
    send(view, view._speed, value=10)
    assert view._play.interval == 100
    send(view, view._slider, value=4)
    click(view, "Play")
    assert (view._play.playing, view.step, view._buttons["Play"].description) == (True, 0, "Pause")
    send(view, view._play, playing=False)
    assert view._buttons["Play"].description == "Play"


def test_every_button_has_a_name_and_says_what_it_does(view):  # noqa: ARG001  the fixture makes it
    buttons = [widget for widget in _instances.values() if isinstance(widget, Button)]
    assert len(buttons) >= 10
    assert all(button.description and button.tooltip for button in buttons)


def test_nothing_of_the_data_is_html(tmp_path):
    names = dict.fromkeys(("type", "event_id", "stream_id", "service"), HOSTILE)
    event = {**names, "data": {HOSTILE: {HOSTILE: HOSTILE}}}
    session = ReplaySession(store_of(tmp_path, [event]), None, HOSTILE)
    view = MatplotlibReplay(session)
    send(view, view._slider, value=1)
    send(view, view._search, value=HOSTILE + "!")
    session.mark("A", 0).mark("B", 1)
    shown = [part.value for part in (view._status, view._event, view._state, view._diff)]
    shown.append(diff_table(session, "marks", 1))
    view._failed(ValueError(HOSTILE))
    shown.append(view._status.value)
    overview = MatplotlibOverview(session.log, lambda *_: None, title=HOSTILE)
    overview._entity.value = HOSTILE + "?"
    overview._replay.click()
    shown.append(overview._status.value)
    assert all("&lt;img" in text for text in shown)
    assert not any("<img" in text for text in shown)
    view.close()
    overview.close()


def test_a_replay_of_one_event_and_a_store_that_goes_away(tmp_path):
    store = store_of(tmp_path, EVENTS[:1])
    session = ReplaySession(store, None, "one")
    view = MatplotlibReplay(session)
    click(view, "Last")
    assert view.step == 1
    view.picture.teller._payloads.clear()
    for path in sorted(tmp_path.rglob("*.parquet")):
        path.unlink()
    view.redraw()
    assert view._work.wait()
    assert "this step cannot be shown" in view._status.value
    view.close()


def test_a_view_shows_what_another_thread_did_to_the_session(view, session):
    session.goto(2).skip(session.branch.events.ids[1])
    thread = threading.Thread(target=view.redraw)
    thread.start()
    thread.join()
    assert view._work.wait()
    assert (view.step, view._skip.value) == (2, True)


def test_closing_leaves_nothing_behind(session):
    widgets, threads = len(_instances), threading.active_count()
    for _ in range(5):
        view = MatplotlibReplay(session)
        view._buttons["Last"].click()
        view.close()
        view.close()
        overview = MatplotlibOverview(session.log, lambda *_: None)
        overview._entity.set_state({"value": "one"})
        overview.close()
    assert (len(_instances), threading.active_count()) == (widgets, threads)


def test_only_the_latest_is_worked_on_and_one_at_a_time():
    done, running, most = [], [], []

    def work(wanted):
        running.append(wanted)
        most.append(len(running))
        time.sleep(0.02)
        if wanted == 0:
            raise ValueError("no")
        done.append(wanted)
        running.clear()

    failed = []
    latest = Latest(work, lambda error: (failed.append(error), running.clear()))
    for wanted in range(50):
        latest.ask(wanted)
    assert latest.wait()
    assert done[-1] == 49
    assert len(done) < 10
    assert max(most) == 1
    latest.close()
    latest.ask(50)
    assert done[-1] == 49


def test_the_overview_narrows_and_opens_an_entity(tmp_path):
    events = [{"type": "AB"[n % 2], "stream_id": f"one-{n % 12}", "service": "xy"[n % 3 > 0]} for n in range(60)]
    opened = []
    view = MatplotlibOverview(store_of(tmp_path, events), lambda *pair: opened.append(pair))
    first = view._image.value
    view._window.set_state({"index": (10, 90)})
    view._types.set_state({"index": (1,)})
    view._services.set_state({"index": (0,)})
    assert view._draws.wait()
    assert view._image.value != first
    assert len(view.chosen.types) == len(view.chosen.services) == 1
    view._replay.click()
    assert "name an entity first" in view._status.value
    view._entity.set_state({"value": "one-"})
    assert view._finds.wait()
    view._replay.click()
    assert "entities fit" in view._status.value
    view._entity.set_state({"value": view._entity.options[0]})
    assert view._finds.wait()
    view._replay.click()
    view._entity.set_state({"value": "one-11"})
    assert view._finds.wait()
    view._replay.click()
    assert len(opened) == 2
    assert opened[1][1] == "one-11"
    view.close()


def test_the_overview_of_an_empty_log_and_of_one_instant(tmp_path):
    for events in ([], [{"type": "T", "occurred_at": START}] * 3):
        view = MatplotlibOverview(store_of(tmp_path, events), lambda *_: None)
        assert bytes(view._image.value).startswith(b"\x89PNG")
        view.close()


def test_a_part_of_the_events_is_drawn_and_the_picture_is_named(view, session):
    send(view, view._slider, value=4)
    whole = view._image.value
    assert view._names.picture.startswith("Replay of one: event 4 of 4, Sent")
    first, last = (int(us) for us in session.branch.instants[[0, 1]])
    for look in (Look(hidden_types=("Paid",)), Look(hidden_services=("shop",)), Look(window=(first, last))):
        view.look(look, "service")
        assert view._work.wait()
        assert view._image.value != whole
        assert "state at 4" in view._state.value
    view.look(Look(), "service")
    assert view._work.wait()
    assert view._image.value == whole


def test_asking_for_a_new_picture_waits_for_nobody(view, session):
    held, free = threading.Event(), threading.Event()

    def use():
        with view._lock:
            held.set()
            free.wait(5)

    thread = threading.Thread(target=use)
    thread.start()
    assert held.wait(5)
    session.goto(3)
    view.redraw()
    assert view.step == 0
    free.set()
    thread.join()
    assert view._work.wait()
    assert (view.step, view._slider.value) == (3, 3)


def test_the_overview_follows_a_look(tmp_path):
    view = MatplotlibOverview(store_of(tmp_path, EVENTS), lambda *_: None)
    start, end = view.overview.span
    view.look(hidden_types=["Paid"], window=[start, (start + end) // 2])
    assert view._draws.wait()
    assert view.chosen.types == ("PaymentFailed", "Placed", "Sent")
    assert view.window[1] < end
    view.look()
    assert view._draws.wait()
    assert (view.chosen.types, view.window) == (None, (start, end))
    assert view._names.picture.startswith("All entities: 2026-03-01")
    view.close()
