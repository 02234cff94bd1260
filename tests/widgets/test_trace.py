"""The waterfall of a trace, as a widget, a page and a picture."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import re
from html.parser import HTMLParser

import duckdb
import ipywidgets
import pyarrow.parquet as pq
import pytest
from PIL import Image

import esanalytics as ea
from esanalytics.widgets._bundle import MOST_BYTES, bundle, page, png_of, write_whole
from esanalytics.widgets._markup import cut, duration, pretty
from esanalytics.widgets._tracing import trace

_START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
_ALERT = "<img src=x onerror=alert(1)>"


def event(event_id, cause=None, *, second=0, service="orders", type_="Placed", correlation=None, data=None):
    return {
        "event_id": event_id,
        "service": service,
        "stream_id": f"s-{_ALERT}",
        "type": type_,
        "occurred_at": _START + dt.timedelta(seconds=second),
        "correlation_id": correlation,
        "causation_id": cause,
        "data": data,
    }


@pytest.fixture
def store(tmp_path):
    store = ea.Store.create(tmp_path / "store")
    store.append(
        [
            event(f"a{_ALERT}", f"gone{_ALERT}", correlation=_ALERT, data={_ALERT: f"</script>{_ALERT}"}),
            event("b", f"a{_ALERT}", second=2, service=f"دفع{_ALERT}", type_=f"تم{_ALERT}", correlation=_ALERT),
            event("c", "b", second=1, service="📦", correlation=_ALERT, data={"text": "x" * 5_000_000}),
        ]
    )
    return store


class Elements(HTMLParser):
    """Collects the elements of a document and the attributes that could load or run something."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [(tag, name, value) for name, value in attrs if name in ("src", "href") or name.startswith("on")]


def of_widgets():
    return len(ipywidgets.widgets.widget._instances)


def test_the_page_is_whole_offline_and_shows_data_as_text(store, tmp_path):
    path = trace(store, correlation_id=_ALERT).to_html(tmp_path / "trace.html")
    text = path.read_text("utf-8")
    found = Elements(text)
    assert found.loads == []
    assert not {"img", "script", "link", "iframe"} & set(found.tags)
    assert "default-src 'none'" in text
    assert re.findall(r"https?://|url\(|@import", text) == []
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "دفع" in text
    assert "📦" in text
    assert "is missing: this log shows no such event" in text
    assert len(text) < 200_000
    assert "5.0 MB, the first 20,000 characters are shown" in text


def test_the_widget_shows_the_same_and_its_bundle_has_a_picture_and_a_line(store):
    view = trace(store, event_id="b")
    assert Elements(view._shown.value).loads == []
    data, metadata = view._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == view.model_id
    png = base64.b64decode(data["image/png"])
    assert Image.open(io.BytesIO(png)).format == "PNG"
    assert len(png) <= MOST_BYTES
    assert data["text/plain"] == repr(view)
    assert "3 events, 3 services" in repr(view)
    assert "1 missing cause" in repr(view)
    assert "3 events" in metadata["image/png"]["alt"]
    view.close()
    assert "application/vnd.jupyter.widget-view+json" not in bundle(view, png, "text", "alt")[0]


def test_every_control_has_a_name_and_every_event_a_disclosure(store):
    text = trace(store, event_id="b")._shown.value
    boxes = re.findall(r"<input[^>]*>", text)
    assert len(boxes) == 3
    assert all("aria-label=" in box for box in boxes)
    assert text.count("<details") == 3
    assert text.count("<li") == text.count("</li>")
    assert text.count("<ul") == text.count("</ul>")
    assert "ea-asked" in text


def test_a_clock_that_ran_backwards_is_shown_as_one(store):
    text = trace(store, event_id="b")._shown.value
    assert "\N{MINUS SIGN}1 s" in text
    assert "ea-back" in text


def test_the_spec_makes_the_same_view_again(store):
    for ids in ({"event_id": "b"}, {"correlation_id": _ALERT}):
        view = trace(store, **ids)
        spec = json.loads(json.dumps(view.spec()))
        assert spec == ids
        assert trace(store, **spec)._shown.value == view._shown.value


def test_the_events_are_given_whole(store):
    events = trace(store, event_id="b").events()
    assert [row["event_id"] for row in events] == [f"a{_ALERT}", "c", "b"]


