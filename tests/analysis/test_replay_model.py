"""The model of a replay, read as a page reads it, gives the states of the replay."""

import datetime as dt
import json
import threading
import time
from decimal import Decimal

import pytest
from histories import FAMILIES, KEYS, MINUTE, PAYLOADS, START, TYPES, histories, law
from hypothesis import given
from hypothesis import strategies as st
from replays import REDUCERS, backwards, everything, replay_of, states

import esanalytics as ea
from esanalytics.analysis import _model
from esanalytics.analysis._exact import exact_json
from esanalytics.analysis._model import chunk_of, model_of
from esanalytics.analysis._session import ReplaySession

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def parsed(text):
    """Read JSON, numbers exactly."""
    return json.loads(text, parse_float=Decimal)


class Page:
    """A model, folded by the rules that a page goes by.

    Args:
        model: the parsed model.
        skipped: ids of events that are switched off.
    """

    def __init__(self, model, skipped=()):
        self.model, self.skipped = model, set(skipped)
        self.columns = model["fold"]["columns"]
        chunks = sorted(model["chunks"].values(), key=lambda chunk: chunk["number"])
        self.rows = [row for chunk in chunks for row in chunk["rows"]]
        if any(row["us"] != row["oc"] for row in self.rows):
            self.rows = self.in_order()

    def in_order(self):
        """Sort the rows as they are without what is switched off."""
        times, clocks = {}, {}
        for row in sorted(self.rows, key=lambda each: (each["k"], each["ver"] is not None, each["ver"] or 0)):
            if row["id"] in self.skipped:
                times[row["id"]] = row["us"]
                continue
            times[row["id"]] = row["oc"]
            if row["ver"] is not None:
                clocks[row["k"]] = max(clocks.get(row["k"], row["oc"]), row["oc"])
                times[row["id"]] = max(clocks[row["k"]], row["oc"] if row["floor"] is None else row["floor"])
        return sorted(
            self.rows, key=lambda row: (times[row["id"]], row["ver"] is not None, row["ver"] or 0, row["pos"])
        )

    @property
    def ids(self):
        return [row["id"] for row in self.rows]

    def states(self, before=None, *, real=False):
        """Give the states before the first row and after each."""
        found = [before]
        for row in self.rows:
            found.append(self.after(found[-1], row, real=real))
        return found

    def after(self, state, row, *, real):
        acts = row["acts"]
        if real and row.get("inserted"):
            return state
        if not real:
            acts = row.get("edited", acts)
            if row["id"] in self.skipped:
                return state
        if acts is None:
            return state
        if acts == "delete":
            return None
        found = self.begun() if state is None else dict(state)
        for number, kind, value in acts:
            column = self.columns[number]
            found[column["name"]] = KINDS[kind](found[column["name"]], value, column["type"])
        return found

    def begun(self):
        start = {"add": 0, "list": []}
        return {column["name"]: start.get(column["family"]) for column in self.columns}


def number_of(value):
    return float({"Infinity": "inf", "-Infinity": "-inf"}.get(value, value)) if isinstance(value, str) else value


def add(before, value, type_):
    if value is None:
        return before
    if type_ in {"DOUBLE", "FLOAT"}:
        return float(number_of(before or 0)) + float(number_of(value))
    return (before or 0) + value


def remove(before, value, _):
    return before if value is None or before is None else [x for x in before if x is None or x != value]


def extreme(choose):
    return lambda before, value, _: choose((x for x in (before, value) if x is not None), default=None)


KINDS = {
    "set": lambda _, value, __: value,
    "present": lambda _, value, __: value,
    "keep": lambda before, value, _: before if value is None else value,
    "add": add,
    "min": extreme(min),
    "max": extreme(max),
    "first": lambda before, value, _: value if before is None else before,
    "append": lambda before, value, _: before if value is None else [*(before or []), value],
    "remove": remove,
}


def agree(page, session, **how):
    """Hold what a page folds beside the states of a replay."""
    wanted = [parsed(exact_json(row)) for row in states(session, **how)]
    for step, (found, row) in enumerate(zip(page.states(real=how.get("real", False)), wanted, strict=True)):
        assert same(found, row), step


def same(found, wanted):
    """Compare values of JSON; of numbers the digits, not how they are written."""
    return parsed(exact_json(found)) == parsed(exact_json(wanted))


