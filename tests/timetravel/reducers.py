"""Reducers for the tests, in a module that other processes can import quickly."""

import sys
from decimal import Decimal

from esanalytics.projections import delete, reducer

INITIAL = {"status": None, "total": 0, "money": Decimal(0), "tags": [], "seen_at": None, "events": 0, "last": None}


@reducer("same", initial=INITIAL, processes=2)
def in_two(state, event):
    """The projection as a function, changing its state in place."""
    data = event.data
    if event.type == "Delete":
        return delete
    if event.type == "Set":
        state |= {"status": data.get("status"), "total": data.get("n"), "seen_at": event.occurred_at}
    if event.type == "Add":
        state["total"] = (state["total"] or 0) + data["n"] if data.get("n") is not None else state["total"]
        state["money"] += data.get("price") or 0
        state["tags"] += [data["status"]] if data.get("status") is not None else []
    state["events"] += 1
    state["last"] = event["position"]
    return state


def failing(state, event):
    if event.data.get("bad"):
        raise KeyError(event.data["bad"])
    return {"n": state["n"] + 1, "l": [event.data]}


@reducer("breaking", initial={"n": 0}, processes=2)
def breaking(state, event):
    if event.data.get("exit"):
        sys.exit(3)
    return failing(state, event)


@reducer("breaking", initial={"n": 0}, processes=2, on_error="set_aside")
def setting_aside(state, event):
    return failing(state, event)
