"""Answers on their way out: rows as Arrow batches that fit in memory, payloads as JSON text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import pyarrow as pa

from esanalytics.cli._render import encoded
from esanalytics.engines import Result

__all__ = ["Answer", "Asked", "Rows", "batches", "payloads"]

_ROWS = 10_000


class Answer(Protocol):
    """What can be written somewhere."""

    @property
    def payloads(self) -> Collection[str]:
        """The names of the columns that are JSON text."""

    def batches(self, limit: int) -> Iterator[pa.RecordBatch]:
        """Yield the first rows, 0 for all, in at least one batch."""

    def count(self) -> int:
        """Return how many rows there are in all; asked when some have been read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query answers.

    Attributes:
        result: the answer.
        columns: only these; empty: all.
    """

    result: Result
    columns: tuple[str, ...] = ()

    @property
    def payloads(self) -> frozenset[str]:
        """The names of the columns that are JSON text."""
        return payloads(self.result)

    def batches(self, limit: int) -> Iterator[pa.RecordBatch]:
        """Yield the first rows, 0 for all."""
        for batch in batches(self.result.limit(limit) if limit else self.result):
            yield batch.select(self.columns) if self.columns else batch

    def count(self) -> int:
        """Return how many rows there are in all."""
        return len(self.result)


@dataclass(slots=True)
class Rows:
    """What Python makes of an answer, a row at a time.

    Attributes:
        schema: of the rows as they go out.
        variants: the columns whose values become JSON text here, in which instants end in Z.
        pending: the rows.
    """

    schema: pa.Schema
    variants: frozenset[str]
    pending: Iterator[Mapping[str, Any]]
    _passed: int = 0

    @classmethod
    def like(cls, result: Result, rows: Iterable[Mapping[str, Any]]) -> Rows:
        """Take rows that have the columns of a result."""
        variants = frozenset(name for name, type_ in result.types.items() if "VARIANT" in type_)
        return cls(result.limit(0).arrow().schema, variants, iter(rows))

    @property
    def payloads(self) -> frozenset[str]:
        """The names of the columns that are JSON text."""
        return self.variants

    def batches(self, limit: int) -> Iterator[pa.RecordBatch]:
        """Yield the first rows, 0 for all."""
        yield pa.RecordBatch.from_pylist([], self.schema)
        left = islice(self.pending, limit or None)
        while rows := [self._written(row) for row in islice(left, _ROWS)]:
            self._passed += len(rows)
            yield pa.RecordBatch.from_pylist(rows, self.schema)

    def count(self) -> int:
        """Return how many rows there are in all; reads the rest of them."""
        self._passed += sum(1 for _ in self.pending)
        return self._passed

    def _written(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {**row, **{name: None if row[name] is None else encoded(row[name]) for name in self.variants}}


def payloads(result: Result) -> frozenset[str]:
    """Return the names of the columns that ``batches`` gives as JSON text."""
    return frozenset(name for name, type_ in result.types.items() if "VARIANT" in type_ or type_ == "JSON")


def batches(result: Result) -> Iterator[pa.RecordBatch]:
    """Yield the rows, at least one batch, in pieces that fit in memory however long the rows are.

    Raises:
        EngineError: the query fails, at once or on the way.
    """
    reader = result.batches()
    yield pa.RecordBatch.from_pylist([], reader.schema)
    for batch in reader:
        yield from (batch.slice(start, _ROWS) for start in range(0, batch.num_rows, _ROWS))
