"""The model of a replay: all that the page needs, as JSON text whose numbers keep every digit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from esanalytics._instants import iso
from esanalytics.analysis._acts import Acts
from esanalytics.analysis._branch import Branch
from esanalytics.analysis._changes import same
from esanalytics.analysis._exact import exact_json
from esanalytics.analysis._finding import is_failure
from esanalytics.analysis._places import moment
from esanalytics.analysis._session import ReplaySession
from esanalytics.projections import Projection, Reducer

__all__ = ["CHUNK", "COMPLETE", "DOTS", "chunk_of", "model_of"]

CHUNK = 256
"""Events in a chunk."""

COMPLETE = 2_000
"""Up to so many events go into a model at once."""

DOTS = 20_000
"""Up to so many events are drawn one by one."""

_SIZE = 4 * 2**20
_CUT = 20_000
_SHOWN = 2_000
_BINS = 1_000
_KNOTS = 4_096
Payloads = Mapping[int, tuple[str, str | None]]


def model_of(session: ReplaySession, *, most: int | None = None) -> str:
    """Write the model of a replay.

    Args:
        session: the replay.
        most: the model is complete, and ends after so many events; None: a long one has the chunks around the step,
            and the others are asked for.
    """
    with session.held():
        return exact_json(_model(session, most))


def _model(session: ReplaySession, most: int | None) -> dict[str, Any]:
    branch = session.branch
    events = len(branch) if most is None else min(most, len(branch))
    payloads = session.payloads(range(events)) if most is not None or events <= COMPLETE else {}
    complete = most is not None or (events <= COMPLETE and _size(payloads) <= _SIZE)
    near = max(0, session.step - 1) // CHUNK
    last = max(0, events - 1) // CHUNK
    wanted = range(last + 1) if complete else range(near, min(last, near + 1) + 1)
    write = _Rows(session, payloads)
    entity = session.entity
    types = list(dict.fromkeys(branch.types))
    return {
        "v": 1,
        "kind": "entity",
        "title": entity.title,
        "projection": entity.definition.name if entity.given else None,
        "key": list(entity.key),
        "events": events,
        "complete": complete,
        "chunk": CHUNK,
        "services": list(dict.fromkeys(branch.services)),
        "types": types,
        "streams": [list(stream) for stream in dict.fromkeys(branch.streams)],
        "failures": [number for number, type_ in enumerate(types) if is_failure(type_)],
        "fold": _fold(session),
        "timeline": _timeline(branch, events),
        "note": "" if events == len(branch) else f"the first {events:,} of {len(branch):,} events",
        "chunks": {str(number): _chunk(write, number, events, complete=complete) for number in wanted},
    }


def chunk_of(session: ReplaySession, number: int) -> str:
    """Write one chunk of a replay, with the states before it.

    Raises:
        ValueError: there is no such chunk.
    """
    with session.held():
        last = max(0, len(session) - 1) // CHUNK
        if not 0 <= number <= last:
            raise ValueError(f"no chunk {number}; there are 0 to {last}")
        return exact_json(_chunk(_Rows(session, {}), number, len(session), complete=False))


def _fold(session: ReplaySession) -> dict[str, Any]:
    if isinstance(session.entity.definition, Reducer):
        return {"kind": "states", "columns": []}
    columns = [{"name": each.name, "type": each.type, "family": each.family} for each in session.branch.columns]
    return {"kind": "moves", "columns": columns}


def _timeline(branch: Branch, events: int) -> dict[str, Any]:
    instants = branch.instants[:events]
    start, end = (int(instants.min()), int(instants.max())) if events else (0, 0)
    found: dict[str, Any] = {"start": start, "end": end, **dict.fromkeys(_LISTS), "knots": None, "density": None}
    if events > DOTS:
        every = -(-events // _KNOTS)
        knots = [*instants[::every].tolist(), end]
        return found | {"knots": {"every": every, "at": knots}, "density": _density(instants, branch.types[:events])}
    columns = {"type": branch.types, "service": branch.services, "stream": branch.streams}
    numbered = {name: _numbers(values[:events]) for name, values in columns.items()}
    recorded = branch.events.instants("recorded_at")[:events].tolist()
    return found | {"steps": instants.tolist(), "recorded": recorded, **numbered}


_LISTS = ("steps", "type", "service", "stream", "recorded")


def _density(instants: npt.NDArray[np.int64], names: Sequence[str]) -> dict[str, Any]:
    """Count the events of each type in bins of time."""
    types, after = np.asarray(_numbers(names)), instants - instants.min()
    bins = np.minimum(after / (after.max() + 1) * _BINS, _BINS - 1).astype(np.int64)
    counts = np.zeros((int(types.max(initial=0)) + 1, _BINS), np.int64)
    np.add.at(counts, (types, bins), 1)
    return {"bins": _BINS, "types": counts.tolist()}


def _numbers(values: Sequence[Any]) -> list[int]:
    """Number values by their first appearance."""
    known: dict[Any, int] = {}
    return [known.setdefault(value, len(known)) for value in values]


def _size(payloads: Payloads) -> int:
    return sum(len(data) + len(metadata or "") for data, metadata in payloads.values())


def _chunk(write: _Rows, number: int, events: int, *, complete: bool) -> dict[str, Any]:
    first = number * CHUNK
    rows = range(first, min(first + CHUNK, events))
    session = write.session
    states = {} if complete else {"before": _row(session, first), "real": _row(session, first, real=True)}
    return {"number": number, "from": first, **states, "rows": write.rows(rows)}


def _row(session: ReplaySession, step: int, *, real: bool = False) -> dict[str, Any] | None:
    found = session.branch.state(step, real=real)
    return None if found is None else {name: bounded(value) for name, value in found.items()}


class _Rows:
    """Writes events as the page reads them.

    Args:
        session: the replay.
        payloads: those that are known, by row.
    """

    def __init__(self, session: ReplaySession, payloads: Payloads) -> None:
        branch = session.branch
        self.session = session
        self._payloads = payloads
        self._branch = branch
        self._numbers = [
            {name: number for number, name in enumerate(dict.fromkeys(names))}
            for names in (branch.services, branch.types, branch.streams)
        ]
        self._floors = branch.floors(session.whole_log) if branch.events.skewed else {}

    def rows(self, rows: Iterable[int]) -> list[dict[str, Any]]:
        """Return some events."""
        missing = [row for row in rows if row not in self._payloads]
        payloads = {**self._payloads, **self.session.payloads(missing)} if missing else self._payloads
        return [self._written(row, *payloads[row]) for row in rows]

    def _written(self, row: int, data: str, metadata: str | None) -> dict[str, Any]:
        event = self._branch.envelope(row)
        services, types, streams = self._numbers
        at = int(event["effective_at"])
        cut = len(data.encode()) if len(data) > _CUT else 0
        found = {
            "n": row,
            "id": event["event_id"],
            "s": services[event["service"]],
            "t": types[event["type"]],
            "k": streams[event["service"], event["stream_id"]],
            "at": iso(moment(at)),
            "us": at,
            "oc": event["occurred_at"],
            "rec": event["recorded_at"],
            "ver": event["version"],
            "pos": event["position"],
            "cor": event["correlation_id"],
            "cau": event["causation_id"],
            "floor": self._floors.get(event["event_id"]),
            "data": data[:_SHOWN] if cut else data,
            "cut": cut,
            "meta": bounded(metadata),
        }
        return found | self._folded(row, event["event_id"])

    def _folded(self, row: int, event_id: str) -> dict[str, Any]:
        if isinstance(self.session.entity.definition, Projection):
            return self._acts(event_id)
        found: dict[str, Any] = {"acts": None, "state": _row(self.session, row + 1)}
        if self._branch.real is not self._branch.own:
            found["real"] = _row(self.session, row + 1, real=True)
        error = self._branch.error(row)
        return found if error is None else found | {"error": f"{type(error).__name__}: {error}"}

    def _acts(self, event_id: str) -> dict[str, Any]:
        branch = self._branch
        own = branch.own.tape
        if own is branch.real.tape:
            return {"acts": _plain(own.acts[own.events.row_of[event_id]])}
        after = own.acts[own.events.row_of[event_id]] if event_id in own.events.row_of else None
        before = branch.real.tape.events.row_of.get(event_id)
        if before is None:
            return {"acts": _plain(after), "inserted": True}
        acts, edited = _plain(branch.real.tape.acts[before]), _plain(after)
        return {"acts": acts} | ({} if same(acts, edited) else {"edited": edited})


def _plain(acts: Acts) -> Any:  # noqa: ANN401  JSON
    return acts if acts is None or isinstance(acts, str) else [[n, kind, bounded(value)] for n, kind, value in acts]


def bounded(value: Any) -> Any:  # noqa: ANN401  any value of a state
    """Return a value, or the beginning of its text where it is very long."""
    if not isinstance(value, str | list | dict):
        return value
    text = value if isinstance(value, str) else exact_json(value)
    return value if len(text) <= _CUT else f"{text[:_SHOWN]}… (cut: {len(text):,} characters)"
