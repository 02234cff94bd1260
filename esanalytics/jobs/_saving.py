"""Snapshots that jobs begin from: taken when enough has come since the last one to pay for it."""

from __future__ import annotations

import datetime as dt

from esanalytics.errors import ProjectionError
from esanalytics.jobs._question import Question
from esanalytics.jobs._source import Source
from esanalytics.jobs._values import Window
from esanalytics.projections import Projection
from esanalytics.timetravel import snapshot, snapshots

__all__ = ["save"]

_SHARE = 0.1
"""Up to this part of the log, reading what follows a snapshot is cheaper than taking another one."""


def save(source: Source, question: Question, window: Window) -> None:
    """Take a snapshot as of the end of a window, and drop the one that it goes on from.

    Nothing is done where one is near enough, or where the question is of no projection.
    """
    definition = question.asked.definition
    if not isinstance(definition, Projection):
        return
    until = window.end - dt.timedelta(microseconds=1)
    known = [one for one in snapshots(source.store) if one.projection == definition.name and one.at <= until]
    nearest = max(known, key=lambda one: (one.at, one.position), default=None)
    if nearest is not None and source.position - nearest.position <= _SHARE * source.position:
        return
    try:
        made = snapshot(source.store, definition, until)
    except ProjectionError:  # there is no event yet
        return
    if nearest is not None and nearest.path != made.path:
        nearest.drop()
