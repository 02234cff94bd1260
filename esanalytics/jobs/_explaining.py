"""What went wrong while an output was written, and what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import duckdb

from esanalytics.errors import DestinationError, EngineError, EsAnalyticsError

__all__ = ["explained_text", "explaining", "other_columns"]

_FULL = "make room there, or choose another output"
_DENIED = "let this user write there, or choose another output"
_IN_THE_WAY = "a file stands where a folder should be, or the other way round: move it away, or choose another output"
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _DENIED),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST), _IN_THE_WAY),
    errno.ENAMETOOLONG: "give the output a shorter name",
}
_TRANSIENT = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY, errno.EAGAIN)
_TEXTS = (
    (("No space left", "File too large", "Disk quota"), _FULL, False),
    (("Permission denied", "ACCESS_DENIED", "Read-only file system", "read-only"), _DENIED, False),
    (("Not a directory", "Is a directory"), _IN_THE_WAY, False),
    (("NO_SUCH_BUCKET", "NoSuchBucket"), "make the bucket, or choose another output", False),
    (("Could not set lock", "Conflicting lock", "already attached", "already open"), "wait for who has it open", True),
    (("NETWORK", "imed out", "imeout", "SlowDown", "onnection", "INTERNAL_FAILURE"), "try again", True),
)

_OF_DISKS = 3
"""How many of them are about disks."""


@contextmanager
def explaining(where: str) -> Iterator[None]:
    """Turn what the system or DuckDB says into an error of the tree that names the remedy.

    Raises:
        DestinationError: the block failed.
    """
    try:
        yield
    except EngineError as error:  # a query that fails is no matter of the place, but its disk is
        if not any(text in str(error) for texts, _, _ in _TEXTS[:_OF_DISKS] for text in texts):
            raise
        raise explained_text(where, str(error)) from error
    except EsAnalyticsError:  # some are of the system too, such as a store that is not found
        raise
    except OSError as error:
        raise _of_system(where, error) from error
    except duckdb.Error as error:
        raise explained_text(where, str(error)) from error


def other_columns(where: str, table: str, found: Iterable[str], given: Iterable[str]) -> DestinationError:
    """Tell that a table has other columns than the export."""
    has, gives = list(found), list(given)
    missing = [name for name in gives if name not in has]
    unknown = [name for name in has if name not in gives]
    told = [f"{what} {', '.join(names)}" for what, names in (("missing", missing), ("not known", unknown)) if names]
    return DestinationError(
        where,
        f"{table} has columns {', '.join(has)}; the export has {', '.join(gives)}",
        f"choose another table, or change it: {'; '.join(told) or 'the columns have other types'}",
    )


def _of_system(where: str, error: OSError) -> DestinationError:
    if error.errno not in _REMEDIES and error.errno not in _TRANSIENT:
        return explained_text(where, str(error))
    reason = error.strerror or str(error)
    named = f" ({error.filename})" if error.filename and str(error.filename) != where else ""
    remedy = _REMEDIES.get(error.errno or 0, "try again")
    return DestinationError(where, reason + named, remedy, error.errno in _TRANSIENT)


def explained_text(where: str, said: str) -> DestinationError:
    """Tell what a library says, with the remedy that its words call for."""
    line = said.strip().splitlines()[0] if said.strip() else "it failed"
    for texts, remedy, transient in _TEXTS:
        if any(text in said for text in texts):
            return DestinationError(where, line, remedy, transient)
    return DestinationError(where, line, "mend that, or choose another output")
