"""Scheduled exports: a file of jobs, what is due of them, and outputs that are whole or as they were before."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from esanalytics.jobs._values import Outcome, Published, Window

if TYPE_CHECKING:
    from esanalytics.jobs._export import export
    from esanalytics.jobs._jobs import Jobs, load

__all__ = ["Jobs", "Outcome", "Published", "Window", "export", "load"]

_PLACES = {"Jobs": "_jobs", "load": "_jobs", "export": "_export"}


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever has the name
    """Load what somebody looks at: a run with nothing to do needs no database."""
    if name not in _PLACES:
        raise AttributeError(f"module 'esanalytics.jobs' has no attribute {name!r}")
    return getattr(importlib.import_module(f"esanalytics.jobs.{_PLACES[name]}"), name)
