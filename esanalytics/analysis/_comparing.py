"""Comparing: what differs between two states, counted, by column, by row, and the events that made it so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from string import Template
from typing import Any, Literal, get_args

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics._instants import Instant, instant, iso
from esanalytics._temporary import Keeper
from esanalytics.analysis._responsible import Responsible, responsible
from esanalytics.engines import Plan, Result
from esanalytics.errors import EngineError, ProjectionError, UnknownKeyError
from esanalytics.store import Log, Store, as_log, folder_of, result, words_of
from esanalytics.timetravel import Definition, diff, state_at
from esanalytics.timetravel._explain import explain_each
from esanalytics.timetravel._naming import beside

__all__ = ["KINDS", "Compared", "Difference", "Entry", "Kind", "Row", "compared"]

Kind = Literal["added", "removed", "changed"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_TEXT = 2_000
"""The most characters of a value that a row or an entry holds."""

_WHOLE = ("INT8", "INT16", "INT32", "INT64", "INT128", "UINT8", "UINT16", "UINT32", "UINT64", "UINT128")
_COUNTS = "SELECT change, count(*) AS n FROM (SELECT DISTINCT $keys, change FROM entries) GROUP BY change"
_COLUMNS = """
SELECT "column", count(*) FILTER (change = 'changed') AS changed,
count(*) FILTER (change = 'added' AND $after) AS added, count(*) FILTER (change = 'removed' AND $before) AS removed,
list_distinct(list(variant_typeof(before)) || list(variant_typeof(after))) AS types
FROM entries WHERE "column" IS NOT NULL GROUP BY "column" ORDER BY changed + added + removed DESC, "column"
"""
_DELTAS = """
SELECT "column", coalesce(sum(TRY_CAST(after AS $type)), 0) - coalesce(sum(TRY_CAST(before AS $type)), 0) AS delta
FROM entries WHERE "column" IN (SELECT unnest($$wanted::VARCHAR[])) GROUP BY "column"
"""
_TEXT_OF = (
    "left(CASE variant_typeof({0}) WHEN 'TIMESTAMP_MICROS_TZ' "
    "THEN strftime(TRY_CAST({0} AS TIMESTAMPTZ), '\"%Y-%m-%dT%H:%M:%S.%fZ\"') "
    f"ELSE CAST(CAST({{0}} AS JSON) AS VARCHAR) END, {MOST_TEXT}) AS {{0}}"
)
_VALUES = ", ".join(map(_TEXT_OF.format, ("before", "after")))
_ROWS = """
SELECT $named, change AS $change, coalesce(list("column" ORDER BY "column") FILTER ($counts), []) AS $columns
FROM entries WHERE $test GROUP BY $keys, change ORDER BY $keys, change
"""
_PAGE = f"""
SELECT $keys, change, count("column") FILTER (counts) AS n, coalesce(list({{'column': "column", 'before': before,
'after': after}} ORDER BY "column") FILTER (counts), [])[:$$most] AS first
FROM (SELECT $keys, change, "column", $counts AS counts, {_VALUES} FROM entries WHERE $test) AS told
GROUP BY $keys, change ORDER BY $keys, change LIMIT $$size OFFSET $$start
"""
_NEAREST = """
SELECT DISTINCT $keys, jaro_winkler_similarity(concat_ws(', ', $keys), $$wanted) AS near
FROM entries ORDER BY near DESC, $keys LIMIT 3
"""
_ENTRIES = f'SELECT change, "column", {_VALUES} FROM entries WHERE "column" IS NOT NULL AND $one ORDER BY "column"'


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs in one column.

    Attributes:
        name: of the column.
        changed: rows on both sides in which it differs.
        added: rows that were added with a value in it.
        removed: rows that were removed with a value in it.
        delta: the sum of its values on the right less that on the left; None where it holds no numbers.
    """

    name: str
    changed: int
    added: int
    removed: int
    delta: int | float | Decimal | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What differs in one column of a row: JSON texts, None where there is no value, cut at `MOST_TEXT`."""

    column: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """A row that differs.

    Attributes:
        key: the values of the key's columns.
        kind: added, removed or changed.
        differing: how many columns differ.
        first: the first of them by name.
    """

    key: tuple[Any, ...]
    kind: Kind
    differing: int
    first: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Compared:
    """What differs between two states: computed once, then looked at from several sides.

    Attributes:
        log: what the instants are of.
        projection: what was folded.
        left: an instant, or a view of a log.
        right: likewise.
        key: only this key; None: all.
        known_at: only what was recorded up to then; None: everything.
        keys: the names of the key's columns.
        counts: how many rows were added, removed, changed.
        columns: what differs by column, most first.
    """

    log: Log
    projection: Definition
    left: Instant | Log
    right: Instant | Log
    key: Any
    known_at: Instant | None
    keys: tuple[str, ...]
    counts: Mapping[Kind, int]
    columns: tuple[Difference, ...]
    _entries: _Entries

    @property
    def total(self) -> int:
        """How many rows differ."""
        return sum(self.counts.values())

    @property
    def names(self) -> tuple[str, str]:
        """The two sides in words: instants, or the folders of stores and what is seen of them."""
        logs = [as_log(side) for side in (self.left, self.right) if isinstance(side, Store | Log)]
        folders = {folder_of(log) for log in logs}
        is_clear = len({folder.name for folder in folders}) == len(folders)
        return _named(self.left, is_clear=is_clear), _named(self.right, is_clear=is_clear)

    def rows(self, kind: Kind | None = None) -> Result:
        """Return one row per key that differs, in order of the key.

        Columns: the key's, ``change`` and ``columns``: how it differs and in which columns. Where the key has a column
        of such a name, it is followed by ``_``.
        """
        return self._entries.asked(_ROWS, test=_test(kind))

    def page(self, kind: Kind | None = None, *, start: int = 0, size: int = 50, most: int = 6) -> list[Row]:
        """Read some of the rows that differ, in order of the key, with at most so many of their columns."""
        found = self._entries.asked(_PAGE, {"size": size, "start": start, "most": most}, test=_test(kind))
        return [_row(row, len(self.keys)) for row in found]

    def row(self, key: Sequence[Any], *, most: int = 6) -> Row:
        """Read the row of a key that differs, with at most so many of its columns.

        Raises:
            ProjectionError: ``key`` does not have a value for each key column.
            UnknownKeyError: there is nothing of such a key.
            ValueError: its row does not differ.
        """
        given = tuple(key)
        if len(given) != len(self.keys):
            reason = f"the key has {len(self.keys)} columns ({', '.join(self.keys)}), {len(given)} were given"
            raise ProjectionError(self.projection.name, reason, "give a value for each, as a tuple")
        test, one = _one(given)
        try:
            found = self._entries.asked(_PAGE, {"size": 1, "start": 0, "most": most, **one}, test=test).head(1)
        except EngineError:  # the key's columns cannot hold such a value
            found = []
        if not found:
            raise self._not_differing(given)
        return _row(found[0], len(self.keys))

    def _not_differing(self, key: tuple[Any, ...]) -> Exception:
        shown = key[0] if len(key) == 1 else key
        among = "" if self.key is None else f"; only key {self.key!r} is compared"
        if any(side is not None for side in self.sides(key)):
            return ValueError(f"the row of {shown!r} does not differ between the two sides{among}")
        if self._has_events(key):
            return ValueError(f"the row of {shown!r} does not differ: neither side has one{among}")
        if self.total:
            near = self._entries.asked(_NEAREST, {"wanted": ", ".join(map(str, key))})
            listed = [tuple(row.values())[:-1] for row in near]
            return UnknownKeyError(
                self.projection.name, shown, [repr(each[0] if len(each) == 1 else each) for each in listed]
            )
        return ValueError(f"there is no row of {shown!r}: nothing differs between the two sides{among}")

    def _has_events(self, key: tuple[Any, ...]) -> bool:
        try:
            return bool(explain_each(self._known(self.log), self.projection, [key]).head(1))
        except EngineError:  # SQL says nothing of single events
            return False

    def entries(self, key: Sequence[Any]) -> tuple[Entry, ...]:
        """List what differs for one key, by the names of the columns."""
        test, one = _one(key)
        found = self._entries.asked(_ENTRIES, one, one=test)
        return tuple(Entry(row["column"], row["before"], row["after"]) for row in found)

    def sides(self, key: Sequence[Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return the whole row of a key on the left and on the right; None where there is none."""
        return self._state(self.left, key), self._state(self.right, key)

    def events(self, key: Sequence[Any]) -> list[Responsible]:
        """List the events that made the difference of one key, in order of time.

        Between two instants they are the key's events after the earlier and up to the later. Of two logs they are those
        that only one of them shows, and those that do or time something else in each.

        Raises:
            UnsupportedError: the projection is SQL, which says nothing of single events.
        """
        return self.events_of([key])[0]

    def events_of(self, keys: Sequence[Sequence[Any]]) -> list[list[Responsible]]:
        """List the events of several keys, as `events` does; they are read at once.

        Raises:
            UnsupportedError: the projection is SQL, which says nothing of single events.
        """
        wanted = [tuple(key) for key in keys]
        if isinstance(self.left, Store | Log) and isinstance(self.right, Store | Log):
            logs = (self._known(self.left), self._known(self.right))
            return responsible(self.projection, wanted, logs, None)
        early, late = sorted((instant(self.left), instant(self.right)))
        known = self._known(self.log)
        return responsible(self.projection, wanted, (known, known), (early, late))

    def __repr__(self) -> str:
        counts = ", ".join(f"{number:,} {kind}" for kind, number in self.counts.items())
        return f"Compared({self.projection.name}, {self.names[0]} with {self.names[1]}: rows {counts})"

    def _known(self, log: Store | Log) -> Log:
        seen = as_log(log)
        return seen if self.known_at is None else seen.known_at(self.known_at)

    def _state(self, side: Instant | Log, key: Sequence[Any]) -> dict[str, Any] | None:
        wanted = key[0] if len(key) == 1 else tuple(key)
        log, at = (as_log(side), None) if isinstance(side, Store | Log) else (self.log, side)
        found = state_at(log, self.projection, at, key=wanted, known_at=self.known_at).head(1)
        return found[0] if found else None


