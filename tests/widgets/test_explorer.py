import datetime as dt
import gc
import json
import re
import shutil

import ipywidgets
import pyarrow.parquet as pq
import pytest
from matplotlib.colors import to_hex

import esanalytics as ea
from esanalytics.analysis import Chosen, Exploration, flow
from esanalytics.plots._theme import palette
from esanalytics.widgets import _explorer
from esanalytics.widgets._explorer import explore
from esanalytics.widgets._explorer_assets import explorer_module
from esanalytics.widgets._explorer_flows import flows_data
from esanalytics.widgets._explorer_picture import explorer_figure

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"


def event(number, **given):
    row = {
        "event_id": f"e{number}",
        "service": "orders" if number % 3 else "payments",
        "stream_id": f"order-{number % 5}",
        "type": "Placed" if number % 2 else "Paid",
        "occurred_at": START + dt.timedelta(hours=number),
        "data": {"amount": number, "note": f"number {number}"},
    }
    return {**row, **given}


@pytest.fixture
def store(tmp_path):
    store = ea.Store.create(tmp_path / "s")
    store.append([event(number) for number in range(300)], progress=False)
    return store


@pytest.fixture
def explorer(store):
    explorer = explore(store)
    explorer.sent = []
    explorer.canvas.send = lambda content, buffers=None: explorer.sent.append(content)  # noqa: ARG005
    yield explorer
    explorer.close()


def run(code):
    """Run a program as a reader would who pastes it; return its names."""
    names = {}
    exec(code, names)  # it is the library's own
    return names


def ask(explorer, what, request=1, **more):
    """Ask as the page does; return what it is told."""
    message = {"kind": "ask", "what": what, "request": request, "sight": explorer.canvas.sight, **more}
    explorer.canvas._handle_custom_msg(message, [])
    return explorer.sent[-1]


def test_the_page_has_the_first_picture_with_no_question(explorer):
    first = json.loads(explorer.canvas.overview)
    assert first["events"] == 300
    assert first["services"] == [["orders", 200], ["payments", 100]]
    assert sum(map(sum, first["density"]["detail"]["counts"])) == 300
    assert sum(row[2] for row in first["kinds"]) == 300


def test_every_answer_agrees_with_the_log(explorer):
    explorer.chosen = Chosen(services=("orders",))
    explorer.window = ("2026-03-02", "2026-03-04T10:00:00Z")
    assert ".since('2026-03-02T00:00:00.000000Z').at('2026-03-04T10:00:00.000000Z')\nshown.events()" in explorer.python
    assert [edge.isoformat() for edge in explorer.window] == ["2026-03-02T00:00:00+00:00", "2026-03-04T10:00:00+00:00"]
    kept = list(explorer.log.events())
    assert [row["event_id"] for row in kept] == [row["event_id"] for row in explorer.events()]
    assert {row["service"] for row in kept} == {"orders"}
    assert all(row["effective_at"] <= dt.datetime(2026, 3, 4, 10, tzinfo=dt.UTC) for row in kept)
    events = ask(explorer, "events")["data"]
    assert events["total"] == len(kept)
    assert [row[1] for row in events["rows"]] == [row["event_id"] for row in kept]
    kinds = ask(explorer, "kinds")["data"]["rows"]
    assert sum(row[2] for row in kinds) == len(kept)
    streams = ask(explorer, "streams")["data"]["rows"]
    assert sum(row[2] for row in streams) == len(kept)


def test_pages_follow_each_other_without_gaps(explorer):
    found = []
    for page in range(4):
        explorer.canvas.set_state({"sight": {**explorer.canvas.sight, "page": page}})
        answer = ask(explorer, "events")["data"]
        assert answer["page"] == min(page, 2)
        found += [row[1] for row in answer["rows"]] if page < 3 else []
    assert found == [row["event_id"] for row in explorer.events()]


