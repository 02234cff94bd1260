"""The flows of an explorer, on its page and with Python behind it; and questions that nobody answers."""

import json

import pytest
from playwright.sync_api import expect
from watching import findings

import esanalytics as ea
from esanalytics.analysis import flow, thinned
from esanalytics.widgets._bundle import page as page_with
from esanalytics.widgets._explorer_assets import explorer_css, explorer_module

LATE = 3_300
"""After so many milliseconds the page says that the kernel is busy."""
SCHEMES = pytest.mark.parametrize(
    "page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"]
)
BODY = """<main id="explorer"></main>
<script type="module">
%s
const told = (id) => JSON.parse(document.getElementById(id).textContent);
const values = { overview: JSON.stringify(told("overview")), sight: told("sight"), theme: "auto" };
const tasks = {};
const model = window.model = {
  sent: [], answering: true,
  get: (name) => values[name],
  set: (name, value) => { values[name] = value; },
  change: (name, value) => { values[name] = value; tasks[`change:${name}`](); },
  save_changes() {},
  on: (name, task) => { tasks[name] = task; },
  off() {},
  send: async (message) => {
    model.sent.push(message);
    if (model.answering) for (const each of await window.askPython(message)) model.tell(each);
  },
  tell: (message) => tasks["msg:custom"](message),
};
render({ model, el: document.getElementById("explorer") });
</script>"""


class Live:
    """An explorer in a page, with Python behind it and no Jupyter between."""

    def __init__(self, page, explorer, path):
        self.page, self.explorer = page, explorer
        self.sent = []
        explorer.canvas.send = lambda content, buffers=None: self.sent.append(content)  # noqa: ARG005
        self._path = path

    def open(self):
        canvas = self.explorer.canvas
        data = {"overview": canvas.overview, "sight": json.dumps(canvas.sight)}
        self._path.write_text(page_with("explorer", BODY % explorer_module(), explorer_css(), data=data), "utf-8")
        self.page.goto(self._path.as_uri())
        self.page.locator(".ea-explore").wait_for()

    def later(self):
        """Let more time pass than the page waits for an answer."""
        self.page.clock.fast_forward(LATE)

    def answers(self, message):
        self.sent.clear()
        self.explorer.canvas._handle_custom_msg(message, [])
        return json.loads(json.dumps(self.sent))

    def asked(self, what):
        return self.page.evaluate("(what) => model.sent.filter((each) => each.what === what).length", what)

    def last(self, what):
        return self.page.evaluate("(what) => model.sent.filter((each) => each.what === what).pop().request", what)


@pytest.fixture
def live(clocked, shop, tmp_path):
    explorer = ea.explore(shop)
    found = Live(clocked, explorer, tmp_path / "live.html")
    with clocked.expose_function("askPython", found.answers):
        found.open()
        yield found
    explorer.close()


@pytest.fixture
def stored(page, html_of):
    page.goto(html_of("explore").as_uri())
    page.get_by_role("tab", name="Flows").click()
    page.locator(".map svg").wait_for()
    return page


def slide(page, name, value):
    page.get_by_role("slider", name=name).fill(str(value))


def wanted(log, types, share):
    whole = thinned(flow(log), activities=1, connections=1, most_nodes=30, most=200, least_count=1)
    part = thinned(
        whole, activities=types / len(whole.nodes), connections=share / 100, most_nodes=30, most=200, least_count=1
    )
    return len(part.nodes), len(part.edges)


def drawn(page):
    return page.locator(".map .node").count(), page.locator(".map .edge").count()


@SCHEMES
@pytest.mark.usefixtures("axe")
def test_the_page_thins_the_map_and_lists_the_variants(stored, shop, shot):
    page = stored
    shot("first")
    assert findings(page) == []
    page.get_by_text("The connections as a table").click()
    page.locator("details table").wait_for()
    assert findings(page) == []
    for types, share in ((5, 100), (8, 0), (1, 100), (12, 30)):
        slide(page, "Types", types)
        slide(page, "Connections", share)
        assert drawn(page) == wanted(shop.log, types, share)
        text = page.get_by_role("slider", name="Types").get_attribute("aria-valuetext")
        assert text.startswith(f"{types} of ")
        assert page.locator("details tbody tr").count() == drawn(page)[1]
    variants = page.locator("table", has_text="types in order")
    expect(variants.locator("tbody tr")).to_have_count(20)
    expect(variants.locator("caption")).to_contain_text("as of the export")


