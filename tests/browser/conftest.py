"""A real browser, one Jupyter server, and a page per test that lets nothing out and keeps a picture."""

import sys
from collections.abc import Callable
from pathlib import Path

import logs
import pytest
from playwright.sync_api import Browser, Page
from serving import Server, served
from watching import AXE, chromium, launched, picture, watched

import esanalytics as ea

sys.path.append(str(Path(__file__).parents[1] / "timetravel"))  # its histories


_WITH_JUPYTER = ("test_footprint", "test_jupyter")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.browser)
        if item.path.parent.name == "browser" and item.path.stem in _WITH_JUPYTER:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser():
    executable = chromium()
    if executable is None:
        pytest.skip("there is no Chromium: run `bash .ci/browser`, or let CHROMIUM name one")
    with launched(executable) as found:
        yield found


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory) -> Server:  # noqa: ARG001  without a browser nothing is started
    """Serve an empty folder."""
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, request) -> Page:
    """Open a page that is watched; ``indirect`` parameters are options of its context."""
    with watched(browser, **getattr(request, "param", {})) as (context, watch):
        page = context.new_page()
        page.watch = watch
        yield page
        picture(page, request.node.name)
        watch.check()


@pytest.fixture
def shot(page: Page, request) -> Callable[[str], None]:
    """Keep a picture in the middle of a test."""
    return lambda label: picture(page, f"{request.node.name}-{label}")


@pytest.fixture(scope="session")
def axe():
    if not AXE.is_file():
        pytest.skip("there is no axe-core: `bash .ci/browser` installs it where npm is")


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> ea.Store:
    """The sample's events."""
    return ea.Store.open(logs.shop(tmp_path_factory.mktemp("stores")))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> ea.Store:
    """Events that would run where they are not taken as text."""
    return ea.Store.open(logs.hostile(tmp_path_factory.mktemp("stores")))