@law(3)
@given(batches=histories(), projection=everything() | everything(KEYS[2:]) | st.none(), data=st.data())
def test_a_page_folds_a_model_to_the_states_of_the_replay(tmp_path, batches, projection, data):
    session = replay_of(tmp_path, batches, projection, data.draw)
    model = parsed(model_of(session))
    assert model["complete"]
    assert model["events"] == len(session) == sum(len(chunk["rows"]) for chunk in model["chunks"].values())
    agree(Page(model), session)
    for _ in range(3):
        skipped = data.draw(st.sets(st.sampled_from(session.branch.events.ids), min_size=1, max_size=5))
        session.restore().skip(*skipped)
        page = Page(model, skipped)
        left = [event_id for event_id in session.branch.events.ids if event_id not in skipped]
        assert [event_id for event_id in page.ids if event_id not in skipped] == left
        assert same(page.states()[-1], session.state(len(session)))
    again = Page(parsed(model_of(session)), skipped)
    agree(again, session)
    assert again.ids == session.branch.events.ids


@law(3)
@given(batches=histories(), projection=everything() | everything(KEYS[2:]), data=st.data())
def test_a_model_holds_what_was_and_what_would_be(tmp_path, batches, projection, data):
    session = replay_of(tmp_path, batches, projection, data.draw)
    for event_id in data.draw(st.sets(st.sampled_from(session.branch.events.ids), min_size=1, max_size=2)):
        session.edit(event_id, data=data.draw(PAYLOADS), type=data.draw(st.sampled_from(TYPES)))
    session.edit(type="A", occurred_at=START + data.draw(st.integers(0, 9)) * MINUTE / 2, data=data.draw(PAYLOADS))
    page = Page(parsed(model_of(session)))
    agree(page, session)
    if not session.branch.events.skewed:
        agree(page, session, real=True)
    skipped = data.draw(st.sets(st.sampled_from(session.branch.events.ids), min_size=1, max_size=5))
    session.skip(*skipped)
    agree(Page(parsed(model_of(session)), skipped), session)


