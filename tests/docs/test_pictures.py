"""The pictures of the documentation: small, sharp, and made by their script."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "replay.png"


def made(folder):
    found = importlib.util.spec_from_file_location("make_pictures", ROOT / "docs" / "make_pictures.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    module.main(folder)


def test_the_picture_is_small_and_twice_as_wide_as_it_is_shown():
    assert PICTURE.stat().st_size <= 250_000
    assert Image.open(PICTURE).width == 2400


def test_the_readme_shows_it_and_says_what_it_shows():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    said = text[text.index("![") + 2 : text.index("](docs/replay.png)")]
    assert {"order-150", "switched", "-318.00"} <= set(re.split(r"[\s,:;]+", said))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no Chromium: run `bash .ci/browser`")
def test_its_script_makes_a_picture_of_that_kind(tmp_path):
    made(tmp_path)
    found = Image.open(tmp_path / "replay.png")
    assert found.width == 2400
    assert abs(found.height - Image.open(PICTURE).height) < 300
    assert (tmp_path / "replay.png").stat().st_size <= 250_000
