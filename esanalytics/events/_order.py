"""The one order of events.

Every fold, in one stream or over many, goes by ``effective_at, version (NULLS FIRST), position``. The
expressions here are all that the rest of the library knows of it: a fold takes the event with the
greatest key, and the key is either the whole order or, where the files prove that it comes to the same,
``position`` alone.
"""

from __future__ import annotations

from enum import IntFlag

from sqlglot import exp

from esanalytics import _sql as sql

__all__ = ["LOWEST_VERSION", "Disorder", "by_position", "by_time", "sorting"]

LOWEST_VERSION = -(2**63)
"""Stands for a missing version in the order; no event may claim it."""


class Disorder(IntFlag):
    """What is known of an event's place in its stream at the moment it was appended.

    A file's greatest value is in its stats. Where all files say NONE, ``position`` is the order inside
    every stream and ``effective_at`` is ``occurred_at``.
    """

    NONE = 0
    LATE = 1
    """It came after an event of its stream that stands behind it in the order."""
    CLOCK = 2
    """An event of its stream with a lower version has a later time, or one with a higher an earlier."""


def by_position() -> exp.Expr:
    """Return the order of events of one stream where the files prove that positions give it."""
    return sql.column("position")


def by_time() -> exp.Expr:
    """Return the whole order as one comparable row."""
    version = exp.Coalesce(this=sql.column("version"), expressions=[sql.literal(LOWEST_VERSION)])
    return exp.Tuple(expressions=[sql.column("effective_at"), version, sql.column("position")])


def sorting(*, by_place: bool) -> list[exp.Expr]:
    """Return the order as terms to sort by: that of `by_position`, or that of `by_time`."""
    names = ("position",) if by_place else ("effective_at", "version", "position")
    return [exp.Ordered(this=sql.column(name), nulls_first=True) for name in names]