@law(2)
@given(batches=histories(least=14), data=st.data())
def test_chunks_hold_the_states_before_them(tmp_path, batches, data):
    definition = data.draw(everything(KEYS[2:3]) | st.sampled_from(REDUCERS))
    session = replay_of(tmp_path, batches, definition, data.draw)
    session.skip(*data.draw(st.sets(st.sampled_from(session.branch.events.ids), max_size=3)))
    session.goto(data.draw(st.integers(0, len(session))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_model, "CHUNK", 3)
        patch.setattr(_model, "COMPLETE", 2)
        model = parsed(model_of(session))
        assert model["complete"] == (len(session) <= 2)
        if model["complete"]:
            return
        assert str(max(0, session.step - 1) // 3) in model["chunks"]
        chunks = [parsed(chunk_of(session, number)) for number in range(-(-len(session) // 3))]
        assert all(chunks[int(number)] == chunk for number, chunk in model["chunks"].items())
    wanted, real = states(session), states(session, real=True)
    assert [row["id"] for chunk in chunks for row in chunk["rows"]] == session.branch.events.ids
    for chunk in chunks:
        first = chunk["from"]
        assert [row["n"] for row in chunk["rows"]] == list(range(first, first + len(chunk["rows"])))
        assert same(chunk["before"], wanted[first])
        assert same(chunk["real"], real[first])
        if model["fold"]["kind"] == "states":
            found = [row["state"] for row in chunk["rows"]]
        else:
            page = Page({**model, "chunks": {"0": chunk}}, session.skipped)
            page.rows = chunk["rows"]
            found = page.states(chunk["before"])[1:]
        for n, row in enumerate(found, first + 1):
            assert same(row, wanted[n]), n


def stored(tmp_path, events, **options):
    store = ea.Store.create(tmp_path / "store", **options)
    store.append([{"stream_id": "x", "occurred_at": START + n * MINUTE, **event} for n, event in enumerate(events)])
    return store


def test_numbers_keep_their_digits(tmp_path):
    large = 9_007_199_254_740_993
    projection = ea.Projection(
        "digits",
        "stream_id",
        {
            "A": {
                "sum": ea.add(ea.field("n", "HUGEINT")),
                "one": ea.field("n", "BIGINT"),
                "money": ea.add(ea.field("price", "DECIMAL(18,2)")),
                "paid": ea.field("price", "DECIMAL(18,2)"),
                "ratio": ea.field("ratio", "DOUBLE"),
                "prices": ea.append(ea.field("price", "DECIMAL(18,2)")),
            }
        },
    )
    events = [{"type": "A", "data": {"n": large, "price": Decimal("12.50"), "ratio": 0.1}}] * 3
    session = ReplaySession(stored(tmp_path, events), projection, "x")
    text = model_of(session)
    assert f'"set",{large}]' in text
    assert '"set",12.50]' in text
    assert '"set",0.1]' in text
    wanted = {
        "sum": 3 * large,
        "one": large,
        "money": Decimal("37.50"),
        "paid": Decimal("12.50"),
        "ratio": 0.1,
        "prices": [Decimal("12.50")] * 3,
    }
    assert session.state(3) == wanted
    assert same(Page(parsed(text)).states()[-1], wanted)
    assert f'"sum":{3 * large},' in exact_json(session.state(3))


def test_infinities_and_nan_are_texts(tmp_path):
    projection = ea.Projection(
        "odd", "stream_id", {"A": {"x": ea.field("x", "DOUBLE"), "sum": ea.add(ea.field("x", "DOUBLE"))}}
    )
    events = [{"type": "A", "data": {"x": x}} for x in ("1.5", "Infinity", "NaN", "-Infinity")]
    session = ReplaySession(stored(tmp_path, events), projection, "x")
    text = model_of(session)
    assert [row["acts"][0][2] for row in parsed(text)["chunks"]["0"]["rows"]] == [
        Decimal("1.5"),
        "Infinity",
        "NaN",
        "-Infinity",
    ]
    agree(Page(parsed(text)), session)


def test_a_page_moves_events_when_one_that_moved_a_clock_is_switched_off(tmp_path):
    store, projection = backwards(tmp_path)
    session = ReplaySession(store, projection, "anna")
    model = parsed(model_of(session))
    assert {row["id"]: row["floor"] for row in model["chunks"]["0"]["rows"]} == {
        "v1": None,
        "v2": None,
        "v4": us(START + 9 * MINUTE),
        "other": None,
    }
    assert [Page(model).ids, Page(model, ["v1"]).ids] == [
        ["other", "v1", "v2", "v4"],
        ["v2", "other", "v1", "v4"],
    ]
    agree(Page(model), session)
    agree(Page(model, ["v1"]), session.skip("v1"))
    assert session.branch.events.ids == ["v2", "other", "v1", "v4"]


def us(at):
    return (at - EPOCH) // dt.timedelta(microseconds=1)


def test_a_long_model_has_chunks_and_a_timeline_and_the_rest_on_demand(tmp_path):
    events = [{"type": "ABCFailed"[n % 3 :] if n % 7 == 0 else "Plain", "data": {"n": n}} for n in range(2_300)]
    projection = ea.Projection("sums", "stream_id", {"*": {"sum": ea.add(ea.field("n", "BIGINT")), "n": ea.count}})
    session = ReplaySession(stored(tmp_path, events), projection, "x").goto(1_000)
    session.skip(session.branch.events.ids[3])
    model = parsed(model_of(session))
    assert (model["events"], model["complete"], model["chunk"]) == (2_300, False, 256)
    assert list(model["chunks"]) == ["3", "4"]
    assert model["chunks"]["3"]["before"] == {"sum": 256 * 3 * (256 * 3 - 1) // 2 - 3, "n": 256 * 3 - 1}
    assert model["chunks"]["3"]["real"] == {"sum": 256 * 3 * (256 * 3 - 1) // 2, "n": 256 * 3}
    assert len(model["timeline"]["steps"]) == 2_300
    assert [model["types"][number] for number in model["failures"]] == ["ABCFailed", "BCFailed", "CFailed"]
    last = parsed(chunk_of(session, 8))
    assert [len(last["rows"]), last["from"]] == [2_300 - 8 * 256, 8 * 256]
    with pytest.raises(ValueError, match="no chunk 9; there are 0 to 8"):
        chunk_of(session, 9)
    cut = parsed(model_of(session, most=600))
    assert (cut["events"], cut["complete"], list(cut["chunks"])) == (600, True, ["0", "1", "2"])
    assert cut["note"] == "the first 600 of 2,300 events"
    assert len(cut["timeline"]["steps"]) == 600
    assert [same(row, session.state(n)) for n, row in enumerate(Page(cut, session.skipped).states())] == [True] * 601
    assert parsed(model_of(session, most=9_999))["note"] == ""


def test_a_very_long_timeline_is_knots_and_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(_model, "DOTS", 100)
    events = [{"type": "AB"[n % 2], "data": {}} for n in range(150)]
    session = ReplaySession(stored(tmp_path, events), None)
    for most, size in ((None, 150), (120, 120), (90, 90)):
        timeline = parsed(model_of(session, most=most))["timeline"]
        if size > 100:
            counts = timeline["density"]["types"]
            assert [sum(each) for each in counts] == [size // 2, size // 2]
            assert timeline["knots"]["at"][-1] == timeline["end"]
            assert timeline["steps"] is None
        else:
            assert len(timeline["steps"]) == size
            assert timeline["density"] is None


def test_a_changed_value_that_python_takes_for_the_same_is_told(tmp_path):
    projection = ea.Projection("any", "stream_id", {"A": {"any": FAMILIES["anything"][0]}})
    session = ReplaySession(stored(tmp_path, [{"type": "A", "data": {"any": 1}}] * 2), projection, "x")
    session.edit(session.branch.events.ids[0], data={"any": True})
    page = Page(parsed(model_of(session)))
    assert [row["any"] for row in page.states()[1:]] == [True, 1]
    assert [type(row["any"]) for row in page.states()[1:]] == [bool, int]
    assert [type(row["any"]) for row in states(session)[1:]] == [bool, int]


def test_rows_of_a_reducer_have_their_state_and_its_errors(tmp_path):
    @ea.reducer("sums", initial={"n": 0})
    def sums(state, event):
        state["n"] += event.data["n"]
        return state

    session = ReplaySession(stored(tmp_path, [{"type": "A", "data": {"n": n}} for n in (1, None, 2)]), sums)
    rows = parsed(model_of(session))["chunks"]["0"]["rows"]
    assert [row["state"] for row in rows] == [{"n": 1}, {"n": 1}, {"n": 3}]
    assert ["error" in row for row in rows] == [False, True, False]
    assert "TypeError" in rows[1]["error"]
    session.skip(session.branch.events.ids[0])
    rows = parsed(model_of(session))["chunks"]["0"]["rows"]
    assert [row["state"] for row in rows] == [None, None, {"n": 2}]
    assert [row["real"] for row in rows] == [{"n": 1}, {"n": 1}, {"n": 3}]


def test_a_model_cuts_a_payload_of_megabytes_and_says_how_long_it_was(tmp_path):
    events = [{"type": "A", "data": {"text": "é" * 2_600_000, "n": 1}}, {"type": "B", "data": {"n": 2}}]
    session = ReplaySession(stored(tmp_path, events), None)
    text = model_of(session)
    assert len(text) < 200_000
    rows = [row for chunk in parsed(text)["chunks"].values() for row in chunk["rows"]]
    assert rows[0]["cut"] > 5_000_000
    assert rows[1]["cut"] == 0
    assert json.loads(session.event(1)["data"])["text"] == "é" * 2_600_000
    assert len(session.state(2)["text"]) == 2_600_000


def test_hostile_text_is_data(tmp_path):
    nasty = "<img src=x onerror=alert(1)>\u2028\u202eabc🧨 ' \" \\ </script>"
    events = [{"type": nasty, "event_id": nasty + str(n), "data": {nasty: nasty}} for n in range(3)]
    session = ReplaySession(stored(tmp_path, [{**e, "stream_id": nasty} for e in events]), None, nasty)
    model = parsed(model_of(session))
    assert model["title"] == nasty
    assert model["types"] == [nasty]
    assert [row["id"] for row in model["chunks"]["0"]["rows"]] == [nasty + str(n) for n in range(3)]
    assert json.loads(model["chunks"]["0"]["rows"][0]["data"]) == {nasty: nasty}
    agree(Page(model), session)


def test_a_model_is_of_one_moment_whatever_other_threads_do(tmp_path, monkeypatch):
    session = ReplaySession(stored(tmp_path, [{"type": "A", "data": {"n": n}} for n in range(9)]), None)
    ids, read = session.branch.events.ids, threading.Event()

    def change():
        read.wait(10)
        session.edit(type="A", occurred_at=START, data={"n": -1})
        session.skip(*ids[:3])

    payloads = session.payloads

    def slow(rows):
        found = payloads(rows)
        read.set()
        time.sleep(0.3)  # time enough for the other thread to come in between
        return found

    monkeypatch.setattr(session, "payloads", slow)
    for write in (model_of, lambda replay: chunk_of(replay, 0)):
        read.clear()
        size = len(session)
        other = threading.Thread(target=change)
        other.start()
        found = parsed(write(session))
        other.join()
        rows = found["chunks"]["0"]["rows"] if "chunks" in found else found["rows"]
        assert len(rows) == size == len(session) - 1
        if "chunks" in found:
            assert found["events"] == size == len(found["timeline"]["steps"])
            assert [row["id"] for row in rows] == ids
            assert not any(row.get("inserted") for row in rows)


def test_a_model_cuts_metadata_of_megabytes_and_counts_it(tmp_path):
    events = [{"type": "A", "data": {"n": n}, "metadata": {"text": "é" * 2_600_000}} for n in range(2)]
    session = ReplaySession(stored(tmp_path, events), None)
    text = model_of(session)
    assert len(text) < 200_000
    model = parsed(text)
    assert not model["complete"]
    row = model["chunks"]["0"]["rows"][0]
    assert row["meta"].startswith('{"text":"éé')
    assert row["meta"].endswith("… (cut: 2,600,011 characters)")
    assert json.loads(session.event(1)["metadata"])["text"] == "é" * 2_600_000
