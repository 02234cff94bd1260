"""The story of an order in JupyterLab, Notebook 7 and Voila: what the page shows, and what Python got back."""

import pytest
from booking import Book, write
from playwright.sync_api import expect
from showing import Shown, drag

SECOND_REFUND = "ab42cbdaf3300cdf"
BEGIN = """
import esanalytics as ea
from esanalytics.demo import orders
store = ea.Store.open({path!r})
"""
ONE = "view = ea.replay(store, orders, 'order-123'); view.add_class('one'); view"
EXPLORE = "explorer = ea.explore(store); explorer.add_class('explore'); explorer"
ALL = "everything = ea.replay(store, orders); everything.add_class('all'); everything"
GONE = """
import shutil
import esanalytics as ea
store, said = ea.Store.create({path!r}), {{"type": "Said", "occurred_at": "2026-03-01"}}
store.append([{{"stream_id": "a", **said, "data": {{"n": n}}}} for n in range(5)], service="s")
"""
STEPS_TAKEN = """() => {
  const { esReplay } = document.querySelector(".one .es-replay").parentElement;
  window.__steps = [];
  setInterval(() => {
    if (window.__steps.at(-1) !== esReplay.step) window.__steps.push(esReplay.step);
  }, 1);
}"""
"""Notes every step at which the page ever stands."""
TOLD = """
import ipywidgets as W
told = W.HTML()
told.add_class("told")
def tell(_=None):
    told.value = f"<p>{view.step} {view.at} {(view.state() or {}).get('status')} {len(view.session.skipped)} off</p>"
view.canvas.observe(tell, ["step", "skipped"])
tell()
told
"""


@pytest.fixture
def open_book(page, server, shop, request):
    """Open a notebook in which the store is open, and run its cells."""

    def opened(app, *cells):
        book = Book(page, server, app, [BEGIN.format(path=str(shop.path)), *cells], request.node.name)
        book.run_all()
        return book

    return opened


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_python_and_the_page_stay_together_through_the_story(app, open_book, page, shot):
    book = open_book(app, ONE)
    shown = Shown(page, ".one")
    shown.stands_at(0)
    shown.keys("ArrowRight", "ArrowRight", "ArrowRight")
    shown.stands_at(3)
    book.becomes("view.step", 3)
    assert book.ask("[view.at.isoformat(), view.state()['status']]") == ["2026-02-04T15:51:42.659604+00:00", "paid"]

    shown.part("jump-field").select_option("balance")
    shown.part("jump-field-next").click()
    shown.part("jump-field-next").click()
    shown.stands_at(8)
    book.becomes("[view.step, view.state()['balance']]", [8, "-79.50"])
    shot("broken")

    shown.keys("x")
    book.becomes("[sorted(view.session.skipped), view.state()['balance']]", [[SECOND_REFUND], "0.00"])
    assert book.ask("store.log.count() - view.log.count()") == 1
    expect(shown.part("badge")).to_contain_text("1 event off")
    shown.part("diff-what-if").click()
    expect(shown.part("diff").locator("tr[data-path=balance]")).to_contain_text("+79.50")
    assert [line.split()[1] for line in shown.changes()] == ["balance", "refunded", "refunds"]
    shown.part("diff").scroll_into_view_if_needed()
    shot("what-if")

    book.tell("view.step = 5")
    shown.stands_at(5)
    shown.part("events").locator("tr[data-step='4'] input[type=checkbox]").first.check()
    book.becomes("[view.selection, view.events().arrow().num_rows]", [["ad7a09b3a2802e7e"], 1])
    assert book.ask("ea.replay(store, orders, **view.spec()).spec() == view.spec()")


def test_what_python_echoes_undoes_no_key_that_was_pressed_since(open_book, page):
    book = open_book("lab", ONE)
    shown = Shown(page, ".one")
    shown.stands_at(0)
    page.evaluate(STEPS_TAKEN)
    pauses = (10, 20, 60, 150)  # milliseconds; an echo takes about as long
    for pause in pauses:
        for _ in range(8):
            shown.keys("ArrowRight")
            page.wait_for_timeout(pause)
        book.becomes("view.step", 8)
        shown.keys("Home")
        book.becomes("view.step", 0)
    assert page.evaluate("() => window.__steps") == [*range(9)] * len(pauses) + [0]


def test_the_mouse_plays_brushes_and_marks(open_book, page):
    book = open_book("lab", ONE)
    shown = Shown(page, ".one")
    shown.stands_at(0)
    shown.part("choose-speed").select_option("25")
    shown.part("play").click()
    shown.stands_at(8)
    book.becomes("[view.step, view.canvas.playing]", [8, False])
    drag(page, shown.part("density"), 0.2, 0.6)
    book.becomes("len(view.canvas.window)", 2)
    shown.part("mark-b").click()
    shown.part("first").click()
    shown.part("mark-a").click()
    book.becomes("[view.session.marks.get(name) for name in 'AB']", [0, 8])
    expect(shown.part("diff")).to_contain_text("0")


