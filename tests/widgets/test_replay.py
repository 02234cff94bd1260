"""The replay in a notebook, as Python sees it: what the page asks is played by the test."""

import datetime as dt
import gc
import itertools
import json
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ipywidgets import Widget
from ipywidgets.widgets.widget import _instances

import esanalytics as ea
from esanalytics.errors import UnknownKeyError
from esanalytics.widgets._code import step_log

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ORDERS = ea.Projection(
    "orders",
    ("service", "stream_id"),
    {"*": {"status": ea.field("status"), "paid": ea.add(ea.field("paid", "BIGINT")), "seen": ea.count}},
)
law = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
_folders = itertools.count()
OFF = st.sets(st.sampled_from(["e1", "e3", "e4"]))


def store_of(folder, events):
    store = ea.Store.create(folder / f"s{next(_folders)}")
    base = {"service": "shop", "stream_id": "one", "data": {}}
    hour = dt.timedelta(hours=1)
    store.append([{**base, "occurred_at": START + n * hour, **event} for n, event in enumerate(events)], progress=False)
    return store


def event(event_id, kind, stream="one", **more):
    return {"event_id": event_id, "type": kind, "stream_id": stream, **more}


EVENTS = [
    event("e1", "Placed", data={"status": "new"}),
    event("e2", "PaymentFailed", data={"status": "failed"}, service="payments"),
    event("e3", "Paid", data={"status": "paid", "paid": 5}),
    event("e4", "Paid", data={"status": "paid", "paid": 7}, occurred_at=START + dt.timedelta(hours=2)),
    event("e5", "Sent", data={"status": "sent"}),
    event("e6", "Sent", data={"status": "sent"}),
    event("f1", "Placed", stream="two"),
    event("f2", "Sent", stream="two"),
    event("g1", "Placed", stream="two words/../é"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return store_of(tmp_path_factory.mktemp("stores"), EVENTS)


class Page:
    """What a page does: it sets traits, sends messages, and hears answers."""

    def __init__(self, view, monkeypatch):
        self.view, self.heard, self.models = view, [], 0
        monkeypatch.setattr(view.canvas, "send", self.heard.append)
        view.canvas.observe(self._other, "model")

    def _other(self, _):
        self.models += 1

    def put(self, **traits):
        self.view.canvas.set_state(traits)

    def ask(self, kind, **content):
        before = len(self.heard)
        self.view.canvas._handle_custom_msg({"kind": kind, "request": "r-1", **content}, [])
        found = self.heard[before:]
        assert len(found) <= 1
        assert all(each["request"] == "r-1" for each in found)
        return found[0] if found else None


@pytest.fixture
def opened(store, monkeypatch):
    views = []

    def made(key="one", projection=ORDERS, log=None, **options):
        view = ea.replay(log or store, projection, key, **options)
        views.append(view)
        return view, Page(view, monkeypatch)

    yield made
    for view in views:
        view.close()


def test_the_page_leads_and_python_follows(opened):
    view, page = opened(("shop", "one"))
    page.put(step=3, skipped=["e1"], marks={"A": 1, "B": None}, bookmarks=[{"step": 2, "label": "here"}])
    assert (view.step, view.session.skipped, view.session.marks) == (3, {"e1"}, {"A": 1})
    assert list(view.session.bookmarks) == [(2, "here")]
    assert view.at == START + dt.timedelta(hours=2)
    assert view.state()["seen"] == 2
    assert view.state(real=True)["seen"] == 3


def test_python_leads_and_the_page_follows(opened):
    view, _ = opened(("shop", "one"))
    view.step = 2
    view.session.skip("e1").mark("A", 1)
    assert (view.canvas.step, view.canvas.skipped, view.canvas.marks["A"]) == (2, ["e1"], 1)


def test_a_step_out_of_bounds_is_told_back(opened):
    view, page = opened(("shop", "one"))
    page.put(step=99)
    assert view.canvas.step == view.step == len(view.session)


def test_changes_from_two_threads_end_with_both_sides_the_same(opened):
    view, page = opened(("shop", "one"))
    steps = [n % 6 for n in range(60)]

    def python():
        for step in steps:
            view.session.goto(step)

    thread = threading.Thread(target=python)
    thread.start()
    for step in reversed(steps):
        page.put(step=step)
    thread.join()
    assert view.canvas.step == view.step


def test_a_shorter_entity_begins_where_it_begins(opened):
    view, _ = opened(("shop", "one"), step=5)
    view.show(("shop", "two"))
    assert (view.step, view.canvas.step, view._shell._slider.max, view._shell._slider.value) == (0, 0, 2, 0)
    view.show(("shop", "one"))
    assert view._shell._slider.max == 5


def test_what_was_selected_goes_with_its_entity(opened):
    view, _ = opened(("shop", "one"), selection=["e1"], window=[0, 10])
    view.show(("shop", "two"))
    assert (view.selection, view.canvas.window) == ([], [])


def test_the_slider_knows_events_that_are_added(opened):
    view, page = opened(("shop", "one"))
    answer = page.ask("insert", type="Sent", at="2026-03-02", data="{}")
    assert answer == {"kind": "note", "level": "info", "text": "", "request": "r-1"}
    assert view._shell._slider.max == len(view.session) == 6
    assert page.models == 1


def test_undo_takes_back_one_the_last_or_all(opened):
    view, page = opened(("shop", "one"))
    for event_id in ("e1", "e3", "e5"):
        assert page.ask("edit", id=event_id, data='{"status": "other"}')["text"] == ""
    edited = lambda: [edit["event_id"] for edit in view.spec().get("edits", [])]  # noqa: E731
    page.put(skipped=["e1"])
    page.ask("undo", what="one", id="e1")
    assert edited() == ["e3", "e5"]
    assert view.session.skipped == {"e1"}
    page.ask("undo", what="last")
    assert edited() == ["e3"]
    page.ask("undo", what="all")
    assert edited() == []
    assert view.session.skipped == {"e1"}
    assert "nothing" in page.ask("undo", what="last")["text"]


def test_an_edit_that_cannot_be_is_told_and_changes_nothing(opened):
    view, page = opened(("shop", "one"))
    answer = page.ask("edit", id="e1", data="{")
    assert answer["level"] == "error"
    assert "no JSON" in answer["text"]
    assert "edits" not in view.spec()


def test_whatever_goes_wrong_is_told(opened, monkeypatch):
    view, page = opened(("shop", "one"))
    monkeypatch.setattr(type(view.session), "find", lambda *_, **__: 1 / 0)
    answer = page.ask("find", what="text", value="x", **{"from": 0})
    assert answer["level"] == "error"
    assert "ZeroDivisionError" in answer["text"]


def test_a_page_finds(opened):
    _, page = opened(("shop", "one"))
    assert page.ask("find", what="field", value="status", direction=1, **{"from": 1})["step"] == 2
    answer = page.ask("find", what="type", value="Sent", direction=-1, **{"from": 2})
    assert (answer["step"], answer["note"]) == (None, "no earlier Sent")


@pytest.mark.parametrize(
    ("what", "begins"), [("html", b"<!DOCTYPE"), ("png", b"\x89PNG"), ("gif", b"GIF8"), ("parquet", b"PAR1")]
)
def test_a_page_exports_beside_what_is_there(opened, tmp_path, monkeypatch, what, begins):
    monkeypatch.chdir(tmp_path)
    _, page = opened(("shop", "two words/../é"))
    paths = [page.ask("export", what=what)["path"] for _ in range(2)]
    assert paths == [f"two-words-..-é.{what}", f"two-words-..-é-2.{what}"]
    assert all((tmp_path / path).read_bytes().startswith(begins) for path in paths)


def test_all_entities_are_exported_too_but_not_as_an_animation(opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, page = opened(None)
    for what in ("html", "png", "parquet"):
        assert (tmp_path / page.ask("export", what=what)["path"]).exists()
    assert page.ask("export", what="gif")["level"] == "error"
    assert page.ask("export", what="exe")["level"] == "error"


def test_a_filter_of_all_entities_is_in_the_log_the_events_and_the_page(opened):
    view, page = opened(None)
    page.put(hidden_types=["Placed"])
    assert set(view.log.events().df()["type"]) == {"PaymentFailed", "Paid", "Sent"}
    page.put(window=[_us(0), _us(2.5)])
    assert sorted(view.events().df()["event_id"]) == ["e2", "e3", "e4"]
    answer = page.ask("window", start=_us(0), end=_us(2.5))
    assert sum(count for *_, count in json.loads(answer["text"])["counts"]) >= 3
    assert page.ask("entities", text="two")["found"] == [["shop", "two", 1]]


def _us(hours):
    return int((START + dt.timedelta(hours=hours)).timestamp() * 1_000_000)


def test_a_filter_that_is_given_counts_from_the_start(opened):
    view, _ = opened(None, hidden_types=["Placed"])
    assert "Placed" not in set(view.log.events().df()["type"])


def test_of_all_entities_those_are_offered_that_the_projection_is_about(opened):
    paid = ea.Projection("paid", ("service", "stream_id"), {"Paid": {"times": ea.count}})
    view, page = opened(None, projection=paid)
    assert page.ask("entities", text="")["found"] == [["shop", "one", 2]]
    assert {row["event_id"] for row in view.events()} == {"e3", "e4"}


def test_what_is_selected_is_given_also_where_it_is_off_and_as_it_was_changed(opened):
    view, page = opened(("shop", "one"), selection=["e1", "e3"], skipped=["e1"])
    page.ask("edit", id="e3", data='{"paid": 1}')
    assert {row["event_id"]: row["data"] for row in view.events()} == {"e1": {"status": "new"}, "e3": {"paid": 1}}
    view.selection = []
    assert {row["event_id"] for row in view.events()} == {"e3", "e4", "e5", "e6"}


def test_a_window_may_be_two_instants(opened):
    view, _ = opened(None, window=("2026-03-01T00:30", "2026-03-01T01:30"))
    assert [row["event_id"] for row in view.events()] == ["e2"]
    assert ea.replay(view.scene.given, ORDERS, **view.spec()).canvas.window == view.canvas.window


def test_one_is_picked_and_left_again(opened):
    view, page = opened(None)
    assert view.session is None
    assert page.ask("open", service="shop", stream="two") is None
    assert (view.scene.title, len(view.session), view.canvas.model != "") == ("two", 2, True)
    page.ask("back")
    assert (view.session, view.canvas.model) == (None, "")


def test_an_entity_that_is_not_there_leaves_the_view_as_it_is(opened):
    view, _ = opened(("shop", "one"), step=2)
    with pytest.raises(UnknownKeyError, match="one"):
        view.show(("shop", "onee"))
    assert (view.scene.title, view.step) == ("one", 2)


def test_states_that_only_python_folds_are_sent_again_after_a_skip(opened):
    @ea.reducer("n", initial={"n": 0})
    def count(state, _):
        return {"n": state["n"] + 1}

    view, page = opened(("shop", "one"), projection=count)
    page.put(skipped=["e1"])
    assert page.models == 1
    assert json.loads(view.canvas.model)["events"] == 5
    view.step = 2
    assert view.state() == {"n": 1}


@law
@given(step=st.integers(0, 5), skipped=OFF, field=st.sampled_from(["", "paid"]))
def test_a_spec_makes_the_same_view_again(store, step, skipped, field):
    view = ea.replay(store, ORDERS, ("shop", "one"), step=step, skipped=sorted(skipped), field=field)
    again = ea.replay(store, ORDERS, **json.loads(json.dumps(view.spec())))
    assert again.spec() == view.spec()
    assert again.state() == view.state()
    view.close()
    again.close()


@law
@given(step=st.integers(1, 5), skipped=OFF)
def test_the_code_and_the_sql_give_the_state_that_is_shown(store, step, skipped):
    view = ea.replay(store, ORDERS, ("shop", "one"), step=step, skipped=sorted(skipped))
    wanted = view.state()
    line = view.python.splitlines()[-1]
    found = eval(line, {"ea": ea, "view": view, "orders": ORDERS, "log": store.log})
    by_sql = ea.state_at(step_log(view.session), ORDERS, key=("shop", "one")).df()
    for rows in (found, by_sql):
        assert len(rows) == (wanted is not None)
        if wanted:
            assert [rows[name][0] for name in ("status", "seen")] == [wanted["status"], wanted["seen"]]
    view.close()


def test_the_code_of_many_events_of_one_instant_asks_the_view(tmp_path, opened):
    store = store_of(tmp_path, [event(f"e{n}", "T", occurred_at=START) for n in range(60)])
    view, _ = opened(("shop", "one"), log=store, step=5)
    assert view.python.endswith("view.state()  # the row at this step")
    assert view.state()["seen"] == 5


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"stpe": 1}, TypeError, "step"),
        ({"lanes": "colour"}, ValueError, "service"),
        ({"speed": 1000}, ValueError, "100"),
        ({"renderer": "svg"}, ValueError, "matplotlib"),
        ({"window": ("2026-03-01", "soon")}, ValueError, "soon"),
        ({"hidden_types": 3}, ValueError, "hidden_types=3; give a list of names"),
        ({"skipped": ["nope"]}, ValueError, "no event 'nope'"),
        ({"edits": [{"event_id": "nope", "data": "{}"}]}, ValueError, "no event 'nope'"),
        ({"key": None, "step": 3}, ValueError, "key"),
        ({"key": ("shop", "onee")}, UnknownKeyError, "one"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_stays(store, options, error, told, capfd):
    before = set(_instances)
    given = {"key": ("shop", "one"), **options}
    with pytest.raises(error, match=told):
        ea.replay(store, ORDERS, **given)
    gc.collect()
    assert "ignored" not in capfd.readouterr().err
    left = [each for name, each in _instances.items() if name not in before]
    assert not [each for each in left if type(each).__module__.startswith("esanalytics")]


@pytest.mark.parametrize("renderer", ["canvas", "matplotlib"])
@pytest.mark.parametrize("key", [("shop", "one"), None])
def test_nothing_stays_of_a_view_that_is_closed(store, key, renderer):
    ea.replay(store, ORDERS, key, renderer=renderer).close()
    before, threads = set(_instances), threading.active_count()
    view = ea.replay(store, ORDERS, key, renderer=renderer)
    view.show(("shop", "two"))
    view.close()
    view.close()
    assert {name: each for name, each in _instances.items() if name not in before} == {}
    assert threading.active_count() <= threads


def test_refresh_shows_what_came(tmp_path, opened):
    store = store_of(tmp_path, EVENTS[:2])
    view, page = opened(("shop", "one"), log=store)
    everything, _ = opened(None, log=store)
    assert "nothing new" in page.ask("refresh")["text"]
    store.append([{"service": "shop", **EVENTS[2], "occurred_at": START + dt.timedelta(days=1)}], progress=False)
    assert page.ask("refresh")["text"] == everything.refresh() == "1 new event"
    assert len(view.session) == 2
    assert "3 events" in repr(everything)


def test_a_pinned_log_says_that_it_stays(store, opened):
    view, _ = opened(("shop", "one"), log=store.log)
    assert "give the store" in view.refresh()


def test_a_refresh_of_one_entity_does_not_read_all(opened, monkeypatch):
    view, _ = opened(("shop", "one"))
    monkeypatch.setattr(type(view.scene.overview), "events", property(lambda _: pytest.fail("it was read")))
    view.refresh()


def test_pictures_follow_what_python_does(opened):
    view, _ = opened(("shop", "one"), renderer="matplotlib")
    picture = view.children[0]
    view.session.skip("e1").goto(3)
    assert picture._work.wait()
    assert (picture._slider.value, "off" in repr(view)) == (3, True)
    view.canvas.hidden_types = ["Paid"]
    assert picture.picture.look.hidden_types == ("Paid",)


def test_a_picture_shows_what_is_not_hidden(opened, tmp_path):
    view, page = opened(("shop", "one"))
    whole = view.to_png(tmp_path / "whole.png").read_bytes()
    page.put(hidden_types=["Paid"])
    assert view.to_png(tmp_path / "part.png").read_bytes() != whole
    view.back()
    assert view.to_png(tmp_path / "all.svg").read_text().lstrip().startswith("<?xml")


def test_beside_another(opened):
    view, _ = opened(("shop", "one"), step=2)
    both = view.beside(("shop", "two"), align="step")
    assert (both.left.step, both.right.step) == (2, 2)
    assert view.step == 2
    both.close()


def test_the_bundle_is_honest(opened):
    for key, told in ((("shop", "one"), "one: 5 events, 2026-03-01"), (None, "all entities: 9 events")):
        view, _ = opened(key)
        data, metadata = view._repr_mimebundle_()
        assert told in data["text/plain"] == repr(view)
        assert metadata["image/png"]["alt"]
        assert "application/vnd.jupyter.widget-view+json" in data
        view.close()
        assert isinstance(view, Widget)
