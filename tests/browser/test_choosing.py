"""What is chosen in the page, or for it by Python: filters over all entities, windows, colours, lanes, the pace."""

import json
import re

import pytest
from playwright.sync_api import expect
from showing import Shown, drag
from standing_in import Kernel

import esanalytics as ea
from esanalytics.analysis import Chosen, Overview, model_of
from esanalytics.demo import orders
from esanalytics.widgets._overview_text import overview_text, window_text

ORDER = "order-123"


@pytest.fixture(scope="module")
def overview(shop):
    return Overview(shop.log)


@pytest.fixture(scope="module")
def everything_text(overview):
    return overview_text(overview, "all entities")


@pytest.fixture
def everything(page, everything_text):
    return Kernel(page, overview=everything_text)


@pytest.fixture(scope="module")
def order_model(shop):
    return model_of(ea.ReplaySession(shop, orders, ORDER))


@pytest.fixture
def order(page, order_model):
    kernel = Kernel(page, model=order_model)
    kernel.shown.stands_at(0)
    return kernel


def chosen_of(overview, kernel):
    """Filter as the view in the kernel does."""
    hidden = set(kernel.get("hidden_types") or [])
    shown = dict.fromkeys(row[1] for row in overview.types if row[1] not in hidden)
    return Chosen(types=tuple(shown) if hidden else None)


def answer_window(kernel, overview, asked):
    text = window_text(overview, (asked["start"], asked["end"]), chosen_of(overview, kernel))
    kernel.answer("window", asked, text=text)
    return json.loads(text)


def total(found):
    return f"{found['density']['total']:,} of 3,768 events"


def test_a_filter_of_the_shell_is_answered_for_everything_that_is_shown(everything, overview, shot):
    shown = everything.shown
    expect(shown.part("all-summary")).to_contain_text("3,768 events")
    before = pixels(shown.part("all-density").locator("canvas"))
    everything.put(hidden_types=["OrderPlaced", "StockReserved"])
    found = answer_window(everything, overview, everything.asked("window"))
    assert found["density"]["total"] < 3768
    expect(shown.part("all-summary")).to_contain_text(total(found))
    assert pixels(shown.part("all-density").locator("canvas")) != before
    sizes = [0] * len(found["dots"]["entities"])
    for entity in found["dots"]["entity"]:
        sizes[entity] += 1
    first = shown.part("entities").locator("li").first
    expect(first).to_contain_text(found["dots"]["entities"][0][1])
    expect(first).to_contain_text(f"{sizes[0]:,}")
    expect(shown.part("all-legend").locator("[data-arg=OrderPlaced]")).to_have_text("OrderPlaced")
    shot("filtered")


def test_under_a_window_the_filtered_whole_is_asked_for_first(everything, overview):
    start, end = (overview.span[0] + overview.span[1]) // 2, overview.span[1]
    everything.put(window=[start, end])
    asked = everything.asked("window")
    assert [asked["start"], asked["end"]] == [start, end]
    answer_window(everything, overview, asked)
    everything.put(hidden_types=["OrderPlaced"])
    whole = everything.asked("window", 2)
    assert [whole["start"], whole["end"]] == list(overview.span)
    answer_window(everything, overview, whole)
    asked = everything.asked("window", 3)
    assert [asked["start"], asked["end"]] == [start, end]
    found = answer_window(everything, overview, asked)
    expect(everything.shown.part("all-summary")).to_contain_text(total(found))
    everything.page.wait_for_timeout(200)
    assert len(everything.sent("window")) == 3


def test_services_can_be_hidden_in_all_entities(everything):
    everything.shown.part("all-legend").locator("[data-act=hide-service]").first.click()
    everything.asked("window")
    assert len(everything.get("hidden_services")) == 1


def test_all_entities_have_code_and_exports_and_help(everything, shot):
    shown = everything.shown
    shown.part("code").click()
    everything.answer("code", everything.asked("code"), python="ea.replay(store)", sql="SELECT 1")
    expect(shown.part("dialog")).to_contain_text("ea.replay(store)")
    everything.page.keyboard.press("Escape")
    shown.part("export").click()
    expect(shown.part("export-gif")).to_be_disabled()
    shot("menu")
    shown.part("export-parquet").click()
    assert everything.asked("export")["what"] == "parquet"
    shown.part("help").click()
    expect(shown.part("dialog")).to_contain_text("find an entity")


