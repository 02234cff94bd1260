"""Time travel: what the state was, at any time, as known at any time, and which events made it so."""

from esanalytics.timetravel._bisect import Bisection, bisect
from esanalytics.timetravel._by_sql import SqlProjection
from esanalytics.timetravel._diff import diff
from esanalytics.timetravel._explain import explain
from esanalytics.timetravel._history import history
from esanalytics.timetravel._join import join_asof
from esanalytics.timetravel._merged import merged
from esanalytics.timetravel._settling import Definition
from esanalytics.timetravel._snapshot import Snapshot, refresh, snapshot, snapshots
from esanalytics.timetravel._state import state_at

__all__ = [
    "Bisection",
    "Definition",
    "Snapshot",
    "SqlProjection",
    "bisect",
    "diff",
    "explain",
    "history",
    "join_asof",
    "merged",
    "refresh",
    "snapshot",
    "snapshots",
    "state_at",
]
