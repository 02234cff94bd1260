"""Answers that are late, about what was before, or to somebody else's question; and wishes that are refused."""

import datetime as dt

import pytest
from playwright.sync_api import expect
from standing_in import Kernel

import esanalytics as ea
from esanalytics.analysis import chunk_of, model_of

LONG = 3_000
COUNTED = ea.Projection("counted", ("service", "stream_id"), {"*": {"seen": ea.count, "n": ea.field("n")}})
LATE = 3_300
"""After so many milliseconds the page says that the kernel is busy."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = ea.Store.create(tmp_path_factory.mktemp("stores") / "long")
    start = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    said = [
        {
            "event_id": f"{stream}-{n}",
            "stream_id": stream,
            "type": "Said",
            "occurred_at": start + dt.timedelta(minutes=n),
            "data": {"n": n, "constructor": n} if stream == "short" else {"n": n},
        }
        for stream, size in (("long", LONG), ("short", 5))
        for n in range(size)
    ]
    made.append(said, service="s", progress=False)
    return made


@pytest.fixture
def session(store):
    return ea.ReplaySession(store, COUNTED, ("s", "long"))


@pytest.fixture(scope="module")
def model(store):
    return model_of(ea.ReplaySession(store, COUNTED, ("s", "long")))


@pytest.fixture(scope="module")
def short_model(store):
    return model_of(ea.ReplaySession(store, COUNTED, ("s", "short")))


@pytest.fixture
def kernel(clocked, model):
    return Kernel(clocked, model=model)


@pytest.fixture
def short(clocked, short_model):
    kernel = Kernel(clocked, model=short_model, step=2)
    kernel.shown.stands_at(2)
    return kernel


def answer_chunk(kernel, session, asked):
    kernel.answer("chunk", asked, number=asked["number"], text=chunk_of(session, asked["number"]))


def test_a_chunk_of_the_state_before_a_skip_is_dropped_and_asked_for_again(kernel, session):
    kernel.put(step=1301)
    asked = kernel.asked("chunk")
    old = chunk_of(session, asked["number"])
    off = [f"long-{n}" for n in range(3)]
    kernel.put(skipped=off)
    session.switch_off(off)
    kernel.answer("chunk", asked, number=asked["number"], text=old)
    answer_chunk(kernel, session, kernel.asked("chunk", 2))
    kernel.page.wait_for_function("() => document.querySelector('.first').esReplay.state() !== undefined")
    assert kernel.shown.told("state().seen") == session.state(1301)["seen"] == 1298


def test_what_was_searched_before_a_skip_is_searched_again(kernel):
    kernel.put(search="999")
    kernel.shown.keys("n")
    asked = kernel.asked("find")
    kernel.put(skipped=["long-1"])
    kernel.answer("found", asked, step=17, note="")
    again = kernel.asked("find", 2)
    kernel.shown.stands_at(0)
    kernel.answer("found", again, step=18, note="")
    kernel.shown.stands_at(18)


def test_an_answer_about_the_model_before_is_dropped(kernel, store):
    kernel.put(step=1301)
    asked = kernel.asked("chunk")
    other = ea.ReplaySession(store, COUNTED, ("s", "long"), skipped=["long-0"])
    kernel.put(model=model_of(other).replace('"title":"', '"title":"again ', 1))
    again = kernel.asked("chunk", 2)
    answer_chunk(kernel, ea.ReplaySession(store, COUNTED, ("s", "long")), asked)
    assert kernel.shown.told("state() === undefined") is True
    answer_chunk(kernel, other, again)
    kernel.page.wait_for_function("() => document.querySelector('.first').esReplay.state() !== undefined")
    assert kernel.shown.told("state().seen") == 1300


def test_a_late_answer_is_used_and_ends_the_warning(kernel, session):
    kernel.put(step=1301)
    asked = kernel.asked("chunk")
    kernel.shown.part("search").fill("2999")
    kernel.page.keyboard.press("Enter")
    search = kernel.asked("find")
    kernel.later(LATE)
    expect(kernel.shown.part("status")).to_contain_text("busy")
    answer_chunk(kernel, session, asked)
    expect(kernel.shown.part("status")).to_be_empty()
    assert kernel.shown.told("state().seen") == 1301
    kernel.answer("found", search, step=2999, note="")
    kernel.shown.stands_at(2999)


def test_whoever_asks_again_does_not_wait_for_an_answer_that_is_late(kernel):
    kernel.put(search="2999")
    kernel.shown.keys("n")
    kernel.asked("find")
    kernel.shown.keys("N")
    assert len(kernel.sent("find")) == 1  # it waits for the first
    kernel.later(LATE)
    kernel.shown.keys("n")
    newer = kernel.asked("find", 2)
    kernel.answer("found", kernel.sent("find")[0], step=7, note="")
    kernel.answer("found", newer, step=9, note="")
    kernel.shown.stands_at(9)


def test_displays_of_one_view_take_only_their_own_answers(kernel, session):
    kernel.page.evaluate("() => window.display('.second')")
    kernel.put(step=1301)
    first, second = kernel.asked("chunk"), kernel.asked("chunk", 2)
    assert isinstance(first["request"], str)
    assert first["request"] != second["request"]
    answer_chunk(kernel, session, first)
    seen = "() => ['.first', '.second'].map((each) => document.querySelector(each).esReplay.state()?.seen ?? 0).sort()"
    assert kernel.page.evaluate(seen) == [0, 1301]
    answer_chunk(kernel, session, second)
    assert kernel.page.evaluate(seen) == [1301, 1301]
    kernel.shown.part("export").click()
    kernel.shown.part("export-png").click()
    kernel.answer("exported", kernel.asked("export"), path="here.png")
    expect(kernel.shown.part("status")).to_have_text("Saved here.png")
    expect(kernel.page.locator(".second [data-part=status]")).not_to_contain_text("Saved")


@pytest.mark.parametrize(("part", "message"), [("undo", {"what": "last"}), ("restore", {"what": "all"})])
def test_undoing_says_what_is_undone(kernel, part, message):
    kernel.put(skipped=["long-0"])
    kernel.shown.part(part).click()
    asked = kernel.asked("undo")
    assert {name: asked[name] for name in message} == message
    assert "id" not in asked
    kernel.answer("note", asked, level="info", text="")
    expect(kernel.shown.part("status")).to_be_empty()
    kernel.later(LATE)
    expect(kernel.shown.part("status")).to_be_empty()


def test_one_changed_event_is_put_back_alone(clocked, store):
    session = ea.ReplaySession(store, COUNTED, ("s", "short"))
    session.edit("short-1", data={"n": 70})
    kernel = Kernel(clocked, model=model_of(session), step=2)
    kernel.shown.part("undo-one").click()
    asked = kernel.asked("undo")
    assert (asked["what"], asked["id"]) == ("one", "short-1")
    kernel.shown.keys("Home", "ArrowRight")
    kernel.shown.stands_at(1)
    expect(kernel.shown.part("undo-one")).to_have_count(0)


def test_a_form_stays_open_until_the_kernel_has_taken_it(short, shot):
    shown = short.shown
    shown.part("edit").click()
    shown.part("edit-payload").fill('{"n": "many"}')
    shown.part("dialog-done").click()
    asked = short.asked("edit")
    expect(shown.part("dialog")).to_be_visible()
    expect(shown.part("dialog-done")).to_be_disabled()
    short.answer("note", asked, level="error", text="n must be a number")
    expect(shown.part("dialog-problem")).to_have_text("n must be a number")
    expect(shown.part("edit-payload")).to_have_value('{"n": "many"}')
    shot("refused")
    shown.part("edit-payload").fill('{"n": 5}')
    shown.part("dialog-done").click()
    assert short.asked("edit", 2)["data"] == '{"n": 5}'
    expect(shown.part("dialog-problem")).to_be_hidden()
    short.put(model=short.get("model").replace('"title":"', '"title":"other ', 1))
    expect(shown.part("dialog")).to_be_hidden()


def test_a_form_that_changes_nothing_is_closed_by_an_empty_note(short):
    short.shown.part("insert").click()
    short.shown.part("dialog-done").click()
    asked = short.asked("insert")
    short.later(LATE)
    expect(short.shown.part("dialog-problem")).to_contain_text("busy")
    short.answer("note", asked, level="info", text="")
    expect(short.shown.part("dialog")).to_be_hidden()
    expect(short.shown.part("status")).to_be_empty()


def test_names_that_every_object_has_are_absent_fields(short):
    short.put(pinned=["constructor", "toString", "n"], field="constructor")
    expect(short.shown.part("pinned")).to_contain_text("absent")
    expect(short.shown.part("pinned").locator("li")).to_have_count(3)
    short.shown.keys("f")
    expect(short.shown.part("status")).to_contain_text("No change of constructor")
    short.shown.keys("ArrowRight")
    short.shown.stands_at(3)
    assert short.page.evaluate("() => inner.same(inner.parseExact('{\"__proto__\": {}}'), {a: 1})") is False


def test_rows_are_grouped_in_a_time_that_grows_with_their_number(short):
    took = """() => {
      const rows = Array.from({length: 40_000}, (_, n) => ({n, k: n % 2}));
      const start = performance.now();
      inner.grouped(rows, (row) => row.k);
      return performance.now() - start;
    }"""
    assert short.page.evaluate(took) < 150


def test_what_python_sets_is_shown(short):
    short.put(bookmarks=[{"step": 3, "label": "from Python"}], marks={"A": 1, "B": 4})
    expect(short.shown.part("bookmarks")).to_contain_text("from Python")
    expect(short.shown.part("mark-a")).to_have_text("A 1")
    expect(short.shown.part("mark-b")).to_have_text("B 4")
    short.put(lanes="stream", lane_order="name", colour="service")
    expect(short.shown.part("choose-lanes")).to_have_value("stream")
    expect(short.shown.part("choose-lane_order")).to_have_value("name")
    expect(short.shown.part("choose-colour")).to_have_value("service")


def test_a_step_that_is_told_late_is_not_told_of_what_is_gone(short):
    short.shown.keys("ArrowRight")
    short.shown.stands_at(3)
    short.put(model="")
    short.later(900)  # the page may not throw
    expect(short.shown.part("empty")).to_be_visible()