def test_without_a_kernel_dots_are_filtered_and_counts_are_said_to_be_whole(page, html_of):
    page.goto(html_of("all").as_uri())
    shown = Shown(page)
    shown.part("all-legend").locator("[data-act=hide-type]").first.click()
    expect(shown.part("all-summary")).to_contain_text(re.compile(r"[\d,]+ dots shown; counts are of all 3,768 events"))
    shown.part("all-legend").locator("[data-act=hide-type]").first.click()
    drag(page, shown.part("all-density"), 0.4, 0.6)
    expect(shown.part("all-summary")).to_contain_text("counts are of all 3,768 events")
    shown.part("window-all").click()
    expect(shown.part("all-summary")).not_to_contain_text("counts are of all")
    shown.part("code").click()
    expect(shown.part("dialog")).to_contain_text("ea.replay(")


@pytest.mark.parametrize(
    ("fixture", "host", "mark"),
    [("everything", "all-density", "all-legend"), ("order", "density", "legend")],
    ids=["all", "one"],
)
def test_drawing_a_window_redraws_nothing_but_the_window(fixture, host, mark, request, page):
    kernel = request.getfixturevalue(fixture)
    part = kernel.shown.part(host)
    before = pixels(part.locator("canvas"))
    kernel.shown.part(mark).locator("button").first.evaluate("(node) => (node.__same = true)")
    part.scroll_into_view_if_needed()
    box = part.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, y)
    page.mouse.down()
    for share in (0.4, 0.5, 0.6):
        page.mouse.move(box["x"] + box["width"] * share, y)
        page.wait_for_timeout(60)
    assert pixels(part.locator("canvas")) != before
    assert kernel.shown.part(mark).locator("button").first.evaluate("(node) => node.__same === true")
    page.mouse.up()
    expect(kernel.shown.part("window-all")).to_be_visible()


@pytest.mark.parametrize(
    "page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"]
)
@pytest.mark.parametrize("colour", ["service", "stream"])
def test_colours_tell_apart_what_is_chosen_and_the_legend_follows(order, colour, shot):
    canvas = order.shown.part("canvas")
    before = pixels(canvas)
    types = order.shown.part("legend").locator("[data-act=hide-type] .es-swatch")
    assert types.count() > 1
    order.shown.part("choose-colour").select_option(colour)
    order.shown.page.wait_for_timeout(100)
    assert order.get("colour") == colour
    assert pixels(canvas) != before
    expect(types).to_have_count(0)
    first = order.shown.part("legend").locator(".es-key").first
    expect(first.locator(".es-swatch")).to_have_count(1)
    shot(colour)


def test_lanes_are_sorted_as_chosen(order, shop):
    types = [event["type"] for event in shop.log.where(stream=ORDER, service="orders").events()]
    assert order.shown.told("lanes()")[0] == types[0]
    assert order.shown.part("choose-lanes").input_value() == "type"
    order.shown.part("choose-lane_order").select_option("name")
    order.page.wait_for_timeout(100)
    names = order.shown.told("lanes()")
    assert names == sorted(names)
    order.put(lane_order="count")
    order.page.wait_for_timeout(100)
    counts = [types.count(name) for name in order.shown.told("lanes()")]
    assert counts == sorted(counts, reverse=True)
    order.put(lane_order="duration")
    order.page.wait_for_timeout(100)
    assert order.shown.told("lanes()")[0] == "OrderRefunded"  # the only type that came twice
    order.put(lane_order="first")
    order.page.wait_for_timeout(100)
    assert order.shown.told("lanes()")[-1] == "OrderRefunded"


def test_a_live_pace_says_how_fast_it_runs(order):
    pace = order.shown.part("choose-pace")
    expect(pace).not_to_contain_text("1 s")
    pace.select_option("live")
    expect(pace).to_contain_text(re.compile(r"live, 1 s = \d+ (d|h|min)"))
    slow = pace.inner_text()
    order.put(speed=50)
    expect(pace).not_to_have_text(slow)


def test_an_instant_before_the_first_event_is_said_to_be_one(order):
    order.shown.keys("End")
    order.shown.part("goto").fill("2020-01-01")
    order.page.keyboard.press("Enter")
    order.shown.stands_at(0)
    expect(order.shown.part("status")).to_contain_text("before the first event")


def test_forward_stays_where_all_that_follows_is_hidden(order):
    order.shown.keys("ArrowRight")
    order.shown.stands_at(1)
    order.put(hidden_types=sorted(set(json.loads(order.get("model"))["types"])))
    order.shown.keys("ArrowRight")
    expect(order.shown.part("status")).to_contain_text("hidden")
    assert order.shown.told("step") == 1


def pixels(canvas):
    return canvas.evaluate("(canvas) => canvas.toDataURL()")
