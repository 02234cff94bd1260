"""The law of the page: at every step, with any events switched off, it shows the state that Python says there is."""

import pytest
from histories import Reference, histories, law, projections, store_of
from hypothesis import given
from hypothesis import strategies as st
from lawful import PAGE, ids_of, plain, said_by_python

import esanalytics as ea
from esanalytics.analysis import model_of
from esanalytics.demo import customers, orders, payments, stock
from esanalytics.errors import CompileError, UnknownKeyError
from esanalytics.widgets._page import replay_page

TRAITS = {"step": 0, "skipped": [], "marks": {"A": None, "B": None}, "bookmarks": [], "theme": "auto"}


def compare(page, path, session, sets):
    path.write_text(replay_page(model_of(session), TRAITS, title="law", code={"python": "", "sql": ""}), "utf-8")
    page.goto(path.as_uri())
    for skipped, found in zip(sets, page.evaluate(PAGE, sets), strict=True):
        wanted = said_by_python(session, skipped)
        for what in ("order", "states", "real"):
            for step, (here, there) in enumerate(zip(found[what], wanted[what], strict=True)):
                assert plain(here) == plain(there), f"{what} at {step} without {skipped}"


@pytest.mark.parametrize(
    ("projection", "key"),
    [(orders, "order-123"), (orders, "order-150"), (payments, "order-123"), (stock, "sku-007"), (None, "order-169")],
    ids=lambda given: getattr(given, "name", str(given)),
)
def test_the_page_folds_the_sample_as_python_does(page, tmp_path, shop, projection, key):
    session = ea.ReplaySession(shop, projection, key)
    ids = ids_of(session)
    compare(page, tmp_path / "law.html", session, [[], ids[-1:], ids[::2], ids[:1], ids, ids[1::3], []])


def test_an_entity_that_ends_goes_on_where_its_end_is_switched_off(page, tmp_path, shop):
    ended = next(iter(shop.log.where(type="CustomerDeleted").events()))["stream_id"]
    session = ea.ReplaySession(shop, customers, ended)
    ids = ids_of(session)
    compare(page, tmp_path / "law.html", session, [[], ids[-1:], ids[:1], ids])


@law(12)
@given(st.data())
def test_the_page_folds_anything_as_python_does(page, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("law")
    batches, projection = data.draw(histories()), data.draw(projections())
    store = store_of(folder, batches)
    reference = Reference(projection, [event for batch in batches for event in batch], held=())
    keys = {reference.key(event) for event in reference.events}
    for key in sorted((key for key in keys if None not in key), key=repr):
        try:
            session = ea.ReplaySession(store, projection, key)
        except (UnknownKeyError, CompileError):  # no rule is for its events, or the types in the log do not fit
            continue
        some = st.lists(st.sampled_from(ids_of(session)), unique=True) if len(session) else st.just([])
        compare(page, folder / "law.html", session, [[], *data.draw(st.lists(some, min_size=2, max_size=3))])
