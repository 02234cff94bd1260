"""Two states side by side, as a widget, a page and a picture."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import threading
from html.parser import HTMLParser

import duckdb
import ipywidgets
import pyarrow.parquet as pq
import pytest
from PIL import Image

import esanalytics as ea
from esanalytics.analysis import _responsible
from esanalytics.analysis._comparing import Difference, Entry, Row
from esanalytics.widgets import _comparison
from esanalytics.widgets._bundle import MOST_BYTES, write_whole
from esanalytics.widgets._comparison import compare
from esanalytics.widgets._differences import columns_table, entries_table, events_list, rows_table, sides_table

_START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
_ALERT = "<img src=x onerror=alert(1)>"
_ORDERS = ea.Projection(
    f"orders{_ALERT}",
    key={"order": ea.stream_id},
    on={
        "Placed": {"status": ea.field("status", "VARCHAR"), "total": ea.field("amount", "DECIMAL(18,2)")},
        f"Paid{_ALERT}": {"status": "paid"},
        "Deleted": ea.delete,
    },
)


def event(number, type_="Placed", stream="o-1", second=0, **data):
    return {
        "event_id": f"e{number}{_ALERT}",
        "stream_id": stream,
        "type": type_,
        "occurred_at": _START + dt.timedelta(seconds=second),
        "data": data,
    }


def at(second):
    return _START + dt.timedelta(seconds=second)


@pytest.fixture
def store(tmp_path):
    store = ea.Store.create(tmp_path / "store")
    many = [event(f"m{n}", stream=f"o-m{n:02}", second=5, amount=1, status=None) for n in range(25)]
    store.append(
        [
            event(1, stream=_ALERT, amount="10.00", status=_ALERT, text="x" * 5_000_000),
            event(2, f"Paid{_ALERT}", _ALERT, 5, text="y" * 5_000_000),
            event(3, stream="o-gone 📦 دفع", amount=3, status="placed"),
            event(4, "Deleted", "o-gone 📦 دفع", 5),
            *many,
        ]
    )
    return store


@pytest.fixture
def view(store):
    return compare(store, _ORDERS, at(0), at(5))


class Elements(HTMLParser):
    """Collects the elements of a document and the attributes that could load or run something."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [(tag, name, value) for name, value in attrs if name in ("src", "href") or name.startswith("on")]


def shown(view):
    return "".join(part.value for part in (view._top, view._where, view._table, view._drill))


def test_the_strip_counts_by_sign_and_word(view):
    text = re.sub(r"<[^>]+>", "", view._top.value.split("</style>")[1])
    assert "+25added" in text
    assert "\N{MINUS SIGN}1removed" in text
    assert "~1changed" in text
    assert "2026-03-01T00:00:05.000000Z" in text


def test_rows_are_paged_by_buttons(view):
    assert (view._where.value, view._before.disabled, view._after.disabled) == ("1 to 20 of 27 rows", True, False)
    view._after.click()
    assert (view._where.value, view._before.disabled, view._after.disabled) == ("21 to 27 of 27 rows", False, True)
    view._after.click()
    assert view._where.value == "21 to 27 of 27 rows"
    view._before.click()
    assert view._where.value == "1 to 20 of 27 rows"


def test_a_kind_is_chosen_as_the_page_would_choose_it(view):
    view._kinds.set_state({"index": 2})
    assert view._where.value == "1 to 1 of 1 row"
    assert [label for label, _ in view._choice.options] == ["choose a row", "\N{MINUS SIGN} o-gone 📦 دفع"]
    view.show("added")
    assert view._kinds.value == "added"
    with pytest.raises(ValueError, match="choose 'added'"):
        view.show("new")


def test_a_row_is_opened_with_both_sides_and_its_events(view):
    view.show("changed")
    view._choice.set_state({"index": 1})
    assert view.selection == (_ALERT,)
    text = view._drill.value
    assert text.count('class="ea-differs"') == 1
    assert "only on" not in text
    assert "between the two instants" in text
    assert "5.0 MB, the first 20,000 characters are shown" in text
    assert len(text) < 100_000
    view.show("removed")
    view._choice.set_state({"index": 1})
    assert "no row" in view._drill.value