def test_a_dragged_window_is_widened_to_the_bins_and_then_exact(explorer):
    start = int(START.timestamp() * 1e6)
    explorer.canvas.set_state({"sight": {**explorer.canvas.sight, "window": [start + 7, start + 8 * 10**10 + 1]}})
    found = ask(explorer, "density", snap=True)["data"]
    explorer.canvas.set_state({"sight": {**explorer.canvas.sight, "window": found["window"]}})
    shown = explorer.log.count()
    assert found["detail"]["total"] == sum(row[2] for row in found["kinds"]) == shown
    assert run(found["python"])["shown"].count() == shown
    assert len(explorer._given.log.sql(found["sql"])) == shown


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"services": ["orders"], "by": "service", "page": 1},
        {"types": ["Paid"], "streams": ["order-1", "order-2"], "type": "Paid"},
        {"text": "NUMBER 7", "window": ["2026-03-01T05:00:00.000000Z", "2026-03-09T00:00:00.000000Z"]},
        {"services": []},
    ],
)
def test_a_spec_makes_the_same_view_again(store, spec):
    explorer = explore(store, **spec)
    assert explorer.spec() == json.loads(json.dumps(explorer.spec())) == spec
    again = explore(store, **explorer.spec())
    assert again.canvas.sight == explorer.canvas.sight
    ids = [row["event_id"] for row in explorer.events()]
    assert [row["event_id"] for row in again.events()] == ids
    assert [row["event_id"] for row in run(explorer.python)["shown"].events()] == ids
    assert [row["event_id"] for row in store.log.sql(explorer.sql)] == ids
    explorer.close()
    again.close()


def test_an_unknown_argument_is_refused_with_the_nearest(store):
    with pytest.raises(TypeError, match=r"no argument 'serices'; there is 'services'"):
        explore(store, serices=["orders"])
    with pytest.raises(ValueError, match="give 'service' or 'type'"):
        explore(store, by="colour")
    with pytest.raises(ValueError, match="since must be before at"):
        explore(store, window=("2026-03-02", "2026-03-01"))


def test_a_name_that_no_event_has_is_refused_with_the_nearest(store, explorer, tmp_path):
    with pytest.raises(ValueError, match="no event has the service 'ordrs'; there is 'orders'"):
        explore(store, services=["orders", "ordrs"])
    with pytest.raises(ValueError, match="no event has the type 'Nope'; there is Paid, Placed"):
        explore(store, types="Nope")
    with pytest.raises(ValueError, match="no event has the type 'Payd'; there is 'Paid'"):
        explore(store, type="Payd")
    with pytest.raises(ValueError, match="no event has the type 'Payd'"):
        explorer.chosen = Chosen(types=("Payd",))
    assert explorer.chosen.types is None
    explore(ea.Store.create(tmp_path / "empty"), services=["orders"]).close()


def test_the_events_that_are_shown_are_written_as_parquet(explorer, tmp_path):
    explorer.chosen = Chosen(services=("orders",))
    written = pq.read_table(explorer.to_parquet(tmp_path / "x.parquet"), columns=["event_id"])
    assert written["event_id"].to_pylist() == [row["event_id"] for row in explorer.events()]
    for write, name in ((explorer.to_parquet, "x.csv"), (explorer.to_html, "x.txt"), (explorer.to_html, "x")):
        with pytest.raises(ValueError, match=r"give a path that ends with \.(parquet|html or \.htm)$"):
            write(tmp_path / name)
    assert [path.name for path in tmp_path.glob("x*")] == ["x.parquet"]


def test_the_title_of_the_page_is_plain(explorer, tmp_path):
    assert "<title>s: 300 events</title>" in explorer.to_html(tmp_path / "x.html").read_text("utf-8")
    explorer.chosen = Chosen(services=("orders",))
    assert "<title>s: 200 of 300 events</title>" in explorer.to_html(tmp_path / "x.html").read_text("utf-8")


def test_a_text_is_searched_in_ids_and_payloads(explorer):
    explorer.chosen = Chosen(text="Number 29")
    assert explorer.log.count() == 11
    assert ask(explorer, "density")["data"]["detail"]["total"] == 11
    assert ask(explorer, "events")["data"]["total"] == 11


