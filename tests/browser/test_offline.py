"""The page that a colleague opens from disk: the whole story of an order, with neither Python nor a network."""

import re

import pytest
from playwright.sync_api import expect
from showing import Shown
from watching import picture

SECOND_REFUND = "ab42cbdaf3300cdf"


@pytest.fixture(scope="module")
def path(html_of):
    return html_of("order")


@pytest.fixture
def shown(page, path):
    return Shown.of_file(page, path)


def test_keys_scrub_through_the_order(shown, shot):
    shown.stands_at(0)
    shown.keys("ArrowRight", "ArrowRight", "ArrowRight")
    shown.stands_at(3)
    expect(shown.part("position")).to_contain_text("OrderPaid")
    assert shown.told("state().status") == "paid"
    expect(shown.part("state")).to_contain_text("paid")
    shot("paid")
    shown.keys("End")
    shown.stands_at(8)
    shown.keys("ArrowLeft")
    shown.stands_at(7)
    shown.keys("Home")
    shown.stands_at(0)
    shown.keys("Shift+ArrowRight")
    shown.stands_at(8)


def test_the_slider_and_the_buttons_and_the_list_agree(shown, page):
    shown.part("forward").click()
    shown.stands_at(1)
    shown.part("events").locator("tr[data-step='5'] [data-act=step]").click()
    shown.stands_at(5)
    shown.part("slider").focus()
    page.keyboard.press("ArrowRight")
    shown.stands_at(6)
    shown.part("last").click()
    shown.stands_at(8)
    box = shown.part("slider").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    shown.stands_at(4)


def test_it_plays_to_the_end_and_stops(shown):
    shown.part("choose-speed").select_option("100")
    shown.part("play").click()
    shown.stands_at(8)
    expect(shown.part("play")).to_contain_text("Play")
    shown.keys("Home", "[", "]", " ")
    shown.stands_at(8)


def test_the_next_change_of_a_field_leads_to_the_event_that_broke_it(shown, shot):
    shown.part("jump-field").select_option("balance")
    steps = []
    for _ in range(4):
        shown.part("jump-field-next").click()
        steps.append(shown.told("step"))
    assert steps == [1, 3, 7, 8]
    expect(shown.part("diff").locator("tr[data-path=balance]")).to_contain_text("\N{MINUS SIGN}79.50")
    assert shown.told("state().balance") == "-79.50"
    shot("broken")
    shown.keys("F")
    shown.stands_at(7)


def test_switched_off_the_event_does_nothing_and_what_was_stays_beside_it(shown, shot):
    shown.keys("End", "x")
    assert shown.told("state().balance") == "0.00"
    assert shown.told("real().balance") == "-79.50"
    expect(shown.part("badge")).to_contain_text("1 event off")
    shown.part("see-what-if").click()
    expect(shown.part("diff-what-if")).to_have_attribute("aria-pressed", "true")
    found = {change["path"]: (change["old"], change["now"], change["by"]) for change in shown.told("diff('what-if')")}
    assert found == {"balance": ("-79.50", "0.00", 8), "refunded": ("159.00", "79.50", 8), "refunds": (2, 1, 8)}
    assert len(shown.changes()) == 3
    shot("what-if")
    shown.keys("x")
    assert shown.told("diff('what-if')") == []
    expect(shown.part("badge")).to_be_hidden()


def test_marks_compare_two_moments(shown):
    shown.keys("ArrowRight", "a", "End", "b", "d")
    expect(shown.part("diff-marks")).to_have_attribute("aria-pressed", "true")
    rows = shown.changes()
    assert any("status" in row and "placed" in row and "refunded" in row for row in rows)
    assert {change["path"] for change in shown.told("diff('marks')")} >= {"status", "city", "paid", "refunds"}


def test_the_search_finds_and_steps_through_its_matches(shown, page):
    shown.keys("/")
    page.keyboard.type("refund")
    page.keyboard.press("Enter")
    expect(shown.part("search-count")).to_contain_text("3")
    shown.keys("n", "n")
    assert shown.told("step") in {6, 7, 8}
    shown.part("only-matches").check()
    expect(shown.part("listed")).to_contain_text("3")
    shown.part("search").focus()
    page.keyboard.press("Escape")
    expect(shown.part("search")).to_have_value("")


@pytest.mark.parametrize(("written", "step"), [("4", 4), (SECOND_REFUND, 8), ("2026-02-10T14:00:00Z", 5)])
def test_one_goes_to_a_step_an_event_or_an_instant(shown, written, step, page):
    shown.part("goto").fill(written)
    page.keyboard.press("Enter")
    shown.stands_at(step)


def test_it_jumps_to_types_and_failures(shown):
    shown.part("jump-type").select_option("OrderDelivered")
    shown.part("jump-type-next").click()
    shown.stands_at(5)
    shown.keys("e")
    assert shown.told("step") >= 5
    expect(shown.part("status")).not_to_have_text(re.compile("kernel"))


def test_help_names_every_key_and_escape_closes_it(shown, page, shot):
    shown.keys("?")
    dialog = shown.part("dialog")
    expect(dialog).to_be_visible()
    told = dialog.inner_text()
    assert [key for key in ("Left", "Home", "Space", "[", "/", "n", "d", "x", "?") if key not in told] == []
    shot("help")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_code_is_there_to_copy_and_makes_the_same_view(shown):
    shown.part("code").click()
    expect(shown.part("dialog")).to_contain_text("ea.replay(")
    expect(shown.part("dialog")).to_contain_text("SELECT")


def test_what_needs_python_says_so(shown):
    shown.keys("End")
    for name in ("edit", "insert"):
        button = shown.part(name)
        assert button.get_attribute("aria-disabled") == "true" or button.is_disabled()
        assert "kernel" in (button.get_attribute("title") or "").lower()


@pytest.mark.parametrize(
    "page",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": {"width": 400, "height": 900}}],
    indirect=True,
    ids=["light", "dark", "narrow"],
)
def test_it_looks_as_it_should(page, path, request):
    shown = Shown.of_file(page, path)
    shown.keys("End")
    shown.stands_at(8)
    wide = page.evaluate("() => [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1], "the page is wider than its window"
    colour = page.evaluate("() => getComputedStyle(document.querySelector('.es-replay')).backgroundColor")
    dark = request.node.callspec.id == "dark"
    assert (sum(map(float, re.findall(r"[\d.]+", colour)[:3])) < 384) is dark, colour
    picture(page, f"{request.node.name}-whole", whole=True)
    assert page.watch.console == []


def test_all_entities_are_shown_without_a_kernel(page, html_of, shot):
    page.goto(html_of("all").as_uri())
    shown = Shown(page)
    expect(shown.part("all-summary")).to_contain_text("3,768 events")
    shown.part("entity-search").fill("order-123")
    expect(shown.part("entities").locator("li").first).to_contain_text("order-123")
    shot("found")
