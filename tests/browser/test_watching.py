"""The browser tests' own ground: what goes outside or throws is found out, and the three places run a notebook."""

import pytest
from booking import Book, write
from watching import watched


@pytest.fixture
def open_page(browser):
    with watched(browser) as (context, watch):
        yield context.new_page(), watch


@pytest.mark.parametrize(
    "body",
    [
        "<img src='https://example.org/a.png'>",
        "<script src='http://192.0.2.1/x.js'></script>",
        "<link rel=stylesheet href='//example.org/x.css'>",
        "<script>new WebSocket('wss://example.org/')</script>",
        "<script>fetch('https://127.0.0.1.example.org/')</script>",
    ],
)
def test_a_page_that_asks_for_the_outside_is_found_out(open_page, body, tmp_path):
    page, watch = open_page
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><base href='https://example.org'>{body}", encoding="utf-8")
    page.goto(path.as_uri())
    page.wait_for_timeout(100)
    with pytest.raises(AssertionError, match="asked for something from outside"):
        watch.check()


def test_a_page_that_throws_is_found_out(open_page):
    page, watch = open_page
    page.goto("data:text/html,<script>throw new Error('broken')</script>")
    with pytest.raises(AssertionError, match="broken"):
        watch.check()


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_notebook_runs_and_its_kernel_answers(page, server, app):
    book = Book(page, server, app, ["import ipywidgets as W", "box = W.Text('here'); box", "1 / 0"], f"probe-{app}")
    book.run(0)
    book.run(1)
    page.locator(".widget-text input").wait_for()
    book.tell("box.value = 'there'")
    page.wait_for_function("() => document.querySelector('.widget-text input').value === 'there'")
    assert book.ask("[box.value, 1 + 1]") == ["there", 2]
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        book.run(2)


def test_voila_shows_a_notebook(page, server):
    name = write(server.folder / "probe-voila.ipynb", ["import ipywidgets as W; W.Text('here')"])
    page.goto(server.address("voila", name), timeout=60_000)
    page.locator(".widget-text input").wait_for(timeout=60_000)
