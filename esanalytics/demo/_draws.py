"""Random integers that are the same on every machine.

numpy keeps the raw stream of a bit generator stable over versions and platforms, but neither the methods of
``Generator`` nor the last bit of ``log`` or ``exp``. So everything is made from raw bits, in integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from esanalytics.demo._kinds import Flags, Ints

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "Draws", "Wait"]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Wait = tuple[int, int, int, int]
"""A waiting time in microseconds: its least, its median, its 90th percentile, its greatest value."""

_QUANTILES = np.array([0, 500_000, 900_000, 1_000_000])
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Draws:
    """A stream of random integers for one block of the log."""

    bits: np.random.PCG64

    @classmethod
    def of(cls, *key: int) -> Draws:
        """Begin the stream that belongs to these numbers, none of them negative."""
        return cls(np.random.PCG64(np.random.SeedSequence(key)))

    def upto(self, bound: int | Ints, size: int) -> Ints:
        """Draw integers from 0 to ``bound``, exclusive; each bound is below 2**32."""
        raw: npt.NDArray[np.uint64] = self.bits.random_raw(size) >> _HALF
        return ((raw * np.asarray(bound, dtype=np.uint64)) >> _HALF).astype(np.int64)

    def chance(self, permille: int, size: int) -> Flags:
        """Draw true in so many of a thousand cases."""
        return self.upto(1000, size) < permille

    def wait(self, how_long: Wait, size: int) -> Ints:
        """Draw waiting times in microseconds, evenly between the given quantiles."""
        point = self.upto(int(_QUANTILES[-1]), size)
        part = np.searchsorted(_QUANTILES, point, side="right") - 1
        least, width = np.array(how_long)[part], np.diff(how_long)[part]
        found: Ints = least + width * (point - _QUANTILES[part]) // np.diff(_QUANTILES)[part]
        return found
