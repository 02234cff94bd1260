"""Two paths that swap their names in one step, where the system can do so."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

__all__ = ["exchange"]

_HERE = -100  # AT_FDCWD
_SWAP = 2  # RENAME_EXCHANGE
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.EBUSY, errno.EOPNOTSUPP)


def exchange(first: Path, second: Path) -> bool:
    """Swap two files or folders atomically; return False, and change nothing, where that cannot be done.

    Raises:
        OSError: one is not there, or may not be renamed.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if swap(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _SWAP) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(second))
