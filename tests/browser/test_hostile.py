"""What events hold is shown as text and never runs; very long, very many, and unusual things stay in their place."""

import pytest
from booking import Book
from logs import ATTACK, ATTACKS, EMOJI, PROJECTION, RIGHT_TO_LEFT, manifold
from playwright.sync_api import expect
from showing import Shown

import esanalytics as ea

KEY = (ATTACK, ATTACK)
BEGIN = """
import esanalytics as ea
store = ea.Store.open({path!r})
key = {key!r}
things = ea.Projection("things", ("service", "stream_id"), {{"*": {{"said": ea.field("said"), "seen": ea.count}}}})
"""
UNHARMED = "() => window.__pwned === undefined && !document.querySelector('img[src=x], svg[onload]')"


MISSING = """() => new Promise((done) => {
  const image = new Image();
  image.onerror = () => requestAnimationFrame(() => requestAnimationFrame(done));
  image.src = "x";
})"""
"""Waits for a picture that is not there to say so, and so for all that were asked for before it."""


def unharmed(page):
    page.evaluate(MISSING)
    assert page.evaluate(UNHARMED)


@pytest.fixture
def page_of(page, tmp_path):
    """Open the page of a view from disk."""

    def opened(view):
        page.goto(view.to_html(tmp_path / "view.html").as_uri())
        view.close()
        return page

    return opened


def test_a_page_shows_attacks_as_text(page_of, hostile, shot):
    page = page_of(ea.replay(hostile, PROJECTION, KEY))
    shown = Shown(page)
    for step in range(1, len(ATTACKS) + 1):
        shown.keys("ArrowRight")
        shown.stands_at(step)
        assert shown.told("state().said") == ATTACKS[step - 1]
        expect(shown.part("position")).to_contain_text(ATTACKS[step - 1][:7])
    shown.part("jump-field").select_option("said")
    shown.keys("a", "End", "b", "d")
    shown.part("search").fill("<img")
    page.keyboard.press("Enter")
    shown.part("timeline").hover()
    shown.part("code").click()
    shot("code")
    unharmed(page)


def test_an_explorer_page_shows_attacks_as_text(page_of, hostile):
    page = page_of(ea.explore(hostile))
    for name in ("Types", "Fields", "Streams", "Code", "Events"):
        page.get_by_role("tab", name=name).click()
        unharmed(page)


@pytest.mark.parametrize("view", ["trace", "compare"])
def test_other_pages_show_attacks_as_text(page_of, hostile, view):
    if view == "trace":
        shown = ea.trace(hostile, event_id=f"{ATTACK} 0")
    else:
        shown = ea.compare(hostile, PROJECTION, "2026-03-01T10:02:00Z", "2026-03-01T11:00:00Z")
    unharmed(page_of(shown))


def test_what_notebooks_show_as_html_has_attacks_as_text(page, hostile):
    shown = [
        hostile.log.events(),
        ea.state_at(hostile, PROJECTION),
        ea.history(hostile, PROJECTION),
        ea.bisect(hostile, PROJECTION, "seen > 2", key=KEY),
    ]
    html = [each._repr_html_() for each in shown]
    assert all("onerror" in each for each in html)
    page.set_content("".join(html))  # nothing cleans it, as JupyterLab may
    unharmed(page)


def test_a_notebook_shows_attacks_as_text(page, server, hostile):
    cells = [
        BEGIN.format(path=str(hostile.path), key=KEY),
        "view = ea.replay(store, things, key); view",
        "everything = ea.replay(store, things); everything.add_class('all'); everything",
        "ea.explore(store)",
        "store.log.events()",
        "store",
        "ea.state_at(store, things)",
        "ea.compare(store, things, '2026-03-01T10:02:00Z', '2026-03-01T11:00:00Z')",
        "ea.trace(store, event_id='<img src=x onerror=window.__pwned=1> 0')",
    ]
    book = Book(page, server, "lab", cells, "hostile")
    book.run_all()
    page.wait_for_timeout(500)
    Shown(page, ".all").part("entities").locator("[data-act=entity]").first.wait_for()
    unharmed(page)


def test_right_to_left_text_and_emoji_are_whole(page_of, hostile, shot):
    page = page_of(ea.replay(hostile, PROJECTION, KEY, step=len(ATTACKS) + 1))
    shown = Shown(page)
    expect(shown.part("state")).to_contain_text(RIGHT_TO_LEFT)
    shot("right-to-left")
    shown.keys("ArrowRight")
    expect(shown.part("state")).to_contain_text(EMOJI)


def test_a_payload_of_five_megabytes_is_cut_and_says_so(page_of, hostile, shot):
    page = page_of(ea.replay(hostile, PROJECTION, (ATTACK, "large"), step=1))
    shown = Shown(page)
    expect(shown.part("payload")).to_contain_text("5.0 MB")
    assert len(page.content()) < 1_000_000
    assert len(shown.root.inner_text()) < 50_000
    shot("cut")


def test_nothing_but_nulls_is_shown(page_of, hostile):
    shown = Shown(page_of(ea.replay(hostile, PROJECTION, (ATTACK, "nulls"), step=3)))
    expect(shown.part("state")).to_contain_text("null")
    assert shown.told("state()") == {"said": None, "seen": 3}


def test_two_thousand_types_fit(page_of, tmp_path, shot):
    store = ea.Store.open(manifold(tmp_path))
    page = page_of(ea.replay(store, PROJECTION, ("types", "one"), step=1000))
    shown = Shown(page)
    shown.stands_at(1000)
    assert shown.part("legend").locator("button").count() < 60
    assert page.evaluate("() => document.querySelectorAll('*').length") < 8_000
    shown.keys("ArrowRight")
    shown.stands_at(1001)
    shot("types")


def test_an_event_that_stands_alone_and_many_at_one_instant_are_shown(page_of, tmp_path):
    store = ea.Store.create(tmp_path / "store")
    same = {"type": "Said", "occurred_at": "2026-03-01"}
    store.append([{**same, "stream_id": "many", "data": {"said": str(n)}} for n in range(500)], service="s")
    store.append([{**same, "stream_id": "one", "data": {"said": "a"}}], service="s")
    for key, count in (("one", 1), ("many", 500)):
        shown = Shown(page_of(ea.replay(store, PROJECTION, ("s", key))))
        shown.keys("End")
        shown.stands_at(count)
        assert shown.told("state().seen") == count
