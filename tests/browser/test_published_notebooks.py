"""The notebook of the replay as it is published: what it says to do by hand, done by hand in all three places."""

import nbformat
import pytest
from booking import Book, write
from playwright.sync_api import expect
from showing import Shown
from watching import ROOT

pytestmark = pytest.mark.slow

PUBLISHED = ROOT / "notebooks" / "03_replay.ipynb"
SECOND_REFUND = "view.session.branch.envelope(8)['event_id']"


def cell_that_begins(code):
    cells = nbformat.read(PUBLISHED, as_version=4).cells
    return next(index for index, cell in enumerate(cells) if cell.source.startswith(code))


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_what_the_notebook_says_can_be_done_by_hand_and_python_gets_it(app, page, server, shot):
    book = Book(page, server, app, PUBLISHED, f"published-{app}")
    shows = cell_that_begins("view = ea.replay(")
    book.run_all(end=shows + 1)
    shown = Shown(page)
    shown.stands_at(0)
    shown.part("jump-field").select_option("balance")
    stops = []
    for _ in range(4):
        shown.keys("f")
        stops.append(shown.told("step"))
    assert stops[-2:] == [8, 9]
    shown.stands_at(9)
    book.becomes("[view.step, view.state()['balance']]", [9, "-318.00"])
    shown.keys("x")
    shown.part("diff-what-if").click()
    expect(shown.part("diff").locator("tr[data-path=balance]")).to_contain_text("+318.00")
    shot("by-hand")
    book.becomes("[view.state()['balance'], len(view.session.skipped)]", ["0.00", 1])
    assert book.ask(f"list(view.session.skipped) == [{SECOND_REFUND}]") is True
    assert book.ask("str(ea.state_at(view.log, orders, key='order-150').df()['balance'][0])") in {"0.0", "0.00"}
    shown.keys("x")
    book.becomes("len(view.session.skipped)", 0)
    book.run_all(first=shows + 1)
    assert book.ask("[view.step, len(view.session.skipped), twin.state() == view.state()]") == [9, 1, True]
    page.locator(".es-replay").last.scroll_into_view_if_needed()
    shot("at-its-end")


def test_voila_shows_the_notebook_and_replays_in_it(page, server, shot):
    page.goto(server.address("voila", write(server.folder / "published-voila.ipynb", PUBLISHED)), timeout=120_000)
    page.locator(".es-replay").nth(1).wait_for(timeout=120_000)
    page.evaluate("() => document.querySelectorAll('.es-replay')[0].parentElement.classList.add('first-shown')")
    shown = Shown(page, ".first-shown")
    shown.stands_at(9)
    shown.keys("Home", "ArrowRight")
    shown.stands_at(1)
    shown.keys("End", "x")
    shot("by-hand")
    expect(shown.part("status")).to_contain_text("switched")