def test_data_is_shown_as_text(view, tmp_path):
    view.drill(_ALERT)
    page = view.to_html(tmp_path / "x.html").read_text("utf-8")
    for text in (shown(view), page):
        found = Elements(text)
        assert found.loads == []
        assert not {"img", "script", "link", "iframe"} & set(found.tags)
        assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert re.findall(r"https?://|url\(|@import", page) == []
    assert "default-src 'none'" in page
    assert "📦 دفع" in page
    assert len(page) < 1_000_000


def test_the_page_has_every_row_and_its_events_and_says_what_it_left_out(view, tmp_path, monkeypatch):
    text = view.to_html(tmp_path / "x.html").read_text("utf-8")
    assert text.count('<details class="ea-drill">') == 27
    assert text.count("Events that made it so") == 27
    assert 'role="note"' not in text.split("<h3>Rows</h3>")[1].split("<details")[0]
    monkeypatch.setattr(_comparison, "_STATIC_ROWS", 5)
    monkeypatch.setattr(_comparison, "_STATIC_EVENTS", 2)
    text = view.to_html(tmp_path / "x.html").read_text("utf-8")
    assert text.count("Events that made it so") == 2
    note = "the first 5 of 27 rows; the first 2 rows have the events that made them so, the others only what differs"
    assert note in text
    assert "Python" not in text