def test_the_keyboard_reaches_the_tab_and_moves_the_sliders(stored):
    page = stored
    page.get_by_role("tab", name="Flows").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Fields")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Flows")).to_be_focused()
    page.get_by_role("slider", name="Types").focus()
    before = drawn(page)
    page.keyboard.press("ArrowLeft")
    assert drawn(page)[0] == before[0] - 1
    expect(page.get_by_role("slider", name="Types")).to_be_focused()


def test_nothing_is_computed_until_the_tab_is_opened(live, shop, shot):
    page = live.page
    assert live.asked("flows") == 0
    page.get_by_role("tab", name="Flows").click()
    page.locator(".map svg").wait_for()
    assert live.asked("flows") == 1
    for types, share in ((6, 100), (len(flow(shop.log).nodes), 100), (3, 0)):
        slide(page, "Types", types)
        slide(page, "Connections", share)
        page.wait_for_function(
            "(n) => document.querySelectorAll('.map .edge').length === n", arg=wanted(shop.log, types, share)[1]
        )
        assert drawn(page) == wanted(shop.log, types, share)
        shot(f"{types}-{share}")
    assert live.asked("flows") == 1
    page.get_by_role("checkbox", name="payments").check()
    few = len(flow(shop.log.where(service="payments")).nodes)
    expect(page.locator(".thin").first).to_contain_text(f" of {few} type")


def test_sliders_act_where_nobody_answers(live):
    page = live.page
    page.get_by_role("tab", name="Flows").click()
    page.locator(".map svg").wait_for()
    page.evaluate("() => { model.answering = false; }")
    before = drawn(page)
    slide(page, "Types", 4)
    assert drawn(page)[0] == 4
    assert 0 < drawn(page)[1] < before[1]


def test_a_question_that_nobody_answered_holds_no_newer_one_back(live):
    page = live.page
    page.evaluate("() => { model.answering = false; }")
    page.get_by_role("tab", name="Types").click()
    page.get_by_role("tab", name="Events").click()
    page.get_by_role("tab", name="Types").click()  # waits for the first
    assert live.asked("kinds") == 1
    live.later()
    expect(page.locator(".ea-explore .status")).to_contain_text("kernel is busy")
    assert live.asked("kinds") == 2
    page.evaluate("() => { model.answering = true; }")
    live.later()
    page.get_by_role("tab", name="Types").click()
    expect(page.get_by_role("tabpanel").locator("tbody tr").first).to_be_visible()


def test_a_late_answer_counts_where_it_is_of_the_newest_question(live):
    page = live.page
    page.evaluate("() => { model.answering = false; }")
    page.get_by_role("tab", name="Types").click()
    live.later()
    expect(page.locator(".ea-explore .status")).to_contain_text("kernel is busy")
    row = ["s", "Late", 1, 1, 0, 0]
    answer = {"kind": "answer", "what": "kinds", "data": {"rows": [row], "note": ""}}
    page.evaluate("(told) => model.tell(told)", {**answer, "request": live.last("kinds") - 1})
    expect(page.get_by_role("tabpanel")).not_to_contain_text("Late")
    page.evaluate("(told) => model.tell(told)", {**answer, "request": live.last("kinds")})
    expect(page.get_by_role("tabpanel")).to_contain_text("Late")


@pytest.mark.parametrize("how", ["model", "button"])
def test_refresh_asks_anew_what_nobody_answered(live, how):
    page = live.page
    page.evaluate("() => { model.answering = false; }")
    page.get_by_role("tab", name="Types").click()
    expect(page.get_by_role("tabpanel")).to_have_attribute("aria-busy", "true")
    page.evaluate("() => { model.answering = true; }")
    if how == "model":
        page.evaluate("() => model.change('overview', model.get('overview'))")
    else:
        page.get_by_role("button", name="Refresh").click()
        expect(page.locator(".ea-explore .status")).to_contain_text("nothing new")
    expect(page.get_by_role("tabpanel").locator("tbody tr").first).to_be_visible(timeout=2_500)
    assert live.asked("kinds") == 2


def test_types_with_attacks_and_other_scripts_are_text(page, hostile, tmp_path):
    explorer = ea.explore(hostile)
    page.goto(explorer.to_html(tmp_path / "page.html").as_uri())
    explorer.close()
    page.get_by_role("tab", name="Flows").click()
    page.locator(".map svg").wait_for()
    page.wait_for_timeout(300)
    assert page.evaluate("() => window.__pwned === undefined && !document.querySelector('img[src=x], svg[onload]')")
