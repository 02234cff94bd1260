"""Time travel: what the state was, at any time, as known at any time."""

from esanalytics.timetravel._merged import merged
from esanalytics.timetravel._state import state_at

__all__ = ["merged", "state_at"]
