import datetime as dt
import io
import itertools
import re
import warnings
from decimal import Decimal
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib import _pylab_helpers
from PIL import Image

import esanalytics as ea
from esanalytics.analysis._comparing import compared
from esanalytics.analysis._overview import Chosen, Density, Overview
from esanalytics.analysis._session import ReplaySession
from esanalytics.widgets._differences import picture as compared_picture
from esanalytics.widgets._explorer_picture import explorer_figure
from esanalytics.widgets._lettering import fit, width, written
from esanalytics.widgets._overview_picture import overview_figure, overview_png, overview_still
from esanalytics.widgets._palettes import DOTS
from esanalytics.widgets._picture import ReplayPicture
from esanalytics.widgets._placing import Look, Placing
from esanalytics.widgets._scale import length, scale_of
from esanalytics.widgets._telling import Teller, payload_lines
from esanalytics.widgets._timeline import sign_of

ENGINE = ea.engines.DuckDB()
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
HOSTILE = "<img src=x onerror=alert(1)> $\\nosuch{1}$ \N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET} \N{PARTY POPPER}"
law = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
_folders = itertools.count()


def session_of(folder, events, **how):
    store = ea.Store.create(folder / f"s{next(_folders)}", engine=ENGINE)
    base = {"service": "shop", "stream_id": "one", "data": {}}
    store.append([{**base, "occurred_at": START, **event} for event in events])
    return ReplaySession(store, None, "one", **how)


def orders(many, step=dt.timedelta(minutes=7)):
    types = ("Placed", "Paid", "PaymentFailed", "Sent")
    return [
        {"type": types[n % 4], "occurred_at": START + n * step, "data": {"n": n, "status": types[n % 4].lower()}}
        for n in range(many)
    ]


def words(figure):
    texts = [*figure.texts, *(artist for artist in figure.artists if hasattr(artist, "get_text"))]
    return [text.get_text() for text in texts]


def lines(figure, name):
    return [line for line in [*figure.lines, *figure.artists] if line.get_gid() == name]


@pytest.fixture(scope="module")
def replay(tmp_path_factory):
    return session_of(tmp_path_factory.mktemp("stores"), orders(40))


ops = st.lists(
    st.tuples(st.sampled_from(["goto", "skip", "restore", "mark", "field", "failure"]), st.integers(0, 40)), max_size=6
)


@law
@given(done=ops, last=st.integers(0, 40))
def test_cursor_and_words_say_what_the_session_says(replay, done, last):
    replay.restore()
    for op, n in done:
        event_id = replay.branch.events.ids[n % 40]
        {
            "goto": lambda n=n: replay.goto(n),
            "skip": lambda e=event_id: replay.skip(e),
            "restore": lambda e=event_id: replay.restore(e),
            "mark": lambda n=n: replay.mark("AB"[n % 2], n),
            "field": lambda: replay.goto(replay.find("field", "status")),
            "failure": lambda: replay.goto(replay.find("failure")),
        }[op]()
    replay.goto(last)
    picture = ReplayPicture(replay)
    figure, scale = picture.figure(), Placing(replay.branch, "service", ())
    axes = figure.axes[0].get_position()
    told = words(figure)
    (cursor,) = lines(figure, "cursor")
    assert cursor.get_xdata()[0] == pytest.approx(axes.x0 + scale.place(last) * axes.width)
    assert len(lines(figure, "ring")) == (last > 0)
    for name, step in replay.marks.items():
        wanted = axes.x0 + scale.place(step) * axes.width
        assert lines(figure, f"mark-{name}")[0].get_xdata()[0] == pytest.approx(wanted)
    assert f"event {last} of 40" in told
    assert any(text.startswith("what-if") for text in told) == bool(replay.skipped)
    off = len(replay.skipped)
    assert not off or f"what-if: {off} event{'s' * (off > 1)} off" in told
    event = replay.event()
    if event is not None:
        assert event["type"] in told
        assert any(text.strip() == "switched off" for text in told) == event["skipped"]
    changed = {str(change.path[0]) for change in replay.diff(max(0, last - 1), last)}
    assert sum(text in {"+", "~", "\u2212"} for text in told) == len(changed)


@law
@given(step=st.integers(0, 40))
def test_a_step_put_together_of_layers_is_the_step_drawn_whole(replay, step):
    replay.restore().skip(*replay.branch.events.ids[3:5])
    picture = ReplayPicture(replay, lanes="type")
    picture.pixels((step * 7) % 41)
    fast = picture.pixels(step)
    canvas = picture.figure(step).canvas
    canvas.draw()
    whole = np.asarray(canvas.buffer_rgba())[..., :3]
    timeline = slice(70, 270)
    differs = np.abs(fast[timeline].astype(int) - whole[timeline]).max(axis=2) > 60
    assert differs.mean() < 0.002
    replay.restore()


