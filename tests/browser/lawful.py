"""States as the page and as Python have them, in one form: a number, or text that reads like one, is its value."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from esanalytics import ReplaySession
from esanalytics.analysis._exact import exact_json

PAGE = """(sets) => {
  const root = document.querySelector(".es-replay");
  const replay = root.parentElement.esReplay;
  const press = (key) => root.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
  const toggle = (id) => {
    replay.goto(replay.order().indexOf(id) + 1);
    press("x");
  };
  let off = [];
  return sets.map((set) => {
    [...off, ...set].filter((id) => off.includes(id) !== set.includes(id)).forEach(toggle);
    off = set;
    const order = replay.order();
    const steps = Array.from({length: order.length + 1}, (_, step) => step);
    return {order, states: steps.map((step) => replay.state(step)), real: steps.map((step) => replay.real(step))};
  });
}"""
"""Switches sets of events off, one set after the other, with the key for it, and lists all states with each."""

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def said_by_python(session: ReplaySession, skipped: Sequence[str]) -> dict[str, Any]:
    """List the states at every step with some events switched off, and as they really were."""
    session.restore(*session.skipped)
    session.skip(*skipped)
    steps = range(len(session) + 1)
    states, real = [session.state(step) for step in steps], [session.state(step, real=True) for step in steps]
    return {"order": ids_of(session), "states": exact(states), "real": exact(real)}


def ids_of(session: ReplaySession) -> list[str]:
    """List the ids of the events, in the order of the fold."""
    return [session.branch.envelope(row)["event_id"] for row in range(len(session))]


def exact(states: list[Any]) -> list[Any]:
    return plain(json.loads(exact_json(states), parse_float=Decimal, parse_int=Decimal))


def plain(value: Any) -> Any:
    """Turn numbers, and text that reads like one, into their value: the page writes exact numbers as text."""
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, bool) or value is None:
        return value
    return Decimal(str(value)) if _NUMBER.fullmatch(str(value)) else value
