"""What the page of a replay asks, and what it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from esanalytics.analysis import chunk_of, key_of_stream
from esanalytics.errors import EsAnalyticsError
from esanalytics.store import as_log
from esanalytics.widgets._leaving import export
from esanalytics.widgets._overview_text import entities_text, window_text
from esanalytics.widgets._scene import Scene

if TYPE_CHECKING:
    from esanalytics.widgets._replay import Replay

__all__ = ["answered"]

Content = Mapping[str, Any]
Reply = dict[str, Any] | None


def answered(view: Replay, scene: Scene, content: Content) -> Reply:
    """Return the answer to a message; what goes wrong is told in a note, and the page goes on with what it has."""
    handler = _HANDLERS.get(str(content.get("kind")))
    if handler is None:
        return None
    request = {"request": content.get("request")}
    try:
        answer = handler(view, scene, content)
    except Exception as error:  # noqa: BLE001  a page waits for an answer, whatever went wrong
        text = str(error) or type(error).__name__
        known = isinstance(error, EsAnalyticsError | ValueError | LookupError | OSError)
        return {
            "kind": "note",
            "level": "error",
            "text": text if known else f"{type(error).__name__}: {text}",
            **request,
        }
    return None if answer is None else {**request, **answer}


def _hello(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001  opens the kernel's side thread early
    return None


def _chunk(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    number = int(content["number"])
    return {"kind": "chunk", "number": number, "text": chunk_of(scene.entity, number)}


def _payload(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    session = scene.entity
    row = session.branch.step_of(str(content["id"])) - 1
    return {"kind": "payload", "text": session.payloads([row])[row][0]}


def _find(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    what, value, back = content["what"], content.get("value"), content.get("direction", 1) < 0
    found = scene.entity.find(what, value, start=int(content["from"]), back=back)
    note = "" if found is not None else f"no {'earlier' if back else 'later'} {_named(what, value)}"
    return {"kind": "found", "step": found, "note": note}


def _named(what: str, value: object) -> str:
    named = {"field": f"change of {value}", "type": f"{value}", "failure": "failure", "text": f"match of {value!r}"}
    return named.get(what, f"event {value}")


def _window(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    window = (int(content["start"]), int(content["end"]))
    return {"kind": "window", "text": window_text(scene.overview, window, scene.chosen)}


def _entities(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    found = entities_text(scene.overview, str(content.get("text", "")), scene.chosen)
    return {"kind": "entities", "found": found}


def _open(view: Replay, scene: Scene, content: Content) -> Reply:
    key = key_of_stream(as_log(scene.given), scene.projection, str(content["service"]), str(content["stream"]))
    view.show(key)
    return None


def _back(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    view.back()
    return None


def _edit(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    scene.entity.edit(str(content["id"]), data=_json(content["data"]))
    return _note("")


def _insert(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    given = {"service": content.get("service"), "stream_id": content.get("stream")}
    columns = {name: str(value) for name, value in given.items() if value}
    data = _json(content.get("data") or "{}")
    scene.entity.edit(type=str(content["type"]), occurred_at=str(content["at"]), data=data, **columns)
    return _note("")


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


def _undo(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    """Take back how events were changed: the last one, this one, or all."""
    session, what = scene.entity, str(content.get("what", "last"))
    edits = [edit["event_id"] for edit in session.spec().get("edits", [])]
    one = str(content.get("id"))
    gone = {"last": edits[-1:], "one": [one] if one in edits else [], "all": edits}[what]
    if not gone:
        return _note("nothing is changed or added: there is nothing to take back")
    off = session.skipped
    session.restore(*gone)
    if off.intersection(gone):  # it was switched off too, and stays so
        session.switch_off(off)
    return _note("")


def _code(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    return {"kind": "code", "python": view.python, "sql": scene.sql}


def _refresh(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    return _note(view.refresh())


def _export(view: Replay, scene: Scene, content: Content) -> Reply:  # noqa: ARG001
    return {"kind": "exported", "path": str(export(view, str(content["what"])))}


def _note(text: str) -> Reply:
    return {"kind": "note", "level": "info", "text": text}


_HANDLERS: Mapping[str, Callable[[Replay, Scene, Content], Reply]] = {
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
