"""What is drawn: artists, texts and notes, also of logs that have little, or strange, in them."""

import re
import sys
from collections import Counter

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

import esanalytics as ea
from esanalytics import plots
from esanalytics.demo import orders
from esanalytics.plots._picture import NOTE, described

STRANGE = [
    "$x_1$",
    "a\nb",
    "\U0001f600 emoji",
    "שלום",
    "_under",
    "x" * 300,
    "\\$5",
    "<img onerror=1>",
    "\u202eevil",
    "日本",
]
FOLD = ea.Projection("fold", {"id": ea.stream_id}, {"*": {"n": ea.count, "last": ea.type_, "none": ea.field("none")}})
STEPS = ["OrderPlaced", "OrderPaid", "OrderDelivered"]
DRAW = {
    "density": plots.density,
    "density by service": lambda log, **how: plots.density(log, by="service", bins=3, **how),
    "lanes": plots.lanes,
    "lanes of types": lambda log, **how: plots.lanes(log, lane="type", **how),
    "lanes of streams": lambda log, **how: plots.lanes(log, lane="stream", **how),
    "dotted": plots.dotted,
    "dotted from the start": lambda log, **how: plots.dotted(log, sort="events", align="start", **how),
    "state": lambda log, **how: plots.state(log, FOLD, **how),
    "state of a number": lambda log, **how: plots.state(log, FOLD, "n", **how),
    "transitions": plots.transitions,
    "funnel": lambda log, **how: plots.funnel(log, some_types(log, 3), **how),
    "heatmap": plots.heatmap,
    "heatmap of days": lambda log, **how: plots.heatmap(log, by="day", **how),
    "durations": lambda log, **how: plots.durations(log, *some_types(log, 2), **how),
}
every = pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)


def some_types(log, many):
    found = [row["type"] for row in log.sql("select type from events group by 1 order by count(*) desc, 1")]
    return ((found or ["A"]) * many)[:many]


def texts(axes):
    """All that is written on an axes."""
    return [text.get_text() for text in axes.findobj(mpl.text.Text) if text.get_text()]


def surroundings():
    """What a plot must leave alone; to ask for the backend would load pyplot."""
    values = {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}
    return values, "matplotlib.pyplot" in sys.modules


def note(axes):
    return " ".join(next(text.get_text() for text in axes.texts if text.get_gid() == NOTE).split())


def drawn(axes):
    """Draw as a notebook does; a warning is an error here."""
    return axes._repr_mimebundle_()[0]["image/png"]


def dots(axes):
    return sum(len(found.get_offsets()) for found in axes.collections)


@every
def test_given_axes_come_back_drawn_on_and_nothing_else_changes(shop, draw):
    before, figure = surroundings(), Figure()
    axes = figure.subplots()
    assert draw(shop.log.where(service="orders"), ax=axes) is axes
    figure.draw_without_rendering()
    assert axes.get_title(loc="left")
    assert any("UTC" in text for text in texts(axes)) or axes.get_title(loc="left").startswith("What follows")
    assert note(axes)
    assert figure.axes[0] is axes
    assert surroundings() == before


@every
@pytest.mark.filterwarnings("error")
def test_strange_names_are_shown_as_they_are(happened, draw):
    log = happened(*[(STRANGE[n % 4], STRANGE[n % len(STRANGE)], n * 10_000) for n in range(40)])
    axes = draw(log, theme="dark")
    axes.figure.draw_without_rendering()
    shown = texts(axes)
    assert not any("\u202e" in text or "x" * 50 in text for text in shown)
    assert all(not text.get_parse_math() for text in axes.findobj(mpl.text.Text) if "$" in text.get_text())


@every
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "events",
    [
        [],
        [("a", "A", 0)],
        [(f"s{n % 7}", "AB"[n % 2], 0) for n in range(20)],
        [(f"s{n}", f"T{n}", n) for n in range(2_000)],
    ],
    ids=["none", "one", "one instant", "2,000 types"],
)
def test_little_and_much_make_a_sensible_picture(happened, draw, events):
    axes = draw(happened(*events))
    axes.figure.draw_without_rendering()
    assert len(texts(axes)) < 900
    assert events or "no " in note(axes)


def test_without_axes_a_figure_of_its_own_is_shown_by_a_notebook(shop):
    axes = plots.density(shop)
    assert isinstance(axes, Axes)
    assert isinstance(axes.figure, Figure)
    for shown in (axes, axes.figure):
        data, metadata = InteractiveShell.instance().display_formatter.format(shown)
        assert data["image/png"][:4] in (b"\x89PNG", "iVBO")
        assert data["text/plain"].startswith("Events over time, by type: all 3,768 events")
        assert metadata["image/png"]["alt"] == data["text/plain"] == described(axes)


