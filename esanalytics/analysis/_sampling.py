"""Some of a log's events in memory, as numbers: whole entities where these fit, else events spread evenly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from esanalytics.analysis._chosen import Chosen
from esanalytics.analysis._cube import Window
from esanalytics.store import Log

__all__ = ["Rows", "fetched", "resident"]

Ints = npt.NDArray[np.int64]

_RESIDENT = 160_000
_SKEWED = 400_000
_ROWS = """
SELECT service, stream_id, type, position, epoch_us(effective_at) AS us, hash(service, stream_id) AS rank
FROM events {which} LIMIT $most
"""
_ENTITIES, _EVENTS = (f"WHERE hash({what}) % $share::UBIGINT = 0" for what in ("service, stream_id", "position"))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Events as columns of numbers.

    Attributes:
        entities: service and stream_id; in an order that has nothing to do with what happened to them.
        types, services: names.
        entity, type, service: numbers of these, by event.
        at: ``effective_at`` in microseconds.
        position: the events' position.
        share: one of how many entities (or events) this is.
        whole: all events of each entity are here.
    """

    entities: Sequence[tuple[str, str]]
    types: tuple[str, ...]
    services: tuple[str, ...]
    entity: Ints
    type: Ints
    service: Ints
    at: Ints
    position: Ints
    share: int
    whole: bool

    def shown(self, window: Window | None, chosen: Chosen) -> Ints:
        """Return the numbers of the events in a window that a filter by names lets through."""
        keep = np.ones(len(self.at), dtype=bool)
        if window is not None:
            keep &= (self.at >= window[0]) & (self.at < window[1])
        if chosen.services is not None:
            keep &= _among(self.services, chosen.services)[self.service]
        if chosen.types is not None:
            keep &= _among(self.types, chosen.types)[self.type]
        return np.flatnonzero(keep)


def resident(log: Log, events: int) -> Rows:
    """Read all events of a log where they are few, else those of one entity in some power of two.

    Where one entity has so many events that this is no sample, one event in a power of two.
    """
    share = _share(events, _RESIDENT)
    rows = fetched(log, share, whole=True, most=_SKEWED)
    if rows is not None and (len(rows.at) or share == 1):
        return rows
    return fetched(log, share, whole=False, most=_SKEWED) or _numbered(_nothing(), 1, whole=True)


def fetched(log: Log, share: int, *, whole: bool, most: int) -> Rows | None:
    """Read one of so many entities of a log, or of its events; None where that is more than ``most`` events."""
    which = "" if share == 1 else _ENTITIES if whole else _EVENTS
    given = {"most": most + 1} if share == 1 else {"most": most + 1, "share": share}
    rows = log.sql(_ROWS.format(which=which), given).arrow()
    return None if len(rows) > most else _numbered(rows, share, whole=whole)


def _share(events: int, most: int) -> int:
    return 1 << max(0, math.ceil(math.log2(max(1, events) / most)))


def _numbered(rows: pa.Table, share: int, *, whole: bool) -> Rows:
    by_entity = rows.sort_by([("rank", "ascending"), ("us", "ascending"), ("position", "ascending")])
    columns = {name: by_entity[name].combine_chunks().dictionary_encode() for name in ("service", "type", "stream_id")}
    service, type_, stream = (_codes(columns[name]) for name in ("service", "type", "stream_id"))
    both = stream * max(1, len(columns["service"].dictionary)) + service
    _, first, code = np.unique(both, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    names = {name: column.dictionary.to_pylist() for name, column in columns.items()}
    entities = [(names["service"][service[n]], names["stream_id"][stream[n]]) for n in first[order]]
    return Rows(
        entities,
        tuple(names["type"]),
        tuple(names["service"]),
        rank[code].astype(np.int64),
        type_,
        service,
        by_entity["us"].to_numpy(),
        by_entity["position"].to_numpy(),
        share,
        whole or share == 1,
    )


def _codes(column: pa.DictionaryArray) -> Ints:
    return np.asarray(pc.cast(column.indices, pa.int64()))


def _nothing() -> pa.Table:
    types = {"service": "string", "stream_id": "string", "type": "string", "position": "int64", "us": "int64"}
    return pa.table({**{name: pa.array([], type_) for name, type_ in types.items()}, "rank": pa.array([], "uint64")})


def _among(names: Sequence[str], wanted: Sequence[str]) -> npt.NDArray[np.bool_]:
    found = set(wanted)
    return np.array([name in found for name in names], dtype=bool)
