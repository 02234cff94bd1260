"""Telling others how runs end; whoever cannot be reached is warned about, and no run fails for it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from esanalytics._instants import iso
from esanalytics.jobs._values import Outcome

if TYPE_CHECKING:
    from esanalytics.jobs._file import Notify
    from esanalytics.jobs._plan import Due

__all__ = ["started", "tell_of"]

_SECONDS = 5


def started(notify: Notify, due: Due) -> None:
    """Tell that a run begins."""
    if notify.on_start:
        window = [iso(due.window.start), iso(due.window.end)]
        _post(notify.on_start, {"job": due.unit.job, "service": due.unit.service, "window": window, "phase": "folding"})


def tell_of(notify: Notify, outcome: Outcome) -> None:
    """Tell how a run ended."""
    urls = [notify.url, notify.on_success if outcome.error is None else notify.on_failure]
    if not any(urls):
        return
    facts = {
        "run": outcome.run,
        "job": outcome.unit.job,
        "service": outcome.unit.service,
        "window": [iso(outcome.window.start), iso(outcome.window.end)],
        "phase": outcome.phase,
        "reason": outcome.reason,
        "rows": outcome.rows,
        "seconds": outcome.seconds,
        "error": str(outcome.error) if outcome.error else None,
    }
    for url in filter(None, urls):
        _post(url, facts)


def _post(url: str, facts: Mapping[str, object]) -> None:
    import urllib.request  # noqa: PLC0415  takes a while to load, and is for those who want it
    from http.client import HTTPException  # noqa: PLC0415

    body = json.dumps(facts).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  the file checks it
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            pass
    except (OSError, ValueError, HTTPException) as error:
        place = urlsplit(url).hostname  # what follows it is often a secret
        warnings.warn(f"nobody was told of job {facts['job']!r}: {place} ({error})", stacklevel=2)
