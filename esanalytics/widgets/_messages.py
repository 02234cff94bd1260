"""What the page of a replay asks, and what it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from esanalytics.analysis import chunk_of
from esanalytics.errors import EsAnalyticsError
from esanalytics.widgets._overview_text import entities_text, window_text

if TYPE_CHECKING:
    from esanalytics.widgets._replay import Replay

__all__ = ["answered"]

Content = Mapping[str, Any]
Reply = dict[str, Any] | None

_REPEATED = {"field", "type", "failure", "text", "id"}


def answered(view: Replay, content: Content) -> Reply:
    """Return the answer to a message; what goes wrong is told in a note, and the page goes on with what it has."""
    handler = _HANDLERS.get(str(content.get("kind")))
    if handler is None:
        return None
    try:
        return handler(view, content)
    except (EsAnalyticsError, ValueError, LookupError, OSError) as error:
        return {"kind": "note", "level": "error", "text": str(error), "request": content.get("request")}


def _hello(view: Replay, content: Content) -> Reply:  # noqa: ARG001  it opens the kernel's side thread early
    return None


def _chunk(view: Replay, content: Content) -> Reply:
    text = chunk_of(view.entity, int(content["number"]))
    return {"kind": "chunk", "generation": content.get("generation"), "number": content["number"], "text": text}


def _payload(view: Replay, content: Content) -> Reply:
    session = view.entity
    row = session.branch.step_of(str(content["id"])) - 1
    return {"kind": "payload", "request": content.get("request"), "text": session.payloads([row])[row][0]}


def _find(view: Replay, content: Content) -> Reply:
    what, value = content["what"], content.get("value")
    found = view.entity.find(what, value, start=int(content["from"]), back=content.get("direction", 1) < 0)
    note = (
        ""
        if found is not None
        else f"no {'earlier' if content.get('direction', 1) < 0 else 'later'} {_named(what, value)}"
    )
    return {"kind": "found", "request": content.get("request"), "step": found, "note": note}


def _named(what: str, value: object) -> str:
    named = {"field": f"change of {value}", "type": f"{value}", "failure": "failure", "text": f"match of {value!r}"}
    return named.get(what, f"event {value}")


def _window(view: Replay, content: Content) -> Reply:
    text = window_text(view.overview, (int(content["start"]), int(content["end"])), view.chosen)
    return {"kind": "window", "request": content.get("request"), "text": text}


def _entities(view: Replay, content: Content) -> Reply:
    found = entities_text(view.overview, str(content.get("text", "")))
    return {"kind": "entities", "request": content.get("request"), "found": found}


def _open(view: Replay, content: Content) -> Reply:
    view.show_stream(str(content["service"]), str(content["stream"]))
    return None


def _back(view: Replay, content: Content) -> Reply:  # noqa: ARG001
    view.back()
    return None


def _edit(view: Replay, content: Content) -> Reply:
    view.entity.edit(str(content["id"]), data=_json(content["data"]))
    return None


def _insert(view: Replay, content: Content) -> Reply:
    given = {"service": content.get("service"), "stream_id": content.get("stream")}
    columns = {name: str(value) for name, value in given.items() if value}
    data = _json(content.get("data") or "{}")
    view.entity.edit(type=str(content["type"]), occurred_at=str(content["at"]), data=data, **columns)
    return None


def _json(text: object) -> str:
    """Take JSON text as it is, with all its digits.

    Raises:
        ValueError: it is none.
    """
    try:
        json.loads(str(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"the payload is no JSON: {error}; mend it and try again") from error
    return str(text)


def _undo(view: Replay, content: Content) -> Reply:
    view.entity.restore(*([str(content["id"])] if content.get("id") else []))
    return None


def _code(view: Replay, content: Content) -> Reply:
    return {"kind": "code", "request": content.get("request"), "python": view.python, "sql": view.sql}


def _refresh(view: Replay, content: Content) -> Reply:  # noqa: ARG001
    return {"kind": "note", "level": "info", "text": view.refresh()}


def _export(view: Replay, content: Content) -> Reply:
    path = view.export(str(content["what"]))
    return {"kind": "exported", "request": content.get("request"), "path": str(path)}


_HANDLERS: Mapping[str, Callable[[Replay, Content], Reply]] = {
    "hello": _hello,
    "chunk": _chunk,
    "payload": _payload,
    "find": _find,
    "window": _window,
    "entities": _entities,
    "open": _open,
    "back": _back,
    "edit": _edit,
    "insert": _insert,
    "undo": _undo,
    "code": _code,
    "refresh": _refresh,
    "export": _export,
}
