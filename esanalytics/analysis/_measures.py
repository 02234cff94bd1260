"""How many events there were, when, of what: counts over time and over the clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from esanalytics.analysis._asking import Ints, columns, duration, ints, positive
from esanalytics.store import Log

__all__ = ["Binned", "By", "Clock", "Cycle", "Ranking", "bin_width", "binned", "cycle", "expression", "ranking"]

By = Literal["type", "service", "stream"]
Clock = Literal["hour", "day"]

_EXPRESSIONS = {"type": "type", "service": "service", "stream": "service || chr(31) || stream_id"}
_US, _MS, _S, _MIN, _H, _D = 1, 10**3, 10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6
_WIDTHS = (
    *(_US * n for n in (1, 10, 100)),
    *(_MS * n for n in (1, 10, 100)),
    *(_S * n for n in (1, 5, 15, 30)),
    *(_MIN * n for n in (1, 5, 15, 30)),
    *(_H * n for n in (1, 3, 6, 12)),
    *(_D * n for n in (1, 7, 28, 91, 364, 3640)),
)
_MONDAY = -3 * _D  # 1969-12-29, so that bins of whole weeks begin on Mondays
_USUAL_BINS, _MOST_BINS = 120, 5_000


@dataclass(frozen=True, slots=True)
class Ranking:
    """The names that most events have.

    Attributes:
        names: the biggest first; among equals by name.
        counts: how many events each has.
        first, last: the first and the last ``effective_at`` of all events, in microseconds.
        of: how many names there are in all.
        total: how many events there are in all.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    first: int
    last: int
    of: int
    total: int

    @property
    def others(self) -> int:
        """How many names are left out."""
        return self.of - len(self.names)

    @property
    def rest(self) -> int:
        """How many events the names that are left out have."""
        return self.total - sum(self.counts)


@dataclass(frozen=True, slots=True)
class Binned:
    """Counts over time.

    Attributes:
        start: where the first bin begins, in microseconds.
        width: of a bin, in microseconds.
        counts: names x bins; where names are left out, one more row holds what they have together.
        ranking: the names.
    """

    start: int
    width: int
    counts: Ints
    ranking: Ranking


@dataclass(frozen=True, slots=True)
class Cycle:
    """Counts by the hours of the day, or the days of the week from Monday, in UTC.

    Attributes:
        counts: names x 24 or 7; where names are left out, one more row holds what they have together.
        ranking: the names.
    """

    counts: Ints
    ranking: Ranking


def expression(by: By) -> str:
    """Write the SQL of what events are counted by."""
    return _EXPRESSIONS[by]


def ranking(log: Log, by: By, most: int) -> Ranking:
    """Find the names that most events have; a stream's is its service and its id, with the character 31 between."""
    found = columns(
        log,
        f"""
        SELECT name, n, count(*) OVER () AS names, (sum(n) OVER ())::BIGINT AS total,
               min(first) OVER () AS first, max(last) OVER () AS last
        FROM (
            SELECT {expression(by)} AS name, count(*) AS n, min(epoch_us(effective_at)) AS first,
                   max(epoch_us(effective_at)) AS last
            FROM events GROUP BY 1
        ) ORDER BY n DESC, name LIMIT {most:d}
        """,
    )
    if not len(found["n"]):
        return Ranking((), (), 0, 0, 0, 0)
    one = {name: int(found[name][0]) for name in ("first", "last", "names", "total")}
    names, counts = map(str, found["name"]), map(int, found["n"])
    return Ranking(tuple(names), tuple(counts), one["first"], one["last"], one["names"], one["total"])


def bin_width(ranks: Ranking, bins: object) -> int:
    """Choose how long a bin is: what was asked for, else a round one that gives about a hundred of them.

    Args:
        ranks: what is counted.
        bins: how many, or how long each is, or None.

    Raises:
        ValueError: it is neither; or there would be more than 5,000.
    """
    span = ranks.last - ranks.first + 1
    if bins is None and span == 1:
        return _S
    if bins is None:
        return next((width for width in _WIDTHS if span <= width * _USUAL_BINS), _WIDTHS[-1])
    many = min(positive("bins", bins), _MOST_BINS + 1) if isinstance(bins, int) else None
    width = duration("bins", bins) if many is None else -(-span // many)
    if span > width * _MOST_BINS:
        raise ValueError(f"bins={bins!r} makes more than {_MOST_BINS:,} bins; give fewer or longer ones")
    return width


def binned(log: Log, by: By, *, bins: object = None, most: int = 9) -> Binned:
    """Count events over time, by name; bins of a round length begin at round times."""
    ranks = ranking(log, by, most)
    width = bin_width(ranks, bins)
    begin = _MONDAY if width % (7 * _D) == 0 else 0
    start = ranks.first if isinstance(bins, int) else (ranks.first - begin) // width * width + begin
    wide = (ranks.last - start) // width + 1 if ranks.total else 0
    query = f"""
        SELECT bin, {_named("name")} AS row, sum(n)::BIGINT AS n FROM (
            SELECT (epoch_us(effective_at) - $start) // $width AS bin, {expression(by)} AS name, count(*) AS n
            FROM events GROUP BY ALL
        ) GROUP BY ALL
    """
    return Binned(start, width, _table(log, query, ranks, wide, {"start": start, "width": width}), ranks)


def cycle(log: Log, by: Clock, *, most: int = 30) -> Cycle:
    """Count events by type and hour of the day or day of the week, in UTC."""
    ranks = ranking(log, "type", most)
    around, unit = (_D, _H) if by == "hour" else (7 * _D, _D)
    begin = 0 if by == "hour" else _MONDAY
    query = f"""
        SELECT bin, {_named("name")} AS row, sum(n)::BIGINT AS n FROM (
            SELECT (((epoch_us(effective_at) - $start) % $around) + $around) % $around // $unit AS bin,
                   type AS name, count(*) AS n
            FROM events GROUP BY ALL
        ) GROUP BY ALL
    """
    parameters = {"start": begin, "around": around, "unit": unit}
    return Cycle(_table(log, query, ranks, around // unit, parameters), ranks)


def _named(name: str) -> str:
    """Write the SQL of a name's place among the biggest; 0 for the others."""
    return f"coalesce(list_position($names, {name}), 0)"


def _table(log: Log, query: str, ranks: Ranking, wide: int, parameters: dict[str, int]) -> Ints:
    counts = np.zeros((len(ranks.names) + 1, wide), np.int64)
    if ranks.total:
        found = columns(log, query, {**parameters, "names": list(ranks.names)})
        np.add.at(counts, (ints(found["row"]) - 1, ints(found["bin"])), ints(found["n"]))  # row -1: the others
    return counts if ranks.others else counts[:-1]
