"""Every key and what plays: a page from disk in which nothing is pressed with a mouse but where that is the point."""

from itertools import pairwise

import pytest
from playwright.sync_api import expect
from showing import Shown

TYPES = [
    "PaymentFailed",
    "PaymentAuthorized",
    "StockReserved",
    "StockReserved",
    "StockReleased",
    "StockReleased",
    "PaymentVoided",
]
PLAYING = """(frames) => new Promise((done) => {
  const { esReplay } = document.querySelector(".es-replay").parentElement;
  const steps = [];
  const look = () => {
    steps.push(esReplay.step);
    if (steps.length < frames) requestAnimationFrame(look);
    else done(steps);
  };
  look();
})"""
"""Lists the step in each of so many frames."""


@pytest.fixture
def shown(page, html_of):
    return Shown.of_file(page, html_of("payments"))


@pytest.fixture
def at(shown):
    """Press keys, and wait for the step that they lead to."""

    def pressed(step, *keys):
        shown.keys(*keys)
        shown.stands_at(step)

    return pressed


def test_keys_step_and_jump(shown, at):
    at(1, "ArrowRight")
    at(7, "Shift+ArrowRight")
    at(6, "ArrowLeft")
    at(0, "Shift+ArrowLeft")
    at(7, "End")
    at(0, "Home")
    at(3, "ArrowRight", "ArrowRight", "ArrowRight")
    at(4, "t")
    at(3, "T")
    at(1, "E")
    shown.keys("e")
    expect(shown.part("status")).to_contain_text("No failure after this")
    at(1)
    at(0, "Home")
    at(1, "e")


def test_keys_search(shown, at, page):
    shown.keys("/")
    expect(shown.part("search")).to_be_focused()
    page.keyboard.type("StockRel")
    page.keyboard.press("Enter")
    shown.stands_at(5)
    page.keyboard.press("Escape")
    shown.keys("/")
    page.keyboard.type("StockRes")
    expect(shown.part("search-count")).to_contain_text("2")
    page.keyboard.press("Shift+Enter")
    shown.stands_at(4)
    at(3, "N")
    at(4, "n")


def test_keys_follow_a_field(shown, at):
    shown.part("jump-field").focus()
    shown.part("jump-field").select_option("status")
    steps = []
    for _ in range(3):
        shown.keys("f")
        steps.append(shown.told("step"))
    assert steps == sorted(set(steps))
    at(steps[1], "F")


def test_keys_mark_compare_and_switch_off(shown, at):
    at(1, "ArrowRight", "a")
    expect(shown.part("mark-a")).to_have_text("A 1")
    at(7, "End", "b")
    expect(shown.part("mark-b")).to_have_text("B 7")
    for kind in ("marks", "what-if", "step"):
        shown.keys("d")
        expect(shown.part(f"diff-{kind}")).to_have_attribute("aria-pressed", "true")
    shown.keys("m")
    expect(shown.part("bookmarks")).to_contain_text("PaymentVoided")
    shown.keys("m")
    expect(shown.part("bookmarks")).not_to_contain_text("PaymentVoided")
    shown.keys("x")
    expect(shown.part("badge")).to_contain_text("1 event off")
    shown.keys("x")
    expect(shown.part("badge")).to_be_hidden()
    shown.keys("b")
    expect(shown.part("mark-b")).to_have_text("Mark B")


def test_keys_change_the_speed_and_play_and_pause(shown, page):
    speed = shown.part("choose-speed")
    for key, wanted in (("]", "5"), ("]", "10"), ("[", "5"), ("[", "2")):
        shown.keys(key)
        expect(speed).to_have_value(wanted)
    shown.keys("]", "]", " ")
    expect(shown.part("play")).to_contain_text("Pause")
    page.wait_for_function("() => document.querySelector('.es-replay').parentElement.esReplay.step >= 1")
    shown.keys(" ")
    expect(shown.part("play")).to_contain_text("Play")
    stands = shown.told("step")
    assert set(page.evaluate(PLAYING, 15)) == {stands}
    assert 0 < stands < len(TYPES)


def test_a_loop_runs_between_the_marks_until_escape(shown, at, page):
    at(2, "ArrowRight", "ArrowRight", "a")
    at(4, "ArrowRight", "ArrowRight", "b")
    page.get_by_role("checkbox", name="Loop").check()
    shown.part("choose-speed").select_option("25")
    shown.keys(" ")
    steps = page.evaluate(PLAYING, 30)[1:]
    assert set(steps) == {2, 3, 4}
    assert sum(now < before for before, now in pairwise(steps)) > 1
    page.keyboard.press("Escape")
    expect(shown.part("play")).to_contain_text("Play")


def test_tab_reaches_every_control_in_the_order_of_the_page(shown, page):
    shown.told(f"goto({len(TYPES)})")
    shown.stands_at(len(TYPES))
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        part = page.evaluate("() => document.activeElement.closest('[data-part]')?.dataset.part ?? ''")
        if reached and part == reached[0]:
            break
        reached.append(part)
    wanted = ["search", "code", "export", "timeline", "slider", "play", "mark-a", "choose-speed", "jump-field", "goto"]
    assert [part for part in reached if part in wanted] == wanted
    assert {"skip", "state-search", "diff-step", "diff-what-if", "events"} <= set(reached)


def test_what_is_copied_is_what_is_shown(shown, page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.part("code").press("Enter")
    for part in ("python", "sql"):
        copy = shown.part(f"copy-{part}")
        copy.press("Enter")
        expect(copy).to_have_text("Copied")
        assert page.evaluate("() => navigator.clipboard.readText()") == shown.part(f"code-{part}").inner_text()
    page.context.clear_permissions()


@pytest.mark.parametrize("page", [{"viewport": {"width": 400, "height": 900}}], indirect=True, ids=["narrow"])
@pytest.mark.parametrize("view", ["all", "explore", "compare", "trace"])
def test_no_page_is_wider_than_a_phone(page, html_of, view):
    page.goto(html_of(view).as_uri())
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), tab.inner_text()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
