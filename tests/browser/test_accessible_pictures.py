"""What axe-core finds in the views that are pictures with controls: nothing, and each has a name."""

import pytest
from booking import Book
from watching import findings

pytestmark = [pytest.mark.usefixtures("axe"), pytest.mark.slow]

BEGIN = """
import esanalytics as ea
from esanalytics.demo import orders
store = ea.Store.open({path!r})
"""


def test_pictures_and_their_controls_have_names_in_jupyterlab(page, server, shop, shot):
    show = "{0}.add_class('looked-at'); {0}".format
    cells = [
        BEGIN.format(path=str(shop.path)),
        "view = ea.replay(store, orders, 'order-123', step=8, renderer='matplotlib'); " + show("view"),
        "every = ea.replay(store, orders, renderer='matplotlib'); " + show("every"),
    ]
    book = Book(page, server, "lab", cells, "pictures")
    book.run_all()
    pictures = page.locator(".looked-at img")
    pictures.nth(1).wait_for()
    shot("both")
    assert findings(page, ".looked-at") == []
    named = page.evaluate("() => [...document.querySelectorAll('.looked-at img')].map(one => one.alt)")
    assert "order-123" in named[0]
    assert "event 8 of" in named[0]
    assert "All entities" in named[1]
    book.tell("view.step = 7")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.looked-at img')].some(one => one.alt.includes('event 7 of'))"
    )
