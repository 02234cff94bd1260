"""Columns into payloads: what a frame says beside the envelope, one object per row; a NULL cell is no field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from esanalytics.events import Groups
from esanalytics.store._payload import has_empty_name, is_variant, shapes

__all__ = ["Unreadable", "gather", "normal", "single"]


class Unreadable(ValueError):  # noqa: N818  the store says it in words of its own
    """No row of a batch can be read."""


def gather(names: Sequence[str], columns: Sequence[pa.Array]) -> Groups:
    """Make one payload column out of several columns.

    Raises:
        Unreadable: a name is empty or there twice, or a column holds what no payload can.
    """
    _check(names, columns)
    return tuple(_by_absence(names, columns))


def normal(column: pa.Field, values: pa.ChunkedArray) -> Groups | None:
    """Bring a payload column of structs or maps into groups; None where the column can be stored as it is.

    Raises:
        ValueError: as ``gather``.
    """
    if is_variant(column) or not (pa.types.is_struct(column.type) or pa.types.is_map(column.type)):
        return None
    whole = single(values)
    if pa.types.is_struct(column.type) and whole.null_count == 0:
        return gather([f.name for f in column.type], whole.flatten())
    return _from_objects(whole.to_pylist(maps_as_pydicts="strict"))


def _is_interval(values: pa.Array) -> bool:
    return bool(pa.types.is_interval(values.type))


def single(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array."""
    if isinstance(values, pa.Array):
        return values
    combined = values.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _check(names: Sequence[str], columns: Sequence[pa.Array]) -> None:
    odd = next(
        (n for n, v in zip(names, columns, strict=True) if pa.types.is_duration(v.type) or _is_interval(v)), None
    )
    if odd is not None:
        raise Unreadable(f"the column {odd!r} holds durations, which no payload can; send numbers or text")
    repeated = next((name for name in names if list(names).count(name) > 1), None)
    if repeated is not None:
        raise Unreadable(f"the column {repeated!r} is there twice; rename one")
    if "" in names or any(has_empty_name(values.type) for values in columns):
        raise Unreadable("an empty key in the payload; give every column and field a name")


def _by_absence(names: Sequence[str], columns: Sequence[pa.Array]) -> Iterator[tuple[pa.Array, pa.Array]]:
    rows = len(columns[0]) if columns else 0
    if all(values.null_count == 0 for values in columns):
        yield pa.array(np.arange(rows)), _struct(names, columns, rows)
        return
    present = np.stack([values.is_valid().to_numpy(zero_copy_only=False) for values in columns], axis=1)
    packed = np.ascontiguousarray(np.packbits(present, axis=1))
    shape = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, samples, group = np.unique(shape, return_index=True, return_inverse=True)
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(samples) + 1))
    for number, sample in enumerate(samples):
        members = pa.array(order[bounds[number] : bounds[number + 1]], pa.int64())
        kept = [i for i, there in enumerate(present[sample]) if there]
        yield (
            members,
            _struct([names[i] for i in kept], [columns[i].take(members) for i in kept], len(members)),
        )


def _struct(names: Sequence[str], columns: Sequence[pa.Array], rows: int) -> pa.Array:
    if not names:
        return pa.array(["{}"] * rows, pa.string())
    return pa.StructArray.from_arrays(list(columns), list(names))


def _from_objects(values: Sequence[Mapping[str, object] | None]) -> Groups:
    objects = [{k: v for k, v in (value or {}).items() if v is not None} for value in values]
    empty = [row for row, value in enumerate(values) if value is not None and not objects[row]]
    texts = (pa.array(empty, pa.int64()), pa.array(["{}"] * len(empty), pa.string()))
    return (texts, *shapes([row for row, value in enumerate(objects) if value], objects))
