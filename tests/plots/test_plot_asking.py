"""What a caller asks of a plot: matplotlib's names for one thing, wrong themes, and more rows than a picture holds."""

import datetime as dt
import time
from types import SimpleNamespace

import pytest
from matplotlib.colors import to_hex

import esanalytics as ea
from esanalytics import plots
from esanalytics.analysis._asking import duration
from esanalytics.demo import orders
from esanalytics.plots._waterfall import _times

RED = "#ff0000"
FOLD = ea.Projection("fold", {"id": ea.stream_id}, {"*": {"n": ea.count}})


def note(axes):
    return " ".join(axes.texts[-1].get_text().split())


def bar(axes):
    return to_hex(axes.patches[-1].get_facecolor())


def dot(axes):
    return to_hex(axes.collections[0].get_facecolor()[0])


def line(axes):
    return to_hex(axes.lines[0].get_color())


def arrow(axes):
    return to_hex(axes.patches[0].get_edgecolor())


NAMES = {
    "density, fc": lambda log: bar(plots.density(log, fc=RED, ec="k", lw=2, align="center", width=0.1)),
    "density, color": lambda log: bar(plots.density(log, color=RED)),
    "lanes, c": lambda log: dot(plots.lanes(log, c=RED, lw=1)),
    "lanes, facecolors": lambda log: dot(plots.lanes(log, facecolors=RED, linewidths=1)),
    "dotted, color": lambda log: dot(plots.dotted(log, color=RED, s=4)),
    "durations, facecolor": lambda log: bar(plots.durations(log, "OrderPlaced", "OrderPaid", facecolor=RED, lw=0)),
    "funnel, fc": lambda log: bar(plots.funnel(log, ["OrderPlaced", "OrderPaid"], fc=RED)),
    "state, c": lambda log: line(plots.state(log, orders, "total", key="order-1", c=RED, linewidth=3)),
    "transitions, color": lambda log: arrow(plots.transitions(log, color=RED, linewidth=1)),
    "transitions, ec": lambda log: arrow(plots.transitions(log, ec=RED)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NAMES)
def test_each_of_matplotlibs_names_for_one_thing_does(shop, name):
    assert NAMES[name](shop.log.where(service="orders")) == RED


def test_what_is_given_in_one_way_leaves_no_usual_way_beside_it(shop):
    mesh = plots.heatmap(shop, vmin=0, vmax=10, lw=0, ec="none").collections[0]
    assert mesh.get_clim() == (0, 10)
    marked = plots.waterfall(shop, correlation_id="order-3", color=RED, markersize=3, markeredgewidth=0)
    assert any(to_hex(found.get_markerfacecolor()) == RED for found in marked.lines)


def test_one_thing_under_two_names_is_refused(shop):
    with pytest.raises(ValueError, match="give one of them"):
        plots.density(shop, lw=1, linewidth=2)
    for plot in (plots.density, plots.lanes, plots.dotted, plots.heatmap, plots.transitions):
        with pytest.raises(TypeError, match="no 'colour' to set; there is 'c"):
            plot(shop, colour=RED)


ASKED = {
    "density": plots.density,
    "dotted": plots.dotted,
    "durations": lambda log, **how: plots.durations(log, "a", "b", **how),
    "funnel": lambda log, **how: plots.funnel(log, ["a"], **how),
    "heatmap": plots.heatmap,
    "lanes": plots.lanes,
    "state": lambda log, **how: plots.state(log, FOLD, **how),
    "transitions": plots.transitions,
    "waterfall": lambda log, **how: plots.waterfall(log, event_id="e", **how),
}


@pytest.mark.parametrize("plot", ASKED)
def test_a_wrong_theme_is_refused_before_anything_is_read(plot):
    with pytest.raises(ValueError, match="theme='drak' is no choice; there is 'dark'"):
        ASKED[plot](None, theme="drak")
    with pytest.raises(TypeError, match="is no matplotlib Axes; leave it out"):
        ASKED[plot](None, ax="here")


def test_more_rows_than_a_picture_holds_are_cut_and_the_note_says_so(happened):
    many = happened(*[(f"s{n:03}", f"T{n % 100:03}", n) for n in range(200)])
    lanes = plots.lanes(many, lane="stream", most=500)
    assert len(lanes.get_yticks()) == 80
    assert "the 80 streams with most events, 120 left out" in note(lanes)
    assert len(plots.lanes(many, lane="type", most=500).get_yticks()) == 81
    steps = plots.funnel(many, [f"T{n:03}" for n in range(100)])
    assert len(steps.get_yticks()) == 80
    assert "the first 80 of 100 steps" in note(steps)
    keys = plots.state(many, FOLD, "n", key=[f"s{n:03}" for n in range(60)])
    assert "12 more keys left out" in note(keys)
    assert len(keys.get_legend().get_texts()) == 40
    chain = {"event_id": [f"e{n}" for n in range(200)], "causation_id": [None, *[f"e{n}" for n in range(199)]]}
    caused = plots.waterfall(happened(*[("s", "T", n) for n in range(200)], **chain), event_id="e0")
    assert len(caused.get_yticks()) == 80
    assert note(caused).startswith("80 of 200 events, the first of the tree; 120 rows left out")
    assert max(axes.figure.get_figheight() for axes in (lanes, steps, keys, caused)) < 30


def test_one_of_something_is_not_all_of_them(happened):
    one = happened(("s", "T", 0))
    assert note(plots.lanes(one)) == "1 event"
    assert note(plots.dotted(one)) == "1 event of 1 stream"
    assert note(plots.heatmap(one)) == "1 event"
    assert note(plots.state(one, FOLD)).startswith("1 version of 1 key")


def test_many_missing_causes_take_no_longer_each():
    nodes = []
    for n in range(40_000):
        nodes += [SimpleNamespace(number=2 * n, at=None, parent=None)]
        nodes += [SimpleNamespace(number=2 * n + 1, at=10**6 * n, parent=2 * n)]
    begun = time.perf_counter()
    times = _times(SimpleNamespace(nodes=nodes, span=(0, 10**10)))
    assert time.perf_counter() - begun < 2
    assert times[0::2] == times[1::2]


def test_a_word_for_an_argument_is_answered_with_the_argument(shop):
    with pytest.raises(TypeError, match="no 'axes' to set; there is 'ax'"):
        plots.density(shop, axes=None)
    with pytest.raises(TypeError, match="no 'keys' to set; there is 'key'"):
        plots.state(shop, None, keys=["order-1"])
    with pytest.raises(TypeError) as found:
        plots.density(shop, zzzzzz=1)
    assert len(str(found.value)) < 120


@pytest.mark.parametrize("within", ["14 days", "14d", "2 weeks", dt.timedelta(days=14)])
def test_a_duration_may_be_written_in_words(within):
    assert duration("within", within) == 14 * 86_400 * 10**6


def test_a_funnel_of_one_step_does_not_go_from_it_to_itself(shop):
    assert plots.funnel(shop, ["OrderPlaced"]).get_title(loc="left") == "Streams that had OrderPlaced"