def test_density_has_a_bar_for_each_name_and_bin_and_says_what_is_one_together(shop):
    axes = plots.density(shop, bins="7d")
    heights = [bar.get_height() for container in axes.containers for bar in container]
    assert sum(heights) == shop.log.count()
    assert len(axes.containers) == 10
    assert axes.get_ylabel() == "events per week"
    assert axes.get_xlabel() == "time (UTC)"
    assert note(axes) == "all 3,768 events, in 14 bins of 7 d; 16 smaller types with 801 events drawn as one"


def test_what_matplotlib_takes_reaches_the_main_artist(shop):
    assert plots.density(shop, alpha=0.25).containers[0][0].get_alpha() == 0.25
    assert plots.lanes(shop, s=3).collections[0].get_sizes().tolist() == [3]


def test_each_event_is_a_dot(shop):
    assert dots(plots.lanes(shop)) == dots(plots.dotted(shop)) == shop.log.count()
    assert note(plots.lanes(shop)) == "all 3,768 events"
    few = plots.lanes(shop, lane="stream", most=3)
    assert note(few) == f"{dots(few)} of 3,768 events; the 3 streams with most events, 1,089 left out"


def test_more_dots_than_there_is_room_for_become_counts_and_samples(nothing):
    many = 20_001
    frame = {"stream_id": [f"s{n // 3}" for n in range(many)], "type": ["A"] * many}
    at = np.datetime64("2026-01-01", "us") + np.arange(many) * np.timedelta64(60, "s")
    log = nothing.with_events(pa.table({**frame, "occurred_at": pa.array(at).cast(pa.timestamp("us", "UTC"))}))
    lanes, dotted = plots.lanes(log), plots.dotted(log)
    assert note(lanes) == "all 20,001 events, as counts in 240 intervals, for there are more than 20,000"
    assert int(lanes.collections[0].get_array().sum()) == many
    assert dots(dotted) == 19_998
    assert note(dotted).startswith("19,998 of 20,001 events: 6,666 of 6,667 streams, whole and chosen by their names")


def test_dotted_writes_the_streams_where_there_are_few(happened):
    log = happened(("late", "A", 50), ("early", "A", 0), ("early", "B", 7200))
    axes = plots.dotted(log, align="start")
    assert [text.get_text() for text in axes.get_yticklabels()] == ["early", "late"]
    assert axes.get_xlabel().startswith("minutes since the first event of the stream")


def test_a_column_of_numbers_is_steps(shop):
    axes = plots.state(shop, orders, "balance", key=["order-14", "order-15"])
    assert [len(line.get_xdata()) > 2 for line in axes.lines] == [True, True]
    assert max(axes.lines[0].get_ydata()) == 208.7
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["order-14", "order-15"]
    assert note(axes).startswith("all 12 versions of 2 keys; nothing changes until the last event of the log")


def test_other_columns_are_bands_with_their_values(shop):
    axes = plots.state(shop, orders, ["status", "total"], key="order-14")
    assert {"delivered", "refunded"} <= set(texts(axes))
    assert [text.get_text() for text in axes.get_yticklabels()] == ["status", "total\n208.7"]
    assert plots.state(shop, orders, "status").get_title(loc="left") == "status over time, by key"
    assert note(plots.state(shop, orders, "status")).startswith("the first 8 of 320 keys that live at the end")


def test_a_row_that_was_deleted_is_hatched(happened):
    fold = ea.Projection("p", "stream_id", {"New": {"v": ea.event_id}, "Gone": ea.delete})
    log = happened(("a", "New", 0), ("a", "Gone", 30), ("a", "New", 50))
    axes = plots.state(log, fold, key="a")
    assert [bool(found.get_hatch()) for found in axes.collections] == [False, True]
    assert note(axes).endswith("hatched: deleted")


def test_transitions_draw_a_box_for_each_type_and_an_arrow_for_each_connection(happened):
    log = happened(("a", "A", 0), ("a", "B", 60), ("a", "B", 120), ("b", "A", 0), ("b", "B", 120), ("b", "A", 130))
    axes = plots.transitions(log, edgecolor="red")
    kinds = Counter(type(patch).__name__ for patch in axes.patches)
    assert (kinds["FancyBboxPatch"], kinds["PathPatch"]) == (2, 3)
    assert {"A", "B", "2 · 1.5 min", "1 · 1 min", "1 · 10 s", "3   ▶ 2   ■ 1"} <= set(texts(axes))
    assert next(patch for patch in axes.patches if type(patch) is PathPatch).get_edgecolor()[0] == 1
    assert note(axes).startswith("all 2 types, all 3 connections; on a connection")


def test_thinned_transitions_say_so(shop):
    axes = plots.transitions(shop, activities=0.5, connections=0.2)
    assert note(axes).startswith("12 of 25 types, 9 of 37 connections, the most frequent, with ")