def test_one_of_all_entities_is_found_and_replayed(open_book, page, shot):
    book = open_book("lab", ALL)
    shown = Shown(page, ".all")
    expect(shown.part("all-summary")).to_contain_text("3,768 events")
    shot("all")
    drag(page, shown.part("all-density"), 0.3, 0.5)
    expect(shown.part("window-all")).to_be_visible()
    book.becomes("len(everything.canvas.window)", 2)
    shown.part("entity-search").fill("order-150")
    found = shown.part("entities").locator("[data-act=entity]", has_text="order-150").first
    found.click()
    shown.part("position").wait_for()
    book.becomes("everything.session and everything.session.entity.title", "order-150")
    shown.keys("End")
    book.becomes("everything.step == len(everything.session) > 0", wanted=True)
    shot("picked")


def test_the_explorer_filters_and_hands_back(open_book, page, shot):
    book = open_book("lab", EXPLORE)
    explorer = page.locator(".explore .ea-explore")
    expect(explorer).to_contain_text("3,768 events")
    explorer.get_by_role("checkbox", name="payments").check()
    book.becomes("[explorer.chosen.services, explorer.events().arrow().num_rows]", [["payments"], 675])
    expect(explorer).to_contain_text("675 events shown")
    drag(page, explorer.locator("canvas").first, 0.3, 0.6)
    book.becomes("explorer.window is not None", wanted=True)
    shown = book.ask("explorer.events().arrow().num_rows")
    assert 0 < shown < 675
    expect(explorer).to_contain_text(f"{shown} events shown")
    explorer.get_by_role("tab", name="Code").click()
    expect(explorer).to_contain_text(".where(")
    shot("code")
    explorer.get_by_role("tab", name="Streams").click()
    expect(explorer.get_by_role("tabpanel").locator("tbody tr").first).to_contain_text("payment")
    shot("streams")
    explorer.get_by_role("tab", name="Fields").click()
    explorer.get_by_label("type whose fields are shown").select_option("PaymentCaptured")
    expect(explorer.get_by_role("tabpanel").get_by_role("row", name="amount")).to_be_visible()
    explorer.get_by_role("tabpanel").scroll_into_view_if_needed()
    shot("fields")
    book.tell("beneath = explorer.replay('order-123', 'orders')")
    Shown(page, ".explore").stands_at(0)


def test_voila_replays_with_python_behind_it(page, server, shop, shot):
    cells = [BEGIN.format(path=str(shop.path)), ONE, TOLD]
    page.goto(server.address("voila", write(server.folder / "voila.ipynb", cells)), timeout=60_000)
    shown = Shown(page, ".one")
    shown.part("position").wait_for(timeout=60_000)
    shown.keys("ArrowRight", "ArrowRight", "ArrowRight")
    shown.stands_at(3)
    told = page.locator(".told p")
    expect(told).to_have_text("3 2026-02-04 15:51:42.659604+00:00 paid 0 off")
    shown.keys("End", "x")
    expect(told).to_contain_text("refunded 1 off")
    shot("what-if")


def test_without_a_free_kernel_it_plays_what_it_has(open_book, page):
    book = open_book("lab", ONE, "import time")
    shown = Shown(page, ".one")
    shown.stands_at(0)
    book.fill(2, "time.sleep(6); rested = True")
    book.start(2)
    shown.keys("End", "x")
    shown.stands_at(8)
    assert shown.told("state().balance") == "0.00"
    shown.keys("Home")
    shown.part("choose-speed").select_option("10")
    shown.part("play").click()
    shown.stands_at(8)
    book.becomes("[rested, view.step, len(view.session.skipped)]", [True, 8, 1])


def test_with_a_dead_kernel_it_plays_what_it_has(open_book, page, server, shot):
    open_book("lab", ONE)
    shown = Shown(page, ".one")
    shown.stands_at(0)
    server.shut_down_kernels()
    page.wait_for_timeout(1000)
    shown.keys("End", "x")
    shown.stands_at(8)
    assert shown.told("state().balance") == "0.00"
    shot("dead")


def test_a_store_that_disappears_is_told_and_what_was_read_still_plays(page, server, tmp_path, shot):
    begin = GONE.format(path=str(tmp_path / "gone"))
    cells = [begin, "view = ea.replay(store, key='a'); view"]
    book = Book(page, server, "lab", cells, "gone")
    book.run_all()
    shown = Shown(page)
    shown.stands_at(0)
    book.tell("store.append([{'stream_id': 'a', **said, 'data': {'n': 9}}], service='s'); view.refresh()")
    expect(shown.part("summary")).to_contain_text("6 events")
    book.tell("shutil.rmtree(store.path)")
    shown.part("refresh").click()
    expect(shown.part("status")).to_contain_text("store", ignore_case=True)
    shown.keys("End")
    shown.stands_at(6)
    assert shown.told("state().n") == 9
    shot("told")
