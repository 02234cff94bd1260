"""Files: which ones a path means, and their bytes, decompressed, up to where they break."""

from __future__ import annotations

import glob
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from esanalytics.errors import SourceError
from esanalytics.events import Refusal

__all__ = ["LIMIT", "ROWS", "Chunk", "Paths", "chunks", "find", "refusal", "size"]

Paths = str | PathLike[str] | Sequence[str | PathLike[str]]
"""One file, one glob pattern, or several of them."""

ROWS = 100_000
"""Rows in a batch, at most."""

LIMIT = 1 << 30
"""Bytes that one line may have."""

_CHUNK = 8 << 20
_PIECE = 1 << 16
_RAW = 1 << 20
_MEMBER = zlib.MAX_WBITS | 16

_Unpack = Callable[[IO[bytes]], Iterator[bytes]]


class _Broken(Exception):  # noqa: N818  a signal inside this module, never seen outside
    """The compressed file cannot be read on from here. Args: reason."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next bytes of a file, decompressed.

    Attributes:
        data: the bytes.
        taken: bytes of the file, as it lies on the disk, read for them.
        last: no more bytes follow.
        broken: why the file ends too early; None where it does not.
    """

    data: bytes
    taken: int
    last: bool
    broken: str | None = None


def find(path: Paths) -> tuple[str, ...]:
    """Return the files that ``path`` means; those of each pattern sorted by name, none twice.

    A name that exists is taken as it is, even with ``*``, ``?`` or ``[`` in it.

    Raises:
        SourceError: a file is missing, a pattern matches nothing, or a path is a folder.
    """
    given = [path] if isinstance(path, str | PathLike) else list(path)
    found = tuple(dict.fromkeys(file for one in given for file in _matches(os.fspath(one))))
    if not found:
        raise SourceError("an empty list of files", None, "there is nothing to read", "give at least one path")
    return found


def size(paths: Sequence[str]) -> int:
    """Return the bytes of these files on the disk, together."""
    return sum(Path(path).stat().st_size for path in paths)


def chunks(path: str) -> Iterator[Chunk]:
    """Read a file, decompressing ``.gz`` and ``.zst``, in chunks of about 8 MB.

    The last chunk has ``last`` set; ``taken`` adds up to the size of the file.

    Raises:
        SourceError: the file cannot be opened or read.
    """
    try:
        with Path(path).open("rb") as file:
            yield from _chunks(file, _unpacker(path))
    except OSError as error:
        raise SourceError(path, None, error.strerror or str(error), "check the path and its permissions") from error


def refusal(origin: str, line: int, reason: str, raw: bytes) -> Refusal:
    """Set one row aside; undecodable bytes are written as escapes, and 1 MB of it is kept."""
    return Refusal(origin, line, reason, raw[:_RAW].decode("utf-8", "backslashreplace")[:_RAW])


def _matches(path: str) -> list[str]:
    if Path(path).is_dir():
        raise SourceError(path, None, "is a folder", f"give its files as a pattern, such as {path.rstrip('/')}/*")
    if Path(path).exists():
        return [path]
    if not glob.has_magic(path):
        raise SourceError(path, None, "there is no such file", "check the path")
    found = sorted(one for one in glob.glob(path, recursive=True) if Path(one).is_file())  # noqa: PTH207  keeps the path as given
    if not found:
        raise SourceError(path, None, "no file matches this pattern", "check the pattern; ** goes into folders")
    return found


def _unpacker(path: str) -> _Unpack:
    name = path.lower()
    if name.endswith(".gz"):
        return _gunzip
    return _unzstd if name.endswith(".zst") else _plain


def _chunks(file: IO[bytes], unpack: _Unpack) -> Iterator[Chunk]:
    held: list[bytes] = []
    length = reported = 0
    broken = None
    pieces = unpack(file)
    while True:
        try:
            piece = next(pieces, None)
        except _Broken as error:
            broken, piece = str(error), None
        if piece is None:
            break
        held.append(piece)
        length += len(piece)
        if length >= _CHUNK:
            yield Chunk(b"".join(held), file.tell() - reported, last=False)
            held, length, reported = [], 0, file.tell()
    end = file.seek(0, os.SEEK_END)
    yield Chunk(b"".join(held), end - reported, last=True, broken=broken)


def _plain(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece


def _gunzip(file: IO[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(_MEMBER)
    fresh = True
    while packed := file.read(_PIECE):
        while packed:
            if member.eof:
                packed = packed.lstrip(b"\0")
                member, fresh = zlib.decompressobj(_MEMBER), True
                continue
            yield from _inflate(member, packed)
            packed, fresh = member.unused_data, False
    if not member.eof and not fresh:
        raise _Broken("the compressed file ends early")


def _inflate(member: Any, packed: bytes) -> Iterator[bytes]:  # noqa: ANN401  zlib does not export the class
    before, data = member.copy(), packed
    try:
        while data:
            before = member.copy()
            yield member.decompress(data, _CHUNK)
            data = member.unconsumed_tail
    except zlib.error as error:
        yield from _last_bytes(before, data)
        raise _Broken(f"the compressed file is damaged ({error})") from error


def _last_bytes(member: Any, packed: bytes) -> Iterator[bytes]:  # noqa: ANN401  zlib does not export the class
    with suppress(zlib.error):
        for place in range(len(packed)):
            yield member.decompress(packed[place : place + 1])


def _unzstd(file: IO[bytes]) -> Iterator[bytes]:
    """Read by large pieces; at a break read again from the last good place by small ones, then bytes."""
    good = 0
    for step in (_PIECE * 16, _PIECE // 16, 1):
        try:
            for piece in _from(file, good, step):
                good += len(piece)
                yield piece
        except (OSError, pa.ArrowException) as error:
            if step == 1:
                early = "Truncated" in str(error)
                raise _Broken(
                    "the compressed file ends early" if early else f"the compressed file is damaged ({error})"
                ) from error
        else:
            return


def _from(file: IO[bytes], start: int, step: int) -> Iterator[bytes]:
    """Decompress from a place in the content on, moving ``file`` to the place read up to."""
    if not os.fstat(file.fileno()).st_size:
        return
    with pa.OSFile(file.name) as raw:
        packed = pa.CompressedInputStream(raw, "zstd")
        skip = start
        while skip:
            skip -= len(packed.read(min(skip, _PIECE)))
        while piece := packed.read(step):
            file.seek(raw.tell())
            yield piece