def test_a_type_of_two_services_is_two_boxes(happened):
    axes = plots.transitions(happened(("a", "A", 0), ("b", "A", 1), service=["s", "t"]))
    assert {"A (s)", "A (t)"} <= set(texts(axes))


def test_boxes_do_not_overlap(shop):
    axes = plots.transitions(shop)
    boxes = [p.get_bbox() for p in axes.patches if type(p).__name__ == "FancyBboxPatch"]
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


def test_a_funnel_says_how_many_went_on(shop):
    axes = plots.funnel(shop, STEPS, within="3d")
    counts = [int(bar.get_width()) for bar in axes.containers[1]]
    assert counts == [320, 302, 166]
    assert {"320", "302  94.4%"} <= {text.strip() for text in texts(axes)}
    assert "steps later than 3 d after the first do not count" in note(axes)
    assert note(axes).startswith("320 of 1,092 streams had the first step")


def test_a_heatmap_has_every_event_in_a_cell(shop):
    axes = plots.heatmap(shop, by="day")
    assert int(axes.collections[0].get_array().sum()) == shop.log.count()
    assert axes.get_xlabel() == "day of the week (UTC)"


def test_durations_mark_median_and_p95_and_count_the_unfinished(shop):
    axes = plots.durations(shop, "OrderPlaced", "OrderDelivered")
    assert sum(bar.get_height() for bar in axes.containers[0]) == 295
    assert {"median 2.8 d", "95 % within 5.4 d"} <= set(texts(axes))
    assert note(axes) == "295 streams from the first start to the next end; 25 more with a start and no end yet"
    assert axes.get_xlabel() == "days, by effective time in UTC"


def test_a_waterfall_has_a_row_for_each_event_and_a_hollow_one_for_what_is_missing(shop):
    whole = plots.waterfall(shop, correlation_id="order-14")
    part = plots.waterfall(shop.log.without("type = 'PaymentAuthorized'"), correlation_id="order-14", theme="dark")
    assert len(whole.get_yticks()) == len(part.get_yticks()) == 15
    assert note(whole) == "all 15 events; the times at the events are since their cause"
    assert note(part).endswith("hollow: 1 cause that the log does not show")
    assert "not in the log" in texts(part)
    assert whole.get_xlabel() == "time (UTC)"
    assert drawn(part).startswith(b"\x89PNG")


@pytest.mark.filterwarnings("error")
def test_a_waterfall_of_strange_names(happened):
    events = [("s", name, 60 * n) for n, name in enumerate(STRANGE)]
    causes = [None, *[f"$e_{n // 2}$" for n in range(len(events) - 1)]]
    ids = [f"$e_{n}$" for n in range(len(events))]
    log = happened(*events, event_id=ids, causation_id=causes, correlation_id=["$c_1$"] * len(events))
    axes = plots.waterfall(log, event_id="$e_3$")
    assert drawn(axes).startswith(b"\x89PNG")
    assert axes.get_title(loc="left") == "What caused what in correlation $c_1$"


WRONG = {
    "by='typ' is no choice; there is 'type'": lambda log: plots.density(log, by="typ"),
    "bins=0 is not a whole number": lambda log: plots.density(log, bins=0),
    "bins='1 fortnight' is no duration": lambda log: plots.density(log, bins="1 fortnight"),
    "makes more than 5,000 bins": lambda log: plots.density(log, bins="1ms"),
    "lane='services' is no choice; there is 'service'": lambda log: plots.lanes(log, lane="services"),
    "most=0": lambda log: plots.lanes(log, most=0),
    "sort='durations' is no choice; there is 'duration'": lambda log: plots.dotted(log, sort="durations"),
    "align=None": lambda log: plots.dotted(log, align=None),
    "no column 'totl'; there is 'total'": lambda log: plots.state(log, orders, "totl"),
    "key 'order-3200'; there is 'order-320'": lambda log: plots.state(log, orders, key="order-3200"),
    "activities=1.5 is not a share": lambda log: plots.transitions(log, activities=1.5),
    "least_count=0": lambda log: plots.transitions(log, least_count=0),
    "type 'OrderPayed'; there is 'OrderPlaced' or 'OrderPaid'": lambda log: plots.funnel(log, ["OrderPayed"]),
    "is no list of types": lambda log: plots.funnel(log, "OrderPaid"),
    "within='soon' is no duration": lambda log: plots.funnel(log, STEPS, within="soon"),
    "by='hours' is no choice; there is 'hour'": lambda log: plots.heatmap(log, by="hours"),
    "type 'Nothing like it'": lambda log: plots.durations(log, "Nothing like it", "OrderPaid"),
    "theme='drak' is no choice; there is 'dark'": lambda log: plots.density(log, theme="drak"),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_cannot_be_is_refused_with_what_could(shop, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        WRONG[said](shop)
