"""How payloads become Python objects: by way of JSON text where that loses nothing, else by the engine.

JSON text is six times as fast, but knows no decimals, dates and instants. The footers of the data files say where such
values are, and where a footer leaves something open, the values are looked at. Where the place of a value tells its
type, it is put right after the text has been read; where it does not, the engine makes the objects.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.engines import DuckDB, Plan, Result
from esanalytics.store import Node, payload_footer, type_name

__all__ = ["Payloads", "payloads"]

_PLAIN = {"VARCHAR", "BIGINT", "DOUBLE", "FLOAT", "BOOLEAN", "VARIANT_NULL"}
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "TIMESTAMPTZ": dt.datetime.fromisoformat,
    "TIMESTAMP": dt.datetime.fromisoformat,
    "DATE": dt.date.fromisoformat,
    "TIME": dt.time.fromisoformat,
    "UUID": UUID,
}
_KEYS = 200
_ELEMENT = None
_Steps = tuple[str | None, ...]
_Patch = Callable[[Any], Any]


@dataclass(slots=True)
class _Place:
    """What may be at a place of the payload: single values of some types, keys, elements."""

    kinds: set[str] = field(default_factory=set)
    named: dict[str, _Place] = field(default_factory=dict)
    element: _Place | None = None

    def of(self, name: str) -> _Place:
        return self.named.setdefault(name, _Place())

    def of_elements(self) -> _Place:
        self.element = self.element or _Place()
        return self.element

    def merge(self, other: _Place) -> None:
        self.kinds |= other.kinds
        for name, place in other.named.items():
            self.of(name).merge(place)
        if other.element is not None:
            self.of_elements().merge(other.element)

    def under(self) -> Iterable[_Place]:
        yield self
        for place in (*self.named.values(), *([self.element] if self.element else [])):
            yield from place.under()


@dataclass(frozen=True, slots=True)
class Payloads:
    """How the payloads of a log become Python objects; it pickles.

    Attributes:
        as_text: by way of JSON text.
        places: where values are that JSON does not know.
        decimal: numbers with a fraction are read as decimals.
    """

    as_text: bool
    places: _Place = field(default_factory=_Place)
    decimal: bool = False

    def decoder(self) -> Callable[[list[str]], list[Any]]:
        """Return what makes objects out of some JSON texts."""
        read = json.JSONDecoder(parse_float=Decimal if self.decimal else None).decode
        patch = _patch(self.places, decimal=self.decimal)

        def decode(texts: list[str]) -> list[Any]:
            found: list[Any] = read(f"[{','.join(texts)}]")
            return found if patch is None else list(map(patch, found))

        return decode


def payloads(engine: DuckDB, files: Sequence[str]) -> Payloads:
    """Find out how to read the payloads of some data files."""
    place = _Place()
    for file in files:
        found = _places(engine, file)
        if found is None:
            return Payloads(as_text=False)
        place.merge(found)
    decimal = any(_is_decimal(kind) for inner in place.under() for kind in inner.kinds)
    if any(_is_unclear(inner.kinds) for inner in place.under()):
        return Payloads(as_text=False)
    return Payloads(as_text=True, places=place, decimal=decimal)


def _is_decimal(kind: str) -> bool:
    return kind.startswith("DECIMAL")


def _is_unclear(kinds: set[str]) -> bool:
    """Tell whether the JSON text of a value does not tell which of the types it has."""
    texts = kinds & ({"VARCHAR"} | _FROM_TEXT.keys())
    decimals = {kind for kind in kinds if _is_decimal(kind)}
    whole = any(kind.endswith(",0)") for kind in decimals)
    return (
        bool(kinds - _PLAIN - _FROM_TEXT.keys() - decimals)
        or len(texts) > 1
        or bool(decimals and kinds & {"DOUBLE", "FLOAT"})
        or (whole and "BIGINT" in kinds)
    )


def _patch(place: _Place, *, decimal: bool) -> _Patch | None:
    """Return what puts the values at a place right; None where there is nothing to do."""
    single = _patch_single(place.kinds, decimal=decimal)
    inner = {name: _patch(found, decimal=decimal) for name, found in place.named.items()}
    named = [(name, patch) for name, patch in inner.items() if patch is not None]
    element = None if place.element is None else _patch(place.element, decimal=decimal)
    if single is None and not named and element is None:
        return None

    def patched(value: Any) -> Any:  # noqa: ANN401  a value of a payload
        if type(value) is dict:
            for name, patch in named:
                if name in value:
                    value[name] = patch(value[name])
            return value
        if type(value) is list:
            return value if element is None else list(map(element, value))
        return value if single is None else single(value)

    return patched


def _patch_single(kinds: set[str], *, decimal: bool) -> _Patch | None:
    text = next((_FROM_TEXT[kind] for kind in kinds if kind in _FROM_TEXT), None)
    if text is not None:
        return lambda value: text(value) if type(value) is str else value
    if decimal and kinds & {"DOUBLE", "FLOAT"}:
        return lambda value: float(value) if type(value) is Decimal else value
    if any(_is_decimal(kind) and kind.endswith(",0)") for kind in kinds):
        return lambda value: Decimal(value) if type(value) is int else value
    return None


@lru_cache(maxsize=10_000)
def _places(engine: DuckDB, file: str) -> _Place | None:
    """Find what may be where in a file; None where that takes too many questions."""
    place, looker = _Place(), _Looker(engine, file)
    try:
        _walk(payload_footer(engine, file), (), place, looker)
    except _TooMany:
        return None
    return place


def _walk(node: Node, steps: _Steps, place: _Place, looker: _Looker) -> None:
    value, typed = node.child("value"), node.child("typed_value")
    if value is None or value.values:
        looker.look(steps, place)
    elif typed is not None and not typed.children:
        place.kinds.add(type_name(typed.type))
    elif typed is not None and typed.type.endswith("[]"):
        _walk(typed.children[0].children[0], (*steps, _ELEMENT), place.of_elements(), looker)
    elif typed is not None:
        for child in typed.children:
            _walk(child, (*steps, child.name), place.of(child.name), looker)


class _TooMany(Exception):  # noqa: N818  it never leaves the module
    pass


@dataclass(slots=True)
class _Looker:
    """Looks at the values of a file, where its footer does not tell their types."""

    engine: DuckDB
    file: str
    asked: int = 0

    def look(self, steps: _Steps, place: _Place) -> None:
        """Find what is at a place, and under it."""
        for kind in self._ask(steps, sql.function("variant_typeof", sql.column("x"))):
            if kind.startswith("OBJECT"):
                keys = self._ask(steps, sql.function("unnest", sql.function("variant_keys", sql.column("x"))))
                for name in keys:
                    self.look((*steps, name), place.of(name))
            elif kind.startswith("ARRAY"):
                self.look((*steps, _ELEMENT), place.of_elements())
            else:
                place.kinds.add(kind if kind == "VARIANT_NULL" else type_name(kind))

    def _ask(self, steps: _Steps, value: exp.Expr) -> list[str]:
        self.asked += 1
        if self.asked > _KEYS:
            raise _TooMany
        query = exp.select(exp.alias_(sql.column("data"), "x", quoted=True)).from_(sql.parquet([self.file]))
        for step in steps:
            query = exp.select(exp.alias_(_inside(step), "x", quoted=True)).from_(query.subquery("t"))
        found = sql.grouped(query.subquery("t"), exp.alias_(value, "found", quoted=True))
        plan = Plan(sql.text(found), files=(self.file,))
        rows = Result(self.engine, lambda: plan, [plan])
        return [row["found"] for row in rows if row["found"] is not None]


def _inside(step: str | None) -> exp.Expr:
    value = sql.column("x")
    if step is not None:
        return exp.Dot(this=value, expression=exp.to_identifier(step, quoted=True))
    arrays = sql.function("starts_with", sql.function("variant_typeof", value), sql.literal("ARRAY"))
    lists = exp.Case(ifs=[exp.If(this=arrays, true=sql.cast(value, "VARIANT[]"))])
    return sql.function("unnest", lists)
