"""The entity that is replayed: what folds it, under which key, and which events are its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.analysis._folding import ActsStepper, ReducerStepper, Stepper
from esanalytics.analysis._tape import Events, Tape, belonging, events_of, matching, reducer_tape, tape_of
from esanalytics.errors import UnknownKeyError, UnsupportedError
from esanalytics.projections import Projection, Reducer, columns_of, key_columns, merged_projection
from esanalytics.reducing import events_in_order
from esanalytics.store import Log, names_of, result
from esanalytics.timetravel import SqlProjection, Views, checked, compiled

__all__ = ["Entity", "entity_of", "key_of_stream", "taking_part"]

_STREAM = ("service", "stream_id")
_NEAREST = 3
_FEW_FIELDS = 40


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity.

    Attributes:
        definition: what folds it.
        key: a value for each key column.
        given: whether the definition was given, or is the merged one.
    """

    definition: Projection | Reducer
    key: tuple[Any, ...]
    given: bool

    @property
    def title(self) -> str:
        """What the entity is called."""
        return str(self.key[-1]) if self.columns == _STREAM else ", ".join(map(str, self.key))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the key's columns."""
        if isinstance(self.definition, Reducer):
            return _STREAM
        return tuple(key_columns(self.definition))

    def events(self, log: Log) -> Events:
        """Read the envelopes of the events of the entity on a view of a log."""
        if isinstance(self.definition, Reducer):
            return events_of(self._stream(log))
        found = compiled(log, self.definition, self.key)
        return events_of(found.narrowed(), belonging(found))

    def tape(self, log: Log) -> Tape:
        """Read the events of the entity on a view of a log, and what each does."""
        if isinstance(self.definition, Reducer):
            return reducer_tape(self._stream(log))
        return tape_of(log, self.definition, self.key)

    def stepper(self, log: Log, tape: Tape) -> Stepper:
        """Return what folds a tape."""
        if isinstance(self.definition, Reducer):
            return ReducerStepper(self.definition, list(events_in_order(self._stream(log))))
        return ActsStepper(tape.columns, tape.acts)

    def matching(self, log: Log, text: str) -> set[str]:
        """Return the ids of the events that have a text in their id, type, stream or payload, whatever the case."""
        if isinstance(self.definition, Reducer):
            return matching(self._stream(log), text)
        found = compiled(log, self.definition, self.key)
        return matching(found.narrowed(), text, found.pinned())

    def on(self, log: Log) -> Entity:
        """Return the entity as another view of the log has it: where no definition was given, with the fields there."""
        if self.given or isinstance(self.definition, Reducer):
            return self
        found = _merged(self._stream(log))
        return self if columns_of(found) == columns_of(self.definition) else replace(self, definition=found)

    def own(self, log: Log) -> Log:
        """Narrow a log to the events of the entity."""
        if isinstance(self.definition, Reducer):
            return self._stream(log)
        found = compiled(log, self.definition, self.key)
        narrowed = found.narrowed()
        for condition in belonging(found):
            narrowed = narrowed.where(sql.text(condition))
        return narrowed

    def _stream(self, log: Log) -> Log:
        return log.where(service=self.key[0], stream=self.key[1])


def entity_of(log: Log, projection: object, key: Any) -> Entity:  # noqa: ANN401  a value of the key's type
    """Find out what is replayed.

    Args:
        log: the view.
        projection: an `ea.Projection` or a reducer; None: every payload field, last value wins.
        key: of the entity, a tuple where it has several columns; None: the only one there is. Where the key is
            ``(service, stream_id)``, the stream is enough if only one service has it.

    Raises:
        UnknownKeyError: no event has the key.
        UnsupportedError: the projection is SQL, which says nothing of single events.
        TypeError: the projection is none.
        ValueError: the key has not as many parts as it has columns, or a part is no value.
    """
    definition = None if projection is None else checked(projection)
    if isinstance(definition, SqlProjection):
        what = f"a replay of {definition.name!r}: SQL says nothing of single events"
        raise UnsupportedError(what, "replay an ea.Projection, a reducer, or nothing but the payloads")
    if definition is None or isinstance(definition, Reducer):
        stream = _stream_of(log, definition, key)
        found = _merged(log.where(service=stream[0], stream=stream[1])) if definition is None else definition
        return Entity(found, stream, definition is not None)
    return Entity(definition, _key_of(log, definition, key), given=True)


def taking_part(log: Log, projection: object) -> Log:
    """Narrow a log to the services and types that a projection says something of; and a little more."""
    if not isinstance(projection, Projection):
        return log
    cases = [case for case in compiled(log, projection).plan.cases if case.rule is not None]
    names = [{getattr(case, part) for case in cases} for part in ("service", "type")]
    services, types = (None if None in found else sorted(found) for found in names)
    return log.where(service=services, type=types)


