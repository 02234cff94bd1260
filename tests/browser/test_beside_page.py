"""Two orders side by side: the page that leaves the notebook, and JupyterLab, where moving one moves the other."""

import pytest
from booking import Book
from playwright.sync_api import expect
from showing import Shown
from watching import findings, picture

LOOKS = pytest.mark.parametrize(
    "page",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"color_scheme": "light", "viewport": {"width": 400, "height": 900}},
    ],
    indirect=True,
    ids=["light", "dark", "narrow"],
)
BEGIN = """
import esanalytics as ea
from esanalytics.demo import orders
store = ea.Store.open({path!r})
"""
MADE = """
view = ea.replay(store, orders, "order-123")
both = view.beside("order-150", align={align!r})
both.add_class("both")
both
"""
STEPS = "[both.left.step, both.right.step]"
SCHEME = "(name) => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name}).then(() => true)"
TABLE = ".both .ea-apart-box"


class Both:
    """Two replays that a notebook shows, and the table between them."""

    def __init__(self, page, server, shop, name, *, align="type"):
        cells = [BEGIN.format(path=str(shop.path)), MADE.format(align=align)]
        self.page, self.book = page, Book(page, server, "lab", cells, name)
        self.book.run_all()
        self.left, self.right = Shown(page, ".both .ea-side-left"), Shown(page, ".both .ea-side-right")
        self.table = page.locator(TABLE)
        self.left.stands_at(0)
        self.right.stands_at(0)

    def boxes(self):
        """Give left, top, right of both sides and of the table."""
        places = (".both .ea-side-left", TABLE, ".both .ea-side-right")
        found = [self.page.locator(place).bounding_box() for place in places]
        return [(box["x"], box["y"], box["x"] + box["width"]) for box in found]

    def wide(self, width):
        """Give the notebook all the room of a window."""
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        self.page.set_viewport_size({"width": width, "height": 1100})
        self.page.wait_for_timeout(400)


@pytest.fixture
def both(page, server, shop, request):
    return Both(page, server, shop, request.node.name)


@LOOKS
def test_the_page_has_the_table_and_both_pictures(page, html_of, request):
    page.goto(html_of("beside").as_uri())
    expect(page.get_by_role("table")).to_contain_text("order-150 at 7 of 9, RefundRequested")
    row = page.get_by_role("row", name="balance")
    expect(row).to_contain_text("\N{BLACK UP-POINTING TRIANGLE} +397.50")
    drawn = page.locator("img").evaluate_all("(all) => all.map((img) => img.complete && img.naturalWidth)")
    assert drawn == [960, 960]
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("() => document.scripts.length") == 0
    picture(page, f"{request.node.name}-whole", whole=True)


@LOOKS
@pytest.mark.usefixtures("axe")
def test_nothing_of_the_page_is_out_of_reach(page, html_of):
    page.goto(html_of("beside").as_uri())
    assert findings(page) == []


@pytest.mark.slow
def test_moving_one_moves_the_other_and_the_table_tells_both(both, page, shot):
    both.left.keys("ArrowRight")
    both.right.stands_at(1)
    expect(both.table).to_contain_text("order-123 at 1 of 8, OrderPlaced, at the time of its first event")
    both.right.keys("End")
    both.left.stands_at(8)
    expect(both.table).to_contain_text("order-150 at 9 of 9")
    expect(both.table.get_by_role("row", name="total")).to_contain_text("+238.50")
    shot("lab")
    page.get_by_label("linked").uncheck()
    both.left.keys("Home")
    both.left.stands_at(0)
    both.book.becomes(STEPS, [0, 9])
    both.right.stands_at(9)
    expect(both.table).to_contain_text("no row")
    page.get_by_label("linked").check()
    both.right.stands_at(0)  # the left moved last, and leads
    page.get_by_label("align by").select_option("time since start")
    both.book.becomes("both.align", "time")
    both.book.tell("both.left.step = 4")
    both.left.stands_at(4)


@pytest.mark.slow
def test_it_plays_to_the_end_without_falling_back(both):
    both.left.part("choose-speed").select_option("25")
    both.left.part("play").click()
    both.left.stands_at(8)
    both.book.becomes("[both.left.step, both.left.canvas.playing, both.right.step]", [8, False, 9])
    both.right.stands_at(9)


@pytest.mark.slow
def test_wide_it_stands_between_and_narrow_everything_is_stacked(both, page, shot):
    both.book.tell("both.left.step = 8")
    both.wide(1700)
    left, table, right = both.boxes()
    assert left[2] <= table[0] <= table[2] <= right[0]
    shot("wide")
    page.evaluate(SCHEME, "JupyterLab Dark")
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    page.wait_for_timeout(500)
    shot("wide-dark")
    both.wide(1000)
    left, table, right = both.boxes()
    assert table[1] < left[1]
    assert left[2] <= right[0]
    shot("middle-dark")
    both.wide(400)
    left, table, right = both.boxes()
    assert table[1] < left[1] < right[1]
    assert right[2] <= 400
    shot("narrow-dark")
    page.evaluate(SCHEME, "JupyterLab Light")
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'true'")
    page.wait_for_timeout(500)
    shot("narrow")


@pytest.mark.slow
@pytest.mark.usefixtures("axe")
def test_nothing_of_the_view_is_out_of_reach(both, page):
    both.left.keys("End")
    both.right.stands_at(9)
    assert findings(page, ".both") == []