def test_the_bundle_has_the_widget_a_picture_and_a_line(view, tmp_path):
    data, metadata = view._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == view.model_id
    assert len(base64.b64decode(data["image/png"])) <= MOST_BYTES
    assert data["text/plain"].endswith("rows 25 added, 1 removed, 1 changed")
    assert "25 added" in metadata["image/png"]["alt"]
    assert view.to_png(tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"


def test_the_spec_makes_the_same_view_again(store, view):
    spec = json.loads(json.dumps(view.spec()))
    assert compare(store, _ORDERS, **spec)._top.value == view._top.value
    one = compare(store, _ORDERS, at(0), at(5), key=_ALERT, known_at="2100-01-01")
    assert one.spec()["known_at"] == "2100-01-01T00:00:00.000000Z"
    assert compare(store, _ORDERS, **one.spec()).compared.counts == one.compared.counts
    both = compare(store, _ORDERS, store.log, store.log.without("type = 'Placed'"))
    assert both.compared.total
    assert compare(store, _ORDERS, **both.spec())._top.value == both._top.value


def test_refreshing_shows_what_the_store_holds_now(tmp_path):
    store = ea.Store.create(tmp_path / "s")
    row = {"service": "orders", "type": "Placed", "occurred_at": at(1), "data": {}}
    store.append([{**row, "stream_id": "o-1"}])
    view, still = (compare(given, _ORDERS, at(0), at(5)) for given in (store, store.log))
    view.drill("o-1")
    assert view.refresh() == "nothing new"
    store.append([{**row, "stream_id": "o-2"}, {**row, "stream_id": "o-3"}])
    assert "this is a view of a log" in still.refresh()
    assert view.refresh() == "3 rows differ; before, 1"
    assert view._where.value == "1 to 3 of 3 rows"
    view._again.click()
    assert "nothing new" in view._told.value


def test_half_a_character_is_written_as_a_sign(store, tmp_path, monkeypatch):
    view = compare(store, _ORDERS, at(0), at(5))
    monkeypatch.setattr(type(view), "_name", "half \ud83d")
    view._head()
    assert "half ?" in view._top.value
    for name in ("x.html", "x.png", "x.svg", "x.pdf"):
        assert view.to_png(tmp_path / name) if not name.endswith("html") else view.to_html(tmp_path / name)
    assert "half ?" in Image.open(tmp_path / "x.png").text["Description"]
    data, metadata = view._repr_mimebundle_()
    assert json.dumps([data["text/plain"], metadata], ensure_ascii=False).encode()
    with pytest.raises(ValueError, match=r"give one of \.png, \.svg, \.pdf"):
        view.to_png(tmp_path / "x.jpg")


def test_rows_and_events_are_given_to_python(view):
    assert [row["order"] for row in view.rows("removed")] == ["o-gone 📦 دفع"]
    events = view.events(_ALERT).arrow().to_pylist()
    assert [(row["event_id"], row["side"], row["touched"]) for row in events] == [
        (f"e2{_ALERT}", "between", ["status"]),
    ]


def test_a_key_that_does_not_differ_is_refused_with_the_nearest(store, view):
    for ask in (view.drill, view.events):
        with pytest.raises(ea.errors.UnknownKeyError, match="no events of 'o-m9'; there is 'o-m09' or"):
            ask("o-m9")
        with pytest.raises(ea.errors.ProjectionError, match="the key has 1 columns"):
            ask(("o-m09", 2))
    assert view.selection is None
    later = compare(store, _ORDERS, at(5), at(9))
    with pytest.raises(ValueError, match="the row of 'o-m09' does not differ between the two sides"):
        later.drill("o-m09")
    with pytest.raises(ValueError, match="does not differ: neither side has one"):
        later.drill("o-gone 📦 دفع")
    with pytest.raises(ValueError, match="nothing differs between the two sides"):
        later.drill("nobody")
    numbered = ea.Projection("n", key={"n": ea.field("amount", "BIGINT")}, on={"Placed": {"status": "placed"}})
    with pytest.raises(ea.errors.UnknownKeyError, match="there is 1"):
        compare(store, numbered, at(0), at(5)).drill("nope")


def test_the_row_that_is_open_is_open_in_the_page_and_told_in_the_picture(view, tmp_path):
    before = view._picture().get_size_inches()[1]
    view.drill("o-m24")
    text = view.to_html(tmp_path / "x.html").read_text("utf-8")
    assert text.count('<details class="ea-drill" open>') == 1
    first = text.split("The row that was open")[1].split("<h3>Rows</h3>")[0]
    assert "o-m24" in first
    assert "Events that made it so" in first
    assert text.count("Events that made it so") == 28
    drawn = view._picture()
    assert "o-m24: added" in drawn.get_supxlabel()
    assert "total: 1.00" in drawn.get_supxlabel()
    assert drawn.get_size_inches()[1] > before
    assert repr(view).endswith("; open: o-m24")
    view.to_png(tmp_path / "x.png")


def test_the_events_of_many_rows_are_read_at_once_and_are_those_of_each(tmp_path, monkeypatch):
    store = ea.Store.create(tmp_path / "s")
    types = ["Placed", f"Paid{_ALERT}", "Deleted", "Placed", "Other"]
    store.append([event(n, types[n % 5], f"o-{n % 4}", n % 7, amount=n, status="s") for n in range(60)])

    @ea.reducer("counted", initial={"n": 0})
    def seen(state, event):
        return {"n": state["n"] + 1} if event.type != "Deleted" else ea.delete

    wide = {f"c{n}": ea.field("amount", "BIGINT") for n in range(70)}
    many = ea.Projection("wide", key={"order": ea.stream_id}, on={"Placed": wide, "Deleted": ea.delete})
    by_field = ea.Projection("days", key={"n": ea.field("amount", "BIGINT")}, on={"Placed": {"seen": ea.count}})
    less = store.log.without("type = 'Deleted' or event_id in ('e3', 'e8')")
    for projection in (_ORDERS, seen, many, by_field):
        for sides in ((at(1), at(5)), (store.log, less)):
            found = compare(store, projection, *sides).compared
            keys = [row.key for row in found.page()]
            at_once = found.events_of(keys)
            assert at_once == [found.events(key) for key in keys]
            assert not keys or any(at_once)
    asked = []
    explained = _responsible.explain_each
    monkeypatch.setattr(_responsible, "explain_each", lambda *a, **k: asked.append(a) or explained(*a, **k))
    compare(store, _ORDERS, at(1), at(5)).to_html(tmp_path / "x.html")
    assert len(asked) == 1


def test_the_sides_are_told_in_words(tmp_path):
    store, other = (ea.Store.create(tmp_path / name) for name in ("shop", "copy"))
    for each in (store, other):
        each.append([event(1, amount=1), event(2, amount=2, second=1)])
    less = store.log.where(service="default").without("type = 'Placed'  and data.amount::INT > 1").without(["e9"])
    view = compare(store, _ORDERS, store, less)
    left, right = view.compared.names
    assert left == "shop up to position 2"
    without = "without events where type = 'Placed' and data.amount::INT > 1, without the event e9"
    assert right == f"{left}, service default, {without}"
    assert "CAST" not in view._top.value
    assert compare(store, _ORDERS, store, other).compared.names[1] == "copy up to position 2"
    (tmp_path / "deep").mkdir()
    third = ea.Store.create(tmp_path / "deep" / "shop")
    third.append([event(1, amount=1)])
    assert str(tmp_path / "deep" / "shop") in compare(store, _ORDERS, store, third).compared.names[1]
    told = repr(view.compared)
    assert told.startswith("Compared(orders")
    assert len(told) < 400


def test_the_code_makes_the_same_view_again(store, view):
    both = compare(store, _ORDERS, store.log, store.log.without("type = 'Placed'"))
    for each in (view, both, compare(store, _ORDERS, at(0), at(5), key=_ALERT, known_at="2100-01-01")):
        names = {each.python.split("log, ")[1].split(",")[0]: _ORDERS}
        exec(each.python, names)  # what a reader pastes
        assert names["view"].compared.counts == each.compared.counts
        assert names["view"].compared.total
        names["view"].close()
    with duckdb.connect() as database:
        *setup, query = both.sql.split(";\n")
        for statement in setup:
            database.execute(statement)
        assert database.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]

    @ea.reducer("counted", initial={"n": 0})
    def seen(state, event):  # noqa: ARG001  what a reducer takes
        return {"n": state["n"] + 1}

    assert "events" in compare(store, seen, at(0), at(5)).sql