def key_of_stream(log: Log, projection: object, service: str, stream: str) -> Any:  # noqa: ANN401  a key
    """Return the key of the entity that the first events of a stream are about.

    Raises:
        UnknownKeyError: they are about none.
    """
    if not isinstance(projection, Projection):
        return (service, stream)
    views = Views()
    narrowed = log.where(service=service, stream=stream)
    keys = compiled(log, projection).keys_of(narrowed, views)
    found = result(log, lambda: views.plan(keys.limit(1))).head(1)
    if not found:
        raise UnknownKeyError(projection.name, stream, ())
    return tuple(found[0].values())


def _parts(key: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """Take a key apart; none where none was given."""
    parts = () if key is None else tuple(key) if isinstance(key, tuple | list) else (key,)
    odd = [part for part in parts if isinstance(part, Mapping | AbstractSet | list | tuple | bytes)]
    if odd:
        raise ValueError(f"key={key!r}: {odd[0]!r} is no value of a column; give a text, a number or a date")
    return parts


def _key_of(log: Log, projection: Projection, key: Any) -> tuple[Any, ...]:  # noqa: ANN401
    given = _parts(key)
    names = tuple(key_columns(projection))
    if len(given) == 1 and names == _STREAM:
        return _stream_of(log, projection, key)
    if given and len(given) != len(names):
        which = names[0] if len(names) == 1 else f"({', '.join(names)})"
        raise ValueError(f"key={key!r} has {len(given)} parts; the key of {projection.name!r} is {which}")
    found = compiled(log, projection, given or None)
    views = Views()
    relation, _ = views.add(found.narrowed())
    one = exp.select(sql.literal(1), copy=False).from_(sql.named_source(relation, "events"), copy=False)
    some = one.where(*found.pinned(), copy=False).limit(1, copy=False)
    if given and result(log, lambda: views.plan(some)).head(1):
        return given
    keys = _nearest(log, compiled(log, projection), given)
    if not given and len(keys) == 1:
        return keys[0]
    raise UnknownKeyError(projection.name, given or None, _listed(keys))


def _nearest(log: Log, found: Any, given: tuple[Any, ...]) -> list[tuple[Any, ...]]:  # noqa: ANN401
    """Find the keys that are most like the one given; some, where none was."""
    views = Views()
    keys = found.keys_of(log, views)
    names = [f"$k{n}" for n in range(len(found.plan.keys))]
    text = sql.function("concat_ws", exp.Literal.string(" "), *(sql.column(name) for name in names))
    likeness = sql.function("jaro_winkler_similarity", text, exp.Literal.string(" ".join(map(str, given))))
    query = exp.select(*(sql.column(name) for name in names), copy=False).from_(keys.subquery("keys", copy=False))
    query = query.order_by(exp.Ordered(this=likeness, desc=True), text.copy()).limit(_NEAREST)
    return [tuple(row.values()) for row in result(log, lambda: views.plan(query)).head(_NEAREST)]


def _stream_of(log: Log, definition: Any, key: Any) -> tuple[str, str]:  # noqa: ANN401
    name = "merged" if definition is None else definition.name
    wanted = tuple(map(str, _parts(key))) or (None,)
    if len(wanted) > len(_STREAM):
        raise ValueError(f"key={key!r} has {len(wanted)} parts; give (service, stream_id), or the stream alone")
    *service, stream = wanted
    narrowed = log.where(service=service or None, stream=stream)
    found = [(r["service"], r["stream_id"]) for r in narrowed.sql(_STREAMS).head(_NEAREST)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownKeyError(name, None if stream is None else stream, _listed(found), len(found))
    raise UnknownKeyError(name, key, _listed(_nearest_streams(log, wanted)))


def _nearest_streams(log: Log, given: Sequence[Any]) -> list[tuple[Any, ...]]:
    near = log.sql(_LIKELY, [" ".join(map(str, given))] * 2).head(_NEAREST)
    return [(row["service"], row["stream_id"]) for row in near]


_STREAMS = "SELECT DISTINCT service, stream_id FROM events ORDER BY ALL LIMIT 3"
_LIKELY = """
SELECT service, stream_id FROM (SELECT DISTINCT service, stream_id FROM events)
ORDER BY greatest(
    jaro_winkler_similarity(stream_id, ?), jaro_winkler_similarity(concat_ws(' ', service, stream_id), ?)
) DESC, service, stream_id LIMIT 3"""


def _listed(keys: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
    return tuple(repr(key[0] if len(key) == 1 else key) for key in keys)


def _merged(log: Log) -> Projection:
    """Return the merged projection of one stream: where the log has many fields, of its own only."""
    names = names_of(log)
    if len(names) > _FEW_FIELDS:
        held = {row["name"] for row in log.sql("SELECT DISTINCT unnest(json_keys(data::JSON)) AS name FROM events")}
        names = [name for name in names if name in held]
    return merged_projection(names)