def test_the_fields_of_a_type(explorer):
    found = explorer.fields("Paid")
    assert [(field.path, field.types, field.share) for field in found.fields] == [
        ("amount", ("BIGINT",), 1.0),
        ("note", ("VARCHAR",), 1.0),
    ]
    assert (found.fields[0].least, found.fields[0].most) == ("0", "298")
    with pytest.raises(ValueError, match="there is 'Paid'"):
        explorer.fields("Payd")
    explorer.canvas.set_state({"sight": {**explorer.canvas.sight, "type": "Paid"}})
    assert ask(explorer, "fields")["data"]["events"] == 150


def test_a_deleted_store_is_told_and_the_view_stays(store, explorer):
    overview = explorer.canvas.overview
    shutil.rmtree(store.path)
    for what in ("events", "kinds", "streams"):
        told = ask(explorer, what)
        assert (told["kind"], told["what"], told["request"]) == ("failed", what, 1)
        assert "missing" in told["text"] or "no store" in told["text"]
    assert ask(explorer, "density")["kind"] == "answer"
    explorer.canvas._handle_custom_msg({"kind": "refresh", "what": "refresh", "request": 2}, [])
    assert explorer.sent[-1]["kind"] == "failed"
    assert explorer.canvas.overview == overview


def test_refresh_tells_what_is_new(store, explorer):
    assert explorer.refresh() == "nothing new"
    store.append([event(400)], progress=False)
    assert explorer.refresh() == "1 new event"
    assert json.loads(explorer.canvas.overview)["events"] == 301


def test_nonsense_from_the_page_is_answered_and_does_no_harm(explorer):
    assert ask(explorer, "densty")["text"] == "no answer to 'densty'; there is 'density'"
    explorer.canvas._handle_custom_msg({"kind": "ask", "what": "events", "sight": {"window": ["x", 2]}}, [])
    assert explorer.sent[-1]["kind"] == "failed"


