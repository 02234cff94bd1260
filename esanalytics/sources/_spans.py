"""Spans: many slices of one block of bytes, taken at once as an Arrow array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["Places", "is_text", "pick", "whole"]

Places = npt.NDArray[Any]
"""Indices into a block of bytes."""


def pick(block: pa.Buffer, starts: Places, ends: Places, rows: Places | None = None) -> pa.StringArray:
    """Return the texts at these places, which must not overlap and must come in order.

    Args:
        block: valid UTF-8.
        starts: where each text starts.
        ends: where it ends, exclusive.
        rows: for each element of the answer the number of its text, -1 for NULL; None: all, in order.
    """
    wanted = np.arange(len(starts)) if rows is None else rows
    if not len(starts):
        return pa.nulls(len(wanted), pa.string())
    offsets = np.empty(2 * len(starts), np.int32)
    offsets[0::2] = starts
    offsets[1::2] = ends
    laid = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), block)
    return laid.take(pa.array(wanted * 2, mask=wanted < 0))


def whole(texts: pa.StringArray) -> tuple[pa.Buffer, Places]:
    """Return the bytes of an array without NULLs and where each text starts in them (and the last ends)."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    return texts.buffers()[2].slice(first, last - first), offsets - first


def is_text(block: bytes | pa.Buffer) -> bool:
    """Test whether these bytes are valid UTF-8."""
    one = np.array([0, len(block)], np.int32)
    found = pa.StringArray.from_buffers(1, pa.py_buffer(one), pa.py_buffer(block))
    try:
        found.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
