"""The page of an explorer on its own: its code is that of the export, and what needs a kernel says so."""

import pytest
from playwright.sync_api import expect

KERNEL = "needs a running kernel"


@pytest.fixture
def stored(page, html_of):
    page.goto(html_of("explore").as_uri())
    page.get_by_role("tab", name="Events").wait_for()
    return page


def test_code_can_be_copied_until_something_else_is_chosen(stored):
    page = stored
    page.get_by_role("tab", name="Code").click()
    panel = page.get_by_role("tabpanel")
    expect(panel).to_contain_text("As of the export.")
    expect(panel).to_contain_text("import esanalytics as ea")
    copies = [page.get_by_role("button", name=f"Copy {name}") for name in ("Python", "SQL")]
    for copy in copies:
        expect(copy).to_be_enabled()
    box = page.get_by_role("checkbox", name="payments")
    box.check()
    expect(panel).to_contain_text(f"As of the export, and not of what is chosen now: the code of that {KERNEL}.")
    for copy in copies:
        expect(copy).to_be_disabled()
    box.uncheck()
    expect(panel).to_contain_text("As of the export.")
    for copy in copies:
        expect(copy).to_be_enabled()


def test_what_needs_a_kernel_cannot_be_used_and_says_so(stored):
    page = stored
    search = page.get_by_role("searchbox", name="search in ids, types and payloads")
    expect(search).to_be_disabled()
    expect(search).to_have_attribute("placeholder", f"Search {KERNEL}")
    panel = page.get_by_role("tabpanel")
    for name in ("Next", "Last"):
        expect(panel.get_by_role("button", name=name)).to_be_disabled()
        expect(panel.get_by_role("button", name=name)).to_have_attribute("title", f"this {KERNEL}")
    expect(panel).to_contain_text(f"turning pages {KERNEL}")
    expect(panel.locator("caption")).to_contain_text("as of the export")
    page.get_by_role("checkbox", name="payments").check()
    expect(panel.locator("caption")).to_contain_text("what was chosen in this page since does not filter this")
    page.get_by_role("tab", name="Streams").click()
    expect(panel.get_by_role("searchbox")).to_be_disabled()
    expect(panel.get_by_role("searchbox")).to_have_attribute("placeholder", f"Finding streams {KERNEL}")
    page.get_by_role("tab", name="Fields").click()
    options = panel.get_by_role("option")
    missing = options.filter(has_text=KERNEL)
    assert missing.count() == options.count() - 1 - 12
    for option in missing.all():
        expect(option).to_be_disabled()