def compared(
    log: Store | Log,
    projection: Definition,
    left: Instant | Log,
    right: Instant | Log,
    *,
    key: Any = None,  # noqa: ANN401  a value of the key's type
    known_at: Instant | None = None,
) -> Compared:
    """Compare two states; what is taken and raised is as in `diff`, which runs once.

    Example:
        >>> compared(store, orders, "2026-03-03", "2026-03-04").counts  # doctest: +SKIP
        {'added': 12, 'removed': 0, 'changed': 31}
    """
    seen = as_log(log)
    entries = _Entries.of(seen, diff(seen, projection, left, right, key=key, known_at=known_at))
    counted = {row["change"]: int(row["n"]) for row in entries.asked(_COUNTS)}
    counts: dict[Kind, int] = {kind: counted.get(kind, 0) for kind in KINDS}
    return Compared(seen, projection, left, right, key, known_at, entries.keys, counts, _differences(entries), entries)


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """The answer of `diff`, kept in a temporary file, with the columns of the key as ``k0``, ``k1``, …."""

    log: Log
    keys: tuple[str, ...]
    tree: str
    held: Keeper

    @classmethod
    def of(cls, log: Log, found: Result) -> _Entries:
        held = Keeper()
        path = f"{held.folder}/entries.parquet"
        found.write_parquet(path)
        *keys, change, column, before, after = found.columns
        names = {**{f"k{n}": key for n, key in enumerate(keys)}, "change": change}
        names |= {"column": column, "before": before, "after": after}
        chosen = [sql.alias(sql.column(name), alias) for alias, name in names.items()]
        tree = exp.select(*chosen, copy=False).from_(sql.parquet([path]), copy=False)
        return cls(log, tuple(keys), sql.text(tree), held)

    def asked(self, query: str, parameters: dict[str, Any] | None = None, **parts: str) -> Result:
        """Ask about the relation ``entries``; ``$name`` stands for a part of the text, ``$$name`` for a parameter."""
        numbered = [f"k{n}" for n in range(len(self.keys))]
        named = [sql.text(sql.alias(sql.column(k), name)) for k, name in zip(numbered, self.keys, strict=True)]
        before, after = (f"coalesce(variant_typeof({side}), 'VARIANT_NULL') <> 'VARIANT_NULL'" for side in _SIDES)
        counts = f"(CASE change WHEN 'added' THEN {after} WHEN 'removed' THEN {before} ELSE true END)"
        own = {word: sql.text(exp.to_identifier(name, quoted=True)) for word, name in beside(self.keys, _OWN).items()}
        known = own | {"keys": ", ".join(numbered), "named": ", ".join(named), "before": before, "after": after}
        text = Template(query).substitute({**known, "counts": counts, **parts})
        plan = Plan(f"WITH entries AS ({self.tree}) {text.strip()}", (), parameters, held=(self.held,))
        return result(self.log, lambda: plan, plan)


