"""Colours that all can see, texts that fit, and a layout without overlaps."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from esanalytics.plots import _theme
from esanalytics.plots._labels import compact, gap, plain
from esanalytics.plots._layering import Box, Link, layered
from esanalytics.plots._theme import figure, note, on, palette, ramp, sign, signs

both = pytest.mark.parametrize("theme", ["light", "dark"])
# what people without one kind of cones see, after Viénot, Brettel and Mollon
_BLIND = {
    "normal": np.eye(3),
    "protan": np.array([[0.1124, 0.8876, 0], [0.1124, 0.8876, 0], [0.004, -0.004, 1]]),
    "deutan": np.array([[0.2928, 0.7072, 0], [0.2928, 0.7072, 0], [-0.0223, 0.0223, 1]]),
}


def linear(colour):
    parts = np.array(to_rgb(colour))
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    light, dark = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(rgb):
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.clip(to_xyz @ rgb / [0.9505, 1, 1.089], 1e-6, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@both
def test_texts_have_contrast(theme):
    colours = palette(theme)
    assert contrast(colours.ink, colours.paper) >= 7
    assert contrast(colours.soft, colours.paper) >= 4.5
    assert contrast(colours.ink, colours.grid) >= 4.5
    fills = [*colours.colours, colours.other, *map(tuple, ramp(theme)(np.linspace(0, 1, 20)))]
    assert all(contrast(on(fill), fill) >= 4.5 for fill in fills)


@both
@pytest.mark.parametrize("eyes", _BLIND)
def test_names_are_told_apart_by_colour_or_else_by_hatch_and_marker(theme, eyes):
    seen = {nth: lab(np.clip(_BLIND[eyes] @ linear(sign(nth, theme).colour), 0, 1)) for nth in range(9)}
    for one, other in itertools.combinations(seen, 2):
        a, b = sign(one, theme), sign(other, theme)
        assert a.marker != b.marker
        assert np.linalg.norm(seen[one] - seen[other]) > 10 or a.hatch != b.hatch


def test_names_beyond_the_palette_look_like_the_others():
    found = signs([f"T{n}" for n in range(12)], "light")
    assert len({look.colour for look in found.values()}) == 10
    assert found["T9"] == found["T11"] == sign(_theme.BEYOND, "light")


def test_other_parts_make_figures_of_a_theme_with_notes():
    made = figure("dark", (4, 3))
    axes = made.subplots()
    note(axes, "a word " * 40, "dark")
    made.draw_without_rendering()
    assert made.get_facecolor()[:3] == to_rgb(palette("dark").paper)
    assert "\n" in axes.texts[0].get_text()


def test_notes_stand_under_what_the_axis_says():
    made = Figure(layout="constrained")
    axes = made.subplots()
    axes.set_xlabel("time")
    note(axes, "all of it")
    made.draw_without_rendering()
    assert axes.texts[0].get_window_extent().y1 < axes.xaxis.label.get_window_extent().y0
    assert axes.texts[0].get_window_extent().y0 >= 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$x_1$", "$x_1$"),
        ("a\n b\t\x07c", "a b c"),
        ("\u202eab\u200b", "ab"),
        ("日本", "□□"),
        ("", "(empty)"),
        ("\x00", "(empty)"),
        ("x" * 5_000_000, "x" * 27 + "…"),
        (None, "None"),
    ],
)
def test_texts_of_the_data_fit(text, shown):
    assert plain(text) == shown


def test_lengths_of_time_and_counts_are_for_people():
    assert [gap(us) for us in (0, 1, 999, 1_500, 59 * 10**6, 90 * 10**6, 86_400 * 10**6, 10**14, -(10**6))] == [
        *("0 s", "1 µs", "999 µs", "1.5 ms", "59 s", "1.5 min", "1 d", "3.2 y", "\u22121 s")
    ]
    assert [compact(n) for n in (0, 999, 1_000, 99_999, 5 * 10**9)] == ["0", "999", "1.0k", "100k", "5.0G"]


BOXES = st.builds(Box, st.floats(20, 80), st.sampled_from([0.0, 60.0]), st.floats(10, 25))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(BOXES, min_size=1, max_size=9))
def test_no_two_boxes_of_a_layout_overlap_whatever_the_graph(data, boxes):
    node = st.integers(0, len(boxes) - 1)
    pairs = data.draw(st.lists(st.tuples(node, node), max_size=20, unique=True))
    links = [Link(a, b, data.draw(st.integers(1, 100))) for a, b in pairs]
    found = layered(boxes, links)
    rects = [
        (x - b.half, y - b.high, x + b.half + b.beside, y + b.high)
        for (x, y), b in zip(found.nodes, boxes, strict=True)
    ]
    for a, b in itertools.combinations(rects, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    assert all(left >= -1e-6 and right <= found.width + 1e-6 for left, _, right, _ in rects)
    assert all(bool(route) == (link.before != link.after) for route, link in zip(found.routes, links, strict=True))
    assert layered(boxes, links) == found


def test_plots_need_no_pyplot_and_their_data_no_matplotlib():
    code = """
import sys
import esanalytics.analysis._flows, esanalytics.analysis._points, esanalytics.analysis._versions
assert "matplotlib" not in sys.modules
import esanalytics.plots
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
