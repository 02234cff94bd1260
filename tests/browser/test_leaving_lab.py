"""What leaves JupyterLab by the menu of a replay, and entities that Python shows in a replay that is open."""

import pytest
from booking import Book
from playwright.sync_api import expect
from showing import Shown

pytestmark = pytest.mark.slow

BEGIN = """
import os
import esanalytics as ea
from pathlib import Path
from esanalytics.demo import orders
store = ea.Store.open({path!r})
os.chdir({folder!r})
"""
ONE = "view = ea.replay(store, orders, 'order-123'); view.add_class('one'); view"
ALL = "everything = ea.replay(store, orders); everything.add_class('all'); everything"
SAVED = "Saved "


@pytest.fixture
def open_book(page, server, shop, request, tmp_path):
    def opened(*cells):
        begin = BEGIN.format(path=str(shop.path), folder=str(tmp_path))
        book = Book(page, server, "lab", [begin, *cells], request.node.name)
        book.run_all()
        return book

    return opened


def exported(book, shown, what):
    """Press an entry of the menu, and return how the file begins that it says it has saved."""
    shown.part("export").click()
    shown.part(f"export-{what}").click()
    status = shown.part("status")
    expect(status).to_contain_text(SAVED, timeout=60_000)
    path = status.inner_text().removeprefix(SAVED)
    assert path.endswith(f".{what}")
    return bytes(book.ask(f"list(Path({path!r}).read_bytes()[:16])"))


def test_every_entry_of_the_export_menu_writes_its_file(open_book, page):
    book = open_book(ONE)
    shown = Shown(page, ".one")
    shown.keys("End")
    shown.stands_at(8)
    begins = {"html": b"<!DOCTYPE html>", "png": b"\x89PNG", "gif": b"GIF8", "parquet": b"PAR1"}
    for what, begin in begins.items():
        assert exported(book, shown, what).startswith(begin), what


def test_all_entities_can_be_exported_and_filtered(open_book, page):
    book = open_book(ALL)
    shown = Shown(page, ".all")
    expect(shown.part("all-summary")).to_contain_text("3,768 events")
    book.tell("everything.canvas.hidden_types = ['OrderPlaced']")
    expect(shown.part("all-summary")).to_contain_text(" of 3,768 events")
    assert exported(book, shown, "html").startswith(b"<!DOCTYPE html>")


def test_python_shows_another_entity(open_book, page, shot):
    book = open_book(ONE)
    shown = Shown(page, ".one")
    shown.keys("End")
    shown.stands_at(8)
    book.tell("view.show('order-150')")
    expect(shown.part("title")).to_contain_text("order-150")
    shown.stands_at(0)
    shown.keys("End")
    book.becomes("view.step == len(view.session) > 0", wanted=True)
    shown.stands_at(book.ask("view.step"))
    assert shown.told("state().status") == book.ask("view.state()['status']")
    shot("other")