_SIDES = ("before", "after")
_OWN = ("change", "columns")


def _differences(entries: _Entries) -> tuple[Difference, ...]:
    rows = list(entries.asked(_COLUMNS))
    numeric: dict[str, list[str]] = {}
    for row in rows:
        type_ = _sum_type(row["types"])
        if type_ is not None:
            numeric.setdefault(type_, []).append(row["column"])
    deltas: dict[str, int | float | Decimal] = {}
    for type_, names in numeric.items():
        deltas |= _deltas(entries, type_, names)
    return tuple(
        Difference(row["column"], row["changed"], row["added"], row["removed"], deltas.get(row["column"]))
        for row in rows
    )


def _deltas(entries: _Entries, type_: str, names: list[str]) -> dict[str, int | float | Decimal]:
    try:
        found = list(entries.asked(_DELTAS, {"wanted": names}, type=type_))
    except EngineError:  # a sum that does not fit
        found = list(entries.asked(_DELTAS, {"wanted": names}, type="DOUBLE"))
    return {row["column"]: row["delta"] for row in found}


def _sum_type(types: Sequence[str]) -> str | None:
    """Return the type in which values of some types add up exactly; None where they are no numbers."""
    known = [type_ for type_ in types if type_ is not None and type_ != "VARIANT_NULL"]
    if not known or not all(type_ in (*_WHOLE, "FLOAT", "DOUBLE") or type_.startswith("DECIMAL") for type_ in known):
        return None
    if any(type_ in ("FLOAT", "DOUBLE") for type_ in known):
        return "DOUBLE"
    scales = [int(type_.rstrip(")").split(",")[1]) for type_ in known if type_.startswith("DECIMAL")]
    return f"DECIMAL(38, {max(scales)})" if scales else "HUGEINT"


def _row(row: Mapping[str, Any], keys: int) -> Row:
    first = tuple(Entry(entry["column"], entry["before"], entry["after"]) for entry in row["first"])
    return Row(tuple(row[f"k{n}"] for n in range(keys)), row["change"], int(row["n"]), first)


def _test(kind: Kind | None) -> str:
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind={kind!r} is no kind of row; choose 'added', 'removed' or 'changed', or None for all")
    return "true" if kind is None else f"change = '{kind}'"


def _named(side: Instant | Log, *, is_clear: bool) -> str:
    if not isinstance(side, Store | Log):
        return iso(instant(side))
    log = as_log(side)
    folder = folder_of(log)
    return f"{folder.name if is_clear else folder} {words_of(log)}"


def _one(key: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    test = " AND ".join(f"k{n} IS NOT DISTINCT FROM $one{n}" for n in range(len(key))) or "true"
    return test, {f"one{n}": value for n, value in enumerate(key)}