def test_pictures_of_the_same_step_are_the_same_whatever_was_drawn_before(replay):
    replay.restore()
    picture = ReplayPicture(replay)
    first = picture.png(7)
    picture.png(33)
    picture.png(0, fast=True)
    assert picture.png(7) == first == ReplayPicture(replay).png(7)


def test_a_picture_follows_what_is_switched_off_marked_and_bookmarked(tmp_path):
    session = session_of(tmp_path, orders(12))
    picture = ReplayPicture(session)
    seen = {picture.png(5)}
    session.skip(session.branch.events.ids[4])
    seen.add(picture.png(5))
    session.mark("A", 3)
    seen.add(picture.png(5))
    session.bookmarks.append((2, "look"))
    seen.add(picture.png(5))
    assert len(seen) == 4


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("lanes", ["service", "type", "stream"])
def test_nothing_in_an_id_type_or_value_is_anything_but_text(tmp_path, theme, lanes):
    data = {HOSTILE: HOSTILE, "$x^2$": "$\\nosuch$"}
    session = session_of(tmp_path, [{"type": HOSTILE, "data": data, "event_id": "e"}])
    session.bookmarks.append((1, HOSTILE))
    session.mark(HOSTILE, 1)
    before = dict(mpl.rcParams)
    mpl.rcParams["text.parse_math"] = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture = ReplayPicture(session, theme=theme, lanes=lanes)
            assert Image.open(io.BytesIO(picture.png(1))).size == (960, 540)
            picture.figure(1).savefig(io.BytesIO(), format="svg")
    finally:
        mpl.rcParams.update(before)
    assert any("<img" in text for text in words(picture.figure(1)))
    assert not _pylab_helpers.Gcf.figs


@pytest.mark.parametrize(
    "events",
    [
        orders(1),
        orders(60, dt.timedelta(0)),
        [{"type": f"Kind{n}", "occurred_at": START + n * dt.timedelta(minutes=1)} for n in range(2_000)],
        [{"type": "T", "occurred_at": START.replace(year=year)} for year in (1, 2026, 9999)],
        [{"type": "T", "data": {"text": "x" * 5_000_000}}, {"type": "T", "data": {"a": None, "b": [None]}}],
        [{"type": "T", "data": {f"field{n}": n for n in range(60)}}],
    ],
    ids=["one", "one instant", "2,000 types", "all of time", "5 MB and nulls", "many fields"],
)
def test_odd_logs_have_a_picture_at_each_end(tmp_path, events):
    session = session_of(tmp_path, events)
    for lanes in ("service", "type"):
        picture = ReplayPicture(session, lanes=lanes)
        for step in (0, 1, len(session)):
            assert len(picture.png(step)) <= 100_000


def test_a_big_payload_is_cut_and_says_how_big_it_was(tmp_path):
    session = session_of(tmp_path, [{"type": "T", "data": {"text": "x" * 3_000_000}}])
    found = payload_lines(Teller(session).at(1))
    assert found[-1][1] == "… 2.9 MB in all"
    assert len(found[0][1]) <= 1024


def test_payloads_are_told_as_they_were_written(tmp_path):
    session = session_of(tmp_path, [{"type": "T", "data": {"price": Decimal("12.50"), "big": 2**60, "s": "1"}}])
    assert payload_lines(Teller(session).at(1)) == [("big", str(2**60)), ("price", "12.50"), ("s", "1")]


def test_more_events_than_dots_are_drawn_as_density(tmp_path, monkeypatch):
    monkeypatch.setattr("esanalytics.widgets._placing.MOST_DOTS", 30)
    session = session_of(tmp_path, orders(50))
    assert Placing(session.branch, "type", ()).dense
    picture = ReplayPicture(session, lanes="type")
    assert picture.png(10) != picture.png(30)
    assert any("too many for dots" in text for text in words(picture.figure(3)))


def test_failures_have_a_shape_of_their_own(replay):
    figure = ReplayPicture(replay).figure(40)
    markers = {line.get_marker(): len(line.get_xdata()) for line in figure.axes[0].lines if line.get_ls() == "None"}
    assert markers["D"] in {0, 10}
    assert sum(len(x.get_xdata()) for x in figure.axes[0].lines if x.get_marker() == "D") == 10


@given(st.lists(st.integers(0, 10**6) | st.integers(0, 10**13), max_size=60))
def test_a_scale_keeps_the_order_and_stays_within_the_picture(instants):
    us = np.array(sorted(instants), np.int64)
    scale = scale_of(us)
    assert (np.diff(scale.x) >= 0).all()
    assert ((scale.x >= 0) & (scale.x <= 1)).all()
    assert scale.numbered or (np.diff(scale.x)[np.diff(us) > 0] > 0).all()
    ticks = scale.ticks(0.1)
    assert len(ticks) <= 11
    assert all(after - before >= 0.1 - 1e-9 for (before, _), (after, _) in itertools.pairwise(ticks))


