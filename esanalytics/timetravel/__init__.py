"""Time travel: what the state was, at any time, as known at any time, and which events made it so."""

from esanalytics.timetravel._bisect import Bisection, bisect
from esanalytics.timetravel._by_sql import SqlProjection
from esanalytics.timetravel._compiled import Compiled, compiled
from esanalytics.timetravel._diff import diff
from esanalytics.timetravel._explain import explain
from esanalytics.timetravel._history import history
from esanalytics.timetravel._join import join_asof
from esanalytics.timetravel._merged import merged
from esanalytics.timetravel._naming import nearest_names
from esanalytics.timetravel._settling import Definition, checked
from esanalytics.timetravel._snapshot import Snapshot, fingerprint_of, refresh, snapshot, snapshots
from esanalytics.timetravel._state import state_at
from esanalytics.timetravel._views import Views

__all__ = [
    "Bisection",
    "Compiled",
    "Definition",
    "Snapshot",
    "SqlProjection",
    "Views",
    "bisect",
    "checked",
    "compiled",
    "diff",
    "explain",
    "fingerprint_of",
    "history",
    "join_asof",
    "merged",
    "nearest_names",
    "refresh",
    "snapshot",
    "snapshots",
    "state_at",
]
