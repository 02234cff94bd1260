"""Whose run a file is of: a note in its attributes, which comes and goes with the file itself.

Where a file system takes no such notes nothing is known of a file, and it is made again; that is all they save.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from esanalytics.jobs._values import Published, Staged, Token

__all__ = ["end_of", "facts", "is_of", "mark", "marked", "noted"]

_NAME = "user.esanalytics"


def facts(token: Token, staged: Staged) -> dict[str, str | int]:
    """Say of which run an output is, and what is in it."""
    return {
        "job": token.job,
        "service": token.service,
        "window": token.window.key,
        "run": token.run,
        "fingerprint": token.fingerprint,
        "rows": staged.rows,
        "digest": staged.digest,
    }


def is_of(found: object, token: Token) -> bool:
    """Tell whether facts are of a job, service and window with the same fingerprint."""
    wanted = (token.job, token.service, token.window.key, token.fingerprint)
    keys = ("job", "service", "window", "fingerprint")
    return isinstance(found, dict) and tuple(found.get(key) for key in keys) == wanted


def mark(path: Path, token: Token, staged: Staged) -> None:
    """Note at a file of which run it is."""
    if hasattr(os, "setxattr"):
        with suppress(OSError):
            os.setxattr(path, _NAME, json.dumps(facts(token, staged)).encode())


def end_of(found: object, token: Token) -> str | None:
    """Return when the window ends that facts are of; None: they are of another job or service, or there are none."""
    if not isinstance(found, dict) or (found.get("job"), found.get("service")) != (token.job, token.service):
        return None
    return str(found.get("window", "")).partition("/")[2]


def noted(path: Path) -> object:
    """Return what is noted at a file; None: nothing is."""
    if not hasattr(os, "getxattr"):
        return None
    try:
        return json.loads(os.getxattr(path, _NAME))
    except (OSError, ValueError):
        return None


def marked(path: Path, token: Token) -> Published | None:
    """Return a file, where it is of this job, service and window with this fingerprint."""
    found: Any = noted(path)
    if not is_of(found, token):
        return None
    try:
        size = path.stat().st_size
    except OSError:
        return None
    return Published(str(path), int(found["rows"]), size, str(found["digest"]), (str(path),))
