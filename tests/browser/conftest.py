"""A real browser, one Jupyter server, and for each test a page that lets nothing out and keeps a picture."""

import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import logs
import pytest
from playwright.sync_api import Browser, Page
from serving import Server, served
from watching import AXE, Turns, chromium, launched, picture, watched

import esanalytics as ea
from esanalytics.demo import orders, payments

sys.path.append(str(Path(__file__).parents[1] / "timetravel"))  # its histories


_WITH_JUPYTER = ("test_footprint", "test_jupyter")
_VIEWS = {
    "order": lambda shop: ea.replay(shop, orders, "order-123"),
    "payments": lambda shop: ea.replay(shop, payments, "order-1"),
    "all": ea.replay,
    "explore": ea.explore,
    "compare": lambda shop: ea.compare(shop, orders, "2026-02-01", "2026-02-02"),
    "trace": lambda shop: ea.trace(shop, correlation_id="order-123"),
    "beside": lambda shop: ea.replay(shop, orders, "order-123", step=8).beside("order-150"),
}
_FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.browser)
        if item.path.parent.name == "browser" and item.path.stem in _WITH_JUPYTER:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


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


@pytest.fixture(scope="session")
def turns(browser: Browser) -> Iterator[Turns]:
    shared = Turns(browser)
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def clocked_turns(browser: Browser) -> Iterator[Turns]:
    shared = Turns(browser, clock=True)
    yield shared
    shared.close()


@pytest.fixture
def page(browser: Browser, request) -> Iterator[Page]:
    """Open a page that is watched; ``indirect`` parameters are its size and its colours.

    What Jupyter leaves in a browser is not for others, so it gets a page of its own.
    """
    options = getattr(request, "param", {})
    if "server" in request.fixturenames:
        with watched(browser, **options) as (context, watch):
            page = context.new_page()
            page.watch = watch
            yield page
            _end(page, request)
    else:
        with request.getfixturevalue("turns").taken(**options) as page:
            yield page
            _end(page, request)


@pytest.fixture
def clocked(clocked_turns: Turns, request) -> Iterator[Page]:
    """Open a page whose clock a test may put forward, so that it need not wait."""
    with clocked_turns.taken() as page:
        yield page
        _end(page, request)


def _end(page: Page, request) -> None:
    failed = request.node.stash.get(_FAILED, False)
    if failed or "shot" not in request.fixturenames:
        picture(page, request.node.name)
    if failed:
        page.close()
    page.watch.check()


@pytest.fixture
def shot(request) -> Callable[[str], None]:
    """Keep a picture in the middle of a test, instead of one at its end."""
    page = request.getfixturevalue("clocked" if "clocked" in request.fixturenames else "page")
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
def html_of(shop, tmp_path_factory) -> Callable[[str], Path]:
    """Name the page of a view of the shop; each is written once."""
    folder = tmp_path_factory.mktemp("views")

    @cache
    def written(name: str) -> Path:
        view = _VIEWS[name](shop)
        path = view.to_html(folder / f"{name}.html")
        view.close()
        return path

    return written


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> ea.Store:
    """Events that would run where they are not taken as text."""
    return ea.Store.open(logs.hostile(tmp_path_factory.mktemp("stores")))
