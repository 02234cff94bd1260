import datetime as dt
import os
import stat
import sys

import pytest
from PIL import Image

import esanalytics as ea
from esanalytics.analysis._session import ReplaySession
from esanalytics.widgets._moving import write_moving, write_still
from esanalytics.widgets._picture import ReplayPicture

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
FAKE = """#!{python}
import sys
read = len(sys.stdin.buffer.read())
if {fails}: print("no such codec", file=sys.stderr); sys.exit(3)
open(sys.argv[-1], "w").write(f"{{read}} {{' '.join(sys.argv[1:-1])}}")
"""


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    store = ea.Store.create(tmp_path_factory.mktemp("s") / "s")
    base = {"service": "a", "stream_id": "one", "type": "T"}
    store.append([{**base, "occurred_at": START + n * dt.timedelta(hours=n), "data": {"n": n}} for n in range(8)])
    return ReplayPicture(ReplaySession(store, None, "one"), size=(4.8, 2.7))


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng"])
def test_a_moving_picture_has_a_frame_for_each_step_and_takes_as_long_as_asked(picture, tmp_path, suffix):
    found = write_moving(picture, tmp_path / f"m{suffix}", seconds=2.2)
    moving = Image.open(found)
    assert moving.n_frames == 9
    lasts = 0
    for frame in range(9):
        moving.seek(frame)
        moving.load()
        lasts += moving.info["duration"]
    assert 2000 <= lasts <= 2400
    assert moving.size == (480, 270)
    assert [path.name for path in tmp_path.iterdir()] == [found.name]


def test_of_more_steps_than_frames_some_are_chosen_and_it_says_so(picture, tmp_path):
    with pytest.warns(UserWarning, match="9 steps: 3 of them"):
        found = write_moving(picture, tmp_path / "m.gif", most=3, loop=False)
    moving = Image.open(found)
    assert moving.n_frames == 3
    assert "loop" not in moving.info


def test_an_mp4_needs_ffmpeg_and_says_what_helps(picture, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"ffmpeg, which is not installed; install it, or write a \.gif"):
        write_moving(picture, tmp_path / "m.mp4")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")
@pytest.mark.parametrize("fails", [False, True])
def test_an_mp4_is_what_ffmpeg_makes_of_the_frames(picture, tmp_path, monkeypatch, fails):
    fake = tmp_path / "bin" / "ffmpeg"
    fake.parent.mkdir()
    fake.write_text(FAKE.format(python=sys.executable, fails=fails))
    fake.chmod(fake.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(fake.parent))
    target = tmp_path / "m.mp4"
    if fails:
        with pytest.raises(ValueError, match=r"no such codec; write a \.gif or \.webp"):
            write_moving(picture, target, steps=[0, 1])
        assert not target.exists()
        return
    write_moving(picture, target, steps=[0, 1, 2], seconds=1)
    read, _, arguments = target.read_text().partition(" ")
    assert int(read) == 480 * 270 * 3 * 5
    assert "-s 480x270 -r 5.0000 -i -" in arguments


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_still_picture_is_what_its_suffix_says(picture, tmp_path, suffix, begins):
    assert write_still(picture, tmp_path / f"s{suffix}", 3).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("name", "how", "told"),
    [
        ("m.avi", {}, "give one of .gif, .webp, .png, .apng, .mp4"),
        ("m", {}, "a file without suffix"),
        ("m.gif", {"steps": []}, "steps must be some of 0 to 8"),
        ("m.gif", {"steps": [9]}, "steps must be some of 0 to 8"),
        ("m.gif", {"seconds": 0}, "seconds=0 is not above 0"),
        ("m.gif", {"most": 0}, "most=0 is not above 0"),
    ],
)
def test_what_cannot_be_written_is_refused(picture, tmp_path, name, how, told):
    with pytest.raises(ValueError, match=told):
        write_moving(picture, tmp_path / name, **how)
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf"):
        write_still(picture, tmp_path / "s.doc", 0)


def test_a_file_is_as_it_was_when_drawing_fails(picture, tmp_path, monkeypatch):
    target = tmp_path / "m.gif"
    target.write_bytes(b"before")
    monkeypatch.setattr(picture, "pixels", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_moving(picture, target)
    assert target.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1