def test_idle_gaps_are_folded_as_on_the_page():
    hour, day = 3600 * 10**6, 86_400 * 10**6
    us = np.array([0, hour, 2 * hour, 3 * hour, 6 * day, 6 * day + 13 * hour, 6 * day + 14 * hour], np.int64)
    scale = scale_of(us)
    assert [fold.us for fold in scale.folds] == [6 * day - 3 * hour, 13 * hour]
    assert scale.note == "2 idle gaps folded (6 d 10 h)"
    assert scale_of(us, fold=False).folds == ()
    (one,) = scale_of(us[:5], window=(0, 6 * day)).folds
    assert one.us == 6 * day - 3 * hour
    assert [length(us) for us in (13 * day, 31_557_600 * 10**6, 1_500_000, 2)] == ["13 d", "1 y", "1.5 s", "2 µs"]


def test_a_window_reaches_to_its_own_ends_whatever_happened_in_it():
    us = np.array([40, 60], np.int64)
    assert scale_of(us, window=(0, 100)).x.tolist() == pytest.approx([0.4, 0.6])


def test_lanes_and_colours_are_those_of_the_page(tmp_path):
    types = ["Started", *["Paid"] * 3, "CardDeclined", *(f"Kind{n}" for n in range(8)), "Paid"]
    events = [{"type": name, "occurred_at": START + dt.timedelta(hours=n)} for n, name in enumerate(types)]
    branch = session_of(tmp_path, events).branch
    first = ["Started", "Paid", "CardDeclined", *(f"Kind{n}" for n in range(8))]
    sortings = ("first", "count", "name", "duration")
    by = {order: Placing(branch, "type", (), Look(lane_order=order)) for order in sortings}
    assert by["first"].names == by["first"].kinds == first
    assert by["name"].names == sorted(first)
    assert by["count"].names == by["duration"].names == ["Paid", "Started", *first[2:]]
    signs = [sign_of(nth, "light", failure=nth == 2) for nth in (0, 1, 2, 8)]
    assert [sign.colour for sign in signs] == [DOTS["light"][nth] for nth in (0, 1, 2, 0)]
    assert [sign.marker for sign in signs] == ["o", "o", "D", "s"]
    one = Placing(branch, "type", (), Look(colour="service"))
    assert (one.kinds, set(one.ranks.tolist())) == (["shop"], {0})


def test_the_dots_of_pictures_have_the_colours_of_the_page():
    css = (Path(ea.widgets.__file__).parent / "static" / "replay.css").read_text("utf-8")
    found = re.findall(r"--es-c(\d): light-dark\((#\w+), (#\w+)\)", css)
    assert [pair for _, *pair in found] == [list(pair) for pair in zip(DOTS["light"], DOTS["dark"], strict=True)]


@pytest.mark.parametrize("lanes", ["type", "service"])
def test_what_is_switched_off_lies_above_the_others(tmp_path, lanes):
    session = session_of(tmp_path, [{"type": "Paid", "data": {"n": n}} for n in range(2)])
    session.skip(session.branch.events.ids[0])
    axes = ReplayPicture(session, lanes=lanes).figure(2).axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
    hollow = [line for line in dots if line.get_markerfacecolor() == "#FFFFFF"]
    assert len(hollow) == 1
    assert all(hollow[0].zorder > line.zorder for line in dots if line is not hollow[0])


@given(st.text(max_size=80), st.floats(20, 300))
def test_texts_are_cut_to_the_room_there_is(text, room):
    found = fit(text, room)
    assert width(found) <= room + 10 or found == "(empty)"
    assert "\n" not in found


def test_values_are_written_in_one_line_with_no_more_work_than_is_shown():
    endless = []
    endless.append(endless)
    assert written({"a": endless}, 40) == "{a: " + "[" * 35 + "…"
    mixed = [1, None, True, "x", dt.datetime(2026, 3, 1, tzinfo=dt.UTC)]
    assert written(mixed) == '[1, null, true, "x", 2026-03-01 00:00:00Z]'


def test_a_whole_log_has_a_picture_and_so_has_an_empty_one(tmp_path):
    store = ea.Store.create(tmp_path / "s", engine=ENGINE)
    empty = overview_png(Overview(store.log), HOSTILE)
    base = {"service": "a", "type": HOSTILE, "occurred_at": START}
    store.append([{**base, "stream_id": f"{HOSTILE}{n}"} for n in range(5)])
    full = overview_png(Overview(store.log), "all")
    assert max(len(empty), len(full)) <= 100_000
    assert Image.open(io.BytesIO(full)).size == (960, 540)


