"""What a source hands over: rows with their origin, and the rows it had to refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pyarrow as pa

__all__ = ["Batch", "Groups", "Refusal", "Source"]

Groups = tuple[tuple[pa.Array, pa.Array], ...]
"""A payload column in pieces of one shape each: pairs of row numbers (from 0) and as many structs or JSON texts."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row that cannot become an event.

    Attributes:
        origin: the file, or what stands for it.
        line: line in the file, or row in the frame, from 1; None where there is none.
        reason: what is wrong, as one clause without a full stop.
        raw: the row as it came, as text.
    """

    origin: str
    line: int | None
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one origin, in its order.

    Attributes:
        rows: envelope columns (any subset, any type an envelope column can be read from) and others; where
            there is no ``data`` column, the others become it, else they join ``metadata``. ``data`` and
            ``metadata`` may be JSON text, structs or maps.
        origin: the file the rows came from, or what stands for it.
        lines: the line of each row, from 1, as int64; None: rows are numbered from ``first_line``.
        first_line: number of the first row where ``lines`` is None.
        refused: rows that could not be read.
        payloads: ``data`` and ``metadata`` whose rows differ in shape and hold what JSON would bend, in place of
            columns of ``rows``; a row in no group has none.
        done: how many of the source's ``total`` units this batch took.
    """

    rows: pa.Table
    origin: str
    lines: pa.Array | None = None
    first_line: int = 1
    refused: tuple[Refusal, ...] = ()
    payloads: Mapping[str, Groups] = field(default_factory=dict)
    done: int = 0


@runtime_checkable
class Source(Protocol):
    """Anything that yields batches; ``append`` takes it as it is."""

    @property
    def total(self) -> int | None:
        """Bytes to read in all, for progress; None where unknown."""

    def batches(self) -> Iterator[Batch]:
        """Yield the rows, in order, in batches of bounded size."""