def test_an_error_that_nobody_foresaw_is_answered_and_names_what_failed(explorer, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(_explorer, "flows_data", broken)
    told = ask(explorer, "flows", request=7)
    assert told == {
        "kind": "failed",
        "what": "flows",
        "request": 7,
        "text": "flows failed in Python: ZeroDivisionError: a bug",
    }
    explorer.canvas._handle_custom_msg({"kind": "dance", "request": 8}, [])
    assert explorer.sent[-1]["text"] == "a message of kind 'dance' has no meaning"


def test_the_flows_and_the_map_of_what_the_page_asks_for(explorer):
    explorer.chosen = Chosen(services=("orders",))
    data = ask(explorer, "flows")["data"]
    found = flow(explorer.log)
    assert data["nodes"] == [[n.service, n.type, n.events, n.starts, n.ends] for n in found.nodes]
    assert data["edges"] == [[e.before, e.after, e.count, e.gap] for e in found.edges]
    assert [edge[0] for edge in data["map"]["edges"]] == list(range(len(found.edges)))
    assert data["variants"]["streams"] == explorer.flows().variants.streams == 5
    kept = [[1, *data["edges"][1]], [3, *data["edges"][3]]]
    laid = ask(explorer, "layout", of=4, nodes=data["nodes"], edges=kept)["data"]
    assert laid["of"] == 4
    assert [edge[0] for edge in laid["edges"]] == [1, 3]
    assert [node[0] for node in laid["nodes"]] == [0, 1]
    for bad in ([[0, 0, 9, 1, 1.0]], [[0, "x", 0, 1, 1.0]], [["nonsense"]], [[0, 0, 0, 1, 1.0]] * 1000):
        assert ask(explorer, "layout", nodes=data["nodes"], edges=bad)["kind"] == "failed"


def test_of_many_types_the_biggest_are_mapped_and_the_note_says_so(tmp_path):
    store = ea.Store.create(tmp_path / "s")
    store.append([event(n, type=f"T{n * n % 61}", stream_id=f"s{n % 7}") for n in range(900)], progress=False)
    explorer = explore(store)
    data = flows_data(explorer.flows())
    assert len(data["nodes"]) == 30
    assert len(data["map"]["edges"]) < len(data["edges"]) <= 260
    assert data["note"].startswith("the 30 most frequent of 62 types")
    explorer.close()


def test_the_picture_has_every_type_in_its_legend_and_the_colours_of_the_plots(tmp_path, recwarn):
    store = ea.Store.create(tmp_path / "s")
    names = ["_hidden", "日本語", "$x$", "Plain"]
    store.append([event(n, type=names[min(3, n % 7)]) for n in range(70)], progress=False)
    explorer = explore(store)
    explorer.to_png(tmp_path / "x.png")
    assert [str(warning.message) for warning in recwarn] == []
    axes = explorer_figure(*explorer._drawn()).axes[0]
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown == ["Plain", "$x$", "_hidden", "□□□"]
    colours = {to_hex(patch.get_facecolor()).upper() for patch in axes.patches}
    plotted = {to_hex(bar.get_facecolor()).upper() for bar in ea.plots.density(store).patches}
    assert colours == plotted
    for nth, colour in enumerate(palette("light").colours):
        assert f"--ea-k{nth}: light-dark({colour}, {palette('dark').colours[nth]});" in explorer.canvas._css
    explorer.close()


def test_a_name_that_no_file_can_hold_leaves_the_rest_of_the_page(explorer, tmp_path, monkeypatch):
    monkeypatch.setattr(Exploration, "title", lambda *_: "shop \ud800: events")
    assert "<title>shop ?: events</title>" in explorer.to_html(tmp_path / "x.html").read_text(encoding="utf-8")


def test_texts_of_the_log_are_data_in_the_page(tmp_path):
    store = ea.Store.create(tmp_path / "s")
    row = event(1, event_id=HOSTILE, service=HOSTILE, stream_id=HOSTILE, type=HOSTILE, data={HOSTILE: HOSTILE})
    store.append([row, event(2, type="日本 🛒 שלום")], progress=False)
    explorer = explore(store, type=HOSTILE)
    page = explorer.to_html(tmp_path / "x.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "alert(2)</script" not in page
    assert "</script" not in explorer_module()
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    data = {name: json.loads(text) for name, text in re.findall(r'json" id="(\w+)">(.*?)</script>', page)}
    assert data["answers"]["events"]["rows"][0][1] == HOSTILE
    assert HOSTILE in data["answers"]["fields"]
    assert sum(map(sum, data["answers"]["bins"]["counts"])) == 2
    explorer.close()


@pytest.mark.parametrize("events", [[], [event(1)]])
def test_an_empty_log_and_one_event_are_shown(tmp_path, events):
    store = ea.Store.create(tmp_path / "s")
    if events:
        store.append(events, progress=False)
    explorer = explore(store)
    explorer.sent = []
    explorer.canvas.send = explorer.sent.append
    assert all(ask(explorer, what)["kind"] == "answer" for what in ("density", "kinds", "streams", "events"))
    data, metadata = explorer._repr_mimebundle_()
    assert data["text/plain"] == repr(explorer)
    assert len(data["image/png"]) < 140_000
    assert metadata["image/png"]["alt"]
    assert explorer.to_png(tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert explorer.to_html(tmp_path / "x.html").exists()
    explorer.close()


def test_a_click_shows_the_replay_beneath(explorer):
    explorer.canvas._handle_custom_msg({"kind": "replay", "service": "orders", "stream": "order-1", "request": 3}, [])
    assert explorer.sent[-1] == {"kind": "answer", "what": "replay", "request": 3, "data": {}}
    assert explorer._beneath.children == (explorer.replayed,)
    first = explorer.replayed
    assert explorer.replay("order-2", "orders") is explorer.replayed is not first


def test_closing_leaves_no_widget(store):
    explore(store).close()
    gc.collect()
    before = len(ipywidgets.widgets.widget._instances)
    for _ in range(3):
        explorer = explore(store)
        explorer.replay("order-1", "orders")
        explorer.close()
    after = len(ipywidgets.widgets.widget._instances)
    assert after == before