def test_an_unknown_choice_is_refused_with_what_there_is(replay):
    with pytest.raises(ValueError, match="service"):
        ReplayPicture(replay, lanes="servce")
    with pytest.raises(ValueError, match="light"):
        ReplayPicture(replay, theme="blue")


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_whole_log_is_written_as_its_suffix_says(tmp_path, suffix, begins):
    overview = Overview(session_of(tmp_path, orders(40)).log)
    whole = overview_still(overview, "half \ud83d", tmp_path / f"all{suffix}", theme="dark")
    part = overview_still(overview, "all", tmp_path / f"part{suffix}", chosen=Chosen(types=("Paid",)))
    assert whole.read_bytes().startswith(begins)
    if suffix == ".png":
        told = [Image.open(path).text["Description"] for path in (whole, part)]
        assert told[0].startswith("half ?: 40 events, 2026-03-01 00:00:00 to")
        assert told[1].startswith("all: 10 events")
        assert Image.open(whole).convert("RGB").getpixel((0, 0)) == (0x16, 0x19, 0x1D)
    with pytest.raises(ValueError, match=r"give one of \.png, \.svg, \.pdf"):
        overview_still(overview, "all", tmp_path / "all.jpg")


def test_a_picture_says_of_itself_what_it_shows(replay):
    found = Image.open(io.BytesIO(ReplayPicture(replay).png(3)))
    assert found.text["Description"].startswith("Replay of one: event 3 of 40, PaymentFailed")


def test_what_is_hidden_or_outside_the_window_is_not_drawn(replay):
    replay.restore().goto(10)
    first, last = (int(replay.branch.instants[row]) for row in (8, 15))
    whole, part = (
        Placing(replay.branch, "type", ()),
        Placing(replay.branch, "type", (), Look(hidden_types=("Paid",), window=(first, last))),
    )
    assert np.flatnonzero(part.shown).tolist() == [8, 10, 11, 12, 14, 15]
    assert (part.place(5), part.place(40), whole.kinds == part.kinds) == (0.0, 1.0, True)
    assert part.names == whole.names == ["Placed", "Paid", "PaymentFailed", "Sent"]
    picture = ReplayPicture(replay, lanes="type")
    before = picture.pixels()
    picture.look = part.look
    assert "40 events, 34 of them not shown" in " ".join(words(picture.figure()))
    assert (picture.pixels() != before).any()
    picture.look = Look(window=(0, 1))
    assert "no events that are shown" in [text.get_text() for text in picture.figure().axes[0].findobj(mpl.text.Text)]
    picture.look = Look()
    assert (picture.pixels() == before).all()


def test_a_whole_log_gives_colours_to_the_biggest_types_and_says_what_is_grey(tmp_path):
    events = [{"type": f"T{n:02}", "data": {"n": i}} for n in range(20) for i in range(20 - n)]
    figure = overview_figure(Overview(session_of(tmp_path, events).log), "all")
    told = words(figure)
    assert any(text.endswith("grey: 13 smaller types") for text in told)
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == [*(f"T{n:02}" for n in range(7)), "13 smaller types"]
    assert len({patch.get_facecolor() for patch in figure.axes[0].patches}) == 8


def test_the_picture_of_an_explorer_says_which_events_and_how_wide_a_bin_is():
    hour = 3600 * 10**6
    density = Density(0, 4 * hour, ("Paid",), np.array([[1, 0, 2, 0]]), 3, "")
    axes = explorer_figure(density, ["Paid"], chosen=Chosen(services=("shop",), text="x")).axes[0]
    assert axes.get_title(loc="left") == (
        "3 events · service shop · with 'x' · 1970-01-01 00:00 to 1970-01-01 04:00 UTC"
    )
    assert axes.get_ylabel() == "events per 1 h"
    none = Density(0, 0, (), np.zeros((0, 1), np.int64), 0, "")
    empty = explorer_figure(none, []).axes[0]
    assert "no events yet" in [text.get_text() for text in empty.texts]


def test_the_picture_of_a_comparison_has_numbers_and_names_what_it_leaves_out(tmp_path):
    session = session_of(tmp_path, [{"type": "T"}])
    wide = ea.Projection("wide", {"id": ea.stream_id}, {"*": {f"c{n:02}": ea.count for n in range(14)}})
    before = START - dt.timedelta(days=1)
    drawn = compared_picture(compared(session.log, wide, before, START), "wide")
    assert drawn.get_supxlabel() == "left out: c12, c13"
    assert [text.get_text() for text in drawn.axes[1].texts] == ["1"] * 12
    assert drawn.axes[1].get_legend() is not None
    same = compared_picture(compared(session.log, wide, START, START), "wide").axes[0]
    assert [text.get_text() for text in same.texts] == ["nothing differs: both sides have the same rows"]
