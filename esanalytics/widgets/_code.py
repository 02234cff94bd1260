"""The code that reproduces a view: Python to be pasted into a notebook, SQL to be pasted into DuckDB."""

from __future__ import annotations

import datetime as dt
import itertools
import keyword
import re
from collections.abc import Mapping
from typing import Any

from esanalytics._instants import iso
from esanalytics.analysis import ReplaySession
from esanalytics.projections import Reducer
from esanalytics.store import Log, code_of, folder_of
from esanalytics.timetravel import state_at

__all__ = ["python_of", "replay_python", "replay_sql", "step_log"]

_FEW = 20  # ids that a line of code may hold
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def python_of(verb: str, log: Log, projection: str | None, spec: Mapping[str, Any]) -> str:
    """Write the call that makes a view again."""
    given = [f"{name}={_key(value) if name == 'key' else repr(value)}" for name, value in spec.items()]
    arguments = ", ".join(["log", *([projection] if projection else []), *given])
    hint = f"  # {projection} is the projection" if projection else ""
    opened = f"log = ea.Store.open({str(folder_of(log))!r}).log{code_of(log)}"
    return f"import esanalytics as ea\n\n{opened}\nview = ea.{verb}({arguments}){hint}"


def replay_python(session: ReplaySession, log: Log, spec: Mapping[str, Any]) -> str:
    """Write the Python that makes a replay again, and asks for the state that it shows."""
    entity = session.entity
    projection = _identifier(entity.definition.name) if entity.given else None
    text = python_of("replay", log, projection, spec)
    at = session.at
    if at is None:
        return text
    later = _later(session)
    if len(later) > _FEW or session.folds_in_python:
        return f"{text}\nview.state()  # the row at this step"
    seen = f"view.log.without({later!r})" if later else "view.log"
    named = projection or "ea.merged(log)"
    return f"{text}\nea.state_at({seen}, {named}, {iso(at)!r}, key={_key(spec['key'])}).df()  # the same state by SQL"


def replay_sql(session: ReplaySession) -> str:
    """Write the SQL that gives the state that a replay shows; for a Python function, the events that it has seen."""
    log = step_log(session)
    entity = session.entity
    if isinstance(entity.definition, Reducer):
        return log.where(service=entity.key[0], stream=entity.key[1]).events().sql
    return state_at(log, entity.definition, key=entity.key).sql


def step_log(session: ReplaySession) -> Log:
    """Return the log as a replay sees it, up to the step at which it stands."""
    at = session.at
    if at is None:
        return session.log.at(_EPOCH.replace(year=1))
    later, seen = _later(session), session.log.at(at)
    return seen.without(later) if later else seen


def _later(session: ReplaySession) -> list[str]:
    """List the ids of the events after the step that have the instant of its event, and are not switched off."""
    branch, step = session.branch, session.step
    us = branch.instant(step - 1)
    rows = range(step, len(branch))
    same = itertools.takewhile(lambda row: branch.instant(row) == us, rows)
    return [event_id for row in same if (event_id := branch.events.ids[row]) not in session.skipped]


def _identifier(name: str) -> str:
    """Make a name that Python takes for a variable, and that is not the log's."""
    found = re.sub(r"\W", "_", name)
    usable = found.isidentifier() and not keyword.iskeyword(found) and found not in {"log", "view", "ea"}
    return found if usable else f"projection_{found}"


def _key(key: Any) -> str:  # noqa: ANN401  a key
    parts = tuple(key) if isinstance(key, list | tuple) else (key,)
    return repr(parts[0] if len(parts) == 1 else parts)
