"""Make the pictures of the documentation: `.venv/bin/python docs/make_pictures.py [folder]`.

They are taken by Chromium (which `bash .ci/browser` installs; `CHROMIUM` may name it) of pages that stand without a
kernel, and need no network. Run it when a view looks different than it did.
"""  # noqa: INP001  a folder of pictures, no package

import io
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import sync_playwright

import esanalytics as ea
from esanalytics.demo import orders

HERE = Path(__file__).resolve().parent
WIDE, HIGH, SCALE = 1200, 900, 2
MOST_BYTES = 250_000
_ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


def replay_page(folder: Path) -> Path:
    """Write the page that is shown: an order that was paid back twice, with the second refund switched off."""
    with ea.Store.create(folder / "shop") as store:
        store.append(ea.sources.jsonl(str(HERE.parent / "data" / "*.jsonl")))
        twice = ea.bisect(store, orders, "balance < 0", key="order-150")
        shown = {"theme": "light", "field": "balance", "diff": "what-if", "marks": {"A": 7}}
        view = ea.replay(store, orders, key="order-150", step=9, skipped=[twice.event["event_id"]], **shown)
        page = view.to_html(folder / "replay.html")
        view.close()
    return page


def taken(page: Path) -> bytes:
    """Take a picture of a page, as high as what it shows."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(_ARGUMENTS))
        try:
            size = {"width": WIDE, "height": HIGH}
            shown = browser.new_page(viewport=size, device_scale_factor=SCALE, color_scheme="light")
            shown.goto(page.as_uri())
            shown.get_by_role("region", name="Diff").get_by_text("balance").first.wait_for()
            shown.evaluate("document.fonts.ready")
            shown.wait_for_timeout(500)
            return shown.screenshot(full_page=True)
        finally:
            browser.close()


def small(picture: bytes) -> bytes:
    """Write a picture as PNG with as many colours as its size allows.

    Raises:
        ValueError: it is too large with few colours.
    """
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in (256, 128, 64, 32):
        found = io.BytesIO()
        image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            found, "PNG", optimize=True
        )
        if len(found.getvalue()) <= MOST_BYTES:
            return found.getvalue()
    raise ValueError(f"the picture has more than {MOST_BYTES:,} bytes with 32 colours; show less of the page")


def main(folder: Path) -> None:
    """Make the pictures, in a folder."""
    with TemporaryDirectory() as temporary:
        picture = small(taken(replay_page(Path(temporary))))
    (folder / "replay.png").write_bytes(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
