"""What axe-core finds: nothing serious, in light and dark, on pages and in JupyterLab."""

import pytest
from booking import Book
from showing import Shown
from watching import findings

pytestmark = pytest.mark.usefixtures("axe")

SCHEMES = pytest.mark.parametrize(
    "page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"]
)
BEGIN = """
import esanalytics as ea
from esanalytics.demo import orders
store = ea.Store.open({path!r})
"""


@SCHEMES
def test_the_page_of_a_replay_in_every_state(page, html_of):
    shown = Shown.of_file(page, html_of("order"))
    assert findings(page) == []
    shown.keys("ArrowRight", "a", "End", "b", "m", "x", "d", "d")
    shown.part("search").fill("refund")
    assert findings(page) == []
    shown.part("export").click()
    assert findings(page) == []
    shown.part("code").click()
    assert findings(page) == []


@SCHEMES
@pytest.mark.parametrize("view", ["all", "explore", "compare", "trace"])
def test_the_pages_of_the_other_views(page, html_of, view):
    page.goto(html_of(view).as_uri())
    assert findings(page) == []
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert findings(page, "[role=tabpanel]:not([hidden])") == [], tab.inner_text()


def test_the_views_in_jupyterlab(page, server, shop):
    cells = [
        BEGIN.format(path=str(shop.path)),
        "view = ea.replay(store, orders, 'order-123', step=8); view.add_class('looked-at'); view",
        "explorer = ea.explore(store); explorer.add_class('looked-at'); explorer",
    ]
    book = Book(page, server, "lab", cells, "accessible")
    book.run_all()
    page.locator(".looked-at .es-replay").wait_for()
    page.locator(".looked-at .ea-explore").wait_for()
    assert findings(page, ".looked-at") == []
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    page.wait_for_timeout(500)
    assert findings(page, ".looked-at") == []