def test_the_code_gives_the_same_tree_and_its_events(store, tmp_path):
    view = trace(store, correlation_id=_ALERT)
    names = {}
    exec(view.python, names)  # what a reader pastes
    assert names["view"].traced.total == view.traced.total == 3
    *setup, query = view.sql.split(";\n")
    with duckdb.connect() as database:
        for statement in setup:
            database.execute(statement)
        found = [row[0] for row in database.execute(f"SELECT event_id FROM ({query})").fetchall()]
    assert found == [row["event_id"] for row in view.events()]
    written = pq.read_table(view.to_parquet(tmp_path / "x.parquet"), columns=["event_id"])
    assert written["event_id"].to_pylist() == found
    for write, name in ((view.to_parquet, "x.csv"), (view.to_html, "x.txt")):
        with pytest.raises(ValueError, match="give a path that ends with"):
            write(tmp_path / name)


def test_closing_leaves_nothing_behind(store):
    trace(store, event_id="b").close()
    before = of_widgets()
    for _ in range(5):
        trace(store, event_id="b").close()
    assert of_widgets() == before


def test_a_deep_trace_is_flattened_and_a_large_one_cut_with_a_note(tmp_path):
    store = ea.Store.create(tmp_path / "store")
    store.append([event("n0"), *(event(f"n{n}", f"n{n - 1}", second=n) for n in range(1, 2_500))])
    text = trace(store, event_id="n9")._shown.value
    assert "levels below 60 stand under level 60" in text
    assert "500 more are not shown" in text
    assert text.count("<ul") == text.count("</ul>") < 70
    assert text.count("<li") == text.count("</li>")


def test_pictures_are_written_whole(store, tmp_path):
    path = trace(store, event_id="b").to_png(tmp_path / "trace.png")
    assert Image.open(path).format == "PNG"
    assert [found.name for found in tmp_path.iterdir() if found.name != "store"] == ["trace.png"]
    with pytest.raises(FileNotFoundError, match="make it"):
        write_whole(tmp_path / "no" / "x.html", b"")


def test_a_file_stays_as_it_was_where_writing_fails(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "x.html", b"old")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_data_in_a_page_cannot_end_its_element():
    text = page(_ALERT, "<p>x</p>", data={"m": json.dumps({"a": "</script><!--\u2028&"})}, script="run()")
    blocks = re.findall(r'<script type="application/json" id="m">(.*?)</script>', text)
    assert json.loads(blocks[0]) == {"a": "</script><!--\u2028&"}
    assert Elements(text).loads == []
    with pytest.raises(ValueError, match="write"):
        page("x", "", script="'</SCRIPT>'")


def test_a_noisy_picture_is_made_small():
    from matplotlib.figure import Figure  # noqa: PLC0415  for this test alone

    figure = Figure(figsize=(7, 5))
    axes = figure.subplots()
    axes.imshow([[(x * 7919 + y * 104729) % 251 for x in range(150)] for y in range(150)], cmap="prism")
    assert len(png_of(figure)) <= MOST_BYTES


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [(0, "0 µs"), (12, "12 µs"), (238_246, "238 ms"), (1_290_000, "1.29 s"), (-94_000_000, "\N{MINUS SIGN}1 min 34 s")],
)
def test_durations_are_told_in_two_units_at_most(microseconds, text):
    assert duration(microseconds) == text


def test_json_is_indented_and_its_literals_stay():
    text = '{"n":12.50,"big":12345678901234567890,"l":[1,{"a":null}],"e":{},"s":"a,{\\"b"}'
    assert json.loads(pretty(text)) == json.loads(text)
    assert "12.50" in pretty(text)
    assert "12345678901234567890" in pretty(text)
    assert pretty('{"a":"cut sho').endswith('"cut sho')
    assert cut("abcdef", 3) == "ab…"


def test_refreshing_a_trace_shows_what_the_store_holds_now(store):
    view = trace(store, correlation_id=_ALERT)
    assert view.refresh() == "nothing new"
    store.append([event("d", "c", second=9, type_="Later", correlation=_ALERT)])
    assert "Later" not in view._shown.value
    view._again.click()
    assert "1 new event" in view._told.value
    assert "Later" in view._shown.value
    assert view.to_png(store.path / "x.svg").read_bytes().startswith(b"<?xml")