def test_files_have_the_endings_of_what_they_are(view, tmp_path):
    with pytest.raises(ValueError, match=r"cannot write '.txt'; give a path that ends with .html or .htm"):
        view.to_html(tmp_path / "x.txt")
    with pytest.raises(ValueError, match=r"a file without suffix; give a path that ends with .parquet"):
        view.to_parquet(tmp_path / "x")
    assert view.to_html(tmp_path / "x.HTM").stat().st_size
    assert pq.read_table(view.to_parquet(tmp_path / "x.parquet")).num_rows == 27
    for write in (view.to_html, view.to_png, lambda path: write_whole(path, b"")):
        (tmp_path / "folder.png").mkdir(exist_ok=True)
        with pytest.raises(IsADirectoryError, match="is a folder; give the path of a file in it"):
            write(tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


def test_an_empty_difference_says_so(store, tmp_path):
    view = compare(store, _ORDERS, at(6), at(7))
    assert "Nothing differs" in view._top.value
    assert view._where.value == "no rows"
    assert "Nothing differs" in view.to_html(tmp_path / "x.html").read_text("utf-8")
    view.to_png(tmp_path / "x.png")


def test_what_goes_wrong_in_a_callback_is_said_in_the_view(store):
    by_sql = ea.SqlProjection("n", "SELECT stream_id, count(*) AS n FROM events GROUP BY stream_id", key="stream_id")
    view = compare(store, by_sql, at(0), at(5))
    view.drill("o-m01")
    assert 'role="alert"' in view._drill.value
    assert "single events" in view._drill.value


def test_callbacks_may_come_from_several_threads(view):
    failed = []

    def work(kind):
        try:
            for _ in range(3):
                view.show(kind)
                view.drill(_ALERT)
        except Exception as error:  # noqa: BLE001  told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(kind,)) for kind in (None, "added", "changed")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    view.show("changed")
    assert view._where.value == "1 to 1 of 1 row"


def test_closing_leaves_nothing_behind(store):
    compare(store, _ORDERS, at(0), at(5)).close()
    before = len(ipywidgets.widgets.widget._instances)
    for _ in range(3):
        compare(store, _ORDERS, at(0), at(5)).close()
    assert len(ipywidgets.widgets.widget._instances) == before


def test_thousands_of_columns_are_cut_with_a_note():
    columns = [Difference(f"c{n}{_ALERT}", 1, 0, 0, n) for n in range(2_000)]
    text = columns_table(columns)
    assert "1,900 more columns" in text
    assert len(text) < 60_000
    row = Row(("k",), "changed", 2_000, tuple(Entry(f"c{n}", None, "1") for n in range(40)))
    assert "1,994 more" in rows_table(["key"], [row])
    assert "1,960 more columns differ" in entries_table(row)
    sides = ({f"c{n}": n for n in range(2_000)}, {f"c{n}": n + 1 for n in range(2_000)})
    text = sides_table([], sides, sides[0])
    assert "1,900 more columns left out" in text
    assert text.count("<tr") == 101


def test_nulls_and_values_of_every_kind_have_a_text():
    sides = ({"a": None, "b": {"x": [1, None]}, "c": True, "d": at(0), "e": "NULL"}, None)
    text = sides_table([], sides, ["a"])
    assert text.count("ea-null") == 6
    assert "2026-03-01T00:00:00.000000Z" in text
    assert "{&quot;x&quot;: [1, null]}" in text
    assert "No event" in events_list([])
    assert "No rows" in rows_table(["key"], [])
